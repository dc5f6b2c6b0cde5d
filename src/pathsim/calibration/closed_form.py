"""Scale factors and backgrounds of blots in closed form, so that the search never sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray


class Scaled(Protocol):
    """A measured number on the arbitrary scale of its blot."""

    @property
    def value(self) -> float: ...
    @property
    def sd(self) -> float: ...
    @property
    def scale(self) -> str: ...
    @property
    def background(self) -> bool: ...


def scaled_residuals(simulated: Sequence[float], measured: Sequence[Scaled]) -> FloatArray:
    """Log residuals in units of sd after the best factor (and background) of each blot."""
    if not measured:
        return np.empty(0)
    x = np.asarray(simulated, dtype=float)
    y = np.array([item.value for item in measured])
    sd = np.array([item.sd for item in measured])
    _, blot = np.unique([item.scale for item in measured], return_inverse=True)
    has_background = np.zeros(blot.max() + 1, dtype=bool)
    has_background[blot] = [item.background for item in measured]
    factor, background = factors(x, y, sd, blot, has_background)
    return np.asarray((np.log(factor[blot] * x + background[blot]) - np.log(y)) / sd)


def factors(
    x: FloatArray, y: FloatArray, sd: FloatArray, blot: IntArray, has_background: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Factor and background per blot: least squares of relative errors, background not negative.

    Without background the factor is the weighted mean of log(y/x), the maximum-likelihood value of a log-normal error.
    """
    n = len(has_background)

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(blot, values, n), dtype=float)

    weight = 1.0 / sd**2
    plain = np.exp(total(weight * np.log(y / np.maximum(x, 1e-12))) / total(weight))
    u, v, w = x / y, 1.0 / y, weight
    uu, uv, vv, u1, v1 = total(w * u * u), total(w * u * v), total(w * v * v), total(w * u), total(w * v)
    determinant = uu * vv - uv * uv
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (u1 * vv - v1 * uv) / determinant
        background = (v1 * uu - u1 * uv) / determinant
    good = has_background & (determinant > 1e-9 * uu * vv) & (factor > 0) & (background > 0)
    flat = has_background & ~good & (determinant > 1e-9 * uu * vv) & (factor <= 0)
    result = np.where(good, factor, plain)
    offset = np.where(good, background, 0.0)
    result[flat], offset[flat] = 1e-12, (v1 / vv)[flat]
    return result, offset
