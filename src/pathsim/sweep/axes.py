"""What a sweep varies: listed values, which are crossed with each other, and ranges, which are sampled together.

``"1 nM .. 10 uM x 9"`` and ``[0.5, 1, 2]`` list values; ``"1 nM .. 10 uM"`` (no count) is a range. Doses are spaced
logarithmically, durations evenly, parameters and factors evenly unless the text ends in ``log``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np

from ..arguments import number
from ..arrays import FloatArray
from ..errors import InputError, PathsimError, repeated
from ..units import MOST_POINTS, Dimension, number_text, numbers, quantity, times_min


class Kind(Enum):
    """What the values of an axis do; the value is the table of the spec that holds such axes."""

    DOSE = "doses"
    DURATION = "durations"
    PARAMETER = "parameters"
    SCALE = "scales"


@dataclass(frozen=True, slots=True)
class Listed:
    """Values in the order they were written."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Values sampled between two ends, evenly or (``log``) evenly in the logarithm."""

    low: float
    high: float
    log: bool

    def at(self, share: FloatArray) -> FloatArray:
        """Values at shares (0 to 1) of the way from ``low`` to ``high``."""
        if self.log:
            return np.exp(math.log(self.low) + share * math.log(self.high / self.low))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that varies; ``unit`` is the symbol its values carry in treatment text (empty for parameters)."""

    name: str
    kind: Kind
    unit: str
    points: Listed | Range

    @property
    def column(self) -> str:
        """Its column of the table: ``alpelisib_nM``, ``pause_min``, ``k_S6K``, ``PTEN_total_scale``."""
        suffix = {"": "", "%": "_percent", "ng/ml": "_ng_per_ml"}.get(self.unit, f"_{self.unit}")
        return f"{self.name}{'_scale' if self.kind is Kind.SCALE else suffix}"

    @property
    def largest(self) -> float:
        """The largest of its values."""
        return self.points.high if isinstance(self.points, Range) else max(self.points.values)

    def text(self, value: float) -> str:
        """A value as treatment text has it."""
        return f"{number_text(value)} {self.unit}".rstrip()


_RANGE = re.compile(r"^\s*(?P<first>.+?)\s*\.\.\s*(?P<last>.+?)(?:\s+[x×]\s*(?P<count>\d+))?(?P<log>\s+log)?\s*$")


def read_axis(name: str, kind: Kind, value: Any) -> Axis:
    """An axis from what a spec holds. Raises :class:`InputError` saying what is wrong with it."""
    try:
        match kind:
            case Kind.DOSE:
                return _doses(name, value)
            case Kind.DURATION:
                return Axis(name, kind, "min", _checked(_durations(value), "duration", positive=True))
            case Kind.PARAMETER | Kind.SCALE:
                return Axis(name, kind, "", _checked(_plain(value), kind.value[:-1]))
    except PathsimError as error:
        raise InputError(f"[{kind.value}] {name}: {error}") from None


def _doses(name: str, value: Any) -> Axis:
    """Doses in the inner unit of whatever they are given in (nM, ng/ml or %)."""
    items = value if isinstance(value, list) else [value]
    found: list[float] = []
    dimensions: set[Dimension] = set()
    known = (Dimension.CONCENTRATION, Dimension.MASS_CONCENTRATION, Dimension.FRACTION)
    for item in items:
        if not isinstance(item, str):
            raise InputError(f"{item!r} has no unit; write for example '100 nM'")
        match = _RANGE.match(item)
        ends = [match["first"], match["last"]] if match else _amounts(item)
        read = [quantity(end, *known) for end in ends]
        dimensions |= {amount.unit.dimension for amount in read}
        if match is None:
            found += [amount.inner for amount in read]
            continue
        low, high = (amount.inner for amount in read)
        if min(low, high) <= 0:
            raise InputError(f"'{item}': a logarithmic range cannot start at zero; list the zero dose on its own")
        if match["count"] is None:
            if len(items) > 1:
                raise InputError(f"'{item}' is a range to sample; it cannot stand in a list (add 'x 9' for 9 doses)")
            return Axis(name, Kind.DOSE, read[0].unit.dimension.value, _range(low, high, log=True))
        found += _spaced(low, high, int(match["count"]), log=True)
    if len(dimensions) > 1:
        raise InputError(f"doses are in {' and '.join(sorted(d.value for d in dimensions))}; use one kind of unit")
    unit = next(iter(dimensions), Dimension.CONCENTRATION).value
    return Axis(name, Kind.DOSE, unit, _checked(Listed(tuple(found)), "dose"))


def _amounts(text: str) -> list[str]:
    """``"0 1 10 nM"`` as amounts: a number without a unit takes the next unit to its right."""
    words = re.findall(r"[-+.\w%/µμ]+", text)
    result: list[str] = []
    waiting: list[str] = []
    for word in words:
        number = re.match(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word)
        if number:
            waiting.append(number[0])
            word = word[number.end() :]
        if word:
            result += [f"{one} {word}" for one in waiting] or [word]
            waiting = []
    return [*result, *waiting] or [text]


def _durations(value: Any) -> Listed | Range:
    items = value if isinstance(value, list) else [value]
    found: list[float] = []
    for item in items:
        if not isinstance(item, str):
            raise InputError(f"{item!r} has no unit; write for example '24 h'")
        match = _RANGE.match(item)
        if match and match["count"] is None:
            low, high = times_min(f"{match['first']} {match['last']}")
            return _range(low, high, log=bool(match["log"]))
        found += times_min(item)
    return Listed(tuple(found))


def _plain(value: Any) -> Listed | Range:
    items = value if isinstance(value, list) else [value]
    found: list[float] = []
    for item in items:
        match = _RANGE.match(item) if isinstance(item, str) else None
        if match:
            low, high = (numbers(match[end])[0] for end in ("first", "last"))
            log = bool(match["log"])
            if log and min(low, high) <= 0:
                raise InputError(f"'{item}': a logarithmic range needs positive ends")
            if match["count"] is None:
                return _range(low, high, log)
            found += _spaced(low, high, int(match["count"]), log)
        else:
            found += numbers(item) if isinstance(item, str) else [number(item, "a value")]
    return Listed(tuple(found))


def _spaced(low: float, high: float, count: int, log: bool) -> list[float]:
    if count < 2:
        raise InputError(f"a range needs at least 2 points, not {count}")
    if count > MOST_POINTS:
        raise InputError(f"a range has at most {MOST_POINTS} points, not {count}")
    values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
    values[[0, -1]] = low, high  # exactly the ends typed
    return [float(value) for value in values]


def _range(low: float, high: float, log: bool) -> Range:
    if not low < high:
        raise InputError(f"a range goes up; {number_text(low)} .. {number_text(high)} does not")
    if log and low <= 0:
        raise InputError("a logarithmic range needs positive ends")
    return Range(low, high, log)


def _checked(points: Listed | Range, what: str, positive: bool = False) -> Listed | Range:
    """Refuse an empty axis, values that are not finite, repeats, and amounts or times out of range."""
    if isinstance(points, Range):
        if positive and points.low <= 0:
            raise InputError(f"{number_text(points.low)} is not a {what} above zero")
        return points
    if not points.values:
        raise InputError("no value is given")
    for value in points.values:
        if not math.isfinite(value) or (positive and value <= 0) or (what == "dose" and value < 0):
            raise InputError(f"{value!r} is not a {what}{' above zero' if positive else ''}")
    for value in repeated(points.values):
        raise InputError(f"{number_text(value)} is given twice")
    return points


def exact(value: float) -> Decimal:
    """The decimal that ``value`` is written as."""
    return Decimal(repr(float(value)))
