"""From the maths tree to the expression graph, once per point of view.

A formula means different graph nodes depending on when it is evaluated:

* ``start``: at the initial time, from the numbers the user gives (initial assignments apply),
* ``direct``: at any later time, exactly as written,
* ``smooth``: inside the equations while a step is under way. There every comparison or floor that depends on the state
  or on time is replaced by its *branch*, a number held fixed during the step, so that the equations are smooth within
  each step and discontinuities are located instead of stepped over.
* ``located``: the root functions that decide those branches, computed as the model writes them: a quotient is one IEEE
  division there, because a floor or comparison sees the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from ...errors import InputError
from ...model.maths import Expr
from .graph import BOOLEAN, FUNCTIONS, TIME_BIT, Graph

_Binary = Callable[[int, int], int]
DiscontinuityKind = Literal["lt", "le", "floor", "eq"]


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A discontinuity: where its root function ``root``, a smooth node, crosses a level.

    Its branch is, for ``lt``, whether root > 0, for ``le`` whether root >= 0, for ``floor`` the integer n with
    n <= root < n + 1, for ``eq`` the sign of root, 0 while it is 0. A root function may depend on other branches.
    """

    kind: DiscontinuityKind
    root: int

    def corrected(self, value: float, root: float) -> float:
        """What a branch at ``value`` becomes where its root function contradicts it."""
        if self.kind == "floor":
            return math.floor(root)
        if self.kind == "eq":
            return 0.0 if root == 0 else -1.0 if root < 0 else 1.0
        return 1.0 - value

    def contradicts(self, value: float, root: float) -> bool:
        """Whether a branch at ``value`` does not go with where its root function is."""
        if self.kind == "floor":
            return not value <= root < value + 1 and math.isfinite(root)
        if self.kind == "eq":
            return value == 0 if math.isnan(root) else (root > 0) - (root < 0) != value
        return (root > 0 if self.kind == "lt" else root >= 0) != bool(value)


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
        discontinuities: DiscontinuityTable | None = None,
        divide: _Binary | None = None,
        power: _Binary | None = None,
        located: Lowering | None = None,
    ) -> None:
        self.graph = graph
        self.symbols = symbols
        self.discontinuities = discontinuities
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
            case "tan" | "cot" | "sec" | "csc" | "arctan" | "arccot" | "arcsin" | "arccos" if (
                self.discontinuities is not None
            ):
                return self._periodic(expr)
            case "abs" | "min" | "max" if self.discontinuities is not None:
                return self._kinked(expr)
        args = [graph.number(self(arg)) for arg in expr.args]
        if expr.op == "divide":
            return self.divide(args[0], args[1])
        if expr.op == "power":
            return self.power(args[0], args[1])
        if expr.op == "root":
            return self.power(args[1], graph.div(graph.one, args[0]))
        return _ARITHMETIC[expr.op](graph, args)

    def condition(self, expr: Expr) -> int:
        """The node for a formula that is asked whether it holds: a number that moves does where it is not zero."""
        graph = self.graph
        node = self(expr)
        if graph.op(node) in BOOLEAN or self.discontinuities is None or not graph.depends_on_state_or_time(node):
            return graph.truth(node)
        return graph.negate(self._equal(expr, Expr("number")))

    def _piecewise(self, args: tuple[Expr, ...]) -> int:
        graph = self.graph
        result = self(args[-1]) if len(args) % 2 else graph.const(float("nan"))
        for i in range(len(args) // 2 - 1, -1, -1):
            result = graph.select(self.condition(args[2 * i + 1]), self(args[2 * i]), result)
        return result

    def _logic(self, expr: Expr) -> int:
        graph = self.graph
        terms = [self.condition(arg) for arg in expr.args]
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
        if self.discontinuities is None or not graph.depends_on_state_or_time(plain):
            return plain
        return graph.equal(self.discontinuities.leaf(Discontinuity("eq", graph.sub(x, y))), graph.zero)

    def _ordered(self, kind: Literal["lt", "le"], a: Expr, b: Expr) -> int:
        graph = self.graph
        compare = graph.less if kind == "lt" else graph.less_equal
        x, y = graph.number(self.located(a)), graph.number(self.located(b))
        plain = compare(x, y)
        if self.discontinuities is None or not graph.depends_on_state_or_time(plain):
            return plain
        return graph.truth(self.discontinuities.leaf(Discontinuity(kind, graph.sub(y, x))))

    def _floor(self, arg: Expr) -> int:
        graph = self.graph
        x = graph.number(self.located(arg))
        if self.discontinuities is None or not graph.depends_on_state_or_time(x):
            return graph.call("floor", x)
        return self.discontinuities.leaf(Discontinuity("floor", x))

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

    def _kinked(self, expr: Expr) -> int:
        """Functions with a kink, which is located where it follows from time alone; where states move it, the control
        of the step size is what sees it."""
        graph = self.graph
        values = [graph.number(self(arg)) for arg in expr.args]
        plain = _ARITHMETIC[expr.op](graph, values)
        if graph.masks[plain] != TIME_BIT:
            return plain
        if expr.op == "abs":
            negative = self._ordered("lt", expr.args[0], Expr("number", value=0.0))
            return graph.select(negative, graph.neg(values[0]), values[0])
        best, result = expr.args[0], values[0]
        for arg, value in zip(expr.args[1:], values[1:], strict=True):
            better = self._ordered("lt", arg, best) if expr.op == "min" else self._ordered("lt", best, arg)
            best, result = Expr(expr.op, (best, arg)), graph.select(better, value, result)
        return result

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


class DiscontinuityTable:
    """The discontinuities met so far; each is a parameter leaf behind the model's own parameters."""

    def __init__(self, graph: Graph, first_index: int) -> None:
        self.graph = graph
        self.first_index = first_index
        self.discontinuities: list[Discontinuity] = []
        self._position: dict[Discontinuity, int] = {}

    def leaf(self, found: Discontinuity) -> int:
        """The parameter leaf that carries its branch."""
        if found not in self._position:
            self._position[found] = len(self.discontinuities)
            self.discontinuities.append(found)
        return self.graph.param(self.first_index + self._position[found])


def linear_in_time(graph: Graph, root: int) -> tuple[int, int] | None:
    """Slope and start of a root function slope*t + start, which is zero at a time known in advance; else None."""
    if graph.states_of(root):
        return None
    time = graph.time()
    slope = graph.derivative(root, time)
    if graph.masks[slope] or _has_jump(graph, root):
        return None
    return slope, graph.sub(root, graph.mul(slope, time))


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
