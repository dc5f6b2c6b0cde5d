"""Compiled forward sensitivities of one system, and the memory they work in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from ..equations.system import System
from ..integrate.batch import engine_of
from ..integrate.engine import Engine, maths_code, method_code, step_code
from ..integrate.workspace import Idle, Once, Workspace
from ..llvm import jit
from ..llvm.codegen import MOST_STRAIGHT_LINE
from ..llvm.forward_code import outputs_tangent_module, tangent_module
from ..rosenbrock.forward_step import STEP_POINTERS, forward_step_module
from ..rosenbrock.tableau import Tableau
from .forward_jumps import JumpTangents
from .forward_loop import ForwardCode, ForwardLayout


@cache
def _forward_step(tableau: Tableau) -> jit.Code:
    return method_code("forward step", forward_step_module, tableau)


@dataclass(eq=False)
class ForwardMachine:
    """Compiled forward sensitivities of one system, and the memory they work in."""

    engine: Engine

    def __post_init__(self) -> None:
        self._outputs = Once(self._compile_outputs)
        self.code_of = Once(self._code_of)
        """Addresses of all functions for a choice of outputs."""
        self.workspaces = Idle(self._workspace)
        """By the number of outputs."""

    @cached_property
    def jumps(self) -> JumpTangents:
        return JumpTangents(self.engine.system, self.engine)

    @cached_property
    def code(self) -> jit.Code:
        maths_code()
        small = self.engine.program.elimination.multiply_adds <= MOST_STRAIGHT_LINE
        return jit.compile_ir(tangent_module(self.engine.program, jit.machine().fused), effort=1 if small else 0)

    def _compile_outputs(self, nodes: tuple[int, ...]) -> jit.Code:
        maths_code()
        return jit.compile_ir(outputs_tangent_module(self.engine.program, nodes, jit.machine().fused))

    def _code_of(self, nodes: tuple[int, ...]) -> ForwardCode:
        outputs = self._outputs(nodes).addresses["outputs_tangent"]
        engine, own = self.engine, self.code.addresses
        step, along = step_code(engine.tableau).addresses, _forward_step(engine.tableau).addresses
        return ForwardCode(
            prep=engine.code.addresses["prep"], prep_tangent=own["prep_tangent"], start_tangent=own["start_tangent"],
            step=along["tangent_step"], **{name: along[name] for name in ("fill", "move", "tangent_error")},
            prepare_dense=step["prepare_dense"], dense=step["dense"],
            outputs_tangent=outputs,
        )  # fmt: skip

    def _workspace(self, n_outputs: int) -> Workspace[ForwardLayout]:
        engine, own = self.engine, self.code.addresses
        system, program, T = engine.system, engine.program, engine.tableau
        n, n_p, n_raw, n_k = len(system.states), system.n_parameters, len(system.defaults), len(program.hoisted)
        entries, factors, rows = len(program.jacobian), len(program.elimination.entries), len(T.H)
        arrays = {"t": 1, "h": 1, "theta": 1, "ts": 1, "ig": 1, "x": 2 * n, "p": 2 * n_p, "raw": 2 * n_raw, "k": n_k,
                  "dk": n_k, "U": T.stages * n, "dU": T.stages * n, "yn": n, "dyn": n, "D": 2 * rows * n, "xs": 2 * n,
                  "o": n_outputs, "size": 3, "u": n, "du": n, "J": entries, "dJ": entries, "A": factors, "dslope": n,
                  "work": n}  # fmt: skip
        functions = engine.step_functions() | {
            "f_rates_tangent": own["rates_tangent"],
            "f_jacobian_tangent": own["jacobian_tangent"],
            "f_slopes_tangent": own.get("slopes_tangent", 0),
            "f_matvec": own["matvec"],
        }
        counts = {"n": n, "n_parameters": len(system.parameters), "n_raw": n_raw, "n_outputs": n_outputs,
                  "n_stages": T.stages}  # fmt: skip
        aliases = {"y": ("x", 0), "dy": ("x", n), "dD": ("D", rows * n)}
        return Workspace(ForwardLayout, counts, arrays, STEP_POINTERS, aliases, functions, engine.tables)


def machine_of(system: System, tableau: Tableau) -> ForwardMachine:
    """The forward sensitivities of a system by a method, compiled once."""
    return _machine(engine_of(system, tableau))


@lru_cache(maxsize=64)
def _machine(engine: Engine) -> ForwardMachine:
    return ForwardMachine(engine)
