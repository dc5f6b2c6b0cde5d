"""IR of the integration loops that is part of the package, so that nobody waits for numba.

One file per loop and number of lanes in ``ir/``; its first line says what it was made with, the second which sources it
was made from, as a hash. It is used while the sources are as they were. ``python -m pathsim.solve.ship`` writes all
files anew.
"""

from __future__ import annotations

import gzip
import hashlib
import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from . import calls
from .layout import LANES

FOLDER = Path(__file__).parent / "ir"


def place_of(entry: Callable[..., int | None]) -> Path:
    """The file of a loop."""
    return FOLDER / f"{entry.__module__.rsplit('.', 1)[-1]}.{entry.__name__}.{LANES}.ll.gz"


def read(entry: Callable[..., int | None]) -> str | None:
    """The shipped IR of a loop, or None when there is none for the sources as they are."""
    try:
        text = gzip.decompress(place_of(entry).read_bytes()).decode()
    except OSError:
        return None
    return text if text.split("\n", 2)[1] == f"; {sources_of(entry)}" else None


def write(entry: Callable[..., int | None], text: str, made_with: str) -> None:
    """Ship IR of a loop."""
    FOLDER.mkdir(exist_ok=True)
    content = f"; {made_with}\n; {sources_of(entry)}\n{text}"
    place_of(entry).write_bytes(gzip.compress(content.encode(), mtime=0))


@cache
def sources_of(entry: Callable[..., int | None]) -> str:
    """A hash of all that the IR of a loop is made from: files, whatever their line ends, and constants from others."""
    digest = hashlib.sha256(f"{entry.__module__}.{entry.__qualname__}".encode())
    found = reached(entry)
    files = {Path(function.__code__.co_filename) for function in found}
    files |= {Path(sys.modules[record.__module__].__file__ or "") for record in _records(found)}
    files |= {Path(__file__).with_name(name) for name in ("calls.py", "layout.py", "translate.py")}
    for file in sorted(files, key=lambda path: path.parts[-3:]):
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    for function in found:
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            if isinstance(value, int | float):
                digest.update(f"{name}={value!r}\n".encode())
    return digest.hexdigest()


def reached(entry: Callable[..., Any]) -> list[Callable[..., Any]]:
    """``entry`` and all functions it calls, however indirectly, but for calls by address."""
    found = [entry]
    for function in found:
        for name in function.__code__.co_names:
            other = function.__globals__.get(name)
            if inspect.isfunction(other) and other not in calls.BY_ADDRESS and other not in found:
                found.append(other)
    return found


def _records(functions: list[Callable[..., Any]]) -> set[type]:
    """The named tuples that functions name as types of their arguments."""
    kinds: set[type] = set()
    for function in functions:
        for hint in function.__annotations__.values():
            kind = function.__globals__.get(str(hint))
            if kind is not None and hasattr(kind, "_fields"):
                kinds.add(kind)
    return kinds
