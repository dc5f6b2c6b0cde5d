"""Machine code of the discrete adjoint: transposes of a system's functions, lanes being simulations."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

from ..equations.differentiate import adjoint_derivatives
from ..equations.graph import BOOLEAN, Graph
from ..equations.system import System
from .codegen import Program, Writer
from .vector_ir import Sink, write_nodes

KEPT = 1 << 24
"""Parameters numbered from here on stand for what an array holds already, to which something is added."""


MOST_WEIGHTS = 100
"""In one function."""


def _loaded_weight(f: Sink[str], i: int) -> str:
    return f.load("w", i)


class AdjointWriter:
    """Writes transposes of one system's functions; weights are parameters numbered from ``base`` on. All accumulate.

    ``columns`` are the raw values of interest: what depends on none of them gets no derivatives. ``stages`` are those
    of the method, over which the weights of the Jacobian are summed.
    """

    def __init__(self, program: Program, fused: bool, columns: Sequence[int], stages: int = 0) -> None:
        self.stages = stages
        self.writer = Writer(program, fused)
        self.program, self.graph = program, program.system.graph
        self.base = max(program.system.n_parameters, len(program.system.defaults))
        self.place = program.elimination.place
        graph = self.graph
        self.states = {graph.state(i): self.place[i] for i in range(len(program.system.states))}
        self.raw = {graph.param(slot): q for q, slot in enumerate(columns)}
        self.parameters = {graph.param(i): i for i in _moving_parameters(program.system, self.raw)}
        moving = _depending(graph, list(program.hoisted), self.parameters)
        self.hoisted = {node: q for node, q in program.hoisted.items() if node in moving}

    def _weights(self, count: int) -> list[int]:
        return [self.graph.param(self.base + i) for i in range(count)]

    def _write(
        self,
        name: str,
        pointers: Sequence[str],
        nodes: Sequence[int],
        wanted: Sequence[tuple[str, Mapping[int, int]]],
        hoisted: Mapping[int, int],
        raw: str = "p",
        weight: Callable[[Sink[str], int], str] = _loaded_weight,
    ) -> None:
        written = self.writer.function(name, pointers)
        leaves = {node: None for _, group in wanted for node in group}
        stop = {**leaves, **dict.fromkeys(hoisted)}
        found = adjoint_derivatives(self.graph, nodes, self._weights(len(nodes)), stop)
        graph = self.graph
        outputs = [
            (array, group[node], graph.add(graph.param(KEPT * (1 + number) + group[node]), bar))
            for number, (array, group) in enumerate(wanted)
            for node, bar in found.items()
            if node in group
        ]

        def read(f: Sink[str], kind: str, i: int) -> str:
            if kind == "x":
                return f.load("x", self.place[i])
            if kind == "p" and i >= KEPT:
                return f.load(wanted[i // KEPT - 1][0], i % KEPT)
            if kind == "p":
                return weight(f, i - self.base) if i >= self.base else f.load(raw, i)
            return f.load(kind, i)

        write_nodes(written, graph, outputs, read, hoisted)

    def smooth(self, name: str, nodes: Sequence[int]) -> None:
        """``name(t, x, k, p, w, xbar, kbar)`` adds the transposes to xbar and kbar."""
        self._write(
            name,
            ["t", "x", "k", "p", "w", "xbar", "kbar"],
            nodes,
            [("xbar", self.states), ("kbar", self.hoisted)],
            self.program.hoisted,
        )

    def prep(self) -> None:
        """``prep_adjoint(p, w, pbar)``."""
        self._write("prep_adjoint", ["p", "w", "pbar"], list(self.program.hoisted), [("pbar", self.parameters)], {})

    def outputs(self, nodes: Sequence[int]) -> None:
        """``outputs_adjoint(t, x, p, w, xbar, pbar)``."""
        self._write(
            "outputs_adjoint",
            ["t", "x", "p", "w", "xbar", "pbar"],
            nodes,
            [("xbar", self.states), ("pbar", self.parameters)],
            {},
        )

    def start(self) -> None:
        """``start_adjoint(t, raw, w, rawbar)``; ``w``: weights of parameters, then of states in their own order;
        ``rawbar`` in the order of the columns."""
        system = self.program.system
        nodes = [*system.start_parameters, *system.start_states]
        self._write("start_adjoint", ["t", "raw", "w", "rawbar"], nodes, [("rawbar", self.raw)], {}, raw="raw")

    def jacobian(self) -> None:
        """``jacobian_adjoint(t, x, k, p, V, U, W, xbar, kbar)``: the weight of entry (i, j) is the sum of V_i U_j over
        the stages, ``V`` and ``U`` being theirs one behind the other; ``W`` is room for the weights."""
        pointers = ["t", "x", "k", "p", "V", "U", "W", "xbar", "kbar"]
        used: set[int] = set()

        def weight(f: Sink[str], entry: int) -> str:
            used.add(entry)
            return f.load("W", entry)

        rows: dict[int, list[tuple[int, int]]] = {}
        for q, (i, j) in enumerate(self.program.placed_jacobian):
            rows.setdefault(i, []).append((q, j))
        self._write(
            "jacobian_adjoint_weighted",
            pointers,
            list(self.program.jacobian.values()),
            [("xbar", self.states), ("kbar", self.hoisted)],
            self.program.hoisted,
            weight=weight,
        )
        parts = self._weigh({i: [(q, j) for q, j in row if q in used] for i, row in rows.items()}, pointers)
        f = self.writer.function("jacobian_adjoint", pointers)
        arguments = ", ".join(f"ptr %{name}" for name in pointers)
        f.lines += [f"call void @{name}({arguments})" for name in (*parts, "jacobian_adjoint_weighted")]

    def _weigh(self, rows: Mapping[int, Sequence[tuple[int, int]]], pointers: Sequence[str]) -> list[str]:
        """Functions that work out weights, a few rows each: compilers take long over long ones."""
        n, names, room = len(self.place), list[str](), 0
        for i, row in rows.items():
            if room < len(row):
                names.append(f"jacobian_weights_{len(names)}")
                f, room = self.writer.function(names[-1], pointers), max(len(row), MOST_WEIGHTS)
            room -= len(row)
            V = [f.load("V", stage * n + i) for stage in range(self.stages)] if row else []
            for q, j in row:
                total = f.binary("fmul", V[0], f.load("U", j))
                for stage in range(1, self.stages):
                    total = f.multiply_add(V[stage], f.load("U", stage * n + j), total)
                f.store("W", q, total)
        return names

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
            for j in elimination.right[k]:
                b[j] = f.multiply_add(f.load("A", elimination.entries[k, j]), own, value(j))
            b[k] = f.binary("fmul", own, f.load("A", elimination.entries[k, k]))
        for k in reversed(range(n)):
            for i in elimination.below[k]:
                b[k] = f.multiply_add(f.load("A", elimination.entries[i, k]), value(i), value(k))
            f.store("b", k, value(k))


def _depending(graph: Graph, nodes: Sequence[int], on: Container[int]) -> set[int]:
    """What of ``nodes``, and of all they are made of, depends smoothly on ``on``."""
    found: set[int] = set()
    for node in graph.topological(nodes):
        if node in on or (graph.op(node) not in BOOLEAN and not found.isdisjoint(graph.args(node))):
            found.add(node)
    return found


def _moving_parameters(system: System, raw: Container[int]) -> list[int]:
    """Parameters that raw values of interest change: at the start, or by an event that assigns them."""
    found = _depending(system.graph, system.start_parameters, raw)
    assigned = {t.index for event in system.events for t in event.targets if not t.is_state}
    return [i for i, node in enumerate(system.start_parameters) if node in found or i in assigned]


def moments_move(program: Program, columns: Sequence[int]) -> bool:
    """Whether raw values of interest can move the moment of any switch, through the state or by themselves."""
    system, graph = program.system, program.system.graph
    parameters = _moving_parameters(system, {graph.param(slot) for slot in columns})
    on = {graph.state(i) for i in range(len(system.states))} | {graph.param(i) for i in parameters}
    roots = [one.root for one in system.discontinuities]
    roots += [one.root for event in system.events for one in event.moments]
    return not _depending(graph, roots, on).isdisjoint(roots)


def adjoint_module(program: Program, columns: Sequence[int], stages: int, fused: bool) -> str:
    """IR of every transpose that does not depend on what is asked for."""
    system, order = program.system, program.elimination.order
    made = AdjointWriter(program, fused, columns, stages)
    made.smooth("rates_adjoint", [system.rates[i] for i in order])
    made.jacobian()
    if program.has_time:
        made.smooth("time_derivative_adjoint", [program.time_derivative[i] for i in order])
    made.prep()
    made.start()
    made.solve_transposed()
    return made.writer.text()


def outputs_adjoint_module(program: Program, nodes: Sequence[int], columns: Sequence[int], fused: bool) -> str:
    """IR of the transposes of outputs."""
    made = AdjointWriter(program, fused, columns)
    made.outputs(nodes)
    return made.writer.text()
