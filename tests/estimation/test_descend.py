"""Many searches in step: the deepest valley wins, what fails is left, and rough derivatives agree with exact ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("petab")

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.estimation.descend import descend
from pathsim.estimation.objective import Derivatives
from pathsim.estimation.questions import alone
from pathsim.estimation.search import DifferentialEvolution, PopulationSearch, SuccessiveHalving
from pathsim.petab import load

DATA = Path(__file__).parents[3] / "shared" / "data" / "petab"
collection = pytest.mark.skipif(not DATA.is_dir(), reason="the PEtab collection is not beside the checkout")


class Valleys:
    """Least squares in the plane with a narrow curved valley on either side of x = 0; the right one is deeper by 2.

    Fails where y is above ``wall``.
    """

    names, scales = ("x", "y"), ("lin", "lin")
    lower, upper = np.full(2, -5.0), np.full(2, 5.0)

    def __init__(self, wall: float = 9.0) -> None:
        self.wall, self.calls = wall, 0

    def _residuals(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        x, y = theta
        r = np.array([10.0 * (y - x * x), x * x - 1.0, x - 1.0])
        return r, np.array([[-20.0 * x, 10.0], [2.0 * x, 0.0], [1.0, 0.0]])

    def value(self, theta: FloatArray) -> tuple[float, str]:
        if theta[1] > self.wall:
            return np.inf, "beyond the wall"
        return 0.5 * float(np.sum(self._residuals(theta)[0] ** 2)), ""

    def derivatives(self, theta: FloatArray) -> Derivatives:
        value, why = self.value(theta)
        r, J = self._residuals(theta)
        return Derivatives.failed(2, why) if why else Derivatives(value, J.T @ r, J.T @ J)

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        self.calls += 1
        return thetas.copy(), np.array([self.value(theta)[0] for theta in thetas])

    def derivatives_many(self, thetas: FloatArray) -> list[Derivatives]:
        return [self.derivatives(theta) for theta in thetas]


def test_the_deepest_valley_wins() -> None:
    begin = [np.array([-2.0, 3.0]), np.array([-1.2, 0.0]), np.array([3.0, -2.0]), np.array([-4.0, 1.0])]
    found = alone(Valleys(), descend(Valleys(), begin, SuccessiveHalving(members=4, rounds=20)))
    np.testing.assert_allclose(found.members[0], [1.0, 1.0], atol=1e-3)
    assert len(found.members) == 4
    values = [Valleys().value(theta)[0] for theta in found.members]
    assert values == sorted(values)
    assert found.gradients < found.evaluations


class Differentiated(Valleys):
    """The same, of which derivatives cost as little as values."""

    derivatives_suffice = True


def test_few_searches_take_derivatives_in_place_of_values() -> None:
    begin = [np.array([-2.0, 3.0]), np.array([3.0, -2.0])]
    objective = Differentiated()
    found = alone(objective, descend(objective, begin, SuccessiveHalving(members=2, tolerance=1e-6)))
    np.testing.assert_allclose(found.members[0], [1.0, 1.0], atol=1e-3)
    assert (objective.calls, found.evaluations) == (0, 0)
    many = [np.array([x, 4.0]) for x in np.linspace(-4, 4, 8)]
    assert alone(objective, descend(objective, many, SuccessiveHalving(rounds=1))).evaluations > 0  # too many at first
    walled = Differentiated(wall=0.25)
    found = alone(walled, descend(walled, [np.array([0.0, 4.0]), np.array([0.1, 0.0])], SuccessiveHalving()))
    assert len(found.members) == 1
    assert found.members[0][1] <= 0.25
    assert walled.value(found.members[0])[0] < walled.value(np.array([0.1, 0.0]))[0]


def test_the_worse_half_is_given_up() -> None:
    begin = [np.array([x, 4.0]) for x in np.linspace(-4, 4, 8)]
    told: list[str] = []
    quick, thorough = (
        alone(Valleys(), descend(Valleys(), begin, SuccessiveHalving(rounds=rounds, tolerance=1e-9), told.append))
        for rounds in (1, 200)
    )
    assert quick.gradients < thorough.gradients
    assert told[0].startswith("4 of 8 descents go on")
    assert len(quick.members) == 8


def test_what_fails_is_left_and_nothing_steps_into_failure() -> None:
    objective = Valleys(wall=0.25)
    found = alone(objective, descend(objective, [np.array([0.0, 4.0]), np.array([0.1, 0.0])], SuccessiveHalving()))
    assert len(found.members) == 1
    assert found.members[0][1] <= 0.25
    assert objective.value(found.members[0])[0] < objective.value(np.array([0.1, 0.0]))[0]
    assert not alone(objective, descend(objective, [np.array([0.0, 4.0])], SuccessiveHalving())).members


def test_a_fit_descends_from_its_population_and_can_be_watched() -> None:
    seen: list[str] = []
    fit = ps.fit(Valleys(), 2, workers=1, watch=seen.append)
    assert all(start.value < 1e-8 for start in fit.starts)
    assert any(line.startswith("start 2: ") and "points tried" in line for line in seen)
    assert any("descents go on" in line for line in seen)
    again = ps.fit(Valleys(), 2, workers=2)
    assert [start.theta for start in again.starts] == [start.theta for start in fit.starts]


def test_a_start_goes_on_until_its_best_has_been_found_again() -> None:
    few = PopulationSearch(DifferentialEvolution(members=8, generations=0), SuccessiveHalving(members=4))
    alone_ = PopulationSearch(DifferentialEvolution(members=8, generations=0), SuccessiveHalving(members=1))

    def evolved(populations: list[PopulationSearch]) -> int:
        seen: list[str] = []
        found = ps.fit(Valleys(), 1, workers=1, populations=populations, watch=seen.append)
        assert found.best.value < 1e-8
        return sum("points tried" in line for line in seen)

    assert evolved([few, few, few]) == 1  # both valleys are found, the deeper one by two descents
    assert evolved([alone_, alone_, few, few]) == 3


@collection
@pytest.mark.parametrize("name", ["Boehm_JProteomeRes2014", "Brannmark_JBC2010", "Schwen_PONE2014"])
def test_rough_derivatives_agree_with_exact_ones(name: str) -> None:
    yaml = next(path for path in sorted((DATA / name).glob("*.yaml")) if "test" not in path.name)
    objective = load(yaml, threads=1).objective()
    theta = objective.setup.nominal
    exact = objective.derivatives(theta)
    rough = objective.derivatives_many(np.stack([theta, np.full(len(theta), np.nan), theta]))
    assert rough[1].failure
    for found in (rough[0], rough[2]):
        assert found.value == pytest.approx(exact.value, abs=0.05)
        curvature = np.sqrt(np.diag(exact.fisher)) + 1e-6
        assert np.abs((found.gradient - exact.gradient) / curvature).max() < 0.1
        np.testing.assert_allclose(found.fisher, exact.fisher, atol=0.02 * np.abs(exact.fisher).max())


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ps.InputError, match="members"):
        SuccessiveHalving(members=0)
    with pytest.raises(ps.InputError, match="seconds"):
        ps.search.TrustRegion(seconds=0.0)


def test_a_local_search_ends_when_its_time_is_up() -> None:
    fit = ps.fit(Valleys(), 1, workers=1, optimiser=ps.search.TrustRegion(seconds=1e-9), populations=())
    assert not fit.best.converged
    assert "were not enough" in fit.best.message
