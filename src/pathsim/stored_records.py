"""Records of plain data as JSON and back: every field is checked when it is read, and nothing else comes of a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .errors import InputError, brief
from .files import read_text

Record = TypeVar("Record")
Readers = Mapping[Any, Callable[[Any], Any]]
"""Types that are stored in a way of their own, and what reads them; they raise :class:`ValueError` (``is ...``)."""
Writers = Mapping[type, Callable[[Any], Any]]
"""The same for :func:`plain`."""


def plain(value: Any, writers: Writers | None = None) -> Any:
    """A record as JSON has it, for :func:`record_of`: tables of its fields, lists for tuples, numbers and texts."""
    own = (writers or {}).get(type(value))
    if own is not None:
        return own(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name), writers) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item, writers) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item, writers) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):  # numbers of numpy among them
            return kind(value)
    if value is None:
        return None
    raise TypeError(f"{brief(repr(value))} is no plain data")


def record_of(kind: type[Record], content: Any, where: str, readers: Readers | None = None) -> Record:
    """The record of class ``kind``, a dataclass of numbers, texts, truth values, records and tuples and tables of them.

    Raises :class:`InputError` that begins with ``where`` for anything else.
    """
    if not isinstance(content, dict):
        raise InputError(f"{where}: holds no record but {brief(repr(content))}")
    hints, known = _shape(kind)  # type: ignore[arg-type]  # a class is hashable
    for name in content:
        if name not in known:
            raise InputError(f"{where}: the entry '{brief(name)}' is not known")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in content:
            try:
                values[name] = _checked(content[name], hints[name], readers or {}, f"{where}: '{name}'")
            except ValueError as error:
                raise InputError(f"{where}: '{name}' {error}") from None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}: '{name}' is missing")
    return kind(**values)


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line of a file as ``(where it is, the table in it)``; lines torn by a kill are left out.

    Raises :class:`InputError` naming the line of what is no table.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.rstrip().endswith("}"):
            continue
        where = f"{path}, line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not valid JSON: {error}") from None
        if not isinstance(found, dict):
            raise InputError(f"{where}: holds no record but {brief(line)}")
        yield where, found


@cache
def _shape(kind: type[Any]) -> tuple[dict[str, Any], dict[str, Field[Any]]]:
    """Types and fields of a dataclass by name."""
    return get_type_hints(kind), {field.name: field for field in fields(kind)}


def _checked(value: Any, hint: Any, readers: Readers, where: str) -> Any:
    """``value`` when it is what ``hint`` says.

    Raises :class:`ValueError` saying what it is instead, :class:`InputError` for a record in it.
    """
    if hint in readers:
        return readers[hint](value)
    if hint is float and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("is a number too large to hold") from None
    if hint in (int, str, bool) and type(value) is hint:
        return value
    if hint is type(None) and value is None:
        return None
    if is_dataclass(hint):
        return record_of(hint, value, where, readers)  # type: ignore[arg-type]  # a class
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if isinstance(hint, UnionType):
        for one in get_args(hint):
            with suppress(ValueError, InputError):
                return _checked(value, one, readers, where)
    if isinstance(hint, GenericAlias):
        inner = get_args(hint)
        if hint.__origin__ is tuple and isinstance(value, list):
            kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
            if len(kinds) == len(value):
                return tuple([_checked(item, kind, readers, where) for item, kind in zip(value, kinds, strict=True)])
        if hint.__origin__ in (dict, Mapping) and isinstance(value, dict):
            key, item = inner
            return {_checked(k, key, readers, where): _checked(v, item, readers, where) for k, v in value.items()}
    name = hint.__name__ if type(hint) is type else str(hint)
    raise ValueError(f"is {brief(repr(value))}, not {name}")
