"""Threads whose work ends soon after whoever waits for it gives up: on Ctrl-C, on an error, on leaving a generator.

Long work asks :func:`stop_if_asked` between pieces. In a thread of :func:`threads` that raises :class:`StoppedError`
once the block has been left; in any other it does nothing, since there Ctrl-C raises by itself. Pools may be nested.

What ``workers=`` may be is said here (:data:`Workers`), and whether that is this process or somebody :func:`elsewhere`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache, wraps
from threading import Event, RLock, Thread
from typing import Any, Protocol, TypeAlias, TypeVar

from .errors import InputError, SimulationError

Result = TypeVar("Result")


class Cluster(Protocol):
    """A Dask client (``distributed.Client``)."""

    def get_executor(self, **kwargs: Any) -> Executor:
        """Its workers as an executor."""

    def nthreads(self) -> Any:
        """Threads by worker."""


Workers: TypeAlias = int | str | Executor | Cluster | None
"""A number (of threads or processes of this machine), the address of a Dask scheduler, an executor, or a Dask client.

None: as many as there are processors.
"""


class StoppedError(BaseException):
    """Work in a thread that nobody waits for any more; like Ctrl-C it is no error to be handled on the way."""


_asked: ContextVar[tuple[Event, ...]] = ContextVar("asked", default=())
"""Set when the work of this thread is to stop: one per pool that it is part of."""


def stop_if_asked() -> None:
    """End the work of this thread when nobody waits for it any more."""
    for event in _asked.get():
        if event.is_set():
            raise StoppedError


def apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """``function(*arguments)`` in a thread of its own, for long calls into libraries that cannot look for Ctrl-C.

    Ctrl-C ends the waiting at once; what the thread still does is lost.
    """
    found: Future[Result] = Future()

    def work() -> None:
        try:
            found.set_result(function(*arguments))
        except BaseException as error:
            found.set_exception(error)

    Thread(target=work, daemon=True).start()
    return found.result()


def once(function: Callable[..., Result]) -> Callable[..., Result]:
    """As :func:`functools.cache`, but what two threads ask for at the same time is made by one while the other waits.

    Machine code that both had made would be let go for one of them, who has its address.
    """
    kept, lock = cache(function), RLock()

    @wraps(function)
    def call(*arguments: Any) -> Result:
        with lock:
            return kept(*arguments)

    return call


_undivided: ContextVar[bool] = ContextVar("undivided", default=False)


@contextmanager
def undivided() -> Iterator[None]:
    """Work inside, which is one of many tasks side by side, takes one thread."""
    before = _undivided.set(True)
    try:
        yield
    finally:
        _undivided.reset(before)


def processors(asked: int | None = None) -> int:
    """How many threads to work with: as many as are asked for or, where nobody says how many, as there are processors;
    one in work that is one of many tasks side by side."""
    return 1 if _undivided.get() else asked or os.cpu_count() or 1


def elsewhere(workers: Workers) -> str | Executor | Cluster | None:
    """Whoever works in place of this process and those it starts; nobody where it works itself, as it does at one of
    many tasks side by side."""
    return None if workers is None or isinstance(workers, int) or _undivided.get() else workers


def threads_of(workers: Workers) -> int | None:
    """The number of threads that ``workers`` are in this process, where nobody works elsewhere."""
    return workers if isinstance(workers, int) else None


def chosen(workers: int | None, dask: str | None) -> Workers:
    """What ``--workers`` and ``--dask`` of a command name. Raises :class:`InputError` for both."""
    if dask is not None and workers is not None:
        raise InputError("--workers and --dask: give one of them; the cluster knows how many workers it has")
    return dask if dask is not None else workers


@contextmanager
def threads(count: int) -> Iterator[Callable[..., Future[Any]]]:
    """``submit(function, *arguments)`` to ``count`` threads; leaving the block by an exception stops what they do.

    Raises :class:`SimulationError` when the system gives no thread.
    """
    stop = Event()
    with ThreadPoolExecutor(count) as pool:

        def submit(function: Callable[..., Result], *arguments: Any) -> Future[Result]:
            context = copy_context()
            context.run(_asked.set, (*_asked.get(), stop))
            try:
                return pool.submit(context.run, function, *arguments)
            except RuntimeError as error:
                raise SimulationError(f"a thread could not be started ({error}); ask for fewer workers") from None

        try:
            yield submit
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
