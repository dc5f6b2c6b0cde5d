"""Slopes of the objective at many parameter vectors at once, roughly: what many local searches in step need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..solve import Rosenbrock
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
    values = np.stack([problem.value_table(table) for table in tables], axis=1)
    slopes = np.stack([value_slopes(problem, table, theta) for table, theta in zip(tables, thetas, strict=True)], 1)
    found = [Slopes(0.0, np.zeros(d), np.zeros((d, d))) for _ in range(m)]
    for plan in problem.plans:
        live = [i for i in range(m) if not found[i].failure]
        if not live:
            break
        moving = plan.runner.forward(values[:, live], slopes[:, live], solver, refinements=0)
        for column, i in enumerate(live):
            if why := moving.outcome.failure(column):
                found[i] = Slopes.failed(d, why)
                continue
            value, gradient, fisher = found[i].value, found[i].gradient, found[i].fisher
            flat, flat_slopes = moving.of(column)
            for kind in plan.kinds:
                part = kind_slopes(kind, flat, flat_slopes, values[:, i], slopes[:, i])
                value, gradient, fisher = value + part.value, gradient + part.gradient, fisher + part.fisher
            found[i] = Slopes(value, gradient, fisher)
    return [checked(one) for one in found]
