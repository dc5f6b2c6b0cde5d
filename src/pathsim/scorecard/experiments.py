"""What readings of cells in culture cannot measure: numerics of the model, drug levels in the body, animals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..experiments.readings import Reading, take_readings
from ..experiments.timecourse import simulate
from ..invivo.xenograft import Trial, xenograft
from ..lab import Library, Regimen, Treatment, default_pharmacy
from ..lab.clones import Clone, default_clones
from ..lab.pharmacokinetics import expose
from ..lab.protocols import protocols
from ..lab.schedule import DAY
from ..model import Model
from ..resistance.escalation import Rules, escalate, washout
from ..solve import LSODA, Rosenbrock
from ..stats.survival import log_rank
from .measures import crossing
from .patients import gbm_cohort, host_insulin

Numbers = dict[str, float]


def mass_conservation(model: Model, library: Library) -> Numbers:
    """Largest relative change of a conserved total over a starved, inhibited and stimulated day."""
    asked = protocols(model.version).numerics
    forms = [form for names in asked.conserved.values() for form in names]
    times = (0.0, 15.0, 120.0, 1440.0)
    readings = [Reading(asked.cell_line, asked.treatment, time, form) for time in times for form in forms]
    values = take_readings(model, readings, library=library)[0].reshape(len(times), len(forms))
    worst, at = 0.0, 0
    for names in asked.conserved.values():
        total = values[:, at : at + len(names)].sum(axis=1)
        at += len(names)
        worst = max(worst, float(np.ptp(total) / total.mean()))
    return {"worst": worst}


def negative_states(model: Model, library: Library) -> Numbers:
    """The lowest state during the same day, relative to the largest value of that state."""
    states = [item.id for item in model.species]
    asked = protocols(model.version).numerics
    times = (0.0, 5.0, 15.0, 60.0, 240.0, 1440.0)
    readings = [Reading(asked.cell_line, asked.treatment, time, state) for time in times for state in states]
    values = take_readings(model, readings, library=library)[0].reshape(len(times), len(states))
    return {"lowest": float((values.min(axis=0) / np.maximum(values.max(axis=0), 1e-3)).min())}


def two_solvers(model: Model, library: Library) -> Numbers:
    """Largest relative difference of readouts between Rodas5P and LSODA over four hours from the initial state."""
    asked = protocols(model.version).numerics
    ((dose,),) = (step.doses for step in Treatment.parse(asked.drug).steps)
    settings = {protocols(model.version).names.serum: 10.0, **library.drug(dose.name).additions(dose.amount)}
    times = [15.0, 240.0]
    ours = simulate(model, times, settings, asked.readouts, Rosenbrock(rtol=1e-6, atol=1e-9)).to_numpy()
    other = simulate(model, times, settings, asked.readouts, LSODA(rtol=1e-7, atol=1e-10)).to_numpy()
    return {"worst": float((np.abs(ours - other) / np.abs(other)).max())}


def zero_drug(model: Model, library: Library) -> Numbers:
    """Largest relative difference between a zero dose of every drug and none."""
    line, viability = protocols(model.version).numerics.cell_line, protocols(model.version).names.viability
    control = take_readings(model, [Reading(line, "serum 10 %", 4320.0, viability)], library=library)[0, 0]
    drugs = [name for name, drug in library.drugs.items() if drug.kind == "drug"]
    readings = [Reading(line, f"serum 10 % + {name} 0 nM", 4320.0, viability) for name in drugs]
    worst = float(np.abs(take_readings(model, readings, library=library)[0] / control - 1.0).max())
    return {"worst": worst}


def monotone_occupancy(model: Model, library: Library) -> Numbers:
    """Smallest step of target occupancy between rising doses, over all drugs and their sites."""
    smallest = np.inf
    for drug in library.drugs.values():
        for name, coefficient in drug.per_nM.items():
            if name.startswith("drug_on_"):
                occupancy = (
                    coefficient * np.geomspace(1e-3, 1e6, 19) / (1.0 + coefficient * np.geomspace(1e-3, 1e6, 19))
                )
                smallest = min(smallest, float(np.diff(occupancy).min()))
    return {"smallest": smallest}


def rest_before_treatment(model: Model, library: Library) -> Numbers:
    """Largest drift of a readout per hour in full medium, in % of its value, over all lines."""
    moving = protocols(model.version).numerics.not_at_rest
    readouts = [name for name in model.readouts if name not in moving]
    readings = [
        Reading(line, "serum 10 %", time, name)
        for line in library.cell_lines
        for time in (0.0, 60.0)
        for name in readouts
    ]
    values = take_readings(model, readings, library=library)[0].reshape(len(library.cell_lines), 2, len(readouts))
    change = np.abs(values[:, 1] - values[:, 0]) / np.maximum(np.abs(values[:, 0]), 1e-6)
    return {"percent_per_hour": float(100.0 * change.max())}


def self_combination(model: Model, library: Library) -> Numbers:
    """A drug with itself: viability of half a dose twice over that of the dose once."""
    line, viability = protocols(model.version).numerics.cell_line, protocols(model.version).names.viability
    treatments = ("serum 10 % + alpelisib 150 nM + alpelisib 150 nM", "serum 10 % + alpelisib 300 nM")
    readings = [Reading(line, treatment, 4320.0, viability) for treatment in treatments]
    twice, once = take_readings(model, readings, library=library)[0]
    return {"twice_over_once": float(twice / once)}


def paxalisib_pk(model: Model, library: Library) -> Numbers:
    """Half-life, steady-state peak and free brain level over free plasma of paxalisib 45 mg daily in humans."""
    kinetics = default_pharmacy(model.version).find("paxalisib", "human", library)
    (course,) = Regimen.parse("paxalisib 45 mg daily").courses
    exposure = expose(kinetics, course, 14 * DAY)
    slowest = float(kinetics.exponentials()[0].min())
    return {
        "halflife_h": float(np.log(2.0)) / slowest / 60.0,
        "cmax_uM": exposure.peak()[1] / 1e3,
        "free_brain_over_plasma": kinetics.tissue["brain"],
    }


ARM, STUDIES = 8, 25
"""Mice per arm of a virtual study, and how many studies the share of significant ones is taken over."""


def xenograft_trial(model: Model, library: Library) -> Numbers:
    """Orthotopic AT/RT tumours under vehicle, paxalisib 20 to 60 mg/kg, and the combination: medians over all studies,
    and the share of studies of :data:`ARM` mice per arm in which paxalisib 20 mg/kg beats vehicle (log-rank)."""
    low, middle, high = (f"paxalisib {dose} mg/kg daily" for dose in (20, 40, 60))
    arms = ("vehicle", low, middle, high, f"{low} + mirdametinib 5 mg/kg daily")
    days, size = 200.0, ARM * STUDIES
    trial = xenograft(model, "ATRT", arms, mice=size, seed=0, days=days, library=library, readouts=())
    medians = trial.summary().set_index("arm")["median_days"].astype(float).fillna(days)
    return {
        "control_days": float(medians[arms[0]]),
        "paxalisib_over_control": float(medians[low] / medians[arms[0]]),
        "combination_over_paxalisib": float(medians[arms[4]] / medians[low]),
        "survival_40_over_20": float(medians[middle] / medians[low]),
        "survival_60_over_40": float(medians[high] / medians[middle]),
        "significant_studies": _significant(trial, arms[0], low),
    }


def _significant(trial: Trial, control: str, arm: str) -> float:
    """Share of studies with p below 0.05 and the longer survival in ``arm``. Animals of one number share their traits
    over the arms, so each study takes its controls from the animals of the next."""
    import pandas as pd

    times = {name: part.sort_values("mouse") for name, part in trial.mice.groupby("arm")}
    shifted = times[control].iloc[np.roll(np.arange(ARM * STUDIES), -ARM)]
    found = []
    for first in range(0, ARM * STUDIES, ARM):
        both = pd.concat([shifted.iloc[first : first + ARM], times[arm].iloc[first : first + ARM]])
        test = log_rank(both["time_days"], both["arm"], both["event"])
        longer = both[both["arm"] == arm]["time_days"].median() > both[both["arm"] == control]["time_days"].median()
        found.append(test.p is not None and test.p < 0.05 and longer)
    return float(np.mean(found))


def glioma_mice(model: Model, library: Library) -> Numbers:
    """Orthotopic GBM under paxalisib 15 mg/kg: survival over control, deaths, and pAKT in the tumour an hour after a
    dose, when the drug peaks."""
    arms, days, (asked, *_) = ("vehicle", "paxalisib 15 mg/kg daily"), 120.0, protocols(model.version).xenograft_lysate
    trial = xenograft(
        model, "GBM", arms, mice=40, seed=0, days=days, lysate_hours=1.0, library=library, readouts=(asked,)
    )
    frame = trial.summary().set_index("arm")
    medians = frame["median_days"].astype(float).fillna(days)
    lysate = trial.lysate.set_index("treatment")["value"]
    return {
        "survival_over_control": float(medians[arms[1]] / medians[arms[0]]),
        "deaths": float(frame["events"][arms[1]] / frame["mice"][arms[1]]),
        "pakt_suppression": 1.0 - float(lysate[arms[1]] / lysate[arms[0]]),
    }


def escalation(model: Model, library: Library) -> Numbers:
    """A T47D culture under alpelisib raised step by step: how long it takes, the GR50 of the clone that wins and its
    pAKT under drug; and what three months without drug leave of clones of one change only, fading and inherited."""
    done = escalate(model, "T47D", "alpelisib", stochastic=False, library=library)
    doses = np.geomspace(30.0, 30e3, 13)
    times = (("serum 10 %", 0.0), ("serum 10 %", 4320.0))
    cell_count, (pakt, *_) = protocols(model.version).names.cell_count, protocols(model.version).numerics.readouts
    found, signal = [], []
    for line in (done.parental, done.line):
        readings = [Reading("flask", text, time, cell_count) for text, time in times]
        readings += [Reading("flask", f"serum 10 % + alpelisib {dose:.6g} nM", 4320.0, cell_count) for dose in doses]
        readings.append(Reading("flask", "serum 10 % + alpelisib 1 uM", 1440.0, pakt))
        values = take_readings(model, readings, library=library, lines={"flask": line})[0]
        counts = values[:-1]
        growth = np.log2(counts[2:] / counts[0]) / np.log2(counts[1] / counts[0])
        found.append(float(crossing(doses, (2.0**growth - 1.0)[None, :], 0.5)[0]))
        signal.append(float(values[-1]))
    return {
        "months": done.days / 30.4,
        "reached": float(done.reached),
        "gr50_fold": found[1] / found[0],
        "pakt_fold": signal[1] / signal[0],
        **{f"kept_{name}": _kept(model, library, clone) for name, clone in _fading_and_inherited(model).items()},
    }


def _fading_and_inherited(model: Model) -> dict[str, Clone]:
    """A clone that fades without drug and one that is inherited, the most frequent of each kind."""
    clones = sorted(default_clones(model.version), key=lambda clone: -clone.frequency)
    return {
        "fading": next(clone for clone in clones if not clone.genetic),
        "inherited": next(clone for clone in clones if clone.genetic),
    }


def _kept(model: Model, library: Library, clone: Clone) -> float:
    """Share of ``clone`` three months after the end of an escalation in which nothing else arises, over that share at
    the end."""
    rules = Rules(max_days=180.0)
    run = escalate(
        model, "T47D", "alpelisib", rules=rules, clones=(clone,), most_changes=1, stochastic=False, library=library
    )
    table = washout(run, 90.0)
    carried = table[table["clone"].str.contains(clone.alteration, regex=False)].set_index("day")["fraction"]
    return float(carried.iloc[-1] / carried.iloc[0])


CARRIERS, SMALLEST, LARGEST, SEEN = 0.25, 1e-6, 0.1, 0.05
"""Assumptions of the virtual trial: share of patients with a PTEN-null clone before treatment, the range of its
fraction (log-uniform), and the fraction that sequencing detects."""


def virtual_trial(model: Model, library: Library) -> Numbers:
    """Share of tumours with detected PTEN loss before and after half a year of alpelisib; frequencies are assumed."""
    lines, cell_count = ("T47D", "T47D+PTEN_loss"), protocols(model.version).names.cell_count
    readings = [
        Reading(line, "serum 10 % + alpelisib 1 uM", time, cell_count) for line in lines for time in (2880.0, 5760.0)
    ]
    counts = take_readings(model, readings, library=library)[0].reshape(2, 2)
    sensitive, resistant = np.log(counts[:, 1] / counts[:, 0]) / 2.0
    rng = np.random.default_rng(0)
    carriers = rng.random(4000) < CARRIERS
    before = np.where(carriers, np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), 4000)), 0.0)
    odds = before / (1.0 - before) * np.exp((resistant - sensitive) * 182.0)
    after = odds / (1.0 + odds)
    naive, treated = float((before > SEEN).mean()), float((after > SEEN).mean())
    return {"resistant_over_naive": treated / naive, "share_of_patients": treated}


EXPERIMENTS: Mapping[str, Callable[[Model, Library], Numbers]] = {
    "mass_conservation": mass_conservation,
    "negative_states": negative_states,
    "two_solvers": two_solvers,
    "zero_drug": zero_drug,
    "monotone_occupancy": monotone_occupancy,
    "rest_before_treatment": rest_before_treatment,
    "self_combination": self_combination,
    "paxalisib_pk": paxalisib_pk,
    "xenograft_trial": xenograft_trial,
    "glioma_mice": glioma_mice,
    "escalation": escalation,
    "virtual_trial": virtual_trial,
    "gbm_cohort": gbm_cohort,
    "host_insulin": host_insulin,
}
"""Experiments by the name a claim gives."""
