"""Closed forms of scale, offset and noise against numerical optimisation, and their derivatives against differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import norm

from pathsim.arrays import BoolArray, FloatArray
from pathsim.errors import InputError
from pathsim.estimation.likelihood import Given, GroupSums, Scaled, ScaledWithOffset, Solved, Unscaled
from pathsim.stats.noise import Family, Laplace, Log10Normal, LogNormal, Normal, Robust, losses, residuals

RNG = np.random.default_rng(0)
GEL = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
SIGNAL = np.exp(RNG.normal(size=12))
BANDS = np.array([30.0, 500.0])[GEL] * SIGNAL * np.exp(0.3 * RNG.standard_normal(12))
LIFTED = BANDS + np.array([60.0, 900.0])[GEL]
SOME = -(np.quantile(BANDS, 0.3) > BANDS).astype(np.int8)
SD = 0.1 * BANDS + 3
SHARE = np.full(12, 0.2)

CASES = {
    "log-normal": Solved(Scaled(), LogNormal(), BANDS, GEL),
    "decades": Solved(Scaled(), Log10Normal(), BANDS, GEL),
    "some below detection": Solved(Scaled(), LogNormal(), BANDS, GEL, side=SOME),
    "some below, known noise": Solved(Scaled(), LogNormal(0.4), BANDS, GEL, np.full(12, 0.4), SOME),
    "robust": Solved(Scaled(), Robust(), BANDS, GEL),
    "robust, some below": Solved(Scaled(), Robust(), BANDS, GEL, side=SOME),
    "no scale": Solved(Unscaled(), LogNormal(), BANDS / 100, GEL),
    "normal": Solved(Scaled(), Normal(), BANDS, GEL),
    "normal, sd given": Solved(Scaled(), Normal(), BANDS, GEL, SD),
    "normal with offset": Solved(ScaledWithOffset(), Normal(), LIFTED, GEL),
    "normal with offset, sd given": Solved(ScaledWithOffset(), Normal(), LIFTED, GEL, SD),
    "log-normal with offset": Solved(ScaledWithOffset(), LogNormal(), LIFTED, GEL, SHARE),
    "robust with offset": Solved(ScaledWithOffset(), Robust(), LIFTED, GEL, SHARE),
    "robust with offset, lin": Solved(ScaledWithOffset(), Robust(scale="lin"), LIFTED, GEL, SD),
    "falling line": Solved(ScaledWithOffset(), LogNormal(), LIFTED[::-1].copy(), GEL, SHARE),
}
each = pytest.mark.parametrize("solved", CASES.values(), ids=CASES.keys())


def value(solved: Solved, signal: FloatArray) -> float:
    return float(solved.losses(signal[:, None], signal[:, None]).sum())


def brute(solved: Solved, signal: FloatArray) -> float:
    """The least negative log likelihood over scales, offsets and sigma, by brute force from where it is claimed."""
    found = solved.solution(signal[:, None])
    has_scale, has_offset = not isinstance(solved.form, Unscaled), isinstance(solved.form, ScaledWithOffset)
    sd = None if solved.sd is None else np.asarray(solved.sd)

    def loss(v: FloatArray) -> float:
        scale = np.exp(v[:2]) if has_scale else np.ones(2)
        offset = v[2:4] ** 2 if has_offset else np.zeros(2)
        sigma = sd if sd is not None else math.exp(v[-1])
        predicted = scale[GEL] * signal + offset[GEL]
        z = residuals(solved.family, predicted, solved.data, sigma)
        total = float(losses(solved.family, z, solved.data, sigma, solved.side).sum())
        return total if math.isfinite(total) else 1e12

    best = math.inf
    for shift in (0.05, -0.05):
        start = [
            *np.log(np.maximum(found.scale[:, 0], 1e-3)) + shift,
            *np.sqrt(found.offset[:, 0] + abs(shift)),
            math.log(float(found.sigma[0, 0])) + shift,
        ]
        result = optimize.minimize(
            loss,
            start,
            method="Nelder-Mead",
            options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-10, "fatol": 1e-12, "adaptive": True},
        )
        best = min(best, float(result.fun))
    return best


@each
def test_scale_offset_and_noise_are_at_their_best(solved: Solved) -> None:
    best = brute(solved, SIGNAL)
    assert value(solved, SIGNAL) <= best + 1e-6
    assert value(solved, SIGNAL) == pytest.approx(best, abs=2e-4)


@each
def test_the_derivative_by_the_signals_follows_the_optimum(solved: Solved) -> None:
    found = solved.local(SIGNAL[:, None], SIGNAL[:, None])
    numeric = []
    for i in range(12):
        step = 1e-4 * SIGNAL[i] * np.eye(12)[i]
        v = [value(solved, SIGNAL + f * step) for f in (1, -1, 2, -2)]
        numeric.append((8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * step[i]))
    np.testing.assert_allclose(found.by_signal[:, 0], numeric, rtol=1e-6, atol=1e-6 * np.abs(numeric).max())
    assert found.losses.sum() == pytest.approx(value(solved, SIGNAL), rel=1e-14)


@each
def test_many_vectors_at_once_are_each_as_alone(solved: Solved) -> None:
    many = np.stack([SIGNAL, 1.3 * SIGNAL, np.exp(np.random.default_rng(3).normal(size=12))], axis=1)
    alone = [value(solved, column) for column in many.T]
    np.testing.assert_allclose(solved.losses(many, many).sum(axis=0), alone, rtol=1e-10)


def curvature(solved: Solved) -> FloatArray:
    """The expected second derivative by the signals."""
    found = solved.local(SIGNAL[:, None], SIGNAL[:, None])
    matrix = np.diag(found.root[:, 0] ** 2)
    for basis in found.bases:
        for gel in (0, 1):
            own = np.where(gel == GEL, basis[:, 0] * found.root[:, 0], 0.0)
            matrix -= np.outer(own, own)
    return matrix


@each
def test_what_a_scale_makes_up_for_has_no_curvature(solved: Solved) -> None:
    matrix = curvature(solved)
    assert np.linalg.eigvalsh(matrix).min() > -1e-8 * np.abs(matrix).max()
    if not isinstance(solved.form, Unscaled):
        np.testing.assert_allclose(matrix @ (SIGNAL * (GEL == 1)), 0, atol=1e-6 * np.abs(matrix).max())
        assert value(solved, SIGNAL) == pytest.approx(value(solved, 10 * SIGNAL), rel=1e-9)


def test_the_value_of_censored_bands_is_that_of_the_textbook() -> None:
    """A Tobit likelihood written with scipy."""
    solved = CASES["some below detection"]
    found = solved.solution(SIGNAL[:, None])
    mean, sigma = np.log(found.scale[GEL, 0] * SIGNAL), float(found.sigma[0, 0])
    seen = -norm.logpdf(np.log(BANDS), mean, sigma) + np.log(BANDS)
    below = -norm.logcdf(np.log(BANDS), mean, sigma)
    assert value(solved, SIGNAL) == pytest.approx(float(np.where(SOME != 0, below, seen).sum()), rel=1e-12)


def test_a_perfect_match_does_not_promise_more_than_is_believed() -> None:
    exact = Solved(Scaled(), LogNormal(), 30.0 * SIGNAL, GEL).solution(SIGNAL[:, None])
    assert exact.sigma[0, 0] == 0.02


def test_gels_of_nothing_but_bands_below_detection_are_no_trouble() -> None:
    side = np.where(GEL == 0, -1, 0).astype(np.int8)
    solved = Solved(Scaled(), LogNormal(), BANDS, GEL, side=side)
    found = solved.local(SIGNAL[:, None], SIGNAL[:, None])
    assert np.isfinite(found.losses).all()
    np.testing.assert_allclose(found.by_signal[GEL == 0], 0, atol=1e-6)


@pytest.mark.parametrize("family", [Laplace(), Robust(scale="lin")], ids=["Laplace", "robust, lin"])
def test_what_has_no_closed_form_says_so(family: Family) -> None:
    with pytest.raises(InputError, match="noise"):
        Solved(ScaledWithOffset(), family, BANDS, GEL)


def derivative(function: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    step = 1e-4 * at
    v = [function(at + f * step) for f in (1, -1, 2, -2)]
    return (8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * step)


@pytest.mark.parametrize("side", [None, SOME], ids=["all seen", "some bounds"])
@pytest.mark.parametrize(
    "family",
    [Normal(), LogNormal(), Log10Normal(), Laplace(), Robust(), Robust(scale="lin", knee=1.0)],
    ids=lambda family: f"{type(family).__name__} {family.scale}",
)
def test_given_sizes_of_noise(family: Family, side: BoolArray | None) -> None:
    given = Given(family, BANDS, side)
    sigma = (SD if family.scale == "lin" else SHARE)[:, None]
    signal = (np.array([32.0, 480.0])[GEL] * SIGNAL)[:, None]
    found = given.local(signal, sigma)
    by_signal = derivative(lambda s: given.losses(s, sigma), signal)
    np.testing.assert_allclose(found.by_signal, by_signal, rtol=1e-6, atol=1e-9)
    by_sigma = derivative(lambda s: given.losses(signal, s), sigma)
    np.testing.assert_allclose(found.by_sigma, by_sigma, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(found.losses, given.losses(signal, sigma))


def test_groups_are_summed_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(4), (1, 5, 2, 12)))
    x = rng.standard_normal((20, 3))
    expected = np.array([x[group == g].sum(axis=0) for g in range(4)])
    np.testing.assert_allclose(GroupSums(group) @ x, expected, rtol=1e-13)
    one = np.hstack([GroupSums(group) @ np.ascontiguousarray(x[:, i : i + 1]) for i in range(3)])
    np.testing.assert_array_equal(GroupSums(group) @ x, one)
