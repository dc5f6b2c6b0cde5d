"""Linear algebra on one thread while pathsim works: its matrices are small, and threads that share them only wait.

The number of threads of BLAS belongs to the whole process. It is set when the first of pathsim's calls begins and set
back when the last ends, whatever threads they are in.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit the BLAS libraries that are loaded to one thread; also a decorator of functions."""
    limits = _limits(os.getpid())
    limits.begin()
    try:
        yield
    finally:
        limits.end()


@cache
def _limits(process: int) -> _Limits:
    """The limits of this process; one that was forked has its own."""
    return _Limits()


class _Limits:
    """How many calls want one thread, and how many threads each library had before the first."""

    def __init__(self) -> None:
        self.lock, self.calls = threading.Lock(), 0
        self.before: list[tuple[Any, int]] = []

    def begin(self) -> None:
        """One call more."""
        with self.lock:
            self.calls += 1
            if self.calls == 1:
                self.before = [(library, library.num_threads) for library in _libraries("scipy.linalg" in sys.modules)]
                for library, _ in self.before:
                    _set(library, 1)

    def end(self) -> None:
        """One call less."""
        with self.lock:
            self.calls -= 1
            if self.calls == 0:
                for library, count in self.before:
                    _set(library, count)


@cache
def _libraries(with_scipy: bool) -> tuple[Any, ...]:
    """The BLAS libraries of this process: numpy's, and scipy's own once that is loaded."""
    from threadpoolctl import ThreadpoolController

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


def _set(library: Any, count: int) -> None:
    """Let a library have so many threads, whichever thread of Python asks."""
    release = getattr(library, "clear_controlling_thread", None)  # of newer versions, which let one thread set it
    if release is not None:
        release(force=True)
    library.set_num_threads(count)
    if release is not None:
        release(force=True)
