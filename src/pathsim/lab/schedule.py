"""Dosing schedules as they stand in a protocol: ``paxalisib 15 mg/kg daily + mirdametinib 10 mg/kg twice daily``.

::

    regimen  = "vehicle" | course (" + " course)*
    course   = name amount rhythm [pattern] ["from day" n] ["for" time]
    amount   = number ("mg/kg" | "mg")
    rhythm   = "once" | "daily" | "twice daily" | "every other day" | "weekly" | "every" time
    pattern  = n "on / " n "off"           days of dosing and days of rest

Time zero is the first possible dose. Printing gives back the text as it was meant.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, PathsimError, near_misses, raise_together, repeated
from ..units import Dimension, number_text, quantity
from .wording import drugs_of, is_untreated

DAY = 1440.0
RHYTHMS = {
    "once": math.inf,
    "daily": DAY,
    "twice daily": DAY / 2,
    "every other day": 2 * DAY,
    "weekly": 7 * DAY,
}
"""Minutes from one dose to the next."""
MOST = {"mg/kg": 1000.0, "mg": 50_000.0}
"""The largest dose by its unit: well above any that is tolerated."""
_SPELLINGS = {
    "once daily": "daily", "qd": "daily", "every day": "daily", "bid": "twice daily", "qod": "every other day",
    "every 2 days": "every other day", "once weekly": "weekly", "qw": "weekly",
}  # fmt: skip
_COURSE = re.compile(r"^(?P<name>\S+)\s+(?P<number>[-+.\w]+)\s*(?P<unit>mg/kg|mg)\s*/?\s*(?P<rest>.*)$", re.IGNORECASE)
_PATTERN = re.compile(r"\b(?P<on>\d+)\s*(?:days?\s*)?on\s*/?\s*(?P<off>\d+)\s*(?:days?\s*)?off\b", re.IGNORECASE)
_FROM = re.compile(r"\bfrom\s+day\s+(?P<day>\S+)", re.IGNORECASE)
_FOR = re.compile(r"\bfor\s+(?P<time>[\d.]+\s*\w+)\s*$", re.IGNORECASE)
_EVERY = re.compile(r"^every\s+(?P<time>\S+\s*[a-z]+)$", re.IGNORECASE)
_EXAMPLE = "'paxalisib 15 mg/kg daily' or 'capivasertib 100 mg/kg twice daily 4 on / 3 off'"


@dataclass(frozen=True, slots=True)
class Course:
    """One drug's schedule. ``amount`` in mg/kg, or in mg for a whole subject; times in minutes.

    ``on_days`` of dosing alternate with ``off_days`` of rest (0: no rest).
    """

    drug: str
    amount: float
    per_kg: bool
    interval_min: float
    on_days: int = 0
    off_days: int = 0
    first_min: float = 0.0
    length_min: float = math.inf

    def times(self, horizon_min: float) -> FloatArray:
        """When doses are given before ``horizon_min``, in minutes, ascending."""
        last = min(horizon_min, self.first_min + self.length_min)
        if not math.isfinite(self.interval_min):
            return np.array([self.first_min] if self.first_min < last else [])
        count = max(0, math.ceil((last - self.first_min) / self.interval_min - 1e-9))
        since = np.arange(count) * self.interval_min
        if self.off_days:
            since = since[(since % ((self.on_days + self.off_days) * DAY)) < self.on_days * DAY - 1e-9]
        return np.asarray(self.first_min + since)

    @property
    def period_min(self) -> float:
        """After how long the schedule repeats itself; infinite for a single dose."""
        return (self.on_days + self.off_days) * DAY if self.off_days else self.interval_min

    def __str__(self) -> str:
        named = {minutes: name for name, minutes in RHYTHMS.items()}
        rhythm = named.get(self.interval_min, f"every {number_text(self.interval_min / 60)} h")
        text = f"{self.drug} {number_text(self.amount)} {'mg/kg' if self.per_kg else 'mg'} {rhythm}"
        if self.off_days:
            text += f" {self.on_days} on / {self.off_days} off"
        if self.first_min:
            text += f" from day {number_text(self.first_min / DAY)}"
        if math.isfinite(self.length_min):
            text += f" for {number_text(self.length_min / DAY)} d"
        return text


@dataclass(frozen=True, slots=True)
class Regimen:
    """What one arm of a study receives; no course is vehicle."""

    courses: tuple[Course, ...]

    def __str__(self) -> str:
        return " + ".join(map(str, self.courses)) or "vehicle"

    @classmethod
    def parse(cls, text: str) -> Regimen:
        """Read a regimen. Raises :class:`InputError` naming every part that does not read as a schedule."""
        if not text.strip():
            raise InputError(f"the arm is empty; write 'vehicle' or for example {_EXAMPLE}")
        if is_untreated(text.strip()):
            return cls(())
        problems: list[str] = []
        found = [_course(part.strip(), problems) for part in drugs_of(text.strip())]
        courses = tuple(course for course in found if course is not None)
        names = [course.drug.lower() for course in courses]
        problems += [f"'{name}' is scheduled twice" for name in sorted(repeated(names))]
        raise_together(problems, f"arm '{text.strip()}'")
        return cls(courses)


def _course(text: str, problems: list[str]) -> Course | None:
    if is_untreated(text):
        problems.append(f"'{text}' means nothing is given; it stands alone")
        return None
    match = _COURSE.match(text)
    if match is None:
        problems.append(f"'{text}' is not a schedule; write drug, dose and rhythm, for example {_EXAMPLE}")
        return None
    before = len(problems)
    amount = _amount(match["number"], match["unit"], text, problems)
    rest, first, length, on, off = _options(match["rest"].strip(), text, problems)
    interval = _interval(rest, text, problems)
    if off and interval > on * DAY and math.isfinite(interval):
        problems.append(f"'{text}': doses are further apart than the {on} days of dosing")
    if len(problems) > before:
        return None
    return Course(match["name"], amount, match["unit"].lower() == "mg/kg", interval, on, off, first, length)


def _amount(number: str, unit: str, text: str, problems: list[str]) -> float:
    try:
        amount = float(number)
    except ValueError:
        problems.append(f"'{text}': '{number}' is not a number")
        return math.nan
    if not 0 < amount < math.inf:
        problems.append(f"'{text}': a dose of {number} is impossible; leave the drug out for no dose")
    elif amount > MOST[unit.lower()]:
        problems.append(
            f"'{text}': nobody is given more than {MOST[unit.lower()]:g} {unit} at once; is the unit right?"
        )
    return amount


def _options(rest: str, text: str, problems: list[str]) -> tuple[str, float, float, int, int]:
    """The rhythm that is left, first dose (min), length (min), days on, days off."""
    first, length, on, off = 0.0, math.inf, 0, 0
    if found := _FOR.search(rest):
        try:
            length = quantity(found["time"], Dimension.TIME).inner
        except PathsimError as error:
            problems.append(f"'{text}': {error}")
        if length <= 0:
            problems.append(f"'{text}' lasts no time")
        rest = rest[: found.start()].strip()
    if found := _FROM.search(rest):
        try:
            first = float(found["day"]) * DAY
        except ValueError:
            problems.append(f"'{text}': day '{found['day']}' is not a number")
        if first < 0 or not math.isfinite(first):
            problems.append(f"'{text}' starts before day 0")
        rest = (rest[: found.start()] + rest[found.end() :]).strip()
    if found := _PATTERN.search(rest):
        on, off = int(found["on"]), int(found["off"])
        if on == 0:
            problems.append(f"'{text}' has no day of dosing")
        rest = (rest[: found.start()] + rest[found.end() :]).strip()
    return rest.strip(" ,"), first, length, on, off


def _interval(rest: str, text: str, problems: list[str]) -> float:
    rhythm = _SPELLINGS.get(rest.lower(), rest.lower())
    if rhythm in RHYTHMS:
        return RHYTHMS[rhythm]
    if found := _EVERY.match(rest):
        try:
            interval = quantity(found["time"], Dimension.TIME).inner
        except PathsimError as error:
            problems.append(f"'{text}': {error}")
            return math.inf
        if interval < 30:
            problems.append(f"'{text}': doses less than half an hour apart are an infusion, which is not modelled")
        return interval
    close = near_misses(rest, [*RHYTHMS, *_SPELLINGS]) if rest else []
    advice = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(RHYTHMS)}, every 8 h"
    what = f"unknown rhythm '{rest}': {advice}" if rest else f"the rhythm is missing; {advice}"
    problems.append(f"'{text}': {what}")
    return math.inf
