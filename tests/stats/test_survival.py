"""Survival statistics against the 6-MP trial (Freireich et al. 1963, Blood 21:699), and degenerate input."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from pathsim.errors import InputError
from pathsim.stats import survival

SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SIX_MP_EVENTS = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TIMES, EVENTS = SIX_MP + PLACEBO, SIX_MP_EVENTS + [1] * 21
ARMS = ["6-MP"] * 21 + ["placebo"] * 21


def test_six_mp_curve() -> None:
    curve = survival.kaplan_meier(SIX_MP, SIX_MP_EVENTS, unit="weeks")
    published = {6: 0.857143, 7: 0.806723, 10: 0.752941, 13: 0.690196, 16: 0.627451, 22: 0.537815, 23: 0.448179}
    for time, value in published.items():
        assert curve.at(time) == pytest.approx(value, abs=1e-6)
    limits = curve.to_frame().set_index("time")
    assert list(limits.loc[6, ["low", "high"]]) == pytest.approx([0.6197, 0.9516], abs=1e-4)
    assert list(limits.loc[23, ["low", "high"]]) == pytest.approx([0.1881, 0.6801], abs=1e-4)
    assert (curve.median.value, curve.median.low, curve.median.high) == (23, 13, None)
    assert str(curve.median) == "23 weeks (13 to not reached)"
    assert curve.at(0) == 1.0


def test_number_at_risk() -> None:
    curve = survival.kaplan_meier(SIX_MP, SIX_MP_EVENTS)
    assert curve.number_at_risk([0, 6, 7, 10, 20, 35, 36]) == [21, 21, 17, 15, 8, 1, 0]


def test_six_mp_log_rank() -> None:
    found = survival.log_rank(TIMES, ARMS, EVENTS)
    assert found.chi2 == pytest.approx(16.792941, rel=1e-7)
    assert found.p == pytest.approx(4.168809e-05, rel=1e-5)
    assert found.degrees_of_freedom == 1
    assert sum(found.expected.values()) == pytest.approx(sum(found.observed.values()))


def test_six_mp_hazard_ratio() -> None:
    pytest.importorskip("statsmodels", reason="the survival extra is not installed")
    (found,) = survival.hazard_ratio(TIMES, ARMS, EVENTS, reference="6-MP")
    assert found.coefficient == pytest.approx(1.572125, rel=1e-5)
    assert found.value == pytest.approx(4.816873, rel=1e-5)
    assert found.se == pytest.approx(0.412397, rel=1e-5)
    (turned,) = survival.hazard_ratio(TIMES, ARMS, EVENTS, reference="placebo")
    assert turned.value == pytest.approx(1 / 4.816873, rel=1e-5)


@given(seed=st.integers(0, 1000), size=st.integers(5, 40))
@settings(max_examples=40, deadline=None)
def test_curve_and_test_agree_with_scipy(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    samples = []
    for scale in (10, 14):
        event, end = rng.exponential(scale, size).round(1) + 0.1, rng.uniform(2, 30, size).round(1)
        samples.append((np.minimum(event, end), event <= end))
    wrapped = [scipy.stats.CensoredData.right_censored(times, ~seen) for times, seen in samples]
    expected = scipy.stats.ecdf(wrapped[0]).sf
    curve = survival.kaplan_meier(*samples[0])
    assert curve.times == pytest.approx(expected.quantiles)
    assert curve.survival == pytest.approx(expected.probabilities, abs=1e-12)
    if samples[0][1].any() and samples[1][1].any():
        reference = scipy.stats.logrank(*wrapped)
        found = survival.log_rank(
            np.concatenate([s[0] for s in samples]),
            ["a"] * size + ["b"] * size,
            np.concatenate([s[1] for s in samples]),
        )
        if found.p is not None:
            assert found.chi2 == pytest.approx(reference.statistic**2, rel=1e-9)
            assert found.p == pytest.approx(reference.pvalue, rel=1e-6)


def test_three_arms() -> None:
    """A third arm that copies the first: two degrees of freedom, the same expected numbers for the copies."""
    found = survival.log_rank([*TIMES, *SIX_MP], [*ARMS, *["copy"] * 21], [*EVENTS, *SIX_MP_EVENTS])
    assert found.degrees_of_freedom == 2
    assert found.expected["6-MP"] == pytest.approx(found.expected["copy"])


def test_log_rank_holds_its_level() -> None:
    rng = np.random.default_rng(4)
    hits = sum(
        survival.log_rank(rng.exponential(10, 40), ["a", "b"] * 20).p < 0.05  # type: ignore[operator]
        for _ in range(400)
    )
    assert 0.02 <= hits / 400 <= 0.09


def test_log_log_limits_cover() -> None:
    rng = np.random.default_rng(8)
    inside = 0
    for _ in range(400):
        event, end = rng.exponential(10, 30), rng.uniform(5, 40, 30)
        curve = survival.kaplan_meier(np.minimum(event, end), event <= end)
        row = np.flatnonzero(curve.times <= 6.0)[-1]
        inside += bool(curve.low[row] <= math.exp(-0.6) <= curve.high[row])
    assert 0.92 <= inside / 400 <= 0.98


def test_nobody_dies() -> None:
    curve = survival.kaplan_meier([10, 12, 30], [0, 0, 0])
    assert curve.median.value is None
    assert str(curve.median) == "not reached"
    found = survival.log_rank([10, 12, 30, 31], ["a", "a", "b", "b"], [0, 0, 0, 0])
    assert (found.chi2, found.p) == (None, None)
    assert "not estimable" in str(found)


def test_hazard_ratio_without_a_maximum_is_not_a_number() -> None:
    pytest.importorskip("statsmodels", reason="the survival extra is not installed")
    (silent,) = survival.hazard_ratio(TIMES, ARMS, [0] * 21 + [1] * 21, reference="6-MP")
    assert silent.value is None
    assert "no events in 6-MP" in str(silent)
    (apart,) = survival.hazard_ratio([1, 2, 3, 10, 11, 12], list("aaabbb"), reference="a")
    assert apart.value is None
    assert "not estimable" in str(apart)


def test_survival_after_the_last_observation_is_not_known() -> None:
    with pytest.raises(InputError, match="observation ends at 35"):
        survival.kaplan_meier(SIX_MP, SIX_MP_EVENTS).at(40)
    assert survival.kaplan_meier(PLACEBO).at(40) == 0.0


@pytest.mark.parametrize(
    ("times", "events", "said"),
    [
        ([], [], "the arm is empty"),
        ([5, -1], [1, 1], r"row 2: time -1 is before dosing began"),
        ([5, math.nan], [1, 1], "row 2: time is nan"),
        ([5, 6], [1, 2], "row 2: event is 2; write 1 for an event"),
        ([5, 6], [1], "one event flag per time"),
    ],
)
def test_bad_input(times: list[float], events: list[int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        survival.kaplan_meier(times, events)


def test_one_arm_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="only one arm"):
        survival.log_rank([1, 2], ["a", "a"])


def test_table_by_arm() -> None:
    frame = pd.DataFrame({"arm": ARMS, "time_days": TIMES, "event": EVENTS})
    curves = survival.by_arm(frame)
    assert list(curves) == ["6-MP", "placebo"]
    assert curves["placebo"].median.value == 8
    with pytest.raises(InputError, match="column 'event' is missing \\(is 'events' meant"):
        survival.by_arm(frame.rename(columns={"event": "events"}))
