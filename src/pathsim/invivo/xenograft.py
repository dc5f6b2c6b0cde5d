"""The virtual xenograft study: animals in arms, drug in the body, pathway, growth and death, tumour, survival."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import shown
from ..arrays import FloatArray
from ..assays.names import open_model, read_line
from ..checked import checked
from ..errors import PathsimError, raise_together, repeated, unknown
from ..lab import CellLine, Library, Pharmacy, Regimen, default_library, default_pharmacy
from ..lab.host import Site, find_site
from ..lab.protocols import protocols
from ..lab.schedule import DAY
from ..model import Model
from ..parts import one_study
from ..progress import announced, bar
from ..shown import Shown
from ..solve import Solver
from ..stats.survival import KaplanMeier, LogRank, by_arm, log_rank
from ..threads import Workers
from .animals import Followed, Study, calibrate, event_times
from .dosed_cells import prepare

if TYPE_CHECKING:
    import pandas as pd


CELLS_PER_MM3 = 1e6
"""Textbook: 1e9 cells per gram of tumour."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A xenograft study.

    ``mice``: one row per animal, ``arm, mouse, time_days, event, speed_factor, clearance_*``; times from implantation.
    ``volumes``: ``arm, mouse, day, volume_mm3`` until the endpoint. ``lysate``: the tumour of the median animal in the
    one table, time in minutes from the start of dosing. ``notes``: what was assumed and calibrated.
    """

    line: str
    site: Site
    arms: tuple[str, ...]
    mice: pd.DataFrame
    volumes: pd.DataFrame
    lysate: pd.DataFrame
    days: float
    notes: tuple[str, ...] = field(default=())

    def _shown(self) -> Shown:
        said = f"Xenograft of {self.line}, {self.site.name}: {len(self.mice)} mice, {self.days:g} days"
        return Shown(said, self.summary(), self.notes)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def survival(self) -> dict[str, KaplanMeier]:
        """Kaplan-Meier curves by arm."""
        return by_arm(self.mice)

    def log_rank(self, arm: str | None = None, reference: str | None = None) -> LogRank:
        """Log-rank test of one arm (default: all) against the reference (default: the first arm)."""
        first = reference or self.arms[0]
        chosen = self.arms if arm is None else (first, arm)
        part = self.mice[self.mice["arm"].isin(chosen)]
        return log_rank(part["time_days"], part["arm"], part["event"])

    def summary(self) -> pd.DataFrame:
        """One row per arm: animals, events, median with interval, log-rank against the first arm, growth inhibition."""
        import pandas as pd

        rows = []
        inhibition = self.growth_inhibition()
        for arm, curve in self.survival.items():
            test = None if arm == self.arms[0] else self.log_rank(arm)
            median = curve.median
            rows.append(
                {
                    "arm": arm,
                    "mice": curve.size,
                    "events": int(curve.events.sum()),
                    "median_days": median.value,
                    "median_low": median.low,
                    "median_high": median.high,
                    "log_rank_p": None if test is None else test.p,
                    "growth_inhibition_percent": inhibition.get(arm),
                }
            )
        return pd.DataFrame(rows)

    def log_rank_table(self) -> pd.DataFrame:
        """Log-rank tests of all arms together, then of each against the first: ``arm, reference, chi2, df, p``."""
        import pandas as pd

        first = self.arms[0]
        tests = [("all arms", "", self.log_rank())] if len(self.arms) > 1 else []
        tests += [(arm, first, self.log_rank(arm)) for arm in self.arms[1:]]
        rows = [(arm, against, test.chi2, test.degrees_of_freedom, test.p) for arm, against, test in tests]
        return pd.DataFrame(rows, columns=["arm", "reference", "chi2", "df", "p"])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the study by name."""
        import pandas as pd

        curves = [curve.to_frame().assign(arm=arm) for arm, curve in self.survival.items()]
        return {
            "summary": self.summary(),
            "log_rank": self.log_rank_table(),
            "mice": self.mice,
            "volumes": self.volumes,
            "lysate": self.lysate,
            "survival": pd.concat(curves, ignore_index=True),
        }

    def growth_inhibition(self) -> dict[str, float | None]:
        """Tumour growth inhibition, 100 (1 - dT/dC) %, on the last day when all controls are still there."""
        first = self.arms[0]
        controls = self.volumes[self.volumes["arm"] == first]
        counts = controls.groupby("day")["mouse"].nunique()
        full = counts[counts == counts.max()].index
        start = self.volumes["day"][self.volumes["day"] >= self.site.dosing_from_days].min()
        if not len(full) or full.max() <= start:
            return dict.fromkeys(self.arms)
        means = self.volumes[self.volumes["day"].isin([start, full.max()])].groupby(["arm", "day"])["volume_mm3"].mean()
        gained = {arm: float(means[arm, full.max()] - means[arm, start]) for arm in self.arms}
        return {arm: 100 * (1 - gain / gained[first]) for arm, gain in gained.items()}


@checked
@announced("xenograft study")
def xenograft(
    model: Model | str | Path,
    line: CellLine | str,
    arms: Sequence[Regimen | str],
    mice: int = 10,
    seed: int = 0,
    *,
    site: Site | str | None = None,
    days: float = 120.0,
    untreated_days: float | None = None,
    dosing_from_days: float | None = None,
    lysate_hours: float = 4.0,
    lysate_day: float = 14.0,
    readouts: Sequence[str] | None = None,
    library: Library | None = None,
    pharmacy: Pharmacy | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> Trial:
    """Implant, dose, follow, and read the tumours.

    Args:
        arms: regimens such as ``"vehicle"`` or ``"paxalisib 15 mg/kg daily + mirdametinib 1 mg/kg daily"``; the first
            is the reference of comparisons. Schedules count from the start of dosing.
        mice: animals per arm. They differ in growth, clearance of each drug, take and lethal burden (``site``).
        site: ``brain``, ``flank`` or a :class:`Site`; by default where the line is usually grown.
        days: end of the study, from implantation; animals still below the endpoint are censored then.
        untreated_days, dosing_from_days: replace those of the site.
        lysate_day, lysate_hours: the tumour of the median animal is lysed on this day of dosing, so many hours after
            the day began.
        readouts: of that lysate; default: ``[xenograft]`` of ``models/protocols.toml``.
        workers: a number of threads of this machine, or who else carries out the study (one of them does all of it), as
            of :func:`pathsim.fit`.

    Raises:
        InputError: every name, schedule or number that makes no sense, at once. SimulationError: equations failed.

    >>> trial = ps.xenograft("pi3k_mapk", "ATRT", ["vehicle", "paxalisib 15 mg/kg daily"], mice=10)  # doctest: +SKIP
    >>> trial.summary()  # doctest: +SKIP
    """
    opened = open_model(model)
    shelf, drugs = library or default_library(opened.version), pharmacy or default_pharmacy(opened.version)
    problems: list[str] = []
    cell_line = read_line(line, shelf, problems)
    place = _site(site, opened.version, cell_line, untreated_days, dosing_from_days, problems)
    regimens = _regimens(arms, shelf, drugs, problems)
    if place is not None and not place.dosing_from_days < days < math.inf:
        problems.append(f"the study ends on day {days:g}, before dosing starts on day {place.dosing_from_days:g}")
    if not 0 <= lysate_hours <= 48 or not 0 < lysate_day < math.inf:
        problems.append("a lysate is taken on a day of dosing, within 48 h of its first dose")
    raise_together(problems, "xenograft")
    assert cell_line is not None
    assert place is not None
    asked = protocols(opened.version).xenograft_lysate if readouts is None else readouts
    unknown_readouts = [name for name in asked if name not in opened.symbols]
    raise_together([str(unknown("readout", name, opened.readouts)) for name in unknown_readouts])
    names = tuple(dict.fromkeys(shelf.drug(course.drug).name for one in regimens for course in one.courses))

    def carried_out(threads: int | None) -> Trial:
        cells = prepare(opened, cell_line, names, shelf, solver=solver, workers=threads)
        study = Study(cells, place, calibrate(cells, place), drugs, shelf)
        followed = []
        with bar("arms", len(regimens)) as further:
            for regimen in regimens:
                followed.append(study.arm(regimen, mice, days, seed))
                further()
        lysate = study.lysate(regimens, lysate_day, lysate_hours, asked)
        return _trial(study, followed, lysate, days)

    return one_study(carried_out, workers)


def _trial(study: Study, followed: Sequence[Followed], lysate: pd.DataFrame, days: float) -> Trial:
    import pandas as pd

    site, pace = study.site, study.pace
    animals, volumes = [], []
    for arm in followed:
        text = str(arm.regimen)
        times, events = event_times(arm, days)
        columns: dict[str, Any] = {
            "arm": text,
            "mouse": np.arange(1, len(times) + 1),
            "time_days": times,
            "event": events.astype(int),
            "growth_factor": arm.animals.speed**pace.elasticity,
        }
        for d, course in enumerate(arm.regimen.courses):
            columns[f"clearance_{study.library.drug(course.drug).name}"] = arm.animals.clearance[:, d]
        animals.append(pd.DataFrame(columns))
        volumes.append(_volumes(text, arm, times))
    speed = study.cells.cycle_speed
    in_culture = study.cells.raw[study.cells.system.slot(speed)]
    notes: tuple[str, ...] = (
        f"{site.name}: {site.description}; endpoint: {site.endpoint}",
        f"{speed} {pace.speed:.3g} in the animal instead of {in_culture:.3g} in culture: calibrated so that "
        f"untreated animals reach the endpoint in {site.untreated_days:g} days; nothing is fitted to a treated arm",
        f"dosing from day {site.dosing_from_days:g}; median doubling time untreated "
        f"{math.log(2) / pace.growth / DAY:.3g} days",
        f"between animals (log-normal CV): growth {site.growth_cv:g}, clearance of each drug {site.clearance_cv:g}, "
        f"take {site.take_cv:g}, endpoint burden {site.endpoint_cv:g}",
    )
    early = sum(int((part["time_days"] < site.dosing_from_days).sum()) for part in animals)
    if early:
        notes += (f"{early} animals reached the endpoint before dosing began; they count as events of their arm",)
    return Trial(
        line=str(study.cells.line),
        site=site,
        arms=tuple(str(arm.regimen) for arm in followed),
        mice=pd.concat(animals, ignore_index=True),
        volumes=pd.concat(volumes, ignore_index=True),
        lysate=lysate,
        days=days,
        notes=notes,
    )


def _volumes(text: str, arm: Followed, ends: FloatArray) -> pd.DataFrame:
    import pandas as pd

    days = arm.times / DAY
    whole = np.flatnonzero(np.isclose(days, np.round(days)))
    frames = []
    for i, end in enumerate(ends):
        kept = whole[days[whole] <= end]
        frames.append(
            pd.DataFrame(
                {
                    "arm": text,
                    "mouse": i + 1,
                    "day": np.round(days[kept]),
                    "volume_mm3": np.exp(arm.log_cells[i, kept]) / CELLS_PER_MM3,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _site(
    site: Site | str | None,
    version: str,
    line: CellLine | None,
    untreated: float | None,
    dosing_from: float | None,
    problems: list[str],
) -> Site | None:
    try:
        found = site if isinstance(site, Site) else find_site(site, line, version)
        return replace(
            found,
            untreated_days=found.untreated_days if untreated is None else untreated,
            dosing_from_days=found.dosing_from_days if dosing_from is None else dosing_from,
        )
    except PathsimError as error:
        problems.append(str(error))
        return None


def _regimens(
    arms: Iterable[Regimen | str], library: Library, pharmacy: Pharmacy, problems: list[str]
) -> list[Regimen]:
    found: list[Regimen] = []
    given = [arms] if isinstance(arms, (str, Regimen)) else list(arms)
    if not given:
        problems.append("no arm is named; write for example 'vehicle' and 'paxalisib 15 mg/kg daily'")
    for text in given:
        try:
            regimen = Regimen.parse(text) if isinstance(text, str) else text
        except PathsimError as error:
            problems.append(str(error))
            continue
        for course in regimen.courses:
            if not course.per_kg:
                problems.append(
                    f"arm '{regimen}': {course.amount:g} mg is for a whole subject; animals are dosed by weight, as "
                    f"'{course.drug} {course.amount:g} mg/kg'"
                )
            try:
                pharmacy.find(course.drug, "mouse", library)
            except PathsimError as error:
                problems.append(f"arm '{regimen}': {error}")
        found.append(regimen)
    texts = [str(regimen) for regimen in found]
    problems += [f"arm '{text}' is named twice" for text in sorted(repeated(texts))]
    return found
