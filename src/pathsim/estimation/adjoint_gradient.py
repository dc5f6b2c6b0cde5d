"""Gradients of PEtab problems by the adjoint, at many vectors at once: the cost does not grow with the parameters.

Everything around the solver is one array operation for all vectors, so that small models cost little more than their
simulations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray, IntArray
from ..experiments.values import scatter_add
from ..solve import Rosenbrock
from .many import density_slopes, log_densities
from .scales import BENDS
from .slopes import likelihood_slopes, value_slopes

if TYPE_CHECKING:
    from .problem import PartPlan, Problem

DIRECTIONS = 8
LARGEST_ERROR = 30.0
"""Of tangents, over what is tolerated; where states stand still it is in the thousands."""
TOGETHER = 64
"""Vectors whose steps are kept at the same time: more would leave the processor's cache."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """At m vectors: negative log likelihoods (m,), gradients (m, d) on scale, and why where there is none.

    After a failure the value is infinite and the gradient NaN.
    """

    values: FloatArray
    gradients: FloatArray
    failures: tuple[str, ...]


def likelihood_gradient(problem: Problem, theta: FloatArray) -> tuple[float, FloatArray, str]:
    """The negative log likelihood (no priors), its gradient by theta, and the reason where there is none.

    By the adjoint, whose cost does not grow with the number of parameters; by tangents where that cannot go back
    through all that happens, or where steps that suit the states do not suit their derivatives.
    """
    if np.isfinite(theta).all() and suits_adjoint(problem) and steps_suit_tangents(problem, _off(problem, theta)):
        many = adjoint_gradients(problem, theta[None])
        value, gradient, why = float(many.values[0]), many.gradients[0], many.failures[0]
        return value, gradient, why or ("" if np.isfinite(gradient).all() else "the gradient is not finite")
    found = likelihood_slopes(problem, theta)
    return found.value, found.gradient, found.failure


def suits_adjoint(problem: Problem) -> bool:
    """Whether the solver keeps its steps, which the adjoint goes back through."""
    return isinstance(problem.solver, Rosenbrock)


def _off(problem: Problem, theta: FloatArray) -> tuple[int, ...]:
    """Entries of ``theta`` that are exactly zero, and so may leave states at rest that they would move."""
    return tuple(i for i in np.flatnonzero(theta == 0.0).tolist() if problem.scales[i] == "lin")


@lru_cache(maxsize=256)
def steps_suit_tangents(problem: Problem, off: tuple[int, ...] = ()) -> bool:
    """Whether steps chosen for the states alone resolve their derivatives too, where parameters are nominal.

    They do not where a state stands still that a parameter would move. Looked at along a few random directions, once
    for each set ``off`` of parameters that are zero.
    """
    assert isinstance(problem.solver, Rosenbrock)
    with np.errstate(invalid="ignore"):
        middle = 0.5 * (problem.lower + problem.upper)
    theta = np.where(np.isfinite(problem.theta), problem.theta, middle)
    theta[list(off)] = 0.0
    if not np.isfinite(theta).all():
        return False
    table = problem.table_values(theta)
    directions = np.random.default_rng(0).standard_normal((len(theta), DIRECTIONS))
    slopes = value_slopes(problem, table, theta) @ directions
    for plan in problem.plans:
        values = problem.value_table(table)
        moving = plan.runner.forward(values[:, None], slopes[:, None], problem.solver, refinements=0)
        if moving.outcome.failure() or moving.error > LARGEST_ERROR:
            return False
    return True


def adjoint_gradients(problem: Problem, thetas: FloatArray) -> Gradients:
    """Negative log likelihoods (no priors) and their gradients at ``thetas`` (m, d) of a problem that suits."""
    assert isinstance(problem.solver, Rosenbrock)
    pieces = [_Batch(problem, problem.solver, thetas[i : i + TOGETHER]).run() for i in range(0, len(thetas), TOGETHER)]
    return Gradients(
        np.concatenate([piece.values for piece in pieces]), np.concatenate([piece.gradients for piece in pieces]),
        tuple(why for piece in pieces for why in piece.failures),
    )  # fmt: skip


class _Batch:
    """One run of all simulations of some vectors, forth and back."""

    def __init__(self, problem: Problem, solver: Rosenbrock, thetas: FloatArray) -> None:
        self.problem, self.solver = problem, solver
        self.m = len(thetas)
        self.failures = [""] * self.m
        self.estimated = np.array([i for i, p in enumerate(problem.parameters) if p.estimated], dtype=np.int64)
        bend = np.array([BENDS[scale] for scale in problem.scales])[:, None]
        natural = np.where(bend > 0, np.exp(thetas.T * bend), thetas.T)
        self.stretch = np.where(bend > 0, natural * bend, 1.0)
        self.table = np.tile(np.array([[p.nominal] for p in problem.parameters], dtype=float), (1, self.m))
        self.table[self.estimated] = natural
        self.values = problem.value_table(self.table)
        self.bars = np.zeros_like(self.values)
        self.total = np.zeros(self.m)

    def run(self) -> Gradients:
        with np.errstate(all="ignore"):
            for plan, columns in zip(self.problem.plans, self.problem.moving_columns, strict=True):
                self._part(plan, columns)
        failed = np.array([bool(why) for why in self.failures])
        for i in np.flatnonzero(~np.isfinite(self.total) & ~failed):
            self.failures[i], failed[i] = "the likelihood is not a finite number", True
        gradients = (self.problem.value_table.pull(self.table, self.bars)[self.estimated] * self.stretch).T
        gradients[failed] = np.nan
        return Gradients(np.where(failed, math.inf, self.total), gradients, tuple(self.failures))

    def _part(self, plan: PartPlan, columns: IntArray) -> None:
        recorded = plan.runner.record(self.values, self.solver, self.problem.workers)
        flat = recorded.outcome.flat
        for i in range(self.m):
            self.failures[i] = self.failures[i] or recorded.outcome.failure(i)
        flat_bars = np.zeros_like(flat)
        for kind in plan.kinds:
            leaves = kind.leaves(flat, self.values) if len(kind.sources) else [np.zeros((len(kind.rows), self.m))]
            found, count = kind.slopes(leaves), len(kind.shape.simulated)
            y, sigma = found[0], found[1]
            self.total -= log_densities(kind, y, sigma).sum(axis=0)
            by_y, by_sigma = density_slopes(kind, y, sigma)
            for i, (simulated, places) in enumerate(zip(kind.shape.simulated, kind.sources, strict=True)):
                weight = -(by_y * found[2 + i] + by_sigma * found[2 + count + i])
                scatter_add(flat_bars if simulated else self.bars, places, weight)
        self.bars += recorded.pull(flat_bars, columns)
