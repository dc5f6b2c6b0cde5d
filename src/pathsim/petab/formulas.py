"""PEtab's formulas as maths trees, and what of an observable has to be simulated.

PEtab's own parser (through sympy) reads the text; :func:`tree` turns its result into pathsim's tree.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import lru_cache
from typing import Any

from ..errors import InputError
from ..model.maths import TIME, Expr, number, substitute, symbol, symbols


def parse(text: Any, where: str) -> Expr:
    """The formula ``text`` (or a number). Raises :class:`InputError` naming ``where``."""
    if isinstance(text, (int, float)):
        return number(float(text))
    content = str(text).strip()
    try:
        return number(float(content))
    except ValueError:
        pass
    if content.isidentifier() and content not in ("time", "true", "false"):
        return symbol(content)
    try:
        return _parsed(content)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise InputError(f"{where}: the formula '{content}' cannot be read: {error}") from None


@lru_cache(maxsize=4096)
def _parsed(content: str) -> Expr:
    from petab.v1.math import sympify_petab

    return tree(sympify_petab(content))


def tree(expression: Any) -> Expr:
    """A sympy expression as a maths tree. Raises :class:`NotImplementedError` for a function PEtab does not define."""
    if expression.is_Symbol:
        return TIME if expression.name == "time" else symbol(expression.name)
    if expression.is_number and not expression.args:
        return number(float(expression))
    kind = type(expression).__name__
    if kind in ("BooleanTrue", "BooleanFalse"):
        return number(float(kind == "BooleanTrue"))
    if kind == "Piecewise":
        branches = [(tree(value), tree(condition)) for value, condition in expression.args]
        return _piecewise(branches)
    args = tuple(tree(argument) for argument in expression.args)
    if kind == "sign":
        positive, negative = (Expr(op, (args[0], number(0))) for op in ("gt", "lt"))
        return Expr("piecewise", (number(1), positive, number(-1), negative, number(0)))
    if kind == "log":
        return Expr("ln", args) if len(args) == 1 else Expr("log", (args[1], args[0]))
    op = _OPERATIONS.get(kind)
    if op is None:
        raise NotImplementedError(f"the function '{kind}' is not defined in PEtab")
    return Expr(op, args)


def _piecewise(branches: list[tuple[Expr, Expr]]) -> Expr:
    args: list[Expr] = []
    for value, condition in branches:
        if condition == number(1):
            return Expr("piecewise", (*args, value)) if args else value
        args += [value, condition]
    return Expr("piecewise", tuple(args))


_OPERATIONS = {
    "Add": "plus", "Mul": "times", "Pow": "power", "exp": "exp", "Abs": "abs", "Min": "min", "Max": "max",
    "floor": "floor", "ceiling": "ceiling",
    "sin": "sin", "cos": "cos", "tan": "tan", "sec": "sec", "csc": "csc", "cot": "cot",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "sech": "sech", "csch": "csch", "coth": "coth",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asec": "arcsec", "acsc": "arccsc", "acot": "arccot",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "asech": "arcsech", "acsch": "arccsch",
    "acoth": "arccoth",
    "StrictLessThan": "lt", "LessThan": "le", "StrictGreaterThan": "gt", "GreaterThan": "ge",
    "Equality": "eq", "Unequality": "ne", "And": "and", "Or": "or", "Not": "not", "Xor": "xor",
}  # fmt: skip


def with_clock(expr: Expr, clock: Expr) -> Expr:
    """``expr`` with the time of the simulation replaced by ``clock``."""
    if expr.op == "time":
        return clock
    if not expr.args:
        return expr
    return expr._replace(args=tuple(with_clock(arg, clock) for arg in expr.args))


def written_out(expr: Expr, formulas: dict[str, Expr], name: str) -> Expr:
    """``expr`` (of observable ``name``) with references to other observables replaced by their formulas.

    Raises :class:`InputError` when observables are defined by each other in a circle.
    """
    passed: set[str] = {name}
    while used := symbols(expr) & formulas.keys():
        if circle := sorted(used & passed):
            raise InputError(f"observable '{name}' is defined by itself (through '{circle[0]}')")
        expr = substitute(expr, {other: formulas[other] for other in used})
        passed |= used
    return expr


def separate(expr: Expr, outer: Container[str], keep: Callable[[Expr], Expr]) -> Expr:
    """``expr`` with every largest part free of ``outer`` symbols replaced by what ``keep`` makes of that part.

    Such parts need nothing but the model, so they are what a simulation has to give; scales, offsets and noise
    parameters stay outside. Plain numbers are left alone.
    """
    if not _simulated(expr):
        return expr
    if not any(name in outer for name in symbols(expr)):
        return keep(expr)
    if expr.op not in ("plus", "times"):
        return expr._replace(args=tuple(separate(arg, outer, keep) for arg in expr.args))
    inner = tuple(a for a in expr.args if _simulated(a) and not any(name in outer for name in symbols(a)))
    rest = tuple(separate(a, outer, keep) for a in expr.args if a not in inner)
    if not inner:
        return expr._replace(args=rest)
    together = inner[0] if len(inner) == 1 else Expr(expr.op, inner)
    return Expr(expr.op, (*rest, keep(together)))


def _simulated(expr: Expr) -> bool:
    """Whether anything but numbers is in the expression."""
    return expr.op in ("symbol", "time", "rate_of") or any(_simulated(arg) for arg in expr.args)
