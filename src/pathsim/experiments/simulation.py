"""Where the lab meets the solver: plans of experiments (:mod:`pathsim.experiments.timecourse` simulates any model).

A :class:`Plan` turns the rows somebody wants (condition, time, readout) into stages of parameter settings, shares what
conditions have in common (one steady state per cell line, one starvation for all treatments after it), and gives the
values back in row order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import InputError, SimulationError, near_misses, unknown
from ..lab import FULL_MEDIUM, Condition, Library, Step, default_library
from ..model import Model
from ..solve import Rosenbrock, Rows, Solver, System, run_rows, settle_rows
from .timecourse import Batch, check_times, default_outputs, simulate, simulate_many, system_of

PASSAGING = "passaging"
"""A parameter of this name is 1 while cells come to rest before the first step, and as the model says afterwards."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Conditions to simulate and rows to fill: row i is readout ``readout[i]`` of condition ``condition[i]``.

    ``time_min`` counts from the start of the last step of the treatment.
    """

    model: Model
    conditions: tuple[Condition, ...]
    readouts: tuple[str, ...]
    condition: IntArray
    time_min: FloatArray
    readout: IntArray

    def run(
        self, library: Library | None = None, solver: Solver | None = None, workers: int | None = None
    ) -> FloatArray:
        """The value of every row, in row order.

        Raises :class:`UnknownNameError` for a drug or readout that does not exist, :class:`SimulationError` naming the
        condition that could not be simulated.
        """
        times, position = np.unique(self.time_min, return_inverse=True)
        values = _carry_out(self, times, library or default_library(), solver, workers)
        return values[self.condition, position, self.readout]


def full_plan(
    model: Model, conditions: Sequence[Condition], times_min: Sequence[float], readouts: Sequence[str]
) -> Plan:
    """Every readout at every time in every condition; rows ordered by condition, time, readout."""
    shape = (len(conditions), len(times_min), len(readouts))
    index = np.indices(shape).reshape(3, -1)
    return Plan(
        model=model,
        conditions=tuple(conditions),
        readouts=tuple(readouts),
        condition=index[0],
        time_min=np.asarray(times_min, dtype=float)[index[1]],
        readout=index[2],
    )


@dataclass
class _Stage:
    """Simulations of one depth: raw parameters, the simulation each continues, and how long it lasts."""

    raw: list[FloatArray]
    parent: list[int]
    minutes: list[float]
    label: list[str]
    known: dict[tuple[int, bytes, float], int]

    @classmethod
    def empty(cls) -> _Stage:
        return cls([], [], [], [], {})

    def add(self, raw: FloatArray, parent: int, minutes: float, label: str) -> int:
        """Position of this simulation, shared with an equal one."""
        key = (parent, raw.tobytes(), minutes)
        if key not in self.known:
            self.known[key] = len(self.raw)
            self.raw.append(raw)
            self.parent.append(parent)
            self.minutes.append(minutes)
            self.label.append(label)
        return self.known[key]


def _carry_out(
    plan: Plan, times: FloatArray, library: Library, solver: Solver | None, workers: int | None
) -> FloatArray:
    """Values of shape (conditions, times, readouts)."""
    system = system_of(plan.model)
    nodes = [_readout_node(system, name) for name in plan.readouts]
    settling, stages, last, where = _stages(plan, system, library)
    values = np.empty((len(plan.conditions), len(times), len(nodes)))
    rested = settle_rows(system, np.array(settling.raw), [], solver, workers=workers)
    _refuse_failures(rested, settling.label)
    states = rested.x
    for depth, stage in enumerate(stages):
        raw, parents = np.array(stage.raw), np.array(stage.parent, dtype=np.int64)
        if depth in last:
            members = last[depth]
            chosen = np.array([where[i] for i in members])
            rows = run_rows(
                system, raw[chosen], times, nodes, solver, start_states=states[parents[chosen]], workers=workers
            )
            _refuse_failures(rows, [stage.label[i] for i in chosen])
            values[members] = rows.values
        minutes = np.array(stage.minutes)
        going_on = np.flatnonzero(np.isfinite(minutes))
        if going_on.size:
            rows = run_rows(
                system, raw[going_on], minutes[going_on, None], [], solver,
                start_states=states[parents[going_on]], last_states=True, workers=workers,
            )  # fmt: skip
            _refuse_failures(rows, [stage.label[i] for i in going_on])
            states = np.full((len(stage.raw), len(system.states)), np.nan)
            states[going_on] = rows.x
    return values


def _stages(
    plan: Plan, system: System, library: Library
) -> tuple[_Stage, list[_Stage], dict[int, list[int]], dict[int, int]]:
    """Simulations by depth; which conditions end at which depth; and where in that stage each condition is."""
    defaults = _plain_values(system)
    settling = _Stage.empty()
    depths = max(len(condition.treatment.steps) for condition in plan.conditions)
    stages = [_Stage.empty() for _ in range(depths)]
    last: dict[int, list[int]] = {}
    where: dict[int, int] = {}
    for number, condition in enumerate(plan.conditions):
        medium = FULL_MEDIUM if "serum" in defaults else Step(())
        label = f"{condition.cell_line}, full medium"
        position = settling.add(
            _at_rest(system, _raw(system, condition, medium, defaults, library)), -1, math.inf, label
        )
        for depth, step in enumerate(condition.treatment.steps):
            raw = _raw(system, condition, step, defaults, library)
            final = depth == len(condition.treatment.steps) - 1
            minutes = math.inf if final or step.minutes is None else step.minutes
            position = stages[depth].add(raw, position, minutes, f"{condition.cell_line}, {condition.treatment}")
        last.setdefault(len(condition.treatment.steps) - 1, []).append(number)
        where[number] = position
    return settling, stages, last, where


def _raw(
    system: System, condition: Condition, step: Step, defaults: Mapping[str, float], library: Library
) -> FloatArray:
    settings = condition.settings(step, defaults, library)
    missing = sorted(name for name in settings if name not in system.slots)
    if missing:
        close = near_misses(missing[0], system.slots)
        raise InputError(
            f"'{condition.cell_line}' under '{step}' acts on {', '.join(repr(name) for name in missing)}, which model "
            f"'{system.model.id}' does not have" + (f" (near: {', '.join(close)})" if close else "")
        )
    return system.raw(settings)


def _at_rest(system: System, raw: FloatArray) -> FloatArray:
    """Before an experiment a growing culture is passaged: kept at constant density, else it has no steady state."""
    if PASSAGING in system.slots:
        raw[system.slots[PASSAGING]] = 1.0
    return raw


def _plain_values(system: System) -> dict[str, float]:
    """The model's own number for every parameter that is a plain number."""
    return {
        name: float(value)
        for name, value in zip((*system.parameters, *system.states), system.defaults, strict=True)
        if not math.isnan(value)
    }


def _readout_node(system: System, name: str) -> int:
    if name not in system.model.symbols and name not in system.model.readouts:
        raise unknown(
            "readout", name, system.model.readouts or system.model.symbols, "(pathsim list readouts shows all)"
        )
    return system.output(name)


def _refuse_failures(rows: Rows, labels: Sequence[str]) -> None:
    failed = np.flatnonzero(rows.status)
    if failed.size:
        first = int(failed[0])
        more = f" (and {failed.size - 1} more)" if failed.size > 1 else ""
        raise SimulationError(f"{labels[first]}{more}: {rows.sentence(first)}")


__all__ = [
    "Batch",
    "Plan",
    "Rosenbrock",
    "check_times",
    "default_outputs",
    "full_plan",
    "simulate",
    "simulate_many",
    "system_of",
]
