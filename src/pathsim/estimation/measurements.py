"""From simulations to the likelihood: observables, their noise, and the slopes of both, for all measurements at once.

Measurements whose formulas have the same shape form one kind and are evaluated together. What a formula needs is either
an output of a simulation or a number of the value list; scales, offsets and noise parameters stay out of the
simulations, so that measurement-specific overrides cost nothing there.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import InputError, raise_together, unknown
from ..experiments.dynamics import Dynamics
from ..experiments.plan import Plan, Planner
from ..experiments.values import Values
from ..model.maths import Expr, deep_recursion, substitute, symbol, symbols
from ..solve.equations.graph import Graph
from ..solve.equations.lowering import Lowering
from ..solve.equations.vectors import ArrayFunction, array_function
from .formulas import separate, written_out
from .records import Measurement, Noise, Part, Scale
from .scales import LN10, scale_slope, scaled


@dataclass(frozen=True, slots=True)
class Shape:
    """What measurements of one kind share. Leaves ``0, 1, ...`` are outputs of simulations where ``simulated``."""

    formula: Expr
    noise: Expr
    simulated: tuple[bool, ...]
    scale: Scale
    distribution: Noise


@dataclass(frozen=True, eq=False)
class Kind:
    """Measurements of one shape: ``rows`` in the measurement table, their data, and where each leaf is found.

    ``sources`` (leaves, measurements) are positions in the flat outputs or in the values.
    """

    shape: Shape
    rows: IntArray
    data: FloatArray
    sources: IntArray

    def leaves(self, outputs: FloatArray, values: FloatArray) -> list[FloatArray]:
        """The value of every leaf for every measurement."""
        found = [
            (outputs if simulated else values)[places]
            for simulated, places in zip(self.shape.simulated, self.sources, strict=True)
        ]
        return found or [np.zeros(len(self.rows))]

    @cached_property
    def _graph(self) -> tuple[Graph, int, int]:
        graph = Graph()
        with deep_recursion():
            lower = Lowering(graph, _Leaves(graph))
            return graph, graph.number(lower(self.shape.formula)), graph.number(lower(self.shape.noise))

    @cached_property
    def function(self) -> ArrayFunction:
        """leaves -> observable, noise."""
        graph, observable, noise = self._graph
        return array_function(graph, [observable, noise])

    @cached_property
    def slopes(self) -> ArrayFunction:
        """leaves -> observable, noise, d observable / d leaves, d noise / d leaves."""
        graph, observable, noise = self._graph
        leaves = [graph.state(i) for i in range(len(self.shape.simulated))]
        derivatives = [graph.derivative(node, leaf) for node in (observable, noise) for leaf in leaves]
        return array_function(graph, [observable, noise, *derivatives])

    def residuals(self, observable: FloatArray, noise: FloatArray) -> FloatArray:
        """(transformed observable - transformed measurement) / noise."""
        with np.errstate(all="ignore"):
            simulated, measured = scaled(observable, self.shape.scale), scaled(self.data, self.shape.scale)
            residuals: FloatArray = (simulated - measured) / noise
        return residuals

    def log_densities(self, observable: FloatArray, noise: FloatArray) -> FloatArray:
        """The log likelihood of each measurement; NaN where the observable or the noise makes no sense."""
        residuals = self.residuals(observable, noise)
        with np.errstate(all="ignore"):
            spread = np.log(noise) + self._log_stretch
        if self.shape.distribution == "laplace":
            return -math.log(2.0) - spread - np.abs(residuals)
        return -0.5 * math.log(2.0 * math.pi) - spread - 0.5 * residuals**2

    def density_slopes(self, observable: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        """d log density / d observable, d log density / d noise."""
        residuals = self.residuals(observable, noise)
        with np.errstate(all="ignore"):
            by_residual = -np.sign(residuals) if self.shape.distribution == "laplace" else -residuals
            by_observable = by_residual / noise * scale_slope(observable, self.shape.scale)
            by_noise = -(1.0 + by_residual * residuals) / noise
        return by_observable, by_noise

    @cached_property
    def _log_stretch(self) -> FloatArray:
        """The logarithm of d measurement / d transformed measurement."""
        if self.shape.scale == "lin":
            return np.zeros(len(self.data))
        return np.log(self.data) + (math.log(LN10) if self.shape.scale == "log10" else 0.0)


class _Leaves:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def node(self, view: Lowering, name: str) -> int:
        return self.graph.state(int(name))

    def rate(self, view: Lowering, name: str) -> int:
        return self.graph.zero


# ------------------------------------------------------------------------------------------------ building the kinds


@dataclass(frozen=True, slots=True)
class _Template:
    """A measurement's shape, and for each leaf the output it needs or the name that the measurement fills in."""

    shape: Shape
    outputs: tuple[int, ...]
    names: tuple[str, ...]


class _Entry(NamedTuple):
    """A measurement: its row and value, where it is simulated, and where its leaves are."""

    row: int
    value: float
    simulation: int
    time: float
    places: list[int]


class Measuring:
    """Turns measurements into kinds, and asks the planner for the simulations they need."""

    def __init__(self, part: Part, dynamics: Dynamics, values: Values, planner: Planner) -> None:
        self.part = part
        self.dynamics = dynamics
        self.values = values
        self.planner = planner
        self.nodes: list[int] = []
        self._positions: dict[int, int] = {}
        self._templates: dict[tuple[object, ...], _Template] = {}
        self._formulas = {name: observable.formula for name, observable in part.observables.items()}
        self._entries: dict[Shape, list[_Entry]] = {}
        self._unmeasured: dict[Shape, list[_Entry]] = {}
        problems: list[str] = []
        for row, measurement in enumerate(part.measurements):
            problem = self._add(row, measurement)
            if problem:
                problems.append(problem)
        raise_together(problems[:20], part.model.source)

    def _add(self, row: int, measurement: Measurement) -> str:
        observable = self.part.observables[measurement.observable]
        measured = not math.isnan(measurement.value)
        if measured and observable.scale != "lin" and not measurement.value > 0:
            shown = f"measurement {row + 1}: {measurement.value:g} of '{observable.id}'"
            return f"{shown} is not positive, but its noise is on the {observable.scale} scale"
        names = (*observable.placeholders, *observable.noise_placeholders)
        fillings = dict(zip(names, (*measurement.fillings, *measurement.noise_fillings), strict=True))
        of_model = {name: given for name, given in fillings.items() if self._is_of_model(given)}
        key = (observable.id, tuple(of_model.items()))
        template = self._templates.get(key)
        if template is None:
            try:
                template = self._templates[key] = self._template(measurement, fillings, of_model)
            except InputError as error:
                return f"measurement {row + 1}: {error}"
        simulation, time = self.planner.place(self.part.experiments[measurement.experiment], measurement.time)
        places = [
            output if simulated else self.values.index(fillings.get(name, symbol(name)))
            for simulated, output, name in zip(template.shape.simulated, template.outputs, template.names, strict=True)
        ]
        entry = _Entry(row, measurement.value, simulation, time, places)
        (self._entries if measured else self._unmeasured).setdefault(template.shape, []).append(entry)
        return ""

    def _is_of_model(self, given: Expr) -> bool:
        """Whether a filling names something that only the model knows."""
        return given.op == "symbol" and given.name not in self.values.place

    def _template(self, measurement: Measurement, fillings: dict[str, Expr], of_model: dict[str, Expr]) -> _Template:
        observable = self.part.observables[measurement.observable]
        model = self.dynamics.system.model
        others = {name: expr for name, expr in self._formulas.items() if name not in model.symbols}
        formula = written_out(observable.formula, others, observable.id)
        noise = written_out(substitute(observable.noise, {observable.id: formula}), others, observable.id)
        formula, noise = substitute(formula, of_model), substitute(noise, of_model)
        known = {*model.symbols, *fillings, *self.values.place}
        for name in sorted((symbols(formula) | symbols(noise)) - known):
            raise unknown("name", name, known, f"(in the formulas of observable '{observable.id}')")
        outer = {name for name in (*fillings, *self.values.place) if name not in of_model}
        outer -= set(model.symbols) - set(fillings)
        return self._canonical(formula, noise, outer, observable.scale, observable.distribution)

    def _canonical(self, formula: Expr, noise: Expr, outer: Container[str], scale: Scale, kind: Noise) -> _Template:
        """Leaves numbered in order of appearance, so that observables that look alike share a shape."""
        leaves: dict[tuple[bool, int | str], int] = {}

        def keep(part: Expr) -> Expr:
            node = self.dynamics.node(part)
            position = self._positions.setdefault(node, len(self.nodes))
            if position == len(self.nodes):
                self.nodes.append(node)
            return symbol(f"@{position}")

        def numbered(expr: Expr) -> Expr:
            if expr.op == "symbol":
                simulated = expr.name.startswith("@")
                leaf = (simulated, int(expr.name[1:]) if simulated else expr.name)
                return symbol(str(leaves.setdefault(leaf, len(leaves))))
            return expr._replace(args=tuple(numbered(arg) for arg in expr.args)) if expr.args else expr

        formula, noise = (numbered(separate(expr, outer, keep)) for expr in (formula, noise))
        simulated = tuple(is_simulated for is_simulated, _ in leaves)
        outputs = tuple(int(what) if is_simulated else -1 for is_simulated, what in leaves)
        names = tuple("" if is_simulated else str(what) for is_simulated, what in leaves)
        return _Template(Shape(formula, noise, simulated, scale, kind), outputs, names)

    def kinds(self, plan: Plan, offsets: IntArray, n_outputs: int) -> tuple[tuple[Kind, ...], tuple[Kind, ...]]:
        """The finished kinds, and those of rows without a measured value, which are only simulated.

        ``offsets`` say where each group of simulations begins in the flat outputs.
        """
        measured, unmeasured = (
            tuple(_kind(shape, found, plan, offsets, n_outputs) for shape, found in entries.items())
            for entries in (self._entries, self._unmeasured)
        )
        return measured, unmeasured


def _kind(shape: Shape, entries: list[_Entry], plan: Plan, offsets: IntArray, n_outputs: int) -> Kind:
    sources = np.array([entry.places for entry in entries], dtype=np.int64).reshape(len(entries), -1).T
    starts = np.empty(len(entries), dtype=np.int64)
    for i, entry in enumerate(entries):
        group, row, sample = plan.sample(entry.simulation, entry.time)
        samples = plan.groups[group].times.shape[1]
        starts[i] = offsets[group] + (row * samples + sample) * n_outputs
    sources = sources + np.where(np.array(shape.simulated, dtype=bool)[:, None], starts, 0)
    rows = np.array([entry.row for entry in entries], dtype=np.int64)
    return Kind(shape, rows, np.array([entry.value for entry in entries]), sources)
