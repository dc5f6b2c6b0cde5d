"""Numbers that depend on the parameter table: every override, scale, offset and noise parameter of a problem.

A problem refers to them by position, so that a new parameter vector costs one evaluation of a short list.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from scipy import sparse

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..model.maths import Expr, deep_recursion, number, symbols
from ..solve.equations.evaluate import Function, python_function
from ..solve.equations.graph import Graph
from ..solve.equations.lowering import Lowering


class Values:
    """A growing list of formulas over the parameters of the table; equal formulas share a position."""

    def __init__(self, parameters: tuple[str, ...]) -> None:
        self.place = {name: i for i, name in enumerate(parameters)}
        self.formulas: list[Expr] = []
        self._known: dict[Expr, int] = {}
        self.index(number(0.0))  # so that there is always something to point at

    def index(self, formula: Expr) -> int:
        """The position of ``formula``. Raises :class:`InputError` for a name that is not in the parameter table."""
        found = self._known.get(formula)
        if found is None:
            missing = sorted(symbols(formula) - self.place.keys())
            if missing:
                raise InputError(f"'{missing[0]}' is in neither the parameter table nor the model")
            found = self._known[formula] = len(self.formulas)
            self.formulas.append(formula)
        return found

    @cached_property
    def table(self) -> ValueTable:
        """The finished list; nothing may be added afterwards."""
        return ValueTable(self)


class ValueTable:
    """The list, ready to be evaluated: numbers, plain references, and formulas proper."""

    def __init__(self, values: Values) -> None:
        formulas = values.formulas
        self.n_parameters = len(values.place)
        self.constants = np.array([f.value if f.op == "number" else math.nan for f in formulas])
        plain = [(i, values.place[f.name]) for i, f in enumerate(formulas) if f.op == "symbol"]
        self.plain = np.array(plain, dtype=np.int64).reshape(-1, 2)
        self.proper = [i for i, f in enumerate(formulas) if f.op not in ("number", "symbol")]
        self.graph = Graph()
        with deep_recursion():
            lower = Lowering(self.graph, _TableSymbols(self.graph, values.place))
            self.nodes = [self.graph.number(lower(formulas[i])) for i in self.proper]

    def __call__(self, parameters: FloatArray) -> FloatArray:
        """Values of all formulas, shape (formulas,), for parameter values of shape (parameters,)."""
        result = self.constants.copy()
        result[self.plain[:, 0]] = parameters[self.plain[:, 1]]
        if self.proper:
            result[self.proper] = self._function(0.0, parameters, ())
        return result

    def jacobian(self, parameters: FloatArray) -> sparse.csr_array:
        """d formulas / d parameters, sparse, shape (formulas, parameters)."""
        rows, columns = self.plain[:, 0], self.plain[:, 1]
        entries = np.ones(len(rows))
        if self.proper:
            extra_rows, extra_columns, _ = self._slopes
            slopes = self._slope_function(0.0, parameters, ())
            rows, columns = np.concatenate([rows, extra_rows]), np.concatenate([columns, extra_columns])
            entries = np.concatenate([entries, slopes])
        return sparse.csr_array((entries, (rows, columns)), shape=(len(self.constants), self.n_parameters))

    def depends_on(self, parameters: IntArray) -> BoolArray:
        """Which formulas depend on any of ``parameters``, whatever their values."""
        rows, columns, _ = self._slopes
        found = np.zeros(len(self.constants), dtype=bool)
        for row, column in (self.plain.T, (rows, columns)):
            found[row[np.isin(column, parameters)]] = True
        return found

    @cached_property
    def _function(self) -> Function:
        return python_function(self.graph, self.nodes)

    @cached_property
    def _slopes(self) -> tuple[IntArray, IntArray, list[int]]:
        graph = self.graph
        found = [
            (row, column, graph.derivative(node, graph.state(column)))
            for row, node in zip(self.proper, self.nodes, strict=True)
            for column in graph.states_of(node)
        ]
        rows = np.array([row for row, _, _ in found], dtype=np.int64)
        columns = np.array([column for _, column, _ in found], dtype=np.int64)
        return rows, columns, [node for _, _, node in found]

    @cached_property
    def _slope_function(self) -> Function:
        return python_function(self.graph, self._slopes[2])


class _TableSymbols:
    """Parameters of the table stand where a model has its states, so that the graph can differentiate by them."""

    def __init__(self, graph: Graph, place: dict[str, int]) -> None:
        self.graph = graph
        self.place = place

    def node(self, view: Lowering, name: str) -> int:
        return self.graph.state(self.place[name])

    def rate(self, view: Lowering, name: str) -> int:
        return self.graph.zero
