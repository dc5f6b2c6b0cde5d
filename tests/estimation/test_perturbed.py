"""Fits to perturbed data: their spread is that of the posterior where the problem is nearly linear."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

import pathsim as ps
from pathsim.calibration.problem import Constant, calibration_problem
from pathsim.calibration.tables import Targets, _fold
from pathsim.estimation.lab_problem import Place
from pathsim.estimation.perturbed import perturbed, perturbed_fits
from pathsim.estimation.problem import Problem
from pathsim.lab import default_library

IGF1 = "vehicle for 24 h then IGF1 13 nM"


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Folds of pS6K that the model itself has made, one free constant."""
    model, start = ps.load_model("pi3k_mapk"), Place("T47D", IGF1, 0.0)
    true = {item.id: item.value for item in model.parameters}["k_S6K"]
    assert true is not None

    def made(values: list[float]) -> Problem:
        rows = [
            _fold(Place("T47D", IGF1, time), start, "pS6K_T389", value, 0.02, "made")
            for time, value in zip((5.0, 10.0, 20.0, 30.0), values, strict=True)
        ]
        constants = [Constant("k_S6K", true, true, 1.0, False)]
        return calibration_problem(model, default_library(), Targets(tuple(rows)), constants)

    return made(made([1.0] * 4).simulate()["value"].tolist())


def test_the_spread_of_a_nearly_linear_problem_is_known(problem: Problem) -> None:
    said: list[str] = []
    fits = perturbed_fits(problem, problem.theta, 16, seed=3, workers=1, report=said.append)
    sd = 1.0 / math.sqrt(problem.objective().derivatives(problem.theta).fisher[0, 0])
    assert fits.theta.shape == (16, 1)
    assert fits.refused == 0
    assert fits.theta.mean() == pytest.approx(problem.theta[0], abs=0.5 * sd)
    assert fits.theta.std(ddof=1) == pytest.approx(sd, rel=0.4)
    assert (fits.misfit > -1e-6).all()
    assert said[-1] == "16 of 16 fits to perturbed data"


def test_a_set_does_not_depend_on_how_many_there_are(problem: Problem) -> None:
    few = perturbed_fits(problem, problem.theta, 2, seed=3, workers=1)
    more = perturbed_fits(problem, problem.theta, 4, seed=3, workers=2)
    np.testing.assert_array_equal(more.theta[:2], few.theta)


def test_workers_with_another_processor_are_taken_where_they_may_be(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[bool] = []

    def finished(job: object, tasks: object, workers: object, any_processor: bool) -> Iterator[tuple[int, object]]:
        allowed.append(any_processor)
        yield 0, problem.theta

    monkeypatch.setattr("pathsim.estimation.perturbed.finished", finished)
    perturbed_fits(problem, problem.theta, 1)
    perturbed_fits(problem, problem.theta, 1, any_processor=True)
    assert allowed == [False, True]


def test_the_problem_itself_stays_as_it_was(problem: Problem) -> None:
    before = problem.objective().value(problem.theta)
    other = perturbed(problem, problem.theta, np.random.default_rng(0))
    assert other.value(problem.theta)[0] != before[0]
    assert problem.objective().value(problem.theta) == before


def test_no_members_is_refused(problem: Problem) -> None:
    with pytest.raises(ps.InputError, match="at least 1 member, not 0"):
        perturbed_fits(problem, problem.theta, 0)
