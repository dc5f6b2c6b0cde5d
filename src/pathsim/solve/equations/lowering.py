"""From the maths tree to the expression graph, once per point of view.

A formula means different graph nodes depending on when it is evaluated:

* ``start``: at the initial time, from the numbers the user gives (initial assignments apply),
* ``direct``: at any later time, exactly as written,
* ``smooth``: inside the equations while a step is under way. There every comparison or floor that depends on the state
  or on time is replaced by a *mode*, a number held fixed during the step, so that the equations are smooth within each
  step and jumps are located instead of stepped over.
* ``located``: what decides those modes, computed as the model writes it: a quotient is one IEEE division there, because
  a floor or comparison sees the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from ...errors import InputError
from ...model.maths import Expr
from .graph import FUNCTIONS, Graph

_Binary = Callable[[int, int], int]
ModeKind = Literal["lt", "le", "floor", "eq"]


@dataclass(frozen=True, slots=True)
class Mode:
    """A discontinuity, decided by the course of ``margin``, a smooth node.

    For ``lt`` the mode is true while margin > 0, for ``le`` while margin >= 0, for ``floor`` it is the integer n with
    n <= margin < n + 1, for ``eq`` the sign of the margin, 0 while it is 0. A margin may depend on other modes.
    """

    kind: ModeKind
    margin: int

    def corrected(self, value: float, margin: float) -> float:
        """What a mode at ``value`` becomes where its margin contradicts it."""
        if self.kind == "floor":
            return math.floor(margin)
        if self.kind == "eq":
            return 0.0 if margin == 0 else -1.0 if margin < 0 else 1.0
        return 1.0 - value

    def contradicts(self, value: float, margin: float) -> bool:
        """Whether a mode at ``value`` does not go with where its margin is."""
        if self.kind == "floor":
            return not value <= margin < value + 1 and math.isfinite(margin)
        if self.kind == "eq":
            return value == 0 if math.isnan(margin) else (margin > 0) - (margin < 0) != value
        return (margin > 0 if self.kind == "lt" else margin >= 0) != bool(value)


class Symbols(Protocol):
    """What a lowering needs to know of the model."""

    def node(self, view: Lowering, name: str) -> int:
        """The node for symbol ``name`` seen from ``view``."""

    def rate(self, view: Lowering, name: str) -> int:
        """The node for the time derivative of ``name`` seen from ``view``."""


class Lowering:
    """One point of view; remembers the node of every symbol it has resolved."""

    def __init__(
        self,
        graph: Graph,
        symbols: Symbols,
        modes: ModeTable | None = None,
        divide: _Binary | None = None,
        power: _Binary | None = None,
        located: Lowering | None = None,
    ) -> None:
        self.graph = graph
        self.symbols = symbols
        self.modes = modes
        self.divide = divide or graph.quotient
        self.power = power or graph.pow
        self.located = located or self
        self._known: dict[str, int] = {}
        self._open: list[str] = []

    def symbol(self, name: str) -> int:
        """The node for a symbol. Raises :class:`InputError` when rules refer to each other in a circle."""
        found = self._known.get(name)
        if found is None:
            if name in self._open:
                circle = " -> ".join([*self._open[self._open.index(name) :], name])
                raise InputError(f"the rules define each other in a circle: {circle}")
            self._open.append(name)
            found = self.symbols.node(self, name)
            self._open.pop()
            self._known[name] = found
        return found

    def __call__(self, expr: Expr) -> int:
        """The node for a formula."""
        graph = self.graph
        match expr.op:
            case "number":
                return graph.const(expr.value)
            case "symbol":
                return self.symbol(expr.name)
            case "time":
                return graph.time()
            case "rate_of":
                return self.symbols.rate(self, expr.name)
            case "lt" | "le" | "gt" | "ge" | "eq" | "ne":
                return self._comparison(expr)
            case "floor":
                return self._floor(expr.args[0])
            case "ceiling":
                return graph.neg(self._floor(Expr("neg", expr.args)))
            case "quotient":
                return self._truncated(Expr("divide", expr.args))
            case "rem":
                a, b = (graph.number(self(arg)) for arg in expr.args)
                return graph.sub(a, graph.mul(b, self._truncated(Expr("divide", expr.args))))
            case "piecewise":
                return self._piecewise(expr.args)
            case "and" | "or" | "xor" | "not" | "implies":
                return self._logic(expr)
            case "tan" | "cot" | "sec" | "csc" | "arctan" | "arccot" | "arcsin" | "arccos" if self.modes is not None:
                return self._periodic(expr)
        args = [graph.number(self(arg)) for arg in expr.args]
        if expr.op == "divide":
            return self.divide(args[0], args[1])
        if expr.op == "power":
            return self.power(args[0], args[1])
        if expr.op == "root":
            return self.power(args[1], graph.div(graph.one, args[0]))
        return _ARITHMETIC[expr.op](graph, args)

    def _piecewise(self, args: tuple[Expr, ...]) -> int:
        graph = self.graph
        result = self(args[-1]) if len(args) % 2 else graph.const(float("nan"))
        for i in range(len(args) // 2 - 1, -1, -1):
            result = graph.select(self(args[2 * i + 1]), self(args[2 * i]), result)
        return result

    def _logic(self, expr: Expr) -> int:
        graph = self.graph
        terms = [self(arg) for arg in expr.args]
        match expr.op:
            case "not":
                return graph.negate(terms[0])
            case "implies":
                return graph.either(graph.negate(terms[0]), terms[1])
            case "and":
                result = graph.one
                for term in terms:
                    result = graph.both(result, term)
            case "or":
                result = graph.zero
                for term in terms:
                    result = graph.either(result, term)
            case _:
                result = graph.zero
                for term in terms:
                    odd = graph.equal(graph.number(graph.truth(result)), graph.number(graph.truth(term)))
                    result = graph.negate(odd)
        return graph.truth(result)

    def _comparison(self, expr: Expr) -> int:
        """``a < b < c`` is ``a < b and b < c``; ``>`` is ``<`` the other way round."""
        graph, args = self.graph, expr.args
        result = graph.one
        for first, second in pairwise(args):
            a, b = (second, first) if expr.op in ("gt", "ge") else (first, second)
            if expr.op in ("eq", "ne"):
                term = self._equal(a, b)
                term = graph.negate(term) if expr.op == "ne" else term
            else:
                term = self._ordered("lt" if expr.op in ("lt", "gt") else "le", a, b)
            result = graph.both(result, term)
        return result

    def _equal(self, a: Expr, b: Expr) -> int:
        """Equality of what moves is located as a crossing, so that the moment it holds is found."""
        graph = self.graph
        x, y = graph.number(self.located(a)), graph.number(self.located(b))
        plain = graph.equal(x, y)
        if self.modes is None or not graph.depends_on_state_or_time(plain):
            return plain
        return graph.equal(self.modes.leaf(Mode("eq", graph.sub(x, y))), graph.zero)

    def _ordered(self, kind: Literal["lt", "le"], a: Expr, b: Expr) -> int:
        graph = self.graph
        compare = graph.less if kind == "lt" else graph.less_equal
        x, y = graph.number(self.located(a)), graph.number(self.located(b))
        plain = compare(x, y)
        if self.modes is None or not graph.depends_on_state_or_time(plain):
            return plain
        return graph.truth(self.modes.leaf(Mode(kind, graph.sub(y, x))))

    def _floor(self, arg: Expr) -> int:
        graph = self.graph
        x = graph.number(self.located(arg))
        if self.modes is None or not graph.depends_on_state_or_time(x):
            return graph.call("floor", x)
        return self.modes.leaf(Mode("floor", x))

    def _periodic(self, expr: Expr) -> int:
        """Functions with poles, or undone by another: where they jump is located, and triangular waves stay linear."""
        graph, inner = self.graph, expr.args[0]
        match expr.op, inner.op:
            case ("arctan", "tan") | ("arcsin", "sin") | ("arccos", "cos"):
                angle, shift = inner.args[0], 0.0 if inner.op == "cos" else 0.5
                turns = self._half_turns(angle, shift)
                rest = graph.sub(graph.number(self(angle)), graph.mul(graph.const(math.pi), turns))
                if inner.op == "tan":
                    return rest
                half = graph.mul(graph.const(0.5), turns)
                even = graph.equal(half, graph.call("floor", half))
                other = graph.neg(rest) if inner.op == "sin" else graph.sub(graph.const(math.pi), rest)
                return graph.select(even, rest, other)
            case ("arctan", "divide") if inner.args[1].op == "tan":
                self._half_turns(inner.args[1].args[0], 0.0)
            case ("arctan", "divide"):
                self._ordered("lt", inner.args[1], Expr("number", value=0.0))
            case ("arccot", "tan"):
                self._half_turns(inner.args[0], 0.0)
            case ("arccot", _):
                self._ordered("lt", inner, Expr("number", value=0.0))
            case ("tan" | "sec", _):
                self._half_turns(inner, 0.5)
            case ("cot" | "csc", _):
                self._half_turns(inner, 0.0)
        return _ARITHMETIC[expr.op](graph, [graph.number(self(inner))])

    def _half_turns(self, angle: Expr, shift: float) -> int:
        """How many multiples of pi lie below an angle plus ``shift`` times pi."""
        turns = Expr("divide", (angle, Expr("number", value=math.pi)))
        return self._floor(Expr("plus", (turns, Expr("number", value=shift))))

    def _truncated(self, ratio: Expr) -> int:
        """Rounded towards zero."""
        negative = self._ordered("lt", ratio, Expr("number", value=0.0))
        down = self._floor(ratio)
        up = self.graph.neg(self._floor(Expr("neg", (ratio,))))
        return self.graph.select(negative, up, down)


class ModeTable:
    """The discontinuities met so far; each is a parameter leaf behind the model's own parameters."""

    def __init__(self, graph: Graph, first_index: int) -> None:
        self.graph = graph
        self.first_index = first_index
        self.modes: list[Mode] = []
        self._position: dict[Mode, int] = {}

    def leaf(self, mode: Mode) -> int:
        """The parameter leaf that carries ``mode``."""
        if mode not in self._position:
            self._position[mode] = len(self.modes)
            self.modes.append(mode)
        return self.graph.param(self.first_index + self._position[mode])


def linear_in_time(graph: Graph, margin: int) -> tuple[int, int] | None:
    """Slope and start of a margin slope*t + start, which switches at a time known in advance; None for others."""
    if graph.states_of(margin):
        return None
    time = graph.time()
    slope = graph.derivative(margin, time)
    if graph.masks[slope] or _has_jump(graph, margin):
        return None
    return slope, graph.sub(margin, graph.mul(slope, time))


def _has_jump(graph: Graph, node: int) -> bool:
    """Whether a node hides a kink or jump in time."""
    return any(graph.op(n) in ("sel", "abs", "floor", "tgamma") and graph.masks[n] for n in graph.topological([node]))


def _extremum(graph: Graph, args: list[int], least: bool) -> int:
    result = args[0]
    for arg in args[1:]:
        smaller = graph.less(arg, result) if least else graph.less(result, arg)
        result = graph.select(smaller, arg, result)
    return result


def _product(graph: Graph, args: list[int]) -> int:
    result = graph.one
    for arg in args:
        result = graph.mul(result, arg)
    return result


def _one_argument(function: str, inner_reciprocal: bool = False, outer_reciprocal: bool = False) -> _Operation:
    def operation(graph: Graph, args: list[int]) -> int:
        argument = graph.div(graph.one, args[0]) if inner_reciprocal else args[0]
        result = graph.call(function, argument)
        return graph.div(graph.one, result) if outer_reciprocal else result

    return operation


_Operation = Callable[[Graph, list[int]], int]
_ARITHMETIC: dict[str, _Operation] = {
    "plus": lambda g, a: g.total(a),
    "times": _product,
    "minus": lambda g, a: g.sub(a[0], a[1]),
    "neg": lambda g, a: g.neg(a[0]),
    "ln": _one_argument("log"),
    "log": lambda g, a: g.div(g.call("log", a[1]), g.call("log", a[0])),
    "abs": lambda g, a: g.absolute(a[0]),
    "factorial": lambda g, a: g.call("tgamma", g.add(a[0], g.one)),
    "min": lambda g, a: _extremum(g, a, least=True),
    "max": lambda g, a: _extremum(g, a, least=False),
    **{name: _one_argument(name) for name in FUNCTIONS if name not in ("log", "floor", "tgamma", "sqrt")},
    **{f"arc{name[1:]}": _one_argument(name) for name in FUNCTIONS if name.startswith("a")},
    "sec": _one_argument("cos", outer_reciprocal=True),
    "csc": _one_argument("sin", outer_reciprocal=True),
    "cot": _one_argument("tan", outer_reciprocal=True),
    "sech": _one_argument("cosh", outer_reciprocal=True),
    "csch": _one_argument("sinh", outer_reciprocal=True),
    "coth": _one_argument("tanh", outer_reciprocal=True),
    "arcsec": _one_argument("acos", inner_reciprocal=True),
    "arccsc": _one_argument("asin", inner_reciprocal=True),
    "arccot": _one_argument("atan", inner_reciprocal=True),
    "arcsech": _one_argument("acosh", inner_reciprocal=True),
    "arccsch": _one_argument("asinh", inner_reciprocal=True),
    "arccoth": _one_argument("atanh", inner_reciprocal=True),
}
