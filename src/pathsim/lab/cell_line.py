"""A cell line: parameters it sets or scales, and where those numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from .. import shown
from ..shown import Shown, shortened
from .names import check_name

_EMPTY: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Alteration:
    """A genetic or adaptive change that any line can carry, such as ``PTEN_loss``.

    ``genotype``: genes whose state it changes. ``sources`` says where each number comes from; ``source`` where all of
    them do that it does not name.
    """

    name: str
    description: str = ""
    source: str = ""
    set: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    scale: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    genotype: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_name(self.name)

    def _shown(self) -> Shown:
        rows = [
            {"parameter": name, "change": f"{sign} {value:.4g}", "source": shortened(self.source, 90)}
            for sign, table in (("=", self.set), ("x", self.scale))
            for name, value in table.items()
        ]
        return Shown(f"Alteration {self.name}: {self.description or 'no description'}", rows)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


@dataclass(frozen=True, slots=True)
class CellLine:
    """``set`` replaces a parameter of the model, then ``scale`` multiplies it; both may name any parameter.

    ``medium``: what the line is kept in between experiments (``serum 10 % + alpelisib 3 uM`` of a resistant line), at
    rest in which every experiment starts; by default full medium. ``site``: where its tumours are grown, by default
    what ``models/hosts.toml`` says.
    """

    name: str
    description: str = ""
    genotype: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    set: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    scale: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    medium: str = ""
    site: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)

    def _shown(self) -> Shown:
        rows = [
            {"parameter": name, "change": f"{sign} {value:.4g}", "source": shortened(self.sources.get(name, ""), 90)}
            for sign, table in (("=", self.set), ("x", self.scale))
            for name, value in table.items()
        ]
        return Shown(f"Cell line {self.name}: {self.description or 'no description'}", rows)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        return self.name

    def altered(self, alteration: Alteration) -> CellLine:
        """The isogenic line with ``alteration`` on top: ``T47D`` -> ``T47D+PTEN_loss``."""
        merged = {**self.set, **alteration.set}
        kept = {name: factor for name, factor in self.scale.items() if name not in alteration.set}
        scale = {**kept, **{name: kept.get(name, 1.0) * factor for name, factor in alteration.scale.items()}}
        added = dict.fromkeys((*alteration.set, *alteration.scale), alteration.source)
        sources = {**self.sources, **added, **alteration.sources}
        return replace(
            self,
            name=f"{self.name}+{alteration.name}",
            description=f"{self.description}; {alteration.description}".strip("; "),
            set=MappingProxyType(merged),
            genotype=MappingProxyType({**self.genotype, **alteration.genotype}),
            scale=MappingProxyType(scale),
            sources=MappingProxyType(sources),
        )

    def apply(self, values: Mapping[str, float]) -> dict[str, float]:
        """The parameters of this line: what it sets or scales, given the model's own ``values`` for them."""
        result = dict(self.set)
        for name, factor in self.scale.items():
            result[name] = result.get(name, values.get(name, float("nan"))) * factor
        return result
