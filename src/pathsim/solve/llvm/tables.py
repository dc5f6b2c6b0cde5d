"""Straight-line code on vectors as tables of numbers, which one function shipped for every model carries out.

Machine code of a model takes LLVM longer to make than a short simulation takes to run. The same operations, written by
the same code (:func:`.vector_ir.write_nodes`), are therefore recorded as well: operations that wait for nothing but
what has been computed already stand together by kind, and a loop over places of operands does them all. Every operation
is the one that machine code would do, so that results are the same to the last bit.

A table is a sequence of 32-bit integers: groups of (kind, how many, place of the first result, operands one after the
other), then :data:`END`. Places count in doubles from a base, the array ``k`` or ``p`` of a workspace, behind whose own
values there is room for results, and before which stands where the tables are.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .loop_ir import Loops
from .vector_ir import LANES, VECTOR, Function, join_module

Table = npt.NDArray[np.int32]

FUNCTIONS = {
    "start": ("t", "raw", "p", "x"),
    "prep": ("p", "k"),
    "rates": ("t", "x", "k", "o"),
    "jacobian": ("t", "x", "k", "o"),
    "time_derivative": ("t", "x", "k", "o"),
    "root_functions": ("t", "x", "k", "o"),
    "switches": ("t", "x", "k", "o"),
    "triggers": ("t", "x", "k", "o"),
    "refuse": ("t", "y", "x", "k", "atol", "peak", "rtol", "o"),
    "moments": ("t", "p", "o"),
    "moment_roots": ("t", "p", "o"),
    "outputs": ("t", "x", "p", "o"),
    "timed_triggers": ("t", "x", "p", "o"),
    "effects": ("t", "x", "p", "o"),
}
"""Functions of a model and what they take, as :func:`.codegen.model_module` has them."""
IN_BLOCKS = ("timed_triggers", "effects")
"""Those of which a call carries out one part only."""

LIBRARY = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "tgamma")
OPERATIONS = {
    "fadd": 2, "fsub": 2, "fmul": 2, "fdiv": 2, "fneg": 1, "fma": 3, "fma of -a": 3, "fma of -c": 3,
    "sqrt": 1, "fabs": 1, "floor": 1, "maxnum": 2, "exp": 1, "log": 1, "pow": 2, **dict.fromkeys(LIBRARY, 1),
    "lt": 2, "le": 2, "eq": 2, "ge": 2, "and": 2, "or": 2, "not": 1, "select": 3,
}  # fmt: skip
"""Kinds of operations and their operands. Truth values are 1 and 0."""
END, READ, CONSTANT, STORE = 0, 1, 2, 3
"""Kinds beside them: read (array, place), a number (its two halves), store (array, place, value)."""
_CODES = {name: 4 + number for number, name in enumerate(OPERATIONS)}
_ARITY = np.array([0, 2, 2, 3, *OPERATIONS.values()])
_NEGATIVE, _FMA, _LAST = _CODES["fneg"], _CODES["fma"], 1 << 30


class Recorded:
    """One function, recorded operation by operation; a :class:`~.vector_ir.Sink` whose values are numbers: of the
    operation they come from or, below zero, of a place behind the base.

    Args:
        pointers: what it takes.
        base: the one of ``pointers`` behind which there is room, and whose ``size`` first values need no reading.
        fused: whether multiply-adds are rounded once.
    """

    def __init__(self, pointers: Sequence[str], base: str, size: int, fused: bool) -> None:
        self._pointers, self._base, self._size, self._fused = tuple(pointers), base, size, fused
        self._kinds: list[int] = []
        self._operands: list[tuple[int, int, int]] = []
        self._levels: list[int] = []
        self._known: dict[tuple[int, int, int], int] = {}

    def load(self, array: str, index: int) -> int:
        return -1 - index if array == self._base else self._leaf(READ, self._pointers.index(array), index)

    def store(self, array: str, index: int, value: int) -> None:
        self._put(STORE, (self._pointers.index(array), index, value), _LAST)

    def constant(self, number: float) -> int:
        low, high = struct.unpack("<ii", struct.pack("<d", number))
        return self._leaf(CONSTANT, low, high)

    def binary(self, op: str, a: int, b: int) -> int:
        return self._operation(_CODES[op], a, b)

    def negative(self, a: int) -> int:
        return self._operation(_NEGATIVE, a)

    def multiply_add(self, a: int, b: int, c: int) -> int:
        if not self._fused:
            return self.binary("fadd", self.binary("fmul", a, b), c)
        if self._is_negative(a):
            return self._operation(_FMA + 1, self._operands[a][0], b, c)
        if self._is_negative(c):
            return self._operation(_FMA + 2, a, b, self._operands[c][0])
        return self._operation(_FMA, a, b, c)

    def intrinsic(self, name: str, *args: int) -> int:
        return self._operation(_CODES[name], *args)

    def own(self, name: str, *args: int) -> int:
        return self._operation(_CODES[name], *args)

    def library(self, name: str, a: int) -> int:
        return self._operation(_CODES[name], a)

    def compare(self, kind: str, a: int, b: int) -> int:
        return self._operation(_CODES[kind], a, b)

    def logic(self, kind: str, *args: int) -> int:
        return self._operation(_CODES[kind], *args)

    def select(self, condition: int, a: int, b: int) -> int:
        return self._operation(_CODES["select"], condition, a, b)

    def truth(self, number: int) -> int:
        return number  # only truth values were kept as numbers

    def number(self, truth: int) -> int:
        return truth

    def _is_negative(self, value: int) -> bool:
        return value >= 0 and self._kinds[value] == _NEGATIVE

    def _leaf(self, kind: int, a: int, b: int) -> int:
        found = self._known.get((kind, a, b))
        if found is None:
            found = self._known[kind, a, b] = self._put(kind, (a, b, -1), 0)
        return found

    def _operation(self, kind: int, a: int, b: int = -1, c: int = -1) -> int:
        levels = self._levels
        level = levels[a] if a >= 0 else 0
        if b >= 0 and levels[b] > level:
            level = levels[b]
        if c >= 0 and levels[c] > level:
            level = levels[c]
        return self._put(kind, (a, b, c), level + 1)

    def _put(self, kind: int, operands: tuple[int, int, int], level: int) -> int:
        place = len(self._kinds)
        self._kinds.append(kind)
        self._operands.append(operands)
        self._levels.append(level)
        return place

    @property
    def room(self) -> int:
        """Places needed behind those of the base."""
        return len(self._kinds)

    def table(self) -> Table:
        """All of it, without :data:`END`. Operations of one level and kind form a group."""
        if not self._kinds:
            return np.empty(0, np.int32)
        kinds, levels = np.array(self._kinds), np.array(self._levels)
        operands = np.array(self._operands, dtype=np.int64)
        used = np.zeros(len(kinds), dtype=bool)
        values = np.arange(3) < _ARITY[kinds][:, None]  # which operands are values
        values[kinds <= CONSTANT] = False
        values[kinds == STORE] = (False, False, True)
        used[operands[values & (operands >= 0)]] = True
        kept = np.flatnonzero(used | (kinds != _NEGATIVE))  # of fused negatives nothing is left to do
        kept = kept[np.lexsort((kinds[kept], levels[kept]))]
        places = np.empty(len(kinds), dtype=np.int64)
        places[kept] = (self._size + np.arange(len(kept))) * LANES
        of_values = operands[values]
        operands[values] = np.where(of_values >= 0, places[np.maximum(of_values, 0)], (-1 - of_values) * LANES)
        arrays = (kinds == READ) | (kinds == STORE)
        operands[arrays, 1] *= LANES
        kinds, levels, operands = kinds[kept], levels[kept], operands[kept].astype(np.int32)
        bounds = np.flatnonzero((np.diff(kinds) != 0) | (np.diff(levels) != 0)) + 1
        parts: list[Table] = []
        for first, last in zip([0, *bounds.tolist()], [*bounds.tolist(), len(kinds)], strict=True):
            head: Table = np.array([kinds[first], last - first, (self._size + first) * LANES], dtype=np.int32)
            parts += [head, np.ravel(operands[first:last, : _ARITY[kinds[first]]])]
        return np.concatenate(parts)


class TableWriter:
    """Records the functions of one model; what :class:`.codegen.Writer` does as IR."""

    def __init__(self, sizes: Mapping[str, int], fused: bool) -> None:
        self._sizes, self._fused = sizes, fused
        self._recorded: dict[str, Recorded] = {}
        self._parts: dict[str, list[str]] = {}

    def function(self, name: str, pointers: Sequence[str]) -> Recorded:
        return self._record(name, pointers, self._fused)

    def literal(self, name: str, pointers: Sequence[str]) -> Recorded:
        return self._record(name, pointers, False)

    def in_turn(self, name: str, pointers: Sequence[str], count: int) -> None:
        self._parts[name] = [f"{name}_{number}" for number in range(count)]

    one_of = in_turn

    def _record(self, name: str, pointers: Sequence[str], fused: bool) -> Recorded:
        base = "k" if "k" in pointers else "p"
        found = self._recorded[name] = Recorded(pointers, base, self._sizes[base], fused)
        return found

    def tables(self) -> Tables:
        """What was recorded."""
        end: Table = np.array([END], dtype=np.int32)
        made = {name: one.table() for name, one in self._recorded.items()}
        inner = {part for parts in self._parts.values() for part in parts}
        found = {name: [np.concatenate([table, end])] for name, table in made.items() if name not in inner}
        for name, parts in self._parts.items():
            if name in IN_BLOCKS:
                found[name] = [np.concatenate([made[part], end]) for part in parts]
            else:
                found[name] = [np.concatenate([*(made[part] for part in parts), end])]
        sizes = [one.room for one in self._recorded.values()]
        return Tables(found, max(sizes, default=0), sum(sizes))


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables of functions, parts of one function side by side, the ``room`` they need, and how many ``operations`` they
    are."""

    parts: dict[str, list[Table]]
    room: int
    operations: int

    @property
    def identity(self) -> bytes:
        """The same for the same functions of two systems, and else another."""
        pieces = [f"{name} {len(parts)} {[len(part) for part in parts]}".encode() for name, parts in self.parts.items()]
        return b"".join([*pieces, *(part.tobytes() for parts in self.parts.values() for part in parts)])


def interpreter_module(fused: bool) -> str:
    """IR of every function of :data:`FUNCTIONS`, which finds its table by what stands before its base."""
    functions: list[Function] = [_interpret(fused), *(_entry(name, number) for number, name in enumerate(FUNCTIONS))]
    declarations = {name for function in functions for name in function.declarations}
    return join_module([function.text() for function in functions], declarations)


def _entry(name: str, number: int) -> Function:
    pointers = FUNCTIONS[name]
    base = "k" if "k" in pointers else "p"
    f = Loops(name, pointers, "i64 %block" if name in IN_BLOCKS else "", False)
    places = f.pointer(f"%{base}", -LANES)
    table = f.pointer(places, number)
    if name in IN_BLOCKS:
        table = f.emit(f"load ptr, ptr {f.emit(f'getelementptr inbounds ptr, ptr {table}, i64 %block')}")
    arrays = f.emit(f"alloca [{len(pointers)} x ptr]")
    for i, pointer in enumerate(pointers):
        f.lines.append(f"store ptr %{pointer}, ptr {f.emit(f'getelementptr inbounds ptr, ptr {arrays}, i64 {i}')}")
    f.lines.append(f"call void @interpret(ptr {table}, ptr %{base}, ptr {arrays})")
    return f


def _interpret(fused: bool) -> Function:
    """``interpret(table, base, arrays)``: group after group."""
    f = Loops("interpret", ("table", "base", "arrays"), "", fused, linkage="internal")
    f.lines += ["%place = alloca ptr", "store ptr %table, ptr %place", "br label %next", "next:"]
    f.in_block("next")
    group = f.emit("load ptr, ptr %place")
    kind, count, result = (f.emit(f"load i32, ptr {_integer(f, group, str(i))}, align 4") for i in range(3))
    more, results = f.emit(f"sext i32 {count} to i64"), f.at("%base", f.emit(f"sext i32 {result} to i64"))
    first = _integer(f, group, "3")
    names = {READ: "read", CONSTANT: "constant", STORE: "store"} | {_CODES[name]: name for name in OPERATIONS}
    cases = " ".join(f"i32 {code}, label %kind{code}" for code in names)
    f.lines.append(f"switch i32 {kind}, label %done [ {cases} ]")
    for code, name in names.items():
        f.lines.append(f"kind{code}:")
        f.in_block(f"kind{code}")
        arity = int(_ARITY[code])

        def one(i: str, name: str = name, arity: int = arity) -> None:
            operands = _integer(f, first, f.emit(f"mul nuw nsw i64 {i}, {arity}"))
            numbers = [f.emit(f"load i32, ptr {_integer(f, operands, str(j))}, align 4") for j in range(arity)]
            value = _carried_out(f, name, numbers)
            if value is not None:
                f.write(f.vector_at(results, i), value)

        f.count_loop("0", more, one)
        f.lines.append(f"store ptr {_integer(f, first, f.emit(f'mul nuw nsw i64 {more}, {arity}'))}, ptr %place")
        f.lines.append("br label %next")
    f.lines.append("done:")
    return f


def _integer(f: Loops, pointer: str, index: str) -> str:
    return f.emit(f"getelementptr inbounds i32, ptr {pointer}, i64 {index}")


def _carried_out(f: Loops, name: str, numbers: Sequence[str]) -> str | None:
    """The value of one operation; None of one that stores."""

    def in_array(array: str, index: str) -> str:
        start = f.emit(f"load ptr, ptr {f.emit(f'getelementptr inbounds ptr, ptr %arrays, i32 {array}')}")
        return f.emit(f"getelementptr inbounds double, ptr {start}, i32 {index}")

    def value(number: str) -> str:
        return f.read(f.emit(f"getelementptr inbounds double, ptr %base, i32 {number}"))

    def truth(number: str) -> str:
        return f.truth(value(number))

    match name:
        case "read":
            return f.read(in_array(numbers[0], numbers[1]))
        case "store":
            f.write(in_array(numbers[0], numbers[1]), value(numbers[2]))
            return None
        case "constant":
            low, high = (f.emit(f"zext i32 {number} to i64") for number in numbers)
            bits = f.emit(f"or i64 {low}, {f.emit(f'shl i64 {high}, 32')}")
            one = f.emit(f"insertelement {VECTOR} poison, double {f.emit(f'bitcast i64 {bits} to double')}, i64 0")
            return f.emit(f"shufflevector {VECTOR} {one}, {VECTOR} poison, <{LANES} x i32> zeroinitializer")
        case "and" | "or" | "not":
            return f.number(f.logic(name, *map(truth, numbers)))
        case "select":
            return f.select(truth(numbers[0]), value(numbers[1]), value(numbers[2]))
    values = [value(number) for number in numbers]
    match name:
        case "lt" | "le" | "eq" | "ge":
            return f.number(f.compare(name, values[0], values[1]))
        case "fadd" | "fsub" | "fmul" | "fdiv":
            return f.binary(name, values[0], values[1])
        case "fneg":
            return f.negative(values[0])
        case "fma":
            return f.multiply_add(values[0], values[1], values[2])
        case "fma of -a":
            return f.multiply_add(f.negative(values[0]), values[1], values[2])
        case "fma of -c":
            return f.multiply_add(values[0], values[1], f.negative(values[2]))
        case "sqrt" | "fabs" | "floor" | "maxnum":
            return f.intrinsic(name, *values)
        case "exp" | "log" | "pow":
            return f.own(name, *values)
    return f.library(name, values[0])


class Placed:
    """Where tables are, as what stands before a base says it; keep it as long as it is used."""

    def __init__(self, *tables: Tables) -> None:
        self.places = np.zeros(len(FUNCTIONS), dtype=np.int64)
        """Addresses of tables, or of the addresses of their parts."""
        self._kept: list[object] = [tables]
        for number, name in enumerate(FUNCTIONS):
            for one in tables:
                if name in one.parts:
                    parts = np.array([part.ctypes.data for part in one.parts[name]])
                    self._kept.append(parts)
                    self.places[number] = parts.ctypes.data if name in IN_BLOCKS else parts[0]
