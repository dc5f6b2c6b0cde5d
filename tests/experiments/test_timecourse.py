"""Single runs, sweeps, streams and simulators are one thing seen from four sides: equal bits, equal errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pathsim as ps

TEXT = """
model decay
  compartment c = 1; species A in c = 4, B in c = 0; k = 0.7; h = 2;
  r: A -> B; k*A^h/(1 + A^h); total := A + B;
end
"""
TIMES = np.linspace(0.0, 5.0, 7)


@pytest.fixture
def model(tmp_path: Path) -> ps.Model:
    file = tmp_path / "decay.ant"
    file.write_text(TEXT)
    return ps.load_model(file)


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame({"k": np.exp(rng.normal(size=37)), "A": rng.uniform(1, 9, 37)})


def test_four_ways_give_the_same_bits(model: ps.Model, rows: pd.DataFrame) -> None:
    outputs = ["A", "total"]
    whole = ps.simulate_many(model, rows, TIMES, outputs, workers=1).values
    run = ps.simulator(model, TIMES, vary=["k", "A"], outputs=outputs, solver=ps.Rosenbrock())
    singles = np.array([run(row) for row in rows.to_numpy()])
    settings = [{"A": row.A, "k": row.k} for row in rows.itertuples()]
    frames = [ps.simulate(model, TIMES, one, outputs, ps.Rosenbrock()) for one in settings]
    stream = [batch.values for batch in ps.iter_simulate_many(model, rows, TIMES, outputs, rows_at_once=10)]
    taken: list[int] = []

    def drawn() -> Iterator[pd.DataFrame]:
        for first in range(0, 37, 9):
            taken.append(first)
            yield rows.iloc[first : first + 9]

    blocks = ps.iter_simulate_many(model, drawn(), TIMES, outputs)
    next(blocks)
    assert taken == [0]  # one block after another: all of them may not fit into memory
    blocks = ps.iter_simulate_many(model, (rows.iloc[i : i + 9] for i in range(0, 37, 9)), TIMES, outputs)
    target = np.full((37, 7, 2), -1.0)
    assert ps.simulate_many(model, rows, TIMES, outputs, into=target).values is target
    for found in (
        singles,
        [frame.to_numpy() for frame in frames],
        np.concatenate(stream),
        target,
        np.concatenate([batch.values for batch in blocks]),
    ):
        assert np.array_equal(whole, found)
    assert [len(batch) for batch in stream] == [10, 10, 10, 7]
    assert frames[0].index.name == "time"
    assert list(frames[0].columns) == outputs


def test_single_runs_by_default_agree_with_rows(model: ps.Model, rows: pd.DataFrame) -> None:
    whole = ps.simulate_many(model, rows, TIMES, ["A"], workers=1).values
    run = ps.simulator(model, TIMES, vary=["k", "A"], outputs=["A"])
    assert isinstance(run.solver, ps.Extrapolation)
    np.testing.assert_allclose(np.array([run(row) for row in rows.to_numpy()]), whole, rtol=1e-5, atol=1e-6)


def test_results_of_a_simulator_are_not_overwritten_by_its_next_run(model: ps.Model) -> None:
    run = ps.simulator(model, TIMES, vary=["k"], outputs=["A"])
    first = run([0.5])
    kept = first.copy()
    run([3.0])
    assert np.array_equal(first, kept)


def test_a_simulator_holds_fixed_parameters_and_takes_any_solver(model: ps.Model) -> None:
    run = ps.simulator(model, TIMES, ["k"], ["A", "B"], ps.LSODA(), parameters={"A": 2.0})
    ours = ps.simulate(model, TIMES, {"A": 2.0, "k": 0.2}, ["A", "B"])
    assert run([0.2]) == pytest.approx(ours.to_numpy(), abs=1e-6)


def test_wrong_calls_say_what_is_wrong(model: ps.Model, rows: pd.DataFrame) -> None:
    run = ps.simulator(model, TIMES, vary=["k", "A"])
    with pytest.raises(ps.InputError, match=r"1 values are given for 2 parameters \(k, A\)"):
        run([1.0])
    with pytest.raises(ps.InputError, match="'A' is set to NaN"):
        run([1.0, float("nan")])
    with pytest.raises(ps.InputError, match=r"'kk'[\s\S]*'k' is given twice"):
        ps.simulator(model, TIMES, vary=["kk", "k", "k"])
    with pytest.raises(ps.InputError, match="the model computes it"):
        ps.simulate(model, TIMES, {"total": 1.0})
    with pytest.raises(ps.InputError, match=r"shape \(37, 7, 2\)"):
        ps.simulate_many(model, rows, TIMES, into=np.zeros((37, 7, 3)))


def test_a_failed_run_says_why_and_the_next_one_works(tmp_path: Path) -> None:
    file = tmp_path / "blows_up.ant"
    file.write_text("model m\n species x; x = 1; k = 1; r: -> x; k*x^2;\nend\n")
    run = ps.simulator(file, [0.0, 2.0], vary=["k"])
    with pytest.raises(ps.SimulationError, match="'x'"):
        run([1.0])
    assert run([0.25])[-1, 0] == pytest.approx(2.0, rel=1e-5)
