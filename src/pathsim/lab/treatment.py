"""Treatment text: what is done to the cells, as a bench scientist writes it down.

::

    treatment = step (" then " step)*
    step      = doses [" for " time]
    doses     = "vehicle" | dose (" + " dose)*
    dose      = name number unit

Each step names everything in the medium, so washing out is leaving out, and serum starvation is ``vehicle for 24 h``.
Before the first step cells are at steady state in full medium (``serum 10 %``). Every step but the last needs a
duration; time zero of a readout is the start of the last step. Printing gives back the text as it was meant:
``Treatment.parse(str(t)) == t``. Other words of the bench (``DMSO``, ``starve for 24 h``, ``1 uM alpelisib and
10 nM trametinib``) are understood: ``wording.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..arguments import shortened
from ..errors import InputError, PathsimError, brief, raise_together
from ..units import Dimension, Quantity, quantity
from .wording import VEHICLE, drugs_of, is_vehicle, steps_of

_NAME = re.compile(r"[^\W\d_][\w.()/-]*|\d[\w.()/-]*[^\W\d_][\w.()/-]*")
_DOSE = re.compile(r"^(?P<name>\S+)\s+(?P<amount>[-+.\d].*|nan.*|inf.*)$", re.IGNORECASE)
_REVERSED = re.compile(r"^(?P<amount>[-+.\d]\S*(?:\s[^\s\d]\S*)?)\s(?P<name>\S+)$")
_AMOUNTS = (Dimension.CONCENTRATION, Dimension.MASS_CONCENTRATION, Dimension.FRACTION)


@dataclass(frozen=True, slots=True)
class Dose:
    """A named substance at an amount: ``Dose("alpelisib", quantity("1 uM"))``."""

    name: str
    amount: Quantity

    def __str__(self) -> str:
        return f"{self.name} {self.amount}"


@dataclass(frozen=True, slots=True)
class Step:
    """A medium and how long the cells stay in it; None means until they are read."""

    doses: tuple[Dose, ...]
    duration: Quantity | None = None

    def __str__(self) -> str:
        doses = " + ".join(map(str, self.doses)) or VEHICLE
        return f"{doses} for {self.duration}" if self.duration else doses

    @property
    def minutes(self) -> float | None:
        """The duration in minutes."""
        return None if self.duration is None else self.duration.inner


@dataclass(frozen=True, slots=True)
class Treatment:
    """One or more steps; the last one is where readouts are taken."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return " then ".join(map(str, self.steps))

    @classmethod
    def parse(cls, text: str) -> Treatment:
        """Read treatment text.

        Raises :class:`InputError` naming every part that does not read as a step, a dose or a time.
        """
        if not isinstance(text, str):
            raise InputError(f"the treatment is {brief(repr(text))}; write it as text, for example 'alpelisib 1 uM'")
        words = " ".join(text.split())  # long runs of spaces would take patterns the square of their length
        if not words:
            raise InputError("the treatment is empty; write for example 'vehicle' or 'alpelisib 1 uM for 1 h'")
        problems: list[str] = []
        parts = steps_of(words)
        steps = tuple(_parse_step(part, last=i == len(parts) - 1, problems=problems) for i, part in enumerate(parts))
        raise_together(shortened(problems), f"treatment '{brief(words, 200)}'")
        return cls(steps)

    @property
    def names(self) -> tuple[str, ...]:
        """Substances named in any step, each once, in order of appearance."""
        return tuple(dict.fromkeys(dose.name for step in self.steps for dose in step.doses))

    def with_added(self, doses: Iterable[Dose]) -> Treatment:
        """The same with more in the medium of the last step."""
        last = self.steps[-1]
        return Treatment((*self.steps[:-1], replace(last, doses=(*last.doses, *doses))))


def _parse_step(text: str, last: bool, problems: list[str]) -> Step:
    doses_text, _, duration_text = (part.strip() for part in _partition_duration(text))
    duration = None
    if duration_text:
        try:
            duration = quantity(duration_text, Dimension.TIME)
        except PathsimError as error:
            problems.append(str(error))
        else:
            if duration.value <= 0:
                problems.append(f"'{text}' lasts {duration}; a step must take longer than zero time")
    elif not last:
        problems.append(f"'{text}' needs a duration, because a step follows; write for example '{text} for 24 h'")
    if is_vehicle(doses_text):
        return Step((), duration)
    doses = [_parse_dose(part, problems) for part in drugs_of(doses_text)]
    return Step(tuple(dose for dose in doses if dose is not None), duration)


def _partition_duration(text: str) -> tuple[str, str, str]:
    match = re.match(r"^(?P<doses>.*?)\s+for\s+(?P<time>.*)$", text)
    return (match["doses"], "for", match["time"]) if match else (text, "", "")


def _parse_dose(text: str, problems: list[str]) -> Dose | None:
    if is_vehicle(text):
        problems.append(f"'{text}' means nothing is added; it stands alone in a step")
        return None
    match = _DOSE.match(text) or _reversed(text)
    if match is None or not _NAME.fullmatch(match["name"]):
        problems.append(f"'{brief(text)}' is not a dose; write name, number and unit, for example 'alpelisib 1 uM'")
        return None
    try:
        amount = quantity(match["amount"], *_AMOUNTS)
    except PathsimError as error:
        problems.append(f"'{brief(text)}': {error}")
        return None
    if amount.value < 0:
        problems.append(f"'{text}' is a negative dose")
        return None
    return Dose(match["name"], amount)


def _reversed(text: str) -> re.Match[str] | None:
    """The parts of a dose whose amount comes first, as in ``1 uM alpelisib``."""
    match = _REVERSED.match(text)
    if match is None:
        return None
    try:
        quantity(match["amount"], *_AMOUNTS)
    except PathsimError:
        return None
    return match
