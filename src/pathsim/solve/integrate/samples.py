"""Samples: outputs at the times asked for, before, at and after the end of a step."""

from __future__ import annotations

import math

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call3, call4, call6
from ..llvm.layout import (
    ACCEPTED,
    AIM,
    AT_REST,
    LANES,
    ROW,
    SAMPLED,
    SWITCHED,
    T_NEXT,
    THETA,
    TS,
    Code,
    H,
    Job,
    Layout,
    Results,
    T,
    place,
)


def all_sampled(N: IntArray, job: Job, lane: int) -> bool:
    return bool(N[SAMPLED, lane] >= job.times.shape[1])


def next_sample(N: IntArray, job: Job, lane: int) -> float:
    """The time of the next sample of a lane, infinite when none is left."""
    if all_sampled(N, job, lane):
        return math.inf
    return float(job.times[min(N[ROW, lane], job.times.shape[0] - 1), N[SAMPLED, lane]])


def sample_inside(code: Code, at: Layout, F: FloatArray, N: IntArray, job: Job, results: Results) -> None:
    """Samples that lie before the end of an accepted step, for all lanes at once, by dense output."""
    if at.n > 0:
        call3(code.prepare_dense, place(at, at.U), place(at, at.D), at.n * LANES)
    if at.alike != 0:
        _samples_side_by_side(code, at, F, N, job, results)
        return
    while True:
        due = 0
        for lane in range(LANES):
            F[THETA, lane] = 1.0
            if N[ROW, lane] >= 0 and F[ACCEPTED, lane] > 0.5 and F[AIM, lane] < F[T_NEXT, lane]:
                F[THETA, lane] = (F[AIM, lane] - F[T, lane]) / F[H, lane]
                F[TS, lane] = F[AIM, lane]
                due |= 1 << lane
        if due == 0:
            return
        if at.n > 0:
            dense(code, at, F)
        if at.computes_outputs != 0:
            call4(code.outputs, place(at, TS), place(at, at.xs), place(at, at.p), place(at, at.o))
        for lane in range(LANES):
            if due >> lane & 1:
                row, j = N[ROW, lane], N[SAMPLED, lane]
                for i in range(at.n_outputs):
                    source = job.sources[i]  # of a state, or of what was computed
                    results.values[row, j, i] = F[source if source >= at.o else source - at.y + at.xs, lane]
                N[SAMPLED, lane] = j + 1
                F[AIM, lane] = next_sample(N, job, lane)


def _samples_side_by_side(code: Code, at: Layout, F: FloatArray, N: IntArray, job: Job, results: Results) -> None:
    """All samples inside the step of the one simulation, as many at once as there are lanes."""
    for i in range(at.n_parameters + at.n_roots):
        for lane in range(1, LANES):
            F[at.p + i, lane] = F[at.p + i, 0]
    row = N[ROW, 0]
    grid = min(row, job.times.shape[0] - 1)
    last = job.times.shape[1] - 1
    while F[AIM, 0] < F[T_NEXT, 0]:
        first, due = N[SAMPLED, 0], 0
        for lane in range(LANES):
            time = job.times[grid, min(first + lane, last)]
            F[TS, lane] = time
            F[THETA, lane] = min(1.0, (time - F[T, 0]) / F[H, 0])
            if first + lane <= last and time < F[T_NEXT, 0]:
                due += 1
        if at.n > 0:
            dense(code, at, F)
        if at.computes_outputs != 0:
            call4(code.outputs, place(at, TS), place(at, at.xs), place(at, at.p), place(at, at.o))
        for i in range(at.n_outputs):
            source = job.sources[i]
            place_of = source if source >= at.o else source - at.y + at.xs
            for lane in range(due):
                results.values[row, first + lane, i] = F[place_of, lane]
        N[SAMPLED, 0] = first + due
        F[AIM, 0] = next_sample(N, job, 0)


def sample_now(code: Code, at: Layout, F: FloatArray, N: IntArray, job: Job, results: Results, arrived: int) -> None:
    """Samples due at the present moment of the lanes in ``arrived`` (bits)."""
    due = 0
    for lane in range(LANES):
        here = N[SWITCHED, lane] == AT_REST or F[AIM, lane] <= F[T, lane]
        if arrived >> lane & 1 and N[ROW, lane] >= 0 and here:
            due |= 1 << lane
    if due == 0:
        return
    if at.computes_outputs != 0:
        call4(code.outputs, place(at, T), place(at, at.y), place(at, at.p), place(at, at.o))
    for lane in range(LANES):
        if due >> lane & 1:
            row, j = N[ROW, lane], N[SAMPLED, lane]
            while j < job.times.shape[1] and (F[AIM, lane] <= F[T, lane] or N[SWITCHED, lane] == AT_REST):
                for i in range(at.n_outputs):
                    results.values[row, j, i] = F[job.sources[i], lane]
                j += 1
                N[SAMPLED, lane] = j
                F[AIM, lane] = next_sample(N, job, lane)


def dense(code: Code, at: Layout, F: FloatArray) -> None:
    """xs = state of every lane at t + theta*h."""
    call6(
        code.dense,
        place(at, at.y),
        place(at, at.yn),
        place(at, at.D),
        place(at, THETA),
        place(at, at.xs),
        at.n * LANES,
    )
