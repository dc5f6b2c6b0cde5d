"""What can be checked on a model without running it: where every constant comes from, and whether units agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ..errors import InputError
from .annotations import Annotation
from .dimensions import Dimensions, combine, dimensions_of, dimensions_text, read_dimensions
from .moieties import conserved_moieties
from .records import Model, without_value

CONSTANT_CLASSES = ("source", "estimate", "calibrated", "input", "switch", "definition")
_BACKED = ("source", "estimate", "calibrated")
_TIME: Dimensions = {"min": Fraction(1)}


@dataclass(frozen=True, slots=True)
class Report:
    """What :func:`check_model` found.

    ``classes``: how many constants of each class; ``conserved``: totals that no reaction changes; ``problems`` and
    ``remarks``: one line each.
    """

    model: str
    species: int
    reactions: int
    constants: int
    classes: Mapping[str, int]
    conserved: tuple[str, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def check_model(model: Model) -> Report:
    """Check a model as it stands on paper.

    In an annotated model units must agree in every rate and rule, and every constant should carry a unit and one of the
    classes source, estimate, calibrated, input, switch or definition, with a text behind the first three: a bundled
    model must, others are told of it. In any model every species and constant needs a value.
    """
    notes = {item.name: item for item in model.annotations}
    constants = [item for item in model.parameters if item.id not in model.rules and "." not in item.id]
    problems = [f"{name}: has no value" for name in without_value(model)]
    unsourced: list[str] = []
    classes: Counter[str] = Counter()
    if notes:
        for item in constants:
            note = notes.get(item.id)
            if note is None:
                unsourced.append(f"{item.id}: no unit and no source behind it; write '// unit | source: ...'")
                continue
            classes[note.kind] += 1
            unsourced += _backing(note)
        problems += [*(unsourced if model.version else ()), *_units(model, notes)]
    else:
        classes["not annotated"] = len(constants)
    ordered = {name: classes[name] for name in (*CONSTANT_CLASSES, "not annotated") if classes[name]}
    conserved = tuple(str(moiety) for moiety in conserved_moieties(model))
    return Report(
        model.id,
        len(model.species),
        len(model.reactions),
        len(constants),
        ordered,
        conserved,
        tuple(problems),
        () if model.version else tuple(unsourced),
    )


def units_of(model: Model) -> dict[str, Dimensions]:
    """Units of annotated symbols, and of the species whose unit follows from them; unreadable units are left out."""
    known, _ = _stated(model)
    _spread_to_species(model, known)
    return {name: found for name, found in known.items() if found is not None}


def _backing(note: Annotation) -> Iterable[str]:
    if note.kind in _BACKED and not note.text:
        yield f"line {note.line}: {note.name}: '{note.kind}' needs words behind it: which paper, or why this value"
    if note.kind == "readout" and not note.is_rule and not note.text:
        yield f"line {note.line}: {note.name}: a constant that is a readout needs its source as well"


def _units(model: Model, notes: Mapping[str, Annotation]) -> Iterable[str]:
    """Clashes of units in rates and rules, with the line of the rule where it is known."""
    known, problems = _stated(model)
    yield from problems
    _spread_to_species(model, known)
    for rule in model.assignment_rules:
        problems = []
        found = dimensions_of(rule.math, known.get, problems, _TIME)
        where = f"line {notes[rule.variable].line}: {rule.variable}" if rule.variable in notes else rule.variable
        stated = known.get(rule.variable)
        if found is not None and stated is not None and found != stated:
            problems.append(f"is said to be in {dimensions_text(stated)}, its formula in {dimensions_text(found)}")
        yield from (f"{where}: {problem}" for problem in problems)
    for reaction in model.reactions:
        problems = []
        found = dimensions_of(reaction.rate, known.get, problems, _TIME)
        for participant in (*reaction.reactants, *reaction.products):
            pool = known.get(participant.species)
            if found is not None and pool is not None and combine(pool, _TIME, Fraction(-1)) != found:
                problems.append(
                    f"the rate is in {dimensions_text(found)}, but changes {participant.species}, which is in "
                    f"{dimensions_text(pool)}"
                )
                break
        yield from (f"reaction {reaction.id}: {problem}" for problem in problems)


def _stated(model: Model) -> tuple[dict[str, Dimensions | None], list[str]]:
    """Units as annotated (None where unreadable, with a problem each); compartments are relative volumes."""
    known: dict[str, Dimensions | None] = {item.id: {} for item in model.compartments}
    problems = []
    for note in model.annotations:
        try:
            known[note.name] = read_dimensions(note.unit)
        except InputError as error:
            known[note.name] = None
            problems.append(f"line {note.line}: {note.name}: {error}")
    return known, problems


def _spread_to_species(model: Model, known: dict[str, Dimensions | None]) -> None:
    """Units of species: of what their start is set to, else of the species they are converted into, else of the rates
    that change them."""
    for rule in model.initial_assignments:
        known.setdefault(rule.variable, dimensions_of(rule.math, known.get, [], _TIME))
    waiting = True
    while waiting:
        waiting = _spread_once(model, known)


def _spread_once(model: Model, known: dict[str, Dimensions | None]) -> bool:
    """Whether another species got its unit."""
    before = sum(unit is not None for unit in known.values())
    for from_rates in (False, True):
        for reaction in model.reactions:
            members = [p.species for p in (*reaction.reactants, *reaction.products)]
            if all(known.get(name) is not None for name in members):
                continue
            unit = next((known[name] for name in members if known.get(name) is not None), None)
            if unit is None and from_rates:
                rate = dimensions_of(reaction.rate, known.get, [], _TIME)
                unit = None if rate is None else combine(rate, _TIME, Fraction(1))
            if unit is not None:
                for name in members:
                    if known.get(name) is None:
                        known[name] = unit
        if sum(unit is not None for unit in known.values()) > before:
            return True
    return False
