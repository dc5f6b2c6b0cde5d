"""The recorder: what the integration loop writes down about every step when its results are to be differentiated.

Derivatives of a computed trajectory are then exact: the recorded steps are differentiated with their sizes held
fixed, so what comes out is the derivative of the numbers that came out, not an approximation of another one.
The integration loop is given a :class:`Tape`; one without lanes records nothing.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call_record
from ..llvm.layout import (
    ACCEPTED,
    AT_DISCONTINUITY,
    LANDS,
    LANES,
    ROW,
    STOP,
    SWITCHED,
    Code,
    Floats1,
    Floats2,
    H,
    Integers1,
    Integers2,
    Layout,
    T,
)

# columns of Tape.steps before the state, see pathsim.solve.rosenbrock.records
STEP_T, STEP_H, STEP_END, STEP_COUNTS = range(4)
STEP_Y = 4
ENDED_EARLY = 2.0
"""What a step counts as that was cut short where something happened: its end is inside it."""
# columns of Tape.links
LINK_ROW, LINK_JUMP = range(2)
# entries of Tape.counts: calls, each an attempt of all lanes; jumps; where the compiled step leaves its attempts
CALLS, JUMPS, JUST_NOW = range(3)


class Tape(NamedTuple):
    """``steps`` (lanes * calls + 8, width): time, size, time of its end, whether it counts (0: rejected; 1; or
    :data:`ENDED_EARLY`) and state of every attempted step, the ``lanes`` in use in a call one after another (what the
    others write is overwritten by the next call); from column :func:`stages_column` on the stages,
    ``n_stages`` numbers or 0 where they are not kept. ``address`` is that of ``steps``.

    ``ends`` (lanes * calls,): times of the ends once more. ``links`` (lanes * calls, 2): the row of each step that
    counts (else -1), and the jump that followed it or -1. ``jumps`` (capacity, 2 n + p): state before, then state and
    parameters after whatever happened where a lane stopped. ``starts`` (rows, 2 (n + p)): state and parameters before
    and after what happened at the start of each row. ``taken`` (rows,): steps that count. ``counts``: calls and jumps,
    more than fit when the tape was too short; ``counts_address`` is its address.
    ``limits`` (l, 2): from which time on steps may be no larger than what; row r's are ``first_limit[r]`` and on.
    """

    steps: Floats2
    address: int
    n_stages: int
    lanes: int
    ends: Floats1
    links: Integers2
    jumps: Floats2
    starts: Floats2
    taken: Integers1
    counts: Integers1
    counts_address: int
    limits: Floats2
    first_limit: Integers1
    lane_limit: Integers1
    lane_stop: Floats1
    lane_record: Integers1


def stages_column(n: int) -> int:
    """The first column behind the state: the next multiple of the number of lanes."""
    return (STEP_Y + n + LANES - 1) // LANES * LANES


@cache
def nothing_recorded() -> Tape:
    """The tape of a plain simulation."""
    no_pairs, no_numbers = np.empty((0, 2)), np.empty(0)
    none, counts = np.empty(0, dtype=np.int64), np.zeros(3, dtype=np.int64)
    return Tape(
        steps=no_pairs,
        address=0,
        n_stages=0,
        lanes=0,
        ends=no_numbers,
        links=np.empty((0, 2), dtype=np.int64),
        jumps=no_pairs,
        starts=no_pairs,
        taken=none,
        counts=counts,
        counts_address=0,
        limits=no_pairs,
        first_limit=none,
        lane_limit=none,
        lane_stop=no_numbers,
        lane_record=none,
    )


def note_taken(at: Layout, F: FloatArray, tape: Tape, row: int, lane: int) -> None:
    """Write down where a row starts, before anything happens there."""
    _copy(at, F, tape.starts, row, 0, lane)


def forget(tape: Tape, row: int, lane: int) -> None:
    """Let what has been written down of a row not count: it is begun anew."""
    for record in range(min(tape.counts[CALLS] * tape.lanes, tape.links.shape[0])):
        if tape.links[record, LINK_ROW] == row:
            tape.links[record, LINK_ROW] = -1
    tape.taken[row] = 0
    tape.lane_record[lane] = -1


def note_begun(at: Layout, F: FloatArray, N: IntArray, tape: Tape, row: int, lane: int) -> None:
    """Write down what has happened at the start of a row, and limit its first step."""
    _copy(at, F, tape.starts, row, at.n + at.n_parameters + at.n_roots, lane)
    tape.lane_limit[lane] = tape.first_limit[row]
    if N[ROW, lane] >= 0:
        _limit(F, N, tape, lane)


def _limit(F: FloatArray, N: IntArray, tape: Tape, lane: int) -> None:
    """Cut the next step of a lane to what its row allows at this time."""
    last = tape.first_limit[N[ROW, lane] + 1]
    i = tape.lane_limit[lane]
    if i >= last:
        return
    while i + 1 < last and tape.limits[i + 1, 0] <= F[T, lane]:
        i += 1
    tape.lane_limit[lane] = i
    if F[H, lane] > tape.limits[i, 1]:
        F[H, lane] = tape.limits[i, 1]
        F[LANDS, lane] = 0.0


def _copy(at: Layout, F: FloatArray, target: FloatArray, record: int, first: int, lane: int) -> None:
    """State and parameters of a lane into a record, from column ``first`` on."""
    for i in range(at.n):
        target[record, first + i] = F[at.y + i, lane]
    for i in range(at.n_parameters + at.n_roots):
        target[record, first + at.n + i] = F[at.p + i, lane]


def record_attempts(code: Code, at: Layout, tape: Tape, rtol: float) -> None:
    """Attempts until the integration loop is needed, written down as long as there is room."""
    capacity, width = tape.links.shape[0] // tape.lanes, tape.steps.shape[1]
    room = capacity - tape.counts[CALLS]
    most = 1 if tape.limits.shape[0] > 0 else at.attempts_at_once
    advance = tape.lanes * width * 8
    block = tape.counts[CALLS]
    if room > 0:
        most = min(most, room)
    else:
        block = capacity
        advance = 0
    place = tape.address + block * tape.lanes * width * 8
    call_record(
        code.record,
        at.table,
        at.n * LANES,
        most,
        rtol,
        1.0 / at.n,
        place,
        width,
        advance,
        tape.n_stages,
        tape.counts_address + JUST_NOW * 8,
    )


def _note_jump(F: FloatArray, tape: Tape) -> None:
    """The record of a step of a system without states."""
    tape.counts[JUST_NOW] = 1
    first = min(tape.counts[CALLS] * tape.lanes, tape.links.shape[0])
    for lane in range(tape.lanes):
        tape.steps[first + lane, STEP_T] = F[T, lane]
        tape.steps[first + lane, STEP_H] = F[H, lane]
        tape.steps[first + lane, STEP_COUNTS] = 1.0


def note_steps(at: Layout, F: FloatArray, N: IntArray, tape: Tape) -> None:
    """Say whose the steps just attempted are."""
    if at.n == 0:
        _note_jump(F, tape)
    first = tape.counts[CALLS] * tape.lanes
    now = tape.counts[JUST_NOW] * tape.lanes
    last = min(first + now, tape.links.shape[0])
    tape.counts[CALLS] += tape.counts[JUST_NOW]
    for record in range(first, last):
        lane = record % tape.lanes
        row = N[ROW, lane]
        tape.links[record, LINK_JUMP] = -1
        if row >= 0 and tape.steps[record, STEP_COUNTS] > 0.5:
            tape.links[record, LINK_ROW] = row
            tape.ends[record] = tape.steps[record, STEP_END]
            tape.taken[row] += 1
        else:
            tape.links[record, LINK_ROW] = -1
    for lane in range(LANES):
        tape.lane_record[lane] = -1
        tape.lane_stop[lane] = F[STOP, lane]
        if N[ROW, lane] >= 0 and F[ACCEPTED, lane] > 0.5 and first + now <= tape.links.shape[0]:
            tape.lane_record[lane] = first + now - tape.lanes + lane


def note_ends(at: Layout, F: FloatArray, N: IntArray, tape: Tape) -> None:
    """Write down where the last steps ended, and the jump there when the lane had to stop; limit the next ones."""
    for lane in range(LANES):
        if N[ROW, lane] >= 0:
            _limit(F, N, tape, lane)
        record = tape.lane_record[lane]
        if record < 0:
            continue
        tape.steps[record, STEP_END] = tape.ends[record] = F[T, lane]
        if at.n_roots + at.n_events == 0:
            continue
        if N[SWITCHED, lane] != AT_DISCONTINUITY and F[T, lane] < tape.lane_stop[lane]:
            continue
        jump = tape.counts[JUMPS]
        tape.counts[JUMPS] = jump + 1
        if jump >= tape.jumps.shape[0]:
            continue
        tape.links[record, LINK_JUMP] = jump
        if F[T, lane] - tape.steps[record, STEP_T] < (1.0 - 1e-9) * tape.steps[record, STEP_H]:
            tape.steps[record, STEP_COUNTS] = ENDED_EARLY
        for i in range(at.n):
            tape.jumps[jump, i] = F[at.yn + i, lane]
        _copy(at, F, tape.jumps, jump, at.n, lane)


def sort_steps(tape: Tape, following: Integers1, order: Integers1) -> int:
    """List the records that count row by row in ``order``; ``following`` (rows,) come in as first places, leave as
    last."""
    for record in range(min(tape.counts[CALLS] * tape.lanes, tape.links.shape[0])):
        row = tape.links[record, LINK_ROW]
        if row >= 0:
            order[following[row]] = record
            following[row] += 1
    return 0
