"""What can be fitted: one small protocol between measured data and everything that searches, profiles or samples.

An objective is a negative log likelihood (or posterior) of a parameter vector ``theta``, each entry on the scale it is
searched on and between bounds. Where it cannot be evaluated it says why instead of giving NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Slopes:
    """An objective at one point, to second order as far as least squares know it.

    ``value``: negative log likelihood; ``gradient`` (d,); ``fisher`` (d, d), the expected Hessian; ``residuals`` (m,)
    and ``jacobian`` (m, d) with value = residuals**2 / 2 summed up + constant, or None where the noise is not normal.
    After a failure the value is infinite, the rest is zero, and ``failure`` says why.
    """

    value: float
    gradient: FloatArray
    fisher: FloatArray
    residuals: FloatArray | None = None
    jacobian: FloatArray | None = None
    failure: str = ""

    @classmethod
    def failed(cls, d: int, why: str) -> Slopes:
        """The answer where nothing could be computed."""
        return cls(math.inf, np.zeros(d), np.zeros((d, d)), failure=why)


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

    def slopes(self, theta: FloatArray) -> Slopes:
        """Value, gradient and Fisher information."""


class Refinable(Objective, Protocol):
    """An objective some of whose parameters cost nothing to optimise, since no simulation depends on them."""

    def refined(self, theta: FloatArray) -> tuple[FloatArray, float, str]:
        """``theta`` with those parameters at their best, the value there, and why where it is infinite."""


class Differentiable(Objective, Protocol):
    """An objective whose gradient alone costs less than its slopes."""

    def gradient(self, theta: FloatArray) -> tuple[float, FloatArray, str]:
        """Value, gradient, and the reason where the value is infinite (the gradient is zero then)."""


def checked(slopes: Slopes) -> Slopes:
    """``slopes``, or a failure where any of its numbers is not finite: NaN must never reach an optimiser."""
    if slopes.failure:
        return slopes
    d = len(slopes.gradient)
    if not math.isfinite(slopes.value):
        return Slopes.failed(d, "the likelihood is not a finite number")
    if not (np.isfinite(slopes.gradient).all() and np.isfinite(slopes.fisher).all()):
        return Slopes.failed(d, "the gradient is not finite")
    return slopes


def natural(theta: FloatArray, scales: tuple[str, ...]) -> FloatArray:
    """Parameter values from theta: powers where the scale is logarithmic."""
    return np.array([_natural(float(x), scale) for x, scale in zip(theta, scales, strict=True)])


def _natural(x: float, scale: str) -> float:
    if scale == "lin":
        return x
    return math.exp(x) if scale == "log" else float(10.0**x)
