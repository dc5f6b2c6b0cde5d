"""Faults of what PEtab tables say together: names that nothing knows, that clash or that nothing uses, and priors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import InputError, near_misses, unknown
from ..estimation.priors import overlaps
from ..estimation.records import Observable, TableParameter
from ..estimation.scales import on_scale
from ..model import Model
from ..model.maths import symbols
from ..stats.noise import Family

_T = TypeVar("_T")
Used = tuple[str, frozenset[str]]
"""Where names are used, in words, and the names."""


@dataclass
class Uses:
    """What the tables beside one model say, as names; ``model`` is None where it could not be read.

    ``targets``: what conditions set; ``values``: names in what they set it to; ``overrides``: names that measurements
    fill in; ``first``: names in values that hold from the start of an experiment (version 2). ``complete`` is False
    where a table could not be read, so that what seems unknown may not be; ``whole`` where a table or a row could not,
    so that what seems unused may not be.
    """

    model: Model | None
    observables: list[tuple[str, Observable]] = field(default_factory=list)
    targets: list[tuple[str, str]] = field(default_factory=list)
    values: list[Used] = field(default_factory=list)
    overrides: list[Used] = field(default_factory=list)
    first: list[Used] = field(default_factory=list)
    whole: bool = True
    complete: bool = True

    def unknown(self, where: str, what: str, name: str, known: Iterable[str], problems: list[str]) -> None:
        """Say among ``problems`` that nothing in ``known`` has this name, unless it may stand in what was not read."""
        if self.complete:
            problems.append(f"{where}: {unknown(what, name, known)}")


def gathered(problems: list[str], read: Callable[..., _T], *arguments: Any) -> _T | None:
    """What ``read`` makes of ``arguments``; None, and its message among ``problems``, when it raises InputError."""
    try:
        return read(*arguments)
    except InputError as error:
        problems.append(str(error))
        return None


def positive_fault(family: Family, value: float) -> str:
    """What is wrong with a measurement that has no logarithm where its noise needs one; empty when nothing is."""
    return (
        "" if family.scale == "lin" or value > 0 else f"measurement is {value:g}; its noise is on a logarithmic scale"
    )


def name_faults(parameters: list[tuple[str, TableParameter]], parts: list[Uses], version: int) -> list[str]:
    """One line for each name that is unknown, clashes or is not used, and for each prior beyond its bounds.

    ``parameters`` are the rows of the parameter table with where they stand.
    """
    ids = {parameter.id for _, parameter in parameters}
    problems: list[str] = []
    for part in parts:
        problems += _part_faults(part, ids, version)
    problems += _parameter_faults(parameters, parts)
    for where, parameter in parameters:
        problems += _prior_faults(where, parameter)
    return list(dict.fromkeys(problems))


def _part_faults(part: Uses, ids: set[str], version: int) -> Iterator[str]:
    if part.model is None:
        return
    inside = set(part.model.symbols)
    for where, one in part.observables:
        if one.id in ids:
            yield f"{where}: '{one.id}' names both an observable and a parameter; ids must be unique"
        if one.id in inside:
            yield f"{where}: '{one.id}' names both an observable and a symbol of the model; ids must be unique"
    if not part.complete:
        return
    settable = {
        item.id for group in (part.model.parameters, part.model.species, part.model.compartments) for item in group
    }
    placeholders = {name for _, one in part.observables for name in (*one.placeholders, *one.noise_placeholders)}
    outputs = {name for _, one in part.observables for name in _names(one)} - placeholders
    targets = {target for _, target in part.targets}
    for where, target in part.targets:
        if target in inside - settable:
            yield f"{where} '{target}' is a reaction, which no condition can set"
        elif target not in settable | outputs:
            yield f"{where} '{target}' is neither in the model nor in an observable{_meant(target, settable | outputs)}"
    for where, one in part.observables:
        known = {*inside, *ids, *targets, *one.placeholders}  # placeholders of the noise are filled in there only
        yield from _unknown(where, "name", frozenset(symbols(one.formula)), known)
        yield from _unknown(
            where, "name", _names(one, version), known.union(symbols(one.formula), one.noise_placeholders)
        )
    for where, names in part.overrides:
        yield from _unknown(where, "parameter", names, ids | targets)
    for where, names in part.values:
        yield from _unknown(where, "parameter", names, inside | ids | targets)
    for where, names in part.first:
        for name in sorted(names & inside - ids):
            yield (
                f"{where}: '{name}' is not in the parameter table; values that hold from the start of an experiment "
                "are made of parameters of that table, numbers and time"
            )


def _names(one: Observable, version: int = 2) -> frozenset[str]:
    """Names in the formulas of an observable; in version 2 its noise may mean the observable itself."""
    noise = symbols(one.noise) if one.noise is not None else set()
    return frozenset(symbols(one.formula) | (noise - {one.id} if version == 2 else noise))


def _unknown(where: str, what: str, names: frozenset[str], known: set[str]) -> Iterator[str]:
    for name in sorted(names - known):
        yield f"{where}: {unknown(what, name, sorted(known))}"


def _parameter_faults(parameters: list[tuple[str, TableParameter]], parts: list[Uses]) -> Iterator[str]:
    """Rows of the parameter table that are none, or that nothing uses."""
    placeholders: dict[str, str] = {}
    by_rule: set[str] = set()
    inside: set[str] = set()
    used: set[str] = set()
    for part in parts:
        for _, one in part.observables:
            placeholders |= dict.fromkeys((*one.placeholders, *one.noise_placeholders), one.id)
            used |= _names(one)
        if part.model is not None:
            rules = {rule.variable for rule in (*part.model.assignment_rules, *part.model.rate_rules)}
            free = {parameter.id for parameter in part.model.parameters} - rules
            used |= free
            by_rule |= rules
            inside |= set(part.model.symbols) - free
        used = used.union(*(names for _, names in (*part.values, *part.overrides)))
    targets = {target for part in parts for _, target in part.targets}
    whole = all(part.whole and part.model is not None for part in parts)
    for where, parameter in parameters:
        name = parameter.id
        if name in placeholders:
            yield f"{where}: '{name}' is a placeholder of the observable '{placeholders[name]}', no parameter"
        elif name in targets:
            yield f"{where}: '{name}' is set in the condition table too; it must be in one of both"
        elif name in inside:
            what = "set by a rule of the model" if name in by_rule else "no parameter of the model"
            yield f"{where}: '{name}' is {what}; only the model's free parameters may be in the parameter table"
        elif name not in used and whole:
            yield f"{where}: neither the model nor a formula, condition or measurement uses it{_meant(name, used)}"


def _prior_faults(where: str, parameter: TableParameter) -> Iterator[str]:
    prior = parameter.prior
    if prior is None or not parameter.estimated:
        return
    lower, upper = parameter.lower, parameter.upper
    if prior.on_scale:
        lower, upper = on_scale(lower, parameter.scale), on_scale(upper, parameter.scale)
    if not overlaps(prior, lower, upper):
        yield (
            f"{where}: the prior {prior.distribution} ({'; '.join(f'{value:g}' for value in prior.parameters)}) has "
            f"nothing between the bounds {lower:g} and {upper:g}"
        )


def _meant(name: str, known: set[str]) -> str:
    close = near_misses(name, sorted(known), 1)
    return f" (is '{close[0]}' meant?)" if close else ""
