"""Gradients of random models with events: forward, adjoint and central differences agree.

``python tests/solve/sensitivities/test_random_events.py 2000 [FIRST]`` tries that many draws (PYTHONPATH=tests/solve).
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from small_models import system

from pathsim.arrays import FloatArray
from pathsim.solve import Rosenbrock, System, run_rows, settle_rows
from pathsim.solve.sensitivities.adjoint import pull_back
from pathsim.solve.sensitivities.forward import differentiate
from pathsim.solve.sensitivities.recording import record_rows

SOLVER = Rosenbrock(rtol=1e-10, atol=1e-13)
TIMES = np.array([0.0, 0.45, 1.03, 1.9, 2.71, 4.2])
OUTPUTS = ["A", "B", "C", "k1", "V"]
DIRECTIONS = ["A", "B", "C", "k1", "k2", "k3", "t1", "t2", "level", "wait", "g"]


def draw_model(seed: int) -> str:
    """A random model, as Antimony text."""
    chance = random.Random(seed)

    def number(least: float = 0.2, most: float = 1.5) -> str:
        return f"{chance.uniform(least, most):.3f}"

    lines = [f"compartment V = {number(0.8, 2)}; g = {number(0.02, 0.15)};"]
    grows = chance.random() < 0.4
    if grows:
        lines.append(chance.choice(["V' = g;", "V' = g*V;"]))
    lines += [f"species {name} in V = {number(0.3, 3)};" for name in "ABC"]
    lines += [
        f"k1 = {number()}; k2 = {number()}; k3 = {number(0.05, 0.4)}; t1 = {number(0.3, 1.8)};"
        f"t2 = {number(1.5, 3.5)}; level = {number(0.6, 1.6)}; wait = {number(0.2, 1.2)}; n = 0;"
    ]
    lines += [
        "r1: A -> B; k1*A*V;",
        chance.choice(["r2: B -> C; k2*B*V/(1 + B);", "r2: B -> C; k2*B^1.7*V;"]),
        "r3: C -> ; k3*C*V;",
        chance.choice(
            ["r4: -> A; g*V;", "r4: -> A; piecewise(g, time < t2, 2*g)*V;", "r4: -> A; piecewise(g, B > level, k3)*V;"]
        ),
    ]
    actions = [
        "A = B, B = A", "A = B", "C = A, A = C", "V = 1.3*V", "V = V + k2, A = A + k1", "A = A + k2", "B = 0.2*B + k1",
        "k1 = k1*1.4", "k1 = 0.5*k1 + 0.1*A", "A = C, B = 2*C", "C = A + B + C, A = level", "A = B*C, B = C",
    ]  # fmt: skip
    triggers = ["time > t1", "time > t2", "time >= t1 + k3", "B > level", "A < 0.5*level", "C > 0.4*level",
                "A + B < 1.5*level", "time == t1", "B == 0.8*level", "time > t1 && B > 0.3*level"]  # fmt: skip
    moment = chance.choice(triggers)
    crowd = chance.random() < 0.5
    for i in range(chance.randint(1, 4)):
        trigger = moment if crowd else chance.choice(triggers)
        delay = chance.choice(["", "", "wait after ", "wait*k1 after ", "0.3*A after "])
        options = chance.choice(["", "", ", fromTrigger = false"]) + chance.choice(["", "", ", persistent = false"])
        options += chance.choice(["", "", f", priority = {chance.randint(1, 3)}"])
        lines.append(f"E{i}: at {delay}{trigger}{options}: {chance.choice(actions)};")
    return "\n".join(lines)


@dataclass
class Compared:
    """Of one draw: how many derivatives were compared, how many could not be, and the worst disagreements."""

    compared: int
    left_out: int
    adjoint: float
    differences: float


def compare(seed: int) -> Compared:
    """Forward sensitivities, adjoint and central differences of one draw."""
    equations = system(draw_model(seed))
    chance = np.random.default_rng(seed)
    raw, nodes = equations.raw(), equations.outputs(OUTPUTS)
    starts = _starts(equations, raw) if seed % 4 == 0 else None
    recording = record_rows(equations, raw[None], TIMES, nodes, SOLVER, start_states=starts)
    if recording.rows.status[0] != 0:
        return Compared(0, len(DIRECTIONS), 0.0, 0.0)
    seeds = np.zeros((1, len(raw), len(DIRECTIONS)))
    for d, name in enumerate(DIRECTIONS):
        seeds[0, equations.slot(name), d] = raw[equations.slot(name)]
    forwards = differentiate(recording, seeds, solver=SOLVER)
    bars = chance.standard_normal(recording.rows.values.shape)
    pushed = np.einsum("tod,to->d", forwards.values[0], bars[0])
    pulled = pull_back(recording, bars).raw[0] @ seeds[0]
    size = np.abs(pushed).max() + 1e-6
    numeric = [_differences(equations, raw, seeds[0], step, nodes, starts) for step in (1e-4, 5e-5)]
    values = np.abs(recording.rows.values[0]).max()
    scale = np.abs(numeric[1]).max(axis=(0, 1), keepdims=True) + 1e-2 * values
    known = (np.abs(numeric[0] - numeric[1]) / scale).max(axis=(0, 1)) < 3e-6  # else an event comes or goes there
    worst = (np.abs(forwards.values[0] - numeric[1]) / scale).max(axis=(0, 1))[known]
    return Compared(
        int(known.sum()),
        int((~known).sum()),
        float(np.abs(pushed - pulled).max() / size),
        float(worst.max(initial=0.0)),
    )


def _starts(equations: System, raw: FloatArray) -> FloatArray:
    """Start states as pre-equilibration leaves them: another condition's states."""
    other = raw.copy()
    other[equations.slot("k1")] *= 1.5
    return run_rows(equations, other[None], np.array([0.0, 0.2]), [], SOLVER, last_states=True).x


def _differences(
    equations: System, raw: FloatArray, seeds: FloatArray, step: float, nodes: list[int], starts: FloatArray | None
) -> FloatArray:
    """Central differences of order four, shape (times, outputs, directions)."""
    rows = np.concatenate([[raw + f * step * seeds[:, d] for f in (1, -1, 2, -2)] for d in range(seeds.shape[1])])
    given = None if starts is None else np.tile(starts, (len(rows), 1))
    v = run_rows(equations, rows, TIMES, nodes, SOLVER, start_states=given).values.reshape(
        -1, 4, len(TIMES), len(nodes)
    )
    return np.moveaxis((8 * (v[:, 0] - v[:, 1]) - (v[:, 2] - v[:, 3])) / (12 * step), 0, -1)


def check(seed: int) -> Compared:
    """:func:`compare`, failing where the three disagree."""
    found = compare(seed)
    assert found.adjoint < 1e-8, (seed, found, draw_model(seed))
    assert found.differences < 3e-5, (seed, found, draw_model(seed))
    return found


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_gradients_of_random_models_with_events(first: int) -> None:
    found = [check(seed) for seed in range(first, first + 10)]
    assert sum(one.compared for one in found) > 5 * sum(one.left_out for one in found)


def test_gradients_of_random_steady_states_after_events() -> None:
    """An event at the start of the approach to rest moves totals and constants; the rest follows them."""
    for seed in range(6):
        chance = random.Random(seed)
        a, b, c = (f"{chance.uniform(0.3, 2):.3f}" for _ in range(3))
        text = (
            f"species A = {a}; species B = {b}; species C = 0; k1 = 0.7; k2 = {c}; k3 = 0.4; t1 = 0.5;"
            "r: A -> B; k1*A; s: B -> A; k2*B; x: -> C; k1*B; y: C -> ; k3*C^2; at time > t1: A = B, B = A + k2;"
        )
        equations = system(text)
        raw, nodes = equations.raw(), equations.outputs(["A", "B", "C"])
        recording = record_rows(equations, raw[None], np.array([0.0]), nodes, SOLVER, until_steady=True)
        names = ["A", "B", "k1", "k2", "k3", "t1"]
        seeds = np.zeros((1, len(raw), len(names)))
        for d, name in enumerate(names):
            seeds[0, equations.slot(name), d] = raw[equations.slot(name)]
        exact = differentiate(recording, seeds, solver=SOLVER).values[0, 0]
        bars = np.random.default_rng(seed).standard_normal((1, 1, 3))
        np.testing.assert_allclose(
            pull_back(recording, bars).raw[0] @ seeds[0], bars[0, 0] @ exact, rtol=1e-7, atol=1e-8
        )
        h = 1e-4
        for d in range(len(names)):
            two = [
                settle_rows(equations, (raw + f * h * seeds[0, :, d])[None], nodes, SOLVER).values[0, 0]
                for f in (1, -1)
            ]
            np.testing.assert_allclose(exact[:, d], (two[0] - two[1]) / (2 * h), rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    many, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed, compared, left_out = 0, 0, 0
    for seed in range(first, first + many):
        try:
            one = check(seed)
            compared, left_out = compared + one.compared, left_out + one.left_out
        except AssertionError as error:
            failed += 1
            print(str(error)[:2000], flush=True)
    print(f"{many} draws: {failed} failed; {compared} derivatives compared, {left_out} where an event comes or goes")
    sys.exit(failed > 0)
