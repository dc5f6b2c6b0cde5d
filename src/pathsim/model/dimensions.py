"""Units of an annotated model, as exponents of its base units, and what a formula does to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from ..errors import InputError
from .maths import Expr, text

Dimensions = Mapping[str, Fraction]
"""Base unit -> exponent: ``1/(nM*min)`` is ``{"nM": -1, "min": -1}``; dimensionless is empty."""

NONE: Dimensions = {}
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z%][\w%]*)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[()*/^]))")
_SAME = {"plus", "minus", "min", "max", "rem"}
_COMPARE = {"lt", "le", "gt", "ge", "eq", "ne"}
_LOGIC = {"and", "or", "not", "xor", "implies"}
_KEEP = {"neg", "abs", "floor", "ceiling"}


def read_dimensions(unit: str) -> Dimensions:
    """``"nM/min"`` or ``"1/(nM^2*min)"`` as exponents. Raises :class:`InputError` for anything else."""
    tokens: list[str] = []
    position = 0
    while position < len(unit.rstrip()):
        match = _TOKEN.match(unit, position)
        if match is None:
            raise InputError(f"'{unit}' is not a unit; write for example nM, 1/min or 1/(nM*min)")
        tokens.append(match[match.lastgroup or 0].strip())
        position = match.end()
    found, rest = _product(tokens, unit)
    if rest:
        raise InputError(f"'{unit}' is not a unit: '{''.join(rest)}' is left over")
    return found


def _product(tokens: list[str], unit: str) -> tuple[Dimensions, list[str]]:
    found, tokens = _power(tokens, unit)
    while tokens and tokens[0] in "*/":
        sign = 1 if tokens[0] == "*" else -1
        factor, tokens = _power(tokens[1:], unit)
        found = combine(found, factor, Fraction(sign))
    return found, tokens


def _power(tokens: list[str], unit: str) -> tuple[Dimensions, list[str]]:
    if not tokens:
        raise InputError(f"'{unit}' is not a unit: something is missing at its end")
    head, *tokens = tokens
    if head == "(":
        found, tokens = _product(tokens, unit)
        if not tokens or tokens[0] != ")":
            raise InputError(f"'{unit}' is not a unit: a bracket is not closed")
        tokens = tokens[1:]
    elif head[0].isdigit():
        if float(head) != 1:
            raise InputError(f"'{unit}' is not a unit: a number other than 1 stands in it")
        found = NONE
    elif head in ")*/^":
        raise InputError(f"'{unit}' is not a unit: '{head}' stands where a unit should")
    else:
        found = {head: Fraction(1)}
    if tokens and tokens[0] == "^" and len(tokens) > 1:
        found, tokens = scaled(found, Fraction(tokens[1])), tokens[2:]
    return found, tokens


def combine(a: Dimensions, b: Dimensions, sign: Fraction) -> Dimensions:
    """``a * b**sign``."""
    result = {name: a.get(name, Fraction(0)) + sign * b.get(name, Fraction(0)) for name in {*a, *b}}
    return {name: exponent for name, exponent in result.items() if exponent}


def scaled(a: Dimensions, exponent: Fraction) -> Dimensions:
    """``a ** exponent``."""
    return {name: power * exponent for name, power in a.items() if power * exponent}


def dimensions_text(a: Dimensions) -> str:
    """The unit as one would write it: ``nM/min``."""
    above = [_one(name, power) for name, power in sorted(a.items()) if power > 0]
    below = [_one(name, -power) for name, power in sorted(a.items()) if power < 0]
    over = "*".join(above) or "1"
    if not below:
        return over
    return f"{over}/{below[0]}" if len(below) == 1 else f"{over}/({'*'.join(below)})"


def _one(name: str, power: Fraction) -> str:
    return name if power == 1 else f"{name}^{power}"


def dimensions_of(
    formula: Expr, of_symbol: Callable[[str], Dimensions | None], problems: list[str], time: Dimensions
) -> Dimensions | None:
    """Unit of ``formula``; None where a unit inside is not known. Clashes are described in ``problems``.

    A bare number may stand for any unit in a sum or a comparison only when it is zero; elsewhere it is dimensionless.
    """
    if formula.op == "number":
        return NONE
    if formula.op == "symbol":
        return of_symbol(formula.name)
    if formula.op == "time":
        return time
    if formula.op == "rate_of":
        base = of_symbol(formula.name)
        return None if base is None else combine(base, time, Fraction(-1))
    if formula.op == "piecewise":
        return _piecewise(formula, of_symbol, problems, time)
    parts = [dimensions_of(arg, of_symbol, problems, time) for arg in formula.args]
    if formula.op in _SAME | _COMPARE:
        found = _agreed(formula, formula.args, parts, problems)
        return NONE if formula.op in _COMPARE else found
    if formula.op in _LOGIC:
        return NONE
    if formula.op in _KEEP:
        return parts[0]
    if formula.op in ("times", "divide", "quotient"):
        return _multiplied(formula.op, parts)
    if formula.op in ("power", "root"):
        return _raised(formula, parts, problems)
    for arg, part in zip(formula.args, parts, strict=True):
        if part:
            problems.append(f"{formula.op} of '{text(arg)}', which is in {dimensions_text(part)}, not a pure number")
    return NONE


def _agreed(
    formula: Expr, args: tuple[Expr, ...], parts: list[Dimensions | None], problems: list[str]
) -> Dimensions | None:
    """The one unit of terms that are added or compared."""
    known = [
        (arg, part)
        for arg, part in zip(args, parts, strict=True)
        if part is not None and not (arg.op == "number" and arg.value == 0)
    ]
    if not known:
        return None
    first = known[0]
    for arg, part in known[1:]:
        if part != first[1]:
            problems.append(
                f"'{text(formula)}' brings together '{text(first[0])}' in {dimensions_text(first[1])} and "
                f"'{text(arg)}' in {dimensions_text(part)}"
            )
            return None
    return first[1]


def _multiplied(op: str, parts: list[Dimensions | None]) -> Dimensions | None:
    total: Dimensions = NONE
    for number, part in enumerate(parts):
        if part is None:
            return None
        total = combine(total, part, Fraction(1 if op == "times" or number == 0 else -1))
    return total


def _raised(formula: Expr, parts: list[Dimensions | None], problems: list[str]) -> Dimensions | None:
    base, exponent = (0, 1) if formula.op == "power" else (1, 0)
    if parts[exponent]:
        problems.append(f"'{text(formula)}' has an exponent with a unit")
    if not parts[base]:
        return parts[base]
    power = formula.args[exponent]
    if power.op != "number":
        problems.append(f"'{text(formula)}' raises a quantity with a unit to a power that is not a number")
        return None
    value = Fraction(power.value).limit_denominator(1000)
    return scaled(parts[base] or NONE, value if formula.op == "power" else 1 / value)


def _piecewise(
    formula: Expr, of_symbol: Callable[[str], Dimensions | None], problems: list[str], time: Dimensions
) -> Dimensions | None:
    pairs = len(formula.args) // 2
    values = [formula.args[2 * i] for i in range(pairs)] + list(formula.args[2 * pairs :])
    for i in range(pairs):
        dimensions_of(formula.args[2 * i + 1], of_symbol, problems, time)
    return _agreed(formula, tuple(values), [dimensions_of(v, of_symbol, problems, time) for v in values], problems)
