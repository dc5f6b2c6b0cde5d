"""Dishes simulated with free parameters: every condition of a set of blots, and how its readouts move with theta.

Everything done to a cell is arithmetic on the parameter vector, so a condition is a factor and an offset for each free
parameter, found once; a new theta only fills arrays.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import InputError
from ..experiments.simulation import PASSAGING, system_of
from ..lab import FULL_MEDIUM, CellLine, Condition, Library, Step
from ..model import Model
from ..solve import Rosenbrock, System, run_rows, settle_rows
from ..solve.sensitivities.forward import Differentiated, run_tangents


@dataclass(frozen=True, slots=True)
class Target:
    """What one entry of theta sets: a parameter of the model, for one cell line only unless ``line`` is empty."""

    parameter: str
    line: str = ""


@dataclass
class _Stage:
    """Simulations of one depth; ``factor`` (rows, targets) multiply the free values in ``raw``."""

    raw: list[FloatArray] = field(default_factory=list)
    factor: list[FloatArray] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    known: dict[tuple[int, bytes, bytes, float], int] = field(default_factory=dict)

    def add(self, raw: FloatArray, factor: FloatArray, parent: int, minutes: float, label: str) -> int:
        key = (parent, raw.tobytes(), factor.tobytes(), minutes)
        if key not in self.known:
            self.known[key] = len(self.raw)
            self.raw.append(raw)
            self.factor.append(factor)
            self.parent.append(parent)
            self.minutes.append(minutes)
            self.label.append(label)
        return self.known[key]


@dataclass(frozen=True, eq=False)
class Signals:
    """Values (conditions, times, nodes) and their derivatives by the free values (..., targets); or why not."""

    values: FloatArray
    slopes: FloatArray | None = None
    failure: str = ""


class Dishes:
    """Conditions of one model with free parameters, sampled at common times."""

    def __init__(
        self,
        model: Model,
        conditions: Sequence[Condition],
        targets: Sequence[Target],
        times: FloatArray,
        nodes: Sequence[int],
        library: Library,
        solver: Rosenbrock,
    ) -> None:
        self.system = system_of(model)
        self.targets, self.times, self.nodes, self.solver = tuple(targets), times, list(nodes), solver
        self.slots = np.array([self.system.slot(target.parameter) for target in targets], dtype=np.int64)
        self._defaults = {
            name: float(value)
            for name, value in zip((*self.system.parameters, *self.system.states), self.system.defaults, strict=True)
            if not math.isnan(value)
        }
        self.library = library
        self._build(conditions)

    def _build(self, conditions: Sequence[Condition]) -> None:
        self.settling = _Stage()
        depths = max(len(condition.treatment.steps) for condition in conditions)
        self.stages = [_Stage() for _ in range(depths)]
        self.last: dict[int, list[int]] = {}
        self.where: list[int] = []
        for number, condition in enumerate(conditions):
            medium = FULL_MEDIUM if "serum" in self._defaults else Step(())
            raw, factor = self._affine(condition, medium)
            if PASSAGING in self.system.slots:
                raw[self.system.slots[PASSAGING]] = 1.0
            position = self.settling.add(raw, factor, -1, math.inf, f"{condition.cell_line}, full medium")
            steps = condition.treatment.steps
            for depth, step in enumerate(steps):
                raw, factor = self._affine(condition, step)
                final = depth == len(steps) - 1
                minutes = math.inf if final or step.minutes is None else step.minutes
                label = f"{condition.cell_line}, {condition.treatment}"
                position = self.stages[depth].add(raw, factor, position, minutes, label)
            self.last.setdefault(len(steps) - 1, []).append(number)
            self.where.append(position)

    def _affine(self, condition: Condition, step: Step) -> tuple[FloatArray, FloatArray]:
        """Raw values with every free value at 0, and the factor of each free value; 0 where it does not apply."""
        line = condition.cell_line.name
        own = {target.parameter for target in self.targets if target.line == line}
        applies = np.array([target.line == line or (not target.line and target.parameter not in own)
                            for target in self.targets], dtype=bool)  # fmt: skip
        free = {target.parameter for target, does in zip(self.targets, applies, strict=True) if does}
        condition = replace(condition, cell_line=without(condition.cell_line, own))
        at_zero = self._raw(condition, step, {**self._defaults, **dict.fromkeys(free, 0.0)})
        at_one = self._raw(condition, step, {**self._defaults, **dict.fromkeys(free, 1.0)})
        factor = np.where(applies, at_one[self.slots] - at_zero[self.slots], 0.0)
        return at_zero, factor

    def _raw(self, condition: Condition, step: Step, defaults: Mapping[str, float]) -> FloatArray:
        raw = self.system.defaults.copy()
        for name, value in defaults.items():
            raw[self.system.slots[name]] = value
        settings = condition.settings(step, defaults, self.library)
        missing = sorted(name for name in settings if name not in self.system.slots)
        if missing:
            raise InputError(
                f"'{condition.cell_line}' under '{step}' acts on {', '.join(missing)}, which model "
                f"'{self.system.model.id}' does not have: give cell lines and drugs that belong to the model"
            )
        for name, value in settings.items():
            raw[self.system.slot(name)] = value
        return raw

    @property
    def without_effect(self) -> list[Target]:
        """Targets that no simulation sees, because every cell line sets the parameter itself."""
        factors = np.concatenate([np.array(stage.factor) for stage in (self.settling, *self.stages)])
        return [target for k, target in enumerate(self.targets) if not factors[:, k].any()]

    @property
    def content(self) -> bytes:
        """Everything that is done to the cells, as bytes: what cell lines and drugs have become."""
        parts: list[bytes] = [self.times.tobytes()]
        for stage in (self.settling, *self.stages):
            for array in (stage.raw, stage.factor, stage.parent, stage.minutes):
                parts.append(np.array(array, dtype=float).tobytes())
        return b"".join(parts)

    def at(self, times: FloatArray) -> Dishes:
        """The same dishes sampled at other times."""
        other = copy(self)
        other.times = times
        return other

    # running

    def _filled(self, stage: _Stage, free: FloatArray, chosen: IntArray | None = None) -> FloatArray:
        rows = range(len(stage.raw)) if chosen is None else chosen
        raw = np.array([stage.raw[row] for row in rows])
        for k, slot in enumerate(self.slots):
            raw[:, slot] += np.array([stage.factor[row][k] for row in rows]) * free[k]
        return raw

    def _seeds(self, stage: _Stage, chosen: IntArray | None = None) -> FloatArray:
        rows = range(len(stage.raw)) if chosen is None else chosen
        seeds = np.zeros((len(list(rows)), len(self.system.defaults), len(self.targets)))
        for i, row in enumerate(rows):
            seeds[i, self.slots, np.arange(len(self.slots))] = stage.factor[row]
        return seeds

    def values(self, free: FloatArray, workers: int | None = 1) -> Signals:
        """Signals for the values ``free`` (targets,)."""
        system, solver = self.system, self.solver
        values = np.empty((len(self.where), len(self.times), len(self.nodes)))
        rested = settle_rows(system, self._filled(self.settling, free), [], solver, workers=workers)
        if rested.status.any():
            return Signals(values, failure=_sentence(rested, self.settling.label))
        states = rested.x
        for depth, stage in enumerate(self.stages):
            parents = np.array(stage.parent, dtype=np.int64)
            members, chosen = self._ending(depth)
            if members:
                rows = run_rows(system, self._filled(stage, free, chosen), self.times, self.nodes, solver,
                                start_states=states[parents[chosen]], workers=workers)  # fmt: skip
                if rows.status.any():
                    return Signals(values, failure=_sentence(rows, [stage.label[i] for i in chosen]))
                values[members] = rows.values
            on = np.flatnonzero(np.isfinite(stage.minutes))
            if on.size:
                rows = run_rows(system, self._filled(stage, free, on), np.array(stage.minutes)[on, None], [], solver,
                                start_states=states[parents[on]], last_states=True, workers=workers)  # fmt: skip
                if rows.status.any():
                    return Signals(values, failure=_sentence(rows, [stage.label[i] for i in on]))
                states = np.full((len(stage.raw), len(system.states)), np.nan)
                states[on] = rows.x
        return Signals(values)

    def slopes(self, free: FloatArray) -> Signals:
        """Signals with their derivatives by ``free``."""
        system, solver, k = self.system, self.solver, len(self.targets)
        values = np.empty((len(self.where), len(self.times), len(self.nodes)))
        slopes = np.zeros((*values.shape, k))
        nothing = np.array([0.0])
        rested = run_tangents(system, self._filled(self.settling, free), nothing, [], self._seeds(self.settling),
                              solver, until_steady=True)  # fmt: skip
        if rested.rows.status.any():
            return Signals(values, failure=_sentence(rested.rows, self.settling.label))
        states, moving = rested.rows.x, rested.tangents.x

        def run(stage: _Stage, chosen: IntArray, times: FloatArray, nodes: list[int]) -> Differentiated:
            parents = np.array(stage.parent, dtype=np.int64)[chosen]
            return run_tangents(
                system, self._filled(stage, free, chosen), times, nodes, self._seeds(stage, chosen), solver,
                start_states=states[parents], start_seeds=moving[parents],
            )  # fmt: skip

        for depth, stage in enumerate(self.stages):
            members, chosen = self._ending(depth)
            if members:
                done = run(stage, chosen, self.times, self.nodes)
                if done.rows.status.any():
                    return Signals(values, failure=_sentence(done.rows, [stage.label[i] for i in chosen]))
                values[members], slopes[members] = done.rows.values, done.tangents.values
            on = np.flatnonzero(np.isfinite(stage.minutes))
            if on.size:
                done = run(stage, on, np.array(stage.minutes)[on, None], [])
                if done.rows.status.any():
                    return Signals(values, failure=_sentence(done.rows, [stage.label[i] for i in on]))
                states = np.full((len(stage.raw), len(system.states)), np.nan)
                states[on] = done.rows.x
                moving = np.zeros((len(stage.raw), len(system.states), k))
                moving[on] = done.tangents.x
        return Signals(values, slopes)

    def _ending(self, depth: int) -> tuple[list[int], IntArray]:
        members = self.last.get(depth, [])
        return members, np.array([self.where[i] for i in members], dtype=np.int64)


def _sentence(rows: object, labels: Sequence[str]) -> str:
    failed = int(np.flatnonzero(rows.status)[0])  # type: ignore[attr-defined]
    return f"{labels[failed]}: {rows.sentence(failed)}"  # type: ignore[attr-defined]


def without(line: CellLine, parameters: Collection[str]) -> CellLine:
    """The line with its own numbers for ``parameters`` left out: what is fitted for a line replaces them."""
    return replace(
        line,
        set={name: value for name, value in line.set.items() if name not in parameters},
        scale={name: value for name, value in line.scale.items() if name not in parameters},
    )


def plain_value(system: System, name: str, line: CellLine | None = None) -> float:
    """The number for ``name`` in the model, or in a cell line; NaN where the model computes one."""
    value = float(system.defaults[system.slot(name)])
    return value if line is None else float(line.apply({name: value}).get(name, value))
