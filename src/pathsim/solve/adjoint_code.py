"""Machine code of the discrete adjoint: transposes of a system's functions, and the Rodas5P step run backwards.

Eight lanes are eight simulations. For one recorded step, in the symbols of :mod:`pathsim.solve.tableau` and with bars
for derivatives of the objective, stages are taken from last to first:

    (I/(h gamma) - J)^T v_i = Ubar_i,   ubar_i = f_x(u_i)^T v_i,   Jbar += v_i U_i^T,
    ybar += ubar_i,   Ubar_j += a_ij ubar_i + (C_ij/h) v_i for j < i

and one call of the Jacobian's transpose at the end stands for all second derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .codegen import Program, Writer
from .differentiate import cotangents
from .graph import BOOLEAN
from .loop_ir import Loops
from .tableau import RODAS5P
from .vector_ir import Function, join_module, splat, write_nodes

STEP_POINTERS = (
    "t", "h", "ts", "ig", "y", "k", "p", "U", "u", "J", "A", "lu", "ybar", "nbar", "Dbar", "Ubar", "xbar", "Jbar",
    "kbar", "sbar", "f_jacobian", "f_factor", "f_solve_transposed", "f_rates_adjoint", "f_jacobian_adjoint",
    "f_slopes_adjoint", "f_outer",
)  # fmt: skip
"""The table a backward step reads its pointers from, in this order. ``f_slopes_adjoint`` may be null."""

KEPT = 1 << 24
"""Parameters numbered from here on stand for what an array holds already, to which something is added."""


class AdjointWriter:
    """Writes transposes of one system's functions; weights are parameters numbered from ``base`` on. All accumulate."""

    def __init__(self, program: Program, fused: bool) -> None:
        self.writer = Writer(program, fused)
        self.program, self.graph = program, program.system.graph
        self.base = max(program.system.n_parameters, len(program.system.defaults))
        self.place = program.elimination.place
        graph = self.graph
        self.states = {graph.state(i): self.place[i] for i in range(len(program.system.states))}
        self.hoisted = {node: q for node, q in program.hoisted.items() if graph.op(node) not in BOOLEAN}
        self.parameters = {graph.param(i): i for i in range(program.system.n_parameters)}

    def _weights(self, count: int) -> list[int]:
        return [self.graph.param(self.base + i) for i in range(count)]

    def _write(
        self, name: str, pointers: Sequence[str], nodes: Sequence[int],
        wanted: Sequence[tuple[str, Mapping[int, int]]], hoisted: Mapping[int, int], raw: str = "p",
    ) -> None:  # fmt: skip
        written = self.writer.function(name, pointers)
        leaves = {node: None for _, group in wanted for node in group}
        stop = {**leaves, **dict.fromkeys(hoisted)}
        found = cotangents(self.graph, nodes, self._weights(len(nodes)), stop)
        graph = self.graph
        outputs = [
            (array, group[node], graph.add(graph.param(KEPT * (1 + number) + group[node]), bar))
            for number, (array, group) in enumerate(wanted)
            for node, bar in found.items()
            if node in group
        ]

        def read(f: Function, kind: str, i: int) -> str:
            if kind == "x":
                return f.load("x", self.place[i])
            if kind == "p" and i >= KEPT:
                return f.load(wanted[i // KEPT - 1][0], i % KEPT)
            if kind == "p":
                return f.load("w", i - self.base) if i >= self.base else f.load(raw, i)
            return f.load(kind, i)

        write_nodes(written, graph, outputs, read, hoisted)

    def smooth(self, name: str, nodes: Sequence[int]) -> None:
        """``name(t, x, k, p, w, xbar, kbar)`` adds the transposes to xbar and kbar."""
        self._write(name, ["t", "x", "k", "p", "w", "xbar", "kbar"], nodes,
                    [("xbar", self.states), ("kbar", self.hoisted)], self.program.hoisted)  # fmt: skip

    def prep(self) -> None:
        """``prep_adjoint(p, w, pbar)``."""
        self._write("prep_adjoint", ["p", "w", "pbar"], list(self.program.hoisted), [("pbar", self.parameters)], {})

    def outputs(self, nodes: Sequence[int]) -> None:
        """``outputs_adjoint(t, x, p, w, xbar, pbar)``."""
        self._write("outputs_adjoint", ["t", "x", "p", "w", "xbar", "pbar"], nodes,
                    [("xbar", self.states), ("pbar", self.parameters)], {})  # fmt: skip

    def start(self) -> None:
        """``start_adjoint(t, raw, w, rawbar)``; ``w``: weights of parameters, then of states in their own order."""
        system, graph = self.program.system, self.graph
        raw = {graph.param(i): i for i in range(len(system.defaults))}
        nodes = [*system.start_parameters, *system.start_states]
        self._write("start_adjoint", ["t", "raw", "w", "rawbar"], nodes, [("rawbar", raw)], {}, raw="raw")

    def outer(self) -> None:
        """``outer(v, U, Jbar)``: Jbar += v U^T on the pattern of the Jacobian."""
        f = self.writer.function("outer", ["v", "U", "Jbar"])
        for (i, j), q in self.program.placed_jacobian.items():
            f.store("Jbar", q, f.multiply_add(f.load("v", i), f.load("U", j), f.load("Jbar", q)))

    def solve_transposed(self) -> None:
        """``solve_transposed(A, b, lu)``: the operations of ``solve`` transposed, in reverse."""
        f = self.writer.function("solve_transposed", ["A", "b", "lu"])
        elimination = self.program.elimination
        b: dict[int, str] = {}

        def value(i: int) -> str:
            if i not in b:
                b[i] = f.load("b", i)
            return b[i]

        n = len(elimination.rows)
        for k in range(n):
            own = value(k)
            for j in elimination.right_of(k):
                b[j] = f.multiply_add(f.load("A", elimination.entries[k, j]), own, value(j))
            b[k] = f.binary("fmul", own, f.load("A", elimination.entries[k, k]))
        for k in reversed(range(n)):
            for i in elimination.below[k]:
                b[k] = f.multiply_add(f.load("A", elimination.entries[i, k]), value(i), value(k))
            f.store("b", k, value(k))


def adjoint_module(program: Program, fused: bool) -> str:
    """IR of every transpose that depends on the model alone."""
    system, order = program.system, program.elimination.order
    made = AdjointWriter(program, fused)
    made.smooth("rates_adjoint", [system.rates[i] for i in order])
    made.smooth("jacobian_adjoint", list(program.jacobian.values()))
    if program.has_time:
        made.smooth("slopes_adjoint", [program.time_derivative[i] for i in order])
    made.prep()
    made.start()
    made.outer()
    made.solve_transposed()
    return made.writer.text()


def outputs_adjoint_module(program: Program, nodes: Sequence[int], fused: bool) -> str:
    """IR of the transposes of outputs."""
    made = AdjointWriter(program, fused)
    made.outputs(nodes)
    return made.writer.text()


def adjoint_step_module(fused: bool) -> str:
    """IR of ``adjoint_step(table, n8)``.

    On entry ``nbar`` belongs to y1, ``Dbar`` to the dense output, and ``ybar`` to direct uses of y; on exit ``ybar`` is
    complete, and the parameters' share has been added to ``kbar``. ``Jbar`` must be zero on entry.
    """
    T = RODAS5P
    f = Loops("adjoint_step", ("table",), "i64 %n8", fused)
    pointer = {name: f.pointer("%table", index) for index, name in enumerate(STEP_POINTERS)}
    timed = f.emit(f"icmp ne ptr {pointer['f_slopes_adjoint']}, null")
    h, t = f.read(pointer["h"]), f.read(pointer["t"])
    inverse_h = f.binary("fdiv", splat(1.0), h)
    f.write(pointer["ig"], f.binary("fmul", inverse_h, splat(1 / T.gamma)))

    def call(name: str, *arguments: str) -> None:
        f.lines.append(f"call void {pointer['f_' + name]}({', '.join('ptr ' + pointer[a] for a in arguments)})")

    call("jacobian", "t", "y", "k", "J")
    call("factor", "J", "ig", "A", "lu")
    for name, count in (("U", T.stages), ("Ubar", T.stages), ("Dbar", len(T.H))):
        for j in range(count):
            pointer[f"{name}{j}"] = pointer[name] if j == 0 else f.at(pointer[name], f.emit(f"mul i64 %n8, {j}"))
    f.loop(_begin(f, pointer))
    for i in reversed(range(T.stages)):
        call("solve_transposed", "A", f"Ubar{i}", "lu")
        call("outer", f"Ubar{i}", f"U{i}", "Jbar")
        f.loop(_stage_point(f, i, pointer))
        f.write(pointer["ts"], t if T.c[i] == 0 else f.multiply_add(h, splat(T.c[i]), t))
        call("rates_adjoint", "ts", "u", "k", "p", f"Ubar{i}", "xbar", "kbar")
        f.loop(_hand_on(f, i, pointer, h, inverse_h))
    call("jacobian_adjoint", "t", "y", "k", "p", "Jbar", "ybar", "kbar")
    f.when(timed, lambda: call("slopes_adjoint", "t", "y", "k", "p", "sbar", "ybar", "kbar"))
    functions = [f, _spread(fused, anew=True), _spread(fused, anew=False), _complete(fused), _clear(fused)]
    declared = {name for function in functions for name in function.declarations}
    return join_module([function.text() for function in functions], declared)


def _spread(fused: bool, anew: bool) -> Loops:
    """``spread(bar, theta, ybar, nbar, Dbar, n8)``: hands the derivative by the state at t + theta*h on to y, y1 and
    the dense output; ``spread_more`` adds it to what is there. ``bar`` and ``ybar`` may be the same.
    """
    f = Loops("spread" if anew else "spread_more", ("theta", "nbar", "Dbar"), "ptr %bar, ptr %ybar, i64 %n8", fused)
    theta = f.read("%theta")
    rest = f.binary("fsub", splat(1.0), theta)
    first = f.binary("fmul", theta, rest)
    second = f.binary("fmul", theta, first)
    weights = [rest, theta, first, second, f.binary("fmul", theta, second)]
    D = ["%Dbar"] + [f.at("%Dbar", f.emit(f"mul i64 %n8, {j}")) for j in (1, 2)]

    def body(index: str) -> None:
        bar = f.read(f.at("%bar", index))
        for weight, array in zip(weights, ("%ybar", "%nbar", *D), strict=True):
            place = f.at(array, index)
            f.write(place, f.binary("fmul", weight, bar) if anew else f.multiply_add(weight, bar, f.read(place)))

    f.loop(body)
    return f


def _complete(fused: bool) -> Loops:
    """``complete(y, U, yn, n8)``: y1 = y + sum a_8j U_j + U_8."""
    f = Loops("complete", ("y", "U", "yn"), "i64 %n8", fused)
    U = ["%U"] + [f.at("%U", f.emit(f"mul i64 %n8, {j}")) for j in range(1, RODAS5P.stages)]

    def body(index: str) -> None:
        terms = [(a, f.read(f.at(U[j], index))) for j, a in enumerate((*RODAS5P.a[-1], 1.0))]
        f.write(f.at("%yn", index), f.combine(terms, f.read(f.at("%y", index))))

    f.loop(body)
    return f


def _clear(fused: bool) -> Loops:
    """``clear(array, n8)``: zeros."""
    f = Loops("clear", ("array",), "i64 %n8", fused)
    f.loop(lambda index: f.write(f.at("%array", index), splat(0.0)))
    return f


def _begin(f: Loops, pointer: Mapping[str, str]) -> Callable[[str], None]:
    """Ubar from y1 = y + sum a_8j U_j + U_8 and from the dense output; ybar gains nbar."""
    T = RODAS5P
    last = (*T.a[-1], 1.0)

    def body(index: str) -> None:
        n = f.read(f.at(pointer["nbar"], index))
        D = [f.read(f.at(pointer[f"Dbar{k}"], index)) for k in range(len(T.H))]
        for j in range(T.stages):
            terms = [(last[j], n), *((T.H[k][j], D[k]) for k in range(len(T.H)))]
            f.write(f.at(pointer[f"Ubar{j}"], index), f.combine(terms))
        y = f.at(pointer["ybar"], index)
        f.write(y, f.binary("fadd", f.read(y), n))
        f.write(f.at(pointer["sbar"], index), splat(0.0))

    return body


def _stage_point(f: Loops, i: int, pointer: Mapping[str, str]) -> Callable[[str], None]:
    def body(index: str) -> None:
        terms = [(a, f.read(f.at(pointer[f"U{j}"], index))) for j, a in enumerate(RODAS5P.a[i])]
        f.write(f.at(pointer["u"], index), f.combine(terms, f.read(f.at(pointer["y"], index))))
        f.write(f.at(pointer["xbar"], index), splat(0.0))

    return body


def _hand_on(f: Loops, i: int, pointer: Mapping[str, str], h: str, inverse_h: str) -> Callable[[str], None]:
    T = RODAS5P
    weights = [f.binary("fmul", splat(C), inverse_h) for C in T.C[i]]
    slope_weight = f.binary("fmul", h, splat(T.d[i])) if T.d[i] else None

    def body(index: str) -> None:
        x, v = f.read(f.at(pointer["xbar"], index)), f.read(f.at(pointer[f"Ubar{i}"], index))
        y = f.at(pointer["ybar"], index)
        f.write(y, f.binary("fadd", f.read(y), x))
        for j in range(i):
            place = f.at(pointer[f"Ubar{j}"], index)
            total = f.multiply_add(splat(T.a[i][j]), x, f.read(place))
            f.write(place, f.multiply_add(weights[j], v, total))
        if slope_weight is not None:
            s = f.at(pointer["sbar"], index)
            f.write(s, f.multiply_add(slope_weight, v, f.read(s)))

    return body
