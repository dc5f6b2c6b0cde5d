"""The last digits of a steady state: Newton's method on the equations with conserved totals in place of dependent ones.

The time course comes first (pseudo-transient continuation by the engine itself), because it decides which of several
steady states is reached and is never lost. Newton then starts from where nothing seems to move any more, which removes
what is left of slow modes and of rounding in conserved totals. The compiled rates and Jacobian serve as many rows at a
time as there are lanes; each row is solved by itself, so that a row does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...arrays import BoolArray, FloatArray, IntArray
from ...linear_algebra import one_thread
from ...model.moieties import Stoichiometry, null_space
from ..equations.system import System, without_rate
from ..llvm.layout import LANES, Layout
from ..llvm.loops import Words, compiled
from ..solvers import Rosenbrock
from .engine import OWN_SHARE, Engine
from .rest_loop import equations_of_rows, load_rows, outputs_of_rows, rates_of_rows
from .start import LEAST_SHARE, SMALLEST_ATOL
from .workspace import Workspace

MOST_CORRECTIONS = 12
FARTHEST = 1e-2
"""Relative distance that corrections may move a state: more would be another steady state."""
NEAR = 1e-8
"""Relative size of a correction after which none is needed."""
MOST_ENTRIES = 1 << 19
"""Of matrices that are solved together."""


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


@dataclass(frozen=True, eq=False)
class Settled:
    """Rows that have come to rest or nearly so, everything about states in elimination order.

    ``settings`` (rows, columns) of the raw values ``columns``; ``start_states`` (rows, states), or (0, states) for the
    model's own; states ``x`` (rows, states) at ``times`` (rows,).
    """

    columns: IntArray
    settings: FloatArray
    start_states: FloatArray
    x: FloatArray
    times: FloatArray

    def part(self, here: slice) -> Settled:
        """Some of the rows."""
        return Settled(self.columns, self.settings[here], self.start_states[here], self.x[here], self.times[here])


@one_thread()
def refine(
    engine: Engine,
    settled: Settled,
    nodes: tuple[int, ...],
    solver: Rosenbrock,
    visit: Callable[[slice, RowsAtRest], None] | None = None,
) -> Refined:
    """Refine the states of rows, with outputs ``nodes``. A row where Newton does not converge nearby stays as it is.

    ``visit`` is called with the refined rows, so many at a time.
    """
    x = settled.x
    found = Refined(x.copy(), np.zeros(len(x)), np.zeros(len(x), dtype=np.int64), np.empty((len(x), len(nodes))))
    for piece, rows in rows_at_rest(engine, settled, solver, nodes):
        rows.correct()
        found.x[piece] = rows.x
        found.residual[piece], found.slowest[piece] = rows.residual()
        found.values[piece] = rows.outputs()[:, : len(nodes)]
        if visit is not None:
            visit(piece, rows)
    return found


@lru_cache(maxsize=64)
def volumes_of(engine: Engine) -> tuple[int, ...]:
    """For each state, in elimination order, the node it is multiplied with to give an amount."""
    system = engine.system
    graph, species = system.graph, system.model.species_by_id
    found = []
    for i in engine.order:
        name = system.states[i]
        amount = system.output(f"amount({name})") if name in species else graph.state(int(i))
        found.append(graph.derivative(amount, graph.state(int(i))))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Structure:
    """What the equations of steady states of a system are made of, in elimination order.

    ``weights`` (totals, states) and ``dependent`` (totals,) are the conserved totals; ``rows`` and ``columns`` say
    where entries of the compiled Jacobian belong; ``volumes`` are the nodes that states are multiplied with where these
    are not 1, ``volume_of`` (states,) which of them, or -1. ``alike`` are the states of each kind.
    """

    weights: FloatArray
    dependent: IntArray
    rows: IntArray
    columns: IntArray
    volumes: tuple[int, ...]
    volume_of: IntArray
    alike: tuple[IntArray, ...]


@lru_cache(maxsize=64)
def structure_of(engine: Engine) -> Structure:
    """The structure of a system's steady states."""
    n = len(engine.order)
    position = np.empty(n, dtype=np.int64)
    position[engine.order] = np.arange(n)
    totals = conserved_totals(engine.system)
    pairs = [(position[i], position[j]) for i, j in engine.program.jacobian]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    nodes = volumes_of(engine)
    distinct = tuple(dict.fromkeys(node for node in nodes if node != engine.system.graph.one))
    volume_of = np.array([distinct.index(node) if node in distinct else -1 for node in nodes], dtype=np.int64)
    kinds = engine.discrete.kinds
    return Structure(
        totals.weights[:, engine.order],
        position[totals.dependent],
        rows,
        columns,
        distinct,
        volume_of.reshape(-1),
        tuple(np.flatnonzero(kinds == kind) for kind in np.unique(kinds)),
    )


@lru_cache(maxsize=1024)
def _without_rate(engine: Engine, zeros: bytes) -> BoolArray:
    """States, in elimination order, that stay where they are while the parameters marked in ``zeros`` are zero."""
    found = without_rate(engine.system, set(np.flatnonzero(np.frombuffer(zeros, dtype=bool)).tolist()))
    return np.isin(engine.order, found)


def rows_at_rest(
    engine: Engine, settled: Settled, solver: Rosenbrock, nodes: tuple[int, ...] = ()
) -> Iterator[tuple[slice, RowsAtRest]]:
    """Rows with outputs ``nodes``, so many at a time that their matrices fit into the processor's cache together."""
    outputs, n_rows = (*nodes, *structure_of(engine).volumes), len(settled.x)
    size = LANES * max(1, MOST_ENTRIES // (LANES * max(len(engine.order), 1) ** 2))
    for first in range(0, n_rows, size):
        piece = slice(first, min(first + size, n_rows))
        with engine.lent(outputs) as workspace:
            yield piece, RowsAtRest(engine, workspace, outputs, settled.part(piece), solver)


class RowsAtRest:
    """States ``x`` (rows, states) with everything about them that their equations need.

    ``start`` (rows, states) are the states that totals are conserved from, ``P`` (groups, parameters and modes, 8) the
    parameters of a lane to each row; ``scaled`` (rows, totals, states) weigh states to conserved amounts. The volumes
    are the last of the outputs. ``fixed`` (rows, states) are states that nothing changes while parameters that are zero
    stay zero; known once the equations have been asked for.
    """

    def __init__(
        self,
        engine: Engine,
        workspace: Workspace[Layout],
        outputs: tuple[int, ...],
        settled: Settled,
        solver: Rosenbrock,
    ) -> None:
        self.engine, self.solver, self.structure = engine, solver, structure_of(engine)
        functions = engine.functions(workspace, outputs, engine.has_code)
        self.around = (functions, Words(workspace.layout), workspace.F)
        """The first arguments of the loops."""
        at: Layout = workspace.layout
        self.n_outputs, self.n, self.x = len(outputs), len(engine.order), settled.x.copy()
        count = len(self.x)
        self.lanes = np.minimum(np.arange(-(-count // LANES) * LANES), count - 1).reshape(-1, LANES)
        """The rows in the lanes of each group; spare lanes repeat the last."""
        groups, self.times = len(self.lanes), np.ascontiguousarray(settled.times)
        self.P = np.empty((groups, at.n_parameters + at.n_roots, LANES))
        self.K = np.empty((groups, at.n_hoisted, LANES))
        self.start = np.empty_like(self.x)
        compiled(load_rows)(
            *self.around,
            engine.discrete,
            engine.system.defaults,
            np.ascontiguousarray(settled.columns),
            np.ascontiguousarray(settled.settings),
            np.ascontiguousarray(settled.start_states),
            self.lanes,
            self.times,
            self.x,
            self.start,
            self.P,
            self.K,
        )
        volume_of = self.structure.volume_of
        weights = self.structure.weights[None]
        if (volume_of >= 0).any():
            volumes = self.outputs()[:, self.n_outputs - len(self.structure.volumes) :]
            weights = weights * np.where(volume_of >= 0, volumes[:, volume_of], 1.0)[:, None]
        self.scaled = np.broadcast_to(weights, (count, *self.structure.weights.shape))
        self.total = self._totals(self.start)
        self.atol = self._tolerances()
        self.fixed = np.zeros(self.x.shape, dtype=bool)
        self._asked = False

    def _totals(self, x: FloatArray) -> FloatArray:
        """Conserved amounts in states (rows, states)."""
        return np.asarray((self.scaled * x[:, None]).sum(axis=2))

    def _tolerances(self) -> FloatArray:
        if self.solver.atol is not None:
            return np.full(self.x.shape, self.solver.atol)
        size = np.maximum(np.abs(self.start), np.abs(self.x))
        for here in self.structure.alike:
            size[:, here] = np.maximum(size[:, here], LEAST_SHARE * size[:, here].max(axis=1, keepdims=True))
        return np.asarray(OWN_SHARE * self.solver.rtol * size + SMALLEST_ATOL)

    def outputs(self) -> FloatArray:
        """Outputs at the present states, shape (rows, outputs)."""
        found = np.empty((len(self.x), self.n_outputs))
        compiled(outputs_of_rows)(*self.around, self.lanes, self.times, self.x, self.P, found)
        return found

    def correct(self) -> None:
        """Newton's method in every row."""
        start, count = self.x.copy(), len(self.x)
        last, going, arrived = np.full(count, np.inf), np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
        for _ in range(MOST_CORRECTIONS):
            if not going.any():
                break
            change = self._changes(going)
            size = np.max(np.abs(change) / (np.abs(self.x) + self.atol), axis=1, initial=0.0)
            better = going & (size < 0.5 * last)  # a NaN is not
            arrived |= going & ~better & (last < 1e-6)  # rounding is all that is left
            self.x[better] += change[better]
            arrived |= better & (size < NEAR)  # what is left is this squared
            last[better] = size[better]
            going = better & ~arrived
        x, near = self.x, FARTHEST * np.abs(start) + 10 * self.atol
        lost = ~arrived | (np.abs(x - start) > near).any(axis=1) | ~np.isfinite(x).all(axis=1)
        x[lost] = start[lost]
        x[(x < 0) & (start >= 0)] = 0.0

    def equations(self, wanted: BoolArray) -> tuple[FloatArray, FloatArray]:
        """The matrices (wanted rows, states, states) of the linearised equations, conserved totals in place of
        dependent states and starts in place of rates that vanish, and what is left of the equations (wanted rows,
        states). All rows are wanted the first time."""
        n = self.n
        entries, rates = np.empty((len(self.x), len(self.structure.rows))), np.empty_like(self.x)
        marks = wanted.astype(np.int64)
        compiled(equations_of_rows)(*self.around, self.lanes, self.times, self.x, self.K, marks, rates, entries)
        matrix = np.zeros((int(wanted.sum()), n, n))
        matrix[:, self.structure.rows, self.structure.columns] = entries[wanted]
        left, dependent = rates[wanted], self.structure.dependent
        matrix[:, dependent] = self.scaled[wanted]
        left[:, dependent] = (self._totals(self.x) - self.total)[wanted]
        if not self._asked:
            self.fixed, self._asked = self._fixed(matrix, left), True
        if self.fixed.any():
            row, state = np.nonzero(self.fixed[wanted])
            matrix[row, state, state] = 1.0
            left[row, state] = (self.x - self.start)[wanted][row, state]
        return matrix, left

    def zeros(self) -> BoolArray:
        """Which parameters of each row are zero, (rows, parameters and branches)."""
        found: BoolArray = (self.P == 0.0).transpose(0, 2, 1).reshape(-1, self.P.shape[1])[: len(self.x)]
        return found

    def _fixed(self, matrix: FloatArray, left: FloatArray) -> BoolArray:
        """The equations of ``matrix`` and ``left`` that say nothing, of states that have no rate at all."""
        idle: BoolArray = np.asarray(~matrix.any(axis=2) & (left == 0.0))
        if not idle.any():
            return idle
        rows = np.flatnonzero(idle.any(axis=1))
        zeros = self.zeros()[rows]
        found = [_without_rate(self.engine, one.tobytes()) for one in zeros]
        idle[rows] &= np.array(found)
        return idle

    def _changes(self, going: BoolArray) -> FloatArray:
        """The corrections Newton's method wants, shape (rows, states); NaN where the equations are singular."""
        matrix, left = self.equations(going)
        changes = np.full(self.x.shape, np.nan)
        changes[going] = solve(matrix, -left[:, :, None], np.abs(self.x[going]) + self.atol[going])[:, :, 0]
        return changes

    def residual(self) -> tuple[FloatArray, IntArray]:
        """The largest relative rate of each row, and the state it belongs to."""
        rates = np.empty_like(self.x)
        compiled(rates_of_rows)(*self.around, self.lanes, self.times, self.x, self.K, rates)
        relative = np.abs(rates) / (np.abs(self.x) + self.atol)
        if not self.n:
            return np.zeros(len(self.x)), np.full(len(self.x), -1)
        return relative.max(axis=1), relative.argmax(axis=1)


def solve(matrix: FloatArray, right: FloatArray, unit: FloatArray) -> FloatArray:
    """Solutions of matrix*y = right (rows, n, any), row by row, with unknowns of size ``unit`` (rows, n) and equations
    of any size; NaN for singular ones. One at a time or all at once gives the same bits."""
    scaled = matrix * unit[:, None, :]
    largest = np.maximum(scaled.max(axis=2, initial=0.0), -scaled.min(axis=2, initial=0.0))[:, :, None]
    good = (np.isfinite(largest) & (largest > 0)).all(axis=(1, 2))
    if not good.all():
        solution = np.full(right.shape, np.nan)
        if good.any():
            solution[good] = solve(matrix[good], right[good], unit[good])
        return solution
    scaled /= largest
    sides = right / largest
    try:
        solution = np.linalg.solve(scaled, sides)
    except np.linalg.LinAlgError:
        solution = np.full(right.shape, np.nan)
        for row, (left, side) in enumerate(zip(scaled, sides, strict=True)):
            with suppress(np.linalg.LinAlgError):
                solution[row] = np.linalg.solve(left, side)
    return np.asarray(solution * unit[:, :, None])
