"""Derivatives of steady states, from the equations that hold there instead of the way that led to them.

At rest f(x, p) = 0, with conserved totals w x = w x0 in place of the states that these determine. Differentiated, these
equations are one linear system for all directions, or, transposed, for the derivatives of one number (the implicit
function theorem). Rows whose equations determine the state too poorly are left to :mod:`forward` and :mod:`adjoint`,
which follow the whole approach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...arrays import BoolArray, FloatArray, IntArray
from ..equations.system import System
from ..integrate.batch import Rows, engine_of, settled_of
from ..integrate.steady_state import RowsAtRest, rows_at_rest, solve, structure_of
from ..llvm.calls import call2, call3, call6, call7
from ..llvm.layout import LANES
from ..llvm.loops import compiled
from ..solvers import Rosenbrock
from .adjoint import AdjointMachine, Pulled, adjoint_of, to_raw
from .forward_loop import rest_outputs, rest_rates
from .forward_machine import Directions, ForwardMachine, starting

NEAR = 1e-8
"""How far, relative to its size, a state may be from where its equations hold."""
LARGEST = 1e9
"""How much more than its equations a state may move, both relative to their size."""


def is_plain(system: System, solver: Rosenbrock) -> bool:
    """Whether the equations of a system say where it comes to rest: no events, and no volumes that change."""
    graph = system.graph
    nodes = structure_of(engine_of(system, solver.tableau)).volumes
    return not system.events and bool(system.states) and not any(graph.states_of(node) for node in nodes)


@dataclass(frozen=True, eq=False)
class ForwardAtRest:
    """Derivatives of rows as they come to rest: :func:`settle_rows` and the like visit it.

    ``raw`` (n, raw values); ``seeds`` (n, raw values, d) and ``start_seeds`` (n, states, d) as of
    :func:`.forward.run_sensitivities`; ``from_states``: whether rows begin from given states. Filled in are derivatives
    of outputs ``values`` (n, outputs, d) and states ``x`` (n, states, d), of rows that are ``known``.
    """

    machine: ForwardMachine
    raw: FloatArray
    outputs: tuple[int, ...]
    seeds: FloatArray
    start_seeds: FloatArray | None
    from_states: bool
    values: FloatArray
    x: FloatArray
    known: BoolArray

    @classmethod
    def of(
        cls,
        machine: ForwardMachine,
        raw: FloatArray,
        outputs: tuple[int, ...],
        seeds: FloatArray,
        start_seeds: FloatArray | None,
        from_states: bool,
    ) -> ForwardAtRest:
        """With nothing known yet."""
        n, d = len(raw), seeds.shape[2]
        values, x = np.zeros((n, len(outputs), d)), np.zeros((n, len(machine.engine.order), d))
        known = np.zeros(n, dtype=bool)
        return cls(machine, raw, outputs, seeds, start_seeds, from_states, values, x, known)

    def __call__(self, here: IntArray, state: RowsAtRest) -> None:
        """The rows ``here`` are at rest."""
        machine, structure, count, outputs = self.machine, state.structure, len(here), self.outputs
        matrix, left = state.equations(np.ones(count, dtype=bool))
        known = _determined(state, matrix, left)
        if not known.any():
            return
        seeds, start_seeds = self.seeds[here], None if self.start_seeds is None else self.start_seeds[here]
        directions = Directions.of(seeds, start_seeds, known)
        nodes = (*outputs, *structure.volumes)
        S, Q = starting(machine, nodes, self.raw[here], seeds, start_seeds, directions, self.from_states)
        whose = directions.row
        known &= ~_released(state, _any_of(whose, np.asarray(Q.any(axis=2)), count))
        P = np.ascontiguousarray(state.P.transpose(0, 2, 1)).reshape(-1, Q.shape[1])
        right = np.empty_like(S)
        with machine.workspaces.lent(len(nodes)) as memory:
            around = (machine.code_of(nodes), memory.layout, memory.F, whose, state.times, state.x, P, Q)
            compiled(rest_rates)(*around, right)
            np.negative(right, out=right)
            totals = state.scaled[whose] @ S
            if structure.volumes:
                by_volume = np.empty((len(whose), len(nodes), LANES))
                compiled(rest_outputs)(*around, np.zeros_like(S), by_volume)
                grown = np.where(
                    structure.volume_of[:, None] >= 0, by_volume[:, len(outputs) + structure.volume_of], 0.0
                )
                totals += structure.weights @ (grown * (state.start - state.x)[whose][:, :, None])
            right[:, structure.dependent] = totals
            fixed = state.fixed[whose]
            right[fixed] = S[fixed]
            rows, lane = directions.rows, directions.lane
            sides, moved = np.zeros((count, state.n, seeds.shape[2])), np.zeros_like(right)
            sides[rows, :, directions.place] = right[directions.task, :, lane]
            solved = np.zeros_like(sides)
            solved[known] = solve(matrix[known], sides[known], (np.abs(state.x) + state.atol)[known])
            known &= np.isfinite(solved).all(axis=(1, 2))
            along = solved[rows, :, directions.place]
            moved[directions.task, :, lane] = along
            x = np.zeros((count, state.n, seeds.shape[2]))
            x[rows, :, directions.direction] = along
            given = np.empty((len(whose), len(outputs), LANES))
            compiled(rest_outputs)(*around, moved, given)
        values = np.zeros((count, len(outputs), seeds.shape[2]))
        values[rows, :, directions.direction] = given[directions.task, :, lane]
        self.values[here], self.known[here] = values, known
        self.x[here[:, None], machine.engine.order] = x


def _any_of(group: IntArray, marks: BoolArray, count: int) -> BoolArray:
    """Which columns of ``marks`` (items, columns) are marked in any item of each of ``count`` groups."""
    found = np.zeros((count, marks.shape[1]), dtype=bool)
    np.logical_or.at(found, group, marks)
    return found


def _released(state: RowsAtRest, moved: BoolArray) -> BoolArray:
    """Rows of which a state stays where it is only until a parameter moves that is ``moved`` (rows, parameters)."""
    return np.asarray(state.fixed.any(axis=1) & (state.zeros() & moved).any(axis=1))


def _determined(state: RowsAtRest, matrix: FloatArray, left: FloatArray) -> BoolArray:
    """Which rows the linearised equations determine: they hold there, and no small change moves the state far."""
    unit = np.abs(state.x) + state.atol
    probe = _signs(state.n) * np.abs(matrix * unit[:, None, :]).max(axis=2)
    checked = solve(matrix, np.stack([left, probe], axis=2), unit)
    with np.errstate(invalid="ignore"):
        farthest = np.abs(checked / unit[:, :, None]).max(axis=1)
        return np.asarray((farthest[:, 0] <= NEAR) & (farthest[:, 1] <= LARGEST))


@lru_cache(maxsize=64)
def _signs(n: int) -> FloatArray:
    """n random signs, always the same."""
    signs: FloatArray = np.random.default_rng(0).choice((-1.0, 1.0), n)
    signs.flags.writeable = False
    return signs


def _solve_transposed(matrix: FloatArray, sides: FloatArray, unit: FloatArray) -> FloatArray:
    """Solutions of transpose(matrix)*y = sides, scaled as :func:`solve` scales the equations."""
    size = np.abs(matrix * unit[:, None, :]).max(axis=2)
    with np.errstate(all="ignore"):
        scaled = (matrix * unit[:, None, :] / size[:, :, None]).transpose(0, 2, 1)
        good = np.isfinite(scaled).all(axis=(1, 2))
        found = np.full(sides.shape, np.nan)
        for row in np.flatnonzero(good):
            try:
                found[row] = np.linalg.solve(scaled[row], unit[row][:, None] * sides[row])
            except np.linalg.LinAlgError:
                continue
        return np.asarray(found / size[:, :, None])


@dataclass(frozen=True, eq=False)
class Pull:
    """Derivatives of an objective, by raw values (n, columns) and start states, of rows that are ``known``."""

    pulled: Pulled
    known: BoolArray


def pull_at_rest(
    rows: Rows,
    raw: FloatArray,
    outputs: Sequence[int],
    bars: FloatArray,
    x_bars: FloatArray,
    columns: Sequence[int],
    solver: Rosenbrock,
    start_states: FloatArray | None = None,
) -> Pull:
    """Derivatives of an objective from those by the outputs, ``bars`` (n, outputs), and by the states (n, states)."""
    engine = engine_of(rows.system, solver.tableau)
    n, order = len(raw), engine.order
    made = Pulled(np.full((n, len(columns)), np.nan), np.full((n, len(order)), np.nan))
    known = np.zeros(n, dtype=bool)
    done, settled = settled_of(engine, rows, np.arange(raw.shape[1], dtype=np.int64), raw, start_states)
    machine = adjoint_of(engine.system, solver.tableau, tuple(int(c) for c in columns))
    for piece, state in rows_at_rest(engine, settled, solver):
        here = done[piece]
        S, Q, known[here] = _pull(machine, state, tuple(outputs), bars[here], x_bars[here][:, order])
        made.raw[here] = to_raw(machine, raw[here], S, Q, start_states is not None)
        made.start[here] = 0.0
        if start_states is not None:
            made.start[here[:, None], order] = S
    return Pull(made, known)


def _pull(
    machine: AdjointMachine, state: RowsAtRest, outputs: tuple[int, ...], bars: FloatArray, x_bars: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Derivatives by start states, in elimination order, and by parameters, and which rows are determined."""
    structure = state.structure
    nodes = (*outputs, *structure.volumes)
    code, own = machine.functions_of(nodes), machine.code.addresses
    n, count, n_p = state.n, len(bars), machine.engine.system.n_parameters
    Q, x = np.zeros((count, n_p)), np.empty((count, n))
    with machine.workspaces.lent(len(nodes)) as memory:
        at, F, V = memory.workspace.layout, memory.F, memory.workspace.rows["V"]

        def place(row: int) -> int:
            return at.base + row * LANES * 8

        def put(group: int, rows: IntArray) -> None:
            F[at.t] = state.times[rows]
            F[at.y : at.y + n] = state.x[rows].T
            F[at.p : at.p + n_p] = state.P[group]
            F[at.pbar : at.pbar + n_p] = 0.0

        def back_outputs(weights: FloatArray) -> None:
            F[at.w : at.w + len(nodes)] = weights
            call6(code.outputs_adjoint, *(place(row) for row in (at.t, at.y, at.p, at.w, at.ybar, at.pbar)))

        none = np.zeros((len(structure.volumes), LANES))
        for group, rows in enumerate(state.lanes):
            put(group, rows)
            F[at.ybar : at.ybar + n] = x_bars[rows].T
            back_outputs(np.concatenate([bars[rows].T, none]))
            x[rows], Q[rows] = F[at.ybar : at.ybar + n].T, F[at.pbar : at.pbar + n_p].T
        matrix, left = state.equations(np.ones(count, dtype=bool))
        fixed = state.fixed
        solved = _solve_transposed(matrix, x[:, :, None], np.abs(state.x) + state.atol)
        known = _determined(state, matrix, left) & np.isfinite(solved).all(axis=(1, 2))
        known &= ~_released(state, machine.moves)
        weight = np.where(known[:, None], solved[:, :, 0], 0.0)
        of_totals = weight[:, structure.dependent]
        S = np.ascontiguousarray((of_totals[:, :, None] * state.scaled).sum(axis=1))
        grown = (of_totals[:, :, None] * structure.weights).sum(axis=1) * (state.start - state.x)
        by_volume = np.zeros((count, len(structure.volumes)))
        for i, place_of in enumerate(structure.volume_of.tolist()):
            if place_of >= 0:
                by_volume[:, place_of] += grown[:, i]
        weight[:, structure.dependent] = 0.0
        S[fixed] += weight[fixed]
        weight[fixed] = 0.0
        for group, rows in enumerate(state.lanes):
            put(group, rows)
            call2(code.prep, place(at.p), place(at.k))
            F[V : V + n] = -weight[rows].T
            F[at.xbar : at.xbar + n] = 0.0
            F[at.kbar : at.kbar + at.n_hoisted] = 0.0
            call7(own["rates_adjoint"], *(place(row) for row in (at.t, at.y, at.k, at.p, V, at.xbar, at.kbar)))
            call3(code.prep_adjoint, place(at.p), place(at.kbar), place(at.pbar))
            if structure.volumes:
                F[at.ybar : at.ybar + n] = 0.0
                back_outputs(np.concatenate([np.zeros((len(outputs), LANES)), by_volume[rows].T]))
            lanes = np.unique(rows, return_index=True)[1]
            Q[rows[lanes]] += F[at.pbar : at.pbar + n_p, lanes].T
    return S, Q, known
