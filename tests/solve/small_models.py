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


BUSY = """
k = 1; D = 3; x = 2; y = 0.1; x' = -k*x*y + piecewise(D, time < 2, 0); y' = k*x*y - y^1.3 + 0.1*floor(x);
n = 0; at y > 0.4: n = n + 1; at 0.5 after x < 1, priority = n: y = y + exp(-x);
"""
"""Switches, events with delay and priority, a floor and a power: a bit of everything."""


def draws(equations: System, names: list[str], n: int, seed: int = 0) -> FloatArray:
    """Raw values (n, raw) with those of some names scaled at random."""
    rng = np.random.default_rng(seed)
    raw = np.repeat(equations.raw()[None, :], n, axis=0)
    for name in names:
        raw[:, equations.slot(name)] *= np.exp(rng.uniform(-0.7, 0.7, n))
    return raw


def batch(equations: System, raw: FloatArray, workers: int = 1) -> FloatArray:
    """All that comes of simulating these rows, a line each; the last two columns are status and steps."""
    nodes = equations.outputs(list(equations.states))
    done = run_rows(equations, raw, np.linspace(0, 6, 13), nodes, Rosenbrock(), workers=workers)
    return np.concatenate([done.values.reshape(len(raw), -1), done.status[:, None], done.steps[:, None]], axis=1)
