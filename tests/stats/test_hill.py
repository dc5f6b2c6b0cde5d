"""Hill curves: published fits, coverage of the intervals, and every awkward shape of data."""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from pathsim.errors import InputError
from pathsim.stats import hill, logistic

# Root length of ryegrass in ferulic acid (mM), data set of the R package drc (Inderjit et al. 2002)
RYEGRASS_DOSES = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
RYEGRASS = [
    7.58, 8.0, 8.328571, 7.25, 7.375, 7.9625, 8.355556, 6.914286, 7.75, 6.871429, 6.45, 5.922222, 1.925, 2.885714,
    4.233333, 1.1875, 0.857143, 1.057143, 0.6875, 0.525, 0.825, 0.25, 0.22, 0.44,
]  # fmt: skip
DOSES = np.concatenate([[0.0], np.geomspace(1, 1e4, 9)])


def falling(doses: np.ndarray, ec50: float, h: float, bottom: float = 0.0, top: float = 1.0) -> np.ndarray:
    return bottom + (top - bottom) / (1 + (doses / ec50) ** h)


def value(estimate: hill.Estimate) -> float:
    assert estimate.value is not None
    return estimate.value


def test_ryegrass_has_the_published_fit() -> None:
    curve = hill.fit(RYEGRASS_DOSES, RYEGRASS, unit="mM")
    assert value(curve.h) == pytest.approx(2.982229, rel=1e-5)
    assert value(curve.bottom) == pytest.approx(0.481410, rel=1e-5)
    assert value(curve.top) == pytest.approx(7.792962, rel=1e-5)
    assert value(curve.ec50) == pytest.approx(3.057955, rel=1e-5)
    assert curve.residual_sd == pytest.approx(0.5196256, rel=1e-6)
    assert curve.degrees_of_freedom == 20
    errors = [curve.h.se, curve.bottom.se, curve.top.se, curve.ec50.se]
    assert errors == pytest.approx([0.45843, 0.20951, 0.18973, 0.18583], rel=1e-3)


def test_ryegrass_effective_doses() -> None:
    curve = hill.fit(RYEGRASS_DOSES, RYEGRASS, unit="mM")
    top, bottom = value(curve.top), value(curve.bottom)
    levels = np.array([top - 0.1 * (top - bottom), top - 0.9 * (top - bottom)])
    assert logistic.dose_at(levels, curve.theta) == pytest.approx([1.46371, 6.38863], rel=1e-5)


def test_potency_at_other_levels() -> None:
    curve = hill.fit(DOSES, falling(DOSES, 100.0, 1.0))
    assert hill.potency(curve, 0.1).value == pytest.approx(900.0, rel=1e-4)
    assert hill.potency(curve, 0.5).value == curve.ic50.value
    assert hill.potency(curve, 0.001).relation == ">"
    with pytest.raises(InputError, match="between 0 and 1"):
        hill.potency(curve, 50)


def test_wald_limits_of_ryegrass() -> None:
    ec50 = hill.fit(RYEGRASS_DOSES, RYEGRASS).ec50
    reach = 2.0859634 * ec50.se  # type: ignore[operator]
    assert (value(ec50) - reach, value(ec50) + reach) == pytest.approx((2.67032, 3.44559), abs=1e-4)


def test_profile_ends_where_the_likelihood_says() -> None:
    """Refit with scipy at each reported limit: the rise of the residual squares is the F quantile."""
    curve = hill.fit(RYEGRASS_DOSES, RYEGRASS)
    least = curve.residual_sd**2 * 20  # type: ignore[operator]
    for limit in (curve.ec50.low, curve.ec50.high):
        assert limit is not None

        def residuals(free: np.ndarray, fixed: float = limit) -> np.ndarray:
            return falling(RYEGRASS_DOSES, fixed, math.exp(free[2]), free[1], free[0]) - RYEGRASS

        rss = 2 * least_squares(residuals, [7.8, 0.5, 1.1], xtol=1e-12, ftol=1e-12).cost
        assert (rss - least) / (least / 20) == pytest.approx(2.0859634**2, rel=1e-3)  # t(0.975, 20)


def test_ic50_profile_refits_along_the_half_level() -> None:
    curve = hill.fit(RYEGRASS_DOSES, RYEGRASS)
    least = curve.residual_sd**2 * 20  # type: ignore[operator]
    for limit in (curve.ic50.low, curve.ic50.high):
        assert limit is not None

        def residuals(free: np.ndarray, fixed: float = limit) -> np.ndarray:
            top, bottom, h = free[0], free[1], math.exp(free[2])
            ec50 = fixed / ((top - 0.5 * top) / (0.5 * top - bottom)) ** (1 / h)
            return falling(RYEGRASS_DOSES, ec50, h, bottom, top) - RYEGRASS

        rss = 2 * least_squares(residuals, [7.8, 0.5, 1.1], xtol=1e-12, ftol=1e-12).cost
        assert (rss - least) / (least / 20) == pytest.approx(2.0859634**2, rel=1e-3)


def test_intervals_cover() -> None:
    rng = np.random.default_rng(1)
    doses = np.repeat(DOSES, 2)
    truth = falling(doses, 120.0, 1.3, 0.1)
    hits = {"ec50": 0, "h": 0, "ic50": 0, "bottom": 0}
    true = {"ec50": 120.0, "h": 1.3, "ic50": 120.0 * (0.5 / 0.4) ** (1 / 1.3), "bottom": 0.1}
    runs = 60
    for _ in range(runs):
        curve = hill.fit(doses, truth + rng.normal(0, 0.06, len(doses)))
        for name, right in true.items():
            found = getattr(curve, name)
            hits[name] += found.low <= right <= found.high
    for name, count in hits.items():
        assert 0.88 <= count / runs <= 1.0, name


@given(
    ec50=st.floats(3.0, 3000.0),
    h=st.floats(0.4, 5.0),
    bottom=st.floats(-0.2, 0.8),
    top=st.floats(0.9, 1.2),
)
@settings(max_examples=60, deadline=None)
def test_exact_curves_are_found_again(ec50: float, h: float, bottom: float, top: float) -> None:
    curve = hill.fit(DOSES, falling(DOSES, ec50, h, bottom, top))
    assert value(curve.ec50) == pytest.approx(ec50, rel=1e-4)
    assert value(curve.h) == pytest.approx(h, rel=1e-4)
    assert value(curve.bottom) == pytest.approx(bottom, abs=1e-4)


@given(factor=st.sampled_from([1e-6, 1e-3, 1e3, 1e6]), seed=st.integers(0, 20))
@settings(max_examples=10, deadline=None)
def test_unit_of_dose_changes_nothing_else(factor: float, seed: int) -> None:
    y = falling(DOSES, 80.0, 1.1) + np.random.default_rng(seed).normal(0, 0.04, len(DOSES))
    one, other = hill.fit(DOSES, y), hill.fit(DOSES * factor, y)
    assert value(other.ec50) == pytest.approx(value(one.ec50) * factor, rel=1e-5)
    assert value(other.h) == pytest.approx(value(one.h), rel=1e-5)
    assert other.ic50.high == pytest.approx(one.ic50.high * factor, rel=1e-3)  # type: ignore[operator]


@given(seed=st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_fit_is_no_worse_than_scipy_from_many_starts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = falling(DOSES, 10 ** rng.uniform(0, 4), rng.uniform(0.5, 4), rng.uniform(-0.2, 0.9)) + rng.normal(0, 0.1, 10)
    found = logistic.fit_many(DOSES, y[None])
    limits = logistic.bounds(DOSES, y)
    best = math.inf
    for _ in range(6):
        start = [1.0, 0.2, rng.uniform(0, 9), rng.uniform(-0.5, 1.5)]
        result = least_squares(lambda t: logistic.evaluate(DOSES, t[None])[0] - y, start, bounds=(limits[0], limits[1]))
        best = min(best, 2 * result.cost)
    assert found.rss[0] <= best * (1 + 1e-6)


def test_rising_curve_has_bottom_above_top() -> None:
    curve = hill.fit(DOSES, falling(DOSES, 50.0, 1.0, bottom=3.0, top=1.0))
    assert value(curve.bottom) == pytest.approx(3.0, rel=1e-5)
    assert not curve.ic50.reached


@pytest.mark.parametrize("bottom", [0.55, 0.9])
def test_shallow_curve_does_not_reach_ic50(bottom: float) -> None:
    y = falling(DOSES, 50.0, 1.0, bottom) + np.random.default_rng(3).normal(0, 0.01, len(DOSES))
    curve = hill.fit(DOSES, y)
    assert (curve.ic50.relation, curve.ic50.value) == (">", 1e4)
    assert str(curve.ic50) == "not reached (> 10000 nM)"


def test_ic50_beyond_the_highest_dose_is_a_bound_with_the_extrapolation_beside() -> None:
    curve = hill.fit(DOSES, falling(DOSES, 30000.0, 1.0))
    assert (curve.ic50.relation, curve.ic50.value) == (">", 1e4)
    assert curve.ic50.extrapolated == pytest.approx(3e4, rel=1e-3)


def test_ic50_below_the_lowest_dose_is_a_bound() -> None:
    curve = hill.fit(DOSES, falling(DOSES, 0.2, 1.0))
    assert (curve.ic50.relation, curve.ic50.value) == ("<", 1.0)


def test_flat_response_has_no_ec50() -> None:
    for y in (np.ones(10), 1 + np.random.default_rng(2).normal(0, 0.03, 10)):
        curve = hill.fit(DOSES, y)
        assert curve.flat
        assert curve.ec50.value is None
        assert curve.h.value is None
        assert curve.ic50.relation == ">"
        assert "flat" in " ".join(curve.notes)
        assert np.isfinite(curve(DOSES)).all()


def test_few_wells_with_a_clear_fall_are_not_flat() -> None:
    """Five wells leave the F-test one degree of freedom; the trend over the doses is plain."""
    curve = hill.fit([0, 1, 10, 100, 1000], [1.0, 0.9, 0.5, 0.3, 0.1])
    assert not curve.flat
    assert curve.ic50.value == pytest.approx(12.0, rel=0.3)


def test_noise_is_called_flat_however_few_the_wells() -> None:
    rng = np.random.default_rng(12)
    for count in (5, 6, 8):
        doses = np.concatenate([[0.0], np.geomspace(1, 1e4, count - 1)])
        flat = sum(hill.fit(doses, 1 + rng.normal(0, 0.05, count)).flat for _ in range(40))
        assert flat >= 33


@pytest.mark.parametrize("responses", [[0, 0, 0, 0, 0], [-1, -1.1, -1.4, -2, -3]])
def test_no_ic50_without_a_top_above_zero(responses: list[float]) -> None:
    curve = hill.fit([0, 1, 10, 100, 1000], responses)
    assert (curve.ic50.value, curve.ic50.relation) == (None, "?")


def test_flat_at_the_bottom_with_a_known_top_is_below_the_lowest_dose() -> None:
    curve = hill.fit(DOSES[1:], 0.1 + np.random.default_rng(2).normal(0, 0.02, 9), top=1.0)
    assert curve.flat
    assert (curve.ic50.relation, curve.ic50.value) == ("<", 1.0)


def test_awkward_responses_are_kept_and_named_with_their_row() -> None:
    y = falling(DOSES, 50.0, 1.5)
    y[9], y[1] = -0.08, 1.3
    curve = hill.fit(DOSES, y)
    notes = " | ".join(curve.notes)
    assert "negative responses kept as measured (row 10)" in notes
    assert "above 120 % of control kept as measured (row 2)" in notes
    assert curve.ic50.reached


def test_u_shaped_response_is_never_given_an_ic50() -> None:
    curve = hill.fit(DOSES, [1, 1, 0.9, 0.5, 0.1, 0.1, 0.5, 0.9, 1.0, 1.0])
    assert any("not monotone" in note and "row" in note for note in curve.notes)
    assert curve.ic50.value is None
    assert "not estimable" in str(curve.ic50)


def test_weights_count_like_replicates() -> None:
    y = falling(DOSES, 90.0, 1.2) + np.random.default_rng(5).normal(0, 0.05, len(DOSES))
    weights = np.array([1, 2, 1, 3, 1, 1, 2, 1, 1, 1])
    once = hill.fit(DOSES, y, weights=weights)
    again = hill.fit(np.repeat(DOSES, weights), np.repeat(y, weights))
    assert value(once.ec50) == pytest.approx(value(again.ec50), rel=1e-6)


def test_fixed_parameters_stay() -> None:
    y = falling(DOSES, 90.0, 1.0, 0.1) + np.random.default_rng(5).normal(0, 0.02, len(DOSES))
    curve = hill.fit(DOSES, y, top=1.0, h=1.0)
    assert (value(curve.top), value(curve.h), curve.top.fixed, curve.h.fixed) == (1.0, 1.0, True, True)
    assert curve.degrees_of_freedom == 8
    two = hill.fit(DOSES, y, top=1.0, bottom=0.0)
    assert two.degrees_of_freedom == 8
    assert value(two.bottom) == 0.0


def test_saturated_design_has_a_fit_but_no_interval() -> None:
    curve = hill.fit([0, 10, 100, 1000], [1.0, 0.8, 0.4, 0.1])
    assert curve.ic50.reached
    assert curve.ic50.low is None
    assert curve.residual_sd is None
    assert "no interval" in " ".join(curve.notes)


def test_band_covers_the_mean_response() -> None:
    rng = np.random.default_rng(9)
    doses, inside = np.repeat(DOSES, 3), 0
    truth, at = falling(doses, 100.0, 1.2), np.array([30.0, 100.0, 400.0])
    for _ in range(50):
        interval = hill.fit(doses, truth + rng.normal(0, 0.05, len(doses))).interval(at)
        assert interval is not None
        inside += int(((interval[0] <= falling(at, 100.0, 1.2)) & (falling(at, 100.0, 1.2) <= interval[1])).sum())
    assert 0.89 <= inside / 150 <= 0.995


def test_bad_rows_are_all_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        hill.fit([1, 2, -1, math.nan, 5], [1, 2, 3, 4, math.inf])
    message = str(caught.value)
    assert "row 3: dose -1 is negative" in message
    assert "row 4: dose is nan" in message
    assert "row 5: response is inf" in message


@pytest.mark.parametrize(
    ("doses", "responses", "options", "said"),
    [
        ([1, 2], [1, 0.5, 0.2], {}, "each response needs its dose"),
        ([0, 0, 10], [1, 1, 0.5], {}, "at least 2"),
        ([0, 10, 100], [1, 0.5, 0.2], {}, "cannot determine 4 parameters"),
        ([0, 1, 10, 100], [1, 0.9, 0.5, 0.2], {"h": -1.0}, "the slope is positive"),
        ([0, 1, 10, 100], [1, 0.9, 0.5, 0.2], {"confidence": 95}, "between 0 and 1"),
        (["a", 1], [1, 2], {}, "a text; give a number"),
    ],
)
def test_impossible_requests_say_what_would_do(doses: list, responses: list, options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        hill.fit(doses, responses, **options)


def test_table_gives_one_curve_per_drug() -> None:
    rows = [("T47D", "vehicle", 4320.0, "viability", 1.0)]
    for dose in (1, 10, 100, 1000, 10000):
        for drug, ec50 in (("alpelisib", 100.0), ("capivasertib", 1000.0)):
            rows.append(("T47D", f"{drug} {dose} nM", 4320.0, "viability", 1 / (1 + dose / ec50)))
    frame = pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value"])
    curves = hill.fit_table(frame)
    assert list(curves["drug"]) == ["alpelisib", "capivasertib"]
    assert list(curves["ic50"]) == pytest.approx([100.0, 1000.0], rel=1e-5)
    assert set(curves["dose_unit"]) == {"nM"}


def test_steps_between_two_doses_take_no_long_search() -> None:
    """Residuals that can be made as small as one likes are none: refits of the profile stop there."""
    doses = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0]
    began = time.process_time()
    curve = hill.fit(doses, [1.0] * 5 + [0.0] * 4)
    assert 30.0 < curve.ic50.value < 100.0
    assert time.process_time() - began < 4.0  # 7.5 s before
