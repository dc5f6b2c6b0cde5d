"""What is left of a system for rows that share most numbers moves as the whole does."""

from __future__ import annotations

import numpy as np
from small_models import TIGHT, system

from pathsim.arrays import FloatArray
from pathsim.solve import Reduction, Rosenbrock, System, reduction_of, run_reduced_rows, run_rows, settle_rows

CELL = """
model cell
  compartment c = 1;
  species A in c, pA in c, ppA in c, drugged in c, R in c, dead in c, flag in c;
  A = 100; pA = 0; ppA = 0; drugged = 0; R = 1; dead = 0; flag = 3;
  dose = 0; covalent = 0; k1 = 0.2; k2 = 0.05; made = 0.02; gone := 0.01 + 0.01*k2; steep = 0.5;
  on: A => pA; k1*A/(1 + dose);
  on2: pA => ppA; 0.1*pA;
  off: ppA => A; k2*ppA*flag;
  off2: pA => A; k2*pA;
  trapped: R => drugged; covalent*R + 0*flag;
  grow: => R; made*(pA + ppA);
  shrink: R => ; gone*R*(1 + ppA)^steep;
  die: R => dead; 0.001*R;
  buried: dead => ; 0.2*dead;
  fade: drugged => ; 0.1*drugged*R;
  sum := pA + ppA;
end
"""
TIMES = np.array([0.0, 3.0, 40.0])


def whole_and_reduced(outputs: list[str], columns: list[str]) -> tuple[System, Reduction]:
    whole = system(CELL)
    found = reduction_of(whole, tuple(map(whole.slot, columns)), tuple(whole.outputs(outputs)))
    assert found is not None
    return whole, found


def begun(whole: System, doses: FloatArray) -> FloatArray:
    """States at rest without the drug."""
    slots = np.array([whole.slot("dose"), whole.slot("k1")])
    settings = np.column_stack([np.zeros_like(doses), np.full_like(doses, 0.2)])
    return settle_rows(whole, settings, [], TIGHT, columns=slots).x


def test_what_never_moves_what_is_not_read_and_what_follows_is_left_out() -> None:
    whole, found = whole_and_reduced(["R"], ["dose", "k1"])
    assert {whole.states[i] for i in found.states} == {"pA", "ppA", "R"}
    assert found.still == 1
    assert [whole.states[one.dependent] for one in found.totals] == ["A"]
    assert found.system.parameters == ("dose", "k1", "total 1")
    _, trapped = whole_and_reduced(["R"], ["dose", "covalent"])
    assert {whole.states[i] for i in trapped.states} == {"pA", "ppA", "R"}
    _, read = whole_and_reduced(["drugged", "A", "dead"], ["dose", "covalent"])
    assert {whole.states[i] for i in read.states} == {"A", "ppA", "drugged", "R", "dead"}
    assert [whole.states[one.dependent] for one in read.totals] == ["pA"]  # no output is what follows


def test_rows_move_as_in_the_whole_system() -> None:
    names, doses = ["R", "sum", "gone"], np.geomspace(0.1, 100.0, 21)
    whole, found = whole_and_reduced(names, ["dose", "k1"])
    columns = np.array([whole.slot("dose"), whole.slot("k1")])
    settings = np.column_stack([doses, np.linspace(0.1, 0.4, 21)])
    starts = begun(whole, doses)
    for solver, bound in ((TIGHT, 1e-9), (Rosenbrock(), 3e-6), (Rosenbrock(atol=1e-9), 3e-6)):
        all_states = run_rows(
            whole, settings, TIMES, whole.outputs(names), solver, columns=columns, start_states=starts, last_states=True
        )
        rows = run_reduced_rows(whole, found, settings, TIMES, solver, start_states=starts, last_states=True)
        np.testing.assert_allclose(rows.values, all_states.values, rtol=bound)
        kept = [i for i, name in enumerate(whole.states) if name != "dead"]
        np.testing.assert_allclose(rows.x[:, kept], all_states.x[:, kept], rtol=bound, atol=1e-12)
        assert abs(rows.steps.mean() / all_states.steps.mean() - 1) < 0.15
    for row in (0, 20):
        alone = run_reduced_rows(whole, found, settings[[row]], TIMES, TIGHT, start_states=starts[[row]])
        again = run_reduced_rows(whole, found, settings, TIMES, TIGHT, start_states=starts, workers=2)
        assert np.array_equal(alone.values[0], again.values[row])


def test_failures_name_states_of_the_whole() -> None:
    whole, found = whole_and_reduced(["R"], ["dose", "made"])
    starts = begun(whole, np.zeros(2))
    starts[1, whole.states.index("R")] = np.nan
    rows = run_reduced_rows(whole, found, np.array([[0.0, 0.02]] * 2), TIMES, start_states=starts)
    columns = np.array([whole.slot("dose"), whole.slot("made")])
    plain = run_rows(whole, np.array([[0.0, 0.02]] * 2), TIMES, [0], columns=columns, start_states=starts)
    assert rows.status[0] == 0
    assert rows.status[1] != 0
    assert rows.sentence(1) == plain.sentence(1)


def test_systems_that_are_not_reduced() -> None:
    jumps = system("k = 1; x = 1; x' = -k*x; at (time > 2): x = 1;")
    assert reduction_of(jumps, (jumps.slot("k"),), tuple(jumps.outputs(["x"]))) is None
    branches = system("k = 1; x = 1; x' = piecewise(-k*x, x > 0.5, 0);")
    assert reduction_of(branches, (branches.slot("k"),), tuple(branches.outputs(["x"]))) is None
    plain = system("k = 1; x = 1; x' = -k*x;")
    assert reduction_of(plain, (plain.slot("x"),), tuple(plain.outputs(["x"]))) is None
    assert reduction_of(plain, (plain.slot("k"),), tuple(plain.outputs(["k"]))) is None


def test_a_moving_state_behind_a_zero_is_not_reached() -> None:
    """A term that folds away names a state that nothing else leads to."""
    whole = system("x = 1; idle = 2; k = 0.1; off = 0\nx' = -k*x + off*idle\nidle' = 0.3")
    found = reduction_of(whole, (whole.slot("k"),), tuple(whole.outputs(["x"])))
    assert found is not None
    assert [whole.states[i] for i in found.states] == ["x"]
    assert found.system.graph.states_of(found.system.rates[0]) == [0]


def test_a_total_over_most_states_is_left_alone() -> None:
    """One ligand of many receptors: as what is left of its total it would stand in every rate with all complexes."""
    receptors = range(12)
    binding = "\n".join(f"A{i} + B -> C{i}; k*A{i}*B - 0.1*C{i}; A{i} = {i + 1}; C{i} = 0" for i in receptors)
    whole = system(f"k = 1; B = 50\n{binding}")
    found = reduction_of(whole, (whole.slot("k"),), tuple(whole.outputs([f"C{i}" for i in receptors])))
    assert found is not None
    assert {whole.states[one.dependent] for one in found.totals} == {f"A{i}" for i in receptors}
