"""Behaviours: what must hold in every preset that the model ships with, measured as claims are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import raise_together, unknown
from ..files import read_toml
from ..lab import Library, default_library
from ..lab.entry import Entry
from ..model import Model, load_model, models_folder
from .claims import Check, read_parts, tables_of, twice
from .measures import Measure
from .scoring import Finding, findings_of, read_all

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A statement about each of ``lines``.

    ``left_out``: presets that it cannot be asked of, and why. ``fails``: lines on which the shipped model is known not
    to hold it.
    """

    id: str
    statement: str
    basis: str
    lines: tuple[str, ...]
    left_out: Mapping[str, str]
    fails: tuple[str, ...]
    measures: tuple[Measure, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a behaviour is on one line: a finding per check, or ``reason``, why it could not be measured."""

    behaviour: Behaviour
    line: str
    findings: tuple[Finding, ...]
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether every check passes."""
        return not self.reason and all(item.passed for item in self.findings)


def read_behaviours(path: str | Path | None = None, library: Library | None = None) -> list[Behaviour]:
    """Behaviours of a TOML file, by default ``models/behaviours.toml``.

    Raises :class:`InputError` listing every one that is not well formed.
    """
    where = Path(path) if path is not None else models_folder() / "behaviours.toml"
    shelf = library or default_library()
    problems: list[str] = []
    content = read_toml(where)
    found = [_behaviour(entry, shelf, problems) for entry in tables_of(content, "behaviour", "", problems)]
    problems += twice("behaviour", [item.id for item in found])
    raise_together(problems, str(where))
    return found


_KEYS = ("id", "statement", "basis", "lines", "genotype", "left_out", "fails", "measure", "check")


def _behaviour(content: Any, library: Library, problems: list[str]) -> Behaviour:
    name = str(content.get("id", "(no id)")) if isinstance(content, dict) else "(no id)"
    where = f"behaviour {name}"
    entry = Entry(f"{where}:", content, problems)
    entry.check_keys(_KEYS)
    problems += [f"{where}: '{key}' is missing" for key in ("statement", "basis", "check") if key not in entry.content]
    excused = entry.table("left_out")
    left_out = {line: excused.text(line) for line in excused.content}
    asked = entry.texts("lines") if "lines" in entry.content else tuple(library.cell_lines)
    states = entry.table("genotype")
    wanted = {gene: states.texts(gene) for gene in states.content}
    lines = tuple(line for line in asked if line not in left_out and _has(library, line, wanted))
    fails = entry.texts("fails")
    for line in (*left_out, *(line.partition("+")[0] for line in asked)):
        if line not in library.cell_lines:
            problems.append(f"{where}: {unknown('cell line', line, library.cell_lines)}")
    problems += [f"{where}: '{line}' fails and is not asked" for line in fails if line not in lines]
    measures, checks = read_parts(entry, where, problems)
    return Behaviour(name, entry.text("statement"), entry.text("basis"), lines, left_out, fails, measures, checks)


def _has(library: Library, line: str, wanted: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the genotype of a line begins with one of the states named for each gene; without one it is wild type."""
    known = library.cell_lines.get(line)
    return known is None or all(known.genotype.get(gene, "WT").startswith(states) for gene, states in wanted.items())


def see(
    behaviours: Sequence[Behaviour],
    model: Model | None = None,
    library: Library | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Seen]:
    """Every behaviour on every line it is asked of."""
    opened = model or load_model("pi3k_mapk")
    shelf = library or default_library(opened.version)
    asked = [(item, line) for item in behaviours for line in item.lines]
    wanted = [reading for item, line in asked for measure in item.measures for reading in measure.readings(line)]
    readings = list(dict.fromkeys(wanted))
    progress(f"{len(behaviours)} behaviours, {len(asked)} times a line, {len(readings)} readings")
    taken = read_all(readings, opened, shelf, [{}], {})
    seen = []
    for item, line in asked:
        found = findings_of(item.measures, item.checks, line, taken)
        seen.append(Seen(item, line, (), found) if isinstance(found, str) else Seen(item, line, tuple(found)))
    return seen


def to_frame(seen: Sequence[Seen]) -> pd.DataFrame:
    """One row per behaviour: ``id, holds, lines, statement, not_on, known, left_out, basis``."""
    import pandas as pd

    rows = []
    for item in dict.fromkeys(one.behaviour.id for one in seen):
        members = [one for one in seen if one.behaviour.id == item]
        behaviour = members[0].behaviour
        wrong = [one for one in members if not one.holds]
        rows.append(
            {
                "id": item,
                "holds": len(members) - len(wrong),
                "lines": len(members),
                "statement": behaviour.statement,
                "not_on": "; ".join(_words(one) for one in wrong),
                "unexpected": "; ".join(one.line for one in members if one.holds == (one.line in behaviour.fails)),
                "left_out": "; ".join(f"{line}: {reason}" for line, reason in behaviour.left_out.items()),
                "basis": behaviour.basis,
            }
        )
    return pd.DataFrame(rows)


def _words(one: Seen) -> str:
    if one.reason:
        return f"{one.line}: {one.reason}"
    wrong = ", ".join(f"{item.label} {item.value:.3g} ({item.accepted})" for item in one.findings if not item.passed)
    return f"{one.line}: {wrong}"
