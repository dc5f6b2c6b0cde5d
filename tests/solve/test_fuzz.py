"""Random models and absurd numbers: every row ends in time, with finite numbers or a sentence that says why not."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import model, system

from pathsim.errors import InputError, PathsimError
from pathsim.model.maths import Expr, number, symbol
from pathsim.model.records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species
from pathsim.solve import LSODA, Rosenbrock, Rows, Status, build_system, run_rows, settle_rows

NAMES = ("A", "B", "C", "k1", "k2", "V")
absurd = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 5e-324, -1e300, 1e-12, 1e12, math.inf]),
    st.floats(-10, 10),
    st.builds(lambda exponent: 10.0**exponent, st.floats(-300, 300)),
)
leaves = st.one_of(
    st.sampled_from([symbol(name) for name in NAMES]),
    st.just(Expr("time")),
    st.builds(number, st.one_of(absurd, st.sampled_from([0.5, 2.0, 3.0]))),
)


def _grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    two = st.tuples(inner, inner)
    return st.one_of(
        st.builds(Expr, st.sampled_from(["plus", "times", "minus", "divide", "power", "min", "max", "rem"]), two),
        st.builds(
            Expr,
            st.sampled_from(["neg", "exp", "ln", "abs", "floor", "ceiling", "sin", "tanh", "arctan", "factorial"]),
            st.tuples(inner),
        ),
        st.builds(
            lambda relation, a, b, c, d: Expr("piecewise", (a, Expr(relation, (b, c)), d)),
            st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]),
            inner,
            inner,
            inner,
            inner,
        ),
    )


formulas = st.recursive(leaves, _grow, max_leaves=8)
triggers = st.builds(
    lambda relation, a, b: Expr(relation, (a, b)), st.sampled_from(["lt", "le", "gt", "ge"]), formulas, formulas
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Three species, two constants, one compartment that may have no size; reactions, rules and events at random."""
    species = tuple(
        Species(name, "V", draw(absurd), draw(st.booleans()), draw(st.booleans()), boundary=draw(st.booleans()))
        for name in "ABC"
    )
    reactions = tuple(
        Reaction(
            f"r{i}",
            (Participant(draw(st.sampled_from("ABC")), number(draw(st.sampled_from([1.0, 2.0, 0.5])))),),
            (Participant(draw(st.sampled_from("ABC")), number(1.0)),),
            (),
            draw(formulas),
        )
        for i in range(draw(st.integers(1, 3)))
    )
    events = tuple(
        Event(
            f"e{i}",
            draw(triggers),
            (Rule(draw(st.sampled_from(["A", "k1", "V"])), draw(formulas)),),
            delay=draw(st.none() | formulas),
            priority=draw(st.none() | formulas),
            persistent=draw(st.booleans()),
            initially_true=draw(st.booleans()),
            values_from_trigger_time=draw(st.booleans()),
        )
        for i in range(draw(st.integers(0, 2)))
    )
    rules = (Rule("k2", draw(formulas)),) if draw(st.booleans()) else ()
    return Model(
        id="random",
        name="random",
        compartments=(Compartment("V", draw(absurd), constant=False),),
        species=species,
        parameters=(Parameter("k1", draw(absurd), False), Parameter("k2", draw(absurd), False)),
        reactions=reactions,
        assignment_rules=rules,
        events=events,
        source="random",
        digest=str(draw(st.integers())),
    )


def check(rows: Rows) -> None:
    """Finite after success, and a sentence after failure."""
    for row, status in enumerate(rows.status):
        sentence = rows.sentence(row)
        assert sentence
        assert "nan" not in sentence.lower().split()
        if status == Status.OK and len(rows.x):
            assert np.isfinite(rows.x[row]).all(), sentence
    assert (rows.time[rows.status == Status.OK] >= 0).all()


@given(models())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_random_models_neither_crash_nor_hang(drawn: Model) -> None:
    begun = time.perf_counter()
    try:
        equations = build_system(drawn)
    except PathsimError:
        return
    raw = np.repeat(equations.raw()[None, :], 3, axis=0)
    nodes = equations.outputs(["A", "B", "C"])
    grid = np.array([0.0, 1e-3, 1.0, 10.0])
    rows = run_rows(equations, raw, grid, nodes, Rosenbrock(max_steps=2000), last_states=True)
    check(rows)
    assert np.array_equal(rows.values[0], rows.values[1], equal_nan=True)
    if not drawn.events:
        check(settle_rows(equations, raw[:1], nodes, Rosenbrock(max_steps=2000)))
    assert time.perf_counter() - begun < 20


@given(st.lists(absurd, min_size=5, max_size=5))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_absurd_parameters_end_in_numbers_or_words(values: list[float]) -> None:
    equations = system(
        "compartment V = 1; species S in V = 10, P in V = 0; vmax = 1; Km = 1; h = 2;"
        "r: S -> P; V*vmax*S^h/(Km^h + S^h); d: P -> ; 0.1*P*V; at P > 4: vmax = 0.5*vmax;"
    )
    raw = equations.raw(dict(zip(("vmax", "Km", "h", "S", "V"), values, strict=True)))
    rows = run_rows(
        equations,
        raw[None, :],
        np.linspace(0, 10, 5),
        equations.outputs(["S", "P"]),
        Rosenbrock(max_steps=3000),
        last_states=True,
    )
    check(rows)
    if rows.status[0] == Status.OK:
        assert np.isfinite(rows.x).all()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("x = 1; x' = x^2;", Status.STEP_TOO_SMALL),
        ("x = 1; k = 0; x' = -x/k;", Status.NOT_FINITE),
        ("x = -1; x' = ln(x);", Status.NOT_FINITE),
        ("x = 1; x' = -sqrt(x - 0.5) - 1;", Status.NOT_FINITE),
        ("compartment V = 0; species S in V = 1; r: S -> ; S;", Status.NOT_FINITE),
        ("x = 1; x' = -1e250*x;", Status.OK),
        ("x = 1; x' = 1e250*x;", Status.NOT_FINITE),
        ("x = 1; x' = 1e300*x;", Status.STEP_TOO_SMALL),
        ("x = 1e300; x' = -x;", Status.OK),
        ("x = 1; x' = 1e308*x;", Status.NOT_FINITE),
    ],
)
@pytest.mark.parametrize("solver", [Rosenbrock(max_steps=5000), LSODA(max_steps=5000)], ids=["engine", "reference"])
def test_known_ends(text: str, status: Status, solver: Rosenbrock | LSODA) -> None:
    equations = system(text)
    done = run_rows(equations, equations.raw()[None, :], np.array([0.0, 5.0]), [equations.graph.state(0)], solver)
    if status == Status.OK:
        assert done.status[0] == Status.OK or isinstance(solver, LSODA), done.sentence(0)
        return
    assert done.status[0] != Status.OK
    assert np.isnan(done.values[0, -1]).all()
    assert f"'{equations.states[0]}'" in done.sentence(0)
    if isinstance(solver, Rosenbrock):
        assert done.status[0] == status, done.sentence(0)


def test_too_many_steps_is_said_in_words() -> None:
    equations = system("x = 0; x' = sin(1000*time);")
    few = Rosenbrock(max_steps=50)
    done = run_rows(equations, equations.raw()[None, :], np.array([0.0, 100.0]), [equations.graph.state(0)], few)
    assert done.status[0] == Status.TOO_MANY_STEPS
    assert "max_steps" in done.sentence(0)


def test_a_pivot_that_vanishes_does_no_harm() -> None:
    """No state damps itself, so diagonal pivots pass through zero for some step sizes: x follows a known rotation."""
    text = "x = 1; y = 0; x' = 50*x - 51*y + 0; y' = 51*x - 50*y;"  # eigenvalues +-i sqrt(101)
    equations = system(text)
    omega, times = math.sqrt(51**2 - 50**2), np.linspace(0, 10, 21)
    done = run_rows(
        equations, equations.raw()[None, :], times, equations.outputs(["x"]), Rosenbrock(rtol=1e-9, atol=1e-12)
    )
    exact = np.cos(omega * times) + 50 / omega * np.sin(omega * times)
    assert np.max(np.abs(done.values[0, :, 0] - exact)) < 1e-4


@pytest.mark.parametrize("circle", ["a", "ab", "abc"])
def test_rules_in_a_circle_are_named(circle: str) -> None:
    plain = model("a := 1; b := 1; c := 1; x = 1; x' = -a*x;")
    follows = dict(zip(circle, circle[1:] + circle[0], strict=True))
    rules = tuple(Rule(name, symbol(follows[name]) if name in follows else number(1)) for name in "abc")
    with pytest.raises(InputError, match=" -> ".join([*circle, circle[0]])):
        build_system(replace(plain, assignment_rules=rules))


def test_initial_assignments_in_a_circle_are_named() -> None:
    plain = model("a = 1; b = 1; x = 1; x' = -a*x;")
    circle = (Rule("a", symbol("b")), Rule("b", symbol("a")))
    with pytest.raises(InputError, match="a -> b -> a"):
        build_system(replace(plain, initial_assignments=circle))


def test_deep_formulas_are_no_problem() -> None:
    text = "x = 1; x' = -x" + " + (x - x" * 300 + ")" * 300 + ";"
    equations = system(text)
    done = run_rows(equations, equations.raw()[None, :], np.array([0.0, 1.0]), equations.outputs(["x"]))
    assert abs(done.values[0, 1, 0] - math.exp(-1)) < 1e-6
