"""Tangents through the schedule of simulations: what every output depends on, to first order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..solve import Rosenbrock
from ..solve.equations.differentiate import tangents
from ..solve.equations.evaluate import array_function
from ..solve.sensitivities.forward import MOST_REFINEMENTS, run_tangents
from .plan import KEEP, Group
from .run import GroupRun, Simulator


@dataclass(frozen=True, eq=False)
class Moving:
    """A group with tangents: of raw values (rows, raw, d), outputs (rows, samples, nodes, d), states (rows, n, d)."""

    run: GroupRun
    raw: FloatArray
    outputs: FloatArray
    states: FloatArray


class Tangents:
    """One run of a schedule with tangents along ``slopes`` (values, d), the derivative of the value list."""

    def __init__(self, simulator: Simulator, values: FloatArray, slopes: FloatArray, solver: Rosenbrock) -> None:
        self.simulator, self.values, self.slopes, self.solver = simulator, values, slopes, solver
        self.system = simulator.system
        self.done: list[Moving] = []
        self.failure = ""
        self.error = 0.0
        """The largest error of tangents over what is tolerated, before steps were made smaller."""

    def run(self, refinements: int = MOST_REFINEMENTS) -> None:
        """Run all groups; rows whose tangents are inaccurate again with smaller steps, so many times at most."""
        for group in self.simulator.schedule.groups:
            raw, starts, seeds, start_seeds = self.begin(group)
            found = run_tangents(
                self.system, raw, group.times, self.simulator.nodes, seeds, self.solver,
                start_states=starts, start_seeds=start_seeds, until_steady=group.settles,
                refinements=refinements,
            )  # fmt: skip
            run = GroupRun(raw, starts, found.rows.values, found.rows.x)
            self.done.append(Moving(run, seeds, found.tangents.values, found.tangents.x))
            if not group.settles:
                self.error = max(self.error, float(found.errors.max(initial=0.0)))
            failed = np.flatnonzero(found.rows.status)
            if failed.size:
                first = int(failed[0])
                stage = "steady state before it, " if group.settles and not group.continues else ""
                self.failure = f"{group.labels[first]}: {stage}{found.rows.sentence(first)}"
                return

    def begin(self, group: Group) -> tuple[FloatArray, FloatArray | None, FloatArray, FloatArray | None]:
        """Raw vectors and start states of a group, and the tangents of both."""
        raw, starts = self.simulator._start(group, self.values, [moving.run for moving in self.done])
        return raw, starts, *self._start(group, raw, starts)

    @property
    def flat(self) -> tuple[FloatArray, FloatArray]:
        """Outputs of all groups in one vector, and their tangents (outputs, d)."""
        outputs = [done.outputs.reshape(-1, self.slopes.shape[1]) for done in self.done]
        return np.concatenate([done.run.outputs.ravel() for done in self.done]), np.concatenate(outputs)

    def _start(self, group: Group, raw: FloatArray, starts: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
        """Tangents of what :meth:`Simulator._start` gives."""
        simulator, d = self.simulator, self.slopes.shape[1]
        seeds = np.where((group.slots != KEEP)[:, :, None], self.slopes[group.slots], 0.0)
        if starts is None:
            for row, formulas in enumerate(group.formulas):
                if formulas:
                    self._at_start(raw[row], seeds[row], [(slot, simulator.dynamics.node(f)) for slot, f in formulas])
            return seeds, None
        moving = np.zeros((len(raw), len(self.system.states), d))
        left, left_slopes = np.empty((len(raw), len(simulator.nodes))), np.zeros((len(raw), len(simulator.nodes), d))
        for row, parent in enumerate(group.parents):
            before, line = simulator.schedule.where[parent]
            last = simulator.schedule.groups[before].last[line]
            parent_run = self.done[before]
            moving[row] = parent_run.states[line]
            left[row] = parent_run.run.outputs[line, last]
            left_slopes[row] = parent_run.outputs[line, last]
            if group.carries[row]:
                kept = group.slots[row] == KEEP
                seeds[row, kept] = parent_run.raw[line, kept]
                for slot, output in simulator._carried:
                    if kept[slot]:
                        seeds[row, slot] = left_slopes[row, output]
        anew = group.states != KEEP
        moving[anew] = self.slopes[group.states[anew]]
        n_parameters = simulator.dynamics.n_parameters
        for row, formulas in enumerate(group.formulas):
            for slot, formula in formulas:
                slope = left_slopes[row, simulator.position[simulator.dynamics.node(formula)]]
                seeds[row, slot] = slope
                if slot >= n_parameters:
                    moving[row, slot - n_parameters] = slope
                    anew[row, slot - n_parameters] = True
        self._convert(raw, seeds, starts, moving, left, left_slopes, anew)
        return seeds, moving

    def _convert(
        self, raw: FloatArray, seeds: FloatArray, starts: FloatArray, moving: FloatArray, left: FloatArray,
        left_slopes: FloatArray, anew: BoolArray,
    ) -> None:  # fmt: skip
        """Tangents of :meth:`Simulator._convert`: start = given * factor, factor = new volume (or its growth)."""
        n_parameters = self.simulator.dynamics.n_parameters
        for state, compartment, output in self.simulator._volumes:
            old, d_old = left[:, output], left_slopes[:, output]
            slot = self.system.slots.get(compartment, -1)
            new, d_new = (old, d_old) if slot < 0 else (raw[:, slot], seeds[:, slot])
            if slot >= n_parameters:
                new, d_new = starts[:, slot - n_parameters], moving[:, slot - n_parameters]
            missing = np.isnan(new)
            new, d_new = np.where(missing, old, new), np.where(missing[:, None], d_old, d_new)
            fresh = anew[:, state]
            factor = np.where(fresh, new, new / old)
            growth = np.where(fresh[:, None], d_new, (d_new - factor[:, None] * d_old) / old[:, None])
            given = starts[:, state] / factor
            moving[:, state] = moving[:, state] * factor[:, None] + given[:, None] * growth

    def _at_start(self, raw: FloatArray, seeds: FloatArray, targets: list[tuple[int, int]]) -> None:
        """Tangents of changes of a first period that depend on the model's own initial values."""
        system, graph = self.system, self.system.graph
        n_raw, n, base = len(raw), len(system.states), system.n_parameters
        before = raw.copy()
        for slot, _ in targets:
            before[slot] = system.defaults[slot]
        raw_seeds = {graph.param(i): graph.param(n_raw + i) for i in range(n_raw)}
        nodes = [*system.start_parameters, *system.start_states]
        start = array_function(graph, [*nodes, *tangents(graph, nodes, raw_seeds)])
        with np.errstate(all="ignore"):
            found = start(0.0, (), [*before, *seeds])
        width = len(nodes)
        split = len(system.parameters)
        modes = [0.0] * len(system.modes)
        p, x = [*found[:split], *modes], found[split:width]
        dp, dx = [*found[width : width + split], *modes], found[width + split :]
        later = {graph.param(i): graph.param(base + i) for i in range(base)}
        later |= {graph.state(i): graph.param(2 * base + i) for i in range(n)}
        change = array_function(graph, tangents(graph, [node for _, node in targets], later))
        with np.errstate(all="ignore"):
            slopes = change(0.0, x, [*p, *dp, *dx])
        for (slot, _), slope in zip(targets, slopes, strict=True):
            seeds[slot] = slope
