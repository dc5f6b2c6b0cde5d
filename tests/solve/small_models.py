"""Systems from a few lines of Antimony, and one simulation of them (used by the tests here)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from pathsim.arrays import FloatArray
from pathsim.model import Model, load_model
from pathsim.solve import Rosenbrock, Rows, Solver, System, build_system, run_rows

TIGHT = Rosenbrock(rtol=1e-10, atol=1e-14)


@lru_cache(maxsize=64)
def model(text: str) -> Model:
    """The model an Antimony text stands for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.ant"
        path.write_text(text)
        return load_model(path)


@lru_cache(maxsize=64)
def system(text: str) -> System:
    """Its equations."""
    return build_system(model(text))


def rows(
    text: str,
    times: Sequence[float] | FloatArray,
    outputs: Sequence[str],
    solver: Solver = TIGHT,
    settings: Sequence[Mapping[str, float]] = ({},),
) -> Rows:
    """One row per entry of ``settings`` (values by symbol)."""
    equations = system(text)
    raw = np.array([equations.raw(overrides) for overrides in settings])
    return run_rows(equations, raw, np.asarray(times, dtype=float), equations.outputs(outputs), solver)


def course(
    text: str,
    times: Sequence[float] | FloatArray,
    outputs: Sequence[str],
    solver: Solver = TIGHT,
    settings: Mapping[str, float] | None = None,
) -> FloatArray:
    """Values (times, outputs) of one simulation, which must succeed."""
    done = rows(text, times, outputs, solver, (settings or {},))
    assert done.status[0] == 0, done.sentence(0)
    return done.values[0]
