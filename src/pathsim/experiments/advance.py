"""One period of many cells, for studies that decide what comes next from what came before: dosing of animals, a host
whose hormones the tumour feels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..errors import SimulationError
from ..solve import Rows, Solver, System, run_rows, settle_rows
from .conditions import while_resting


@dataclass(frozen=True, eq=False)
class Advanced:
    """``values`` (n, times, outputs) and the ``states`` (n, states) that rows end in."""

    values: FloatArray
    states: FloatArray


def come_to_rest(
    system: System, settings: FloatArray, label: str, solver: Solver | None = None, workers: int | None = None
) -> FloatArray:
    """States (n, states) at rest under ``settings`` (n, raw values).

    Raises :class:`SimulationError` that starts with ``label`` for the first row that does not come to rest.
    """
    resting = settings.copy()
    for name, value in while_resting(system).items():
        resting[:, system.slot(name)] = value
    rows = settle_rows(system, resting, [], solver, workers=workers)
    _refuse_failures(rows, label)
    return rows.x


def advance(
    system: System,
    settings: FloatArray,
    times: FloatArray,
    outputs: Sequence[int],
    states: FloatArray,
    label: str,
    solver: Solver | None = None,
    workers: int | None = None,
) -> Advanced:
    """Go on from ``states`` (n, states) under ``settings`` (n, raw values), sampling ``outputs`` (graph nodes) at
    ``times``.

    Raises :class:`SimulationError` that starts with ``label`` for the first row that failed.
    """
    rows = run_rows(system, settings, times, outputs, solver, start_states=states, last_states=True, workers=workers)
    _refuse_failures(rows, label)
    return Advanced(rows.values, rows.x)


def _refuse_failures(rows: Rows, label: str) -> None:
    failed = np.flatnonzero(rows.status)
    if failed.size:
        raise SimulationError(f"{label}: {rows.sentence(int(failed[0]))}")
