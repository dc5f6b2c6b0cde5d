"""The engine: compiled systems, their memory, and rows spread over threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from threading import Event, Lock, RLock
from typing import Any, Protocol, TypeVar

import numpy as np

from ...arrays import FloatArray, IntArray
from ...cache import source_of
from ...garbage import none_looked_for
from ...progress import bar
from ...threads import once, processors, stop_if_asked, threads
from ..equations.system import System
from ..extrapolation.scheme import Scheme
from ..extrapolation.step import extrapolation_module
from ..llvm import jit
from ..llvm import layout as rows
from ..llvm.codegen import (
    Program,
    careful_module,
    effect_nodes,
    first_effects,
    model_module,
    output_module,
    output_tables,
)
from ..llvm.layout import LANES, Code, Discrete, Job, Layout, Results
from ..llvm.loops import Words, compiled
from ..llvm.machine import machine
from ..llvm.one_step import POINTERS, SIZES
from ..llvm.tables import Placed, interpreter_module
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

SECONDS_PER_OPERATION = 5e-5
"""What machine code takes to make, by operations of the model's functions; for that long tables are used instead."""

TABLES, CODE, CAREFUL = "tables", "code", "careful code"
"""Ways to compute what steps call; all give the same bits."""

_NONE = np.empty(0, dtype=np.int64)
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


@once
def interpreter_code() -> jit.Code:
    """What carries out the tables of any model."""
    maths_code()
    return jit.compile_lazily(identity_of("interpreter"), lambda: interpreter_module(machine().fused), optimise=True)


def identity_of(module: str) -> bytes:
    """What code that depends on no model follows from: the sources of this folder."""
    return source_of(Path(__file__).parents[1]) + module.encode()


@dataclass(eq=False)
class Engine:
    """What the equations of one system are computed by, and memory for that.

    Two ways give the same bits: tables of operations, which are there at once, and machine code, which runs faster but
    takes longer to make than a short simulation takes. Work begins with machine code where the cache has it, and else
    with tables; once these have been used for as long as machine code takes to make, it is made.
    """

    system: System
    method: Method = RODAS5P
    plain: bool = False
    """Whether the integration loop runs as the Python it is written in: slow, the same bits, for tests."""

    waiting: int = 64
    """Executions of events that a lane has room for; grows when a row needs more."""

    derived: Program | None = None
    """What engines of other methods have derived from the same system."""

    def __post_init__(self) -> None:
        self.program = self.derived or Program(self.system)
        self.output_code = Once(self._compile_outputs)
        self._placed = Once(self._place)
        self._code_of: Once[tuple[tuple[int, ...], bool], Words] = Once(self._find_code)
        self.workspaces = Idle(self.workspace)
        self._served = 0  # rows of all calls
        self._functions: Once[str, IntArray] = Once(self._functions_in_order)
        self._room, self._spent, self._lock = 0, 0.0, RLock()
        self._code: jit.Code | None = None
        self._looked = False

    @none_looked_for()
    def derive(self) -> None:
        """Everything symbolic, which is otherwise done when first needed: Jacobian, elimination order, what is
        hoisted."""
        _ = (self.program.elimination, self.program.hoisted, self.discrete)

    @cached_property
    def _identity(self) -> bytes:
        """The same for the same machine code."""
        tables = [array.tobytes() for array in self.tables.values()]
        return b"".join([identity_of("model"), self.program.tables.identity, *tables])

    @property
    def code(self) -> jit.Code:
        """Machine code of the model, made if need be."""
        with self._lock:
            if self._code is None:
                with bar("machine code of the model"):
                    maths_code()
                    text = partial(model_module, self.program, machine().fused)
                    self._code = jit.compile_lazily(self._identity, text)
            return self._code

    @property
    def has_code(self) -> bool:
        """Whether there is machine code, after making it where tables have been used long enough or many rows come."""
        if self._code is not None:
            return True
        with self._lock:
            if not self._looked:
                maths_code()
                self._code, self._looked = jit.recall(self._identity), True
            if self._code is None:
                tired = self._spent > SECONDS_PER_OPERATION * self.program.tables.operations
                return (tired or self._served >= MANY_ROWS) and bool(self.code.addresses)
            return True

    def spend(self, seconds: float) -> None:
        """Note that tables have been used for so long."""
        self._spent += seconds

    @cached_property
    def careful_code(self) -> jit.Code:
        """What steps call once more, made with more care and with the factorisation written out: for many rows."""
        with bar("machine code of the model for many rows"):
            maths_code()
            text = partial(careful_module, self.program, machine().fused)
            return jit.compile_lazily(self._identity + b"with care", text, effort=1)

    def serve(self, rows: int) -> None:
        """Note that so many rows more are asked for."""
        self._served += rows

    def functions(self, workspace: Workspace[Layout], nodes: tuple[int, ...], compiled: bool) -> Words:
        """All functions for a choice of outputs, as the integration loop takes them: machine code or tables, which
        steps in this workspace use from now on as well."""
        careful = compiled and self._served >= MANY_ROWS
        workspace.table[_FUNCTIONS] = self._functions(CAREFUL if careful else CODE if compiled else TABLES)
        if not compiled:
            places = self._placed(nodes).places.ctypes.data
            for base in ("k", "p", "k_start", "p_start"):
                workspace.F.view(np.int64)[workspace.rows[f"before_{base}"], 0] = places
        return self._code_of((nodes, compiled))

    def _functions_in_order(self, way: str) -> IntArray:
        if way == TABLES:
            known = interpreter_code().addresses
            found = self._functions_in({name: known[name] for name in self.program.tables.parts})
        else:
            found = self._functions_in((self.careful_code if way == CAREFUL else self.code).addresses)
        return np.array([found[name] for name in STEP_FUNCTIONS], dtype=np.int64)

    @cached_property
    def tables(self) -> dict[str, IntArray]:
        """Index tables of the factorisation."""
        return lu_tables(self.program.elimination, self.program.placed_jacobian)

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
        """Where the integration loop finds every function as machine code."""
        return self._addresses(self.code.addresses, outputs.addresses["outputs"])

    def _find_code(self, choice: tuple[tuple[int, ...], bool]) -> Words:
        nodes, compiled = choice
        if compiled:
            return Words(self.addresses(self.output_code(nodes)))
        known, outputs = interpreter_code().addresses, interpreter_code().addresses["outputs"]
        return Words(self._addresses({name: known[name] for name in self.program.tables.parts}, outputs))

    def _addresses(self, model: Mapping[str, int], outputs: int) -> Code:
        """0 stands for what this system does not have."""
        step = step_code(self.method).addresses
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
            outputs=outputs,
        )

    def _place(self, nodes: tuple[int, ...]) -> Placed:
        """Tables of the model and of these outputs; workspaces get the room that they need."""
        outputs = output_tables(self.program, nodes, machine().fused)
        with self._lock:
            if outputs.room > self._room:
                self._room, self.workspaces = outputs.room, Idle(self.workspace)
        return Placed(self.program.tables, outputs)

    def lent(self, nodes: tuple[int, ...]) -> AbstractContextManager[Workspace[Layout]]:
        """Memory for simulations with these outputs, kept for others afterwards."""
        self._make_tables(nodes)
        return self.workspaces.lent(len(nodes))

    def own_workspace(self, nodes: tuple[int, ...]) -> Workspace[Layout]:
        """New memory for simulations with these outputs."""
        self._make_tables(nodes)
        return self.workspace(len(nodes))

    @none_looked_for()
    def _make_tables(self, nodes: tuple[int, ...]) -> None:
        if not self.has_code:
            self._placed(nodes)

    def makes_room(self, ends: FloatArray, had: int) -> bool:
        """Let more events wait, where a queue for ``had`` was full in rows that ended so; whether that helps."""
        if not (ends[:, rows.STATUS] == rows.QUEUE_FULL).any() or had >= MOST_WAITING:
            return False
        self.waiting = max(self.waiting, 8 * had)
        self.workspaces = Idle(self.workspace)
        return True

    @none_looked_for()
    def workspace(self, n_outputs: int) -> Workspace[Layout]:
        """New memory for simulations with so many outputs."""
        system, program, T = self.system, self.program, self.method
        n, n_parameters, n_roots = len(system.states), len(system.parameters), len(system.discontinuities)
        most_targets = max([len(event.targets) for event in system.events], default=0)
        n_moments, n_timed = len(self.discrete.moments), len(self.discrete.timed)
        most_pending, n_p, n_k = self.waiting if system.events else 0, n_parameters + n_roots, len(program.hoisted)
        factors = len(T.steps) if isinstance(T, Scheme) else 1
        room = 0 if self.has_code else max(self._room, self.program.tables.room)
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
            "before_k": 1,
            "k": n_k + room,
            "before_p": 1,
            "p": n_p + room,
            "raw": n_parameters + n,
            "before_p_start": 1,
            "p_start": n_p + room,
            "x_start": n,
            "atol_start": n,
            "before_k_start": 1,
            "k_start": n_k + room,
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
            "alike": int(isinstance(T, Scheme)),
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
            dict.fromkeys(STEP_FUNCTIONS, 0) | sizes,
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
        """The model's functions that steps call, as machine code; 0 stands for what this system does not have."""
        return self._functions_in(self.code.addresses)

    def _functions_in(self, model: Mapping[str, int]) -> dict[str, int]:
        step, found = step_code(self.method).addresses, {}
        for name in STEP_FUNCTIONS:
            own = name.removeprefix("f_")
            found[name] = model.get(own, 0) or step.get(f"table_{own}", 0)
        return found


def arrange(
    engine: Engine, workspace: Workspace[Layout], nodes: tuple[int, ...], until_steady: bool = False
) -> Arranged[Layout]:
    """A workspace made ready for these outputs."""
    compiled = engine.has_code
    functions = engine.functions(workspace, nodes, compiled)
    found = workspace.arranged.get((nodes, until_steady, compiled))
    if found is not None:
        return found
    direct = engine.direct_outputs(nodes)
    watched = until_steady or any(pair is None for pair in engine.program.timed_discontinuities)
    attempts = min(1000, max(1, 100_000 // (1 + len(engine.program.elimination.entries))))
    at = workspace.layout._replace(
        n_outputs=len(nodes), computes_outputs=int((direct < 0).any()), attempts_at_once=1 if watched else attempts
    )
    sources = np.where(direct < 0, at.o + np.arange(len(nodes)), at.y + direct)
    fixed = (functions, *map(Words, (at, workspace.F, workspace.N, engine.discrete)))
    if len(workspace.arranged) >= MOST_ARRANGED:
        workspace.arranged.clear()
    made = workspace.arranged[nodes, until_steady, compiled] = Arranged(at, sources, fixed, compiled)
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


def loop_in(
    engine: Engine,
    workspace: Workspace[Layout],
    nodes: tuple[int, ...],
    job: Job,
    results: Results,
    tape: Tape | Words,
    until_steady: bool = False,
) -> tuple[Callable[[], int], bool]:
    """The integration loop of a job (whose ``sources`` are not known yet) in a workspace, and whether it uses machine
    code."""
    ready = arrange(engine, workspace, nodes, until_steady)
    return loop_of(engine, ready, job._replace(sources=ready.sources), results, tape), ready.compiled


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


def to_the_end(engine: Engine, prepare: Callable[[], tuple[Callable[[], int], bool]], progress: IntArray) -> None:
    """Call an integration loop until its job is done, with time in between for Ctrl-C and for the end of a pool.

    ``prepare`` gives the loop, and whether it uses machine code; it is asked again once there is some.
    """
    loop, compiled = prepare()
    while True:
        began = time.perf_counter()
        loop()
        took = time.perf_counter() - began
        if not compiled:
            engine.spend(took)
        if not progress[rows.UNDER_WAY]:
            return
        if took < MOST_SECONDS:
            progress[rows.MOST_CALLS] *= 2
        elif took > 4 * MOST_SECONDS:
            progress[rows.MOST_CALLS] = max(1, progress[rows.MOST_CALLS] // 4)
        stop_if_asked()
        if not compiled and engine.has_code:
            loop, compiled = prepare()


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
    engine.serve(n_rows)
    alone = isinstance(engine.method, Scheme)  # one simulation takes all lanes

    def simulate(first: int, last: int) -> None:
        results.ends[first:last] = UNTOUCHED
        waiting = [(row, row + 1) for row in range(first, last)] if alone else [(first, last)]
        while waiting:  # not recursive: a function that knows itself would keep its arrays until they are collected
            begin, end = waiting.pop()
            with engine.lent(nodes) as workspace:
                progress = no_progress()
                own = np.ascontiguousarray(values[begin:end]), start_states[begin:end], _own_times(times, begin, end)

                job = Job(
                    engine.system.defaults, columns, own[0], own[1], _NONE, own[2], settings, progress, 0, end - begin
                )
                part = _part(results, begin, end)
                prepare = partial(loop_in, engine, workspace, nodes, job, part, no_tape(), until_steady)
                to_the_end(engine, prepare, progress)
            if engine.makes_room(results.ends[begin:end], workspace.layout.most_pending):
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
