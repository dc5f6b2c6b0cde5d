"""What the steps of all one-step methods have in common, as LLVM IR: the table they read, attempt after attempt, the
error norm, the control of the step size, dense output and commit, lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .layout import REGROWN
from .loop_ir import Loops
from .vector_ir import LANES, MASK, VECTOR, Function, splat

POINTERS = (
    "t", "h", "ts", "ig", "y", "atol", "k", "J", "A", "U", "u", "yn", "dfdt",
    "error", "old_error", "was_rejected", "stop", "aim", "accepted", "wish", "h_next", "t_next", "lands", "target",
    "live", "taken", "limit", "peak", "trough", "own", "tolerance", "refused",
    "f_rates", "f_jacobian", "f_time_derivative", "f_factor", "f_solve", "f_refuse", "lu",
)  # fmt: skip
"""The table a step reads its pointers from, in this order. ``f_time_derivative`` and ``f_refuse`` may be null;
``error`` is the last stage where that is the error."""

SIZES = ("a8", "k8")
"""Integers behind the pointers: doubles in the factors of one factorisation, and in the hoisted values."""

LARGEST_GROWTH = 30.0
"""From one step to the next; most of it is used while a run sets out with steps made for states that are zero."""

SMALLEST_GROWTH = 0.2
SMALLEST_SHRINKAGE = 0.1
SAFETY = 0.85
ERROR_FLOOR = 0.2
REFUSED_ERROR = 1e100
SMALLEST_RELATIVE_STEP = 4e-16
SMALLEST_STEP = 1e-290
CLEARLY_ABOVE = 1e3  # absolute tolerances
GREAT = 1e300
WORTH_LANDING = 0.3
"""A step is cut to end at the next sample when that leaves at least this share of it: values at the end of a step are
of higher order than those of the dense output."""


Attempts = Callable[[Loops, Mapping[str, str]], Callable[[], None]]
"""``attempts(f, pointers)`` writes what is done before the first attempt; what it returns writes an attempt, up to a
branch to ``%look``."""

Note = Callable[[Loops, str, Mapping[str, str], Sequence[str]], None]
"""``note(f, count, pointers, head)``: what to do about attempt number ``count`` (from 1)."""


def nothing_to_note(f: Loops, count: str, pointer: Mapping[str, str], head: Sequence[str]) -> None:
    """Of a plain simulation."""


def entry(name: str, more: str, fused: bool, attempts: Attempts, note: Note) -> Function:
    """``step``: attempts on all lanes until one of them needs the integration loop, at most ``%most`` of them.

    A live lane needs the loop when it has reached its next sample or stop, when its step became too small, or when
    it has taken as many steps as it may. The last attempt is left uncommitted for the loop to look at. ``note`` is
    shown every attempt, see :mod:`pathsim.solve.rosenbrock.records`; ``more`` are the arguments it needs.
    """
    f = Loops(name, ("table",), f"i64 %n8, i64 %most, double %rtol, double %share{more}", fused)
    pointer = {name: f.pointer("%table", index) for index, name in enumerate(POINTERS)}
    attempt = attempts(f, pointer)
    live = f.read(pointer["live"])
    limit = f.read(pointer["limit"])
    f.lines += ["br label %again", "again:", f"%count = phi i64 [ 1, %{f.block} ], [ %countn, %after_commit ]"]
    f.in_block("look")
    attempt()
    f.lines.append("look:")
    one, zero = splat(1.0), splat(0.0)
    steps = f.binary("fadd", f.read(pointer["taken"]), live)
    f.write(pointer["taken"], steps)
    t, now, accepted = f.read(pointer["t"]), f.read(pointer["t_next"]), f.read(pointer["accepted"])
    note(f, "%count", pointer, [t, f.read(pointer["h"]), now, f.binary("fmul", accepted, live)])
    nearest = f.intrinsic("minnum", f.read(pointer["aim"]), f.read(pointer["stop"]))
    arrived = f.choose("oge", now, nearest, accepted, zero)
    floor = f.multiply_add(f.intrinsic("fabs", t), splat(SMALLEST_RELATIVE_STEP), splat(SMALLEST_STEP))
    h_next = f.read(pointer["h_next"])
    stuck = f.choose("ole", h_next, floor, f.binary("fsub", one, accepted), zero)
    tired = f.choose("oge", steps, limit, one, zero)
    needs = f.binary("fmul", f.binary("fadd", arrived, f.binary("fadd", stuck, tired)), live)
    mask = f.emit(f"fcmp ogt {VECTOR} {needs}, {zero}")
    bits = f.emit(f"bitcast {MASK} {mask} to i{LANES}")
    any_lane = f.emit(f"icmp ne i{LANES} {bits}, 0")
    last = f.emit("icmp uge i64 %count, %most")
    f.lines += [f"br i1 {f.emit(f'or i1 {any_lane}, {last}')}, label %leave, label %commit"]
    f.lines += ["leave:", "ret void", "commit:"]
    moves = f.binary("fmul", accepted, live)
    f.write(pointer["accepted"], moves)
    f.write(pointer["t"], f.choose("ogt", moves, zero, now, t))
    f.write(pointer["h"], f.choose("ogt", live, zero, h_next, f.read_to_blend(pointer["h"])))
    f.lines += [f"call void @commit(ptr {pointer['y']}, ptr {pointer['yn']}, ptr {pointer['accepted']}, i64 %n8)"]
    f.lines += ["br label %after_commit", "after_commit:", "%countn = add i64 %count, 1", "br label %again"]
    f.lines += ["unreachable_end:"]
    return f


def scaled_error(f: Loops, index: str, error: str, new: str, rtol: str, own: str) -> str:
    """The squared ``error`` of one state over its tolerance; also writes the ``new`` state to ``%yn``, and raises
    ``%atol`` to ``own`` times the state."""
    f.write(f.at("%yn", index), new)
    old = f.read(f.at("%y", index))
    size = f.intrinsic("fabs", old)
    largest = f.larger(f.intrinsic("fabs", new), size)
    atol = f.larger(f.binary("fmul", own, size), f.read_to_blend(f.at("%atol", index)))
    f.write(f.at("%atol", index), atol)
    f.write(f.at("%trough", index), _trough(f, f.read(f.at("%trough", index)), size, atol))
    scale = f.multiply_add(rtol, largest, atol)
    ratio = f.binary("fmul", error, f.approximate_reciprocal(scale))
    return f.binary("fmul", ratio, ratio)


def refused(f: Loops, square: str) -> str:
    """The squared error of an attempt, a huge one where the model refuses the new state. Its time is in ``%ts``."""
    may_refuse = f.emit("icmp ne ptr %f_refuse, null")
    refusal = "ptr %ts, ptr %y, ptr %yn, ptr %k, ptr %atol, ptr %peak, ptr %tolerance, ptr %refused"
    f.when(may_refuse, lambda: f.lines.append(f"call void %f_refuse({refusal})"))
    return f.choose("ogt", f.read("%refused"), splat(0.5), splat(REFUSED_ERROR), square)


def _trough(f: Loops, before: str, size: str, atol: str) -> str:
    """What is remembered of how low a state has been since it was clearly above its absolute tolerance: the smallest
    size; GREAT while it is there, less than none before it ever was, REGROWN once it has come back from below."""
    lower = f.emit(f"fcmp olt {VECTOR} {f.intrinsic('fabs', before)}, {atol}")
    above = f.emit(f"fcmp ogt {VECTOR} {size}, {f.binary('fmul', atol, splat(CLEARLY_ABOVE))}")
    back = f.emit(f"select {MASK} {lower}, {VECTOR} {splat(REGROWN)}, {VECTOR} {splat(GREAT)}")
    return f.emit(f"select {MASK} {above}, {VECTOR} {back}, {VECTOR} {f.smaller(size, before)}")


def spread(f: Loops, scalar: str) -> str:
    """A number in every lane."""
    first = f.emit(f"insertelement {VECTOR} poison, double {scalar}, i64 0")
    return f.emit(f"shufflevector {VECTOR} {first}, {VECTOR} poison, <{LANES} x i32> zeroinitializer")


def control(f: Loops, exponent: float, mean_square: str, t: str, h: str) -> None:
    """Accept or reject each lane, and say how far it goes next (K. Gustafsson's predictive controller).

    ``accepted`` is 1 or 0; ``t_next`` the time reached (exactly ``target`` where ``lands`` was 1); ``wish`` the step
    the error allows and ``h_next`` the step to try from there, see :func:`_cut`. The step
    that an error allows goes with the error to the power of minus ``exponent``.
    """
    one, half = splat(1.0), splat(0.5)
    # a NaN error fails every ordered comparison: it is replaced by a large one and rejected
    finite = f.choose("olt", mean_square, splat(1e60), mean_square, splat(1e24))
    square = f.intrinsic("maxnum", finite, splat(1e-16))
    # powers of the error by rough logarithms: the step size need not be exact
    log_error = f.binary("fmul", f.own("log2_rough", square), half)
    plain = f.own("exp2_rough", f.binary("fmul", log_error, splat(-exponent)))
    log_old = f.own("log2_rough", f.read("%old_error"))
    both = f.multiply_add(log_error, splat(-2.0), log_old)
    predictive = f.own("exp2_rough", f.binary("fmul", both, splat(exponent)))
    good = f.binary("fmul", f.intrinsic("minnum", plain, predictive), splat(SAFETY))
    was_rejected = f.read("%was_rejected")
    ceiling = f.choose("ogt", was_rejected, half, one, splat(LARGEST_GROWTH))
    growth = f.intrinsic("maxnum", f.intrinsic("minnum", good, ceiling), splat(SMALLEST_GROWTH))
    shrinkage = f.intrinsic("maxnum", f.binary("fmul", plain, splat(SAFETY)), splat(SMALLEST_SHRINKAGE))
    accepted = f.choose("ole", square, one, one, splat(0.0))
    factor = f.choose("ogt", accepted, half, growth, shrinkage)
    f.write("%accepted", accepted)
    f.write("%was_rejected", f.choose("ogt", accepted, half, splat(0.0), one))
    remembered = f.intrinsic("maxnum", f.intrinsic("sqrt", square), splat(ERROR_FLOOR))
    f.write("%old_error", f.choose("ogt", accepted, half, remembered, f.read("%old_error")))
    reached = f.choose("ogt", f.read("%lands"), half, f.read("%target"), f.binary("fadd", t, h))
    now = f.choose("ogt", accepted, half, reached, t)
    f.write("%t_next", now)
    wish = f.binary("fmul", h, factor)
    f.write("%wish", wish)
    _cut(f, wish, now)


def _cut(f: Loops, wish: str, now: str) -> None:
    """Fit the step to what lies ahead: the same rules as :func:`loop.cut_step`, lane by lane."""
    one, half, zero = splat(1.0), splat(0.5), splat(0.0)
    stop, aim = f.read("%stop"), f.read("%aim")
    to_stop, to_aim = f.binary("fsub", stop, now), f.binary("fsub", aim, now)
    # 0 < to_aim <= to_stop: the next sample is a goal as good as the stop
    nearer = f.choose("ole", to_aim, to_stop, one, zero)
    worth = f.choose("ogt", to_aim, f.binary("fmul", wish, splat(WORTH_LANDING)), one, zero)
    use_aim = f.binary("fmul", nearer, worth)
    target = f.choose("ogt", use_aim, half, aim, stop)
    distance = f.choose("ogt", use_aim, half, to_aim, to_stop)
    lands = f.choose("oge", wish, f.binary("fmul", distance, splat(0.999999)), one, zero)
    halfway = f.binary("fmul", distance, half)
    careful = f.choose("ogt", wish, halfway, halfway, wish)
    f.write("%target", target)
    f.write("%lands", lands)
    f.write("%h_next", f.choose("ogt", lands, half, distance, careful))


def dense(terms: int, fused: bool) -> Function:
    """``dense(y, yn, D, theta, o, n8)``: the state at t + theta*h, lane by lane, from as many ``terms``:
    (1-theta) y + theta (yn + (1-theta) (D_1 + theta (D_2 + ...)))."""
    f = Loops("dense", ("y", "yn", "D", "theta", "o"), "i64 %n8", fused)
    theta = f.read("%theta")
    rest = f.binary("fsub", splat(1.0), theta)
    D = f.parts("%D", terms)

    def body(index: str) -> None:
        inner = f.read(f.at(D[-1], index))
        for d in reversed(D[:-1]):
            inner = f.multiply_add(theta, inner, f.read(f.at(d, index)))
        inner = f.multiply_add(rest, inner, f.read(f.at("%yn", index)))
        f.write(f.at("%o", index), f.multiply_add(rest, f.read(f.at("%y", index)), f.binary("fmul", theta, inner)))

    f.loop(body)
    return f


def commit(fused: bool) -> Function:
    """``commit(y, yn, accepted, n8)``: y = yn in the lanes that accepted their step."""
    f = Loops("commit", ("y", "yn", "accepted"), "i64 %n8", fused)
    mask = f.emit(f"fcmp ogt {VECTOR} {f.read('%accepted')}, {splat(0.5)}")

    def body(index: str) -> None:
        place = f.at("%y", index)
        chosen = f.emit(
            f"select {MASK} {mask}, {VECTOR} {f.read(f.at('%yn', index))}, {VECTOR} {f.read_to_blend(place)}"
        )
        f.write(place, chosen)

    f.loop(body)
    return f
