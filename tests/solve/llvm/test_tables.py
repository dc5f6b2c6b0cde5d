"""Tables of operations against machine code: the same bits, from everything that a model can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import BUSY, draws, system

from pathsim.arrays import FloatArray
from pathsim.solve.extrapolation.scheme import EXTRAPOLATION8
from pathsim.solve.integrate.engine import Engine, Method, run
from pathsim.solve.llvm.layout import Results
from pathsim.solve.llvm.tables import FUNCTIONS, OPERATIONS, Recorded
from pathsim.solve.rosenbrock.tableau import RODAS5P

FUNCTIONS_OF_ALL_KINDS = """
x = 0.3; y = 0.4; a = 1.1; half = 0.4;
x' = -0.1*x + 0.01*sin(time) + 0.01*cos(x) + 0.01*tanh(y) - 0.001*sinh(x) + 0.001*cosh(y) + 0.01*exp(-x/a) - x*y^2;
y' = 0.1 + 0.01*arctan(x) + 0.02*sqrt(x*y) - 0.1*y^half + 0.01*log(a + x) - abs(y - x)/(2 + y) + 0.01*arcsinh(x);
z := arcsin(x/2) + arccos(y/2) + arctanh(x/2) + arccosh(1 + y) + tan(x) + max(x, y) + piecewise(x, x < y && y > 0.1, 1);
"""
MANY_TIMED_EVENTS = "x = 1; k = 0.1; x' = -k*x;" + "".join(
    f"at time >= {0.25 * (1 + i)}: x = x + {0.01 * i};" for i in range(20)
)


def by(engine: Engine, raw: FloatArray, outputs: list[str]) -> tuple[FloatArray, FloatArray]:
    """Some outputs and how rows ended."""
    equations, times = engine.system, np.linspace(0, 6, 13)
    values, ends = np.full((len(raw), len(times), len(outputs)), np.nan), np.zeros((len(raw), 4))
    nothing = np.empty((0, len(equations.states)))
    nodes, results = tuple(equations.outputs(outputs)), Results(values, ends, nothing)
    columns = np.arange(raw.shape[1], dtype=np.int64)
    run(engine, columns, raw, times[None, :], nodes, (1e-6, None, 100_000), nothing, results, workers=1)
    return values, ends


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHSIM_CACHE", "")
    monkeypatch.setattr("pathsim.solve.integrate.engine.SECONDS_PER_OPERATION", 1e9)  # tables for good


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("method", [RODAS5P, EXTRAPOLATION8], ids=["rosenbrock", "extrapolation"])
@pytest.mark.parametrize(
    ("text", "outputs"),
    [(BUSY, ["x", "y", "n"]), (FUNCTIONS_OF_ALL_KINDS, ["x", "z"]), (MANY_TIMED_EVENTS, ["x", "k"])],
    ids=["busy", "functions", "events"],
)
def test_tables_give_the_bits_of_machine_code(text: str, outputs: list[str], method: Method) -> None:
    equations = system(text)
    raw = draws(equations, ["x"], 6)
    tables, code = Engine(equations, method), Engine(equations, method)
    assert code.code.addresses
    first, second = by(tables, raw, outputs), by(code, raw, outputs)
    assert not tables.has_code
    assert np.isfinite(first[0]).all()
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@pytest.mark.usefixtures("no_cache")
def test_machine_code_takes_over_in_the_middle_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    equations = system(BUSY)
    raw = draws(equations, ["x"], 3)
    whole = by(Engine(equations), raw, ["x", "y", "n"])
    monkeypatch.setattr("pathsim.solve.integrate.engine.SECONDS_PER_OPERATION", 0.0)
    engine = Engine(equations)
    assert not engine.has_code
    parts = by(engine, raw, ["x", "y", "n"])
    assert engine.has_code
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1], parts[1])


@pytest.mark.usefixtures("no_cache")
def test_another_engine_begins_with_machine_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATHSIM_CACHE", str(tmp_path))
    equations = system(MANY_TIMED_EVENTS)
    assert not Engine(equations).has_code
    assert Engine(equations).code.addresses
    assert Engine(equations).has_code
    assert not Engine(system(MANY_TIMED_EVENTS + "m = 1;")).has_code


def test_operations_that_wait_for_nothing_stand_together() -> None:
    recorded = Recorded(FUNCTIONS["rates"], "k", 2, fused=True)
    x, y = recorded.load("x", 0), recorded.load("x", 1)
    first = recorded.multiply_add(recorded.negative(x), recorded.load("k", 1), y)
    second = recorded.binary("fmul", x, y)
    third = recorded.multiply_add(recorded.negative(y), x, second)
    recorded.store("o", 0, recorded.binary("fadd", first, third))
    table, names = recorded.table().tolist(), ["end", "read", "constant", "store", *OPERATIONS]
    heads, position = [], 0
    while position < len(table):
        kind, count = table[position : position + 2]
        heads.append((names[kind], count))
        position += 3 + count * (2 if kind == 1 else 3 if kind == 3 else list(OPERATIONS.values())[kind - 4])
    # of fused negatives nothing is left
    assert heads == [("read", 2), ("fmul", 1), ("fma of -a", 1), ("fma of -a", 1), ("fadd", 1), ("store", 1)]
