"""Rows recorded and pulled back in parts, one thread each; what a row gives does not depend on the part it is in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from ...arrays import FloatArray
from ...threads import threads
from ..equations.system import System
from ..llvm.layout import LANES
from ..solvers import Rosenbrock
from .adjoint import Pulled, pull_back
from .recording import Recording, record_rows

T = TypeVar("T")
WORTH_A_THREAD = 2
"""Groups of eight rows; around fewer there is too much that only one thread can do at a time."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Recordings of consecutive rows, without stages."""

    recordings: tuple[Recording, ...]

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
                lambda one=one, bar=bar, x_bar=x_bar: pull_back(one, bar, x_bar, columns)  # type: ignore[misc]
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
    threads = max(1, min(workers or os.cpu_count() or 1, groups // WORTH_A_THREAD))
    size = max(1, -(-groups // threads)) * LANES
    pieces = [slice(first, first + size) for first in range(0, max(len(settings), 1), size)]
    return Parts(
        tuple(
            _side_by_side(
                [
                    lambda piece=piece: record_rows(  # type: ignore[misc]
                        system,
                        settings[piece],
                        times[piece],
                        outputs,
                        solver,
                        until_steady=until_steady,
                        keep_stages=False,
                        start_states=None if start_states is None else start_states[piece],
                    )
                    for piece in pieces
                ]
            )
        )
    )


def _side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    if len(tasks) == 1:
        return [tasks[0]()]
    with threads(len(tasks) - 1) as submit:
        others = [submit(task) for task in tasks[1:]]
        return [tasks[0](), *(other.result() for other in others)]
