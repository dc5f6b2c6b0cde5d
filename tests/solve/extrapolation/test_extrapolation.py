"""Extrapolation: its orders measured, its compiled step against its reference, samples, switches and events inside."""

from __future__ import annotations

import math

import numpy as np
import pytest
from one_attempt import distances
from small_models import BUSY, TIGHT, course, draws, rows, system
from stiff_problems import HIRES

from pathsim.arrays import FloatArray
from pathsim.solve import Extrapolation, Rosenbrock, for_one_run, run_rows
from pathsim.solve.extrapolation.scheme import EXTRAPOLATION8
from pathsim.solve.integrate.engine import Engine, run
from pathsim.solve.llvm.layout import LANES, Results
from pathsim.solve.reference.functions import ReferenceFunctions
from pathsim.solve.reference.steps import one_step

BERNOULLI = "x' = -x + sin(time)*x^2; x = 0.5;"  # 1/x = (sin t + cos t)/2 + 1.5 e^t
DENSE = "u' = -u*v; v' = u*v - v*w; w' = v*w - 0.1*w + exp(-u)/(1 + w^1.5); u = 1; v = 0.2; w = 0.3;"


def bernoulli(t: float) -> float:
    return 1 / ((math.sin(t) + math.cos(t)) / 2 + 1.5 * math.exp(t))


def test_every_column_is_done_once_and_all_lanes_work_to_the_end() -> None:
    steps, rounds = EXTRAPOLATION8.steps, EXTRAPOLATION8.rounds
    done = [
        round(1 / (now.c[lane] / sum(r.factors[lane] == b and r.moves[lane] for r in rounds[: i + 1])))
        for lane in range(LANES)
        for i, now in enumerate(rounds)
        for b in [now.factors[lane]]
        if now.moves[lane] and (now.restarts[lane] or now.c[lane] == 1.0)
    ]
    assert sorted(done) == list(range(2, 10))
    assert all(1 / now.c[lane] <= steps[now.factors[lane]][lane] for now in rounds for lane in range(LANES))
    assert len(rounds) == {4: 11, 8: 9}[LANES]


def test_weights_are_exact_for_constant_rates() -> None:
    """A rate of one for a time of one: every column ends at one, so the change is one, the error zero, and the curve a
    straight line."""
    each = np.array(
        [
            [now.moves[lane] / EXTRAPOLATION8.steps[now.factors[lane]][lane] for lane in range(LANES)]
            for now in EXTRAPOLATION8.rounds
        ]
    )
    assert np.sum(np.array(EXTRAPOLATION8.m) * each) == pytest.approx(1, abs=1e-12)
    assert np.sum(np.array(EXTRAPOLATION8.e) * each) == pytest.approx(0, abs=1e-12)
    for row in EXTRAPOLATION8.H:
        assert np.sum(np.array(row) * each) == pytest.approx(0, abs=1e-9)


def test_the_order_of_fixed_steps_is_eight() -> None:
    functions = ReferenceFunctions(system(BERNOULLI), [])
    sizes, errors = 2.0 ** -np.arange(-1, 3), []
    for h in sizes:
        x, p = np.array([0.5]), np.array([])
        for i in range(round(2 / h)):
            x, _, _ = one_step(functions, i * h, x, p, h, Extrapolation())
        errors.append(abs(x[0] - bernoulli(2.0)))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(sizes))
    assert np.all(np.abs(slopes - 8) < 0.9), slopes


def test_the_dense_output_is_of_order_six() -> None:
    functions = ReferenceFunctions(system(BERNOULLI), [])
    sizes, errors = 2.0 ** -np.arange(-1, 3), []
    for h in sizes:
        _, _, curve = one_step(functions, 0.0, np.array([0.5]), np.array([]), h, Extrapolation())
        errors.append(abs(curve(0.4 * h)[0] - bernoulli(0.4 * h)))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope > 7.0  # the error of one step is one order higher


@pytest.mark.parametrize("text", [BERNOULLI, DENSE, HIRES.text], ids=["bernoulli", "dense", "HIRES"])
def test_the_compiled_step_is_its_reference_to_rounding(text: str) -> None:
    for step, new, inside in distances(text, Extrapolation(rtol=1e-3, atol=1e-6), EXTRAPOLATION8):
        assert new < 1e-10, step
        assert inside < 1e-9, step


@pytest.mark.parametrize("many", [5, 200, 2000])
@pytest.mark.parametrize(("rtol", "near"), [(1e-5, 1e-5), (1e-8, 1e-8)])
def test_samples_inside_steps_are_near(many: int, rtol: float, near: float) -> None:
    names, times = list(system(DENSE).states), np.linspace(0, 20, many)
    exact = course(DENSE, times, names, Rosenbrock(1e-12, 1e-15))
    found = course(DENSE, times, names, Extrapolation(rtol))
    assert np.max(np.abs(found - exact)) < near


def test_it_takes_few_steps_at_tight_tolerances() -> None:
    steps = [
        int(rows(HIRES.text, [0, 300], ["y1"], solver).steps[0]) for solver in (Extrapolation(1e-8), Rosenbrock(1e-8))
    ]
    assert steps[0] < 0.2 * steps[1]


def test_switches_and_events_as_with_rosenbrock() -> None:
    names, times = [*system(BUSY).states, "n"], np.linspace(0, 6, 31)
    exact = course(BUSY, times, names, TIGHT)
    assert np.max(np.abs(course(BUSY, times, names, Extrapolation(1e-10, 1e-14)) - exact)) < 1e-7
    assert np.max(np.abs(course(BUSY, times, names, Extrapolation()) - exact)) < 1e-4


def test_a_switch_by_a_state_is_found_to_the_tolerance() -> None:
    """y = sin t rises above 0.5 at pi/6 + 2 pi k and falls at 5 pi/6: x adds up that time."""
    text = "y = 0; v = 1; y' = v; v' = -y; x = 0; x' = piecewise(1, y > 0.5, 0);"
    found = course(text, [0, 6 * math.pi], ["x"], Extrapolation(1e-9, 1e-12))[-1, 0]
    assert found == pytest.approx(3 * 2 * math.pi / 3, abs=1e-7)


def test_rows_are_the_same_alone_together_and_in_the_plain_loop() -> None:
    equations, times = system(BUSY), np.linspace(0, 6, 13)
    nodes = equations.outputs(list(equations.states))
    raw = draws(equations, ["k", "D"], 3)

    def by(raw: FloatArray, workers: int) -> FloatArray:
        return run_rows(equations, raw, times, nodes, Extrapolation(), workers=workers).values

    together = by(raw, 2)
    assert together.tobytes() == by(raw, 1).tobytes()
    assert together[1].tobytes() == by(raw[1:2], 1)[0].tobytes()
    plain = np.empty((1, len(times), len(nodes)))
    results = Results(plain, np.empty((1, 4)), np.empty((0, len(equations.states))))
    columns, nothing = np.arange(raw.shape[1], dtype=np.int64), np.empty((0, len(equations.states)))
    engine = Engine(equations, EXTRAPOLATION8, plain=True)
    run(engine, columns, raw[:1], times[None, :], tuple(nodes), (1e-6, None, 1000), nothing, results)
    assert plain[0].tobytes() == together[0].tobytes()


@pytest.mark.parametrize(
    ("samples", "rtol", "method"),
    [(2, 1e-6, Extrapolation), (200, 1e-9, Extrapolation), (201, 1e-6, Rosenbrock), (2, 1e-4, Rosenbrock)],
)
def test_it_is_the_default_where_it_takes_less_time(samples: int, rtol: float, method: type) -> None:
    assert for_one_run(samples, rtol, 1e-12) == method(rtol, 1e-12)


def test_samples_side_by_side_are_each_of_its_own_time() -> None:
    """Several lie inside each step; outputs are of parameters that an event has changed."""
    text = "x' = -k*x; x = 1; k = 1; out := k*x + time; at (x < 0.5): k = 3;"
    times = np.linspace(0, 2, 41)
    together = course(text, times, ["x", "out"], Extrapolation())
    half = math.log(2)
    x = np.where(times < half, np.exp(-times), 0.5 * np.exp(-3 * (times - half)))
    k = np.where(times < half, 1, 3)
    assert together[:, 0] == pytest.approx(x, abs=2e-6)
    assert together[:, 1] == pytest.approx(k * x + times, abs=6e-6)
