"""The exact discrete adjoint: the gradient of one number by all raw values for the price of a few simulations.

The recorded steps are run backwards (A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM 2008; for
Rosenbrock methods D. N. Daescu, A. Sandu and G. R. Carmichael, J. Comput. Phys. 193, 2003). The cost does not grow with
the number of parameters, unlike that of :mod:`forward`, which gives the derivatives of every output.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.system import System
from ..integrate.batch import engine_of
from ..integrate.engine import Engine, _aligned, _stack, identity_of, maths_code, step_code
from ..integrate.recorder import LINK_JUMP, STEP_END, STEP_Y, stages_column
from ..llvm import jit
from ..llvm.adjoint_code import adjoint_module, moments_move, outputs_adjoint_module
from ..llvm.codegen import MOST_STRAIGHT_LINE
from ..llvm.layout import LANES
from ..llvm.loops import Words, compiled
from ..rosenbrock.adjoint_step import STEP_POINTERS, adjoint_step_module
from ..rosenbrock.tableau import RODAS5P
from .adjoint_jumps import switching_of
from .adjoint_loop import AdjointCode, AdjointLayout, Bars, Lanes, Starts, Tasks, back_lanes, start_back
from .forward_jumps import Crossing
from .forward_machine import machine_of
from .recording import Recording, stretches_of
from .segments import rounds_of


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
        found = stretches_of(recording)
        self.jump_of, self.many = found.cuts[:, 1:] - 1, found.many
        self.tape = Words.of(recording.tape)
        self.rounds = rounds_of(found, self.rows, recording.times)
        self.machine = adjoint_of(system, columns)
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
        for number in reversed(range(len(self.rounds))):
            rows = self.rounds[number].rows
            self._stretch(number)
            if number > 0 and not eventful and self.machine.moments_move:
                self._switch(number, rows)
            elif eventful:
                for row in rows.tolist():
                    waits[row] = self._over(row, jumps[row][number], waits[row])
        raw = self._start()
        start = np.zeros_like(self.S)
        if recording.from_states:
            start[:, self.place] = self.S
        failed = recording.rows.status != 0
        raw[failed], start[failed] = np.nan, np.nan
        return Pulled(raw, start)

    def _stretch(self, number: int) -> None:
        recording, n, one = self.recording, len(self.system.states), self.rounds[number]
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
        code, at, F, lanes, token = self.machine.borrow(recording.outputs)
        todo = Tasks(table, recording.order, np.ascontiguousarray(after[:, :n]),
                     np.ascontiguousarray(after[:, n:]), one.samples, one.times)  # fmt: skip
        compiled(back_lanes)(code, at, F, lanes, self.tape, todo, Bars(self.bars, S, Q))
        self.machine.give_back(token)
        self.S[rows], self.Q[rows] = S, Q

    def _switch(self, number: int, rows: IntArray) -> None:
        """Back over the switches after which these rows began stretch ``number``; no events."""
        tape, n, jump_of = self.recording.tape, len(self.system.states), self.jump_of
        records = self.recording.order[jump_of[rows, number - 1]]
        jumps = tape.jumps[tape.links[records, LINK_JUMP]]
        if number == 1:
            p = tape.starts[rows, 2 * n + self.system.n_parameters :]
        else:
            earlier = self.recording.order[jump_of[rows, number - 2]]
            p = tape.jumps[tape.links[earlier, LINK_JUMP], 2 * n :]
        x, x_after, S = np.empty((3, len(rows), n))
        x[:, self.place], x_after[:, self.place], S[:, self.place] = jumps[:, :n], jumps[:, n : 2 * n], self.S[rows]
        S, self.Q[rows] = switching_of(self.system).back(
            tape.steps[records, STEP_END], x, x_after, p, jumps[:, 2 * n :], S, self.Q[rows]
        )
        self.S[rows] = S[:, self.place]

    def _jumps(self, row: int) -> list[FloatArray]:
        """What happened at the start and at each jump of a row, as matrices on (states, parameters, what waits)."""
        tape, order, n = self.recording.tape, self.recording.order, len(self.system.states)
        width = n + self.system.n_parameters
        unit = np.eye(width)
        crossing = Crossing(machine_of(self.system).jumps, width)
        start = tape.starts[row]
        before, after = start[:width], start[width:]
        moved = crossing.begin(before[:n], before[n:], after[:n], after[n:], unit[:n], unit[n:])
        found = [np.vstack([*moved, crossing.waiting()])]
        for number in range(int(self.many[row]) - 1):
            record = order[self.jump_of[row, number]]
            jump = tape.jumps[tape.links[record, LINK_JUMP]]
            crossing.set_apart(width)
            unit = np.eye(crossing.d)
            moved = crossing.cross(float(tape.steps[record, STEP_END]), jump[:n], jump[n : 2 * n], jump[2 * n :],
                                   unit[:n], unit[n:width])  # fmt: skip
            found.append(np.vstack([*moved, crossing.waiting()]))
        return found

    def _over(self, row: int, matrix: FloatArray, waits: FloatArray) -> FloatArray:
        """Back over what happened where a stretch begins; ``waits`` are derivatives by what waits after and before."""
        n, n_p = self.S.shape[1], self.Q.shape[1]
        moved: FloatArray = matrix.T @ np.concatenate([self.S[row], self.Q[row], waits])
        self.S[row], self.Q[row] = moved[:n], moved[n : n + n_p]
        return moved[n + n_p :]

    def _start(self) -> FloatArray:
        """From initial states and parameters to raw values."""
        recording, system = self.recording, self.system
        n_raw, n_p, n = len(system.defaults), len(system.parameters), len(system.states)
        found = np.zeros((len(self.S), len(self.machine.columns)))
        memory = [_aligned(size) for size in (1, n_raw, n_p + n, found.shape[1])]
        t, raw, weights, bars = (array.ctypes.data for array in memory)
        S = np.empty((len(found), 0))
        if not recording.from_states:
            S = np.empty_like(self.S)
            S[:, self.place] = self.S
        starts = Starts(recording.raw, found, memory[1], memory[2], memory[3], t, raw, weights, bars,
                        self.machine.code.addresses["start_adjoint"])  # fmt: skip
        compiled(start_back)(starts, S, self.Q, np.array([n]))
        return found


@lru_cache(maxsize=1)
def _adjoint_step() -> jit.Code:
    return jit.compile_lazily(
        identity_of("adjoint step"), lambda: adjoint_step_module(jit.machine().fused), optimise=True
    )


@dataclass(eq=False)
class AdjointMachine:
    """Compiled transposes of one system; those of outputs are compiled when first asked for."""

    system: System
    columns: tuple[int, ...]
    _outputs: dict[tuple[int, ...], jit.Code] = field(default_factory=dict)
    _idle: dict[tuple[int, ...], list[Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    @cached_property
    def engine(self) -> Engine:
        return engine_of(self.system)

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        small = self.engine.program.elimination.multiply_adds <= MOST_STRAIGHT_LINE
        return jit.compile_ir(
            adjoint_module(self.engine.program, self.columns, RODAS5P.stages, jit.machine().fused),
            effort=2 if small else 0,
        )

    @cached_property
    def moments_move(self) -> bool:
        """Whether switches have anything to say."""
        return moments_move(self.engine.program, self.columns)

    def borrow(self, nodes: tuple[int, ...]) -> tuple[Words, Words, FloatArray, Words, Any]:
        """Addresses, layout and memory for outputs ``nodes``; hand the last item to :meth:`give_back`."""
        with self._lock:
            if nodes not in self._outputs:
                maths_code()
                module = outputs_adjoint_module(self.engine.program, nodes, self.columns, jit.machine().fused)
                self._outputs[nodes] = jit.compile_ir(module)
            idle = self._idle.setdefault(nodes, [])
            found = idle.pop() if idle else self._workspace(nodes)
        return found[0], found[1], found[2], found[3], (nodes, found)

    def give_back(self, token: Any) -> None:
        """Keep a workspace for the next call."""
        nodes, found = token
        self._idle[nodes].append(found)

    def _workspace(self, nodes: tuple[int, ...]) -> tuple[Words, Words, FloatArray, Words, Any]:
        system, program = self.system, self.engine.program
        n, n_p, n_k = len(system.states), system.n_parameters, len(program.hoisted)
        entries, factors, width = len(program.jacobian), len(program.elimination.entries), stages_column(n)
        sizes = {"t": 1, "h": 1, "end": 1, "counts": 1, "y": width - STEP_Y,  # as in a record
                 "ts": 1, "theta": 1, "ig": 1, "yn": n, "p": n_p, "k": n_k, "U": 8 * n, "u": 8 * n, "D": 3 * n,
                 "xs": n, "slope": n, "J": entries, "A": factors, "ybar": n, "nbar": n, "Dbar": 3 * n, "V": 8 * n,
                 "xbar": 8 * n, "sbar": n, "kbar": n_k, "pbar": n_p, "w": len(nodes), "work": n}  # fmt: skip
        rows, total = _stack(sizes, 0)
        F = _aligned(total)
        table = np.zeros(len(STEP_POINTERS), dtype=np.int64)
        at = AdjointLayout(
            n=n, n_parameters=n_p, n_hoisted=n_k, n_outputs=len(nodes), table=table.ctypes.data,
            base=F.ctypes.data, **{name: rows[name] for name in AdjointLayout._fields if name in rows},
        )  # fmt: skip
        records, still = np.zeros(2 * LANES, dtype=np.int64), np.zeros((LANES, width))
        lanes = Lanes(records, records.ctypes.data, np.zeros(LANES, dtype=np.int64), still, still.ctypes.data)
        lu = machine_of(system)._factor_table(F.ctypes.data + rows["work"] * LANES * 8)
        found = {name: F.ctypes.data + row * LANES * 8 for name, row in rows.items()}
        found |= {"lu": lu.ctypes.data} | self._step_functions()
        table[:] = [found[name] for name in STEP_POINTERS]
        return Words.of(self._code(nodes)), Words.of(at), F, Words.of(lanes), (table, lu)

    def _step_functions(self) -> dict[str, int]:
        model, own = self.engine.code.addresses, self.code.addresses
        return {
            "f_rates": model["rates"],
            "f_jacobian": model["jacobian"],
            "f_slopes": model.get("slopes", 0),
            "f_factor": model.get("factor", step_code().addresses["table_factor"]),
            "f_solve": model["solve"],
            "f_solve_transposed": own["solve_transposed"],
            "f_rates_adjoint": own["rates_adjoint"],
            "f_jacobian_adjoint": own["jacobian_adjoint"],
            "f_slopes_adjoint": own.get("slopes_adjoint", 0),
        }

    def _code(self, nodes: tuple[int, ...]) -> AdjointCode:
        shared, step, own = _adjoint_step().addresses, step_code().addresses, self.code.addresses
        same = ("gather", "back", "back_dense", "hand", "add", "spread", "spread_more", "clear")
        return AdjointCode(
            prep=self.engine.code.addresses["prep"], prep_adjoint=own["prep_adjoint"],
            restage=shared["restage_timed" if self.engine.program.has_time else "restage"],
            prepare_dense=step["prepare_dense"], dense=step["dense"],
            outputs_adjoint=self._outputs[nodes].addresses["outputs_adjoint"],
            **{name: shared[name] for name in same},
        )  # fmt: skip


@lru_cache(maxsize=64)
def adjoint_of(system: System, columns: tuple[int, ...]) -> AdjointMachine:
    """The transposes of a system with respect to some of its raw values, compiled once."""
    return AdjointMachine(system, columns)
