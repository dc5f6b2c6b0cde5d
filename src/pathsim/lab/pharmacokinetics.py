"""What the body does to a drug: linear one- and two-compartment models, solved exactly.

A dose goes to the gut (oral), the peritoneum (IP; absorbed like an oral dose, faster) or straight into the blood (IV).
Between doses every amount is a sum of exponentials (Gibaldi & Perrier 1982, Pharmacokinetics); at a dose the amounts
jump. Nothing is stepped: a course of any length costs one small matrix product per dose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..errors import InputError, raise_together, unknown
from ..files import read_toml
from ..model import models_folder
from .entry import Entry
from .library import Library, default_library
from .schedule import Course, Regimen

WEIGHTS_KG = {"mouse": 0.02, "human": 70.0}
SERUM_IN_MEDIUM = 0.1
"""Full medium holds 10 % serum; binding proteins are a tenth of those of plasma."""
_UNITS = {
    "clearance": {"L/h": 1 / 60, "L/h/kg": 1 / 60, "ml/min/kg": 1e-3},
    "volume": {"L": 1.0, "L/kg": 1.0},
}


@dataclass(frozen=True, slots=True)
class Kinetics:
    """A drug in a species; per kg of body weight, in minutes and litres.

    ``absorption_per_min`` is infinite for an IV dose. ``exchange`` and ``peripheral`` are 0 in a one-compartment model.
    ``unbound``: free fraction in plasma. ``tissue``: site -> free concentration there over free in plasma (Kp,uu).
    """

    drug: str
    species: str
    molar_mass: float
    absorption_per_min: float
    bioavailability: float
    clearance: float
    volume: float
    exchange: float = 0.0
    peripheral: float = 0.0
    unbound: float = 1.0
    tissue: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def varied(self, clearance: float = 1.0, absorption: float = 1.0) -> Kinetics:
        """Another animal: clearance and absorption times these factors."""
        return replace(
            self,
            clearance=self.clearance * clearance,
            absorption_per_min=self.absorption_per_min * absorption,
        )

    def medium_equivalent(self, site: str) -> float:
        """nM of nominal concentration in full medium that leave as much drug free as 1 nM of plasma does at ``site``.

        Potencies in cells are nominal concentrations in medium with 10 % serum, whose free fraction follows from that
        in plasma by dilution (Kalvass & Maurer 2002 Biopharm Drug Dispos).
        """
        if site != "plasma" and site not in self.tissue:
            raise unknown("site", site, ["plasma", *self.tissue], f"for {self.drug} in {self.species}")
        free = self.unbound * (1.0 if site == "plasma" else self.tissue[site])
        free_in_medium = 1.0 / (1.0 + SERUM_IN_MEDIUM * (1.0 / self.unbound - 1.0))
        return free / free_in_medium

    def exponentials(self) -> tuple[FloatArray, FloatArray]:
        """``rates`` (m,) per minute, absorption last, and ``parts`` (m, m, m).

        ``parts[k] @ y`` is the share of the amounts ``y`` (gut, central, peripheral; mg/kg) that decays with
        ``rates[k]``; the sum over k is ``y`` itself.
        """
        out, to, back = self.clearance / self.volume, self.exchange / self.volume, 0.0
        if self.peripheral > 0:
            back = self.exchange / self.peripheral
            total = out + to + back
            root = math.sqrt(max(total * total - 4 * out * back, 0.0))
            fast = (total + root) / 2
            disposition = [out * back / fast, fast]
        else:
            disposition = [out]
        gut = self.absorption_per_min
        if not math.isfinite(gut):
            gut = 1e3 * max(disposition)  # never filled by an IV dose
        for rate in disposition:  # equal rates have a limit, not a sum of exponentials; this far off it is 1e-8 away
            if abs(gut / rate - 1) < 3e-8:
                gut = rate * (1 + 3e-8)
        system = np.zeros((1 + len(disposition),) * 2)
        system[0, 0], system[1, 0], system[1, 1] = -gut, gut, -(out + to)
        if self.peripheral > 0:
            system[1, 2], system[2, 1], system[2, 2] = back, to, -back
        rates = np.array([*disposition, gut])
        return rates, _projections(system, rates)


def _projections(system: FloatArray, rates: FloatArray) -> FloatArray:
    """Spectral projections by Lagrange (Frobenius covariants): exact for distinct rates, no eigenvectors needed."""
    unit = np.eye(len(rates))
    parts = []
    for k, rate in enumerate(rates):
        part = unit
        for j, other in enumerate(rates):
            if j != k:
                part = part @ (system + other * unit) / (other - rate)
        parts.append(part)
    return np.array(parts)


@dataclass(frozen=True, eq=False)
class Exposure:
    """Total concentration in plasma: ``amplitudes[i] @ exp(-rates * (t - starts[i]))`` nM from ``starts[i]`` on.

    ``starts`` (n,) minutes, ``rates`` (m,) per minute, ``amplitudes`` (n, m) nM.
    """

    starts: FloatArray
    rates: FloatArray
    amplitudes: FloatArray

    def concentration(self, times: npt.ArrayLike) -> FloatArray:
        """nM in plasma, bound and free, at ``times`` (minutes); 0 before the first dose."""
        moments = np.asarray(times, dtype=float)
        if not len(self.starts):
            return np.zeros_like(moments)
        which = np.searchsorted(self.starts, moments, side="right") - 1
        since = np.maximum(moments - self.starts[np.maximum(which, 0)], 0.0)
        decayed = np.exp(-since[..., None] * self.rates)
        return np.asarray(np.where(which >= 0, (self.amplitudes[np.maximum(which, 0)] * decayed).sum(axis=-1), 0.0))

    def area(self, first: float, last: float) -> float:
        """Area under the curve between two times, nM x min, exactly. ``last`` may be infinite."""
        edges = np.append(self.starts, math.inf)
        total = 0.0
        for start, end, amplitudes in zip(edges[:-1], edges[1:], self.amplitudes, strict=True):
            a, b = max(first, start), min(last, end)
            if b > a:
                total += float(
                    amplitudes @ ((np.exp(-self.rates * (a - start)) - np.exp(-self.rates * (b - start))) / self.rates)
                )
        return total

    def peak(self, interval: int = -1) -> tuple[float, float]:
        """Time (min) and height (nM) of the highest concentration after dose ``interval`` (default: the last)."""
        from scipy.optimize import brentq  # slow to load, and only wanted here

        if not len(self.starts):
            return math.nan, 0.0
        amplitudes, start = self.amplitudes[interval], float(self.starts[interval])
        number = interval % len(self.starts)
        end = float(self.starts[number + 1]) if number + 1 < len(self.starts) else start + 40 / float(self.rates.min())

        def changes(times: FloatArray) -> FloatArray:
            return np.asarray(
                -(amplitudes * self.rates * np.exp(-np.multiply.outer(times - start, self.rates))).sum(-1)
            )

        grid = np.concatenate([[start], start + np.geomspace((end - start) * 1e-7, end - start, 400)])
        found = changes(grid)
        candidates = [start, end]
        for i in np.flatnonzero((found[:-1] > 0) & (found[1:] <= 0)):
            top = brentq(
                lambda time: float(changes(np.array([time]))[0]),
                grid[i],
                grid[i + 1],
                xtol=1e-12 * (end - start),
                rtol=1e-15,
            )
            candidates.append(float(top))
        heights = [float(amplitudes @ np.exp(-self.rates * (time - start))) for time in candidates]
        best = int(np.argmax(heights))
        return candidates[best], heights[best]


def expose(kinetics: Kinetics, course: Course, horizon_min: float) -> Exposure:
    """The plasma concentration of a course of doses up to ``horizon_min``.

    Raises :class:`InputError` for a dose in mg/kg and mg that does not suit the species.
    """
    times = course.times(horizon_min)
    return expose_doses(kinetics, times, np.full(len(times), dose_mg_per_kg(course, kinetics.species)))


def expose_doses(kinetics: Kinetics, times: FloatArray, doses: FloatArray) -> Exposure:
    """As :func:`expose` for doses (n,) in mg/kg at ``times`` (n,) in minutes, ascending."""
    rates, parts = kinetics.exponentials()
    oral = math.isfinite(kinetics.absorption_per_min)
    amounts = np.zeros(len(rates))
    amplitudes = np.empty((len(times), len(rates)))
    per_amount = 1e6 / kinetics.molar_mass / kinetics.volume  # nM per mg/kg in the central compartment
    for i, (time, dose) in enumerate(zip(times, doses, strict=True)):
        if i:
            decayed = np.exp(-rates * (time - times[i - 1]))
            amounts = np.einsum("k,kij,j->i", decayed, parts, amounts)
        amounts = amounts.copy()
        amounts[0 if oral else 1] += dose * (kinetics.bioavailability if oral else 1.0)
        amplitudes[i] = (parts @ amounts)[:, 1] * per_amount
    return Exposure(np.asarray(times, dtype=float), rates, amplitudes)


def dose_mg_per_kg(course: Course, species: str) -> float:
    """The dose per body weight: as written, or mg over the weight of the species."""
    return course.amount if course.per_kg else course.amount / WEIGHTS_KG[species]


@dataclass(frozen=True, slots=True)
class Reported:
    """A published figure to hold the model against: ``what`` is half_life_h, Cmax_ng_ml, AUC_ng_h_ml or Tmax_h."""

    drug: str
    species: str
    what: str
    value: float
    schedule: str
    source: str


@dataclass(frozen=True)
class Pharmacy:
    """Kinetics by drug and species, the published figures beside them, and usual schedules as text."""

    kinetics: Mapping[tuple[str, str], Kinetics]
    reported: tuple[Reported, ...] = ()
    usual: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, drug: str, species: str, library: Library | None = None) -> Kinetics:
        """Kinetics of a drug by any of its names.

        Raises :class:`UnknownNameError` for a drug that does not exist, :class:`InputError` where the library holds no
        pharmacokinetics of it in this species.
        """
        name = (library or default_library()).drug(drug).name
        if species not in WEIGHTS_KG:
            raise unknown("species", species, WEIGHTS_KG)
        if (name, species) not in self.kinetics:
            there = sorted(d for d, s in self.kinetics if s == species)
            raise InputError(f"no pharmacokinetics of {name} in {species} are known; known: {', '.join(there)}")
        return self.kinetics[name, species]


@cache
def default_pharmacy(version: str = "") -> Pharmacy:
    """The bundled pharmacokinetics (``models/pharmacokinetics.toml``), by default of the current version."""
    return read_pharmacy(models_folder(version) / "pharmacokinetics.toml", default_library(version))


_KEYS = ("usual", "route", "note", "half_life", "clearance", "volume", "exchange", "peripheral", "bioavailability",
         "time_to_peak", "absorption_half_life", "unbound", "brain", "flank", "reported")  # fmt: skip


ROUTES = ("oral", "ip", "iv")
"""Where a dose goes: gut, peritoneum (both absorbed at a rate), or blood."""


def read_pharmacy(path: str | Path, library: Library) -> Pharmacy:
    """Read a pharmacokinetics file. Raises :class:`InputError` listing every entry that makes no sense."""
    content = read_toml(path)
    problems: list[str] = []
    kinetics: dict[tuple[str, str], Kinetics] = {}
    reported: list[Reported] = []
    usual: dict[tuple[str, str], str] = {}
    for drug, by_species in content.items():
        if drug not in library.drugs:
            problems.append(str(unknown("drug", drug, library.drugs)))
            continue
        for species, table in Entry(f"[{drug}]", by_species, problems).content.items():
            entry = Entry(f"[{drug}.{species}]", table, problems)
            if species not in WEIGHTS_KG:
                problems.append(f"{entry.where}: {unknown('species', species, WEIGHTS_KG)}")
                continue
            found = _kinetics(drug, species, entry, library.drugs[drug].molar_mass)
            if found is not None:
                kinetics[drug, species] = found
            if "usual" in entry.content:
                try:
                    usual[drug, species] = str(Regimen.parse(entry.text("usual")))
                except InputError as error:
                    problems.append(f"{entry.where} usual: {error}")
            observed = entry.table("reported")
            for what in observed.content:
                value = observed.sourced_number(what)
                if value is not None:
                    number, item = value
                    words = item.text("schedule"), item.text("source")
                    reported.append(Reported(drug, species, what, number, *words))
    raise_together(problems, str(path))
    return Pharmacy(MappingProxyType(kinetics), tuple(reported), MappingProxyType(usual))


def _kinetics(drug: str, species: str, entry: Entry, molar_mass: float | None) -> Kinetics | None:
    problems, where = entry.problems, entry.where
    before = len(problems)
    entry.check_keys(_KEYS)
    values: dict[str, float] = {}
    sources: dict[str, str] = {}
    for key in entry.content:
        if key in ("route", "note", "reported", "usual"):
            continue
        found = entry.sourced_number(key, '{ value = ..., unit = "...", source = "..." }')
        if found is None:
            continue
        value, item = found
        if not 0 < value < math.inf:
            problems.append(f"{where}.{key} is {value}; it must be positive")
        values[key] = value * _factor(key, item.text("unit"), species, where, problems)
        sources[key] = item.text("source")
    route = entry.text("route", "oral").lower()
    if route not in ROUTES:
        problems.append(f"{where}: {unknown('route', route, ROUTES)}")
    if molar_mass is None:
        problems.append(f"{where}: the molar mass of {drug} is unknown")
    problems += [f"{where} needs {key}" for key in ("unbound",) if key not in values]
    if len({"clearance", "volume", "half_life"} & values.keys()) < 2:
        problems.append(f"{where} needs two of clearance, volume and half_life")
    if len(problems) > before or molar_mass is None:
        return None
    exchange, peripheral = values.get("exchange", 0.0), values.get("peripheral", 0.0)
    try:
        clearance, volume = _disposition(values)
    except ArithmeticError:
        clearance = volume = math.nan
    if not (0 < clearance < math.inf and 0 < volume < math.inf):
        problems.append(f"{where}: half_life, clearance, volume, exchange and peripheral do not fit together")
        return None
    base = Kinetics(
        drug,
        species,
        molar_mass,
        math.inf,
        min(values.get("bioavailability", 1.0), 1.0),
        clearance,
        volume,
        exchange,
        peripheral,
        values["unbound"],
        MappingProxyType({site: values[site] for site in ("brain", "flank") if site in values}),
        MappingProxyType(sources),
    )
    if route == "iv":
        return base
    try:
        with np.errstate(all="ignore"):
            return replace(base, absorption_per_min=_absorption(base, values))
    except (ValueError, ArithmeticError):  # no sign change between the slowest and the fastest absorption
        problems.append(f"{where}: no absorption makes these kinetics peak at the time_to_peak given")
        return None


def _factor(key: str, unit: str, species: str, where: str, problems: list[str]) -> float:
    kind = {"exchange": "clearance", "peripheral": "volume"}.get(key, key)
    if kind in _UNITS:
        if unit not in _UNITS[kind]:
            problems.append(f"{where}.{key}: {unknown('unit', unit, _UNITS[kind])}")
            return 1.0
        return _UNITS[kind][unit] / (1.0 if "kg" in unit else WEIGHTS_KG[species])
    if key in ("half_life", "time_to_peak", "absorption_half_life"):
        if unit != "h":
            problems.append(f'{where}.{key}: write the unit: unit = "h"')
        return 60.0
    return 1.0


def _disposition(values: Mapping[str, float]) -> tuple[float, float]:
    """Clearance and central volume; a half-life is that of the only, or of the slower, exponential."""
    if "half_life" not in values:
        return values["clearance"], values["volume"]
    slow = math.log(2) / values["half_life"]
    exchange, peripheral = values.get("exchange", 0.0), values.get("peripheral", 0.0)
    if "clearance" in values:
        out = values["clearance"]
        if not peripheral:
            return out, out / slow
        back = exchange / peripheral  # slow is an eigenvalue: solve its equation for the central volume
        return out, (out + exchange - exchange * back / (back - slow)) / slow
    volume = values["volume"]
    if not peripheral:
        return slow * volume, volume
    back = exchange / peripheral
    return slow * volume - exchange + exchange * back / (back - slow), volume


def _absorption(base: Kinetics, values: Mapping[str, float]) -> float:
    """First-order absorption: as given, or such that a single dose peaks at ``time_to_peak``."""
    from scipy.optimize import brentq

    if "absorption_half_life" in values:
        return math.log(2) / values["absorption_half_life"]
    target = values.get("time_to_peak", 60.0)

    def late(log_rate: float) -> float:
        kinetics = replace(base, absorption_per_min=math.exp(log_rate))
        return expose_doses(kinetics, np.zeros(1), np.ones(1)).peak()[0] - target

    slowest = float(base.exponentials()[0][:-1].min())
    low, high = math.log(slowest) + 1e-3, math.log(1e4 / target)
    if late(low) < 0:  # so late a peak means absorption slower than elimination
        low = math.log(slowest) - 6
    return math.exp(float(brentq(late, low, high, xtol=1e-12)))
