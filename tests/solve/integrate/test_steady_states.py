"""Steady states: known ones to the last digits, conserved totals kept, and none said in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import system

from pathsim.model import load_model
from pathsim.solve import LSODA, Rosenbrock, Rows, Status, build_system, run_rows, settle_rows

PETAB = Path(__file__).parents[4] / "shared" / "data" / "petab"

BALANCE = "species S = 3, P = 0; a: S -> P; 2*S; b: P -> S; 0.5*P;"
ENZYME = """
species E = 2, S = 10, ES = 0, $Q = 4; kon = 3; koff = 1; kcat = 0.7;
supply: Q -> S; 0.9; bind: E + S -> ES; kon*E*S - koff*ES; turn: ES -> E; kcat*ES;
"""
SWITCH = "x = 0; x' = 0.1 + 4*x^4/(1 + x^4) - x;"  # two stable states
SLOW = "x = 5; y = 0; x' = 1e3*(y - x); y' = 1e-7*(2 - y);"


def settled(text: str, outputs: list[str], solver: Rosenbrock | None = None, **overrides: float) -> Rows:
    equations = system(text)
    return settle_rows(equations, equations.raw(overrides)[None, :], equations.outputs(outputs), solver)


def test_a_balance_divides_its_total() -> None:
    done = settled(BALANCE, ["S", "P"])
    assert done.status[0] == Status.OK
    assert np.allclose(done.values[0, 0], [0.6, 2.4], rtol=4e-16, atol=0)
    assert done.residual[0] < 1e-14


def test_an_enzyme_at_constant_supply() -> None:
    """ES = supply/kcat, E = total - ES, S = ES (koff + kcat)/(kon E)."""
    done = settled(ENZYME, ["E", "S", "ES"])
    complex_ = 0.9 / 0.7
    free = 2 - complex_
    assert np.allclose(done.values[0, 0], [free, complex_ * 1.7 / (3 * free), complex_], rtol=1e-14, atol=0)


@pytest.mark.parametrize(("start", "low"), [(0.0, True), (0.6, True), (2.0, False)])
def test_the_steady_state_is_the_one_the_start_leads_to(start: float, low: bool) -> None:
    found = settled(SWITCH, ["x"], x=start).values[0, 0, 0]
    assert abs(0.1 + 4 * found**4 / (1 + found**4) - found) < 1e-14
    assert (found < 0.2) == low


def test_slow_modes_are_not_mistaken_for_rest() -> None:
    assert np.allclose(settled(SLOW, ["x", "y"]).values[0, 0], 2.0, rtol=1e-15, atol=0)


def test_the_result_does_not_depend_on_tolerances() -> None:
    loose, tight = (settled(ENZYME, ["S"], Rosenbrock(rtol=rtol)).values[0, 0, 0] for rtol in (1e-3, 1e-9))
    assert abs(loose / tight - 1) < 1e-14


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x = 1; v = 0; x' = v; v' = -x;", "oscillates"),
        ("x = 1; x' = x - x*y; y = 2; y' = x*y - y;", "cycles"),
        ("x = 0; x' = 1;", "grows"),
        ("x = 1; x' = 0.1*x;", "explodes"),
        ("x = 0; x' = sin(time) - x;", "is driven"),
    ],
    ids=lambda value: value if " " not in value else "",
)
def test_no_steady_state_is_said_in_words(text: str, name: str) -> None:
    done = settled(text, ["x"], Rosenbrock(max_steps=20_000))
    assert done.status[0] != Status.OK, name
    assert np.isnan(done.values).all()
    assert done.system.states[done.state[0]] in done.sentence(0)
    assert "no steady state" in done.sentence(0) or "step size became too small" in done.sentence(0)


def test_what_is_known_to_happen_is_waited_for() -> None:
    """At rest for a million time units, until a dose; what is left of it then is the steady state."""
    done = settled(
        "x = 0; y = 0; x' = piecewise(0.5, time > 1e6, 0) - x; y' = x*x - y; at time > 2e6: x = 3;", ["x", "y"]
    )
    assert done.status[0] == 0
    np.testing.assert_allclose(done.values[0, 0], [0.5, 0.25], rtol=1e-6)
    assert settled("x = 0; x' = rem(floor(time), 2)*x;", ["x"], Rosenbrock(max_steps=500)).status[0] != 0


def test_rows_do_not_depend_on_their_neighbours() -> None:
    equations = system(ENZYME)
    rng = np.random.default_rng(1)
    raw = np.array([equations.raw({"kon": kon, "kcat": 0.6 + kcat}) for kon, kcat in rng.uniform(0.1, 3, (21, 2))])
    nodes = equations.outputs(["S", "ES"])
    together = settle_rows(equations, raw, nodes)
    order = rng.permutation(len(raw))
    shuffled = settle_rows(equations, raw[order], nodes, workers=2)
    alone = [settle_rows(equations, row[None, :], nodes).values[0] for row in raw]
    assert np.array_equal(together.values[order], shuffled.values)
    assert np.array_equal(together.values, np.array(alone))
    assert np.array_equal(together.x[order], shuffled.x)
    assert np.array_equal(together.residual[order], shuffled.residual)


def test_a_piecewise_rate_at_rest() -> None:
    done = settled("x = 0; y = 0; x' = 1 - x; y' = piecewise(2, x > 0.5, 0) - y;", ["x", "y"])
    assert np.allclose(done.values[0, 0], [1, 2], rtol=1e-15, atol=0)


def test_start_states_set_the_totals() -> None:
    equations = system(BALANCE)
    start = np.array([[1.0, 9.0]])
    done = settle_rows(equations, equations.raw()[None, :], equations.outputs(["S"]), start_states=start)
    assert np.allclose(done.values[0, 0, 0], 2.0, rtol=4e-16, atol=0)


def test_the_slowest_state_is_named() -> None:
    done = settled(BALANCE, ["S"])
    assert done.system.states[done.state[0]] in ("S", "P")


def test_the_reference_finds_the_same_rest() -> None:
    equations = system(ENZYME)
    raw, nodes = equations.raw()[None, :], equations.outputs(["S", "ES", "E"])
    reference = settle_rows(equations, raw, nodes, LSODA(rtol=1e-9, atol=1e-13))
    assert np.allclose(reference.values, settle_rows(equations, raw, nodes).values, rtol=1e-7)


@pytest.mark.skipif(not PETAB.is_dir(), reason=f"the PEtab collection is not at {PETAB}")
@pytest.mark.parametrize(
    "folder", ["Bachmann_MSB2011", "Brannmark_JBC2010", "Fujita_SciSignal2010", "Raimundez_PCB2020"]
)
def test_published_models_come_to_the_rest_a_long_time_course_shows(folder: str) -> None:
    equations = build_system(load_model(next((PETAB / folder).glob("model*.xml"))))
    raw, names = equations.raw()[None, :], list(equations.states)
    rest = settle_rows(equations, raw, equations.outputs(names))
    if rest.status[0] != Status.OK:
        pytest.skip(f"the model at its own numbers does not come to rest: {rest.sentence(0)}")
    long = run_rows(equations, raw, np.array([0.0, 1e7]), equations.outputs(names), Rosenbrock(1e-9, 1e-12))
    assert np.allclose(rest.values[0, 0], long.values[0, 1], rtol=1e-6, atol=1e-9)


def test_a_step_to_the_next_number_is_no_rest() -> None:
    """An equality of time lands twice, a last bit apart: the change over such a step says nothing; nor is a state at
    rest where an event acts on it."""
    text = "x = 2; x' = 1 - 0.5*x; y = 0; y' = 0.1*(x - y); n = 0; at time == 1.7: y = y + 3, n = n + 1;"
    equations = system(text)
    done = settle_rows(equations, equations.raw()[None], equations.outputs(["x", "y", "n"]))
    assert done.status[0] == 0, done.sentence(0)
    np.testing.assert_allclose(done.values[0, 0], [2, 2, 1], rtol=1e-9)
