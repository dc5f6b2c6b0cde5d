"""Progress of work that takes more than a moment: one bar, at a terminal or in a notebook, and a way to be quiet.

Work that can be long runs inside :func:`bar` (or carries :func:`announced`). What runs inside of that is told by the
same bar. Nothing is shown for the first second, where nobody looks (pipes, log files), in processes that work for
another one, inside :func:`quiet`, or with ``PATHSIM_PROGRESS=0`` in the environment. A page of its own shows what runs
inside :func:`shown_by`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

FIRST_S = 1.0
"""Work that is done by then is not worth a bar."""
_EVERY_S = 0.25

P = ParamSpec("P")
R = TypeVar("R")
_SILENT: ContextVar[bool] = ContextVar("silent", default=False)
_CURRENT: ContextVar[_Bar | None] = ContextVar("bar", default=None)
_SHOWN_BY: ContextVar[Callable[[], Display] | None] = ContextVar("shown by", default=None)


class Advance(Protocol):
    """Says that so much more is done, and what is being done now."""

    def __call__(self, by: float = 1.0, now: str = "") -> None: ...


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars inside the ``with``.

    >>> with ps.quiet():
    ...     frame = ps.simulate("pi3k_mapk", "0 .. 60 x 7", outputs=["pAKT_S473"])
    """
    before = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(before)


@contextmanager
def shown_by(display: Callable[[], Display]) -> Iterator[None]:
    """Bars inside the ``with`` are drawn by what ``display`` makes, from a thread of their own."""
    before = _SHOWN_BY.set(display)
    try:
        yield
    finally:
        _SHOWN_BY.reset(before)


@contextmanager
def bar(what: str, total: float | None = None) -> Iterator[Advance]:
    """Show how far the work inside the ``with`` is, of ``total`` (None: only that it goes on)."""
    outer = _CURRENT.get()
    if outer is not None:
        with outer.inside(what, total) as advance:
            yield advance
        return
    shown = _display()
    if shown is None:
        yield _nothing
        return
    own = _Bar(what, total, shown)
    before = _CURRENT.set(own)
    try:
        with own.running():
            yield own.advance
    finally:
        _CURRENT.reset(before)


def announced(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that may take long, with a bar that says ``what`` it does."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with bar(what):
                return function(*args, **kwargs)

        return run

    return decorate


def _nothing(by: float = 1.0, now: str = "") -> None:
    """Nobody looks."""


class Display(Protocol):
    """Where a bar is shown."""

    def draw(self, what: str, done: float, total: float | None, seconds: float) -> None: ...

    def close(self) -> None: ...


class _Bar:
    """The bar of the outermost work, drawn by a thread of its own, so that work that says nothing is seen to go on."""

    def __init__(self, what: str, total: float | None, display: Callable[[], Display]) -> None:
        self.what, self.total, self.done, self.now = what, total, 0.0, ""
        self.part: tuple[float, float | None] = 0.0, None
        self._display, self._over, self._began = display, threading.Event(), time.monotonic()

    def advance(self, by: float = 1.0, now: str = "") -> None:
        self.done += by
        self.now = now or self.now

    @property
    def shown(self) -> tuple[float, float | None]:
        """How much is done of how much: of the whole, or of the part that is being done where the whole has no end."""
        return (self.done, self.total) if self.total is not None else self.part

    @contextmanager
    def inside(self, what: str, total: float | None) -> Iterator[Advance]:
        """The text of work that is part of this."""
        before, part, done = self.now, self.part, 0.0
        self.now, self.part = what, (0.0, total)

        def advance(by: float = 1.0, now: str = "") -> None:
            nonlocal done
            done += by
            self.now, self.part = f"{what} {done:.0f} of {total:.0f}" if total else what, (done, total)

        try:
            yield advance
        finally:
            self.now, self.part = before, part

    @contextmanager
    def running(self) -> Iterator[None]:
        drawing = threading.Thread(target=self._draw, daemon=True, name="pathsim-progress")
        drawing.start()
        try:
            yield
        finally:
            self._over.set()
            drawing.join()

    def _draw(self) -> None:
        if self._over.wait(FIRST_S):
            return
        with suppress(Exception):  # a bar that cannot be drawn is no reason to fail
            display = self._display()
            try:
                while True:
                    text = f"{self.what}: {self.now}" if self.now else self.what
                    display.draw(text, *self.shown, time.monotonic() - self._began)
                    if self._over.wait(_EVERY_S):
                        break
            finally:
                display.close()


def _display() -> Callable[[], Display] | None:
    """What makes the display, where somebody looks."""
    if _SILENT.get() or os.environ.get("PATHSIM_PROGRESS") == "0" or _works_for_another():
        return None
    own = _SHOWN_BY.get()
    if own is not None:
        return own
    if "IPython" in sys.modules and hasattr(sys.modules["IPython"].get_ipython(), "kernel"):
        return _Notebook
    return _Terminal if sys.stderr is not None and sys.stderr.isatty() else None


def _works_for_another() -> bool:
    """Whether this is a process of a pool, which has no screen of its own."""
    module = sys.modules.get("multiprocessing")
    return module is not None and module.parent_process() is not None


class _Terminal:
    """A line of rich's at the bottom of the terminal, gone when the work is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn()
        self.rich = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
        self.task = self.rich.add_task("", total=None)
        self.rich.start()

    def draw(self, what: str, done: float, total: float | None, seconds: float) -> None:
        self.rich.update(self.task, description=what[:70], completed=done, total=total)

    def close(self) -> None:
        self.rich.stop()


class _Notebook:
    """An element of HTML under the cell, gone when the work is done."""

    def __init__(self) -> None:
        from html import escape

        from IPython.display import HTML, display

        self.html, self.escape = HTML, escape
        self.handle: Any = display(HTML(""), display_id=True)

    def draw(self, what: str, done: float, total: float | None, seconds: float) -> None:
        span = "" if total is None else f' value="{done:g}" max="{total:g}"'
        self.handle.update(self.html(f"{self.escape(what)} <progress{span}></progress> {seconds:.0f} s"))

    def close(self) -> None:
        self.handle.update(self.html(""))
