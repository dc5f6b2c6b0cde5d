"""Gradients of published problems against central differences: pre-equilibration, events, switches, priors and all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("petab")

import pathsim as ps
from pathsim.errors import SimulationError
from pathsim.estimation.gradients import adjoint_gradients, forward_derivatives, steps_suit_sensitivities
from pathsim.petab import load

DATA = Path(__file__).parents[3] / "shared" / "data" / "petab"
PROBLEMS = (
    "Boehm_JProteomeRes2014",  # explicit time in the rates, estimated noise
    "Brannmark_JBC2010",  # pre-equilibration, an input that is switched
    "Fujita_SciSignal2010",  # pulses
    "Fiedler_BMCSystBiol2016",  # exponentials of time, scales per gel
    "Borghans_BiophysChem1997",  # oscillations
    "Giordano_Nature2020",  # parameters that change at given times
    "Zhao_QuantBiol2020",  # several parts in time
    "Schwen_PONE2014",  # priors
    "Bachmann_MSB2011",  # 113 parameters
)
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the PEtab collection is not beside the checkout")


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradients_agree_with_differences(name: str) -> None:
    yaml = next(path for path in sorted((DATA / name).glob("*.yaml")) if "test" not in path.name)
    problem = load(yaml, ps.Rosenbrock(rtol=1e-9, atol=1e-14))
    objective = problem.objective()
    rng = np.random.default_rng(0)
    theta = problem.theta + 0.02 * rng.standard_normal(len(problem.theta))
    theta = np.clip(theta, problem.lower + 1e-3, problem.upper - 1e-3)
    found = objective.derivatives(theta)
    assert not found.failure
    assert found.value == pytest.approx(objective.value(theta)[0], rel=1e-6)
    largest = np.abs(found.gradient).max()
    for k in rng.permutation(len(theta))[:4]:
        errors = []
        for size in (1e-3, 1e-4, 3e-5):
            step = np.eye(len(theta))[k] * size
            v = [objective.value(theta + f * step)[0] for f in (1, -1, 2, -2)]
            derivative = (8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * size)
            errors.append(abs(derivative - found.gradient[k]) / (abs(derivative) + 1e-3 * largest))
        assert min(errors) < 1e-6, (problem.parameter_ids[k], errors)
    value, gradient, why = objective.gradient(theta)
    assert not why
    assert value == pytest.approx(found.value, rel=1e-8)
    np.testing.assert_allclose(gradient, found.gradient, rtol=1e-7, atol=1e-8 * largest)
    without_priors = problem.gradient(theta)
    if not any(parameter.prior for parameter in problem.estimated):
        np.testing.assert_allclose(without_priors, -found.gradient, rtol=1e-7, atol=1e-8 * largest)


ALL = sorted(path.name for path in DATA.iterdir() if path.is_dir()) if DATA.is_dir() else []
TOO_LONG = ("Chen_MSB2009",)  # half a minute for one gradient at this tolerance; it agrees too
AWAY = {"Crauste_CellSystems2017": (0.05, 2)}  # size and seed; most directions lead to where it blows up


@pytest.mark.parametrize("name", [name for name in ALL if name not in TOO_LONG])
def test_every_gradient_agrees_with_differences_along_a_direction(name: str) -> None:
    yaml = next(path for path in sorted((DATA / name).glob("*.yaml")) if "test" not in path.name)
    problem = load(yaml, ps.Rosenbrock(rtol=1e-9, atol=1e-14))
    assert steps_suit_sensitivities(problem.setup)
    away, seed = AWAY.get(name, (0.02, 0))
    rng = np.random.default_rng(seed)
    theta = problem.theta + away * rng.standard_normal(len(problem.theta))
    theta = np.clip(theta, problem.lower + 1e-3, problem.upper - 1e-3)
    gradient = problem.gradient(theta)
    direction = rng.choice([-1.0, 1.0], len(theta))
    errors = []
    for size in (3e-3, 3e-4, 3e-5, 3e-6):
        v = []
        for f in (1, -1, 2, -2):
            try:
                v.append(problem.log_likelihood(theta + f * size * direction))
            except SimulationError:
                v.append(np.nan)
        derivative = (8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * size)
        errors.append(abs(derivative - gradient @ direction) / (abs(derivative) + 1e-3 * np.abs(gradient).max()))
    assert np.nanmin(errors) < 1e-6, errors


@pytest.mark.parametrize("name", ["Boehm_JProteomeRes2014", "Fiedler_BMCSystBiol2016"])
def test_refined_points_are_at_the_best_scales_and_noise(name: str) -> None:
    yaml = next(path for path in sorted((DATA / name).glob("*.yaml")))
    objective = load(yaml).objective()
    outside = objective.setup.outside_simulations
    assert 0 < outside.sum() < len(outside)
    theta = 0.5 * (objective.lower + objective.upper) + 0.3
    better, value, why = objective.refined(theta)
    assert not why
    assert value <= objective.value(theta)[0]
    assert value == pytest.approx(objective.value(better)[0], abs=1e-6)
    np.testing.assert_array_equal(better[~outside], theta[~outside])
    found = objective.derivatives(better)
    inside = (better > objective.lower + 1e-6) & (better < objective.upper - 1e-6)
    curvature = np.sqrt(np.maximum(np.diag(found.fisher), 1e-12))
    assert np.abs(found.gradient / curvature)[outside & inside].max() < 0.1


def test_a_vector_that_cannot_be_simulated_is_a_failure_not_an_error() -> None:
    problem = load(DATA / "Boehm_JProteomeRes2014" / "Boehm_JProteomeRes2014.yaml")
    found = problem.objective().derivatives(np.full(len(problem.theta), np.nan))
    assert found.failure
    assert np.isinf(found.value)
    tired = problem.with_solver(ps.Rosenbrock(max_steps=3)).objective()
    assert "limit on steps" in tired.derivatives(problem.theta).failure
    assert "limit on steps" in tired.gradient(problem.theta)[2]
    assert "limit on steps" in tired.value(problem.theta)[1]


@pytest.mark.parametrize(
    "name", ["Boehm_JProteomeRes2014", "Brannmark_JBC2010", "Fujita_SciSignal2010", "Bachmann_MSB2011"]
)
def test_the_adjoint_gives_the_same_gradient(name: str) -> None:
    yaml = next(path for path in sorted((DATA / name).glob("*.yaml")))
    problem = load(yaml, ps.Rosenbrock(rtol=1e-9, atol=1e-14))
    thetas = np.stack([problem.theta, np.clip(problem.theta + 0.05, problem.lower, problem.upper)])
    found = adjoint_gradients(problem.setup, np.concatenate([thetas, np.full((1, thetas.shape[1]), np.nan)]))
    assert not any(found.failures[:2])
    assert found.failures[2]
    assert np.isinf(found.values[2])
    for i, theta in enumerate(thetas):
        assert found.values[i] == pytest.approx(-problem.log_likelihood(theta), rel=1e-8)
        expected = forward_derivatives(problem.setup, theta[None], problem.setup.rosenbrock)[0].gradient
        np.testing.assert_allclose(found.gradients[i], expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())


def test_gradients_are_the_same_for_any_number_of_workers() -> None:
    found = []
    for workers in (1, 2, 3):
        problem = load(DATA / "Alkan_SciSignal2018" / "Alkan_SciSignal2018.yaml", threads=workers)
        found.append(problem.gradient(problem.theta + 0.01))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
