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

SCORED = ("direction", "interval")
KINDS = (*SCORED, "identity", "report")
"""``direction``: a sign, counted among directions. ``interval``: a size from data, counted among intervals.
``identity``: follows from the wiring, from the software or from constants chosen to give it, so it can hardly fail:
printed, never counted. ``report``: printed, never judged."""
USED: Mapping[str, str] = {
    "fit": "tables it rests on were fitted",
    "watched": "watched while the model was built",
    "by hand": "constants were set to give it",
}
"""Why a claim is no prediction, by the word in the file; a claim without any is one."""
CONFIDENCE = {"H": 3, "M": 2, "L": 1}
"""Weights of the confidence that a biological fact is right."""


@dataclass(frozen=True, slots=True)
class Check:
    """``value``, arithmetic on measures, must lie between ``low`` and ``high``. ``stated``: the words of the claim that
    let it stand nearer than a tenth to no change."""

    value: str
    low: float
    high: float
    label: str
    stated: str = ""

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

    ``kind``: one of :data:`KINDS`; ``used``: one of :data:`USED`. ``lines``: cell lines it is tested on; ``required``:
    share of them on which every check must hold. ``hypotheses``: switches or presets it rests on. ``experiment``: name
    of a function of :mod:`.experiments` that measures what readings cannot. ``separates``: to fail without feedback.
    """

    id: str
    statement: str
    kind: str
    confidence: str
    basis: str
    used: str
    lines: tuple[str, ...]
    required: float
    measures: tuple[Measure, ...]
    checks: tuple[Check, ...]
    hypotheses: tuple[str, ...]
    experiment: str
    separates: bool
    comment: str

    @property
    def scored(self) -> bool:
        """Whether the score counts it."""
        return self.kind in SCORED


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


_KEYS = ("id", "statement", "kind", "confidence", "basis", "used", "lines", "required", "measure", "check",
         "hypotheses", "experiment", "separates", "comment")  # fmt: skip


def _claim(entry: Mapping[str, Any], problems: list[str]) -> Claim:
    name = str(entry.get("id", "(no id)"))
    problems += [f"claim {name}: {unknown('key', key, _KEYS)}" for key in entry if key not in _KEYS]
    needed = ("statement", "kind", "confidence", "basis")
    problems += [f"claim {name}: '{key}' is missing" for key in needed if key not in entry]
    if entry.get("kind") not in KINDS:
        problems.append(f"claim {name}: kind is {entry.get('kind')!r}; one of {', '.join(KINDS)}")
    if entry.get("used", "") not in ("", *USED):
        problems.append(f"claim {name}: used is {entry['used']!r}; one of {', '.join(USED)}, or left out")
    if entry.get("confidence") not in CONFIDENCE:
        problems.append(f"claim {name}: confidence is {entry.get('confidence')!r}; one of H, M, L")
    read = [read_measure(key, spec, f"claim {name}", problems) for key, spec in entry.get("measure", {}).items()]
    measures = [measure for measure in read if measure is not None]
    checks = [_check(spec, name, problems) for spec in entry.get("check", ())]
    if entry.get("kind") == "direction":
        problems += [
            f"claim {name}: check '{check.value}' accepts {check.accepted}, less than a tenth from no change; "
            "move it, or give the words of the claim as 'stated'"
            for check in checks
            if _too_near(check) and not check.stated
        ]
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
        used=str(entry.get("used", "")),
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
    return Check(value, low, high, str(spec.get("label", value)), str(spec.get("stated", "")))


def _too_near(check: Check) -> bool:
    """Whether a fold (compared with 1) or a difference (compared with 0) is accepted nearer than a tenth to it."""
    if not math.isinf(check.low) and not math.isinf(check.high):
        return False  # a band about no change
    bound = check.low if math.isinf(check.high) else check.high
    return min(abs(bound), abs(bound - 1.0)) < 0.1 - 1e-9
