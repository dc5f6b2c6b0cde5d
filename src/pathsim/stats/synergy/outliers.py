"""Wells that disagree with their replicates.

The spread of a single well is pooled over all conditions with replicates: first robustly, from the median deviation
from the median of each condition, which a bad replicate of every condition does not move; then, without the wells that
this marks, as a standard deviation. In each condition with three or more wells the one farthest from the mean of the
others is tested against it (Student's t, Bonferroni over all wells), then the next; of two that disagree none can be
told to be wrong, and both are marked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...arrays import BoolArray, FloatArray, IndexArray
from .wells import Wells

LEVEL = 0.05
"""How often a table of good wells may have one marked."""

_MEDIANS = (0.478, 0.361, 0.452, 0.503, 0.533, 0.557, 0.572, 0.586, 0.595)
"""The median of the median deviation from the median of 2, 3, ... standard normal values (simulated)."""

_FEW = 4
"""Conditions with replicates below which no spread is told."""


def outliers(experiments: Sequence[Wells]) -> list[BoolArray]:
    """Which wells of each experiment disagree with their replicates: a flag per well.

    Experiments of the same drugs and units are replicates of each other where they share doses.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> [flags.any() for flags in ps.synergy.outliers([screen])]  # doctest: +SKIP
    """
    flags = [np.zeros(len(wells.viability), dtype=bool) for wells in experiments]
    groups: dict[tuple[tuple[str, ...], tuple[str, ...], str], list[int]] = {}
    for place, wells in enumerate(experiments):
        line = wells.name.partition(", block ")[0] if ", block " in wells.name else ""
        groups.setdefault((wells.drugs, wells.units, line), []).append(place)
    for places in groups.values():
        doses = np.concatenate([experiments[place].doses for place in places])
        values = np.concatenate([experiments[place].viability for place in places])
        marked = _marked(doses, values)
        ends = np.cumsum([len(experiments[place].viability) for place in places])[:-1]
        for place, part in zip(places, np.split(marked, ends), strict=True):
            flags[place] = part
    return flags


def _marked(doses: FloatArray, values: FloatArray) -> BoolArray:
    from scipy.special import stdtrit  # slow to load, and only wanted here

    _, where = np.unique(doses, axis=0, return_inverse=True)
    groups = [np.flatnonzero(where.reshape(-1) == i) for i in range(int(where.max()) + 1)]
    again = [rows for rows in groups if len(rows) > 1]
    flags = np.zeros(len(values), dtype=bool)
    if len(again) < _FEW:
        return flags
    least = 1e-9 * float(np.abs(values).max())
    deviations = [float(np.median(np.abs(values[rows] - np.median(values[rows])))) for rows in again]
    constants = [_MEDIANS[min(len(rows), len(_MEDIANS) + 1) - 2] for rows in again]
    spread = float(np.median(np.array(deviations) / np.array(constants)))
    level = 1.0 - LEVEL / (2.0 * sum(map(len, again)))
    first = _beyond(values, again, max(spread, least), float(stdtrit(len(again), level)))
    kept = [rows[~first[rows]] for rows in again]
    freedom = sum(len(rows) - 1 for rows in kept if len(rows) > 1)
    if freedom < _FEW:
        return first
    squares = sum(float(np.var(values[rows])) * len(rows) for rows in kept if len(rows) > 1)
    return _beyond(values, again, max(math.sqrt(squares / freedom), least), float(stdtrit(freedom, level)))


def _beyond(values: FloatArray, groups: Sequence[IndexArray], spread: float, limit: float) -> BoolArray:
    """Which wells lie farther from the others of their group than ``limit`` standard errors."""
    flags = np.zeros(len(values), dtype=bool)
    for rows in groups:
        left = rows
        while len(left) > 2:
            others = (values[left].sum() - values[left]) / (len(left) - 1)
            far = np.abs(values[left] - others) / (spread * math.sqrt(1.0 + 1.0 / (len(left) - 1)))
            worst = int(np.argmax(far))
            if far[worst] <= limit:
                break
            flags[left[worst]] = True
            left = np.delete(left, worst)
        if len(rows) == 2 and abs(float(values[rows[0]] - values[rows[1]])) > limit * spread * math.sqrt(2.0):
            flags[rows] = True
    return flags
