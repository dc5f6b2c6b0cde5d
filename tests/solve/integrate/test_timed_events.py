"""Events whose triggers follow from time alone: in any number, in any order, at parameters that differ by row."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from small_models import TIGHT, course, model, rows, system

from pathsim.errors import InputError
from pathsim.model.maths import Expr
from pathsim.model.records import Event
from pathsim.solve import LSODA, Rosenbrock, Solver, Status, System, build_system, run_rows

BOTH: list[Solver] = [TIGHT, LSODA(1e-10, 1e-13)]
solvers = pytest.mark.parametrize("solver", BOTH, ids=["engine", "reference"])


def doses(count: int, order: list[int] | None = None) -> str:
    """x decays and is raised by 1 at 1/2, 3/2, ..."""
    events = [f"at time >= {i + 0.5}: x = x + 1;" for i in order or range(count)]
    return "x' = -0.1*x; x = 1;" + "".join(events)


def after(times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """The exact course of :func:`doses`."""
    passed = times[:, None] - moments
    return np.exp(-0.1 * times) + np.where(passed >= 0, np.exp(-0.1 * np.clip(passed, 0, None)), 0).sum(axis=1)


@solvers
@pytest.mark.parametrize("mixed", [False, True])
def test_many_doses(solver: Solver, mixed: bool) -> None:
    order = np.random.default_rng(0).permutation(40).tolist() if mixed else None
    times = np.array([0, 0.4, 0.5, 7.5, 20, 39.5, 41])
    found = course(doses(40, order), times, ["x"], solver)[:, 0]
    assert np.max(np.abs(found - after(times, np.arange(40) + 0.5))) < 1e-7


@solvers
def test_moments_follow_the_parameters_of_the_row(solver: Solver) -> None:
    text = "x' = 0*x; x = 0; t1 = 1; every = 2; at time >= t1: x = x + 1; at time > t1 + every: x = x + 10;"
    settings = [{}, {"t1": 3.5}, {"every": 0.5}, {"t1": -1, "every": 3}, {"t1": np.inf}, {"t1": 9, "every": -9}]
    found = rows(text, [0, 1, 2, 3, 4], ["x"], solver, settings).values[..., 0]
    assert found[0].tolist() == [0, 1, 1, 1, 11]  # time > 3 is not yet true at 3
    assert found[1].tolist() == [0, 0, 0, 0, 1]
    assert found[2].tolist() == [0, 1, 11, 11, 11]
    assert found[3].tolist() == [0, 0, 0, 10, 10]  # the first has been true from the beginning: its trigger starts true
    assert found[4].tolist() == [0, 0, 0, 0, 0]
    assert found[5].tolist() == [0, 10, 10, 10, 10]  # time > 0: just after the start


@solvers
def test_windows_ends_and_what_was_true_at_the_start(solver: Solver) -> None:
    text = (
        "x' = 0*x; x = 0; y = 0; z = 0; w = 0; at time >= 1 && time < 2: x = x + 1;"
        "at 2 - time > 0, t0 = false: y = y + 1;"
        "at time >= 0, t0 = false: z = z + 1; at 1.5 after time > 1 && time < 2, persistent = false: w = 1;"
        "at !(time < 3) || time > 3: z = z + 10;"
    )
    found = course(text, [0, 0.5, 1, 3, 4], ["x", "y", "z", "w"], solver)
    assert found.tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 11, 0], [1, 1, 11, 0]]


@solvers
def test_an_event_that_moves_the_moment_of_another(solver: Solver) -> None:
    text = "x' = 1; x = 0; next = 5; n = 0; at x > 2: next = 3; at time >= next: n = n + 1, next = time + 1.5;"
    assert course(text, [2.9, 3, 4.4, 4.6, 6.1], ["n"], solver)[:, 0].tolist() == [0, 1, 1, 2, 3]


@solvers
def test_the_order_at_one_moment_is_that_of_priorities(solver: Solver) -> None:
    text = (
        "x' = 0*x; x = 1; at time >= 1, priority = 1, fromTrigger = false: x = x*10;"
        "at time >= 1, priority = 2, fromTrigger = false: x = x + 1; at x > 1, priority = 3: x = -x;"
    )
    assert course(text, [0.99, 1], ["x"], solver)[:, 0].tolist() == [1, -20]


def many(count: int, apart: float) -> System:
    """x is raised by 1 at 1, 1 + apart, ..."""
    one = model("x' = -0.1*x; x = 1; at time >= 1, fromTrigger = false: x = x + 1;")
    (event,) = one.events

    def at(i: int) -> Event:
        return replace(event, id=f"e{i}", trigger=Expr("ge", (Expr("time"), Expr("number", value=1 + apart * i))))

    return build_system(replace(one, events=tuple(at(i) for i in range(count))))


def last(equations: System, end: float, solver: Solver) -> float:
    """The value of x at the end."""
    done = run_rows(equations, equations.raw()[None], np.array([0.0, end]), equations.outputs(["x"]), solver)
    assert done.status[0] == 0, done.sentence(0)
    return float(done.values[0, 1, 0])


def test_a_thousand_events_at_one_moment() -> None:
    """More than the number of switches at one moment that counts as without end."""
    assert abs(last(many(1010, 0), 1.0, Rosenbrock()) - np.exp(-0.1) - 1010) < 1e-6


def test_time_grows_with_the_number_of_events() -> None:
    def cost(count: int) -> float:
        equations, least = many(count, 1), np.inf
        for _ in range(4):
            began = time.process_time()
            last(equations, count, Rosenbrock())
            least = min(least, time.process_time() - began)
        return least

    assert cost(400) < 10 * cost(100)  # it was 16 times and more


@solvers
@pytest.mark.parametrize("delay", ["1 - x", "(x - 3)^0.5"])
def test_a_delay_that_is_negative_or_no_number_is_told(solver: Solver, delay: str) -> None:
    text = f"x' = 1; x = 1; n = 0; late: at {delay} after time >= 1: n = 1; fine: at 0 after x > 1.5: n = 2;"
    done = rows(text, [0, 0.6, 2], ["n"], solver)
    assert done.status[0] == Status.BAD_DELAY
    assert done.values[0, :2, 0].tolist() == [0, 2]
    assert np.isnan(done.values[0, 2, 0])
    assert done.sentence(0).startswith("the event 'late' was triggered at time 1 s, and its delay was negative")
    assert "\n" not in done.sentence(0)


@solvers
def test_a_delay_that_misses_zero_by_rounding_is_none(solver: Solver) -> None:
    text = "x' = 1; x = 0.1; n = 0; at 0.7 + 0.1 - 0.8 + 3 - time after time >= 3: n = 1;"
    assert course(text, [2.9, 3, 4], ["n"], solver)[:, 0].tolist() == [0, 1, 1]


def test_a_constant_negative_delay_is_refused() -> None:
    with pytest.raises(InputError, match=r"event 'late' has a delay of -2; a delay is zero or longer"):
        system("x' = 1; x = 0; late: at -2 after x > 1: x = 0;")
