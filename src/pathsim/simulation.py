"""Where the lab meets the solver: time courses of any model, and plans of experiments.

A :class:`Plan` turns the rows somebody wants (condition, time, readout) into stages of parameter settings, shares what
conditions have in common (one steady state per cell line, one starvation for all treatments after it), and gives the
values back in row order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import InputError, SimulationError, near_misses, raise_together, unknown
from .lab import FULL_MEDIUM, Condition, Library, Step, default_library
from .model import Model, load_model
from .solve import Rosenbrock, Rows, Solver, System, build_system, run_rows, settle_rows

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]

PASSAGING = "passaging"
"""A parameter of this name is 1 while cells come to rest before the first step, and as the model says afterwards."""


@lru_cache(maxsize=32)
def system_of(model: Model) -> System:
    """The equations of ``model``, derived once."""
    return build_system(model)


def simulate(
    model: Model | str | Path,
    times: Iterable[float],
    parameters: Mapping[str, float] | None = None,
    outputs: Sequence[str] | None = None,
    solver: Solver | None = None,
) -> pd.DataFrame:
    """One time course.

    Args:
        model: a model, a bundled name, or a path to an ``.ant``, ``.xml`` or ``.sbml`` file.
        times: sample times in the model's own time unit, ascending from 0 on; simulation starts at 0.
        parameters: values that replace the model's own, initial values of species included.
        outputs: any symbols of the model, with the meaning SBML gives them; ``amount(S)`` and ``concentration(S)`` ask
            explicitly. Default: every species and every other quantity that a rate rule changes.
        solver: default ``Rosenbrock(rtol=1e-6, atol=1e-9)``.

    Returns:
        A frame indexed by ``time`` with one column per output.

    Raises:
        InputError: a name, time or value that makes no sense; SimulationError: the equations could not be solved.
    """
    import pandas as pd

    opened = _open(model)
    system = system_of(opened)
    grid = check_times(times)
    names = list(outputs) if outputs is not None else default_outputs(system)
    nodes = _output_nodes(system, names)
    rows = run_rows(system, system.raw(parameters)[None, :], grid, nodes, solver)
    if rows.status[0]:
        raise SimulationError(f"{opened.id}: {rows.sentence(0)}")
    return pd.DataFrame(rows.values[0], index=pd.Index(grid, name="time"), columns=names)


@dataclass(frozen=True, eq=False)
class Batch:
    """Many time courses: ``values`` (n, times, outputs), ``status`` (n,) with 0 for success; NaN after a failure."""

    rows: Rows
    times: FloatArray
    outputs: tuple[str, ...]

    @property
    def values(self) -> FloatArray:
        """Results, shape (n, times, outputs)."""
        return self.rows.values

    @property
    def status(self) -> npt.NDArray[np.int64]:
        """How each row ended (:class:`pathsim.Status`), shape (n,)."""
        return self.rows.status

    def explain(self, row: int) -> str:
        """One sentence on how ``row`` ended, with advice when it failed."""
        return self.rows.sentence(row)

    def to_frame(self) -> pd.DataFrame:
        """Long form: columns ``row, time``, then one per output."""
        import pandas as pd

        n, n_times, _ = self.values.shape
        frame = pd.DataFrame(self.values.reshape(n * n_times, -1), columns=list(self.outputs))
        frame.insert(0, "time", np.tile(self.times, n))
        frame.insert(0, "row", np.repeat(np.arange(n), n_times))
        return frame


def simulate_many(
    model: Model | str | Path,
    parameters: pd.DataFrame,
    times: Iterable[float],
    outputs: Sequence[str] | None = None,
    solver: Solver | None = None,
    workers: int | None = None,
) -> Batch:
    """One time course per row of ``parameters`` (one column per overridden parameter or initial value).

    Results are bitwise the same for any ``workers`` and any order of rows; a row that fails carries a status and does
    not disturb the others. Arguments and errors otherwise as :func:`simulate`.
    """
    system = system_of(_open(model))
    grid = check_times(times)
    names = list(outputs) if outputs is not None else default_outputs(system)
    nodes = _output_nodes(system, names)
    columns = np.array([system.slot(str(name)) for name in parameters.columns], dtype=np.int64)
    settings = _numbers(parameters)
    rows = run_rows(system, settings, grid, nodes, solver, columns=columns, workers=workers)
    return Batch(rows, grid, tuple(names))


def _numbers(parameters: pd.DataFrame) -> FloatArray:
    """The frame as floats. Raises :class:`InputError` naming columns that are not numeric and rows with NaN."""
    try:
        settings = parameters.to_numpy(dtype=float)
    except (ValueError, TypeError):
        bad = [str(name) for name in parameters.columns if parameters[name].dtype.kind not in "biuf"]
        raise InputError(f"parameters must be numbers; column {', '.join(map(repr, bad))} is not") from None
    rows, columns = np.nonzero(np.isnan(settings))
    problems = [f"row {row}: parameter '{parameters.columns[column]}' is NaN"
                for row, column in zip(rows[:20], columns[:20], strict=True)]  # fmt: skip
    raise_together(problems, "parameters")
    return settings


def default_outputs(system: System) -> list[str]:
    """Every species, then whatever else a rate rule changes."""
    species = [item.id for item in system.model.species]
    return species + [name for name in system.states if name not in system.model.species_by_id]


def check_times(times: Iterable[float]) -> FloatArray:
    """Sample times as an array. Raises :class:`InputError` unless they are finite, ascending and not negative."""
    grid = np.atleast_1d(np.asarray(list(times) if not isinstance(times, np.ndarray) else times, dtype=float))
    if grid.ndim != 1 or grid.size == 0:
        raise InputError("no times are given; name at least one")
    if not np.isfinite(grid).all():
        raise InputError("times must be finite numbers")
    if grid[0] < 0:
        raise InputError(f"time {grid[0]:g} is negative; simulation starts at 0")
    if (np.diff(grid) < 0).any():
        raise InputError("times must be in ascending order")
    return grid


def _open(model: Model | str | Path) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def _output_nodes(system: System, names: Sequence[str]) -> list[int]:
    if not names:
        raise InputError("no outputs are asked for; name at least one")
    problems: list[str] = []
    nodes: list[int] = []
    for name in names:
        try:
            nodes.append(system.output(name))
        except InputError as error:
            problems.append(str(error))
    raise_together(problems)
    return nodes


# ---------------------------------------------------------------------------------------------------------- plans


@dataclass(frozen=True, eq=False)
class Plan:
    """Conditions to simulate and rows to fill: row i is readout ``readout[i]`` of condition ``condition[i]``.

    ``time_min`` counts from the start of the last step of the treatment.
    """

    model: Model
    conditions: tuple[Condition, ...]
    readouts: tuple[str, ...]
    condition: npt.NDArray[np.int64]
    time_min: FloatArray
    readout: npt.NDArray[np.int64]

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
        position = settling.add(_at_rest(system, _raw(system, condition, medium, defaults, library)), -1, math.inf, label)
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
        raise unknown("readout", name, system.model.readouts or system.model.symbols, "(pathsim list readouts shows all)")
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
