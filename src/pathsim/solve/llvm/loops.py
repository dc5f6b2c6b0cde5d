"""Integration loops as machine code: compiled from their Python by numba, called without the interpreter.

A compiled loop takes the same arguments as the function it was made from and gives the same bits. Calls release the
interpreter lock, so threads run side by side. Its IR is part of the package (:mod:`pathsim.solve.llvm.shipped`); what
is made of it on this machine is kept in the cache. Numba is needed, and waited for, only after a change of a loop.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ...threads import once
from . import jit, shipped
from .layout import DIMENSIONS

_log = logging.getLogger(__name__)


class CompiledLoop:
    """A compiled loop: call it as the Python function it was made from, or :meth:`run` with packed arguments."""

    def __init__(self, entry: Callable[..., int | None]) -> None:
        self._code = jit.compile_lazily(f"loop {shipped.sources_of(entry)}", lambda: ir_of(entry), effort=2)
        arguments = entry.__code__.co_argcount
        self.run = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)(self._code.addresses["entry"])
        """``run(*addresses)`` of packed arguments."""

    def __call__(self, *arguments: Any) -> int:
        return self.prepared(*arguments)()

    def prepared(self, *arguments: Any) -> Callable[[], int]:
        """A call with these arguments, for what is called several times; keep the arguments alive."""
        words: list[int] = []
        places: list[int] = []
        addresses = [0] * len(arguments)
        for i, argument in enumerate(arguments):
            if isinstance(argument, Words):
                addresses[i] = argument.address
            else:
                places.append(i)
                addresses[i] = 8 * len(words)
                words += words_of(argument)
        packed = np.array(words, dtype=np.int64)
        base = address_of(packed)
        for i in places:
            addresses[i] += base

        def call() -> int:
            assert packed is not None  # kept alive
            return self.run(*addresses)  # type: ignore[no-any-return]

        return call


def ir_of(entry: Callable[..., int | None]) -> str:
    """IR of a loop: as shipped, or made now by numba when the loop has changed since."""
    found = shipped.read(entry)
    if found is not None and jit.understands(found):
        return found
    _log.warning("compiling %s with numba, once on this machine: this can take half a minute", entry.__name__)
    from .translate import module_of

    return module_of(entry)


@once
def compiled(entry: Callable[..., int | None]) -> CompiledLoop:
    """``entry`` and all it calls as machine code, see :mod:`pathsim.solve.llvm.translate`."""
    return CompiledLoop(entry)


class Words:
    """An argument packed already, for calls that pass it again and again; ``argument`` keeps its arrays alive.

    Args:
        argument: what :func:`words_of` takes.
    """

    __slots__ = ("address", "argument", "memory")

    def __init__(self, argument: Any) -> None:
        self.argument, self.memory = argument, np.array(words_of(argument), dtype=np.int64)
        self.address = address_of(self.memory)


def address_of(array: npt.NDArray[Any]) -> int:
    """Where the first element of a contiguous array is."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # arrays are buffers
    except (TypeError, ValueError):  # read-only, or without elements; three times as slow
        return int(array.__array_interface__["data"][0])


def words_of(argument: Any) -> Sequence[int]:
    """An array, or a named tuple of integers and arrays, as the words compiled code reads; keep the arrays alive."""
    if isinstance(argument, np.ndarray):
        return _words(argument)
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


_MISSING = tuple((0,) * (DIMENSIONS - dimensions) for dimensions in range(DIMENSIONS + 1))


def _words(array: npt.NDArray[Any]) -> list[int]:
    if array.dtype.char not in "dlq" or array.itemsize != 8 or not array.flags.c_contiguous:
        raise ValueError(f"compiled code takes contiguous arrays of 64-bit numbers, not of {array.dtype}")
    return [address_of(array), *array.shape, *_MISSING[array.ndim]]
