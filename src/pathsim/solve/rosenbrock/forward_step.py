"""The Rosenbrock step differentiated along a lane's directions, as LLVM IR with loops over the states.

Lanes are directions of one simulation: they share its state, so those arrays hold the same number in every
lane. Differentiating a step with its size held fixed gives, in the symbols of :mod:`pathsim.solve.rosenbrock.tableau`,

    (I/(h gamma) - J) dU_i = df(u_i) + dJ U_i + sum_j (C_ij/h) dU_j + h d_i df_t

with dJ, the change of the Jacobian along the direction, computed once per step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..llvm.loop_ir import Loops
from ..llvm.vector_ir import LANES, VECTOR, join_module, splat
from .step import estimated_error, new_state
from .tableau import Tableau

STEP_POINTERS = (
    "t", "h", "ts", "ig", "y", "k", "p", "U", "u", "J", "A", "lu", "dy", "dk", "dU", "du", "dyn", "dJ", "d_dfdt", "yn",
    "f_jacobian", "f_factor", "f_solve", "f_rates_forward", "f_jacobian_forward", "f_time_derivative_forward",
    "f_matvec",
)  # fmt: skip
"""The table a forward step reads its pointers from, in this order. ``f_time_derivative_forward`` may be null."""


def forward_step_module(T: Tableau, fused: bool) -> str:
    """IR of ``forward_step(table, n8)``, dU and dyn of one recorded step along a lane's directions and also ``yn``; and
    of small loops around it.

    Depends on nothing but the tableau, like the step itself.
    """
    f = Loops("forward_step", ("table",), "i64 %n8", fused)
    pointer = {name: f.pointer("%table", index) for index, name in enumerate(STEP_POINTERS)}
    timed = f.emit(f"icmp ne ptr {pointer['f_time_derivative_forward']}, null")
    h, t = f.read(pointer["h"]), f.read(pointer["t"])
    inverse_h = f.binary("fdiv", splat(1.0), h)
    f.write(pointer["ig"], f.binary("fmul", inverse_h, splat(1 / T.gamma)))

    def call(name: str, *arguments: str) -> None:
        f.lines.append(f"call void {pointer['f_' + name]}({', '.join('ptr ' + pointer[a] for a in arguments)})")

    call("jacobian", "t", "y", "k", "J")
    call("factor", "J", "ig", "A", "lu")
    call("jacobian_forward", "t", "y", "k", "p", "dy", "dk", "dJ")
    f.when(timed, lambda: call("time_derivative_forward", "t", "y", "k", "p", "dy", "dk", "d_dfdt"))
    U, dU = [pointer["U"]], [pointer["dU"]]
    for j in range(1, T.stages):
        offset = f.emit(f"mul i64 %n8, {j}")
        U.append(f.at(pointer["U"], offset))
        dU.append(f.at(pointer["dU"], offset))
    pointer |= {f"U{i}": U[i] for i in range(T.stages)} | {f"dU{i}": dU[i] for i in range(T.stages)}
    for i in range(T.stages):
        f.loop(_stage(f, T, i, pointer, U, dU, h, inverse_h))
        f.write(pointer["ts"], t if T.c[i] == 0 else f.multiply_add(h, splat(T.c[i]), t))
        call("rates_forward", "ts", "u", "k", "p", "du", "dk", f"dU{i}")
        call("matvec", "dJ", f"U{i}", f"dU{i}")
        call("solve", "A", f"dU{i}", "lu")
    f.loop(_end(f, T, pointer, U, dU))
    functions = [f, _fill(fused), _move(fused), _forward_error(T, fused)]
    declared = {name for function in functions for name in function.declarations}
    return join_module([function.text() for function in functions], declared)


def _fill(fused: bool) -> Loops:
    """``fill(numbers, target, n8)``: each number to all lanes of a row."""
    f = Loops("fill", ("numbers", "target"), "i64 %n8", fused)

    def body(index: str) -> None:
        place = f.at("%numbers", f.emit(f"lshr i64 {index}, {LANES.bit_length() - 1}"))
        first = f.emit(f"insertelement {VECTOR} poison, double {f.emit(f'load double, ptr {place}')}, i64 0")
        spread = f.emit(f"shufflevector {VECTOR} {first}, {VECTOR} poison, <{LANES} x i32> zeroinitializer")
        f.write(f.at("%target", index), spread)

    f.loop(body)
    return f


def _move(fused: bool) -> Loops:
    """``move(source, target, n8)``."""
    f = Loops("move", ("source", "target"), "i64 %n8", fused)
    f.loop(lambda index: f.write(f.at("%target", index), f.read(f.at("%source", index))))
    return f


def _forward_error(T: Tableau, fused: bool) -> Loops:
    """``forward_error(x, dx, dyn, dU, limits, sum, n8)``: the sum over states of the squared error of the sensitivities
    over what is tolerated. ``limits``: relative size of each direction, relative tolerance, absolute ones of states."""
    f = Loops("forward_error", ("x", "dx", "dyn", "dU", "limits", "sum"), "i64 %n8", fused)
    size, relative = (f.vector("%limits", str(i)) for i in range(2))
    dU = f.parts("%dU", T.stages)

    def body(index: str) -> str:
        x, before, after = (f.read(f.at(f"%{name}", index)) for name in ("x", "dx", "dyn"))
        largest = f.intrinsic("maxnum", f.intrinsic("fabs", before), f.intrinsic("fabs", after))
        largest = f.intrinsic("maxnum", largest, f.binary("fmul", size, f.intrinsic("fabs", x)))
        absolute = f.read(f.at("%limits", f.emit(f"add i64 {index}, {2 * LANES}")))
        least = f.multiply_add(absolute, size, splat(1e-300))
        ratio = f.binary("fdiv", estimated_error(f, T, dU, index), f.multiply_add(relative, largest, least))
        return f.binary("fmul", ratio, ratio)

    f.write("%sum", f.sum_loop(body, splat(0.0)))
    return f


def _stage(
    f: Loops,
    T: Tableau,
    i: int,
    pointer: Mapping[str, str],
    U: Sequence[str],
    dU: Sequence[str],
    h: str,
    inverse_h: str,
) -> Callable[[str], None]:
    """u, du and the part of dU_i that needs no function of the model."""
    weights = [f.binary("fmul", splat(C), inverse_h) for C in T.C[i]]
    time_weight = f.binary("fmul", h, splat(T.d[i])) if T.d[i] else None

    def body(index: str) -> None:
        known = [f.read(f.at(dU[j], index)) for j in range(i)]
        own = [f.read(f.at(U[j], index)) for j in range(i)]
        terms = [(a, own[j]) for j, a in enumerate(T.a[i])]
        f.write(f.at(pointer["u"], index), f.combine(terms, f.read(f.at(pointer["y"], index))))
        terms = [(a, known[j]) for j, a in enumerate(T.a[i])]
        f.write(f.at(pointer["du"], index), f.combine(terms, f.read(f.at(pointer["dy"], index))))
        right = splat(0.0)
        for weight, value in zip(weights, known, strict=True):
            right = f.multiply_add(weight, value, right)
        if time_weight is not None:
            right = f.multiply_add(time_weight, f.read(f.at(pointer["d_dfdt"], index)), right)
        f.write(f.at(dU[i], index), right)

    return body


def _end(
    f: Loops, T: Tableau, pointer: Mapping[str, str], U: Sequence[str], dU: Sequence[str]
) -> Callable[[str], None]:
    """y1, and the same for the sensitivities."""

    def body(index: str) -> None:
        for new, start, last, stages in (("yn", "y", "u", U), ("dyn", "dy", "du", dU)):
            value = new_state(f, T, stages, pointer[start], pointer[last], index)
            f.write(f.at(pointer[new], index), value)

    return body
