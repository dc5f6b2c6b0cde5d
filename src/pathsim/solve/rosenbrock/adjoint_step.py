"""The Rosenbrock step run backwards, as LLVM IR with loops over the states; compiled once per machine.

In the symbols of :mod:`tableau` and with bars for derivatives of the objective, stages are worked out
again from state and size of a recorded step, then taken from last to first:

    (I/(h gamma) - J)^T V_i = Ubar_i,   ubar_i = f_x(u_i)^T V_i,
    Ubar_i = y1bar + sum_k H_ki Dbar_k + sum_{j>i} (a_ji ubar_j + (C_ji/h) V_j)

and one call of the Jacobian's transpose at the end, with weights sum_i V_i U_i^T, stands for all second derivatives.
From stage ``alike`` on, states differ from one another by whole stages (those of the stiffly accurate tail): y1bar and
their ubar are added up first (``nbar``).
"""

from __future__ import annotations

from collections.abc import Callable

from ..llvm.loop_ir import Loops
from ..llvm.vector_ir import join_module, splat
from .records import gather
from .step import Point, new_state, stage_input
from .tableau import Tableau

STEP_POINTERS = (
    "t", "h", "ts", "ig", "y", "yn", "k", "p", "U", "u", "dfdt", "J", "A", "lu", "ybar", "nbar", "Dbar", "V", "xbar",
    "kbar", "sbar", "f_rates", "f_jacobian", "f_time_derivative", "f_factor", "f_solve", "f_solve_transposed",
    "f_rates_adjoint", "f_jacobian_adjoint", "f_time_derivative_adjoint",
)  # fmt: skip
"""The table a backward step reads its pointers from, in order. ``f_time_derivative`` and its adjoint may be null."""


def adjoint_step_module(T: Tableau, fused: bool) -> str:
    """IR of ``restage``, ``back``, ``back_dense`` and small loops around them; all but ``gather`` end with ``n8``."""
    functions = [
        _restage("restage", T, fused, timed=False),
        _restage("restage_timed", T, fused, timed=True),
        _back("back", T, fused, dense=False),
        _back("back_dense", T, fused, dense=True),
        _hand(fused),
        _add(fused),
        _spread("spread", T, fused, anew=True),
        _spread("spread_more", T, fused, anew=False),
        _clear(fused),
        gather(fused),
    ]
    declared = {name for function in functions for name in function.declarations}
    return join_module([function.text() for function in functions], declared)


class _Step(Loops):
    """A function that is given the table of pointers."""

    def __init__(self, name: str, fused: bool) -> None:
        super().__init__(name, ("table",), "i64 %n8", fused)
        self.of = {pointer: self.pointer("%table", index) for index, pointer in enumerate(STEP_POINTERS)}

    def call(self, name: str, *arguments: str) -> None:
        """Call one of the model's functions with pointers."""
        self.lines.append(f"call void {self.of['f_' + name]}({', '.join('ptr ' + a for a in arguments)})")


def _restage(name: str, T: Tableau, fused: bool, timed: bool) -> Loops:
    """``restage(table, n8)``: A, U, u (where each stage is), dfdt and yn of a step, by the operations of the step."""
    f = _Step(name, fused)
    of = f.of
    h, t = f.read(of["h"]), f.read(of["t"])
    inverse_h = f.binary("fdiv", splat(1.0), h)
    f.write(of["ig"], f.binary("fmul", inverse_h, splat(1 / T.gamma)))
    U, u = f.parts(of["U"], T.stages), f.parts(of["u"], T.stages)
    f.call("jacobian", of["t"], of["y"], of["k"], of["J"])
    f.call("factor", of["J"], of["ig"], of["A"], of["lu"])
    if timed:
        f.call("time_derivative", of["t"], of["y"], of["k"], of["dfdt"])
    for i in range(T.stages):
        target = of["y"] if i == 0 else u[i]
        point = Point(of["y"], u[i - 1], target)
        f.loop(stage_input(f, T, i, U, point, h, inverse_h, of["dfdt"] if timed else None))
        _set_time(f, T, i, h, t)
        f.call("rates", of["ts"], target, of["k"], U[i])
        f.call("solve", of["A"], U[i], of["lu"])

    def end(index: str) -> None:
        f.write(f.at(of["yn"], index), new_state(f, T, U, of["y"], u[-1], index))

    f.loop(end)
    return f


def _set_time(f: _Step, T: Tableau, i: int, h: str, t: str) -> None:
    f.write(f.of["ts"], t if T.c[i] == 0 else f.multiply_add(h, splat(T.c[i]), t))


def _back(name: str, T: Tableau, fused: bool, dense: bool) -> Loops:
    """``back(table, n8)`` behind ``restage``.

    On entry ``nbar`` belongs to y1, ``ybar`` to direct uses of y and, of ``back_dense``, ``Dbar`` to the dense output;
    on exit ``ybar`` is complete, and the parameters' share has been added to ``kbar``.
    """
    f = _Step(name, fused)
    of = f.of
    h, t = f.read(of["h"]), f.read(of["t"])
    inverse_h = f.binary("fdiv", splat(1.0), h)
    arrays = {a: f.parts(of[a], T.stages) for a in ("U", "u", "V", "xbar")}
    D = f.parts(of["Dbar"], len(T.H)) if dense else []
    for i in reversed(range(T.stages)):
        f.loop(_stage_bar(f, T, i, arrays["V"], arrays["xbar"], D, inverse_h))
        f.call("solve_transposed", of["A"], arrays["V"][i], of["lu"])
        _set_time(f, T, i, h, t)
        point = of["y"] if i == 0 else arrays["u"][i]
        target = of["ybar"] if i == 0 else of["nbar"] if i >= T.alike else arrays["xbar"][i]
        f.call("rates_adjoint", of["ts"], point, of["k"], of["p"], arrays["V"][i], target, of["kbar"])
    f.loop(_state_bar(f, T, arrays["xbar"]))
    f.call("jacobian_adjoint", of["t"], of["y"], of["k"], of["p"], of["V"], of["U"], of["J"], of["ybar"], of["kbar"])
    timed = f.emit(f"icmp ne ptr {of['f_time_derivative_adjoint']}, null")
    f.when(timed, lambda: _time_derivative_back(f, T, arrays["V"], h))
    return f


def _stage_bar(
    f: _Step, T: Tableau, i: int, V: list[str], xbar: list[str], D: list[str], inverse_h: str
) -> Callable[[str], None]:
    """Ubar_i into V_i, and nothing yet into ubar_i where it is kept apart."""
    weights = {j: f.binary("fmul", splat(T.C[j][i]), inverse_h) for j in range(i + 1, T.stages)}

    def body(index: str) -> None:
        total = f.read(f.at(f.of["nbar"], index))
        if i < T.alike:
            total = f.binary("fmul", splat(T.row(T.alike)[i]), total)
            total = f.combine([(T.a[j][i], f.read(f.at(xbar[j], index))) for j in range(i + 1, T.alike)], total)
        for j, weight in weights.items():
            total = f.multiply_add(weight, f.read(f.at(V[j], index)), total)
        total = f.combine([(T.H[k][i], f.read(f.at(d, index))) for k, d in enumerate(D)], total)
        f.write(f.at(V[i], index), total)
        if 0 < i < T.alike:
            f.write(f.at(xbar[i], index), splat(0.0))

    return body


def _state_bar(f: _Step, T: Tableau, xbar: list[str]) -> Callable[[str], None]:
    def body(index: str) -> None:
        place = f.at(f.of["ybar"], index)
        total = f.binary("fadd", f.read(place), f.read(f.at(f.of["nbar"], index)))
        for array in xbar[1 : T.alike]:
            total = f.binary("fadd", total, f.read(f.at(array, index)))
        f.write(place, total)

    return body


def _time_derivative_back(f: _Step, T: Tableau, V: list[str], h: str) -> None:
    """What h d_i f_t in every stage says."""
    of = f.of
    weights = {i: f.binary("fmul", h, splat(d)) for i, d in enumerate(T.d) if d}

    def body(index: str) -> None:
        total = splat(0.0)
        for i, weight in weights.items():
            total = f.multiply_add(weight, f.read(f.at(V[i], index)), total)
        f.write(f.at(of["sbar"], index), total)

    f.loop(body)
    f.call("time_derivative_adjoint", of["t"], of["y"], of["k"], of["p"], of["sbar"], of["ybar"], of["kbar"])


def _hand(fused: bool) -> Loops:
    """``hand(ybar, nbar, n8)``: a step that ends where the next began hands its derivatives over; none are left."""
    f = Loops("hand", ("ybar", "nbar"), "i64 %n8", fused)

    def body(index: str) -> None:
        place = f.at("%ybar", index)
        f.write(f.at("%nbar", index), f.read(place))
        f.write(place, splat(0.0))

    f.loop(body)
    return f


def _add(fused: bool) -> Loops:
    """``add(a, b, n8)``: b += a."""
    f = Loops("add", ("a", "b"), "i64 %n8", fused)

    def body(index: str) -> None:
        place = f.at("%b", index)
        f.write(place, f.binary("fadd", f.read(place), f.read(f.at("%a", index))))

    f.loop(body)
    return f


def _spread(name: str, T: Tableau, fused: bool, anew: bool) -> Loops:
    """``spread(bar, theta, ybar, nbar, Dbar, n8)``: hands the derivative by the state at t + theta*h on to y, y1 and
    the dense output; ``spread_more`` adds it to what is there. ``bar`` and ``ybar`` may be the same.
    """
    f = Loops(name, ("theta", "nbar", "Dbar"), "ptr %bar, ptr %ybar, i64 %n8", fused)
    theta = f.read("%theta")
    rest = f.binary("fsub", splat(1.0), theta)
    D = f.parts("%Dbar", len(T.H))
    weights = [rest, theta, f.binary("fmul", theta, rest)]
    while len(weights) < 2 + len(D):
        weights.append(f.binary("fmul", theta, weights[-1]))

    def body(index: str) -> None:
        bar = f.read(f.at("%bar", index))
        for weight, array in zip(weights, ("%ybar", "%nbar", *D), strict=True):
            place = f.at(array, index)
            f.write(place, f.binary("fmul", weight, bar) if anew else f.multiply_add(weight, bar, f.read(place)))

    f.loop(body)
    return f


def _clear(fused: bool) -> Loops:
    """``clear(array, n8)``: zeros."""
    f = Loops("clear", ("array",), "i64 %n8", fused)
    f.loop(lambda index: f.write(f.at("%array", index), splat(0.0)))
    return f
