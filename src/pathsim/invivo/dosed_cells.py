"""Cells under drugs that come and go: the concentration in the body stands inside the rates, as sums of exponentials.

Within a dosing interval a drug is ``sum(level_k * exp(-rate_k * time))``, so nothing is approximated by steps: the
solver sees the true course. At each dose the levels change and integration goes on from the state reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from ..experiments.advance import advance, come_to_rest
from ..experiments.conditions import plain_numbers, refuse_impossible
from ..experiments.timecourse import system_of
from ..lab import CellLine, Condition, Exposure, Library, Treatment
from ..lab.protocols import protocols
from ..model import Model, Parameter, Rule
from ..model.maths import TIME, Expr, number, substitute, symbol
from ..solve import Solver, System

EXPONENTIALS = 3
"""Exponentials per drug: absorption and one or two of disposition."""
SAMPLES = 4
"""Readings of the cell number per interval."""


@lru_cache(maxsize=32)
def dosed_model(model: Model, drugs: tuple[str, ...], effects: tuple[tuple[tuple[str, float], ...], ...]) -> Model:
    """``model`` with a course of each drug inside it.

    ``effects``: for each drug, pairs of a parameter and its increase per nM. New parameters are
    :func:`level_name` and :func:`rate_name` of each drug and term; new rules are the concentrations,
    ``<drug>_in_medium`` in nM.
    """
    known = {parameter.id for parameter in model.parameters}
    new: list[Parameter] = []
    rules: list[Rule] = []
    added: dict[str, Expr] = {}
    for drug, pairs in zip(drugs, effects, strict=True):
        terms = []
        for term in range(EXPONENTIALS):
            level, rate = level_name(drug, term), rate_name(drug, term)
            new += [Parameter(level, 0.0, unit="nM"), Parameter(rate, 0.0, unit="1/min")]
            decay = Expr("exp", (Expr("neg", (Expr("times", (symbol(rate), TIME)),)),))
            terms.append(Expr("times", (symbol(level), decay)))
        concentration = f"{_plain(drug)}_in_medium"
        new.append(Parameter(concentration, float("nan"), constant=False, unit="nM"))
        rules.append(Rule(concentration, Expr("plus", tuple(terms))))
        for parameter, per_nM in pairs:
            if parameter not in known:
                raise InputError(f"{drug} acts on '{parameter}', which model '{model.id}' does not have")
            share = Expr("times", (number(per_nM), symbol(concentration)))
            added[parameter] = Expr("plus", (added.get(parameter, symbol(parameter)), share))
    return replace(
        model,
        parameters=(*model.parameters, *new),
        assignment_rules=(*(Rule(r.variable, substitute(r.math, added)) for r in model.assignment_rules), *rules),
        rate_rules=tuple(Rule(r.variable, substitute(r.math, added)) for r in model.rate_rules),
        reactions=tuple(replace(r, rate=substitute(r.rate, added)) for r in model.reactions),
        digest=f"{model.digest} dosed {drugs} {effects}",
    )


def level_name(drug: str, term: int) -> str:
    """The parameter that holds the level of an exponential at the start of an interval."""
    return f"{_plain(drug)}_level_{term}"


def rate_name(drug: str, term: int) -> str:
    """The parameter that holds the rate of an exponential."""
    return f"{_plain(drug)}_rate_{term}"


def _plain(drug: str) -> str:
    return "course_of_" + re.sub(r"\W", "_", drug)


@dataclass(frozen=True, eq=False)
class DosedCells:
    """A cell line in a medium, ready to be followed under courses of ``drugs``.

    ``raw``: the setting of every parameter, ``rest``: the states of the culture before dosing.
    """

    system: System
    line: CellLine
    drugs: tuple[str, ...]
    raw: FloatArray
    rest: FloatArray
    solver: Solver | None = None
    workers: int | None = None

    @property
    def cycle_speed(self) -> str:
        """The parameter that sets the speed of the cell cycle."""
        return protocols(self.system.model.version).names.cycle_speed

    def settings(self, changes: Mapping[str, FloatArray | float], n: int) -> FloatArray:
        """``n`` rows of settings with some parameters changed."""
        rows = np.tile(self.raw, (n, 1))
        for name, values in changes.items():
            rows[:, self.system.slot(name)] = values
        return rows


def prepare(
    model: Model,
    line: CellLine,
    drugs: Sequence[str],
    library: Library,
    medium: str = "serum 10 %",
    solver: Solver | None = None,
    workers: int | None = None,
) -> DosedCells:
    """Bring a line to rest in ``medium`` before any dose. Raises :class:`InputError`, :class:`SimulationError`."""
    names = tuple(library.drug(name).name for name in drugs)
    effects = tuple(tuple(sorted(library.drug(name).per_nM.items())) for name in names)
    system = system_of(dosed_model(model, names, effects))
    count = protocols(model.version).names.cell_count
    if count not in system.model.symbols:
        raise InputError(f"model '{model.id}' has no '{count}', so a tumour cannot grow from it")
    refuse_impossible(line, system)
    step = Treatment.parse(medium).steps[0]
    raw = system.raw(Condition(line, Treatment((step,))).settings(step, plain_numbers(system), library))
    rest = come_to_rest(system, raw[None, :], f"{line} at rest", solver, workers)[0]
    return DosedCells(system, line, names, raw, rest, solver, workers)


@dataclass(frozen=True, eq=False)
class Growth:
    """``log_live`` (n, times): natural log of live cells over those at time 0, at ``times`` in minutes.

    ``states`` (n, states) and ``readouts`` (n, readouts) at the end.
    """

    times: FloatArray
    log_live: FloatArray
    states: FloatArray
    readouts: FloatArray


def follow(
    cells: DosedCells,
    rows: FloatArray,
    exposures: Sequence[Sequence[Exposure]],
    horizon_min: float,
    *,
    longest_min: float = 1440.0,
    start_states: FloatArray | None = None,
    readouts: Sequence[str] = (),
) -> Growth:
    """Integrate pathway, cell cycle and death together, interval by interval, up to ``horizon_min``.

    Args:
        rows: settings (n, parameters) as :meth:`DosedCells.settings` makes them.
        exposures: for each drug, the medium-equivalent course of every row (n of them, equal dosing times).
        longest_min: intervals without a dose are cut at this length.
    """
    edges = _edges(exposures, horizon_min, longest_min)
    system, n = cells.system, len(rows)
    names = protocols(system.model.version).names
    count = system.output(names.cell_count)
    nodes = [count, *system.outputs(readouts)]
    # scaled back after every interval, so that months of growth stay in range
    population = [system.states.index(name) for name in names.population if name in system.states]
    states = np.tile(cells.rest, (n, 1)) if start_states is None else start_states.copy()
    settings = rows.copy()
    shares = np.arange(1, SAMPLES + 1) / SAMPLES
    log_live = np.zeros((n, 1 + SAMPLES * (len(edges) - 1)))
    total, before, last = np.zeros(n), _count(cells, settings, states, count), np.empty((n, len(nodes)))
    for i, (first, end) in enumerate(pairwise(edges)):
        set_levels(settings, cells, exposures, first)
        label = f"{cells.line} on day {first / 1440:.3g}"
        found = advance(system, settings, (end - first) * shares, nodes, states, label, cells.solver, cells.workers)
        live = np.maximum(found.values[:, :, 0], 1e-300)
        log_live[:, 1 + SAMPLES * i : 1 + SAMPLES * (i + 1)] = total[:, None] + np.log(live / before[:, None])
        total = log_live[:, SAMPLES * (i + 1)]
        states, last = found.states, found.values[:, -1]
        states[:, population] /= live[:, -1:]
        before = np.ones(n)
    times = np.concatenate([[0.0], *(a + (b - a) * shares for a, b in pairwise(edges))])
    return Growth(times, log_live, states, last[:, 1:])


def _count(cells: DosedCells, settings: FloatArray, states: FloatArray, node: int) -> FloatArray:
    start = advance(cells.system, settings, np.zeros(1), [node], states, str(cells.line), cells.solver, cells.workers)
    return np.asarray(start.values[:, 0, 0])


def _edges(exposures: Sequence[Sequence[Exposure]], horizon: float, longest: float) -> FloatArray:
    doses = [one[0].starts for one in exposures if len(one) and len(one[0].starts)]
    marks = np.unique(np.concatenate([[0.0, horizon], *doses]))
    marks = marks[(marks >= 0) & (marks <= horizon)]
    pieces = [np.linspace(a, b, max(1, int(np.ceil((b - a) / longest - 1e-9))) + 1)[:-1] for a, b in pairwise(marks)]
    return np.concatenate([*pieces, [horizon]])


def set_levels(settings: FloatArray, cells: DosedCells, exposures: Sequence[Sequence[Exposure]], now: float) -> None:
    """The level of every exponential of every drug in every row at ``now``."""
    for drug, courses in zip(cells.drugs, exposures, strict=True):
        for term in range(EXPONENTIALS):
            levels, rates = np.zeros(len(settings)), np.zeros(len(settings))
            for row, course in enumerate(courses):
                which = int(np.searchsorted(course.starts, now + 1e-6, side="right")) - 1
                if which < 0 or term >= len(course.rates):
                    continue
                rates[row] = course.rates[term]
                levels[row] = course.amplitudes[which, term] * np.exp(-rates[row] * (now - course.starts[which]))
            settings[:, cells.system.slot(level_name(drug, term))] = levels
            settings[:, cells.system.slot(rate_name(drug, term))] = rates
