"""Work in threads ends with whoever waits for it, and a long call in machine code leaves time for Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import pathsim as ps
from pathsim.threads import StoppedError, stop_if_asked, threads

OSCILLATOR = "model osc\n x = 1; y = 0; k = 6\n x' = k*y; y' = -k*x\nend\n"


def busy(seen: list[str], started: threading.Event | None = None) -> None:
    """Work without end in pieces."""
    try:
        while True:
            if started is not None:
                started.set()
            time.sleep(0.001)
            stop_if_asked()
    except StoppedError:
        seen.append("stopped")
        raise


def test_an_error_in_the_block_stops_the_work_of_its_threads_and_of_pools_inside_them() -> None:
    seen: list[str] = []
    started = threading.Event()

    def nested() -> None:
        with threads(1) as submit:
            submit(busy, seen, started).result()

    def interrupted() -> None:
        with threads(1) as submit:
            submit(nested)
            assert started.wait(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen == ["stopped"]
    stop_if_asked()  # nothing is asked outside


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Python's own handler, also where the tests were started in the background of a shell, which ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_a_simulation_without_end_at_once(tmp_path: Path, workers: int) -> None:
    model = tmp_path / "osc.ant"
    model.write_text(OSCILLATOR)
    solver = ps.Rosenbrock(max_steps=2**40)
    rows = pd.DataFrame({"k": [6.0] * (8 * workers)})
    expected = ps.simulate_many(str(model), rows, [0, 1.0], ["x"], workers=workers).values
    began: list[float] = []

    def interrupt() -> None:
        began.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        ps.simulate_many(str(model), rows, [0, 1e9], ["x"], solver, workers=workers)
    assert time.monotonic() - began[0] < 1.0
    again = ps.simulate_many(str(model), rows, [0, 1.0], ["x"], workers=workers).values
    assert (again == expected).all()  # and leaves nothing behind


def test_ctrl_c_ends_a_single_simulation_at_once(tmp_path: Path) -> None:
    model = tmp_path / "osc.ant"
    model.write_text(OSCILLATOR)
    run = ps.simulator(str(model), [0, 1e9], ["k"], ["x"], ps.Rosenbrock(max_steps=2**40))
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run([6.0])
