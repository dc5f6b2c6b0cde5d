"""The lab's door: a cell line under a treatment becomes an experiment, a chain of periods that set parameters.

Everything done to a cell is arithmetic on the parameters, so where parameters are free each of them is set to
``factor * free + offset``. What is true of cells at rest is written here, and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from ..errors import InputError, near_misses, raise_together
from ..lab import FULL_MEDIUM, CellLine, Condition, Library, Step, Treatment
from ..lab.constants import with_free
from ..lab.drug import drug_of, potency_of
from ..lab.library import NO_LINE
from ..lab.protocols import protocols
from ..model import Model
from ..model.maths import Expr, number, symbol
from ..solve import System
from .experiment import STEADY_STATE, Change, Experiment, Period


def experiment_of(
    condition: Condition, system: System, library: Library, free: Sequence[str] = (), medium: Step | None = None
) -> Experiment:
    """A condition as an experiment of ``system``: rest in full medium, then a period for each step.

    Time zero is the start of the last step. Each period sets everything that line and medium set; the rest is as the
    model has it. An initial value is where cells start to come to rest from, so only the first period sets one.

    Args:
        free: names of free parameters: ``name`` for all lines, ``name@line`` in place of the line's own number. What a
            line scales or a drug adds to acts on the free value. Of an altered line (``T47D+PTEN_loss``) the number may
            be ``name@T47D``. ``potency(drug)`` is the factor on all that a drug does.
        medium: what cells rest in; default what the line is kept in, full medium, or nothing where the model knows no
            serum.

    Raises:
        InputError: the condition acts on a parameter that the model does not have. UnknownNameError: no such drug.
    """
    own = plain_numbers(system)
    refuse_impossible(condition.cell_line, system)
    rest = medium or kept_in(condition.cell_line) or resting_medium(system.model)
    line, applying = with_free(condition.cell_line, [name for name in free if not drug_of(name)])
    potent = frozenset(filter(None, map(drug_of, free)))
    bare = replace(condition, cell_line=line)
    steps = bare.treatment.steps
    first = _settings(bare, rest, system, own, library, applying, potent)
    first |= {name: number(value) for name, value in while_resting(system).items()}
    periods = [Period(STEADY_STATE, _changes(first))]
    for i, step in enumerate(steps):
        start = 0.0 - sum(later.minutes or 0.0 for later in steps[i:-1])
        settings = _settings(bare, step, system, own, library, applying, potent)
        lasting = {name: value for name, value in settings.items() if system.slots[name] < len(system.parameters)}
        periods.append(Period(start, _changes(lasting)))
    return Experiment(f"{condition.cell_line}, {condition.treatment}", tuple(periods), carries=False)


def refuse_impossible(line: CellLine, system: System) -> None:
    """Raise :class:`InputError` where a line sets a share beyond 0 to 1, or a negative number for one that is none, and
    where shares of one thing (``share of p110 alpha that is ...``) add up to more than 1."""
    own, shares = plain_numbers(system), _shares(system)
    set_here = line.apply(own)
    problems = [
        f"{name} is {value:g}; it lies between 0 and 1 ({shares[name]})"
        if name in shares
        else f"{name} is {value:g}; it cannot be negative"
        for name, value in set_here.items()
        if (name in shares and not 0 <= value <= 1) or (name not in shares and value < 0 <= own.get(name, -1.0))
    ]
    for whole, names in _parts_of_one(system).items():
        parts = {name: set_here.get(name, own.get(name, 0.0)) for name in names}
        if not problems and not set_here.keys().isdisjoint(names) and sum(parts.values()) > 1 + 1e-9:
            said = " + ".join(f"{name} {value:g}" for name, value in parts.items() if value)
            problems.append(f"shares of {whole} add up to {sum(parts.values()):g} ({said}); at most 1 is possible")
    raise_together(problems, str(line))


def kept_in(line: CellLine) -> Step | None:
    """The medium that a line is kept in, None where that is full medium."""
    return Treatment.parse(line.medium).steps[0] if line.medium else None


def resting_medium(model: Model) -> Step:
    """What cells come to rest in: full medium, or nothing where the model knows no serum."""
    return FULL_MEDIUM if protocols(model.version).names.serum in model.symbols else Step(())


def while_resting(system: System) -> dict[str, float]:
    """What is set while cells come to rest: a growing culture is passaged, kept at constant density, else it has no
    steady state."""
    passaging = protocols(system.model.version).names.passaging
    return {passaging: 1.0} if passaging in system.slots else {}


def _settings(
    condition: Condition,
    step: Step,
    system: System,
    own: Mapping[str, float],
    library: Library,
    applying: Mapping[str, str],
    potent: Collection[str],
) -> dict[str, Expr]:
    """What a condition sets during a step: numbers, or formulas of the free parameters, among them the potencies of the
    drugs in ``potent``."""
    line = condition.cell_line
    at_zero = {**own, **dict.fromkeys(applying, 0.0)} if applying else own
    inert = library.with_potencies({potency_of(name): 0.0 for name in potent})
    offsets = condition.settings(step, at_zero, inert)
    missing = sorted(name for name in offsets if name not in system.slots)
    if missing:
        close = near_misses(missing[0], system.slots)
        strange = condition.cell_line.set and not {*condition.cell_line.set, *condition.cell_line.scale} & set(
            system.slots
        )
        raise InputError(
            f"'{condition.cell_line}' under '{step}' acts on {', '.join(repr(name) for name in missing)}, which model "
            f"'{system.model.id}' does not have"
            + (f" (near: {', '.join(close)})" if close else "")
            + (f"; the line '{NO_LINE}' is the model as it is" if strange else "")
        )
    found = {name: number(value) for name, value in offsets.items()}
    for name, free in applying.items():
        factor = 0.0 if name in line.set else line.scale.get(name, 1.0)
        if factor == 0.0 or (name == free and name not in offsets):  # not free here, or as it is everywhere
            continue
        term = symbol(free) if factor == 1.0 else Expr("times", (number(factor), symbol(free)))
        offset = offsets.get(name, 0.0)
        found[name] = Expr("plus", (term, number(offset))) if offset else term
    for dose in step.doses:
        drug = library.drug(dose.name)
        if drug.name in potent:
            for name, effect in drug.with_potency(1.0).additions(dose.amount).items():
                added = Expr("times", (number(effect), symbol(potency_of(drug.name))))
                found[name] = Expr("plus", (found[name], added))
    return found


def _changes(settings: Mapping[str, Expr]) -> tuple[Change, ...]:
    return tuple(Change(name, value) for name, value in settings.items())


@lru_cache(maxsize=64)
def _shares(system: System) -> Mapping[str, str]:
    """What each constant is that lies between 0 and 1."""
    notes = (note for note in system.model.annotations if note.is_share and not note.is_rule)
    return MappingProxyType({note.name: note.text for note in notes})


@lru_cache(maxsize=64)
def _parts_of_one(system: System) -> Mapping[str, tuple[str, ...]]:
    """Constants that are shares of one thing, by what their notes call it; single shares are left out, and what parts
    of a thing need (``that needs no AKT``), since one part may need two things."""
    found: dict[str, list[str]] = {}
    for name, text in _shares(system).items():
        whole = re.match(r"share of (.+?) (?:that is|with|in|locked)\b", text)
        if whole:
            found.setdefault(whole[1], []).append(name)
    return MappingProxyType({whole: tuple(names) for whole, names in found.items() if len(names) > 1})


@lru_cache(maxsize=64)
def plain_numbers(system: System) -> Mapping[str, float]:
    """The model's own number for every parameter and initial value that is a plain number."""
    names = (*system.parameters, *system.states)
    numbers = zip(names, system.defaults, strict=True)
    return MappingProxyType({name: float(value) for name, value in numbers if not math.isnan(value)})
