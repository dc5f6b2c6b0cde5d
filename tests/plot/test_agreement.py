"""Measured against simulated: what the figure shows is what the table says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pathsim.plot import draw_agreement, draw_left_out


def _table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "observable": ["a", "a", "b", "b"],
            "measurement": [1.0, 2.0, 10.0, 40.0],
            "simulation": [1.1, 1.9, 20.0, 30.0],
            "noise": [0.1, 0.1, 0.2, 0.2],
            "scale": ["lin", "lin", "log10", "log10"],
        }
    )


def test_points_are_shares_of_the_largest_measurement() -> None:
    ax = draw_agreement(_table()).axes[0]
    points = {str(line.get_label()): line for line in ax.get_lines()}
    np.testing.assert_allclose(points["a"].get_xdata(), [0.55, 0.95])
    np.testing.assert_allclose(points["a"].get_ydata(), [0.5, 1.0])
    np.testing.assert_allclose(points["b"].get_xdata(), [0.5, 0.75])
    assert ax.get_xscale() == "log"


def test_negative_values_stay_on_linear_axes() -> None:
    table = _table().assign(simulation=[-1.0, 1.0, 2.0, 3.0])
    assert draw_agreement(table).axes[0].get_xscale() == "linear"


def test_bars_of_logarithmic_noise_are_factors() -> None:
    ax = draw_agreement(_table()).axes[0]
    bars = [segment for collection in ax.collections for segment in collection.get_segments()]  # type: ignore[attr-defined]
    top = max(float(segment[:, 1].max()) for segment in bars)
    assert np.isclose(top, 10**0.2)


def test_lines_left_out_are_counted_by_drug() -> None:
    measured = [0.1, 0.5, 0.9, 0.2, 0.3, np.nan]
    table = pd.DataFrame(
        {
            "drug": ["x"] * 3 + ["y"] * 3,
            "cell_line": ["A", "B", "C"] * 2,
            "measured": measured,
            "left_out": [0.2, 0.4, 0.8, 0.5, 0.4, 0.3],
        }
    )
    table = table.assign(low=table["left_out"] - 0.15, high=table["left_out"] + 0.15)
    figure = draw_left_out(table)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["x\nr 1.00, 3/3 held", "y\nr -1.00, 1/2 held"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A", "B", "C"]
