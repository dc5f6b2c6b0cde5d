"""Calling machine code by address: through ctypes here, directly once compiled (:mod:`pathsim.solve.llvm.translate`).

All arguments are integers (addresses and sizes), except the tolerances of a step.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

_INTEGER, _DOUBLE = ctypes.c_int64, ctypes.c_double


@cache
def _function(address: int, arguments: int) -> Any:
    return ctypes.CFUNCTYPE(None, *[_INTEGER] * arguments)(address)


@cache
def _step(address: int) -> Any:
    return ctypes.CFUNCTYPE(None, _INTEGER, _INTEGER, _INTEGER, _DOUBLE, _DOUBLE)(address)


@cache
def _record(address: int) -> Any:
    return ctypes.CFUNCTYPE(None, *[_INTEGER] * 3, *[_DOUBLE] * 2, *[_INTEGER] * 5)(address)


def call2(address: int, a: int, b: int) -> None:
    """``f(a, b)``."""
    _function(address, 2)(a, b)


def call3(address: int, a: int, b: int, c: int) -> None:
    """``f(a, b, c)``."""
    _function(address, 3)(a, b, c)


def call4(address: int, a: int, b: int, c: int, d: int) -> None:
    """``f(a, b, c, d)``."""
    _function(address, 4)(a, b, c, d)


def call5(address: int, a: int, b: int, c: int, d: int, e: int) -> None:
    """``f(a, b, c, d, e)``."""
    _function(address, 5)(a, b, c, d, e)


def call6(address: int, a: int, b: int, c: int, d: int, e: int, f: int) -> None:
    """``f(a, b, c, d, e, f)``."""
    _function(address, 6)(a, b, c, d, e, f)


def call7(address: int, a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> None:
    """``f(a, b, c, d, e, f, g)``."""
    _function(address, 7)(a, b, c, d, e, f, g)


def call8(address: int, a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int) -> None:
    """``f(a, b, c, d, e, f, g, h)``."""
    _function(address, 8)(a, b, c, d, e, f, g, h)


def call_step(address: int, table: int, n8: int, most: int, rtol: float, share: float) -> None:
    """``step(table, n8, most, rtol, share)``."""
    _step(address)(table, n8, most, rtol, share)


def call_record(
    address: int,
    table: int,
    n8: int,
    most: int,
    rtol: float,
    share: float,
    block: int,
    width: int,
    advance: int,
    stages: int,
    attempts: int,
) -> None:
    """``record(table, n8, most, rtol, share, block, width, advance, stages, attempts)``."""
    _record(address)(table, n8, most, rtol, share, block, width, advance, stages, attempts)


BY_ADDRESS = (call2, call3, call4, call5, call6, call7, call8, call_step, call_record)
"""The functions above; a compiled loop jumps to the address itself."""
