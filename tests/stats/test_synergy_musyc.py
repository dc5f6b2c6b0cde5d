"""MuSyC against the synergy package, the null models it contains, and recovery of known surfaces."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathsim.errors import InputError, UnknownNameError
from pathsim.stats import synergy

TRUTH = {
    "E0": 1.0, "E1": 0.3, "E2": 0.2, "E3": 0.05, "h1": 1.2, "h2": 0.9, "C1": 1.0, "C2": 0.5, "alpha12": 2.0,
    "alpha21": 0.5, "gamma12": 1.0, "gamma21": 1.0,
}  # fmt: skip
D1 = np.concatenate([[0.0], np.geomspace(0.02, 50, 8)])


def test_surface_of_the_synergy_package() -> None:
    found = synergy.musyc_response([0.1, 1, 10], [0.05, 0.5, 5], TRUTH)
    assert found == pytest.approx([0.871768097390, 0.386528546398, 0.088292383147], abs=1e-12)
    found = synergy.musyc_response([0.1, 1, 10], [0.5, 5, 0.05], TRUTH)
    assert found == pytest.approx([0.576610, 0.212111, 0.291228], abs=5e-7)
    assert synergy.musyc_response(1e9, 1e9, TRUTH) == pytest.approx(0.05, abs=1e-6)


def test_hidden_rates_move_the_surface_only_without_detailed_balance() -> None:
    assert synergy.musyc_response(1, 0.5, TRUTH, (100.0, 1.0)) == pytest.approx(0.35883499, abs=1e-8)
    balanced = {**TRUTH, "alpha21": 2.0 ** (0.9 / 1.2)}  # alpha12 ** h2 == alpha21 ** h1
    assert synergy.musyc_response(1, 0.5, balanced, (100.0, 1.0)) == pytest.approx(
        float(synergy.musyc_response(1, 0.5, balanced)), rel=1e-12
    )


@given(h1=st.floats(0.5, 3), h2=st.floats(0.5, 3), e1=st.floats(0, 0.9), e2=st.floats(0, 0.9), c=st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_no_interaction_is_bliss(h1: float, h2: float, e1: float, e2: float, c: float) -> None:
    null = {**TRUTH, "E1": e1, "E2": e2, "E3": e1 * e2, "h1": h1, "h2": h2, "C1": c, "alpha12": 1.0, "alpha21": 1.0}
    grid = synergy.musyc_response(D1[:, None], D1, null)
    assert grid == pytest.approx(grid[:, :1] * grid[:1], abs=1e-12)


def noisy(scale: float = 1.0, seed: int = 0) -> synergy.Wells:
    surface = synergy.musyc_response(D1[:, None], D1, TRUTH)
    surface = surface + np.random.default_rng(seed).normal(0, 0.02, surface.shape)
    return synergy.from_matrix(D1 * scale, D1 * scale, surface, ["A", "B"], units="uM")


def test_known_surface_is_found_again() -> None:
    found = synergy.musyc(noisy())
    for name in ("alpha12", "alpha21", "E3", "h1", "C2"):
        estimate = found.estimates[name]
        assert estimate.low < TRUTH[name] < estimate.high, name  # type: ignore[operator]
    assert found.beta.low < 0.1875 < found.beta.high  # type: ignore[operator]
    assert found.estimates["gamma12"].fixed
    text = str(found)
    for part in ("> 1 is synergy", "> 0 is synergy", "reverse rates fixed at r1 = 1, r2 = 1", "uM"):
        assert part in text


def test_limits_cover() -> None:
    inside, runs = 0, 24
    for seed in range(runs):
        found = synergy.musyc(noisy(seed=seed))
        inside += found.estimates["alpha12"].low <= 2.0 <= found.estimates["alpha12"].high  # type: ignore[operator]
        inside += found.beta.low <= 0.1875 <= found.beta.high  # type: ignore[operator]
    assert 0.88 <= inside / (2 * runs) <= 1.0


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_scaling_all_doses_changes_nothing(factor: float) -> None:
    one, other = synergy.musyc(noisy()), synergy.musyc(noisy(factor))
    assert other.beta.value == pytest.approx(one.beta.value, rel=1e-4)
    for name in ("alpha12", "alpha21", "h1"):
        assert other.estimates[name].value == pytest.approx(one.estimates[name].value, rel=1e-3)
    assert other.estimates["C1"].value == pytest.approx(one.estimates["C1"].value * factor, rel=1e-3)  # type: ignore[operator]


def test_potency_synergy_that_the_data_cannot_tell_is_said() -> None:
    """The second drug does nothing at any dose: its potency is anything."""
    surface = np.repeat(1 / (1 + D1[:, None]), len(D1), axis=1)
    found = synergy.musyc(synergy.from_matrix(D1, D1, surface))
    undetermined = [name for name, each in found.estimates.items() if each.low is None and not each.fixed]
    assert undetermined


def test_bad_requests() -> None:
    wells = noisy()
    with pytest.raises(UnknownNameError, match="did you mean alpha12"):
        synergy.musyc(wells, fixed={"alfa12": 1.0})
    with pytest.raises(InputError, match="cannot determine 10 parameters"):
        synergy.musyc([[1, 0], [2, 0], [0, 1], [0, 2], [1, 1]], [0.8, 0.6, 0.7, 0.5, 0.4])
    with pytest.raises(InputError, match="parameters are missing: E3"):
        synergy.musyc_response(1, 1, {name: value for name, value in TRUTH.items() if name != "E3"})


@pytest.mark.parametrize(("level", "noise"), [(1.0, 0.0), (0.5, 0.0), (1.0, 0.02)])
def test_a_flat_surface_says_so(level: float, noise: float) -> None:
    doses = np.array([0.0, 1.0, 3.0, 10.0])
    surface = level + noise * np.random.default_rng(1).normal(size=(4, 4))
    found = synergy.musyc(synergy.from_matrix(doses, doses, surface))
    assert found.beta.value is None
    assert found.estimates["alpha12"].value is None
    assert found.estimates["E3"].value == pytest.approx(surface.mean())
    assert "the surface is flat" in str(found)
    assert found(doses, doses) == pytest.approx(np.full(4, surface.mean()))
    assert found.row()["mean"] is None


@pytest.mark.parametrize(
    ("doses", "parameters", "rates", "said"),
    [
        ((-1, 1), TRUTH, (1, 1), "dose of drug 1: -1 to -1"),
        (([1, math.nan], 1), TRUTH, (1, 1), "dose of drug 1"),
        (("1 nM", 1), TRUTH, (1, 1), "dose of drug 1 is '1 nM', a text"),
        (([1, 2], [1, 2, 3]), TRUTH, (1, 1), "do not fit together"),
        ((1, 1), {**TRUTH, "C1": 0.0}, (1, 1), "C1 is 0; it must be above zero"),
        ((1, 1), {**TRUTH, "E0": "one"}, (1, 1), "MuSyC parameter E0 is 'one', a text"),
        ((1, 1), 5, (1, 1), "parameters are 5; give a mapping"),
        ((1, 1), TRUTH, 5, "rate: a single number"),
        ((1, 1), TRUTH, (0, 1), "two positive numbers"),
    ],
)
def test_what_is_no_surface(doses: tuple, parameters: object, rates: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        synergy.musyc_response(*doses, parameters, rates)  # type: ignore[arg-type]
