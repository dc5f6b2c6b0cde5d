"""Treatment text with ``{axis}`` in place of amounts and durations, and the numbers it stands for.

The grammar is that of treatments: a placeholder is replaced by a number nobody would write, the text is parsed, and
the number found again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from ..errors import InputError, PathsimError, raise_together, unknown
from ..experiments.conditions import kept_in
from ..lab import CellLine, Library, Step, Treatment
from ..units import UNITS, Dimension, Quantity
from .axes import Axis, Kind

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_STANDIN = 1_357_913_579


@dataclass(frozen=True, slots=True)
class Substance:
    """What a step holds of one drug in one kind of unit: fixed amounts, and axes that add to them.

    ``coefficients``: parameter -> increase per inner unit.
    """

    name: str
    fixed: tuple[Decimal, ...]
    axes: tuple[str, ...]
    coefficients: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Medium:
    """One step: substances in the order in which their additions are summed, and the minutes (or the axis) it lasts."""

    substances: tuple[Substance, ...]
    minutes: float | str | None


@dataclass(frozen=True, slots=True)
class Protocol:
    """A treatment with placeholders."""

    text: str
    rest: Medium
    steps: tuple[Medium, ...]

    def write(self, texts: Mapping[str, str]) -> str:
        """The treatment text with a value for every placeholder; zero doses are left out, as at the bench."""
        treatment = Treatment.parse(_PLACEHOLDER.sub(lambda match: texts[match[1].strip()], self.text))
        steps = (replace(step, doses=tuple(d for d in step.doses if d.amount.value > 0)) for step in treatment.steps)
        return str(Treatment(tuple(steps)))

    @property
    def pieces(self) -> list[str]:
        """The text cut at its placeholders: text, axis, text, axis, ..., text."""
        return [piece.strip() if i % 2 else piece for i, piece in enumerate(_PLACEHOLDER.split(self.text))]


def read_protocol(text: str, axes: Sequence[Axis], library: Library, rest: Step, latest: float) -> Protocol:
    """Read treatment text with placeholders for ``axes``; cells come to rest in ``rest``, the last reading is
    taken at ``latest`` (min).

    Raises :class:`InputError` listing everything that is wrong with it.
    """
    by_name = {axis.name: axis for axis in axes if axis.kind in (Kind.DOSE, Kind.DURATION)}
    used = [name.strip() for name in _PLACEHOLDER.findall(text)]
    problems = [str(unknown("placeholder", name, by_name, f"in '{text}'")) for name in used if name not in by_name]
    problems += [
        f"[{axis.kind.value}] {name} is not in treatment '{text}'; write {{{name}}} where its value belongs"
        for name, axis in by_name.items()
        if name not in used
    ]
    raise_together(problems)
    numbers = {name: _STANDIN + i for i, name in enumerate(by_name)}
    axis_of = {number: name for name, number in numbers.items()}
    filled = _PLACEHOLDER.sub(lambda match: f"{numbers[match[1].strip()]} {by_name[match[1].strip()].unit}", text)
    try:
        treatment = Treatment.parse(filled)
    except PathsimError as error:
        said = str(error)
        for name, number in numbers.items():
            said = said.replace(f"{number} {by_name[name].unit}", f"{{{name}}}")
        raise InputError(said) from None
    most = {axis.name: axis.largest for axis in axes}
    steps = tuple(_medium(step, axis_of, most, library, problems) for step in treatment.steps)
    raise_together(problems)
    placed = {axis for step in steps for one in step.substances for axis in one.axes}
    placed |= {step.minutes for step in steps if isinstance(step.minutes, str)}
    raise_together(
        [
            f"{{{name}}} stands for {by_name[name].kind.value}, which is not what treatment '{text}' has in its place"
            for name in by_name
            if name not in placed
            or (by_name[name].kind is Kind.DURATION) != any(name == step.minutes for step in steps)
        ]
    )
    last = steps[-1].minutes
    if last is not None and (isinstance(last, str) or last < latest):
        raise InputError(
            f"the last step of '{text}' must last until the last reading at {latest:g} min; leave out its 'for'"
        )
    return Protocol(text, _medium(rest, {}, {}, library, problems), steps)


def read_media(lines: Sequence[CellLine], library: Library) -> tuple[Medium | None, ...]:
    """The medium that each line is kept in, None where that is the one of the protocol.

    Raises :class:`InputError` for drugs that do not exist.
    """
    problems: list[str] = []
    steps = [kept_in(line) for line in lines]
    media = tuple(None if step is None else _medium(step, {}, {}, library, problems) for step in steps)
    raise_together(problems)
    return media if any(media) else ()


def _medium(
    step: Step, axis_of: Mapping[int, str], most: Mapping[str, float], library: Library, problems: list[str]
) -> Medium:
    """A step with its doses summed by substance and kind of unit, in the order the lab sums them.

    ``most``: the largest value of each axis; doses beyond what makes sense of a drug go to ``problems``.
    """
    fixed: dict[tuple[str, Dimension], list[Decimal]] = {}
    moving: dict[tuple[str, Dimension], list[str]] = {}
    for dose in step.doses:
        axis = axis_of.get(int(dose.amount.value)) if dose.amount.value.is_integer() else None
        largest = dose.amount if axis is None else Quantity(most[axis], dose.amount.unit)
        try:
            drug = library.drug(dose.name)
            drug.additions(largest)
        except PathsimError as error:
            problems.append(str(error))
            continue
        key = (drug.name, dose.amount.unit.dimension)
        fixed.setdefault(key, [])
        moving.setdefault(key, [])
        if axis is None:
            fixed[key].append(dose.amount.exact)
        else:
            moving[key].append(axis)
    substances = []
    for key in sorted(fixed, key=lambda item: (item[0], item[1].value)):
        coefficients = library.drug(key[0]).additions(Quantity(1.0, UNITS[key[1].value]))
        substances.append(Substance(key[0], tuple(fixed[key]), tuple(moving[key]), tuple(coefficients.items())))
    minutes: float | str | None = step.minutes
    if step.duration is not None and int(step.duration.value) in axis_of:
        minutes = axis_of[int(step.duration.value)]
    return Medium(tuple(substances), minutes)
