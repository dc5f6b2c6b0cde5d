"""A state that is truly negative under a root or a broken power ends in one sentence, never in a number."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import rows, system

from pathsim.solve import BDF, LSODA, Rosenbrock, Solver, Status, settle_rows
from pathsim.solve.sensitivities.recording import record_rows

TIMES = [0, 0.5, 0.9, 1.5, 3, 10]
SOLVERS: list[Solver] = [Rosenbrock(), Rosenbrock(1e-9, 1e-12), LSODA(), BDF()]
solvers = pytest.mark.parametrize("solver", SOLVERS, ids=["defaults", "tight", "LSODA", "BDF"])

FALLING = "x = 1; y = 0; K = 2; n = 2.5; x' = -1;"
SWINGING = "x = 1; y = 0; v = 0; x' = v; v' = -x;"


@solvers
@pytest.mark.parametrize(
    ("text", "when"),
    [
        (FALLING + "y' = x^1.5;", 1),
        (FALLING + "y' = (x/K)^n/(1 + (x/K)^n);", 1),
        (FALLING + "y' = sqrt(x);", 1),
        (FALLING + "y' = piecewise(0, time < 2, x^1.5);", 2),
        (FALLING + "y' = ((x - 0.5)*K)^n;", 0.5),
        (SWINGING + "y' = x^1.5;", np.pi / 2),
        (FALLING.replace("x' = -1", "x' = 0") + "y' = x^n; at time > 1.2: x = -2;", 1.2),
        (FALLING.replace("x = 1", "x = -1") + "y' = x^n;", 0),
    ],
)
def test_what_is_no_number_is_told(text: str, when: float, solver: Solver) -> None:
    done = rows(text, TIMES, ["x", "y"], solver)
    assert Status(done.status[0]) is Status.UNDEFINED_RATE
    assert done.time[0] == pytest.approx(when, abs=2e-4)
    assert "negative number at time" in done.sentence(0)
    assert "Look at 'x'" in done.sentence(0)
    sampled = np.isfinite(done.values[0]).all(axis=1)
    assert not sampled[np.array(TIMES) > when + 2e-4].any()
    assert sampled[np.array(TIMES) < when].all()


@solvers
@pytest.mark.parametrize(
    "rate",
    ["piecewise(x^1.5, x > 0, 0)", "max(0, x)^1.5", "(x/K)^2", "x^m", "piecewise(x^1.5, time < 0.95, 0)", "abs(x)^n"],
)
def test_what_is_never_asked_for_is_not_told(rate: str, solver: Solver) -> None:
    done = rows(FALLING + f"m = 2; y' = {rate};", TIMES, ["y"], solver)
    assert done.status[0] == 0, done.sentence(0)


@solvers
def test_what_is_zero_within_its_tolerance_is_zero(solver: Solver) -> None:
    text = "x = 1; y = 0; z = 0; x' = -30*x; y' = x^1.5 - y^0.7; z' = y^2.2 + ((1 - x)*3)^1.5;"
    done = rows(text, TIMES, ["x", "y", "z"], solver)
    assert done.status[0] == 0, done.sentence(0)


def test_neighbours_and_logarithms() -> None:
    """Other rows go on; a logarithm of a negative number is told as what it is, not as a step that is too small."""
    done = rows("x = 1; y = 0; v = 1; x' = -v; y' = x^1.5;", TIMES, ["y"], settings=[{"v": 0.09}, {"v": 1}, {"v": 0}])
    assert list(done.status) == [0, Status.UNDEFINED_RATE, 0]
    assert np.isfinite(done.values[[0, 2]]).all()
    assert Status(rows(FALLING + "y' = ln(x);", TIMES, ["y"]).status[0]) is Status.NOT_FINITE


def test_steady_states_and_derivatives_say_the_same() -> None:
    equations = system("x = 1; y = 0; x' = -1; y' = x^1.5 - y;")
    raw, nodes = equations.raw()[None], equations.outputs(["y"])
    recorded = record_rows(equations, raw, np.array(TIMES), nodes, Rosenbrock())
    assert recorded.rows.status[0] == Status.UNDEFINED_RATE
    assert np.isnan(recorded.rows.values[0, 3:]).all()
    assert settle_rows(equations, raw, nodes).status[0] == Status.UNDEFINED_RATE
    assert settle_rows(equations, raw, nodes, LSODA()).status[0] == Status.UNDEFINED_RATE
