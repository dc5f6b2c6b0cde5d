"""Arithmetic near zero, infinity and switches, against arbitrary precision and closed forms."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from small_models import TIGHT, course, model, system

from pathsim.model.maths import Expr, number
from pathsim.model.records import Parameter, Rule
from pathsim.solve import LSODA, Rosenbrock, Solver, build_system, run_rows
from pathsim.solve.equations.evaluate import python_function
from pathsim.solve.equations.graph import Graph
from pathsim.solve.equations.lowering import Lowering
from pathsim.solve.equations.system import jacobian
from pathsim.solve.sensitivities.adjoint import pull_back
from pathsim.solve.sensitivities.forward import differentiate
from pathsim.solve.sensitivities.recording import record_rows

solvers = pytest.mark.parametrize(
    "solver", [TIGHT, Rosenbrock(), LSODA(1e-10, 1e-13)], ids=["tight", "default", "scipy"]
)


@solvers
def test_a_quotient_under_a_floor_is_one_division(solver: Solver) -> None:
    """49/49 is 1, but 49*(1/49) is less: all 300 integers whose reciprocal is inexact enough must count."""
    text = (
        "cycle := floor(time/span); span = 49; x' = cycle; x = 0; left := rem(time, span); n = 0; at time >= 0: n = 0;"
    )
    found = course(text, [0, 48, 49, 98, 147, 196], ["cycle", "left"], solver)
    assert list(found[:, 0]) == [0, 0, 1, 2, 3, 4]
    assert list(found[:, 1]) == [0, 48, 0, 0, 0, 0]


@pytest.mark.parametrize("span", [3, 7, 10, 24, 41, 47, 49, 55, 61, 82, 83, 93, 97, 98, 99, 0.1, 0.7])
def test_doses_by_remainder_are_all_given(span: float) -> None:
    """A pulse of length 0.25 span at the start of each span, twenty times."""
    text = f"span = {span}; x = 0; x' = piecewise(1, rem(time, span) < 0.25*span, 0)/span;"
    found = course(text, [0, 20.5 * span], ["x"], Rosenbrock())
    assert found[-1, 0] == pytest.approx(5.25, rel=1e-6)


@solvers
def test_a_rate_within_a_rate(solver: Solver) -> None:
    """A rate that is a sum and recurs, whole, as a factor of another; the numbers are scipy's at 1e-12."""
    text = (
        "x' = supply - loss*x + feed*y; y' = gain*(supply - loss*x + feed*y) - decay*y;"
        "x = 1; y = 2; supply = 3; loss = 0.5; feed = 0.1; gain = 0.2; decay = 1;"
    )
    found = course(text, [0, 2, 10], ["x", "y"], solver)[1:]
    np.testing.assert_allclose(found, [[4.28186488, 0.508706888], [5.97402990, 0.00573085106]], rtol=2e-6)


@solvers
def test_a_logistic_function_that_overflows_has_no_derivative(solver: Solver) -> None:
    text = "on := 1/(1 + exp(-50*(time - 30))); x' = a*on - b*x; a = 1; b = 0.1; x = 2;"
    found = course(text, [0, 2, 10, 50], ["x"], solver)[1:, 0]
    np.testing.assert_allclose(found, [2 * math.exp(-0.2), 2 * math.exp(-1), 8.66010245], rtol=2e-5)


@solvers
@pytest.mark.parametrize("form", ["k/(1 + (K/A)^n)", "k/(1 + (K/A)^4)", "k*exp(-(K/A)^2)", "k*tanh(1/(K/A)^2)",
                                  "k*(1 - arctan((K/A)^4)*2/pi)", "k*(1 + K/A)^(-n)"])  # fmt: skip
def test_an_infinite_argument_takes_its_limit(solver: Solver, form: str) -> None:
    """A starts at 0 where K/A is infinite; the same function of 0 + 1e-30 instead is the reference."""
    text = f"A' = 1 - 0.2*A; B' = {form} - 0.3*B; A = start; start = 0; B = 0.5; k = 2; K = 1.5; n = 4;"
    text = text.replace("A = start", "A = 0")
    found = course(text, [0, 0.5, 2, 10], ["B"], solver)
    near = course(text.replace("A = 0;", "A = 1e-30;"), [0, 0.5, 2, 10], ["B"], LSODA(1e-10, 1e-13))
    np.testing.assert_allclose(found, near, rtol=1e-5, atol=1e-8)


@solvers
def test_a_broken_power_of_a_state_that_ends_at_zero(solver: Solver) -> None:
    """x' = -x^0.6 is 0 from 1/(0.4) on: x = (1 - 0.4 t)^2.5."""
    text = "x = 1; n = 0.6; x' = -x^n; y = 0; y' = x^n - 0.5*y^1.3; z' = y^3.97/(1 + y^3.97) - z^n; z = 0;"
    found = course(text, [0, 1, 2, 10], ["x"], solver)[:, 0]
    np.testing.assert_allclose(found[:3], [1, 0.6**2.5, 0.2**2.5], rtol=1e-4)
    assert abs(found[3]) < 1e-6


@solvers
def test_a_chain_that_is_empty_until_a_dose(solver: Solver) -> None:
    text = (
        "A = 0; B = 0; C = 0; A' = -k*A^1.1; B' = k*A^1.1 - B^1.5/(1 + B^1.5); C' = B^1.5/(1 + B^1.5) - 0.2*C;"
        "k = 1; at time > 5: A = 10;"
    )
    found = course(text, [0, 4.9, 8, 60], ["A", "B", "C"], solver)
    near = course(text.replace("A = 0; B = 0; C = 0;", "A = 0; B = 1e-14; C = 0;"), [0, 4.9, 8, 60], ["A", "B", "C"],
                  LSODA(1e-11, 1e-15))  # fmt: skip
    np.testing.assert_allclose(found, near, rtol=3e-5, atol=1e-6)


# random expressions

UNARY = ("neg", "exp", "ln", "abs", "floor", "ceiling", "sin", "cos", "tanh", "arctan", "sinh", "root")
BINARY = ("plus", "times", "minus", "divide", "power", "min", "max", "rem")
SPECIAL = (0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 49.0, 1 / 3, 0.1, 1e-300, 1e300, 1e-12, 1e12, 700.0, -700.0, 0.7)


def draw(chance: random.Random, depth: int) -> Expr:
    """A random expression in time."""
    if depth == 0 or chance.random() < 0.15:
        return Expr("time") if chance.random() < 0.5 else number(chance.choice(SPECIAL))
    if chance.random() < 0.35:
        op = chance.choice(UNARY)
        inner = draw(chance, depth - 1)
        return Expr(op, (number(2.0), inner)) if op == "root" else Expr(op, (inner,))
    if chance.random() < 0.15:
        args = [draw(chance, depth - 1) for _ in range(4)]
        test = Expr(chance.choice(["lt", "le", "gt", "ge", "eq", "ne"]), (args[1], args[2]))
        return Expr("piecewise", (args[0], test, args[3]))
    return Expr(chance.choice(BINARY), (draw(chance, depth - 1), draw(chance, depth - 1)))


class Undecided(Exception):
    """Rounding decides, or the value is no finite number of ordinary size."""


def exact(expr: Expr, t: mpmath.mpf, visible: bool = False) -> mpmath.mpf:
    """The value in 60 digits. Raises :class:`Undecided` where a floor or comparison is closer than rounding tells."""
    mp = mpmath.mp
    if expr.op == "number":
        return mp.mpf(expr.value)
    if expr.op == "time":
        return t
    if expr.op == "piecewise":
        first, test, other = expr.args
        left, right = (exact(arg, t) for arg in test.args)
        exact_leaves = all(arg.op in ("number", "time") for arg in test.args)
        if not exact_leaves and abs(left - right) <= 1e-9 * max(abs(left), abs(right)):
            raise Undecided
        holds = {
            "lt": left < right,
            "le": left <= right,
            "gt": left > right,
            "ge": left >= right,
            "eq": left == right,
            "ne": left != right,
        }[test.op]
        return exact(first if holds else other, t)
    values = [exact(arg, t) for arg in expr.args]
    found = _apply(expr, values)
    if isinstance(found, mpmath.mpc) or mp.isnan(found) or (found != 0 and not 1e-290 < abs(found) < 1e290):
        raise Undecided
    return found


def _apply(expr: Expr, v: list[mpmath.mpf]) -> mpmath.mpf:
    mp = mpmath.mp
    try:
        match expr.op:
            case "plus" | "minus":
                result = v[0] + v[1] if expr.op == "plus" else v[0] - v[1]
                if result != 0 and abs(result) < 1e-3 * max(abs(v[0]), abs(v[1])):
                    raise Undecided  # cancellation
                return result
            case "times":
                return v[0] * v[1]
            case "divide":
                return v[0] / v[1]
            case "power":
                if abs(v[1]) > 300 or (v[0] <= 0 and v[1] != mp.floor(v[1])):
                    raise Undecided
                return v[0] ** v[1]
            case "min" | "max":
                return min(v) if expr.op == "min" else max(v)
            case "floor" | "ceiling" | "rem":
                plain = all(arg.op in ("number", "time") for arg in expr.args)
                x = v[0] / v[1] if expr.op == "rem" else v[0]
                if abs(x) > 1e9 or (not plain and abs(x - mp.nint(x)) < 1e-6):
                    raise Undecided
                if expr.op == "rem":
                    if abs(x) > 1e4 or abs(x - mp.nint(x)) < 1e-6:
                        raise Undecided
                    down = mp.floor(x) if x > 0 else mp.ceil(x)
                    return v[0] - v[1] * down
                return mp.floor(x) if expr.op == "floor" else mp.ceil(x)
            case "root":
                if v[1] < 0:
                    raise Undecided
                return mp.sqrt(v[1])
            case "ln":
                if v[0] <= 0 or abs(v[0] - 1) < 1e-3:
                    raise Undecided
                return mp.log(v[0])
            case "exp" | "sinh":
                if abs(v[0]) > 600:
                    raise Undecided
                return mp.exp(v[0]) if expr.op == "exp" else mp.sinh(v[0])
            case "sin" | "cos":
                if abs(v[0]) > 1e4:
                    raise Undecided
                result = mp.sin(v[0]) if expr.op == "sin" else mp.cos(v[0])
                if result != 0 and abs(result) < 1e-6 and v[0] != 0:
                    raise Undecided
                return result
            case "neg" | "abs":
                return -v[0] if expr.op == "neg" else abs(v[0])
            case "tanh" | "arctan":
                return mp.tanh(v[0]) if expr.op == "tanh" else mp.atan(v[0])
    except (ZeroDivisionError, OverflowError, ValueError):
        raise Undecided from None
    raise AssertionError(expr.op)


class _Nothing:
    def node(self, view: Lowering, name: str) -> int:
        raise AssertionError

    rate = node


def random_cases(seed: int, many: int) -> list[tuple[Expr, float, float]]:
    """Expressions, times and right values."""
    chance = random.Random(seed)
    cases: list[tuple[Expr, float, float]] = []
    with mpmath.workdps(60):
        while len(cases) < many:
            expr = draw(chance, 4)
            t = chance.choice([0.0, 1.0, 49.0, 1e-9, 1e9, chance.uniform(0, 5), 10 ** chance.uniform(-12, 12)])
            try:
                cases.append((expr, t, float(exact(expr, mpmath.mpf(t)))))
            except Undecided:
                continue
    return cases


def test_random_expressions_against_arbitrary_precision() -> None:
    """By the evaluator of the reference, once as written and once as rates see it."""
    for expr, t, wanted in random_cases(1, 400):
        graph = Graph()
        views = [Lowering(graph, _Nothing()), Lowering(graph, _Nothing(), None, graph.div, graph.pow_inside_a_step)]
        values = python_function(graph, [graph.number(view(expr)) for view in views])(t, [], [])
        for value in values:
            assert value == pytest.approx(wanted, rel=1e-9, abs=1e-290), expr


def test_random_expressions_by_machine_code() -> None:
    cases = random_cases(2, 120)
    names = [f"r{i}" for i in range(len(cases))]
    rules = tuple(Rule(name, case[0]) for name, case in zip(names, cases, strict=True))
    plain = model("x = 0; x' = 0;")
    parameters = (*plain.parameters, *(Parameter(name, math.nan, False) for name in names))
    equations = build_system(replace(plain, digest="random", parameters=parameters, assignment_rules=rules))
    times = sorted({case[1] for case in cases})
    found = run_rows(equations, equations.raw()[None], np.array(times), equations.outputs(names), Rosenbrock())
    for i, (expr, t, wanted) in enumerate(cases):
        assert found.values[0, times.index(t), i] == pytest.approx(wanted, rel=1e-9, abs=1e-290), (expr, t)


def test_negative_bases_are_seen_where_they_are_asked_for() -> None:
    """Inside a step a base just below zero counts as zero; a rule that is asked for stays what it is."""
    equations = system("x = -1e-12; x' = 0; y := x^1.5; z' = x^1.5; z = 1;")
    found = run_rows(
        equations, equations.raw()[None], np.array([0.0, 1.0]), equations.outputs(["y", "z"]), Rosenbrock()
    )
    assert np.isnan(found.values[0, :, 0]).all()
    assert list(found.values[0, :, 1]) == [1, 1]


@pytest.mark.parametrize("n", [0.0, 1.0, 2.0, 3.0, 1.5])
@pytest.mark.parametrize("form", ["x^n", "x^n/(K^n + x^n)", "1/(1 + (x/K)^n)", "(x/K)^n*x"])
def test_derivatives_at_zero_whatever_the_value_of_the_exponent(form: str, n: float) -> None:
    """d/dx at x = 0 in the evaluator, the compiled Jacobian, forward sensitivities and the adjoint, and d/dn."""
    text = f"x = 0; y = 0; K = 1.6; n = {n!r}; x' = 0; y' = {form};"
    mp, K = mpmath.mp, mpmath.mpf("1.6")
    exact = {
        "x^n": lambda x, m: x**m, "x^n/(K^n + x^n)": lambda x, m: x**m / (K**m + x**m),
        "1/(1 + (x/K)^n)": lambda x, m: 1 / (1 + (x / K) ** m), "(x/K)^n*x": lambda x, m: (x / K) ** m * x,
    }[form]  # fmt: skip
    with mp.workdps(60):
        small, m = mpmath.mpf("1e-45"), mpmath.mpf(n)
        by_x = float((exact(small, m) - exact(mpmath.mpf(0), m)) / small)
    by_n = 0.0 if n else None  # 0^n has no derivative at n = 0
    equations = system(text)
    raw, nodes, x, k = equations.raw(), equations.outputs(["y"]), equations.slot("x"), equations.slot("n")
    graph = equations.graph
    entry = jacobian(equations).get((1, 0), graph.zero)
    p = [raw[equations.slot(name)] for name in equations.parameters]
    assert python_function(graph, [entry])(0, [0, 0], p)[0] == pytest.approx(by_x, rel=1e-12, abs=1e-12)
    recorded = record_rows(equations, raw[None], np.array([0.0, 2.0]), nodes, Rosenbrock(1e-8, 1e-10))
    seeds = np.zeros((1, len(raw), 2))
    seeds[0, x, 0] = seeds[0, k, 1] = 1
    forward = differentiate(recorded, seeds).values[0, 1, 0]
    back = pull_back(recorded, np.array([[[0.0], [1.0]]])).raw[0]
    for value in (forward[0], back[x]):
        assert value == pytest.approx(2 * by_x, rel=1e-7, abs=1e-12)
    for value in (forward[1], back[k]):
        assert by_n is None or value == pytest.approx(by_n, abs=1e-12)


@pytest.mark.parametrize(
    ("rate", "ends"),
    [
        ("abs(sin(time))", lambda t: 2 * (t // math.pi) + 1 - math.cos(t % math.pi)),
        ("max(0, time - 3.3)", lambda t: max(0.0, t - 3.3) ** 2 / 2),
        ("min(time, 2, 8 - time)", lambda t: 2 + 8 - (min(t - 6, 50) ** 2 / 2 - 2 * (t - 6)) - 0.0),
        ("abs(time - 1) - time + 1", lambda t: 1.0),
    ],
)
def test_kinks_in_time_are_located(rate: str, ends: Callable[[float], float]) -> None:
    """Integrals in closed form, to far less than what a step across the kink would miss."""
    times = [0, 7, 20]
    found = course(f"x = 0; x' = {rate};", times, ["x"], Rosenbrock())[1:, 0]
    np.testing.assert_allclose(found, [ends(t) for t in times[1:]], rtol=2e-7)
