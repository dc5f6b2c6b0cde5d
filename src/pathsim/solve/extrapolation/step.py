"""One attempt of an extrapolation step, all columns of one simulation side by side, as LLVM IR.

Behind the same table and functions as a Rosenbrock step (:mod:`pathsim.solve.llvm.one_step`), but every lane holds the
same simulation: that of the first lane, which is what the integration loop looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..llvm.loop_ir import Loops
from ..llvm.one_step import POINTERS, SIZES, commit, control, dense, entry, nothing_to_note, refused, scaled_error
from ..llvm.one_step import spread as spread_scalar
from ..llvm.vector_ir import LANES, MASK, VECTOR, Function, double, join_module, splat
from ..llvm.vector_maths import rough_definitions
from ..rosenbrock.factorisation import table_factor, table_solve
from .scheme import Scheme

_SHARED = (
    "t", "h", "old_error", "was_rejected", "stop", "aim", "wish", "lands", "target", "live", "taken", "limit", "own",
)  # fmt: skip
"""Scalars of the first lane that all others take."""


def extrapolation_module(S: Scheme, fused: bool) -> str:
    """IR of ``step(table, n8, most, rtol, 1/n)``, ``dense(...)``, ``prepare_dense(...)`` and ``commit(...)``."""
    functions: list[Function] = [
        _attempt(S, fused),
        commit(fused),
        entry("step", "", fused, _attempts, nothing_to_note),
        _prepare_dense(S, fused),
        dense(len(S.H), fused),
        table_factor(fused),
        table_solve(fused),
    ]
    return join_module(
        [rough_definitions(fused), *(function.text() for function in functions)],
        {name for function in functions for name in function.declarations},
    )


def _attempts(f: Loops, pointer: Mapping[str, str]) -> Callable[[], None]:
    """Make all lanes the simulation of the first."""
    a8, k8 = (f.integer("%table", str(len(POINTERS) + i)) for i in range(len(SIZES)))

    def level(place: str) -> None:
        f.write(place, _first(f, f.read(place)))

    for name in _SHARED:
        level(pointer[name])
    for name in ("y", "atol"):
        f.loop(lambda index, name=name: level(f.at(pointer[name], index)))  # type: ignore[misc]
    f.stride_loop("0", k8, lambda index: level(f.at(pointer["k"], index)))
    arguments = ", ".join(f"ptr {pointer[name]}" for name in POINTERS)

    def attempt() -> None:
        f.lines.append(f"call void @attempt({arguments}, i64 %n8, i64 {a8}, double %rtol, double %share)")
        f.lines.append("br label %look")

    return attempt


def _attempt(S: Scheme, fused: bool) -> Function:
    f = Loops("attempt", POINTERS, "i64 %n8, i64 %a8, double %rtol, double %share", fused, linkage="internal")
    h, t = f.read("%h"), f.read("%t")
    inverse_h = f.binary("fdiv", splat(1.0), h)
    U = f.parts("%U", S.stages)
    factors = ["%A", f.at("%A", "%a8")]
    f.lines.append("call void %f_jacobian(ptr %t, ptr %y, ptr %k, ptr %J)")
    for steps, factor in zip(S.steps, factors, strict=False):
        f.write("%ig", f.binary("fmul", inverse_h, _constant(steps)))
        f.lines.append(f"call void %f_factor(ptr %J, ptr %ig, ptr {factor}, ptr %lu)")

    def begin(index: str) -> None:
        f.write(f.at("%u", index), f.read(f.at("%y", index)))
        f.write(f.at(U[0], index), splat(0.0))

    f.loop(begin)
    for r, now in enumerate(S.rounds):
        second = all(now.factors)
        if r > 0 and not second:
            _blend(f, [a > b for a, b in zip(now.factors, S.rounds[r - 1].factors, strict=True)], factors)
        f.write("%ts", f.multiply_add(h, _constant(now.c), t))
        f.lines.append(f"call void %f_rates(ptr %ts, ptr %u, ptr %k, ptr {U[r]})")
        f.lines.append(f"call void %f_solve(ptr {factors[second]}, ptr {U[r]}, ptr %lu)")
        if r + 1 < S.stages:
            f.loop(_move(f, now.moves, now.restarts, U[r], U[r + 1]))
    rtol, own = spread_scalar(f, "%rtol"), f.read("%own")
    reached = f.choose("ogt", f.read("%lands"), splat(0.5), f.read("%target"), f.binary("fadd", t, h))
    sampled = f.choose("olt", f.read("%aim"), reached, splat(1.0), splat(0.0))  # whether a sample lies inside

    def term(index: str) -> str:
        values = [f.read(f.at(u, index)) for u in U]
        inside = f.binary("fmul", sampled, f.intrinsic("fabs", _weighted(f, S.g, values)))
        error = f.intrinsic("maxnum", f.intrinsic("fabs", _weighted(f, S.e, values)), inside)
        f.write(f.at("%error", index), error)
        new = f.binary("fadd", f.read(f.at("%y", index)), _weighted(f, S.m, values))
        return scaled_error(f, index, error, new, rtol, own)

    square = f.sum_loop(term, splat(0.0))
    mean = f.binary("fmul", _first(f, refused(f, square)), spread_scalar(f, "%share"))
    control(f, S.exponent, mean, t, h)
    return f


def _blend(f: Loops, lanes: Sequence[bool], factors: Sequence[str]) -> None:
    """Lanes that have begun their second column take its factors."""
    if not any(lanes):
        return

    def body(index: str) -> None:
        place = f.at(factors[0], index)
        f.write(place, _select(f, lanes, f.read(f.at(factors[1], index)), f.read(place)))

    f.loop(body, "%a8")


def _move(f: Loops, moves: Sequence[bool], restarts: Sequence[bool], now: str, following: str) -> Callable[[str], None]:
    """u + U where a lane moves, y where it begins another column; and zeros for the next rates to be added to."""

    def body(index: str) -> None:
        old = f.read(f.at("%u", index))
        new = f.binary("fadd", old, f.read(f.at(now, index)))
        if not all(moves):
            new = _select(f, moves, new, old)
        if any(restarts):
            new = _select(f, restarts, f.read(f.at("%y", index)), new)
        f.write(f.at("%u", index), new)
        f.write(f.at(following, index), splat(0.0))

    return body


def _prepare_dense(S: Scheme, fused: bool) -> Function:
    """``prepare_dense(U, D, n8)``: D_k = sum_r H_kr U_r over rounds and lanes, the same in every lane."""
    f = Loops("prepare_dense", ("U", "D"), "i64 %n8", fused)
    U, D = f.parts("%U", S.stages), f.parts("%D", len(S.H))

    def body(index: str) -> None:
        values = [f.read(f.at(u, index)) for u in U]
        for row, d in zip(S.H, D, strict=True):
            f.write(f.at(d, index), _weighted(f, row, values))

    f.loop(body)
    return f


def _weighted(f: Loops, weights: Sequence[Sequence[float]], values: Sequence[str]) -> str:
    """The sum of weight*value over rounds and lanes, in every lane."""
    total: str | None = None
    for weight, value in zip(weights, values, strict=True):
        if any(weight):
            by = _constant(weight)
            total = f.binary("fmul", by, value) if total is None else f.multiply_add(by, value, total)
    assert total is not None
    size = LANES // 2
    while size:
        order = ", ".join(f"i32 {lane ^ size}" for lane in range(LANES))
        other = f.emit(f"shufflevector {VECTOR} {total}, {VECTOR} poison, <{LANES} x i32> <{order}>")
        total = f.binary("fadd", total, other)
        size //= 2
    return total


def _constant(values: Sequence[float]) -> str:
    """A number for each lane."""
    return "<" + ", ".join(f"double {double(value)}" for value in values) + ">"


def _select(f: Loops, lanes: Sequence[bool], yes: str, no: str) -> str:
    mask = "<" + ", ".join(f"i1 {str(lane).lower()}" for lane in lanes) + ">"
    return f.emit(f"select {MASK} {mask}, {VECTOR} {yes}, {VECTOR} {no}")


def _first(f: Loops, value: str) -> str:
    """What the first lane holds, in every lane."""
    return f.emit(f"shufflevector {VECTOR} {value}, {VECTOR} poison, <{LANES} x i32> zeroinitializer")
