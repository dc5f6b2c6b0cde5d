"""Integration loops as machine code: the same bits as the Python they are made from."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import pathsim as ps
from pathsim.experiments.timecourse import system_of
from pathsim.solve.integrate import loop as lanes
from pathsim.solve.integrate.engine import Engine, run
from pathsim.solve.llvm.layout import Floats1, Floats3, Integers1, Results
from pathsim.solve.llvm.loops import compiled

SWITCHING = """
model switching
  compartment c = 1; species A in c = 1, B in c = 0; k = 0.3; s = 0;
  J1: A -> B; k*A*piecewise(2, A > 0.4, 1); J2: B -> A; 0.1*B^1.5;
  E1: at (time > 2.5): A = A + 0.7; E2: at (B > 0.9): s = s + 1; E3: at 0.7 after (A < 0.35): B = B/2;
end
"""


class Box(NamedTuple):
    """What the functions below read."""

    size: int
    values: Floats1
    cube: Floats3


def everything(box: Box, integers: Integers1, out: Floats1, kept: Integers1) -> int:
    """One of each construct of the language."""
    total = low = 0.0
    count, last = 0, -1
    for i in range(box.size):
        x = box.values[i]
        if not math.isfinite(x):
            continue
        if x < 0.0 and i % 2 == 0:
            low = min(low, x, -1.5)
        elif x > 2.0 or i == 3:
            low = max(low, x)
            last = i
        else:
            total -= x / 3.0
        total += abs(x) * 0.1 + square(x) if x < 10.0 else 1
        count += 1
        if count > 30:
            break
    j = 0
    while j < integers.shape[0]:
        bits = integers[j]
        bits ^= (bits << 13) & 0x7FFFFFFFFFFFFFFF
        kept[j] = (bits >> 7) + int(bits == 5) + abs(-j) // 2
        kept[j] += 1 if bits > 3 and not (bits < 12 and bits != 9) else 0
        kept[-1] += (j - 7) // 3 + (j - 7) % 5 + (-7) // (j + 2)  # as Python has it, negative numbers and all
        j += 1
    for i in range(1, 3):
        box.cube[i, 0, 1] += float(i) * math.sqrt(2.0)
    out[0], out[1], out[2] = total, low, np.floor(total)
    out[3] = math.nextafter(total, math.inf)
    spread(box, out)
    return last


def square(x: float) -> float:
    return x * x


def spread(box: Box, out: Floats1) -> None:
    if box.size == 0:
        return
    out[4] = box.cube[1, 0, 1] if bool(out[0] > 0.0) != (out[1] > 0.0) else -box.values[0]


NUMBERS = st.floats(-1e100, 1e100) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0])


@settings(deadline=None)
@given(st.lists(NUMBERS, max_size=40), st.lists(st.integers(0, 2**60), max_size=6))
def test_translated_functions_give_the_same_bits(values: list[float], numbers: list[int]) -> None:
    found = []
    for function in (everything, compiled(everything)):
        box = Box(len(values), np.array(values), np.ones((3, 2, 2)))
        out, kept = np.zeros(5), np.zeros(len(numbers), dtype=np.int64)
        with np.errstate(all="ignore"):
            result = function(box, np.array(numbers, dtype=np.int64), out, kept)
        found.append((result, out.tobytes(), kept.tobytes(), box.cube.tobytes()))
    assert found[0] == found[1]


def test_python_and_compiled_loop_agree_on_switches_and_events(tmp_path) -> None:
    file = tmp_path / "switching.ant"
    file.write_text(SWITCHING)
    system = system_of(ps.load_model(file))
    rng = np.random.default_rng(0)
    n, times = 11, np.linspace(0.0, 8.0, 33)[None, :]
    settings = np.exp(rng.normal(0.0, 0.3, (n, 1)))
    columns = np.array([system.slot("k")])
    nodes = tuple(system.outputs(["A", "B", "s"]))
    found = []
    for plain in (True, False):
        results = Results(np.zeros((n, 33, 3)), np.zeros((n, 4)), np.zeros((n, 2)))
        with np.errstate(all="ignore"):
            run(
                Engine(system, plain=plain),
                columns,
                settings,
                times,
                nodes,
                (1e-6, 1e-9, 1000),
                np.empty((0, 2)),
                results,
                workers=1,
            )
        assert (results.ends[:, 0] == 0).all()
        assert results.values[:, -1, 2].max() > 0
        found.append(results)
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_the_loop_is_what_sweeps_use() -> None:
    assert compiled(lanes.run_lanes) is compiled(lanes.run_lanes)
