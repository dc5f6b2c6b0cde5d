"""The exact discrete adjoint: the gradient of one number by all raw values for the price of a few simulations.

The recorded steps are run backwards (A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM 2008; for
Rosenbrock methods D. N. Daescu, A. Sandu and G. R. Carmichael, J. Comput. Phys. 193, 2003). The cost does not grow with
the number of parameters, unlike that of :mod:`forward`, which gives the derivatives of every output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from ...arrays import BoolArray, FloatArray, IntArray
from ...threads import once
from ..equations.system import System
from ..integrate.batch import engine_of
from ..integrate.engine import Engine, maths_code, method_code, step_code
from ..integrate.recorder import LINK_JUMP, STEP_END, STEP_Y, stages_column
from ..integrate.workspace import Idle, Once, Workspace, aligned
from ..llvm import jit
from ..llvm.adjoint_code import adjoint_module, moments_move, outputs_adjoint_module
from ..llvm.codegen import MOST_STRAIGHT_LINE
from ..llvm.layout import LANES
from ..llvm.loops import Words, compiled
from ..llvm.machine import machine
from ..rosenbrock.adjoint_step import STEP_POINTERS, adjoint_step_module
from ..rosenbrock.tableau import Tableau
from .adjoint_loop import AdjointCode, AdjointLayout, Bars, Lanes, Starts, Tasks, back_lanes, start_back
from .forward_jumps import Crossing, jumps_of
from .recording import Recording, segments_of
from .segments import segment_by_segment
from .switches import Switches, switching_of


@dataclass(frozen=True, eq=False)
class Pulled:
    """Derivatives of an objective: by raw values (n, columns), and by given start states (n, states).

    NaN in rows that failed.
    """

    raw: FloatArray
    start: FloatArray


def pull_back(
    recording: Recording, bars: FloatArray, x_bars: FloatArray | None = None, columns: Sequence[int] | None = None
) -> Pulled:
    """Derivatives of an objective from those by what was recorded.

    Args:
        bars: (n, times, outputs), by the sampled outputs.
        x_bars: (n, states), by the last states; zero by default.
        columns: the raw values of interest; all by default. Code is compiled for each choice, which is quicker the
            fewer there are.
    """
    chosen = range(len(recording.system.defaults)) if columns is None else columns
    return _Pull(recording, bars, x_bars, tuple(int(column) for column in chosen)).run()


class _Pull:
    def __init__(
        self, recording: Recording, bars: FloatArray, x_bars: FloatArray | None, columns: tuple[int, ...]
    ) -> None:
        self.recording, self.bars = recording, np.ascontiguousarray(bars, dtype=float)
        system = self.system = recording.system
        n_rows = len(recording.rows.status)
        self.rows = np.flatnonzero(recording.rows.status == 0)
        found = segments_of(recording)
        self.jump_of, self.many = found.cuts[:, 1:] - 1, found.many
        self.tape = Words(recording.tape)
        self.segments = segment_by_segment(found, self.rows, recording.times)
        self.machine = adjoint_of(system, recording.tableau, columns)
        self.place = self.machine.engine.order
        self.S = np.zeros((n_rows, len(system.states)))
        self.Q = np.zeros((n_rows, system.n_parameters))
        if x_bars is not None:
            self.S[:] = np.asarray(x_bars)[:, self.place]

    def run(self) -> Pulled:
        recording = self.recording
        eventful = bool(self.system.events)
        jumps = {int(row): self._jumps(int(row)) for row in self.rows} if eventful else {}
        width = self.S.shape[1] + self.Q.shape[1]
        waits = {row: np.zeros(len(matrices[-1]) - width) for row, matrices in jumps.items()}
        for number in reversed(range(len(self.segments))):
            rows = self.segments[number].rows
            self._segment(number)
            if number > 0 and not eventful and self.machine.moments_move:
                self._switch(number, rows)
            elif eventful:
                for row in rows.tolist():
                    waits[row] = self._over(row, jumps[row][number], waits[row])
        raw = to_raw(self.machine, recording.raw, self.S, self.Q, recording.from_states)
        start = np.zeros_like(self.S)
        if recording.from_states:
            start[:, self.place] = self.S
        failed = recording.rows.status != 0
        raw[failed], start[failed] = np.nan, np.nan
        return Pulled(raw, start)

    def _segment(self, number: int) -> None:
        recording, n, one = self.recording, len(self.system.states), self.segments[number]
        longest = np.argsort(one.first - one.last, kind="stable")  # alike lengths side by side
        columns = [one.rows, one.first, one.last, one.first_sample, one.last_sample, np.zeros_like(one.rows)]
        table = np.stack(columns, axis=1)[longest]
        rows = table[:, 0]
        if number == 0:
            after = recording.tape.starts[rows, n + self.system.n_parameters :]
        else:
            records = recording.order[self.jump_of[rows, number - 1]]
            after = recording.tape.jumps[recording.tape.links[records, LINK_JUMP], n:]
        S, Q = self.S[rows], self.Q[rows]
        todo = Tasks(
            table,
            recording.order,
            np.ascontiguousarray(after[:, :n]),
            np.ascontiguousarray(after[:, n:]),
            one.samples,
            one.times,
        )
        code = self.machine.code_of(recording.outputs)
        with self.machine.workspaces.lent(len(recording.outputs)) as (at, F, lanes, _):
            compiled(back_lanes)(code, at, F, lanes, self.tape, todo, Bars(self.bars, S, Q))
        self.S[rows], self.Q[rows] = S, Q

    def _switch(self, number: int, rows: IntArray) -> None:
        """Back over the switches after which these rows began segment ``number``; no events."""
        at = Switches.before(self.recording, self.jump_of, rows, number, self.place)
        S = np.empty_like(at.x)
        S[:, self.place] = self.S[rows]
        S, self.Q[rows] = switching_of(self.system).back(at, S, self.Q[rows])
        self.S[rows] = S[:, self.place]

    def _jumps(self, row: int) -> list[FloatArray]:
        """What happened at the start and at each jump of a row, as matrices on (states, parameters, what waits)."""
        recording, n = self.recording, len(self.system.states)
        tape, order = recording.tape, recording.order
        width = n + self.system.n_parameters
        unit = np.eye(width)
        crossing = Crossing(jumps_of(self.machine.engine), width)
        start = tape.starts[row]
        before, after = start[:width], start[width:]
        moved = crossing.begin(before[:n], before[n:], after[:n], after[n:], unit[:n], unit[n:])
        found = [np.vstack([*moved, crossing.waiting()])]
        for number in range(int(self.many[row]) - 1):
            record = order[self.jump_of[row, number]]
            jump = tape.jumps[tape.links[record, LINK_JUMP]]
            crossing.set_apart(width)
            unit = np.eye(crossing.d)
            moved = crossing.cross(
                float(tape.steps[record, STEP_END]), jump[:n], jump[n : 2 * n], jump[2 * n :], unit[:n], unit[n:width]
            )
            found.append(np.vstack([*moved, crossing.waiting()]))
        return found

    def _over(self, row: int, matrix: FloatArray, waits: FloatArray) -> FloatArray:
        """Back over what happened where a segment begins; ``waits`` are derivatives by what waits after and before."""
        n, n_p = self.S.shape[1], self.Q.shape[1]
        moved: FloatArray = matrix.T @ np.concatenate([self.S[row], self.Q[row], waits])
        self.S[row], self.Q[row] = moved[:n], moved[n : n + n_p]
        return moved[n + n_p :]


def to_raw(machine: AdjointMachine, raw: FloatArray, S: FloatArray, Q: FloatArray, from_states: bool) -> FloatArray:
    """From derivatives by initial states (n, states), in elimination order, and parameters (n, p) to those by raw
    values (n, columns); ``from_states``: rows began from given states."""
    system, order = machine.engine.system, machine.engine.order
    n_raw, n_p, n = len(system.defaults), len(system.parameters), len(system.states)
    found = np.zeros((len(S), len(machine.columns)))
    memory = [aligned(size) for size in (1, n_raw, n_p + n, found.shape[1])]
    t, lane_raw, weights, bars = (array.ctypes.data for array in memory)
    states = np.empty((len(found), 0))
    if not from_states:
        states = np.empty(S.shape)
        states[:, order] = S
    starts = Starts(
        raw, found, memory[1], memory[2], memory[3], t, lane_raw, weights, bars,
        machine.code.addresses["start_adjoint"],
    )  # fmt: skip
    compiled(start_back)(starts, states, Q, np.array([n]))
    return found


@once
def _adjoint_step(tableau: Tableau) -> jit.Code:
    return method_code("adjoint step", adjoint_step_module, tableau)


class AdjointMemory(NamedTuple):
    """A workspace as the loop over recorded steps takes it; the last item keeps everything alive."""

    layout: Words
    F: FloatArray
    lanes: Words
    workspace: Workspace[AdjointLayout]


@dataclass(eq=False)
class AdjointMachine:
    """Compiled transposes of one system with respect to some of its raw values, and the memory they work in."""

    engine: Engine
    tableau: Tableau
    columns: tuple[int, ...]

    def __post_init__(self) -> None:
        self._outputs = Once(self._compile_outputs)
        self.functions_of = Once(self._functions_of)
        """Addresses of all functions for a choice of outputs."""
        self.code_of: Once[tuple[int, ...], Words] = Once(lambda nodes: Words(self.functions_of(nodes)))
        """The same as the loop over recorded steps takes them."""
        self.workspaces = Idle(self._memory)
        """By the number of outputs."""

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        small = self.engine.program.elimination.multiply_adds <= MOST_STRAIGHT_LINE
        stages = self.tableau.stages
        module = adjoint_module(self.engine.program, self.columns, stages, machine().fused)
        return jit.compile_ir(module, effort=2 if small else 0)

    @cached_property
    def moments_move(self) -> bool:
        """Whether switches have anything to say."""
        return moments_move(self.engine.program, self.columns)

    @cached_property
    def moves(self) -> BoolArray:
        """Which parameters (branches last) the raw values of interest move."""
        system = self.engine.system
        graph, moved = system.graph, set[int]()
        for node in graph.topological(system.start_parameters):
            leaf = graph.op(node) == "p" and graph.nodes[node][1] in self.columns
            if leaf or any(child in moved for child in graph.args(node)):
                moved.add(node)
        branches = [False] * len(system.discontinuities)
        return np.array([*(node in moved for node in system.start_parameters), *branches], dtype=bool)

    def _compile_outputs(self, nodes: tuple[int, ...]) -> jit.Code:
        maths_code()
        return jit.compile_ir(outputs_adjoint_module(self.engine.program, nodes, self.columns, machine().fused))

    def _functions_of(self, nodes: tuple[int, ...]) -> AdjointCode:
        outputs = self._outputs(nodes).addresses["outputs_adjoint"]
        engine, own = self.engine, self.code.addresses
        step, back = step_code(self.tableau).addresses, _adjoint_step(self.tableau).addresses
        same = ("gather", "back", "back_dense", "hand", "add", "spread", "spread_more", "clear")
        return AdjointCode(
            prep=engine.code.addresses["prep"],
            prep_adjoint=own["prep_adjoint"],
            restage=back["restage_timed" if engine.program.has_time else "restage"],
            prepare_dense=step["prepare_dense"],
            dense=step["dense"],
            outputs_adjoint=outputs,
            **{name: back[name] for name in same},
        )

    def _memory(self, n_outputs: int) -> AdjointMemory:
        engine, own = self.engine, self.code.addresses
        system, program, T = engine.system, engine.program, self.tableau
        n, n_p, n_k, rows = len(system.states), system.n_parameters, len(program.hoisted), len(T.H)
        entries, factors, width = len(program.jacobian), len(program.elimination.entries), stages_column(n)
        arrays = {
            "t": 1,
            "h": 1,
            "end": 1,
            "counts": 1,
            "y": width - STEP_Y,  # as in a record
            "ts": 1,
            "theta": 1,
            "ig": 1,
            "yn": n,
            "p": n_p,
            "k": n_k,
            "U": T.stages * n,
            "u": T.stages * n,
            "D": rows * n,
            "xs": n,
            "dfdt": n,
            "J": entries,
            "A": factors,
            "ybar": n,
            "nbar": n,
            "Dbar": rows * n,
            "V": T.stages * n,
            "xbar": T.stages * n,
            "sbar": n,
            "kbar": n_k,
            "pbar": n_p,
            "w": n_outputs,
            "work": n,
        }
        functions = engine.step_functions() | {
            "f_solve_transposed": own["solve_transposed"],
            "f_rates_adjoint": own["rates_adjoint"],
            "f_jacobian_adjoint": own["jacobian_adjoint"],
            "f_time_derivative_adjoint": own.get("time_derivative_adjoint", 0),
        }
        counts = {"n": n, "n_parameters": n_p, "n_hoisted": n_k, "n_outputs": n_outputs, "n_dense": rows}
        memory = Workspace(AdjointLayout, counts, arrays, STEP_POINTERS, {}, functions, engine.tables)
        records, still = np.zeros(2 * LANES, dtype=np.int64), np.zeros((LANES, width))
        lanes = Lanes(records, records.ctypes.data, np.zeros(LANES, dtype=np.int64), still, still.ctypes.data)
        return AdjointMemory(Words(memory.layout), memory.F, Words(lanes), memory)


def adjoint_of(system: System, tableau: Tableau, columns: tuple[int, ...]) -> AdjointMachine:
    """The transposes of a system by a method, with respect to some of its raw values, compiled once."""
    return _machine(engine_of(system, tableau), tableau, columns)


@lru_cache(maxsize=64)
def _machine(engine: Engine, tableau: Tableau, columns: tuple[int, ...]) -> AdjointMachine:
    return AdjointMachine(engine, tableau, columns)
