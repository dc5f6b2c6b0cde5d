"""The dose-response figure shows every well, the curve, the IC50 with its interval, and units."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from pathsim.errors import InputError
from pathsim.plot import draw_dose_response
from pathsim.stats import hill

DOSES = np.concatenate([[0.0], np.geomspace(1, 1e4, 9)])


def curve(ec50: float, bottom: float = 0.0, unit: str = "nM") -> hill.Curve:
    noise = np.random.default_rng(1).normal(0, 0.02, len(DOSES))
    return hill.fit(DOSES, bottom + (1 - bottom) / (1 + DOSES / ec50) + noise, unit=unit)


def test_bands_over_parameter_sets_are_whiskers() -> None:
    values = 100 / (1 + DOSES / 80)
    wells = pd.DataFrame(
        {
            "cell_line": "T47D",
            "treatment": [f"alpelisib {dose:g} nM" for dose in DOSES],
            "time_min": 4320.0,
            "readout": "viability",
            "value": values,
            "low": values - 5,
            "high": values + 7,
            "unit": "% of vehicle",
            "drug": "alpelisib",
            "dose_nM": DOSES,
        }
    )
    ax = draw_dose_response(wells).axes[0]
    (whiskers,) = (c for c in ax.collections if isinstance(c, LineCollection))
    ends = np.array([segment[:, 1] for segment in whiskers.get_segments()])
    assert ends[:, 0] == pytest.approx(values - 5)
    assert ends[:, 1] == pytest.approx(values + 7)
    assert "parameter sets" in ax.get_title(loc="left")


def test_one_curve() -> None:
    fitted = curve(100.0)
    ax = draw_dose_response({"alpelisib": fitted}, response_label="viability (fraction of control)").axes[0]
    assert ax.get_xlabel() == "dose (nM)"
    assert ax.get_ylabel() == "viability (fraction of control)"
    assert ax.get_xscale() == "log"
    wells = next(line for line in ax.get_lines() if len(np.asarray(line.get_xdata())) == 10)
    assert np.asarray(wells.get_ydata()) == pytest.approx(fitted.responses)
    assert 0 < np.asarray(wells.get_xdata()).min() < 1  # the untreated well stands left of the lowest dose
    assert ax.get_xticklabels()[0].get_text() == "0"
    diamond = next(line for line in ax.get_lines() if line.get_marker() == "d")
    assert float(np.asarray(diamond.get_xdata())[0]) == fitted.ic50.value
    assert ax.get_legend().get_texts()[0].get_text().startswith("alpelisib: IC50 ")
    written = io.BytesIO()
    ax.figure.savefig(written, format="png")
    assert len(written.getvalue()) > 5000


def test_ic50_that_is_not_reached_is_said_and_not_marked() -> None:
    ax = draw_dose_response({"weak": curve(100.0, bottom=0.7)}).axes[0]
    assert "not reached (> 10000 nM)" in ax.get_legend().get_texts()[0].get_text()
    assert not any(line.get_marker() == "d" for line in ax.get_lines())


def test_draws_on_the_axes_given() -> None:
    mine = Figure().add_subplot()
    assert draw_dose_response({"a": curve(100.0)}, ax=mine) is mine.figure


def test_table_gives_a_curve_per_drug_and_its_unit() -> None:
    rows = [
        ("T47D", f"{drug} {dose} nM", 4320.0, "viability", 100 / (1 + dose / ec50), "% of vehicle", drug, dose)
        for drug, ec50 in (("alpelisib", 100.0), ("capivasertib", 1000.0))
        for dose in DOSES
    ]
    columns = ["cell_line", "treatment", "time_min", "readout", "value", "unit", "drug", "dose_nM"]
    ax = draw_dose_response(pd.DataFrame(rows, columns=columns)).axes[0]
    assert ax.get_ylabel() == "viability (% of vehicle)"
    names = [text.get_text().split(":")[0] for text in ax.get_legend().get_texts()]
    assert names == ["alpelisib", "capivasertib"]


def test_different_units_do_not_share_an_axis() -> None:
    with pytest.raises(InputError, match="curves are in nM and uM"):
        draw_dose_response({"a": curve(100.0), "b": curve(100.0, unit="uM")})


def test_open_interval_reaches_the_edge_not_beyond() -> None:
    fitted = hill.fit([0, 1, 10, 100, 1000], [1.0, 0.99, 0.9, 0.7, 0.45])
    ax = draw_dose_response({"open": fitted}).axes[0]
    assert all(math.isfinite(x) for line in ax.get_lines() for x in np.asarray(line.get_xdata(), dtype=float))
