"""Experiments as a tree of simulations, equal ones shared, collected into groups that run together.

The schedule is built once per problem. It refers to numbers by their position in :class:`.Values`
and to what has to be simulated by graph nodes, so that a new parameter vector only fills arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..model import Model
from ..model.maths import Expr, number, symbol, symbols
from .dynamics import CLOCK, CLOCK_RATE, Dynamics
from .experiment import STEADY_STATE, Change, Experiment, Period
from .values import Values

KEEP = -1
"""In an array of value positions: leave what is there."""

JUST_BEFORE = 1e-10
"""How much of its length a period stops short of the next: what happens at that moment belongs to the next."""


@dataclass(eq=False)
class Simulation:
    """One period of one experiment, or several that are alike.

    ``slots`` and ``states`` are positions in the values for raw parameters and for states that start anew; ``formulas``
    are changes that depend on the state: (slot, formula).
    """

    settles: bool
    parent: int
    slots: IntArray
    states: IntArray
    formulas: tuple[tuple[int, Expr], ...]
    carries: bool
    duration: float
    label: str
    times: set[float] = field(default_factory=set)
    has_children: bool = False

    def key(self) -> tuple[object, ...]:
        """Equal for simulations that are the same."""
        arrays = (self.slots.tobytes(), self.states.tobytes())
        return (self.settles, self.parent, *arrays, self.formulas, self.carries, self.duration)


@dataclass(frozen=True, eq=False)
class Group:
    """Simulations that run in one call, row by row. ``members`` are their numbers, ``parents`` those they continue.

    ``times`` (rows, samples) repeat the last time where a row has fewer; ``last`` is the position of the last sample.
    """

    settles: bool
    continues: bool
    members: IntArray
    parents: IntArray
    slots: IntArray
    states: IntArray
    carries: BoolArray
    formulas: tuple[tuple[tuple[int, Expr], ...], ...]
    times: FloatArray
    last: IntArray
    keeps_states: bool
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Groups in the order they run; ``where`` (simulations, 2) is the group and row of each simulation."""

    groups: tuple[Group, ...]
    where: IntArray

    def sample(self, simulation: int, time: float) -> tuple[int, int, int]:
        """Group, row and sample of ``time`` (from the start of the period)."""
        group, row = (int(number) for number in self.where[simulation])
        times = self.groups[group].times[row]
        return group, row, 0 if self.groups[group].settles else int(np.searchsorted(times, time))


class Scheduler:
    """Collects simulations of one model."""

    def __init__(self, dynamics: Dynamics, values: Values, model: Model) -> None:
        self.dynamics = dynamics
        self.system = dynamics.system
        self.values = values
        self.source = model.source
        self.simulations: list[Simulation] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._chains: dict[str, list[tuple[Period, int]]] = {}
        self.base = np.full(len(self.system.defaults), KEEP, dtype=np.int64)
        for name in values.place:
            if name in self.system.slots:
                self.base[self.system.slot(name)] = values.index(symbol(name))
            elif name in model.symbols:
                self.system.slot(name)  # raises: the model computes it

    def place(self, experiment: Experiment, time: float) -> tuple[int, float]:
        """The simulation that gives ``experiment`` at ``time``, and the time from its start."""
        chain = self._chain(experiment)
        if math.isinf(time):
            return self._settled(chain[-1][1]), 0.0
        for period, simulation in reversed(chain):
            if period.start != STEADY_STATE and time >= period.start:
                self.simulations[simulation].times.add(time - period.start)
                return simulation, time - period.start
        raise InputError(f"experiment '{experiment.id}' starts after the measurement at time {time:g}")

    def _chain(self, experiment: Experiment) -> list[tuple[Period, int]]:
        known = self._chains.get(experiment.id)
        if known is not None:
            return known
        periods = list(experiment.periods)
        if periods[-1].start == STEADY_STATE:
            periods.append(Period(0.0, ()))
        chain: list[tuple[Period, int]] = []
        parent = -1
        for i, period in enumerate(periods):
            settles = period.start == STEADY_STATE
            last = i == len(periods) - 1
            duration = 0.0 if last or settles else periods[i + 1].start - period.start
            parent = self._add(experiment, period, parent, settles, duration)
            chain.append((period, parent))
        self._chains[experiment.id] = chain
        return chain

    def _settled(self, simulation: int) -> int:
        """The steady state that ``simulation`` runs into."""
        last = self.simulations[simulation]
        return self._share(
            Simulation(True, last.parent, last.slots, last.states, last.formulas, last.carries, 0.0, last.label)
        )

    def _add(self, experiment: Experiment, period: Period, parent: int, settles: bool, duration: float) -> int:
        system = self.system
        carries = experiment.carries and parent >= 0
        slots = np.full(len(self.base), KEEP, dtype=np.int64) if carries else self.base.copy()
        states = np.full(len(system.states), KEEP, dtype=np.int64)
        formulas: list[tuple[int, Expr]] = []
        n_parameters = self.dynamics.n_parameters
        for change in period.changes:
            if change.value.op == "number" and math.isnan(change.value.value):
                continue
            slot = system.slot(change.target)
            formula = self._settled_formula(change, depends_allowed=experiment.carries)
            if formula is None:
                formulas.append((slot, change.value))
                continue
            slots[slot] = self.values.index(formula)
            if parent >= 0 and slot >= n_parameters:
                states[slot - n_parameters] = slots[slot]
        if CLOCK in system.slots:
            start = _stopped_clock(experiment) if settles else period.start
            slots[system.slot(CLOCK)] = self.values.index(number(start))
            slots[system.slot(CLOCK_RATE)] = self.values.index(number(float(not settles)))
        label = f"{self.source}: {experiment.id or 'the model as it is'}"
        return self._share(Simulation(settles, parent, slots, states, tuple(formulas), carries, duration, label))

    def _settled_formula(self, change: Change, depends_allowed: bool) -> Expr | None:
        """The change over parameters of the table alone; None when it depends on the model."""
        used = symbols(change.value)
        if used <= self.values.place.keys() and not _uses_time(change.value):
            return change.value
        if depends_allowed:
            return None
        if change.value.op == "symbol" and change.value.name in self.system.slots:
            value = self.system.defaults[self.system.slot(change.value.name)]
            if not math.isnan(value):
                return number(float(value))
        missing = ", ".join(f"'{name}'" for name in sorted(used - self.values.place.keys()))
        raise InputError(f"{self.source}: '{change.target}' is set to {missing}, which is not in the parameter table")

    def _share(self, simulation: Simulation) -> int:
        key = simulation.key()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.simulations)
            self.simulations.append(simulation)
            if simulation.parent >= 0:
                self.simulations[simulation.parent].has_children = True
        return found

    # the finished schedule

    def schedule(self) -> Schedule:
        """Groups by depth: what continues comes after what it continues."""
        depths: list[int] = []
        for simulation in self.simulations:
            depths.append(0 if simulation.parent < 0 else depths[simulation.parent] + 1)
        together: dict[tuple[int, bool], list[int]] = {}
        for i, simulation in enumerate(self.simulations):
            if simulation.times or simulation.has_children or simulation.settles:
                together.setdefault((depths[i], not simulation.settles), []).append(i)
        where = np.full((len(self.simulations), 2), -1, dtype=np.int64)
        groups = []
        for number_of_group, (_, members) in enumerate(sorted(together.items())):
            where[members, 0] = number_of_group
            where[members, 1] = np.arange(len(members))
            groups.append(self._group(members))
        return Schedule(tuple(groups), where)

    def _group(self, members: list[int]) -> Group:
        chosen = [self.simulations[i] for i in members]
        grids = [_grid(simulation) for simulation in chosen]
        longest = max(len(grid) for grid in grids)
        return Group(
            settles=chosen[0].settles,
            continues=chosen[0].parent >= 0,
            members=np.array(members, dtype=np.int64),
            parents=np.array([simulation.parent for simulation in chosen], dtype=np.int64),
            slots=np.array([simulation.slots for simulation in chosen]),
            states=np.array([simulation.states for simulation in chosen]),
            carries=np.array([simulation.carries for simulation in chosen]),
            formulas=tuple(simulation.formulas for simulation in chosen),
            times=np.array([grid + [grid[-1]] * (longest - len(grid)) for grid in grids]),
            last=np.array([len(grid) - 1 for grid in grids], dtype=np.int64),
            keeps_states=any(simulation.has_children for simulation in chosen),
            labels=tuple(simulation.label for simulation in chosen),
        )


def _grid(simulation: Simulation) -> list[float]:
    if simulation.settles:
        return [0.0]
    times = sorted(simulation.times)
    if simulation.has_children:
        times.append(max(simulation.duration * (1.0 - JUST_BEFORE), times[-1] if times else 0.0))
    return times or [0.0]


def _stopped_clock(experiment: Experiment) -> float:
    """The time at which the clock stands while an experiment comes to rest before it starts.

    Version 1 has no time before 0; in version 2 it is the last moment before the first period that is timed.
    """
    if not experiment.carries:
        return 0.0
    first = next((period.start for period in experiment.periods if period.start != STEADY_STATE), 0.0)
    return first - JUST_BEFORE * max(1.0, abs(first))


def _uses_time(expr: Expr) -> bool:
    return expr.op == "time" or any(_uses_time(arg) for arg in expr.args)
