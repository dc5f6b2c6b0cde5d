"""Compiled forward sensitivities of a system: derivatives along a direction per lane, and their memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from ...arrays import BoolArray, FloatArray, IntArray
from ...threads import once
from ..equations.system import System
from ..integrate.batch import engine_of
from ..integrate.engine import Engine, maths_code, method_code, step_code
from ..integrate.workspace import Idle, Once, Workspace
from ..llvm import jit
from ..llvm.codegen import MOST_STRAIGHT_LINE
from ..llvm.forward_code import forward_module, outputs_forward_module
from ..llvm.layout import LANES
from ..llvm.loops import Words, compiled
from ..llvm.machine import machine
from ..rosenbrock.forward_step import STEP_POINTERS, forward_step_module
from ..rosenbrock.tableau import Tableau
from .forward_loop import ForwardCode, ForwardLayout, start_tasks


@once
def _forward_step(tableau: Tableau) -> jit.Code:
    return method_code("forward step", forward_step_module, tableau)


class ForwardMemory(NamedTuple):
    """A workspace as loops take it; the last item keeps everything alive."""

    layout: Words
    F: Words
    workspace: Workspace[ForwardLayout]


@dataclass(eq=False)
class ForwardMachine:
    """Compiled forward sensitivities of one system, and the memory they work in."""

    engine: Engine
    tableau: Tableau

    def __post_init__(self) -> None:
        self._outputs = Once(self._compile_outputs)
        self.code_of: Once[tuple[int, ...], Words] = Once(lambda nodes: Words(self._code_of(nodes)))
        """Addresses of all functions for a choice of outputs, as the loops take them."""
        self.workspaces = Idle(self._workspace)
        """By the number of outputs."""
        self.mostly_followed = False
        """Whether the equations of the last steady states determined none of their derivatives."""

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        small = self.engine.program.elimination.multiply_adds <= MOST_STRAIGHT_LINE
        return jit.compile_ir(forward_module(self.engine.program, machine().fused), effort=1 if small else 0)

    def _compile_outputs(self, nodes: tuple[int, ...]) -> jit.Code:
        maths_code()
        return jit.compile_ir(outputs_forward_module(self.engine.program, nodes, machine().fused))

    def _code_of(self, nodes: tuple[int, ...]) -> ForwardCode:
        outputs = self._outputs(nodes).addresses["outputs_forward"]
        engine, own = self.engine, self.code.addresses
        step, along = step_code(self.tableau).addresses, _forward_step(self.tableau).addresses
        return ForwardCode(
            prep=engine.code.addresses["prep"],
            prep_forward=own["prep_forward"],
            start_forward=own["start_forward"],
            step=along["forward_step"],
            **{name: along[name] for name in ("fill", "move", "forward_error")},
            prepare_dense=step["prepare_dense"],
            dense=step["dense"],
            outputs_forward=outputs,
            rates_forward=own["rates_forward"],
        )

    def _workspace(self, n_outputs: int) -> ForwardMemory:
        engine, own = self.engine, self.code.addresses
        system, program, T = engine.system, engine.program, self.tableau
        n, n_p, n_raw, n_k = len(system.states), system.n_parameters, len(system.defaults), len(program.hoisted)
        entries, factors, rows = len(program.jacobian), len(program.elimination.entries), len(T.H)
        arrays = {
            "t": 1,
            "h": 1,
            "theta": 1,
            "ts": 1,
            "ig": 1,
            "x": 2 * n,
            "p": 2 * n_p,
            "raw": 2 * n_raw,
            "k": n_k,
            "dk": n_k,
            "U": T.stages * n,
            "dU": T.stages * n,
            "yn": n,
            "dyn": n,
            "D": 2 * rows * n,
            "xs": 2 * n,
            "o": n_outputs,
            "size": 2 + n,
            "u": n,
            "du": n,
            "J": entries,
            "dJ": entries,
            "A": factors,
            "d_dfdt": n,
            "work": n,
        }
        functions = engine.step_functions() | {
            "f_rates_forward": own["rates_forward"],
            "f_jacobian_forward": own["jacobian_forward"],
            "f_time_derivative_forward": own.get("time_derivative_forward", 0),
            "f_matvec": own["matvec"],
        }
        counts = {
            "n": n,
            "n_parameters": len(system.parameters),
            "n_raw": n_raw,
            "n_outputs": n_outputs,
            "n_stages": T.stages,
        }
        aliases = {"y": ("x", 0), "dy": ("x", n), "dD": ("D", rows * n)}
        memory = Workspace(ForwardLayout, counts, arrays, STEP_POINTERS, aliases, functions, engine.tables)
        return ForwardMemory(Words(memory.layout), Words(memory.F), memory)


def forward_of(system: System, tableau: Tableau) -> ForwardMachine:
    """The forward sensitivities of a system by a method, compiled once."""
    return _machine(engine_of(system, tableau), tableau)


@lru_cache(maxsize=64)
def _machine(engine: Engine, tableau: Tableau) -> ForwardMachine:
    return ForwardMachine(engine, tableau)


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions of rows that move anything, in blocks of lanes.

    ``row`` and ``block`` (tasks,): whose each block is, and which of the row's directions that move it begins with.
    One entry for each direction of each row that moves: the row (``rows``), the ``direction``, its ``place`` among
    those of the row, and the ``task`` and ``lane`` it is carried in.
    """

    row: IntArray
    block: IntArray
    rows: IntArray
    direction: IntArray
    place: IntArray
    task: IntArray
    lane: IntArray

    @classmethod
    def of(cls, seeds: FloatArray, start_seeds: FloatArray | None, wanted: BoolArray) -> Directions:
        """From derivatives of raw values (n, raw values, d) and start states (n, states, d) of the ``wanted`` rows."""
        moving = (seeds != 0).any(axis=1)
        if start_seeds is not None:
            moving |= (start_seeds != 0).any(axis=1)
        moving[~wanted] = False
        many = moving.sum(axis=1)
        tasks = -(-many // LANES)
        first_task = np.cumsum(tasks) - tasks
        row = np.repeat(np.arange(len(many)), tasks)
        block = LANES * (np.arange(len(row)) - first_task[row])
        rows, direction = np.nonzero(moving)
        place = np.arange(len(rows)) - (np.cumsum(many) - many)[rows]
        return cls(row, block, rows, direction, place, first_task[rows] + place // LANES, place % LANES)

    @property
    def most(self) -> int:
        """The most directions that move a row."""
        return int(self.place.max(initial=-1)) + 1

    def packed(self, seeds: FloatArray) -> FloatArray:
        """(n, any, d) -> (tasks, any, 8), zero where a block has no direction."""
        found = np.zeros((len(self.row), seeds.shape[1], LANES))
        found[self.task, :, self.lane] = seeds[self.rows, :, self.direction]
        return found


def starting(
    machine: ForwardMachine,
    outputs: tuple[int, ...],
    raw: FloatArray,
    seeds: FloatArray,
    start_seeds: FloatArray | None,
    directions: Directions,
    from_states: bool,
) -> tuple[FloatArray, FloatArray]:
    """Sensitivities of initial states (tasks, n, 8), in elimination order, and parameters (tasks, p, 8).

    ``raw`` (n, raw values). ``from_states``: rows begin from given states, which ``start_seeds`` move.
    """
    system, m = machine.engine.system, len(directions.row)
    S, Q = np.zeros((m, len(system.states), LANES)), np.zeros((m, system.n_parameters, LANES))
    tasks = np.zeros((m, 6), dtype=np.int64)
    tasks[:, 0] = directions.row
    code = machine.code_of(outputs)
    with machine.workspaces.lent(len(outputs)) as memory:
        compiled(start_tasks)(code, memory.layout, memory.F, raw, directions.packed(seeds), tasks, S, Q)
    if from_states:
        S[:] = 0.0 if start_seeds is None else directions.packed(start_seeds)[:, machine.engine.order]
    return S, Q
