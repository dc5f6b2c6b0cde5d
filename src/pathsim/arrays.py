"""Array types: the dtypes in which pathsim keeps numbers; shapes stand in the docstring of whatever uses them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
"""Positions, as numpy's own functions give them."""
SideArray = npt.NDArray[np.int8]
"""-1, 0 or 1: below, at or above a number."""
WordArray = npt.NDArray[np.uint64]
"""Random bits."""
