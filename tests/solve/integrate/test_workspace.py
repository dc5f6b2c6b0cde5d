"""Memory that is lent: to one user at a time, kept for the next, whatever it is for and however many threads ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small_models import BUSY, draws, system

from pathsim.arrays import FloatArray
from pathsim.solve import RODAS5P, Rosenbrock, run_rows
from pathsim.solve.integrate.batch import engine_of
from pathsim.solve.integrate.engine import MOST_ARRANGED, arrange
from pathsim.solve.integrate.workspace import Idle, Once
from pathsim.solve.sensitivities.adjoint import adjoint_of, pull_back
from pathsim.solve.sensitivities.forward import differentiate
from pathsim.solve.sensitivities.forward_machine import forward_of
from pathsim.solve.sensitivities.recording import record_rows

LENDERS: dict[str, Callable[[], Idle]] = {
    "plain": lambda: engine_of(system(BUSY)).workspaces,
    "forward": lambda: forward_of(system(BUSY), RODAS5P).workspaces,
    "adjoint": lambda: adjoint_of(system(BUSY), RODAS5P, (0, 1)).workspaces,
}


@pytest.mark.parametrize("kind", LENDERS)
def test_giving_back_waits_for_its_turn(kind: str) -> None:
    """Whoever looks through the idle ones keeps everybody else away from them, those who give back as well."""
    lender = LENDERS[kind]()
    borrowed, leave = threading.Event(), threading.Event()

    def work() -> None:
        with lender.lent(2):
            borrowed.set()
            leave.wait()

    worker = threading.Thread(target=work)
    worker.start()
    assert borrowed.wait(60)
    with lender._lock:
        leave.set()
        worker.join(0.2)
        assert worker.is_alive()
    worker.join(10)
    assert not worker.is_alive()


@pytest.mark.parametrize("kind", LENDERS)
def test_nobody_shares(kind: str) -> None:
    lender, inside, lock = LENDERS[kind](), list[int](), threading.Lock()

    def work(_: int) -> None:
        with lender.lent(1) as memory:
            with lock:
                assert id(memory) not in inside
                inside.append(id(memory))
            time.sleep(1e-4)
            with lock:
                inside.remove(id(memory))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(200)))
    assert len(lender._idle[1]) <= 6


def test_what_failed_with_it_loses_it() -> None:
    lender = Idle(lambda key: [key])
    with pytest.raises(ValueError, match="broken"), lender.lent(1) as first:
        raise ValueError("broken")
    with lender.lent(1) as second:
        assert second is not first
    with lender.lent(1) as third:
        assert third is second


def test_things_made_once_are_made_once() -> None:
    made = []

    def make(key: int) -> int:
        time.sleep(0.01)
        made.append(key)
        return key

    once = Once(make)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(once, [1, 2] * 8)) == [1, 2] * 8
    assert sorted(made) == [1, 2]


def test_threads_change_no_bit() -> None:
    """Plain runs, forward sensitivities and gradients of one system, all at once."""
    equations = system(BUSY)
    raw, times = draws(equations, ["k", "D", "x", "y"], 9), np.linspace(0, 6, 7)
    nodes, solver = equations.outputs(["x", "y"]), Rosenbrock()
    seeds = np.tile(np.eye(raw.shape[1])[:, :3], (9, 1, 1))
    bars = np.random.default_rng(0).standard_normal((9, 7, 2))

    def plain() -> FloatArray:
        return run_rows(equations, raw, times, nodes, solver, workers=1).values

    def forward() -> FloatArray:
        return differentiate(record_rows(equations, raw, times, nodes, solver), seeds).values

    def adjoint() -> FloatArray:
        return pull_back(record_rows(equations, raw, times, nodes, solver, keep_stages=False), bars).raw

    jobs = [plain, forward, adjoint] * 8
    alone = [job() for job in jobs[:3]]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: job(), jobs))
    for i, found in enumerate(together):
        assert np.array_equal(found, alone[i % 3], equal_nan=True)


def test_a_workspace_is_kept_ready_for_few_choices_of_outputs() -> None:
    equations = system(BUSY)
    engine, states = engine_of(equations), list(equations.states)
    for first in range(MOST_ARRANGED + 3):
        nodes = equations.outputs([states[first % len(states)], states[(first // len(states)) % len(states)]])
        with engine.lent(tuple(nodes)) as workspace:
            ready = arrange(engine, workspace, tuple(nodes))
            assert arrange(engine, workspace, tuple(nodes)) is ready
            assert len(workspace.arranged) <= MOST_ARRANGED
