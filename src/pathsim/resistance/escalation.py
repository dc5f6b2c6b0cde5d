"""Making a resistant line: months of step-wise dose on a culture of clones, then picking the clone that won."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import shown
from ..arrays import FloatArray
from ..assays.dose_response import dose_response
from ..assays.names import open_model, read_line
from ..checked import checked
from ..errors import InputError, PathsimError, raise_together
from ..experiments.conditions import resting_medium
from ..files import write_whole
from ..lab import CellLine, Dose, Library, default_library
from ..lab.clones import Clone, cell_line_toml, default_clones
from ..lab.host import find_site
from ..model import Model
from ..progress import Advance, announced, bar
from ..shown import Shown
from ..stats import growth_rate, hill
from ..stats.curve import Potency
from ..threads import Workers
from ..units import UNITS, Quantity, dose_nM, number_text
from .clone_population import Culture, make_culture, step_mean, step_random

if TYPE_CHECKING:
    import pandas as pd


STEP_DAYS = 0.25
WATCHED_DAYS = 4.0
"""Growth is judged over this many days."""
COUNTED_CELLS = 1000
"""Growth of fewer cells is not judged (estimate): by the luck of births and deaths alone that of 1,000 cells of T47D at
the target dose of alpelisib strays by 2 % of the drug-free rate (standard deviation over those days), of 5 by 35 %."""
LEAST_EFFECT = 85.0
"""A drug that leaves more viability (%) than this at every dose has no relative IC50 worth aiming at."""
DOSES = "1 nM .. 100 uM x 16"
"""At which potencies are measured before and after."""


@dataclass(frozen=True, slots=True)
class Flask:
    """A culture is split back to ``seeded`` cells, a passage, when it is ``full``."""

    seeded: float = 2e6
    full: float = 2e7


@dataclass(frozen=True, slots=True)
class Rules:
    """When the dose rises: growth has recovered to ``recovery`` of that of untreated parental cells, in a culture that
    has held :data:`COUNTED_CELLS` or more while it was judged.

    That is ``stay_days`` after the last rise at the earliest. A culture that has not after ``patience_days`` at a dose
    is not resistant. ``fold``: the target, in parental IC50. There it must also have filled its flask and been split:
    what cannot be passaged in the drug is no line.
    """

    factor: float = 1.5
    recovery: float = 0.8
    stay_days: float = 7.0
    patience_days: float = 90.0
    fold: float = 5.0
    max_days: float = 540.0

    def problems(self) -> list[str]:
        """What makes no sense, in words."""
        found = []
        if not 1 < self.factor <= 10:
            found.append(f"factor is {self.factor!r}; the dose rises by a factor between 1 and 10")
        if not 0 < self.recovery <= 1.5:
            found.append(f"growth must recover to between 0 and 1.5 of control, not {self.recovery!r}")
        if not 0 < self.stay_days <= self.patience_days or not math.isfinite(self.max_days) or self.max_days <= 0:
            found.append("days at a dose and in total must be positive and finite, and stay_days at most patience_days")
        if not 0 < self.fold <= 1000:
            found.append(f"the target is {self.fold!r} times the parental IC50; it must be positive")
        return found

    def __str__(self) -> str:
        return (
            f"the dose rises {self.factor:g}-fold when growth over {WATCHED_DAYS:g} days has recovered to "
            f"{self.recovery:.0%} of that of parental cells without drug, after {self.stay_days:g} days at the "
            f"earliest; a culture that has not after {self.patience_days:g} days, or did not fill its flask at the "
            "last dose, is not resistant"
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """How far potencies of the drug moved: IC50 of viability and GR50 at 72 h, parental first."""

    ic50: tuple[Potency, Potency]
    gr50: tuple[Potency, Potency]

    @property
    def fallen(self) -> list[str]:
        """Which of them are lower than in the parental line, in words."""
        return [
            f"{name} is {_fold_text(*pair)} the parental one"
            for name, pair in (("IC50", self.ic50), ("GR50", self.gr50))
            if _has_fallen(*pair)
        ]


def _has_fallen(before: Potency, after: Potency) -> bool:
    if before.value is None or after.value is None or before.relation == "<" or after.relation == ">":
        return False
    return after.value < before.value * (1 - 1e-6)


def _fold_text(before: Potency, after: Potency) -> str:
    assert before.value is not None
    assert after.value is not None
    bound = "at most " if ">" in before.relation or "<" in after.relation else ""
    return f"{bound}{after.value / before.value:.3g} times"


@dataclass(frozen=True, eq=False)
class Escalation:
    """A finished escalation.

    ``line``: the clone picked, a cell line like any other, kept in the drug where it is resistant. ``resistant``: the
    culture grows at the target dose and was passaged there (``reached``, see :class:`Rules`), and neither IC50 nor GR50
    of ``line`` are below those of the parental line (``shift``); ``reason`` says how it ended. ``aim``: the parental
    potency that doses are multiples of, by ``measure`` an IC50 or, where that is not reached, an EC50. ``history``: one
    row per time, ``day, dose_nM, cells, relative_growth``; ``fractions``: ``day, clone, fraction``.
    """

    drug: str
    parental: CellLine
    line: CellLine
    changes: tuple[str, ...]
    reversible: tuple[str, ...]
    aim: Potency
    measure: str
    shift: Shift
    history: pd.DataFrame
    fractions: pd.DataFrame
    reached: bool
    resistant: bool
    reason: str
    rules: Rules
    culture: Culture
    cells: FloatArray
    seed: int

    def _shown(self) -> Shown:
        said = f"Escalation of {self.parental} in {self.drug}: {self.reason} ({self.days:g} days)"
        last = self.fractions[self.fractions["day"] == self.fractions["day"].max()]
        clones = last.sort_values("fraction", ascending=False).head(8)
        changes = ", ".join(self.changes) or "none"
        return Shown(
            f"{said}\nline {self.line.name}; changes: {changes}; parental {self.measure} {self.aim}",
            clones[["clone", "fraction"]],
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def days(self) -> float:
        """How long it took."""
        return float(self.history["day"].iloc[-1])

    @property
    def washed(self) -> CellLine:
        """The picked clone once every reversible change has faded; the line itself when nothing is reversible."""
        kept = [name for name in self.changes if name not in self.reversible]
        if len(kept) == len(self.changes):
            return self.line
        line = self.parental
        for name in kept:
            line = line.altered(self.culture.library.alterations[name])
        return replace(line, name=f"{self.line.name}-washed", site=self.line.site)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the line (``<name>.toml``, read back by ``Library.with_cell_lines``) and both tables into a folder."""
        place = Path(folder)
        files = {
            f"{self.line.name}.toml": cell_line_toml(self.line),
            "history.csv": self.history.to_csv(index=False),
            "fractions.csv": self.fractions.to_csv(index=False),
        }
        for name, text in files.items():
            write_whole(place / name, text)
        return [place / name for name in files]


@checked
@announced("escalation")
def escalate(
    model: Model | str | Path,
    cell_line: CellLine | str,
    drug: str,
    start: str | float = "100 nM",
    factor: float = 1.5,
    *,
    rules: Rules | None = None,
    clones: Sequence[Clone] | None = None,
    flask: Flask | None = None,
    most_changes: int = 3,
    stochastic: bool = True,
    seed: int = 0,
    library: Library | None = None,
    progress: Callable[[str], None] | None = None,
    workers: Workers = None,
) -> Escalation:
    """Raise the dose step by step until a culture grows at a multiple of the parental IC50, and pick the winner.

    Args:
        start, factor: first dose (text or nM), and the factor between doses.
        rules: when the dose rises and when to stop; its ``factor`` is replaced by ``factor``.
        clones: what can arise (default: the bundled ``models/clones.toml``, whose frequencies are estimates).
        most_changes: alterations one clone can collect.
        stochastic: False follows expected numbers, the limit of a very large culture.
        progress: called with a sentence at each new dose, which says by which rule it was raised.
        workers: as of :func:`pathsim.dose_response`: they share clones and doses. Cultures of many seeds are a study of
            one's own (:func:`pathsim.spread`).

    Raises:
        InputError: names, doses or rules that make no sense, or a drug that does not inhibit the line by half.

    >>> run = ps.escalate("pi3k_mapk", "T47D", "alpelisib")  # doctest: +SKIP
    >>> run.line.name, run.resistant  # doctest: +SKIP
    ('T47D-alpelisibR', True)
    """
    opened = open_model(model)
    shelf = library or default_library(opened.version)
    protocol = replace(rules or Rules(), factor=factor)
    problems = protocol.problems()
    parental = read_line(cell_line, shelf, problems)
    first = _dose(start, problems)
    try:
        shelf.drug(drug)
    except PathsimError as error:
        problems.append(str(error))
    vessel = flask or Flask()
    if not 1 <= vessel.seeded < vessel.full:
        problems.append(f"a flask seeded with {vessel.seeded:g} cells is not split at {vessel.full:g}")
    raise_together(problems, "escalation")
    assert parental is not None
    say = progress or (lambda _: None)
    measure, aim = parental_potency(opened, parental, drug, shelf, workers)
    if not aim.reached or aim.value is None:
        raise InputError(f"{parental}: the IC50 of {drug} is {aim}, so no multiple of it can be aimed at")
    if measure != "IC50":
        say(
            f"{parental}: the IC50 of {drug} is not reached, so doses are told in multiples of the EC50, {aim}, the "
            "half of the drug's own largest effect"
        )
    culture = make_culture(opened, parental, clones or default_clones(opened.version), shelf, most_changes)
    run = _Run(culture, drug, protocol, vessel, measure, aim, np.random.default_rng([seed, 11]), stochastic, workers)
    run.go(first, say)
    return run.result(seed)


def parental_potency(
    model: Model, line: CellLine, drug: str, library: Library, workers: Workers = None
) -> tuple[str, Potency]:
    """``"IC50"`` and the IC50 of viability at 72 h, from 1 nM to 100 uM.

    Where half of the culture outlives every dose, ``"EC50"`` and the dose of half of the drug's own largest effect.
    """
    table = dose_response(model, line, drug, DOSES, library=library, workers=workers)
    curve = hill.fit(table["dose_nM"], table["value"])
    if curve.ic50.reached or curve.ec50.value is None or table["value"].min() > LEAST_EFFECT:
        return "IC50", curve.ic50
    if not table["dose_nM"].max() > curve.ec50.value > 1.0:
        return "IC50", curve.ic50
    return "EC50", Potency(curve.ec50.value, "=", "nM", curve.ec50.low, curve.ec50.high)


def potency_shift(
    model: Model, parental: CellLine, line: CellLine, drug: str, library: Library, workers: Workers = None
) -> Shift:
    """IC50 and GR50 of ``drug`` in both lines, from 1 nM to 100 uM at 72 h."""
    found = []
    for readout, fit in (("viability", _ic50), ("GR", _gr50)):
        table = dose_response(model, [parental, line], drug, DOSES, readout, library=library, workers=workers)
        parts = [table[table["cell_line"] == one.name] for one in (parental, line)]
        found.append((fit(parts[0]), fit(parts[1])))
    return Shift(*found)


def _ic50(table: pd.DataFrame) -> Potency:
    return hill.fit(table["dose_nM"], table["value"]).ic50


def _gr50(table: pd.DataFrame) -> Potency:
    return growth_rate.from_values(table["dose_nM"], table["value"]).gr50


class _Run:
    """The culture as it goes through the doses."""

    def __init__(
        self,
        culture: Culture,
        drug: str,
        rules: Rules,
        flask: Flask,
        measure: str,
        aim: Potency,
        random: np.random.Generator,
        stochastic: bool,
        workers: Workers,
    ) -> None:
        assert aim.value is not None
        self.culture, self.drug, self.rules, self.flask = culture, drug, rules, flask
        self.measure, self.aim, self.unit = measure, aim, aim.value
        self.random, self.stochastic, self.workers = random, stochastic, workers
        expected = culture.start(flask.seeded)
        self.cells = random.poisson(expected).astype(float) if stochastic else expected
        self.rows: list[tuple[float, float, float, float]] = []
        self.shares: list[FloatArray] = []
        self.reached, self.reason = False, ""

    def go(self, dose: float, progress: Callable[[str], None]) -> None:
        target = self.rules.fold * self.unit
        ladder = [dose]
        while ladder[-1] < target:
            ladder.append(min(ladder[-1] * self.rules.factor, target))
        births, deaths = self.culture.rates(self.drug, [0.0, *ladder], self.workers)
        control = float(births[0, 0] - deaths[0, 0])
        if control <= 0:
            raise InputError(f"{self.culture.parental} does not grow without drug, so it cannot be escalated")
        with bar("doses", len(ladder)) as further:
            self._climb(ladder, births, deaths, control, progress, further)

    def _climb(
        self,
        ladder: Sequence[float],
        births: FloatArray,
        deaths: FloatArray,
        control: float,
        progress: Callable[[str], None],
        further: Advance,
    ) -> None:
        """From dose to dose until the last is reached, the culture dies or time is out."""
        target = ladder[-1]
        day = since = relative = 0.0
        rung, passages = 0, 0
        recent: list[tuple[float, float]] = []
        missing = ""
        while day < self.rules.max_days:
            dose = ladder[rung]
            growth, split = self._step(births[1 + rung], deaths[1 + rung], dose)
            day, since, passages = day + STEP_DAYS, since + STEP_DAYS, passages + split
            total = self.cells.sum()
            recent = [*recent, (growth, total)][-round(WATCHED_DAYS / STEP_DAYS) :]
            relative, fewest = float(np.mean([rate for rate, _ in recent])) / control, min(held for _, held in recent)
            self.rows.append((day, dose, total, relative))
            self.shares.append(self.cells / total if total else np.zeros(len(self.cells)))
            if total < 1:
                self.reason = f"is not resistant: it died out at {number_text(round(dose, 3))} nM on day {day:g}"
                return
            missing = self._missing(relative, fewest, passages > 0 or dose < target)
            if since >= self.rules.patience_days and missing:
                self.reason = self._not_resistant(missing, dose, since)
                return
            if since < self.rules.stay_days or missing:
                continue
            if dose >= target:
                self.reached = True
                self.reason = (
                    f"grows at {dose / self.unit:.3g} times the parental {self.measure}, at {relative:.0%} of "
                )
                self.reason += "the drug-free rate"
                return
            rung, since, passages, recent = rung + 1, 0.0, 0, []
            further()
            higher = ladder[rung]
            progress(
                f"day {day:g}: {self.drug} raised to {higher:.4g} nM ({higher / self.unit:.2g} x parental "
                f"{self.measure}); growth was back at {relative:.0%} of the drug-free rate"
            )
        self.reason = self._not_resistant(missing or f"its {self.rules.max_days:g} days were over", dose, since)

    def _missing(self, relative: float, fewest: float, passaged: bool) -> str:
        """What a culture lacks to go on, in words; empty where it has recovered."""
        if relative < self.rules.recovery:
            share = f"{self.rules.recovery:.0%}"
            return f"it grew at {relative:.0%} of the drug-free rate, of which {share} are asked for"
        if fewest < COUNTED_CELLS:
            return f"it held {fewest:.0f} cells, and growth is judged in {COUNTED_CELLS} or more"
        return "" if passaged else f"it had not filled its flask of {self.flask.full:g} cells"

    def _not_resistant(self, missing: str, dose: float, days: float) -> str:
        return (
            f"is not resistant: after {days:g} days at {dose:.4g} nM ({dose / self.unit:.2g} x parental "
            f"{self.measure}) {missing}"
        )

    def _step(self, birth: FloatArray, death: FloatArray, dose: float) -> tuple[float, bool]:
        """One step and, if the flask is full, a split: the growth rate over the step (1/day), and whether it was
        split."""
        by_division, by_day = self.culture.arising(dose > 0)
        before = self.cells.sum()
        if self.stochastic:
            whole = step_random(self.cells.astype(np.int64), birth, death, by_division, by_day, STEP_DAYS, self.random)
            self.cells = whole.astype(float)
        else:
            self.cells = step_mean(self.cells, birth, death, by_division, by_day, STEP_DAYS)
        after = self.cells.sum()
        growth = math.log(after / before) / STEP_DAYS if after > 0 else -math.inf
        full = bool(after > self.flask.full)
        if full:
            keep = self.flask.seeded / after
            self.cells = (
                self.random.binomial(self.cells.astype(np.int64), keep).astype(float)
                if self.stochastic
                else self.cells * keep
            )
        return growth, full

    def result(self, seed: int) -> Escalation:
        import pandas as pd

        culture, drug, parental = self.culture, self.drug, self.culture.parental
        history = pd.DataFrame(self.rows, columns=["day", "dose_nM", "cells", "relative_growth"])
        shares = pd.DataFrame(np.array(self.shares), columns=culture.names)
        kept = shares.columns[(shares > 1e-3).any()]
        fractions = shares[kept].assign(day=history["day"]).melt("day", var_name="clone", value_name="fraction")
        winner = int(np.argmax(self.shares[-1]))
        carried = sorted(culture.members[winner])
        changes = tuple(culture.clones[i].alteration for i in carried)
        reversible = tuple(culture.clones[i].alteration for i in carried if not culture.clones[i].genetic)
        dose, days = float(history["dose_nM"].iloc[-1]), float(history["day"].iloc[-1])
        kept_in = self._kept_in(dose) if self.reached else ""
        line = replace(
            culture.lines[winner],
            name=f"{parental.name}-{drug}R",
            description=f"{parental.name} escalated in {drug} to {dose:.4g} nM over {days:g} days: "
            f"{' + '.join(changes) or 'no change'}",
            medium=kept_in,
            site=find_site(None, parental, culture.model.version).name,
        )
        shift = potency_shift(culture.model, parental, line, drug, culture.library, self.workers)
        fallen = shift.fallen if self.reached else []
        resistant = self.reached and not fallen
        if fallen:
            self.reason += f", but is not resistant: its {' and its '.join(fallen)}"
        if not resistant:
            line = replace(line, name=f"{parental.name}-{drug}-selected", medium="")
        return Escalation(
            drug,
            parental,
            line,
            changes,
            reversible,
            self.aim,
            self.measure,
            shift,
            history,
            fractions,
            self.reached,
            resistant,
            self.reason,
            self.rules,
            culture,
            self.cells,
            seed,
        )

    def _kept_in(self, dose: float) -> str:
        """Full medium with the last dose."""
        rest = resting_medium(self.culture.model)
        drug = Dose(self.drug, Quantity(float(f"{dose:.4g}"), UNITS["nM"]))
        return str(replace(rest, doses=(*rest.doses, drug)))


@checked
def washout(run: Escalation, days: float = 90.0, workers: Workers = None) -> pd.DataFrame:
    """The end culture without drug: ``day, clone, fraction``, expected numbers.

    Adaptive states fade at their rate; mutations stay. Raises :class:`InputError` for a time that is not positive.

    >>> fractions = ps.washout(ps.escalate("pi3k_mapk", "T47D", "alpelisib"), days=60)  # doctest: +SKIP
    """
    import pandas as pd

    if not 0 < days < math.inf:
        raise InputError(f"a wash-out lasts {days!r} days; it must be positive")
    births, deaths = run.culture.rates(run.drug, [0.0], workers)
    birth, death = births[0], deaths[0]
    by_division, by_day = run.culture.arising(drugged=False)
    cells = run.cells.copy()
    rows = []
    for day in range(int(days) + 1):
        rows += [(float(day), name, share) for name, share in zip(run.culture.names, cells / cells.sum(), strict=True)]
        for _ in range(round(1 / STEP_DAYS)):
            cells = step_mean(cells, birth, death, by_division, by_day, STEP_DAYS)
        cells /= cells.sum()
    table = pd.DataFrame(rows, columns=["day", "clone", "fraction"])
    kept = table.groupby("clone")["fraction"].max()
    return table[table["clone"].isin(kept[kept > 1e-3].index)].reset_index(drop=True)


def _dose(start: str | float, problems: list[str]) -> float:
    try:
        dose = dose_nM(start) if isinstance(start, str) else float(start)
    except PathsimError as error:
        problems.append(f"first dose: {error}")
        return math.nan
    if not 0 < dose < math.inf:
        problems.append(f"the first dose is {dose!r} nM; it must be positive")
    return dose
