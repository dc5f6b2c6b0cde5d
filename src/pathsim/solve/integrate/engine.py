"""The engine: compiled systems, their memory, and rows spread over threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from threading import Event, Lock
from typing import Any, Protocol, TypeVar

import numpy as np

from ...arrays import FloatArray, IntArray
from ...cache import source_of
from ...progress import bar
from ...threads import once, processors, stop_if_asked, threads
from ..equations.system import System
from ..extrapolation.scheme import Scheme
from ..extrapolation.step import extrapolation_module
from ..llvm import jit
from ..llvm import layout as rows
from ..llvm.codegen import (
    MOST_STRAIGHT_LINE,
    Program,
    careful_module,
    effect_nodes,
    first_effects,
    model_module,
    output_module,
)
from ..llvm.layout import LANES, Code, Discrete, Job, Layout, Results
from ..llvm.loops import Words, compiled
from ..llvm.machine import machine
from ..llvm.one_step import POINTERS, SIZES
from ..llvm.vector_maths import maths_module
from ..rosenbrock.factorisation import lu_tables
from ..rosenbrock.step import step_module
from ..rosenbrock.tableau import RODAS5P, Tableau
from . import loop as lanes
from .recorder import Tape, nothing_recorded
from .workspace import Arranged, Idle, Once, Workspace

MANY_ROWS = 4000
"""Rows, of all calls together, from which code that takes long to make pays for it. With AVX2 it takes 0.75 to 0.95 of
the time of the code made at once."""

MOST_WAITING = 1 << 20
"""Executions of events that may wait in one row."""

OWN_SHARE = 1e-3
"""Absolute tolerance over relative tolerance times the largest value a state has had, by default."""

FIRST_CALLS, MOST_SECONDS = 16, 0.05
"""Calls to the step, doubled until they take so long, after which a loop looks whether it is to stop."""

FEWEST_ROWS = 32
"""Of a slice of rows that a thread takes."""

MOST_ARRANGED = 8
"""Choices of outputs that a workspace is kept ready for."""

UNTOUCHED = (0.0, 0.0, -1.0, 0.0)
"""``Results.ends`` of a row that nobody has begun."""

Method = Tableau | Scheme
"""What steps follow from."""
M = TypeVar("M", Tableau, Scheme)

_FUNCTIONS = slice(POINTERS.index("f_rates"), POINTERS.index("lu"))
STEP_FUNCTIONS = tuple(POINTERS[_FUNCTIONS])
"""What steps call of the code of a model."""

_KINDS = {"lt": rows.LT, "le": rows.LE, "floor": rows.FLOOR, "eq": rows.EQ}


@once
def step_code(method: Method) -> jit.Code:
    """The compiled step of a method, shared by all systems."""
    if isinstance(method, Scheme):
        return method_code("extrapolation", extrapolation_module, method)
    return method_code("step", step_module, method)


def method_code(name: str, write: Callable[[M, bool], str], method: M) -> jit.Code:
    """Code that depends on the method but on no model."""
    identity = identity_of(name) + repr(tuple(method)).encode()
    return jit.compile_lazily(identity, lambda: write(method, machine().fused), optimise=True)


@once
def maths_code() -> jit.Code:
    """The vector functions, shared by all systems, which find them by name."""
    code = jit.compile_lazily(identity_of("maths"), lambda: maths_module(machine().fused), optimise=True)
    jit.publish(code)
    return code


def identity_of(module: str) -> bytes:
    """What code that depends on no model follows from: the sources of this folder."""
    return source_of(Path(__file__).parents[1]) + module.encode()


@dataclass(eq=False)
class Engine:
    """Machine code for one system, and memory for it to work in; outputs are compiled when first asked for."""

    system: System
    method: Method = RODAS5P
    plain: bool = False
    """Whether the integration loop runs as the Python it is written in: slow, the same bits, for tests."""

    waiting: int = 64
    """Executions of events that a lane has room for; grows when a row needs more."""

    def __post_init__(self) -> None:
        self.output_code = Once(self._compile_outputs)
        self.code_of: Once[tuple[int, ...], Words] = Once(lambda nodes: Words(self.addresses(self.output_code(nodes))))
        """All functions for a choice of outputs, as the integration loop takes them."""
        self.workspaces = Idle(self.workspace)
        self._served = 0  # rows of all calls
        self._functions: Once[bool, IntArray] = Once(self._functions_in_order)

    @cached_property
    def program(self) -> Program:
        return Program(self.system)

    def derive(self) -> None:
        """Everything symbolic, which is otherwise done when first needed: Jacobian, elimination order, what is
        hoisted."""
        _ = (self.program.elimination, self.program.hoisted, self.discrete)

    @cached_property
    def code(self) -> jit.Code:
        with bar("machine code of the model"):
            maths_code()
            return jit.compile_ir(model_module(self.program, machine().fused))

    @cached_property
    def careful_code(self) -> jit.Code:
        """What steps call once more, made with more care and with the factorisation written out: for many rows."""
        with bar("machine code of the model for many rows"):
            maths_code()
            return jit.compile_ir(careful_module(self.program, machine().fused), effort=1)

    def functions_for(self, rows: int) -> IntArray:
        """Addresses of :data:`STEP_FUNCTIONS` for so many rows more; all give the same bits."""
        self._served += rows
        return self._functions(self._served >= MANY_ROWS)

    def _functions_in_order(self, careful: bool) -> IntArray:
        found = self._functions_in(self.careful_code if careful else self.code)
        return np.array([found[name] for name in STEP_FUNCTIONS], dtype=np.int64)

    @cached_property
    def tables(self) -> dict[str, IntArray] | None:
        """Index tables of the factorisation where it is not written out."""
        elimination = self.program.elimination
        if elimination.multiply_adds <= MOST_STRAIGHT_LINE:
            return None
        return lu_tables(elimination, self.program.placed_jacobian)

    @cached_property
    def discrete(self) -> Discrete:
        """Branches and events as tables."""
        system, place, entries = self.system, self.program.elimination.place, self.program.placed_jacobian
        roots = [
            (_KINDS[one.kind], pair is not None)
            for one, pair in zip(system.discontinuities, self.program.timed_discontinuities, strict=True)
        ]
        first = first_effects(system)
        moments = [(_KINDS[one.kind], e) for e, event in enumerate(system.events) for one in event.moments]
        events = [
            (first[e], event.initially_true, event.persistent, event.values_from_trigger_time)
            for e, event in enumerate(system.events)
        ]
        targets = [
            (target.is_state, place[target.index] if target.is_state else target.index)
            for event in system.events
            for target in event.targets
        ]
        return Discrete(
            roots=np.array(roots, dtype=np.int64).reshape(-1, 2),
            events=np.array([*events, (first[-1], 0, 0, 0)], dtype=np.int64).reshape(-1, 4),
            untimed=np.array([e for e, event in enumerate(system.events) if not event.timed], dtype=np.int64),
            timed=np.array([e for e, event in enumerate(system.events) if event.timed], dtype=np.int64),
            moments=np.array(moments, dtype=np.int64).reshape(-1, 2),
            targets=np.array(targets, dtype=np.int64).reshape(-1, 2),
            kinds=np.array([self._kind(system.states[i]) for i in self.order], dtype=np.int64),
            diagonal=np.array([entries.get((i, i), -1) for i in range(len(system.states))], dtype=np.int64),
        )

    def _kind(self, state: str) -> int:
        """What a state is measured in: species as concentrations or as amounts, compartments, anything else."""
        model, species = self.system.model, self.system.model.species_by_id.get(state)
        if species is not None:
            return 0 if species.symbol_is_amount else 1
        return 2 if any(compartment.id == state for compartment in model.compartments) else 3

    @cached_property
    def order(self) -> IntArray:
        """State at each position of the elimination order."""
        return np.array(self.program.elimination.order, dtype=np.int64)

    @cached_property
    def _position_of_node(self) -> dict[int, int]:
        """Position in the elimination order of the state that a node is."""
        graph, place = self.system.graph, self.program.elimination.place
        return {graph.state(i): place[i] for i in range(len(self.system.states))}

    def direct_outputs(self, nodes: tuple[int, ...]) -> IntArray:
        """Position of the state for each output that is one, else -1."""
        return np.array([self._position_of_node.get(node, -1) for node in nodes], dtype=np.int64)

    def _compile_outputs(self, nodes: tuple[int, ...]) -> jit.Code:
        maths_code()  # outputs may be loaded before anything else that calls it
        return jit.compile_ir(output_module(self.program, nodes, machine().fused))

    def addresses(self, outputs: jit.Code) -> Code:
        """Where the integration loop finds every function; 0 for what this system does not have."""
        model, step = self.code.addresses, step_code(self.method).addresses
        return Code(
            **{
                name: model.get(name, 0)
                for name in (
                    "start",
                    "prep",
                    "rates",
                    "root_functions",
                    "switches",
                    "triggers",
                    "timed_triggers",
                    "moments",
                    "moment_roots",
                    "effects",
                    "refuse",
                    "jacobian",
                )
            },
            **{name: step.get(name, 0) for name in ("step", "record", "prepare_dense", "dense", "commit")},
            outputs=outputs.addresses["outputs"],
        )

    def makes_room(self, ends: FloatArray, had: int) -> bool:
        """Let more events wait, where a queue for ``had`` was full in rows that ended so; whether that helps."""
        if not (ends[:, rows.STATUS] == rows.QUEUE_FULL).any() or had >= MOST_WAITING:
            return False
        self.waiting = max(self.waiting, 8 * had)
        self.workspaces = Idle(self.workspace)
        return True

    def workspace(self, n_outputs: int) -> Workspace[Layout]:
        """New memory for simulations with so many outputs."""
        system, program, T = self.system, self.program, self.method
        n, n_parameters, n_roots = len(system.states), len(system.parameters), len(system.discontinuities)
        most_targets = max([len(event.targets) for event in system.events], default=0)
        n_moments, n_timed = len(self.discrete.moments), len(self.discrete.timed)
        most_pending, n_p, n_k = self.waiting if system.events else 0, n_parameters + n_roots, len(program.hoisted)
        factors = len(T.steps) if isinstance(T, Scheme) else 1
        sizes = {"a8": len(program.elimination.entries) * LANES, "k8": n_k * LANES}
        arrays = {
            "y": n,
            "yn": n,
            "xs": n,
            "atol": n,
            "peak": n,
            "trough": n,
            "U": T.stages * n,
            "D": len(T.H) * n,
            "k": n_k,
            "p": n_p,
            "raw": n_parameters + n,
            "p_start": n_p,
            "x_start": n,
            "atol_start": n,
            "k_start": n_k,
            "o": n_outputs,
            "roots": n_roots,
            "roots_before": 2 * n_roots,
            "switch_line": 2 * n_roots,
            "passing": n_roots,
            "noise": n_roots,
            "nothing_held": 2 * n_roots,
            "triggers": len(system.events),
            "effects": len(effect_nodes(system)),
            "pending_time": most_pending,
            "pending_values": most_pending * most_targets,
            "moment": n_moments,
            "moment_start": n_moments,
            "moment_tried": n_moments,
            "moment_root": n_moments,
            "moment_line": 2 * n_moments,
            "J": len(program.jacobian),
            "A": factors * len(program.elimination.entries),
            "u": n,
            "dfdt": n,
            "work": n,
        }
        aliases = {"error": ("U", (T.stages - 1) * n)} if T.error_is_last_stage else {}
        if not aliases:
            arrays["error"] = n
        scalars = {"t": rows.T, "h": rows.H, "ts": rows.INNER_TS, "ig": rows.IG, "old_error": rows.OLD_ERROR,
                   "was_rejected": rows.WAS_REJECTED, "stop": rows.STOP, "aim": rows.AIM, "accepted": rows.ACCEPTED,
                   "wish": rows.WISH, "h_next": rows.H_NEXT, "t_next": rows.T_NEXT, "lands": rows.LANDS,
                   "target": rows.TARGET, "live": rows.LIVE, "taken": rows.TAKEN, "limit": rows.LIMIT,
                   "own": rows.OWN, "tolerance": rows.TOLERANCE, "refused": rows.REFUSED}  # fmt: skip
        counts = {
            "n": n,
            "n_parameters": n_parameters,
            "n_roots": n_roots,
            "n_raw": n_parameters + n,
            "n_hoisted": n_k,
            "n_outputs": n_outputs,
            "computes_outputs": 1,
            "attempts_at_once": 1,
            "lands_on_switches": int(isinstance(T, Scheme)),
            "n_events": len(system.events),
            "n_untimed": len(system.events) - n_timed,
            "n_moments": n_moments,
            "most_targets": most_targets,
            "most_pending": most_pending,
        }
        memory = Workspace(
            Layout,
            counts,
            arrays,
            (*POINTERS, *SIZES),
            aliases,
            {**self.step_functions(), **sizes},
            self.tables,
            scalars=scalars,
            n_scalars=rows.N_SCALARS,
            n_integer_scalars=rows.N_INTEGERS,
            integers={
                "was_true": len(system.events),
                "pending_event": most_pending,
                "queue": n_moments,
                "due": n_timed + n_moments,
            },
        )
        memory.N[rows.ROW] = memory.N[rows.AGAIN] = -1
        return memory

    def step_functions(self) -> dict[str, int]:
        """The model's functions that steps call; the time derivative is 0 where time does not enter."""
        return self._functions_in(self.code)

    def _functions_in(self, code: jit.Code) -> dict[str, int]:
        found = {name: code.addresses.get(name.removeprefix("f_"), 0) for name in STEP_FUNCTIONS}
        return found | {"f_factor": found["f_factor"] or step_code(self.method).addresses["table_factor"]}


def arrange(
    engine: Engine,
    workspace: Workspace[Layout],
    nodes: tuple[int, ...],
    functions: IntArray,
    until_steady: bool = False,
) -> Arranged[Layout]:
    """A workspace made ready for these outputs, with what steps call (:meth:`Engine.functions_for`)."""
    workspace.table[_FUNCTIONS] = functions
    found = workspace.arranged.get((nodes, until_steady))
    if found is not None:
        return found
    direct = engine.direct_outputs(nodes)
    watched = until_steady or any(pair is None for pair in engine.program.timed_discontinuities)
    attempts = min(1000, max(1, 100_000 // (1 + len(engine.program.elimination.entries))))
    at = workspace.layout._replace(
        n_outputs=len(nodes), computes_outputs=int((direct < 0).any()), attempts_at_once=1 if watched else attempts
    )
    sources = np.where(direct < 0, at.o + np.arange(len(nodes)), at.y + direct)
    fixed = (engine.code_of(nodes), *map(Words, (at, workspace.F, workspace.N, engine.discrete)))
    if len(workspace.arranged) >= MOST_ARRANGED:
        workspace.arranged.clear()
    made = workspace.arranged[nodes, until_steady] = Arranged(at, sources, fixed)
    return made


def loop_of(
    engine: Engine, ready: Arranged[Layout], job: Job, results: Results, tape: Tape | Words
) -> Callable[[], int]:
    """The integration loop with these arguments, to be called until the job is done."""
    if engine.plain:
        given = (*ready.fixed, job, results, tape)
        own: list[Any] = [one.argument if isinstance(one, Words) else one for one in given]
        return partial(lanes.run_lanes, *own)
    return compiled(lanes.run_lanes).prepared(*ready.fixed, job, results, tape)


@cache
def no_tape() -> Words:
    """The tape of a plain simulation, as the integration loop takes it."""
    return Words(nothing_recorded())


def settings_of(rtol: float, atol: float | None, max_steps: int, until_steady: bool = False) -> FloatArray:
    """``Job.settings``; without ``atol`` absolute tolerances follow the states."""
    own = OWN_SHARE * rtol if atol is None else 0.0
    return np.array([rtol, atol or 0.0, max_steps, 0.0, float(until_steady), own])


def no_progress() -> IntArray:
    """``Job.progress`` of a job that nobody has begun."""
    return np.array([0, 0, 0, 0, 0, FIRST_CALLS], dtype=np.int64)


def to_the_end(loop: Callable[[], int], progress: IntArray) -> None:
    """Call an integration loop until its job is done, with time in between for Ctrl-C and for the end of a pool."""
    while True:
        began = time.perf_counter()
        loop()
        if not progress[rows.UNDER_WAY]:
            return
        took = time.perf_counter() - began
        if took < MOST_SECONDS:
            progress[rows.MOST_CALLS] *= 2
        elif took > 4 * MOST_SECONDS:
            progress[rows.MOST_CALLS] = max(1, progress[rows.MOST_CALLS] // 4)
        stop_if_asked()


def run(
    engine: Engine,
    columns: IntArray,
    values: RowSource,
    times: FloatArray,
    nodes: tuple[int, ...],
    tolerances: tuple[float, float | None, int],
    start_states: FloatArray,
    results: Results,
    until_steady: bool = False,
    workers: int | None = None,
    note: Callable[[slice], None] = lambda done: None,
) -> None:
    """Simulate every row of ``values`` (n, columns), filling ``results`` (whose ``x`` is in elimination order).

    ``times`` is (1, m) for all rows or (n, m). Rows are cut into slices that threads take in turn; what a row gives
    does not depend on its slice. Whatever is done row by row is done there, not by the caller of all slices: ``note``
    is called with the rows of each that is done.
    """
    n_rows = len(values)
    if n_rows == 0:
        return
    settings = settings_of(*tolerances, until_steady=until_steady)
    count = min(processors(workers), -(-n_rows // LANES))
    functions = engine.functions_for(n_rows)
    alone = isinstance(engine.method, Scheme)  # one simulation takes all lanes

    def simulate(first: int, last: int) -> None:
        results.ends[first:last] = UNTOUCHED
        waiting = [(row, row + 1) for row in range(first, last)] if alone else [(first, last)]
        while waiting:  # not recursive: a function that knows itself would keep its arrays until they are collected
            begin, end = waiting.pop()
            with engine.workspaces.lent(len(nodes)) as workspace:
                ready = arrange(engine, workspace, nodes, functions, until_steady)
                progress = no_progress()
                own = np.ascontiguousarray(values[begin:end]), start_states[begin:end], _own_times(times, begin, end)
                piece = (columns, own[0], own[1], ready.sources, own[2], settings, progress, 0, end - begin)
                job = Job(engine.system.defaults, *piece)
                to_the_end(loop_of(engine, ready, job, _part(results, begin, end), no_tape()), progress)
            if engine.makes_room(results.ends[begin:end], ready.at.most_pending):
                full = begin + np.flatnonzero(results.ends[begin:end, rows.STATUS] == rows.QUEUE_FULL)
                waiting += [(row, row + 1) for row in full.tolist()]
        note(slice(first, last))

    if count <= 1:
        simulate(0, n_rows)
        return
    pieces, lock, failed = _slices(n_rows, count), Lock(), Event()

    def work() -> None:
        while not failed.is_set():
            stop_if_asked()
            with lock:
                piece = next(pieces, None)
            if piece is None:
                return
            try:
                simulate(*piece)
            except BaseException:
                failed.set()
                raise

    with threads(count) as submit:
        for finished in [submit(work) for _ in range(count)]:
            finished.result()


class RowSource(Protocol):
    """Settings row by row: an array (n, columns), or what gives a slice of rows when a thread comes to it."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, rows: slice, /) -> FloatArray:
        """Some of them (rows, columns)."""


def _own_times(times: FloatArray, first: int, last: int) -> FloatArray:
    return times if len(times) == 1 else times[first:last]


def _part(results: Results, first: int, last: int) -> Results:
    """Where the results of some rows go."""
    return Results(*(array[first:last] for array in results))


def _slices(n_rows: int, count: int) -> Iterator[tuple[int, int]]:
    """Slices that get smaller: few ends at which lanes run empty, and no thread left with much to do alone."""
    first = 0
    while first < n_rows:
        last = min(n_rows, first + max(FEWEST_ROWS, (n_rows - first) // (count * 3)))
        yield first, last
        first = last
