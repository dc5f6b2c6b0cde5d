"""Compiled tangents of one system, and the memory they work in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.system import System
from ..integrate.batch import engine_of
from ..integrate.engine import Engine, _aligned, _stack, maths_code, step_code
from ..llvm import jit
from ..llvm.codegen import MOST_STRAIGHT_LINE
from ..llvm.forward_code import outputs_tangent_module, tangent_module
from ..llvm.layout import LANES
from ..rosenbrock.factorisation import TABLES
from ..rosenbrock.forward_step import STEP_POINTERS, tangent_step_module
from .forward_jumps import JumpTangents
from .forward_loop import TangentCode, TangentLayout


@lru_cache(maxsize=1)
def _tangent_step() -> jit.Code:
    return jit.compile_ir(tangent_step_module(jit.machine().fused), optimise=True)


@dataclass(eq=False)
class TangentMachine:
    """Compiled tangents of one system; those of outputs are compiled when first asked for."""

    system: System
    _outputs: dict[tuple[int, ...], jit.Code] = field(default_factory=dict)
    _idle: dict[tuple[int, ...], list[Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    @cached_property
    def engine(self) -> Engine:
        return engine_of(self.system)

    @cached_property
    def jumps(self) -> JumpTangents:
        return JumpTangents(self.system, self.engine)

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        small = self.engine.program.elimination.multiply_adds <= MOST_STRAIGHT_LINE
        return jit.compile_ir(tangent_module(self.engine.program, jit.machine().fused), effort=1 if small else 0)

    def borrow(self, nodes: tuple[int, ...]) -> tuple[TangentCode, TangentLayout, FloatArray, Any]:
        """Addresses, layout and memory for outputs ``nodes``; hand the last item to :meth:`give_back`."""
        with self._lock:
            if nodes not in self._outputs:
                maths_code()
                self._outputs[nodes] = jit.compile_ir(
                    outputs_tangent_module(self.engine.program, nodes, jit.machine().fused)
                )
            idle = self._idle.setdefault(nodes, [])
            found = idle.pop() if idle else self._workspace(nodes)
        return found[0], found[1], found[2], (nodes, found)

    def give_back(self, token: Any) -> None:
        """Keep a workspace for the next call."""
        nodes, found = token
        with self._lock:
            self._idle[nodes].append(found)

    def _workspace(self, nodes: tuple[int, ...]) -> tuple[TangentCode, TangentLayout, FloatArray, Any]:
        engine, system, program = self.engine, self.system, self.engine.program
        n, n_p, n_raw, n_k = len(system.states), system.n_parameters, len(system.defaults), len(program.hoisted)
        entries, factors = len(program.jacobian), len(program.elimination.entries)
        sizes = {"t": 1, "h": 1, "theta": 1, "ts": 1, "ig": 1, "x": 2 * n, "p": 2 * n_p, "raw": 2 * n_raw, "k": n_k,
                 "dk": n_k, "U": 8 * n, "dU": 8 * n, "yn": n, "dyn": n, "D": 6 * n, "xs": 2 * n, "o": len(nodes),
                 "size": 3, "u": n, "du": n, "J": entries,
                 "dJ": entries, "A": factors, "dslope": n, "work": n}  # fmt: skip
        rows, total = _stack(sizes, 0)
        V = _aligned(total)
        table = np.zeros(len(STEP_POINTERS), dtype=np.int64)
        at = TangentLayout(
            n=n, n_parameters=len(system.parameters), n_raw=n_raw, n_outputs=len(nodes), table=table.ctypes.data,
            base=V.ctypes.data, **{name: rows[name] for name in TangentLayout._fields if name in rows},
        )  # fmt: skip
        lu = self._factor_table(V.ctypes.data + rows["work"] * LANES * 8)
        found = {name: V.ctypes.data + row * LANES * 8 for name, row in rows.items()}
        found |= {"y": found["x"], "dy": found["x"] + n * LANES * 8, "lu": lu.ctypes.data}
        found |= self._step_functions()
        table[:] = [found[name] for name in STEP_POINTERS]
        step, model, own = step_code().addresses, engine.code.addresses, self.code.addresses
        code = TangentCode(
            prep=model["prep"], prep_tangent=own["prep_tangent"], start_tangent=own["start_tangent"],
            step=_tangent_step().addresses["tangent_step"],
            **{name: _tangent_step().addresses[name] for name in ("fill", "move", "tangent_error")},
            prepare_dense=step["prepare_dense"], dense=step["dense"],
            outputs_tangent=self._outputs[nodes].addresses["outputs_tangent"],
        )  # fmt: skip
        return code, at, V, (table, lu)

    def _step_functions(self) -> dict[str, int]:
        model, own = self.engine.code.addresses, self.code.addresses
        return {
            "f_jacobian": model["jacobian"],
            "f_factor": model.get("factor", step_code().addresses["table_factor"]),
            "f_solve": model["solve"],
            "f_rates_tangent": own["rates_tangent"],
            "f_jacobian_tangent": own["jacobian_tangent"],
            "f_slopes_tangent": own.get("slopes_tangent", 0),
            "f_matvec": own["matvec"],
        }

    def _factor_table(self, work: int) -> IntArray:
        """The table the factorisation driven by index tables reads; see :mod:`factorisation`."""
        engine = self.engine
        table = np.zeros(1 + len(TABLES), dtype=np.int64)
        if engine.tables is not None:
            addresses = {name: array.ctypes.data for name, array in engine.tables.items()} | {"work": work}
            table[0] = len(self.system.states)
            table[1:] = [addresses[name] for name in TABLES]
        return table


@lru_cache(maxsize=64)
def machine_of(system: System) -> TangentMachine:
    """The tangents of a system, compiled once."""
    return TangentMachine(system)
