"""Everything about a problem that does not depend on the parameters: plans, terms, and the way from theta to numbers.

A parameter vector ``theta`` holds the estimated parameters on their scales. From it come the values of the whole
parameter table, from these the list of numbers that simulations and terms refer to. Arrays over many vectors are
(..., m): one column per vector; ``thetas`` themselves are (m, d).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..experiments.dynamics import prepare
from ..experiments.plan import Planner
from ..experiments.run import Outcome, Runner
from ..experiments.values import Values, ValueTable
from ..model.maths import symbols
from ..solve import Rosenbrock, Solver
from . import priors
from .records import Description, Part, Prior, TableParameter
from .scales import BENDS, from_scale, on_scale
from .terms import Measuring, Term


@dataclass(frozen=True, eq=False)
class PartSetup:
    """One part: its simulations, and its terms; ``unmeasured`` rows are only simulated."""

    part: Part
    runner: Runner
    terms: tuple[Term, ...]
    unmeasured: tuple[Term, ...]


class Setup:
    """A description made ready to be evaluated."""

    def __init__(self, description: Description, solver: Solver, threads: int | None = None) -> None:
        self.description, self.solver, self.threads = description, solver, threads
        self.parameters = description.parameters
        collected = Values(tuple(parameter.id for parameter in self.parameters))
        self.parts = tuple(_part(part, collected) for part in description.parts)
        self.value_table: ValueTable = collected.table
        self.places = np.array([i for i, p in enumerate(self.parameters) if p.estimated], dtype=np.int64)
        """Where the estimated parameters stand in the table."""
        self.suits: dict[tuple[int, ...], bool] = {}
        """What :func:`.gradients.steps_suit_sensitivities` has found."""

    def __reduce__(self) -> tuple[object, ...]:
        """Other processes get the description and make their own plan and machine code."""
        return Setup, (self.description, self.solver, self.threads)

    def altered(self, data: Sequence[FloatArray], parameters: tuple[TableParameter, ...]) -> Setup:
        """The same simulations with other measured values, for each part (measurements,), and other priors."""
        other = copy(self)
        other.parameters = parameters
        for known in ("estimated", "has_priors"):
            other.__dict__.pop(known, None)
        other.parts = tuple(
            replace(part, terms=tuple(term.with_data(values[term.rows]) for term in part.terms))
            for part, values in zip(self.parts, data, strict=True)
        )
        return other

    # what there is to estimate

    @cached_property
    def estimated(self) -> tuple[TableParameter, ...]:
        """Rows of the parameter table that are estimated, in order."""
        return tuple(parameter for parameter in self.parameters if parameter.estimated)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the estimated parameters: the order of theta."""
        return tuple(parameter.id for parameter in self.estimated)

    @cached_property
    def scales(self) -> tuple[str, ...]:
        """``lin``, ``log`` or ``log10`` for each estimated parameter."""
        return tuple(parameter.scale for parameter in self.estimated)

    @cached_property
    def nominal(self) -> FloatArray:
        """The nominal parameter vector, on scale."""
        return np.array([on_scale(p.nominal, p.scale) for p in self.estimated])

    @cached_property
    def lower(self) -> FloatArray:
        """Lower bounds, on scale."""
        return np.array([on_scale(p.lower, p.scale) for p in self.estimated])

    @cached_property
    def upper(self) -> FloatArray:
        """Upper bounds, on scale."""
        return np.array([on_scale(p.upper, p.scale) for p in self.estimated])

    @cached_property
    def bend(self) -> FloatArray:
        """The second derivative of each value by its theta, over the first."""
        return np.array([BENDS[scale] for scale in self.scales])

    @cached_property
    def _plain_derivatives(self) -> FloatArray:
        """d numbers / d values of the estimated parameters where every number is one of them or a constant."""
        found: FloatArray = self.value_table.jacobian(np.ones(len(self.parameters)))[:, self.places].toarray()
        return found

    @property
    def rosenbrock(self) -> Rosenbrock:
        """The solver, whose steps gradients differentiate. Raises :class:`InputError` for another one."""
        if not isinstance(self.solver, Rosenbrock):
            raise InputError("gradients need the solver Rosenbrock, whose steps they differentiate")
        return self.solver

    # from theta to numbers

    def table(self, thetas: FloatArray) -> FloatArray:
        """Values of all parameters of the table, not on scale, (parameters, m)."""
        bend = self.bend[:, None]
        table = np.repeat(np.array([p.nominal for p in self.parameters], dtype=float)[:, None], len(thetas), axis=1)
        with np.errstate(over="ignore"):
            table[self.places] = np.where(bend > 0, np.exp(thetas.T * bend), thetas.T)
        return table

    def numbers(self, table: FloatArray) -> FloatArray:
        """The list of numbers for values of the table, (numbers, m)."""
        return self.value_table(table)

    def by_theta(self, table: FloatArray) -> FloatArray:
        """d value / d theta of the estimated parameters, (d, m)."""
        bend = self.bend[:, None]
        return np.where(bend > 0, table[self.places] * bend, 1.0)

    def number_derivatives(self, table: FloatArray) -> FloatArray:
        """d numbers / d theta, (numbers, m, d)."""
        by_theta = self.by_theta(table)
        if not self.value_table.proper:
            return self._plain_derivatives[:, None, :] * by_theta.T[None]
        found = np.empty((len(self.value_table.constants), table.shape[1], len(self.places)))
        for i in range(table.shape[1]):
            found[:, i] = self.value_table.jacobian(table[:, i])[:, self.places].toarray() * by_theta[:, i]
        return found

    def run(self, thetas: FloatArray) -> tuple[FloatArray, tuple[Outcome, ...]]:
        """The list of numbers (numbers, m), and what the simulations of each part gave."""
        numbers = self.numbers(self.table(thetas))
        return numbers, tuple(part.runner.run(numbers, self.solver, self.threads, give_up=True) for part in self.parts)

    def signals(self, theta: FloatArray) -> FloatArray:
        """What the formula of each measurement gives at a vector, before scale and offset, row by row of all parts.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        numbers, outcomes = self.run(theta[None])
        found = []
        for part, outcome in zip(self.parts, outcomes, strict=True):
            outcome.refuse_failures()
            rows = np.full(len(part.part.measurements), np.nan)
            for term in (*part.terms, *part.unmeasured):
                rows[term.rows] = term.signals(outcome.flat, numbers)[0][:, 0]
            found.append(rows)
        return np.concatenate(found)

    @cached_property
    def moving(self) -> tuple[IntArray, ...]:
        """For each part, the raw values of its system that the estimated parameters move in any simulation."""
        moved = self.value_table.depends_on(self.places)
        return tuple(part.runner.moved_by(moved) for part in self.parts)

    @cached_property
    def outside_simulations(self) -> BoolArray:
        """Which entries of theta no simulation depends on."""
        used = np.zeros(len(self.value_table.constants), dtype=bool)
        for part in self.parts:
            for group in part.runner.plan.groups:
                used[group.slots[group.slots >= 0]] = True
                used[group.anew[:, 2]] = True
        touched = [self.value_table.depends_on(np.array([place])) for place in self.places]
        return np.array([not (used & depends).any() for depends in touched], dtype=bool)

    @cached_property
    def simulations(self) -> int:
        """How many simulations one vector takes, at least 1."""
        return max(1, sum(group.rows for part in self.parts for group in part.runner.plan.groups))

    # priors

    @cached_property
    def has_priors(self) -> bool:
        """Whether any estimated parameter has one."""
        return any(parameter.prior is not None for parameter in self.estimated)

    def log_priors(self, theta: FloatArray) -> dict[str, float]:
        """The log density of each parameter that has a prior."""
        found = {}
        for parameter, scaled in zip(self.estimated, theta, strict=True):
            if parameter.prior is not None:
                x = scaled if parameter.prior.on_scale else from_scale(scaled, parameter.scale)
                found[parameter.id] = priors.log_density(parameter.prior, float(x), parameter.lower, parameter.upper)
        return found

    def priors(self, theta: FloatArray) -> list[tuple[int, Prior, float, float]]:
        """Parameters with a prior: position, prior, its argument, d argument / d theta."""
        found = []
        for i, (parameter, scaled) in enumerate(zip(self.estimated, theta, strict=True)):
            if parameter.prior is None:
                continue
            value = from_scale(float(scaled), parameter.scale)
            steepness = value * self.bend[i] if self.bend[i] > 0 else 1.0
            if parameter.prior.on_scale:
                found.append((i, parameter.prior, float(scaled), 1.0))
            else:
                found.append((i, parameter.prior, value, float(steepness)))
        return found


def _part(part: Part, values: Values) -> PartSetup:
    names = [name for row in part.measurements for name in (row.experiment, *(other for other, _ in row.others))]
    used = [part.experiments[name] for name in dict.fromkeys(names)]
    changes = [change for experiment in used for period in experiment.periods for change in period.changes]
    known = {*part.model.symbols}
    wanted = {change.target for change in changes}
    for change in changes:
        if symbols(change.value) & known:
            wanted |= symbols(change.value)
    formulas = [formula for one in part.observables.values() for formula in (one.formula, one.noise)]
    asked = [formula for formula in formulas if formula is not None]
    dynamics = prepare(part.model, used, sorted(wanted - known), asked)
    planner = Planner(dynamics, values, part.model.source)
    measuring = Measuring(part, dynamics, values, planner)
    plan = planner.plan()
    runner = Runner(dynamics, plan, measuring.nodes)
    terms, unmeasured = measuring.terms(plan, runner.offsets(), len(runner.nodes))
    return PartSetup(part, runner, terms, unmeasured)
