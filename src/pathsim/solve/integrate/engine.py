"""The engine: compiled systems, lane workspaces, and rows spread over threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import FloatArray, IntArray
from ...cache import source_of
from ..equations.system import System
from ..llvm import jit
from ..llvm import layout as lane_layout
from ..llvm.codegen import MOST_STRAIGHT_LINE, Program, effect_nodes, factor_module, model_module, output_module
from ..llvm.layout import LANES, Code, Discrete, Job, Layout, Results
from ..llvm.loops import compiled
from ..llvm.vector_maths import maths_module
from ..rosenbrock.factorisation import TABLES, lu_tables
from ..rosenbrock.step import POINTERS, step_module
from . import loop as lanes
from .recorder import nothing_recorded

MANY_ROWS = 4000
"""Rows from which writing out the factorisation of a large model pays for the time it takes to compile."""

Kernel = Callable[..., int]
_KINDS = {"lt": lane_layout.LT, "le": lane_layout.LE, "floor": lane_layout.FLOOR}


@cache
def step_code() -> jit.Code:
    """The compiled step, shared by all systems."""
    return jit.compile_lazily(identity_of("step"), lambda: step_module(jit.machine().fused), optimise=True)


@cache
def maths_code() -> jit.Code:
    """The vector functions, shared by all systems, which find them by name."""
    code = jit.compile_lazily(identity_of("maths"), lambda: maths_module(jit.machine().fused), optimise=True)
    jit.publish(code)
    return code


def identity_of(module: str) -> bytes:
    """What code that depends on no model follows from: the sources of this folder."""
    return source_of(Path(__file__).parents[1]) + module.encode()


@dataclass(eq=False)
class Engine:
    """Machine code for one system; outputs are compiled when first asked for."""

    system: System
    _outputs: dict[tuple[int, ...], jit.Code] = field(default_factory=dict)
    _idle: list[Workspace] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)
    plain: bool = False
    """Whether the driver runs as the Python it is written in: slow, the same bits, for tests."""

    @cached_property
    def program(self) -> Program:
        return Program(self.system)

    def derive(self) -> None:
        """Everything symbolic, which is otherwise done when first needed: Jacobian, elimination order, what is
        hoisted."""
        _ = (self.program.elimination, self.program.hoisted, self.discrete)

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        return jit.compile_ir(model_module(self.program, jit.machine().fused))

    @cached_property
    def written_factor(self) -> jit.Code:
        """The factorisation written out, for long sweeps of models that start with the one driven by tables."""
        return jit.compile_ir(factor_module(self.program, jit.machine().fused), effort=1)

    def factor_address(self, rows: int) -> int:
        """Where the factorisation is that suits a sweep over so many rows; all give the same bits."""
        if "factor" in self.code.addresses:
            return self.code.addresses["factor"]
        if rows >= MANY_ROWS or "written_factor" in self.__dict__:
            return self.written_factor.addresses["factor"]
        return step_code().addresses["table_factor"]

    @cached_property
    def tables(self) -> dict[str, IntArray] | None:
        """Index tables of the factorisation where it is not written out."""
        elimination = self.program.elimination
        if elimination.multiply_adds <= MOST_STRAIGHT_LINE:
            return None
        return lu_tables(elimination, self.program.placed_jacobian)

    @cached_property
    def discrete(self) -> Discrete:
        """Modes and events as tables."""
        system, place = self.system, self.program.elimination.place
        modes = [(_KINDS[mode.kind], pair is not None)
                 for mode, pair in zip(system.modes, self.program.linear_modes, strict=True)]  # fmt: skip
        first = np.cumsum([0, *(2 * len(event.targets) + 2 for event in system.events)])
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
            modes=np.array(modes, dtype=np.int64).reshape(-1, 2),
            events=np.array([*events, (first[-1], 0, 0, 0)], dtype=np.int64).reshape(-1, 4),
            targets=np.array(targets, dtype=np.int64).reshape(-1, 2),
        )

    @cached_property
    def order(self) -> IntArray:
        """State at each position of the elimination order."""
        return np.array(self.program.elimination.order, dtype=np.int64)

    def direct_outputs(self, nodes: tuple[int, ...]) -> IntArray:
        """Position of the state for each output that is one, else -1."""
        graph, place = self.system.graph, self.program.elimination.place
        states = {graph.state(i): place[i] for i in range(len(self.system.states))}
        return np.array([states.get(node, -1) for node in nodes], dtype=np.int64)

    def output_code(self, nodes: tuple[int, ...]) -> jit.Code:
        """The compiled outputs."""
        maths_code()  # outputs may be loaded before anything else that calls it
        with self._lock:
            if nodes not in self._outputs:
                self._outputs[nodes] = jit.compile_ir(output_module(self.program, nodes, jit.machine().fused))
            return self._outputs[nodes]

    def addresses(self, outputs: jit.Code) -> Code:
        """Where the driver finds every function; 0 for what this system does not have."""
        model, step = self.code.addresses, step_code().addresses
        return Code(
            **{name: model.get(name, 0) for name in
               ("start", "prep", "rates", "margins", "switches", "triggers", "effects")},
            **{name: step[name] for name in ("step", "record", "prepare_dense", "dense", "commit")},
            outputs=outputs.addresses["outputs"],
        )  # fmt: skip

    def borrow(self, n_outputs: int) -> Workspace:
        """An idle workspace with room for ``n_outputs``."""
        with self._lock:
            for i, workspace in enumerate(self._idle):
                if workspace.layout.n_outputs >= n_outputs:
                    return self._idle.pop(i)
        return Workspace(self, n_outputs)

    def give_back(self, workspace: Workspace) -> None:
        """Keep a workspace for the next job."""
        with self._lock:
            self._idle.append(workspace)


class Workspace:
    """The memory of eight lanes: the blocks F and N, what only compiled code touches, and the step's pointer table."""

    def __init__(self, engine: Engine, n_outputs: int) -> None:
        system, program = engine.system, engine.program
        n, n_parameters, n_modes = len(system.states), len(system.parameters), len(system.modes)
        most_targets = max([len(event.targets) for event in system.events], default=0)
        most_pending = 64 + 4 * len(system.events)
        sizes = {
            "y": n, "yn": n, "xs": n, "U": 8 * n, "D": 3 * n, "k": len(program.hoisted), "p": n_parameters + n_modes,
            "raw": n_parameters + n, "p_start": n_parameters + n_modes, "x_start": n, "k_start": len(program.hoisted),
            "o": n_outputs,
            "margins": n_modes, "margins_before": 2 * n_modes,
            "switch_line": 2 * n_modes, "triggers": len(system.events),
            "effects": len(effect_nodes(system)),
            "pending_time": most_pending, "pending_values": most_pending * most_targets,
        }  # fmt: skip
        rows, total = _stack(sizes, lane_layout.N_SCALARS)
        integer_rows, integers = _stack({"was_true": len(system.events), "pending_event": most_pending},
                                        lane_layout.N_INTEGERS)  # fmt: skip
        self.F = _aligned(total)
        self.N = np.zeros((integers, LANES), dtype=np.int64)
        self.N[lane_layout.ROW] = -1
        hidden = {"J": len(program.jacobian), "A": len(program.elimination.entries), "u": n, "slope": n, "work": n}
        self.hidden = {name: _aligned(size) for name, size in hidden.items()}
        self.lu = self._lu_table(engine)
        self.table = np.zeros(len(POINTERS), dtype=np.int64)
        self.layout = Layout(
            n=n, n_parameters=n_parameters, n_modes=n_modes, n_raw=n_parameters + n,
            n_hoisted=len(program.hoisted), n_outputs=n_outputs, computes_outputs=1, attempts_at_once=1,
            n_events=len(system.events), most_targets=most_targets, most_pending=most_pending,
            table=self.table.ctypes.data, base=self.F.ctypes.data, **rows, **integer_rows,
        )  # fmt: skip
        self.table[:] = self._pointers(engine)

    def _pointers(self, engine: Engine) -> list[int]:
        model = engine.code.addresses
        at = self.layout
        scalars = {"t": lane_layout.T, "h": lane_layout.H, "ts": lane_layout.INNER_TS, "ig": lane_layout.IG,
                   "old_error": lane_layout.OLD_ERROR, "was_rejected": lane_layout.WAS_REJECTED,
                   "stop": lane_layout.STOP, "aim": lane_layout.AIM, "accepted": lane_layout.ACCEPTED,
                   "wish": lane_layout.WISH, "h_next": lane_layout.H_NEXT, "t_next": lane_layout.T_NEXT,
                   "lands": lane_layout.LANDS, "target": lane_layout.TARGET, "live": lane_layout.LIVE,
                   "taken": lane_layout.TAKEN, "limit": lane_layout.LIMIT,
                   "y": at.y, "k": at.k, "U": at.U, "yn": at.yn}  # fmt: skip
        found = {name: lane_layout.place(at, row) for name, row in scalars.items()}
        found |= {name: array.ctypes.data for name, array in self.hidden.items()}
        found |= {
            "f_rates": model["rates"],
            "f_jacobian": model["jacobian"],
            "f_slopes": model.get("slopes", 0),
            "f_factor": model.get("factor", step_code().addresses["table_factor"]),
            "f_solve": model["solve"],
            "lu": self.lu.ctypes.data,
        }
        return [found[name] for name in POINTERS]

    def _lu_table(self, engine: Engine) -> IntArray:
        table = np.zeros(1 + len(TABLES), dtype=np.int64)
        if engine.tables is not None:
            addresses = {name: array.ctypes.data for name, array in engine.tables.items()}
            addresses["work"] = self.hidden["work"].ctypes.data
            table[0] = len(engine.system.states)
            table[1:] = [addresses[name] for name in TABLES]
        return table


def _stack(sizes: dict[str, int], first: int) -> tuple[dict[str, int], int]:
    """First rows of arrays laid one after another, and the number of rows in all."""
    rows: dict[str, int] = {}
    for name, size in sizes.items():
        rows[name] = first
        first += max(size, 1)  # never empty, so that it has an address
    return rows, first


def _aligned(rows: int) -> FloatArray:
    """Zeros of shape (rows, LANES), aligned to 64 bytes."""
    rows = max(rows, 1)
    raw = np.zeros(rows * LANES + 8)
    offset = (-raw.ctypes.data % 64) // 8
    return raw[offset : offset + rows * LANES].reshape(rows, LANES)


def arrange(
    engine: Engine, workspace: Workspace, nodes: tuple[int, ...], factor: int, until_steady: bool = False
) -> tuple[Layout, IntArray]:
    """A workspace made ready for these outputs: its layout, and the rows of F where they are found."""
    workspace.table[POINTERS.index("f_factor")] = factor
    direct = engine.direct_outputs(nodes)
    watched = until_steady or any(pair is None for pair in engine.program.linear_modes)
    at = workspace.layout._replace(
        n_outputs=len(nodes), computes_outputs=int((direct < 0).any()), attempts_at_once=1 if watched else 1000
    )
    return at, np.where(direct < 0, at.o + np.arange(len(nodes)), at.y + direct)


def run(
    engine: Engine,
    columns: IntArray,
    values: FloatArray,
    times: FloatArray,
    nodes: tuple[int, ...],
    tolerances: tuple[float, float, int],
    start_states: FloatArray,
    results: Results,
    until_steady: bool = False,
    workers: int | None = None,
) -> None:
    """Simulate every row of ``values`` (n, columns), filling ``results`` (whose ``x`` is in elimination order).

    ``times`` is (1, m) for all rows or (n, m). Rows are cut into slices that threads take in turn; what a row gives
    does not depend on its slice.
    """
    n_rows = len(values)
    if n_rows == 0:
        return
    code = engine.addresses(engine.output_code(nodes))
    settings = np.array([*tolerances, 0.0, float(until_steady)], dtype=float)
    threads = min(workers or os.cpu_count() or 1, -(-n_rows // LANES))
    kernel: Kernel = lanes.run_lanes if engine.plain else compiled(lanes.run_lanes)
    factor = engine.factor_address(n_rows)

    def simulate(first: int, last: int) -> None:
        workspace = engine.borrow(len(nodes))
        at, sources = arrange(engine, workspace, nodes, factor, until_steady)
        piece = Job(engine.system.defaults, columns, values, start_states, sources, times, settings, first, last)
        kernel(code, at, workspace.F, workspace.N, engine.discrete, piece, results, nothing_recorded())
        engine.give_back(workspace)

    if threads <= 1:
        simulate(0, n_rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        for finished in [pool.submit(simulate, *piece) for piece in _slices(n_rows, threads)]:
            finished.result()


def _slices(n_rows: int, threads: int) -> Iterator[tuple[int, int]]:
    """Slices that get smaller: few ends at which lanes run empty, and no thread left with much to do alone."""
    first = 0
    while first < n_rows:
        last = min(n_rows, first + max(LANES * 4, (n_rows - first) // (threads * 3)))
        yield first, last
        first = last
