"""A design as JSON text and back, to travel to other machines: plain data, every piece of it checked on arrival.

A record is ``[its class, its fields]``, a tuple ``["tuple", its items]``, a decimal ``["Decimal", its text]`` and the
model ``["Model", its stored form]``; numbers and texts stand for themselves.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from decimal import Decimal, DecimalException
from enum import Enum
from typing import Any

from ..errors import InputError, PathsimError
from ..model import Model
from ..model.stored import from_json, to_json
from ..solve import BDF, LSODA, Rosenbrock
from ..solve.rosenbrock.tableau import Tableau
from .axes import Axis, Kind, Listed, Range
from .design import Design
from .protocol import Medium, Protocol, Substance
from .sampling import Method, Sample

_RECORDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Design, Axis, Kind, Listed, Range, Medium, Protocol, Substance, Method, Sample, Rosenbrock, LSODA, BDF, Tableau,
    )
}  # fmt: skip
_PLAIN = (type(None), bool, int, float, str)


def pack(design: Design) -> str:
    """``design`` as text."""
    return json.dumps(_packed(design))


def unpack(text: str) -> Design:
    """The design that :func:`pack` wrote. Raises :class:`InputError` for anything else."""
    try:
        found = _unpacked(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, DecimalException, PathsimError) as error:
        raise InputError(f"not the design of a sweep: {error}") from None
    if not isinstance(found, Design):
        raise InputError("not the design of a sweep")
    return found


def _packed(value: Any) -> Any:
    name = type(value).__name__
    if isinstance(value, Model):
        return ["Model", to_json(value).decode()]
    if isinstance(value, Enum):
        return [name, [value.value]]
    if is_dataclass(value):
        return [name, [_packed(getattr(value, field.name)) for field in fields(value)]]
    if isinstance(value, tuple):
        return ["tuple" if name == "tuple" else name, [_packed(item) for item in value]]
    if isinstance(value, Decimal):
        return ["Decimal", str(value)]
    if type(value) in _PLAIN:
        return value
    raise TypeError(f"a design holds no {name}")


def _unpacked(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    name, content = value
    if name == "Model":
        return from_json(content.encode())
    if name == "Decimal":
        return Decimal(content)
    items = [_unpacked(item) for item in content]
    return tuple(items) if name == "tuple" else _RECORDS[name](*items)
