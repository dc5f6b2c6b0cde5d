"""Gradients of large PEtab problems by the adjoint: the cost does not grow with the number of parameters."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..solve import Rosenbrock
from ..solve.adjoint import pull_back
from ..solve.recording import Recording, record_rows
from .problem import PartPlan, Problem
from .schedule import KEEP
from .simulate import GroupRun

FloatArray = npt.NDArray[np.float64]


def suits_adjoint(problem: Problem) -> bool:
    """Whether periods hand on nothing but states, and no event waits: what the adjoint goes back through."""
    for plan in problem.plans:
        simulator = plan.simulator
        if simulator._volumes or any(event.delay is not None for event in simulator.system.events):
            return False
        for group in simulator.schedule.groups:
            if group.carries.any() or any(group.formulas):
                return False
    return isinstance(problem.solver, Rosenbrock)


def adjoint_gradient(problem: Problem, theta: FloatArray, slopes: FloatArray) -> tuple[float, FloatArray, str]:
    """Negative log likelihood, its gradient by theta, and the reason where there is none.

    ``slopes`` (values, d) are the derivatives of the value list by theta.
    """
    values = problem.value_table(problem.table_values(theta))
    value_bars = np.zeros(len(values))
    total = 0.0
    for plan in problem.plans:
        share, why = _part(plan, values, value_bars, problem.solver)  # type: ignore[arg-type]
        if why:
            return math.inf, np.zeros(slopes.shape[1]), why
        total += share
    return total, value_bars @ slopes, ""


def _part(plan: PartPlan, values: FloatArray, value_bars: FloatArray, solver: Rosenbrock) -> tuple[float, str]:
    """One part's share of the value; its derivatives are added to ``value_bars``."""
    simulator = plan.simulator
    runs: list[GroupRun] = []
    recordings: list[Recording] = []
    for group in simulator.schedule.groups:
        raw, starts = simulator._start(group, values, runs)
        recording = record_rows(simulator.system, raw, group.times, simulator.nodes, solver, start_states=starts,
                                until_steady=group.settles)  # fmt: skip
        failed = np.flatnonzero(recording.rows.status)
        if failed.size:
            first = int(failed[0])
            return math.inf, f"{group.labels[first]}: {recording.rows.sentence(first)}"
        recordings.append(recording)
        runs.append(GroupRun(raw, starts, recording.rows.values, recording.rows.x))
    flat = np.concatenate([run.outputs.ravel() for run in runs])
    flat_bars = np.zeros(len(flat))
    total = 0.0
    for kind in plan.kinds:
        found = kind.slopes(kind.leaves(flat, values))
        y, sigma, count = found[0], found[1], len(kind.shape.simulated)
        total -= float(kind.log_densities(y, sigma).sum())
        by_y, by_sigma = kind.density_slopes(y, sigma)
        for i, (simulated, places) in enumerate(zip(kind.shape.simulated, kind.sources, strict=True)):
            weight = -(by_y * found[2 + i] + by_sigma * found[2 + count + i])
            np.add.at(flat_bars if simulated else value_bars, places, weight)
    if not math.isfinite(total):
        return math.inf, "the likelihood is not a finite number"
    _back(plan, runs, recordings, flat_bars, value_bars)
    return total, ""


def _back(
    plan: PartPlan, runs: list[GroupRun], recordings: list[Recording], flat_bars: FloatArray, value_bars: FloatArray
) -> None:
    """From derivatives by outputs to derivatives by the value list, last group first."""
    schedule = plan.simulator.schedule
    offsets = plan.simulator.offsets()
    x_bars = [np.zeros((len(run.raw), len(plan.simulator.system.states))) for run in runs]
    for number in reversed(range(len(runs))):
        group, shape = schedule.groups[number], runs[number].outputs.shape
        bars = flat_bars[offsets[number] : offsets[number] + math.prod(shape)].reshape(shape)
        pulled = pull_back(recordings[number], bars, x_bars[number])
        given = group.slots != KEEP
        np.add.at(value_bars, group.slots[given], pulled.raw[given])
        if not group.continues:
            continue
        anew = group.states != KEEP
        np.add.at(value_bars, group.states[anew], pulled.start[anew])
        for row, parent in enumerate(group.parents):
            before, line = schedule.where[parent]
            x_bars[before][line] += np.where(anew[row], 0.0, pulled.start[row])
