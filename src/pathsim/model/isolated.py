"""Reading model files in a child process: whatever a file does to the libraries, this process goes on.

libsbml ends the interpreter over some malformed files (submodels above all), antimony is not thread-safe and takes very
long over some short texts. So both run in one child process per process, started when a file is first read that is
not in the cache, and restarted when it has died or took too long.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

from .. import errors

SECONDS = 10.0
SECONDS_PER_BYTE = 1e-5
"""Processor time a file may take: over 100 times what the slowest of a thousand published models needs."""
_UNLIMITED = 2.0
"""So many times longer on the clock, for machines with other work to do."""


def read_isolated(what: Literal["model", "sbml", "level 3", "antimony"], path: Path) -> bytes:
    """The stored form (:mod:`~pathsim.model.stored`) of the model in ``path``, the SBML text of an ``.ant`` file or an
    archive, that of an SBML file in Level 3, or the Antimony text of an SBML file.

    Raises :class:`~pathsim.errors.InputError` with file, line and what; also where the libraries die of the file.
    """
    return _child(os.getpid()).ask(what, path)


@cache
def _child(pid: int) -> _Child:
    """The child of this process; a forked process gets its own."""
    child = _Child()
    atexit.register(child.end)
    return child


class _Child:
    """A child process that answers one request at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.parent = os.getpid()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, what: str, path: Path) -> bytes:
        """The answer to one request; an error of the child is raised here."""
        seconds = SECONDS + SECONDS_PER_BYTE * _size(path)
        request = {"what": what, "path": str(path), "folder": os.getcwd(), "seconds": seconds}
        with self.lock:
            try:
                answer = self._exchange(request, _UNLIMITED * seconds)
            except BaseException:  # an interrupted exchange leaves half an answer behind
                self.end()
                raise
            if answer is None:
                raise errors.InputError(f"{path}: {self._last_words(seconds)}")
        header, content = answer
        if header["error"]:
            kind = getattr(errors, header["error"], errors.InputError)
            raise kind(content.decode())
        return content

    def _exchange(self, request: dict[str, Any], seconds: float) -> tuple[dict[str, Any], bytes] | None:
        """Header and content of the answer; None when the child ended instead."""
        try:
            process = self._running()
        except BrokenPipeError:
            return None
        except OSError as error:
            raise errors.SimulationError(
                f"the process that reads models could not be started ({error.strerror or error})"
            ) from None
        watch = threading.Timer(seconds, process.kill)
        watch.daemon = True
        watch.start()
        try:
            to, back = _pipes(process)
            to.write(json.dumps(request).encode() + b"\n")
            to.flush()
            line = back.readline()
            if not line:
                return None
            header = json.loads(line)
            content = back.read(header["length"])
            return (header, content) if len(content) == header["length"] else None
        except BrokenPipeError:
            return None
        finally:
            watch.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            places = [str(Path(__file__).parents[2]), *sys.path]
            code = (  # quick to start: no collections of garbage while it makes what it keeps, no ``site`` (-S)
                f"import gc, sys; gc.disable(); sys.path[:] = {places!r}; "
                f"from {__package__} import child; gc.freeze(); gc.enable(); child.main()"
            )
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            )
            if _pipes(self.process)[1].readline() != b"ready\n":
                raise BrokenPipeError
        return self.process

    def _last_words(self, seconds: float) -> str:
        """Why the child ended."""
        code = self.process.wait() if self.process is not None else 0
        self.end()
        if code in _TIME_OUT:
            return (
                f"reading it was given up after {seconds:.0f} s: it is malformed, or its formulas grow without end "
                "when they are written out"
            )
        return f"it ends the library that reads it (exit code {code}), so it is malformed"

    def end(self) -> None:
        """End the child, unless it belongs to the process that this one was forked from."""
        process, self.process = self.process, None
        if process is None or os.getpid() != self.parent:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_TIME_OUT = (-9, -24)
"""SIGKILL (by the clock here, or by memory) and SIGXCPU."""


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
