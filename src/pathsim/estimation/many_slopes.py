"""Slopes of the objective at many parameter vectors at once, roughly: what many local searches in step need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..experiments.forward import Moving, Tangents
from ..experiments.plan import Group
from ..experiments.run import GroupRun
from ..solve import Rosenbrock
from ..solve.sensitivities.forward import differentiate
from ..solve.sensitivities.recording import record_rows
from .objective import Slopes, checked
from .slopes import kind_slopes, value_slopes

if TYPE_CHECKING:
    from .problem import Problem


def slopes_many(problem: Problem, thetas: FloatArray, solver: Rosenbrock) -> list[Slopes]:
    """Negative log likelihood of the measurements (no priors) with derivatives by each of ``thetas`` (m, d), on scale.

    All vectors go through the solver together; the error of tangents is not controlled.
    """
    m, d = thetas.shape
    finite = [bool(np.isfinite(theta).all()) for theta in thetas]
    if not all(finite):
        others = iter(slopes_many(problem, thetas[finite], solver))
        return [next(others) if fine else Slopes.failed(d, "a parameter is not a finite number") for fine in finite]
    tables = [problem.table_values(theta) for theta in thetas]
    values = [problem.value_table(table) for table in tables]
    slopes = [value_slopes(problem, table, theta) for table, theta in zip(tables, thetas, strict=True)]
    found = [Slopes(0.0, np.zeros(d), np.zeros((d, d))) for _ in range(m)]
    for plan in problem.plans:
        moving = [Tangents(plan.simulator, values[i], slopes[i], solver) for i in range(m)]
        for group in plan.simulator.schedule.groups:
            _run(group, [one for one, so_far in zip(moving, found, strict=True) if not (one.failure or so_far.failure)])
        for i, one in enumerate(moving):
            if one.failure or found[i].failure:
                found[i] = Slopes.failed(d, found[i].failure or one.failure)
                continue
            value, gradient, fisher = found[i].value, found[i].gradient, found[i].fisher
            flat, flat_slopes = one.flat
            for kind in plan.kinds:
                part = kind_slopes(kind, flat, flat_slopes, values[i], slopes[i])
                value, gradient, fisher = value + part.value, gradient + part.gradient, fisher + part.fisher
            found[i] = Slopes(value, gradient, fisher)
    return [checked(one) for one in found]


def _run(group: Group, moving: list[Tangents]) -> None:
    """One group of all vectors in one call of the solver."""
    if not moving:
        return
    begun = [one.begin(group) for one in moving]
    raw = np.concatenate([raw for raw, *_ in begun])
    seeds = np.concatenate([seeds for _, _, seeds, _ in begun])
    starts = _joined([starts for _, starts, _, _ in begun])
    start_seeds = _joined([start_seeds for *_, start_seeds in begun])
    first = moving[0]
    times = np.tile(group.times, (len(moving), 1))
    recording = record_rows(
        first.system, raw, times, first.simulator.nodes, first.solver, start_states=starts, until_steady=group.settles
    )
    tangents = differentiate(recording, seeds, start_seeds, first.solver)
    rows = len(group.times)
    for i, one in enumerate(moving):
        part = slice(i * rows, (i + 1) * rows)
        run = GroupRun(raw[part], begun[i][1], recording.rows.values[part], recording.rows.x[part])
        one.done.append(Moving(run, seeds[part], tangents.values[part], tangents.x[part]))
        failed = np.flatnonzero(recording.rows.status[part])
        if failed.size:
            one.failure = f"{group.labels[int(failed[0])]}: {recording.rows.sentence(i * rows + int(failed[0]))}"


def _joined(parts: list[FloatArray | None]) -> FloatArray | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None
