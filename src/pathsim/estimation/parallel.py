"""Spreading independent work over processes; results as they finish."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from importlib.util import find_spec
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_processes(job: Callable[[int], Result], numbers: Sequence[int], workers: int | None) -> Iterator[Result]:
    """``job(number)`` for each number, in the order they finish; here and now with one worker or where no process can
    be forked. The job itself need not be picklable: the processes inherit it.
    """
    count = min(workers or os.cpu_count() or 1, len(numbers))
    if count <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(job, numbers)
        return
    if "slopes" in dir(getattr(job, "objective", None)):  # compile once, before processes part
        objective: Any = job.objective  # type: ignore[attr-defined]
        objective.slopes(0.5 * (objective.lower + objective.upper))
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_adopt, initargs=(job,)) as pool:
        waiting: set[Future[Any]] = {pool.submit(_run, number) for number in numbers}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_adopted: list[Callable[[int], Any]] = []  # in a worker process: the one job it was made for


def _adopt(job: Callable[[int], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if find_spec("threadpoolctl") is not None:  # small matrices: threads of linear algebra only get in each other's way
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    _adopted[:] = [job]


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which a kill leaves no time to end it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _run(number: int) -> Any:
    return _adopted[0](number)
