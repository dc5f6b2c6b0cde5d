"""Rows of a whole system by a reduced one: settings and states of the whole go in and come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ...arrays import FloatArray
from ..equations.reduction import Reduction, reduced
from ..equations.system import System
from ..solvers import Rosenbrock
from .batch import Rows, run_rows


@lru_cache(maxsize=16)
def reduction_of(system: System, columns: tuple[int, ...], outputs: tuple[int, ...]) -> Reduction | None:
    """As :func:`pathsim.solve.equations.reduction.reduced`, found once."""
    return reduced(system, columns, outputs)


def run_reduced_rows(
    whole: System,
    reduction: Reduction,
    settings: FloatArray,
    times: FloatArray,
    solver: Rosenbrock | None = None,
    *,
    start_states: FloatArray,
    last_states: bool = False,
    workers: int | None = None,
) -> Rows:
    """As :func:`run_rows` with the columns and outputs of the reduction, ``start_states`` (n, states) of the whole
    system. Last states that no output reaches are those of the start."""
    totals = [one.of(start_states) for one in reduction.totals]
    slack, solver = reduction.slack, solver or Rosenbrock()
    rows = run_rows(
        reduction.system,
        np.column_stack([settings[:, reduction.settings], *totals]),
        times,
        reduction.outputs,
        replace(solver, rtol=slack * solver.rtol, atol=None if solver.atol is None else slack * solver.atol),
        columns=reduction.columns,
        start_states=np.ascontiguousarray(start_states[:, reduction.states]),
        last_states=last_states,
        workers=workers,
    )
    named = (rows.state >= 0) & (rows.state < len(reduction.states))
    state = rows.state.copy()
    state[named] = reduction.states[rows.state[named]]
    x = _whole_states(reduction, start_states, rows.x, totals) if last_states else rows.x
    return replace(rows, system=whole, state=state, x=x)


def _whole_states(reduction: Reduction, starts: FloatArray, x: FloatArray, totals: Sequence[FloatArray]) -> FloatArray:
    """States of the whole system, those that follow from totals included."""
    found = starts.copy()
    found[:, reduction.states] = x
    for one, total in zip(reduction.totals, totals, strict=True):
        others = [weight * found[:, state] for state, weight in one.weights if state != one.dependent]
        found[:, one.dependent] = total - sum(others)
    return found
