"""Terms of a likelihood: measurements of one shape, from simulated rows and parameters to what is expected of them.

What a formula needs is either an output of a simulation or a number of the value list; scales, offsets and noise
parameters stay out of the simulations, so that measurement-specific overrides cost nothing there. Measurements whose
formulas have the same shape form one term and are evaluated together, for many parameter vectors at once. A term knows
its derivatives by everything it needs, which is all that the adjoint and forward sensitivities ask for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import InputError, raise_together, unknown
from ..experiments.dynamics import Dynamics
from ..experiments.plan import Plan, Planner
from ..experiments.values import Values
from ..model.maths import Expr, deep_recursion, nodes, number, substitute, symbol, symbols
from ..solve.equations.graph import Graph
from ..solve.equations.lowering import Lowering
from ..solve.equations.vectors import ArrayFunction, array_function
from ..stats.noise import Family
from .likelihood import Form, Likelihood, Local, Unscaled, likelihood_of
from .observables import ROW
from .records import Measurement, Observable, Part

KNOWN_SD = "known sd"
"""The placeholder in the noise of observables whose measurements bring their sd; no name of a model has a space."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the measurements of a term share. Leaves ``0, 1, ...`` are outputs of simulations where ``simulated``.

    ``noise`` is None where the size of the noise is solved for or known to the likelihood; ``solved_for`` names the
    observable whose measurements share what ``form`` says is unknown.
    """

    formula: Expr
    noise: Expr | None
    simulated: tuple[bool, ...]
    family: Family
    form: Form | None
    solved_for: str


@dataclass(frozen=True, eq=False)
class Derivatives:
    """A term around some parameter vectors: its likelihood to second order, signals ``y`` and sizes of noise ``sigma``,
    and their derivatives by each leaf, (measurements, m) each."""

    local: Local
    y: FloatArray
    sigma: FloatArray
    signal: list[FloatArray]
    noise: list[FloatArray]


@dataclass(frozen=True, eq=False)
class Term:
    """Measurements of one shape: ``rows`` in the measurement table, their ``likelihood``, and where each leaf is found.

    ``sources`` (leaves, measurements) are positions in the flat outputs or in the values. ``groups`` name the groups
    that the likelihood numbers. Outputs and values are (count, m), one column per parameter vector.
    """

    shape: Shape
    rows: IntArray
    sources: IntArray
    likelihood: Likelihood
    groups: tuple[str, ...]

    def with_data(self, data: FloatArray) -> Term:
        """The same term for other measured values (measurements,)."""
        return replace(self, likelihood=self.likelihood.with_data(data))

    def leaves(self, outputs: FloatArray, values: FloatArray) -> list[FloatArray]:
        """The value of every leaf for every measurement, (measurements, m) each."""
        found = [
            (outputs if simulated else values)[places]
            for simulated, places in zip(self.shape.simulated, self.sources, strict=True)
        ]
        return found or [np.zeros((len(self.rows), values.shape[1]))]

    def signals(self, outputs: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The observable before scale and offset, and the given size of its noise (1 where none is)."""
        signal, noise = self._function(self.leaves(outputs, values))
        return signal, noise

    def losses(self, outputs: FloatArray, values: FloatArray) -> FloatArray:
        """Negative log densities of the measurements, (measurements, m); NaN where they make no sense."""
        return self.likelihood.losses(*self.signals(outputs, values))

    def derivatives(self, outputs: FloatArray, values: FloatArray) -> Derivatives:
        """The likelihood with its derivatives."""
        count = len(self.shape.simulated)
        found = self._derivative_function(self.leaves(outputs, values))
        local = self.likelihood.local(found[0], found[1])
        return Derivatives(local, found[0], found[1], found[2 : 2 + count], found[2 + count :])

    @cached_property
    def degrees(self) -> tuple[FloatArray, FloatArray]:
        """The power of each leaf that the signal goes with, and the noise (leaves,); NaN where it goes with none.

        Found at random points: what is no power of a leaf shows at one of them.
        """
        count = len(self.shape.simulated)
        leaves = [np.exp(row)[None] for row in np.random.default_rng(0).normal(size=(count, 8))]
        found = self._derivative_function(leaves or [np.zeros((1, 1))])

        def power(derivative: FloatArray, leaf: FloatArray, whole: FloatArray) -> float:
            powers = np.broadcast_to(derivative * leaf / whole, leaf.shape)
            nearest = np.round(powers[0, 0]) if np.isfinite(powers).all() else math.nan
            return float(nearest) if np.allclose(powers, nearest, rtol=0.0, atol=1e-9) else math.nan

        with np.errstate(all="ignore"):
            signal, noise = (
                np.array([power(found[first + i], leaf, whole) for i, leaf in enumerate(leaves)])
                for first, whole in ((2, found[0]), (2 + count, found[1]))
            )
        return signal, noise

    @cached_property
    def _graph(self) -> tuple[Graph, int, int]:
        graph = Graph()
        with deep_recursion():
            lower = Lowering(graph, _Leaves(graph))
            noise = self.shape.noise if self.shape.noise is not None else number(1.0)
            return graph, graph.number(lower(self.shape.formula)), graph.number(lower(noise))

    @cached_property
    def _function(self) -> ArrayFunction:
        """leaves -> signal, noise."""
        graph, signal, noise = self._graph
        return array_function(graph, [signal, noise])

    @cached_property
    def _derivative_function(self) -> ArrayFunction:
        """leaves -> signal, noise, d signal / d leaves, d noise / d leaves."""
        graph, signal, noise = self._graph
        leaves = [graph.state(i) for i in range(len(self.shape.simulated))]
        derivatives = [graph.derivative(node, leaf) for node in (signal, noise) for leaf in leaves]
        return array_function(graph, [signal, noise, *derivatives])


class _Leaves:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def node(self, view: Lowering, name: str) -> int:
        return self.graph.state(int(name))

    def rate(self, view: Lowering, name: str) -> int:
        return self.graph.zero


# ----------------------------------------------------------------------------------------------------------- formulas


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


def separate(expr: Expr, outer: Container[str], keep: Callable[[Expr, int], Expr]) -> Expr:
    """``expr`` with every largest part free of ``outer`` symbols replaced by what ``keep`` makes of it and its row.

    Such parts need nothing but the model, so they are what a simulation has to give; scales, offsets and noise
    parameters stay outside. Plain numbers are left alone.
    """
    if expr.op == ROW:
        return keep(expr.args[0], int(expr.args[1].value))
    if not _simulated(expr):
        return expr
    if not _stays_outside(expr, outer):
        return keep(expr, 0)
    if expr.op not in ("plus", "times"):
        return expr._replace(args=tuple(separate(arg, outer, keep) for arg in expr.args))
    inner = tuple(a for a in expr.args if _simulated(a) and not _stays_outside(a, outer))
    rest = tuple(separate(a, outer, keep) for a in expr.args if a not in inner)
    if not inner:
        return expr._replace(args=rest)
    together = inner[0] if len(inner) == 1 else Expr(expr.op, inner)
    return Expr(expr.op, (*rest, keep(together, 0)))


def _stays_outside(expr: Expr, outer: Container[str]) -> bool:
    return any(node.op == ROW or (node.name and node.name in outer) for node in nodes(expr))


def _simulated(expr: Expr) -> bool:
    """Whether anything but numbers is in the expression."""
    return expr.op in ("symbol", "time", "rate_of") or any(_simulated(arg) for arg in expr.args)


# ----------------------------------------------------------------------------------------------------- building terms


class _Leaf(NamedTuple):
    """An output of a simulation in one of the rows of the measurement, or (``output`` -1) a name that it fills in."""

    row: int
    output: int
    name: str


class _Template(NamedTuple):
    """A measurement's shape, and where its leaves come from."""

    shape: Shape
    leaves: tuple[_Leaf, ...]


class _Entry(NamedTuple):
    """A measurement, the simulations of its rows with their times, and where its leaves are."""

    row: int
    measurement: Measurement
    points: list[tuple[int, float]]
    leaves: tuple[_Leaf, ...]
    places: list[int]


class Measuring:
    """Turns measurements into terms, and asks the planner for the simulations they need."""

    def __init__(self, part: Part, dynamics: Dynamics, values: Values, planner: Planner) -> None:
        self.part, self.dynamics, self.values, self.planner = part, dynamics, values, planner
        self.nodes: list[int] = []
        self._positions: dict[int, int] = {}
        self._templates: dict[tuple[object, ...], _Template] = {}
        self._formulas = {name: observable.formula for name, observable in part.observables.items()}
        self._entries: dict[Shape, list[_Entry]] = {}
        self._unmeasured: dict[Shape, list[_Entry]] = {}
        self._knows_sd = _knows_sd(part)
        problems: list[str] = []
        for row, measurement in enumerate(part.measurements):
            problem = self._add(row, measurement)
            if problem:
                problems.append(problem)
        raise_together(problems[:20], part.model.source)

    def _add(self, row: int, measurement: Measurement) -> str:
        observable = self.part.observables[measurement.observable]
        measured = not math.isnan(measurement.value)
        if measured and observable.family.scale != "lin" and not measurement.value > 0:
            shown = f"measurement {row + 1}: {measurement.value:g} of '{observable.id}'"
            return f"{shown} is not positive, but its noise is on the {observable.family.scale} scale"
        names = (*observable.placeholders, *observable.noise_placeholders)
        overrides = dict(zip(names, (*measurement.overrides, *measurement.noise_overrides), strict=True))
        if observable.noise is None and observable.form is None and observable.id in self._knows_sd:
            sd = observable.family.sigma if observable.family.sigma is not None else measurement.sd
            if math.isnan(sd):
                return f"measurement {row + 1}: '{observable.id}' has an sd elsewhere, but none here"
            overrides[KNOWN_SD] = number(sd)
        of_model = {name: given for name, given in overrides.items() if self._is_of_model(given)}
        key = (observable.id, tuple(of_model.items()))
        template = self._templates.get(key)
        if template is None:
            try:
                template = self._templates[key] = self._template(observable, overrides, of_model)
            except InputError as error:
                return f"measurement {row + 1}: {error}"
        rows = ((measurement.experiment, measurement.time), *measurement.others)
        points = [self.planner.place(self.part.experiments[name], time) for name, time in rows]
        places = [
            leaf.output if leaf.output >= 0 else self.values.index(overrides.get(leaf.name, symbol(leaf.name)))
            for leaf in template.leaves
        ]
        entry = _Entry(row, measurement, points, template.leaves, places)
        (self._entries if measured else self._unmeasured).setdefault(template.shape, []).append(entry)
        return ""

    def _is_of_model(self, given: Expr) -> bool:
        """Whether a override names something that only the model knows."""
        return given.op == "symbol" and given.name not in self.values.place

    def _template(self, observable: Observable, overrides: dict[str, Expr], of_model: dict[str, Expr]) -> _Template:
        model = self.dynamics.system.model
        others = {name: expr for name, expr in self._formulas.items() if name not in model.symbols}
        formula = written_out(observable.formula, others, observable.id)
        form, noise = observable.form, observable.noise
        if KNOWN_SD in overrides:
            noise = symbol(KNOWN_SD)
        elif noise is None and form is None:
            form = Unscaled()
        if noise is not None:
            noise = written_out(substitute(noise, {observable.id: formula}), others, observable.id)
            noise = substitute(noise, of_model)
        formula = substitute(formula, of_model)
        known = {*model.symbols, *overrides, *self.values.place}
        used = symbols(formula) | (symbols(noise) if noise is not None else set())
        for name in sorted(used - known):
            raise unknown("name", name, known, f"(in the formulas of observable '{observable.id}')")
        outer = {name for name in (*overrides, *self.values.place) if name not in of_model}
        outer -= set(model.symbols) - set(overrides)
        leaves: dict[_Leaf, int] = {}
        formula = self._canonical(formula, outer, leaves)
        noise = None if noise is None else self._canonical(noise, outer, leaves)
        simulated = tuple(leaf.output >= 0 for leaf in leaves)
        solved_for = "" if form is None else observable.id
        return _Template(Shape(formula, noise, simulated, observable.family, form, solved_for), tuple(leaves))

    def _canonical(self, formula: Expr, outer: Container[str], leaves: dict[_Leaf, int]) -> Expr:
        """Leaves numbered in order of appearance, so that observables that look alike share a shape."""

        def keep(part: Expr, row: int) -> Expr:
            if inside := sorted(name for name in symbols(part) if name in outer):
                raise InputError(f"'{inside[0]}' is no quantity of the model, so it has no value in another row")
            node = self.dynamics.node(part)
            position = self._positions.setdefault(node, len(self.nodes))
            if position == len(self.nodes):
                self.nodes.append(node)
            return symbol(f"@{row}:{position}")

        def numbered(expr: Expr) -> Expr:
            if expr.op == "symbol":
                leaf = _Leaf(0, -1, expr.name)
                if expr.name.startswith("@"):
                    row, _, output = expr.name[1:].partition(":")
                    leaf = _Leaf(int(row), int(output), "")
                return symbol(str(leaves.setdefault(leaf, len(leaves))))
            return expr._replace(args=tuple(numbered(arg) for arg in expr.args)) if expr.args else expr

        return numbered(separate(formula, outer, keep))

    def terms(self, plan: Plan, offsets: IntArray, n_outputs: int) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
        """The finished terms, and those of rows without a measured value, which are only simulated.

        ``offsets`` say where each group of simulations begins in the flat outputs.
        """
        measured, unmeasured = (
            tuple(_term(shape, found, plan, offsets, n_outputs) for shape, found in entries.items())
            for entries in (self._entries, self._unmeasured)
        )
        return measured, unmeasured


def _knows_sd(part: Part) -> set[str]:
    """Observables whose family has a size, or of which a measurement brings one."""
    found = {name for name, observable in part.observables.items() if observable.family.sigma is not None}
    return found | {row.observable for row in part.measurements if not math.isnan(row.sd)}


def _term(shape: Shape, entries: Sequence[_Entry], plan: Plan, offsets: IntArray, n_outputs: int) -> Term:
    sources = np.array([entry.places for entry in entries], dtype=np.int64).reshape(len(entries), -1).T
    known: dict[tuple[int, float], int] = {}
    for i, entry in enumerate(entries):
        for j, leaf in enumerate(entry.leaves):
            if leaf.output < 0:
                continue
            point = entry.points[leaf.row]
            if point not in known:
                group, row, sample = plan.sample(*point)
                known[point] = offsets[group] + (row * plan.groups[group].times.shape[1] + sample) * n_outputs
            sources[j, i] += known[point]
    measurements = [entry.measurement for entry in entries]
    groups, group_of = np.unique([one.group for one in measurements], return_inverse=True)
    sds = [one.sd for one in measurements]
    unknown_sd = [math.isnan(sd) for sd in sds]
    if shape.form is not None and any(unknown_sd) and not all(unknown_sd):
        raise InputError(f"'{shape.solved_for}': some measurements have an sd and some have none")
    likelihood = likelihood_of(
        shape.form,
        shape.family,
        np.array([one.value for one in measurements]),
        group_of.astype(np.int64),
        None if any(unknown_sd) else sds,
        np.array([one.side for one in measurements]),
    )
    rows = np.array([entry.row for entry in entries], dtype=np.int64)
    return Term(shape, rows, sources, likelihood, tuple(groups.tolist()))
