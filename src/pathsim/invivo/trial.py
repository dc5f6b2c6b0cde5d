"""A virtual clinical trial beside a real one: cohorts with pre-existing clones and variable exposure, two arms.

What it is for: to see which hazard ratios the assumptions allow, not to predict a trial. The control arm is set to the
median of the real control arm. How much of the effect in cells carries over to patients is unknown and drawn anew for
every simulated trial, from nothing to all of it. The text says so wherever numbers leave this room (``ASSUMPTIONS``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from .. import shown
from ..arrays import FloatArray, IntArray
from ..assays.names import open_model
from ..checked import checked
from ..errors import raise_together, unknown
from ..lab import Library, Regimen, default_library, default_pharmacy
from ..lab.constants import Constants, with_constants
from ..lab.host import Site
from ..lab.schedule import DAY
from ..model import Model
from ..parts import in_parts
from ..progress import announced
from ..shown import Shown
from ..stats.survival import KaplanMeier, kaplan_meier, log_rank
from ..threads import Workers
from .animals import Followed, Pace, Study, calibrate
from .dosed_cells import prepare

if TYPE_CHECKING:
    import pandas as pd


MONTH = 30.4375
HORIZON_MONTHS = 48.0


@dataclass(frozen=True, slots=True)
class Reported:
    """Medians of overall survival in months that a real trial reported."""

    analysis: str
    treated: float
    control: float
    source: str

    @property
    def ratio(self) -> float:
        """Control over treated median: the hazard ratio if survival were exponential."""
        return self.control / self.treated


@dataclass(frozen=True, slots=True)
class Cohort:
    """Patients alike in what is assumed of them; every number but the medians is an estimate.

    ``resistant``: alteration of the pre-existing clone; ``clone_share``: its median share of a tumour; ``carriers``:
    the share of patients who have it. ``treated_months``: median time on drug, exponential.
    """

    name: str
    line: str
    regimen: str
    control_months: float
    residual_cells: float
    lethal_cells: float
    growth_cv: float
    clearance_cv: float
    resistant: str
    clone_share: float
    carriers: float
    treated_months: float
    reported: tuple[Reported, ...]


_SOURCE = "GBM-AGILE as quoted by the source page"
COHORTS = {
    "newly diagnosed": Cohort(
        "newly diagnosed", "GBM", "paxalisib 60 mg daily", 13.84, 1e8, 6e10, 0.35, 0.4, "MAPK_up", 1e-3, 0.5, 4.0,
        (
            Reported("primary analysis", 14.77, 13.84, _SOURCE),
            Reported("secondary analysis, concurrent controls", 15.54, 11.89, _SOURCE),
        ),
    ),
    "recurrent": Cohort(
        "recurrent", "GBM", "paxalisib 60 mg daily", 9.69, 1e9, 6e10, 0.35, 0.4, "MAPK_up", 1e-1, 0.8, 2.0,
        (Reported("recurrent disease", 8.05, 9.69, _SOURCE),),
    ),
}  # fmt: skip
"""The primary analysis stands first, because it is the one the trial was designed for."""

ASSUMPTIONS = (
    "The control arm is calibrated to the reported control median; the treated arm is not fitted to anything.",
    "How much of the drug's effect in cells carries over to patients is unknown; every simulated trial draws it evenly "
    "between nothing and all of it. Hazard ratios therefore reach up to 1 by assumption.",
    "Residual and lethal tumour burden, spread of growth and clearance, the resistant clone (share of the tumour, "
    "share of patients) and time on drug are estimates.",
    "Radiotherapy, temozolomide, later lines and toxicity enter only through the control arm and the time on drug.",
)


@dataclass(frozen=True, eq=False)
class VirtualTrial:
    """``trials``: one row per simulated trial (``set`` of constants from 1, ``carried_over, hazard_ratio``, medians in
    months of both arms, ``p, events``); ``curves``: Kaplan-Meier curves of all simulated patients by arm."""

    cohort: Cohort
    trials: pd.DataFrame
    curves: MappingProxyType[str, KaplanMeier]

    def _shown(self) -> Shown:
        said = f"Virtual trial: {self.cohort.name}, {self.cohort.regimen}, {len(self.trials)} simulated trials"
        return Shown(said, self.summary().drop(columns="what"), ASSUMPTIONS)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def summary(self) -> pd.DataFrame:
        """Reported analyses first (primary on top), then the simulated distribution with its 5 to 95 % interval."""
        import pandas as pd

        rows = [
            {
                "row": item.analysis,
                "treated_months": item.treated,
                "control_months": item.control,
                "hazard_ratio": item.ratio,
                "low": None,
                "high": None,
                "what": f"reported medians; ratio of medians ({item.source})",
            }
            for item in self.cohort.reported
        ]
        ratio = self.trials["hazard_ratio"].dropna()
        low, middle, high = np.quantile(ratio, [0.05, 0.5, 0.95])
        sets = self.trials["set"].nunique()
        over = f"simulated trials and {sets} parameter sets" if sets > 1 else "simulated trials"
        rows.append(
            {
                "row": f"simulated, {len(self.trials)} trials",
                "treated_months": self.trials["median_treated"].median(),
                "control_months": self.trials["median_control"].median(),
                "hazard_ratio": float(middle),
                "low": float(low),
                "high": float(high),
                "what": f"median and 5 to 95 % over {over}; log-rank hazard ratio",
            }
        )
        return pd.DataFrame(rows)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name: ``summary``, ``trials``, and ``survival`` of all simulated patients by arm."""
        import pandas as pd

        curves = [curve.to_frame().assign(arm=arm) for arm, curve in self.curves.items()]
        return {
            "summary": self.summary(),
            "trials": self.trials,
            "survival": pd.concat(curves, ignore_index=True),
        }

    def compatible(self, analysis: str | None = None) -> tuple[float, float] | None:
        """Shares of the effect carried over with which simulated trials give the reported ratio of medians.

        The range over the trials whose hazard ratio lies within two standard errors (about 2 / sqrt(events) of its
        logarithm) of the reported one (default: the first analysis); None where no trial does.
        """
        names = [item.analysis for item in self.cohort.reported]
        if analysis is not None and analysis not in names:
            raise unknown("analysis", analysis, names)
        ratio = self.cohort.reported[0 if analysis is None else names.index(analysis)].ratio
        error = 2 / np.sqrt(self.trials["events"])
        near = self.trials[np.abs(np.log(self.trials["hazard_ratio"] / ratio)) <= 2 * error]
        return (float(near["carried_over"].min()), float(near["carried_over"].max())) if len(near) else None


@checked
@announced("virtual trial")
def virtual_trial(
    model: Model | str | Path,
    cohort: Cohort | str = "newly diagnosed",
    patients: int = 60,
    trials: int = 200,
    seed: int = 0,
    *,
    carried_over: tuple[float, float] = (0.0, 1.0),
    sets: Sequence[Constants] = ({},),
    library: Library | None = None,
    workers: Workers = None,
) -> VirtualTrial:
    """Simulate a two-arm trial many times.

    Args:
        cohort: ``newly diagnosed``, ``recurrent``, or one of your own.
        patients: per arm.
        carried_over: range of the share of the effect in cells that reaches patients, drawn evenly per trial.
        sets: constants of the model (:func:`pathsim.load_parameter_sets`), taken in turn, so that the spread of
            hazard ratios holds what is not known of them too. Default: the model's own.
        workers: a number of threads of this machine, or who else works on ``sets``, as of :func:`pathsim.fit`.

    Raises:
        InputError: a cohort that does not exist, or numbers that make no sense.

    >>> trial = ps.virtual_trial("pi3k_mapk", "newly diagnosed", patients=60, trials=200)  # doctest: +SKIP
    >>> trial.summary()  # doctest: +SKIP
    """
    opened = open_model(model)
    shelf = library or default_library(opened.version)
    problems: list[str] = []
    group = COHORTS.get(cohort) if isinstance(cohort, str) else cohort
    if group is None:
        problems.append(str(unknown("cohort", str(cohort), COHORTS)))
    if patients < 2 or trials < 1:
        problems.append(f"{patients} patients in {trials} trials: at least 2 patients and 1 trial are needed")
    if not 0 <= carried_over[0] <= carried_over[1] <= 1:
        problems.append(f"carried_over is {carried_over}; it is a range between 0 and 1")
    if not sets:
        problems.append("sets is empty; leave it out for the model's own constants")
    raise_together(problems, "virtual trial")
    assert group is not None
    used = sets[:trials]
    job = _Pools(opened, group, patients, trials, seed, shelf, used)
    found = dict(in_parts(job, range(len(used)), workers, most=1))
    pools = [found[number] for number in range(len(used))]
    return _run_trials(group, pools, patients, trials, seed, carried_over)


@dataclass(frozen=True, eq=False)
class _Pool:
    """All patients of some trials: growth without and with drug, of sensitive and resistant cells (n, times)."""

    times: FloatArray
    untreated: FloatArray
    sensitive: FloatArray
    resistant: FloatArray
    cells: FloatArray
    endpoint: FloatArray


@dataclass(frozen=True, eq=False)
class _Pools:
    """The patients of the trials that a parameter set takes, by its number."""

    model: Model
    cohort: Cohort
    patients: int
    trials: int
    seed: int
    library: Library
    sets: Sequence[Constants]

    def __call__(self, numbers: range, threads: int | None) -> _Pool:
        (number,) = numbers
        share, seed = len(range(number, self.trials, len(self.sets))), self.seed + 1_000_003 * number
        return _pool(self.model, self.cohort, self.patients, share, seed, self.library, threads, self.sets[number])


def _pool(
    model: Model,
    cohort: Cohort,
    patients: int,
    trials: int,
    seed: int,
    library: Library,
    threads: int | None,
    constants: Constants,
) -> _Pool:
    n = 2 * patients * trials
    site = Site(
        cohort.name, "patients", "brain", (cohort.line,), "death", cohort.residual_cells, cohort.lethal_cells,
        cohort.control_months * MONTH, 0.0, cohort.growth_cv, cohort.clearance_cv, 0.5, 0.3, MappingProxyType({}),
    )  # fmt: skip
    regimen = Regimen.parse(cohort.regimen)
    drugs = [course.drug for course in regimen.courses]
    days = HORIZON_MONTHS * MONTH
    grown: list[Followed] = []
    pace: Pace | None = None
    for name in (cohort.line, f"{cohort.line}+{cohort.resistant}"):
        line = with_constants(library.cell_line(name), constants)
        cells = prepare(model, line, drugs, library, workers=threads)
        pace = pace or calibrate(cells, site)  # the clone grows in the patient at the speed of the tumour it is part of
        study = Study(cells, site, pace, default_pharmacy(model.version), library, species="human")
        grown.append(study.arm(regimen, n, days, seed))
    assert pace is not None
    first, second = grown
    start = np.log(first.animals.cells)[:, None]
    untreated = (pace.growth * first.animals.speed**pace.elasticity)[:, None] * first.times
    return _Pool(
        first.times,
        untreated,
        first.log_cells - start,
        second.log_cells - start,
        first.animals.cells,
        first.animals.endpoint,
    )


def _run_trials(
    cohort: Cohort, pools: Sequence[_Pool], patients: int, trials: int, seed: int, carried_over: tuple[float, float]
) -> VirtualTrial:
    import pandas as pd

    random = np.random.default_rng([seed, 23])
    rows: list[dict[str, float | None]] = []
    everyone: dict[str, list[FloatArray]] = {"control": [], "treated": []}
    names = np.array(["control", "treated"]).repeat(patients)
    for number in range(trials):
        pool, place = pools[number % len(pools)], number // len(pools)
        here = np.arange(2 * patients) + place * 2 * patients
        control, treated = here[:patients], here[patients:]
        share = float(random.uniform(*carried_over))
        months = np.concatenate(
            [
                _survival(pool, control, pool.untreated[control]),
                _survival(pool, treated, _treated(cohort, pool, treated, share, random)),
            ]
        )
        events = months < HORIZON_MONTHS
        test = log_rank(months, names, events)
        medians = [
            kaplan_meier(part, seen).median.value
            for part, seen in zip(np.split(months, 2), np.split(events, 2), strict=True)
        ]
        rows.append(
            {
                "trial": number + 1,
                "set": number % len(pools) + 1,
                "carried_over": share,
                "hazard_ratio": _ratio(test.observed, test.expected),
                "median_control": medians[0],
                "median_treated": medians[1],
                "p": test.p,
                "events": int(events.sum()),
            }
        )
        for arm, part in zip(everyone.values(), np.split(months, 2), strict=True):
            arm.append(part)
    curves = {
        arm: kaplan_meier(np.concatenate(parts), np.concatenate(parts) < HORIZON_MONTHS, unit="months", name=arm)
        for arm, parts in everyone.items()
    }
    return VirtualTrial(cohort, pd.DataFrame(rows), MappingProxyType(curves))


def _treated(
    cohort: Cohort, pool: _Pool, who: IntArray, carried_over: float, random: np.random.Generator
) -> FloatArray:
    """Log growth (patients, times) on drug until it is stopped, sensitive and resistant cells together."""
    stop = random.exponential(cohort.treated_months / math.log(2), len(who)) * MONTH * DAY
    clone = cohort.clone_share * np.exp(random.normal(size=len(who)))
    clone = np.where(random.random(len(who)) < cohort.carriers, np.minimum(clone, 0.9), 0.0)
    free = pool.untreated[who]
    parts = []
    for grown, share in ((pool.sensitive[who], 1 - clone), (pool.resistant[who], clone)):
        effect = carried_over * (grown - free)
        at_stop = np.array([np.interp(end, pool.times, row) for end, row in zip(stop, effect, strict=True)])
        kept = np.where(pool.times < stop[:, None], effect, at_stop[:, None])
        with np.errstate(divide="ignore"):
            parts.append(np.log(share)[:, None] + free + kept)
    return np.asarray(np.logaddexp(parts[0], parts[1]))


def _survival(pool: _Pool, who: IntArray, grown: FloatArray) -> FloatArray:
    """Months until the tumour is lethal, or the end of follow-up."""
    limit = np.log(pool.endpoint[who] / pool.cells[who])
    months = np.full(len(who), HORIZON_MONTHS)
    for i, (row, height) in enumerate(zip(grown, limit, strict=True)):
        above = np.flatnonzero(row >= height)
        if above.size:
            j = max(int(above[0]), 1)
            time = np.interp(height, row[j - 1 : j + 1], pool.times[j - 1 : j + 1])
            months[i] = min(time / DAY / MONTH, HORIZON_MONTHS)
    return months


def _ratio(observed: dict[str, int], expected: dict[str, float]) -> float | None:
    """Hazard ratio of treated over control from the log-rank test (observed over expected); None without events."""
    if min(observed.values()) == 0 or min(expected.values()) <= 0:
        return None
    return (observed["treated"] / expected["treated"]) / (observed["control"] / expected["control"])
