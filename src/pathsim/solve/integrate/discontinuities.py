"""Modes: where comparisons and floors in the equations switch, and how a lane lands exactly there."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4
from ..llvm.layout import (
    CHATTERING,
    END,
    EQ,
    FEW_SWITCHES_AT_ONE_TIME,
    FLOOR,
    LANES,
    LT,
    MODE_SWITCHED,
    MOST_SWITCHES_AT_ONE_TIME,
    NOISY,
    OK,
    REPEATS,
    SWITCH_TIME,
    SWITCHED,
    T_NEXT,
    THETA,
    TS,
    Code,
    Discrete,
    H,
    Layout,
    T,
    place,
)
from .samples import dense


def land(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Bring every mode of a lane into agreement where it has arrived; returns whether any was wrong.

    An equality that was stepped over between two neighbouring doubles holds until :func:`release`.
    """
    passes = False
    call4(code.margins, place(at, T), place(at, at.y), place(at, at.k), place(at, at.margins))
    for m in range(at.n_modes):
        mode, margin = at.p + at.n_parameters + m, F[at.margins + m, lane]
        if discrete.modes[m, 0] == EQ and F[mode, lane] * margin < 0.0:
            F[mode, lane] = 0.0
            F[at.passing + m, lane] = margin
            passes = True
    if passes:
        call2(code.prep, place(at, at.p), place(at, at.k))
    return settle_modes(code, at, F, discrete, lane) or passes


def release(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Let equalities that were passed over end; returns whether there were any."""
    passed = False
    for m in range(at.n_modes):
        if F[at.passing + m, lane] != 0.0:
            F[at.passing + m, lane] = 0.0
            passed = True
    return passed and settle_modes(code, at, F, discrete, lane)


def settle_modes(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Bring every mode of a lane into agreement with its margin, here and now; returns whether any was wrong."""
    return settle(code, at, F, discrete, lane, T, at.y, at.p, at.k, at.passing)


def settle(
    code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, t: int, x: int, p: int, k: int, held: int
) -> bool:
    """As :func:`settle_modes`, for time, state, parameters and hoisted values at these rows of F.

    Modes may depend on each other, so this repeats; margins are always computed by the same code, so that a mode
    decided here is not contradicted by rounding when the next step looks at it. ``held``: the first row of what keeps
    modes as they are, see :func:`contradicts`.
    """
    any_wrong = False
    for _ in range(at.n_modes + 1):
        call4(code.margins, place(at, t), place(at, x), place(at, k), place(at, at.margins))
        wrong = False
        for m in range(at.n_modes):
            mode, margin, kind = p + at.n_parameters + m, F[at.margins + m, lane], discrete.modes[m, 0]
            if contradicts(at, F, kind, F[mode, lane], margin, m, lane, held):
                wrong = True
                F[mode, lane] = corrected(kind, F[mode, lane], margin)
        if not wrong:
            break
        any_wrong = True
        call2(code.prep, place(at, p), place(at, k))
    return any_wrong


def contradicts(at: Layout, F: FloatArray, kind: int, mode: float, margin: float, m: int, lane: int, held: int) -> bool:
    """Whether a margin contradicts mode m, and nothing at ``held`` keeps it: an equality just passed over keeps the
    margin it had there, and a mode that rounding alone switched has a width within which it is left alone."""
    if not is_wrong(kind, mode, margin):
        return False
    if kind == EQ and mode == 0.0 and margin == F[held + m, lane]:
        return False
    width = F[held + at.n_modes + m, lane]
    return not (width > 0.0 and abs(beyond(kind, mode, margin)) <= width)


def is_wrong(kind: int, mode: float, margin: float) -> bool:
    """Whether a margin contradicts a mode."""
    if kind == FLOOR:
        return bool(math.isfinite(margin) and not (mode <= margin and margin < mode + 1.0))
    if kind == EQ:
        if margin != margin:
            return mode == 0.0
        return (margin > 0.0) != (mode > 0.5) or (margin < 0.0) != (mode < -0.5)
    if kind == LT:
        return (margin > 0.0) != (mode > 0.5)
    return (margin >= 0.0) != (mode > 0.5)


def corrected(kind: int, mode: float, margin: float) -> float:
    """What a mode becomes when its margin contradicts it: an equality is 0 while it holds, else a sign."""
    if kind == FLOOR:
        return float(np.floor(margin))
    if kind == EQ:
        if margin == 0.0:
            return 0.0
        return -1.0 if margin < 0.0 else 1.0
    return 1.0 - mode


def beyond(kind: int, mode: float, margin: float) -> float:
    """How far a margin is from the level that its mode switches at."""
    if kind == FLOOR:
        return margin - (mode if margin < mode else mode + 1.0)
    return margin


def shorten(code: Code, at: Layout, F: FloatArray, N: IntArray) -> None:
    """End the step of each lane that met a switch there: its new state is that of the dense output."""
    met = False
    for lane in range(LANES):
        F[THETA, lane] = 1.0
        if N[SWITCHED, lane] == MODE_SWITCHED:
            met = True
            F[THETA, lane] = (F[T_NEXT, lane] - F[T, lane]) / F[H, lane]
    if not met:
        return
    dense(code, at, F)
    for lane in range(LANES):
        if N[SWITCHED, lane] == MODE_SWITCHED:
            for i in range(at.n):
                F[at.yn + i, lane] = F[at.xs + i, lane]


def flip_modes(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> int:
    """Correct the modes of a lane that has met a switch; say CHATTERING when that never ends."""
    if not land(code, at, F, discrete, lane):
        return OK
    if at.n_events == 0:
        release(code, at, F, discrete, lane)
    now = F[T, lane]
    if now - F[SWITCH_TIME, lane] <= 1e-14 * abs(now):
        N[REPEATS, lane] += 1
    else:
        N[REPEATS, lane] = 0
    F[SWITCH_TIME, lane] = now
    if N[REPEATS, lane] > FEW_SWITCHES_AT_ONE_TIME:
        _leave_alone(code, at, F, discrete, lane)
        N[REPEATS, lane] = 0
    quiet = True
    for m in range(at.n_modes):
        quiet = quiet and not F[at.noise + m, lane] > 0.0
    N[NOISY, lane] = 0 if quiet else N[NOISY, lane] + 1
    return CHATTERING if N[NOISY, lane] > MOST_SWITCHES_AT_ONE_TIME else OK


def _leave_alone(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> None:
    """Leave modes alone whose margins are no larger than what the tolerance of the states makes of them."""
    for side in range(2):
        sign = 10.0 - 20.0 * side
        for i in range(at.n):
            for other in range(LANES):
                F[at.xs + i, other] = F[at.y + i, other]
            F[at.xs + i, lane] += sign * F[at.atol + i, lane]
        call4(code.margins, place(at, T), place(at, at.xs), place(at, at.k), place(at, at.margins))
        for m in range(at.n_modes):
            F[at.margins_before + side * at.n_modes + m, lane] = F[at.margins + m, lane]
    for m in range(at.n_modes):
        width = abs(F[at.margins_before + m, lane] - F[at.margins_before + at.n_modes + m, lane])
        F[at.noise + m, lane] = width if discrete.modes[m, 1] == 0 and math.isfinite(width) else 0.0


def next_known_switch(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> float:
    """The next time at which a mode whose margin is linear in time turns wrong: the first such double, exactly."""
    call4(code.switches, place(at, T), place(at, at.y), place(at, at.k), place(at, at.switch_line))
    looked = -math.inf  # up to here nothing has been found
    while True:
        nearest = math.inf
        for m in range(at.n_modes):
            when = _known_switch(at, F, discrete, lane, m)
            if when > looked:
                nearest = min(nearest, when)
        if nearest == math.inf:
            return nearest
        near = nearest + 1e-13 * abs(nearest)
        first = math.inf
        for m in range(at.n_modes):
            when = _known_switch(at, F, discrete, lane, m)
            if when > looked and when <= near:
                first = min(first, _first_wrong(code, at, F, discrete, lane, m, when))
        if first < math.inf:
            return first
        looked = near


def _known_switch(at: Layout, F: FloatArray, discrete: Discrete, lane: int, m: int) -> float:
    """About when the margin of mode m, if linear in time, turns the mode wrong between now and the end; else
    infinite."""
    if discrete.modes[m, 1] == 0:
        return math.inf
    slope, start = F[at.switch_line + 2 * m, lane], F[at.switch_line + 2 * m + 1, lane]
    if slope == 0.0 or not math.isfinite(slope):
        return math.inf
    kind, mode, level = discrete.modes[m, 0], F[at.p + at.n_parameters + m, lane], 0.0
    if kind == FLOOR:
        level = mode + (1.0 if slope > 0.0 else 0.0)
    elif kind == EQ:
        if mode != 0.0 and (mode > 0.0) == (slope > 0.0):
            return math.inf  # it moves away
    elif (mode > 0.5) == (slope > 0.0):
        return math.inf
    when = (level - start) / slope
    if not when >= F[T, lane] - 1e-13 * abs(F[T, lane]) or when > F[END, lane]:
        return math.inf
    return float(when)


def _first_wrong(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, m: int, when: float) -> float:
    """The smallest double near ``when`` (and after the lane's time) at which mode m is wrong."""
    kind, mode = discrete.modes[m, 0], F[at.p + at.n_parameters + m, lane]
    for i in range(LANES):
        F[TS, i] = F[T, i]
    moment = max(when, F[T, lane])
    for _ in range(8):  # go back while it is wrong already
        before = math.nextafter(moment, -math.inf)
        F[TS, lane] = before
        call4(code.margins, place(at, TS), place(at, at.y), place(at, at.k), place(at, at.margins))
        if before <= F[T, lane] or not is_wrong(kind, mode, F[at.margins + m, lane]):
            break
        moment = before
    for _ in range(16):  # go on until it is wrong
        F[TS, lane] = moment
        call4(code.margins, place(at, TS), place(at, at.y), place(at, at.k), place(at, at.margins))
        if moment > F[T, lane] and is_wrong(kind, mode, F[at.margins + m, lane]):
            return float(moment)
        moment = math.nextafter(moment, math.inf)
    return math.inf
