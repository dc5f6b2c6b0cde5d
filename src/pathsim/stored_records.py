"""Records of plain data as JSON and back: every field is checked when it is read, and nothing else comes of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from .errors import InputError, brief
from .files import read_text

Record = TypeVar("Record")


def record_of(kind: type[Record], content: Any, where: str) -> Record:
    """The record of class ``kind``, a dataclass of numbers, texts, truth values and tuples and tables of them.

    Raises :class:`InputError` that begins with ``where`` for anything else.
    """
    if not isinstance(content, dict):
        raise InputError(f"{where}: holds no record but {brief(repr(content))}")
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    for name in content:
        if name not in known:
            raise InputError(f"{where}: the entry '{brief(name)}' is not known")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in content:
            try:
                values[name] = _checked(content[name], hints[name])
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


def _checked(value: Any, hint: Any) -> Any:
    """``value`` when it is what ``hint`` says. Raises :class:`ValueError` saying what it is instead."""
    if hint is float and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("is a number too large to hold") from None
    if hint in (int, str, bool) and type(value) is hint:
        return value
    if hint is type(None) and value is None:
        return None
    if isinstance(hint, UnionType):
        for one in get_args(hint):
            with suppress(ValueError):
                return _checked(value, one)
    if isinstance(hint, GenericAlias):
        inner = get_args(hint)
        if hint.__origin__ is tuple and isinstance(value, list):
            return tuple([_checked(item, inner[0]) for item in value])
        if hint.__origin__ is dict and isinstance(value, dict):
            return {_checked(key, inner[0]): _checked(item, inner[1]) for key, item in value.items()}
    name = hint.__name__ if type(hint) is type else str(hint)
    raise ValueError(f"is {brief(repr(value))}, not {name}")
