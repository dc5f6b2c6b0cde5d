"""The exact discrete adjoint: the gradient of one number by all raw values for the price of a few simulations.

The recorded steps are run backwards (A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM 2008; for
Rosenbrock methods D. N. Daescu, A. Sandu and G. R. Carmichael, J. Comput. Phys. 193, 2003). The cost does not grow with
the number of parameters, unlike that of :mod:`pathsim.solve.sensitivity`, which gives the derivatives of every output.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from . import jit
from .adjoint_code import STEP_POINTERS, adjoint_module, adjoint_step_module, outputs_adjoint_module
from .adjoint_jumps import switching_of
from .adjoint_lanes import AdjointCode, AdjointLayout, back_lanes
from .batch import engine_of
from .codegen import MOST_STRAIGHT_LINE
from .driver import compiled
from .engine import Engine, _aligned, _stack, maths_code, step_code
from .lane_layout import LANES
from .recording import Recording
from .sensitivity import _Differentiation
from .sensitivity_jumps import Crossing
from .sensitivity_machine import machine_of
from .solvers import Rosenbrock
from .system import FloatArray, System
from .tape import LINK_JUMP, STEP_END

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pulled:
    """Derivatives of an objective: by raw values (n, raw values), and by given start states (n, states).

    NaN in rows that failed.
    """

    raw: FloatArray
    start: FloatArray


def pull_back(recording: Recording, bars: FloatArray, x_bars: FloatArray | None = None) -> Pulled:
    """Derivatives of an objective from those by what was recorded.

    Args:
        bars: (n, times, outputs), by the sampled outputs.
        x_bars: (n, states), by the last states; zero by default.
    """
    return _Pull(recording, bars, x_bars).run()


class _Pull:
    def __init__(self, recording: Recording, bars: FloatArray, x_bars: FloatArray | None) -> None:
        self.recording, self.bars = recording, np.ascontiguousarray(bars, dtype=float)
        system = self.system = recording.system
        n_rows = len(recording.rows.status)
        # one direction per row: what the tangents of any direction would run through is what is run back here
        self.forward = _Differentiation(recording, np.ones((n_rows, len(system.defaults), 1)), None, Rosenbrock())
        self.machine = adjoint_of(system)
        self.place = self.forward.place
        self.S = np.zeros((n_rows, len(system.states)))
        self.Q = np.zeros((n_rows, system.n_parameters))
        if x_bars is not None:
            self.S[:] = np.asarray(x_bars)[:, self.place]
        if any(event.delay is not None for event in system.events):
            raise NotImplementedError("events with delays")

    def run(self) -> Pulled:
        recording, system = self.recording, self.system
        rounds = self.forward._rounds()
        eventful = bool(system.events)
        jumps = {int(row): self._jumps(int(row)) for row in self.forward.row} if eventful else {}
        for number in reversed(range(len(rounds))):
            self._stretch(number, rounds[number])
            if number > 0 and not eventful:
                self._switch(number, rounds[number]["tasks"][:, 0])
            elif eventful:
                for row in rounds[number]["tasks"][:, 0]:
                    self._over(int(row), jumps[int(row)][number])
        raw = self._start()
        start = np.zeros((len(self.S), len(system.states)))
        if recording.from_states:
            start[:, self.place] = self.S
        failed = recording.rows.status != 0
        raw[failed], start[failed] = np.nan, np.nan
        return Pulled(raw, start)

    def _stretch(self, number: int, tasks: dict[str, IntArray]) -> None:
        recording, n = self.recording, len(self.system.states)
        table = tasks["tasks"]
        table = table[np.argsort(table[:, 1] - table[:, 2], kind="stable")]  # alike lengths side by side
        table = np.ascontiguousarray(table)
        rows = table[:, 0]
        width = n + self.system.n_parameters
        after = recording.tape.starts[rows, width:]
        if number > 0:
            records = recording.order[self.forward.jump_of[rows, number - 1]]
            after = recording.tape.jumps[recording.tape.links[records, LINK_JUMP], n:]
        samples, times = self.forward.places[number]
        S, Q = self.S[rows], self.Q[rows]
        code, at, F, token = self.machine.borrow(recording.outputs)
        compiled(back_lanes)(
            code, at, F, recording.tape, recording.order, table, np.ascontiguousarray(after[:, :n]),
            np.ascontiguousarray(after[:, n:]), samples, times, self.bars, S, Q,
        )  # fmt: skip
        self.machine.give_back(token)
        self.S[rows], self.Q[rows] = S, Q

    def _switch(self, number: int, rows: IntArray) -> None:
        """Back over the switches after which these rows began stretch ``number``; no events."""
        tape, n, jump_of = self.recording.tape, len(self.system.states), self.forward.jump_of
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
        """What happened at the start and at each jump of a row, as matrices on (states, parameters)."""
        tape, order, n = self.recording.tape, self.recording.order, len(self.system.states)
        width = n + self.system.n_parameters
        unit = np.eye(width)
        crossing = Crossing(machine_of(self.system).jumps, width)
        start = tape.starts[row]
        before, after = start[:width], start[width:]
        found = [np.vstack(crossing.begin(before[:n], before[n:], after[:n], after[n:], unit[:n], unit[n:]))]
        for number in range(int(self.forward.many[row]) - 1):
            record = order[self.forward.jump_of[row, number]]
            jump = tape.jumps[tape.links[record, LINK_JUMP]]
            moved = crossing.cross(float(tape.steps[record, STEP_END]), jump[:n], jump[n : 2 * n], jump[2 * n :],
                                   unit[:n], unit[n:])  # fmt: skip
            found.append(np.vstack(moved))
        return found

    def _over(self, row: int, matrix: FloatArray) -> None:
        """Back over what happened where a stretch begins."""
        n = self.S.shape[1]
        moved = matrix.T @ np.concatenate([self.S[row], self.Q[row]])
        self.S[row], self.Q[row] = moved[:n], moved[n:]

    def _start(self) -> FloatArray:
        """From initial states and parameters to raw values, eight rows at a time."""
        recording, system = self.recording, self.system
        n_raw, n_p, n = len(system.defaults), len(system.parameters), len(system.states)
        function = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(self.machine.code.addresses["start_adjoint"])
        found = np.zeros((len(self.S), n_raw))
        t, raw, w, out = (_aligned(size) for size in (1, n_raw, n_p + n, n_raw))
        for first in range(0, len(found), LANES):
            rows = np.minimum(np.arange(first, first + LANES), len(found) - 1)
            raw[:n_raw] = recording.raw[rows].T
            w[:n_p] = self.Q[rows, :n_p].T
            if not recording.from_states:
                w[n_p + self.place] = self.S[rows].T
            out[:] = 0.0
            function(*(array.ctypes.data for array in (t, raw, w, out)))
            last = min(LANES, len(found) - first)
            found[first : first + last] = out[:n_raw, :last].T
        return found


@lru_cache(maxsize=1)
def _adjoint_step() -> jit.Code:
    return jit.compile_ir(adjoint_step_module(jit.machine().fused), optimise=True)


@dataclass(eq=False)
class AdjointMachine:
    """Compiled transposes of one system; those of outputs are compiled when first asked for."""

    system: System
    _outputs: dict[tuple[int, ...], jit.Code] = field(default_factory=dict)
    _idle: dict[tuple[int, ...], list[Any]] = field(default_factory=dict)

    @cached_property
    def engine(self) -> Engine:
        return engine_of(self.system)

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        small = self.engine.program.elimination.multiply_adds <= MOST_STRAIGHT_LINE
        return jit.compile_ir(adjoint_module(self.engine.program, jit.machine().fused), optimise=small)

    def borrow(self, nodes: tuple[int, ...]) -> tuple[AdjointCode, AdjointLayout, FloatArray, Any]:
        """Addresses, layout and memory for outputs ``nodes``; hand the last item to :meth:`give_back`."""
        if nodes not in self._outputs:
            maths_code()
            self._outputs[nodes] = jit.compile_ir(
                outputs_adjoint_module(self.engine.program, nodes, jit.machine().fused)
            )
        idle = self._idle.setdefault(nodes, [])
        found = idle.pop() if idle else self._workspace(nodes)
        return found[0], found[1], found[2], (nodes, found)

    def give_back(self, token: Any) -> None:
        """Keep a workspace for the next call."""
        nodes, found = token
        self._idle[nodes].append(found)

    def _workspace(self, nodes: tuple[int, ...]) -> tuple[AdjointCode, AdjointLayout, FloatArray, Any]:
        engine, system, program = self.engine, self.system, self.engine.program
        n, n_p, n_k = len(system.states), system.n_parameters, len(program.hoisted)
        entries, factors = len(program.jacobian), len(program.elimination.entries)
        sizes = {"t": 1, "ts": 1, "h": 1, "theta": 1, "ig": 1, "y": n, "yn": n, "p": n_p, "k": n_k, "U": 8 * n,
                 "D": 3 * n, "xs": n, "ybar": n, "nbar": n, "Dbar": 3 * n, "Jbar": entries, "kbar": n_k, "pbar": n_p,
                 "xbar": n, "w": len(nodes), "u": n, "J": entries, "A": factors, "Ubar": 8 * n, "sbar": n,
                 "work": n}  # fmt: skip
        rows, total = _stack(sizes, 0)
        F = _aligned(total)
        table = np.zeros(len(STEP_POINTERS), dtype=np.int64)
        at = AdjointLayout(
            n=n, n_parameters=n_p, n_hoisted=n_k, n_entries=entries, n_outputs=len(nodes), table=table.ctypes.data,
            base=F.ctypes.data, **{name: rows[name] for name in AdjointLayout._fields if name in rows},
        )  # fmt: skip
        lu = machine_of(system)._factor_table(F.ctypes.data + rows["work"] * LANES * 8)
        shared = _adjoint_step().addresses
        model, own, step = engine.code.addresses, self.code.addresses, step_code().addresses
        found = {name: F.ctypes.data + row * LANES * 8 for name, row in rows.items()}
        found |= {
            "lu": lu.ctypes.data,
            "f_jacobian": model["jacobian"],
            "f_factor": model.get("factor", step["table_factor"]),
            "f_solve_transposed": own["solve_transposed"],
            "f_rates_adjoint": own["rates_adjoint"],
            "f_jacobian_adjoint": own["jacobian_adjoint"],
            "f_slopes_adjoint": own.get("slopes_adjoint", 0),
            "f_outer": own["outer"],
        }
        table[:] = [found[name] for name in STEP_POINTERS]
        code = AdjointCode(
            prep=model["prep"], prep_adjoint=own["prep_adjoint"], step=shared["adjoint_step"],
            **{name: shared[name] for name in ("spread", "spread_more", "complete", "clear")},
            prepare_dense=step["prepare_dense"], dense=step["dense"],
            outputs_adjoint=self._outputs[nodes].addresses["outputs_adjoint"],
        )  # fmt: skip
        return code, at, F, (table, lu)


@lru_cache(maxsize=64)
def adjoint_of(system: System) -> AdjointMachine:
    """The transposes of a system, compiled once."""
    return AdjointMachine(system)
