"""Every tableau: its order conditions, and the engine, the reference, both sensitivities and measured orders with it.

A third method, whose new state and error are not made as those of the others, shows that the code asks the tableau.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from small_models import course, rows, system
from stiff_problems import ROBERTSON

from pathsim.arrays import FloatArray
from pathsim.model import load_model
from pathsim.solve import BDF, RODAS4P, RODAS5P, Rosenbrock, System, build_system, run_rows, settle_rows
from pathsim.solve.integrate.batch import reference_functions
from pathsim.solve.reference.integrate import integrate
from pathsim.solve.rosenbrock.tableau import Tableau
from pathsim.solve.sensitivities.adjoint import pull_back
from pathsim.solve.sensitivities.forward import differentiate, run_sensitivities
from pathsim.solve.sensitivities.recording import record_rows

Tree = tuple["Tree", ...]
"""A rooted tree: the subtrees below its root."""


@cache
def trees(order: int) -> tuple[Tree, ...]:
    """All rooted trees with so many nodes."""
    return tuple(dict.fromkeys(tuple(sorted(forest, key=repr)) for forest in _forests(order - 1, order - 1)))


def _forests(nodes: int, largest: int) -> Iterator[Tree]:
    if nodes == 0:
        yield ()
    for size in range(1, min(nodes, largest) + 1):
        for first in trees(size):
            for rest in _forests(nodes - size, size):
                yield (first, *rest)


def size(tree: Tree) -> int:
    return 1 + sum(map(size, tree))


def density(tree: Tree) -> float:
    return size(tree) * float(np.prod([density(branch) for branch in tree]))


class Classical:
    """The coefficients of a method before the step was rearranged (Hairer and Wanner II, section IV.7)."""

    def __init__(self, T: Tableau) -> None:
        s = T.stages
        square = lambda entries: np.array([[*row, *[0.0] * (s - len(row))] for row in entries])  # noqa: E731
        self.gamma = np.linalg.inv(np.eye(s) / T.gamma - square(T.C))
        self.alpha = square(T.a) @ self.gamma
        self.beta = self.alpha + self.gamma

    def weights(self, m: tuple[float, ...]) -> FloatArray:
        return np.asarray(m) @ self.gamma

    def elementary(self, tree: Tree) -> FloatArray:
        """The elementary weight of each stage: beta along single branches, alpha where a node has several."""
        if len(tree) == 1:
            return np.asarray(self.beta @ self.elementary(tree[0]))
        return np.asarray(
            np.prod([self.alpha @ self.elementary(branch) for branch in tree], axis=0) * np.ones(len(self.alpha))
        )


def reached(T: Tableau, b: FloatArray, theta: float = 1.0) -> int:
    """The order up to which the conditions hold, at most 6."""
    classical = Classical(T)
    for order in range(1, 7):
        for tree in trees(order):
            if abs(b @ classical.elementary(tree) - theta**order / density(tree)) > 1e-9:
                return order - 1
    return 6


def dense_weights(T: Tableau, theta: float) -> FloatArray:
    """The weights of the stages at t + theta*h."""
    inner = sum(theta**k * np.array(row) for k, row in enumerate(T.H))
    return Classical(T).weights(tuple(theta * np.array(T.m) + theta * (1 - theta) * inner))


EMBEDDED = RODAS5P._replace(
    name="embedded in Rodas5P",
    order=4,
    error_order=5,
    m=(*RODAS5P.m[:-1], 0.0),
    e=(*RODAS5P.e[:-1], -1.0),
)
"""Rodas5P the other way round: goes on with the state of order 4, whose weights end with no whole stage."""

METHODS = {T.name: T for T in (RODAS5P, RODAS4P, EMBEDDED)}
every_method = pytest.mark.parametrize("T", METHODS.values(), ids=METHODS)

SBML = """
model doses
  compartment c = 2; species A in c = 3, B in c = 0.2, C in c = 0; k = 1.3; m = 0.4; when = 1.5; s = 0.2;
  r1: A -> B; c*k*A; r2: B -> C; c*m*B^2/(0.3 + B)*(1 + s*sin(time)); r3: C -> ; c*0.3*C*piecewise(2, C > 0.5, 1);
  E1: at time > when: A = A + 2*k; E2: at 0.4 after B < 0.9: B = 1.5*B;
end
"""
VAN_DER_POL = "mu = 30; x' = y; y' = mu*((1 - x^2)*y) - x; x = 2; y = 0;"
SMOOTH = "k = 1.2; x' = -k*x + sin(time)*x^2; z' = x - z*x; x = 0.5; z = 1;"


@cache
def doses(folder: str) -> System:
    path = f"{folder}/doses.ant"
    with open(path, "w", encoding="utf-8") as file:
        file.write(SBML)
    return build_system(load_model(path))


@pytest.fixture(scope="module")
def dosed(tmp_path_factory: pytest.TempPathFactory) -> System:
    return doses(str(tmp_path_factory.mktemp("models")))


@every_method
def test_orders_are_as_the_tableau_says(T: Tableau) -> None:
    classical = Classical(T)
    assert np.allclose(classical.alpha.sum(axis=1), T.c, atol=1e-12)
    assert np.allclose(classical.gamma.sum(axis=1), T.d, atol=1e-12)
    assert reached(T, classical.weights(T.m)) == T.order
    assert reached(T, classical.weights(tuple(np.array(T.m) - np.array(T.e)))) == T.error_order
    assert min(reached(T, dense_weights(T, theta), theta) for theta in (0.2, 0.5, 0.7)) == T.dense_order


def test_trees_are_all_of_them() -> None:
    assert [len(trees(order)) for order in range(1, 7)] == [1, 1, 2, 4, 9, 20]


@every_method
def test_errors_fall_with_the_order(T: Tableau) -> None:
    """Over many adaptive steps the error goes with the number of steps to the power of the order."""
    times, names = np.linspace(0, 8, 5), ["x", "z"]
    exact = course(SMOOTH, times, names, Rosenbrock(rtol=1e-12, atol=1e-15))
    steps, errors = [], []
    for rtol in (1e-6, 1e-7, 1e-8, 1e-9):
        done = rows(SMOOTH, times, names, Rosenbrock(rtol=rtol, atol=1e-2 * rtol, tableau=T))
        steps.append(int(done.steps[0]))
        errors.append(float(np.abs(done.values[0] - exact).max()))
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert T.order - 0.7 < slope < T.order + 1.2, (slope, steps, errors)


@every_method
def test_stiff_problems(T: Tableau) -> None:
    assert ROBERTSON.error(Rosenbrock(rtol=1e-9, atol=1e-22, tableau=T)) < 1e-6
    times = np.linspace(0, 50, 26)
    exact = course(VAN_DER_POL, times, ["x", "y"], BDF(rtol=1e-11, atol=1e-13))
    found = course(VAN_DER_POL, times, ["x", "y"], Rosenbrock(rtol=1e-9, atol=1e-12, tableau=T))
    assert np.max(np.abs(found - exact)[:, 0]) < 1e-5


@every_method
def test_the_engine_and_the_reference_agree_across_events(T: Tableau, dosed: System) -> None:
    times = np.array([0.0, 0.4, 1.5, 1.7, 3.1, 6.0])
    nodes, solver = dosed.outputs(["A", "B", "C"]), Rosenbrock(rtol=1e-9, atol=1e-12, tableau=T)
    engine = run_rows(dosed, dosed.raw()[None], times, nodes, solver)
    assert engine.status[0] == 0
    readable = integrate(reference_functions(dosed, tuple(nodes)), dosed.raw(), times, solver)
    independent = run_rows(dosed, dosed.raw()[None], times, nodes, BDF(rtol=1e-10, atol=1e-13))
    assert np.max(np.abs(engine.values[0] - readable.values)) < 1e-7
    assert np.max(np.abs(engine.values[0] - independent.values[0])) < 1e-6


@every_method
@pytest.mark.parametrize("problem", ["doses", "Van der Pol", "Robertson"])
def test_sensitivities_are_derivatives_of_the_simulation(T: Tableau, problem: str, dosed: System) -> None:
    """Forward sensitivities and the adjoint gradient against central differences of the same method."""
    if problem == "doses":
        equations, names, ends, atol = dosed, ["k", "m", "when", "s", "A"], 6.0, 1e-14
    elif problem == "Robertson":
        equations, names, ends, atol = system(ROBERTSON.text), ["y1"], 40.0, 1e-18
    else:
        equations, names, ends, atol = system(VAN_DER_POL), ["mu", "x", "y"], 9.0, 1e-14
    solver = Rosenbrock(rtol=1e-10, atol=atol, tableau=T)
    raw, times, nodes = equations.raw(), np.linspace(0, ends, 6), equations.outputs(list(equations.states))
    slots = [equations.slot(name) for name in names]
    seeds = np.zeros((1, len(raw), len(names)))
    seeds[0, slots, np.arange(len(names))] = [abs(raw[slot]) or 1.0 for slot in slots]
    step, moved = 1e-4, []
    for d in range(len(names)):
        beside = np.stack([raw + f * step * seeds[0, :, d] for f in (1, -1, 2, -2)])
        v = run_rows(equations, beside, times, nodes, solver).values
        moved.append((8 * (v[0] - v[1]) - (v[2] - v[3])) / (12 * step))
    numeric = np.stack(moved, axis=-1)
    unit = np.abs(numeric).max(axis=(0, 2))[None, :, None] + 1e-9
    forward = run_sensitivities(equations, raw[None], times, nodes, seeds, solver).sensitivities.values[0]
    assert np.max(np.abs(forward - numeric) / unit) < 2e-5
    recording = record_rows(equations, raw[None], times, nodes, solver, keep_stages=False)
    weights = np.random.default_rng(0).standard_normal((1, *numeric.shape[:2])) / unit[:, :, 0]
    pulled = pull_back(recording, weights, columns=slots).raw[0] * seeds[0, slots, np.arange(len(names))]
    assert np.allclose(pulled, np.einsum("to,tod->d", weights[0], numeric), rtol=2e-5, atol=2e-5)
    kept = record_rows(equations, raw[None], times, nodes, solver)
    along = np.einsum("to,tod->d", weights[0], differentiate(kept, seeds).values[0])
    assert np.allclose(pulled, along, rtol=1e-9, atol=1e-9)


@every_method
def test_steady_states(T: Tableau) -> None:
    equations = system("a = 2; x' = a - x^2; x = 0.1; y' = x - 3*y; y = 0;")
    done = settle_rows(equations, equations.raw()[None], equations.outputs(["x", "y"]), Rosenbrock(tableau=T))
    assert done.status[0] == 0
    assert np.allclose(done.values[0, 0], [2**0.5, 2**0.5 / 3], rtol=1e-12)


def test_rows_do_not_depend_on_workers_whatever_the_method(dosed: System) -> None:
    raw = dosed.raw() * np.exp(np.random.default_rng(0).normal(0, 0.1, (37, 1)))
    nodes, times = dosed.outputs(["A", "C"]), np.linspace(0, 5, 7)
    one, two = (run_rows(dosed, raw, times, nodes, Rosenbrock(tableau=RODAS4P), workers=n).values for n in (1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, run_rows(dosed, raw, times, nodes).values)
