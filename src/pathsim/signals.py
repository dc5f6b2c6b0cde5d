"""Ctrl-C and SIGTERM end a command within a second, whatever it is doing.

Both become exceptions, so that what is under way ends in order. Where Python cannot raise them in time, because a
library computes, the process ends by itself: files are whole at every moment.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

SECONDS = 0.8
"""How long an orderly end may take."""


WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class TerminatedError(BaseException):
    """SIGTERM has come; like Ctrl-C it is no error to be handled on the way."""


@contextmanager
def ending_soon() -> Iterator[None]:
    """While the block runs, signals end it soon; outside the main thread, which gets no signals, nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    other = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _terminate)
    done = threading.Event()
    threading.Thread(target=_end_late, args=(heard, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        signal.set_wakeup_fd(other)
        signal.signal(signal.SIGTERM, before)
        os.close(told)


def _terminate(number: int, frame: Any) -> NoReturn:
    raise TerminatedError


def _end_late(heard: int, done: threading.Event) -> None:
    """Wait for a signal that ends, then for the end, and end the process when that does not come."""
    while content := os.read(heard, 1):
        if content[0] in WORDS:
            started = time.monotonic()
            done.wait(SECONDS)
            if not done.is_set() and time.monotonic() - started >= SECONDS:
                with suppress(OSError):
                    os.write(2, f"pathsim: {WORDS[content[0]]}\n".encode())
                os._exit(128 + content[0])
    os.close(heard)
