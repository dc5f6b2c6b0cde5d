"""Lines left out: their intervals follow from the other lines alone, and the summary counts what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pathsim.calibration.leave_out import LEVEL, Panel, leave_out, panel_table, read_panel, summary_table
from pathsim.errors import InputError
from pathsim.lab import default_library
from pathsim.model import load_model, models_folder

DATA = Path(__file__).parents[3] / "shared" / "data" / "calibration"
CONFIG = models_folder() / "calibration.toml"
LINES = [f"line {j}" for j in range(40)]
DRUGS = [f"drug {i}" for i in range(10)]
BLOTS = pd.DataFrame({"cell_line": ["a"], "table": ["b"], "numbers": [3], "in_fit": [0.25], "left_out": [0.5]})


def made(seed: int = 1) -> tuple[Panel, np.ndarray]:
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(0.0, 1.0, (len(DRUGS), len(LINES)))
    measured = predicted + 0.1 * rng.standard_normal(predicted.shape)
    return Panel(pd.DataFrame(measured, index=DRUGS, columns=LINES), {}, 4320.0), predicted


def table_of(panel: Panel, predicted: np.ndarray) -> pd.DataFrame:
    columns = {line: predicted[:, j] for j, line in enumerate(LINES)}
    return panel_table(panel, {line: {"panel": own.tolist()} for line, own in columns.items()}, columns)


def test_intervals_hold_as_many_values_as_they_claim() -> None:
    panel, predicted = made()
    summary = summary_table(table_of(panel, predicted), BLOTS).set_index("quantity")["left_out"]
    assert summary[f"{LEVEL:.0%} intervals: coverage"] == pytest.approx(LEVEL, abs=0.04)
    assert summary[f"{LEVEL:.0%} intervals: width"] == pytest.approx(2 * 1.645 * 0.1, rel=0.1)
    assert summary["mean absolute error of GR_AOC"] == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.1)
    assert summary["blots: median absolute log2 error, mean over tables"] == 0.5


def test_what_was_measured_in_a_line_moves_no_interval_of_that_line() -> None:
    panel, predicted = made()
    measured = panel.measured.copy()
    measured.iloc[3, 5] += 4.0
    before = table_of(panel, predicted)
    after = table_of(replace(panel, measured=measured), predicted)
    own = (before["drug"] == "drug 3") & (before["cell_line"] == "line 5")
    for column in ("low", "high", "median", "median_low", "median_high"):
        assert after.loc[own, column].item() == before.loc[own, column].item()
    others = (before["drug"] == "drug 3") & (before["cell_line"] == "line 6")
    assert after.loc[others, "high"].item() > before.loc[others, "high"].item()


def test_a_perfect_prediction_ranks_all_lines_and_needs_no_width() -> None:
    panel, _ = made()
    exact = panel.measured.to_numpy(dtype=float)
    summary = summary_table(table_of(panel, exact), BLOTS).set_index("quantity")["left_out"]
    assert summary["rank correlation over lines, mean of drugs"] == pytest.approx(1.0)
    assert summary["drug-drug correlations, mean absolute difference"] == pytest.approx(0.0, abs=1e-12)
    assert summary[f"{LEVEL:.0%} intervals: interval score"] == 0.0


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/calibration is not here")
def test_the_panel_is_read_and_simulated() -> None:
    panel = read_panel(CONFIG, DATA)
    assert panel.measured.shape == (18, 12)
    assert panel.measured.loc["sapanisertib", "MCF7"] == pytest.approx(0.726, abs=1e-3)
    few = replace(panel, doses={drug: panel.doses[drug][[0, -1]] for drug in ("sapanisertib", "TGX-221")})
    areas = few.simulated(load_model("pi3k_mapk"), "MCF7", {}, default_library())
    assert areas[1] + 0.2 < areas[0] < 1.5


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/calibration is not here")
def test_a_line_outside_the_panel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown cell line 'HeLa'"):
        leave_out(DATA, tmp_path, ["HeLa"])
