"""Events: triggers, delays, priorities and assignments, as SBML Level 3 Version 2 (section 4.11) has them."""

from __future__ import annotations

import math

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4, call5
from ..llvm.layout import (
    BAD_DELAY,
    CHANCE,
    CHATTERING,
    CULPRIT,
    DUE,
    EVENTS_OF_BLOCK,
    MOST_SWITCHES_AT_ONE_TIME,
    NO_TIME,
    OK,
    PENDING,
    QUEUE_FULL,
    REGROWN,
    Code,
    Discrete,
    Layout,
    T,
    place,
)
from .discontinuities import release, settle_branches, take_sides
from .moments import note_due

ROUNDING = 1e-12  # share of the time by which a delay may miss zero and still stand for none


def happen(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> int:
    """Everything that happens at the present moment of lane lane (SBML Level 3 Version 2, section 4.11)."""
    note_due(at, F, N, discrete, lane)
    for _ in range(MOST_SWITCHES_AT_ONE_TIME + at.n_events):
        status = fire(code, at, F, N, discrete, lane)
        if status != OK:
            return status
        chosen = next_event(code, at, F, N, discrete, lane)
        if chosen < 0:
            if not release(code, at, F, discrete, lane):
                return OK
            continue
        execute(code, at, F, N, discrete, lane, chosen)
    return CHATTERING


def fire(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> int:
    """Note every trigger that turned true; forget pending ones that need their trigger to stay true.

    Untimed events are looked at, and those timed that are listed as due.
    """
    if at.n_untimed > 0:
        call4(code.triggers, place(at, T), place(at, at.y), place(at, at.k), place(at, at.triggers))
    block = timed_block = -1
    untimed = timed = 0
    while untimed < at.n_untimed or timed < N[DUE, lane]:
        e = discrete.untimed[untimed] if untimed < at.n_untimed else at.n_events
        if timed < N[DUE, lane] and N[at.due + timed, lane] < e:
            e = N[at.due + timed, lane]
            timed += 1
            if e >> EVENTS_OF_BLOCK != timed_block:
                timed_block = e >> EVENTS_OF_BLOCK
                triggers = place(at, at.triggers)
                call5(code.timed_triggers, place(at, T), place(at, at.y), place(at, at.p), triggers, timed_block)
        else:
            untimed += 1
        now = 1 if F[at.triggers + e, lane] > 0.5 else 0
        if now == 1 and N[at.was_true + e, lane] == 0:
            if e >> EVENTS_OF_BLOCK != block:
                block = e >> EVENTS_OF_BLOCK
                _effects(code, at, F, block)
            j = N[PENDING, lane]
            if j >= at.most_pending:
                return QUEUE_FULL
            first = discrete.events[e, 0]
            delay = F[at.effects + first, lane]
            if not delay >= -ROUNDING * abs(F[T, lane]):
                N[CULPRIT, lane] = e
                return BAD_DELAY
            F[at.pending_time + j, lane] = F[T, lane] + delay
            N[at.pending_event + j, lane] = e
            for i in range(((discrete.events[e + 1, 0] - first) >> 1) - 1):
                F[at.pending_values + at.most_targets * j + i, lane] = F[at.effects + first + 2 + 2 * i, lane]
            N[PENDING, lane] = j + 1
        elif now == 0 and N[at.was_true + e, lane] == 1 and discrete.events[e, 2] == 0:
            j = 0
            while j < N[PENDING, lane]:
                if N[at.pending_event + j, lane] == e:
                    _drop(at, F, N, lane, j)
                else:
                    j += 1
        N[at.was_true + e, lane] = now
    N[DUE, lane] = 0
    return OK


def _effects(code: Code, at: Layout, F: FloatArray, block: int) -> None:
    """Compute the effects of a block of events, as they are now."""
    call5(code.effects, place(at, T), place(at, at.y), place(at, at.p), place(at, at.effects), block)


def next_event(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> int:
    """Position of the due event of highest priority, or -1; chance decides among equals, the same in every run."""
    best, equals, chosen, block = -math.inf, 0, -1, -1
    for j in range(N[PENDING, lane]):
        if F[at.pending_time + j, lane] - F[T, lane] > NO_TIME:
            continue
        if N[at.pending_event + j, lane] >> EVENTS_OF_BLOCK != block:
            block = N[at.pending_event + j, lane] >> EVENTS_OF_BLOCK
            _effects(code, at, F, block)
        priority = F[at.effects + discrete.events[N[at.pending_event + j, lane], 0] + 1, lane]
        if chosen < 0 or priority > best:
            best, equals, chosen = priority, 1, j
        elif priority == best:
            equals += 1
            if _chance(N, lane, equals) == 0:
                chosen = j
    return chosen


def _chance(N: IntArray, lane: int, below: int) -> int:
    """A pseudo-random number in 0 ... below - 1 (xorshift, Marsaglia 2003); every row starts from the same seed."""
    state = N[CHANCE, lane]
    state ^= (state << 13) & 0x7FFFFFFFFFFFFFFF
    state ^= state >> 7
    state ^= (state << 17) & 0x7FFFFFFFFFFFFFFF
    N[CHANCE, lane] = state
    return int((state >> 20) % below)


def execute(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int, j: int) -> None:
    """Carry out pending event j; the effects in the workspace are those of the present moment."""
    e = N[at.pending_event + j, lane]
    first = discrete.events[e, 0]
    targets = (first >> 1) - e  # every event before e has two entries that are no targets, and two for each target
    for i in range(((discrete.events[e + 1, 0] - first) >> 1) - 1):
        value = F[at.effects + first + 2 + 2 * i, lane]
        if discrete.events[e, 3] != 0:
            value = F[at.pending_values + at.most_targets * j + i, lane]
        value *= F[at.effects + first + 3 + 2 * i, lane]
        index = discrete.targets[targets + i, 1]
        if discrete.targets[targets + i, 0] != 0:
            F[at.y + index, lane] = value
            if F[at.trough + index, lane] != REGROWN:
                F[at.trough + index, lane] = -math.inf  # it has not grown to where it is
        else:
            F[at.p + index, lane] = value
    _drop(at, F, N, lane, j)
    call2(code.prep, place(at, at.p), place(at, at.k))
    if at.n_roots > 0:
        take_sides(code, at, F, discrete, lane)
        settle_branches(code, at, F, discrete, lane)


def _drop(at: Layout, F: FloatArray, N: IntArray, lane: int, j: int) -> None:
    """Remove pending event j, keeping the order of the others."""
    for i in range(j, N[PENDING, lane] - 1):
        F[at.pending_time + i, lane] = F[at.pending_time + i + 1, lane]
        N[at.pending_event + i, lane] = N[at.pending_event + i + 1, lane]
        here = at.pending_values + at.most_targets * i
        for v in range(at.most_targets):
            F[here + v, lane] = F[here + at.most_targets + v, lane]
    N[PENDING, lane] -= 1
