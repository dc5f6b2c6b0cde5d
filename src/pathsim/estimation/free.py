"""What a fit may change: parameters with bounds and priors, from names or from a TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import arguments
from ..checked import checked
from ..errors import InputError, brief, near_misses, raise_together
from ..files import read_toml
from ..stats.noise import Scale

SCALES: tuple[Scale, ...] = ("lin", "log", "log10")
KEYS = ("lower", "upper", "scale", "nominal", "prior", "unit", "source", "note")
FOLD = 100.0
"""Bounds of a parameter that is given by name alone: its value in the model divided and multiplied by this."""


@dataclass(frozen=True, slots=True)
class FreeParameter:
    """A free parameter of the model; ``name`` may be ``parameter@cell line`` to fit it for one line only.

    ``lower`` and ``upper`` are values; None means a hundredth and a hundred times the model's own. ``mean`` (a value)
    and ``sd`` (on the scale: decades for log10) are a normal prior on the scale the parameter is searched on.
    """

    name: str
    lower: float | None = None
    upper: float | None = None
    scale: Scale = "log10"
    mean: float | None = None
    sd: float | None = None

    @property
    def parameter(self) -> str:
        """The model's name of it."""
        return self.name.partition("@")[0].strip()

    @property
    def line(self) -> str:
        """The cell line it belongs to, empty for all."""
        return self.name.partition("@")[2].strip()


@checked
def read_free_parameters(path: str | Path) -> list[FreeParameter]:
    """Free parameters from a TOML file: one table per parameter.

    ``[k_phos]`` with ``lower``, ``upper``, ``scale`` (log10, log or lin), and ``prior = {mean = 0.1, sd = 0.5}``, all
    optional. Raises :class:`InputError` that lists everything wrong at once.

    >>> free = ps.read_free_parameters("priors.toml")  # doctest: +SKIP
    """
    content = read_toml(path)
    problems: list[str] = []
    found = [_one(name, table, problems) for name, table in content.items()]
    if not content:
        problems.append("no parameter is named; write for example [k_phos] and below it lower = 0.01, upper = 10")
    raise_together(problems, str(path))
    return [item for item in found if item is not None]


def _one(name: str, table: Any, problems: list[str]) -> FreeParameter | None:
    if not isinstance(table, Mapping):
        problems.append(f"{name}: write a table, [{name}], with lower and upper below it")
        return None
    before = len(problems)
    for key in table:
        if key not in KEYS:
            close = near_misses(key, KEYS)
            problems.append(f"[{name}] {key}: not a known key" + (f" (is '{close[0]}' meant?)" if close else ""))
    prior = table.get("prior") or {}
    if not isinstance(prior, Mapping) or not set(prior) <= {"mean", "sd"} or (prior and len(prior) < 2):
        problems.append(f"[{name}] prior: write prior = {{mean = value, sd = spread on the scale}}")
        prior = {}
    numbers: dict[str, float | None] = {}
    for key, value in (*((k, table.get(k)) for k in ("lower", "upper", "nominal")), *prior.items()):
        try:
            numbers[key] = None if value is None else arguments.number(value, key)
        except InputError as error:
            problems.append(f"[{name}] {error}")
    if len(problems) > before:
        return None
    ends = (numbers["lower"], numbers["upper"])
    made = FreeParameter(name, *ends, table.get("scale", "log10"), numbers.get("mean"), numbers.get("sd"))
    problems += [f"[{name}] {problem}" for problem in faults(made)]
    return made


def faults(free: FreeParameter) -> list[str]:
    """What is wrong with a free parameter on its own."""
    found = []
    if free.scale not in SCALES:
        found.append(f"scale {brief(repr(free.scale))} is none of {', '.join(SCALES)}")
    pairs = (("lower", free.lower), ("upper", free.upper), ("mean", free.mean), ("sd", free.sd))
    for key, x in pairs:
        try:
            value = None if x is None else arguments.number(x, key)
        except InputError as error:
            found.append(str(error))
            continue
        if value is not None and value <= 0 and key == "sd":
            found.append(f"sd {value:g} must be positive")
        elif value is not None and value <= 0 and free.scale != "lin":
            found.append(f"{key} {value:g} must be positive on a logarithmic scale")
    if (free.mean is None) != (free.sd is None):
        found.append("a prior needs both mean and sd")
    if not found and free.lower is not None and free.upper is not None and not free.lower < free.upper:
        found.append(f"lower {free.lower:g} is not below upper {free.upper:g}")
    return found


def as_free_parameters(items: Iterable[str | FreeParameter]) -> list[FreeParameter]:
    """Names and records alike as records.

    Raises :class:`InputError` for what is no list of them, for doubles, and for bounds and priors that make no sense.
    """
    if isinstance(items, str | FreeParameter | Mapping) or not isinstance(items, Iterable):
        raise InputError(
            f"free is {brief(repr(items))}; give a list of names or FreeParameter records, as free=['k_off']"
        )
    found, problems = [], []
    for item in items:
        made = FreeParameter(item) if isinstance(item, str) else item
        if not isinstance(made, FreeParameter) or not isinstance(made.name, str) or not made.parameter:
            problems.append(f"{brief(repr(item))} is neither the name of a parameter nor a FreeParameter")
            continue
        found.append(made)
        problems += [f"{made.name}: {problem}" for problem in faults(made)]
    names = [free.name for free in found]
    problems += [f"{name} is named twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    raise_together(problems, "free parameters")
    return found
