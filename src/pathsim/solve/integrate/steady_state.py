"""The last digits of a steady state: Newton's method on the equations with conserved totals in place of dependent ones.

The time course comes first (pseudo-transient continuation by the engine itself), because it decides which of several
steady states is reached and is never lost. Newton then starts from where nothing seems to move any more, which removes
what is left of slow modes and of rounding in conserved totals. Eight rows are evaluated at a time by the compiled
rates and Jacobian; each row is solved by itself, so that a row does not depend on its neighbours.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...arrays import BoolArray, FloatArray, IntArray
from ...linear_algebra import one_thread
from ...model.moieties import Stoichiometry, null_space
from ..equations.system import System
from ..llvm.calls import call2, call4
from ..llvm.layout import LANES, START_T, Code, Layout, T, place
from ..solvers import Rosenbrock
from .discontinuities import settle
from .engine import OWN_SHARE, Engine
from .start import LEAST_SHARE, SMALLEST_ATOL
from .workspace import Workspace

MOST_CORRECTIONS = 12
FARTHEST = 1e-2
"""Relative distance that corrections may move a state: more would be another steady state."""


@dataclass(frozen=True, eq=False)
class Totals:
    """What a system conserves: ``weights`` (totals, states) on amounts; ``dependent`` (totals,) the state that each
    total determines."""

    weights: FloatArray
    dependent: IntArray


@lru_cache(maxsize=64)
def conserved_totals(system: System) -> Totals:
    """Totals of the states that neither reactions nor rate rules change."""
    model = system.model
    rate_rules, known = {rule.variable for rule in model.rate_rules}, set(model.symbols)
    rows = list(Stoichiometry.of(model, system.states).rows)
    for i, name in enumerate(system.states):
        if name in rate_rules or name not in known:
            rows[i] = {-1 - i: 1}  # a process of its own
    found = null_space(rows)
    weights = np.zeros((len(found), len(system.states)))
    dependent = np.zeros(len(found), dtype=np.int64)
    shared = {i for i in range(len(system.states)) if sum(i in row for row in found) > 1}
    for k, row in enumerate(found):
        for i, weight in row.items():
            weights[k, i] = weight
        dependent[k] = min((i for i in row if i not in shared), default=min(row))
    return Totals(weights, dependent)


@dataclass(frozen=True, eq=False)
class Refined:
    """Steady states ``x`` (rows, states) in elimination order, the largest relative rate left in each row (1/time) and
    the state it belongs to, and outputs (rows, outputs)."""

    x: FloatArray
    residual: FloatArray
    slowest: IntArray
    values: FloatArray


@one_thread()
def refine(
    engine: Engine,
    columns: IntArray,
    settings: FloatArray,
    start_states: FloatArray,
    x: FloatArray,
    times: FloatArray,
    nodes: tuple[int, ...],
    solver: Rosenbrock,
) -> Refined:
    """Refine ``x``, where rows with these settings and start states (none: the model's own) came to rest at ``times``.

    Everything about states is in elimination order. A row where Newton does not converge nearby stays as it is.
    """
    outputs = (*nodes, *(node for node in _volumes(engine) if node != engine.system.graph.one))
    found = Refined(x.copy(), np.zeros(len(x)), np.zeros(len(x), dtype=np.int64), np.empty((len(x), len(nodes))))
    with engine.workspaces.lent(len(outputs)) as workspace:
        lanes = _Lanes(engine, workspace, outputs, solver)
        for first in range(0, len(x), LANES):
            piece = slice(first, first + LANES)
            lanes.load(columns, settings[piece], start_states[piece], x[piece], times[piece])
            lanes.correct()
            count = len(x[piece])
            found.x[piece] = lanes.x[:, :count].T
            found.residual[piece], found.slowest[piece] = lanes.residual(count)
            found.values[piece] = lanes.outputs()[: len(nodes), :count].T
    return found


def _volumes(engine: Engine) -> list[int]:
    """For each state, in elimination order, the node it is multiplied with to give an amount."""
    system = engine.system
    graph, species = system.graph, system.model.species_by_id
    found = []
    for i in engine.order:
        name = system.states[i]
        amount = system.output(f"amount({name})") if name in species else graph.state(int(i))
        found.append(graph.derivative(amount, graph.state(int(i))))
    return found


class _Lanes:
    """Eight rows in a workspace, at rest or nearly so."""

    def __init__(
        self, engine: Engine, workspace: Workspace[Layout], outputs: tuple[int, ...], solver: Rosenbrock
    ) -> None:
        self.engine, self.workspace, self.solver = engine, workspace, solver
        self.atol = np.zeros((len(engine.system.states), LANES))
        self.at: Layout = workspace.layout
        self.F = workspace.F
        self.code: Code = engine.addresses(engine.output_code(outputs))
        self.n_outputs = len(outputs)
        self.n = len(engine.system.states)
        volumes = _volumes(engine)
        self.volume_of = np.array([outputs.index(node) if node in outputs else -1 for node in volumes])
        position = np.empty(self.n, dtype=np.int64)
        position[engine.order] = np.arange(self.n)
        totals = conserved_totals(engine.system)
        self.weights, self.dependent = totals.weights[:, engine.order], position[totals.dependent]
        pairs = [(position[i], position[j]) for i, j in engine.program.jacobian]
        self.rows, self.columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T

    @property
    def x(self) -> FloatArray:
        """The states, shape (states, lanes)."""
        return self.F[self.at.y : self.at.y + self.n]

    def load(
        self, columns: IntArray, settings: FloatArray, start_states: FloatArray, x: FloatArray, times: FloatArray
    ) -> None:
        """Put up to eight rows into the lanes; spare lanes repeat the last."""
        at, F, engine = self.at, self.F, self.engine
        rows = np.minimum(np.arange(LANES), len(x) - 1)
        self.count = len(x)
        F[at.raw : at.raw + at.n_raw] = engine.system.defaults[:, None]
        F[at.raw + columns] = settings[rows].T
        F[START_T] = 0.0
        call4(self.code.start, place(at, START_T), place(at, at.raw), place(at, at.p), place(at, at.x_start))
        if len(start_states):
            F[at.x_start : at.x_start + self.n] = start_states[rows].T
        F[at.p + at.n_parameters : at.p + at.n_parameters + at.n_roots] = 0.0
        F[T] = times[rows]
        self.x[:] = x[rows].T
        call2(self.code.prep, place(at, at.p), place(at, at.k))
        if at.n_roots:
            for lane in range(LANES):
                settle(self.code, at, F, engine.discrete, lane, T, at.y, at.p, at.k, at.nothing_held)
        volumes = np.where(self.volume_of[:, None] >= 0, self.outputs()[self.volume_of], 1.0)
        self.scaled = self.weights[None] * volumes.T[:, None, :]  # (lanes, totals, states)
        start = F[at.x_start : at.x_start + self.n]
        self.total = np.einsum("lts,sl->lt", self.scaled, start)
        if self.solver.atol is not None:
            self.atol[:] = self.solver.atol
            return
        size = np.maximum(np.abs(start), np.abs(self.x))
        for kind in np.unique(self.engine.discrete.kinds):
            here = self.engine.discrete.kinds == kind
            size[here] = np.maximum(size[here], LEAST_SHARE * size[here].max(axis=0))
        self.atol[:] = OWN_SHARE * self.solver.rtol * size + SMALLEST_ATOL

    def outputs(self) -> FloatArray:
        """Outputs at the present states, shape (outputs, lanes)."""
        at = self.at
        call4(self.code.outputs, place(at, T), place(at, at.y), place(at, at.p), place(at, at.o))
        return self.F[at.o : at.o + self.n_outputs].copy()

    def rates(self) -> FloatArray:
        """Rates at the present states, shape (states, lanes)."""
        at = self.at
        self.F[at.U : at.U + self.n] = 0.0  # the compiled code adds to it
        call4(self.code.rates, place(at, T), place(at, at.y), place(at, at.k), place(at, at.U))
        return self.F[at.U : at.U + self.n].copy()

    def correct(self) -> None:
        """Newton's method in every lane."""
        start = self.x.copy()
        last = np.full(LANES, np.inf)
        going = np.arange(LANES) < self.count
        arrived = np.zeros(LANES, dtype=bool)
        for _ in range(MOST_CORRECTIONS):
            if not going.any():
                break
            change = self._changes(going)
            size = np.max(np.abs(change) / (np.abs(self.x) + self.atol), axis=0, initial=0.0)
            better = going & (size < 0.5 * last)  # a NaN is not
            arrived |= going & ~better & (last < 1e-6)  # rounding is all that is left
            self.x[:, better] += change[:, better]
            arrived |= better & (size < 1e-14)
            last[better] = size[better]
            going = better & ~arrived
        x, near = self.x, FARTHEST * np.abs(start) + 10 * self.atol
        lost = ~arrived | (np.abs(x - start) > near).any(axis=0) | ~np.isfinite(x).all(axis=0)
        x[:, lost] = start[:, lost]
        x[(x < 0) & (start >= 0)] = 0.0

    def _changes(self, going: BoolArray) -> FloatArray:
        """The corrections Newton's method wants, shape (states, lanes); NaN where the equations are singular."""
        at, first = self.at, self.workspace.rows["J"]
        jacobian = self.engine.code.addresses["jacobian"]
        call4(jacobian, place(at, T), place(at, at.y), place(at, at.k), place(at, first))
        rates, x = self.rates(), self.x
        lanes = np.flatnonzero(going)
        matrix = np.zeros((len(lanes), self.n, self.n))
        matrix[:, self.rows, self.columns] = self.F[first : first + len(self.rows), lanes].T
        right = -rates[:, lanes].T
        matrix[:, self.dependent] = self.scaled[lanes]
        right[:, self.dependent] = self.total[lanes] - np.einsum("lts,sl->lt", self.scaled[lanes], x[:, lanes])
        changes = np.full((self.n, LANES), np.nan)
        changes[:, lanes] = _solve(matrix, right, (np.abs(x[:, lanes]) + self.atol[:, lanes]).T).T
        return changes

    def residual(self, count: int) -> tuple[FloatArray, IntArray]:
        """The largest relative rate of each row, and the state it belongs to."""
        relative = np.abs(self.rates()) / (np.abs(self.x) + self.atol)
        if not self.n:
            return np.zeros(count), np.full(count, -1)
        return relative.max(axis=0)[:count], relative.argmax(axis=0)[:count]


def _solve(matrix: FloatArray, right: FloatArray, unit: FloatArray) -> FloatArray:
    """Solutions of matrix*y = right, row by row, with unknowns of size ``unit`` and equations of any size; NaN for
    singular ones. One at a time or all at once gives the same bits."""
    scaled = matrix * unit[:, None, :]
    largest = np.abs(scaled).max(axis=2)
    good = np.isfinite(scaled).all(axis=(1, 2)) & (largest > 0).all(axis=1)
    solution = np.full(right.shape, np.nan)
    sides = scaled[good] / largest[good][:, :, None], right[good] / largest[good]
    try:
        solution[good] = np.linalg.solve(sides[0], sides[1][:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        for row, left, side in zip(np.flatnonzero(good), *sides, strict=True):
            with suppress(np.linalg.LinAlgError):
                solution[row] = np.linalg.solve(left, side[:, None])[:, 0]
    return solution * unit
