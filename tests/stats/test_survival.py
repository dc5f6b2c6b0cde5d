"""Survival statistics against the 6-MP trial (Freireich et al. 1963, Blood 21:699), and degenerate input."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

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
        event, end = (rng.exponential(scale, size) + 0.1).round(1), rng.uniform(2, 30, size).round(1)
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


def test_times_that_differ_by_rounding_are_ties() -> None:
    times = [0.1 + 0.2, 0.3, 0.7]
    assert survival.kaplan_meier(times).times.tolist() == [0.3, 0.7]
    written, summed = (survival.log_rank([first, 0.3, 0.7, 1.0], list("abab")) for first in (0.3, 0.1 + 0.2))
    assert written == summed
    single = np.float32(TIMES).astype(float) * 1.1
    assert survival.log_rank(single, ARMS, EVENTS).chi2 == pytest.approx(16.792941, rel=1e-6)


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA, "", "  "])
def test_a_subject_without_an_arm_is_refused(missing: object) -> None:
    arms = ["vehicle", "vehicle", "drug", missing, "drug"]
    with pytest.raises(InputError, match="row 4: no arm is named"):
        survival.log_rank([1, 2, 3, 4, 5], arms)
    with pytest.raises(InputError, match="row 4: no arm is named"):
        survival.hazard_ratio([1, 2, 3, 4, 5], arms, reference="vehicle")
    frame = pd.DataFrame({"time_days": [1, 2, 3, 4, 5], "event": 1, "arm": arms})
    with pytest.raises(InputError, match="row 4: no arm is named"):
        survival.by_arm(frame)


def test_blanks_around_an_arm_make_no_new_arm() -> None:
    found = survival.log_rank([1, 2, 3, 4], ["drug", "drug ", " vehicle", "vehicle"])
    assert found.degrees_of_freedom == 1


@pytest.mark.parametrize(
    "events",
    [[True, False, True], [1, 0, 1], [1.0, 0.0, 1.0], np.array([1, 0, 1]), np.array([True, False, True]),
     [np.int8(1), np.bool_(False), Fraction(1)], pd.Series([1, 0, 1]), pd.Series([True, False, True], dtype="boolean")],
)  # fmt: skip
def test_events_of_every_type(events: object) -> None:
    assert survival.kaplan_meier([3, 5, 9], events).events.tolist() == [1, 0, 1]  # type: ignore[arg-type]


@pytest.mark.parametrize("events", [["dead", "alive", "dead"], ["True", "False", "True"], ["1", "0", "1"]])
def test_events_as_words_are_refused_by_row(events: list[str]) -> None:
    for call in (
        lambda: survival.kaplan_meier([3, 5, 9], events),  # type: ignore[arg-type]
        lambda: survival.log_rank([3, 5, 9], ["a", "b", "a"], events),  # type: ignore[arg-type]
        lambda: survival.by_arm(pd.DataFrame({"time_days": [3, 5, 9], "event": events, "arm": ["a", "b", "a"]})),
    ):
        with pytest.raises(InputError) as caught:
            call()
        for row, event in enumerate(events):
            assert f"row {row + 1}: event is '{event}'; write 1 for an event, 0 for censored" in str(caught.value)


@pytest.mark.parametrize("event", [None, math.nan, pd.NA, 2, -1, 0.5, "", [1], 1j])
def test_an_event_that_is_neither_is_named(event: object) -> None:
    with pytest.raises(InputError, match=r"row 2: event is .*; write 1 for an event, 0 for censored"):
        survival.kaplan_meier([3, 5], [1, event])  # type: ignore[list-item]


def test_rows_of_a_table_are_counted_over_all_arms() -> None:
    frame = pd.DataFrame({"time_days": ["3", "5", "x", "7", -1], "event": [1, 0, 1, 1, 1], "arm": list("aabba")})
    with pytest.raises(InputError) as caught:
        survival.by_arm(frame)
    assert "row 3: time is nan, not a finite number" in str(caught.value)
    assert "row 5: time -1 is before dosing began" in str(caught.value)
    curves = survival.by_arm(frame.iloc[[0, 1, 3]])
    assert {name: curve.size for name, curve in curves.items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: survival.by_arm([1, 2]), "a pandas DataFrame is needed, not 'list'"),
        (
            lambda: survival.by_arm(pd.DataFrame([[1, 1, "a", "b"]], columns=["time_days", "event", "arm", "arm"])),
            "column 'arm' is there 2 times",
        ),
        (lambda: survival.kaplan_meier(5), "a single number is given"),
        (lambda: survival.kaplan_meier([]), "the arm is empty"),
        (lambda: survival.kaplan_meier(["5 days"]), "row 1: time is '5 days', a text"),
        (lambda: survival.kaplan_meier([5, math.nan]), "row 2: time is nan, not a finite number"),
        (lambda: survival.kaplan_meier([5], "1"), "events are '1'; give a list"),
        (lambda: survival.kaplan_meier([5], confidence="high"), "confidence is 'high', a text; give a number"),
        (lambda: survival.kaplan_meier([5], confidence=95), "confidence is 95; it must lie between 0 and 1"),
        (lambda: survival.log_rank([1, 2], "ab"), "arms are 'ab'; give a list"),
        (lambda: survival.log_rank([1, 2], 3), "arms are 3; give a list"),
        (lambda: survival.hazard_ratio([1, 2], ["a", "b"], reference=None), "reference arm None is not among"),
        (lambda: survival.hazard_ratio([1, 2], ["a", "b"], reference="a", confidence=2), "confidence is 2"),
        (lambda: survival.kaplan_meier([5]).at(math.nan), "time is nan; give a finite number"),
        (lambda: survival.kaplan_meier([5]).at("5"), "time is '5', a text"),
        (lambda: survival.kaplan_meier([5]).number_at_risk(5), "a single number is given"),
        (lambda: survival.kaplan_meier([5]).number_at_risk([math.inf]), "row 1: time is inf"),
        (lambda: survival.kaplan_meier([5]).quantile(None), "fraction is None"),
    ],
)
def test_arguments_of_another_kind(call: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
