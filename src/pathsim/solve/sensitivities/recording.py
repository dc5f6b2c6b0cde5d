"""Simulations whose steps are kept: rows of one system, recorded, ready to be differentiated."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.system import System
from ..integrate.batch import Rows, Visit, at_rest, engine_of
from ..integrate.engine import Engine, loop_in, no_progress, settings_of, to_the_end
from ..integrate.recorder import (
    CALLS,
    JUMPS,
    LINK_JUMP,
    STEP_COUNTS,
    STEP_END,
    STEP_H,
    STEP_T,
    STEP_Y,
    Tape,
    sort_steps,
    stages_column,
)
from ..llvm.layout import LANES, STATE, STATUS, STEPS_TAKEN, TIME, UNTIL_STEADY, Job, Results
from ..llvm.loops import compiled
from ..rosenbrock.tableau import Tableau
from ..solvers import LONGEST, Rosenbrock
from .segments import Segments, find_segments

SETTLING = np.array([LONGEST])
ROOM = 1 << 20
"""Numbers that a tape has room for at first, within limits; too short a tape means a second simulation."""
DWELL = 3
"""Steps added at a steady state."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Rows and the tape of their steps.

    ``raw`` (n, raw values); ``times`` (n, times) as sampled; ``order`` lists records row by row, row i's are
    ``order[first[i]:first[i + 1]]``. ``from_states``: whether rows began from given states instead of the model's own.
    ``atol`` (n, states): the absolute tolerances that rows ended with, in elimination order.
    """

    system: System
    tableau: Tableau
    rows: Rows
    outputs: tuple[int, ...]
    raw: FloatArray
    times: FloatArray
    tape: Tape
    order: IntArray
    first: IntArray
    from_states: bool
    until_steady: bool
    atol: FloatArray


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
    keep_stages: bool = True,
    visit: Visit | None = None,
) -> Recording:
    """Simulate as :func:`pathsim.solve.run_rows` does (or :func:`settle_rows`, ``until_steady``), keeping every step.

    The last states are always kept. One thread; what a row gives does not depend on the other rows. ``limits`` are,
    for each row, (l, 2): from which time on no step may be larger than what. Forward sensitivities need the stages of
    every step, many times as many numbers as the adjoint, which works them out again as that costs less.
    ``visit`` as of :func:`settle_rows`.
    """
    solver = solver or Rosenbrock()
    settings = np.ascontiguousarray(settings, dtype=float)
    columns = np.arange(len(system.defaults), dtype=np.int64) if columns is None else columns
    grid = np.ascontiguousarray(np.atleast_2d(SETTLING if until_steady else times), dtype=float)
    n, nodes, engine = len(settings), tuple(outputs), engine_of(system, solver.tableau)
    order = engine.order
    starts = np.empty((0, len(order))) if start_states is None else np.ascontiguousarray(start_states[:, order])
    tolerances = settings_of(solver.rtol, solver.atol, solver.max_steps, until_steady)
    n_stages = solver.tableau.stages * len(order) * keep_stages
    room = ROOM // (min(LANES, max(n, 1)) * (stages_column(len(order)) + n_stages))
    calls, jumps = 40 * n + min(max(room, 200), 2000), (40 * n + 40) * bool(system.discontinuities or system.events)
    while True:
        results = Results(
            np.full((n, grid.shape[1], len(nodes)), np.nan),
            np.zeros((n, 4)),
            np.empty((n, len(order))),
            np.zeros((n, len(order))),
        )
        results.ends[:, STATE] = -1
        tape = _blank(system, n, calls, jumps, limits, n_stages)
        had = _record(engine, columns, settings, grid, nodes, tolerances, starts, results, tape)
        if engine.makes_room(results.ends, had):
            continue
        if tape.counts[CALLS] <= calls and tape.counts[JUMPS] <= jumps:
            break
        calls, jumps = max(calls, int(tape.counts[CALLS])), max(jumps, int(tape.counts[JUMPS]))
    rows = _rows(system, results, order)
    if until_steady:
        rows = at_rest(rows, settings, solver, columns, nodes, start_states, visit)
    raw = np.tile(system.defaults, (n, 1))
    raw[:, columns] = settings
    memory = tape.steps
    tape, places, first = _sorted(tape, rows, order, DWELL * until_steady)
    made = Recording(
        system,
        solver.tableau,
        rows,
        nodes,
        raw,
        np.broadcast_to(grid, (n, grid.shape[1])),
        tape,
        places,
        first,
        start_states is not None,
        until_steady,
        results.atol,
    )
    weakref.finalize(made, _pool().give_back, memory)
    return made


def segments_of(recording: Recording) -> Segments:
    """The segments between jumps of all rows."""
    tape, order = recording.tape, recording.order
    return find_segments(
        tape.ends[order], tape.links[order, LINK_JUMP], recording.first, recording.times, recording.until_steady
    )


MOST_IDLE = 8


class _Pool:
    """Memory of finished recordings, to be used again: fresh memory costs as much as the simulation written into it."""

    def __init__(self) -> None:
        self.idle: list[FloatArray] = []
        self.lock = threading.RLock()  # what a thread gives back may be found by its garbage collector at any moment

    def take(self, size: int) -> FloatArray:
        with self.lock:
            for i, block in enumerate(self.idle):
                if size <= block.size <= 4 * size + 4096:
                    return self.idle.pop(i)[:size]
        return np.empty(size)

    def give_back(self, steps: FloatArray) -> None:
        block = steps
        while isinstance(block.base, np.ndarray):
            block = block.base
        with self.lock:
            if len(self.idle) < MOST_IDLE and block.ndim == 1:
                self.idle.append(block)


@lru_cache(maxsize=1)
def _pool() -> _Pool:
    return _Pool()


def _blank(system: System, n: int, calls: int, jumps: int, limits: Sequence[FloatArray] | None, n_stages: int) -> Tape:
    states, parameters = len(system.states), system.n_parameters
    lanes = min(LANES, max(n, 1))
    records, width, counts = lanes * calls, stages_column(states) + n_stages, np.zeros(3, dtype=np.int64)
    steps = _pool().take((records + LANES) * width).reshape(records + LANES, width)
    return Tape(
        steps=steps,
        address=steps.ctypes.data,
        n_stages=n_stages,
        lanes=lanes,
        ends=np.empty(records),
        links=np.empty((records, 2), dtype=np.int64),
        jumps=np.empty((jumps, 2 * states + parameters)),
        starts=np.empty((n, 2 * (states + parameters))),
        taken=np.zeros(n, dtype=np.int64),
        counts=counts,
        counts_address=counts.ctypes.data,
        limits=np.concatenate([np.empty((0, 2)), *(limits or ())]),
        first_limit=np.cumsum([0, *map(len, limits)]) if limits else np.zeros(n + 1, dtype=np.int64),
        lane_limit=np.zeros(LANES, dtype=np.int64),
        lane_stop=np.zeros(LANES),
        lane_record=np.zeros(LANES, dtype=np.int64),
    )


def _sorted(tape: Tape, rows: Rows, order: IntArray, dwell: int) -> tuple[Tape, IntArray, IntArray]:
    """The tape, its records row by row, and where each row's begin.

    ``dwell`` steps that stay at the steady state are added: sensitivities reach theirs later than the state.
    """
    first = np.concatenate([[0], np.cumsum(tape.taken)])
    places, following = np.empty(int(first[-1]), dtype=np.int64), first[:-1].copy()
    compiled(sort_steps)(tape, following, places)
    settled = np.flatnonzero((tape.taken > 0) & (rows.status == 0))
    if not dwell or not settled.size:
        return tape, places, first
    last = places[following[settled] - 1]
    still = np.zeros((len(settled), tape.steps.shape[1]))
    still[:, STEP_H] = tape.steps[last, STEP_H]
    still[:, STEP_T] = still[:, STEP_END] = tape.steps[last, STEP_END]
    still[:, STEP_COUNTS] = 1.0
    still[:, STEP_Y : STEP_Y + len(order)] = rows.x[settled][:, order]
    taken = int(tape.counts[CALLS]) * tape.lanes
    steps = np.concatenate([tape.steps[:taken], *[still] * dwell])
    links = np.stack([settled, np.full(len(settled), -1)], axis=1)
    added = taken + np.arange(dwell)[None, :] * len(settled) + np.arange(len(settled))[:, None]
    places = np.insert(places, np.repeat(following[settled], dwell), added.ravel())
    many = tape.taken.copy()
    many[settled] += dwell
    longer = tape._replace(
        steps=steps,
        address=steps.ctypes.data,
        ends=np.ascontiguousarray(steps[:, STEP_END]),
        links=np.concatenate([tape.links[:taken], *[links] * dwell]),
        taken=many,
    )
    return longer, places, np.concatenate([[0], np.cumsum(many)])


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
) -> int:
    """Record rows; returns how many events had room to wait."""
    if not len(settings):
        return 0
    until_steady = bool(tolerances[UNTIL_STEADY])
    progress, nothing = no_progress(), np.empty(0, dtype=np.int64)
    own = (columns, settings, starts, nothing, grid, tolerances, progress, 0, len(settings))
    job = Job(engine.system.defaults, *own)
    engine.serve(len(settings))
    with engine.lent(nodes) as memory:
        prepare = partial(loop_in, engine, memory, nodes, job, results, tape, until_steady)
        to_the_end(engine, prepare, progress)
        return memory.layout.most_pending


def _rows(system: System, results: Results, order: IntArray) -> Rows:
    ends = results.ends
    named = ends[:, STATE] >= 0
    state = np.full(len(ends), -1, dtype=np.int64)
    state[named] = order[ends[named, STATE].astype(np.int64)]
    x = np.empty_like(results.x)
    x[:, order] = results.x
    return Rows(
        system,
        results.values,
        ends[:, STATUS].astype(np.int64),
        ends[:, TIME],
        state,
        ends[:, STEPS_TAKEN].astype(np.int64),
        x,
    )
