"""Exact first and approximate second derivatives of PEtab likelihoods by tangents: what least squares want."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from ..solve import Rosenbrock
from .measurements import Kind
from .objective import Slopes, checked
from .scales import scale_slope, stretch

if TYPE_CHECKING:
    from .problem import Problem


def value_slopes(problem: Problem, table: FloatArray, theta: FloatArray) -> FloatArray:
    """d values / d theta, shape (values, estimated parameters)."""
    estimated = [i for i, p in enumerate(problem.parameters) if p.estimated]
    by_value: FloatArray = problem.value_table.jacobian(table)[:, estimated].toarray()
    return by_value * stretch(theta, problem.scales)


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
        moving = plan.runner.forward(values[:, None], slopes[:, None], solver)
        if why := moving.outcome.failure():
            return Slopes.failed(d, why)
        flat, flat_slopes = moving.of()
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
        by_scale = scale_slope(y, kind.shape.scale) / sigma
        dr = by_scale[:, None] * dy
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
