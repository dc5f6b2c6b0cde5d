"""Constants of one's own in place of the model's: which number wins in a cell line, and the files that hold them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..arguments import shortened
from ..errors import InputError, brief, raise_together, repeated
from ..table import numeric_cells, read_csv
from .cell_line import CellLine

Constants = Mapping[str, float]
"""Constants that replace the model's own; ``name@line`` is the value for one cell line."""

BEST_FILE = "best.csv"
"""The best parameters in the folder of a fit."""


def with_free(line: CellLine, free: Iterable[str]) -> tuple[CellLine, dict[str, str]]:
    """The line without the numbers that free parameters replace, and which one stands for each parameter."""
    applying: dict[str, str] = {}
    exact: set[str] = set()
    for whose in dict.fromkeys(("", line.name.split("+")[0], line.name)):
        found = {name.partition("@")[0].strip(): name for name in free if name.partition("@")[2].strip() == whose}
        applying |= found
        if whose:
            line = replace(line, set=_without(line.set, found))
        if whose == line.name:
            exact |= found.keys()
    return replace(line, scale=_without(line.scale, exact)), applying


def with_constants(line: CellLine, constants: Constants, source: str = "") -> CellLine:
    """``line`` in a model with other ``constants``.

    A number of the line's own wins over one for all lines, and loses to ``name@line``.
    """
    if not constants:
        return line
    bare, applying = with_free(line, constants)
    general = {name: value for name, value in constants.items() if "@" not in name}
    own = {parameter: constants[name] for parameter, name in applying.items() if parameter not in bare.set}
    sources = dict.fromkeys((name for name in {**general, **own} if name not in bare.set), source) if source else {}
    return replace(
        bare,
        set=MappingProxyType({**general, **bare.set, **own}),
        sources=MappingProxyType({**bare.sources, **sources}),
    )


def with_settings(line: CellLine, settings: Constants, source: str = "") -> CellLine:
    """``line`` with numbers set in it: they win over the line's own, whose factors still act on them.

    ``name@line`` is for one line, and leaves its factor aside.
    """
    if not settings:
        return line
    general = {name: value for name, value in settings.items() if "@" not in name}
    line = replace(
        line,
        set=MappingProxyType({**line.set, **general}),
        sources=MappingProxyType({**line.sources, **dict.fromkeys(general, source or "set by hand")}),
    )
    return with_constants(line, {name: value for name, value in settings.items() if "@" in name}, source)


def without_names(constants: Constants, names: Collection[str]) -> dict[str, float]:
    """``constants`` without those of some ``names``, where ``name`` covers every ``name@line``."""
    return {name: value for name, value in constants.items() if not {name, name.partition("@")[0]} & set(names)}


def read_constants(path: str | Path) -> dict[str, float]:
    """The best constants of a fit, from its folder or its ``best.csv``; backgrounds of antibodies are left out.

    Any table with columns ``parameter`` and ``value`` will do. Raises :class:`InputError` listing every bad row.
    """
    where = Path(path)
    if os.path.isdir(where):
        where = where / BEST_FILE
        if not os.path.exists(where):
            raise InputError(f"{path}: holds no fit ({BEST_FILE} is missing; 'pathsim fit ... -o {path}' writes it)")
    frame = read_csv(where, comment="#")
    missing = [name for name in ("parameter", "value") if name not in frame]
    raise_together([f"column '{name}' is missing" for name in missing], str(where))
    names, values = [str(name).strip() for name in frame["parameter"]], numeric_cells(frame["value"])
    problems = [
        f"row {row + 2}, {names[row]}: '{brief(str(frame['value'].iloc[row]))}' is not a number"
        for row in np.flatnonzero(~np.isfinite(values))
    ]
    problems += [f"{name} is given twice" for name in repeated(names)]
    raise_together(shortened(problems), str(where))
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if ":" not in name}


def _without(numbers: Mapping[str, float], names: Collection[str]) -> Mapping[str, float]:
    return MappingProxyType({name: value for name, value in numbers.items() if name not in names})
