"""The loop over recorded steps from last to first, a lane to each simulation.

Written so that it can be compiled (:mod:`pathsim.solve.llvm.loops`); run as it stands it gives the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

from ...arrays import FloatArray
from ..integrate.recorder import ENDED_EARLY, STEP_COUNTS, STEP_END, STEP_H, STEP_T, STEP_Y, Tape, stages_column
from ..llvm.calls import call2, call3, call4, call6
from ..llvm.layout import LANES, Floats1, Floats2, Floats3, Integers1, Integers2, LaneFloats
from .forward_loop import TASK_FIRST, TASK_LAST, TASK_LAST_SAMPLE, TASK_ROW, TASK_SAMPLE

STILL = 1e-30  # size of the step of lanes that have none to go back over


class AdjointCode(NamedTuple):
    """Addresses of compiled functions, see :mod:`pathsim.solve.rosenbrock.adjoint_step` and ``adjoint_code``."""

    prep: int
    prep_adjoint: int
    gather: int
    restage: int
    back: int
    back_dense: int
    hand: int
    add: int
    spread: int
    spread_more: int
    clear: int
    prepare_dense: int
    dense: int
    outputs_adjoint: int


class AdjointLayout(NamedTuple):
    """Sizes, addresses, and the first row in the workspace F of each array; ``t`` begins what a record fills."""

    n: int
    n_parameters: int
    n_hoisted: int
    n_outputs: int
    n_dense: int
    table: int
    base: int
    t: int
    h: int
    end: int
    counts: int
    y: int
    yn: int
    p: int
    k: int
    U: int
    D: int
    xs: int
    ts: int
    theta: int
    ybar: int
    nbar: int
    Dbar: int
    kbar: int
    pbar: int
    xbar: int
    w: int


class Lanes(NamedTuple):
    """Of each lane: the address of the record it is at, and (``LANES`` further on) of the one it comes to next; the
    sample it comes to next; a record to stand still on."""

    record: Integers1
    record_address: int
    sample: Integers1
    still: Floats2
    still_address: int


class Bars(NamedTuple):
    """Derivatives of the objective: ``outputs`` (rows, times, outputs) by the sampled values; ``states`` (tasks, n)
    by the state where a task ends, and in the end where it begins; ``parameters`` (tasks, p), which are added to."""

    outputs: Floats3
    states: Floats2
    parameters: Floats2


class Tasks(NamedTuple):
    """``table`` (tasks, 6) and ``samples`` as in :func:`forward_loop.run_tasks`; records of task m
    are ``order[first:last]``; states (tasks, n) and parameters (tasks, p) where tasks begin; ``times`` of samples."""

    table: Integers2
    order: Integers1
    states: Floats2
    parameters: Floats2
    samples: Integers2
    times: Floats1


class Starts(NamedTuple):
    """From raw values (rows, raw) to states and parameters: ``bars`` (rows, columns) receive derivatives by the raw
    values of interest; memory for one call, and addresses of all four and the function."""

    raw: Floats2
    bars: Floats2
    lane_raw: LaneFloats
    weights: LaneFloats
    lane_bars: LaneFloats
    time_address: int
    raw_address: int
    weights_address: int
    bars_address: int
    function: int


def start_back(starts: Starts, S: Floats2, Q: Floats2, count: Integers1) -> int:
    """Carry derivatives by initial states ``S`` (rows, ``count[0]``, in the order of the system; none where these are
    given) and parameters ``Q`` back to raw values, a lane to each row."""
    rows, n_states = starts.raw.shape[0], count[0]
    n_p = starts.raw.shape[1] - n_states
    for group in range((rows + LANES - 1) // LANES):
        for lane in range(LANES):
            row = min(group * LANES + lane, rows - 1)
            for i in range(starts.raw.shape[1]):
                starts.lane_raw[i, lane] = starts.raw[row, i]
            for i in range(n_p):
                starts.weights[i, lane] = Q[row, i]
            for i in range(n_states):
                starts.weights[n_p + i, lane] = S[row, i] if S.shape[1] > 0 else 0.0
            for i in range(starts.bars.shape[1]):
                starts.lane_bars[i, lane] = 0.0
        call4(starts.function, starts.time_address, starts.raw_address, starts.weights_address, starts.bars_address)
        for lane in range(LANES):
            row = group * LANES + lane
            if row < rows:
                for i in range(starts.bars.shape[1]):
                    starts.bars[row, i] = starts.lane_bars[i, lane]
    return 0


def place(at: AdjointLayout, row: int) -> int:
    """Address of a row of F."""
    return at.base + row * (LANES * 8)


def back_lanes(
    code: AdjointCode, at: AdjointLayout, F: LaneFloats, lanes: Lanes, tape: Tape, tasks: Tasks, bars: Bars
) -> int:
    """Carry derivatives of an objective back through the recorded steps of each task, a lane to each."""
    for group in range((tasks.table.shape[0] + LANES - 1) // LANES):
        first = group * LANES
        most = _begin(code, at, F, lanes, tasks, bars, first)
        for back in range(most):
            _step_back(code, at, F, lanes, tape, tasks, bars, first, back)
        _sample_beginnings(code, at, F, tasks, bars, first)
        call3(code.prep_adjoint, place(at, at.p), place(at, at.kbar), place(at, at.pbar))
        for lane in range(LANES):
            if first + lane < tasks.table.shape[0]:
                for i in range(at.n_parameters):
                    bars.parameters[first + lane, i] += F[at.pbar + i, lane]
    return 0


def _begin(
    code: AdjointCode, at: AdjointLayout, F: FloatArray, lanes: Lanes, tasks: Tasks, bars: Bars, first: int
) -> int:
    """Set the lanes up for as many tasks; returns the steps of the longest."""
    most = 0
    for lane in range(LANES):
        m = min(first + lane, tasks.table.shape[0] - 1)
        steps = tasks.table[m, TASK_LAST] - tasks.table[m, TASK_FIRST]
        if first + lane >= tasks.table.shape[0]:
            steps = 0
        most = max(most, steps)
        lanes.sample[lane] = tasks.table[m, TASK_LAST_SAMPLE] - 1
        lanes.still[lane, STEP_T] = 0.0
        lanes.still[lane, STEP_H] = STILL
        lanes.still[lane, STEP_END] = STILL
        lanes.still[lane, STEP_COUNTS] = 0.0
        for i in range(at.n):
            lanes.still[lane, STEP_Y + i] = tasks.states[m, i]
            F[at.ybar + i, lane] = bars.states[m, i] if steps > 0 else 0.0
        for i in range(at.n_parameters):
            F[at.p + i, lane] = tasks.parameters[m, i]
            F[at.pbar + i, lane] = 0.0
        for i in range(at.n_hoisted):
            F[at.kbar + i, lane] = 0.0
    call2(code.prep, place(at, at.p), place(at, at.k))
    return most


def _step_back(
    code: AdjointCode,
    at: AdjointLayout,
    F: FloatArray,
    lanes: Lanes,
    tape: Tape,
    tasks: Tasks,
    bars: Bars,
    first: int,
    back: int,
) -> None:
    """One step back in every lane that has one left; the others stand still with nothing to carry."""
    n8, width, count = at.n * LANES, tape.steps.shape[1], tasks.table.shape[0]
    active, early, ending = 0, 0, 0
    for lane in range(LANES):
        m = min(first + lane, count - 1)
        position, earliest = tasks.table[m, TASK_LAST] - 1 - back, tasks.table[m, TASK_FIRST]
        lanes.record[lane] = lanes.record[LANES + lane] = lanes.still_address + lane * lanes.still.shape[1] * 8
        if first + lane >= count or position < earliest:
            continue
        lanes.record[lane] = tape.address + tasks.order[position] * width * 8
        active |= 1 << lane
        if position == earliest:
            ending |= 1 << lane
        else:
            lanes.record[LANES + lane] = tape.address + tasks.order[position - 1] * width * 8
    call3(code.gather, lanes.record_address, place(at, at.t), stages_column(at.n))
    for lane in range(LANES):
        F[at.theta, lane] = 1.0
        if F[at.counts, lane] == ENDED_EARLY:
            early |= 1 << lane
            F[at.theta, lane] = (F[at.end, lane] - F[at.t, lane]) / F[at.h, lane]
    if at.n > 0:
        call2(code.restage, at.table, n8)
        if early > 0:
            call6(
                code.spread,
                place(at, at.theta),
                place(at, at.nbar),
                place(at, at.Dbar),
                place(at, at.ybar),
                place(at, at.ybar),
                n8,
            )
        else:
            call3(code.hand, place(at, at.ybar), place(at, at.nbar), n8)
    dense = _samples_inside(code, at, F, lanes, tasks, bars, first, back, active, early > 0)
    if at.n > 0:
        call2(code.back_dense if dense else code.back, at.table, n8)
    for lane in range(LANES):
        if ending >> lane & 1:
            for i in range(at.n):
                bars.states[first + lane, i] = F[at.ybar + i, lane]
                F[at.ybar + i, lane] = 0.0


def _samples_inside(
    code: AdjointCode,
    at: AdjointLayout,
    F: FloatArray,
    lanes: Lanes,
    tasks: Tasks,
    bars: Bars,
    first: int,
    back: int,
    active: int,
    dense: bool,
) -> bool:
    """Add what samples inside (or at the end of) the present steps say, as many segments as the fullest step needs.

    Returns whether anything has been said about the dense output; ``dense``: whether it had been before.
    """
    n8 = at.n * LANES
    ready = False
    while True:
        due, inside = 0, False
        for lane in range(LANES):
            if not active >> lane & 1:
                continue
            m = first + lane
            s = lanes.sample[lane]
            if s < tasks.table[m, TASK_SAMPLE] or tasks.samples[s, 0] != tasks.table[m, TASK_LAST] - 1 - back:
                continue
            lanes.sample[lane] = s - 1
            due |= 1 << lane
            theta = min((tasks.times[s] - F[at.t, lane]) / F[at.h, lane], 1.0)
            inside = inside or theta < 1.0
            F[at.theta, lane] = theta
            F[at.ts, lane] = tasks.times[s]
            for i in range(at.n_outputs):
                F[at.w + i, lane] = bars.outputs[tasks.table[m, TASK_ROW], tasks.samples[s, 1], i]
        if due == 0:
            return dense
        for lane in range(LANES):
            if not due >> lane & 1:
                F[at.theta, lane] = 1.0
                F[at.ts, lane] = F[at.t, lane]
                for i in range(at.n_outputs):
                    F[at.w + i, lane] = 0.0
        if at.n > 0:
            call2(code.clear, place(at, at.xbar), n8)
        if not inside or at.n == 0:
            _outputs_back(code, at, F, at.yn)
            if at.n > 0:
                call3(code.add, place(at, at.xbar), place(at, at.nbar), n8)
            continue
        if not dense:
            call2(code.clear, place(at, at.Dbar), at.n_dense * n8)
            dense = True
        if not ready:
            call3(code.prepare_dense, place(at, at.U), place(at, at.D), n8)
            ready = True
        call6(code.dense, place(at, at.y), place(at, at.yn), place(at, at.D), place(at, at.theta), place(at, at.xs), n8)
        _outputs_back(code, at, F, at.xs)
        call6(
            code.spread_more,
            place(at, at.theta),
            place(at, at.nbar),
            place(at, at.Dbar),
            place(at, at.xbar),
            place(at, at.ybar),
            n8,
        )


def _outputs_back(code: AdjointCode, at: AdjointLayout, F: FloatArray, state: int) -> None:
    if at.n_outputs > 0:
        call6(
            code.outputs_adjoint,
            place(at, at.ts),
            place(at, state),
            place(at, at.p),
            place(at, at.w),
            place(at, at.xbar),
            place(at, at.pbar),
        )


def _sample_beginnings(
    code: AdjointCode, at: AdjointLayout, F: FloatArray, tasks: Tasks, bars: Bars, first: int
) -> None:
    """Add what samples at the very beginning of the tasks say."""
    nth = 0
    while True:
        due = 0
        for lane in range(LANES):
            m = min(first + lane, tasks.table.shape[0] - 1)
            s = tasks.table[m, TASK_SAMPLE] + nth
            here = first + lane < tasks.table.shape[0] and s < tasks.table[m, TASK_LAST_SAMPLE]
            here = here and tasks.samples[s, 0] < 0
            if here:
                due |= 1 << lane
                F[at.ts, lane] = tasks.times[s]
            for i in range(at.n_outputs):
                F[at.w + i, lane] = bars.outputs[tasks.table[m, TASK_ROW], tasks.samples[s, 1], i] if here else 0.0
            for i in range(at.n):
                F[at.y + i, lane] = tasks.states[m, i]
                F[at.xbar + i, lane] = 0.0
        if due == 0:
            return
        _outputs_back(code, at, F, at.y)
        for lane in range(LANES):
            if due >> lane & 1:
                for i in range(at.n):
                    bars.states[first + lane, i] += F[at.xbar + i, lane]
        nth += 1
