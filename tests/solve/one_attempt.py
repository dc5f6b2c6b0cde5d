"""One attempt of compiled machine code, outside the integration loop (used by the tests here)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from small_models import system

from pathsim.arrays import FloatArray
from pathsim.solve import Extrapolation, Rosenbrock, System
from pathsim.solve.integrate.batch import engine_of
from pathsim.solve.integrate.engine import Method
from pathsim.solve.llvm import layout as at_row
from pathsim.solve.llvm.calls import call2, call3, call6, call_step
from pathsim.solve.llvm.layout import LANES, place
from pathsim.solve.reference.functions import ReferenceFunctions
from pathsim.solve.reference.steps import one_step


def distances(
    text: str, solver: Rosenbrock | Extrapolation, method: Method
) -> Iterator[tuple[tuple[float, float], float, float]]:
    """Of some steps (t, h) of a model: how far the new state, and the state at 0.4 of the step, of the machine code are
    from those of its reference, as parts of the state."""
    equations = system(text)
    functions = ReferenceFunctions(equations, [])
    start = np.array(functions.start(0.0, [], equations.raw()))
    p, x = start[: len(equations.parameters)], start[len(equations.parameters) :]
    for t, h in ((0.0, 1e-3), (0.25, 0.03), (1.0, 0.4)):
        y1, _, curve = one_step(functions, t, x, p, h, solver)
        compiled, inside = compiled_step(equations, p, x, t, h, method)
        unit = np.abs(x) + np.abs(y1) + 1e-9
        yield (
            (t, h),
            float(np.max(np.abs(compiled - y1) / unit)),
            float(np.max(np.abs(inside - curve(t + 0.4 * h)) / unit)),
        )


def compiled_step(
    equations: System, p: FloatArray, x: FloatArray, t: float, h: float, method: Method
) -> tuple[FloatArray, FloatArray]:
    """One attempt of the machine code from (t, x): the new state, and the state at 0.4 of the step."""
    engine = engine_of(equations, method)
    code, workspace = engine.addresses(engine.output_code(())), engine.workspace(0)
    at, F = workspace.layout, workspace.F
    engine.functions(workspace, (), engine.has_code)
    for row, value in (
        (at_row.T, t),
        (at_row.H, h),
        (at_row.STOP, t + h),
        (at_row.AIM, t + h),
        (at_row.LANDS, 1.0),
        (at_row.TARGET, t + h),
        (at_row.LIVE, 1.0),
        (at_row.LIMIT, 10.0),
        (at_row.OLD_ERROR, 1.0),
        (at_row.OWN, 1e-6),
        (at_row.THETA, 0.4),
    ):
        F[row] = value
    F[at.p : at.p + len(p)] = p[:, None]
    F[at.y : at.y + len(x)] = x[engine.order][:, None]
    call2(code.prep, place(at, at.p), place(at, at.k))
    n8 = at.n * LANES
    call_step(code.step, at.table, n8, 1, 1e-3, 1.0 / at.n)
    call3(code.prepare_dense, place(at, at.U), place(at, at.D), n8)
    call6(code.dense, place(at, at.y), place(at, at.yn), place(at, at.D), place(at, at_row.THETA), place(at, at.xs), n8)
    found = F[at.yn : at.yn + at.n], F[at.xs : at.xs + at.n]
    new, inside = np.empty(at.n), np.empty(at.n)
    for target, values in zip((new, inside), found, strict=True):
        assert (values == values[:, :1]).all(), "lanes with equal contents must give equal bits"
        target[engine.order] = values[:, 0]
    return new, inside
