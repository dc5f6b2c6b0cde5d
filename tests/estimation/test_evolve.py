"""Populations evolved before local searches, and rough values of many vectors at once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("petab")

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.estimation.evolve import evolve
from pathsim.estimation.objective import Derivatives
from pathsim.estimation.questions import alone
from pathsim.estimation.search import DifferentialEvolution, PopulationSearch
from pathsim.petab import load

DATA = Path(__file__).parents[3] / "shared" / "data" / "petab"
collection = pytest.mark.skipif(not DATA.is_dir(), reason="the PEtab collection is not beside the checkout")


class Ripples:
    """Rastrigin's function around 3 in eight variables (minimum 0), failing where the first is above ``wall``."""

    names = tuple("abcdefgh")
    scales = ("lin",) * 8
    lower, upper = np.full(8, -8.0), np.full(8, 8.0)

    def __init__(self, wall: float = math.inf) -> None:
        self.wall = wall

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = thetas - 3.0
        found = (z**2 + 10 * (1 - np.cos(2 * math.pi * z))).sum(axis=1)
        return thetas, np.where(thetas[:, 0] > self.wall, math.inf, found)

    def value(self, theta: FloatArray) -> tuple[float, str]:
        found = float(self.refined_many(theta[None])[1][0])
        return found, "" if math.isfinite(found) else "beyond the wall"

    def derivatives(self, theta: FloatArray) -> Derivatives:
        value, why = self.value(theta)
        z = theta - 3.0
        gradient = 2 * z + 20 * math.pi * np.sin(2 * math.pi * z)
        found = Derivatives(value, gradient, np.eye(8) * (2 + 40 * math.pi**2))
        return Derivatives.failed(8, why) if why else found


def population(objective: Ripples, seed: int, settings: DifferentialEvolution) -> tuple[FloatArray, ...]:
    rng = np.random.default_rng(seed)
    search = evolve(objective, settings, rng, lambda count: rng.uniform(objective.lower, objective.upper, (count, 8)))
    return alone(objective, search).members


def test_evolution_finds_the_valley_among_many() -> None:
    objective = Ripples()
    members = population(objective, 1, DifferentialEvolution(generations=400, collapsed=0.5))
    np.testing.assert_allclose(members[0], 3.0, atol=0.5)  # 16**8 valleys
    values = objective.refined_many(np.array(members))[1]
    assert (np.diff(values) >= 0).all()
    assert all((one >= -8).all() and (one <= 8).all() for one in members)
    again = population(objective, 1, DifferentialEvolution(generations=400, collapsed=0.5))
    np.testing.assert_array_equal(members, again)
    assert (members[0] != population(objective, 2, DifferentialEvolution(generations=400))[0]).any()


def test_vectors_that_fail_are_not_members() -> None:
    members = population(Ripples(wall=-6.0), 0, DifferentialEvolution(members=32, generations=30))
    assert members
    assert all(one[0] <= -6 for one in members)
    assert not population(Ripples(wall=-9.0), 0, DifferentialEvolution(members=8, generations=5))


def test_fit_begins_from_the_evolved_point_and_says_what_failed() -> None:
    evolved = ps.fit(Ripples(), 2, workers=1, populations=[PopulationSearch(DifferentialEvolution(generations=400))])
    assert evolved.best.value < 1e-6
    assert evolved.best.evaluations > 1000
    plain = ps.fit(Ripples(), 2, workers=1, populations=())
    assert plain.best.value > 10
    walled = ps.fit(Ripples(wall=3.5), 2, workers=1)
    assert walled.best.resampled > 0
    with pytest.raises(ps.SimulationError, match="beyond the wall"):
        ps.fit(Ripples(wall=-9.0), 1, workers=1)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ps.InputError, match="members"):
        DifferentialEvolution(members=2)
    with pytest.raises(ps.InputError, match="generations"):
        DifferentialEvolution(generations=-1)


@collection
@pytest.mark.parametrize(
    "name",
    [
        "Boehm_JProteomeRes2014",  # estimated noise
        "Brannmark_JBC2010",  # pre-equilibration
        "Fiedler_BMCSystBiol2016",  # scale and noise together
        "Fujita_SciSignal2010",  # scales
        "Schwen_PONE2014",  # priors, log10 data
        "Zhao_QuantBiol2020",  # several parts
        "Bachmann_MSB2011",  # 86 parameters outside the simulations
        "Lucarelli_CellSystems2018",  # measurements whose formulas are plain numbers
        "Raimundez_PCB2020",
        "Alkan_SciSignal2018",
        "Borghans_BiophysChem1997",
        "Giordano_Nature2020",
        "Crauste_CellSystems2017",  # blows up at loose tolerances
    ],
)
def test_rough_values_are_those_of_the_objective(name: str) -> None:
    yaml = next(path for path in sorted((DATA / name).glob("*.yaml")) if "test" not in path.name)
    problem = load(yaml, threads=1)
    objective = problem.objective()
    rng = np.random.default_rng(0)
    thetas = np.clip(problem.theta + 0.05 * rng.standard_normal((5, len(problem.theta))), problem.lower, problem.upper)
    thetas[0] = problem.theta
    found, rough = objective.refined_many(thetas)
    outside = objective.setup.outside_simulations
    np.testing.assert_array_equal(found[:, ~outside], thetas[:, ~outside])
    for given, theta, value in zip(thetas, found, rough, strict=True):
        exact = objective.value(theta)[0]
        assert value == pytest.approx(exact, rel=0.01, abs=0.3)
        assert exact <= objective.value(given)[0] + 1.0
        if name != "Schwen_PONE2014":  # priors of such parameters are left to the search
            assert exact == pytest.approx(objective.refined(given)[1], rel=0.02, abs=1.5)


@collection
def test_scales_and_noise_come_back_from_far_away() -> None:
    problem = load(DATA / "Fiedler_BMCSystBiol2016" / "Fiedler_BMCSystBiol2016.yaml", threads=1)
    objective = problem.objective()
    free = objective._many.free
    assert len(free) == 10
    far = np.tile(problem.theta, (3, 1))
    far[1, free] += 2.0
    far[2, free] -= 1.5
    np.testing.assert_allclose(objective.refined_many(far)[1], objective.value(problem.theta)[0], atol=1.0)


@collection
def test_a_vector_that_cannot_be_simulated_spoils_no_other() -> None:
    problem = load(DATA / "Brannmark_JBC2010" / "Brannmark_JBC2010.yaml", threads=1)
    objective = problem.objective()
    easy = objective.refined_many(problem.theta[None])[1][0]
    rng = np.random.default_rng(0)
    hard = rng.uniform(objective.lower, objective.upper, (30, len(problem.theta)))
    objective._many.solver = objective._many.careful = ps.Rosenbrock(rtol=1e-4, atol=1e-12, max_steps=55)
    found = objective.refined_many(np.vstack([problem.theta, hard, problem.theta]))[1]
    assert np.isinf(found[1:-1]).any()
    assert np.isfinite(found[1:-1]).any()
    np.testing.assert_allclose(found[[0, -1]], easy, rtol=1e-6)


@collection
def test_random_starts_reach_the_published_optimum() -> None:
    problem = load(DATA / "Boehm_JProteomeRes2014" / "Boehm_JProteomeRes2014.yaml", threads=1)
    fit = ps.fit(problem, 4, seed=5, workers=1)
    assert -fit.best.value > problem.log_likelihood() - 0.1
