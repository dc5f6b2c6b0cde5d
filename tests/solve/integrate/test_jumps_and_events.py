"""Events and discontinuities against exact solutions, among them cases where libRoadRunner steps over the jump."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_models import TIGHT, course, rows, system

from pathsim.solve import LSODA, Rosenbrock, Solver, Status, run_rows

BOTH: list[Solver] = [TIGHT, Rosenbrock(), LSODA(1e-10, 1e-13)]
solvers = pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "twin"])


def near(solver: Solver) -> float:
    return 2e-5 if solver == Rosenbrock() else 1e-8


@solvers
def test_floor_of_a_state(solver: Solver) -> None:
    """x' = 1 + floor(x): between integers n and n+1 the speed is 1 + n, so n is reached at 1 + 1/2 + ... + 1/n."""
    reached = [sum(1 / k for k in range(1, n + 1)) for n in range(1, 6)]
    found = course("x' = 1 + floor(x); x = 0;", [0, *reached], ["x"], solver)[1:, 0]
    assert np.max(np.abs(found - np.arange(1, 6))) < near(solver)


@solvers
def test_ceiling_of_a_falling_state(solver: Solver) -> None:
    """x' = -ceil(x) from 3: one unit takes 1/n."""
    found = course("x' = -ceil(x); x = 3;", [0, 1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 1], ["x"], solver)[1:, 0]
    assert np.max(np.abs(found - [2, 1, 0])) < near(solver)


@solvers
def test_a_rate_that_jumps_with_the_state(solver: Solver) -> None:
    """x' = -1 above 1, then -x."""
    text = "x' = piecewise(-1, x > 1, -x); x = 3;"
    times = np.array([0, 1, 2, 3, 5])
    exact = np.where(times <= 2, 3 - times, np.exp(-(times - 2.0)))
    assert np.max(np.abs(course(text, times, ["x"], solver)[:, 0] - exact)) < near(solver)


@solvers
def test_a_narrow_pulse_in_time(solver: Solver) -> None:
    text = "x' = piecewise(1000, time >= 50 && time < 50.001, 0) - 0*x; x = 0;"
    assert abs(course(text, [0, 100], ["x"], solver)[-1, 0] - 1) < near(solver)


@solvers
def test_a_narrow_pulse_in_a_state(solver: Solver) -> None:
    text = "z' = 1; z = 0; x' = piecewise(1000, z >= 50 && z < 50.001, 0); x = 0;"
    assert abs(course(text, [0, 100], ["x"], solver)[-1, 0] - 1) < near(solver)


@solvers
def test_a_peak_just_over_a_threshold(solver: Solver) -> None:
    """y = cos t is above 1 - e for acos(1 - e) on either side of every turn, less than a step; x adds up that time."""
    for height, share in ((1e-3, 1e-3), (1e-5, 2e-2)):
        text = f"y = 1; v = 0; y' = v; v' = -y; x = 0; x' = piecewise(1, y > {1 - height!r}, 0); n = 0;"
        text += f"at y > {1 - height!r}: n = n + 1;"
        width = math.acos(1 - height)
        found = course(text, [0, 1, 4 * math.pi + 1], ["x", "n"], solver)
        assert list(found[:, 1]) == [0, 0, 2]
        assert np.max(np.abs(found[:, 0] - [0, width, 5 * width])) < share * width


@solvers
def test_a_quick_oscillation_of_time_alone(solver: Solver) -> None:
    """Nothing but the condition moves: no step-size control of a state helps to see it."""
    text = "x = 0; n = 0; x' = piecewise(1, sin(2*3.141592653589793*time) > 0.99, 0);" \
           "at sin(2*3.141592653589793*time) > 0.99: n = n + 1;"  # fmt: skip
    width = 0.5 - math.asin(0.99) / math.pi
    found = course(text, [0, 10.5, 40.5], ["x", "n"], solver)
    assert np.max(np.abs(found[1:, 0] - np.array([11, 41]) * width)) < 1e2 * near(solver)
    assert list(found[:, 1]) == [0, 11, 41]


@solvers
def test_a_dosing_schedule(solver: Solver) -> None:
    """Five doses every 12 h, each decaying: x(t) = sum of exponentials."""
    text = "k = 0.2; x = 0; x' = -k*x; n = 0; due = 0; at time >= due && n < 5: x = x + 10, n = n + 1, due = due + 12;"
    times = np.array([0, 1, 12, 13, 36, 50, 70.0])
    exact = [sum(10 * math.exp(-0.2 * (t - 12 * i)) for i in range(5) if t >= 12 * i) for t in times]
    text = text.replace("at time >= due && n < 5", "at time >= due && n < 5, t0 = false")
    found = course(text, times, ["x"], solver)[:, 0]
    assert np.max(np.abs(found - exact)) < 10 * near(solver)


@solvers
def test_a_bouncing_ball(solver: Solver) -> None:
    """Dropped from 1 with g = 2 it lands at t = 1; each bounce keeps half the speed."""
    text = "h = 1; v = 0; n = 0; h' = v; v' = -2; at h < 0: v = -0.5*v, n = n + 1;"
    found = course(text, [0, 0.999, 1.001, 1.999, 2.001, 2.499], ["n", "h"], solver)
    assert list(found[:, 0]) == [0, 0, 1, 1, 2, 2]
    top = course(text, [0, 1.5], ["h"], solver)[-1, 0]
    assert abs(top - 0.25) < 10 * near(solver)


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "twin"])
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("at time > 1: p = p + 1;", [0, 1, 1]),
        ("at 1 after time > 0.5: p = p + 1;", [0, 0, 1]),
        ("at time > 0: p = p + 1;", [0, 1, 1]),
        ("at time >= 0: p = p + 1;", [0, 0, 0]),
        ("at time >= 0, t0 = false: p = p + 1;", [1, 1, 1]),
        ("at time == 1: p = p + 1;", [0, 1, 1]),
        ("at 0.75 after x > 1, persistent = true: p = p + x;", [0, 0, 1]),
        ("at 0.75 after x > 1, persistent = true, fromTrigger = false: p = p + x;", [0, 0, 1.75]),
        ("at 0.75 after x > 1 && x < 1.5, persistent = false: p = p + 1;", [0, 0, 0]),
        ("at x > 1, priority = 1: p = 5; at x > 1, priority = 2: p = 7;", [0, 5, 5]),
        ("at x > 1, priority = 2: p = 5; at x > 1, priority = 1: p = p + 7;", [0, 7, 7]),
        ("at x > 1, priority = 2: p = 5; at x > 1, priority = 1, fromTrigger = false: p = p + 7;", [0, 12, 12]),
    ],
    ids=range(12),
)
def test_event_semantics(event: str, expected: list[float], solver: Solver) -> None:
    found = course(f"x = 0; x' = 1; p = 0; {event}", [0, 1.25, 2.5], ["p"], solver)[:, 0]
    assert np.allclose(found, expected, atol=near(solver)), found


@solvers
def test_a_delayed_event_sets_a_concentration_in_a_growing_volume(solver: Solver) -> None:
    """At 2.5 the concentration becomes 10, whatever the volume was when the event was triggered at 1.5."""
    text = "compartment V = 1; V' = 1; species S in V; S = 2; E: at 1 after time >= 1.5: S = 10;"
    found = course(text, [0, 1, 3, 4], ["S", "amount(S)"], solver)
    assert np.allclose(found, [[2, 2], [1, 2], [35 / 4, 35], [7, 35]], atol=10 * near(solver))


@solvers
def test_an_event_that_grows_the_volume_keeps_amounts(solver: Solver) -> None:
    text = "compartment V = 1; species S in V; S = 2; k = 0; E: at time >= 1.5: V = 4;"
    assert np.allclose(course(text, [0, 1, 2], ["S", "amount(S)"], solver), [[2, 2], [2, 2], [0.5, 2]])


def test_every_row_has_its_own_switches_and_end() -> None:
    text = "D = 1; x = 0; x' = piecewise(1, time < D, 0); n = 0; at x > 0.5*D: n = n + 1;"
    doses = np.linspace(0.1, 7.9, 40)
    done = rows(text, [0, 5, 10], ["x", "n"], settings=[{"D": float(dose)} for dose in doses])
    assert not done.status.any()
    assert np.allclose(done.values[:, 1, 0], np.minimum(doses, 5), rtol=1e-12)
    assert np.allclose(done.values[:, 2, 0], doses, rtol=1e-12)
    assert (done.values[:, 2, 1] == 1).all()


def test_every_row_has_its_own_sample_times() -> None:
    equations = system("k = 1; x = 1; x' = -k*x; n = 0; at x < 0.5: n = n + 1;")
    ends = np.linspace(0.1, 3, 25)
    times = ends[:, None] * np.array([0.0, 0.5, 1.0])
    raw = np.repeat(equations.raw()[None, :], 25, axis=0)
    done = run_rows(equations, raw, times, equations.outputs(["x", "n"]), TIGHT)
    assert not done.status.any()
    assert np.allclose(done.time, ends)
    assert np.allclose(done.values[:, :, 0], np.exp(-times), rtol=1e-8)
    assert np.array_equal(done.values[:, :, 1], (times > math.log(2)).astype(float))


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "twin"])
def test_endless_switching_is_said_in_words(solver: Solver) -> None:
    done = rows("x = 1; x' = piecewise(-1, x > 0, 1);", [0, 5], ["x"], solver)
    assert done.status[0] == Status.CHATTERING
    assert "hysteresis" in done.sentence(0)


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "twin"])
def test_events_that_never_end_are_said_in_words(solver: Solver) -> None:
    done = rows("x = 0; x' = 1; p = 0; at x > 1 && p == 0: p = 1; at p == 1: p = 0;", [0, 5], ["x"], solver)
    assert done.status[0] == Status.CHATTERING


def test_a_sample_at_the_moment_of_an_event_sees_its_effect() -> None:
    found = course("x = 0; x' = 1; p = 0; at time >= 2: p = 1;", [0, 2, 3], ["p"])
    assert list(found[:, 0]) == [0, 1, 1]


def test_samples_before_a_jump_do_not_feel_it() -> None:
    times = np.array([0, 1.9999999, 2.0, 2.0000001])
    found = course("x = 0; x' = piecewise(0, time < 2, 1e6);", times, ["x"])[:, 0]
    assert np.allclose(found, [0, 0, 0, 0.1], atol=1e-6)


@pytest.mark.parametrize("growth", [1e2, 1e6, 1e9, 1e12])
def test_sudden_growth_is_not_damped_away(growth: float) -> None:
    """An implicit step far longer than the growth would take it for decay; it must be seen, or the row must fail."""
    text = f"x = 1; x' = piecewise(-x, time < 1, {growth!r}*x);"
    found = course(text, [0, 1, 1 + 3 / growth], ["x"], Rosenbrock())[:, 0]
    assert found[2] == pytest.approx(math.exp(2), rel=1e-3)
