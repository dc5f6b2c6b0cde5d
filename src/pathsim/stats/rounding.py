"""Numbers that differ by rounding only: one dose, one time."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray

ROUNDING = 1e-7
"""Relative difference up to which two doses or times are one: double and single precision round by less."""

_NOTHING = 1e-14
"""What is left of a zero that was reached by subtraction, relative to the largest number beside it."""


def settled(values: FloatArray) -> FloatArray:
    """``values`` (n,) with those that are equal within rounding made equal, as 0.1 + 0.2 and 0.3.

    Of several spellings the shortest is kept; what is zero within rounding is zero. NaN and infinity stay.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return values
    largest = float(np.abs(values[finite]).max())
    cleared = np.where(np.abs(values) <= _NOTHING * largest, 0.0, values)
    levels, where = np.unique(cleared, return_inverse=True)
    with np.errstate(invalid="ignore"):
        apart = ~(np.diff(levels) <= ROUNDING * np.abs(levels[1:]))
    group = np.concatenate([[0], np.cumsum(apart)])
    if group[-1] == len(levels) - 1:
        return cleared
    kept = np.array(
        [min(levels[group == one].tolist(), key=lambda each: len(repr(each))) for one in range(group[-1] + 1)]
    )
    return np.asarray(kept[group][where.reshape(-1)])
