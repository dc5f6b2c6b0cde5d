"""Graph nodes as one numpy function over arrays: one call for all measurements of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...arrays import FloatArray
from .evaluate import gamma_of_rows
from .graph import BOOLEAN, Graph

ArrayFunction = Callable[[Sequence[FloatArray]], list[FloatArray]]


def array_function(graph: Graph, outputs: Sequence[int]) -> ArrayFunction:
    """A function from arrays, one per state leaf of the graph, to arrays, one per output. It may give NaN."""
    lines = ["def function(x):"]
    names: dict[int, str] = {}
    for node in graph.topological(outputs):
        op = graph.op(node)
        if op == "const":
            names[node] = repr(graph.value(node))
        elif op == "x":
            names[node] = f"x[{graph.nodes[node][1]}]"
        else:
            names[node] = f"v{node}"
            form = _FORMS.get(op, op + "({0})")
            lines.append(f"    v{node} = {form.format(*(names[child] for child in graph.args(node)))}")
    results = [f"1.0*{names[node]}" if graph.op(node) in BOOLEAN else names[node] for node in outputs]
    lines.append(f"    return [{', '.join(results)}]")
    scope: dict[str, Any] = dict(_NAMES)
    exec(compile("\n".join(lines), "<measurements>", "exec"), scope)
    plain: Callable[[Sequence[FloatArray]], list[FloatArray | float]] = scope["function"]

    def function(x: Sequence[FloatArray]) -> list[FloatArray]:
        with np.errstate(all="ignore"):
            return [np.broadcast_to(np.asarray(value, dtype=float), x[0].shape) for value in plain(x)]

    return function


_FORMS = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0}*{1}", "neg": "-{0}", "rcp": "1.0/({0} + zero)",
    "div": "{0}/({1} + zero)",
    "pow": "power({0}, {1})", "sel": "where({0}, {1}, {2})",
    "lt": "({0} < {1})", "le": "({0} <= {1})", "eq": "({0} == {1})",
    "and": "({0} & {1})", "or": "({0} | {1})", "not": "(~{0})",
}  # fmt: skip

_NAMES: dict[str, Any] = {
    "nan": np.nan, "inf": np.inf, "zero": np.float64(0.0), "power": np.power, "where": np.where, "abs": np.abs,
    "floor": np.floor, "tgamma": gamma_of_rows, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip
