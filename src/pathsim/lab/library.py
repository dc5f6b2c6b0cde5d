"""The library on the shelf: drugs, cell lines and alterations, read from TOML files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from ..errors import InputError, raise_together, unknown
from ..files import read_toml
from ..model import models_folder
from .cell_line import Alteration, CellLine
from .drug import Drug

AVOGADRO = 6.02214076e23  # 1/mol, exact since 2019


@dataclass(frozen=True)
class Library:
    """Drugs, cell lines and alterations by name; lookups accept synonyms and any letter case."""

    drugs: Mapping[str, Drug]
    cell_lines: Mapping[str, CellLine]
    alterations: Mapping[str, Alteration]

    def drug(self, name: str) -> Drug:
        """A drug, ligand or medium by name or synonym. Raises :class:`UnknownNameError` with near misses."""
        by_name = {spelling: drug for drug in self.drugs.values() for spelling in (drug.name, *drug.synonyms)}
        return _find("drug", name, by_name, "(pathsim list drugs shows all)")

    def cell_line(self, name: str) -> CellLine:
        """A cell line, with alterations after ``+``: ``"T47D"``, ``"T47D+PTEN_loss"``.

        A name that ends in ``.toml`` is a file with one line in it, as an escalation writes it. Raises
        :class:`UnknownNameError` with near misses.
        """
        first, *rest = (part.strip() for part in name.split("+"))
        if first.endswith(".toml"):
            lines, _ = _read_cell_lines(Path(first))
            if len(lines) != 1:
                raise InputError(f"{first}: holds {len(lines)} cell lines; one is needed")
            line = next(iter(lines.values()))
        else:
            line = _find("cell line", first, self.cell_lines, "(pathsim list cell-lines shows all)")
        for part in rest:
            line = line.altered(_find("alteration", part, self.alterations))
        return line

    def with_drugs(self, path: str | Path) -> Library:
        """This library with the drugs of a TOML file added, replacing those of the same name."""
        return Library({**self.drugs, **_read_drugs(Path(path))}, self.cell_lines, self.alterations)

    def with_cell_lines(self, path: str | Path) -> Library:
        """This library with the lines and alterations of a TOML file added, replacing those of the same name."""
        lines, alterations = _read_cell_lines(Path(path))
        return Library(self.drugs, {**self.cell_lines, **lines}, {**self.alterations, **alterations})


@cache
def default_library() -> Library:
    """The bundled library."""
    lines, alterations = _read_cell_lines(models_folder() / "cell_lines.toml")
    return Library(_read_drugs(models_folder() / "drugs.toml"), lines, alterations)


_Item = TypeVar("_Item")


def _find(kind: str, name: str, known: Mapping[str, _Item], hint: str = "") -> _Item:
    if name in known:
        return known[name]
    folded = {spelling.lower(): item for spelling, item in known.items()}
    if name.lower() in folded:
        return folded[name.lower()]
    raise unknown(kind, name, known, hint)


def _read_drugs(path: Path) -> dict[str, Drug]:
    problems: list[str] = []
    drugs = {name: _drug(name, entry, problems) for name, entry in read_toml(path).items()}
    raise_together(problems, str(path))
    return drugs


_DRUG_KEYS = ("kind", "synonyms", "mode", "description", "molar_mass", "Kd_nM", "per_nM", "per_percent")


def _drug(name: str, entry: Any, problems: list[str]) -> Drug:
    where = f"[{name}]"
    if not isinstance(entry, dict):
        problems.append(f"{where} is not a table; write [{name}] and the entries below it")
        return Drug(name)
    problems += [str(unknown("key", key, _DRUG_KEYS, f"in {where}")) for key in entry if key not in _DRUG_KEYS]
    per_nM, sources = _sourced(entry.get("per_nM", {}), f"{where} per_nM", problems)
    Kd, Kd_sources = _sourced(entry.get("Kd_nM", {}), f"{where} Kd_nM", problems)
    for site, value in Kd.items():
        if value <= 0:
            problems.append(f"{where} Kd_nM.{site} is {value}; a dissociation constant is positive")
            continue
        per_nM[f"drug_on_{site}"] = 1.0 / value
        sources[f"drug_on_{site}"] = Kd_sources[site]
    per_percent, more = _sourced(entry.get("per_percent", {}), f"{where} per_percent", problems)
    mass = entry.get("molar_mass")
    return Drug(
        name=name,
        kind=str(entry.get("kind", "drug")),
        synonyms=tuple(entry.get("synonyms", ())),
        description=str(entry.get("description", entry.get("mode", ""))),
        molar_mass=None if mass is None else float(mass["g_per_mol"]),
        per_nM=MappingProxyType(per_nM),
        per_percent=MappingProxyType(per_percent),
        sources=MappingProxyType({**sources, **more}),
    )


def _sourced(table: Any, where: str, problems: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    """``{name: {value, source}}`` as two mappings; every number must name its source."""
    values: dict[str, float] = {}
    sources: dict[str, str] = {}
    for name, item in table.items():
        if not isinstance(item, dict) or "value" not in item or not str(item.get("source", "")).strip():
            problems.append(f'{where}.{name} needs {{ value = ..., source = "..." }}')
            continue
        values[name] = float(item["value"])
        sources[name] = str(item["source"])
    return values, sources


def _read_cell_lines(path: Path) -> tuple[dict[str, CellLine], dict[str, Alteration]]:
    content = read_toml(path)
    tables = ("line", "alteration")
    problems = [str(unknown("table", key, tables)) for key in content if key not in tables]
    lines = {name: _line(name, entry, problems) for name, entry in content.get("line", {}).items()}
    alterations = {
        name: Alteration(
            name=name,
            description=str(entry.get("description", "")),
            source=str(entry.get("source", "")),
            set=MappingProxyType({key: float(value) for key, value in entry.get("set", {}).items()}),
            scale=MappingProxyType({key: float(value) for key, value in entry.get("scale", {}).items()}),
        )
        for name, entry in content.get("alteration", {}).items()
    }
    problems += [f"[alteration.{name}] needs a source" for name, item in alterations.items() if not item.source]
    raise_together(problems, str(path))
    return lines, alterations


_LINE_KEYS = ("description", "genotype", "volume_pL", "copies_source", "copies", "set", "scale")


def _line(name: str, entry: dict[str, Any], problems: list[str]) -> CellLine:
    where = f"[line.{name}]"
    problems += [str(unknown("key", key, _LINE_KEYS, f"in {where}")) for key in entry if key not in _LINE_KEYS]
    set_values, sources = _sourced(entry.get("set", {}), f"{where} set", problems)
    scale_values, scale_sources = _sourced(entry.get("scale", {}), f"{where} scale", problems)
    copies = entry.get("copies", {})
    volume = float(entry.get("volume_pL", 0))
    if copies and (volume <= 0 or "copies_source" not in entry):
        problems.append(f"{where} copies need volume_pL (positive) and copies_source")
        copies = {}
    for parameter, count in copies.items():
        if count < 0:
            problems.append(f"{where} copies.{parameter} is negative")
        set_values.setdefault(parameter, copies_to_nM(float(count), volume))
        sources.setdefault(parameter, f"{entry['copies_source']}: {count:g} copies in {volume:g} pL")
    return CellLine(
        name=name,
        description=str(entry.get("description", "")),
        genotype=MappingProxyType(dict(entry.get("genotype", {}))),
        set=MappingProxyType(set_values),
        scale=MappingProxyType(scale_values),
        sources=MappingProxyType({**sources, **scale_sources}),
    )


def copies_to_nM(copies: float, volume_pL: float) -> float:
    """Molecules in a volume as nM: 1e5 copies in 2 pL are 83 nM."""
    return copies / AVOGADRO / (volume_pL * 1e-12) * 1e9
