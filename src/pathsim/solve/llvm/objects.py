"""Object code that is part of the package, so that the first call on a machine does not wait for LLVM.

Loops, steps and vector functions depend on no model. For Linux on x86-64 they are shipped compiled for the two levels
of processors that have their lanes, as files whose names are hashes of all they follow from: IR, level and effort.
Where there is none (another system, IR that has changed since) the code is compiled here. Code for a level and code for
one processor of it give the same bits: LLVM neither fuses nor reorders arithmetic that the IR does not say it may.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

import llvmlite.binding as llvm

from ... import cache
from .machine import machine

FOLDER = Path(__file__).parent / "objects"

TUNING = {"x86-64-v3": "", "x86-64-v4": "-prefer-256-bit"}
"""Levels of processors, and features beside theirs: registers of eight numbers are used whole."""


def place_of(text: str, optimise: bool, effort: int, level: str) -> Path:
    """Where object code for a level stands, if it is shipped."""
    return FOLDER / f"{cache.key_of('object', text, level, TUNING[level], f'{optimise} {effort}')[:24]}.o.gz"


def find(text: str, optimise: bool, effort: int) -> bytes | None:
    """Shipped object code that runs on this machine, as :mod:`.jit` keeps it."""
    level = _level()
    if level is None:
        return None
    try:
        return gzip.decompress(place_of(text, optimise, effort, level).read_bytes())
    except OSError:
        return None


def write(text: str, optimise: bool, effort: int, level: str, content: bytes) -> None:
    """Ship object code."""
    FOLDER.mkdir(exist_ok=True)
    place_of(text, optimise, effort, level).write_bytes(gzip.compress(content, mtime=0))


@functools.cache
def _level() -> str | None:
    """The level of this processor, on systems whose object files these are."""
    triple = llvm.get_default_triple()
    level = machine().level
    return level if level in TUNING and triple.startswith("x86_64") and "linux" in triple else None
