"""Claims as data: what is measured on which lines, and what is accepted. One TOML table per claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, raise_together, unknown
from ..files import read_toml
from ..model import models_folder
from .expressions import names_in
from .measures import Measure, read_measure

KINDS = ("direction", "interval", "report")
CONFIDENCE = {"H": 3, "M": 2, "L": 1}
"""Weights of the confidence that a biological fact is right."""


@dataclass(frozen=True, slots=True)
class Check:
    """``value``, arithmetic on measures, must lie between ``low`` and ``high``."""

    value: str
    low: float
    high: float
    label: str

    @property
    def accepted(self) -> str:
        """The accepted range in words."""
        if math.isinf(self.low):
            return f"below {self.high:g}"
        if math.isinf(self.high):
            return f"above {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about the biology as a statement about simulations.

    ``lines``: cell lines it is tested on; ``required``: share of them on which every check must hold. ``calibrated``:
    whether its numbers were used in the fit. ``hypotheses``: switches or presets it rests on. ``experiment``: name of
    a function of :mod:`.experiments` that measures what readings cannot. ``separates``: should fail without feedback.
    """

    id: str
    statement: str
    kind: str
    confidence: str
    basis: str
    calibrated: bool
    lines: tuple[str, ...]
    required: float
    measures: tuple[Measure, ...]
    checks: tuple[Check, ...]
    hypotheses: tuple[str, ...]
    experiment: str
    separates: bool
    comment: str


def read_claims(path: str | Path | None = None) -> list[Claim]:
    """Claims of a TOML file, by default the ones the model ships with.

    Raises :class:`InputError` listing every claim that is not well formed.
    """
    where = Path(path) if path is not None else models_folder() / "claims.toml"
    content = read_toml(where)
    problems: list[str] = []
    claims = [_claim(entry, problems) for entry in content.get("claim", ())]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            problems.append(f"claim {claim.id} stands twice")
        seen.add(claim.id)
    raise_together(problems, str(where))
    return claims


_KEYS = ("id", "statement", "kind", "confidence", "basis", "calibrated", "lines", "required", "measure", "check",
         "hypotheses", "experiment", "separates", "comment")  # fmt: skip


def _claim(entry: Mapping[str, Any], problems: list[str]) -> Claim:
    name = str(entry.get("id", "(no id)"))
    problems += [f"claim {name}: {unknown('key', key, _KEYS)}" for key in entry if key not in _KEYS]
    needed = ("statement", "kind", "confidence", "basis")
    problems += [f"claim {name}: '{key}' is missing" for key in needed if key not in entry]
    if entry.get("kind") not in KINDS:
        problems.append(f"claim {name}: kind is {entry.get('kind')!r}; one of {', '.join(KINDS)}")
    if entry.get("confidence") not in CONFIDENCE:
        problems.append(f"claim {name}: confidence is {entry.get('confidence')!r}; one of H, M, L")
    read = [read_measure(key, spec, f"claim {name}", problems) for key, spec in entry.get("measure", {}).items()]
    measures = [measure for measure in read if measure is not None]
    checks = [_check(spec, name, problems) for spec in entry.get("check", ())]
    known = {measure.name for measure in measures}
    if not entry.get("experiment"):
        problems += [
            f"claim {name}: {unknown('measure', symbol, known)}"
            for check in checks
            for symbol in names_in(check.value)
            if symbol not in known
        ]
    return Claim(
        id=name,
        statement=str(entry.get("statement", "")),
        kind=str(entry.get("kind", "")),
        confidence=str(entry.get("confidence", "L")),
        basis=str(entry.get("basis", "")),
        calibrated=bool(entry.get("calibrated", False)),
        lines=tuple(entry.get("lines", ("T47D",))),
        required=float(entry.get("required", 1.0)),
        measures=tuple(measures),
        checks=tuple(checks),
        hypotheses=tuple(entry.get("hypotheses", ())),
        experiment=str(entry.get("experiment", "")),
        separates=bool(entry.get("separates", False)),
        comment=str(entry.get("comment", "")),
    )


def _check(spec: Mapping[str, Any], claim: str, problems: list[str]) -> Check:
    value = str(spec.get("value", ""))
    low, high = float(spec.get("above", -math.inf)), float(spec.get("below", math.inf))
    try:
        names_in(value)
    except InputError as error:
        problems.append(f"claim {claim}: {error}")
    if not low < high:
        problems.append(f"claim {claim}: check '{value}' accepts nothing (above {low:g}, below {high:g})")
    return Check(value, low, high, str(spec.get("label", value)))
