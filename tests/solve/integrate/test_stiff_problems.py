"""Stiff problems of the literature against their published end values."""

from __future__ import annotations

import pytest
from stiff_problems import PROBLEMS

from pathsim.solve import BDF, Extrapolation, Rosenbrock

METHODS = [Rosenbrock, Extrapolation]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_engine_reaches_published_values(name: str, method: type[Rosenbrock] | type[Extrapolation]) -> None:
    assert PROBLEMS[name].error(method(rtol=1e-10, atol=1e-22)) < 2e-8


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_looser_tolerance_costs_accuracy_in_proportion(name: str) -> None:
    loose, tight = (PROBLEMS[name].error(Rosenbrock(rtol=rtol, atol=1e-20)) for rtol in (1e-5, 1e-8))
    assert loose < 1e-4
    assert tight < 1e-7
    assert tight < 0.1 * loose


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_looser_tolerance_costs_extrapolation_accuracy(name: str) -> None:
    """Not in proportion: at order 8 steps are long, and an error is far below its estimate or close to it."""
    loose, tight = (PROBLEMS[name].error(Extrapolation(rtol=rtol, atol=1e-20)) for rtol in (1e-5, 1e-8))
    assert loose < 1e-4
    assert tight < 3e-7
    assert tight < 0.3 * loose


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "VDPOL"])  # its y1 passes through zero
def test_the_reference_reaches_published_values(name: str) -> None:
    assert PROBLEMS[name].error(BDF(rtol=1e-9, atol=1e-20)) < 1e-6
