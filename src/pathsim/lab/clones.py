"""How resistance arises: alterations with their frequency before drug and the rate at which they arise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import raise_together, unknown
from ..files import read_toml, toml_key, toml_text
from ..model import models_folder
from ..units import number_text
from .cell_line import CellLine
from .entry import Entry
from .library import Library, default_library


@dataclass(frozen=True, slots=True)
class Clone:
    """``rate`` per division where the change is ``genetic``, else per day under drug; ``fading`` per day without."""

    alteration: str
    genetic: bool
    frequency: float
    rate: float
    fading: float = 0.0
    source: str = ""


@cache
def default_clones(version: str = "") -> tuple[Clone, ...]:
    """The bundled ``models/clones.toml``, by default of the current version."""
    return read_clones(models_folder(version) / "clones.toml", default_library(version))


def read_clones(path: str | Path, library: Library) -> tuple[Clone, ...]:
    """Read a clone file. Raises :class:`InputError` listing everything that makes no sense."""
    problems: list[str] = []
    whole = Entry("", read_toml(path), problems)
    found = [_clone(name, entry, library, problems) for name, entry in whole.table("clone").content.items()]
    if not found:
        problems.append("no [clone.<alteration>] is given")
    raise_together(problems, str(path))
    return tuple(found)


def _clone(name: str, content: Any, library: Library, problems: list[str]) -> Clone:
    entry = Entry(f"[clone.{name}]", content, problems)
    if name not in library.alterations:
        problems.append(f"{entry.where}: {unknown('alteration', name, library.alterations)}")
    kind = entry.text("kind")
    if kind not in ("genetic", "adaptive"):
        problems.append(f"{entry.where}: kind is '{kind}'; write genetic or adaptive")
    numbers: dict[str, float] = {"fading": 0.0}
    sources = []
    for key in ("frequency", "rate", "fading"):
        if key not in entry.content and key == "fading":
            continue
        found = entry.sourced_number(key, "{ value = ..., unit = ..., source = ... }")
        if found is None:
            continue
        numbers[key], item = found
        sources.append(f"{key} {numbers[key]:g} {item.text('unit')}: {item.text('source')}")
        if not 0 <= numbers[key] < (1 if key == "frequency" else math.inf):
            problems.append(
                f"{entry.where}.{key} is {numbers[key]}; it cannot be negative" + (" or 1" * (key == "frequency"))
            )
    return Clone(
        name,
        kind == "genetic",
        numbers.get("frequency", 0.0),
        numbers.get("rate", 0.0),
        numbers["fading"],
        "; ".join(sources),
    )


def cell_line_toml(line: CellLine) -> str:
    """A cell line as a file that :meth:`Library.with_cell_lines` reads back."""
    out = [f"[line.{toml_key(line.name)}]", f"description = {_text(line.description)}"]
    if line.genotype:
        pairs = ", ".join(f"{toml_key(gene)} = {_text(state)}" for gene, state in line.genotype.items())
        out.append(f"genotype = {{ {pairs} }}")
    out += [f"{key} = {_text(text)}" for key, text in (("medium", line.medium), ("site", line.site)) if text]
    for table, values in (("set", line.set), ("scale", line.scale)):
        if values:
            out.append(f"\n[line.{toml_key(line.name)}.{table}]")
        for name, value in values.items():
            source = _text(line.sources.get(name, "definition"))
            out.append(f"{name} = {{ value = {number_text(value)}, source = {source} }}")
    return "\n".join(out) + "\n"


def _text(value: str) -> str:
    return toml_text("".join(c if c >= " " else " " for c in value))
