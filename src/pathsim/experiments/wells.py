"""Many wells at once as plain numbers: a plan whose list of numbers is the settings of the wells themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..model import Model
from ..solve import Solver, reduction_of
from .dynamics import Dynamics
from .plan import Group, Link, Plan
from .run import Runner
from .timecourse import system_of

AT_ONCE = 1000
"""Wells whose last step runs in one call of the solver: what that needs does not grow with their number."""


@dataclass(frozen=True, eq=False)
class Wells:
    """``n`` wells of one protocol: rest, then one medium after another, then the readings.

    ``columns`` (k,): slots of the raw vector that differ from the model's own numbers. ``rest`` (n, k): the medium in
    which cells come to rest. ``media``: one (n, k) per step. ``minutes``: one (n,) per step but the last.
    """

    columns: IntArray
    rest: FloatArray
    media: Sequence[FloatArray]
    minutes: Sequence[FloatArray]


@dataclass(frozen=True, eq=False)
class WellReadings:
    """``values`` (n, times, outputs), NaN for the wells in ``failures``, which says why."""

    values: FloatArray
    failures: dict[int, str]


def read_wells(
    model: Model,
    wells: Wells,
    times: FloatArray,
    nodes: Sequence[int],
    solver: Solver | None = None,
    workers: int | None = None,
    *,
    of_many: bool = False,
) -> WellReadings:
    """Simulate every well and read ``nodes`` at ``times`` (minutes from the start of the last step).

    A well that fails carries a sentence and does not disturb the others. ``of_many``: there are so many wells in all
    that code of their own pays, made of what they do not share (:mod:`pathsim.solve.equations.reduction`).
    """
    plan, numbers = plan_of_wells(wells, times)
    system = system_of(model)
    reduction = reduction_of(system, tuple(plan.columns.tolist()), tuple(nodes)) if of_many else None
    outcome = Runner(Dynamics(system), plan, nodes, reduction).run(numbers, solver, workers)
    firsts = range(0, len(wells.rest), AT_ONCE)
    values = np.concatenate([one.outputs[0, :, :, : len(nodes)] for one in outcome.groups[-len(firsts) :]])
    last = zip(firsts, outcome.failures[-len(firsts) :], strict=True)
    failures = {first + row: said for first, found in last for (_, row), said in found.items()}
    values[list(failures)] = np.nan
    return WellReadings(values, failures)


def plan_of_wells(wells: Wells, times: FloatArray) -> tuple[Plan, FloatArray]:
    """The plan and its list of numbers (values, 1): wells that share their past share its simulations. Groups of
    :data:`AT_ONCE` wells, the last ones, take the last step."""
    k = len(wells.columns)
    past, firsts = distinct(wells.rest)
    numbers = [wells.rest[firsts]]
    stage = "coming to rest before the first step: "
    groups = [Group(True, _places(0, len(firsts), k), np.zeros((1, 1)), hands_on=True, stage=stage)]
    used = numbers[0].size
    for number, (medium, minutes) in enumerate(zip(wells.media[:-1], wells.minutes, strict=True)):
        here, firsts = distinct(np.column_stack([past, minutes, medium]))
        link = Link(number, np.arange(len(firsts)), past[firsts])
        groups.append(
            Group(
                False,
                _places(used, len(firsts), k),
                minutes[firsts, None],
                (link,),
                hands_on=True,
                stage=f"step {number + 1}: ",
            )
        )
        numbers.append(medium[firsts])
        used, past = used + numbers[-1].size, here
    before = len(groups) - 1
    for first in range(0, len(past), AT_ONCE):
        there = past[first : first + AT_ONCE]
        link = Link(before, np.arange(len(there)), there)
        groups.append(Group(False, _places(used, len(there), k), np.atleast_2d(times), (link,)))
        used += len(there) * k
    numbers.append(wells.media[-1])
    return Plan(wells.columns, tuple(groups)), np.concatenate([one.ravel() for one in numbers])[:, None]


def _places(first: int, rows: int, columns: int) -> IntArray:
    """Where the settings of ``rows`` simulations stand that lie one after another from ``first`` on."""
    return np.arange(first, first + rows * columns).reshape(rows, columns)


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
