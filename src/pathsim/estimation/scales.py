"""The scales that parameters are searched on: ``lin``, ``log`` or ``log10``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..arrays import FloatArray
from ..stats.noise import LN10

BENDS = {"lin": 0.0, "log": 1.0, "log10": LN10}
"""Second derivative of a value by what is on scale, over the first."""


def on_scale(value: float, scale: str) -> float:
    """A value put on its scale; minus infinity for 0, NaN for what has no logarithm."""
    if scale == "lin" or math.isnan(value):
        return value
    if value <= 0:
        return -math.inf if value == 0 else math.nan
    return math.log(value) if scale == "log" else math.log10(value)


def from_scale(value: float, scale: str) -> float:
    """The value of a parameter given on its scale; infinity where it is too large for a number."""
    if scale == "lin":
        return float(value)
    with np.errstate(over="ignore"):
        return float(np.exp(value)) if scale == "log" else float(np.power(10.0, value))


def values_of(theta: FloatArray, scales: Sequence[str]) -> FloatArray:
    """The values of a parameter vector given on scale."""
    return np.array([from_scale(float(x), scale) for x, scale in zip(theta, scales, strict=True)])


def by_theta(theta: FloatArray, scales: Sequence[str]) -> FloatArray:
    """d value / d theta for each parameter."""
    return np.array(
        [
            1.0 if scale == "lin" else from_scale(float(x), scale) * (1.0 if scale == "log" else LN10)
            for x, scale in zip(theta, scales, strict=True)
        ]
    )
