"""Sensitivity figures show the numbers of their table, the largest on top."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.plot import draw_morris, draw_sobol, draw_tornado

WHERE = {"cell_line": "T47D", "treatment": "serum 10 %", "time_min": 4320.0, "readout": "pS6_S240"}
NAMES = ["a", "b", "c"]


def widths(ax) -> list[float]:
    return [float(bar.get_width()) for bar in ax.patches]


def names(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_tornado() -> None:
    table = pd.DataFrame({**WHERE, "parameter": NAMES, "elasticity": [0.1, -2.0, 1.0]})
    ax = draw_tornado(table).axes[0]
    assert widths(ax) == [0.1, 1.0, -2.0]  # from below
    assert names(ax) == ["a", "c", "b"]
    assert "elasticity of pS6_S240" in ax.get_xlabel()
    assert ax.get_title(loc="left") == "T47D, serum 10 %, 72 h"
    rise, fall = (ax.patches[i].get_facecolor() for i in (1, 2))
    assert rise != fall
    assert len(draw_tornado(table, most=2).axes[0].patches) == 2


def test_sobol() -> None:
    table = pd.DataFrame(
        {
            **WHERE,
            "parameter": NAMES,
            "first": [0.5, 0.1, 0.0],
            "first_low": [0.4, 0.0, -0.1],
            "first_high": [0.6, 0.2, 0.1],
            "total": [0.6, 0.3, 0.2],
            "total_low": [0.5, 0.2, 0.1],
            "total_high": [0.7, 0.4, 0.3],
        }
    )
    ax = draw_sobol(table).axes[0]
    np.testing.assert_allclose(sorted(widths(ax)), [0, 0.1, 0.2, 0.3, 0.5, 0.6])
    assert names(ax) == ["c", "b", "a"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["total", "first order"]
    assert ax.get_xlim()[0] < -0.1


def test_morris() -> None:
    table = pd.DataFrame(
        {
            **WHERE,
            "parameter": NAMES,
            "mu": [1.0, -3.0, 0.1],
            "mu_star": [1.0, 3.0, 0.2],
            "mu_star_error": 0.1,
            "sigma": [0.0, 1.5, 0.2],
        }
    )
    ax = draw_morris(table).axes[0]
    assert names(ax) == ["c", "a", "b"]
    dots = next(line for line in ax.get_lines() if line.get_marker() == "D")
    np.testing.assert_allclose(dots.get_xdata(), [0.2, 0.0, 1.5])


def test_one_readout_at_a_time() -> None:
    table = pd.DataFrame({**WHERE, "parameter": NAMES, "elasticity": [0.1, -2.0, 1.0]})
    both = pd.concat([table, table.assign(readout="pAKT_S473")])
    with pytest.raises(InputError, match="choose one: pS6_S240, pAKT_S473"):
        draw_tornado(both)
    assert len(draw_tornado(both, "pAKT_S473").axes[0].patches) == 3
    with pytest.raises(InputError, match="did you mean pS6_S240"):
        draw_tornado(both, "pS6_S24")
    with pytest.raises(InputError, match="column 'total' is missing"):
        draw_sobol(table)
