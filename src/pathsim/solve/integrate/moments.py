"""Timed events: the moments at which their triggers switch, found once per row and kept in a queue.

A trigger that follows from time and unchanging parameters alone switches at moments known in advance. Each lane keeps
those ahead of it in a heap, so that where it stops only events whose moment has come are looked at.
"""

from __future__ import annotations

import math

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call3
from ..llvm.layout import DUE, END, LANES, LT, MOMENTS_LEFT, Code, Discrete, Layout, T, place

MOST_BACK, MOST_ON = 8, 16  # doubles that the exact moment may lie before or behind where division puts it


def find_moments(code: Code, at: Layout, F: FloatArray, discrete: Discrete, t: int, p: int, found: int) -> None:
    """Write to the rows from ``found`` on the first double after time ``t`` at which each root function of a timed
    event is on its other side, infinite where it never is; ``t`` and ``p`` are rows of F."""
    call3(code.moments, place(at, t), place(at, p), place(at, at.moment_line))
    for m in range(at.n_moments):
        for lane in range(LANES):
            F[at.moment_tried + m, lane] = F[t, lane]
    call3(code.moment_roots, place(at, at.moment_tried), place(at, p), place(at, at.moment_root))
    for m in range(at.n_moments):
        for lane in range(LANES):
            slope = F[at.moment_line + 2 * m, lane]
            when = math.inf
            if slope != 0.0 and not _is_beyond(at, F, discrete, m, lane):
                when = -F[at.moment_line + 2 * m + 1, lane] / slope
            F[found + m, lane] = max(when, F[t, lane]) if math.isfinite(when) else math.inf
    for _ in range(MOST_BACK):
        moved = False
        for m in range(at.n_moments):
            for lane in range(LANES):
                F[at.moment_tried + m, lane] = math.nextafter(F[found + m, lane], -math.inf)
        call3(code.moment_roots, place(at, at.moment_tried), place(at, p), place(at, at.moment_root))
        for m in range(at.n_moments):
            for lane in range(LANES):
                tried = F[at.moment_tried + m, lane]
                if F[found + m, lane] < math.inf and tried > F[t, lane] and _is_beyond(at, F, discrete, m, lane):
                    F[found + m, lane] = tried
                    moved = True
        if not moved:
            break
    for look in range(MOST_ON + 1):
        moved = False
        call3(code.moment_roots, place(at, found), place(at, p), place(at, at.moment_root))
        for m in range(at.n_moments):
            for lane in range(LANES):
                when = F[found + m, lane]
                if when < math.inf and not (when > F[t, lane] and _is_beyond(at, F, discrete, m, lane)):
                    F[found + m, lane] = math.nextafter(when, math.inf) if look < MOST_ON else math.inf
                    moved = True
        if not moved:
            break


def _is_beyond(at: Layout, F: FloatArray, discrete: Discrete, m: int, lane: int) -> bool:
    """Whether a root function just computed is on the side that time leads it to."""
    root = F[at.moment_root + m, lane]
    holds = root > 0.0 if discrete.moments[m, 0] == LT else root >= 0.0
    return bool(holds == (F[at.moment_line + 2 * m, lane] > 0.0))


def queue_moments(at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int, slot: int) -> None:
    """Give a lane the moments of its row, up to its end; at its start every timed event is to be looked at."""
    left = 0
    for m in range(at.n_moments):
        F[at.moment + m, lane] = F[at.moment_start + m, slot]
        if F[at.moment + m, lane] <= F[END, lane]:
            N[at.queue + left, lane] = m
            left += 1
    N[MOMENTS_LEFT, lane] = left
    for i in range(left >> 1):
        _sink(at, F, N, lane, (left >> 1) - 1 - i)
    due = at.n_events - at.n_untimed
    for i in range(due):
        N[at.due + i, lane] = discrete.timed[i]
    N[DUE, lane] = due


def next_moment(at: Layout, F: FloatArray, N: IntArray, lane: int) -> float:
    """The next moment of a lane, infinite when none is left."""
    return float(F[at.moment + N[at.queue, lane], lane]) if N[MOMENTS_LEFT, lane] > 0 else math.inf


def note_due(at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> None:
    """Take the moments that have come out of the queue, and list their events, ascending."""
    while next_moment(at, F, N, lane) <= F[T, lane]:
        event, due = discrete.moments[N[at.queue, lane], 1], N[DUE, lane]
        if due == 0 or N[at.due + due - 1, lane] != event:
            N[at.due + due, lane] = event
            N[DUE, lane] = due + 1
        left = N[MOMENTS_LEFT, lane] - 1
        N[at.queue, lane] = N[at.queue + left, lane]
        N[MOMENTS_LEFT, lane] = left
        _sink(at, F, N, lane, 0)


def _sink(at: Layout, F: FloatArray, N: IntArray, lane: int, i: int) -> None:
    """Let entry i of the heap sink to where neither of the two below it comes first."""
    left = N[MOMENTS_LEFT, lane]
    while 2 * i + 1 < left:
        child = 2 * i + 1
        if child + 1 < left and _comes_first(at, F, N, lane, child + 1, child):
            child += 1
        if not _comes_first(at, F, N, lane, child, i):
            return
        above = N[at.queue + i, lane]
        N[at.queue + i, lane] = N[at.queue + child, lane]
        N[at.queue + child, lane] = above
        i = child


def _comes_first(at: Layout, F: FloatArray, N: IntArray, lane: int, i: int, j: int) -> bool:
    """Whether entry i of the heap comes before entry j: by time, then by event."""
    first, second = N[at.queue + i, lane], N[at.queue + j, lane]
    if F[at.moment + first, lane] == F[at.moment + second, lane]:
        return bool(first < second)
    return bool(F[at.moment + first, lane] < F[at.moment + second, lane])
