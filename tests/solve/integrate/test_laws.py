"""What must hold to the last bit: any number of workers, any order of rows, any neighbours, either loop, either
factorisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import BUSY, batch, draws, system

from pathsim.arrays import FloatArray
from pathsim.model import load_model
from pathsim.solve import build_system, run_rows
from pathsim.solve.integrate.engine import MANY_ROWS, Engine, run
from pathsim.solve.llvm.layout import Results

PETAB = Path(__file__).parents[4] / "shared" / "data" / "petab"
needs_collection = pytest.mark.skipif(not PETAB.is_dir(), reason=f"the PEtab collection is not at {PETAB}")


def test_workers_order_and_neighbours_change_no_bit() -> None:
    equations = system(BUSY)
    raw = draws(equations, ["k", "D", "x", "y"], 301)
    one = batch(equations, raw)
    assert not one[:, -2].any()
    assert np.array_equal(one, batch(equations, raw, workers=2))
    assert np.array_equal(one, batch(equations, raw, workers=7))
    order = np.random.default_rng(1).permutation(len(raw))
    assert np.array_equal(one[order], batch(equations, raw[order], workers=2))
    for row in (0, 17, 300):
        assert np.array_equal(one[row], batch(equations, raw[row : row + 1])[0])
    assert np.array_equal(one[100:103], batch(equations, raw[100:103]))


def test_a_failing_neighbour_changes_no_bit() -> None:
    equations = system("k = 1; x = 1; x' = k*x^2 - x; y = 1; y' = -y*x;")
    raw = draws(equations, ["k"], 40)
    sick = raw.copy()
    sick[::5, equations.slot("k")] = 50.0  # blows up in finite time
    sick[1::5, equations.slot("x")] = np.inf
    healthy = np.setdiff1d(np.arange(40), [*range(0, 40, 5), *range(1, 40, 5)])
    nodes = equations.outputs(["x", "y"])
    together = run_rows(equations, sick, np.linspace(0, 0.3, 4), nodes)
    assert together.status[::5].all()
    assert together.status[1::5].all()
    assert not together.status[healthy].any()
    alone = run_rows(equations, raw[healthy], np.linspace(0, 0.3, 4), nodes)
    assert np.array_equal(together.values[healthy], alone.values)


def by(engine: Engine, raw: FloatArray, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Every state and how rows ended, by one engine."""
    equations = engine.system
    nodes = tuple(equations.outputs(list(equations.states)))
    results = Results(
        np.full((len(raw), len(times), len(nodes)), np.nan),
        np.tile([0.0, 0.0, -1.0, 0.0], (len(raw), 1)),
        np.empty((0, len(equations.states))),
    )
    columns = np.arange(raw.shape[1], dtype=np.int64)
    nothing = np.empty((0, len(equations.states)))
    run(engine, columns, raw, times[None, :], nodes, (1e-6, 1e-9, 100_000), nothing, results, workers=1)
    return results.values, results.ends


def test_the_plain_loop_gives_the_bits_of_the_compiled_one() -> None:
    equations, times = system(BUSY), np.linspace(0, 6, 7)
    raw = draws(equations, ["k", "D", "x", "y"], 21)
    compiled, plain = (by(Engine(equations, plain=plain), raw, times) for plain in (False, True))
    assert np.array_equal(compiled[0], plain[0])
    assert np.array_equal(compiled[1], plain[1])


@needs_collection
@pytest.mark.parametrize("folder", ["Bachmann_MSB2011", "Alkan_SciSignal2018"])
def test_code_for_many_rows_and_that_made_at_once_give_the_same_bits(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    equations = build_system(load_model(next((PETAB / folder).glob("model*.xml"))))
    raw, times = equations.raw()[None, :], np.linspace(0, 20, 3)
    monkeypatch.setenv("PATHSIM_CACHE", "")
    by_rows = Engine(equations)
    by_rows.serve(MANY_ROWS)
    first, _ = by(by_rows, raw, times)
    monkeypatch.setattr("pathsim.solve.llvm.codegen.MOST_STRAIGHT_LINE", 0)
    by_table, in_blocks = Engine(equations), Engine(equations)
    assert "factor" not in by_table.code.addresses
    in_blocks.serve(MANY_ROWS)
    assert np.isfinite(first).all()
    for engine in (by_table, in_blocks):
        assert np.array_equal(first, by(engine, raw, times)[0])


def test_stage_values_survive_an_odd_number_of_rows() -> None:
    equations = system(BUSY)
    raw = draws(equations, ["k"], 17)
    whole = batch(equations, raw)
    for n in (1, 7, 8, 9, 16):
        assert np.array_equal(whole[:n], batch(equations, raw[:n]))
