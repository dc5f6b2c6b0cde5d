"""Forward sensitivities: exact derivatives of outputs and last states along any directions of the raw values.

The recorded steps are differentiated one by one (internal differentiation: H. G. Bock, in Modelling of Chemical
Reaction Systems, Springer 1981), through initial values, switches, events and the approach to a steady state alike.
Where the equations of a steady state say how it moves, it is differentiated by these (:mod:`at_rest`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.system import System
from ..integrate.batch import Rows, Visit, settle_rows
from ..integrate.recorder import LINK_JUMP, STEP_END, STEP_H, STEP_T
from ..llvm.layout import LANES
from ..llvm.loops import compiled
from ..solvers import Rosenbrock
from .at_rest import ForwardAtRest, is_plain
from .forward_jumps import Crossing, jumps_of
from .forward_loop import run_tasks
from .forward_machine import Directions, forward_of, starting
from .recording import Recording, record_rows, segments_of
from .segments import NthSegments, segment_by_segment
from .switches import Switches, switching_of


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """Derivatives along directions: ``values`` (n, times, outputs, d) and last states ``x`` (n, states, d).

    NaN in rows that failed.
    """

    values: FloatArray
    x: FloatArray


@dataclass(frozen=True, eq=False)
class Differentiated:
    """Simulated rows and their derivatives.

    ``errors`` (n,): the largest error of a step's derivatives over what is tolerated, before steps were made smaller.
    """

    rows: Rows
    sensitivities: Sensitivities
    errors: FloatArray


LOOSER = 100.0
"""How much larger the error of sensitivities may be, per step and relative to their size, than that of states."""
MOST_REFINEMENTS = 6


def run_sensitivities(
    system: System,
    settings: FloatArray,
    times: FloatArray,
    outputs: Sequence[int],
    seeds: FloatArray,
    solver: Rosenbrock | None = None,
    *,
    columns: IntArray | None = None,
    start_states: FloatArray | None = None,
    start_seeds: FloatArray | None = None,
    until_steady: bool = False,
    refinements: int | None = MOST_REFINEMENTS,
) -> Differentiated:
    """Simulate rows as :func:`pathsim.solve.run_rows` (or ``settle_rows``) does, with derivatives along ``seeds``.

    Where the state stands still its step size says nothing about its derivatives; so where their error estimate is too
    large the row is simulated again with smaller steps there, up to ``refinements`` times; with None errors are not
    even estimated, and told as 0.

    Args:
        seeds: (n, raw values, d), the derivative of each row's raw values (all of them) in each direction.
        start_seeds: (n, states, d), that of ``start_states``; zero by default.
    """
    chosen = solver or Rosenbrock()
    if until_steady and is_plain(system, chosen):
        return _at_rest(system, settings, outputs, seeds, chosen, columns, start_states, start_seeds)
    limits: list[FloatArray] = [np.empty((0, 2))] * len(settings)
    for attempt in range((refinements or 0) + 1):
        recording = record_rows(
            system,
            settings,
            times,
            outputs,
            chosen,
            columns=columns,
            start_states=start_states,
            until_steady=until_steady,
            limits=limits,
        )
        carried = _Differentiation(recording, seeds, start_seeds, chosen, estimates=refinements is not None)
        found = carried.run()
        if attempt == 0:
            errors = carried.row_errors()
        if until_steady or not refinements or attempt == refinements or not carried.refine(limits):
            break
    return Differentiated(recording.rows, found, errors)


def _at_rest(
    system: System,
    settings: FloatArray,
    outputs: Sequence[int],
    seeds: FloatArray,
    solver: Rosenbrock,
    columns: IntArray | None,
    start_states: FloatArray | None,
    start_seeds: FloatArray | None,
) -> Differentiated:
    """Steady states, differentiated by their equations, or along the whole approach where these say too little.

    The approach is recorded at once where the last ones had to be followed.
    """
    raw = np.tile(system.defaults, (len(settings), 1))
    raw[:, slice(None) if columns is None else columns] = settings
    machine, recording = forward_of(system, solver.tableau), None
    found = ForwardAtRest.of(machine, raw, tuple(outputs), seeds, start_seeds, start_states is not None)
    if machine.mostly_followed:
        recording = _approach(system, raw, outputs, solver, start_states, found)
        rows = recording.rows
    else:
        rows = settle_rows(
            system, settings, outputs, solver, columns=columns, start_states=start_states, workers=1, visit=found
        )
    values, x = found.values[:, None], found.x
    others = np.flatnonzero(~found.known & (rows.status == 0))
    machine.mostly_followed = bool(others.size) and not found.known.any()
    if others.size:
        if others.size < len(raw):
            recording = None  # that of fewer rows
        followed = differentiate(
            recording
            or _approach(system, raw[others], outputs, solver, None if start_states is None else start_states[others]),
            seeds[others],
            None if start_seeds is None else start_seeds[others],
            solver,
        )
        values[others], x[others] = followed.values, followed.x
    values[rows.status != 0], x[rows.status != 0] = np.nan, np.nan
    return Differentiated(rows, Sensitivities(values, x), np.zeros(len(rows.status)))


def _approach(
    system: System,
    raw: FloatArray,
    outputs: Sequence[int],
    solver: Rosenbrock,
    start_states: FloatArray | None,
    visit: Visit | None = None,
) -> Recording:
    """The way to steady states, with every step kept."""
    return record_rows(
        system, raw, np.zeros(1), outputs, solver, start_states=start_states, until_steady=True, visit=visit
    )


def differentiate(
    recording: Recording, seeds: FloatArray, start_seeds: FloatArray | None = None, solver: Rosenbrock | None = None
) -> Sensitivities:
    """Derivatives of what was recorded, step sizes held as they were; arguments as :func:`run_sensitivities`."""
    return _Differentiation(recording, seeds, start_seeds, solver or Rosenbrock()).run()


class _Differentiation:
    def __init__(
        self,
        recording: Recording,
        seeds: FloatArray,
        start_seeds: FloatArray | None,
        solver: Rosenbrock,
        estimates: bool = True,
    ) -> None:
        self.recording, self.start_seeds = recording, start_seeds
        relative = np.full((len(recording.atol), 1), solver.rtol)
        self.tolerances = LOOSER * np.hstack([relative, recording.atol])
        self.errors = np.zeros(len(recording.order) * estimates)
        self.machine = forward_of(recording.system, recording.tableau)
        self.place = np.asarray(self.machine.engine.order)
        n = len(recording.rows.status)
        self.directions = Directions.of(seeds, start_seeds, recording.rows.status == 0)
        self.row, self.block = self.directions.row, self.directions.block
        self.shape = (n, recording.times.shape[1], len(recording.outputs))
        self.seeds, self.d = seeds, seeds.shape[2]

    def run(self) -> Sensitivities:
        recording, one, n_states = self.recording, self.directions, len(self.recording.system.states)
        out = np.zeros((*self.shape, -(-one.most // LANES) * LANES))
        S, Q = self._start()
        segments = self._segments()
        sizes = self._sizes()
        for number, (here, table, nth) in enumerate(segments):
            part_S, part_Q = S[here], Q[here]
            self._carry(number, table, nth, part_S, part_Q, out, sizes[here])
            S[here] = part_S
            if number + 1 < len(segments):
                jump = self._jump if recording.system.events else self._switch
                jump(number, segments[number + 1][0], S, Q)
        values = np.zeros((*self.shape, self.d))
        x = np.zeros((self.shape[0], n_states, self.d))
        values[one.rows, :, :, one.direction] = out[one.rows, :, :, one.place]
        x[one.rows[:, None], self.place, one.direction[:, None]] = S[one.task, :, one.lane]
        failed = recording.rows.status != 0
        values[failed], x[failed] = np.nan, np.nan
        return Sensitivities(values, x)

    def row_errors(self) -> FloatArray:
        """The largest error of each row's steps."""
        first = self.recording.first
        if not self.errors.size:
            return np.zeros(len(first) - 1)
        filled = np.append(self.errors, 0.0)
        return np.where(np.diff(first) > 0, np.maximum.reduceat(filled, first[:-1]), 0.0)

    def refine(self, limits: list[FloatArray]) -> bool:
        """Put smaller limits on steps whose derivatives are too inaccurate; returns whether there were any."""
        recording, found = self.recording, False
        for row in np.unique(self.row):
            here = slice(recording.first[row], recording.first[row + 1])
            errors, steps = self.errors[here], recording.tape.steps[recording.order[here]]
            if not (errors > 1.0).any():
                continue
            found = True
            factor = np.where(errors > 1.0, 0.8 * np.maximum(errors, 1.0) ** -recording.tableau.exponent, 2.0)
            sizes = np.where(np.isfinite(factor), np.maximum(factor, 0.1), 0.1) * steps[:, STEP_H]
            sizes[(errors <= 1.0) & (len(limits[row]) == 0)] = np.inf
            limits[row] = np.stack([steps[:, STEP_T], sizes], axis=1)
        return found

    def _sizes(self) -> FloatArray:
        """Relative size of each direction: its largest relative change of a raw value or start state, (tasks, 8)."""
        one = self.directions
        largest = _relative(self.seeds, self.recording.raw)
        if self.start_seeds is not None:
            starts = self.recording.tape.starts[:, : len(self.place)]
            relative = _relative(self.start_seeds[:, self.place], starts)
            largest = np.maximum(largest, np.minimum(relative, 10.0))
        sizes, found = np.ones((len(self.row), LANES)), largest[one.rows, one.direction]
        sizes[one.task, one.lane] = np.where(found > 0, found, 1.0)
        return sizes

    def _start(self) -> tuple[FloatArray, FloatArray]:
        """Sensitivities of initial states and parameters of each task, events at the start included."""
        recording, system = self.recording, self.recording.system
        S, Q = starting(
            self.machine,
            recording.outputs,
            recording.raw,
            self.seeds,
            self.start_seeds,
            self.directions,
            recording.from_states,
        )
        self.crossings: dict[int, Crossing] = {}
        if system.events:
            self._begin_events(S, Q)
        return S, Q

    def _begin_events(self, S: FloatArray, Q: FloatArray) -> None:
        n, width = S.shape[1], S.shape[1] + Q.shape[1]
        for row in np.unique(self.row):
            members = np.flatnonzero(self.row == row)
            start = self.recording.tape.starts[row]
            before, after = start[:width], start[width:]
            dx, dp = _joined(S, members), _joined(Q, members)
            crossing = Crossing(jumps_of(self.machine.engine), dx.shape[1])
            self.crossings[int(row)] = crossing
            dx, dp = crossing.begin(before[:n], before[n:], after[:n], after[n:], dx, dp)
            _split(S, members, dx)
            _split(Q, members, dp)

    def _segments(self) -> list[tuple[IntArray, IntArray, NthSegments]]:
        """The k-th segments between jumps of every row that has one, for each k, and their tasks."""
        found = segments_of(self.recording)
        self.jump_of = found.cuts[:, 1:] - 1
        segments = []
        for one in segment_by_segment(found, np.unique(self.row), self.recording.times):
            at = np.full(len(found.many), -1)
            at[one.rows] = np.arange(len(one.rows))
            task = np.flatnonzero(at[self.row] >= 0)
            i = at[self.row[task]]
            columns = [self.row[task], one.first[i], one.last[i], one.first_sample[i], one.last_sample[i]]
            segments.append((task, np.stack([*columns, self.block[task]], axis=1), one))
        return segments

    def _carry(
        self,
        number: int,
        table: IntArray,
        one: NthSegments,
        S: FloatArray,
        Q: FloatArray,
        out: FloatArray,
        sizes: FloatArray,
    ) -> None:
        recording, n = self.recording, len(self.recording.system.states)
        if number == 0:
            after = recording.tape.starts[table[:, 0], n + recording.system.n_parameters :]
        else:
            records = recording.order[self.jump_of[table[:, 0], number - 1]]
            after = recording.tape.jumps[recording.tape.links[records, LINK_JUMP], n:]
        X, P = np.ascontiguousarray(after[:, :n]), np.ascontiguousarray(after[:, n:])
        code = self.machine.code_of(recording.outputs)
        with self.machine.workspaces.lent(len(recording.outputs)) as memory:
            compiled(run_tasks)(
                code,
                memory.layout,
                memory.F,
                recording.tape,
                recording.order,
                table,
                X,
                P,
                S,
                Q,
                one.samples,
                one.times,
                out,
                sizes,
                self.tolerances,
                self.errors,
            )

    def _switch(self, number: int, continuing: IntArray, S: FloatArray, Q: FloatArray) -> None:
        """As :meth:`_jump` for systems without events: all rows at once. Parameters stay what they are."""
        rows, row_of_task = np.unique(self.row[continuing], return_inverse=True)
        at = Switches.before(self.recording, self.jump_of, rows, number + 1, self.place)
        dx = np.empty((len(continuing), *S.shape[1:]))
        dx[:, self.place] = S[continuing]
        dx = switching_of(self.recording.system).across(at, row_of_task, dx, Q[continuing])
        S[continuing] = dx[:, self.place]

    def _jump(self, number: int, continuing: IntArray, S: FloatArray, Q: FloatArray) -> None:
        """Carry the sensitivities of the rows that go on over the jump between two segments."""
        tape, order, n = self.recording.tape, self.recording.order, S.shape[1]
        for row in np.unique(self.row[continuing]):
            members = np.flatnonzero(self.row == row)
            record = order[self.jump_of[int(row), number]]
            jump = tape.jumps[tape.links[record, LINK_JUMP]]
            dx, dp = self.crossings[int(row)].cross(
                float(tape.steps[record, STEP_END]),
                jump[:n],
                jump[n : 2 * n],
                jump[2 * n :],
                _joined(S, members),
                _joined(Q, members),
            )
            _split(S, members, dx)
            _split(Q, members, dp)


def _relative(seeds: FloatArray, values: FloatArray) -> FloatArray:
    """Largest |seed| (n, any, d) over |value| (n, any) of each direction, where the value is a number other than 0."""
    usable = np.isfinite(values) & (values != 0)
    size = np.where(usable, np.abs(values), 1.0)[:, :, None]
    with np.errstate(all="ignore"):  # rows that failed
        largest: FloatArray = np.max(np.where(usable[:, :, None], np.abs(seeds), 0.0) / size, axis=1, initial=0.0)
    return largest


def _joined(blocks: FloatArray, members: IntArray) -> FloatArray:
    """(rows, 8 * blocks) from the blocks of one row."""
    return np.ascontiguousarray(np.concatenate(list(blocks[members]), axis=1))


def _split(blocks: FloatArray, members: IntArray, joined: FloatArray) -> None:
    for i, m in enumerate(members):
        blocks[m] = joined[:, i * LANES : (i + 1) * LANES]
