"""Calling machine code by address, from plain Python through ctypes and from numba (see :mod:`pathsim.solve.jitted`).

All arguments are integers (addresses and sizes), except the tolerances of a step. The functions carry no annotations,
because numba compares signatures.
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
    return ctypes.CFUNCTYPE(None, _INTEGER, _INTEGER, _INTEGER, _DOUBLE, _DOUBLE, _DOUBLE)(address)


def call2(address, a, b):  # type: ignore[no-untyped-def]
    """``f(a, b)``."""
    _function(address, 2)(a, b)


def call3(address, a, b, c):  # type: ignore[no-untyped-def]
    """``f(a, b, c)``."""
    _function(address, 3)(a, b, c)


def call4(address, a, b, c, d):  # type: ignore[no-untyped-def]
    """``f(a, b, c, d)``."""
    _function(address, 4)(a, b, c, d)


def call6(address, a, b, c, d, e, f):  # type: ignore[no-untyped-def]
    """``f(a, b, c, d, e, f)``."""
    _function(address, 6)(a, b, c, d, e, f)


def call7(address, a, b, c, d, e, f, g):  # type: ignore[no-untyped-def]
    """``f(a, b, c, d, e, f, g)``."""
    _function(address, 7)(a, b, c, d, e, f, g)


def call_step(address, table, n8, most, rtol, atol, share):  # type: ignore[no-untyped-def]
    """``step(table, n8, most, rtol, atol, share)``."""
    _step(address)(table, n8, most, rtol, atol, share)


def forget_calls() -> None:
    """Drop cached ctypes functions (addresses of freed code may be used again for other code)."""
    _function.cache_clear()
    _step.cache_clear()
