"""What assays do by default, and which names of a model they call upon (``models/protocols.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..arguments import LARGEST
from ..errors import raise_together, unknown
from ..files import read_toml
from ..model import models_folder


@dataclass(frozen=True, slots=True)
class Names:
    """Symbols by which a model takes part in assays; one that lacks a symbol does without what needs it.

    ``population``: the states that count cells. The file tells the others.
    """

    serum: str
    passaging: str
    viability: str
    cell_count: str
    hazard: str
    cycle_speed: str
    insulin: str
    population: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlotProtocol:
    """A western blot as the bench does it: ``treatments`` with ``{drug}`` and ``{ligand}`` to fill in."""

    cell_lines: tuple[str, ...]
    antibodies: tuple[str, ...]
    drug: str
    ligand: str
    times: str
    treatments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Partner:
    """A candidate rescue drug: how it is meant to help, and the doses it is screened at."""

    drug: str
    strategy: str
    doses: str


@dataclass(frozen=True, slots=True)
class Numerics:
    """What claims about the solution look at; ``conserved``: totals that nothing makes or destroys, and their forms."""

    cell_line: str
    treatment: str
    drug: str
    readouts: tuple[str, ...]
    not_at_rest: tuple[str, ...]
    conserved: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WithoutFeedback:
    """The null model: switches turned ``off``, and parameters ``held`` at what a signal is in the line at rest."""

    off: tuple[str, ...]
    held: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Protocols:
    """The content of ``models/protocols.toml``; ``loading_controls`` are apparent masses in kDa."""

    names: Names
    loading_controls: Mapping[str, int]
    resistance_blot: BlotProtocol
    xenograft_lysate: tuple[str, ...]
    glucose_medium: str
    glucose_readouts: tuple[str, ...]
    rescue: tuple[Partner, ...]
    numerics: Numerics
    without_feedback: WithoutFeedback


@dataclass(frozen=True, slots=True)
class PathwayMap:
    """Where readouts stand on the map of the report, x and y; their labels; and pairs (from, to) of influences."""

    places: Mapping[str, tuple[float, float]]
    labels: Mapping[str, str]
    influences: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A box of the pathway diagram that holds molecules."""

    label: str
    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True)
class Molecule:
    """A molecule of the pathway diagram: where it stands, and the nodes of the wiring that it stands for."""

    label: str
    x: float
    y: float
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathwayDiagram:
    """The diagram for papers: arrows (from, to) of the ``canonical`` path, of ``resistance`` and ``others``, and the
    molecule that each alteration changes."""

    modules: Mapping[str, Module]
    molecules: Mapping[str, Molecule]
    canonical: tuple[tuple[str, str], ...]
    resistance: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    alterations: Mapping[str, str]


@cache
def protocols(version: str = "") -> Protocols:
    """The bundled protocols, by default of the current version."""
    return read_protocols(models_folder(version) / "protocols.toml")


@cache
def pathway_diagram() -> PathwayDiagram:
    """The bundled diagram of the current model."""
    return read_pathway_diagram(models_folder("") / "pathway_diagram.toml")


@cache
def pathway_map(version: str = "") -> PathwayMap:
    """The bundled map, by default of the current version."""
    return read_pathway_map(models_folder(version) / "pathway_map.toml")


def read_protocols(path: str | Path) -> Protocols:
    """Read a file of protocols. Raises :class:`InputError` naming every entry that is missing, unknown or unsourced."""
    root = _Table(read_toml(path), "", [])
    names, blot = root.table("names"), root.table("resistance_blot")
    xenograft, glucose = root.table("xenograft"), root.table("glucose")
    numerics, null = root.table("numerics"), root.table("without_feedback")
    controls, rescue = root.tables("loading_controls"), root.tables("rescue")
    found = Protocols(
        names=Names(
            names.text("serum"),
            names.text("passaging"),
            names.text("viability"),
            names.text("cell_count"),
            names.text("hazard"),
            names.text("cycle_speed"),
            names.text("insulin"),
            names.texts("population"),
        ),
        loading_controls=MappingProxyType({name: round(one.number("mass_kDa")) for name, one in controls.items()}),
        resistance_blot=BlotProtocol(
            blot.texts("cell_lines"),
            blot.texts("antibodies"),
            blot.text("drug"),
            blot.text("ligand"),
            blot.text("times"),
            blot.texts("treatments"),
        ),
        xenograft_lysate=xenograft.texts("lysate"),
        glucose_medium=glucose.text("medium"),
        glucose_readouts=glucose.texts("readouts"),
        rescue=tuple(Partner(name, one.text("strategy"), one.text("doses")) for name, one in rescue.items()),
        numerics=Numerics(
            numerics.text("cell_line"),
            numerics.text("treatment"),
            numerics.text("drug"),
            numerics.texts("readouts"),
            numerics.texts("not_at_rest"),
            numerics.lists("conserved"),
        ),
        without_feedback=WithoutFeedback(null.texts("off"), null.named("held")),
    )
    for sourced in (names, blot, xenograft, glucose, numerics, null, *controls.values(), *rescue.values()):
        sourced.text("source")
        sourced.finish()
    root.finish()
    raise_together(root.problems, str(path))
    return found


def read_pathway_map(path: str | Path) -> PathwayMap:
    """Read the file of a map. Raises :class:`InputError` naming everything that makes no sense."""
    root = _Table(read_toml(path), "", [])
    root.text("source")
    entries, influences = root.tables("readouts"), root.lists("influences")
    found = PathwayMap(
        MappingProxyType({name: (one.number("x"), one.number("y")) for name, one in entries.items()}),
        MappingProxyType({name: one.text("label") for name, one in entries.items()}),
        tuple((origin, target) for origin, targets in influences.items() for target in targets),
    )
    for one in (*entries.values(), root):
        one.finish()
    named = dict.fromkeys(name for pair in found.influences for name in pair)
    strangers = [name for name in named if name not in entries]
    root.problems.extend(str(unknown("readout", name, entries, "in [influences]")) for name in strangers)
    raise_together(root.problems, str(path))
    return found


def read_pathway_diagram(path: str | Path) -> PathwayDiagram:
    """Read the file of a diagram. Raises :class:`InputError` naming everything that makes no sense."""
    root = _Table(read_toml(path), "", [])
    root.text("source")
    modules, molecules = root.tables("modules"), root.tables("molecules")
    canonical, resistance, others = (
        tuple((origin, target) for origin, targets in root.lists(kind).items() for target in targets)
        for kind in ("canonical", "resistance", "others")
    )
    alterations = root.named("alterations")
    sides = ("left", "bottom", "right", "top")
    found = PathwayDiagram(
        MappingProxyType({key: Module(one.text("label"), *map(one.number, sides)) for key, one in modules.items()}),
        MappingProxyType(
            {
                key: Molecule(one.text("label"), one.number("x"), one.number("y"), one.texts("nodes"))
                for key, one in molecules.items()
            }
        ),
        canonical,
        resistance,
        others,
        alterations,
    )
    for one in (*modules.values(), *molecules.values(), root):
        one.finish()
    named = [name for pairs in (found.canonical, found.resistance, found.others) for pair in pairs for name in pair]
    strangers = [name for name in dict.fromkeys([*named, *alterations.values()]) if name not in molecules]
    root.problems.extend(str(unknown("molecule", name, molecules)) for name in strangers)
    raise_together(root.problems, str(path))
    return found


@dataclass(frozen=True)
class _Table:
    """A table of a TOML file, read entry by entry; ``problems``, which all tables share, collects what is wrong."""

    content: Mapping[str, Any]
    where: str
    problems: list[str]
    seen: list[str] = field(default_factory=list)

    def _entry(self, key: str, fits: Any, advice: str) -> Any:
        self.seen.append(key)
        value = self.content.get(key)
        if value is None or not fits(value):
            found = "is missing" if value is None else f"is {value!r}"
            self.problems.append(f"{self.where}{key} {found}; write {advice}")
            return None
        return value

    def text(self, key: str) -> str:
        """A text that is not empty."""
        return self._entry(key, lambda value: isinstance(value, str) and value.strip(), f'{key} = "..."') or ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._entry(key, _is_texts, f'{key} = ["...", ...]') or ())

    def number(self, key: str) -> float:
        """A number."""
        plain = self._entry(key, _is_number, f"{key} = a number")
        return 0.0 if plain is None else float(plain)

    def table(self, key: str) -> _Table:
        """The table of that name; an empty one where it is missing."""
        value = self._entry(key, lambda value: isinstance(value, dict), f"a table [{self.where}{key}]")
        return _Table(value or {}, f"{self.where}{key}.", self.problems)

    def tables(self, key: str) -> dict[str, _Table]:
        """A table of tables."""
        inner = self.table(key)
        return {name: inner.table(name) for name in inner.content}

    def lists(self, key: str) -> Mapping[str, tuple[str, ...]]:
        """A table of lists of texts."""
        inner = self.table(key)
        return MappingProxyType({name: inner.texts(name) for name in inner.content})

    def named(self, key: str) -> Mapping[str, str]:
        """A table of texts."""
        inner = self.table(key)
        return MappingProxyType({name: inner.text(name) for name in inner.content})

    def finish(self) -> None:
        """Complain about entries that nothing has read."""
        place = f"in [{self.where.rstrip('.')}]" if self.where else ""
        known = list(dict.fromkeys(self.seen))
        self.problems.extend(str(unknown("entry", key, known, place)) for key in self.content if key not in known)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= LARGEST


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item.strip() for item in value)
