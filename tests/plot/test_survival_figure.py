"""Kaplan-Meier figure: steps, censoring marks, numbers at risk, medians."""

from __future__ import annotations

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.plot import draw_survival
from pathsim.stats.survival import kaplan_meier, log_rank

TIMES, EVENTS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13], [1, 1, 1, 0, 1, 0, 1, 0, 0, 1]


def test_curves_marks_and_numbers_at_risk() -> None:
    treated, control = kaplan_meier(TIMES, EVENTS, unit="weeks"), kaplan_meier([1, 2, 3, 5, 8], unit="weeks")
    test = log_rank([*TIMES, 1, 2, 3, 5, 8], ["t"] * 10 + ["c"] * 5, [*EVENTS, 1, 1, 1, 1, 1])
    ax = draw_survival({"treated": treated, "control": control}, test=test).axes[0]
    assert ax.get_xlabel() == "time (weeks)"
    assert ax.get_ylabel() == "survival (probability)"
    step = ax.get_lines()[0]
    assert list(np.asarray(step.get_ydata())) == pytest.approx([1.0, *treated.survival])
    marks = ax.get_lines()[1]
    assert list(np.asarray(marks.get_xdata())) == [6, 9, 10, 11]
    texts = [text.get_text() for text in ax.texts]
    assert str(test) in ax.get_title(loc="left")
    assert texts[texts.index("treated") + 1] == "10"
    assert texts[texts.index("control") + 1] == "5"
    assert "treated (n = 10, median 10 weeks)" in ax.get_legend().get_texts()[0].get_text()


def test_median_not_reached_is_said() -> None:
    ax = draw_survival([kaplan_meier([5, 6, 7], [0, 0, 0], name="all alive")]).axes[0]
    assert "all alive (n = 3, median not reached)" in ax.get_legend().get_texts()[0].get_text()


def test_units_must_agree() -> None:
    with pytest.raises(InputError, match="curves are in days and weeks"):
        draw_survival([kaplan_meier([1]), kaplan_meier([1], unit="weeks")])
    with pytest.raises(InputError, match="no survival curve"):
        draw_survival([])
