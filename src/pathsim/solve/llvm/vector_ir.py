"""LLVM IR, as wide as there are lanes (4 or 8): graph nodes as straight-line code on vectors of doubles.

Every value is ``<LANES x double>``, one lane per simulation; arrays hold the lanes side by side, entry i of lane l at
``[LANES*i + l]``. Multiply-adds are fused explicitly and no fast-math flag is set, so the arithmetic is the same
whatever the optimiser does later.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from ..equations.graph import BOOLEAN, Graph
from .machine import machine

LANES = machine().lanes
VECTOR = f"<{LANES} x double>"
MASK = f"<{LANES} x i1>"
ALIGN = 8 * LANES
_TRUE = "<" + ", ".join(["i1 true"] * LANES) + ">"

_INTRINSIC = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor"}
_OWN = ("exp", "log", "pow")  # vector code of our own, see vector_maths
_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARE = {"lt": "olt", "le": "ole", "eq": "oeq", "ge": "oge"}


def double(value: float) -> str:
    """An IR literal that is exactly ``value``."""
    return f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"


def splat(value: float) -> str:
    """``value`` in every lane."""
    return f"splat (double {double(value)})"


V = TypeVar("V")


class Sink(Protocol[V]):
    """Where straight-line code on vectors goes, operation by operation: IR (:class:`Function`), or the tables of
    :mod:`.tables`. ``V`` is what stands for a value; truth values are values of their own."""

    def load(self, array: str, index: int, /) -> V: ...
    def store(self, array: str, index: int, value: V, /) -> None: ...
    def constant(self, number: float, /) -> V: ...
    def binary(self, op: str, a: V, b: V, /) -> V: ...
    def negative(self, a: V, /) -> V: ...
    def multiply_add(self, a: V, b: V, c: V, /) -> V: ...
    def intrinsic(self, name: str, /, *args: V) -> V: ...
    def own(self, name: str, /, *args: V) -> V: ...
    def library(self, name: str, a: V, /) -> V: ...
    def compare(self, kind: str, a: V, b: V, /) -> V: ...
    def logic(self, kind: str, /, *args: V) -> V: ...
    def select(self, condition: V, a: V, b: V, /) -> V: ...
    def truth(self, number: V, /) -> V: ...
    def number(self, truth: V, /) -> V: ...


class Function:
    """One IR function being written. Pointer arguments do not alias."""

    def __init__(self, name: str, pointers: Sequence[str], fused: bool) -> None:
        self.fused = fused
        self.pointers = pointers
        self.lines = [f"define void @{name}({', '.join(f'ptr noalias %{a}' for a in pointers)}) nounwind {{", "entry:"]
        self.declarations: set[str] = set()
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def emit(self, text: str) -> str:
        """Write ``%v = text`` and return the name."""
        name = self.new()
        self.lines.append(f"{name} = {text}")
        return name

    def load(self, array: str, index: int) -> str:
        pointer = self._pointer(array, index)
        return self.emit(f"load {VECTOR}, ptr {pointer}, align {ALIGN}")

    def store(self, array: str, index: int, value: str) -> None:
        pointer = self._pointer(array, index)
        self.lines.append(f"store {VECTOR} {value}, ptr {pointer}, align {ALIGN}")

    def _pointer(self, array: str, index: int) -> str:
        return self.emit(f"getelementptr inbounds double, ptr %{array}, i64 {index * LANES}") if index else f"%{array}"

    def binary(self, op: str, a: str, b: str) -> str:
        return self.emit(f"{op} {VECTOR} {a}, {b}")

    def negative(self, a: str) -> str:
        return self.emit(f"fneg {VECTOR} {a}")

    def multiply_add(self, a: str, b: str, c: str) -> str:
        """a*b + c, rounded once where the machine can."""
        if self.fused:
            return self.intrinsic("fma", a, b, c)
        return self.binary("fadd", self.binary("fmul", a, b), c)

    def intrinsic(self, name: str, *args: str) -> str:
        full = f"@llvm.{name}.v{LANES}f64"
        self.declarations.add(f"declare {VECTOR} {full}({', '.join([VECTOR] * len(args))})")
        return self.emit(f"call {VECTOR} {full}({', '.join(f'{VECTOR} {a}' for a in args)})")

    def own(self, name: str, *args: str) -> str:
        """One of the vector functions written out in :mod:`pathsim.solve.llvm.vector_maths`."""
        self.declarations.add(f"declare {VECTOR} @pathsim_{name}({', '.join([VECTOR] * len(args))})")
        return self.emit(f"call {VECTOR} @pathsim_{name}({', '.join(f'{VECTOR} {a}' for a in args)})")

    def library(self, name: str, a: str) -> str:
        """A function of the C library, lane by lane; for what is rare."""
        self.declarations.add(f"declare double @{name}(double)")
        result = "poison"
        for lane in range(LANES):
            one = self.emit(f"extractelement {VECTOR} {a}, i32 {lane}")
            value = self.emit(f"call double @{name}(double {one})")
            result = self.emit(f"insertelement {VECTOR} {result}, double {value}, i32 {lane}")
        return result

    def constant(self, number: float) -> str:
        return splat(number)

    def compare(self, kind: str, a: str, b: str) -> str:
        """``lt``, ``le``, ``eq`` or ``ge``; false where one of both is no number."""
        return self.emit(f"fcmp {_COMPARE[kind]} {VECTOR} {a}, {b}")

    def logic(self, kind: str, *args: str) -> str:
        """``and``, ``or``, ``not`` of truth values."""
        return self.emit(f"xor {MASK} {args[0]}, {_TRUE}" if kind == "not" else f"{kind} {MASK} {args[0]}, {args[1]}")

    def select(self, condition: str, a: str, b: str) -> str:
        return self.emit(f"select {MASK} {condition}, {VECTOR} {a}, {VECTOR} {b}")

    def truth(self, number: str) -> str:
        """Whether a number is not zero."""
        return self.emit(f"fcmp une {VECTOR} {number}, {splat(0.0)}")

    def number(self, truth: str) -> str:
        """1 where a truth value holds, else 0."""
        return self.emit(f"uitofp {MASK} {truth} to {VECTOR}")

    def text(self) -> str:
        return "\n".join([*self.lines, "ret void", "}"])


def join_module(parts: Sequence[str], declarations: set[str]) -> str:
    """Module text: the parts, then every declaration once, save of what is defined here."""
    lines = "\n".join(parts).split("\n")
    defined = {line.split("@")[1].split("(")[0] for line in lines if line.startswith("define")}
    declared = declarations | {line for line in lines if line.startswith("declare")}
    kept = sorted(line for line in declared if line.split("@")[1].split("(")[0] not in defined)
    return "\n".join([line for line in lines if not line.startswith("declare")] + kept) + "\n"


ReadLeaf = Callable[[Sink[V], str, int], V]
"""How a leaf is read: ``read(function, kind, index)`` for state ``x``, parameter ``p`` or time ``t``."""


def write_nodes(
    function: Sink[V],
    graph: Graph,
    outputs: Sequence[tuple[str, int, int]],
    read: ReadLeaf[V],
    hoisted: Mapping[int, int] | None = None,
    accumulate: bool = False,
) -> None:
    """Straight-line code that computes nodes and stores (or adds) them: ``outputs`` are (array, index, node).

    Nodes in ``hoisted`` are read from array ``k`` at the index given there instead of being computed.
    """
    _NodeWriter(function, graph, read, hoisted or {}).write(outputs, accumulate)


class _NodeWriter(Generic[V]):
    """Sums are written as chains of multiply-adds: a product that is only ever added somewhere is never computed on
    its own, but fused into each sum it enters."""

    def __init__(self, function: Sink[V], graph: Graph, read: ReadLeaf[V], hoisted: Mapping[int, int]) -> None:
        self.f = function
        self.graph = graph
        self.read = read
        self.hoisted = hoisted
        self.values: dict[int, V] = {}
        self.fused: set[int] = set()

    def write(self, outputs: Sequence[tuple[str, int, int]], accumulate: bool) -> None:
        nodes = [node for _, _, node in outputs]
        order = self.graph.topological(nodes, stop=self.hoisted.__contains__)
        self.fused = self._only_added(order, nodes, accumulate)
        terms: dict[int, list[tuple[bool, int]]] = {}
        if accumulate:
            uses = self._uses(order)
            terms = {node: self._terms(node, uses) for node in dict.fromkeys(nodes)}
            needed = self._needed([term for found in terms.values() for _, term in found])
        else:
            needed = set(order) - self.fused
        by_node: dict[int, list[tuple[str, int]]] = {}
        for array, index, node in outputs:
            by_node.setdefault(node, []).append((array, index))
        for node in order:
            if node in needed:
                self.values[node] = self._value(node)
            for array, index in by_node.get(node, ()):
                if accumulate:
                    self.f.store(array, index, self._add_up(terms[node], self.f.load(array, index)))
                else:
                    self._store(array, index, node)

    def _store(self, array: str, index: int, node: int) -> None:
        value = self.values[node]
        if self.graph.ops[node] in BOOLEAN:
            value = self.f.number(value)
        self.f.store(array, index, value)

    def _uses(self, order: Sequence[int]) -> dict[int, int]:
        """How often other nodes use each node."""
        arguments, hoisted = self.graph.arguments, self.hoisted
        uses = dict.fromkeys(order, 0)
        for node in order:
            if node not in hoisted:
                for child in arguments[node]:
                    uses[child] += 1
        return uses

    def _terms(self, node: int, uses: dict[int, int]) -> list[tuple[bool, int]]:
        """A sum as [(is negative, term)]; sums that nothing else uses are taken apart."""
        ops, arguments = self.graph.ops, self.graph.arguments
        terms: list[tuple[bool, int]] = []
        stack = [(False, node, True)]
        while stack:
            negative, part, top = stack.pop()
            op = ops[part]
            if op in ("add", "sub", "neg") and part not in self.hoisted and (top or uses[part] == 1):
                args = arguments[part]
                stack.append((negative != (op in ("sub", "neg")), args[-1], False))
                if len(args) == 2:
                    stack.append((negative, args[0], False))
            else:
                terms.append((negative, part))
        return terms

    def _needed(self, terms: Sequence[int]) -> set[int]:
        """Nodes whose values are needed to add up ``terms``: of a fused product its factors, not itself."""
        arguments, hoisted = self.graph.arguments, self.hoisted
        stack, seen = list(terms), set(terms)
        while stack:
            node = stack.pop()
            if node not in hoisted:
                for child in arguments[node]:
                    if child not in seen:
                        seen.add(child)
                        stack.append(child)
        return seen - self.fused

    def _only_added(self, order: Sequence[int], outputs: Sequence[int], accumulate: bool) -> set[int]:
        """Products whose every use is as a term of a sum, one of which at most is taken from each sum of two."""
        ops, arguments, hoisted = self.graph.ops, self.graph.arguments, self.hoisted
        alone: set[int] = set() if accumulate else set(outputs)
        added: set[int] = set()
        for node in order:
            if node in hoisted:
                continue
            op, args = ops[node], arguments[node]
            if op in ("add", "sub"):
                products = [child for child in args if ops[child] == "mul" and child not in hoisted]
                added.update(products)
                if len(products) == 2 and products[0] not in alone and products[1] not in alone and not accumulate:
                    alone.add(products[0])
            elif not (op == "neg" and accumulate):
                alone.update(args)
        if accumulate:
            added.update(node for node in outputs if ops[node] == "mul" and node not in hoisted)
        return added - alone

    def _add_up(self, terms: Sequence[tuple[bool, int]], total: V) -> V:
        for negative, term in terms:
            total = self._add(total, negative, term)
        return total

    def _add(self, total: V, negative: bool, term: int) -> V:
        """total + term or total - term."""
        if term not in self.fused:
            return self.f.binary("fsub" if negative else "fadd", total, self.values[term])
        first, second = self.graph.arguments[term]
        a, b = self.values[first], self.values[second]
        return self.f.multiply_add(self.f.negative(a) if negative else a, b, total)

    def _value(self, node: int) -> V:
        graph, f = self.graph, self.f
        op, args = graph.ops[node], graph.arguments[node]
        if node in self.hoisted:
            value = f.load("k", self.hoisted[node])
            return f.truth(value) if op in BOOLEAN else value
        if op in _BINARY:
            if op in ("add", "sub") and not self.fused.isdisjoint(args):
                return self._fused_sum(op, args)
            return f.binary(_BINARY[op], self._materialised(args[0]), self._materialised(args[1]))
        if op == "const":
            number = graph.value(node)
            assert number is not None
            return f.constant(number)
        if op == "t":
            return self.read(f, "t", 0)
        if op in ("x", "p"):
            return self.read(f, op, int(graph.nodes[node][1]))  # type: ignore[call-overload]
        values = [self._materialised(child) for child in args]
        if op in ("lt", "le", "eq"):
            return f.compare(op, values[0], values[1])
        if op in BOOLEAN:
            return f.logic(op, *values)
        match op:
            case "neg":
                return f.negative(values[0])
            case "rcp":
                return f.binary("fdiv", f.constant(1.0), values[0])
            case "sel":
                return f.select(values[0], values[1], values[2])
        if op in _INTRINSIC:
            return f.intrinsic(_INTRINSIC[op], values[0])
        return f.own(op, *values) if op in _OWN else f.library(op, values[0])

    def _fused_sum(self, op: str, args: Sequence[int]) -> V:
        first, second = args
        if second in self.fused and not (first in self.fused and op == "sub"):
            return self._add(self._materialised(first), op == "sub", second)
        if op == "add":
            return self._add(self._materialised(second), False, first)
        a, b = (self.values[child] for child in self.graph.args(first))
        return self.f.multiply_add(a, b, self.f.negative(self._materialised(second)))

    def _materialised(self, node: int) -> V:
        """The value of a node, computing a product on the spot where a sum of two products needs one of them."""
        found = self.values.get(node)
        if found is None:
            first, second = self.graph.arguments[node]
            found = self.values[node] = self.f.binary("fmul", self.values[first], self.values[second])
        return found
