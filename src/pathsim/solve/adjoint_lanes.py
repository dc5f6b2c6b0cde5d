"""The loop over recorded steps from last to first, eight simulations at a time.

Written so that it can be compiled (:mod:`pathsim.solve.driver`); run as it stands it gives the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

from .calls import call2, call3, call4, call6
from .lane_layout import LANES, FloatArray, IntArray
from .sensitivity_lanes import TASK_FIRST, TASK_LAST, TASK_LAST_SAMPLE, TASK_ROW, TASK_SAMPLE
from .tape import LINK_JUMP, STEP_END, STEP_H, STEP_T, STEP_Y, Tape


class AdjointCode(NamedTuple):
    """Addresses of compiled functions, see :mod:`pathsim.solve.adjoint_code`."""

    prep: int
    prep_adjoint: int
    step: int
    spread: int
    spread_more: int
    complete: int
    clear: int
    prepare_dense: int
    dense: int
    outputs_adjoint: int


class AdjointLayout(NamedTuple):
    """Sizes, addresses, and the first row in the workspace F of each array."""

    n: int
    n_parameters: int
    n_hoisted: int
    n_entries: int
    n_outputs: int
    table: int
    base: int
    t: int
    ts: int
    h: int
    theta: int
    y: int
    yn: int
    p: int
    k: int
    U: int
    D: int
    xs: int
    ybar: int
    nbar: int
    Dbar: int
    Jbar: int
    kbar: int
    pbar: int
    xbar: int
    w: int


def place(at: AdjointLayout, row: int) -> int:
    """Address of a row of F."""
    return at.base + row * (LANES * 8)


def back_lanes(
    code: AdjointCode, at: AdjointLayout, F: FloatArray, tape: Tape, order: IntArray, tasks: IntArray, X: FloatArray,
    P: FloatArray, samples: IntArray, times: FloatArray, bars: FloatArray, S: FloatArray, Q: FloatArray,
) -> None:  # fmt: skip
    """Carry derivatives of an objective back through the recorded steps of each task, eight tasks side by side.

    ``bars`` (rows, times, outputs) are derivatives by the sampled values. ``S`` (tasks, n) come in as derivatives by
    the state where a task ends and leave as those where it begins; ``Q`` (tasks, p) gain those by the parameters.
    The rest as :func:`pathsim.solve.sensitivity_lanes.run_tasks` has it.
    """
    n, n_p = at.n, at.n_parameters
    for group in range((tasks.shape[0] + LANES - 1) // LANES):
        first = group * LANES
        most = 0
        for lane in range(LANES):
            m = min(first + lane, tasks.shape[0] - 1)
            most = max(most, tasks[m, TASK_LAST] - tasks[m, TASK_FIRST])
            for i in range(n_p):
                F[at.p + i, lane] = P[m, i]
                F[at.pbar + i, lane] = 0.0
            for i in range(n):
                F[at.ybar + i, lane] = S[m, i]
                F[at.y + i, lane] = X[m, i]
            for i in range(at.n_hoisted):
                F[at.kbar + i, lane] = 0.0
            F[at.t, lane] = 0.0
            F[at.h, lane] = 1.0
        call2(code.prep, place(at, at.p), place(at, at.k))
        for back in range(most):
            _step_back(code, at, F, tape, order, tasks, samples, times, bars, first, back, S)
        for lane in range(LANES):
            if first + lane < tasks.shape[0]:
                m = first + lane
                if tasks[m, TASK_LAST] - tasks[m, TASK_FIRST] == most:
                    for i in range(n):
                        S[m, i] = F[at.ybar + i, lane]
        _sample_beginnings(code, at, F, tasks, X, samples, times, bars, first, S)
        call3(code.prep_adjoint, place(at, at.p), place(at, at.kbar), place(at, at.pbar))
        for lane in range(LANES):
            if first + lane < tasks.shape[0]:
                for i in range(n_p):
                    Q[first + lane, i] += F[at.pbar + i, lane]


def _step_back(
    code: AdjointCode, at: AdjointLayout, F: FloatArray, tape: Tape, order: IntArray, tasks: IntArray,
    samples: IntArray, times: FloatArray, bars: FloatArray, first: int, back: int, S: FloatArray,
) -> None:  # fmt: skip
    """One step back in every lane that has one left; a lane that has none keeps its state with nothing to carry."""
    n, n8 = at.n, at.n * LANES
    for lane in range(LANES):
        m = min(first + lane, tasks.shape[0] - 1)
        position = tasks[m, TASK_LAST] - 1 - back
        active = first + lane < tasks.shape[0] and position >= tasks[m, TASK_FIRST]
        if not active:
            if first + lane < tasks.shape[0] and position == tasks[m, TASK_FIRST] - 1:
                for i in range(n):
                    S[m, i] = F[at.ybar + i, lane]
            for i in range(n):
                F[at.ybar + i, lane] = 0.0
        position = max(position, tasks[m, TASK_FIRST])
        tape.lane_record[lane] = -1
        if position < tasks[m, TASK_LAST]:
            record = order[position]
            tape.lane_record[lane] = record
            F[at.t, lane] = tape.steps[record, STEP_T]
            F[at.h, lane] = tape.steps[record, STEP_H]
        theta = 1.0
        if active and _ends_early(tape, order[position]):
            theta = (tape.steps[order[position], STEP_END] - F[at.t, lane]) / F[at.h, lane]
        F[at.theta, lane] = theta
    _gather(at, F, tape)
    if n > 0:
        call6(code.spread, place(at, at.theta), place(at, at.nbar), place(at, at.Dbar), place(at, at.ybar),
              place(at, at.ybar), n8)  # fmt: skip
        call2(code.clear, place(at, at.Jbar), max(at.n_entries, 1) * LANES)
    _samples_inside(code, at, F, tasks, samples, times, bars, first, back)
    if n > 0:
        call2(code.step, at.table, n8)


def _gather(at: AdjointLayout, F: FloatArray, tape: Tape) -> None:
    """State and stages of the steps in ``tape.lane_record``; no stages where a lane has none."""
    n = at.n
    whole = True
    for lane in range(LANES):
        whole = whole and tape.lane_record[lane] >= 0
    if whole:
        a, b, c, d = tape.lane_record[0], tape.lane_record[1], tape.lane_record[2], tape.lane_record[3]
        e, f, g, h = tape.lane_record[4], tape.lane_record[5], tape.lane_record[6], tape.lane_record[7]
        for i in range(9 * n):
            row = at.y + i if i < n else at.U + i - n
            F[row, 0] = tape.steps[a, STEP_Y + i]
            F[row, 1] = tape.steps[b, STEP_Y + i]
            F[row, 2] = tape.steps[c, STEP_Y + i]
            F[row, 3] = tape.steps[d, STEP_Y + i]
            F[row, 4] = tape.steps[e, STEP_Y + i]
            F[row, 5] = tape.steps[f, STEP_Y + i]
            F[row, 6] = tape.steps[g, STEP_Y + i]
            F[row, 7] = tape.steps[h, STEP_Y + i]
        return
    for lane in range(LANES):
        record = tape.lane_record[lane]
        for i in range(9 * n):
            row = at.y + i if i < n else at.U + i - n
            if record >= 0:
                F[row, lane] = tape.steps[record, STEP_Y + i]
            elif i >= n:
                F[row, lane] = 0.0


def _ends_early(tape: Tape, record: int) -> bool:
    t, h, end = tape.steps[record, STEP_T], tape.steps[record, STEP_H], tape.steps[record, STEP_END]
    return tape.links[record, LINK_JUMP] >= 0 and end - t < (1.0 - 1e-9) * h  # type: ignore[no-any-return]


def _samples_inside(
    code: AdjointCode, at: AdjointLayout, F: FloatArray, tasks: IntArray, samples: IntArray, times: FloatArray,
    bars: FloatArray, first: int, back: int,
) -> None:  # fmt: skip
    """Add what samples inside (or at the end of) the present steps say, as many rounds as the fullest step needs."""
    n, n8 = at.n, at.n * LANES
    skipped = 0
    ready = False
    while True:
        due = 0
        for lane in range(LANES):
            F[at.theta, lane] = 1.0
            for i in range(at.n_outputs):
                F[at.w + i, lane] = 0.0
            if first + lane >= tasks.shape[0]:
                continue
            m = first + lane
            position = tasks[m, TASK_LAST] - 1 - back
            if position < tasks[m, TASK_FIRST]:
                continue
            s = _nth_sample(samples, tasks[m, TASK_SAMPLE], tasks[m, TASK_LAST_SAMPLE], position, skipped)
            if s >= 0:
                due |= 1 << lane
                F[at.theta, lane] = min((times[s] - F[at.t, lane]) / F[at.h, lane], 1.0)
                F[at.ts, lane] = times[s]
                for i in range(at.n_outputs):
                    F[at.w + i, lane] = bars[tasks[m, TASK_ROW], samples[s, 1], i]
        if due == 0:
            return
        if n > 0 and not ready:
            call3(code.prepare_dense, place(at, at.U), place(at, at.D), n8)
            call4(code.complete, place(at, at.y), place(at, at.U), place(at, at.yn), n8)
            ready = True
        if n > 0:
            call6(code.dense, place(at, at.y), place(at, at.yn), place(at, at.D), place(at, at.theta),
                  place(at, at.xs), n8)  # fmt: skip
            call2(code.clear, place(at, at.xbar), n8)
        _outputs_back(code, at, F, at.xs)
        if n > 0:
            call6(code.spread_more, place(at, at.theta), place(at, at.nbar), place(at, at.Dbar), place(at, at.xbar),
                  place(at, at.ybar), n8)  # fmt: skip
        skipped += 1


def _nth_sample(samples: IntArray, first: int, last: int, position: int, nth: int) -> int:
    """The nth sample in the step at ``position``, or -1; samples are in order of position."""
    low, high = first, last
    while low < high:
        middle = (low + high) >> 1
        if samples[middle, 0] < position:
            low = middle + 1
        else:
            high = middle
    found = low + nth
    return found if found < last and samples[found, 0] == position else -1


def _outputs_back(code: AdjointCode, at: AdjointLayout, F: FloatArray, state: int) -> None:
    if at.n_outputs > 0:
        call6(code.outputs_adjoint, place(at, at.ts), place(at, state), place(at, at.p), place(at, at.w),
              place(at, at.xbar), place(at, at.pbar))  # fmt: skip


def _sample_beginnings(
    code: AdjointCode, at: AdjointLayout, F: FloatArray, tasks: IntArray, X: FloatArray, samples: IntArray,
    times: FloatArray, bars: FloatArray, first: int, S: FloatArray,
) -> None:  # fmt: skip
    """Add what samples at the very beginning of the tasks say."""
    nth = 0
    while True:
        due = 0
        for lane in range(LANES):
            m = min(first + lane, tasks.shape[0] - 1)
            for i in range(at.n):
                F[at.y + i, lane] = X[m, i]
                F[at.xbar + i, lane] = 0.0
            for i in range(at.n_outputs):
                F[at.w + i, lane] = 0.0
            s = tasks[m, TASK_SAMPLE] + nth
            if first + lane < tasks.shape[0] and s < tasks[m, TASK_LAST_SAMPLE] and samples[s, 0] < 0:
                due |= 1 << lane
                F[at.ts, lane] = times[s]
                for i in range(at.n_outputs):
                    F[at.w + i, lane] = bars[tasks[m, TASK_ROW], samples[s, 1], i]
        if due == 0:
            return
        _outputs_back(code, at, F, at.y)
        for lane in range(LANES):
            if due >> lane & 1:
                for i in range(at.n):
                    S[first + lane, i] += F[at.xbar + i, lane]
        nth += 1
