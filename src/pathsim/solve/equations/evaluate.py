"""Graph nodes as a plain Python function: slow, short enough to read, and the oracle of the machine code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...arrays import FloatArray
from .graph import BOOLEAN, Graph

Numbers = Sequence[float] | FloatArray
Function = Callable[[float, Numbers, Numbers], list[float]]


def python_function(graph: Graph, outputs: Sequence[int]) -> Function:
    """A function ``(t, x, p) -> values of outputs``.

    Ordinary numbers take a fast path through :mod:`math`; where that raises (division by zero, overflow, logarithm of
    a negative number) the same code runs again under IEEE rules and gives infinities and NaN.
    """
    source = _source(graph, outputs)
    code = compile(source, "<graph>", "exec")
    fast: dict[str, Any] = dict(_FAST)
    exact: dict[str, Any] = dict(_EXACT)
    exec(code, fast)
    exec(code, exact)
    return partial(_call, fast["function"], exact["function"])


def array_function(graph: Graph, outputs: Sequence[int]) -> Callable[..., list[Any]]:
    """As :func:`python_function`, but entries of ``x`` and ``p`` may be arrays, and then so are the values.

    Conditions must not depend on arrays. Floating-point exceptions follow numpy's settings.
    """
    exact: dict[str, Any] = dict(_EXACT)
    exec(compile(_source(graph, outputs), "<graph>", "exec"), exact)
    return exact["function"]  # type: ignore[no-any-return]


def rows_function(graph: Graph, outputs: Sequence[int]) -> Callable[..., list[Any]]:
    """As :func:`array_function`, for arrays of one entry per row; conditions may depend on them, too."""
    exact: dict[str, Any] = _EXACT | {"where": np.where, "floor": np.floor, "tgamma": gamma_of_rows}
    exec(compile(_source(graph, outputs, _ROW_FORMS), "<graph>", "exec"), exact)
    return exact["function"]  # type: ignore[no-any-return]


def _call(fast: Function, exact: Function, t: float, x: Numbers, p: Numbers) -> list[float]:
    xs, ps = [float(value) for value in x], [float(value) for value in p]
    try:
        return fast(float(t), xs, ps)
    except (ArithmeticError, ValueError, TypeError):
        with np.errstate(all="ignore"):
            values = exact(np.float64(t), np.asarray(xs), np.asarray(ps))
        return [float(value) for value in values]


def _source(graph: Graph, outputs: Sequence[int], forms: Mapping[str, Callable[..., str]] | None = None) -> str:
    forms = _FORMS if forms is None else forms
    lines = ["def function(t, x, p):"]
    names: dict[int, str] = {}
    for node in graph.topological(outputs):
        op, args = graph.op(node), [names[child] for child in graph.args(node)]
        if op in ("const", "x", "p", "t"):
            names[node] = _leaf(graph, node)
            continue
        names[node] = f"v{node}"
        lines.append(f"    v{node} = {forms[op](*args) if op in forms else f'{op}({args[0]})'}")
    results = [f"float({names[node]})" if graph.op(node) in BOOLEAN else names[node] for node in outputs]
    return "\n".join([*lines, f"    return [{', '.join(results)}]"])


def _leaf(graph: Graph, node: int) -> str:
    kind = graph.op(node)
    if kind == "t":
        return "t"
    if kind == "const":
        value = graph.value(node)
        assert value is not None
        return repr(value) if math.isfinite(value) else ("nan" if math.isnan(value) else f"{'-' * (value < 0)}inf")
    return f"{kind}[{graph.nodes[node][1]}]"


_FORMS: dict[str, Callable[..., str]] = {
    "add": lambda a, b: f"{a} + {b}",
    "sub": lambda a, b: f"{a} - {b}",
    "mul": lambda a, b: f"{a}*{b}",
    "neg": lambda a: f"-{a}",
    "div": lambda a, b: f"{a}/{b}",
    "rcp": lambda a: f"1.0/{a}",
    "pow": lambda a, b: f"power({a}, {b})",
    "sel": lambda c, a, b: f"{a} if {c} else {b}",
    "lt": lambda a, b: f"{a} < {b}",
    "le": lambda a, b: f"{a} <= {b}",
    "eq": lambda a, b: f"{a} == {b}",
    "and": lambda a, b: f"{a} and {b}",
    "or": lambda a, b: f"{a} or {b}",
    "not": lambda a: f"not {a}",
}

_ROW_FORMS = _FORMS | {
    "sel": lambda c, a, b: f"where({c}, {a}, {b})",
    "lt": lambda a, b: f"({a} < {b})",
    "le": lambda a, b: f"({a} <= {b})",
    "eq": lambda a, b: f"({a} == {b})",
    "and": lambda a, b: f"({a} & {b})",
    "or": lambda a, b: f"({a} | {b})",
    "not": lambda a: f"(~{a})",
}


def gamma_of_rows(values: FloatArray) -> FloatArray:
    """The gamma function of each entry."""
    from scipy.special import gamma  # slow to load, and hardly any model asks for it

    return np.asarray(gamma(values))


def _exact_floor(value: float) -> float:
    return float(np.floor(value))


def _exact_gamma(value: float) -> float:
    try:
        return math.gamma(value)
    except (ValueError, OverflowError):
        return math.inf if value > 0 else math.nan


_SAME = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
_ARC = ("asin", "acos", "atan", "asinh", "acosh", "atanh")  # numpy calls them arcsin ...
_COMMON: dict[str, Any] = {"nan": math.nan, "inf": math.inf, "abs": abs}
_FAST = _COMMON | {"power": math.pow, "floor": math.floor, "tgamma": math.gamma}
_FAST |= {name: getattr(math, name) for name in (*_SAME, *_ARC)}
_EXACT = _COMMON | {"power": np.power, "floor": _exact_floor, "tgamma": _exact_gamma}
_EXACT |= {name: getattr(np, name) for name in _SAME} | {name: getattr(np, f"arc{name[1:]}") for name in _ARC}
