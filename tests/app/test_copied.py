"""What is copied from the page gives the numbers that the page shows: as a command, and as Python."""

from __future__ import annotations

import io
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pathsim.app.choices import Choices, first_choices
from pathsim.app.commands import VIEWS, View, shell_text, without_folder
from pathsim.app.compound import Action, Acts, Compound
from pathsim.app.outcome import Outcome, as_file, as_picture
from pathsim.app.report import Part, write_report
from pathsim.cli.app import keep, main

FIRST = first_choices()
SMALL = replace(FIRST, readouts=FIRST.readouts[:2], course="0 .. 1 h x 3", doses="10 nM .. 1 uM x 4")
QUICK = [view for view in VIEWS if not view.slow]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choices:
    """A compound and a constant of one's own, in files of the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    compound = Compound("mine", actions=(Action(Acts.inhibits, "p110a_WT", 3.0, "own"),))
    (tmp_path / "compounds.toml").write_text(compound.toml(), encoding="utf-8")
    drugs = (("mine", 30.0),)
    return replace(SMALL, drugs=drugs, drugs_file=str(tmp_path / "compounds.toml"), settings=("PTEN_total=40",))


def kept(view: View, choices: Choices, folder: Path) -> tuple[Outcome, list[str]]:
    words = view.command(choices, str(folder))
    outcome = Outcome()
    keep(words, outcome)
    assert not outcome.failed, outcome.notes
    return outcome, without_folder(words, str(folder))


def same(shown: Outcome, name: str, table: pd.DataFrame) -> None:
    page = pd.read_csv(io.StringIO(shown.csv(name)))
    columns = [column for column in page.columns if column in table.columns]
    assert len(columns) >= 4
    assert len(page) == len(table)
    for column in columns:
        if page[column].dtype.kind == "f":
            np.testing.assert_allclose(page[column], table[column].astype(float), rtol=1e-9, atol=1e-12)
        else:
            assert page[column].astype(str).tolist() == table[column].astype(str).tolist()


@pytest.mark.parametrize("view", QUICK, ids=lambda view: str(view.verb))
def test_command_and_python(view: View, own: Choices, tmp_path: Path) -> None:
    shown, words = kept(view, own, tmp_path)
    copied = shlex.split(shell_text(words))
    assert copied[0] == "pathsim"
    with pytest.raises(SystemExit) as stopped:
        main(copied[1:])
    assert stopped.value.code == 0
    assert Path(f"{view.verb}.svg").stat().st_size > 1000
    for name in shown.tables:
        same(shown, name, pd.read_csv(Path("results", f"{name}.csv")))
    space: dict[str, Any] = {}
    exec(compile(view.python(own), view.verb, "exec"), space)
    name = "wells" if view.verb == "combine" else view.verb.replace("-", "_")
    same(shown, name, space["table"])
    assert space["figure"].axes


def test_a_measured_blot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made, _ = kept(VIEWS[0], SMALL, tmp_path)
    table = pd.read_csv(io.StringIO(made.csv("blot")))
    table.assign(value=table["value"] * 7, sd=0.1).to_csv("bands.csv", index=False)
    measured = replace(SMALL, data=str(tmp_path / "bands.csv"))
    shown, words = kept(VIEWS[0], measured, tmp_path)
    assert words[:3] == ["blot", "--data", "bands.csv"]
    assert {"blot", "measured"} <= set(shown.tables)
    space: dict[str, Any] = {}
    exec(compile(VIEWS[0].python(measured), "blot", "exec"), space)
    same(shown, "blot", space["table"])


def test_studies_and_the_report(tmp_path: Path) -> None:
    parts = []
    for view, choices in ((VIEWS[5], replace(SMALL, fold=1.2, start="500 nM")), (VIEWS[0], SMALL)):
        shown, words = kept(view, choices, tmp_path)
        parts.append(Part(view.title, words, view.python(choices), shown))
    for view in VIEWS:
        compile(view.python(SMALL), view.verb, "exec")
    assert list((tmp_path / "results").glob("T47D-*.toml"))
    page = write_report("T47D", parts, [("a.toml", "<b>")], parts[0].outcome.model)
    assert page.count("<img ") == 2
    assert "&lt;b&gt;" in page
    figure = parts[0].outcome.figures[0]
    assert as_file(figure, "pdf", {}).startswith(b"%PDF")
    assert as_file(figure, "png", {}).startswith(b"\x89PNG")
    assert b"<text" in as_file(figure, "svg", {})
    assert b"<text" not in as_picture(figure)
