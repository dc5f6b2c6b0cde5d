"""A compound of one's own, filled into a form: the entry that ``--drugs FILE`` reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import InputError, raise_together
from ..files import toml_key, toml_text

if TYPE_CHECKING:
    from ..lab import Library


class Acts(StrEnum):
    """How a compound acts on a target; the values are the tables of the file."""

    inhibits = "Kd_nM"
    adds = "per_nM"
    adds_per_percent = "per_percent"


@dataclass(frozen=True, slots=True)
class Action:
    """What the compound does to one target: ``number`` is the Kd in nM, or what 1 nM (1 %) of it adds."""

    how: Acts
    target: str
    number: float
    source: str


@dataclass(frozen=True, slots=True)
class Compound:
    """The fields of an entry; ``g_per_mol`` and its source only where the compound is dosed by mass too."""

    name: str
    kind: str = "drug"
    synonyms: tuple[str, ...] = ()
    description: str = ""
    g_per_mol: float | None = None
    mass_source: str = ""
    actions: tuple[Action, ...] = ()

    def toml(self) -> str:
        """The entry as text. Raises :class:`InputError` for one without a name or without a target."""
        problems = [] if self.name.strip() else ["the compound has no name"]
        problems += [] if self.actions else ["the compound acts on nothing: choose a target and a number"]
        raise_together(problems, "own compound")
        lines = [f"[{toml_key(self.name.strip())}]", f"kind = {json.dumps(self.kind)}"]
        if self.synonyms:
            lines.append(f"synonyms = {json.dumps(list(self.synonyms), ensure_ascii=False)}")
        if self.description:
            lines.append(f"description = {_quoted(self.description)}")
        if self.g_per_mol is not None:
            lines.append(f"molar_mass = {{ g_per_mol = {self.g_per_mol!r}, source = {_quoted(self.mass_source)} }}")
        for action in self.actions:
            entry = f"{{ value = {action.number!r}, source = {_quoted(action.source)} }}"
            lines.append(f"{action.how.value}.{toml_key(action.target)} = {entry}")
        return "\n".join(lines) + "\n"


def with_compound(text: str, compound: Compound) -> str:
    """A file with a compound added. Raises :class:`InputError` when it names that compound already."""
    head = f"[{toml_key(compound.name.strip())}]"
    if head in text.splitlines():
        raise InputError(f"own compound: {compound.name} is in the file already; change its entry there")
    return "\n".join(part for part in (text.strip(), compound.toml()) if part)


def sites(library: Library) -> list[str]:
    """The sites that bundled inhibitors bind to."""
    named = [name for drug in library.drugs.values() for name in drug.per_nM]
    return list(dict.fromkeys(name.removeprefix(_ON) for name in named if name.startswith(_ON)))


_ON = "drug_on_"


def _quoted(text: str) -> str:
    return toml_text(" ".join(text.split()))
