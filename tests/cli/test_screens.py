"""dose-response, combine, sweep and sensitivity from the shell: tables, summaries with unit and sign, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from shell import run

import pathsim as ps


def test_dose_response(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["dose-response", "T47D", "alpelisib", "--doses", "1 nM .. 10 uM x 9", "--time", "72 h",
             "--readout", "viability"]  # fmt: skip
    code, out, said = run(capsys, *words)
    assert code == 0
    frame = pd.read_csv(io.StringIO(out))
    assert list(frame["dose_nM"])[:2] == [0, 1]
    assert frame["value"].iloc[0] == pytest.approx(100.0)
    assert frame["value"].is_monotonic_decreasing
    assert "IC50" in said
    assert "misfit of the curve to wells without noise" in said
    assert len(set(frame["ic50_nM"])) == 1
    code, out, _ = run(capsys, *words, "-o", str(tmp_path))
    assert (code, out) == (0, "")
    assert {path.name for path in tmp_path.glob("*.csv")} == {"dose_response.csv", "curves.csv"}
    code, out, said = run(capsys, *words, "--json", "-q")
    assert "IC50" in said  # -q silences progress, not what was found
    found = json.loads(out)["curves"][0]
    assert (found["ic50"], found["ic50_relation"]) == (frame["ic50_nM"].iloc[0], "=")
    assert found["intervals"].startswith("misfit of the curve")
    noisy = run(capsys, *words, "--noise", "--replicates", "2")[2]
    assert "95% profile-likelihood intervals" in noisy


def test_lines_and_drugs_in_any_number_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dose-response", "T47D", "MCF7", "alpelisib", "trametinib", "--doses", "10 nM 1 uM", "--time", "1 h"]
    _, out, _ = run(capsys, *words, "--readout", "pAKT_S473")
    frame = pd.read_csv(io.StringIO(out))
    assert list(frame.groupby(["drug", "cell_line"], sort=False).groups) == [
        (drug, line) for drug in ("alpelisib", "trametinib") for line in ("T47D", "MCF7")
    ]
    same = ps.dose_response(
        "pi3k_mapk", ["T47D", "MCF7"], ["alpelisib", "trametinib"], "10 nM 1 uM", "pAKT_S473", "1 h"
    )
    assert list(frame["value"]) == pytest.approx(list(same["value"]))
    swapped = run(capsys, "dose-response", "alpelisib", "T47D", "--doses", "1 uM", "--time", "1 h")
    assert swapped[0] == 0
    words = ["combine", "T47D", "MCF7", "alpelisib", "trametinib", "--doses", "10 nM 1 uM", "--time", "24 h", "--json"]
    found = json.loads(run(capsys, *words)[1])
    assert list(found) == ["bliss_scores", "summary", "wells"]
    assert [row["cell_line"] for row in found["summary"]] == ["T47D", "MCF7"]
    first = [row["excess"] for row in found["bliss_scores"] if row["cell_line"] == "T47D"]
    assert found["summary"][0]["mean"] == pytest.approx(sum(first) / len(first))


def test_growth_rate_metrics(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["dose-response", "T47D", "alpelisib", "--readout", "GR", "-o", str(tmp_path)]
    code, _, said = run(capsys, *words, "--plot", str(tmp_path / "gr.png"))
    assert code == 0
    assert "GR50" in said
    assert (tmp_path / "gr.png").stat().st_size > 5000
    curve = pd.read_csv(tmp_path / "curves.csv").iloc[0]
    assert curve["drug"] == "alpelisib"
    assert curve["gr50_relation"] == "="


def test_combine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["combine", "T47D", "alpelisib", "mirdametinib", "--doses", "10 nM .. 1 uM x 3"]
    code, out, said = run(capsys, *words)
    assert code == 0
    assert list(pd.read_csv(io.StringIO(out)).columns)[:3] == ["cell_line", "alpelisib_nM", "mirdametinib_nM"]
    assert "percentage points" in said
    assert "> 0 is synergy" in said
    code, out, said = run(capsys, *words, "--metric", "ci", "-o", str(tmp_path))
    assert (code, out) == (0, "")
    assert "< 1 is synergy" in said
    assert {path.name for path in tmp_path.glob("*.csv")} == {"wells.csv", "ci_scores.csv", "summary.csv"}
    code, out, _ = run(capsys, *words, "--wells", "--plate", "96", "--replicates", "2", "--noise")
    assert code == 0
    assert len(pd.read_csv(io.StringIO(out))) == 2 * (15 + 8)


def test_combine_takes_doses_once_or_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["combine", "T47D", "alpelisib", "mirdametinib", "--wells", "--time", "1 h"]
    code, out, _ = run(capsys, *words, "--doses", "10 nM", "--doses", "1 2 nM")
    assert code == 0
    assert len(pd.read_csv(io.StringIO(out))) == 2 * 3
    code, out, said = run(capsys, *words, "--doses", "10 nM", "--doses", "1 nM", "--doses", "2 nM")
    assert (code, out) == (2, "")
    assert "3 times for 2 drugs" in said


SWEEP = """
cell_lines = ["T47D", "T47D+PTEN_loss"]
times = "1 h"
readouts = ["pAKT_S473"]
[doses]
alpelisib = "10 nM .. 1 uM x 3"
[output]
wells_per_chunk = 2
"""


def test_sweep_and_merge(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    words = ["sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out"), "--workers", "2"]
    code, out, said = run(capsys, *words)
    assert (code, out) == (0, "")
    assert "100 %, 6 of 6 wells" in said
    assert "wells/s" in said
    code, _, said = run(capsys, *words)
    assert code == 2
    assert "--resume continues it" in said
    code, _, said = run(capsys, *words, "--resume", "--quiet")
    assert (code, said) == (0, "")
    code, _, _ = run(capsys, "sweep", "merge", str(tmp_path / "out"), "-o", str(tmp_path / "all.csv"))
    assert code == 0
    frame = pd.read_csv(tmp_path / "all.csv")
    assert frame["value"].is_monotonic_increasing is False
    assert len(frame) == 6


def test_sharded_sweep(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    for shard in ("1/2", "2/2"):
        code, _, _ = run(capsys, "sweep", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out"), "--shard", shard)
        assert code == 0
    assert len(list((tmp_path / "out").glob("part-*.csv"))) == 3


def test_sensitivity(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["sensitivity", "T47D", "--readouts", "pAKT_S473", "--treatment", "alpelisib 1 uM", "--time", "1 h",
             "--vary", "AKT_total", "PTEN_total"]  # fmt: skip
    code, out, _ = run(capsys, *words, "--plot", str(tmp_path / "tornado.png"))
    assert code == 0
    assert set(pd.read_csv(io.StringIO(out))["parameter"]) == {"AKT_total", "PTEN_total"}
    both = pd.read_csv(io.StringIO(run(capsys, words[0], "MCF7", *words[1:])[1]))
    alone = pd.read_csv(io.StringIO(out))
    assert list(both["cell_line"]) == ["MCF7", "MCF7", "T47D", "T47D"]
    assert list(both["elasticity"][2:]) == list(alone["elasticity"])
    assert (tmp_path / "tornado.png").stat().st_size > 5000
    code, out, said = run(capsys, *words, "--method", "sobol", "--points", "8", "--factor", "0.9 .. 1.1 log")
    assert code == 0
    assert {"first", "total"} <= set(pd.read_csv(io.StringIO(out)).columns)
    assert "AKT_total" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dose-response", "T47", "alpelisib"], "did you mean T47D"),
        (["dose-response", "T47D", "alpelisob"], "did you mean alpelisib"),
        (["dose-response", "T47D", "alpelisib", "--doses", "1 .. 10 x 3"], "unit"),
        (["dose-response", "T47D", "alpelisib", "--plate", "97"], "97 wells"),
        (["dose-response", "T47D", "alpelisib", "--readout", "viabilty"], "did you mean viability"),
        (["combine", "T47D", "alpelisib"], "two or three drugs"),
        (["combine", "T47D", "alpelisib", "MK-2206", "--metric", "blis"], "bliss"),
        (["combine", "T47D", "alpelisib", "MK-2206", "--plot", "x.bmp"], ".png"),
        (["sweep", "nowhere.toml", "-o", "out"], "nowhere.toml"),
        (["sweep"], "Usage"),
        (["sweep", "merge", "nowhere", "-o", "all.csv"], "not a folder of a sweep"),
        (["sensitivity", "T47D", "--readouts", "pAKT_S47", "--vary", "AKT_total"], "did you mean pAKT_S473"),
        (["sensitivity", "T47D", "--readouts", "pAKT_S473", "--vary", "AKT_totl"], "did you mean AKT_total"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, message = run(capsys, *words)
    assert code == 2
    assert said in message + out
    assert "Traceback" not in message
