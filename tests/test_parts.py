"""Whatever simulates many things in one call lets others do it, with the same bits, however it is cut."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_cell import tiny_library, tiny_model

import pathsim as ps
from pathsim.model import Model
from pathsim.parts import in_parts, one_study, side_by_side

LIBRARY = tiny_library()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("model"))


class Counted(ThreadPoolExecutor):
    """Threads that are given tasks as processes elsewhere are: pickled."""

    tasks = 0

    def submit(self, *words: Any, **more: Any) -> Any:
        self.tasks += 1
        return super().submit(*words, **more)


@pytest.fixture
def pool() -> Iterator[Counted]:
    with Counted(2) as made:
        yield made


def public_functions() -> dict[Any, str]:
    """Each with its name; those of modules with that of the module before it."""
    found = [(name, getattr(ps, name)) for name in ps.__all__]
    inner = [
        (f"{name}.{own}", one)
        for name, module in found
        if isinstance(module, ModuleType)
        for own, one in inspect.getmembers(module)
        if not own.startswith("_")
    ]
    return {one: name for name, one in (*inner, *found) if inspect.isfunction(one)}


def test_one_argument_says_who_works() -> None:
    """A number, an address, an executor or a client, in every public function; and the long ones have it."""
    known = {name: inspect.signature(one).parameters for one, name in public_functions().items()}
    takers = {name for name, parameters in known.items() if "workers" in parameters}
    assert {name for name in takers if known[name]["workers"].annotation != "Workers"} == set()
    long = "combination_screen dose_response escalate fit glucose_insulin_study investigate iter_simulate_many"
    long += " prediction_intervals profile run_plate sample sensitivity.elasticities sensitivity.morris_effects"
    long += " sensitivity.sobol_indices simulate_many spread sweep.run virtual_trial washout western_blot xenograft"
    assert takers - {"search.in_blocks"} == {*long.split()}


def test_assays_give_the_same_bits(model: Model, pool: Counted, tmp_path: Path) -> None:
    plate = {"A1": "vehicle", "A2": "alphanib 30 nM", "B1": "betanib 60 nM"}
    text = 'cell_line = "plain"\ntime = "2 h"\nreadout = "viability"\n[well]\n'
    text += "".join(f'{well} = "{what}"\n' for well, what in plate.items())
    lines, many, own = ["plain", "quick", "quick+halved"], "1 nM .. 1 uM x 9", {"library": LIBRARY}
    steps = ["vehicle", "alphanib 1 uM for 1 h then betanib 9 nM"]
    map_file, factors = tmp_path / "plate.toml", {"k_in": (0.5, 2.0), "k_out": (0.5, 2.0)}
    map_file.write_text(text)
    noise = ps.noise.WellNoise()
    for run in (
        lambda who: ps.dose_response(model, lines, ["alphanib", "betanib"], many, noise=noise, workers=who, **own),
        lambda who: ps.combination_screen(model, lines, ["alphanib", "betanib"], "10 nM 1 uM", workers=who, **own),
        lambda who: ps.run_plate(model, map_file, workers=who, **own),
        lambda who: ps.western_blot(model, lines, steps, "marker", "0 5 min", workers=who, **own),
        lambda who: ps.sensitivity.elasticities(model, "plain", "alphanib 9 nM", "marker", "1 h", workers=who, **own),
        lambda who: ps.sensitivity.morris_effects(
            model, "plain", "alphanib 9 nM", "marker", "1 h", factors=factors, trajectories=20, workers=who, **own
        ),
    ):
        before = pool.tasks
        here, there = run(1), run(pool)  # type: ignore[no-untyped-call]
        assert here.equals(there)
        assert pool.tasks > before


def test_rows_give_the_same_bits(model: Model, pool: Counted) -> None:
    rows = pd.DataFrame({"k_out": np.linspace(0.001, 0.1, 300), "k_in": np.geomspace(1e-3, 1.0, 300)})
    rows.loc[7, "k_out"] = -1e9  # which cannot be solved
    asked = (model, rows, [0, 5, 60], ["cells", "marker"])
    here = ps.simulate_many(*asked, workers=1)
    into = np.empty_like(here.values)
    for there in (ps.simulate_many(*asked, workers=pool), ps.simulate_many(*asked, workers=pool, into=into)):
        assert np.array_equal(here.values, there.values, equal_nan=True)
        assert here.status.tolist() == there.status.tolist()
        assert here.status[7] != 0
        assert here.explain(7) == there.explain(7)
    assert np.array_equal(into, here.values, equal_nan=True)
    blocks = list(ps.iter_simulate_many(*asked, workers=pool, rows_at_once=128))
    assert np.array_equal(np.concatenate([one.values for one in blocks]), here.values, equal_nan=True)
    assert pool.tasks > 5
    assert ps.simulate_many(model, rows[:0], [0, 5], ["cells"], workers=pool).values.shape == (0, 2, 1)
    rows.loc[250, "k_in"] = np.nan
    with pytest.raises(ps.InputError, match="k_in"):
        ps.simulate_many(*asked, workers=pool)


def test_what_fails_elsewhere_is_named(model: Model, pool: Counted) -> None:
    with pytest.raises(ps.SimulationError, match="plain"):
        ps.western_blot(model, "plain", "vehicle", "marker", [0.0], solver=ps.Rosenbrock(max_steps=1), workers=pool,
                        library=LIBRARY)  # fmt: skip


def test_parts_are_cut_by_who_works(pool: Executor) -> None:
    def job(items: range, threads: int | None) -> tuple[list[int], int | None]:
        return list(items), threads

    assert list(in_parts(job, range(5), 3)) == [(0, ([0, 1, 2, 3, 4], 3))]
    assert list(in_parts(job, range(5), None, most=2)) == [(0, ([0, 1], None)), (2, ([2, 3], None)), (4, ([4], None))]
    assert sorted(in_parts(job, range(5), pool)) == [(0, ([0, 1], 1)), (2, ([2, 3], 1)), (4, ([4], 1))]
    assert sorted(in_parts(job, range(5), pool, least=4)) == [(0, ([0, 1, 2, 3], 1)), (4, ([4], 1))]
    for who in (2, pool):
        assert list(in_parts(job, range(0), who)) == [(0, ([], 2 if who == 2 else 1))]
    assert dict(side_by_side([lambda threads: threads, lambda _: 7], pool)) == {0: 1, 1: 7}
    assert one_study(lambda threads: threads, 4) == 4


def test_a_task_that_asks_for_workers_does_its_work_itself(pool: Executor) -> None:
    """Else those who wait for each other would wait for ever, and each task would open a cluster."""
    assert ps.spread(lambda n: ps.spread(abs, [-n, n], "tcp://nowhere:1"), [1, 2], pool) == [[1, 1], [2, 2]]
