"""One attempt of a Rosenbrock step on all lanes, as LLVM IR with loops over the states.

It depends on nothing but the tableau: the number of states is an argument and the model's functions are called
by address, so it is compiled once per machine. What it has in common with other methods is in
:mod:`pathsim.solve.llvm.one_step`; the table-driven factorisation for models too large to write it out comes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..llvm.loop_ir import Loops
from ..llvm.one_step import POINTERS, commit, control, dense, entry, nothing_to_note, refused, scaled_error, spread
from ..llvm.vector_ir import Function, join_module, splat
from ..llvm.vector_maths import rough_definitions
from .factorisation import table_factor, table_solve
from .records import RECORD_ARGUMENTS, note_attempt
from .tableau import Tableau


def step_module(T: Tableau, fused: bool) -> str:
    """IR of ``step(table, n8, most, rtol, 1/n)``, ``record(...)``, ``dense(...)``, ``prepare_dense(...)`` and
    ``commit(...)``."""
    functions: list[Function] = [
        _attempt("attempt", T, fused, timed=False),
        _attempt("attempt_timed", T, fused, timed=True),
        commit(fused),
        entry("step", "", fused, _attempts, nothing_to_note),
        entry("record", RECORD_ARGUMENTS, fused, _attempts, note_attempt),
        _prepare_dense(T, fused),
        dense(len(T.H), fused),
        table_factor(fused),
        table_solve(fused),
    ]
    return join_module(
        [rough_definitions(fused), *(function.text() for function in functions)],
        {name for function in functions for name in function.declarations},
    )


def _attempts(f: Loops, pointer: Mapping[str, str]) -> Callable[[], None]:
    """Choose between attempts with and without time in the rates."""
    timed = f.emit(f"icmp ne ptr {pointer['f_time_derivative']}, null")
    arguments = ", ".join(f"ptr {pointer[name]}" for name in POINTERS)
    call = f"({arguments}, i64 %n8, double %rtol, double %share)"

    def attempt() -> None:
        f.lines += [f"br i1 {timed}, label %with, label %without"]
        f.lines += ["with:", f"call void @attempt_timed{call}", "br label %look"]
        f.lines += ["without:", f"call void @attempt{call}", "br label %look"]

    return attempt


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
    rtol, own = spread(f, "%rtol"), f.read("%own")

    def term(index: str) -> str:
        error = estimated_error(f, T, U, index)
        if not T.error_is_last_stage:
            f.write(f.at("%error", index), error)
        return scaled_error(f, index, error, new_state(f, T, U, "%y", "%yn", index), rtol, own)

    square = f.sum_loop(term, splat(0.0))
    control(f, T.exponent, f.binary("fmul", refused(f, square), spread(f, "%share")), t, h)
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
