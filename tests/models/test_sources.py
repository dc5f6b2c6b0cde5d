"""Sources of the bundled files: each is cited with an identifier that was looked up, or says that it is not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.model import models_folder
from pathsim.model.checks import check_model
from pathsim.model.sources import CLASSES, Reference, bundled_sources, check_sources, class_of, read_references, uncited

KNOWN = {"Fritsch 2014": Reference("a paper", doi="10.1/x"), "Piqray label": Reference("a label", unverified=True)}


def test_every_bundled_source_has_an_identifier_or_says_why_not() -> None:
    found = bundled_sources(ps.load_model("pi3k_mapk"))
    assert found is not None
    assert found.problems == ()
    assert set(found.classes) <= set(CLASSES)
    assert sum(found.classes.values()) > 1000
    assert 0 < found.references[1] < found.references[0]


def test_nobody_elses_model_is_refused_for_its_sources(tmp_path: Path) -> None:
    path = tmp_path / "mine.ant"
    path.write_text("model mine\n  A = 1;\n  k = 1; // 1/min | source:\n  J: A -> ; k*A;\nend\n")
    mine = ps.load_model(path)
    assert bundled_sources(mine) is None
    report = check_model(mine)
    assert report.problems == ()
    assert any("k" in remark for remark in report.remarks)
    assert check_model(replace(mine, version="0.1")).problems == report.remarks


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4.8 (Fritsch 2014) x 16", "DOI or PMID"),
        ("Piqray label, CL/F", "unverified"),
        ("somebody, doi:10.1021/ja043277y", "DOI or PMID"),
        ("somebody, PMID 1234567", "DOI or PMID"),
        ("UniProt P01133, mature chain", "accession"),
        ("estimate: as Fritsch 2014", "estimate"),
        ("calibrated: to the blots", "calibrated"),
        ("derived: from both", "derived"),
        ("Fritsch 20145", ""),
        ("it is known", ""),
        ("", ""),
    ],
)
def test_what_stands_behind_a_source(text: str, found: str) -> None:
    assert class_of(text, KNOWN) == found


def test_papers_that_are_not_in_the_references_are_seen() -> None:
    assert uncited("Fritsch 2014; de Gooijer 2018, O'Reilly 2006", KNOWN) == ["de Gooijer 2018", "O'Reilly 2006"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('title = "x"', "needs either doi or pmid"),
        ('title = "x"\ndoi = "10.1021/a"\nunverified = true', "needs either doi or pmid"),
        ('title = "x"\ndoi = "doi.org"', "is no DOI"),
        ('title = "x"\npmid = "PMC3"', "is no PMID"),
        ('doi = "10.1021/a"', "needs a title"),
    ],
)
def test_references_without_identifier_are_refused(tmp_path: Path, entry: str, said: str) -> None:
    path = tmp_path / "references.toml"
    path.write_text(f'["A 2000"]\n{entry}\n')
    with pytest.raises(ps.InputError, match=said):
        read_references(path)


def test_a_bundled_entry_with_nothing_behind_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models_folder(), folder, ignore=shutil.ignore_patterns("versions"))
    path = folder / "clones.toml"
    path.write_text(path.read_text().replace('source = "estimate: as PTEN_loss"', 'source = "as everybody knows"', 1))
    with (folder / "hosts.toml").open("a") as file:
        file.write('\n[site.brain.extra]\nvalue = 1\n[site.brain.cited]\nvalue = 1\nsource = "Nobody 1999"\n')
    said = check_sources(folder, []).problems
    assert "clones.toml: clone.mTORC1_hyper.frequency: 'as everybody knows' is neither" in said[0]
    assert "hosts.toml: site.brain.extra: a value without a source" in said
    assert "hosts.toml: site.brain.cited: 'Nobody 1999' is not in references.toml" in said
