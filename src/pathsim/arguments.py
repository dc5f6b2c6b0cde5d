"""Numbers that callers hand over: made float64, or refused in one line that says what, where and why.

Lists, tuples, ranges, arrays and pandas columns of Python, NumPy, ``Fraction`` or ``Decimal`` numbers are numbers.
Text, dates, complex numbers and True or False are not, even where Python would convert them. Missing entries (None, NA)
become NaN, which :func:`not_finite` names by its row.
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from .arrays import FloatArray
from .errors import InputError, brief, raise_together

LARGEST = 1e100
"""Numbers beyond this are no measurement, and their squares no numbers of the machine."""

_SHOWN = 20


def column(values: object, what: str) -> FloatArray:
    """``values`` as a list of numbers (n,); NaN where one is missing. ``what`` is the noun of one of them.

    Raises :class:`InputError` for a single number, a table, and for every entry that is no number, by its row.
    """
    found = array(values, what)
    if found.ndim != 1:
        shape = "a single number" if found.ndim == 0 else f"an array of shape {found.shape}"
        raise InputError(f"{what}: {shape} is given; give one list with one number per row")
    return found


def array(values: object, what: str) -> FloatArray:
    """``values`` of any shape as numbers; NaN where one is missing.

    Raises :class:`InputError` for rows of different length and for every entry that is no number, by its place.
    """
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    problems: list[str] = []
    found = _converted(values, what, (), problems)
    raise_together(shortened(problems))
    return found


def number(value: object, what: str) -> float:
    """``value`` as one finite number. Raises :class:`InputError` when it is none."""
    try:
        found = _one(value)
    except InputError as error:
        raise InputError(f"{what} is {error}; give a number") from None
    if not math.isfinite(found):
        raise InputError(f"{what} is {brief(repr(value))}; give a finite number")
    return found


def or_nan(value: object) -> float:
    """``value`` as a number, NaN when it is none."""
    try:
        return _one(value)
    except InputError:
        return math.nan


def share(value: object, what: str, note: str = "") -> float:
    """``value`` as a number between 0 and 1, both excluded. Raises :class:`InputError` when it is none."""
    found = number(value, what)
    if not 0 < found < 1:
        raise InputError(f"{what} is {brief(repr(value))}; it must lie between 0 and 1{note}")
    return found


def count(value: object, what: str, most: int, least: int = 0) -> int:
    """``value`` as a whole number from ``least`` to ``most``. Raises :class:`InputError` when it is none."""
    found = number(value, what)
    if found != math.floor(found) or not least <= found <= most:
        span = f"from {least} to {most}" if most < 2**53 else f"of at least {least}, within 64 bits"
        raise InputError(f"{what} is {brief(repr(value))}; give a whole number {span}")
    return int(found)


def words(values: object, what: str) -> tuple[str, ...]:
    """``values`` as a tuple of texts that are not empty. Raises :class:`InputError` when they are none."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{what}: {brief(repr(values))} is no list of names; give one text each")
    found = tuple(values)
    raise_together(
        [
            f"{what}: entry {i + 1} is {brief(repr(one))}; give a text"
            for i, one in enumerate(found)
            if not isinstance(one, str) or not one.strip()
        ]
    )
    return found


def is_missing(value: object) -> bool:
    """Whether a cell is empty: None, NaN, NA, NaT or a blank text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, Decimal) and value.is_nan())


def not_finite(values: FloatArray, what: str, label: Callable[[int], str] | None = None) -> list[str]:
    """What is wrong with each entry of ``values`` (n,) that is missing, infinite or larger than :data:`LARGEST`."""
    name = label or row_label
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~(np.abs(values) <= LARGEST))
    return [
        f"{name(i)}: {what} is {values[i]:g}, not a finite number"
        if not math.isfinite(values[i])
        else f"{name(i)}: {what} is {values[i]:g}, which is beyond {LARGEST:g}"
        for i in bad.tolist()
    ]


def row_label(index: int) -> str:
    """How an entry of a list is named in messages."""
    return f"row {index + 1}"


def shortened(problems: list[str]) -> list[str]:
    """The first problems, and how many more there are."""
    rest = len(problems) - _SHOWN
    return problems if rest <= 1 else [*problems[:_SHOWN], f"and {rest} more like these"]


def _converted(values: Any, what: str, place: tuple[int, ...], problems: list[str]) -> FloatArray:
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Iterable):
        return np.asarray(_entry(values, what, place, problems))
    if isinstance(values, dict | set | frozenset):
        raise InputError(f"{what}: {brief(repr(values))} is given; give a list of numbers")
    if len(place) > 3:
        raise InputError(f"{what}: lists are nested too deeply; give a list of numbers")
    if hasattr(values, "__array__"):
        if "numpy.ma" in sys.modules and np.ma.isMaskedArray(values):  # which is slow to load
            values = np.ma.filled(values.astype(np.float64), np.nan)
        return _from_array(np.asarray(values), what, place, problems)
    parts = list(values)
    if all(type(part) in (float, int, np.float64) for part in parts):
        try:
            return np.array(parts, dtype=np.float64)
        except OverflowError:
            pass
    found = [_converted(part, what, (*place, i), problems) for i, part in enumerate(parts)]
    shapes = [part.shape for part in found]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise InputError(
                f"{what}: entry {i + 1} holds {_size(shape)}, entry 1 {_size(shapes[0])}; all must be of one length"
            )
    return np.array(found, dtype=np.float64)


def _from_array(values: Any, what: str, place: tuple[int, ...], problems: list[str]) -> FloatArray:
    if values.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            return np.asarray(values, dtype=np.float64)
    found = np.empty(values.shape)
    for index in np.ndindex(values.shape):
        found[index] = _entry(values[index], what, (*place, *index), problems)
    return found


def _entry(value: object, what: str, place: tuple[int, ...], problems: list[str]) -> float:
    try:
        return _one(value)
    except InputError as error:
        names = ("row", "column", "layer", "part", "part")
        where = ", ".join(f"{name} {i + 1}" for name, i in zip(names, place, strict=False))
        problems.append(f"{where}: {what} is {error}; give a number" if where else f"{what} is {error}; give a number")
        return math.nan


def _one(value: object) -> float:
    """One number; NaN for a missing one. Raises InputError that says what it is instead."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return math.nan
    if isinstance(value, bool | np.bool_):
        raise InputError(f"{value}, not a number")
    if isinstance(value, str):
        raise InputError(f"{brief(repr(value))}, a text")
    if isinstance(value, np.timedelta64) or not isinstance(value, numbers.Real | Decimal | np.integer | np.floating):
        raise InputError(f"{brief(repr(value))}, not a number")
    try:
        with np.errstate(over="ignore"):
            return float(value)
    except OverflowError:
        raise InputError("a number too large to hold") from None
    except ValueError:
        return math.nan  # the signalling NaN of Decimal


def _size(shape: tuple[int, ...]) -> str:
    return "one number" if not shape else f"{shape[0]}"
