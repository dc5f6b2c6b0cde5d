"""PEtab's formulas as maths trees.

PEtab's own parser (through sympy) reads the text; :func:`tree` turns its result into pathsim's tree.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import InputError, brief
from ..model.maths import TIME, Expr, number, symbol
from .tables import is_id, number_of

LONGEST = 50_000
"""Characters of a formula; petab's parser takes seconds for more."""

_WORDS = ("time", "true", "false")


def parse(text: str, where: str) -> Expr:
    """The formula ``text``, which may be a number. Raises :class:`InputError` naming ``where``."""
    content = text.strip()
    value = number_of(content)
    if value is not None:
        return number(value)
    if is_id(content) and content.isascii() and content not in _WORDS:
        return symbol(content)
    if len(content) > LONGEST:
        raise InputError(f"{where}: the formula '{brief(content)}' has more than {LONGEST} characters")
    try:
        return _parsed(content)
    except (ValueError, TypeError, NotImplementedError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{where}: the formula '{brief(content)}' cannot be read: {brief(str(error), 200)}") from None
    except RecursionError:
        raise InputError(f"{where}: the formula '{brief(content)}' is nested too deeply") from None


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
