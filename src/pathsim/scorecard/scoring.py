"""Running and scoring claims: directions and intervals apart, by confidence, and for null models with the same code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import shown
from ..arrays import FloatArray
from ..errors import PathsimError
from ..experiments.ensemble import interval
from ..experiments.readings import Reading, take_readings
from ..lab import CellLine, Library, default_library
from ..lab.constants import Constants
from ..model import Model, load_model
from ..shown import Shown, shortened
from ..solve import Rosenbrock
from ..threads import Workers
from ..workers import finished
from .claims import CONFIDENCE, SCORED, Check, Claim
from .experiments import EXPERIMENTS
from .expressions import evaluate
from .measures import Measure
from .null_models import feedback_free, without_drug_effects

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check on one line: the value of the shipped model, its interval over the ensemble, and whether accepted."""

    line: str
    label: str
    value: float
    low: float
    high: float
    accepted: str
    passed: bool
    sign_right: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a claim. ``reason`` says in one sentence why it failed or did not run."""

    claim: Claim
    findings: tuple[Finding, ...]
    passed: bool
    direction_right: bool
    reason: str


@dataclass(frozen=True)
class Scorecard:
    """Verdicts on the model, and on null models by name: whether each claim passed there."""

    verdicts: tuple[Verdict, ...]
    nulls: Mapping[str, tuple[Verdict, ...]]
    sets: int

    def _shown(self) -> Shown:
        passed = sum(item.passed for item in self.verdicts if item.claim.scored)
        scored = sum(item.claim.scored for item in self.verdicts)
        failed = [item.claim for item in self.in_order() if item.claim.scored and not item.passed]
        rows = [{"failed": claim.id, "statement": shortened(claim.statement, 90)} for claim in failed]
        return Shown(f"Scorecard: {passed} of {scored} claims hold", rows)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def to_frame(self) -> pd.DataFrame:
        """One row per claim as :meth:`in_order`; columns ``id, verdict, statement, predicted, accepted, ...``."""
        import pandas as pd

        others = {name: {item.claim.id: item.passed for item in verdicts} for name, verdicts in self.nulls.items()}
        rows = []
        for item in self.in_order():
            row = {
                "id": item.claim.id,
                "verdict": "report" if item.claim.kind == "report" else ("pass" if item.passed else "FAIL"),
                "statement": item.claim.statement,
                "kind": item.claim.kind,
                "confidence": item.claim.confidence,
                "predicted": "; ".join(predicted(found) for found in item.findings),
                "accepted": "; ".join(dict.fromkeys(f"{found.label}: {found.accepted}" for found in item.findings)),
                "used": item.claim.used,
                "hypotheses": ", ".join(item.claim.hypotheses),
                "basis": item.claim.basis,
                "reason": item.reason,
            }
            for name, passed in others.items():
                counts = item.claim.scored and item.claim.id in passed
                row[name] = ("pass" if passed[item.claim.id] else "fail") if counts else ""
            rows.append(row)
        return pd.DataFrame(rows)

    def in_order(self) -> list[Verdict]:
        """Verdicts: scored claims before identities before reports, failed ones first."""
        return sorted(self.verdicts, key=lambda v: (not v.claim.scored, v.claim.kind == "report", v.passed))

    def summary(self) -> pd.DataFrame:
        """Claims and shares that hold, directions and intervals apart: all, those no constant was chosen for, and by
        confidence. ``intervals_sign_right`` counts intervals that miss the size with the sign right as well. Identities
        and reports do not count."""
        import pandas as pd

        rows = []
        for name, verdicts in {"model": self.verdicts, **self.nulls}.items():
            scored = [item for item in verdicts if item.claim.scored]
            for scope, chosen in (
                ("all claims", scored),
                ("not used", [item for item in scored if not item.claim.used]),
                *((f"confidence {c}", [item for item in scored if item.claim.confidence == c]) for c in CONFIDENCE),
            ):
                directions, intervals = ([v for v in chosen if v.claim.kind == kind] for kind in SCORED)
                weights = [CONFIDENCE[item.claim.confidence] for item in directions]
                rows.append(
                    {
                        "model": name,
                        "scope": scope,
                        "directions": len(directions),
                        "directions_right": _share([item.passed for item in directions]),
                        "weighted": _share([item.passed for item in directions], weights),
                        "intervals": len(intervals),
                        "intervals_right": _share([item.passed for item in intervals]),
                        "intervals_sign_right": _share([item.direction_right for item in intervals]),
                    }
                )
        return pd.DataFrame(rows)

    def separating(self) -> list[str]:
        """Claims that the model passes and the feedback-free model fails."""
        other = {item.claim.id: item.passed for item in self.nulls.get("feedback_free", ())}
        return [
            item.claim.id
            for item in self.verdicts
            if item.passed and item.claim.scored and other.get(item.claim.id) is False
        ]

    def undecided(self) -> list[str]:
        """Claims that are there to show feedback, and that the feedback-free model passes all the same."""
        other = {item.claim.id: item.passed for item in self.nulls.get("feedback_free", ())}
        return [item.claim.id for item in self.verdicts if item.claim.separates and other.get(item.claim.id)]


def _share(flags: Sequence[bool], weights: Sequence[int] | None = None) -> float:
    return float(np.average(flags, weights=weights)) if flags else float("nan")


def predicted(found: Finding) -> str:
    """A value with its interval, in words."""
    spread = "" if np.isnan(found.low) else f" ({found.low:.3g} to {found.high:.3g})"
    return f"{found.line} {found.label} = {found.value:.3g}{spread}".lstrip()


def validate(
    claims: Sequence[Claim],
    model: Model | None = None,
    library: Library | None = None,
    ensemble: Sequence[Constants] = (),
    progress: Progress = lambda _: None,
    workers: Workers = 1,
) -> Scorecard:
    """Run every claim on the model, with intervals over ``ensemble``, and those read in culture on two null models.

    ``workers`` as of :func:`pathsim.fit`; by default all is done here, with one thread per processor.
    """
    opened = model or load_model("pi3k_mapk")
    shelf = library or default_library(opened.version)
    progress(f"{len(claims)} claims on the model and {len(ensemble)} parameter sets")
    verdicts = _run(claims, opened, shelf, [{}, *ensemble], {}, workers)
    progress("the same claims without feedback")
    in_culture = [claim for claim in claims if not claim.experiment]
    cut = feedback_free(opened, shelf, [line for claim in in_culture for line in _lines_of(claim)])
    without_feedback = _run(in_culture, opened, shelf, [{}], cut, workers)
    progress("the same claims with drugs that do nothing")
    inert = _run(in_culture, opened, without_drug_effects(shelf), [{}], {}, workers)
    return Scorecard(
        tuple(verdicts), {"feedback_free": tuple(without_feedback), "no_effect": tuple(inert)}, len(ensemble)
    )


def _lines_of(claim: Claim) -> list[str]:
    return [reading.cell_line for line in claim.lines for item in claim.measures for reading in item.readings(line)]


def _run(
    claims: Sequence[Claim],
    model: Model,
    library: Library,
    sets: Sequence[Constants],
    lines: Mapping[str, CellLine],
    workers: Workers,
) -> list[Verdict]:
    """All readings of all claims in few batches, by how long they run; a claim whose readings fail is run alone."""
    wanted = [
        reading
        for claim in claims
        for line in claim.lines
        for item in claim.measures
        for reading in item.readings(line)
    ]
    taken = read_all(list(dict.fromkeys(wanted)), model, library, sets, lines, workers)
    names = list(dict.fromkeys(claim.experiment for claim in claims if claim.experiment in EXPERIMENTS))
    found = dict(finished(_Experiment(model, library), names, workers))
    measured = {name: found[place] for place, name in enumerate(names)}
    return [_judge(claim, taken, measured) for claim in claims]


def read_all(
    readings: Sequence[Reading],
    model: Model,
    library: Library,
    sets: Sequence[Constants],
    lines: Mapping[str, CellLine],
    workers: Workers = 1,
) -> dict[Reading, FloatArray | str]:
    """Every reading under every set, in few batches, by how long they run (for others than this process, and by line);
    one that fails is why, in words."""
    latest: dict[tuple[str, str], float] = {}
    for reading in readings:
        key = (reading.cell_line, reading.treatment)
        latest[key] = max(latest.get(key, 0.0), reading.time_min)
    groups: dict[tuple[float, str], list[Reading]] = {}
    for reading in readings:
        apart = "" if workers == 1 else reading.cell_line
        groups.setdefault((latest[reading.cell_line, reading.treatment], apart), []).append(reading)
    taken: dict[Reading, FloatArray | str] = {}
    job, batches = _Taken(model, library, sets, lines), sorted(groups.values(), key=len, reverse=True)
    for place, values in finished(job, batches, workers):
        taken.update(zip(batches[place], values, strict=True))
    return taken


@dataclass(frozen=True, eq=False)
class _Taken:
    """A batch of readings under every set."""

    model: Model
    library: Library
    sets: Sequence[Constants]
    lines: Mapping[str, CellLine]

    def __call__(self, members: Sequence[Reading]) -> list[FloatArray | str]:
        solver = Rosenbrock(rtol=1e-5, atol=1e-8)
        try:
            values = take_readings(self.model, members, self.sets, self.library, solver, lines=self.lines)
            return [values[:, n] for n in range(len(members))]
        except PathsimError:
            found = _one_by_one(members, self.model, self.library, self.sets, self.lines)
            return [found[reading] for reading in members]


@dataclass(frozen=True, eq=False)
class _Experiment:
    """An experiment by its name: its numbers, or why it did not run."""

    model: Model
    library: Library

    def __call__(self, name: str) -> Mapping[str, float] | str:
        try:
            return EXPERIMENTS[name](self.model, self.library)
        except PathsimError as error:
            return str(error)


def _one_by_one(
    readings: Sequence[Reading],
    model: Model,
    library: Library,
    sets: Sequence[Constants],
    lines: Mapping[str, CellLine],
) -> dict[Reading, FloatArray | str]:
    found: dict[Reading, FloatArray | str] = {}
    for reading in readings:
        try:
            found[reading] = take_readings(model, [reading], sets, library, lines=lines)[:, 0]
        except PathsimError as error:
            found[reading] = str(error)
    return found


def _judge(
    claim: Claim,
    taken: Mapping[Reading, FloatArray | str],
    measured: Mapping[str, Mapping[str, float] | str],
) -> Verdict:
    if claim.experiment:
        return _judge_experiment(claim, measured)
    findings: list[Finding] = []
    by_line: list[bool] = []
    for line in claim.lines:
        found = findings_of(claim.measures, claim.checks, line, taken)
        if isinstance(found, str):
            return Verdict(claim, tuple(findings), False, False, f"did not run: {found}")
        findings += found
        by_line.append(all(item.passed for item in found))
    passed = float(np.mean(by_line)) >= claim.required - 1e-9
    signs = [item.sign_right for item in findings]
    direction = passed if claim.kind == "direction" else float(np.mean(signs)) >= claim.required - 1e-9
    return Verdict(claim, tuple(findings), passed, direction, "" if passed else _why(claim, findings))


def findings_of(
    measures: Sequence[Measure], checks: Sequence[Check], line: str, taken: Mapping[Reading, FloatArray | str]
) -> list[Finding] | str:
    """One finding per check on a line, or why it could not be measured."""
    values: dict[str, FloatArray] = {}
    for item in measures:
        columns = [taken[reading] for reading in item.readings(line)]
        failed = next((column for column in columns if isinstance(column, str)), None)
        if failed is not None:
            return failed
        try:
            values[item.name] = item.value(np.stack([one for one in columns if not isinstance(one, str)], axis=1))
        except PathsimError as error:
            return f"{line}: {error}"
    return [
        _find(line, check.label, evaluate(check.value, values), check.low, check.high, check.accepted)
        for check in checks
    ]


def _find(line: str, label: str, values: FloatArray, low: float, high: float, accepted: str) -> Finding:
    value = float(values[0])
    ends = (np.nan, np.nan)
    if len(values) > 4 and not np.isnan(values).all():
        spread = interval(values)
        ends = (float(spread.low), float(spread.high))
    passed = bool(low <= value <= high)
    sign = passed or (bool(value > 1.0) if low >= 1.0 else bool(value < 1.0) if high <= 1.0 else False)
    return Finding(line, label, value, *ends, accepted, passed, sign)


def _why(claim: Claim, findings: Sequence[Finding]) -> str:
    wrong = [item for item in findings if not item.passed]
    where = f"{wrong[0].line}: " if wrong[0].line else ""
    first = f"{where}{wrong[0].label} is {wrong[0].value:.3g}, accepted is {wrong[0].accepted}"
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{first}{more}. {claim.comment}".strip()


def _judge_experiment(claim: Claim, measured: Mapping[str, Mapping[str, float] | str]) -> Verdict:
    """Claims that share an experiment share one run of it; one that does not run counts as failed, with the reason."""
    name = claim.experiment
    if name not in measured:
        return Verdict(
            claim, (), False, False, f"did not run: experiment '{name}' is not built. {claim.comment}".strip()
        )
    numbers = measured[name]
    if isinstance(numbers, str):
        return Verdict(claim, (), False, False, f"did not run: {numbers}")
    values = {key: np.array([value]) for key, value in numbers.items()}
    findings = [
        _find("", check.label, evaluate(check.value, values), check.low, check.high, check.accepted)
        for check in claim.checks
    ]
    passed = all(item.passed for item in findings)
    direction = passed if claim.kind == "direction" else all(item.sign_right for item in findings)
    return Verdict(claim, tuple(findings), passed, direction, "" if passed else _why(claim, findings))
