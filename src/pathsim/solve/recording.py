"""Simulations whose steps are kept: rows of one system, recorded, ready to be differentiated."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .batch import Rows, at_rest, engine_of
from .driver import compiled
from .engine import Engine
from .lane_layout import LANES, STATE, STATUS, STEPS_TAKEN, TIME, Job, Results
from .solvers import Rosenbrock
from .step_ir import POINTERS
from .system import FloatArray, System
from .tape import JUMPS, LINK_ROW, STEP_END, STEP_H, STEP_T, STEP_Y, STEPS, Tape, record_lanes
from .twin import LONGEST

IntArray = npt.NDArray[np.int64]
SETTLING = np.array([LONGEST])
DWELL = 3
"""Steps added at a steady state."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Rows and the tape of their steps.

    ``raw`` (n, raw values); ``times`` (n, times) as sampled; ``order`` lists records row by row, row i's are
    ``order[first[i]:first[i + 1]]``. ``from_states``: whether rows began from given states instead of the model's own.
    """

    system: System
    rows: Rows
    outputs: tuple[int, ...]
    raw: FloatArray
    times: FloatArray
    tape: Tape
    order: IntArray
    first: IntArray
    from_states: bool
    until_steady: bool


def record_rows(
    system: System,
    settings: FloatArray,
    times: FloatArray,
    outputs: Sequence[int],
    solver: Rosenbrock | None = None,
    *,
    columns: IntArray | None = None,
    start_states: FloatArray | None = None,
    until_steady: bool = False,
    limits: Sequence[FloatArray] | None = None,
) -> Recording:
    """Simulate as :func:`pathsim.solve.run_rows` does (or :func:`settle_rows`, ``until_steady``), keeping every step.

    The last states are always kept. One thread; what a row gives does not depend on the other rows. ``limits`` are,
    for each row, (l, 2): from which time on no step may be larger than what.
    """
    solver = solver or Rosenbrock()
    settings = np.ascontiguousarray(settings, dtype=float)
    columns = np.arange(len(system.defaults), dtype=np.int64) if columns is None else columns
    grid = np.ascontiguousarray(np.atleast_2d(SETTLING if until_steady else times), dtype=float)
    n, nodes, engine = len(settings), tuple(outputs), engine_of(system)
    order = engine.order
    starts = np.empty((0, len(order))) if start_states is None else np.ascontiguousarray(start_states[:, order])
    tolerances = np.array([solver.rtol, solver.atol, solver.max_steps, 0.0, float(until_steady)])
    capacity, jumps = 250 * n + 200, (40 * n + 40) * bool(system.modes or system.events)
    while True:
        results = Results(np.full((n, grid.shape[1], len(nodes)), np.nan), np.zeros((n, 4)), np.empty((n, len(order))))
        results.ends[:, STATE] = -1
        tape = _blank(system, n, capacity, jumps, limits)
        _record(engine, columns, settings, grid, nodes, tolerances, starts, results, tape)
        if tape.counts[STEPS] <= capacity and tape.counts[JUMPS] <= jumps:
            break
        capacity, jumps = int(tape.counts[STEPS]), int(tape.counts[JUMPS])
    rows = _rows(system, results, order)
    if until_steady:
        rows = at_rest(rows, settings, solver, columns, nodes, start_states)
        tape = _dwell(tape, rows, order)
    raw = np.tile(system.defaults, (n, 1))
    raw[:, columns] = settings
    row_of = tape.links[: tape.counts[STEPS], LINK_ROW]
    made = Recording(
        system, rows, nodes, raw, np.broadcast_to(grid, (n, grid.shape[1])), tape,
        np.argsort(row_of, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(row_of, minlength=n))]),
        start_states is not None, until_steady,
    )  # fmt: skip
    weakref.finalize(made, _pool().give_back, tape.steps)
    return made


MOST_IDLE = 8


class _Pool:
    """Memory of finished recordings, to be used again: fresh memory costs as much as the simulation written into it."""

    def __init__(self) -> None:
        self.idle: list[FloatArray] = []

    def take(self, size: int) -> FloatArray:
        for i, block in enumerate(self.idle):
            if size <= block.size <= 4 * size + 4096:
                return self.idle.pop(i)[:size]
        return np.empty(size)

    def give_back(self, steps: FloatArray) -> None:
        block = steps
        while isinstance(block.base, np.ndarray):
            block = block.base
        if len(self.idle) < MOST_IDLE and block.ndim == 1:
            self.idle.append(block)


@lru_cache(maxsize=1)
def _pool() -> _Pool:
    return _Pool()


def _blank(system: System, n: int, steps: int, jumps: int, limits: Sequence[FloatArray] | None) -> Tape:
    states, width = len(system.states), len(system.states) + system.n_parameters
    lists = limits or [np.empty((0, 2))] * n
    return Tape(
        steps=_pool().take((steps + 1) * (3 + 9 * states)).reshape(steps + 1, 3 + 9 * states),
        links=np.empty((steps, 2), dtype=np.int64),
        jumps=np.empty((jumps, states + width)),
        starts=np.empty((n, 2 * width)),
        counts=np.zeros(2, dtype=np.int64),
        limits=np.concatenate([np.empty((0, 2)), *lists]),
        first_limit=np.cumsum([0, *(len(one) for one in lists)], dtype=np.int64),
        lane_limit=np.zeros(LANES, dtype=np.int64),
        lane_row=np.zeros(LANES, dtype=np.int64),
        lane_stop=np.zeros(LANES),
        lane_record=np.zeros(LANES, dtype=np.int64),
    )


def _dwell(tape: Tape, settled: Rows, order: IntArray) -> Tape:
    """Add steps that stay at the steady state, so that tangents reach theirs however soon the state had."""
    taken = int(tape.counts[STEPS])
    last = np.full(len(settled.status), -1, dtype=np.int64)
    last[tape.links[:taken, LINK_ROW]] = np.arange(taken)
    last = last[(last >= 0) & (settled.status == 0)]
    n = len(order)
    still = np.zeros((len(last), 3 + 9 * n))
    rows = tape.links[last, LINK_ROW]
    still[:, STEP_H] = tape.steps[last, STEP_H]
    still[:, STEP_T] = still[:, STEP_END] = tape.steps[last, STEP_END]
    still[:, STEP_Y : STEP_Y + n] = settled.x[rows][:, order]
    links = np.stack([rows, np.full(len(rows), -1)], axis=1)
    tape.counts[STEPS] += DWELL * len(last)
    return tape._replace(
        steps=np.concatenate([tape.steps[:taken], *[still] * DWELL]),
        links=np.concatenate([tape.links[:taken], *[links] * DWELL]),
    )


def _record(
    engine: Engine,
    columns: IntArray,
    settings: FloatArray,
    grid: FloatArray,
    nodes: tuple[int, ...],
    tolerances: FloatArray,
    starts: FloatArray,
    results: Results,
    tape: Tape,
) -> None:
    if not len(settings):
        return
    code = engine.addresses(engine.output_code(nodes))
    direct = engine.direct_outputs(nodes)
    workspace = engine.borrow(len(nodes))
    workspace.table[POINTERS.index("f_factor")] = engine.factor_address(len(settings))
    at = workspace.layout._replace(
        n_outputs=len(nodes), computes_outputs=int((direct < 0).any()), attempts_at_once=1
    )
    sources = np.where(direct < 0, at.o + np.arange(len(nodes)), at.y + direct)
    job = Job(engine.system.defaults, columns, settings, starts, sources, grid, tolerances, 0, len(settings))
    compiled(record_lanes)(code, at, workspace.F, workspace.N, engine.discrete, job, results, tape)
    engine.give_back(workspace)


def _rows(system: System, results: Results, order: IntArray) -> Rows:
    ends = results.ends
    named = ends[:, STATE] >= 0
    state = np.full(len(ends), -1, dtype=np.int64)
    state[named] = order[ends[named, STATE].astype(np.int64)]
    x = np.empty_like(results.x)
    x[:, order] = results.x
    return Rows(
        system, results.values, ends[:, STATUS].astype(np.int64), ends[:, TIME], state,
        ends[:, STEPS_TAKEN].astype(np.int64), x,
    )  # fmt: skip
