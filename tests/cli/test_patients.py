"""trial and glucose from the shell: tables, figures, words for what does not exist."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from shell import run


def test_trial(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["trial", "--patients", "10", "--trials", "4"]
    code, out, said = run(capsys, *words, "--plot", str(tmp_path / "trial.png"))
    assert code == 0
    assert pd.read_csv(io.StringIO(out))["row"].iloc[0] == "primary analysis"
    assert "by assumption" in said
    assert (tmp_path / "trial.png").stat().st_size > 5000
    code, out, _ = run(capsys, *words, "-q", "-o", str(tmp_path))
    assert (code, out) == (0, "")
    assert {path.name for path in tmp_path.glob("*.csv")} == {"summary.csv", "trials.csv", "survival.csv"}
    code, _, said = run(capsys, "trial", "newly diagnose")
    assert code == 2
    assert "newly diagnosed" in said


def test_glucose(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["glucose", "T47D", "alpelisib 30 mg/kg daily", "--days", "0.25", "--interventions", "none"]
    code, out, _ = run(capsys, *words, "--table", "host", "--plot", str(tmp_path / "glucose.pdf"))
    assert code == 0
    host = pd.read_csv(io.StringIO(out))
    assert host[host["arm"] == "none"]["glucose_mM"].max() > host["glucose_mM"].iloc[0]
    assert b"/Type3" not in (tmp_path / "glucose.pdf").read_bytes()
    code, _, said = run(capsys, *words, "--table", "hosts")
    assert code == 2
    assert "did you mean host" in said
