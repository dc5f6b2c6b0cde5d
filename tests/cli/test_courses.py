"""Lines over time, lines by drugs, surfaces and equal effects from the shell."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from shell import run


def test_timecourse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["timecourse", "T47D", "--treatment", "serum 10 % + alpelisib 1 uM", "--readouts", "pAKT_S473"]
    code, out, _ = run(capsys, *words, "--times", "0 .. 2 h x 5", "--plot", str(tmp_path / "course.svg"))
    assert code == 0
    frame = pd.read_csv(io.StringIO(out))
    assert list(frame["time_min"]) == [0, 30, 60, 90, 120]
    assert frame["value"].iloc[-1] < 0.5 * frame["value"].iloc[0]
    drawn = (tmp_path / "course.svg").read_text(encoding="utf-8")
    assert "<text" in drawn
    assert "time (min)" in drawn
    code, _, said = run(capsys, *words, "--times", "1 h", "--plot", str(tmp_path / "course.svg"))
    assert code == 2
    assert "a single time" in said


def test_surface_equal_effects_and_three_drugs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    drugs = ["combine", "T47D", "alpelisib", "capivasertib"]
    files = [str(tmp_path / name) for name in ("surface.png", "equal.png", "three.png")]
    pair = [*drugs, "--doses", "30 nM .. 3 uM x 4", "--metric", "musyc"]
    code, out, _ = run(capsys, *pair, "--plot", files[0], "--isobologram", files[1])
    assert code == 0
    assert list(pd.read_csv(io.StringIO(out))["parameter"])[:2] == ["beta", "E0"]
    three = [*drugs, "trametinib", "--doses", "30 nM .. 3 uM x 2", "-q"]
    assert run(capsys, *three, "--plot", files[2])[0] == 0
    assert all(Path(file).stat().st_size > 5000 for file in files)
    code, _, said = run(capsys, *three, "--isobologram", files[1])
    assert code == 2
    assert "of two drugs; 3 are named" in said


def test_lines_by_drugs_and_graphml(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    figure = str(tmp_path / "map.png")
    words = ["dose-response", "T47D", "MCF7", "alpelisib", "paxalisib", "--doses", "10 nM .. 10 uM x 5"]
    code, out, _ = run(capsys, *words, "-q", "--heat-map", figure)
    assert code == 0
    assert set(pd.read_csv(io.StringIO(out))["cell_line"]) == {"T47D", "MCF7"}
    assert Path(figure).stat().st_size > 5000
    assert run(capsys, "list", "network", "--graphml", str(tmp_path / "n.graphml"))[0] == 0
    import networkx as nx

    graph = nx.read_graphml(tmp_path / "n.graphml")
    assert graph["PTEN"]["PIP3"]["effect"] == "inhibits"
    assert run(capsys, "list", "drugs", "--graphml", str(tmp_path / "n.graphml"))[0] == 2
