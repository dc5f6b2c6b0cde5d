"""Searches in legs end where they would have ended without a stop, and chains that disagree are told apart."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pathsim as ps
from pathsim.calibration.calibrate import point_fit
from pathsim.calibration.converge import (
    at_bounds,
    chain,
    convergence_table,
    families,
    optima_table,
    pooled,
    predictions,
)
from pathsim.calibration.legs import LEGS_FILE, searched
from pathsim.calibration.posterior import ensemble_text, sets_text
from pathsim.calibration.problem import Constant, bound_of, calibration_problem
from pathsim.calibration.starts import drawn_starts, prior_widths
from pathsim.calibration.tables import Targets, _doubling, _fold
from pathsim.errors import InputError, SimulationError
from pathsim.estimation.lab_problem import Place
from pathsim.estimation.objective import Derivatives
from pathsim.estimation.optimise import QuasiNewton
from pathsim.estimation.perturbed import PerturbedFits
from pathsim.estimation.problem import Problem
from pathsim.estimation.sample import r_hat
from pathsim.lab import default_library

IGF1 = "vehicle for 24 h then IGF1 13 nM"


class Banana:
    """Rosenbrock's valley: many steps to its end at (1, 1), where it is 0."""

    names, scales = ("x", "y"), ("lin", "lin")
    lower, upper = np.array([-3.0, -3.0]), np.array([3.0, 9.0])

    def value(self, theta: np.ndarray) -> tuple[float, str]:
        return self.derivatives(theta).value, ""

    def derivatives(self, theta: np.ndarray) -> Derivatives:
        x, y = theta
        residuals = np.array([10.0 * (y - x**2), 1.0 - x])
        slopes = np.array([[-20.0 * x, 10.0], [-1.0, 0.0]])
        return Derivatives(float(residuals @ residuals), 2.0 * slopes.T @ residuals, 2.0 * slopes.T @ slopes)


SHORT: dict[str, Any] = {"settings": QuasiNewton(tolerance=1e-6, most=4, renew=4), "small": 1e-5}
BEGINS = {"a": np.array([-1.2, 1.0]), "b": np.array([2.0, -2.0])}


def test_a_search_that_was_stopped_ends_where_it_would_have_ended(tmp_path: Path) -> None:
    said: list[str] = []
    whole = searched(Banana(), BEGINS, tmp_path / "whole", **SHORT, tell=said.append)
    for legs in whole.values():
        assert len(legs) > 2
        assert legs[-1].over
        np.testing.assert_allclose(legs[-1].vector, [1.0, 1.0], atol=1e-3)
    assert said[0].endswith("goes on")
    stopped = tmp_path / "stopped"
    searched(Banana(), BEGINS, stopped, **SHORT, most=1)
    with (stopped / LEGS_FILE).open("a") as file:
        file.write('{"search": "a", "theta": [1.0')  # torn by a kill
    again = searched(Banana(), BEGINS, stopped, **SHORT)
    for name in BEGINS:
        assert [leg.theta for leg in again[name]] == [leg.theta for leg in whole[name]]
    before = (stopped / LEGS_FILE).read_text()
    searched(Banana(), BEGINS, stopped, **SHORT)
    assert (stopped / LEGS_FILE).read_text() == before


def test_legs_of_another_problem_are_refused(tmp_path: Path) -> None:
    class Wider(Banana):
        upper = np.array([4.0, 9.0])

    searched(Banana(), BEGINS, tmp_path, **SHORT, most=1)
    with pytest.raises(InputError, match="results of another problem"):
        searched(Wider(), BEGINS, tmp_path, **SHORT)


@pytest.fixture(scope="module")
def made() -> tuple[Problem, Targets]:
    """Folds of pS6K and a doubling time, two free constants."""
    model, library = ps.load_model("pi3k_mapk"), default_library()
    values = {item.id: float(item.value or 0.0) for item in model.parameters}
    constants = [Constant(name, values[name], values[name], 0.3, False) for name in ("k_S6K", "k_RHEB_exchange")]
    start = Place("T47D", IGF1, 0.0)
    folds = [_fold(Place("T47D", IGF1, time), start, "pS6K_T389", 2.0, 0.1, "made") for time in (5.0, 10.0, 30.0)]
    targets = Targets((*folds, _doubling("T47D", 4320.0, 40.0, 0.2, "made")))
    return calibration_problem(model, library, targets, constants), targets


def test_starts_are_drawn_from_the_priors_within_bounds(made: tuple[Problem, Targets]) -> None:
    problem, _ = made
    starts = np.array(drawn_starts(problem, 40, seed=1))
    assert (starts >= problem.lower).all()
    assert (starts <= problem.upper).all()
    np.testing.assert_allclose(prior_widths(problem), 0.3)
    np.testing.assert_allclose(starts.mean(axis=0), problem.theta, atol=0.2)
    np.testing.assert_allclose(starts.std(axis=0), 0.3, rtol=0.4)
    np.testing.assert_array_equal(drawn_starts(problem, 2, seed=1), starts[:2])


def test_independent_fits_of_a_small_problem_agree(made: tuple[Problem, Targets], tmp_path: Path) -> None:
    problem, targets = made
    begins = drawn_starts(problem, 2)
    found = searched(problem.objective(), {str(i): one for i, one in enumerate(begins)}, tmp_path)
    optima = optima_table(problem, list(found.values()), begins)
    assert optima["log_posterior"].max() - optima["log_posterior"].min() < 0.05
    assert (optima["begin"] <= optima["log_posterior"]).all()
    assert optima["from_best"].max() < 0.3
    best = point_fit(problem, {"0": begins[0]}, tmp_path)
    assert problem.log_posterior(best) == pytest.approx(optima["log_posterior"].max(), abs=0.05)
    sets = [chain(problem, legs[-1].vector, i, 8, tmp_path, 0, 1) for i, legs in enumerate(found.values(), 1)]
    assert not np.allclose(sets[0].theta, sets[1].theta, atol=1e-3)  # noise is each chain's own
    np.testing.assert_array_equal(chain(problem, best, 1, 8, tmp_path, 0, 1).theta, sets[0].theta)  # not made again
    values = np.array([[predictions(problem, targets, theta) for theta in one.theta] for one in sets]).swapaxes(0, 1)
    errors = np.array([item.row.sd for item in targets.numbers])
    table = convergence_table(values, errors, families(targets)).set_index("family")
    assert list(table.index) == ["made", "doublings per day", "all"]
    assert table.loc["all", "predictions"] == 4
    assert table.loc["all", "r_hat_median"] < 1.6
    text = ensemble_text(problem, best, targets, 2, 0, tmp_path, 1)
    assert text.startswith("# 2 parameter sets")
    assert ensemble_text(problem, best, targets, 2, 0, tmp_path, 1) == text


def test_an_ensemble_leaves_out_what_fits_too_badly(made: tuple[Problem, Targets]) -> None:
    problem, targets = made
    thetas = problem.theta + np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2]])
    text = sets_text(problem, thetas, np.array([1.0, 1.05, 1.3]), "by hand")
    assert text.startswith("# 2 parameter sets")
    assert "by hand; 1 refused for their misfit" in text
    rows = pd.read_csv(io.StringIO(text), comment="#")
    np.testing.assert_allclose(np.log(rows.to_numpy()), thetas[:2], atol=1e-3)
    with pytest.raises(SimulationError, match="no set is within 15%"):
        sets_text(problem, thetas, np.full(3, 2.0), "by hand")
    optima = [problem.theta, problem.theta + 0.5]
    fits = [problem.log_likelihood(theta) for theta in optima]
    sets = [PerturbedFits(thetas[i : i + 1], np.array([own - max(fits)]), 0) for i, own in enumerate(fits)]
    assert pooled(problem, targets, optima, sets).startswith("# 2 parameter sets")


def test_chains_that_disagree_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((60, 4, 200))
    values[:, 2, 100:] += 3.0
    table = convergence_table(values, np.full(200, 2.0), ["good"] * 100 + ["bad"] * 100).set_index("family")
    assert table.loc["good", "agree"] > 0.95
    assert table.loc["bad", "agree"] == 0.0
    assert table.loc["all", "agree"] == pytest.approx(0.5, abs=0.03)
    assert table.loc["good", "within"] == pytest.approx(0.5, rel=0.05)
    assert table.loc["bad", "between"] == pytest.approx(1.5 / 2.0, rel=0.1)
    assert math.isnan(r_hat(np.ones((5, 3))))


def test_constants_at_a_bound_are_counted() -> None:
    lower, upper = np.array([0.0, 0.0]), np.array([1.0, 2.0])
    thetas = [np.array([0.5, 2.0]), np.array([0.0, 1.9999])]
    table = at_bounds(["a", "b"], thetas, lower, upper)
    assert table[["name", "bound", "starts"]].values.tolist() == [["a", "lower", 1], ["b", "upper", 2]]
    assert [bound_of(x, 0.0, 1.0) for x in (0.0, 0.5, 1.0)] == ["lower", "", "upper"]
