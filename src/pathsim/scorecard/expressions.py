"""Arithmetic on measures, read from text: ``late / early``, ``log2(max(a, b))``."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def _fold(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def folded(*values: Any) -> Any:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return folded


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "log2": np.log2,
    "log10": np.log10,
    "abs": np.abs,
    "min": _fold(np.minimum),
    "max": _fold(np.maximum),
}


def names_in(text: str) -> list[str]:
    """Names of measures in an expression. Raises :class:`InputError` when it is not arithmetic."""
    return sorted(
        {node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name) and node.id not in _FUNCTIONS}
    )


def evaluate(text: str, values: Mapping[str, FloatArray]) -> FloatArray:
    """The expression with ``values`` of equal shape."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_value(_parse(text), values), dtype=float)


def _parse(text: str) -> ast.expr:
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise InputError(f"'{text}' is not arithmetic on measures") from None
    for node in ast.walk(tree):
        allowed = (ast.BinOp, ast.UnaryOp, ast.USub, ast.Call, ast.Name, ast.Constant, ast.Load, *_OPERATORS)
        if not isinstance(node, allowed):
            raise InputError(f"'{text}': {type(node).__name__} has no place in arithmetic on measures")
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
            raise InputError(f"'{text}' calls something else than {', '.join(_FUNCTIONS)}")
    return tree


def _value(node: ast.expr, values: Mapping[str, FloatArray]) -> Any:
    match node:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(operand=inner):
            return -_value(inner, values)
        case ast.BinOp(left=left, op=sign, right=right):
            return _OPERATORS[type(sign)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _FUNCTIONS[name](*(_value(item, values) for item in arguments))
    raise InputError(f"{ast.dump(node)} has no place in arithmetic on measures")
