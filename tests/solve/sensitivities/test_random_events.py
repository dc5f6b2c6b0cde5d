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
from pathsim.solve.sensitivities.recording import Recording, record_rows

SOLVER = Rosenbrock(rtol=1e-10, atol=1e-13)
SETTLES = np.array([np.inf])
TIMES = np.array([0.0, 0.45, 1.03, 1.9, 2.71, 4.2])
OUTPUTS = ["A", "B", "C", "D", "E", "k1", "V", "W"]
LARGEST = 1e9
"""A draw whose numbers, of order one at first, grow beyond this is made again: its events multiply something for ever,
and central differences and weighted sums then cancel to nothing."""
DIRECTIONS = ["A", "B", "C", "D", "E", "k1", "k2", "k3", "t1", "t2", "level", "wait", "g", "W"]


def comes_to_rest(seed: int) -> bool:
    """Whether a draw is asked for a steady state: before its course, or of its own."""
    return seed % 4 == 3 or finds_rest(seed)


def finds_rest(seed: int) -> bool:
    """Whether a draw is asked for its own steady state instead of its course."""
    return seed % 8 == 2


def draw_model(seed: int, again: int = 0) -> str:
    """A random model, as Antimony text: D counts amounts, E lives in a compartment of its own."""
    chance = random.Random(seed + 1_000_000 * again)

    def number(least: float = 0.2, most: float = 1.5) -> str:
        return f"{chance.uniform(least, most):.3f}"

    lines = [f"compartment V = {number(0.8, 2)}; compartment W = {number(0.5, 1.5)}; g = {number(0.02, 0.15)};"]
    if chance.random() < 0.4 and not comes_to_rest(seed):
        lines.append(chance.choice(["V' = g;", "V' = g*V;", "W' = g*W/(1 + W);"]))
    lines += [f"species {name} in V = {number(0.3, 3)};" for name in "BC"]
    lines += [chance.choice([f"species A in V = {number(0.3, 3)};", f"species A in V; A = {number()} + 2*k1;"])]
    lines += [f"substanceOnly species D in V = {number()}; species E in W = {number()};"]
    lines += [
        f"k1 = {number()}; k2 = {number()}; k3 = {number(0.05, 0.4)}; t1 = {number(0.3, 1.8)};"
        f"t2 = {number(1.5, 3.5)}; level = {number(0.6, 1.6)}; wait = {number(0.2, 1.2)}; n = 0; last = 0;"
        "all := A + B + E;"
    ]
    lines += [
        "r1: A -> B; k1*A*V;",
        chance.choice(["r2: B -> C; k2*B*V/(1 + B);", "r2: B -> C; k2*B^1.7*V;"]),
        "r3: C -> ; k3*C*V;",
        chance.choice(
            ["r4: -> A; g*V;", "r4: -> A; piecewise(g, time < t2, 2*g)*V;", "r4: -> A; piecewise(g, B > level, k3)*V;"]
        ),
        chance.choice(["r5: C -> D; k3*C*V;", "r5: A -> D; k2*A/(level + A)*V;"]),
        chance.choice(["r6: B -> E; k3*(B - E);", "r6: D -> E; k3*D;"]),
        "r7: D -> ; k1*D; r8: E -> ; k2*E*W;",
    ]
    actions = [
        "A = B, B = A", "A = B", "C = A, A = C", "V = 1.3*V", "V = V + k2, A = A + k1", "A = A + k2", "B = 0.2*B + k1",
        "k1 = k1*1.4", "k1 = 0.5*k1 + 0.1*A", "A = C, B = 2*C", "C = A + B + C, A = level", "A = B*C, B = C",
        "A = B, B = C, C = A", "W = V, V = W", "D = E, E = D", "E = E*W/(W + k3), W = W + k3", "A = 0, B = 0",
        "A = level, k2 = level", "D = D + 2*wait", "A = 0.3*all, B = all/3, E = 0.3*all", "k1 = k2, k2 = k1",
        "W = 0.7*W", "last = time, A = A + k3", "t2 = t2 + wait, B = B + level",
    ]  # fmt: skip
    triggers = ["time > t1", "time > t2", "time >= t1 + k3", "B > level", "A < 0.5*level", "C > 0.4*level",
                "A + B < 1.5*level", "time == t1", "B == 0.8*level", "time > t1 && B > 0.3*level", "D > 0.8*E",
                "all < 2.5*level", "time >= 0", "E/W > 0.4*level || time > t2"]  # fmt: skip
    if not comes_to_rest(seed):
        triggers.append("time - last > t1")
    moment = chance.choice(triggers)
    crowd = chance.random() < 0.5
    for i in range(chance.randint(1, 5)):
        trigger = moment if crowd else chance.choice(triggers)
        delay = chance.choice(["", "", "wait after ", "wait*k1 after ", "0.3*A after "])
        options = chance.choice(["", "", ", fromTrigger = false"]) + chance.choice(["", "", ", persistent = false"])
        options += chance.choice(["", "", f", priority = {chance.randint(1, 3)}"])
        options += ", t0 = false" if trigger == "time >= 0" else chance.choice(["", "", ", t0 = false"])
        lines.append(f"E{i}: at {delay}{trigger}{options}: {chance.choice(actions)};")
    return "\n".join(lines)


@dataclass
class Compared:
    """Of one draw: its model, how many derivatives were compared, how many could not be, the worst disagreements."""

    text: str
    compared: int
    left_out: int
    adjoint: float
    differences: float


def compare(seed: int, again: int = 0) -> Compared:
    """Forward sensitivities, adjoint and central differences of one draw: of its course, of its course after another
    condition (for a while or until that is at steady state), or of its own steady state, in turn."""
    text = draw_model(seed, again)
    equations = system(text)
    chance = np.random.default_rng(seed)
    raw, nodes = equations.raw(), equations.outputs(OUTPUTS)
    seeds = np.zeros((1, len(raw), len(DIRECTIONS)))
    for d, name in enumerate(DIRECTIONS):
        slot = equations.slot(name)
        seeds[0, slot, d] = raw[slot] if np.isfinite(raw[slot]) else 0.0
    before = (None, np.array([0.0, 0.6]), None, SETTLES)[seed % 4]
    periods = [(raw, SETTLES if finds_rest(seed) else TIMES, nodes)]
    if before is not None:
        other = raw.copy()
        other[equations.slot("k1")] *= 1.5
        periods.insert(0, (other, before, nodes))
    chain = _record(equations, periods)
    values = [part for recording in chain for part in (recording.rows.values[0], recording.rows.x[0])]
    if any(np.nan_to_num(np.abs(part)).max(initial=0.0) > LARGEST for part in values):
        return compare(seed, again + 1)
    if any(recording.rows.status[0] != 0 for recording in chain):
        return Compared(text, 0, len(DIRECTIONS), 0.0, 0.0)
    inside, forwards = None, None
    for recording in chain:
        forwards = differentiate(recording, seeds * _share(recording.raw[0], raw)[:, None], inside, SOLVER)
        inside = forwards.x
    assert forwards is not None
    bars = chance.standard_normal(chain[-1].rows.values.shape)
    pushed = np.einsum("tod,to->d", forwards.values[0], bars[0])
    back = pull_back(chain[-1], bars)
    pulled = back.raw[0] @ seeds[0]
    if len(chain) == 2:
        first = pull_back(chain[0], np.zeros(chain[0].rows.values.shape), back.start)
        pulled = pulled + (first.raw[0] * _share(chain[0].raw[0], raw)) @ seeds[0]
    size = np.abs(pushed).max() + 1e-6
    (wide, _), (narrow, between) = (_differences(equations, periods, seeds[0], step) for step in (1e-4, 5e-5))
    numeric, here = (wide, narrow), chain[-1].rows.values[0]
    largest = np.abs(here).max()
    scale = np.abs(numeric[1]).max(axis=(0, 1), keepdims=True) + 1e-2 * largest
    known = (np.abs(numeric[0] - numeric[1]) / scale).max(axis=(0, 1)) < 3e-6  # else an event comes or goes there
    known &= (np.abs(between - here[..., None]) / largest).max(axis=(0, 1)) < 1e-5  # else it has, on either side
    worst = (np.abs(forwards.values[0] - numeric[1]) / scale).max(axis=(0, 1))[known]
    return Compared(
        text,
        int(known.sum()),
        int((~known).sum()),
        float(np.abs(pushed - pulled).max() / size),
        float(worst.max(initial=0.0)),
    )


Period = tuple[FloatArray, FloatArray, list[int]]
"""Raw values, times (SETTLES: until steady) and outputs."""


def _record(equations: System, periods: list[Period]) -> list[Recording]:
    """Periods one after another, each from the last states of the one before."""
    chain: list[Recording] = []
    for raw, times, nodes in periods:
        starts = chain[-1].rows.x if chain else None
        steady = times is SETTLES
        grid = np.array([0.0]) if steady else times
        chain.append(record_rows(equations, raw[None], grid, nodes, SOLVER, start_states=starts, until_steady=steady))
    return chain


def _share(raw: FloatArray, main: FloatArray) -> FloatArray:
    """What the raw values of a period are of the last one's; 0 where that is 0 or not given."""
    return np.divide(raw, main, out=np.zeros_like(raw), where=np.isfinite(main) & (main != 0))


def _differences(
    equations: System, periods: list[Period], seeds: FloatArray, step: float
) -> tuple[FloatArray, FloatArray]:
    """Central differences of order four, and the middle of the nearest values, both (times, outputs, directions)."""
    starts, values = None, np.empty(0)
    main = periods[-1][0]
    for raw, times, nodes in periods:
        moves = step * _share(raw, main) * seeds.T
        rows = np.concatenate([[raw + f * move for f in (1, -1, 2, -2)] for move in moves])
        if times is SETTLES:
            done = settle_rows(equations, rows, nodes, SOLVER, start_states=starts)
        else:
            done = run_rows(equations, rows, times, nodes, SOLVER, start_states=starts, last_states=True)
        starts, values = done.x, done.values
    v = values.reshape(-1, 4, *values.shape[1:])
    slopes = (8 * (v[:, 0] - v[:, 1]) - (v[:, 2] - v[:, 3])) / (12 * step)
    return np.moveaxis(slopes, 0, -1), np.moveaxis((v[:, 0] + v[:, 1]) / 2, 0, -1)


def check(seed: int) -> Compared:
    """:func:`compare`, failing where the three disagree."""
    found = compare(seed)
    assert found.adjoint < 1e-7, (seed, found)  # weighted sums may cancel
    assert found.differences < 3e-5, (seed, found)
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
