"""Units at the border: inside pathsim everything is nM and minutes; text carries its unit.

Conversions go through decimal arithmetic so that ``"1.1 uM"`` is exactly the float nearest to 1100 nM, whichever way
it is written.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

import numpy as np

from .errors import InputError, brief, unknown


class Dimension(Enum):
    """The kinds of amount a protocol can name; the value is what it is counted in inside pathsim."""

    CONCENTRATION = "nM"
    MASS_CONCENTRATION = "ng/ml"
    FRACTION = "%"
    TIME = "min"
    BODY_DOSE = "mg/kg"


@dataclass(frozen=True, slots=True)
class Unit:
    """One spelling of a unit: ``value * factor`` is the amount in the dimension's inner unit."""

    symbol: str
    dimension: Dimension
    factor: Decimal


_FACTORS: dict[Dimension, dict[str, Decimal]] = {
    Dimension.CONCENTRATION: {
        "nM": Decimal(1), "fM": Decimal("1e-6"), "pM": Decimal("1e-3"),
        "uM": Decimal("1e3"), "mM": Decimal("1e6"), "M": Decimal("1e9"),
    },
    Dimension.MASS_CONCENTRATION: {
        "ng/ml": Decimal(1), "pg/ml": Decimal("1e-3"), "ug/ml": Decimal("1e3"), "mg/ml": Decimal("1e6"),
    },
    Dimension.FRACTION: {"%": Decimal(1)},
    Dimension.TIME: {
        "min": Decimal(1), "s": Decimal(1) / Decimal(60), "h": Decimal(60), "d": Decimal(1440), "week": Decimal(10080),
    },
    Dimension.BODY_DOSE: {"mg/kg": Decimal(1)},
}  # fmt: skip

UNITS = {
    symbol: Unit(symbol, dimension, factor)
    for dimension, factors in _FACTORS.items()
    for symbol, factor in factors.items()
}

_SPELLINGS = {
    "sec": "s", "second": "s", "seconds": "s",
    "mins": "min", "minute": "min", "minutes": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "day": "d", "days": "d", "weeks": "week", "wk": "week",
    "percent": "%",
}  # fmt: skip

_NUMBER = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf(?:inity)?)\b", re.IGNORECASE
)
MOST_POINTS = 1_000_000
"""The most points that a range may have."""


def unit(text: str) -> Unit:
    """The unit spelt ``text``. Micro may be ``u``, ``µ`` or ``μ``; litres may be ``L`` or ``l``.

    Raises :class:`UnknownNameError` with the near misses.
    """
    spelt = _text(text, "a unit").strip().replace("µ", "u").replace("μ", "u")
    if "/" in spelt:
        spelt = spelt.replace("mL", "ml")
    spelt = _SPELLINGS.get(spelt.lower(), spelt)
    found = UNITS.get(spelt)
    if found is None:
        raise unknown("unit", brief(text), UNITS)
    return found


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit as the user wrote it: ``Quantity(1.0, UNITS["uM"])`` prints ``1 uM``."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        return f"{number_text(self.value)} {self.unit.symbol}"

    @property
    def exact(self) -> Decimal:
        """The amount in the dimension's inner unit (nM, ng/ml, %, min or mg/kg), as the decimal that was written."""
        return Decimal(repr(self.value)) * self.unit.factor

    @property
    def inner(self) -> float:
        """The amount in the dimension's inner unit (nM, ng/ml, %, min or mg/kg).

        Raises :class:`InputError` where that is more than a number of the machine can hold.
        """
        amount = float(self.exact)
        if not math.isfinite(amount):
            raise InputError(f"'{self}' is more than can be counted in {self.unit.dimension.value}")
        return amount


def quantity(text: str, *dimensions: Dimension) -> Quantity:
    """Read ``"100 nM"``, ``"2h"`` or ``"10 %"``; ``dimensions`` are the ones that make sense here.

    Raises :class:`InputError` for a missing number or unit, a number that is not finite, or a unit of another kind.
    """
    written = _text(text, "an amount").strip()
    match = _NUMBER.match(written)
    symbol = written[match.end() :].strip() if match else ""
    expected = " or ".join(f"'{_EXAMPLE[dimension]}'" for dimension in dimensions or (Dimension.CONCENTRATION,))
    if match is None or not symbol:
        raise InputError(f"'{brief(written)}' is not a number with a unit; write for example {expected}")
    if re.match(r",[0-9]", symbol):
        raise InputError(f"'{brief(written)}': a decimal point is needed where the comma is")
    value = _number(match[0])
    found = unit(symbol)
    if dimensions and found.dimension not in dimensions:
        raise InputError(
            f"'{brief(written)}' is in {found.symbol}, which is a {_KIND[found.dimension]}; "
            f"write for example {expected}"
        )
    return Quantity(value, found)


def time_min(text: str) -> float:
    """``"2 h"`` -> 120.0. Raises :class:`InputError` unless the text is a time that is not negative."""
    return _not_negative(quantity(text, Dimension.TIME), "time").inner


def dose_nM(text: str) -> float:
    """``"1 uM"`` -> 1000.0. Raises :class:`InputError` unless the text is a molar dose that is not negative."""
    return _not_negative(quantity(text, Dimension.CONCENTRATION), "dose").inner


def times_min(text: str) -> list[float]:
    """Sample times in minutes from ``"0 15 min"``, ``"0, 2, 24 h"`` or evenly spaced ``"0 .. 2 h x 9"``.

    Raises :class:`InputError` for a missing unit, a negative time or a malformed range.
    """
    span = _range(text)
    if span is None:
        return [_not_negative(q, "time").inner for q in _quantities(text, Dimension.TIME)]
    first, last = (_not_negative(q, "time").inner for q in _ends(text, span, Dimension.TIME))
    return [float(value) for value in np.linspace(first, last, span.points)]


def doses_nM(text: str) -> list[float]:
    """Doses in nM from ``"0 nM 100 nM 1 uM"`` or logarithmically spaced ``"1 nM .. 10 uM x 9"``.

    Raises :class:`InputError` for a missing unit, a negative dose, or a range that starts at zero.
    """
    span = _range(text)
    if span is None:
        return [_not_negative(q, "dose").inner for q in _quantities(text, Dimension.CONCENTRATION)]
    ends = [_not_negative(q, "dose").inner for q in _ends(text, span, Dimension.CONCENTRATION)]
    if min(ends) <= 0:
        raise InputError(
            f"'{brief(text)}': a logarithmic dose range cannot start at zero; list the zero dose on its own"
        )
    doses = np.geomspace(ends[0], ends[1], span.points)
    doses[[0, -1]] = ends  # exactly the doses typed
    return [float(value) for value in doses]


def numbers(text: str) -> list[float]:
    """Plain numbers, in the unit of whatever asked: ``"0 1 5"``, ``"0, 1, 5"`` or evenly spaced ``"0 .. 60 x 61"``.

    Raises :class:`InputError` for a word that is no finite number, an empty list or a malformed range.
    """
    span = _range(text)
    words = [span.first, span.last] if span else text.replace(",", " ").split()
    values: list[float] = []
    for word in words:
        if not _NUMBER.fullmatch(word):
            raise InputError(f"'{brief(word)}' in '{brief(text)}' is not a number; write for example '0 .. 60 x 61'")
        values.append(_number(word))
    if not values:
        raise InputError(f"'{brief(text)}' is not a list of finite numbers; write for example '0 .. 60 x 61'")
    if span is None:
        return values
    if not math.isfinite(values[1] - values[0]):
        raise InputError(f"'{brief(text)}': the ends of the range lie too far apart")
    return [float(value) for value in np.linspace(values[0], values[1], span.points)]


class _Range(NamedTuple):
    """The three parts of ``first .. last x count``."""

    first: str
    last: str
    points: int


def _range(text: str) -> _Range | None:
    """The parts of a range; None for a plain list."""
    first, dots, rest = _text(text, "a list of numbers").partition("..")
    if not dots:
        return None
    last, _, count = rest.replace("×", "x").rpartition("x")
    first, last, count = first.strip(), last.strip(), count.strip()
    if not (first and last and re.fullmatch("[0-9]+", count)) or ".." in last:
        raise InputError(f"'{brief(text)}' is not a range; write for example '0 .. 60 x 61' (first .. last x count)")
    if len(count) > len(str(MOST_POINTS)) or int(count) > MOST_POINTS:
        raise InputError(f"'{brief(text)}': a range has at most {MOST_POINTS} points")
    if int(count) < 2:
        raise InputError(f"'{brief(text)}': a range needs at least 2 points")
    return _Range(first, last, int(count))


def _ends(text: str, span: _Range, dimension: Dimension) -> list[Quantity]:
    """Both ends of a range of amounts; the first may leave its unit to the second."""
    ends = _quantities(f"{span.first} {span.last}", dimension)
    if len(ends) != 2:
        raise InputError(f"'{brief(text)}' has {len(ends)} amounts around its dots; a range has one on either side")
    return ends


def _quantities(text: str, dimension: Dimension) -> list[Quantity]:
    """Read ``"0 15 min"`` or ``"1 nM 1 uM"``: a number without a unit takes the next unit to its right."""
    found: list[Quantity] = []
    waiting: list[str] = []
    for word in re.findall(r"[^\s,]+", text):
        match = _NUMBER.match(word)
        if match:
            waiting.append(match[0])
            word = word[match.end() :]
        if not word:
            continue
        if not waiting:
            raise InputError(
                f"'{brief(word)}' in '{brief(text)}' stands where a number should; write for example "
                f"'{_EXAMPLE[dimension]}'"
            )
        found += [quantity(f"{number} {word}", dimension) for number in waiting]
        waiting = []
    if waiting or not found:
        raise InputError(f"'{brief(text)}' has no unit; write for example '{_EXAMPLE[dimension]}'")
    return found


def _number(word: str) -> float:
    """The value of a text that looks like a number. Raises :class:`InputError` unless it is finite and not lost."""
    value = float(word)
    if not math.isfinite(value):
        raise InputError(f"'{brief(word)}' is not a finite amount")
    if value == 0 and re.search("[1-9]", re.split("[eE]", word)[0]):
        raise InputError(f"'{brief(word)}' is too small a number; it would count as zero")
    return value


def _text(given: object, what: str) -> str:
    if not isinstance(given, str):
        raise InputError(f"{brief(repr(given))} is not text; {what} is written as text")
    return given


def _not_negative(found: Quantity, what: str) -> Quantity:
    if found.value < 0:
        raise InputError(f"'{found}' is a negative {what}")
    return found


def number_text(value: float) -> str:
    """The shortest text that reads back as exactly ``value``: ``1``, ``0.5``, ``1e-07``."""
    return repr(float(value)).removesuffix(".0")


def time_text(minutes: float) -> str:
    """A time as one says it: ``15 min``, ``72 h``, ``14 d``."""
    if abs(minutes) < 120 and minutes % 60:
        return f"{minutes:.4g} min"
    if abs(minutes) <= 7200 or minutes % 1440:
        return f"{minutes / 60:.4g} h"
    return f"{minutes / 1440:.4g} d"


def handy_concentration(largest_nM: float) -> tuple[float, str]:
    """The unit in which concentrations up to ``largest_nM`` are easiest to read, and how many nM it holds: up to 30 uM
    nM, up to 3 mM µM, beyond mM."""
    if largest_nM <= 3e4:
        return 1.0, "nM"
    return (1e3, "µM") if largest_nM <= 3e6 else (1e6, "mM")


_EXAMPLE = {
    Dimension.CONCENTRATION: "100 nM",
    Dimension.MASS_CONCENTRATION: "100 ng/ml",
    Dimension.FRACTION: "10 %",
    Dimension.TIME: "15 min",
    Dimension.BODY_DOSE: "30 mg/kg",
}
_KIND = {
    Dimension.CONCENTRATION: "concentration",
    Dimension.MASS_CONCENTRATION: "mass concentration",
    Dimension.FRACTION: "percentage",
    Dimension.TIME: "time",
    Dimension.BODY_DOSE: "dose per body weight",
}
