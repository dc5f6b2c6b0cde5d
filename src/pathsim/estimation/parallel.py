"""Spreading independent work over processes; results as they finish."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeVar

from ..errors import PathsimError, SimulationError
from ..linear_algebra import one_thread

Result = TypeVar("Result")


def in_processes(job: Callable[[int], Result], numbers: Sequence[int], workers: int | None) -> Iterator[Result]:
    """``job(number)`` for each number, in the order they finish; here and now with one worker or where no process can
    be forked. The job itself need not be picklable: the processes inherit it.

    Whatever ends the iteration (an error, Ctrl-C) ends the processes at once.

    Raises:
        SimulationError: a process could not be started, or was ended from outside.
    """
    count = min(workers or os.cpu_count() or 1, len(numbers))
    if count <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(job, numbers)
        return
    if "derivatives" in dir(getattr(job, "objective", None)):  # compile once, before processes part
        objective: Any = job.objective  # type: ignore[attr-defined]
        objective.derivatives(0.5 * (objective.lower + objective.upper))
    waiting = iter(numbers)
    with _workers(job, count) as idle:
        busy: list[Connection] = []
        while True:
            while idle and (number := next(waiting, None)) is not None:
                busy.append(_hand(idle.pop(), number))
            if not busy:
                return
            for connection in wait(busy):
                assert isinstance(connection, Connection)
                busy.remove(connection)
                idle.append(connection)
                yield _result(connection)


@contextmanager
def _workers(job: Callable[[int], Any], count: int) -> Iterator[list[Connection]]:
    """Ways to talk to so many processes that wait for numbers; the processes end with the block."""
    context = multiprocessing.get_context("fork")
    processes: list[BaseProcess] = []
    try:
        connections = []
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, job, os.getpid()), daemon=True)
            try:
                process.start()
            except OSError as error:
                raise SimulationError(
                    f"worker process {len(processes) + 1} of {count} could not be started "
                    f"({error.strerror or error}); ask for fewer workers"
                ) from None
            processes.append(process)
            there.close()
            connections.append(here)
        yield connections
    finally:
        for started in processes:
            started.kill()
        for started in processes:
            started.join()


def _hand(connection: Connection, number: int) -> Connection:
    """The connection of a worker that has been given a number; one that is gone is found when it should answer."""
    with suppress(OSError):
        connection.send(number)
    return connection


def _result(connection: Connection) -> Any:
    try:
        done, found = connection.recv()
    except (EOFError, OSError):
        raise SimulationError(
            "a worker process was ended from outside (out of memory?); ask for fewer workers"
        ) from None
    if not done:
        raise found
    return found


def _serve(connection: Connection, job: Callable[[int], Any], parent: int) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with, args=(parent,), daemon=True).start()
    with one_thread():
        while True:
            number = connection.recv()
            try:
                connection.send((True, job(number)))
            except PathsimError as error:
                connection.send((False, error))
            except Exception as error:
                connection.send((False, SimulationError(f"{type(error).__name__}: {error} (in a worker process)")))


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which a kill leaves no time to end it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
