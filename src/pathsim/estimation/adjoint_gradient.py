"""Gradients of PEtab problems by the adjoint, at many vectors at once: the cost does not grow with the parameters.

Everything around the solver is one array operation for all vectors, so that small models cost little more than their
simulations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ..arrays import FloatArray, IntArray
from ..experiments.forward import Tangents
from ..experiments.plan import KEEP
from ..solve import Rosenbrock
from ..solve.sensitivities.recording_parts import Parts, record_parts
from .many import density_slopes, log_densities
from .scales import BENDS
from .slopes import likelihood_slopes, value_slopes

if TYPE_CHECKING:
    from .problem import PartPlan, Problem

DIRECTIONS = 8
LARGEST_ERROR = 30.0
"""Of tangents, over what is tolerated; where states stand still it is in the thousands."""
TOGETHER = 64
"""Vectors whose steps are kept at the same time: more would leave the processor's cache."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """At m vectors: negative log likelihoods (m,), gradients (m, d) on scale, and why where there is none.

    After a failure the value is infinite and the gradient NaN.
    """

    values: FloatArray
    gradients: FloatArray
    failures: tuple[str, ...]


def likelihood_gradient(problem: Problem, theta: FloatArray) -> tuple[float, FloatArray, str]:
    """The negative log likelihood (no priors), its gradient by theta, and the reason where there is none.

    By the adjoint, whose cost does not grow with the number of parameters; by tangents where that cannot go back
    through all that happens, or where steps that suit the states do not suit their derivatives.
    """
    if np.isfinite(theta).all() and suits_adjoint(problem) and steps_suit_tangents(problem, _off(problem, theta)):
        many = adjoint_gradients(problem, theta[None])
        value, gradient, why = float(many.values[0]), many.gradients[0], many.failures[0]
        return value, gradient, why or ("" if np.isfinite(gradient).all() else "the gradient is not finite")
    found = likelihood_slopes(problem, theta)
    return found.value, found.gradient, found.failure


@lru_cache(maxsize=64)
def suits_adjoint(problem: Problem) -> bool:
    """Whether periods hand on nothing but states: what the adjoint goes back through."""
    for plan in problem.plans:
        simulator = plan.simulator
        if simulator._volumes:
            return False
        for group in simulator.schedule.groups:
            if group.carries.any() or any(group.formulas):
                return False
    return isinstance(problem.solver, Rosenbrock)


def _off(problem: Problem, theta: FloatArray) -> tuple[int, ...]:
    """Entries of ``theta`` that are exactly zero, and so may leave states at rest that they would move."""
    return tuple(i for i in np.flatnonzero(theta == 0.0).tolist() if problem.scales[i] == "lin")


@lru_cache(maxsize=256)
def steps_suit_tangents(problem: Problem, off: tuple[int, ...] = ()) -> bool:
    """Whether steps chosen for the states alone resolve their derivatives too, where parameters are nominal.

    They do not where a state stands still that a parameter would move. Looked at along a few random directions, once
    for each set ``off`` of parameters that are zero.
    """
    assert isinstance(problem.solver, Rosenbrock)
    with np.errstate(invalid="ignore"):
        middle = 0.5 * (problem.lower + problem.upper)
    theta = np.where(np.isfinite(problem.theta), problem.theta, middle)
    theta[list(off)] = 0.0
    if not np.isfinite(theta).all():
        return False
    table = problem.table_values(theta)
    directions = np.random.default_rng(0).standard_normal((len(theta), DIRECTIONS))
    slopes = value_slopes(problem, table, theta) @ directions
    for plan in problem.plans:
        moving = Tangents(plan.simulator, problem.value_table(table), slopes, problem.solver)
        moving.run(refinements=0)
        if moving.failure or moving.error > LARGEST_ERROR:
            return False
    return True


def adjoint_gradients(problem: Problem, thetas: FloatArray) -> Gradients:
    """Negative log likelihoods (no priors) and their gradients at ``thetas`` (m, d) of a problem that suits."""
    assert isinstance(problem.solver, Rosenbrock)
    pieces = [_Batch(problem, problem.solver, thetas[i : i + TOGETHER]).run() for i in range(0, len(thetas), TOGETHER)]
    return Gradients(
        np.concatenate([piece.values for piece in pieces]), np.concatenate([piece.gradients for piece in pieces]),
        tuple(why for piece in pieces for why in piece.failures),
    )  # fmt: skip


class _Batch:
    """One run of all simulations of some vectors, forth and back."""

    def __init__(self, problem: Problem, solver: Rosenbrock, thetas: FloatArray) -> None:
        self.problem, self.solver = problem, solver
        self.m = len(thetas)
        self.failures = [""] * self.m
        self.estimated = np.array([i for i, p in enumerate(problem.parameters) if p.estimated], dtype=np.int64)
        bend = np.array([BENDS[scale] for scale in problem.scales])[:, None]
        natural = np.where(bend > 0, np.exp(thetas.T * bend), thetas.T)
        self.stretch = np.where(bend > 0, natural * bend, 1.0)
        self.table = np.tile(np.array([[p.nominal] for p in problem.parameters], dtype=float), (1, self.m))
        self.table[self.estimated] = natural
        values = problem.value_table
        self.values = np.tile(values.constants[:, None], (1, self.m))
        self.values[values.plain[:, 0]] = self.table[values.plain[:, 1]]
        if values.proper:
            self.values = np.stack([values(column) for column in self.table.T], axis=1)
        self.bars = np.zeros_like(self.values)
        self.total = np.zeros(self.m)

    def run(self) -> Gradients:
        with np.errstate(all="ignore"):
            for plan, columns in zip(self.problem.plans, self.problem.moving_columns, strict=True):
                self._part(plan, columns)
        failed = np.array([bool(why) for why in self.failures])
        for i in np.flatnonzero(~np.isfinite(self.total) & ~failed):
            self.failures[i], failed[i] = "the likelihood is not a finite number", True
        gradients = (self._by_table()[self.estimated] * self.stretch).T
        gradients[failed] = np.nan
        return Gradients(np.where(failed, math.inf, self.total), gradients, tuple(self.failures))

    def _by_table(self) -> FloatArray:
        """Derivatives by the values of the parameter table, (parameters, m)."""
        values = self.problem.value_table
        if values.proper:
            return np.stack(
                [values.jacobian(column).T @ bar for column, bar in zip(self.table.T, self.bars.T, strict=True)], axis=1
            )
        summed = np.zeros_like(self.table)
        _add(summed, values.plain[:, 1], self.bars[values.plain[:, 0]])
        return summed

    def _part(self, plan: PartPlan, columns: IntArray) -> None:
        recordings = self._forth(plan)
        flat = np.concatenate([recording.values.reshape(self.m, -1) for recording in recordings], axis=1).T
        flat_bars = np.zeros_like(flat)
        for kind in plan.kinds:
            leaves = kind.leaves(flat, self.values) if len(kind.sources) else [np.zeros((len(kind.rows), self.m))]
            found, count = kind.slopes(leaves), len(kind.shape.simulated)
            y, sigma = found[0], found[1]
            self.total -= log_densities(kind, y, sigma).sum(axis=0)
            by_y, by_sigma = density_slopes(kind, y, sigma)
            for i, (simulated, places) in enumerate(zip(kind.shape.simulated, kind.sources, strict=True)):
                weight = -(by_y * found[2 + i] + by_sigma * found[2 + count + i])
                _add(flat_bars if simulated else self.bars, places, weight)
        ends = np.cumsum([0, *(recording.values.size // self.m for recording in recordings)])
        parts = [
            flat_bars[ends[i] : ends[i + 1]].T.reshape(recording.values.shape) for i, recording in enumerate(recordings)
        ]
        self._back(plan, columns, recordings, parts)

    def _forth(self, plan: PartPlan) -> list[Parts]:
        """Record every group; rows lie vector by vector."""
        simulator, made = plan.simulator, list[Parts]()
        schedule, n = simulator.schedule, len(simulator.system.states)
        for group in schedule.groups:
            raw = np.where((group.slots != KEEP)[:, :, None], self.values[group.slots],
                           simulator.system.defaults[None, :, None])  # fmt: skip
            starts = None
            if group.continues:
                anew = self.values[group.states].transpose(2, 0, 1)
                kept = np.stack([
                    made[before].x.reshape(self.m, len(schedule.groups[before].times), n)[:, line]
                    for before, line in schedule.where[group.parents]
                ], axis=1)  # fmt: skip
                starts = np.where(group.states != KEEP, anew, kept).reshape(len(group.times) * self.m, n)
            times = np.tile(group.times, (self.m, 1))
            recording = record_parts(
                simulator.system, raw.transpose(2, 0, 1).reshape(len(times), raw.shape[1]), times, simulator.nodes,
                self.solver, start_states=starts, until_steady=group.settles, workers=self.problem.workers,
            )  # fmt: skip
            for row, why in recording.failures.items():
                vector, line = divmod(row, len(group.times))
                self.failures[vector] = self.failures[vector] or f"{group.labels[line]}: {why}"
            made.append(recording)
        return made

    def _back(self, plan: PartPlan, columns: IntArray, recordings: list[Parts], parts: list[FloatArray]) -> None:
        """From derivatives by outputs to derivatives by the value list, last group first.

        ``columns`` are the raw values that the estimated parameters move.
        """
        schedule = plan.simulator.schedule
        n = len(plan.simulator.system.states)
        x_bars = [np.zeros((self.m, len(group.times), n)) for group in schedule.groups]
        for number in reversed(range(len(recordings))):
            group = schedule.groups[number]
            x_bar = x_bars[number].reshape(len(parts[number]), n)
            pulled = recordings[number].pull_back(parts[number], x_bar, columns.tolist())
            slots = group.slots[:, columns]
            given = slots != KEEP
            raw = pulled.raw.reshape(self.m, *slots.shape)[:, given]
            _add(self.bars, slots[given], raw.T)
            if not group.continues:
                continue
            start, anew = pulled.start.reshape(self.m, len(group.times), n), group.states != KEEP
            _add(self.bars, group.states[anew], start[:, anew].T)
            for row, parent in enumerate(group.parents):
                before, line = schedule.where[parent]
                x_bars[before][:, line] += np.where(anew[row], 0.0, start[:, row])


def _add(target: FloatArray, places: IntArray, weights: FloatArray) -> None:
    """``target[places[i]] += weights[i]`` for all i, (count, m)."""
    size, count = len(target), len(places)
    if weights.shape[1] == 1:
        target[:, 0] += np.bincount(places, weights[:, 0], size)
    else:
        into = sparse.csc_array((np.ones(count), places, np.arange(count + 1)), shape=(size, count))
        target += np.asarray(into @ weights)
