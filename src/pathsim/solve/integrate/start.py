"""The start of a row: parameters, initial state and first step of rows, ready for lanes to take."""

from __future__ import annotations

import math

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4
from ..llvm.layout import (
    AGAIN,
    ATOL,
    ATTEMPT,
    CHANCE,
    END,
    FIRST_CHANCE,
    KINDS,
    LANES,
    LEFT_WISH,
    LIMIT,
    LIVE,
    MAX_STEPS,
    NOISY,
    NOT_SWITCHED,
    OLD_ERROR,
    OWN,
    OWN_SHARE,
    PENDING,
    REPEATS,
    ROW,
    RTOL,
    SAMPLED,
    SPAN,
    START,
    START_END,
    START_H,
    START_SPAN,
    START_T,
    SWITCH_TIME,
    SWITCHED,
    TAKEN,
    TIGHTER,
    TOLERANCE,
    TS,
    UNTIL_STEADY,
    WAS_REJECTED,
    WISH,
    Code,
    Discrete,
    Job,
    Layout,
    T,
    place,
)
from .discontinuities import settle
from .moments import find_moments, queue_moments

LONGEST_LEAP = 1e6
SEARCHED = 1e3
"""Times of the fastest state that the first step towards a steady state may take, and that scales are made in."""
LEAST_SHARE = 1e-5  # of the largest absolute tolerance of a kind of states that each of them has
SMALLEST_ATOL = 1e-300
TIGHTER_SHARE = 1e-7
"""Of absolute tolerances, where states grow again from below them: a row that shows it is done again with these."""


def prepare_stage(at: Layout, F: FloatArray, job: Job) -> None:
    """Fill in what all rows of a job share."""
    for i in range(at.n_raw):
        for slot in range(LANES):
            F[at.raw + i, slot] = job.defaults[i]
    for slot in range(LANES):
        F[START_T, slot] = job.settings[START]


def stage(code: Code, at: Layout, F: FloatArray, discrete: Discrete, job: Job, first: int, count: int) -> None:
    """Work out parameters, initial state and first step of ``count`` rows from ``first`` on, one per slot."""
    for slot in range(LANES):
        row = first + min(slot, count - 1)
        for c in range(job.columns.shape[0]):
            F[at.raw + job.columns[c], slot] = job.values[row, c]
        F[START_END, slot] = job.times[min(row, job.times.shape[0] - 1), job.times.shape[1] - 1]
    call4(code.start, place(at, START_T), place(at, at.raw), place(at, at.p_start), place(at, at.x_start))
    for slot in range(LANES):
        row = first + min(slot, count - 1)
        if job.start_states.shape[0] > 0:
            for i in range(at.n):
                F[at.x_start + i, slot] = job.start_states[row, i]
        for m in range(at.n_roots):
            F[at.p_start + at.n_parameters + m, slot] = 0.0
    call2(code.prep, place(at, at.p_start), place(at, at.k_start))
    if at.n_roots > 0:
        for slot in range(count):
            settle(code, at, F, discrete, slot, START_T, at.x_start, at.p_start, at.k_start, at.nothing_held)
    if at.n_moments > 0:
        find_moments(code, at, F, discrete, START_T, at.p_start, at.moment_start)
    _spans(code, at, F, discrete, job, count)
    _first_steps(code, at, F, discrete, job, count)


def _spans(code: Code, at: Layout, F: FloatArray, discrete: Discrete, job: Job, count: int) -> None:
    """The time that first steps and scales are made for: all of it, or, towards a steady state, what the fastest state
    needs, so that nothing depends on the unit of time."""
    for slot in range(LANES):
        F[START_SPAN, slot] = F[START_END, min(slot, count - 1)] - F[START_T, slot]
    if job.settings[UNTIL_STEADY] < 0.5 or at.n == 0:
        return
    call4(code.jacobian, place(at, START_T), place(at, at.x_start), place(at, at.k_start), place(at, at.J))
    for slot in range(LANES):
        fastest = fastest_state(at, F, discrete, min(slot, count - 1))
        if fastest > 0.0:
            F[START_SPAN, slot] = SEARCHED / fastest


def fastest_state(at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> float:
    """The largest rate at which a state decays or grows by itself (1/time), from the Jacobian in the workspace."""
    fastest = 0.0
    for i in range(at.n):
        if discrete.diagonal[i] >= 0:
            entry = abs(F[at.J + discrete.diagonal[i], lane])
            if math.isfinite(entry):
                fastest = max(fastest, entry)
    return fastest


def _first_steps(code: Code, at: Layout, F: FloatArray, discrete: Discrete, job: Job, count: int) -> None:
    """First step sizes (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations, volume 1, section 2.4)."""
    rtol = job.settings[RTOL]
    n = at.n
    for i in range(n):
        for slot in range(LANES):
            F[at.U + i, slot] = 0.0
            F[at.U + n + i, slot] = 0.0
    call4(code.rates, place(at, START_T), place(at, at.x_start), place(at, at.k_start), place(at, at.U))
    for slot in range(count):
        _first_scales(at, F, discrete, job, slot)
    for slot in range(LANES):
        chosen = min(slot, count - 1)
        span = F[START_SPAN, chosen]
        size = speed = 0.0
        for i in range(n):
            inverse = 1.0 / (F[at.atol_start + i, chosen] + rtol * abs(F[at.x_start + i, chosen]) + 1e-300)
            size += square(F[at.x_start + i, chosen] * inverse)
            speed += square(F[at.U + i, chosen] * inverse)
        h = 1e-3 * span
        if size > 1e-10 and speed > 1e-10:
            h = min(0.01 * math.sqrt(size / speed), span)
        if not h > 0.0 or not math.isfinite(h):
            h = 1e-6 * span if span > 0.0 else 1.0
        F[START_H, slot] = h
        F[TS, slot] = F[START_T, slot] + h
        for i in range(n):
            F[at.xs + i, slot] = F[at.x_start + i, chosen] + h * F[at.U + i, chosen]
    call4(code.rates, place(at, TS), place(at, at.xs), place(at, at.k_start), place(at, at.U + n))
    for slot in range(count):
        span = F[START_SPAN, slot]
        speed = bend = 0.0
        for i in range(n):
            inverse = 1.0 / (F[at.atol_start + i, slot] + rtol * abs(F[at.x_start + i, slot]) + 1e-300)
            speed += square(F[at.U + i, slot] * inverse)
            bend += square((F[at.U + n + i, slot] - F[at.U + i, slot]) * inverse)
        h = F[START_H, slot]
        steepest = math.sqrt(max(speed, bend / (h * h)) / max(n, 1))
        wish = 1e-3 * span
        if steepest > 1e-15 and math.isfinite(steepest):
            wish = math.sqrt(math.sqrt(0.01 / steepest))  # the fourth root: close to the fifth, and the same everywhere
        fastest = 0.0
        for i in range(n):
            fastest = max(
                fastest, abs(F[at.U + i, slot]) / (abs(F[at.x_start + i, slot]) + F[at.atol_start + i, slot] + 1e-300)
            )
        F[START_H, slot] = no_leap(max(min(100.0 * h, wish, span), 1e-12 * span), fastest)


def _first_scales(at: Layout, F: FloatArray, discrete: Discrete, job: Job, slot: int) -> None:
    """Absolute tolerances of a staged row: as given, or from its initial values; where all states of a kind are zero,
    from what their rates make in a thousandth of the time."""
    own = job.settings[OWN_SHARE]
    for i in range(at.n):
        F[at.atol_start + i, slot] = job.settings[ATOL]
    if own <= 0.0:
        return
    follow_scales(at, F, discrete, own, slot, at.x_start, at.atol_start)
    from_rates(at, F, discrete, own, slot, at.U, at.atol_start, F[START_SPAN, slot])


def from_rates(
    at: Layout, F: FloatArray, discrete: Discrete, own: float, lane: int, rates: int, atol: int, span: float
) -> None:
    """Absolute tolerances of kinds whose states were all zero so far, from their rates in a thousandth of a span."""
    for kind in range(KINDS):
        largest = made = 0.0
        for i in range(at.n):
            if discrete.kinds[i] == kind:
                largest = max(largest, F[atol + i, lane])
                if math.isfinite(F[rates + i, lane]):
                    made = max(made, abs(F[rates + i, lane]))
        if largest <= SMALLEST_ATOL:
            for i in range(at.n):
                if discrete.kinds[i] == kind:
                    F[atol + i, lane] = own * made * 1e-3 * span if made > 0.0 else SMALLEST_ATOL


def follow_scales(at: Layout, F: FloatArray, discrete: Discrete, own: float, lane: int, x: int, atol: int) -> None:
    """Raise the absolute tolerances from row ``atol`` on to what the states from row ``x`` on make of them: ``own``
    times each, and a share of that for the largest of its kind."""
    for kind in range(KINDS):
        largest = 0.0
        for i in range(at.n):
            if discrete.kinds[i] == kind:
                size = own * abs(F[x + i, lane])
                if math.isfinite(size):
                    F[atol + i, lane] = max(F[atol + i, lane], size)
                largest = max(largest, F[atol + i, lane])
        for i in range(at.n):
            if discrete.kinds[i] == kind:
                F[atol + i, lane] = max(F[atol + i, lane], LEAST_SHARE * largest)


def square(x: float) -> float:
    """x*x, which ``**`` need not be to the last bit."""
    return x * x


def no_leap(h: float, fastest: float) -> float:
    """A step that is not millions of times longer than the states take to change.

    An implicit method damps whatever is that much faster than its step, growth included, and its error estimate with
    it; from a shorter step on, the error control sees growth for what it is.
    """
    if math.isfinite(fastest) and fastest * h > LONGEST_LEAP:
        return LONGEST_LEAP / fastest
    return h


def take(
    at: Layout,
    F: FloatArray,
    N: IntArray,
    discrete: Discrete,
    job: Job,
    lane: int,
    row: int,
    slot: int,
    attempt: int,
) -> None:
    """Put a staged row into a lane."""
    share = TIGHTER_SHARE if attempt == TIGHTER else 1.0
    N[ATTEMPT, lane] = attempt
    N[AGAIN, lane] = -1
    F[OWN, lane] = share * job.settings[OWN_SHARE]
    for i in range(at.n_parameters + at.n_roots):
        F[at.p + i, lane] = F[at.p_start + i, slot]
    for i in range(at.n_hoisted):
        F[at.k + i, lane] = F[at.k_start + i, slot]
    for i in range(at.n):
        F[at.y + i, lane] = F[at.x_start + i, slot]
    F[T, lane] = F[START_T, slot]
    F[END, lane] = F[START_END, slot]
    F[WISH, lane] = F[START_H, slot]
    F[LEFT_WISH, lane] = 0.0
    F[TAKEN, lane] = 0.0
    F[LIMIT, lane] = job.settings[MAX_STEPS]
    F[LIVE, lane] = 1.0
    F[OLD_ERROR, lane] = 1.0
    F[WAS_REJECTED, lane] = 0.0
    F[SWITCH_TIME, lane] = -math.inf
    N[ROW, lane] = row
    N[SAMPLED, lane] = 0
    N[SWITCHED, lane] = NOT_SWITCHED
    N[REPEATS, lane] = 0
    N[PENDING, lane] = 0
    N[CHANCE, lane] = FIRST_CHANCE
    N[NOISY, lane] = 0
    for m in range(at.n_roots):
        F[at.passing + m, lane] = 0.0
        F[at.noise + m, lane] = 0.0
    for i in range(at.n):
        F[at.atol + i, lane] = share * F[at.atol_start + i, slot]
        F[at.peak + i, lane] = 0.0
        F[at.trough + i, lane] = -math.inf
    F[TOLERANCE, lane] = job.settings[RTOL]
    F[SPAN, lane] = F[START_SPAN, slot]
    for e in range(at.n_events):
        N[at.was_true + e, lane] = discrete.events[e, 1]
    queue_moments(at, F, N, discrete, lane, slot)
