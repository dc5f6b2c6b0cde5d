"""Experiments as one tree of simulations: equal pasts are shared, and what can run together forms a group.

A plan holds no numbers. It says where in a list of numbers (:mod:`.values`, or plain numbers for the wells of a sweep)
the raw values of each simulation stand, so that another parameter vector only fills arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError
from ..model.maths import Expr, number, symbol, symbols, uses_time
from .dynamics import CLOCK, CLOCK_RATE, Dynamics
from .experiment import STEADY_STATE, Change, Experiment, Period
from .values import Values

KEEP = -1
"""In an array of positions: as the period before left it."""

JUST_BEFORE = 1e-10
"""How much of its length a period stops short of the next where something can happen at that very moment, which then
belongs to the next."""


@dataclass(frozen=True, eq=False)
class Link:
    """Rows ``here`` of a group continue rows ``there`` of an earlier ``group``."""

    group: int
    here: IntArray
    there: IntArray


@dataclass(frozen=True, eq=False)
class Group:
    """Simulations that run in one call of the solver, row by row.

    ``slots`` (rows, columns): where in the list of numbers each row finds the raw values of the plan's columns.
    ``links``: what the rows continue; none for a beginning. ``carries`` (rows,): whether the row keeps what periods
    before it set or changed. ``anew`` (n, 3): row, state and position in the list of numbers of states that start anew.
    ``formulas``: row, raw slot and formula of what is set to something that depends on the state. ``times`` (rows or 1,
    samples) from the start of the period, the last one repeated where a row has fewer. ``hands_on``: whether another
    group continues this one. ``labels`` (rows,) name the experiments in messages, which ``stage`` precedes.
    """

    settles: bool
    slots: IntArray
    times: FloatArray
    links: tuple[Link, ...] = ()
    carries: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    anew: IntArray = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    formulas: tuple[tuple[int, int, Expr], ...] = ()
    hands_on: bool = False
    labels: Sequence[str] = ()
    stage: str = ""

    @property
    def rows(self) -> int:
        """How many simulations there are."""
        return len(self.slots)


@dataclass(frozen=True, eq=False)
class Plan:
    """Groups in the order they run; ``columns`` are the slots of raw vectors that may differ from the model's own.

    ``where`` (simulations, 2) is the group and row of each simulation that a :class:`Planner` placed.
    """

    columns: IntArray
    groups: tuple[Group, ...]
    where: IntArray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))

    @property
    def positions(self) -> IntArray:
        """Places in the list of numbers that simulations use."""
        used = [np.concatenate([group.slots.ravel(), group.anew[:, 2]]) for group in self.groups]
        found: IntArray = np.unique(np.concatenate(used))
        return np.asarray(found[found != KEEP])

    def sample(self, simulation: int, time: float) -> tuple[int, int, int]:
        """Group, row and sample of ``time`` (from the start of the period)."""
        group, row = (int(number) for number in self.where[simulation])
        times = self.groups[group].times[row]
        return group, row, 0 if self.groups[group].settles else int(np.searchsorted(times, time))


@dataclass(eq=False)
class _Simulation:
    """One period of one experiment, or several that are alike.

    ``slots``: raw slot -> position in the values; ``anew``: state -> position; ``formulas`` depend on the state.
    """

    settles: bool
    parent: int
    slots: dict[int, int]
    anew: dict[int, int]
    formulas: tuple[tuple[int, Expr], ...]
    carries: bool
    duration: float
    label: str
    times: set[float] = field(default_factory=set)
    has_children: bool = False

    def key(self) -> tuple[object, ...]:
        """Equal for simulations that are the same."""
        arrays = (tuple(sorted(self.slots.items())), tuple(sorted(self.anew.items())))
        return (self.settles, self.parent, *arrays, self.formulas, self.carries, self.duration)


class Planner:
    """Collects the simulations that experiments with one model need, then puts them in groups.

    ``source`` precedes the names of experiments in messages.
    """

    def __init__(self, dynamics: Dynamics, values: Values, source: str = "") -> None:
        self.dynamics = dynamics
        self.system = dynamics.system
        self.values = values
        self.source = source
        self._simulations: list[_Simulation] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._chains: dict[int, tuple[Experiment, list[tuple[Period, int]]]] = {}
        self._base: dict[int, int] = {}
        for name in values.place:
            if name in self.system.slots:
                self._base[self.system.slot(name)] = values.index(symbol(name))
            elif name in self.system.model.symbols:
                self.system.slot(name)  # raises: the model computes it

    def place(self, experiment: Experiment, time: float) -> tuple[int, float]:
        """The simulation that gives ``experiment`` at ``time``, and the time from its start."""
        chain = self._chain(experiment)
        if math.isinf(time):
            return self._settled(chain[-1][1]), 0.0
        for period, simulation in reversed(chain):
            if period.start != STEADY_STATE and time >= period.start:
                self._simulations[simulation].times.add(time - period.start)
                return simulation, time - period.start
        raise InputError(f"experiment '{experiment.id}' starts after the measurement at time {time:g}")

    def _chain(self, experiment: Experiment) -> list[tuple[Period, int]]:
        known = self._chains.get(id(experiment))
        if known is not None:
            return known[1]
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
        self._chains[id(experiment)] = (experiment, chain)  # the experiment too, so that its id stays its own
        return chain

    def _settled(self, simulation: int) -> int:
        """The steady state that ``simulation`` runs into."""
        last = self._simulations[simulation]
        return self._share(
            _Simulation(True, last.parent, last.slots, last.anew, last.formulas, last.carries, 0.0, last.label)
        )

    def _add(self, experiment: Experiment, period: Period, parent: int, settles: bool, duration: float) -> int:
        system = self.system
        carries = experiment.carries and parent >= 0
        slots = {} if carries else dict(self._base)
        anew: dict[int, int] = {}
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
                anew[slot - n_parameters] = slots[slot]
        if CLOCK in system.slots:
            start = _stopped_clock(experiment) if settles else period.start
            slots[system.slot(CLOCK)] = self.values.index(number(start))
            slots[system.slot(CLOCK_RATE)] = self.values.index(number(float(not settles)))
        label = experiment.id or "the model as it is"
        label = f"{self.source}: {label}" if self.source else label
        return self._share(_Simulation(settles, parent, slots, anew, tuple(formulas), carries, duration, label))

    def _settled_formula(self, change: Change, depends_allowed: bool) -> Expr | None:
        """The change over parameters of the table alone; None when it depends on the model."""
        if change.value.op == "number":
            return change.value
        used = symbols(change.value)
        if used <= self.values.place.keys() and not uses_time(change.value):
            return change.value
        if depends_allowed:
            return None
        if change.value.op == "symbol" and change.value.name in self.system.slots:
            value = self.system.defaults[self.system.slot(change.value.name)]
            if not math.isnan(value):
                return number(float(value))
        missing = ", ".join(f"'{name}'" for name in sorted(used - self.values.place.keys()))
        raise InputError(f"{self.source}: '{change.target}' is set to {missing}, which is not in the parameter table")

    def _share(self, simulation: _Simulation) -> int:
        key = simulation.key()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self._simulations)
            self._simulations.append(simulation)
            if simulation.parent >= 0:
                self._simulations[simulation.parent].has_children = True
        return found

    # the finished plan

    def plan(self) -> Plan:
        """Groups by depth: what continues comes after what it continues."""
        depths: list[int] = []
        for simulation in self._simulations:
            depths.append(0 if simulation.parent < 0 else depths[simulation.parent] + 1)
        together: dict[tuple[int, bool], list[int]] = {}
        for i, simulation in enumerate(self._simulations):
            if simulation.times or simulation.has_children or simulation.settles:
                together.setdefault((depths[i], not simulation.settles), []).append(i)
        columns = self._columns()
        where = np.full((len(self._simulations), 2), -1, dtype=np.int64)
        groups = []
        for number_of_group, (_, members) in enumerate(sorted(together.items())):
            where[members, 0] = number_of_group
            where[members, 1] = np.arange(len(members))
            groups.append(self._group(members, columns, where))
        return Plan(columns, tuple(groups), where)

    def _columns(self) -> IntArray:
        """Raw slots that some simulation sets, or takes over from the one before."""
        found: set[int] = set()
        for simulation in self._simulations:
            found |= simulation.slots.keys() | {slot for slot, _ in simulation.formulas}
        if any(simulation.carries for simulation in self._simulations):
            found |= {*self.dynamics.carried, *(slot for slot, _ in self.dynamics.triggers)}
        return np.array(sorted(found), dtype=np.int64)

    def _group(self, members: list[int], columns: IntArray, where: IntArray) -> Group:
        chosen = [self._simulations[i] for i in members]
        grids = [self._grid(simulation) for simulation in chosen]
        longest = max(len(grid) for grid in grids)
        settles, continues = chosen[0].settles, chosen[0].parent >= 0
        parents = where[[simulation.parent for simulation in chosen]] if continues else np.zeros((0, 2), dtype=np.int64)
        links = []
        for before in np.unique(parents[:, 0]):
            here = np.flatnonzero(parents[:, 0] == before)
            links.append(Link(int(before), here, parents[here, 1]))
        anew = [(row, state, position) for row, one in enumerate(chosen) for state, position in one.anew.items()]
        return Group(
            settles=settles,
            slots=np.array([self._positions(simulation, columns) for simulation in chosen], dtype=np.int64),
            times=np.array([grid + [grid[-1]] * (longest - len(grid)) for grid in grids]),
            links=tuple(links),
            carries=np.array([simulation.carries for simulation in chosen]),
            anew=np.array(anew, dtype=np.int64).reshape(-1, 3),
            formulas=tuple((row, slot, formula) for row, one in enumerate(chosen) for slot, formula in one.formulas),
            hands_on=any(simulation.has_children for simulation in chosen),
            labels=tuple(simulation.label for simulation in chosen),
            stage="steady state before it, " if settles and not continues else "",
        )

    def _positions(self, simulation: _Simulation, columns: IntArray) -> list[int]:
        """Where the raw values of ``columns`` stand: what is not set is kept, or as the model has it."""
        found = []
        for slot in columns.tolist():
            position = simulation.slots.get(slot, KEEP)
            if position == KEEP and not simulation.carries:
                own = float(self.system.defaults[slot])
                position = self.values.index(number(math.nan if math.isnan(own) else own))
            found.append(position)
        return found

    def _grid(self, simulation: _Simulation) -> list[float]:
        if simulation.settles:
            return [0.0]
        times = sorted(simulation.times)
        if simulation.has_children:
            end = simulation.duration * (1.0 - JUST_BEFORE * self.dynamics.has_moments)
            times.append(max(end, times[-1] if times else 0.0))
        return times or [0.0]


def _stopped_clock(experiment: Experiment) -> float:
    """The time at which the clock stands while an experiment comes to rest before it starts.

    The moment at which the first timed period starts; the last moment before it where periods carry on (version 2).
    """
    first = next((period.start for period in experiment.periods if period.start != STEADY_STATE), 0.0)
    return first - JUST_BEFORE * max(1.0, abs(first)) * experiment.carries
