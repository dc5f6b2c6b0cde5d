"""Arguments of public functions, checked and converted by their type hints, in this one place.

Whole and real numbers of Python, NumPy, ``fractions`` and ``decimal`` become ``int`` and ``float``; lists of names may
be of any kind but a text, which would be read letter by letter; generators become tuples. What is none of what the hint
says is refused in one line. Hints of other kinds (a class is asked ``isinstance``) are not looked into.

numpy is imported where a number is looked at: processes that read model files do without.
"""

from __future__ import annotations

import builtins
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache, wraps
from pathlib import Path
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from .errors import InputError, brief

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Taker = Callable[[Any, str], Any]

LEAST: Mapping[str, int] = {"seed": 0, "workers": 1, "mice": 1, "most": 1, "columns": 1}
"""The least that whole numbers of these names may be; others at least 0."""
MOST = 2**63 - 1
_LISTS = (Sequence, Iterable, Collection, list, tuple)


class _OtherKindError(Exception):
    """An argument is not of the kind that a hint says."""


def checked(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """``function`` with arguments checked. Raises :class:`InputError` for the first that is not what it should be."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        takers = _takers_of(function)
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in takers and value is not signature.parameters[name].default:
                bound.arguments[name] = takers[name](value, name)
        return function(*bound.args, **bound.kwargs)

    return call


def check_fields(record: Any) -> None:
    """Check and convert the fields of a frozen dataclass, in its ``__post_init__``."""
    kind: Any = type(record)
    takers = _takers_of(kind)
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in takers and value is not field.default:
            object.__setattr__(record, field.name, takers[field.name](value, field.name))


@cache
def _takers_of(owner: Any) -> dict[str, Taker]:
    """For each argument of a function, or field of a class, what checks it."""
    names: dict[str, Any] = {**vars(sys.modules[owner.__module__])}
    hints = {name: hint for name, hint in owner.__annotations__.items() if name != "return"}
    if "pd" not in names and "pd." in str(hints):
        import pandas as pd

        names["pd"] = pd
    found = {}
    for name, hint in hints.items():
        meant = eval(hint, names, _Elsewhere(names)) if isinstance(hint, str) else hint
        taker = _taker(meant)
        if taker is not None:
            found[name] = _said(taker, _words(meant))
    return found


class _Elsewhere(dict[str, Any]):
    """Stands for names that a module imports for type checkers only: classes that are known by their name."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)  # where they are found next
        return type(name, (_Named,), {})


class _Named:
    """A class that is not imported where a hint names it."""


def _said(taker: Taker, wanted: str) -> Taker:
    def take(value: Any, name: str) -> Any:
        try:
            return taker(value, name)
        except _OtherKindError:
            raise InputError(f"{name} is {_shown(value)}; give {wanted}") from None

    return take


def _shown(value: object) -> str:
    """A value as a message repeats it."""
    if isinstance(value, str | bytes | int | float | complex) or value is None:
        try:
            return brief(repr(value))
        except ValueError:  # whole numbers of thousands of digits
            return "a number too large to write"
    return f"{brief(repr(value), 40)} ({type(value).__name__})"


def _taker(hint: Any) -> Taker | None:
    """What checks an argument with this hint; None for hints that are not looked into."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        takers = [_taker(one) for one in inner if not (one is str and Path in inner)]
        return None if None in takers else _any_of([taker for taker in takers if taker is not None])
    if origin is Literal:
        return _one_of(inner)
    if origin is Iterator:
        return _instance(Iterator)  # what it gives is looked at when it comes
    if origin in _LISTS:
        return _list_of(inner[0])
    if origin is Mapping or origin is dict:
        return _mapping_of(inner[1])
    if hint is Callable or origin is Callable:
        return _callable
    if hint is Any or not isinstance(hint, type):
        return None
    return _alike(hint) if getattr(hint, "_is_protocol", False) else _instance(hint)


def _any_of(takers: Sequence[Taker]) -> Taker:
    def take(value: Any, name: str) -> Any:
        problem: InputError | None = None
        for taker in takers:
            try:
                return taker(value, name)
            except _OtherKindError:
                continue
            except InputError as error:
                problem = problem or error
        if problem is not None:
            raise problem
        raise _OtherKindError

    return take


def _one_of(values: Sequence[Any]) -> Taker:
    def take(value: Any, name: str) -> Any:
        for one in values:
            if type(one) is type(value) and one == value:
                return one
        raise _OtherKindError

    return take


def _list_of(hint: Any) -> Taker | None:
    """Lists of numbers and of names are converted; of others only what is no list is refused."""
    if hint is float:
        return lambda value, name: _numbers(value, name)
    taker = _taker(hint)

    def take(value: Any, name: str) -> Any:
        if (
            isinstance(value, str | bytes | Mapping)
            or not isinstance(value, Iterable)
            or getattr(value, "ndim", 1) != 1
        ):
            raise _OtherKindError
        items = value if isinstance(value, list | tuple) else tuple(value)
        if taker is None:
            return items
        found = []
        for i, item in enumerate(items, start=1):
            try:
                found.append(taker(item, name))
            except _OtherKindError:
                raise InputError(f"{name}: entry {i} is {_shown(item)}; give {_words(hint)}") from None
        return items if all(a is b for a, b in zip(items, found, strict=True)) else tuple(found)

    return take


def _numbers(value: Any, name: str) -> Any:
    from . import arguments

    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise _OtherKindError
    return arguments.column(value if hasattr(value, "__len__") else list(value), name)


def _mapping_of(hint: Any) -> Taker:
    taker = _taker(hint)

    def take(value: Any, name: str) -> Any:
        if type(value).__name__ == "Series":
            value = value.to_dict()
        if not isinstance(value, Mapping):
            raise _OtherKindError
        found = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"{name}: the name {_shown(key)} is no text")
            try:
                found[key] = item if taker is None else taker(item, f"{name} {key}")
            except _OtherKindError:
                raise InputError(f"{name}: '{key}' is {_shown(item)}; give {_words(hint)}") from None
        return value if all(found[key] is value[key] for key in found) else found

    return take


def _instance(kind: type) -> Taker:
    by_name = issubclass(kind, _Named)

    def take(value: Any, name: str) -> Any:
        if isinstance(value, kind) or (by_name and any(one.__name__ == kind.__name__ for one in type(value).__mro__)):
            return value
        raise _OtherKindError

    return take


def _alike(protocol: type) -> Taker:
    """What has the methods and attributes of a protocol."""
    kinds = [kind for kind in protocol.__mro__ if getattr(kind, "_is_protocol", False)]
    names = {name for kind in kinds for name in (*vars(kind), *vars(kind).get("__annotations__", ()))}
    wanted = {name for name in names if not name.startswith("_")}

    def take(value: Any, name: str) -> Any:
        if isinstance(value, type) or not wanted <= {*dir(value)}:
            raise _OtherKindError
        return value

    return take


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) or value is None or isinstance(value, Iterable):
        raise _OtherKindError
    import numpy as np

    from . import arguments

    least = LEAST.get(name, 0)
    if isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64) and least <= value <= MOST:
        return int(value)  # not by way of a float, which holds 53 bits
    return arguments.count(value, name, MOST, least)


def _real(value: Any, name: str) -> float:
    if type(value) is float:  # which of these make sense, the function knows
        return value
    import numpy as np

    from . import arguments

    if isinstance(value, str) or value is None or (isinstance(value, Iterable) and not isinstance(value, np.ndarray)):
        raise _OtherKindError
    return arguments.number(value, name)


def _truth(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    import numpy as np

    if isinstance(value, np.bool_):
        return bool(value)
    raise _OtherKindError


def _path(value: Any, name: str) -> Any:
    if isinstance(value, str | os.PathLike):
        if "\0" in os.fspath(value):
            raise InputError(f"{name} is {_shown(value)}: a path holds no null character")
        return value
    raise _OtherKindError


def _callable(value: Any, name: str) -> Any:
    if callable(value):
        return value
    raise _OtherKindError


def _nothing(value: Any, name: str) -> None:
    if value is not None:
        raise _OtherKindError


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise _OtherKindError


def _words(hint: Any, several: bool = False) -> str:
    """A hint in plain English: ``a list of texts or a text``."""
    for kind, one in ((bool, "True or False"), (int, "whole number"), (float, "number"), (str, "text"), (Path, "path")):
        if hint is kind:
            return one if kind is bool else f"{one}s" if several else f"a {one}"
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_words(one, several) for one in inner if one is not type(None))
    if origin in _LISTS:
        return f"a list of {_words(inner[0], True)}"
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin in (Mapping, dict):
        return f"a table of {_words(inner[1], True)} by name"
    if origin is Callable:
        return "a function"
    name = getattr(hint, "__name__", str(hint))
    return name if not several else f"{name} each"


_PLAIN: Mapping[Any, Taker] = {
    int: _whole,
    float: _real,
    bool: _truth,
    str: _text,
    Path: _path,
    type(None): _nothing,
    Iterator: lambda value, name: value,
}
