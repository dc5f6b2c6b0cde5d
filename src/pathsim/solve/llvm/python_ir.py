"""Plain typed Python to LLVM IR: how the drivers become machine code.

The drivers (:mod:`loop` and its neighbours) are ordinary functions over numbers, arrays and named
tuples, fully annotated. This module translates that small language, and refuses anything else with the line it met it
on: integers are 64 bits, floats doubles, both with Python's meaning (``min`` and ``max`` included) and no reordering,
so that the compiled driver gives the same bits as the Python it was made from. Unlike Python, indices and the operands
of ``//`` and ``%`` must not be negative, and nothing is bounds-checked.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

from .layout import DIMENSIONS, LANES
from .python_values import (
    ARRAY_SLOTS,
    FLOAT,
    INT,
    NUMBERS,
    Array,
    Expressions,
    Record,
    Value,
    kind_of_array,
    parameters,
    signature,
    symbol_of,
)

LANE_BLOCKS = ("F", "N")  # arguments of this name have LANES columns, which is worth telling the compiler


def module_of(entry: Callable[..., int | None]) -> str:
    """IR of ``entry`` and everything it calls; ``entry`` itself takes one address per argument (see :func:`slots`)."""
    pending: list[Callable[..., Any]] = [entry]
    done, texts = {entry}, []
    declared: set[str] = set()
    while pending:
        written = _Function(pending.pop())
        texts.append(written.text())
        declared |= written.code.declared
        for found in written.code.called:
            if found not in done:
                done.add(found)
                pending.append(found)
    return "\n".join([*texts, _entry(entry), *sorted(declared), "!0 = !{}"]) + "\n"


def _entry(function: Callable[..., int | None]) -> str:
    """``i64 entry(i64, ...)``: unpacks array arguments and calls the function; 0 when that returns nothing."""
    hints, returned = signature(function)
    lines, passed = [], []
    for name, hint in hints.items():
        lines.append(f"%{name} = inttoptr i64 %{name}.in to ptr")
        if not kind_of_array(hint):
            passed.append(f"ptr %{name}")
            continue
        for axis in range(ARRAY_SLOTS):
            lines.append(f"%{name}.at{axis} = getelementptr i64, ptr %{name}, i64 {axis}")
            lines.append(f"%{name}.{axis} = load i64, ptr %{name}.at{axis}")
        lines.append(f"%{name}.data = inttoptr i64 %{name}.0 to ptr")
        sizes = [f"%{name}.{axis}" for axis in range(1, ARRAY_SLOTS)]
        if name in LANE_BLOCKS:
            sizes[1] = str(LANES)
        passed += [f"ptr %{name}.data", *(f"i64 {size}" for size in sizes)]
    arguments = ", ".join(f"i64 %{name}.in" for name in hints)
    call = f"@{symbol_of(function)}({', '.join(passed)})"
    lines += [f"call void {call}", "ret i64 0"] if returned is None else [f"%r = call i64 {call}", "ret i64 %r"]
    return "\n".join([f"define i64 @entry({arguments}) nounwind {{", *lines, "}"])


class _Loop(NamedTuple):
    leave: str
    again: str


class _Function:
    """One Python function being translated: its statements; :class:`Expressions` writes what is in them."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        self.hints, self.returned = signature(function)
        self.code = Expressions(function)
        self.allocated: list[str] = []
        self.loops: list[_Loop] = []

    def text(self) -> str:
        """The IR of the function."""
        assert isinstance(self.tree, ast.FunctionDef)
        for name, hint in self.hints.items():
            kind = kind_of_array(hint)
            if kind:
                self.code.arguments[name] = Array(
                    kind, f"%{name}", tuple(f"%{name}.{axis}" for axis in range(DIMENSIONS))
                )
            elif hint in NUMBERS:
                self._assign_name(name, Value(NUMBERS[hint], f"%{name}"))
            else:
                self.code.arguments[name] = Record(hint, f"%{name}")
        self._body(self.tree.body)
        result = "void" if self.returned is None else NUMBERS[self.returned]
        if not self.code.ended():
            self.code.lines.append("ret void" if self.returned is None else "unreachable")
        head = f"define internal {result} @{symbol_of(self.function)}({', '.join(parameters(self.hints))}) nounwind {{"
        return "\n".join([head, "entry:", *self.allocated, "br label %start", "start:", *self.code.lines, "}"])

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self.code.ended():
                return
            handler = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if handler is None:
                raise self.code.refuse(statement)
            handler(statement)

    def _pass(self, statement: ast.Pass) -> None:
        pass

    def _expr(self, statement: ast.Expr) -> None:
        if isinstance(statement.value, ast.Constant):  # the docstring
            return
        if not isinstance(statement.value, ast.Call):
            raise self.code.refuse(statement)
        self.code.call(statement.value)

    def _return(self, statement: ast.Return) -> None:
        if statement.value is None:
            self.code.lines.append("ret void")
            return
        value = self.code.convert(self.code.number(statement.value), NUMBERS[self.returned])
        self.code.lines.append(f"ret {value.kind} {value.name}")

    def _assign(self, statement: ast.Assign) -> None:
        for target in statement.targets:
            if isinstance(target, ast.Tuple):
                if not isinstance(statement.value, ast.Tuple):
                    raise self.code.refuse(statement)
                values = [self.code.number(item) for item in statement.value.elts]
                for item, value in zip(target.elts, values, strict=True):
                    self._store(item, value)
                return
        value = self.code.number(statement.value)
        for target in statement.targets:
            self._store(target, value)

    def _augassign(self, statement: ast.AugAssign) -> None:
        if isinstance(statement.target, ast.Name):
            old = self.code.number(ast.copy_location(ast.Name(statement.target.id, ast.Load()), statement.target))
            self._store(
                statement.target, self.code.arithmetic(statement, statement.op, old, self.code.number(statement.value))
            )
            return
        assert isinstance(statement.target, ast.Subscript)
        kind, place = self.code.place(statement.target)
        old = Value(kind, self.code.emit(f"load {kind}, ptr {place}"))
        value = self.code.convert(
            self.code.arithmetic(statement, statement.op, old, self.code.number(statement.value)), kind
        )
        self.code.lines.append(f"store {kind} {value.name}, ptr {place}")

    def _store(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self._assign_name(target.id, value, target)
        elif isinstance(target, ast.Subscript):
            kind, place = self.code.place(target)
            self.code.lines.append(f"store {kind} {self.code.convert(value, kind).name}, ptr {place}")
        else:
            raise self.code.refuse(target)

    def _assign_name(self, name: str, value: Value, node: ast.AST | None = None) -> None:
        if name not in self.code.variables:
            self.code.variables[name] = Value(value.kind, f"%{name}.var")
            self.allocated.append(f"%{name}.var = alloca {value.kind}")
        variable = self.code.variables[name]
        if node is not None and (variable.kind, value.kind) not in ((FLOAT, INT), (value.kind, value.kind)):
            raise self.code.refuse(node, f"was {variable.kind} before and cannot become {value.kind}")
        self.code.lines.append(
            f"store {variable.kind} {self.code.convert(value, variable.kind).name}, ptr {variable.name}"
        )

    def _if(self, statement: ast.If) -> None:
        yes, no, after = self.code.label(), self.code.label(), self.code.label()
        self.code.branch(self.code.truth(statement.test), yes, no)
        self.code.begin(yes)
        self._body(statement.body)
        self.code.jump(after)
        self.code.begin(no)
        self._body(statement.orelse)
        self.code.jump(after)
        self.code.begin(after)

    def _while(self, statement: ast.While) -> None:
        look, inside, after = self.code.label(), self.code.label(), self.code.label()
        self.code.jump(look)
        self.code.begin(look)
        self.code.branch(self.code.truth(statement.test), inside, after)
        self._loop_body(statement.body, inside, _Loop(after, look))
        self.code.begin(after)

    def _for(self, statement: ast.For) -> None:
        made = statement.iter
        if not (isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id == "range"
                and len(made.args) < 3 and isinstance(statement.target, ast.Name)):  # fmt: skip
            raise self.code.refuse(statement)
        bounds = [self.code.number(argument).name for argument in made.args]
        first, last = ("0", bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[1])
        counter = f"%counter{self.code.label()}"
        self.allocated.append(f"{counter} = alloca i64")
        self.code.lines.append(f"store i64 {first}, ptr {counter}")
        look, inside, again, after = self.code.label(), self.code.label(), self.code.label(), self.code.label()
        self.code.jump(look)
        self.code.begin(look)
        here = self.code.emit(f"load i64, ptr {counter}")
        self.code.branch(self.code.emit(f"icmp slt i64 {here}, {last}"), inside, after)
        self.code.begin(again)
        following = self.code.emit(f"add i64 {self.code.emit(f'load i64, ptr {counter}')}, 1")
        self.code.lines.append(f"store i64 {following}, ptr {counter}")
        self.code.jump(look)
        self._loop_body(statement.body, inside, _Loop(after, again), (statement.target.id, here))
        self.code.begin(after)

    def _loop_body(
        self, statements: list[ast.stmt], inside: str, loop: _Loop, counted: tuple[str, str] | None = None
    ) -> None:
        self.code.begin(inside)
        if counted is not None:
            self._assign_name(counted[0], Value(INT, counted[1]))
        self.loops.append(loop)
        self._body(statements)
        self.loops.pop()
        self.code.jump(loop.again)

    def _break(self, statement: ast.Break) -> None:
        self.code.jump(self.loops[-1].leave)

    def _continue(self, statement: ast.Continue) -> None:
        self.code.jump(self.loops[-1].again)
