"""Running a schedule: values in, what the measurements need out, one call of the solver per group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..model.maths import Expr
from ..solve import Solver, run_rows, settle_rows
from ..solve.equations.evaluate import Function, python_function
from .dynamics import Dynamics
from .plan import KEEP, Group, Schedule


@dataclass(frozen=True, eq=False)
class GroupRun:
    """What a group gave: raw vectors and start states it ran with, outputs (rows, samples, nodes), last states."""

    raw: FloatArray
    starts: FloatArray | None
    outputs: FloatArray
    last_states: FloatArray


@dataclass(frozen=True, eq=False)
class Runs:
    """All groups of a part; ``failure`` is a sentence when a simulation could not be done, else empty."""

    groups: tuple[GroupRun, ...]
    failure: str = ""

    @cached_property
    def flat(self) -> FloatArray:
        """Outputs of all groups in one vector, group by group, row by row, sample by sample."""
        return np.concatenate([run.outputs.ravel() for run in self.groups])


class Simulator:
    """Runs the schedule of one part. ``nodes`` are what measurements need; the simulator adds what periods hand on."""

    def __init__(self, dynamics: Dynamics, schedule: Schedule, nodes: list[int]) -> None:
        self.dynamics = dynamics
        self.system = dynamics.system
        self.schedule = schedule
        self.nodes = list(nodes)
        self.position = {node: i for i, node in enumerate(self.nodes)}
        self._carried = [(slot, self._output(self.system.output(self.system.parameters[slot])))
                         for slot in dynamics.carried]  # fmt: skip
        self._triggers = [(slot, self._output(dynamics.node(trigger))) for slot, trigger in dynamics.triggers]
        self._volumes = self._conversions()
        for group in schedule.groups:
            if group.continues:
                for formulas in group.formulas:
                    for _, formula in formulas:
                        self._output(dynamics.node(formula))

    def _output(self, node: int) -> int:
        if node not in self.position:
            self.position[node] = len(self.nodes)
            self.nodes.append(node)
        return self.position[node]

    def _conversions(self) -> list[tuple[int, str, int]]:
        """States stored as amounts whose symbol is a concentration: state, compartment, output of its volume."""
        if not any(group.continues for group in self.schedule.groups):
            return []
        found = []
        graph = self.system.graph
        for i, name in enumerate(self.system.states):
            if self.system.output(name) != graph.state(i):
                compartment = self.system.model.species_by_id[name].compartment
                found.append((i, compartment, self._output(self.system.output(compartment))))
        return found

    def offsets(self) -> IntArray:
        """Where the outputs of each group begin in :attr:`Runs.flat`."""
        sizes = [group.times.size * len(self.nodes) for group in self.schedule.groups]
        return np.cumsum([0, *sizes])[:-1]

    def run(self, values: FloatArray, solver: Solver, workers: int | None = None) -> Runs:
        """Simulate everything for one set of ``values``; stops at the first group in which a row fails."""
        done: list[GroupRun] = []
        for group in self.schedule.groups:
            raw, starts = self._start(group, values, done)
            if group.settles:
                rows = settle_rows(self.system, raw, self.nodes, solver, start_states=starts, workers=workers)
            else:
                rows = run_rows(
                    self.system, raw, group.times, self.nodes, solver,
                    start_states=starts, last_states=group.keeps_states, workers=workers,
                )  # fmt: skip
            done.append(GroupRun(raw, starts, rows.values, rows.x))
            failed = np.flatnonzero(rows.status)
            if failed.size:
                first = int(failed[0])
                stage = "steady state before it, " if group.settles and not group.continues else ""
                return Runs(tuple(done), f"{group.labels[first]}: {stage}{rows.sentence(first)}")
        return Runs(tuple(done))

    def _start(self, group: Group, values: FloatArray, done: list[GroupRun]) -> tuple[FloatArray, FloatArray | None]:
        """Raw vectors and start states of a group."""
        raw = np.where(group.slots != KEEP, values[group.slots], self.system.defaults)
        if not group.continues:
            for row, formulas in enumerate(group.formulas):
                if formulas:
                    self._set_at_start(raw[row], formulas)
            return raw, None
        starts = np.empty((len(raw), len(self.system.states)))
        left = np.empty((len(raw), len(self.nodes)))
        for row, parent in enumerate(group.parents):
            before, line = self.schedule.where[parent]
            run = done[before]
            starts[row] = run.last_states[line]
            left[row] = run.outputs[line, self.schedule.groups[before].last[line]]
            if group.carries[row]:
                self._carry(raw[row], group.slots[row], run.raw[line], left[row])
        anew = group.states != KEEP
        starts[anew] = values[group.states[anew]]
        self._set_from_state(group, raw, starts, left, anew)
        self._convert(raw, starts, left, anew)
        return raw, starts

    def _carry(self, raw: FloatArray, slots: IntArray, before: FloatArray, left: FloatArray) -> None:
        kept = slots == KEEP
        raw[kept] = before[kept]
        for slot, output in self._carried:
            if kept[slot]:
                raw[slot] = left[output]
        for slot, output in self._triggers:
            raw[slot] = left[output]

    def _set_from_state(
        self, group: Group, raw: FloatArray, starts: FloatArray, left: FloatArray, anew: BoolArray
    ) -> None:
        """Changes that depend on the state the period before ended in."""
        n_parameters = self.dynamics.n_parameters
        for row, formulas in enumerate(group.formulas):
            for slot, formula in formulas:
                value = left[row, self.position[self.dynamics.node(formula)]]
                raw[row, slot] = value
                if slot >= n_parameters:
                    starts[row, slot - n_parameters] = value
                    anew[row, slot - n_parameters] = True

    def _convert(self, raw: FloatArray, starts: FloatArray, left: FloatArray, anew: BoolArray) -> None:
        """A change of volume keeps concentrations (PEtab), also of species whose amounts are what is integrated."""
        for state, compartment, output in self._volumes:
            old = left[:, output]
            slot = self.system.slots.get(compartment, -1)
            new = old if slot < 0 else raw[:, slot]
            if slot >= self.dynamics.n_parameters:
                new = starts[:, slot - self.dynamics.n_parameters]
            new = np.where(np.isnan(new), old, new)
            starts[:, state] *= np.where(anew[:, state], new, new / old)

    def _set_at_start(self, raw: FloatArray, formulas: tuple[tuple[int, Expr], ...]) -> None:
        """Changes of a first period that depend on the model's own initial values."""
        system = self.system
        start = self._start_function(0.0, (), raw.tolist())
        split = len(system.parameters)
        p, x = start[:split] + [0.0] * len(system.modes), start[split:]
        nodes = [self.dynamics.node(formula) for _, formula in formulas]
        new = python_function(system.graph, nodes)(0.0, x, p)
        for (slot, _), value in zip(formulas, new, strict=True):
            raw[slot] = value

    @cached_property
    def _start_function(self) -> Function:
        system = self.system
        return python_function(system.graph, [*system.start_parameters, *system.start_states])
