"""Conditions simulated and read: one table of readouts, or the same readings under many parameter sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import UnsupportedModelError, unknown
from ..lab import CellLine, Condition, Library, Treatment, default_library
from ..lab.constants import Constants
from ..model import Model
from ..parts import in_parts
from ..solve import Solver, System
from ..threads import Workers
from .conditions import experiment_of
from .dynamics import prepare, refuse_clock
from .experiment import Experiment, Period
from .plan import Planner
from .run import Runner
from .timecourse import system_of
from .values import Values, ValueTable


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be read: a readout of a cell line under a treatment (minutes from the start of the last step)."""

    cell_line: str
    treatment: str
    time_min: float
    readout: str


def simulate_conditions(
    model: Model,
    conditions: Sequence[Condition],
    times_min: Sequence[float],
    readouts: Sequence[str],
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> FloatArray:
    """Every readout at every time in every condition, shape (conditions, times, readouts).

    ``times_min`` count from the start of the last step. Of ``workers`` a number is one of threads; others share the
    conditions. Raises :class:`UnknownNameError` for a drug or readout that does not exist, :class:`SimulationError`
    naming the condition that could not be simulated.
    """
    job = _Read(model, times_min, readouts, library or default_library(model.version), solver)
    found = dict(in_parts(job, conditions, workers, least=WORTH_SENDING))
    return np.concatenate([found[first] for first in sorted(found)])


WORTH_SENDING = 8
"""Conditions that are sent to a worker elsewhere together, at least."""


@dataclass(frozen=True, eq=False)
class _Read:
    """Readouts of conditions at some times, shape (conditions, times, readouts)."""

    model: Model
    times_min: Sequence[float]
    readouts: Sequence[str]
    library: Library
    solver: Solver | None

    def __call__(self, conditions: Sequence[Condition], threads: int | None) -> FloatArray:
        moments = [(i, float(time)) for i in range(len(conditions)) for time in self.times_min]
        plain = system_of(self.model)
        experiments = [experiment_of(condition, plain, self.library) for condition in conditions]
        ready = _ready(self.model, experiments, moments, self.readouts, ())
        values = ready.read(np.zeros((0, 1)), self.solver, threads)
        return values.reshape(len(conditions), len(self.times_min), len(self.readouts))


def take_readings(
    model: Model,
    readings: Sequence[Reading],
    sets: Sequence[Constants] = ({},),
    library: Library | None = None,
    solver: Solver | None = None,
    chunk: int = 24,
    lines: Mapping[str, CellLine] | None = None,
) -> FloatArray:
    """Every reading under every parameter set, shape (sets, readings).

    All sets of a ``chunk`` are simulated together. ``lines`` replaces lines of the library, alterations included.
    Raises as :func:`simulate_conditions`.
    """
    shelf = library or default_library(model.version)
    pairs = list(dict.fromkeys((one.cell_line, one.treatment) for one in readings))
    number = {pair: n for n, pair in enumerate(pairs)}
    moments = list(dict.fromkeys((number[one.cell_line, one.treatment], one.time_min) for one in readings))
    readouts = list(dict.fromkeys(one.readout for one in readings))
    own = {name: (lines or {}).get(name) or shelf.cell_line(name) for name, _ in pairs}
    protocols = {text: Treatment.parse(text) for _, text in pairs}
    conditions = [Condition(own[name], protocols[text]) for name, text in pairs]
    plain = system_of(model)
    moment_of = {moment: n for n, moment in enumerate(moments)}
    row = np.array([moment_of[number[one.cell_line, one.treatment], one.time_min] for one in readings], dtype=np.int64)
    column = np.array([readouts.index(one.readout) for one in readings], dtype=np.int64)
    result = np.empty((len(sets), len(readings)))
    if not readings:
        return result
    for names in dict.fromkeys(tuple(sorted(constants)) for constants in sets):
        members = [i for i, constants in enumerate(sets) if tuple(sorted(constants)) == names]
        experiments = [experiment_of(condition, plain, shelf, names) for condition in conditions]
        ready = _ready(model, experiments, moments, readouts, names)
        for start in range(0, len(members), chunk):
            some = members[start : start + chunk]
            table = np.array([[float(sets[i][name]) for i in some] for name in names]).reshape(len(names), len(some))
            result[some] = ready.read(table, solver, None)[:, row, column]
    return result


@dataclass(frozen=True, slots=True)
class Course:
    """A condition as one simulation that begins with cells at rest.

    ``at_rest``: every species, parameter and compartment that no assignment rule computes. ``steps``: for each step its
    start in minutes from that of the first, and the constants that are then others than before.
    """

    at_rest: Mapping[str, float]
    steps: tuple[tuple[float, Mapping[str, float]], ...]


def course_of(model: Model, condition: Condition, library: Library, solver: Solver | None = None) -> Course:
    """``condition`` as one simulation.

    Raises as :func:`simulate_conditions`; :class:`UnsupportedModelError` for a model whose clock or events would not
    begin anew with each step, as they do here.
    """
    experiment = experiment_of(condition, system_of(model), library)
    rest, *periods = experiment.periods
    refuse_clock(model, "one simulation of all steps")
    if model.events and len(periods) > 1:
        raise UnsupportedModelError(
            f"{model.source}: the model has events, which begin anew with each step of a treatment in pathsim; name "
            "one step only"
        )
    states, constants = _quantities(model)
    first = periods[0].start
    goes_on = Period(0.0, tuple(one for one in rest.changes if one.target not in states))
    still = Experiment(f"{condition.cell_line} at rest", (rest, goes_on), carries=False)
    moments = [(0, 0.0), *((1, period.start) for period in periods)]
    names = (*states, *constants)
    ready = _ready(model, (still, experiment), moments, names, ())
    found = ready.read(np.zeros((0, 1)), solver, None)[0]
    steps, before = [], found[0, len(states) :]
    for period, values in zip(periods, found[1:, len(states) :], strict=True):
        changed = {name: float(new) for name, old, new in zip(constants, before, values, strict=True) if new != old}
        steps.append((period.start - first, changed))
        before = values
    return Course(dict(zip(names, found[0].tolist(), strict=True)), tuple(steps))


def _quantities(model: Model) -> tuple[list[str], list[str]]:
    """What has a value at any time that no assignment rule computes: what moves by itself, and constants."""
    moving = {rule.variable for rule in model.rate_rules} | {one.id for one in model.species if not one.constant}
    groups = (model.species, model.parameters, model.compartments)
    names = [item.id for group in groups for item in group if item.id not in model.rules]
    return [name for name in names if name in moving], [name for name in names if name not in moving]


@dataclass(frozen=True, eq=False)
class _Ready:
    """Conditions ready to be read at some moments: ``places`` (moments,) among the flat outputs of ``runner``."""

    runner: Runner
    values: ValueTable
    places: IntArray
    readouts: int

    def read(self, parameters: FloatArray, solver: Solver | None, threads: int | None) -> FloatArray:
        """Readouts for the free ``parameters`` (parameters, m): (m, moments, readouts)."""
        outcome = self.runner.run(self.values(parameters), solver, threads)
        outcome.refuse_failures()
        found: FloatArray = outcome.flat[self.places[:, None] + np.arange(self.readouts)]
        return found.transpose(2, 0, 1)


def _ready(
    model: Model,
    experiments: Sequence[Experiment],
    moments: Iterable[tuple[int, float]],
    readouts: Sequence[str],
    free: Sequence[str],
) -> _Ready:
    """``moments``: experiment and time of each reading; ``free``: names of the parameters given later."""
    dynamics = prepare(model, experiments)
    nodes = [_readout_node(dynamics.system, model, name) for name in readouts]
    values = Values(tuple(free))
    planner = Planner(dynamics, values)
    placed = [planner.place(experiments[number], time) for number, time in moments]
    plan = planner.plan()
    runner = Runner(dynamics, plan, nodes)
    offsets = runner.offsets()
    places = np.empty(len(placed), dtype=np.int64)
    for i, (simulation, time) in enumerate(placed):
        group, row, sample = plan.sample(simulation, time)
        places[i] = offsets[group] + (row * plan.groups[group].times.shape[1] + sample) * len(runner.nodes)
    return _Ready(runner, values.table, places, len(readouts))


def _readout_node(system: System, model: Model, name: str) -> int:
    if name not in model.symbols and name not in model.readouts:
        raise unknown("readout", name, model.readouts or model.symbols, "(pathsim list readouts shows all)")
    return system.output(name)
