"""Animals with a tumour: how they differ, how fast they grow untreated, and what becomes of them under a regimen."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..errors import InputError
from ..lab import Kinetics, Library, Pharmacy, Regimen
from ..lab.host import Site
from ..lab.schedule import DAY
from .dosed_cells import DosedCells, follow
from .growth_table import Spread, courses, tabulate

if TYPE_CHECKING:
    import pandas as pd


REACH = 2.5
"""Animals lie within this many standard deviations; further ones are drawn again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Growth in the animal: ``cycle_speed`` of the median animal, net growth without drug (1/min), and the change of
    log net growth per log speed there."""

    speed: float
    growth: float
    elasticity: float


def calibrate(cells: DosedCells, site: Site) -> Pace:
    """The speed of the cell cycle at which untreated tumours reach the endpoint in the median time of ``site``."""
    wanted = math.log(site.endpoint_cells / site.implanted_cells) / (site.untreated_days * DAY)
    in_culture = float(cells.raw[cells.system.slot(cells.cycle_speed)])
    factors = np.geomspace(0.02, 4.0, 60)
    rows = cells.settings({cells.cycle_speed: factors * in_culture}, len(factors))
    nothing = courses(cells, Regimen(()), (), site.compartment, np.empty((len(factors), 0)), 0.0)
    growth = follow(cells, rows, nothing, 30 * DAY, longest_min=10 * DAY)
    rates = (growth.log_live[:, -1] - growth.log_live[:, -1 - 4]) / (growth.times[-1] - growth.times[-1 - 4])
    above = np.flatnonzero(rates >= wanted)
    if not above.size or above[0] == 0:
        raise InputError(
            f"{cells.line} cannot reach {site.endpoint_cells:g} cells from {site.implanted_cells:g} in "
            f"{site.untreated_days:g} days (untreated doubling time {math.log(2) / wanted / 60:.3g} h); change the site"
        )
    i = int(above[0])
    share = (wanted - rates[i - 1]) / (rates[i] - rates[i - 1])
    factor = factors[i - 1] * (factors[i] / factors[i - 1]) ** share
    slope = math.log(rates[i] / max(rates[i - 1], 1e-3 * rates[i])) / math.log(factors[i] / factors[i - 1])
    return Pace(float(factor * in_culture), wanted, float(slope))


@dataclass(frozen=True, eq=False)
class Animals:
    """How the animals of an arm differ: factors (n,), and of clearance (n, drugs)."""

    speed: FloatArray
    clearance: FloatArray
    cells: FloatArray
    endpoint: FloatArray


def draw_animals(regimen: Regimen, site: Site, pace: Pace, mice: int, seed: int) -> Animals:
    """Animals of one arm; they depend on the seed and the regimen and on nothing else."""
    random = np.random.default_rng([seed, zlib.crc32(str(regimen).encode())])
    drugs = len(regimen.courses)
    normal = _truncated(random, (mice, 3 + drugs))
    return Animals(
        speed=np.exp(_sigma(site.growth_cv) / pace.elasticity * normal[:, 0]),
        clearance=np.exp(_sigma(site.clearance_cv) * normal[:, 3:]),
        cells=site.implanted_cells * np.exp(_sigma(site.take_cv) * normal[:, 1]),
        endpoint=site.endpoint_cells * np.exp(_sigma(site.endpoint_cv) * normal[:, 2]),
    )


def _sigma(cv: float) -> float:
    return math.sqrt(math.log1p(cv * cv))


def _truncated(random: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    values = random.normal(size=shape)
    while (outside := np.abs(values) > REACH).any():
        values[outside] = random.normal(size=int(outside.sum()))
    return values


@dataclass(frozen=True, eq=False)
class Followed:
    """One arm: the animals, ``times`` (t,) in minutes from implantation, ``log_cells`` (mice, t)."""

    regimen: Regimen
    animals: Animals
    times: FloatArray
    log_cells: FloatArray


@dataclass(frozen=True, eq=False)
class Study:
    """What all arms share."""

    cells: DosedCells
    site: Site
    pace: Pace
    pharmacy: Pharmacy
    library: Library
    species: str = "mouse"

    def kinetics(self, regimen: Regimen) -> list[Kinetics]:
        """Pharmacokinetics of every drug of a regimen."""
        return [self.pharmacy.find(course.drug, self.species, self.library) for course in regimen.courses]

    def arm(self, regimen: Regimen, mice: int, days: float, seed: int) -> Followed:
        """An arm by the growth table: fast, and within 2 % of :meth:`arm_coupled`."""
        animals = draw_animals(regimen, self.site, self.pace, mice, seed)
        before, dosed = self.site.dosing_from_days * DAY, (days - self.site.dosing_from_days) * DAY
        if not regimen.courses:  # without drug growth is that of the calibration
            times = np.arange(0.0, days * DAY + 1.0, sampling(days * DAY))
            grown = (self.pace.growth * animals.speed**self.pace.elasticity)[:, None] * times
            return Followed(regimen, animals, times, np.log(animals.cells)[:, None] + grown)
        width = math.exp(REACH * _sigma(self.site.growth_cv) / self.pace.elasticity)
        reach = math.exp(REACH * _sigma(self.site.clearance_cv))
        table = tabulate(
            self.cells,
            regimen,
            self.kinetics(regimen),
            self.site.compartment,
            lambda factor: self.pace.speed * factor,
            Spread((1 / width, width), (1 / reach, reach)),
            dosed,
        )
        since = np.arange(0.0, dosed + 1.0, sampling(dosed))
        return self._followed(regimen, animals, before, since, table.curves(animals.clearance, animals.speed, since))

    def arm_coupled(self, regimen: Regimen, mice: int, days: float, seed: int) -> Followed:
        """An arm with pathway and tumour integrated together in every animal, to the end: the oracle of :meth:`arm`."""
        animals = draw_animals(regimen, self.site, self.pace, mice, seed)
        before, dosed = self.site.dosing_from_days * DAY, (days - self.site.dosing_from_days) * DAY
        rows = self.cells.settings({self.cells.cycle_speed: self.pace.speed * animals.speed}, mice)
        given = courses(self.cells, regimen, self.kinetics(regimen), self.site.compartment, animals.clearance, dosed)
        growth = follow(self.cells, rows, given, dosed)
        return self._followed(regimen, animals, before, growth.times, growth.log_live)

    def _followed(
        self, regimen: Regimen, animals: Animals, before: float, since: FloatArray, grown: FloatArray
    ) -> Followed:
        """Untreated growth until dosing, then what dosing leaves of it."""
        early = np.arange(0.0, before, DAY / 4)
        untreated = self.pace.growth * animals.speed**self.pace.elasticity
        start = np.log(animals.cells)[:, None]
        joined = [start + untreated[:, None] * early, start + (untreated * before)[:, None] + grown]
        return Followed(regimen, animals, np.concatenate([early, before + since]), np.concatenate(joined, axis=1))

    def lysate(self, regimens: Sequence[Regimen], day: float, hours: float, readouts: Sequence[str]) -> pd.DataFrame:
        """Readouts of the median animal's tumour, ``hours`` into ``day`` of dosing, arm by arm."""
        import pandas as pd

        frames = []
        for regimen in regimens:
            end = (day - 1) * DAY + hours * 60
            rows = self.cells.settings({self.cells.cycle_speed: self.pace.speed}, 1)
            given = courses(
                self.cells,
                regimen,
                self.kinetics(regimen),
                self.site.compartment,
                np.ones((1, len(regimen.courses))),
                end,
            )
            found = follow(self.cells, rows, given, end, readouts=readouts).readouts[0]
            frames.append(
                pd.DataFrame(
                    {
                        "cell_line": f"{self.cells.line} tumour",
                        "treatment": str(regimen),
                        "time_min": end,
                        "readout": list(readouts),
                        "value": found,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)


def sampling(horizon_min: float) -> float:
    """Minutes between readings of the tumour: a quarter of a day, whole days in studies of many months."""
    return DAY / 4 if horizon_min <= 200 * DAY else math.ceil(horizon_min / DAY / 480) * DAY


def event_times(arm: Followed, days: float) -> tuple[FloatArray, BoolArray]:
    """Days from implantation until the tumour first reaches the animal's endpoint, or censored at ``days``."""
    limit = np.log(arm.animals.endpoint)[:, None]
    above = arm.log_cells >= limit
    reached: BoolArray = np.asarray(above.any(axis=1))
    times = np.full(len(above), days)
    for i in np.flatnonzero(reached):
        j = int(above[i].argmax())
        if j == 0:
            times[i] = 0.0
            continue
        a, b = arm.log_cells[i, j - 1], arm.log_cells[i, j]
        share = (limit[i, 0] - a) / (b - a)
        times[i] = (arm.times[j - 1] + share * (arm.times[j] - arm.times[j - 1])) / DAY
    return times, reached
