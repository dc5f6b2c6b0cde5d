"""What can be fitted: one small protocol between measured data and everything that searches, profiles or samples.

An objective is a negative log likelihood (or posterior) of a parameter vector ``theta``, each entry on the scale it is
searched on and between bounds. Where it cannot be evaluated it says why instead of giving NaN. Every problem has one
(:meth:`pathsim.estimation.problem.Problem.objective`); your own needs no more than :class:`Objective` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..arrays import FloatArray

AT_ONCE = 256
"""Vectors that are simulated together."""


@dataclass(frozen=True, eq=False)
class Derivatives:
    """An objective at one point, to second order as far as Gauss-Newton knows it.

    ``value``: negative log likelihood; ``gradient`` (d,); ``fisher`` (d, d), the expected Hessian. After a failure the
    value is infinite, the rest is zero, and ``failure`` says why.
    """

    value: float
    gradient: FloatArray
    fisher: FloatArray
    failure: str = ""

    @classmethod
    def failed(cls, d: int, why: str) -> Derivatives:
        """The answer where nothing could be computed."""
        return cls(math.inf, np.zeros(d), np.zeros((d, d)), why)


class Objective(Protocol):
    """A negative log likelihood with bounds."""

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names, the order of theta."""

    @property
    def scales(self) -> tuple[str, ...]:
        """``lin``, ``log`` or ``log10`` for each entry of theta."""

    @property
    def lower(self) -> FloatArray:
        """Lower bounds, on scale."""

    @property
    def upper(self) -> FloatArray:
        """Upper bounds, on scale."""

    def value(self, theta: FloatArray) -> tuple[float, str]:
        """Negative log likelihood, and the reason where it is infinite."""

    def derivatives(self, theta: FloatArray) -> Derivatives:
        """Value, gradient and Fisher information."""


class Fittable(Protocol):
    """Something with an objective: a :class:`~pathsim.estimation.problem.Problem`."""

    def objective(self) -> Objective:
        """The negative log posterior."""


def as_objective(problem: Objective | Fittable) -> Objective:
    """The objective of anything that can be fitted."""
    made: Any = problem.objective() if hasattr(problem, "objective") else problem
    return made  # type: ignore[no-any-return]


class Refinable(Objective, Protocol):
    """An objective some of whose parameters cost nothing to optimise, since no simulation depends on them."""

    def refined(self, theta: FloatArray) -> tuple[FloatArray, float, str]:
        """``theta`` with those parameters at their best, the value there, and why where it is infinite."""


class Differentiable(Objective, Protocol):
    """An objective whose gradient alone costs less than its derivatives."""

    def gradient(self, theta: FloatArray) -> tuple[float, FloatArray, str]:
        """Value, gradient, and the reason where the value is infinite (the gradient is zero then)."""


def all_values(objective: Objective, thetas: FloatArray) -> FloatArray:
    """Values at many vectors (m, d), together where the objective can do that; infinite where they fail."""
    if not hasattr(objective, "values"):
        return np.array([objective.value(theta)[0] for theta in thetas])
    blocks = [objective.values(thetas[i : i + AT_ONCE])[0] for i in range(0, len(thetas), AT_ONCE)]
    return np.concatenate(blocks) if blocks else np.empty(0)


def rough_derivatives(objective: Objective, theta: FloatArray) -> Derivatives:
    """Derivatives for a model of the objective around ``theta``, at rough accuracy where the objective has that: of the
    bundled model's calibration Fisher information is right to a few thousandths then, in 60 % of the time."""
    if hasattr(objective, "derivatives_many"):
        return list[Derivatives](objective.derivatives_many(theta[None]))[0]
    return objective.derivatives(theta)


def checked(derivatives: Derivatives) -> Derivatives:
    """``derivatives``, or a failure where any of its numbers is not finite: NaN must never reach an optimiser."""
    if derivatives.failure:
        return derivatives
    d = len(derivatives.gradient)
    if not math.isfinite(derivatives.value):
        return Derivatives.failed(d, "the likelihood is not a finite number")
    if not (np.isfinite(derivatives.gradient).all() and np.isfinite(derivatives.fisher).all()):
        return Derivatives.failed(d, "the gradient is not finite")
    return derivatives
