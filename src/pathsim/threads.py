"""Threads whose work ends soon after whoever waits for it gives up: on Ctrl-C, on an error, on leaving a generator.

Long work asks :func:`stop_if_asked` between pieces. In a thread of :func:`threads` that raises :class:`StoppedError`
once the block has been left; in any other it does nothing, since there Ctrl-C raises by itself. Pools may be nested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Event
from typing import Any, TypeVar

Result = TypeVar("Result")


class StoppedError(BaseException):
    """Work in a thread that nobody waits for any more; like Ctrl-C it is no error to be handled on the way."""


_asked: ContextVar[tuple[Event, ...]] = ContextVar("asked", default=())
"""Set when the work of this thread is to stop: one per pool that it is part of."""


def stop_if_asked() -> None:
    """End the work of this thread when nobody waits for it any more."""
    for event in _asked.get():
        if event.is_set():
            raise StoppedError


@contextmanager
def threads(count: int) -> Iterator[Callable[..., Future[Any]]]:
    """``submit(function, *arguments)`` to ``count`` threads; leaving the block by an exception stops what they do."""
    stop = Event()
    with ThreadPoolExecutor(count) as pool:

        def submit(function: Callable[..., Result], *arguments: Any) -> Future[Result]:
            context = copy_context()
            context.run(_asked.set, (*_asked.get(), stop))
            return pool.submit(context.run, function, *arguments)

        try:
            yield submit
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
