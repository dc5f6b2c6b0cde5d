"""Running a plan: a list of numbers in, what every simulation gives out, one call of the solver per group.

The same plan gives values (:meth:`Runner.run`), forward sensitivities (:meth:`Runner.forward`) and, recorded
(:meth:`Runner.record`), the gradient of anything made of its outputs; each for one list of numbers or for many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import SimulationError
from ..linear_algebra import one_thread
from ..solve import Reduction, Rosenbrock, Rows, Solver, run_reduced_rows, run_rows, settle_rows
from ..solve.status import Status
from .dynamics import Dynamics
from .plan import KEEP, Group, Plan
from .starts import Ended, Start

if TYPE_CHECKING:
    from ..solve.sensitivities.recording_parts import Parts


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a plan gave for m lists of numbers, group by group.

    ``failures`` (for each group): (vector, row) -> what happened. The rows' outputs are NaN; a row whose past failed
    was not run, and carries the sentence of its past. ``exhausted``: vectors of which a simulation took too many steps.
    """

    plan: Plan
    groups: tuple[Ended, ...]
    failures: tuple[dict[tuple[int, int], str], ...]
    exhausted: frozenset[int] = frozenset()

    @cached_property
    def flat(self) -> FloatArray:
        """Outputs of all groups, (outputs, m): group by group, row by row, sample by sample, node by node."""
        return np.concatenate([one.outputs.reshape(len(one.outputs), -1) for one in self.groups], axis=1).T

    def failure(self, vector: int = 0) -> str:
        """The first simulation of a list of numbers that failed, named, and why; empty when all went well."""
        for group, found in zip(self.plan.groups, self.failures, strict=True):
            rows = sorted(row for number, row in found if number == vector)
            if rows:
                return f"{group.labels[rows[0]]}: {found[vector, rows[0]]}"
        return ""

    def refuse_failures(self) -> None:
        """Raise :class:`SimulationError` that names an experiment which failed, and how many others did."""
        ends = [
            (group.labels[row], sentence)
            for group, found in zip(self.plan.groups, self.failures, strict=True)
            for (_, row), sentence in sorted(found.items())
        ]
        if ends:
            label, sentence = ends[0]
            others = len(dict.fromkeys(name for name, _ in ends)) - 1
            raise SimulationError(f"{label}{f' (and {others} more)' if others else ''}: {sentence}")


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """An outcome and its derivatives along d directions. ``error``: the largest error of sensitivities over what is
    tolerated, before steps were made smaller."""

    outcome: Outcome
    moved: tuple[Ended, ...]
    error: float

    @cached_property
    def flat(self) -> FloatArray:
        """Derivatives of the outputs of all groups for all lists of numbers, (m, outputs, d), in the order of
        :attr:`Outcome.flat`."""
        m, d = self.moved[0].outputs.shape[0], self.moved[0].outputs.shape[-1]
        return np.concatenate([one.outputs.reshape(m, -1, d) for one in self.moved], axis=1)

    def of(self, vector: int = 0) -> tuple[FloatArray, FloatArray]:
        """Outputs of all groups for one list of numbers, in the order of :attr:`Outcome.flat`, and their derivatives
        (outputs, d)."""
        d = self.moved[0].outputs.shape[-1]
        derivatives = [one.outputs[vector].reshape(-1, d) for one in self.moved]
        return self.outcome.flat[:, vector], np.concatenate(derivatives)


@dataclass(frozen=True, eq=False)
class Recorded:
    """An outcome whose steps were kept."""

    runner: Runner
    outcome: Outcome
    numbers: FloatArray
    parts: tuple[Parts | None, ...]
    live: tuple[BoolArray, ...]
    starts: tuple[FloatArray | None, ...]

    @one_thread()
    def pull(self, flat_bars: FloatArray, moving: IntArray) -> FloatArray:
        """Derivatives of an objective by the numbers (values, m), from those by the outputs (outputs, m).

        ``moving``: raw slots that the numbers of interest move (:meth:`Runner.moved_by`); code is compiled for each
        choice. Lists of numbers with a failure get NaN or nonsense.
        """
        runner, plan, done = self.runner, self.runner.plan, self.outcome.groups
        bars = np.zeros_like(self.numbers)
        column = np.searchsorted(plan.columns, moving)
        first = np.cumsum([0, *(one.outputs[0].size for one in done)])
        earlier = [
            Ended(
                np.zeros_like(one.raw),
                np.array(flat_bars[a:b].T, order="C").reshape(one.outputs.shape),
                np.zeros(one.states.shape),
            )
            for one, a, b in zip(done, first[:-1], first[1:], strict=True)
        ]
        for number in reversed(range(len(done))):
            parts, live, begun = self.parts[number], self.live[number], earlier[number]
            raw_bars, start_bars = begun.raw, np.zeros(begun.states.shape)
            if parts is not None:
                rows = _Rows(live)
                pulled = parts.pull_back(rows.chosen(begun.outputs), rows.chosen(begun.states), moving.tolist())
                raw_bars[:, :, column] += rows.spread(pulled.raw, 0.0)
                start_bars = rows.spread(pulled.start, 0.0)
            runner.starts[number].pull(
                raw_bars, start_bars, self.numbers, done[number].raw, self.starts[number], done, bars, earlier
            )
        return bars


@dataclass(frozen=True, eq=False)
class _Rows:
    """Which rows (m, rows) are run, and their arrays with and without the others."""

    live: BoolArray

    @cached_property
    def _all(self) -> bool:
        return bool(self.live.all())

    def chosen(self, array: FloatArray) -> FloatArray:
        """(m, rows, ...) -> (chosen rows, ...)"""
        flat = array.reshape(self.live.size, *array.shape[2:])
        return flat if self._all else flat[self.live.ravel()]

    def spread(self, array: FloatArray, fill: float = np.nan) -> FloatArray:
        """(chosen rows, ...) -> (m, rows, ...)"""
        if self._all:
            return array.reshape(*self.live.shape, *array.shape[1:])
        found = np.full((*self.live.shape, *array.shape[1:]), fill)
        found[self.live] = array
        return found


@dataclass(eq=False)
class _Progress:
    """How far a run is: what each group began with and left, and what failed."""

    runner: Runner
    numbers: FloatArray
    give_up: bool
    done: list[Ended] = field(default_factory=list)
    starts: list[FloatArray | None] = field(default_factory=list)
    live: list[BoolArray] = field(default_factory=list)
    failures: list[dict[tuple[int, int], str]] = field(default_factory=list)
    exhausted: set[int] = field(default_factory=set)

    def begin(self) -> tuple[_Rows, FloatArray, FloatArray | None]:
        """Which rows of the next group are run, raw values of the plan's columns and start states of all."""
        number = len(self.done)
        group, m = self.runner.plan.groups[number], self.numbers.shape[1]
        raw, starts = self.runner.starts[number].give(self.numbers, self.done)
        inherited: dict[tuple[int, int], str] = {}
        for link in group.links:
            known = self.failures[link.group]
            if known:
                for here, there in zip(link.here.tolist(), link.there.tolist(), strict=True):
                    inherited |= {(v, here): known[v, there] for v in range(m) if (v, there) in known}
        if self.give_up:
            hopeless = {vector: why for one in self.failures for (vector, _), why in one.items()}
            inherited |= {
                (v, row): inherited.get((v, row), why) for v, why in hopeless.items() for row in range(group.rows)
            }
        live = np.ones((m, group.rows), dtype=bool)
        if inherited:
            live[tuple(np.array(list(inherited)).T)] = False
        self.failures.append(inherited)
        self.starts.append(starts)
        self.live.append(live)
        return _Rows(live), raw, starts

    def end(self, raw: FloatArray, values: FloatArray, states: FloatArray, failed: dict[int, str]) -> None:
        """Note what the rows that were run gave; ``failed``: which of them could not be simulated, and why."""
        number = len(self.done)
        rows = _Rows(self.live[number])
        kept = len(states) == len(values)
        self.done.append(Ended(raw, rows.spread(values), rows.spread(states) if kept else states[None]))
        if failed:
            vectors, lines = np.nonzero(rows.live)
            stage = self.runner.plan.groups[number].stage
            self.failures[number] |= {
                (int(vectors[i]), int(lines[i])): f"{stage}{sentence}" for i, sentence in failed.items()
            }

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.runner.plan, tuple(self.done), tuple(self.failures), frozenset(self.exhausted))


class Runner:
    """A plan with the outputs that are wanted of it (graph nodes), ready to be run.

    Behind ``nodes`` the runner asks for what periods hand on; :attr:`Outcome.flat` holds all of them. ``reduction`` (of
    the plan's columns and these nodes) simulates, in :meth:`run`, what goes on from other states.
    """

    def __init__(
        self, dynamics: Dynamics, plan: Plan, nodes: Sequence[int], reduction: Reduction | None = None
    ) -> None:
        self.dynamics, self.system, self.plan, self.reduction = dynamics, dynamics.system, plan, reduction
        self.nodes = list(nodes)
        self._position = {node: i for i, node in enumerate(self.nodes)}
        self.starts = [Start(dynamics, plan, number, self._output) for number in range(len(plan.groups))]

    def _output(self, node: int) -> int:
        if node not in self._position:
            self._position[node] = len(self.nodes)
            self.nodes.append(node)
        return self._position[node]

    def offsets(self) -> IntArray:
        """Where the outputs of each group begin in :attr:`Outcome.flat`."""
        sizes = [group.rows * group.times.shape[1] * len(self.nodes) for group in self.plan.groups]
        return np.cumsum([0, *sizes])[:-1]

    def moved_by(self, numbers: BoolArray) -> IntArray:
        """Raw slots that some of the ``numbers`` (a mask) move in any simulation."""
        moving = np.zeros(len(self.plan.columns), dtype=bool)
        for group, start in zip(self.plan.groups, self.starts, strict=True):
            moving |= ((group.slots != KEEP) & numbers[group.slots]).any(axis=0)
            moving[start.handed_on] = True
        return self.plan.columns[moving]

    # three ways to run

    @one_thread()
    def run(
        self, numbers: FloatArray, solver: Solver | None = None, workers: int | None = None, *, give_up: bool = False
    ) -> Outcome:
        """Outputs for ``numbers`` (values, m).

        Results do not depend on ``workers``, nor on what runs beside what. ``give_up``: a list of numbers of which one
        simulation failed is not simulated any further.
        """
        progress, fewer = _Progress(self, numbers, give_up), self.reduction
        for group in self.plan.groups:
            rows, raw, starts = progress.begin()
            settings, begun = rows.chosen(raw), None if starts is None else rows.chosen(starts)
            if group.settles:
                found = settle_rows(
                    self.system,
                    settings,
                    self.nodes,
                    solver,
                    columns=self.plan.columns,
                    start_states=begun,
                    workers=workers,
                )
            elif fewer is None or begun is None or not isinstance(solver, Rosenbrock | None):
                found = run_rows(
                    self.system,
                    settings,
                    self._times(group, rows),
                    self.nodes,
                    solver,
                    columns=self.plan.columns,
                    start_states=begun,
                    last_states=group.hands_on,
                    workers=workers,
                )
            else:
                found = run_reduced_rows(
                    self.system,
                    fewer,
                    settings,
                    self._times(group, rows),
                    solver,
                    start_states=begun,
                    last_states=group.hands_on,
                    workers=workers,
                )
            too_long = (found.status == Status.TOO_MANY_STEPS) | (found.status == Status.NO_STEADY_STATE)
            if too_long.any():
                progress.exhausted |= set(np.nonzero(rows.live)[0][too_long].tolist())
            progress.end(raw, found.values, found.x, _sentences(found))
            progress.starts[-1] = None  # of many rows they are the largest array, and nobody looks at them again
        return progress.outcome

    @one_thread()
    def forward(
        self,
        numbers: FloatArray,
        derivatives: FloatArray,
        solver: Rosenbrock,
        refinements: int | None,
    ) -> Sensitivities:
        """Outputs for ``numbers`` (values, m) and theirs along ``derivatives`` (values, m, d), those of numbers.

        Where the error of derivatives is too large rows are simulated again with smaller steps, so many times at most;
        with None it is not even estimated.
        """
        from ..solve.sensitivities.forward import run_sensitivities  # slow to load, and only wanted by fits

        progress, moved, error = _Progress(self, numbers, give_up=True), list[Ended](), 0.0
        for number, group in enumerate(self.plan.groups):
            rows, raw, starts = progress.begin()
            seeds, start_seeds = self.starts[number].push(numbers, derivatives, raw, starts, progress.done, moved)
            d = derivatives.shape[-1]
            if not rows.live.any():
                shape = (*rows.live.shape, group.times.shape[1], len(self.nodes))
                progress.end(raw, np.empty((0, *shape[2:])), np.empty((0, len(self.system.states))), {})
                nothing = np.full((*rows.live.shape, len(self.system.states), d), np.nan)
                moved.append(Ended(seeds, np.full((*shape, d), np.nan), nothing))
                continue
            chosen = rows.chosen(seeds)
            whole = np.zeros((len(chosen), len(self.system.defaults), d))
            whole[:, self.plan.columns] = chosen
            found = run_sensitivities(
                self.system,
                rows.chosen(raw),
                self._times(group, rows),
                self.nodes,
                whole,
                solver,
                columns=self.plan.columns,
                start_states=None if starts is None else rows.chosen(starts),
                start_seeds=None if start_seeds is None else rows.chosen(start_seeds),
                until_steady=group.settles,
                refinements=refinements,
            )
            progress.end(raw, found.rows.values, found.rows.x, _sentences(found.rows))
            moved.append(Ended(seeds, rows.spread(found.sensitivities.values), rows.spread(found.sensitivities.x)))
            if not group.settles:
                error = max(error, float(found.errors.max(initial=0.0)))
        return Sensitivities(progress.outcome, tuple(moved), error)

    @one_thread()
    def record(self, numbers: FloatArray, solver: Rosenbrock, workers: int | None = None) -> Recorded:
        """Outputs for ``numbers`` (values, m), with every step kept for :meth:`Recorded.pull`."""
        from ..solve.sensitivities.recording_parts import record_parts  # slow to load, and only wanted by fits

        progress, parts = _Progress(self, numbers, give_up=True), list["Parts | None"]()
        for group in self.plan.groups:
            rows, raw, starts = progress.begin()
            chosen = rows.chosen(raw)
            if not len(chosen):
                progress.end(
                    raw,
                    np.empty((0, group.times.shape[1], len(self.nodes))),
                    np.empty((0, len(self.system.states))),
                    {},
                )
                parts.append(None)
                continue
            whole = np.tile(self.system.defaults, (len(chosen), 1))
            whole[:, self.plan.columns] = chosen
            times = np.broadcast_to(self._times(group, rows), (len(chosen), group.times.shape[1]))
            found = record_parts(
                self.system,
                whole,
                times,
                self.nodes,
                solver,
                start_states=None if starts is None else rows.chosen(starts),
                until_steady=group.settles,
                workers=workers,
            )
            progress.end(raw, found.values, found.x, found.failures)
            parts.append(found)
        return Recorded(self, progress.outcome, numbers, tuple(parts), tuple(progress.live), tuple(progress.starts))

    def _times(self, group: Group, rows: _Rows) -> FloatArray:
        """Sample times of the rows that are run."""
        if len(group.times) == 1:
            return group.times
        return rows.chosen(np.broadcast_to(group.times, (len(rows.live), *group.times.shape)))


def _sentences(rows: Rows) -> dict[int, str]:
    """Which rows failed, and how."""
    return {int(row): rows.sentence(int(row)) for row in np.flatnonzero(rows.status)}
