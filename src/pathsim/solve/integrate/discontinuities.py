"""Modes: where comparisons and floors in the equations switch, and how a lane lands exactly there."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4
from ..llvm.layout import (
    CHATTERING,
    END,
    FLOOR,
    LANES,
    LT,
    MODE_SWITCHED,
    MOST_SWITCHES_AT_ONE_TIME,
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
            if is_wrong(discrete.modes[m, 0], F[mode, lane], margin):
                wrong = True
                F[mode, lane] = math.floor(margin) if discrete.modes[m, 0] == FLOOR else 1.0 - F[mode, lane]
        if not wrong:
            break
        any_wrong = True
        call2(code.prep, place(at, p), place(at, k))
    return any_wrong


def is_wrong(kind: int, mode: float, margin: float) -> bool:
    """Whether a margin contradicts a mode."""
    if kind == FLOOR:
        return bool(math.isfinite(margin) and not (mode <= margin and margin < mode + 1.0))
    if kind == LT:
        return (margin > 0.0) != (mode > 0.5)
    return (margin >= 0.0) != (mode > 0.5)


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


def _first_wrong(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, m: int, when: float) -> float:
    """The smallest double near ``when`` (and after the lane's time) at which mode m is wrong."""
    kind, mode = discrete.modes[m, 0], F[at.p + at.n_parameters + m, lane]
    for i in range(LANES):
        F[TS, i] = F[T, i]
    moment = max(when, F[T, lane])
    for _ in range(8):  # go back while it is wrong already
        before = np.nextafter(moment, -math.inf)
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
        moment = np.nextafter(moment, math.inf)
    return math.inf
