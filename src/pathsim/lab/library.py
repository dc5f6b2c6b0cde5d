"""The library on the shelf: drugs, cell lines and alterations, read from TOML files."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import Any, TypeVar

from .. import shown
from ..checked import checked
from ..errors import InputError, UnknownNameError, brief, folded, near_misses, raise_together, unknown
from ..files import read_toml
from ..model import current_version, models_folder
from ..shown import Shown, shortened
from .cell_line import Alteration, CellLine
from .constants import Constants, read_constants, with_constants, with_settings, without_names
from .drug import Drug, drug_of
from .entry import Entry
from .treatment import Treatment

NO_LINE = "none"
"""The cell line that sets nothing."""
AVOGADRO = 6.02214076e23  # 1/mol, exact since 2019
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Library:
    """Drugs, cell lines and alterations by name; lookups accept synonyms and any letter case.

    ``version``: of the bundled models it goes with; what else is bundled beside it is taken from there. ``parameters``
    and ``settings`` are constants that every line looked up carries (:meth:`with_parameters`, :meth:`with_settings`);
    ``origin`` says where those of ``parameters`` come from.
    """

    drugs: Mapping[str, Drug]
    cell_lines: Mapping[str, CellLine]
    alterations: Mapping[str, Alteration]
    version: str = ""
    parameters: Constants = field(default_factory=lambda: MappingProxyType({}))
    settings: Constants = field(default_factory=lambda: MappingProxyType({}))
    origin: str = ""

    def drug(self, name: str) -> Drug:
        """A drug, ligand or medium by name or synonym. Raises :class:`UnknownNameError` with near misses."""
        return _find("drug", name, self._by_spelling, "(pathsim list drugs shows all)", list(self.drugs))

    @cached_property
    def _by_spelling(self) -> dict[str, Drug]:
        return {spelling: drug for drug in self.drugs.values() for spelling in (drug.name, *drug.synonyms)}

    def cell_line(self, name: str) -> CellLine:
        """A cell line, with alterations after ``+``: ``"T47D"``, ``"T47D+PTEN_loss"``.

        ``"none"`` is the model as it is, for models that know no cell lines. A name that ends in ``.toml`` is a file
        with one line in it, as an escalation writes it; alterations of that file may follow it. Raises
        :class:`UnknownNameError` with near misses.
        """
        first, *rest = (part.strip() for part in name.split("+"))
        alterations = self.alterations
        if first.lower() == NO_LINE and first not in self.cell_lines:
            line = CellLine(NO_LINE, "the model as it is")
        elif first.endswith(".toml"):
            lines, own = _read_cell_lines(Path(first))
            if len(lines) != 1:
                raise InputError(
                    f"{first}: holds {len(lines)} cell lines; one is needed"
                    + (f" (--cell-lines {first} gives all of them by name)" if lines else "")
                )
            line, alterations = next(iter(lines.values())), {**alterations, **own}
        else:
            line = self._of_a_line("cell line", first, self.cell_lines, "(pathsim list cell-lines shows all)")
        for part in rest:
            line = line.altered(self._of_a_line("alteration", part, alterations))
        return with_settings(with_constants(line, self.parameters, self.origin), self.settings)

    def _of_a_line(self, kind: str, name: str, known: Mapping[str, _Item], note: str = "") -> _Item:
        """As :func:`_find`; a drug or a treatment that stands where a cell line belongs is called what it is."""
        try:
            return _find(kind, name, known, note)
        except UnknownNameError:
            meant = "" if near_misses(name, known) else self._drug_or_treatment(name)
            if not meant:
                raise
            raise UnknownNameError(f"unknown {kind} '{brief(name)}': {meant} (pathsim list drugs shows all)") from None

    def _drug_or_treatment(self, text: str) -> str:
        """That a text is, or looks like, a drug or a treatment; empty when it is neither."""
        try:
            drug = next(iter(Treatment.parse(text).names), text)
            what = "a treatment, which pathsim blot takes after --treatment"
        except InputError:
            drug, what = text, "a drug"
        close = near_misses(drug, self._by_spelling)
        if any(spelling.lower() == drug.lower() for spelling in close):
            return f"that is {what}"
        if close:
            return f"that looks like {what}; did you mean {' or '.join(close)}?"
        return "" if drug == text else f"that looks like {what}"

    def _shown(self) -> Shown:
        kinds = (("drugs", self.drugs), ("cell lines", self.cell_lines), ("alterations", self.alterations))
        counts = ", ".join(f"{len(table)} {what}" for what, table in kinds)
        names = [f"{what}: {shortened(', '.join(table), 230)}" for what, table in kinds]
        heading = f"Library{f' {self.version}' if self.version else ''}: {counts}"
        return Shown("\n".join([heading, *(line for text in names for line in wrap(text, 100))]))

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def with_drugs(self, path: str | Path) -> Library:
        """This library with the drugs of a TOML file added, replacing those of the same name."""
        return replace(self, drugs={**self.drugs, **_read_drugs(path)})

    def with_potencies(self, constants: Constants) -> Library:
        """This library with the potencies of drugs that are among ``constants``; the others are left aside."""
        found = {drug: value for name, value in constants.items() if (drug := drug_of(name))}
        if not found:
            return self
        potent = {name: self.drugs[name].with_potency(value) for name, value in found.items()}
        return replace(self, drugs={**self.drugs, **potent})

    def with_cell_lines(self, path: str | Path) -> Library:
        """This library with the lines and alterations of a TOML file added, replacing those of the same name."""
        lines, alterations = _read_cell_lines(path)
        return replace(self, cell_lines={**self.cell_lines, **lines}, alterations={**self.alterations, **alterations})

    @checked
    def with_parameters(self, constants: Mapping[str, float] | str | Path) -> Library:
        """This library with constants in place of the model's own in every line looked up by name.

        A number that a line has of its own stays (``name@line`` replaces it), and factors of a line act on the new one.
        ``constants``: a mapping, the folder of a fit (its best parameters), or a table with columns ``parameter`` and
        ``value``. Raises :class:`InputError` for files that are none.
        """
        own = constants if isinstance(constants, Mapping) else read_constants(constants)
        origin = "given as a parameter" if isinstance(constants, Mapping) else str(constants)
        return replace(self, parameters=MappingProxyType({**self.parameters, **own}), origin=origin)

    @checked
    def with_settings(self, settings: Mapping[str, float]) -> Library:
        """This library with numbers set in every line looked up by name, in place of the model's and the line's own.

        Factors of a line or of an alteration still act on them (PTEN loss is none of any PTEN); ``name@line`` is for
        one line.
        """
        return replace(self, settings=MappingProxyType({**self.settings, **settings}))

    def freeing(self, names: Collection[str]) -> Library:
        """This library without the constants of some ``names``, which a fit or parameter sets are to replace."""
        return replace(
            self,
            parameters=MappingProxyType(without_names(self.parameters, names)),
            settings=MappingProxyType(without_names(self.settings, names)),
        )


@checked
def default_library(version: str = "") -> Library:
    """The bundled library, by default the current one; that of an earlier version goes with the models of that version.

    Raises :class:`UnknownNameError` with the versions that there are.

    >>> ps.default_library().drug("BYL719").name
    'alpelisib'
    """
    return _library_in(models_folder(version), version or current_version())


@cache
def _library_in(folder: Path, version: str) -> Library:
    lines, alterations = _read_cell_lines(folder / "cell_lines.toml")
    return Library(_read_drugs(folder / "drugs.toml"), lines, alterations, version)


def _find(
    kind: str, name: str, known: Mapping[str, _Item], note: str = "", shown: Collection[str] | None = None
) -> _Item:
    """The item of that name, whatever its letter case, hyphens and underscores; ``shown``: the names proper."""
    if name in known:
        return known[name]
    for fold in (str.lower, folded):
        alike = {fold(spelling): item for spelling, item in known.items()}
        if fold(name) in alike:
            return alike[fold(name)]
    raise unknown(kind, name, known, note, shown)


def _read_drugs(path: str | Path) -> dict[str, Drug]:
    problems: list[str] = []
    drugs = {name: _drug(name, entry, problems) for name, entry in read_toml(path).items()}
    raise_together(problems, str(path))
    return drugs


_DRUG_KEYS = ("kind", "synonyms", "mode", "description", "molar_mass", "potency", "Kd_nM", "per_nM", "per_percent")


def _drug(name: str, content: Any, problems: list[str]) -> Drug:
    entry = Entry(f"[{name}]", content, problems)
    name = entry.named(name)
    entry.check_keys(_DRUG_KEYS)
    per_nM, sources = entry.sourced("per_nM")
    Kd, Kd_sources = entry.sourced("Kd_nM")
    for site, value in Kd.items():
        if value <= 0 or not math.isfinite(1.0 / value):
            problems.append(f"{entry.where} Kd_nM.{site} is {value}; a dissociation constant is positive")
            continue
        per_nM[f"drug_on_{site}"] = 1.0 / value
        sources[f"drug_on_{site}"] = Kd_sources[site]
    per_percent, more = entry.sourced("per_percent")
    mass = entry.table("molar_mass") if "molar_mass" in entry.content else None
    grams = None if mass is None else mass.number("g_per_mol")
    if grams is not None and grams <= 0:
        problems.append(f"{entry.where} molar_mass needs g_per_mol, which is positive")
    factor = entry.sourced_number("potency") if "potency" in entry.content else None
    potency = factor[0] if factor else 1.0
    if potency <= 0:
        problems.append(f"{entry.where} potency is {potency}; a factor on what a concentration does is positive")
        potency = 1.0
    drug = Drug(
        name=name,
        kind=entry.text("kind", "drug"),
        synonyms=entry.texts("synonyms"),
        description=entry.text("description", entry.text("mode")),
        molar_mass=grams,
        per_nM=MappingProxyType(per_nM),
        per_percent=MappingProxyType(per_percent),
        sources=MappingProxyType({**sources, **more}),
    )
    return drug.with_potency(potency)


def _read_cell_lines(path: str | Path) -> tuple[dict[str, CellLine], dict[str, Alteration]]:
    problems: list[str] = []
    whole = Entry("", read_toml(path), problems)
    tables = ("line", "alteration")
    problems += [str(unknown("table", key, tables)) for key in whole.content if key not in tables]
    lines = {name: _line(name, entry, problems) for name, entry in whole.table("line").content.items()}
    alterations = {
        name: _alteration(name, entry, problems) for name, entry in whole.table("alteration").content.items()
    }
    raise_together(problems, str(path))
    return lines, alterations


_ALTERATION_KEYS = ("description", "genotype", "source", "set", "scale")


def _alteration(name: str, content: Any, problems: list[str]) -> Alteration:
    entry = Entry(f"[alteration.{name}]", content, problems)
    name = entry.named(name)
    entry.check_keys(_ALTERATION_KEYS)
    source = entry.text("source")
    set_values, sources = entry.sourced("set", source)
    scale_values, scale_sources = entry.sourced("scale", source)
    return Alteration(
        name=name,
        description=entry.text("description"),
        source=source,
        set=MappingProxyType(set_values),
        scale=MappingProxyType(scale_values),
        sources=MappingProxyType({**sources, **scale_sources}),
        genotype=MappingProxyType(entry.table("genotype").named_texts()),
    )


_SMALLEST_CELL_PL, _LARGEST_CELL_PL = 1e-6, 1e9
"""Far beyond a bacterium and an egg."""
_LINE_KEYS = ("description", "genotype", "volume_pL", "copies_source", "copies", "set", "scale", "medium", "site")


def _line(name: str, content: Any, problems: list[str]) -> CellLine:
    entry = Entry(f"[line.{name}]", content, problems)
    name = entry.named(name)
    entry.check_keys(_LINE_KEYS)
    set_values, sources = entry.sourced("set")
    scale_values, scale_sources = entry.sourced("scale")
    copies = entry.table("copies").numbers()
    volume, counted = entry.number("volume_pL", 0.0), entry.text("copies_source")
    if copies and (not _SMALLEST_CELL_PL <= volume <= _LARGEST_CELL_PL or not counted.strip()):
        problems.append(
            f"{entry.where} copies need volume_pL ({_SMALLEST_CELL_PL:g} to {_LARGEST_CELL_PL:g}) and copies_source"
        )
        copies = {}
    for parameter, count in copies.items():
        if count < 0:
            problems.append(f"{entry.where} copies.{parameter} is negative")
        set_values.setdefault(parameter, copies_to_nM(count, volume))
        sources.setdefault(parameter, f"{counted}: {count:g} copies in {volume:g} pL")
    medium = entry.text("medium")
    if medium:
        try:
            steps = Treatment.parse(medium).steps
            if len(steps) > 1 or steps[0].duration:
                problems.append(
                    f"{entry.where} medium '{medium}' has steps or a duration; a line is kept in one medium"
                )
        except InputError as error:
            problems.append(f"{entry.where} medium: {error}")
    return CellLine(
        name=name,
        description=entry.text("description"),
        genotype=MappingProxyType(entry.table("genotype").named_texts()),
        set=MappingProxyType(set_values),
        scale=MappingProxyType(scale_values),
        sources=MappingProxyType({**sources, **scale_sources}),
        medium=medium,
        site=entry.text("site"),
    )


def copies_to_nM(copies: float, volume_pL: float) -> float:
    """Molecules in a volume as nM: 1e5 copies in 2 pL are 83 nM."""
    return copies / AVOGADRO / (volume_pL * 1e-12) * 1e9
