"""Exact gradients of PEtab problems, and the objective of fits."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..errors import InputError
from ..solve import Rosenbrock
from . import priors
from .adjoint_gradient import likelihood_gradient
from .many import ManyVectors
from .many_slopes import slopes_many
from .objective import Slopes, checked
from .optimise import Ledger, TrustRegion, minimise
from .records import Prior
from .scales import from_scale, stretch
from .slopes import kind_slopes, likelihood_slopes, value_slopes

if TYPE_CHECKING:
    from .problem import Problem


class PetabObjective:
    """A PEtab problem as the negative log posterior that fits minimise; see :mod:`pathsim.estimation.objective`."""

    def __init__(self, problem: Problem) -> None:
        if not isinstance(problem.solver, Rosenbrock):
            raise InputError("gradients need the solver Rosenbrock, whose steps they differentiate")
        self.problem = problem
        self.solver: Rosenbrock = problem.solver

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.parameter_ids

    @property
    def content(self) -> str:
        """What the problem and its solver are, as a text that identifies them."""
        return f"{self.problem.description.content} {self.solver!r}"

    @property
    def scales(self) -> tuple[str, ...]:
        return self.problem.scales

    @property
    def lower(self) -> FloatArray:
        return self.problem.lower

    @property
    def upper(self) -> FloatArray:
        return self.problem.upper

    def value(self, theta: FloatArray) -> tuple[float, str]:
        evaluation = self.problem.evaluate(theta)
        if evaluation.failure:
            return math.inf, evaluation.failure
        return -evaluation.log_likelihood - self.problem.log_prior(theta), ""

    def refined(self, theta: FloatArray) -> tuple[FloatArray, float, str]:
        """``theta`` with scales, offsets and noise at their best for the simulations it gives, and the value there.

        Such parameters need no simulation, so this costs little more than one (P. Weber et al., IFAC Proceedings 44,
        11730 (2011), on exploiting that).
        """
        inner = self.outside_simulations
        evaluation = self.problem.evaluate(theta)
        failures = [why for run in evaluation.runs if (why := run.failure())]
        if failures:
            return theta, math.inf, failures[0]
        if not inner.any():
            value = math.inf if evaluation.failure else -evaluation.log_likelihood - self.problem.log_prior(theta)
            return theta, value, evaluation.failure
        around = _Around(self, theta, inner, [run.flat[:, 0] for run in evaluation.runs])
        ended = minimise(Ledger(around), theta[inner], TrustRegion(tolerance=1e-3, most=40))
        if not math.isfinite(ended.value):
            return theta, math.inf, evaluation.failure or ended.message
        better = theta.copy()
        better[inner] = ended.theta
        return better, ended.value, ""

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Many vectors at once, roughly: see :class:`ManyVectors`."""
        return self._many.refined(thetas)

    @cached_property
    def _many(self) -> ManyVectors:
        return ManyVectors(self.problem, self.outside_simulations)

    @cached_property
    def outside_simulations(self) -> BoolArray:
        """Which entries of theta no simulation depends on."""
        problem = self.problem
        rows = sorted({position for plan in problem.plans for position in plan.runner.plan.positions.tolist()})
        estimated = [i for i, p in enumerate(problem.parameters) if p.estimated]
        middle = problem.table_values(np.where(np.isfinite(problem.theta), problem.theta, 0.5))
        found = problem.value_table.jacobian(middle)[:, estimated].tocsr()[rows]
        touched = np.zeros(len(estimated), dtype=bool)
        touched[found.nonzero()[1]] = True
        return ~touched

    def slopes(self, theta: FloatArray) -> Slopes:
        found = likelihood_slopes(self.problem, theta)
        return found if found.failure else self._with_priors(found, theta)

    def gradient(self, theta: FloatArray) -> tuple[float, FloatArray, str]:
        """Value and gradient alone, which cost a few simulations whatever the number of parameters."""
        value, gradient, why = likelihood_gradient(self.problem, theta)
        if why:
            return math.inf, np.zeros(len(theta)), why
        for i, prior, x, steepness in self._priors(theta):
            gradient[i] -= priors.slope(prior, x) * steepness
        return value - self.problem.log_prior(theta), gradient, ""

    def slopes_many(self, thetas: FloatArray) -> list[Slopes]:
        """Slopes at many vectors at once, roughly: see :func:`pathsim.estimation.many_slopes.slopes_many`."""
        found = slopes_many(self.problem, thetas, self._many.solver)
        return [one if one.failure else self._with_priors(one, theta) for one, theta in zip(found, thetas, strict=True)]

    def _with_priors(self, found: Slopes, theta: FloatArray) -> Slopes:
        d = len(self.names)
        gradient, fisher = found.gradient.copy(), found.fisher.copy()
        extra, rows = [], []
        for i, prior, x, steepness in self._priors(theta):
            slope = priors.slope(prior, x) * steepness
            step = 1e-5 * max(abs(x), 1e-3)
            bend = -(priors.slope(prior, x + step) - priors.slope(prior, x - step)) / (2 * step) * steepness**2
            gradient[i] -= slope
            fisher[i, i] += max(bend, 0.0)
            if bend > 0:  # as a residual with this slope and curvature
                row = np.zeros(d)
                row[i] = math.sqrt(bend)
                rows.append(row)
                extra.append(-slope / math.sqrt(bend))
        value = found.value - self.problem.log_prior(theta)
        residuals, jacobian = found.residuals, found.jacobian
        if residuals is not None and jacobian is not None and rows:
            residuals, jacobian = np.concatenate([residuals, extra]), np.vstack([jacobian, rows])
        return checked(Slopes(value, gradient, fisher, residuals, jacobian))

    def _priors(self, theta: FloatArray) -> list[tuple[int, Prior, float, float]]:
        """Parameters with a prior: position, prior, its argument, d argument / d theta."""
        found = []
        for i, (parameter, scaled) in enumerate(zip(self.problem.estimated, theta, strict=True)):
            if parameter.prior is None:
                continue
            steepness = 1.0 if parameter.prior.on_scale else float(stretch(np.array([scaled]), (parameter.scale,))[0])
            x = float(scaled) if parameter.prior.on_scale else from_scale(float(scaled), parameter.scale)
            found.append((i, parameter.prior, x, steepness))
        return found


class _Around:
    """The objective over parameters outside the simulations, which stay as they are."""

    def __init__(self, whole: PetabObjective, theta: FloatArray, inner: BoolArray, flats: list[FloatArray]) -> None:
        self.whole, self.theta, self.inner, self.flats = whole, theta, inner, flats
        self.lower, self.upper = whole.lower[inner], whole.upper[inner]
        self.names = tuple(name for name, chosen in zip(whole.names, inner, strict=True) if chosen)
        self.scales = tuple(scale for scale, chosen in zip(whole.scales, inner, strict=True) if chosen)

    def _full(self, inner: FloatArray) -> FloatArray:
        theta = self.theta.copy()
        theta[self.inner] = inner
        return theta

    def value(self, theta: FloatArray) -> tuple[float, str]:
        full, problem = self._full(theta), self.whole.problem
        values = problem.value_table(problem.table_values(full))
        total = -problem.log_prior(full)
        for plan, flat in zip(problem.plans, self.flats, strict=True):
            for kind in plan.kinds:
                total -= float(kind.log_densities(*kind.function(kind.leaves(flat, values))).sum())
        return (total, "") if math.isfinite(total) else (math.inf, "the likelihood is not a finite number")

    def slopes(self, theta: FloatArray) -> Slopes:
        full, problem = self._full(theta), self.whole.problem
        table = problem.table_values(full)
        values, slopes = problem.value_table(table), value_slopes(problem, table, full)
        d = len(full)
        total, gradient, fisher = 0.0, np.zeros(d), np.zeros((d, d))
        for plan, flat in zip(problem.plans, self.flats, strict=True):
            for kind in plan.kinds:
                part = kind_slopes(kind, flat, None, values, slopes)
                total, gradient, fisher = total + part.value, gradient + part.gradient, fisher + part.fisher
        found = self.whole._with_priors(Slopes(total, gradient, fisher), full)
        return Slopes(
            found.value, found.gradient[self.inner], found.fisher[np.ix_(self.inner, self.inner)], failure=found.failure
        )
