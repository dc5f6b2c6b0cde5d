"""The maths of a model as an immutable tree: what a kinetic law, a rule or a trigger says, before anyone solves it.

Truth values are numbers (1 and 0), as in SBML Level 3 Version 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from sys import getrecursionlimit, setrecursionlimit
from typing import NamedTuple


class Expr(NamedTuple):
    """One node. ``op`` is ``number``, ``symbol``, ``time``, ``rate_of`` or one of :data:`ARITY`.

    ``value`` belongs to numbers, ``name`` to symbols and ``rate_of``; ``args`` to everything else. The arguments of
    ``piecewise`` are ``value, condition, value, condition, ... [, otherwise]``.
    """

    op: str
    args: tuple[Expr, ...] = ()
    value: float = 0.0
    name: str = ""


# number of arguments: fixed, or (least, None) for any number from least on
ARITY: dict[str, int | tuple[int, None]] = {
    "plus": (0, None), "times": (0, None), "minus": 2, "neg": 1, "divide": 2, "power": 2, "root": 2,
    "exp": 1, "ln": 1, "log": 2, "abs": 1, "floor": 1, "ceiling": 1, "factorial": 1,
    "sin": 1, "cos": 1, "tan": 1, "sec": 1, "csc": 1, "cot": 1,
    "sinh": 1, "cosh": 1, "tanh": 1, "sech": 1, "csch": 1, "coth": 1,
    "arcsin": 1, "arccos": 1, "arctan": 1, "arcsec": 1, "arccsc": 1, "arccot": 1,
    "arcsinh": 1, "arccosh": 1, "arctanh": 1, "arcsech": 1, "arccsch": 1, "arccoth": 1,
    "min": (1, None), "max": (1, None), "rem": 2, "quotient": 2, "piecewise": (0, None),
    "lt": (1, None), "le": (1, None), "gt": (1, None), "ge": (1, None), "eq": (1, None), "ne": 2,
    "and": (0, None), "or": (0, None), "xor": (0, None), "not": 1, "implies": 2,
}  # fmt: skip

TIME = Expr("time")


def number(value: float) -> Expr:
    """The literal ``value``."""
    return Expr("number", value=float(value))


def symbol(name: str) -> Expr:
    """A reference to the model symbol ``name``."""
    return Expr("symbol", name=name)


def nodes(expr: Expr) -> Iterator[Expr]:
    """Every node of the tree, parents first."""
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.args)


def symbols(expr: Expr) -> set[str]:
    """Names the expression refers to, those under ``rate_of`` included."""
    found: set[str] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node.name:
            found.add(node.name)
        stack += node.args
    return found


def uses_time(expr: Expr) -> bool:
    """Whether the expression refers to time itself."""
    return any(node.op == "time" for node in nodes(expr))


def substitute(expr: Expr, replacements: Mapping[str, Expr]) -> Expr:
    """``expr`` with each symbol in ``replacements`` replaced by its expression (a function call written out)."""
    if not replacements:
        return expr
    if expr.op in ("symbol", "rate_of") and expr.name in replacements:
        new = replacements[expr.name]
        return new if expr.op == "symbol" else Expr("rate_of", name=new.name)
    if not expr.args:
        return expr
    return expr._replace(args=tuple([substitute(arg, replacements) for arg in expr.args]))


@contextmanager
def deep_recursion(limit: int = 100_000) -> Iterator[None]:
    """Formulas nest as deep as their author likes; Python functions recurse on the heap, so a high limit is safe."""
    before = getrecursionlimit()
    setrecursionlimit(max(before, limit))
    try:
        yield
    finally:
        setrecursionlimit(before)


_INFIX = {
    "plus": (" + ", 1), "minus": (" - ", 1), "times": ("*", 2), "divide": ("/", 2), "power": ("^", 4),
    "lt": (" < ", 0), "le": (" <= ", 0), "gt": (" > ", 0), "ge": (" >= ", 0), "eq": (" == ", 0), "ne": (" != ", 0),
    "and": (" && ", -1), "or": (" || ", -1),
}  # fmt: skip


def text(expr: Expr) -> str:
    """The expression in infix, for messages and figures."""
    return _text(expr, -2)


def _text(expr: Expr, outer: int) -> str:
    if expr.op == "number":
        shown = repr(expr.value).removesuffix(".0")
        return f"({shown})" if expr.value < 0 and outer > 0 else shown
    if expr.op == "symbol":
        return expr.name
    if expr.op == "time":
        return "time"
    if expr.op == "rate_of":
        return f"rateOf({expr.name})"
    if expr.op == "neg":
        return f"-{_text(expr.args[0], 3)}"
    if expr.op in _INFIX and len(expr.args) >= 2:
        joiner, strength = _INFIX[expr.op]
        first = _text(expr.args[0], strength if expr.op != "power" else strength + 1)
        tight = strength + 1 if expr.op in ("minus", "divide") else strength
        joined = joiner.join([first, *(_text(arg, tight) for arg in expr.args[1:])])
        return f"({joined})" if strength < outer else joined
    return f"{expr.op}({', '.join(_text(arg, -2) for arg in expr.args)})"


def evaluate(expr: Expr, lookup: Callable[[str], float], time: float = 0.0) -> float:
    """The value of ``expr`` in plain Python: slow, obvious, and the oracle the compiled forms are tested against.

    ``lookup`` gives the value of a symbol. Domain errors give NaN or infinity as IEEE arithmetic does.
    """
    match expr.op:
        case "number":
            return expr.value
        case "symbol":
            return lookup(expr.name)
        case "time":
            return time
        case "rate_of":
            raise ValueError("rateOf needs the equations of the whole model")
        case "piecewise":
            pairs = len(expr.args) // 2
            for i in range(pairs):
                if evaluate(expr.args[2 * i + 1], lookup, time) != 0:
                    return evaluate(expr.args[2 * i], lookup, time)
            return evaluate(expr.args[-1], lookup, time) if len(expr.args) % 2 else math.nan
    values = [evaluate(arg, lookup, time) for arg in expr.args]
    try:
        return float(_PYTHON[expr.op](*values))
    except ZeroDivisionError:
        sign = math.copysign(1.0, values[0]) * math.copysign(1.0, values[1]) if len(values) == 2 else 1.0
        return math.nan if values[0] == 0 or math.isnan(values[0]) else sign * math.inf
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _chain(compare: Callable[[float, float], bool]) -> Callable[..., float]:
    return lambda *v: float(all(compare(a, b) for a, b in pairwise(v)))


_PYTHON: dict[str, Callable[..., float]] = {
    "plus": lambda *v: math.fsum(v) if all(map(math.isfinite, v)) else sum(v),
    "times": lambda *v: math.prod(v),
    "minus": lambda a, b: a - b,
    "neg": lambda a: -a,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: math.pow(a, b),
    "root": lambda degree, a: math.sqrt(a) if degree == 2 else math.pow(a, 1 / degree),
    "exp": math.exp,
    "ln": lambda a: math.log(a) if a != 0 else -math.inf,
    "log": lambda base, a: math.log(a) / math.log(base) if a != 0 else -math.inf,
    "abs": abs,
    "floor": lambda a: math.floor(a) if math.isfinite(a) else a,
    "ceiling": lambda a: math.ceil(a) if math.isfinite(a) else a,
    "factorial": lambda a: math.gamma(a + 1),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sec": lambda a: 1 / math.cos(a),
    "csc": lambda a: 1 / math.sin(a),
    "cot": lambda a: 1 / math.tan(a),
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "sech": lambda a: 1 / math.cosh(a),
    "csch": lambda a: 1 / math.sinh(a),
    "coth": lambda a: 1 / math.tanh(a),
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "arcsec": lambda a: math.acos(1 / a),
    "arccsc": lambda a: math.asin(1 / a),
    "arccot": lambda a: math.atan(1 / a) if a != 0 else math.pi / 2,
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": math.atanh,
    "arcsech": lambda a: math.acosh(1 / a),
    "arccsch": lambda a: math.asinh(1 / a),
    "arccoth": lambda a: math.atanh(1 / a),
    "min": min,
    "max": max,
    "rem": math.fmod,
    "quotient": lambda a, b: float(math.trunc(a / b)),
    "lt": _chain(lambda a, b: a < b),
    "le": _chain(lambda a, b: a <= b),
    "gt": _chain(lambda a, b: a > b),
    "ge": _chain(lambda a, b: a >= b),
    "eq": _chain(lambda a, b: a == b),
    "ne": lambda a, b: float(a != b),
    "and": lambda *v: float(all(v)),
    "or": lambda *v: float(any(v)),
    "xor": lambda *v: float(sum(map(bool, v)) % 2),
    "not": lambda a: float(not a),
    "implies": lambda a, b: float(not a or bool(b)),
}
