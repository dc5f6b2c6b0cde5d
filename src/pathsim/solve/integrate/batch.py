"""Many rows of one system: the door through which everything else reaches the solvers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.system import System
from ..llvm.codegen import Program
from ..llvm.layout import STATE, STATUS, STEPS_TAKEN, TIME, Results
from ..rosenbrock.tableau import RODAS5P
from ..solvers import LONGEST, Extrapolation, Rosenbrock, Solver
from ..status import Status, culprit
from .engine import Engine, Method, RowSource, run
from .steady_state import RowsAtRest, Settled, refine

if TYPE_CHECKING:
    from ..reference.functions import ReferenceFunctions

Visit = Callable[[IntArray, RowsAtRest], None]


@dataclass(frozen=True, eq=False)
class Rows:
    """Results row by row: ``values`` (n, times, outputs), NaN from a failure on; last states ``x`` (n, states).

    ``status``, ``time`` and ``state`` (n,) say how, when and at which state (of a bad delay: event) each row ended;
    ``steps`` counts attempts.
    Of a steady state, ``residual`` (n,) is the largest rate relative to its state (1/time), and ``state`` the state it
    belongs to.
    """

    system: System
    values: FloatArray
    status: IntArray
    time: FloatArray
    state: IntArray
    steps: IntArray
    x: FloatArray
    residual: FloatArray = field(default_factory=lambda: np.empty(0))

    def sentence(self, row: int) -> str:
        """What happened in ``row``, with advice."""
        status = int(self.status[row])
        name = culprit(status, int(self.state[row]), self.system.states, self.system.event_ids)
        return Status(self.status[row]).sentence(name, float(self.time[row]), self.system.model.time_unit)


def run_rows(
    system: System,
    settings: RowSource,
    times: FloatArray,
    outputs: Sequence[int],
    solver: Solver | None = None,
    *,
    columns: IntArray | None = None,
    start_states: FloatArray | None = None,
    last_states: bool = False,
    workers: int | None = None,
    into: FloatArray | None = None,
) -> Rows:
    """Simulate one row per row of ``settings`` and sample ``outputs`` at ``times``.

    ``settings`` (n, columns) are raw values for the slots in ``columns`` (all slots by default), an array or what gives
    slices of rows. ``times`` is (times,)
    for all rows or (n, times) row by row, ascending from 0. ``start_states`` (n, states) replace the states the rows
    would start from; ``last_states`` keeps the states they end in. Results do not depend on ``workers``. ``into``,
    a contiguous array, takes the values.
    """
    grid = np.atleast_2d(times)
    return _run(system, settings, grid, outputs, solver, columns, start_states, last_states, workers, into=into)


def settle_rows(
    system: System,
    settings: FloatArray,
    outputs: Sequence[int],
    solver: Solver | None = None,
    *,
    columns: IntArray | None = None,
    start_states: FloatArray | None = None,
    workers: int | None = None,
    visit: Visit | None = None,
) -> Rows:
    """The steady state of each row, as :func:`run_rows` with one sample and the last states kept.

    The one reached from the start states; a row that reaches none has the status NO_STEADY_STATE. ``visit`` is called
    with the numbers of rows that came to rest and these rows, some at a time, where the solver is of the engine and the
    system has no events.
    """
    times = np.array([[LONGEST]])
    if isinstance(solver, Extrapolation):
        solver = Rosenbrock(solver.rtol, solver.atol, solver.max_steps)
    rows = _run(system, settings, times, outputs, solver, columns, start_states, True, workers, until_steady=True)
    columns = np.arange(len(system.defaults), dtype=np.int64) if columns is None else columns
    return at_rest(rows, settings, solver or Rosenbrock(), columns, outputs, start_states, visit)


def at_rest(
    rows: Rows,
    settings: FloatArray,
    solver: Solver,
    columns: IntArray,
    outputs: Sequence[int],
    start_states: FloatArray | None,
    visit: Visit | None = None,
) -> Rows:
    """Rows that were simulated until steady, with their last digits and the right status."""
    rows.status[rows.status == Status.TOO_MANY_STEPS] = Status.NO_STEADY_STATE
    rows.values[rows.status != Status.OK] = np.nan
    if not isinstance(solver, Rosenbrock) or rows.system.events:
        return rows  # what events did to parameters and totals is not known here
    return _refined(rows, np.asarray(settings, dtype=float), columns, tuple(outputs), start_states, solver, visit)


def _refined(
    rows: Rows,
    settings: FloatArray,
    columns: IntArray,
    nodes: tuple[int, ...],
    start_states: FloatArray | None,
    solver: Rosenbrock,
    visit: Visit | None,
) -> Rows:
    """Steady states with Newton's last digits, where there are any."""
    engine = engine_of(rows.system, solver.tableau)
    order = engine.order
    done, settled = settled_of(engine, rows, columns, settings, start_states)
    if not done.size or not order.size:
        return rows
    visit_piece = None if visit is None else lambda piece, state: visit(done[piece], state)
    found = refine(engine, settled, nodes, solver, visit_piece)
    rows.x[done[:, None], order] = found.x
    rows.values[done, 0] = found.values
    rows.state[done] = order[found.slowest]
    residual = np.full(len(rows.status), np.nan)
    residual[done] = found.residual
    return replace(rows, residual=residual)


def _run(
    system: System,
    settings: RowSource,
    times: FloatArray,
    outputs: Sequence[int],
    solver: Solver | None,
    columns: IntArray | None,
    start_states: FloatArray | None,
    last_states: bool,
    workers: int | None,
    until_steady: bool = False,
    into: FloatArray | None = None,
) -> Rows:
    solver = solver or Rosenbrock()
    if isinstance(settings, np.ndarray):
        settings = np.asarray(settings, dtype=float)
    columns = np.arange(len(system.defaults), dtype=np.int64) if columns is None else columns
    n, nodes = len(settings), tuple(outputs)
    rows = Rows(
        system=system,
        values=np.empty((n, times.shape[1], len(nodes))) if into is None else into,
        status=np.empty(n, dtype=np.int64),
        time=np.empty(n),
        state=np.empty(n, dtype=np.int64),
        steps=np.empty(n, dtype=np.int64),
        x=np.empty((n if last_states else 0, len(system.states))),
    )
    if isinstance(solver, Rosenbrock | Extrapolation):
        _by_engine(rows, settings, columns, times, nodes, solver, start_states, until_steady, workers)
    else:
        _by_reference(rows, settings[0:n], columns, times, nodes, solver, start_states, until_steady)
    return rows


def _by_engine(
    rows: Rows,
    settings: RowSource,
    columns: IntArray,
    times: FloatArray,
    nodes: tuple[int, ...],
    solver: Rosenbrock | Extrapolation,
    start_states: FloatArray | None,
    until_steady: bool,
    workers: int | None,
) -> None:
    engine = engine_of(rows.system, solver.method)
    order = engine.order
    starts = np.empty((0, len(order))) if start_states is None else np.ascontiguousarray(start_states[:, order])
    ends = np.empty((len(settings), 4))
    results = Results(rows.values, ends, rows.x)
    grid = np.ascontiguousarray(times, dtype=float)
    tolerances = (solver.rtol, solver.atol, solver.max_steps)

    def note(done: slice) -> None:
        own = ends[done]
        rows.status[done], rows.time[done], rows.steps[done] = own[:, STATUS], own[:, TIME], own[:, STEPS_TAKEN]
        number = own[:, STATE].astype(np.int64)
        named = (number >= 0) & (rows.status[done] != Status.BAD_DELAY)
        number[named] = order[number[named]]
        rows.state[done] = number
        if len(rows.x):
            rows.x[done, order] = rows.x[done].copy()

    run(engine, columns, settings, grid, nodes, tolerances, starts, results, until_steady, workers, note)


def _by_reference(
    rows: Rows,
    settings: FloatArray,
    columns: IntArray,
    times: FloatArray,
    nodes: tuple[int, ...],
    solver: Solver,
    start_states: FloatArray | None,
    until_steady: bool,
) -> None:
    from ..reference.integrate import integrate, settle  # only wanted beside scipy's solvers

    functions = reference_functions(rows.system, nodes)
    raw = rows.system.defaults.copy()
    for i, setting in enumerate(settings):
        raw[columns] = setting
        start = None if start_states is None else start_states[i]
        grid = times[min(i, len(times) - 1)]
        done = settle(functions, raw, solver, start) if until_steady else integrate(functions, raw, grid, solver, start)
        rows.values[i] = done.values
        rows.status[i], rows.time[i], rows.steps[i] = done.status, done.time, done.steps
        rows.state[i] = done.state if done.status else -1
        if len(rows.x):
            rows.x[i] = done.x


def settled_of(
    engine: Engine, rows: Rows, columns: IntArray, settings: FloatArray, start_states: FloatArray | None
) -> tuple[IntArray, Settled]:
    """Which rows are at rest, and these; ``settings`` (rows, columns) and ``start_states`` as they were run with."""
    order, done = engine.order, np.flatnonzero(rows.status == Status.OK)
    starts = np.empty((0, len(order))) if start_states is None else start_states[done][:, order]
    return done, Settled(columns, settings[done], starts, rows.x[done][:, order], rows.time[done])


def engine_of(system: System, method: Method = RODAS5P) -> Engine:
    """The engine of a system and a method, compiled once."""
    return _engine(system, method)


@lru_cache(maxsize=64)
def _engine(system: System, method: Method) -> Engine:
    return Engine(system, method, derived=_program(system))


@lru_cache(maxsize=64)
def _program(system: System) -> Program:
    return Program(system)


@lru_cache(maxsize=64)
def reference_functions(system: System, outputs: tuple[int, ...]) -> ReferenceFunctions:
    """The plain functions of a system."""
    from ..reference.functions import ReferenceFunctions  # only wanted beside scipy's solvers

    return ReferenceFunctions(system, outputs)
