"""Drivers as machine code: translated from their Python, compiled once per machine, called without the interpreter.

A compiled driver takes the same arguments as the function it was made from and gives the same bits. Calls release
the interpreter lock, so threads run side by side.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...arrays import IntArray
from ...cache import source_of
from . import jit
from .layout import DIMENSIONS


class Driver:
    """A compiled driver: call it as the Python function it was made from, or :meth:`run` with packed arguments."""

    def __init__(self, entry: Callable[..., int | None]) -> None:
        def write() -> str:
            from .python_ir import module_of

            return module_of(entry)

        folders = (Path(__file__).parent, Path(entry.__code__.co_filename).parent)
        identity = b"".join(map(source_of, folders)) + f"{entry.__module__} {entry.__qualname__}".encode()
        self._code = jit.compile_lazily(identity, write, optimise=True)
        arguments = entry.__code__.co_argcount
        self.run = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)(self._code.addresses["entry"])
        """``run(*addresses)`` of packed arguments."""

    def __call__(self, *arguments: Any) -> int:
        words: list[int] = []
        first = []
        for argument in arguments:
            first.append(len(words))
            words += words_of(argument)
        packed = np.array(words, dtype=np.int64)
        base = packed.ctypes.data
        return int(self.run(*[base + 8 * word for word in first]))


@cache
def compiled(entry: Callable[..., int | None]) -> Driver:
    """``entry`` and all it calls as machine code, see :mod:`pathsim.solve.llvm.python_ir`."""
    return Driver(entry)


class Words(NamedTuple):
    """An argument as words already, for calls that pass it again and again; ``argument`` keeps its arrays alive."""

    words: tuple[int, ...]
    argument: Any

    @classmethod
    def of(cls, argument: Any) -> Words:
        """The words of an argument."""
        return cls(tuple(words_of(argument)), argument)


def pack(argument: Any) -> IntArray:
    """The words of an argument in memory."""
    return np.array(words_of(argument), dtype=np.int64)


def words_of(argument: Any) -> Sequence[int]:
    """An array, or a named tuple of integers and arrays, as the words compiled code reads; keep the arrays alive."""
    if isinstance(argument, np.ndarray):
        return _words(argument)
    if isinstance(argument, Words):
        return argument.words
    if _only_integers(type(argument)):  # type: ignore[arg-type]  # types are hashable
        return argument  # type: ignore[no-any-return]
    words: list[int] = []
    for item in argument:
        if isinstance(item, np.ndarray):
            words += _words(item)
        else:
            words.append(item)
    return words


@cache
def _only_integers(kind: type) -> bool:
    return all(hint in ("int", int) for hint in kind.__annotations__.values())


def _words(array: npt.NDArray[Any]) -> list[int]:
    if not array.flags.c_contiguous or array.itemsize != 8:
        raise ValueError("compiled code takes contiguous arrays of 64-bit numbers")
    return [array.__array_interface__["data"][0], *array.shape, *[0] * (DIMENSIONS - array.ndim)]
