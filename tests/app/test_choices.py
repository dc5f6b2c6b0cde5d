"""What is chosen on the page, as a command and as Python, without a browser."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.app.choices import Schedule, amount_text, around, first_choices, ladder
from pathsim.app.commands import VIEWS, shell_text, without_folder
from pathsim.app.compound import Action, Acts, Compound, sites, with_compound
from pathsim.app.outcome import Outcome
from pathsim.cli.app import keep, main
from pathsim.lab import Treatment, default_library
from pathsim.units import doses_nM

FIRST = first_choices()
BLOT = VIEWS[0]


def test_the_page_opens_with_the_protocol_of_the_bench() -> None:
    assert FIRST.lanes == ps.resistance_blot_protocol()
    assert FIRST.cells == ["T47D", "T47D+PTEN_loss"]
    assert FIRST.drugs == (("alpelisib", 1000.0),)


def test_lanes_of_every_schedule_read_as_treatments() -> None:
    two = replace(FIRST, drugs=(("alpelisib", 1500.0), ("trametinib", 0.7)), serum="serum 10 %")
    for schedule in Schedule:
        for ligand in ("", "EGF"):
            for starved in ("", "24 h"):
                lanes = replace(two, schedule=schedule, ligand=ligand, starved=starved).lanes
                assert len(lanes) == (8 if ligand and schedule is Schedule.stimulate else 4)
                for lane in lanes:
                    assert str(Treatment.parse(lane)) == lane
    assert replace(two, schedule=Schedule.washout, starved="", ligand="").lanes[1:2] == [
        "serum 10 % + alpelisib 1.5 uM for 1 h then serum 10 %"
    ]
    assert replace(two, treatments=("vehicle", "SN38 1 nM")).lanes == ["vehicle", "SN38 1 nM"]


def test_doses_of_a_slider_are_what_they_say() -> None:
    for dose in ladder():
        assert doses_nM(amount_text(dose)) == [pytest.approx(dose, rel=1e-14)]
        assert len(doses_nM(around(dose))) == 5


def test_a_command_is_read_back_as_it_was_meant() -> None:
    words = ["blot", "T47D", "--treatment", "serum 10 % + alpelisib 1 uM", 'a "b"', "$x", "it's"]
    assert shlex.split(shell_text(words)) == ["pathsim", *words]
    assert without_folder([f"/tmp/x{os.sep}a.toml", "T47D"], "/tmp/x") == ["a.toml", "T47D"]


def test_what_is_wrong_is_a_note_in_one_line() -> None:
    for choices, said in (
        (replace(FIRST, lines=("T47",), alterations=()), "unknown cell line 'T47'"),
        (replace(FIRST, lysed="soon"), "soon"),
        (replace(FIRST, settings=("nonsense",)), "write name=number"),
        (replace(FIRST, lines=(), alterations=()), ""),
    ):
        outcome = Outcome()
        keep(BLOT.command(choices), outcome)
        if said:
            assert outcome.failed
            assert said in outcome.notes[-1]
            assert not outcome.tables


def test_a_command_that_is_kept_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    outcome = Outcome(tell=told.append)
    small = replace(FIRST, alterations=(), readouts=FIRST.readouts[:1])
    keep(BLOT.command(small), outcome)
    assert not outcome.failed, outcome.notes
    assert list(tmp_path.iterdir()) == []
    assert len(outcome.tables["blot"]) == 4
    assert len(outcome.figures) == 1
    assert outcome.model is not None


def test_the_form_writes_what_the_file_of_drugs_reads(tmp_path: Path) -> None:
    known = sites(default_library())
    actions = (Action(Acts.inhibits, known[0], 5.0, 'own "assay"'), Action(Acts.adds, "IGF1", 0.5, "guess"))
    compound = Compound("my drug", "drug", ("X1",), "tight", 400.5, "datasheet", actions)
    text = with_compound("", compound)
    path = tmp_path / "compounds.toml"
    path.write_text(text, encoding="utf-8")
    drug = default_library().with_drugs(path).drug("X1")
    assert (drug.name, drug.molar_mass, drug.description) == ("my drug", 400.5, "tight")
    assert dict(drug.per_nM) == {f"drug_on_{known[0]}": 0.2, "IGF1": 0.5}
    with pytest.raises(ps.InputError, match="in the file already"):
        with_compound(text, compound)
    with pytest.raises(ps.InputError, match="no name"):
        Compound("").toml()


def test_without_panel_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from pathsim.cli import page

    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        main(["app", "--no-browser"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "pathsim: the page needs panel; install it with: pip install 'pathsim-lab[app]'\n"
