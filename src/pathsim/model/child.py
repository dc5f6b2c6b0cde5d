"""The process in which model files are read, because the libraries that read them may end it or never finish.

It says ``ready`` in a line, then answers one request per line of its input, ``{"what", "path", "folder", "seconds"}``,
with a line ``{"error", "length"}`` and as many bytes: the stored model, SBML or Antimony, or the words of the error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from .. import errors
from ..garbage import none_looked_for
from .reading import read_antimony, read_level3, read_model, read_sbml_text
from .stored import to_json

MOST_MEMORY = 4 << 30
"""Bytes; a file that needs more is malformed (the largest published models need a tenth)."""


def main() -> None:
    """Serve requests until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the libraries print is no answer
    _limit_memory()
    answers.write(b"ready\n")
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        with contextlib.suppress(OSError):
            os.chdir(request["folder"])
        _limit_time(request["seconds"])
        _answer(answers, request["what"], Path(request["path"]))


@none_looked_for()
def _answer(answers: BinaryIO, what: str, path: Path) -> None:
    error = ""
    try:
        content = _READERS[what](path)
    except errors.PathsimError as raised:
        error, content = type(raised).__name__, str(raised).encode("utf-8", errors="replace")
    except (MemoryError, RecursionError):
        error, content = errors.InputError.__name__, f"{path}: too large or too deeply nested to be read".encode()
    answers.write(json.dumps({"error": error, "length": len(content)}).encode() + b"\n" + content)
    answers.flush()


_READERS: dict[str, Callable[[Path], bytes]] = {
    "model": lambda path: to_json(read_model(path)),
    "sbml": read_sbml_text,
    "level 3": read_level3,
    "antimony": read_antimony,
}


def _limit_time(seconds: float) -> None:
    """End this process when the next request takes more than ``seconds`` of processor time (not on Windows)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, resource.RLIM_INFINITY))


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
