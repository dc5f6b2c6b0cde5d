"""What a fit may change: parameters with bounds and priors, from names or from a TOML file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import near_misses, raise_together
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


def read_free_parameters(path: str | Path) -> list[FreeParameter]:
    """Free parameters from a TOML file: one table per parameter.

    ``[k_phos]`` with ``lower``, ``upper``, ``scale`` (log10, log or lin), and ``prior = {mean = 0.1, sd = 0.5}``, all
    optional. Raises :class:`InputError` that lists everything wrong at once.
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
    for key, value in (*((k, table.get(k)) for k in ("lower", "upper", "nominal")), *prior.items()):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            problems.append(f"[{name}] {key}: '{value}' is not a number")
    if len(problems) > before:
        return None
    numbers = {key: None if table.get(key) is None else float(table[key]) for key in ("lower", "upper")}
    made = FreeParameter(
        name, numbers["lower"], numbers["upper"], table.get("scale", "log10"), prior.get("mean"), prior.get("sd")
    )
    problems += [f"[{name}] {problem}" for problem in faults(made)]
    return made


def faults(free: FreeParameter) -> list[str]:
    """What is wrong with a free parameter on its own."""
    found = []
    if free.scale not in SCALES:
        found.append(f"scale '{free.scale}' is none of {', '.join(SCALES)}")
    pairs = (("lower", free.lower), ("upper", free.upper), ("mean", free.mean))
    given = [(key, x) for key, x in pairs if x is not None]
    for key, x in given:
        if not math.isfinite(x):
            found.append(f"{key} {x!r} is not a finite number")
        elif free.scale != "lin" and x <= 0:
            found.append(f"{key} {x:g} must be positive on a logarithmic scale")
    if free.lower is not None and free.upper is not None and not free.lower < free.upper:
        found.append(f"lower {free.lower:g} is not below upper {free.upper:g}")
    if (free.mean is None) != (free.sd is None):
        found.append("a prior needs both mean and sd")
    if free.sd is not None and not free.sd > 0:
        found.append(f"sd {free.sd!r} must be positive")
    return found


def as_free_parameters(items: Iterable[str | FreeParameter]) -> list[FreeParameter]:
    """Names and records alike as records. Raises :class:`InputError` for doubles and for what makes no sense."""
    found = [FreeParameter(item) if isinstance(item, str) else item for item in items]
    problems = [f"{free.name}: {problem}" for free in found for problem in faults(free)]
    names = [free.name for free in found]
    problems += [f"{name} is named twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if not found:
        problems.append("nothing is free: name at least one parameter")
    raise_together(problems, "free parameters")
    return found
