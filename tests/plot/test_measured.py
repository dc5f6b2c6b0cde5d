"""Measured beside simulated: bands on the scale of the model lane by lane, curves and matrices in one figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.estimation.beside import beside
from pathsim.plot import draw_blot_beside, draw_dose_response_beside, draw_matrix_beside
from pathsim.stats import synergy
from pathsim.stats.measured import DoseResponse

KEYS = ["cell_line", "treatment", "time_min", "readout", "value"]
SIMULATED = pd.DataFrame(
    [("T47D", "vehicle", 15.0, "pAKT", 10.0), ("T47D", "IGF1 13 nM", 15.0, "pAKT", 40.0),
     ("T47D", "alpelisib 1 uM + IGF1 13 nM", 15.0, "pAKT", 5.0)],
    columns=KEYS,
)  # fmt: skip


def measured() -> pd.DataFrame:
    """Two gels of the same lanes with different exposures, the lanes of one unevenly loaded, units written
    otherwise."""
    rows = []
    for gel, exposure, loads in (("a", 700.0, (1.0, 2.0, 0.5)), ("b", 3.0, (1.0, 1.0, 1.0))):
        for (line, treatment, time, _, value), load in zip(SIMULATED.itertuples(index=False), loads, strict=True):
            written = treatment.replace("alpelisib 1 uM + IGF1 13 nM", "IGF1 0.013 uM + alpelisib 1000 nM")
            rows.append((line, written, time, "pAKT", value * exposure * load, gel))
            rows.append((line, written, time, "vinculin", 100.0 * load, gel))
    rows.append(("MCF7", "vehicle", 15.0, "pAKT", 1.0, "a"))
    rows.append(("MCF7", "vehicle", 15.0, "vinculin", 100.0, "a"))
    return pd.DataFrame(rows, columns=[*KEYS, "gel"])


def test_bands_come_on_the_scale_of_the_model() -> None:
    table = beside(SIMULATED, measured())
    assert len(table) == 6
    assert table["measured"].tolist() == pytest.approx(table["simulated"].tolist())
    assert set(table["treatment"]) == set(SIMULATED["treatment"])
    figure = draw_blot_beside(table)
    assert len(figure.axes[0].patches) == 3
    with pytest.raises(InputError, match="no measured band is of a simulated lane"):
        beside(SIMULATED.assign(cell_line="BT20"), measured())


def test_measured_curves_are_drawn_in_percent() -> None:
    doses = np.array([0.0, 1, 10, 100, 1000])
    simulated = pd.DataFrame(
        {"cell_line": "T47D", "drug": "alpelisib", "dose_nM": doses, "value": 100 / (1 + doses / 50), "unit": "%",
         "readout": "viability", "time_min": 4320.0}
    )  # fmt: skip
    one = DoseResponse("mine", {}, "nM", doses, 12345 / (1 + doses / 20), ("",) * 5)
    assert one.in_percent().values[0] == pytest.approx(100.0)
    figure = draw_dose_response_beside(simulated, [one])
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any("simulated T47D" in name for name in names)
    assert any("measured mine" in name and "IC50 20" in name for name in names)


def test_two_matrices_in_one_figure() -> None:
    grid = np.outer(1 / (1 + np.array([0.0, 1, 3])), 1 / (1 + np.array([0.0, 2, 5])))
    wells = synergy.from_matrix([0, 1, 3], [0, 2, 5], grid, ["a", "b"])
    assert len(draw_matrix_beside(wells, wells).axes) == 8
