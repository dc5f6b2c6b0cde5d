"""One attempt of a Rosenbrock step on all lanes, as LLVM IR with loops over the states.

It depends on nothing but the tableau: the number of states is an argument and the model's functions are called
by address, so it is compiled once per machine. It also carries the step-size controller and the dense output, lane by
lane, and the table-driven factorisation for models too large to write it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..llvm.layout import REGROWN
from ..llvm.loop_ir import Loops
from ..llvm.vector_ir import LANES, MASK, VECTOR, Function, join_module, splat
from ..llvm.vector_maths import rough_definitions
from .factorisation import table_factor
from .records import RECORD_ARGUMENTS, Note, note_attempt, nothing_to_note
from .tableau import Tableau

POINTERS = (
    "t", "h", "ts", "ig", "y", "atol", "k", "J", "A", "U", "u", "yn", "dfdt",
    "error", "old_error", "was_rejected", "stop", "aim", "accepted", "wish", "h_next", "t_next", "lands", "target",
    "live", "taken", "limit", "peak", "trough", "own", "tolerance", "refused",
    "f_rates", "f_jacobian", "f_time_derivative", "f_factor", "f_solve", "f_refuse", "lu",
)  # fmt: skip
"""The table a step reads its pointers from, in this order. ``f_time_derivative`` and ``f_refuse`` may be null;
``error`` is the last stage where that is the error."""

LARGEST_GROWTH = 8.0
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


def step_module(T: Tableau, fused: bool) -> str:
    """IR of ``step(table, n8, most, rtol, 1/n)``, ``record(...)``, ``dense(...)``, ``prepare_dense(...)`` and
    ``commit(...)``."""
    functions: list[Function] = [
        _attempt("attempt", T, fused, timed=False),
        _attempt("attempt_timed", T, fused, timed=True),
        _commit(fused),
        _entry("step", "", fused, nothing_to_note),
        _entry("record", RECORD_ARGUMENTS, fused, note_attempt),
        _prepare_dense(T, fused),
        _dense(T, fused),
        table_factor(fused),
    ]
    return join_module(
        [rough_definitions(fused), *(function.text() for function in functions)],
        {name for function in functions for name in function.declarations},
    )


def _entry(name: str, more: str, fused: bool, note: Note) -> Function:
    """``step``: attempts on all lanes until one of them needs the integration loop, at most ``%most`` of them.

    A live lane needs the loop when it has reached its next sample or stop, when its step became too small, or when
    it has taken as many steps as it may. The last attempt is left uncommitted for the loop to look at. ``note`` is
    shown every attempt, see :mod:`pathsim.solve.rosenbrock.records`; ``more`` are the arguments it needs.
    """
    f = Loops(name, ("table",), f"i64 %n8, i64 %most, double %rtol, double %share{more}", fused)
    pointer = {name: f.pointer("%table", index) for index, name in enumerate(POINTERS)}
    timed = f.emit(f"icmp ne ptr {pointer['f_time_derivative']}, null")
    live = f.read(pointer["live"])
    limit = f.read(pointer["limit"])
    arguments = ", ".join(f"ptr {pointer[name]}" for name in POINTERS)
    call = f"({arguments}, i64 %n8, double %rtol, double %share)"
    f.lines += ["br label %again", "again:", "%count = phi i64 [ 1, %entry ], [ %countn, %after_commit ]"]
    f.in_block("look")
    f.lines += [f"br i1 {timed}, label %with, label %without"]
    f.lines += ["with:", f"call void @attempt_timed{call}", "br label %look"]
    f.lines += ["without:", f"call void @attempt{call}", "br label %look", "look:"]
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
    f.write(pointer["h"], f.choose("ogt", live, zero, h_next, f.read(pointer["h"])))
    f.lines += [f"call void @commit(ptr {pointer['y']}, ptr {pointer['yn']}, ptr {pointer['accepted']}, i64 %n8)"]
    f.lines += ["br label %after_commit", "after_commit:", "%countn = add i64 %count, 1", "br label %again"]
    f.lines += ["unreachable_end:"]
    return f


def _attempt(name: str, T: Tableau, fused: bool, timed: bool) -> Function:
    """One attempt; ``timed`` for systems whose rates depend on time explicitly."""
    scalars = "i64 %n8, double %rtol, double %share"
    f = Loops(name, POINTERS, scalars, fused, linkage="internal")
    h, t = f.read("%h"), f.read("%t")
    inverse_h = f.binary("fdiv", splat(1.0), h)
    f.write("%ig", f.binary("fmul", inverse_h, splat(1 / T.gamma)))
    U = f.parts("%U", T.stages)
    f.lines.append("call void %f_jacobian(ptr %t, ptr %y, ptr %k, ptr %J)")
    f.lines.append("call void %f_factor(ptr %J, ptr %ig, ptr %A, ptr %lu)")
    if timed:
        f.lines.append("call void %f_time_derivative(ptr %t, ptr %y, ptr %k, ptr %dfdt)")
    for i in range(T.stages):
        ends = i == T.stages - 1 and T.extends(T.stages)  # where the new state begins
        target = "%y" if i == 0 else "%yn" if ends else "%u"
        f.loop(stage_input(f, T, i, U, Point("%y", "%u", target), h, inverse_h, "%dfdt" if timed else None))
        time = t if T.c[i] == 0 else f.multiply_add(h, splat(T.c[i]), t)
        f.write("%ts", time)
        f.lines.append(f"call void %f_rates(ptr %ts, ptr {target}, ptr %k, ptr {U[i]})")
        f.lines.append(f"call void %f_solve(ptr %A, ptr {U[i]}, ptr %lu)")
    square = f.sum_loop(_error_term(f, T, U, _spread(f, "%rtol"), f.read("%own")), splat(0.0))
    may_refuse = f.emit("icmp ne ptr %f_refuse, null")
    refusal = "ptr %ts, ptr %y, ptr %yn, ptr %k, ptr %atol, ptr %peak, ptr %tolerance, ptr %refused"
    f.when(may_refuse, lambda: f.lines.append(f"call void %f_refuse({refusal})"))
    square = f.choose("ogt", f.read("%refused"), splat(0.5), splat(REFUSED_ERROR), square)
    _control(f, T, f.binary("fmul", square, _spread(f, "%share")), t, h)
    return f


class Point(NamedTuple):
    """Where the state of a stage is computed from and goes: the state at the start, of the stage before, this one's."""

    start: str
    before: str
    target: str


def stage_input(
    f: Loops, T: Tableau, i: int, U: Sequence[str], point: Point, h: str, inverse_h: str, dfdt: str | None
) -> Callable[[str], None]:
    """u = y + sum a_ij U_j into ``point.target``; U_i = sum (C_ij/h) U_j + h d_i f_t, to which the rates are added."""
    weights = [f.binary("fmul", splat(C), inverse_h) for C in T.C[i]]
    time_weight = f.binary("fmul", h, splat(T.d[i])) if dfdt is not None and T.d[i] else None

    def body(index: str) -> None:
        known = [f.read(f.at(U[j], index)) for j in range(i)]
        if T.extends(i):
            f.write(f.at(point.target, index), f.binary("fadd", f.read(f.at(point.before, index)), known[-1]))
        elif i > 0:
            terms = [(a, known[j]) for j, a in enumerate(T.a[i]) if a]
            f.write(f.at(point.target, index), f.combine(terms, f.read(f.at(point.start, index))))
        right = f.binary("fmul", weights[0], known[0]) if i > 0 else splat(0.0)
        for weight, value in zip(weights[1:], known[1:], strict=True):
            right = f.multiply_add(weight, value, right)
        if time_weight is not None:
            right = f.multiply_add(time_weight, f.read(f.at(str(dfdt), index)), right)
        f.write(f.at(U[i], index), right)

    return body


def new_state(f: Loops, T: Tableau, U: Sequence[str], start: str, last: str, index: str) -> str:
    """y1 at ``index``; ``start`` is where the state at the start is, ``last`` that of the last stage."""
    if T.extends(T.stages):
        return f.binary("fadd", f.read(f.at(last, index)), f.read(f.at(U[-1], index)))
    terms = [(m, f.read(f.at(U[j], index))) for j, m in enumerate(T.m) if m]
    return f.combine(terms, f.read(f.at(start, index)))


def estimated_error(f: Loops, T: Tableau, U: Sequence[str], index: str) -> str:
    """The difference to the embedded method at ``index``."""
    return f.combine([(e, f.read(f.at(U[j], index))) for j, e in enumerate(T.e) if e])


def _error_term(f: Loops, T: Tableau, U: Sequence[str], rtol: str, own: str) -> Callable[[str], str]:
    """The squared error of one state over its tolerance; also completes y1 in ``%yn``, and raises ``%atol`` to ``own``
    times the state."""

    def body(index: str) -> str:
        error = estimated_error(f, T, U, index)
        if not T.error_is_last_stage:
            f.write(f.at("%error", index), error)
        new = new_state(f, T, U, "%y", "%yn", index)
        f.write(f.at("%yn", index), new)
        old = f.read(f.at("%y", index))
        size = f.intrinsic("fabs", old)
        largest = f.intrinsic("maxnum", f.intrinsic("fabs", new), size)
        atol = f.intrinsic("maxnum", f.read(f.at("%atol", index)), f.binary("fmul", own, size))
        f.write(f.at("%atol", index), atol)
        f.write(f.at("%trough", index), _trough(f, f.read(f.at("%trough", index)), size, atol))
        scale = f.multiply_add(rtol, largest, atol)
        ratio = f.binary("fmul", error, f.approximate_reciprocal(scale))
        return f.binary("fmul", ratio, ratio)

    return body


def _trough(f: Loops, before: str, size: str, atol: str) -> str:
    """What is remembered of how low a state has been since it was clearly above its absolute tolerance: the smallest
    size; GREAT while it is there, less than none before it ever was, REGROWN once it has come back from below."""
    lower = f.emit(f"fcmp olt {VECTOR} {f.intrinsic('fabs', before)}, {atol}")
    above = f.emit(f"fcmp ogt {VECTOR} {size}, {f.binary('fmul', atol, splat(CLEARLY_ABOVE))}")
    back = f.emit(f"select {MASK} {lower}, {VECTOR} {splat(REGROWN)}, {VECTOR} {splat(GREAT)}")
    return f.emit(f"select {MASK} {above}, {VECTOR} {back}, {VECTOR} {f.intrinsic('minnum', before, size)}")


def _spread(f: Loops, scalar: str) -> str:
    first = f.emit(f"insertelement {VECTOR} poison, double {scalar}, i64 0")
    return f.emit(f"shufflevector {VECTOR} {first}, {VECTOR} poison, <{LANES} x i32> zeroinitializer")


def _control(f: Loops, T: Tableau, mean_square: str, t: str, h: str) -> None:
    """Accept or reject each lane, and say how far it goes next (K. Gustafsson's predictive controller).

    ``accepted`` is 1 or 0; ``t_next`` the time reached (exactly ``target`` where ``lands`` was 1); ``wish`` the step
    the error allows and ``h_next`` the step to try from there, see :func:`_cut`.
    """
    one, half = splat(1.0), splat(0.5)
    # a NaN error fails every ordered comparison: it is replaced by a large one and rejected
    finite = f.choose("olt", mean_square, splat(1e60), mean_square, splat(1e24))
    square = f.intrinsic("maxnum", finite, splat(1e-16))
    # powers of the error by rough logarithms: the step size need not be exact
    log_error = f.binary("fmul", f.own("log2_rough", square), half)
    plain = f.own("exp2_rough", f.binary("fmul", log_error, splat(-T.exponent)))
    log_old = f.own("log2_rough", f.read("%old_error"))
    exponent = f.multiply_add(log_error, splat(-2.0), log_old)
    predictive = f.own("exp2_rough", f.binary("fmul", exponent, splat(T.exponent)))
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


def _prepare_dense(T: Tableau, fused: bool) -> Function:
    """``prepare_dense(U, D, n8)``: D_k = sum_j H_kj U_j."""
    f = Loops("prepare_dense", ("U", "D"), "i64 %n8", fused)
    U, D = f.parts("%U", T.stages), f.parts("%D", len(T.H))

    def body(index: str) -> None:
        values = [f.read(f.at(u, index)) for u in U]
        for row, d in zip(T.H, D, strict=True):
            f.write(f.at(d, index), f.combine([(w, values[j]) for j, w in enumerate(row)]))

    f.loop(body)
    return f


def _dense(T: Tableau, fused: bool) -> Function:
    """``dense(y, yn, D, theta, o, n8)``: the state at t + theta*h, lane by lane."""
    f = Loops("dense", ("y", "yn", "D", "theta", "o"), "i64 %n8", fused)
    theta = f.read("%theta")
    rest = f.binary("fsub", splat(1.0), theta)
    D = f.parts("%D", len(T.H))

    def body(index: str) -> None:
        inner = f.read(f.at(D[-1], index))
        for d in reversed(D[:-1]):
            inner = f.multiply_add(theta, inner, f.read(f.at(d, index)))
        inner = f.multiply_add(rest, inner, f.read(f.at("%yn", index)))
        f.write(f.at("%o", index), f.multiply_add(rest, f.read(f.at("%y", index)), f.binary("fmul", theta, inner)))

    f.loop(body)
    return f


def _commit(fused: bool) -> Function:
    """``commit(y, yn, accepted, n8)``: y = yn in the lanes that accepted their step."""
    f = Loops("commit", ("y", "yn", "accepted"), "i64 %n8", fused)
    mask = f.emit(f"fcmp ogt {VECTOR} {f.read('%accepted')}, {splat(0.5)}")

    def body(index: str) -> None:
        place = f.at("%y", index)
        chosen = f.emit(f"select {MASK} {mask}, {VECTOR} {f.read(f.at('%yn', index))}, {VECTOR} {f.read(place)}")
        f.write(place, chosen)

    f.loop(body)
    return f
