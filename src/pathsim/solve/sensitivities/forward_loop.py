"""The loops over recorded steps that carry forward sensitivities along, a lane to each direction.

Written so that they can be compiled (:mod:`pathsim.solve.llvm.loops`); run as they stand they give the same bits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...arrays import FloatArray
from ..integrate.recorder import ENDED_EARLY, STEP_COUNTS, STEP_END, STEP_H, STEP_T, STEP_Y, Tape, stages_column
from ..llvm.calls import call2, call3, call4, call6, call7
from ..llvm.layout import LANES, Floats1, Floats2, Floats3, Floats4, Integers1, Integers2, LaneFloats

# columns of tasks
TASK_ROW, TASK_FIRST, TASK_LAST, TASK_SAMPLE, TASK_LAST_SAMPLE, TASK_COLUMN = range(6)


class ForwardCode(NamedTuple):
    """Addresses of compiled functions, see :mod:`pathsim.solve.llvm.forward_code`."""

    prep: int
    prep_forward: int
    start_forward: int
    step: int
    fill: int
    move: int
    forward_error: int
    prepare_dense: int
    dense: int
    outputs_forward: int
    rates_forward: int


class ForwardLayout(NamedTuple):
    """Sizes, addresses of the step's table and of the workspace F, and the first row in F of each array.

    ``size`` holds relative sizes and tolerances, ``x`` states and their sensitivities, ``p`` parameters and
    theirs, ``raw`` raw values and theirs.
    """

    n: int
    n_parameters: int
    n_raw: int
    n_outputs: int
    n_stages: int
    table: int
    base: int
    t: int
    h: int
    theta: int
    x: int
    p: int
    raw: int
    k: int
    dk: int
    U: int
    dU: int
    yn: int
    dyn: int
    D: int
    dD: int
    xs: int
    o: int
    size: int


def address(at: ForwardLayout, row: int) -> int:
    """Address of a row of F."""
    return at.base + row * (LANES * 8)


def start_tasks(
    code: ForwardCode,
    at: ForwardLayout,
    F: LaneFloats,
    raw: Floats2,
    seeds: Floats3,
    tasks: Integers2,
    S: Floats3,
    Q: Floats3,
) -> None:
    """Sensitivities of initial states ``S`` (tasks, n, 8) and parameters ``Q`` (tasks, p, 8) from those of raw values.

    ``raw`` is (rows, n_raw), ``seeds`` (tasks, n_raw, 8).
    """
    for lane in range(LANES):
        F[at.t, lane] = 0.0
    for m in range(tasks.shape[0]):
        row = tasks[m, TASK_ROW]
        for i in range(at.n_raw):
            for lane in range(LANES):
                F[at.raw + i, lane] = raw[row, i]
                F[at.raw + at.n_raw + i, lane] = seeds[m, i, lane]
        call4(code.start_forward, address(at, at.t), address(at, at.raw), address(at, at.p), address(at, at.x))
        for i in range(at.n):
            for lane in range(LANES):
                S[m, i, lane] = F[at.x + i, lane]
        for i in range(Q.shape[1]):
            for lane in range(LANES):
                Q[m, i, lane] = F[at.p + i, lane] if i < at.n_parameters else 0.0


def rest_rates(
    code: ForwardCode,
    at: ForwardLayout,
    F: LaneFloats,
    rows: Integers1,
    times: Floats1,
    X: Floats2,
    P: Floats2,
    Q: Floats3,
    right: Floats3,
) -> None:
    """What rates change by, ``right`` (tasks, n, 8), when parameters move by ``Q`` (tasks, p, 8) while states stay.

    ``rows`` (tasks,) says whose ``times`` (rows,), states ``X`` (rows, n) and parameters ``P`` (rows, p) each has.
    """
    for m in range(rows.shape[0]):
        _put(at, F, times, X, P, Q, rows[m], m)
        for i in range(at.n):
            for lane in range(LANES):
                F[at.x + at.n + i, lane] = 0.0
                F[at.dyn + i, lane] = 0.0
        call2(code.prep, address(at, at.p), address(at, at.k))
        call2(code.prep_forward, address(at, at.p), address(at, at.dk))
        call7(
            code.rates_forward,
            address(at, at.t),
            address(at, at.x),
            address(at, at.k),
            address(at, at.p),
            address(at, at.x + at.n),
            address(at, at.dk),
            address(at, at.dyn),
        )
        for i in range(at.n):
            for lane in range(LANES):
                right[m, i, lane] = F[at.dyn + i, lane]


def rest_outputs(
    code: ForwardCode,
    at: ForwardLayout,
    F: LaneFloats,
    rows: Integers1,
    times: Floats1,
    X: Floats2,
    P: Floats2,
    Q: Floats3,
    S: Floats3,
    given: Floats3,
) -> None:
    """What outputs change by, ``given`` (tasks, outputs, 8), when states move by ``S`` (tasks, n, 8) and parameters by
    ``Q``; the rest as :func:`rest_rates`."""
    for m in range(rows.shape[0]):
        _put(at, F, times, X, P, Q, rows[m], m)
        for i in range(at.n):
            for lane in range(LANES):
                F[at.x + at.n + i, lane] = S[m, i, lane]
        call4(code.outputs_forward, address(at, at.t), address(at, at.x), address(at, at.p), address(at, at.o))
        for i in range(given.shape[1]):
            for lane in range(LANES):
                given[m, i, lane] = F[at.o + i, lane]


def _put(
    at: ForwardLayout, F: FloatArray, times: FloatArray, X: FloatArray, P: FloatArray, Q: FloatArray, row: int, m: int
) -> None:
    """Time, state and parameters of a row, and how the parameters move in a task."""
    n_p = P.shape[1]
    for lane in range(LANES):
        F[at.t, lane] = times[row]
    for i in range(at.n):
        for lane in range(LANES):
            F[at.x + i, lane] = X[row, i]
    for i in range(n_p):
        for lane in range(LANES):
            F[at.p + i, lane] = P[row, i]
            F[at.p + n_p + i, lane] = Q[m, i, lane]


def run_tasks(
    code: ForwardCode,
    at: ForwardLayout,
    F: LaneFloats,
    tape: Tape,
    order: Integers1,
    tasks: Integers2,
    X: Floats2,
    P: Floats2,
    S: Floats3,
    Q: Floats3,
    samples: Integers2,
    times: Floats1,
    out: Floats4,
    sizes: Floats2,
    tolerances: Floats2,
    errors: Floats1,
) -> None:
    """Carry sensitivities ``S`` (tasks, n, 8) through the recorded steps of each task, sampling outputs on the way.

    ``X`` (tasks, n) and ``P`` (tasks, p) are state and parameters where a task begins; ``Q`` (tasks, p, 8) those of
    the parameters. ``samples`` (s, 2): position in ``order`` of the step a sample lies in, or -1 for the beginning, and
    its number; ``times`` (s,). ``out`` is (rows, times, outputs, columns). ``errors`` (order) is raised to the error of
    each step's sensitivities over ``tolerances`` (rows, relative and absolute ones of states), ``sizes`` (tasks, 8)
    being the relative size of each direction; not where it is empty.
    """
    n, n_p, n8 = at.n, P.shape[1], at.n * LANES
    for m in range(tasks.shape[0]):
        for lane in range(LANES):
            F[at.size, lane] = sizes[m, lane]
            F[at.size + 1, lane] = tolerances[tasks[m, TASK_ROW], 0]
            for i in range(n):
                F[at.size + 2 + i, lane] = tolerances[tasks[m, TASK_ROW], 1 + i]
        for i in range(n_p):
            for lane in range(LANES):
                F[at.p + i, lane] = P[m, i]
                F[at.p + n_p + i, lane] = Q[m, i, lane]
        for i in range(n):
            for lane in range(LANES):
                F[at.x + i, lane] = X[m, i]
                F[at.x + n + i, lane] = S[m, i, lane]
        call2(code.prep, address(at, at.p), address(at, at.k))
        call2(code.prep_forward, address(at, at.p), address(at, at.dk))
        s, last = tasks[m, TASK_SAMPLE], tasks[m, TASK_LAST_SAMPLE]
        while s < last and samples[s, 0] < 0:
            _sample(code, at, F, at.x, times[s], tasks[m, TASK_ROW], samples[s, 1], tasks[m, TASK_COLUMN], out)
            s += 1
        for position in range(tasks[m, TASK_FIRST], tasks[m, TASK_LAST]):
            record = order[position]
            _load(code, at, tape, record)
            if n > 0:
                call2(code.step, at.table, n8)
                if errors.shape[0] > 0:
                    errors[position] = max(errors[position], _error(code, at, F))
            shortened = tape.steps[record, STEP_COUNTS] == ENDED_EARLY
            if shortened or (s < last and samples[s, 0] == position):
                _prepare_dense(code, at, n8)
            t, h = tape.steps[record, STEP_T], tape.steps[record, STEP_H]
            while s < last and samples[s, 0] == position:
                _inside(code, at, F, min((times[s] - t) / h, 1.0), n8)
                _sample(code, at, F, at.xs, times[s], tasks[m, TASK_ROW], samples[s, 1], tasks[m, TASK_COLUMN], out)
                s += 1
            if shortened:
                _inside(code, at, F, (tape.steps[record, STEP_END] - t) / h, n8)
            if n > 0:
                new = at.xs + n if shortened else at.dyn
                call3(code.move, address(at, new), address(at, at.x + n), n8)
        for i in range(n):
            for lane in range(LANES):
                S[m, i, lane] = F[at.x + n + i, lane]


def _load(code: ForwardCode, at: ForwardLayout, tape: Tape, record: int) -> None:
    """Put a recorded step into the workspace, the same in every lane."""
    place = tape.address + record * tape.steps.shape[1] * 8
    call3(code.fill, place + STEP_T * 8, address(at, at.t), LANES)
    call3(code.fill, place + STEP_H * 8, address(at, at.h), LANES)
    if at.n > 0:
        call3(code.fill, place + STEP_Y * 8, address(at, at.x), at.n * LANES)
        call3(code.fill, place + stages_column(at.n) * 8, address(at, at.U), at.n_stages * at.n * LANES)


def _error(code: ForwardCode, at: ForwardLayout, F: FloatArray) -> float:
    """The largest error of a step's sensitivities over its tolerance: root mean square over states, as for states."""
    n = at.n
    call7(
        code.forward_error,
        address(at, at.x),
        address(at, at.x + n),
        address(at, at.dyn),
        address(at, at.dU),
        address(at, at.size),
        address(at, at.theta),
        n * LANES,
    )
    worst = 0.0
    for lane in range(LANES):
        worst = max(worst, F[at.theta, lane])
    return math.sqrt(worst / n)


def _prepare_dense(code: ForwardCode, at: ForwardLayout, n8: int) -> None:
    if at.n > 0:
        call3(code.prepare_dense, address(at, at.U), address(at, at.D), n8)
        call3(code.prepare_dense, address(at, at.dU), address(at, at.dD), n8)


def _inside(code: ForwardCode, at: ForwardLayout, F: FloatArray, theta: float, n8: int) -> None:
    """xs = states and sensitivities at t + theta*h."""
    n = at.n
    for lane in range(LANES):
        F[at.theta, lane] = theta
    if n > 0:
        call6(
            code.dense,
            address(at, at.x),
            address(at, at.yn),
            address(at, at.D),
            address(at, at.theta),
            address(at, at.xs),
            n8,
        )
        call6(
            code.dense,
            address(at, at.x + n),
            address(at, at.dyn),
            address(at, at.dD),
            address(at, at.theta),
            address(at, at.xs + n),
            n8,
        )


def _sample(
    code: ForwardCode,
    at: ForwardLayout,
    F: FloatArray,
    state: int,
    time: float,
    row: int,
    j: int,
    column: int,
    out: FloatArray,
) -> None:
    """Sensitivities of the outputs at a state in the workspace."""
    if at.n_outputs == 0:
        return
    for lane in range(LANES):
        F[at.t, lane] = time
    call4(code.outputs_forward, address(at, at.t), address(at, state), address(at, at.p), address(at, at.o))
    for i in range(at.n_outputs):
        for lane in range(LANES):
            out[row, j, i, column + lane] = F[at.o + i, lane]
