"""One row at a time, again and again: whatever does not change from run to run is prepared once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.system import System
from ..llvm.layout import STATE, STATUS, TIME, UNDER_WAY, Job, Results
from ..llvm.loops import Words, compiled
from ..solvers import Extrapolation, Rosenbrock
from ..status import Status, culprit
from . import loop as lanes
from .batch import engine_of
from .engine import arrange, no_progress, no_tape, settings_of, to_the_end


class Single:
    """Simulations of one system that differ in the raw values of ``columns`` only; bit for bit those of a sweep.

    ``base`` (raw values,) holds all others, NaN where the model computes them.
    """

    def __init__(
        self,
        system: System,
        base: FloatArray,
        columns: IntArray,
        times: FloatArray,
        outputs: Sequence[int],
        solver: Rosenbrock | Extrapolation,
    ) -> None:
        engine, nodes = engine_of(system, solver.method), tuple(outputs)
        self.system = system
        self._engine = engine
        self._lock = threading.Lock()
        self.settings = base[columns][None, :].copy()
        self._row = self.settings[0]
        self._values = np.empty((1, len(times), len(nodes)))
        self._found = self._values[0]
        self._ends = np.zeros((1, 4))
        self._nodes, self._columns, self._base = nodes, columns, base
        self._tolerances = settings_of(solver.rtol, solver.atol, solver.max_steps)
        self._grid = np.ascontiguousarray(times, dtype=float)[None, :]
        self._progress = no_progress()
        self._loop = compiled(lanes.run_lanes)
        self._prepare()

    def _prepare(self) -> None:
        """A workspace, and everything the loop is called with."""
        self._workspace = self._engine.own_workspace(self._nodes)
        self._pack()

    def _pack(self) -> None:
        """Everything the loop is called with, for what the engine computes with by now."""
        self._engine.serve(1)
        ready = arrange(self._engine, self._workspace, self._nodes)
        nothing = np.empty((0, len(self.system.states)))
        own = (self._columns, self.settings, nothing, ready.sources, self._grid, self._tolerances, self._progress)
        job = Job(self._base, *own, 0, 1)
        packed = (*ready.fixed, Words(job), Words(Results(self._values, self._ends, nothing)), no_tape())
        self._call, self._compiled = partial(self._loop.run, *[words.address for words in packed]), ready.compiled
        self._alive = packed

    def run(self, settings: Sequence[float] | FloatArray) -> tuple[FloatArray, str]:
        """Values (times, outputs) at these raw values of the columns, and a sentence when it failed (else empty)."""
        with self._lock:
            self._row[:] = settings
            self._progress[UNDER_WAY] = 0  # a run that was interrupted is not gone on with
            self._to_the_end()
            if self._ends.item(STATUS) == Status.OK:
                return self._found.copy(), ""
            while self._engine.makes_room(self._ends, self._workspace.layout.most_pending):
                self._prepare()
                self._to_the_end()
            status = int(self._ends.item(STATUS))
            return self._found.copy(), "" if status == Status.OK else self._sentence(status)

    def _to_the_end(self) -> None:
        to_the_end(self._engine, self._ready, self._progress)

    def _ready(self) -> tuple[Callable[[], int], bool]:
        if not self._compiled and self._engine.has_code:
            self._pack()
        return self._call, self._compiled

    def _sentence(self, status: int) -> str:
        number = int(self._ends[0, STATE])
        if number >= 0 and status != Status.BAD_DELAY:
            number = int(self._engine.order[number])
        name = culprit(status, number, self.system.states, self.system.event_ids)
        return Status(status).sentence(name, float(self._ends[0, TIME]), self.system.model.time_unit)
