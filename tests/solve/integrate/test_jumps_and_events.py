"""Events and discontinuities against exact solutions, among them cases where libRoadRunner steps over the jump."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_models import TIGHT, course, rows, system

from pathsim.solve import LSODA, Rosenbrock, Solver, Status, run_rows

BOTH: list[Solver] = [TIGHT, Rosenbrock(), LSODA(1e-10, 1e-13)]
solvers = pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])


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
    text = (
        "x = 0; n = 0; x' = piecewise(1, sin(2*3.141592653589793*time) > 0.99, 0);"
        "at sin(2*3.141592653589793*time) > 0.99: n = n + 1;"
    )
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


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])
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


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])
def test_endless_switching_is_said_in_words(solver: Solver) -> None:
    done = rows("x = 1; x' = piecewise(-1, x > 0, 1);", [0, 5], ["x"], solver)
    assert done.status[0] == Status.CHATTERING
    assert "hysteresis" in done.sentence(0)


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])
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


@solvers
def test_equality_of_a_state_holds_once_where_it_is_crossed(solver: Solver) -> None:
    """Random thresholds on the way up and down; most are no double that the state ever has."""
    levels = np.random.default_rng(4).uniform(0.1, 0.9, 12)
    text = "x = 0; v = 1; x' = v; v' = -x; up = 0; n = 0;"  # x = sin t
    text += "".join(
        f"at x == {level!r}: n = n + 1; at 0.5*x + 0.25 == {0.5 * level + 0.25!r} && v > 0: up = up + 1;"
        for level in levels.tolist()
    )
    found = course(text, [0, math.pi / 2, math.pi, 2 * math.pi], ["n", "up"], solver)
    assert found.tolist() == [[0, 0], [12, 12], [24, 12], [24, 12]]


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])
def test_equality_of_time_that_no_double_reaches(solver: Solver) -> None:
    """0.1*7 is not 0.7 in doubles, and time/3 passes 0.1 between two of them."""
    text = (
        "n' = 0; n = 0; m = 0; k = 0; j = 0; at 0.1*time == 0.7: n = n + 1; at time/3 == 0.1: m = m + 1;"
        "at time == 5: k = k + 1; at 5 == time && n == 0: j = j + 1;"
    )
    found = course(text, [0, 0.2, 0.4, 5, 6.9, 8], ["n", "m", "k", "j"], solver)
    wanted = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    assert found.tolist() == wanted


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])
def test_equality_that_lasts(solver: Solver) -> None:
    """An event holds x at the level: the equality is true until another one lets go."""
    text = (
        "x = 0; go = 1; x' = go; n = 0; at x == 1: n = n + 1, go = 0, x = 1; at time > 3: go = 1;"
        "y = 0; y' = piecewise(1, x == 1, 0); z = 0; z' = piecewise(1, x != 1, 0);"
    )
    found = course(text, [0, 2, 5], ["n", "y", "z", "x"], solver)
    assert np.allclose(found[1:], [[1, 1, 1, 1], [1, 2, 3, 3]], atol=near(solver))


@pytest.mark.parametrize("solver", BOTH, ids=["tight", "default", "reference"])
def test_a_safeguard_against_negative_values_is_no_endless_switching(solver: Solver) -> None:
    """V is positive at all times and decays to nothing; the numbers at 0.5, 1 and 2 are libRoadRunner's."""
    text = "I' = -k*I; V' = g*I - d*V*A; A' = 1; at V < 0: V = 0; I = 1; V = 0.01; A = 0; k = 5; g = 500; d = 600;"
    found = course(text, [0, 0.5, 1, 2, 10, 100], ["V"], solver)[1:, 0]
    assert np.allclose(found, [0.140106897, 0.00567178572, 1.90037779e-5, 0, 0], rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize("solver", [Rosenbrock(), LSODA()], ids=["default", "reference"])
def test_a_safeguard_against_a_constant_outflow_is_told(solver: Solver) -> None:
    """The state is set back to its level for ever: no number, least of all one on the other side, is right."""
    done = rows("V' = -0.7; V = 1; at V < 0: V = 0;", [0, 1, 5], ["V"], solver, ({},))
    assert done.status[0] == Status.CHATTERING
    np.testing.assert_allclose(done.values[0, 1, 0], 0.3, rtol=1e-9)


@pytest.mark.parametrize(
    ("form", "mean"),
    [
        ("arctan(tan(w))", 0.0),
        ("arctan(tan(w)) + arctan(cot(w))", 0.0),
        ("arcsin(sin(w))^2", math.pi**2 / 12),
        ("arccos(cos(w))", math.pi / 2),
        ("arctan(sin(w)/cos(w))^2", math.pi**2 / 12),
        ("arctan(1/tan(w))^2", math.pi**2 / 12),
        ("arccot(tan(w))^2", math.pi**2 / 12),
    ],
)
def test_periodic_forms_jump_where_they_jump(form: str, mean: float) -> None:
    """The integral over 40 periods, once of time and once of a state that grows like it."""
    for angle in ("pi*(2*time - 0.5)", "z"):
        text = f"pi_ = 0; z = -0.5*pi; z' = 2*pi; w := {angle}; F = 0; F' = {form};"
        for solver in (TIGHT, Rosenbrock()):
            found = course(text, [0, 20], ["F"], solver)[-1, 0]
            assert abs(found - 20 * mean) < 20 * near(solver), angle
    reference, engine = (course(text, [0, 1.8], ["F"], solver)[-1, 0] for solver in (LSODA(1e-8, 1e-11), TIGHT))
    assert abs(reference - engine) < 1e-5


@pytest.mark.parametrize("solver", [Rosenbrock(), LSODA()], ids=["default", "reference"])
def test_any_number_of_executions_may_wait(solver: Solver) -> None:
    """300 doses, one per unit of time, each absorbed after 400: all wait at once."""
    text = (
        "depot = 0; depot' = -0.1*depot; given = 0; count = 0; next = 0; lag = 400; last = 299;"
        "at lag after time >= next, t0 = false, fromTrigger = false: depot = depot + 3, given = given + 1;"
        "at time >= next, t0 = false, fromTrigger = false:"
        "count = count + 1, next = piecewise(count + 1, count < last, 1e30);"
    )
    found = course(text, [0, 750], ["depot", "given"], solver)[-1]
    assert found[1] == 300
    assert found[0] == pytest.approx(sum(3 * math.exp(-0.1 * (350 - i)) for i in range(300)), rel=1e-4)


def test_the_cost_of_many_timed_events_is_not_their_cube() -> None:
    """Eight times the events in less than 200 times the time (today about 64 at most), and all of them happen."""
    import time

    taken = []
    for many in (100, 800):
        text = "A = 0; A' = 0;" + "".join(f"at time > {(i + 0.5) / many!r}: A = A + 1;" for i in range(many))
        equations = system(text)
        raw, grid = equations.raw()[None], np.array([0.0, 2.0])
        run_rows(equations, raw, grid, [equations.graph.state(0)], Rosenbrock())
        begun = time.process_time()
        done = run_rows(equations, raw, grid, [equations.graph.state(0)], Rosenbrock())
        taken.append(time.process_time() - begun)
        assert done.values[0, -1, 0] == many
    assert taken[1] < 200 * taken[0] + 0.1
