"""Measured rows of the lab as an estimation problem: conditions become experiments, readouts observables.

What readers (:mod:`.blots`, :mod:`.tables`) have checked comes in as :class:`Row` records; a
:class:`~pathsim.estimation.problem.Problem` goes out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import InputError, SimulationError, raise_together, unknown
from ..experiments.conditions import experiment_of
from ..experiments.experiment import Experiment
from ..experiments.timecourse import system_of
from ..lab import CellLine, Condition, Library, Treatment
from ..lab.drug import drug_of
from ..model import Model
from ..model.maths import Expr
from ..solve import Solver, System
from .free import FOLD, FreeParameter
from .observables import above_background, not_below, saturated
from .problem import Problem
from .records import Description, Measurement, Observable, Part, Prior, TableParameter
from .scales import from_scale, on_scale

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND_BOUNDS = (-4.0, 0.5)
"""Decades between a background and the typical signal of its antibody."""
SATURATION_BOUNDS = (-1.0, 2.0)
"""Decades between the signal at half saturation and the typical signal."""
SMALLEST_SIGNAL = 1e-9
"""Signals below this share of the typical one count as it: a logarithm needs something."""


class Place(NamedTuple):
    """Where something is read: a cell line under a treatment, minutes after the start of its last step."""

    cell_line: str
    treatment: str
    time_min: float


@dataclass(frozen=True, slots=True)
class Row:
    """A measured number: ``observable`` at ``place`` (and ``others``, the rows its formula compares with)."""

    observable: str
    place: Place
    value: float
    others: tuple[Place, ...] = ()
    gel: str = ""
    sd: float = math.nan
    side: int = 0


@dataclass(frozen=True, slots=True)
class Detector:
    """What stands between a signal and its readings: readouts with an unknown ``background``, shared by their gels, and
    readouts whose detector saturates at an unknown signal. ``floor``: readouts that are never below a tiny signal."""

    background: frozenset[str] = field(default_factory=frozenset)
    saturation: frozenset[str] = field(default_factory=frozenset)
    floor: frozenset[str] = field(default_factory=frozenset)

    def joined(self, other: Detector, suffix: str = "") -> Detector:
        """What either does; readouts of the other get a suffix."""
        mine, theirs = (self.background, self.saturation, self.floor), (other.background, other.saturation, other.floor)
        return Detector(*(a | {name + suffix for name in b} for a, b in zip(mine, theirs, strict=True)))


def assemble(
    model: Model,
    table: pd.DataFrame,
    rows: Sequence[Row],
    observables: Mapping[str, Observable],
    free: Sequence[FreeParameter],
    lines: Mapping[str, CellLine],
    library: Library,
    detector: Detector,
    solver: Solver,
    source: str,
    own: Sequence[TableParameter] = (),
) -> Problem:
    """The problem of some ``rows``, in the order of ``table``; ``free`` parameters have both bounds. Formulas of
    observables may have parameters of their ``own``.

    Raises :class:`InputError` for a free parameter that no simulation depends on.
    """
    system = system_of(model)
    names = [item.name for item in free]
    places = dict.fromkeys(place for row in rows for place in (row.place, *row.others))
    experiments: dict[str, Experiment] = {}
    known: dict[tuple[str, str], str] = {}
    for place in places:
        pair = (place.cell_line, place.treatment)
        if pair not in known:
            condition = Condition(lines[place.cell_line], Treatment.parse(place.treatment))
            made = experiment_of(condition, system, library, names)
            known[pair] = made.id if made.id not in experiments else f"{made.id} ({len(experiments)})"
            experiments[known[pair]] = replace(made, id=known[pair])

    def where(place: Place) -> tuple[str, float]:
        return known[place.cell_line, place.treatment], place.time_min

    measurements = tuple(
        Measurement(
            row.observable,
            *where(row.place),
            row.value,
            others=tuple(map(where, row.others)),
            group=row.gel,
            sd=row.sd,
            side=row.side,
        )
        for row in rows
    )
    parameters = tuple(_parameter(item, system, lines, library) for item in free)

    def problem(observables: Mapping[str, Observable], more: Iterable[TableParameter] = ()) -> Problem:
        part = Part(model, observables, experiments, measurements, table)
        return Problem(Description(source, 2, (*parameters, *own, *more), (part,)), solver)

    plain = problem(observables)
    _refuse_idle(plain, names, lines)
    touched = detector.background | detector.saturation | detector.floor
    if not touched:
        return plain
    typical = _typical(plain, touched)
    detected, more = {}, []
    for name, observable in observables.items():
        formula, added = _detected(name, observable.formula, detector, typical.get(name, 1.0))
        detected[name] = replace(observable, formula=formula)
        more += added
    return problem(detected, more)


def _detected(name: str, signal: Expr, detector: Detector, unit: float) -> tuple[Expr, list[TableParameter]]:
    """What the detector shows of a signal whose typical size is ``unit``, and the parameters that takes."""
    parameters = []
    if name in detector.floor:
        signal = not_below(signal, SMALLEST_SIGNAL * unit)
    for names, what, (low, high), shown in (
        (detector.background, "background", BACKGROUND_BOUNDS, above_background),
        (detector.saturation, "saturation", SATURATION_BOUNDS, saturated),
    ):
        if name in names:
            lower, upper, middle = (unit * 10.0**end for end in (low, high, 0.5 * (low + high)))
            parameters.append(TableParameter(f"{what}:{name}", "log10", lower, upper, middle, True))
            signal = shown(signal, parameters[-1].id)
    return signal, parameters


def _typical(problem: Problem, names: Iterable[str]) -> dict[str, float]:
    """The mean signal of each observable where parameters are nominal, to eight digits, so that it is the same on
    every machine: the unit of what is unknown."""
    try:
        signals = problem.signals()
    except SimulationError:
        signals = np.full(problem.n_measurements, math.nan)
    observables = np.array([row.observable for row in problem.description.parts[0].measurements])
    found = {}
    for name in names:
        own = np.abs(signals[(observables == name) & np.isfinite(signals)])
        mean = float(f"{own.mean():.7e}") if own.size else 0.0
        found[name] = mean if mean > 0 else 1.0
    return found


def _refuse_idle(problem: Problem, names: Collection[str], lines: Mapping[str, CellLine]) -> None:
    idle = problem.setup.outside_simulations
    raise_together(
        [
            f"'{name}' cannot be estimated: every cell line of the table sets it to a number of its own; fit it for a "
            f"line, as '{name.partition('@')[0]}@{next(iter(lines))}'"
            for name, is_idle in zip(problem.parameter_ids, idle, strict=True)
            if is_idle and name in names
        ],
        problem.description.source,
    )


def _parameter(item: FreeParameter, system: System, lines: Mapping[str, CellLine], library: Library) -> TableParameter:
    assert item.lower is not None
    assert item.upper is not None
    drug = drug_of(item.name)
    own = library.drug(drug).potency if drug else own_value(system, item.parameter, lines.get(item.line))
    ends = [on_scale(end, item.scale) for end in (item.lower, item.upper)]
    start = on_scale(own, item.scale)
    start = 0.5 * sum(ends) if not math.isfinite(start) else start
    nominal = min(max(from_scale(min(max(start, ends[0]), ends[1]), item.scale), item.lower), item.upper)
    prior = None
    if item.mean is not None and item.sd is not None:
        prior = Prior("normal", (on_scale(item.mean, item.scale), item.sd), on_scale=True)
    return TableParameter(item.name, item.scale, item.lower, item.upper, nominal, True, prior)


def own_value(system: System, name: str, line: CellLine | None = None) -> float:
    """The number for ``name`` in the model, or in a cell line; NaN where the model computes one."""
    value = float(system.defaults[system.slot(name)])
    return value if line is None else float(line.apply({name: value}).get(name, value))


def with_bounds(
    model: Model, free: FreeParameter, lines: Mapping[str, CellLine], problems: list[str]
) -> FreeParameter | None:
    """The parameter with both bounds, or None and what is wrong with it among ``problems``."""
    system = system_of(model)
    try:
        system.slot(free.parameter)
    except InputError as error:
        problems.append(str(error))
        return None
    if free.line and free.line not in lines:
        problems.append(f"{free.name}: {unknown('cell line of the table', free.line, lines)}")
        return None
    if free.lower is not None and free.upper is not None:
        return free
    value = own_value(system, free.parameter, lines.get(free.line))
    if not (math.isfinite(value) and value > 0):
        problems.append(f"{free.name}: its value in the model is {value:g}, so lower and upper must be given")
        return None
    lower, upper = free.lower or value / FOLD, free.upper or value * FOLD
    return FreeParameter(free.name, lower, upper, free.scale, free.mean, free.sd)
