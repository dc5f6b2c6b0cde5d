"""Modes: where comparisons and floors in the equations switch, and how a lane lands exactly there."""

from __future__ import annotations

import math

import numpy as np

from .calls import call2, call3, call4
from .lane_layout import (
    ACCEPTED,
    CHATTERING,
    EARLY,
    END,
    FLOOR,
    LANES,
    LATE,
    LT,
    MODE_SWITCHED,
    MOST_SWITCHES_AT_ONE_TIME,
    OK,
    REPEATS,
    ROW,
    SWITCH_TIME,
    SWITCHED,
    T_NEXT,
    THETA,
    TS,
    Code,
    Discrete,
    FloatArray,
    H,
    IntArray,
    Layout,
    T,
    place,
)
from .lane_samples import dense

PARTS = 8  # points inside a step at which modes that depend on the state are looked at


def settle_modes(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Bring every mode of a lane into agreement with its margin, here and now; returns whether any was wrong."""
    return settle(code, at, F, discrete, lane, T, at.y, at.p, at.k)


def settle(
    code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, t: int, x: int, p: int, k: int
) -> bool:
    """As :func:`settle_modes`, for time, state, parameters and hoisted values at these rows of F.

    Modes may depend on each other, so this repeats; margins are always computed by the same code, so that a mode
    decided here is not contradicted by rounding when the next step looks at it.
    """
    any_wrong = False
    for _ in range(at.n_modes + 1):
        call4(code.margins, place(at, t), place(at, x), place(at, k), place(at, at.margins))
        wrong = False
        for m in range(at.n_modes):
            mode, margin = p + at.n_parameters + m, F[at.margins + m, lane]
            if _is_wrong(discrete.modes[m, 0], F[mode, lane], margin):
                wrong = True
                F[mode, lane] = math.floor(margin) if discrete.modes[m, 0] == FLOOR else 1.0 - F[mode, lane]
        if not wrong:
            break
        any_wrong = True
        call2(code.prep, place(at, p), place(at, k))
    return any_wrong


def _is_wrong(kind: int, mode: float, margin: float) -> bool:
    """Whether a margin contradicts a mode."""
    if kind == FLOOR:
        return bool(math.isfinite(margin) and not (mode <= margin and margin < mode + 1.0))
    if kind == LT:
        return (margin > 0.0) != (mode > 0.5)
    return (margin >= 0.0) != (mode > 0.5)


def _any_wrong(at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Whether the margins in the workspace contradict a mode of a lane that is not known in advance."""
    for m in range(at.n_modes):
        mode, margin = F[at.p + at.n_parameters + m, lane], F[at.margins + m, lane]
        if discrete.modes[m, 1] == 0 and _is_wrong(discrete.modes[m, 0], mode, margin):
            return True
    return False


def find_switches(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete) -> int:
    """Shorten accepted steps to the first moment a mode that depends on the state turns wrong; returns those lanes.

    Modes are looked at in PARTS points of each step; the moment is then found by bisection to the last bit, for all
    lanes that need it at once. The lane lands just behind it, so that the flipped mode agrees with its margin.
    """
    general = False
    for m in range(at.n_modes):
        general = general or discrete.modes[m, 1] == 0
    if not general:
        return 0
    if at.n > 0:
        call3(code.prepare_dense, place(at, at.U), place(at, at.D), at.n * LANES)
    found = 0
    for part in range(1, PARTS + 1):
        for lane in range(LANES):
            F[THETA, lane] = part / PARTS
        _margins_inside(code, at, F)
        for lane in range(LANES):
            if N[ROW, lane] < 0 or F[ACCEPTED, lane] < 0.5 or found >> lane & 1:
                continue
            if _any_wrong(at, F, discrete, lane):
                found |= 1 << lane
                F[EARLY, lane] = F[T, lane] + (part - 1) / PARTS * F[H, lane]
                F[LATE, lane] = F[T_NEXT, lane] if part == PARTS else F[T, lane] + part / PARTS * F[H, lane]
    if found == 0:
        return 0
    searching = True
    while searching:
        searching = False
        for lane in range(LANES):
            middle = F[EARLY, lane] + 0.5 * (F[LATE, lane] - F[EARLY, lane])
            if found >> lane & 1 and middle > F[EARLY, lane] and middle < F[LATE, lane]:
                searching = True
                F[THETA, lane] = (middle - F[T, lane]) / F[H, lane]
            else:
                F[THETA, lane] = 1.0
        if searching:
            _margins_inside(code, at, F)
            for lane in range(LANES):
                middle = F[EARLY, lane] + 0.5 * (F[LATE, lane] - F[EARLY, lane])
                if found >> lane & 1 and middle > F[EARLY, lane] and middle < F[LATE, lane]:
                    if _any_wrong(at, F, discrete, lane):
                        F[LATE, lane] = middle
                    else:
                        F[EARLY, lane] = middle
    for lane in range(LANES):
        if found >> lane & 1:
            N[SWITCHED, lane] = MODE_SWITCHED
            F[T_NEXT, lane] = F[LATE, lane]
    return found


def _margins_inside(code: Code, at: Layout, F: FloatArray) -> None:
    """Margins at t + theta*h in every lane."""
    for lane in range(LANES):
        F[TS, lane] = F[T_NEXT, lane] if F[THETA, lane] == 1.0 else F[T, lane] + F[THETA, lane] * F[H, lane]
    if at.n > 0:
        dense(code, at, F)
    call4(code.margins, place(at, TS), place(at, at.xs), place(at, at.k), place(at, at.margins))


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
    if not settle_modes(code, at, F, discrete, lane):
        return OK
    now = F[T, lane]
    if now - F[SWITCH_TIME, lane] <= 1e-14 * abs(now):
        N[REPEATS, lane] += 1
    else:
        N[REPEATS, lane] = 0
    F[SWITCH_TIME, lane] = now
    return CHATTERING if N[REPEATS, lane] > MOST_SWITCHES_AT_ONE_TIME else OK


def next_known_switch(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> float:
    """The next time at which a mode whose margin is linear in time turns wrong: the first such double, exactly."""
    first = math.inf
    call4(code.switches, place(at, T), place(at, at.y), place(at, at.k), place(at, at.switch_line))
    for m in range(at.n_modes):
        slope, start = F[at.switch_line + 2 * m, lane], F[at.switch_line + 2 * m + 1, lane]
        if discrete.modes[m, 1] == 0 or slope == 0.0 or not math.isfinite(slope):
            continue
        level = 0.0
        if discrete.modes[m, 0] == FLOOR:
            level = F[at.p + at.n_parameters + m, lane] + (1.0 if slope > 0.0 else 0.0)
        when = (level - start) / slope
        if not when >= F[T, lane] - 1e-13 * abs(F[T, lane]) or when > F[END, lane]:
            continue
        first = min(first, _first_wrong(code, at, F, discrete, lane, m, when))
    return first


def _first_wrong(
    code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, m: int, when: float
) -> float:
    """The smallest double near ``when`` (and after the lane's time) at which mode m is wrong."""
    kind, mode = discrete.modes[m, 0], F[at.p + at.n_parameters + m, lane]
    for i in range(LANES):
        F[TS, i] = F[T, i]
    moment = max(when, F[T, lane])
    for _ in range(8):  # go back while it is wrong already
        before = np.nextafter(moment, -math.inf)
        F[TS, lane] = before
        call4(code.margins, place(at, TS), place(at, at.y), place(at, at.k), place(at, at.margins))
        if before <= F[T, lane] or not _is_wrong(kind, mode, F[at.margins + m, lane]):
            break
        moment = before
    for _ in range(16):  # go on until it is wrong
        F[TS, lane] = moment
        call4(code.margins, place(at, TS), place(at, at.y), place(at, at.k), place(at, at.margins))
        if moment > F[T, lane] and _is_wrong(kind, mode, F[at.margins + m, lane]):
            return float(moment)
        moment = np.nextafter(moment, math.inf)
    return math.inf
