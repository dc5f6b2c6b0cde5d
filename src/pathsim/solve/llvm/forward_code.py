"""Machine code of forward sensitivities: derivatives of a system's functions, lanes being directions of one
simulation."""

from __future__ import annotations

from collections.abc import Sequence

from ..equations.differentiate import forward_derivatives
from ..equations.graph import BOOLEAN
from .codegen import Program, Writer
from .vector_ir import Sink, write_nodes


class ForwardWriter:
    """Writes the derivatives of one system's functions along directions, which are parameters from ``base`` on."""

    def __init__(self, program: Program, fused: bool) -> None:
        self.writer = Writer(program, fused)
        self.program = program
        self.graph = program.system.graph
        self.n = len(program.system.states)
        self.base = program.system.n_parameters
        self.place = program.elimination.place
        graph = self.graph
        self.state_seeds = {graph.state(i): graph.param(self.base + self.place[i]) for i in range(self.n)}
        self.hoisted_seeds = {
            node: graph.zero if graph.op(node) in BOOLEAN else graph.param(self.base + self.n + q)
            for node, q in program.hoisted.items()
        }
        self.parameter_seeds = {graph.param(i): graph.param(self.base + i) for i in range(self.base)}

    def smooth(self, name: str, nodes: Sequence[int], accumulate: bool = False) -> None:
        """``name(t, x, k, p, w, v, o)`` with w the direction of the states and v that of the hoisted values."""
        written = self.writer.function(name, ["t", "x", "k", "p", "w", "v", "o"])
        found = forward_derivatives(self.graph, nodes, {**self.state_seeds, **self.hoisted_seeds})
        zero = self.graph.zero
        outputs = [("o", i, node) for i, node in enumerate(found) if not (accumulate and node == zero)]
        write_nodes(written, self.graph, outputs, self._read, self.program.hoisted, accumulate)

    def _read(self, f: Sink[str], kind: str, i: int) -> str:
        if kind == "x":
            return f.load("x", self.place[i])
        if kind == "p" and i >= self.base + self.n:
            return f.load("v", i - self.base - self.n)
        if kind == "p" and i >= self.base:
            return f.load("w", i - self.base)
        return f.load(kind, i)

    def prep(self) -> None:
        """``prep_forward(p, k)``: derivatives of the hoisted values; ``p`` holds parameters, then their derivatives."""
        written = self.writer.function("prep_forward", ["p", "k"])
        nodes = list(self.program.hoisted)
        found = forward_derivatives(self.graph, nodes, self.parameter_seeds)
        outputs = [("k", q, node) for q, node in enumerate(found)]
        write_nodes(written, self.graph, outputs, lambda f, kind, i: f.load(kind, i))

    def start(self) -> None:
        """``start_forward(t, raw, p, x)``: derivatives of parameters and initial states; ``raw`` holds raw values, then
        their derivatives."""
        system, graph, place = self.program.system, self.graph, self.place
        n_raw = len(system.defaults)
        seeds = {graph.param(i): graph.param(n_raw + i) for i in range(n_raw)}
        written = self.writer.function("start_forward", ["t", "raw", "p", "x"])
        parameters = forward_derivatives(graph, system.start_parameters, seeds)
        states = forward_derivatives(graph, system.start_states, seeds)
        outputs = [("p", i, node) for i, node in enumerate(parameters)]
        outputs += [("x", place[i], node) for i, node in enumerate(states)]
        write_nodes(written, graph, outputs, lambda f, kind, i: f.load("raw" if kind == "p" else kind, i))

    def outputs(self, nodes: Sequence[int]) -> None:
        """``outputs_forward(t, x, p, o)``: ``x`` holds states and their derivatives, ``p`` parameters and theirs."""
        written = self.writer.function("outputs_forward", ["t", "x", "p", "o"])
        graph, place, base = self.graph, self.place, self.base
        states = {graph.state(i): graph.param(2 * base + place[i]) for i in range(self.n)}
        found = forward_derivatives(graph, nodes, {**states, **self.parameter_seeds})

        def read(f: Sink[str], kind: str, i: int) -> str:
            if kind == "x":
                return f.load("x", place[i])
            if kind == "p" and i >= 2 * base:
                return f.load("x", self.n + i - 2 * base)
            return f.load(kind, i)

        write_nodes(written, graph, [("o", i, node) for i, node in enumerate(found)], read)

    def matvec(self) -> None:
        """``matvec(J, u, o)``: o += J u on the pattern of the Jacobian."""
        f = self.writer.function("matvec", ["J", "u", "o"])
        by_row: dict[int, list[tuple[int, int]]] = {}
        for (i, j), q in self.program.placed_jacobian.items():
            by_row.setdefault(i, []).append((j, q))
        for i, entries in by_row.items():
            total = f.load("o", i)
            for j, q in entries:
                total = f.multiply_add(f.load("J", q), f.load("u", j), total)
            f.store("o", i, total)


def forward_module(program: Program, fused: bool) -> str:
    """IR of every derivative along directions that depends on the model alone."""
    system, order = program.system, program.elimination.order
    made = ForwardWriter(program, fused)
    made.smooth("rates_forward", [system.rates[i] for i in order], accumulate=True)
    made.smooth("jacobian_forward", list(program.jacobian.values()))
    if program.has_time:
        made.smooth("time_derivative_forward", [program.time_derivative[i] for i in order])
    made.prep()
    made.start()
    made.matvec()
    return made.writer.text()


def outputs_forward_module(program: Program, nodes: Sequence[int], fused: bool) -> str:
    """IR of the derivatives of outputs along directions."""
    made = ForwardWriter(program, fused)
    made.outputs(nodes)
    return made.writer.text()
