"""Exact gradients of PEtab problems, and the objective of fits."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..fitting.objective import Slopes, checked
from ..fitting.optimise import Ledger, TrustRegion, minimise
from ..solve import Rosenbrock
from . import priors
from .many import ManyVectors
from .measurements import Kind
from .problem import Problem
from .records import Prior
from .schedule import KEEP
from .tangents import Tangents

FloatArray = npt.NDArray[np.float64]


class PetabObjective:
    """A PEtab problem as the negative log posterior that fits minimise; see :mod:`pathsim.fitting.objective`."""

    def __init__(self, problem: Problem) -> None:
        if not isinstance(problem.solver, Rosenbrock):
            raise InputError("gradients need the solver Rosenbrock, whose steps they differentiate")
        self.problem = problem
        self.solver: Rosenbrock = problem.solver

    @property
    def names(self) -> tuple[str, ...]:
        return self.problem.parameter_ids

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
        failures = [run.failure for run in evaluation.runs if run.failure]
        if failures:
            return theta, math.inf, failures[0]
        if not inner.any():
            value = math.inf if evaluation.failure else -evaluation.log_likelihood - self.problem.log_prior(theta)
            return theta, value, evaluation.failure
        around = _Around(self, theta, inner, [run.flat for run in evaluation.runs])
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
    def outside_simulations(self) -> npt.NDArray[np.bool_]:
        """Which entries of theta no simulation depends on."""
        problem = self.problem
        used: set[int] = set()
        for plan in problem.plans:
            for group in plan.simulator.schedule.groups:
                used |= set(group.slots.ravel().tolist()) | set(group.states.ravel().tolist())
        rows = sorted(used - {KEEP})
        estimated = [i for i, p in enumerate(problem.parameters) if p.estimated]
        middle = problem.table_values(np.where(np.isfinite(problem.theta), problem.theta, 0.5))
        found = problem.value_table.jacobian(middle)[:, estimated].tocsr()[rows]
        touched = np.zeros(len(estimated), dtype=bool)
        touched[found.nonzero()[1]] = True
        return ~touched

    def slopes(self, theta: FloatArray) -> Slopes:
        found = likelihood_slopes(self.problem, theta)
        return found if found.failure else self._with_priors(found, theta)

    def slopes_many(self, thetas: FloatArray) -> list[Slopes]:
        """Slopes at many vectors at once, roughly: see :func:`pathsim.petab.many_slopes.slopes_many`."""
        from .many_slopes import slopes_many

        found = slopes_many(self.problem, thetas, self._many.solver)
        return [one if one.failure else self._with_priors(one, theta) for one, theta in zip(found, thetas, strict=True)]

    def _with_priors(self, found: Slopes, theta: FloatArray) -> Slopes:
        d = len(self.names)
        gradient, fisher = found.gradient.copy(), found.fisher.copy()
        extra, rows = [], []
        for i, prior, x, stretch in self._priors(theta):
            slope = priors.slope(prior, x) * stretch
            step = 1e-5 * max(abs(x), 1e-3)
            bend = -(priors.slope(prior, x + step) - priors.slope(prior, x - step)) / (2 * step) * stretch**2
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
            stretch = 1.0 if parameter.prior.on_scale else float(_stretch(np.array([scaled]), (parameter.scale,))[0])
            x = float(scaled) if parameter.prior.on_scale else _value(float(scaled), parameter.scale)
            found.append((i, parameter.prior, x, stretch))
        return found


class _Around:
    """The objective over parameters outside the simulations, which stay as they are."""

    def __init__(
        self, whole: PetabObjective, theta: FloatArray, inner: npt.NDArray[np.bool_], flats: list[FloatArray]
    ) -> None:
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


def value_slopes(problem: Problem, table: FloatArray, theta: FloatArray) -> FloatArray:
    """d values / d theta, shape (values, estimated parameters)."""
    estimated = [i for i, p in enumerate(problem.parameters) if p.estimated]
    by_value: FloatArray = problem.value_table.jacobian(table)[:, estimated].toarray()
    return by_value * _stretch(theta, problem.scales)


def likelihood_slopes(problem: Problem, theta: FloatArray) -> Slopes:
    """Negative log likelihood of the measurements (no priors) with its derivatives by theta, on scale."""
    d = len(problem.parameter_ids)
    solver = problem.solver
    if not isinstance(solver, Rosenbrock):
        raise InputError("gradients need the solver Rosenbrock, whose steps they differentiate")
    if not np.isfinite(theta).all():
        return Slopes.failed(d, "a parameter is not a finite number")
    table = problem.table_values(theta)
    values = problem.value_table(table)
    slopes = value_slopes(problem, table, theta)
    total, gradient, fisher = 0.0, np.zeros(d), np.zeros((d, d))
    residuals: list[FloatArray] = []
    rows: list[FloatArray] = []
    normal = True
    for plan in problem.plans:
        moving = Tangents(plan.simulator, values, slopes, solver)
        moving.run()
        if moving.failure:
            return Slopes.failed(d, moving.failure)
        flat, flat_slopes = moving.flat
        for kind in plan.kinds:
            part = kind_slopes(kind, flat, flat_slopes, values, slopes)
            total += part.value
            gradient += part.gradient
            fisher += part.fisher
            if part.residuals is None or part.jacobian is None:
                normal = False
            else:
                residuals.append(part.residuals)
                rows.append(part.jacobian)
    both = (np.concatenate(residuals), np.vstack(rows)) if normal and residuals else (None, None)
    return checked(Slopes(total, gradient, fisher, *both))


MANY = 20_000
"""States times parameters from which the adjoint is worth doing without control of the tangents' error."""


def likelihood_gradient(problem: Problem, theta: FloatArray) -> tuple[FloatArray, str]:
    """The gradient of the log likelihood by theta, and the reason where there is none.

    By tangents, or for large problems by the adjoint, whose cost does not grow with the number of parameters.
    """
    from .adjoint_gradient import adjoint_gradients, suits_adjoint

    size = max(len(plan.simulator.system.states) for plan in problem.plans) * len(theta)
    if size > MANY and np.isfinite(theta).all() and suits_adjoint(problem):
        many = adjoint_gradients(problem, theta[None])
        gradient, why = many.gradients[0], many.failures[0]
        if not why and not np.isfinite(gradient).all():
            why = "the gradient is not finite"
        return -gradient, why
    found = likelihood_slopes(problem, theta)
    return -found.gradient, found.failure


NOISE_OFFSET = 50.0
"""Makes 2 log(sigma) positive, so that it can be a squared residual; it only adds a constant to the objective."""


def kind_slopes(
    kind: Kind, flat: FloatArray, flat_slopes: FloatArray | None, values: FloatArray, slopes: FloatArray
) -> Slopes:
    """The part of one kind of measurements; ``flat_slopes`` None means that simulations do not move."""
    leaves = kind.leaves(flat, values)
    found = kind.slopes(leaves)
    y, sigma = found[0], found[1]
    count = len(kind.shape.simulated)
    dy, ds = np.zeros((len(y), slopes.shape[1])), np.zeros((len(y), slopes.shape[1]))
    for i, (simulated, places) in enumerate(zip(kind.shape.simulated, kind.sources, strict=True)):
        if simulated and flat_slopes is None:
            continue
        leaf = (flat_slopes if simulated and flat_slopes is not None else slopes)[places]
        for total, weight in ((dy, found[2 + i]), (ds, found[2 + count + i])):
            used = weight != 0  # a tangent that is not finite must not spoil what does not depend on it
            total[used] += weight[used, None] * leaf[used]
    density = kind.log_densities(y, sigma)
    by_y, by_sigma = kind.density_slopes(y, sigma)
    gradient = -(by_y @ dy + by_sigma @ ds)
    with np.errstate(all="ignore"):
        residual = kind.residuals(y, sigma)
        stretch = _scale_slope(y, kind.shape.scale) / sigma
        dr = stretch[:, None] * dy
        dn = ds / sigma[:, None]
    laplace = kind.shape.distribution == "laplace"
    size = np.abs(residual) if laplace else residual**2
    squares = dn**2
    # far from the optimum noise is too small by far, and its curvature grows with the residuals; 1 at the optimum
    growth = np.sqrt(np.maximum(1.0, (size @ squares) / np.maximum(squares.sum(axis=0), 1e-300)))
    noisy = dn * growth
    fisher = dr.T @ dr + (1.0 if laplace else 2.0) * (noisy.T @ noisy)
    value = -float(density.sum())
    if laplace:
        return Slopes(value, gradient, fisher)
    jacobian = dr - residual[:, None] * dn
    if ds.any():
        with np.errstate(all="ignore"):
            noise = np.sqrt(np.maximum(2.0 * np.log(sigma) + NOISE_OFFSET, 1e-12))
            residual, jacobian = np.concatenate([residual, noise]), np.vstack([jacobian, dn / noise[:, None]])
    return Slopes(value, gradient, fisher, residual, jacobian)


def _scale_slope(y: FloatArray, scale: str) -> FloatArray:
    if scale == "lin":
        return np.ones_like(y)
    return 1.0 / y if scale == "log" else 1.0 / (y * math.log(10.0))


def _value(scaled: float, scale: str) -> float:
    if scale == "lin":
        return scaled
    return math.exp(scaled) if scale == "log" else 10.0**scaled


def _stretch(theta: FloatArray, scales: tuple[str, ...]) -> FloatArray:
    """d value / d theta for each parameter."""
    return np.array([
        1.0 if scale == "lin" else _value(float(x), scale) * (1.0 if scale == "log" else math.log(10.0))
        for x, scale in zip(theta, scales, strict=True)
    ])  # fmt: skip
