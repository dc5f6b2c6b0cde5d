"""What changed between two models: every kind of difference is found, told with its unit, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.cli import main
from pathsim.scorecard.behaviours import read_behaviours
from pathsim.scorecard.comparison import (
    Change,
    compare_behaviours,
    compare_libraries,
    compare_models,
    compare_readings,
    to_frame,
)

OLD = """model cell
  species A = 1, B = 0, gone = 2;
  k = 0.5;       // 1/min | estimate: a guess
  kept = 3;      // nM | source: textbook
  lost = 1;      // 1 | estimate: not needed
  level := A + B;  // nM | readout: all of it
  J: A -> B; k*A;
  at (time > 5): A = kept*lost;
  gone -> ; 0.1*gone;
end
"""
NEW = """model cell
  species A = 1, B = 0.25, fresh = 4;
  k = 0.75;      // 1/min | source: Fritsch 2014
  kept = 3;      // nM | source: textbook
  more = 7;      // nM | estimate: new
  level := A + 2*B;  // nM | readout: all of it
  J: 2 A -> B; k*A^2;
  at (time > 6): A = kept;
  fresh -> ; 0.2*fresh;
end
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The two models as files."""
    paths = tmp_path / "old.ant", tmp_path / "new.ant"
    for path, text in zip(paths, (OLD, NEW), strict=True):
        path.write_text(text)
    return paths


def test_every_difference_of_two_models_is_told(files: tuple[Path, Path]) -> None:
    old, new = map(ps.load_model, files)
    said = [str(change) for change in compare_models(old, new)]
    assert "state B: starts at 0 -> starts at 0.25" in said
    assert "state fresh: added, starts at 4" in said
    assert "state gone: removed (was starts at 2)" in said
    assert "parameter k: 0.5 -> 0.75 1/min" in said
    assert "parameter more: added, 7 nM" in said
    assert "parameter lost: removed (was 1)" in said
    assert "rule level: A + B -> A + 2*B" in said
    assert "reaction J: A => B; k*A -> 2 A => B; k*A^2" in said
    assert "source k: estimate: a guess -> source: Fritsch 2014" in said
    assert sum(line.startswith("event") for line in said) == 1
    assert not any("kept" in line for line in said if not line.startswith("event"))
    assert compare_models(old, old) == []


def test_libraries_differ_in_drugs_lines_and_alterations(tmp_path: Path) -> None:
    drugs, lines = tmp_path / "drugs.toml", tmp_path / "lines.toml"
    drugs.write_text('[alpelisib]\nKd_nM.p110a_WT = { value = 50, source = "mine" }\n[new]\n')
    lines.write_text('[line.T47D]\n[line.T47D.set]\nPTEN_total = { value = 9, source = "mine" }\n')
    old = ps.default_library()
    new = old.with_drugs(drugs).with_cell_lines(lines)
    changes = compare_libraries(old, new)
    told = {(one.kind, one.name): one for one in changes}
    drug = old.drugs["alpelisib"].per_nM["drug_on_p110a_WT"]
    assert told["substance", "alpelisib, K of drug_on_p110a_WT"] == Change(
        "substance", "alpelisib, K of drug_on_p110a_WT", f"{1 / drug:.6g}", "50", "nM"
    )
    assert told["substance", "new"].old == ""
    assert told["cell line", "T47D, PTEN_total"].new == "9"
    assert compare_libraries(old, old) == []


def test_readings_and_behaviours_that_changed() -> None:
    old = ps.load_model("pi3k_mapk")
    weak = tuple(replace(one, value=0.0) if one.id == "k_S6_S240" else one for one in old.parameters)
    new = replace(old, parameters=weak, digest="weaker")
    assert {change.name.split(" ")[0] for change in compare_readings(old, new)} >= {"pS6_S240"}
    one = next(item for item in read_behaviours() if item.id == "G2")
    assert compare_behaviours([replace(one, lines=("T47D",))], old, old) == []


def test_the_shell_prints_text_or_a_table(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = map(str, files)
    for words in ([], ["--json"], ["-o", str(tmp_path / "out")]):
        with pytest.raises(SystemExit) as ended:
            main(["check", new, "--against", old, *words])
        assert not ended.value.code
    captured = capsys.readouterr()
    text, _, records = captured.out.partition("[")
    assert "parameter k: 0.5 -> 0.75 1/min\n" in text
    assert {"kind": "parameter", "name": "k", "change": "changed", "old": "0.5", "new": "0.75", "unit": "1/min"} in (
        json.loads("[" + records)
    )
    assert "against cell" in captured.err
    assert (tmp_path / "out" / "changes.csv").read_text().startswith("kind,name,change,old,new,unit\n")
    assert list(to_frame([]).columns) == ["kind", "name", "change", "old", "new", "unit"]
