"""The host answers back: PI3K inhibition raises glucose, insulin rises, and the tumour's own PI3K is driven again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import shown
from ..arrays import FloatArray
from ..assays.names import open_model, read_line
from ..checked import checked
from ..errors import PathsimError, raise_together, unknown
from ..experiments.advance import advance, come_to_rest
from ..experiments.timecourse import system_of
from ..lab import CellLine, Exposure, Library, Pharmacy, Regimen, default_library, default_pharmacy, expose
from ..lab.host import find_site, glucose_host
from ..lab.protocols import protocols
from ..lab.schedule import DAY
from ..model import Model, load_model
from ..parts import one_study
from ..progress import announced, bar
from ..shown import Shown
from ..threads import Workers
from .dosed_cells import DosedCells, dosed_model, prepare, set_levels

if TYPE_CHECKING:
    import pandas as pd


CLAMPED = "insulin clamped"
"""A control arm: the tumour sees the insulin of an undosed animal throughout."""
STEP_MIN = 15.0


@dataclass(frozen=True, eq=False)
class GlucoseStudy:
    """``host``: arm, time_h, glucose_mM, insulin_nM. ``tumour``: arm, time_h, readout, value. ``summary``: by arm.

    Times count from the first dose.
    """

    line: str
    regimen: str
    host: pd.DataFrame
    tumour: pd.DataFrame
    summary: pd.DataFrame

    def _shown(self) -> Shown:
        return Shown(f"Glucose, insulin and tumour of {self.line} under {self.regimen}", self.summary)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


@checked
@announced("glucose and insulin")
def glucose_insulin_study(
    model: Model | str | Path,
    line: CellLine | str,
    regimen: Regimen | str,
    interventions: Sequence[str] | None = None,
    days: float = 3.0,
    *,
    site: str | None = None,
    medium: str | None = None,
    readouts: Sequence[str] | None = None,
    library: Library | None = None,
    pharmacy: Pharmacy | None = None,
    workers: Workers = None,
) -> GlucoseStudy:
    """Dose a mouse, follow its glucose and insulin, and let the tumour feel both the drug and the insulin.

    Args:
        regimen: one drug or several, as in a xenograft arm.
        interventions: names from ``models/hosts.toml``, default all; a control with insulin clamped is always added.
        medium: growth factors the tumour has besides insulin, default 1 % serum, an estimate for interstitial fluid.
            Full medium would hide insulin, because its receptors share their targets with those of serum.
        readouts: of the tumour; default as ``models/protocols.toml`` says.
        days: how long; growth of the tumour is its mean net growth over that time.
        workers: as of :func:`pathsim.xenograft`.

    Raises:
        InputError: names, schedules or numbers that make no sense.

    >>> study = ps.glucose_insulin_study("pi3k_mapk", "T47D", "alpelisib 30 mg/kg daily")  # doctest: +SKIP
    >>> study.summary  # doctest: +SKIP
    """
    opened = open_model(model)
    shelf, drugs = library or default_library(opened.version), pharmacy or default_pharmacy(opened.version)
    problems: list[str] = []
    given = _regimen(regimen, problems)
    cell_line = read_line(line, shelf, problems)
    known, standard = glucose_host(opened.version).interventions, protocols(opened.version)
    arms = list(dict.fromkeys(known if interventions is None else interventions))
    signals = standard.glucose_readouts if readouts is None else readouts
    problems += [str(unknown("intervention", name, known)) for name in arms if name not in known]
    if not arms:
        problems.append("no intervention is named; 'none' is the drug alone")
    if not 0.25 <= days <= 60:
        problems.append(f"days is {days!r}; choose from 0.25 to 60")
    problems += [str(unknown("readout", name, opened.readouts)) for name in signals if name not in opened.symbols]
    raise_together(problems, "glucose")
    assert given is not None
    assert cell_line is not None
    place = find_site(site, cell_line, opened.version).compartment
    kept_in, names = medium or standard.glucose_medium, [course.drug for course in given.courses]

    def carried_out(threads: int | None) -> GlucoseStudy:
        times, host = follow_host(given, arms, days * DAY, shelf, drugs, threads)
        courses = _exposures(given, drugs, shelf, days * DAY, place, len(arms) + 1)
        cells = prepare(opened, cell_line, names, shelf, kept_in, workers=threads)
        baseline = float(host[0, 0, 1])
        insulin = np.vstack([host[:, :, 1], np.full((1, len(times)), baseline)])
        values, growth = follow_tumour(cells, courses, times, insulin - baseline, signals)
        return _study(str(cell_line), given, [*arms, CLAMPED], times, host, values, growth, signals)

    return one_study(carried_out, workers)


def follow_host(
    regimen: Regimen,
    arms: Sequence[str],
    horizon_min: float,
    library: Library,
    pharmacy: Pharmacy,
    threads: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Times (t,) in minutes and glucose (mM) and insulin (nM) of every arm, shape (arms, t, 2).

    Interventions are at steady state before the first dose, except those that the file starts with it.
    """
    file = glucose_host(library.version)
    names = tuple(library.drug(course.drug).name for course in regimen.courses)
    per_nM = [library.drug(name).per_nM.get(file.drug_target, 0.0) for name in names]
    effects = tuple(((file.drug_input, coefficient),) for coefficient in per_nM)
    system = system_of(dosed_model(load_model(file.model), names, effects))
    rows = np.tile(system.raw(), (len(arms), 1))
    late = rows.copy()
    for i, arm in enumerate(arms):
        for name, value in file.interventions[arm].items():
            late[i, system.slot(name)] = value
            if name not in file.from_first_dose:
                rows[i, system.slot(name)] = value
    states = come_to_rest(system, rows, "the host at rest", workers=threads)
    host = DosedCells(system, CellLine("host"), names, late[0], states[0])
    exposures = _exposures(regimen, pharmacy, library, horizon_min, "plasma", len(arms))
    nodes = system.outputs(file.readouts)
    times = np.arange(0.0, horizon_min + 1e-6, STEP_MIN)
    values = np.empty((len(arms), len(times), 2))
    with bar("host", len(times)) as further:
        for k, now in enumerate(times):
            set_levels(late, host, exposures, now)
            step, label = np.array([0.0, STEP_MIN]), f"the host after {now / 60:g} h"
            found = advance(system, late, step, nodes, states, label, workers=threads)
            values[:, k], states = found.values[:, 0], found.states
            further()
    return times, values


def follow_tumour(
    cells: DosedCells,
    exposures: Sequence[Sequence[Exposure]],
    times: FloatArray,
    insulin_nM: FloatArray,
    readouts: Sequence[str],
) -> tuple[FloatArray, FloatArray]:
    """Readouts (arms, times, readouts) and log growth (arms,) under added ``insulin_nM`` (arms, times) and drug."""
    arms, system = len(insulin_nM), cells.system
    symbols = protocols(system.model.version).names
    nodes = system.outputs([*readouts, symbols.cell_count])
    settings, states = cells.settings({}, arms), np.tile(cells.rest, (arms, 1))
    column, base = system.slot(symbols.insulin), cells.raw[system.slot(symbols.insulin)]
    values = np.empty((arms, len(times), len(nodes)))
    with bar("tumour", len(times)) as further:
        for k, now in enumerate(times):
            settings[:, column] = base + np.maximum(insulin_nM[:, k], 0.0)
            set_levels(settings, cells, exposures, now)
            step, label = np.array([0.0, STEP_MIN]), f"{cells.line} after {now / 60:g} h"
            found = advance(system, settings, step, nodes, states, label, workers=cells.workers)
            values[:, k], states = found.values[:, 0], found.states
            further()
    return values[:, :, :-1], np.log(values[:, -1, -1] / values[:, 0, -1])


def _exposures(
    regimen: Regimen, pharmacy: Pharmacy, library: Library, horizon: float, site: str, arms: int
) -> list[list[Exposure]]:
    found = []
    for course in regimen.courses:
        kinetics = pharmacy.find(course.drug, "mouse", library)
        plasma = expose(kinetics, course, horizon)
        scaled = Exposure(plasma.starts, plasma.rates, plasma.amplitudes * kinetics.medium_equivalent(site))
        found.append([scaled] * arms)
    return found


def _study(
    line: str,
    regimen: Regimen,
    arms: Sequence[str],
    times: FloatArray,
    host: FloatArray,
    signals: FloatArray,
    growth: FloatArray,
    readouts: Sequence[str],
) -> GlucoseStudy:
    import pandas as pd

    hours = times / 60
    frames, tumours, rows = [], [], []
    three = int(np.argmin(np.abs(hours - 3)))
    for i, arm in enumerate(arms):
        if i < len(host):
            glucose, insulin = host[i, :, 0], host[i, :, 1]
        else:
            glucose, insulin = np.full(len(times), math.nan), np.full(len(times), host[0, 0, 1])
        frames.append(pd.DataFrame({"arm": arm, "time_h": hours, "glucose_mM": glucose, "insulin_nM": insulin}))
        for j, name in enumerate(readouts):
            tumours.append(pd.DataFrame({"arm": arm, "time_h": hours, "readout": name, "value": signals[i, :, j]}))
        row: dict[str, object] = {
            "arm": arm,
            "glucose_peak_mM": float(glucose.max()),
            "insulin_peak_nM": float(insulin.max()),
            "insulin_area_nM_h": float(np.trapezoid(insulin, hours)),
            "net_growth_per_day": float(growth[i] / (times[-1] / DAY)),
        }
        row |= {f"{name}_at_3_h": float(signals[i, three, j]) for j, name in enumerate(readouts)}
        rows.append(row)
    return GlucoseStudy(
        line,
        str(regimen),
        pd.concat(frames, ignore_index=True),
        pd.concat(tumours, ignore_index=True),
        pd.DataFrame(rows),
    )


def _regimen(regimen: Regimen | str, problems: list[str]) -> Regimen | None:
    try:
        return Regimen.parse(regimen) if isinstance(regimen, str) else regimen
    except PathsimError as error:
        problems.append(str(error))
        return None
