"""Closed forms of scale, offset and noise against numerical optimisation, and their derivatives against differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize
from scipy.stats import norm

from pathsim.arrays import FloatArray
from pathsim.estimation.densitometry import Solved, log_normal, normal

RNG = np.random.default_rng(0)
GEL = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
SIGNAL = np.exp(RNG.normal(size=12))
BANDS = np.array([30.0, 500.0])[GEL] * SIGNAL * np.exp(0.3 * RNG.standard_normal(12))
NOBODY = np.zeros(12, dtype=bool)
SOME = np.quantile(BANDS, 0.3) > BANDS


def brute(signal: FloatArray, censored: npt.NDArray[np.bool_], bands: FloatArray) -> float:
    """The least negative log likelihood over scales and sigma, by brute force."""

    def loss(v: FloatArray) -> float:
        sigma = math.exp(v[2])
        mean = v[:2][GEL] + np.log(signal)
        seen = -norm.logpdf(np.log(bands), mean, sigma) + np.log(bands)
        below = -norm.logcdf(np.log(bands), mean, sigma)
        return float(np.where(censored, below, seen).sum())

    best = min(
        (optimize.minimize(loss, [a, b, -1.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12,
                           "maxiter": 8000, "maxfev": 8000}).fun for a, b in ((3.0, 6.0), (4.0, 5.0)))
    )  # fmt: skip
    return float(best)


@pytest.mark.parametrize("censored", [NOBODY, SOME], ids=["all seen", "some below detection"])
def test_log_normal_is_at_the_optimum(censored: npt.NDArray[np.bool_]) -> None:
    found = log_normal(BANDS, censored, GEL, SIGNAL)
    assert found.value == pytest.approx(brute(SIGNAL, censored, BANDS), abs=1e-6)
    np.testing.assert_allclose(found.scale, [30, 500], rtol=0.6)


def check_slopes(solve: Callable[[FloatArray], Solved], tolerance: float = 1e-6) -> None:
    found = solve(SIGNAL)
    for i in range(len(SIGNAL)):
        step = np.zeros(12)
        step[i] = 1e-4 * SIGNAL[i]
        v = [solve(SIGNAL + f * step).value for f in (1, -1, 2, -2)]
        slope = (8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * step[i])
        assert found.by_signal[i] == pytest.approx(slope, rel=tolerance, abs=tolerance * np.abs(found.by_signal).max())
    assert np.linalg.eigvalsh(found.weights).min() > -1e-8 * np.abs(found.weights).max()


@pytest.mark.parametrize("censored", [NOBODY, SOME], ids=["all seen", "some below detection"])
def test_log_normal_slopes(censored: npt.NDArray[np.bool_]) -> None:
    check_slopes(lambda signal: log_normal(BANDS, censored, GEL, signal))


@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("sd", [None, 0.1 * BANDS + 3], ids=["sigma estimated", "sd given"])
def test_normal_slopes_and_optimum(offset: bool, sd: FloatArray | None) -> None:
    bands = BANDS + np.array([60.0, 900.0])[GEL] * offset
    check_slopes(lambda signal: normal(bands, GEL, signal, offset, sd), 1e-5)
    found = normal(bands, GEL, SIGNAL, offset, sd)

    def loss(v: FloatArray) -> float:
        sigma = sd if sd is not None else math.exp(v[4])
        return -float(norm.logpdf(bands, v[:2][GEL] * SIGNAL + offset * v[2:4][GEL], sigma).sum())

    start = [*found.scale * 1.03, *found.offset * 0.97, math.log(found.sigma) + 0.02]
    best = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 20000, "maxfev": 20000,
                             "xatol": 1e-9, "fatol": 1e-11, "adaptive": True}).fun  # fmt: skip
    assert found.value <= best + 1e-6
    assert found.value == pytest.approx(best, abs=1e-3)


def cases() -> list[tuple[str, Callable[[FloatArray], Solved]]]:
    lifted, sd = BANDS + np.array([60.0, 900.0])[GEL], 0.1 * BANDS + 3
    return [
        ("log-normal", lambda s: log_normal(BANDS, NOBODY, GEL, s)),
        ("some below detection", lambda s: log_normal(BANDS, SOME, GEL, s)),
        ("known noise", lambda s: log_normal(BANDS, SOME, GEL, s, 0.4)),
        ("hardly any noise", lambda s: log_normal(30.0 * SIGNAL * (1 + 1e-4 * np.cos(np.arange(12))), NOBODY, GEL, s)),
        ("normal", lambda s: normal(BANDS, GEL, s, False)),
        ("normal with offset", lambda s: normal(lifted, GEL, s, True)),
        ("normal, sd given", lambda s: normal(lifted, GEL, s, True, sd)),
        ("falling line", lambda s: normal(BANDS, GEL, 1 / s, True)),
    ]


@pytest.mark.parametrize("solve", [case for _, case in cases()], ids=[name for name, _ in cases()])
def test_residuals_are_the_likelihood_and_their_jacobian_its_gradient(solve: Callable[[FloatArray], Solved]) -> None:
    here, there = solve(SIGNAL), solve(SIGNAL * np.exp(0.05 * np.cos(np.arange(12))))
    halves = [0.5 * float(found.residuals @ found.residuals) for found in (here, there)]
    assert halves[1] - halves[0] == pytest.approx(there.value - here.value, abs=1e-8)
    gradient = here.by_residual().T @ here.residuals
    np.testing.assert_allclose(gradient, here.by_signal, atol=1e-6 * max(np.abs(here.by_signal).max(), 1e-9))
    # what a scale can make up for is not in the Jacobian
    np.testing.assert_allclose(here.by_residual() @ (SIGNAL * (GEL == 1)), 0, atol=1e-6)


def test_a_scale_hides_the_size_of_the_signal() -> None:
    for solve in (
        lambda s: log_normal(BANDS, SOME, GEL, s),
        lambda s: normal(BANDS, GEL, s, True),
    ):
        one, ten = solve(SIGNAL), solve(10 * SIGNAL)
        assert one.value == pytest.approx(ten.value, rel=1e-9)
        np.testing.assert_allclose(one.weights @ (SIGNAL * (GEL == 0)), 0, atol=1e-6 * np.abs(one.weights).max())


def test_a_perfect_match_does_not_promise_more_than_is_believed() -> None:
    exact = log_normal(30.0 * SIGNAL, NOBODY, GEL, SIGNAL)
    assert exact.sigma == 0.02
    assert math.isfinite(exact.value)
