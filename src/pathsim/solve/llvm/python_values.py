"""Values of the drivers' language in LLVM IR: the expressions of :mod:`pathsim.solve.llvm.python_ir`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from ...arrays import FloatArray, IntArray
from . import calls
from .layout import DIMENSIONS
from .vector_ir import double

INT, FLOAT, BOOL = "i64", "double", "i1"
ARRAY_SLOTS = 1 + DIMENSIONS
"""An array is its address and the sizes of its dimensions (0 for those it does not have)."""


@dataclass(frozen=True)
class Value:
    """A number: its kind and its name or literal."""

    kind: str
    name: str


@dataclass(frozen=True)
class Array:
    """An array whose entries are of ``kind``."""

    kind: str
    address: str
    shape: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """A named tuple in memory."""

    cls: type
    address: str


Thing = Value | Array | Record
NUMBERS: dict[Any, str] = {int: INT, float: FLOAT, bool: BOOL}
_ARRAYS: list[tuple[Any, str]] = [(FloatArray, FLOAT), (IntArray, INT)]
_CALLS = {function: function.__name__ for function in
          (calls.call2, calls.call3, calls.call4, calls.call6, calls.call7, calls.call_step,
           calls.call_record)}  # fmt: skip
_INT_OPS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
            ast.LShift: "shl", ast.RShift: "ashr", ast.Mod: "srem", ast.FloorDiv: "sdiv"}  # fmt: skip
_FLOAT_OPS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_COMPARE = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
_PURE = {"sqrt": "llvm.sqrt.f64", "floor": "llvm.floor.f64", "nextafter": "nextafter"}


def slots(hint: Any) -> int:
    """How many 64-bit slots an argument or field of this type takes in memory."""
    if any(hint == array for array, _ in _ARRAYS):
        return ARRAY_SLOTS
    if hint in NUMBERS:
        return 1
    return sum(slots(field) for field in get_type_hints(hint).values())


def symbol_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}"


def signature(function: Callable[..., Any]) -> tuple[dict[str, Any], Any]:
    hints = get_type_hints(function)
    returned = hints.pop("return")
    return hints, None if returned is type(None) else returned


def kind_of_array(hint: Any) -> str | None:
    return next((kind for array, kind in _ARRAYS if hint == array), None)


def parameters(hints: Mapping[str, Any]) -> list[str]:
    found = []
    for name, hint in hints.items():
        if kind_of_array(hint):
            found += [f"ptr %{name}", *(f"i64 %{name}.{axis}" for axis in range(DIMENSIONS))]
        else:
            found.append(f"{NUMBERS.get(hint, 'ptr')} %{name}")
    return found


class Expressions:
    """Writes the expressions of one function, block by block, into :attr:`lines`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.names: dict[str, Any] = function.__globals__
        self.called: list[Callable[..., Any]] = []
        self.declared: set[str] = set()
        self.lines: list[str] = []
        self.variables: dict[str, Value] = {}
        self.arguments: dict[str, Array | Record] = {}
        self.block = "start"
        self._count = 0

    def emit(self, text: str) -> str:
        self._count += 1
        self.lines.append(f"%v{self._count} = {text}")
        return f"%v{self._count}"

    def label(self) -> str:
        self._count += 1
        return f"b{self._count}"

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        if not self.ended():
            self.lines.append(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str) -> None:
        self.lines.append(f"br i1 {condition}, label %{yes}, label %{no}")

    def ended(self) -> bool:
        return bool(self.lines) and self.lines[-1].startswith(("br ", "ret ", "unreachable"))

    def refuse(self, node: ast.AST, why: str = "is not in the language of the drivers") -> TypeError:
        line = self.function.__code__.co_firstlineno + getattr(node, "lineno", 1) - 1
        return TypeError(f"{self.function.__code__.co_filename}:{line}: '{ast.unparse(node)}' {why}")

    # expressions

    def number(self, node: ast.expr) -> Value:
        """The value of an expression."""
        found = self.thing(node)
        if not isinstance(found, Value):
            raise self.refuse(node, "is not a number")
        return found

    def truth(self, node: ast.expr) -> str:
        """The truth of an expression, as i1."""
        value = self.number(node)
        if value.kind == BOOL:
            return value.name
        return self.emit(f"icmp ne i64 {value.name}, 0" if value.kind == INT else f"fcmp une double {value.name}, 0.0")

    def thing(self, node: ast.expr) -> Thing:
        if isinstance(node, ast.Call):
            return self.call(node)
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is None or not isinstance(node, ast.expr):
            raise self.refuse(node)
        return handler(node)  # type: ignore[no-any-return]

    def _constant(self, node: ast.Constant) -> Value:
        return self._literal(node, node.value)

    def _literal(self, node: ast.AST, value: Any) -> Value:
        if isinstance(value, bool):
            return Value(BOOL, "true" if value else "false")
        if isinstance(value, int):
            return Value(INT, str(value))
        if isinstance(value, float):
            return Value(FLOAT, double(value))
        raise self.refuse(node)

    def _name(self, node: ast.Name) -> Thing:
        if node.id in self.variables:
            variable = self.variables[node.id]
            return Value(variable.kind, self.emit(f"load {variable.kind}, ptr {variable.name}"))
        if node.id in self.arguments:
            return self.arguments[node.id]
        return self._literal(node, self.names.get(node.id))

    def _attribute(self, node: ast.Attribute) -> Thing:
        if isinstance(node.value, ast.Name) and inspect.ismodule(self.names.get(node.value.id)):
            return self._literal(node, getattr(self.names[node.value.id], node.attr))
        record = self.thing(node.value)
        if not isinstance(record, Record):
            raise self.refuse(node)
        position = 0
        for name, hint in get_type_hints(record.cls).items():
            if name == node.attr:
                break
            position += slots(hint)
        words = [self._slot(record, position + i) for i in range(slots(hint))]
        if len(words) == 1:
            return Value(INT, words[0])
        kind = kind_of_array(hint)
        assert kind is not None
        return Array(kind, self.emit(f"inttoptr i64 {words[0]} to ptr"), tuple(words[1:]))

    def _slot(self, record: Record, position: int) -> str:
        place = self.emit(f"getelementptr i64, ptr {record.address}, i64 {position}")
        return self.emit(f"load i64, ptr {place}, !invariant.load !0")

    def _subscript(self, node: ast.Subscript) -> Value:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            array = self.thing(node.value.value)
            assert isinstance(array, Array)
            assert isinstance(node.slice, ast.Constant)
            assert isinstance(node.slice.value, int)
            return Value(INT, array.shape[node.slice.value])
        kind, place = self.place(node)
        return Value(kind, self.emit(f"load {kind}, ptr {place}"))

    def place(self, node: ast.Subscript) -> tuple[str, str]:
        """Kind and address of an entry of an array."""
        array = self.thing(node.value)
        if not isinstance(array, Array):
            raise self.refuse(node)
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        position = self.convert(self.number(indices[0]), INT).name
        for axis, index in enumerate(indices[1:], start=1):
            row = self.emit(f"mul i64 {position}, {array.shape[axis]}")
            position = self.emit(f"add i64 {row}, {self.number(index).name}")
        return array.kind, self.emit(f"getelementptr inbounds {array.kind}, ptr {array.address}, i64 {position}")

    def _binop(self, node: ast.BinOp) -> Value:
        return self.arithmetic(node, node.op, self.number(node.left), self.number(node.right))

    def arithmetic(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        if FLOAT in (a.kind, b.kind) or isinstance(op, ast.Div):
            if type(op) not in _FLOAT_OPS:
                raise self.refuse(node)
            a, b = self.convert(a, FLOAT), self.convert(b, FLOAT)
            return Value(FLOAT, self.emit(f"{_FLOAT_OPS[type(op)]} double {a.name}, {b.name}"))
        if type(op) not in _INT_OPS:
            raise self.refuse(node)
        a, b = self.convert(a, INT), self.convert(b, INT)
        return Value(INT, self.emit(f"{_INT_OPS[type(op)]} i64 {a.name}, {b.name}"))

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value(BOOL, self.emit(f"xor i1 {self.truth(node.operand)}, true"))
        value = self.number(node.operand)
        if not isinstance(node.op, ast.USub) or value.kind == BOOL:
            raise self.refuse(node)
        text = f"fneg double {value.name}" if value.kind == FLOAT else f"sub i64 0, {value.name}"
        return Value(value.kind, self.emit(text))

    def _boolop(self, node: ast.BoolOp) -> Value:
        """``and`` and ``or``: what follows is looked at only when it matters."""
        short = "true" if isinstance(node.op, ast.Or) else "false"
        after = self.label()
        incoming = []
        for item in node.values[:-1]:
            condition, following = self.truth(item), self.label()
            incoming.append(f"[ {short}, %{self.block} ]")
            self.branch(condition, *((after, following) if short == "true" else (following, after)))
            self.begin(following)
        last = self.truth(node.values[-1])
        incoming.append(f"[ {last}, %{self.block} ]")
        self.jump(after)
        self.begin(after)
        return Value(BOOL, self.emit(f"phi i1 {', '.join(incoming)}"))

    def _compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise self.refuse(node)
        return self._compared(_COMPARE[type(node.ops[0])], self.number(node.left), self.number(node.comparators[0]))

    def _compared(self, name: str, a: Value, b: Value) -> Value:
        if FLOAT in (a.kind, b.kind):
            a, b = self.convert(a, FLOAT), self.convert(b, FLOAT)
            return Value(BOOL, self.emit(f"fcmp {'une' if name == 'ne' else f'o{name}'} double {a.name}, {b.name}"))
        if a.kind != b.kind:
            a, b = self.convert(a, INT), self.convert(b, INT)
        sign = "" if name in ("eq", "ne") else "s"
        return Value(BOOL, self.emit(f"icmp {sign}{name} {a.kind} {a.name}, {b.name}"))

    def _ifexp(self, node: ast.IfExp) -> Value:
        yes, no, after = self.label(), self.label(), self.label()
        self.branch(self.truth(node.test), yes, no)
        self.begin(yes)
        first = self.number(node.body)
        kind, end_of_yes, written = first.kind, self.block, len(self.lines)
        self.begin(no)
        second = self.number(node.orelse)
        if kind != second.kind:
            kind = FLOAT
            second, tail = self.convert(second, kind), self.lines[written:]
            del self.lines[written:]
            first = self.convert(first, kind)
            written = len(self.lines)
            self.lines += tail
        self.lines.insert(written, f"br label %{after}")
        end_of_no = self.block
        self.jump(after)
        self.begin(after)
        both = f"[ {first.name}, %{end_of_yes} ], [ {second.name}, %{end_of_no} ]"
        return Value(kind, self.emit(f"phi {kind} {both}"))

    def convert(self, value: Value, kind: str) -> Value:
        if value.kind == kind:
            return value
        if (value.kind, kind) == (INT, FLOAT):
            return Value(kind, self.emit(f"sitofp i64 {value.name} to double"))
        if (value.kind, kind) == (BOOL, INT):
            return Value(kind, self.emit(f"zext i1 {value.name} to i64"))
        raise TypeError(f"{self.function.__name__}: {value.kind} does not become {kind} by itself")

    # calls

    def call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute):  # a function of math or numpy
            return self._pure(node, node.func.attr)
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in _BUILTIN and name not in self.names:
            return _BUILTIN[name](self, node, [self.number(argument) for argument in node.args])
        function = self.names.get(name)
        if function in _CALLS:
            return self._foreign([self.number(argument) for argument in node.args])
        if not inspect.isfunction(function):
            raise self.refuse(node)
        return self._own(node, function)

    def _pure(self, node: ast.Call, name: str) -> Value:
        values = [self.convert(self.number(argument), FLOAT) for argument in node.args]
        if name == "isfinite":
            size = self._absolute(values[0])
            return Value(BOOL, self.emit(f"fcmp olt double {size.name}, {double(float('inf'))}"))
        if name not in _PURE:
            raise self.refuse(node)
        kinds = ", ".join([FLOAT] * len(values))
        self.declared.add(f"declare double @{_PURE[name]}({kinds})")
        passed = ", ".join(f"double {value.name}" for value in values)
        return Value(FLOAT, self.emit(f"call double @{_PURE[name]}({passed})"))

    def _foreign(self, values: list[Value]) -> Value:
        """A call of machine code by its address."""
        address = self.emit(f"inttoptr i64 {values[0].name} to ptr")
        passed = ", ".join(f"{value.kind} {value.name}" for value in values[1:])
        self.lines.append(f"call void {address}({passed})")
        return Value(INT, "0")

    def _own(self, node: ast.Call, function: Callable[..., Any]) -> Value:
        hints, returned = signature(function)
        passed: list[str] = []
        for argument, hint in zip(node.args, hints.values(), strict=True):
            found = self.thing(argument)
            if isinstance(found, Array):
                passed += [f"ptr {found.address}", *(f"i64 {size}" for size in found.shape)]
            elif isinstance(found, Record):
                passed.append(f"ptr {found.address}")
            else:
                value = self.convert(found, NUMBERS[hint])
                passed.append(f"{value.kind} {value.name}")
        self.called.append(function)
        call = f"@{symbol_of(function)}({', '.join(passed)})"
        if returned is None:
            self.lines.append(f"call void {call}")
            return Value(INT, "0")
        kind = NUMBERS[returned]
        return Value(kind, self.emit(f"call {kind} {call}"))

    def _absolute(self, value: Value) -> Value:
        self.declared |= {"declare double @llvm.fabs.f64(double)", "declare i64 @llvm.abs.i64(i64, i1)"}
        if value.kind == FLOAT:
            return Value(FLOAT, self.emit(f"call double @llvm.fabs.f64(double {value.name})"))
        return Value(INT, self.emit(f"call i64 @llvm.abs.i64(i64 {value.name}, i1 false)"))

    def _extreme(self, node: ast.Call, values: list[Value], compare: str) -> Value:
        """Python's min and max: the first of equals, and the first when the second is NaN."""
        best = values[0]
        for value in values[1:]:
            if value.kind != best.kind:
                best, value = self.convert(best, FLOAT), self.convert(value, FLOAT)
            better = self._compared(compare, value, best)
            text = f"select i1 {better.name}, {value.kind} {value.name}, {best.kind} {best.name}"
            best = Value(value.kind, self.emit(text))
        return best

    def _truncated(self, node: ast.Call, values: list[Value]) -> Value:
        if values[0].kind == FLOAT:
            raise self.refuse(node)
        return self.convert(values[0], INT)

    def _truth_of(self, node: ast.Call, values: list[Value]) -> Value:
        if values[0].kind != BOOL:
            raise self.refuse(node, "takes a comparison")
        return values[0]


_BUILTIN: dict[str, Callable[[Expressions, ast.Call, list[Value]], Value]] = {
    "abs": lambda f, node, values: f._absolute(values[0]),
    "min": lambda f, node, values: f._extreme(node, values, "lt"),
    "max": lambda f, node, values: f._extreme(node, values, "gt"),
    "int": lambda f, node, values: f._truncated(node, values),
    "float": lambda f, node, values: f.convert(values[0], FLOAT),
    "bool": lambda f, node, values: f._truth_of(node, values),
}
