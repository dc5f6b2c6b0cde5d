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
    """``job(number)`` for each number, in the order they finish, as :func:`in_blocks` says."""
    return in_blocks(lambda block: map(job, block), numbers, workers, 1, getattr(job, "objective", None))


def in_blocks(
    job: Callable[[Sequence[int]], Iterator[Result]],
    numbers: Sequence[int],
    workers: int | None,
    most: int,
    objective: Any = None,
) -> Iterator[Result]:
    """What ``job(numbers)`` gives, in the order it comes: of all numbers here and now with one worker or where no
    process can be forked, else of ``most`` at a time, or fewer where they would not be enough for every process.

    The job itself need not be picklable: the processes inherit it. An ``objective`` is compiled before they part.
    Whatever ends the iteration (an error, Ctrl-C) ends the processes at once.

    Raises:
        SimulationError: a process could not be started, or was ended from outside.
    """
    count = min(workers or os.cpu_count() or 1, len(numbers))
    if count <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from job(numbers)
        return
    if "derivatives" in dir(objective):
        objective.derivatives(0.5 * (objective.lower + objective.upper))
    size = min(most, -(-len(numbers) // count))
    waiting = iter([tuple(numbers[first : first + size]) for first in range(0, len(numbers), size)])
    with _workers(job, count) as idle:
        busy: list[Connection] = []
        while True:
            while idle and (block := next(waiting, None)) is not None:
                busy.append(_hand(idle.pop(), block))
            if not busy:
                return
            for connection in wait(busy):
                assert isinstance(connection, Connection)
                found = _result(connection)
                if found:
                    yield found[0]
                else:
                    busy.remove(connection)
                    idle.append(connection)


@contextmanager
def _workers(job: Callable[[Sequence[int]], Iterator[Any]], count: int) -> Iterator[list[Connection]]:
    """Ways to talk to so many processes that wait for numbers; the processes end with the context."""
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


def _hand(connection: Connection, block: tuple[int, ...]) -> Connection:
    """The connection of a worker that has been given numbers; one that is gone is found when it should answer."""
    with suppress(OSError):
        connection.send(block)
    return connection


def _result(connection: Connection) -> tuple[Any, ...]:
    """The next result of a worker; none at the end of its numbers."""
    try:
        found = connection.recv()
    except (EOFError, OSError):
        raise SimulationError(
            "a worker process was ended from outside (out of memory?); ask for fewer workers"
        ) from None
    if isinstance(found, PathsimError):
        raise found
    return tuple(found)


def _serve(connection: Connection, job: Callable[[Sequence[int]], Iterator[Any]], parent: int) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with, args=(parent,), daemon=True).start()
    with one_thread():
        while True:
            block = connection.recv()
            try:
                for found in job(block):
                    connection.send((found,))
                connection.send(())
            except PathsimError as error:
                connection.send(error)
            except Exception as error:
                connection.send(SimulationError(f"{type(error).__name__}: {error} (in a worker process)"))


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which a kill leaves no time to end it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
