"""Discontinuities inside a step: the first root function of the state to cross, dips between two looks included."""

from __future__ import annotations

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call3, call4
from ..llvm.layout import (
    ACCEPTED,
    AT_DISCONTINUITY,
    EARLY,
    FLOOR,
    H_NEXT,
    LANDS,
    LANES,
    LATE,
    LEFT_WISH,
    NOT_SWITCHED,
    ROW,
    SWITCHED,
    T_NEXT,
    TARGET,
    THETA,
    TS,
    WISH,
    Code,
    Discrete,
    H,
    Layout,
    T,
    place,
)
from .discontinuities import contradicts
from .samples import dense

PARTS = 8  # points of a step at which branches that depend on the state are looked at
NEAR = 0.2  # a dip counts when its lowest point, as a parabola, comes so near to the switch, in units of its bend
MOST_LOOKS = 40  # at one dip
AT_START, AT_END = 1e-4, 1e-6  # shares of a step beside its ends in which dense output is as good as a new state
FLAT = 1e-3  # relative change of the lowest point at which a dip is known well enough


def _any_wrong(at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> bool:
    """Whether the root functions in the workspace contradict a branch of a lane that is not known in advance."""
    for m in range(at.n_roots):
        branch, root = F[at.p + at.n_parameters + m, lane], F[at.roots + m, lane]
        if discrete.roots[m, 1] == 0 and contradicts(at, F, discrete.roots[m, 0], branch, root, m, lane, at.passing):
            return True
    return False


def find_switches(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete) -> int:
    """Shorten accepted steps to the first moment a branch that depends on the state turns wrong; returns those lanes.

    Branches are looked at in PARTS points of each step, and between them where a root function dips towards zero; the
    moment is then found by bisection to the last bit, for all lanes that need it at once. The lane lands just behind
    it, so that the flipped branch agrees with its root function.
    """
    general = False
    for m in range(at.n_roots):
        general = general or discrete.roots[m, 1] == 0
    if not general:
        return 0
    if at.n > 0:
        call3(code.prepare_dense, place(at, at.U), place(at, at.D), at.n * LANES)
    found = 0
    call4(code.root_functions, place(at, T), place(at, at.y), place(at, at.k), place(at, at.roots))
    _remember(at, F)
    for part in range(1, PARTS + 1):
        for lane in range(LANES):
            F[THETA, lane] = part / PARTS
        _roots_inside(code, at, F)
        for lane in range(LANES):
            if N[ROW, lane] < 0 or F[ACCEPTED, lane] < 0.5 or found >> lane & 1:
                continue
            if _any_wrong(at, F, discrete, lane):
                found |= 1 << lane
                F[EARLY, lane] = F[T, lane] + (part - 1) / PARTS * F[H, lane]
                F[LATE, lane] = F[T_NEXT, lane] if part == PARTS else F[T, lane] + part / PARTS * F[H, lane]
        if part > 1:
            for lane in range(LANES):
                if N[ROW, lane] >= 0 and F[ACCEPTED, lane] > 0.5 and not found >> lane & 1:
                    dip = _dipping(at, F, discrete, lane)
                    if dip >= 0:
                        if _follow(code, at, F, discrete, lane, part, dip):
                            found |= 1 << lane
                        for i in range(LANES):  # look again where it looked elsewhere
                            F[THETA, i] = part / PARTS
                        _roots_inside(code, at, F)
        _remember(at, F)
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
            _roots_inside(code, at, F)
            for lane in range(LANES):
                middle = F[EARLY, lane] + 0.5 * (F[LATE, lane] - F[EARLY, lane])
                if found >> lane & 1 and middle > F[EARLY, lane] and middle < F[LATE, lane]:
                    if _any_wrong(at, F, discrete, lane):
                        F[LATE, lane] = middle
                    else:
                        F[EARLY, lane] = middle
    for lane in range(LANES):
        if found >> lane & 1:
            N[SWITCHED, lane] = AT_DISCONTINUITY
            F[T_NEXT, lane] = F[LATE, lane]
    return found


def land_on_switches(F: FloatArray, N: IntArray) -> int:
    """Let steps that met a switch well inside be tried again, to end there, for methods whose dense output is no new
    state: beside the ends of a step it is; returns those lanes. From the switch on they wish what they did before."""
    again = 0
    for lane in range(LANES):
        if N[SWITCHED, lane] != AT_DISCONTINUITY:
            continue
        wish = max(F[WISH, lane], F[LEFT_WISH, lane])
        distance = F[T_NEXT, lane] - F[T, lane]
        if distance < AT_START * F[H, lane] or distance > (1.0 - AT_END) * F[H, lane]:
            F[WISH, lane] = wish
            F[LEFT_WISH, lane] = 0.0
            continue
        again |= 1 << lane
        F[LEFT_WISH, lane] = wish
        N[SWITCHED, lane] = NOT_SWITCHED
        F[ACCEPTED, lane] = 0.0
        F[H_NEXT, lane] = distance
        F[TARGET, lane] = F[T_NEXT, lane]
        F[LANDS, lane] = 1.0
        F[T_NEXT, lane] = F[T, lane]
    return again


def _roots_inside(code: Code, at: Layout, F: FloatArray) -> None:
    """Root functions at t + theta*h in every lane."""
    for lane in range(LANES):
        F[TS, lane] = F[T_NEXT, lane] if F[THETA, lane] == 1.0 else F[T, lane] + F[THETA, lane] * F[H, lane]
    if at.n > 0:
        dense(code, at, F)
    call4(code.root_functions, place(at, TS), place(at, at.xs), place(at, at.k), place(at, at.roots))


def _remember(at: Layout, F: FloatArray) -> None:
    """Keep the root functions of the last two looks."""
    for m in range(at.n_roots):
        for lane in range(LANES):
            F[at.roots_before + at.n_roots + m, lane] = F[at.roots_before + m, lane]
            F[at.roots_before + m, lane] = F[at.roots + m, lane]


def _room(kind: int, branch: float, root: float, side: int) -> float:
    """How far a root function is from contradicting its branch; a floor has two sides."""
    if kind == FLOOR:
        return root - branch if side == 0 else branch + 1.0 - root
    return root if branch > 0.5 else -root


def _dips(first: float, middle: float, last: float) -> bool:
    """Whether the parabola through three equidistant points has its lowest point between them, near zero or below."""
    bend = first - 2.0 * middle + last
    if not bend > 0.0 or not abs(first - last) <= 2.0 * bend:
        return False
    slope = last - first
    return middle - 0.125 * slope * slope / bend < NEAR * bend


def _dipping(at: Layout, F: FloatArray, discrete: Discrete, lane: int) -> int:
    """The first root function that dips within the last three looks (twice its number, plus the side), or -1."""
    for m in range(at.n_roots):
        kind, branch = discrete.roots[m, 0], F[at.p + at.n_parameters + m, lane]
        if discrete.roots[m, 1] != 0:
            continue
        for side in range(2):
            first = _room(kind, branch, F[at.roots_before + at.n_roots + m, lane], side)
            middle = _room(kind, branch, F[at.roots_before + m, lane], side)
            last = _room(kind, branch, F[at.roots + m, lane], side)
            if (side == 0 or kind == FLOOR) and _dips(first, middle, last):
                return 2 * m + side
    return -1


def _follow(code: Code, at: Layout, F: FloatArray, discrete: Discrete, lane: int, part: int, dip: int) -> bool:
    """Go down a dip by successive parabolas; set EARLY and LATE of the lane and return True where it switches."""
    m, side = dip >> 1, dip & 1
    kind, branch = discrete.roots[m, 0], F[at.p + at.n_parameters + m, lane]
    first = _room(kind, branch, F[at.roots_before + at.n_roots + m, lane], side)
    low = _room(kind, branch, F[at.roots_before + m, lane], side)
    last = _room(kind, branch, F[at.roots + m, lane], side)
    a, b, c = (part - 2) / PARTS, (part - 1) / PARTS, part / PARTS
    for _ in range(MOST_LOOKS):
        left, right = (b - a) * (low - last), (b - c) * (low - first)
        if left == right:
            return False
        x = b - 0.5 * ((b - a) * left - (b - c) * right) / (left - right)
        x = min(max(x, a + 0.01 * (c - a)), c - 0.01 * (c - a))
        if x == b:
            return False
        for i in range(LANES):
            F[THETA, i] = x
        _roots_inside(code, at, F)
        root = F[at.roots + m, lane]
        if contradicts(at, F, kind, branch, root, m, lane, at.passing):
            F[EARLY, lane], F[LATE, lane] = F[T, lane] + a * F[H, lane], F[T, lane] + x * F[H, lane]
            return True
        room = _room(kind, branch, root, side)
        if abs(room - low) <= FLAT * abs(low):
            return False
        if room < low:
            if x > b:
                a, first = b, low
            else:
                c, last = b, low
            b, low = x, room
        elif x > b:
            c, last = x, room
        else:
            a, first = x, room
    return False
