"""Claims about hosts: glucose and insulin of a dosed mouse, and cohorts of patients beside the reported trial."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from ..invivo.glucose import CLAMPED, GlucoseStudy, glucose_insulin_study
from ..invivo.trial import VirtualTrial, virtual_trial
from ..lab import Library
from ..lab.protocols import protocols
from ..model import Model

Numbers = dict[str, float]

ONE_DOSE = {"pax": ("ATRT", "paxalisib 15 mg/kg daily"), "alp": ("T47D", "alpelisib 25 mg/kg daily")}
"""Studies by the prefix of their numbers; they end before the second dose: pan-PI3K and alpha-selective."""
PATIENTS, TRIALS = 60, 100


def host_insulin(model: Model, library: Library) -> Numbers:
    """What one dose does to glucose, insulin and the tumour, and what the interventions change, for both studies."""
    found: Numbers = {}
    for prefix, (line, regimen) in ONE_DOSE.items():
        study = glucose_insulin_study(model, line, regimen, days=1.0, library=library)
        numbers = {**_course(study, "glucose_mM"), **_course(study, "insulin_nM"), **_tumour(study)}
        found |= {f"{prefix}_{name}": value for name, value in numbers.items()}
    return found


def _course(study: GlucoseStudy, column: str) -> Numbers:
    """Folds over the level before the dose at 1 and 3 h, and the share of the peak left a day later."""
    drug = study.host[study.host["arm"] == "none"]
    hours = drug["time_h"].to_numpy(dtype=float)
    fold = drug[column].to_numpy(dtype=float) / float(drug[column].iloc[0])
    name = column.split("_")[0]
    return {
        f"{name}_1h": float(np.interp(1.0, hours, fold)),
        f"{name}_3h": float(np.interp(3.0, hours, fold)),
        f"{name}_left": float((fold[-1] - 1.0) / (fold.max() - 1.0)),
    }


def _tumour(study: GlucoseStudy) -> Numbers:
    """pAKT over a clamped host, insulin areas over the drug alone, and net growth per day spared by interventions."""
    table = study.summary.set_index("arm")
    columns = (f"{protocols().glucose_readouts[0]}_at_3_h", "insulin_area_nM_h", "net_growth_per_day")
    pakt, area, growth = (table[name].astype(float) for name in columns)
    spared = growth["none"] - growth
    return {
        "pakt_over_clamped": float(pakt["none"] / pakt[CLAMPED]),
        "diet_insulin": float(area["ketogenic diet"] / area["none"]),
        "sglt2_insulin": float(area["SGLT2 inhibitor"] / area["none"]),
        "spared_diet": float(spared["ketogenic diet"]),
        "spared_sglt2": float(spared["SGLT2 inhibitor"]),
        "spared_metformin": float(spared["metformin"]),
        "spared_insulin": float(spared["insulin"]),
    }


def gbm_cohort(model: Model, library: Library) -> Numbers:
    """5 to 95 % interval of the hazard ratio over simulated trials, and its mean with its Monte Carlo error.

    How much of the effect in cells reaches patients is drawn evenly between nothing and all of it, an assumption.
    """
    first, recurrent = (
        virtual_trial(model, name, PATIENTS, TRIALS, library=library) for name in ("newly diagnosed", "recurrent")
    )
    low, high = np.quantile(_ratios(first), [0.05, 0.95])
    again = _ratios(recurrent)
    return {
        "hr_low": float(low),
        "hr_high": float(high),
        "hr_primary": first.cohort.reported[0].ratio,
        "hr_secondary": first.cohort.reported[1].ratio,
        "recurrent_hr": float(again.mean()),
        "recurrent_error": float(again.std(ddof=1) / np.sqrt(len(again))),
    }


def _ratios(trial: VirtualTrial) -> FloatArray:
    return trial.trials["hazard_ratio"].dropna().to_numpy(dtype=float)
