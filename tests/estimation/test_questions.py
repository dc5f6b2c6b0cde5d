"""Searches that go on in step: the same results as alone, in fewer calls, and times that add up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from culture import culture_library, culture_model
from test_optimise import Curve

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.estimation.posterior import Posterior
from pathsim.estimation.questions import SPENT, Question, Search, alone, together
from pathsim.estimation.search import PopulationSearch

SMALL = PopulationSearch(
    ps.search.DifferentialEvolution(members=8, generations=3),
    ps.search.SuccessiveHalving(members=4, rounds=2, most=4),
)
FEW = ps.search.TrustRegion(most=3)


class Counting:
    """Squares, one at a time or many; notes how many were asked for at once."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def value(self, theta: FloatArray) -> tuple[float, str]:
        self.calls.append(1)
        return float(theta @ theta), ""

    def values(self, thetas: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
        self.calls.append(len(thetas))
        return (thetas**2).sum(axis=1), ("",) * len(thetas)

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        self.calls.append(len(thetas))
        return -thetas, (thetas**2).sum(axis=1)


def counts(n: int) -> Search[list[Any]]:
    """n questions of one vector, then one of n vectors, then the time."""
    found: list[Any] = []
    for i in range(n):
        value, _ = yield Question("value", (np.array([float(n), i]),))
        found.append(value)
    made, values = yield Question("refined_many", (np.arange(2.0 * n).reshape(n, 2),))
    return [*found, made.tolist(), values.tolist(), (yield SPENT)]


def test_answers_are_shared_out_to_who_asked() -> None:
    asked, each = Counting(), [alone(Counting(), counts(n))[:-1] for n in (1, 2, 3, 2)]
    found = list(together(asked, map(counts, (1, 2, 3, 2)), 3))
    assert [one[:-1] for one in found] == [each[0], each[1], each[2], each[3]]
    assert sum(asked.calls) == 16  # nothing is asked twice
    assert max(asked.calls) == 3
    assert len(asked.calls) < 12
    with pytest.raises(ZeroDivisionError):
        list(together(asked, (fails(n) for n in (0, 1)), 2))


def fails(n: int) -> Search[float]:
    """A search with a defect."""
    yield Question("value", (np.ones(2),))
    return 1.0 / n


def test_a_call_costs_each_search_its_share() -> None:
    clock = iter(range(1000))
    seconds = [one[-1] for one in together(Counting(), map(counts, (3, 3)), 2, lambda: float(next(clock)))]
    assert seconds[0] == seconds[1]
    assert alone(Counting(), counts(3))[-1] < 1.0


def blots() -> pd.DataFrame:
    """Two lines, two treatments and two gels of made up bands."""
    rng = np.random.default_rng(0)
    rows = [
        (line, f"vehicle for 24 h then IGF1 5 nM{more}", time, "pAKT", gel)
        for line in ("T47D", "MCF7")
        for more in ("", " + inhibitor 100 nM")
        for time in (0.0, 5.0, 30.0)
        for gel in ("1", "2")
    ]
    table = pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "gel"])
    return table.assign(value=rng.lognormal(0.0, 0.5, len(table)))


@pytest.fixture(scope="module")
def problem() -> ps.Problem:
    model = culture_model()
    free = [one.id for one in model.parameters if one.id.startswith("k_")][:4]
    return ps.blot_problem(model, blots(), free, library=culture_library())


def test_an_answer_has_the_same_bits_whoever_else_asks(problem: ps.Problem) -> None:
    objective = problem.objective()
    thetas = np.random.default_rng(3).uniform(objective.lower, objective.upper, (9, len(objective.names)))
    whole = list(everything(objective, thetas))
    for some in ([0], [3, 4], [8, 2, 5, 1, 0]):
        for one, other in zip(everything(objective, thetas[some]), whole, strict=True):
            np.testing.assert_array_equal(one, other[some])


def everything(objective: Posterior, thetas: FloatArray) -> Iterator[FloatArray]:
    """What an objective says of many vectors, (m, ...) each."""
    yield from objective.refined_many(thetas.copy())
    yield objective.values(thetas)[0]
    yield np.array([value for _, value, _ in objective.refined_each(thetas)])
    for found in (objective.derivatives_many(thetas), objective.derivatives_each(thetas)):
        yield np.array([one.value for one in found])
        yield np.array([one.gradient for one in found])
        yield np.array([one.fisher for one in found])


def test_starts_do_not_depend_on_those_beside_them(problem: ps.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem.objective().searches_together > 3
    in_step = ps.fit(problem, 3, seed=5, workers=1, populations=(SMALL,), optimiser=FEW)
    in_blocks = ps.fit(problem, 3, seed=5, workers=2, populations=(SMALL,), optimiser=FEW)
    monkeypatch.setattr("pathsim.estimation.posterior.MOST_TOGETHER", 1)
    alone = ps.fit(problem.with_solver(problem.solver), 3, seed=5, workers=1, populations=(SMALL,), optimiser=FEW)
    for other in (in_blocks, alone):
        for one, two in zip(in_step.starts, other.starts, strict=True):
            assert (one.number, one.theta, one.value, one.evaluations) == (
                two.number,
                two.theta,
                two.value,
                two.evaluations,
            )


def test_an_objective_of_ones_own_is_asked_one_vector_at_a_time() -> None:
    fit = ps.fit(Curve(), starts=2, workers=1)
    assert fit.starts[0].value == pytest.approx(fit.starts[1].value, rel=1e-6)
