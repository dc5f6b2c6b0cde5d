"""Scales and sizes of noise in closed form, against a search by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, sparse

from pathsim.estimation.factors import Factors, FactorsOfTerm
from pathsim.estimation.likelihood import Given
from pathsim.estimation.terms import Shape, Term
from pathsim.model.maths import Expr, number, symbol
from pathsim.stats.noise import LogNormal, Normal

RNG = np.random.default_rng(3)
DATA = np.exp(RNG.normal(1.0, 0.4, 12))
SIGNAL, NOISE = DATA * np.exp(RNG.normal(0.5, 0.3, 12)), np.full(12, 0.4)


def term(formula: Expr, noise: Expr, family: Normal | LogNormal, leaves: int) -> Term:
    """Twelve measurements of leaves that are all given numbers."""
    shape = Shape(formula, noise, (False,) * leaves, family, None, "")
    return Term(shape, np.arange(12), np.zeros((leaves, 12), dtype=np.int64), Given(family, DATA), ())


def test_degrees_are_the_powers_that_quantities_go_with() -> None:
    scale, size, offset = symbol("0"), symbol("1"), symbol("2")
    formula = Expr("plus", (Expr("times", (scale, number(3.0))), Expr("times", (number(0.0), offset))))
    noise = Expr("times", (scale, Expr("power", (size, number(2.0)))))
    signal, of_noise = term(formula, noise, Normal(), 3).degrees
    np.testing.assert_array_equal(signal, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(of_noise, [1.0, 2.0, 0.0])
    mixed, _ = term(Expr("plus", (scale, offset)), size, Normal(), 3).degrees
    np.testing.assert_array_equal(np.isnan(mixed), [True, False, True])


@pytest.mark.parametrize("family", [Normal(), LogNormal()])
def test_a_scale_is_the_best_one(family: Normal | LogNormal) -> None:
    factors, seen = case(family, signal=1.0, noise=0.0)
    assert factors.signal.all()
    found = factors.of_observables(seen)[0, 0]
    np.testing.assert_allclose(found, factors.by_least_squares(seen)[0, 0])
    if isinstance(family, Normal):
        assert found == pytest.approx(best(family, lambda f: (f * SIGNAL, NOISE)), rel=1e-6)
    else:  # a start: measured over expected, on average
        assert found == pytest.approx((DATA / SIGNAL).mean())


def test_a_scale_that_noise_grows_with_is_the_likeliest() -> None:
    factors, seen = case(Normal(), signal=1.0, noise=1.0)
    assert factors.tied.all()
    found = factors.of_observables(seen)[0, 0]
    assert found == pytest.approx(best(Normal(), lambda f: (f * SIGNAL, f * NOISE)), rel=1e-6)
    assert abs(found / factors.by_least_squares(seen)[0, 0] - 1.0) > 0.01


@pytest.mark.parametrize("family", [Normal(), LogNormal()])
def test_a_size_of_noise_is_the_likeliest(family: Normal | LogNormal) -> None:
    factors, seen = case(family, signal=0.0, noise=1.0)
    assert factors.noise.all()
    assert factors.of_noise(seen)[0, 0] == pytest.approx(best(family, lambda f: (SIGNAL, f * NOISE)), rel=1e-6)


def test_what_is_more_than_a_factor_is_left_alone() -> None:
    for signal, noise in ((2.0, 0.0), (1.0, 2.0), (np.nan, 0.0), (0.0, 0.0)):
        factors, seen = case(Normal(), signal, noise)
        for found in (factors.of_observables(seen), factors.by_least_squares(seen), factors.of_noise(seen)):
            np.testing.assert_array_equal(found, 1.0)


def test_an_entry_that_is_two_leaves_of_a_measurement_counts_once() -> None:
    twice = term(symbol("0"), Expr("times", (symbol("1"), symbol("2"))), Normal(), 3)
    none, scale, size = np.full(12, -1), np.zeros(12, dtype=np.int64), np.ones(12, dtype=np.int64)
    found = FactorsOfTerm.of(twice, [(0, scale), (1, scale), (2, size)], 3)
    np.testing.assert_array_equal(found.occur.toarray(), [[1.0] * 12, [1.0] * 12, [0.0] * 12])
    np.testing.assert_array_equal(found.tied, [True, False, True])  # what occurs nowhere contradicts nothing
    np.testing.assert_array_equal(found.noise, [False, True, True])
    partly = FactorsOfTerm.of(twice, [(0, scale), (1, np.where(np.arange(12) < 6, scale, none)), (2, size)], 2)
    assert not np.any([partly.tied[0], partly.signal[0], partly.noise[0]])


def case(
    family: Normal | LogNormal, signal: float, noise: float
) -> tuple[Factors, list[tuple[FactorsOfTerm, np.ndarray, np.ndarray]]]:
    """One entry in all measurements, which signal and noise go with in these powers, and what is seen of one vector."""
    kinds = [np.array([(signal, noise) == kind]) for kind in ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0))]
    one = FactorsOfTerm(term(symbol("0"), number(1.0), family, 1), sparse.csr_array(np.ones((1, 12))), *kinds)
    return Factors([one], np.array([True])), [(one, SIGNAL[:, None], NOISE[:, None])]


def best(family: Normal | LogNormal, at: object) -> float:
    """The factor of the highest likelihood."""
    likelihood = Given(family, DATA)

    def loss(log_factor: float) -> float:
        signal, noise = at(np.exp(log_factor))  # type: ignore[operator]
        return float(likelihood.losses(signal[:, None], noise[:, None]).sum())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x))
