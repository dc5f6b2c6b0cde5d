"""Machine code for one system: its rates, Jacobian, factorisation and everything around them, as wide as the lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, Protocol

from ...garbage import none_looked_for
from ..equations.elimination import Elimination, eliminate
from ..equations.lowering import linear_in_time
from ..equations.system import System, jacobian, time_derivative
from .layout import EVENTS_OF_BLOCK
from .loop_ir import Loops
from .machine import machine
from .tables import Tables, TableWriter
from .vector_ir import Function, ReadLeaf, Sink, V, join_module, splat, write_nodes

FACTOR_ARGUMENTS = ("J", "ig", "A", "lu")
SOLVE_ARGUMENTS = ("A", "b", "lu")
CLEARLY = 100.0
"""Errors that one step may make by which a state is clearly below zero."""
MOST_IN_ONE_FUNCTION = 500  # multiply-adds
MOST_STRAIGHT_LINE = 2000
"""Multiply-adds up to which the factorisation is written out at once; beyond, loops over index tables spare the
compiler until a sweep is long enough to be worth it."""
BLOCK = 3
"""Rows and columns of a factorisation that are written together: nine sums in sixteen registers."""


@dataclass(frozen=True, eq=False)
class Program:
    """What is compiled for a system: node lists, the elimination order, and the hoisted values.

    States are numbered in elimination order throughout the compiled code; ``k`` holds every value that depends on
    parameters alone and is needed by the rates, computed once per simulation and after every switch.
    """

    system: System

    @cached_property
    @none_looked_for()
    def jacobian(self) -> dict[tuple[int, int], int]:
        """Nonzero entries (row, column) -> node; rows and columns are the system's states."""
        return jacobian(self.system)

    @cached_property
    def placed_jacobian(self) -> dict[tuple[int, int], int]:
        """(row, column) in elimination order -> position of the entry in J."""
        place = self.elimination.place
        return {(place[i], place[j]): q for q, (i, j) in enumerate(self.jacobian)}

    @cached_property
    def time_derivative(self) -> list[int]:
        return time_derivative(self.system)

    @cached_property
    def has_time(self) -> bool:
        """Whether rates depend on time explicitly."""
        zero = self.system.graph.zero
        return any(node != zero for node in self.time_derivative)

    @cached_property
    def elimination(self) -> Elimination:
        return eliminate(len(self.system.states), self.jacobian)

    @cached_property
    @none_looked_for()
    def tables(self) -> Tables:
        """What :func:`write_functions` writes, as tables."""
        writer = TableWriter(_sizes(self), machine().fused)
        write_functions(writer, self)
        return writer.tables()

    @cached_property
    def timed_discontinuities(self) -> list[tuple[int, int] | None]:
        """For discontinuities that switch at a time known in advance (slope*t + start): the two nodes; else None."""
        graph = self.system.graph
        return [linear_in_time(graph, one.root) for one in self.system.discontinuities]

    @cached_property
    def hoisted(self) -> dict[int, int]:
        """Node -> position in ``k``."""
        graph = self.system.graph
        masks, ops, arguments = graph.masks, graph.ops, graph.arguments
        outputs = self._smooth_nodes
        found: dict[int, int] = {}
        for node in graph.topological(outputs, stop=lambda node: masks[node] == 0):
            if masks[node] == 0:
                continue
            for child in arguments[node]:
                if masks[child] == 0 and child not in found and ops[child] != "const":
                    found[child] = len(found)
        for node in outputs:
            if masks[node] == 0 and ops[node] != "const":
                found.setdefault(node, len(found))
        return found

    @property
    def _smooth_nodes(self) -> list[int]:
        """Every node evaluated with ``k`` at hand."""
        system = self.system
        switch = [node for pair in self.timed_discontinuities if pair is not None for node in pair]
        return [
            *system.rates,
            *self.jacobian.values(),
            *self.time_derivative,
            *(one.root for one in system.discontinuities),
            *(event.trigger for event in system.events if not event.timed),
            *switch,
            system.undefined,
        ]


class Writer:
    """Writes the functions of one module."""

    def __init__(self, program: Program, fused: bool) -> None:
        self.program = program
        self.graph = program.system.graph
        self.fused = fused
        self.functions: list[Function] = []

    def function(self, name: str, pointers: Sequence[str]) -> Function:
        written = Function(name, pointers, self.fused)
        self.functions.append(written)
        return written

    def literal(self, name: str, pointers: Sequence[str]) -> Function:
        """A function that rounds every operation, as the formulas are written: floors and comparisons see it."""
        written = Function(name, pointers, fused=False)
        self.functions.append(written)
        return written

    def in_turn(self, name: str, pointers: Sequence[str], count: int) -> None:
        """A function that calls its parts ``name_0``, ``name_1``, ... with its own arguments."""
        arguments = ", ".join(f"ptr %{pointer}" for pointer in pointers)
        whole = self.function(name, pointers)
        whole.lines += [f"call void @{name}_{number}({arguments})" for number in range(count)]

    def one_of(self, name: str, pointers: Sequence[str], count: int) -> None:
        """``name(..., block)``: the call of one of the parts ``name_0``, ``name_1``, ..."""
        f = Loops(name, pointers, "i64 %block", self.fused)
        cases = " ".join(f"i64 {i}, label %part_{i}" for i in range(count))
        arguments = ", ".join(f"ptr %{pointer}" for pointer in pointers)
        f.lines.append(f"switch i64 %block, label %done [ {cases} ]")
        for i in range(count):
            f.lines += [f"part_{i}:", f"call void @{name}_{i}({arguments})", "br label %done"]
        f.lines.append("done:")
        self.functions.append(f)

    def text(self) -> str:
        """The module: the written functions and declarations of what they call."""
        wanted = {name for function in self.functions for name in function.declarations}
        return join_module([function.text() for function in self.functions], wanted)


class FunctionWriter(Protocol[V]):
    """What writes the functions of a model, as IR (:class:`Writer`) or as tables (:class:`.tables.TableWriter`)."""

    def function(self, name: str, pointers: Sequence[str], /) -> Sink[V]: ...
    def literal(self, name: str, pointers: Sequence[str], /) -> Sink[V]: ...
    def in_turn(self, name: str, pointers: Sequence[str], count: int, /) -> None: ...
    def one_of(self, name: str, pointers: Sequence[str], count: int, /) -> None: ...


def model_module(program: Program, fused: bool) -> str:
    """IR of everything that depends on the model alone: what :func:`write_functions` writes, ``solve(A, b)``, and
    ``factor(J, ig, A)`` when that is written out at once."""
    writer = Writer(program, fused)
    write_functions(writer, program)
    if program.elimination.multiply_adds <= MOST_STRAIGHT_LINE:
        _write_factor(writer, program)
    _write_solve(writer, program.elimination)
    return writer.text()


def careful_module(program: Program, fused: bool) -> str:
    """IR of what steps call alone, the factorisation written out whatever its size; the same bits as the others."""
    writer = Writer(program, fused)
    _write_step_functions(writer, program)
    if program.elimination.multiply_adds <= MOST_STRAIGHT_LINE:
        _write_factor(writer, program)
    else:
        _BlockedFactor(writer, program).write()
    _write_solve(writer, program.elimination)
    return writer.text()


def output_tables(program: Program, nodes: Sequence[int], fused: bool) -> Tables:
    """The values asked for as tables."""
    writer = TableWriter(_sizes(program), fused)
    _write_outputs(writer, program, nodes)
    return writer.tables()


def _sizes(program: Program) -> dict[str, int]:
    return {"k": len(program.hoisted), "p": program.system.n_parameters}


def write_functions(writer: FunctionWriter[V], program: Program) -> None:
    """Everything that depends on the model alone, save what solves linear equations.

    ``start(t, raw, p, x)``; ``prep(p, k)``; ``rates(t, x, k, o)`` adds the rates to o; ``jacobian(t, x, k, o)``;
    ``time_derivative(t, x, k, o)`` d rates / dt;
    ``root_functions(t, x, k, o)``; ``switches(t, x, k, o)`` slope and start of those timed; ``triggers(t, x, k, o)`` of
    untimed events, ``timed_triggers(t, x, p, o, block)`` of those timed in a block; ``moments(t, p, o)`` slope
    and start of their root functions, ``moment_roots(t, p, o)`` each at its own time; ``effects(t, x, p, o, block)``,
    see :func:`effect_nodes`; ``refuse(t, y, x, k, atol, peak, rtol, o)``, see
    :func:`_write_refusal`.
    """
    system, graph = program.system, program.system.graph
    place = program.elimination.place
    hoisted = program.hoisted

    start = writer.literal("start", ["t", "raw", "p", "x"])
    write_nodes(
        start,
        graph,
        [("p", i, node) for i, node in enumerate(system.start_parameters)]
        + [("x", place[i], node) for i, node in enumerate(system.start_states)],
        lambda f, kind, i: f.load("raw" if kind == "p" else kind, i),
    )

    prep = writer.literal("prep", ["p", "k"])
    write_nodes(prep, graph, [("k", i, node) for node, i in hoisted.items()], lambda f, kind, i: f.load(kind, i))
    read = _reader(place)

    def located(name: str, nodes: Sequence[int]) -> None:
        written = writer.literal(name, ["t", "x", "k", "o"])
        write_nodes(written, graph, [("o", i, node) for i, node in enumerate(nodes)], read, hoisted)

    _write_step_functions(writer, program)
    if system.discontinuities:
        located("root_functions", [one.root for one in system.discontinuities])
        pairs = [pair or (graph.zero, graph.zero) for pair in program.timed_discontinuities]
        located("switches", [node for pair in pairs for node in pair])
    if system.events:
        _write_events(writer, program)


def _write_step_functions(writer: FunctionWriter[V], program: Program) -> None:
    """Rates, Jacobian, derivative by time, and refusal: what steps call, save what solves linear equations."""
    system, graph, order = program.system, program.system.graph, program.elimination.order
    read = _reader(program.elimination.place)

    def smooth(name: str, nodes: Sequence[int], accumulate: bool = False) -> None:
        written = writer.function(name, ["t", "x", "k", "o"])
        outputs = [("o", i, node) for i, node in enumerate(nodes) if not (accumulate and graph.value(node) == 0)]
        write_nodes(written, graph, outputs, read, program.hoisted, accumulate)

    smooth("rates", [system.rates[i] for i in order], accumulate=True)
    smooth("jacobian", list(program.jacobian.values()))
    if program.has_time:
        smooth("time_derivative", [program.time_derivative[i] for i in order])
    if system.undefined != graph.zero:
        _write_refusal(writer, program)


def output_module(program: Program, nodes: Sequence[int], fused: bool) -> str:
    """IR of the values asked for: ``outputs(t, x, p, o)``."""
    writer = Writer(program, fused)
    _write_outputs(writer, program, nodes)
    return writer.text()


def _write_outputs(writer: FunctionWriter[V], program: Program, nodes: Sequence[int]) -> None:
    written = writer.literal("outputs", ["t", "x", "p", "o"])
    outputs = [("o", i, node) for i, node in enumerate(nodes)]
    write_nodes(written, program.system.graph, outputs, _reader(program.elimination.place))


def _write_refusal(writer: FunctionWriter[V], program: Program) -> None:
    """Whether a step from ``y`` to ``x`` is refused, a rate there being no number: a broken power of a negative one.

    States that are no further below zero than errors of steps add up to count as zero; ``peak`` holds the largest value
    that each has had.
    """
    place = program.elimination.place

    def read(f: Sink[V], kind: str, i: int) -> V:
        if kind != "x":
            return f.load(kind, i)
        new, row = f.load("x", place[i]), place[i]
        peak = f.intrinsic("maxnum", f.load("peak", row), f.intrinsic("fabs", f.load("y", row)))
        f.store("peak", row, peak)
        error = f.multiply_add(f.load("rtol", 0), peak, f.load("atol", row))
        near = f.compare("ge", new, f.binary("fmul", f.constant(-CLEARLY), error))
        return f.select(near, f.intrinsic("maxnum", new, f.constant(0.0)), new)

    written = writer.literal("refuse", ["t", "y", "x", "k", "atol", "peak", "rtol", "o"])
    write_nodes(written, program.system.graph, [("o", 0, program.system.undefined)], read, program.hoisted)


def _write_events(writer: FunctionWriter[V], program: Program) -> None:
    """Triggers and effects; of many events in functions of a few, because compilers take more than twice as long over
    functions twice as long, and because at one time few events are looked at."""
    system, graph, read = program.system, program.system.graph, _reader(program.elimination.place)
    untimed = [("o", e, event.trigger) for e, event in enumerate(system.events) if not event.timed]
    if untimed:
        written = writer.literal("triggers", ["t", "x", "k", "o"])
        write_nodes(written, graph, untimed, read, program.hoisted)
    size, effects = 1 << EVENTS_OF_BLOCK, effect_nodes(system)
    first = first_effects(system)
    for block, begin in enumerate(range(0, len(system.events), size)):
        end = min(begin + size, len(system.events))
        written = writer.literal(f"effects_{block}", ["t", "x", "p", "o"])
        write_nodes(written, graph, [("o", i, effects[i]) for i in range(first[begin], first[end])], read)
        written = writer.literal(f"timed_triggers_{block}", ["t", "x", "p", "o"])
        timed = [("o", e, system.events[e].trigger) for e in range(begin, end) if system.events[e].timed]
        write_nodes(written, graph, timed, read)
    blocks = -(-len(system.events) // size)
    for name in ("effects", "timed_triggers"):
        writer.one_of(name, ["t", "x", "p", "o"], blocks)
    roots = [one.root for event in system.events for one in event.moments]
    for part, begin in enumerate(range(0, len(roots), size)):
        lines = writer.literal(f"moments_{part}", ["t", "p", "o"])
        at_times = writer.literal(f"moment_roots_{part}", ["t", "p", "o"])
        for m, root in enumerate(roots[begin : begin + size], begin):
            pair = linear_in_time(graph, root)
            assert pair is not None
            write_nodes(lines, graph, [("o", 2 * m, pair[0]), ("o", 2 * m + 1, pair[1])], read)
            write_nodes(at_times, graph, [("o", m, root)], partial(_read_at_own_time, m))
    if roots:
        writer.in_turn("moments", ["t", "p", "o"], -(-len(roots) // size))
        writer.in_turn("moment_roots", ["t", "p", "o"], -(-len(roots) // size))


def _read_at_own_time(m: int, f: Sink[V], kind: str, i: int) -> V:
    return f.load(kind, m if kind == "t" else i)


def first_effects(system: System) -> list[int]:
    """Where the effects of each event begin among :func:`effect_nodes`, and their number."""
    return [0, *accumulate(2 * len(event.targets) + 2 for event in system.events)]


def _reader(place: dict[int, int]) -> ReadLeaf[Any]:
    """Leaves from the arrays of their names, states in elimination order."""
    return lambda f, kind, i: f.load(kind, place[i] if kind == "x" else i)


def effect_nodes(system: System) -> list[int]:
    """Delay, priority, then value and volume of each target, event after event."""
    zero = system.graph.zero
    nodes: list[int] = []
    for event in system.events:
        nodes.append(zero if event.delay is None else event.delay)
        nodes.append(system.graph.const(float("-inf")) if event.priority is None else event.priority)
        nodes += [node for target in event.targets for node in (target.value, target.volume)]
    return nodes


def _write_factor(writer: Writer, program: Program) -> None:
    """A = LU of J - I*ig without pivoting, scaled so that solving is short chains of multiply-adds.

    The diagonal holds d = -1/pivot, the lower part -L, and row k of the upper part d_k*U_k; :func:`_write_solve` then
    gives (I*ig - J)^-1 b. Row by row (up-looking), so that a row stays in registers while earlier rows are subtracted;
    a few rows to a function, because compilers take more than twice as long over functions twice as long.
    """
    elimination = program.elimination
    parts: list[Function] = []
    work = MOST_IN_ONE_FUNCTION
    for i, columns in enumerate(elimination.rows):
        if work >= MOST_IN_ONE_FUNCTION:
            parts.append(writer.function(f"factor_{len(parts)}", FACTOR_ARGUMENTS))
            work = 0
        _write_factor_row(parts[-1], program, i)
        work += sum(len(elimination.right[k]) for k in columns if k < i) + len(columns)
    writer.in_turn("factor", FACTOR_ARGUMENTS, len(parts))


def _write_factor_row(f: Function, program: Program, i: int) -> None:
    elimination, position = program.elimination, program.elimination.entries
    columns, entries, ig = elimination.rows[i], program.placed_jacobian, f.load("ig", 0)
    row = {j: f.load("J", entries[i, j]) for j in columns if (i, j) in entries}
    row[i] = f.binary("fsub", row[i], ig) if i in row else f.negative(ig)
    for k in (j for j in columns if j < i):
        factor = row.pop(k)
        f.store("A", position[i, k], f.binary("fmul", factor, f.load("A", position[k, k])))
        for j in elimination.right[k]:
            upper = f.load("A", position[k, j])
            row[j] = f.multiply_add(factor, upper, row[j]) if j in row else f.binary("fmul", factor, upper)
    diagonal = f.binary("fdiv", splat(-1.0), row.pop(i))
    f.store("A", position[i, i], diagonal)
    for j in elimination.right[i]:
        f.store("A", position[i, j], f.binary("fmul", row[j], diagonal))


class _BlockedFactor:
    """:func:`_write_factor` for factors that outgrow the first-level cache, of the same bits.

    A few neighbouring rows and columns at a time, so that an entry of an earlier row serves several multiply-adds once
    it is there; until a block of rows is done, the places of its lower part hold the entries before they are scaled.
    """

    def __init__(self, writer: Writer, program: Program) -> None:
        self.writer, self.program = writer, program
        self.position, self.jacobian = program.elimination.entries, program.placed_jacobian
        self.parts: list[Function] = []
        self.work = MOST_IN_ONE_FUNCTION
        self.values: dict[tuple[int, int], str] = {}

    def write(self) -> None:
        rows = self.program.elimination.rows
        for first in range(0, len(rows), BLOCK):
            self._write_rows(range(first, min(len(rows), first + BLOCK)))
        self.writer.in_turn("factor", FACTOR_ARGUMENTS, len(self.parts))

    def _write_rows(self, block: range) -> None:
        rows = [self.program.elimination.rows[i] for i in block]
        columns = sorted({j for row in rows for j in row})
        earlier = [k for k in columns if k < block.start]
        behind = [j for j in columns if j >= block.stop]
        alone = [[j] for j in columns if j < block.stop]  # these are needed by what follows at once
        for tile in (*alone, *(behind[i : i + BLOCK] for i in range(0, len(behind), BLOCK))):
            self._write_tile(block, earlier, tile)
        f = self._part(sum(map(len, rows)))
        for i, row in zip(block, rows, strict=True):
            for k in (k for k in row if k < i):
                f.store("A", self.position[i, k], f.binary("fmul", self._value(f, i, k), self._value(f, k, k)))
        self.values.clear()

    def _write_tile(self, block: range, earlier: Sequence[int], tile: Sequence[int]) -> None:
        """The entries of a block of rows in a few columns."""
        kept = [(i, j) for j in tile for i in block if (i, j) in self.position]
        inside = [(k, i, j) for i, j in kept for k in block if k < min(i, j)]
        outside = [(k, i, j) for k in earlier for i, j in kept if k < j]
        f = self._part(len(outside) + len(kept))
        totals = {(i, j): self._start(f, i, j) for i, j in kept}

        def subtract(k: int, i: int, j: int) -> None:
            if (i, k) in self.position and (k, j) in self.position:
                factor, upper, total = self._value(f, i, k), self._value(f, k, j), totals[i, j]
                product = f.binary("fmul", factor, upper) if total is None else f.multiply_add(factor, upper, total)
                totals[i, j] = product

        for step in outside:
            subtract(*step)
        for i, j in kept:
            for step in (one for one in inside if one[1:] == (i, j)):
                subtract(*step)
            total = totals[i, j]
            assert total is not None  # an entry has a derivative or is filled in
            if i == j:
                total = f.binary("fdiv", splat(-1.0), total)
            elif i < j:
                total = f.binary("fmul", total, self._value(f, i, i))
            self.values[i, j] = total
            f.store("A", self.position[i, j], total)

    def _start(self, f: Function, i: int, j: int) -> str | None:
        entry = f.load("J", self.jacobian[i, j]) if (i, j) in self.jacobian else None
        if i != j:
            return entry
        ig = f.load("ig", 0)
        return f.negative(ig) if entry is None else f.binary("fsub", entry, ig)

    def _value(self, f: Function, i: int, j: int) -> str:
        if (i, j) not in self.values:
            self.values[i, j] = f.load("A", self.position[i, j])
        return self.values[i, j]

    def _part(self, more: int) -> Function:
        """The function to write so many operations more into."""
        if self.work >= MOST_IN_ONE_FUNCTION:
            self.values.clear()
            self.parts.append(self.writer.function(f"factor_{len(self.parts)}", FACTOR_ARGUMENTS))
            self.work = 0
        self.work += more
        return self.parts[-1]


def _write_solve(writer: Writer, elimination: Elimination) -> None:
    """b = (I*ig - J)^-1 b with the factors of :func:`_write_factor`; a few rows to a function, as there."""
    parts: list[Function] = []
    x: dict[int, str] = {}
    work = MOST_IN_ONE_FUNCTION

    def part(more: int) -> Function:
        nonlocal work
        if work >= MOST_IN_ONE_FUNCTION:
            x.clear()
            parts.append(writer.function(f"solve_{len(parts)}", SOLVE_ARGUMENTS))
            work = 0
        work += more
        return parts[-1]

    def value(f: Function, i: int) -> str:
        if i not in x:
            x[i] = f.load("b", i)
        return x[i]

    for i, columns in enumerate(elimination.rows):
        if left := [k for k in columns if k < i]:
            f = part(len(left))
            total = f.load("b", i)
            for k in left:
                total = f.multiply_add(f.load("A", elimination.entries[i, k]), value(f, k), total)
            x[i] = total
            f.store("b", i, total)
    for k in reversed(range(len(elimination.rows))):
        right = elimination.right[k]
        f = part(1 + len(right))
        total = f.binary("fmul", value(f, k), f.load("A", elimination.entries[k, k]))
        for j in reversed(right):  # what is known longest first: the newest waits for one step only
            total = f.multiply_add(f.load("A", elimination.entries[k, j]), value(f, j), total)
        x[k] = total
        f.store("b", k, total)
    writer.in_turn("solve", SOLVE_ARGUMENTS, len(parts))
