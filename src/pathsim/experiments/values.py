"""Numbers that depend on the parameter table: every override, scale, offset and noise parameter of a problem.

A problem refers to them by position, so that a new parameter vector costs one evaluation of a short list.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..model.maths import Expr, deep_recursion, number, symbols
from ..solve.equations.graph import Graph
from ..solve.equations.lowering import Lowering
from ..solve.equations.vectors import ArrayFunction, array_function

if TYPE_CHECKING:
    from scipy import sparse


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
            missing = [] if formula.op == "number" else sorted(symbols(formula) - self.place.keys())
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
    """The list, ready to be evaluated: numbers, plain references, and formulas proper.

    Parameters of the table come as (parameters,) for one vector or (parameters, m) for many; results as (formulas,) or
    (formulas, m) accordingly.
    """

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
        """Values of all formulas."""
        many = parameters.shape[1:]
        result = np.empty((len(self.constants), *many))
        result[:] = self.constants.reshape(-1, *(1 for _ in many))
        result[self.plain[:, 0]] = parameters[self.plain[:, 1]]
        if self.proper:
            result[self.proper] = self._function(self._leaves(parameters))
        return result

    def _leaves(self, parameters: FloatArray) -> Sequence[FloatArray]:
        return [parameters[i] for i in range(len(parameters))] or [np.zeros(parameters.shape[1:])]

    def jacobian(self, parameters: FloatArray) -> sparse.csr_array:
        """d formulas / d parameters at one vector, sparse, shape (formulas, parameters)."""
        from scipy import sparse  # slow to load, and only wanted by fits

        rows, columns = self.plain[:, 0], self.plain[:, 1]
        entries = np.ones(len(rows))
        if self.proper:
            extra_rows, extra_columns, _ = self._derivatives
            derivatives = np.array(self._derivative_function(self._leaves(parameters)))
            rows, columns = np.concatenate([rows, extra_rows]), np.concatenate([columns, extra_columns])
            entries = np.concatenate([entries, derivatives])
        return sparse.csr_array((entries, (rows, columns)), shape=(len(self.constants), self.n_parameters))

    def pull(self, parameters: FloatArray, bars: FloatArray) -> FloatArray:
        """Derivatives of an objective by parameters (parameters, m), from those by values, ``bars`` (formulas, m)."""
        found = np.zeros_like(parameters)
        scatter_add(found, self.plain[:, 1], bars[self.plain[:, 0]])
        if self.proper:
            rows, columns, _ = self._derivatives
            derivatives = np.array(self._derivative_function(self._leaves(parameters)))
            scatter_add(found, columns, derivatives * bars[rows])
        return found

    def depends_on(self, parameters: IntArray) -> BoolArray:
        """Which formulas depend on any of ``parameters``, whatever their values."""
        rows, columns, _ = self._derivatives
        found = np.zeros(len(self.constants), dtype=bool)
        for row, column in (self.plain.T, (rows, columns)):
            found[row[np.isin(column, parameters)]] = True
        return found

    @cached_property
    def _function(self) -> ArrayFunction:
        return array_function(self.graph, self.nodes)

    @cached_property
    def _derivatives(self) -> tuple[IntArray, IntArray, list[int]]:
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
    def _derivative_function(self) -> ArrayFunction:
        return array_function(self.graph, self._derivatives[2])


def scatter_add(target: FloatArray, places: IntArray, weights: FloatArray) -> None:
    """``target[places[i]] += weights[i]`` for all i; ``weights`` (count, m)."""
    size, count = len(target), len(places)
    if weights.shape[1] == 1:
        target[:, 0] += np.bincount(places, weights[:, 0], size)
    else:
        from scipy import sparse

        into = sparse.csc_array((np.ones(count), places, np.arange(count + 1)), shape=(size, count))
        target += np.asarray(into @ weights)


class _TableSymbols:
    """Parameters of the table stand where a model has its states, so that the graph can differentiate by them."""

    def __init__(self, graph: Graph, place: dict[str, int]) -> None:
        self.graph = graph
        self.place = place

    def node(self, view: Lowering, name: str) -> int:
        return self.graph.state(self.place[name])

    def rate(self, view: Lowering, name: str) -> int:
        return self.graph.zero
