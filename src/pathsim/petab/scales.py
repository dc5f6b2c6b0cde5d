"""The scales of the parameter table: ``lin``, ``log`` or ``log10``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


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
    return float(np.exp(value)) if scale == "log" else float(10.0 ** float(value))


def stretch(theta: FloatArray, scales: Sequence[str]) -> FloatArray:
    """d value / d theta for each parameter."""
    return np.array([
        1.0 if scale == "lin" else from_scale(float(x), scale) * (1.0 if scale == "log" else math.log(10.0))
        for x, scale in zip(theta, scales, strict=True)
    ])  # fmt: skip
