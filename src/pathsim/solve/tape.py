"""The recording driver: as :mod:`pathsim.solve.lanes`, but every accepted step is written down, stages and all.

Derivatives of a computed trajectory are then exact: the recorded steps are differentiated with their sizes held
fixed, so what comes out is the derivative of the numbers that came out, not an approximation of another one.
Compiled by :mod:`pathsim.solve.driver`.
"""

from __future__ import annotations

from typing import NamedTuple

from .calls import call_step
from .lane_layout import (
    ACCEPTED,
    ATOL,
    LANDS,
    LANES,
    MODE_SWITCHED,
    ROW,
    RTOL,
    STOP,
    SWITCHED,
    Code,
    Discrete,
    FloatArray,
    H,
    IntArray,
    Job,
    Layout,
    Results,
    T,
)
from .lane_start import prepare_stage, stage, take
from .lanes import _after_step, _begin, _fill_spare_lanes, _jump

# columns of Tape.steps before the state
STEP_T, STEP_H, STEP_END = range(3)
STEP_Y = 3
# columns of Tape.links
LINK_ROW, LINK_JUMP = range(2)
# entries of Tape.counts
STEPS, JUMPS = range(2)


class Tape(NamedTuple):
    """``steps`` (capacity + 1, 3 + 9 n): time, size, time of its end, state, stages U_1 ... U_8 of accepted steps.

    ``links`` (capacity, 2): the row of each step, and the jump that followed it or -1. ``jumps`` (capacity, 2 n + p):
    state before, then state and parameters after whatever happened where a lane stopped. ``starts`` (rows, 2 (n + p)):
    state and parameters before and after what happened at the start of each row. ``counts``: steps and jumps, more
    than fit when the tape was too short.
    ``limits`` (l, 2): from which time on steps may be no larger than what; row r's are ``first_limit[r]`` and on.
    """

    steps: FloatArray
    links: IntArray
    jumps: FloatArray
    starts: FloatArray
    counts: IntArray
    limits: FloatArray
    first_limit: IntArray
    lane_limit: IntArray
    lane_row: IntArray
    lane_stop: FloatArray
    lane_record: IntArray


def record_lanes(
    code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, job: Job, results: Results, tape: Tape
) -> int:
    """Simulate the rows of a job and record them; returns the number of calls to the compiled step."""
    prepare_stage(at, F, job)
    for lane in range(LANES):
        N[ROW, lane] = -1
    next_row = job.first
    first_staged, staged = job.first, 0
    live = 0
    calls = 0
    n8 = at.n * LANES
    share = 1.0 / max(at.n, 1)
    rtol, atol = job.settings[RTOL], job.settings[ATOL]
    width = at.n + at.n_parameters + at.n_modes
    while live > 0 or next_row < job.last:
        for lane in range(LANES):
            while N[ROW, lane] < 0 and next_row < job.last:
                if next_row == first_staged + staged:
                    first_staged, staged = next_row, min(LANES, job.last - next_row)
                    stage(code, at, F, discrete, job, first_staged, staged)
                take(at, F, N, discrete, job, lane, next_row, next_row - first_staged)
                _copy(at, F, tape.starts, next_row, 0, lane)
                next_row += 1
                live += 1
                if calls == 0 and lane == 0:
                    _fill_spare_lanes(at, F)
                live -= _begin(code, at, F, N, discrete, job, results, lane)
                _copy(at, F, tape.starts, next_row - 1, width, lane)
                tape.lane_limit[lane] = tape.first_limit[next_row - 1]
                if N[ROW, lane] >= 0:
                    _limit(F, N, tape, lane)
        if live == 0:
            continue
        if at.n > 0:
            call_step(code.step, at.table, n8, 1, rtol, atol, share)
        else:
            _jump(F)
        calls += 1
        _note_steps(at, F, N, tape)
        live -= _after_step(code, at, F, N, discrete, job, results)
        _note_ends(at, F, N, tape)
        for lane in range(LANES):
            if N[ROW, lane] >= 0:
                _limit(F, N, tape, lane)
    return calls


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
    for i in range(at.n_parameters + at.n_modes):
        target[record, first + at.n + i] = F[at.p + i, lane]


def _note_steps(at: Layout, F: FloatArray, N: IntArray, tape: Tape) -> None:
    """Write down the steps just accepted."""
    waste = tape.steps.shape[0] - 1  # where lanes without an accepted step write, so that all can write together
    any_lane = False
    for lane in range(LANES):
        tape.lane_row[lane] = N[ROW, lane]
        tape.lane_record[lane] = waste
        if N[ROW, lane] < 0 or F[ACCEPTED, lane] < 0.5:
            continue
        tape.lane_stop[lane] = F[STOP, lane]
        record = tape.counts[STEPS]
        tape.counts[STEPS] = record + 1
        if record >= waste:
            continue
        any_lane = True
        tape.lane_record[lane] = record
        tape.links[record, LINK_ROW] = N[ROW, lane]
        tape.links[record, LINK_JUMP] = -1
        tape.steps[record, STEP_T] = F[T, lane]
        tape.steps[record, STEP_H] = F[H, lane]
    if not any_lane:
        return
    a, b, c, d = tape.lane_record[0], tape.lane_record[1], tape.lane_record[2], tape.lane_record[3]
    e, f, g, h = tape.lane_record[4], tape.lane_record[5], tape.lane_record[6], tape.lane_record[7]
    for i in range(9 * at.n):
        row = at.y + i if i < at.n else at.U + i - at.n
        tape.steps[a, STEP_Y + i] = F[row, 0]
        tape.steps[b, STEP_Y + i] = F[row, 1]
        tape.steps[c, STEP_Y + i] = F[row, 2]
        tape.steps[d, STEP_Y + i] = F[row, 3]
        tape.steps[e, STEP_Y + i] = F[row, 4]
        tape.steps[f, STEP_Y + i] = F[row, 5]
        tape.steps[g, STEP_Y + i] = F[row, 6]
        tape.steps[h, STEP_Y + i] = F[row, 7]


def _note_ends(at: Layout, F: FloatArray, N: IntArray, tape: Tape) -> None:
    """Write down where the steps ended, and the jump there when the lane had to stop."""
    for lane in range(LANES):
        record = tape.lane_record[lane]
        if record >= tape.steps.shape[0] - 1:
            continue
        tape.steps[record, STEP_END] = F[T, lane]
        if at.n_modes + at.n_events == 0:
            continue
        if N[SWITCHED, lane] != MODE_SWITCHED and F[T, lane] < tape.lane_stop[lane]:
            continue
        jump = tape.counts[JUMPS]
        tape.counts[JUMPS] = jump + 1
        if jump >= tape.jumps.shape[0]:
            continue
        tape.links[record, LINK_JUMP] = jump
        for i in range(at.n):
            tape.jumps[jump, i] = F[at.yn + i, lane]
        _copy(at, F, tape.jumps, jump, at.n, lane)
