"""Noise families: densities that integrate to one, their derivatives, bounds as probabilities, and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import laplace, norm

from pathsim.arrays import FloatArray
from pathsim.stats.noise import (
    Density,
    DoubleExponential,
    Family,
    Gaussian,
    Laplace,
    Log10Laplace,
    Log10Normal,
    LogLaplace,
    LogNormal,
    Normal,
    Robust,
    SoftL1,
    losses,
    residuals,
)

DENSITIES = (Gaussian(), DoubleExponential(), SoftL1(), SoftL1(0.7))
POINTS = np.linspace(-6, 6, 14) + 0.05


@pytest.mark.parametrize(
    "family",
    [
        Normal(),
        LogNormal(),
        Log10Normal(),
        Laplace(),
        LogLaplace(),
        Log10Laplace(),
        Robust(),
        Robust(scale="lin", knee=1.5),
    ],
    ids=repr,
)
def test_densities_of_measured_values_integrate_to_one(family: Family) -> None:
    simulated, sigma = np.array(3.0), 0.05

    def density(y: float) -> float:
        z = residuals(family, simulated, np.array(y), sigma)
        return float(np.exp(-losses(family, z, np.array(y), sigma)))

    low = -60.0 if family.scale == "lin" else 1e-9
    assert quad(density, low, 3.0, limit=400)[0] + quad(density, 3.0, 400.0, limit=400, points=[3.2, 4, 10])[0] == (
        pytest.approx(1.0, abs=1e-6)
    )


@pytest.mark.parametrize("density", DENSITIES, ids=repr)
def test_pulls_are_derivatives_of_losses(density: Density) -> None:
    h = 1e-5
    for loss, pull in ((density.loss, density.pull), (density.bound_loss, density.bound_pull)):
        np.testing.assert_allclose((loss(POINTS + h) - loss(POINTS - h)) / (2 * h), pull(POINTS), atol=1e-8)
    assert (density.bend(POINTS) > 0).all()
    assert (density.bound_bend(POINTS) >= 0).all()


@pytest.mark.parametrize("density", [d for d in DENSITIES if not isinstance(d, DoubleExponential)], ids=repr)
def test_bends_are_derivatives_of_pulls(density: Density) -> None:
    h = 1e-5
    for pull, bend in ((density.pull, density.bend), (density.bound_pull, density.bound_bend)):
        np.testing.assert_allclose((pull(POINTS + h) - pull(POINTS - h)) / (2 * h), bend(POINTS), atol=1e-8)


@pytest.mark.parametrize(("density", "known"), [(Gaussian(), norm), (DoubleExponential(), laplace)], ids=["n", "l"])
def test_a_bound_costs_the_probability_of_its_side(density: Density, known: object) -> None:
    expected: FloatArray = -known.logcdf(POINTS)  # type: ignore[attr-defined]
    np.testing.assert_allclose(density.bound_loss(POINTS), expected, rtol=1e-10)


def test_one_sided_robust_noise_costs_nothing_within_its_bound() -> None:
    z = np.array([-2.0, 0.0, 2.0])
    at_least = losses(Robust(), z, np.ones(3), 1.0, np.array([1, 1, 1], dtype=np.int8))
    at_most = losses(Robust(), z, np.ones(3), 1.0, np.array([-1, -1, -1], dtype=np.int8))
    np.testing.assert_allclose(at_least, [SoftL1().loss(np.array(2.0)), 0, 0])
    np.testing.assert_allclose(at_most, [0, 0, SoftL1().loss(np.array(2.0))])


def test_factors_have_mean_one_and_their_cv() -> None:
    family = LogNormal.of_cv(0.2)
    drawn = np.array([family.factor(0, 1, "band", i) for i in range(20000)])
    assert family.factor(0, 1, "band", 7) == drawn[7]
    assert drawn.mean() == pytest.approx(1.0, abs=0.007)
    assert drawn.std() == pytest.approx(0.2, rel=0.03)
