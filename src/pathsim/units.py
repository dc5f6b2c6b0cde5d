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

import numpy as np

from .errors import InputError, unknown


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

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)\w*"
_QUANTITY = re.compile(rf"^\s*(?P<number>{_NUMBER})\s*(?P<unit>\S.*?)?\s*$", re.IGNORECASE)


def unit(text: str) -> Unit:
    """The unit spelt ``text``. Micro may be ``u``, ``µ`` or ``μ``; litres may be ``L`` or ``l``.

    Raises :class:`UnknownNameError` with the near misses.
    """
    spelt = text.strip().replace("µ", "u").replace("μ", "u")
    if "/" in spelt:
        spelt = spelt.replace("mL", "ml")
    spelt = _SPELLINGS.get(spelt.lower(), spelt)
    found = UNITS.get(spelt)
    if found is None:
        raise unknown("unit", text, UNITS)
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
        """The amount in the dimension's inner unit (nM, ng/ml, %, min or mg/kg)."""
        return float(self.exact)


def quantity(text: str, *dimensions: Dimension) -> Quantity:
    """Read ``"100 nM"``, ``"2h"`` or ``"10 %"``; ``dimensions`` are the ones that make sense here.

    Raises :class:`InputError` for a missing number or unit, a number that is not finite, or a unit of another kind.
    """
    match = _QUANTITY.match(text)
    if match is None or match["unit"] is None:
        expected = " or ".join(f"'{_EXAMPLE[dimension]}'" for dimension in dimensions or (Dimension.CONCENTRATION,))
        raise InputError(f"'{text.strip()}' is not a number with a unit; write for example {expected}")
    value = float(match["number"])
    if not math.isfinite(value):
        raise InputError(f"'{text.strip()}' is not a finite amount")
    found = unit(match["unit"])
    if dimensions and found.dimension not in dimensions:
        expected = " or ".join(f"'{_EXAMPLE[dimension]}'" for dimension in dimensions)
        raise InputError(
            f"'{text.strip()}' is in {found.symbol}, which is a {_KIND[found.dimension]}; write for example {expected}"
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
    first, last, count = _range(text)
    if count:
        ends = [_not_negative(q, "time").inner for q in _quantities(f"{first} {last}", Dimension.TIME)]
        return [float(value) for value in np.linspace(ends[0], ends[1], count)]
    return [_not_negative(q, "time").inner for q in _quantities(text, Dimension.TIME)]


def doses_nM(text: str) -> list[float]:
    """Doses in nM from ``"0 nM 100 nM 1 uM"`` or logarithmically spaced ``"1 nM .. 10 uM x 9"``.

    Raises :class:`InputError` for a missing unit, a negative dose, or a range that starts at zero.
    """
    first, last, count = _range(text)
    if count:
        ends = [_not_negative(q, "dose").inner for q in _quantities(f"{first} {last}", Dimension.CONCENTRATION)]
        if min(ends) <= 0:
            raise InputError(f"'{text}': a logarithmic dose range cannot start at zero; list the zero dose on its own")
        doses = np.geomspace(ends[0], ends[1], count)
        doses[[0, -1]] = ends  # exactly the doses typed
        return [float(value) for value in doses]
    return [_not_negative(q, "dose").inner for q in _quantities(text, Dimension.CONCENTRATION)]


def numbers(text: str) -> list[float]:
    """Plain numbers, in the unit of whatever asked: ``"0 1 5"``, ``"0, 1, 5"`` or evenly spaced ``"0 .. 60 x 61"``."""
    first, last, count = _range(text)
    words = [first, last] if count else text.replace(",", " ").split()
    values: list[float] = []
    for word in words:
        try:
            values.append(float(word))
        except ValueError:
            raise InputError(f"'{word}' in '{text}' is not a number; write for example '0 .. 60 x 61'") from None
    if not values or not all(math.isfinite(value) for value in values):
        raise InputError(f"'{text}' is not a list of finite numbers; write for example '0 .. 60 x 61'")
    return [float(value) for value in np.linspace(values[0], values[1], count)] if count else values


_RANGE = re.compile(r"^\s*(?P<first>.+?)\s*\.\.\s*(?P<last>.+?)\s*[x×]\s*(?P<count>\d+)\s*$")


def _range(text: str) -> tuple[str, str, int]:
    """The three parts of ``first .. last x count``; count 0 when the text is a plain list."""
    match = _RANGE.match(text)
    if match is None:
        if ".." in text:
            raise InputError(f"'{text}' is not a range; write for example '0 .. 60 x 61' (first .. last x count)")
        return "", "", 0
    count = int(match["count"])
    if count < 2:
        raise InputError(f"'{text}': a range needs at least 2 points")
    return match["first"], match["last"], count


def _quantities(text: str, dimension: Dimension) -> list[Quantity]:
    """Read ``"0 15 min"`` or ``"1 nM 1 uM"``: a number without a unit takes the next unit to its right."""
    words = re.findall(r"[^\s,]+", text)
    found: list[Quantity] = []
    waiting: list[str] = []
    for word in words:
        match = re.match(rf"^({_NUMBER})$", word, re.IGNORECASE)
        if match:
            waiting.append(word)
            continue
        split = re.match(rf"^({_NUMBER})(.+)$", word, re.IGNORECASE)
        if split:
            waiting.append(split[1])
            word = split[2]
        if not waiting:
            raise InputError(f"'{word}' in '{text}' stands where a number should; write for example "
                             f"'{_EXAMPLE[dimension]}'")  # fmt: skip
        found += [quantity(f"{number} {word}", dimension) for number in waiting]
        waiting = []
    if waiting or not found:
        raise InputError(f"'{text}' has no unit; write for example '{_EXAMPLE[dimension]}'")
    return found


def _not_negative(found: Quantity, what: str) -> Quantity:
    if found.value < 0:
        raise InputError(f"'{found}' is a negative {what}")
    return found


def number_text(value: float) -> str:
    """The shortest text that reads back as exactly ``value``: ``1``, ``0.5``, ``1e-07``."""
    return repr(float(value)).removesuffix(".0")


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
