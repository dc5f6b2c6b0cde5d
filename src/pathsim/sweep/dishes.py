"""Many dishes as plain numbers: rest, then one medium after another, then the readings.

Dishes that share their past (a steady state, a starvation) share its simulation. A dish that fails carries a sentence
and does not disturb the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..solve import Rows, Solver, System, run_rows, settle_rows


@dataclass(frozen=True, eq=False)
class Dishes:
    """``n`` dishes of one protocol.

    ``columns`` (k,): slots of the raw vector that differ from the model's own numbers. ``rest`` (n, k): the medium in
    which cells come to rest. ``media``: one (n, k) per step. ``minutes``: one (n,) per step but the last.
    """

    columns: IntArray
    rest: FloatArray
    media: Sequence[FloatArray]
    minutes: Sequence[FloatArray]


@dataclass(frozen=True, eq=False)
class Readings:
    """``values`` (n, times, outputs), NaN for the dishes in ``failures``, which says why."""

    values: FloatArray
    failures: dict[int, str]


def run_dishes(
    system: System,
    dishes: Dishes,
    times: FloatArray,
    nodes: Sequence[int],
    solver: Solver | None = None,
    workers: int | None = None,
) -> Readings:
    """Simulate every dish and read ``nodes`` at ``times`` (minutes from the start of the last step)."""
    n = len(dishes.rest)
    past, firsts = distinct(dishes.rest)
    rested = settle_rows(system, dishes.rest[firsts], [], solver, columns=dishes.columns, workers=workers)
    states = rested.x
    said = _sentences(rested, "coming to rest before the first step")
    for number, (medium, minutes) in enumerate(zip(dishes.media[:-1], dishes.minutes, strict=True)):
        here, firsts = distinct(np.column_stack([past, minutes, medium]))
        parents = past[firsts]
        well = np.flatnonzero([not said[parent] for parent in parents])
        rows = run_rows(
            system, medium[firsts[well]], minutes[firsts[well], None], [], solver, columns=dishes.columns,
            start_states=states[parents[well]], last_states=True, workers=workers,
        )  # fmt: skip
        said = [said[parent] for parent in parents]
        for i, sentence in zip(well, _sentences(rows, f"step {number + 1}"), strict=True):
            said[i] = sentence
        states = np.full((len(firsts), states.shape[1]), np.nan)
        states[well], past = rows.x, here
    values = np.full((n, len(times), len(nodes)), np.nan)
    well = np.flatnonzero([not said[group] for group in past])
    rows = run_rows(
        system, dishes.media[-1][well], times, nodes, solver, columns=dishes.columns,
        start_states=states[past[well]], workers=workers,
    )  # fmt: skip
    values[well] = rows.values
    failures = {i: said[group] for i, group in enumerate(past) if said[group]}
    failures |= {int(well[i]): rows.sentence(int(i)) for i in np.flatnonzero(rows.status)}
    values[list(failures)] = np.nan
    return Readings(values, failures)


def distinct(rows: FloatArray) -> tuple[IntArray, IntArray]:
    """The group of each row of equal rows, numbered by first appearance, and the first row of each group."""
    known: dict[bytes, int] = {}
    firsts: list[int] = []
    groups = np.empty(len(rows), dtype=np.int64)
    for i, row in enumerate(np.ascontiguousarray(rows)):
        key = row.tobytes()
        group = known.get(key)
        if group is None:
            group = known[key] = len(firsts)
            firsts.append(i)
        groups[i] = group
    return groups, np.array(firsts, dtype=np.int64)


def _sentences(rows: Rows, where: str) -> list[str]:
    """Empty for a simulation that went well, else what happened and when."""
    return [f"{where}: {rows.sentence(i)}" if status else "" for i, status in enumerate(rows.status)]
