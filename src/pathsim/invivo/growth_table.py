"""Two time scales: the pathway settles into a daily rhythm within days, the tumour takes weeks.

Under a schedule that repeats itself the cells reach a periodic regime, after which each period multiplies the tumour by
the same factor (Floquet). So the fully coupled equations are integrated once, for a few animals that span how animals
differ, until the regime is reached; every animal then follows by interpolation, every later week by repetition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..arrays import FloatArray
from ..lab import Exposure, Kinetics, Regimen, expose
from ..lab.schedule import DAY
from .dosed_cells import DosedCells, follow

SETTLING_DAYS = 21.0
"""Days of full coupling before growth counts as periodic: receptors, senescence and SRC take about a week each."""
NODES = {0: (1, 5), 1: (6, 5), 2: (5, 4), 3: (4, 3)}
"""Animals per drug and per growth speed in the table, by the number of drugs."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How far animals reach, as factors: the range of the cycle's speed and of clearance covered by a table."""

    speed: tuple[float, float]
    clearance: tuple[float, float]


@dataclass(frozen=True, eq=False)
class GrowthTable:
    """``log_live`` (nodes of each clearance ..., speeds, times) and where in it an animal lies.

    ``repeats_from`` and ``period`` in minutes: from then on growth repeats itself.
    """

    clearances: tuple[FloatArray, ...]
    speeds: FloatArray
    times: FloatArray
    log_live: FloatArray
    repeats_from: float
    period: float

    def curves(self, clearances: FloatArray, speeds: FloatArray, times: FloatArray) -> FloatArray:
        """Log growth (animals, times) for clearance factors (animals, drugs) and speed factors (animals,)."""
        values = self.log_live
        weights = [_lagrange(np.log(nodes), np.log(clearances[:, d])) for d, nodes in enumerate(self.clearances)]
        weights.append(_lagrange(np.log(self.speeds), np.log(speeds)))
        joint = weights[0]
        for more in weights[1:]:
            joint = (joint[:, :, None] * more[:, None, :]).reshape(len(joint), -1)
        tabulated = joint @ values.reshape(joint.shape[1], -1)
        return self._extended(tabulated, times)

    def _extended(self, tabulated: FloatArray, times: FloatArray) -> FloatArray:
        """From the table's own times to ``times``, repeating the last period as often as needed."""
        last = float(self.times[-1])
        periods = np.maximum(0.0, np.ceil((times - last) / self.period - 1e-9))
        folded = times - periods * self.period
        inside = np.array([np.interp(folded, self.times, row) for row in tabulated])
        before = np.array([np.interp(last - self.period, self.times, row) for row in tabulated])
        return np.asarray(inside + periods * (tabulated[:, -1] - before)[:, None])


def _lagrange(nodes: FloatArray, points: FloatArray) -> FloatArray:
    """Interpolation weights (points, nodes) of the polynomial through the nodes."""
    weights = np.ones((len(points), len(nodes)))
    for i, node in enumerate(nodes):
        for j, other in enumerate(nodes):
            if i != j:
                weights[:, i] *= (points - other) / (node - other)
    return weights


def chebyshev(low: float, high: float, count: int) -> FloatArray:
    """Nodes between two factors, on a logarithmic scale, where a polynomial interpolates best; 1 for a single one."""
    if count == 1:
        return np.ones(1)
    unit = np.cos(np.pi * (np.arange(count) + 0.5) / count)[::-1] / math.cos(math.pi / (2 * count))
    middle, half = (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / 2
    return np.exp(middle + half * unit)


def periodicity(regimen: Regimen) -> tuple[float, float]:
    """From when on, and with what period (minutes), a regimen repeats itself."""
    start, period = 0.0, DAY
    for course in regimen.courses:
        if math.isfinite(course.length_min) or not math.isfinite(course.interval_min):
            start = max(start, course.first_min + (course.length_min if math.isfinite(course.interval_min) else 0.0))
        else:
            start = max(start, course.first_min)
            period = float(math.lcm(round(period), round(course.period_min)))
    return start, period


def tabulate(
    cells: DosedCells,
    regimen: Regimen,
    kinetics: Sequence[Kinetics],
    site: str,
    speed: Callable[[FloatArray], FloatArray],
    spread: Spread,
    horizon_min: float,
    settling_days: float = SETTLING_DAYS,
) -> GrowthTable:
    """Follow the animals at the nodes of the table, fully coupled, until growth repeats itself.

    ``speed`` turns speed factors into values of ``cycle_speed``.
    """
    drugs = len(regimen.courses)
    per_drug, per_speed = NODES.get(drugs, (3, 3))
    clearances = tuple(chebyshev(*spread.clearance, per_drug) for _ in range(drugs))
    speeds = chebyshev(*spread.speed, per_speed)
    start, period = periodicity(regimen)
    cycles = math.ceil((start + settling_days * DAY) / period) + 1
    length = min(cycles * period, horizon_min)
    grid = np.array(list(product(*clearances, speeds)))
    rows = cells.settings({cells.cycle_speed: speed(grid[:, -1])}, len(grid))
    exposures = courses(cells, regimen, kinetics, site, grid[:, :-1], length)
    growth = follow(cells, rows, exposures, length)
    shape = (*(len(nodes) for nodes in clearances), len(speeds), len(growth.times))
    return GrowthTable(clearances, speeds, growth.times, growth.log_live.reshape(shape), length - period, period)


def courses(
    cells: DosedCells,
    regimen: Regimen,
    kinetics: Sequence[Kinetics],
    site: str,
    clearances: FloatArray,
    horizon_min: float,
) -> list[list[Exposure]]:
    """For each drug of ``cells`` the medium-equivalent course at ``site`` in every animal of ``clearances`` (n, drugs).

    Drugs that the regimen does not contain are never given.
    """
    none = Exposure(np.empty(0), np.empty(0), np.empty((0, 0)))
    found = {name: [none] * len(clearances) for name in cells.drugs}
    for d, (course, base) in enumerate(zip(regimen.courses, kinetics, strict=True)):
        scale = base.medium_equivalent(site)
        known: dict[float, Exposure] = {}
        for factor in clearances[:, d]:
            if factor not in known:
                plasma = expose(base.varied(clearance=float(factor)), course, horizon_min)
                known[factor] = Exposure(plasma.starts, plasma.rates, plasma.amplitudes * scale)
        found[base.drug] = [known[factor] for factor in clearances[:, d]]
    return [found[name] for name in cells.drugs]
