"""Discontinuities: where comparisons and floors in the equations switch, and how a lane lands exactly there."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4
from ..llvm.layout import (
    AT_DISCONTINUITY,
    CHATTERING,
    END,
    EQ,
    FEW_SWITCHES_AT_ONE_TIME,
    FLOOR,
    LANES,
    LT,
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
    """Bring every branch of a lane into agreement where it has arrived; returns whether any was wrong.

    An equality that was stepped over between two neighbouring doubles holds until :func:`release`.
    """
    passes = False
    call4(code.root_functions, place(at, T), place(at, at.y), place(at, at.k), place(at, at.roots))
    for m in range(at.n_roots):
        branch, root = at.p + at.n_parameters + m, F[at.roots + m, lane]
        if discrete.roots[m, 0] == EQ and F[branch, lane] * root < 0.0:
            F[branch, lane] = 0.0
            F[at.passing + m, lane] = root
            passes = True
    if passes:
        call2(code.prep, place(at, at.p), place(at, at.k))
    return settle_branches(code, at, F, discrete, lane) or passes


def release(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Let equalities that were passed over end; returns whether there were any."""
    passed = False
    for m in range(at.n_roots):
        if F[at.passing + m, lane] != 0.0:
            F[at.passing + m, lane] = 0.0
            passed = True
    return passed and settle_branches(code, at, F, discrete, lane)


def settle_branches(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Bring every branch of a lane into agreement with its root function, now; returns whether any was wrong."""
    return settle(code, at, F, discrete, lane, T, at.y, at.p, at.k, at.passing)


def settle(
    code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, t: int, x: int, p: int, k: int, held: int
) -> bool:
    """As :func:`settle_branches`, for time, state, parameters and hoisted values at these rows of F.

    Branches may depend on each other, so this repeats; root functions are always computed by the same code, so that
    what is decided here is not contradicted by rounding when the next step looks at it. ``held``: the first row of
    what keeps branches as they are, see :func:`contradicts`.
    """
    any_wrong = False
    for _ in range(at.n_roots + 1):
        call4(code.root_functions, place(at, t), place(at, x), place(at, k), place(at, at.roots))
        wrong = False
        for m in range(at.n_roots):
            branch, root, kind = p + at.n_parameters + m, F[at.roots + m, lane], discrete.roots[m, 0]
            if contradicts(at, F, kind, F[branch, lane], root, m, lane, held):
                wrong = True
                F[branch, lane] = corrected(kind, F[branch, lane], root)
        if not wrong:
            break
        any_wrong = True
        call2(code.prep, place(at, p), place(at, k))
    return any_wrong


def contradicts(at: Layout, F: FloatArray, kind: int, branch: float, root: float, m: int, lane: int, held: int) -> bool:
    """Whether a root function contradicts branch m, and nothing at ``held`` keeps it: an equality just passed over
    keeps the value it had there, and a branch that rounding alone switched has a width within which it is kept."""
    if not is_wrong(kind, branch, root):
        return False
    if kind == EQ and branch == 0.0 and root == F[held + m, lane]:
        return False
    width = F[held + at.n_roots + m, lane]
    return not (width > 0.0 and abs(beyond(kind, branch, root)) <= width)


def is_wrong(kind: int, branch: float, root: float) -> bool:
    """Whether a root function contradicts a branch."""
    if kind == FLOOR:
        return bool(math.isfinite(root) and not (branch <= root and root < branch + 1.0))
    if kind == EQ:
        if root != root:
            return branch == 0.0
        return (root > 0.0) != (branch > 0.5) or (root < 0.0) != (branch < -0.5)
    if kind == LT:
        return (root > 0.0) != (branch > 0.5)
    return (root >= 0.0) != (branch > 0.5)


def corrected(kind: int, branch: float, root: float) -> float:
    """What a branch becomes when its root function contradicts it: an equality is 0 while it holds, else a sign."""
    if kind == FLOOR:
        return float(np.floor(root))
    if kind == EQ:
        if root == 0.0:
            return 0.0
        return -1.0 if root < 0.0 else 1.0
    return 1.0 - branch


def beyond(kind: int, branch: float, root: float) -> float:
    """How far a root function is from the level that its branch switches at."""
    if kind == FLOOR:
        return root - (branch if root < branch else branch + 1.0)
    return root


def shorten(code: Code, at: Layout, F: FloatArray, N: IntArray) -> None:
    """End the step of each lane that met a switch there: its new state is that of the dense output."""
    met = False
    for lane in range(LANES):
        F[THETA, lane] = 1.0
        if N[SWITCHED, lane] == AT_DISCONTINUITY:
            met = True
            F[THETA, lane] = (F[T_NEXT, lane] - F[T, lane]) / F[H, lane]
    if not met:
        return
    dense(code, at, F)
    for lane in range(LANES):
        if N[SWITCHED, lane] == AT_DISCONTINUITY:
            for i in range(at.n):
                F[at.yn + i, lane] = F[at.xs + i, lane]


def flip_branches(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> int:
    """Correct the branches of a lane that has met a switch; say CHATTERING when that never ends."""
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
    for m in range(at.n_roots):
        quiet = quiet and not F[at.noise + m, lane] > 0.0
    N[NOISY, lane] = 0 if quiet else N[NOISY, lane] + 1
    return CHATTERING if N[NOISY, lane] > MOST_SWITCHES_AT_ONE_TIME else OK


def _leave_alone(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> None:
    """Leave branches alone whose root functions are no larger than what the tolerance of the states makes of them."""
    for side in range(2):
        sign = 10.0 - 20.0 * side
        for i in range(at.n):
            for other in range(LANES):
                F[at.xs + i, other] = F[at.y + i, other]
            F[at.xs + i, lane] += sign * F[at.atol + i, lane]
        call4(code.root_functions, place(at, T), place(at, at.xs), place(at, at.k), place(at, at.roots))
        for m in range(at.n_roots):
            F[at.roots_before + side * at.n_roots + m, lane] = F[at.roots + m, lane]
    for m in range(at.n_roots):
        width = abs(F[at.roots_before + m, lane] - F[at.roots_before + at.n_roots + m, lane])
        F[at.noise + m, lane] = width if discrete.roots[m, 1] == 0 and math.isfinite(width) else 0.0


def take_sides(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> None:
    """After an event, branches that are left alone take the side they are on, however near: an event that sets a state
    back to its level is then seen to act again once the state has left the width, however often."""
    alone = False
    for m in range(at.n_roots):
        alone = alone or F[at.noise + m, lane] > 0.0
    if not alone:
        return
    call4(code.root_functions, place(at, T), place(at, at.y), place(at, at.k), place(at, at.roots))
    for m in range(at.n_roots):
        branch, root, kind = at.p + at.n_parameters + m, F[at.roots + m, lane], discrete.roots[m, 0]
        if F[at.noise + m, lane] > 0.0 and is_wrong(kind, F[branch, lane], root):
            F[branch, lane] = corrected(kind, F[branch, lane], root)
    call2(code.prep, place(at, at.p), place(at, at.k))


def next_known_switch(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> float:
    """The next time at which a branch that is known in advance turns wrong: the first such double, exactly."""
    call4(code.switches, place(at, T), place(at, at.y), place(at, at.k), place(at, at.switch_line))
    looked = -math.inf  # up to here nothing has been found
    while True:
        nearest = math.inf
        for m in range(at.n_roots):
            when = _known_switch(at, F, discrete, lane, m)
            if when > looked:
                nearest = min(nearest, when)
        if nearest == math.inf:
            return nearest
        near = nearest + 1e-13 * abs(nearest)
        first = math.inf
        for m in range(at.n_roots):
            when = _known_switch(at, F, discrete, lane, m)
            if when > looked and when <= near:
                first = min(first, _first_wrong(code, at, F, discrete, lane, m, when))
        if first < math.inf:
            return first
        looked = near


def _known_switch(at: Layout, F: FloatArray, discrete: Discrete, lane: int, m: int) -> float:
    """About when the root function of branch m, if linear in time, turns the branch wrong between now and the end; else
    infinite."""
    if discrete.roots[m, 1] == 0:
        return math.inf
    slope, start = F[at.switch_line + 2 * m, lane], F[at.switch_line + 2 * m + 1, lane]
    if slope == 0.0 or not math.isfinite(slope):
        return math.inf
    kind, branch, level = discrete.roots[m, 0], F[at.p + at.n_parameters + m, lane], 0.0
    if kind == FLOOR:
        level = branch + (1.0 if slope > 0.0 else 0.0)
    elif kind == EQ:
        if branch != 0.0 and (branch > 0.0) == (slope > 0.0):
            return math.inf  # it moves away
    elif (branch > 0.5) == (slope > 0.0):
        return math.inf
    when = (level - start) / slope
    if not when >= F[T, lane] - 1e-13 * abs(F[T, lane]) or when > F[END, lane]:
        return math.inf
    return float(when)


def _first_wrong(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, m: int, when: float) -> float:
    """The smallest double near ``when`` (and after the lane's time) at which branch m is wrong."""
    kind, branch = discrete.roots[m, 0], F[at.p + at.n_parameters + m, lane]
    for i in range(LANES):
        F[TS, i] = F[T, i]
    moment = max(when, F[T, lane])
    for _ in range(8):  # go back while it is wrong already
        before = math.nextafter(moment, -math.inf)
        F[TS, lane] = before
        call4(code.root_functions, place(at, TS), place(at, at.y), place(at, at.k), place(at, at.roots))
        if before <= F[T, lane] or not is_wrong(kind, branch, F[at.roots + m, lane]):
            break
        moment = before
    for _ in range(16):  # go on until it is wrong
        F[TS, lane] = moment
        call4(code.root_functions, place(at, TS), place(at, at.y), place(at, at.k), place(at, at.roots))
        if moment > F[T, lane] and is_wrong(kind, branch, F[at.roots + m, lane]):
            return float(moment)
        moment = math.nextafter(moment, math.inf)
    return math.inf
