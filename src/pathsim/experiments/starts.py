"""How simulations begin: what the list of numbers sets, and what the period before hands on.

Written down once per group as places that are copied from, and in three directions: :meth:`Start.give` (values),
:meth:`Start.push` (their derivatives along directions) and :meth:`Start.pull` (derivatives of an objective, back to the
list of numbers and to the period before). Arrays are (vectors, rows, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..solve.equations.differentiate import forward_derivatives
from ..solve.equations.evaluate import array_function, python_function
from .dynamics import Dynamics
from .plan import KEEP, Plan
from .values import scatter_add


@dataclass(frozen=True, eq=False)
class Ended:
    """What the rows of a group began with and left: ``raw`` (m, rows, columns), ``outputs`` (m, rows, samples, nodes),
    last ``states`` (m, rows, states); and, as the same, their derivatives along directions (..., d) or those of an
    objective by them."""

    raw: FloatArray
    outputs: FloatArray
    states: FloatArray


class _Volume(NamedTuple):
    """A state (``changed``) stored as an amount whose symbol is a concentration, and where its volume stands.

    In a ``column`` of raw values, as a ``state``, or (both -1) nowhere that can be set: ``fixed`` then, NaN for as the
    period before left it. ``output`` is its size at the end of the period before.
    """

    changed: int
    column: int
    state: int
    fixed: float
    output: int


class Start:
    """The beginning of the simulations of one group; ``output`` gives the place of a node among the outputs."""

    def __init__(self, dynamics: Dynamics, plan: Plan, number: int, output: Callable[[int], int]) -> None:
        self.system, group = dynamics.system, plan.groups[number]
        self.columns, self.links, self.rows = plan.columns, group.links, group.rows
        self.n_states = len(self.system.states)
        self.given = group.slots != KEEP
        self.slots = np.where(self.given, group.slots, 0)
        self.keeps = not self.given.all()
        self.anew_row, self.anew_state, self.anew_place = group.anew.T
        self.at_start: dict[int, list[tuple[int, int]]] = {}
        """Rows of a beginning with changes that depend on the model's own initial values: (column, node) of each."""
        column_of = {int(slot): column for column, slot in enumerate(plan.columns)}
        n_parameters = dynamics.n_parameters
        left: dict[tuple[int, int], tuple[int, int, bool]] = {}
        if not group.links:
            for row, slot, formula in group.formulas:
                self.at_start.setdefault(row, []).append((column_of[slot], dynamics.node(formula)))
        else:
            for row in np.flatnonzero(group.carries).tolist():
                for slot in dynamics.carried:
                    if group.slots[row, column_of[slot]] == KEEP:
                        node = self.system.output(self.system.parameters[slot])
                        left[row, column_of[slot]] = output(node), -1, True
                for slot, trigger in dynamics.triggers:
                    left[row, column_of[slot]] = output(dynamics.node(trigger)), -1, False
            for row, slot, formula in group.formulas:
                left[row, column_of[slot]] = output(dynamics.node(formula)), max(slot - n_parameters, -1), True
        found = [(row, column, place, state, smooth) for (row, column), (place, state, smooth) in left.items()]
        self.left_row, self.left_column, self.left_output, self.left_state, smooth = (
            np.array(found, dtype=np.int64).reshape(-1, 5).T
        )
        self.smooth = smooth.astype(float)
        self.restarts = np.flatnonzero(self.left_state >= 0)
        self.anew = np.zeros((self.rows, self.n_states), dtype=bool)
        self.anew[self.anew_row, self.anew_state] = True
        self.anew[self.left_row[self.restarts], self.left_state[self.restarts]] = True
        self.volumes = self._volumes(column_of, n_parameters, output) if group.links else []
        self.looks_back = bool(found or self.volumes)
        at_start = [column for targets in self.at_start.values() for column, _ in targets]
        self.handed_on = np.unique([*self.left_column[smooth == 1], *at_start]).astype(np.int64)
        """Columns that depend on a state somewhere."""

    def _volumes(self, column_of: dict[int, int], n_parameters: int, output: Callable[[int], int]) -> list[_Volume]:
        found = []
        for i, name in enumerate(self.system.states):
            if self.system.output(name) == self.system.graph.state(i):
                continue
            compartment = self.system.model.species_by_id[name].compartment
            slot = self.system.slots.get(compartment, -1)
            fixed = float(self.system.defaults[slot]) if 0 <= slot < n_parameters else np.nan
            found.append(
                _Volume(
                    i,
                    column_of.get(slot, -1) if slot < n_parameters else -1,
                    max(slot - n_parameters, -1) if slot >= 0 else -1,
                    fixed,
                    output(self.system.output(compartment)),
                )
            )
        return found

    # values

    def give(self, numbers: FloatArray, done: Sequence[Ended]) -> tuple[FloatArray, FloatArray | None]:
        """Raw values of the plan's columns (m, rows, columns) and start states (m, rows, states), for ``numbers``
        (values, m)."""
        raw = numbers.T[:, self.slots]
        if not self.links:
            for row, targets in self.at_start.items():
                for one in raw[:, row]:
                    self._set_at_start(one, targets)
            return raw, None
        starts = self._gather([one.states for one in done])
        if self.keeps:
            raw = np.where(self.given, raw, self._gather([one.raw for one in done]))
        starts[:, self.anew_row, self.anew_state] = numbers.T[:, self.anew_place]
        if self.looks_back:
            left = self._gather([one.outputs[:, :, -1] for one in done])
            handed = left[:, self.left_row, self.left_output]
            raw[:, self.left_row, self.left_column] = handed
            again = self.restarts
            starts[:, self.left_row[again], self.left_state[again]] = handed[:, again]
            for volume in self.volumes:
                starts[:, :, volume.changed] *= self._factor(volume, raw, starts, left).factor
        return raw, starts

    def _gather(self, arrays: Sequence[FloatArray]) -> FloatArray:
        """What the rows' parents have, row by row."""
        if len(self.links) == 1 and len(self.links[0].here) == self.rows:
            link = self.links[0]
            return arrays[link.group][:, link.there]
        first = arrays[self.links[0].group]
        found = np.empty((len(first), self.rows, *first.shape[2:]))
        for link in self.links:
            found[:, link.here] = arrays[link.group][:, link.there]
        return found

    def _factor(self, volume: _Volume, raw: FloatArray, starts: FloatArray, left: FloatArray) -> _Factor:
        """A change of volume keeps concentrations (PEtab), also of species whose amounts are what is integrated."""
        old = left[:, :, volume.output]
        if volume.column >= 0:
            new = raw[:, :, volume.column]
        elif volume.state >= 0:
            new = starts[:, :, volume.state]
        else:
            new = np.full(old.shape, volume.fixed)
        missing = np.isnan(new)
        new = np.where(missing, old, new)
        return _Factor(old, new, missing, np.where(self.anew[:, volume.changed], new, new / old))

    def _set_at_start(self, raw: FloatArray, targets: list[tuple[int, int]]) -> None:
        """Changes of a first period that depend on the model's own initial values."""
        system = self.system
        whole = system.defaults.copy()
        whole[self.columns] = raw
        start = python_function(system.graph, [*system.start_parameters, *system.start_states])(0.0, (), whole.tolist())
        split = len(system.parameters)
        p, x = start[:split] + [0.0] * len(system.discontinuities), start[split:]
        new = python_function(system.graph, [node for _, node in targets])(0.0, x, p)
        for (column, _), value in zip(targets, new, strict=True):
            raw[column] = value

    # derivatives along directions

    def push(
        self,
        numbers: FloatArray,
        derivatives: FloatArray,
        raw: FloatArray,
        starts: FloatArray | None,
        done: Sequence[Ended],
        moved: Sequence[Ended],
    ) -> tuple[FloatArray, FloatArray | None]:
        """Derivatives of what :meth:`give` gave, from ``derivatives`` (values, m, d) and those of what was before."""
        seeds = np.where(self.given[..., None], derivatives.transpose(1, 0, 2)[:, self.slots], 0.0)
        if starts is None:
            for row, targets in self.at_start.items():
                for one, seed in zip(numbers.T[:, self.slots[row]], seeds[:, row], strict=True):
                    seed[[column for column, _ in targets]] = self._start_jacobian(one, targets) @ seed
            return seeds, None
        moving = self._gather([one.states for one in moved])
        if self.keeps:
            seeds = np.where(self.given[..., None], seeds, self._gather([one.raw for one in moved]))
        moving[:, self.anew_row, self.anew_state] = derivatives.transpose(1, 0, 2)[:, self.anew_place]
        if self.looks_back:
            left = self._gather([one.outputs[:, :, -1] for one in done])
            d_left = self._gather([one.outputs[:, :, -1] for one in moved])
            handed = d_left[:, self.left_row, self.left_output] * self.smooth[:, None]
            seeds[:, self.left_row, self.left_column] = handed
            again = self.restarts
            moving[:, self.left_row[again], self.left_state[again]] = handed[:, again]
            for volume in self.volumes:
                self._push_volume(volume, raw, seeds, starts, moving, left, d_left)
        return seeds, moving

    def _push_volume(
        self,
        volume: _Volume,
        raw: FloatArray,
        seeds: FloatArray,
        starts: FloatArray,
        moving: FloatArray,
        left: FloatArray,
        d_left: FloatArray,
    ) -> None:
        """start = given * factor, where the factor is the new volume or its growth."""
        old, _, missing, factor = self._factor(volume, raw, starts, left)
        d_old = d_left[:, :, volume.output]
        if volume.column >= 0:
            d_new = seeds[:, :, volume.column]
        else:
            d_new = moving[:, :, volume.state] if volume.state >= 0 else np.zeros_like(d_old)
        d_new = np.where(missing[..., None], d_old, d_new)
        fresh = self.anew[:, volume.changed][:, None]
        growth = np.where(fresh, d_new, (d_new - factor[..., None] * d_old) / old[..., None])
        given = starts[:, :, volume.changed] / factor
        moving[:, :, volume.changed] = moving[:, :, volume.changed] * factor[..., None] + given[..., None] * growth

    def _start_jacobian(self, raw: FloatArray, targets: list[tuple[int, int]]) -> FloatArray:
        """d changes / d columns of ``raw``, where the changes depend on the model's own initial values."""
        system, graph = self.system, self.system.graph
        before = system.defaults.copy()
        before[self.columns] = raw
        n_raw, n, base = len(before), len(system.states), system.n_parameters
        seeds = np.zeros((n_raw, len(self.columns)))
        seeds[self.columns, np.arange(len(self.columns))] = 1.0
        raw_seeds = {graph.param(i): graph.param(n_raw + i) for i in range(n_raw)}
        nodes = [*system.start_parameters, *system.start_states]
        start = array_function(graph, [*nodes, *forward_derivatives(graph, nodes, raw_seeds)])
        with np.errstate(all="ignore"):
            found = start(0.0, (), [*before, *seeds])
        width, split = len(nodes), len(system.parameters)
        discontinuities = [0.0] * len(system.discontinuities)
        p, x = [*found[:split], *discontinuities], found[split:width]
        dp, dx = [*found[width : width + split], *discontinuities], found[width + split :]
        later = {graph.param(i): graph.param(base + i) for i in range(base)}
        later |= {graph.state(i): graph.param(2 * base + i) for i in range(n)}
        change = array_function(graph, forward_derivatives(graph, [node for _, node in targets], later))
        with np.errstate(all="ignore"):
            derivatives = change(0.0, x, [*p, *dp, *dx])
        return np.array([np.broadcast_to(one, len(self.columns)) for one in derivatives], dtype=float)

    # derivatives of an objective

    def pull(
        self,
        raw_bars: FloatArray,
        start_bars: FloatArray,
        numbers: FloatArray,
        raw: FloatArray,
        starts: FloatArray | None,
        done: Sequence[Ended],
        bars: FloatArray,
        earlier: Sequence[Ended],
    ) -> None:
        """The transpose of :meth:`push`: from derivatives by raw values and start states, which are overwritten, to
        those by numbers (added to ``bars``, (values, m)) and by what was before (added to ``earlier``)."""
        if starts is None:
            for row, targets in self.at_start.items():
                own = [column for column, _ in targets]
                for one, bar in zip(numbers.T[:, self.slots[row]], raw_bars[:, row], strict=True):
                    pulled = bar[own] @ self._start_jacobian(one, targets)
                    bar[own] = 0.0
                    bar += pulled
        else:
            if self.looks_back:
                self._pull_left(raw_bars, start_bars, raw, starts, done, earlier)
            fresh = start_bars[:, self.anew_row, self.anew_state]
            scatter_add(bars, self.anew_place, fresh.T)
            start_bars[:, self.anew_row, self.anew_state] = 0.0
            self._spread(start_bars, [one.states for one in earlier])
            if self.keeps:
                self._spread(np.where(self.given, 0.0, raw_bars), [one.raw for one in earlier])
        scatter_add(bars, self.slots[self.given], raw_bars[:, self.given].T)

    def _pull_left(
        self,
        raw_bars: FloatArray,
        start_bars: FloatArray,
        raw: FloatArray,
        starts: FloatArray,
        done: Sequence[Ended],
        earlier: Sequence[Ended],
    ) -> None:
        left = self._gather([one.outputs[:, :, -1] for one in done])
        left_bars = np.zeros_like(left)
        for volume in reversed(self.volumes):
            old, new, missing, factor = self._factor(volume, raw, starts, left)
            fresh = self.anew[:, volume.changed]
            bar = start_bars[:, :, volume.changed].copy()
            pulled = bar * starts[:, :, volume.changed] / factor  # by the factor
            start_bars[:, :, volume.changed] = bar * factor
            by_new = np.where(fresh, pulled, pulled / old)
            by_old = np.where(fresh, 0.0, -pulled * new / old**2) + np.where(missing, by_new, 0.0)
            by_new = np.where(missing, 0.0, by_new)
            left_bars[:, :, volume.output] += by_old
            if volume.column >= 0:
                raw_bars[:, :, volume.column] += by_new
            elif volume.state >= 0:
                start_bars[:, :, volume.state] += by_new
        again, handed = self.restarts, raw_bars[:, self.left_row, self.left_column] * self.smooth
        raw_bars[:, self.left_row, self.left_column] = 0.0
        handed[:, again] += start_bars[:, self.left_row[again], self.left_state[again]]
        start_bars[:, self.left_row[again], self.left_state[again]] = 0.0
        for i, (row, place) in enumerate(zip(self.left_row.tolist(), self.left_output.tolist(), strict=True)):
            left_bars[:, row, place] += handed[:, i]
        self._spread(left_bars, [one.outputs[:, :, -1] for one in earlier])

    def _spread(self, bars: FloatArray, targets: Sequence[FloatArray]) -> None:
        """The transpose of :meth:`_gather`: add what rows have to what their parents have."""
        for link in self.links:
            target = targets[link.group]
            for here, there in zip(link.here.tolist(), link.there.tolist(), strict=True):
                target[:, there] += bars[:, here]


class _Factor(NamedTuple):
    """Volumes before and after a change, where the latter is not given, and what it multiplies a state by."""

    old: FloatArray
    new: FloatArray
    missing: BoolArray
    factor: FloatArray
