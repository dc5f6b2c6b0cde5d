"""States that fall below their absolute tolerance and grow again from there: the row is done again, more exactly."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import rows, system

from pathsim.solve import Rosenbrock, run_rows
from pathsim.solve.sensitivities.adjoint import pull_back
from pathsim.solve.sensitivities.forward import differentiate
from pathsim.solve.sensitivities.recording import record_rows

RELAPSE = (
    "compartment V = 1; species x in V, w in V; x0 = 1; x = x0; w = 0; a = 1;"
    "r: -> x; V*a*x*piecewise(-1, time < 30, 1); s: -> w; V*(0.1*x - 0.2*w);"
)
"""x falls to exp(-30 a) and is back at x0 at 60."""
TIMES = np.array([0.0, 20.0, 30.0, 45.0, 60.0])
RATES = np.array([1.0, 0.2, 0.9, 0.1, 0.3, 1.1, 0.05, 0.8, 0.4, 0.95, 1.0])


def relapses(size: float = 1.0, tolerance: float = 1e-6) -> np.ndarray:
    """x (rows, times) for all rates."""
    settings = [{"a": float(a), "x0": size} for a in RATES]
    done = rows(RELAPSE, TIMES, ["x"], Rosenbrock(tolerance), settings)
    assert not done.status.any(), done.sentence(int(np.argmax(done.status)))
    return done.values[..., 0]


@pytest.mark.parametrize("size", [1.0, 1e-15, 1e12])
def test_a_relapse_from_below_the_tolerance(size: float) -> None:
    exact = size * np.exp(RATES[:, None] * np.where(TIMES < 30, -TIMES, TIMES - 60))
    assert np.max(np.abs(relapses(size) / exact - 1)) < 1e-3


def test_a_row_done_again_leaves_its_neighbours_alone() -> None:
    found = relapses()
    for row, a in enumerate(RATES):
        alone = rows(RELAPSE, TIMES, ["x"], Rosenbrock(), [{"a": float(a)}]).values[0, :, 0]
        assert alone.tobytes() == found[row].tobytes()


def test_only_such_rows_are_done_again() -> None:
    steps = rows(RELAPSE, TIMES, ["x"], Rosenbrock(), [{"a": 0.1}, {"a": 1.0}]).steps
    decays = rows("x' = -x; x = 1;", [0, 60], ["x"], Rosenbrock()).steps[0]
    rises = rows("x' = 1 - x; x = 0; y' = x - y; y = 0;", [0, 60], ["y"], Rosenbrock()).steps[0]
    dosed = rows("x' = -x; x = 1; at time >= 50: x = x + 1;", [0, 60], ["x"], Rosenbrock()).steps[0]
    assert steps[1] > 2 * steps[0]
    assert decays < 100
    assert rises < 100
    assert dosed < 200


def test_gradients_are_those_of_the_row_done_again() -> None:
    equations, names = system(RELAPSE), ["a", "x0"]
    raw = np.array([equations.raw({"a": float(a)}) for a in RATES])
    columns, nodes = [equations.slots[name] for name in names], equations.outputs(["x", "w"])
    seeds = np.zeros((len(raw), raw.shape[1], len(names)))
    seeds[:, columns, range(len(names))] = 1.0
    recording = record_rows(equations, raw, TIMES, nodes, Rosenbrock())
    plain = run_rows(equations, raw, TIMES, nodes, Rosenbrock())
    assert recording.rows.values.tobytes() == plain.values.tobytes()
    exact = np.exp(RATES[:, None] * np.where(TIMES < 30, -TIMES, TIMES - 60))
    by_a = exact * np.where(TIMES < 30, -TIMES, TIMES - 60)
    forward = differentiate(recording, seeds).values
    assert np.max(np.abs(forward[:, :, 0, 0] - by_a) / (exact * TIMES[-1])) < 1e-3
    bars = np.zeros_like(recording.rows.values)
    bars[:, -1, 0] = 1.0
    pulled = pull_back(recording, bars, np.zeros((len(raw), len(equations.states))), columns)
    assert np.max(np.abs(pulled.raw - forward[:, -1, 0, :])) < 1e-8 * np.abs(pulled.raw).max()
