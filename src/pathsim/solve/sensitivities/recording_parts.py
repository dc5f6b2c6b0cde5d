"""Rows recorded and pulled back in parts, one thread each; what a row gives does not depend on the part it is in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from ...arrays import FloatArray
from ...threads import processors, threads
from ..equations.system import System
from ..integrate.batch import Rows, settle_rows
from ..llvm.layout import LANES
from ..solvers import Rosenbrock
from .adjoint import Pulled, pull_back
from .at_rest import is_plain, pull_at_rest
from .recording import Recording, record_rows

T = TypeVar("T")
WORTH_A_THREAD = 2
"""Groups of as many rows as lanes; around fewer there is too much that only one thread can do at a time."""


@dataclass(frozen=True, eq=False)
class AtRest:
    """Settled rows, whose equations are differentiated instead of their steps; raw values (n, raw values)."""

    rows: Rows
    raw: FloatArray
    outputs: Sequence[int]
    solver: Rosenbrock
    start_states: FloatArray | None

    def pull_back(self, bars: FloatArray, x_bars: FloatArray, columns: Sequence[int]) -> Pulled:
        """As :func:`.adjoint.pull_back`, ``bars`` (n, 1, outputs)."""
        rows, starts = self.rows, self.start_states
        found = pull_at_rest(rows, self.raw, self.outputs, bars[:, 0], x_bars, columns, self.solver, starts)
        others = np.flatnonzero(~found.known & (rows.status == 0))
        if others.size:
            recording = record_rows(
                rows.system,
                self.raw[others],
                np.zeros(1),
                self.outputs,
                self.solver,
                start_states=None if starts is None else starts[others],
                until_steady=True,
                keep_stages=False,
            )
            followed = pull_back(recording, bars[others], x_bars[others], columns)
            found.pulled.raw[others], found.pulled.start[others] = followed.raw, followed.start
        return found.pulled


@dataclass(frozen=True, eq=False)
class Parts:
    """Recordings of consecutive rows, without stages."""

    recordings: tuple[Recording | AtRest, ...]

    @cached_property
    def values(self) -> FloatArray:
        """Sampled outputs, (n, times, outputs)."""
        return np.concatenate([recording.rows.values for recording in self.recordings])

    @cached_property
    def x(self) -> FloatArray:
        """Last states, (n, states)."""
        return np.concatenate([recording.rows.x for recording in self.recordings])

    @cached_property
    def failures(self) -> dict[int, str]:
        """Rows that failed, and how."""
        found: dict[int, str] = {}
        first = 0
        for recording in self.recordings:
            rows = recording.rows
            found |= {first + int(row): rows.sentence(int(row)) for row in np.flatnonzero(rows.status)}
            first += len(rows.status)
        return found

    def pull_back(self, bars: FloatArray, x_bars: FloatArray, columns: Sequence[int]) -> Pulled:
        """Derivatives by raw values and start states, as :func:`pathsim.solve.sensitivities.adjoint.pull_back`."""
        ends = np.cumsum([len(recording.rows.status) for recording in self.recordings])[:-1]
        pulled = _side_by_side(
            [
                lambda one=one, bar=bar, x_bar=x_bar: _pulled(one, bar, x_bar, columns)  # type: ignore[misc]
                for one, bar, x_bar in zip(self.recordings, np.split(bars, ends), np.split(x_bars, ends), strict=True)
            ]
        )
        return Pulled(np.concatenate([one.raw for one in pulled]), np.concatenate([one.start for one in pulled]))


def record_parts(
    system: System,
    settings: FloatArray,
    times: FloatArray,
    outputs: Sequence[int],
    solver: Rosenbrock,
    *,
    start_states: FloatArray | None = None,
    until_steady: bool = False,
    workers: int | None = None,
) -> Parts:
    """:func:`recording.record_rows` by ``workers`` threads (default: one per processor); ``times`` is
    (n, times)."""
    groups = -(-len(settings) // LANES)
    threads = max(1, min(processors(workers), groups // WORTH_A_THREAD))
    size = max(1, -(-groups // threads)) * LANES
    pieces = [slice(first, first + size) for first in range(0, max(len(settings), 1), size)]
    return Parts(
        tuple(
            _side_by_side(
                [
                    lambda piece=piece: _recorded(  # type: ignore[misc]
                        system,
                        settings[piece],
                        times[piece],
                        outputs,
                        solver,
                        None if start_states is None else start_states[piece],
                        until_steady,
                    )
                    for piece in pieces
                ]
            )
        )
    )


def _pulled(one: Recording | AtRest, bars: FloatArray, x_bars: FloatArray, columns: Sequence[int]) -> Pulled:
    return one.pull_back(bars, x_bars, columns) if isinstance(one, AtRest) else pull_back(one, bars, x_bars, columns)


def _recorded(
    system: System,
    settings: FloatArray,
    times: FloatArray,
    outputs: Sequence[int],
    solver: Rosenbrock,
    start_states: FloatArray | None,
    until_steady: bool,
) -> Recording | AtRest:
    if until_steady and is_plain(system, solver):
        rows = settle_rows(system, settings, outputs, solver, start_states=start_states, workers=1)
        return AtRest(rows, settings, outputs, solver, start_states)
    return record_rows(
        system, settings, times, outputs, solver,
        until_steady=until_steady, keep_stages=False, start_states=start_states,
    )  # fmt: skip


def _side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    if len(tasks) == 1:
        return [tasks[0]()]
    with threads(len(tasks) - 1) as submit:
        others = [submit(task) for task in tasks[1:]]
        return [tasks[0](), *(other.result() for other in others)]
