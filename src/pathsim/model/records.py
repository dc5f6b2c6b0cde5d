"""What a model is: frozen records with the meaning SBML gives them, and no behaviour beyond looking things up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .. import shown
from ..shown import Shown
from .annotations import Annotation
from .maths import Expr

Quality = Literal["amount", "concentration"]


@dataclass(frozen=True, slots=True)
class Compartment:
    """A volume (or area, length, or point: ``dimensions`` 0) that holds species."""

    id: str
    size: float
    dimensions: float = 3.0
    constant: bool = True
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Species:
    """A pool. ``symbol_is_amount``: in formulas the id means an amount, otherwise a concentration.

    ``initial`` is NaN where the file gives none. ``boundary`` pools take part in reactions without being changed.
    """

    id: str
    compartment: str
    initial: float
    initial_is_amount: bool
    symbol_is_amount: bool
    boundary: bool = False
    constant: bool = False
    conversion_factor: str = ""
    unit: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named number; local parameters of a reaction ``R`` appear as ``R.k``. ``value`` is NaN where none is given."""

    id: str
    value: float
    constant: bool = True
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """A species in a reaction with its stoichiometry, positive for reactants and products alike."""

    species: str
    stoichiometry: Expr


@dataclass(frozen=True, slots=True)
class Reaction:
    """A process; ``rate`` is in substance per time. ``modifiers`` are the species its rate depends on besides."""

    id: str
    reactants: tuple[Participant, ...]
    products: tuple[Participant, ...]
    modifiers: tuple[str, ...]
    rate: Expr
    reversible: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """``variable = math`` at all times (assignment), or ``d variable/dt = math`` (rate), by where it stands."""

    variable: str
    math: Expr


@dataclass(frozen=True, slots=True)
class Event:
    """Assignments carried out when ``trigger`` turns from false to true (SBML Level 3 semantics)."""

    id: str
    trigger: Expr
    assignments: tuple[Rule, ...]
    delay: Expr | None = None
    priority: Expr | None = None
    initially_true: bool = True
    persistent: bool = True
    values_from_trigger_time: bool = True


@dataclass(frozen=True)
class Model:
    """A whole model. ``source`` is the file it came from; ``digest`` identifies its content.

    ``annotations`` (unit, origin, antibody of a symbol) exist for ``.ant`` files only. ``version`` is that of the
    bundled models, whose library goes with it; empty for other files.
    """

    id: str
    name: str
    compartments: tuple[Compartment, ...]
    species: tuple[Species, ...]
    parameters: tuple[Parameter, ...]
    reactions: tuple[Reaction, ...]
    assignment_rules: tuple[Rule, ...] = ()
    rate_rules: tuple[Rule, ...] = ()
    initial_assignments: tuple[Rule, ...] = ()
    events: tuple[Event, ...] = ()
    conversion_factor: str = ""
    time_unit: str = ""
    source: str = ""
    digest: str = ""
    annotations: tuple[Annotation, ...] = ()
    version: str = ""

    @cached_property
    def species_by_id(self) -> dict[str, Species]:
        """Species, looked up by id."""
        return {species.id: species for species in self.species}

    @cached_property
    def rules(self) -> dict[str, Expr]:
        """Assignment rules: symbol -> formula."""
        return {rule.variable: rule.math for rule in self.assignment_rules}

    @cached_property
    def readouts(self) -> tuple[str, ...]:
        """What an assay can measure: annotated readouts, or every assignment rule where nothing is annotated."""
        annotated = tuple(annotation.name for annotation in self.annotations if annotation.readout)
        return annotated or tuple(rule.variable for rule in self.assignment_rules)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Every id an output can ask for: species, parameters, compartments and reactions, in file order."""
        return tuple(
            item.id for group in (self.species, self.parameters, self.compartments, self.reactions) for item in group
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def _shown(self) -> Shown:
        counts = {
            "compartments": len(self.compartments),
            "species": len(self.species),
            "reactions": len(self.reactions),
            "parameters": len(self.parameters),
            "rules": len(self.assignment_rules) + len(self.rate_rules),
            "events": len(self.events),
            "readouts": len(self.readouts),
        }
        version = f" {self.version}" if self.version else ""
        time = f"; time in {self.time_unit}" if self.time_unit else ""
        return Shown(
            f"Model {self.id}{version}: {', '.join(f'{n} {what}' for what, n in counts.items() if n)}{time}",
            notes=[f"from {self.source}"] if self.source and not self.version else [],
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


def without_value(model: Model) -> list[str]:
    """Constants and species that have no value from anywhere: whatever depends on them is not a number."""
    set_elsewhere = {rule.variable for rule in (*model.assignment_rules, *model.initial_assignments)}
    valueless = [item.id for item in model.parameters if not math.isfinite(item.value)]
    valueless += [species.id for species in model.species if not math.isfinite(species.initial)]
    return [name for name in valueless if name not in set_elsewhere]
