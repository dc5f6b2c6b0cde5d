"""Claims as data: what is measured on which lines, and what is accepted. One TOML table per claim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, brief, raise_together, repeated, unknown
from ..files import read_toml
from ..lab.entry import Entry
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
    problems: list[str] = []
    claims = [_claim(entry, problems) for entry in tables_of(read_toml(where), "claim", "", problems)]
    problems += twice("claim", [claim.id for claim in claims])
    raise_together(problems, str(where))
    return claims


def twice(kind: str, names: Sequence[str]) -> list[str]:
    """One sentence for each name that stands more than once."""
    return [f"{kind} {name} stands twice" for name in repeated(names)]


_KEYS = ("id", "statement", "kind", "confidence", "basis", "used", "lines", "required", "measure", "check",
         "hypotheses", "experiment", "separates", "comment")  # fmt: skip


def tables_of(content: Mapping[str, Any], key: str, where: str, problems: list[str]) -> list[Any]:
    """The tables written as ``[[key]]``, none where there are none."""
    found = content.get(key, [])
    if isinstance(found, list):
        return found
    problems.append(f"{where}{key} is {brief(repr(found))}; write a table [[{key}]] for each")
    return []


def _claim(content: Any, problems: list[str]) -> Claim:
    name = str(content.get("id", "(no id)")) if isinstance(content, dict) else "(no id)"
    entry = Entry(f"claim {name}:", content, problems)
    problems += [f"claim {name}: {unknown('key', key, _KEYS)}" for key in entry.content if key not in _KEYS]
    needed = ("statement", "kind", "confidence", "basis")
    problems += [f"claim {name}: '{key}' is missing" for key in needed if key not in entry.content]
    if entry.text("kind") not in KINDS:
        problems.append(f"claim {name}: kind is {entry.text('kind')!r}; one of {', '.join(KINDS)}")
    if entry.text("used") not in ("", *USED):
        problems.append(f"claim {name}: used is {entry.text('used')!r}; one of {', '.join(USED)}, or left out")
    if entry.text("confidence") not in CONFIDENCE:
        problems.append(f"claim {name}: confidence is {entry.text('confidence')!r}; one of H, M, L")
    experiment = entry.text("experiment")
    measures, checks = read_parts(entry, f"claim {name}", problems, experiment=bool(experiment))
    if entry.text("kind") == "direction":
        problems += [
            f"claim {name}: check '{check.value}' accepts {check.accepted}, less than a tenth from no change; "
            "move it, or give the words of the claim as 'stated'"
            for check in checks
            if _too_near(check) and not check.stated
        ]
    return Claim(
        id=name,
        statement=entry.text("statement"),
        kind=entry.text("kind"),
        confidence=entry.text("confidence", "L"),
        basis=entry.text("basis"),
        used=entry.text("used"),
        lines=entry.texts("lines") if "lines" in entry.content else ("T47D",),
        required=entry.number("required", 1.0),
        measures=measures,
        checks=checks,
        hypotheses=entry.texts("hypotheses"),
        experiment=experiment,
        separates=entry.truth("separates"),
        comment=entry.text("comment"),
    )


def read_parts(
    entry: Entry, where: str, problems: list[str], experiment: bool = False
) -> tuple[tuple[Measure, ...], tuple[Check, ...]]:
    """The measures and checks of a table; what is wrong is added to ``problems``. An ``experiment`` measures what no
    ``measure`` names."""
    read = [read_measure(key, spec, where, problems) for key, spec in entry.table("measure").content.items()]
    measures = tuple(measure for measure in read if measure is not None)
    checks = tuple(_check(spec, where, problems) for spec in tables_of(entry.content, "check", f"{where}: ", problems))
    known = {measure.name for measure in measures}
    if not experiment:
        problems += [
            f"{where}: {unknown('measure', symbol, known)}"
            for check in checks
            for symbol in _names(check.value)
            if symbol not in known
        ]
    return measures, checks


def _check(content: Any, where: str, problems: list[str]) -> Check:
    entry = Entry(f"{where}: check", content, problems)
    entry.check_keys(("value", "above", "below", "label", "stated"))
    value = entry.text("value")
    low, high = entry.number("above", -math.inf), entry.number("below", math.inf)
    try:
        names_in(value)
    except InputError as error:
        problems.append(f"{where}: {error}")
    if not low < high:
        problems.append(f"{where}: check '{value}' accepts nothing (above {low:g}, below {high:g})")
    return Check(value, low, high, entry.text("label", value), entry.text("stated"))


def _too_near(check: Check) -> bool:
    """Whether a fold (compared with 1) or a difference (compared with 0) is accepted nearer than a tenth to it."""
    if not math.isinf(check.low) and not math.isinf(check.high):
        return False  # a band about no change
    bound = check.low if math.isinf(check.high) else check.high
    return min(abs(bound), abs(bound - 1.0)) < 0.1 - 1e-9


def _names(text: str) -> list[str]:
    """Names of measures in an expression, none where it is no arithmetic, which has been told."""
    try:
        return names_in(text)
    except InputError:
        return []
