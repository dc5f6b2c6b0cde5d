"""Whether the parts of a model fit together: every name exists once, and nothing is determined twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..errors import near_misses
from .maths import Expr, symbols
from .records import Model


def inconsistencies(model: Model) -> list[str]:
    """One sentence for each name that is undefined, defined twice or determined twice."""
    return [*_undefined(model), *_misplaced(model), *_repeated(model), *_held(model)]


def _undefined(model: Model) -> Iterator[str]:
    """Names in formulas that the model does not have."""
    known = set(model.symbols)
    for where, expr in _formulas(model):
        for name in sorted(symbols(expr) - known):
            close = near_misses(name, known)
            yield (
                f"{model.source}: {where} uses '{name}', which is not defined"
                + (f"; did you mean {close[0]}?" if close else "")
            )


def _misplaced(model: Model) -> Iterator[str]:
    """References to elements that the model does not have."""
    known = {item.id for group in (model.species, model.parameters, model.compartments) for item in group}
    compartments, species = {compartment.id for compartment in model.compartments}, set(model.species_by_id)
    references = [
        *(("a rule sets", "", rule.variable, known) for rule in (*model.assignment_rules, *model.rate_rules)),
        *(("an initial assignment sets", "", rule.variable, known) for rule in model.initial_assignments),
        *(("event '{}' sets", event.id, rule.variable, known) for event in model.events for rule in event.assignments),
        *(("species '{}' is in the compartment", item.id, item.compartment, compartments) for item in model.species),
        *(
            ("species '{}' has the conversion factor", item.id, item.conversion_factor, known)
            for item in model.species
            if item.conversion_factor
        ),
        *(
            ("reaction '{}' names the species", reaction.id, participant.species, species)
            for reaction in model.reactions
            for participant in (*reaction.reactants, *reaction.products)
        ),
    ]
    if model.conversion_factor:
        references.append(("the model has the conversion factor", "", model.conversion_factor, known))
    for words, owner, name, names in references:
        if name not in names:
            close = near_misses(name, names)
            advice = f"; did you mean {close[0]}?" if close else ""
            yield f"{model.source}: {words.format(owner)} '{name}', which is not defined{advice}"


def _held(model: Model) -> Iterator[str]:
    """Species that nothing may change and a reaction changes: held by some tools, changed by others."""
    held = {item.id for item in model.species if item.constant and not item.boundary}
    for reaction in model.reactions:
        named = {participant.species for participant in (*reaction.reactants, *reaction.products)}
        for name in sorted(named & held):
            yield (
                f"{model.source}: species '{name}' is constant, but reaction '{reaction.id}' changes it; "
                "say of one that is held from outside that it is a boundary condition"
            )


def _repeated(model: Model) -> Iterator[str]:
    """Ids given twice, and variables with two rules."""
    for name in _twice(model.symbols):
        yield f"{model.source}: the id '{name}' is given to more than one element"
    for name in _twice(rule.variable for rule in (*model.assignment_rules, *model.rate_rules)):
        yield f"{model.source}: '{name}' has more than one rule; only one can determine it"
    for name in _twice(rule.variable for rule in model.initial_assignments):
        yield f"{model.source}: '{name}' has more than one initial assignment"
    for event in model.events:
        for name in _twice(rule.variable for rule in event.assignments):
            yield f"{model.source}: event '{event.id}' sets '{name}' more than once"


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _formulas(model: Model) -> Iterator[tuple[str, Expr]]:
    for reaction in model.reactions:
        yield f"reaction '{reaction.id}'", reaction.rate
        where = f"a stoichiometry of reaction '{reaction.id}'"
        for participant in (*reaction.reactants, *reaction.products):
            yield where, participant.stoichiometry
    for rule in (*model.assignment_rules, *model.rate_rules):
        yield f"the rule for '{rule.variable}'", rule.math
    for rule in model.initial_assignments:
        yield f"the initial assignment of '{rule.variable}'", rule.math
    for event in model.events:
        yield f"the trigger of event '{event.id}'", event.trigger
        for rule in event.assignments:
            yield f"event '{event.id}'", rule.math
        for what, expr in (("delay", event.delay), ("priority", event.priority)):
            if expr is not None:
                yield f"the {what} of event '{event.id}'", expr
