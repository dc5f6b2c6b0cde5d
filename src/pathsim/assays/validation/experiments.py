"""What dishes cannot measure: numerics of the model, and calculators."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...ensemble import Dish, read_dishes
from ...lab import Library
from ...model import Model
from ...simulation import simulate
from ...solve import Lsoda, Rosenbrock
from ...units import Dimension, quantity

Numbers = dict[str, float]

MOIETIES = {
    "AKT_total": ("AKT", "AKT_T308", "AKT_S473", "AKT_both"),
    "PIP2_total": ("PIP2", "PIP3", "PI34P2"),
    "MEK_total": ("MEK", "pMEK"),
    "ERK_total": ("ERK", "pERK", "ppERK"),
    "S6K_total": ("S6K", "pS6K"),
    "TSC2_total": ("TSC2", "pTSC2"),
    "FOXO_total": ("FOXO_nuclear", "FOXO_cytosolic"),
    "RAS_total": ("RAS_GDP", "RAS_GTP"),
    "SRC_total": ("SRC", "SRC_active"),
}
"""Totals that nothing makes or destroys, and their forms."""
_TREATED = "vehicle for 24 h then alpelisib 1 uM for 2 h then alpelisib 1 uM + IGF1 13 nM"


def mass_conservation(model: Model, library: Library) -> Numbers:
    """Largest relative change of a conserved total over a starved, inhibited and stimulated day."""
    forms = [form for names in MOIETIES.values() for form in names]
    times = (0.0, 15.0, 120.0, 1440.0)
    dishes = [Dish("T47D", _TREATED, time, form) for time in times for form in forms]
    values = read_dishes(model, dishes, library=library)[0].reshape(len(times), len(forms))
    worst, at = 0.0, 0
    for names in MOIETIES.values():
        total = values[:, at : at + len(names)].sum(axis=1)
        at += len(names)
        worst = max(worst, float(np.ptp(total) / total.mean()))
    return {"worst": worst}


def negative_states(model: Model, library: Library) -> Numbers:
    """The lowest state during the same day, relative to the largest value of that state."""
    states = [item.id for item in model.species]
    times = (0.0, 5.0, 15.0, 60.0, 240.0, 1440.0)
    dishes = [Dish("T47D", _TREATED, time, state) for time in times for state in states]
    values = read_dishes(model, dishes, library=library)[0].reshape(len(times), len(states))
    return {"lowest": float((values.min(axis=0) / np.maximum(values.max(axis=0), 1e-3)).min())}


def two_solvers(model: Model, library: Library) -> Numbers:
    """Largest relative difference of readouts between Rodas5P and LSODA over a day from the initial state."""
    readouts = ["pAKT_S473", "pERK_T202", "pS6_S240", "cyclinD1", "cell_count"]
    settings = {"serum": 10.0, **library.drug("alpelisib").additions(quantity("1 uM", Dimension.CONCENTRATION))}
    times = [15.0, 240.0, 1440.0]
    ours = simulate(model, times, settings, readouts, Rosenbrock(rtol=1e-6, atol=1e-9)).to_numpy()
    other = simulate(model, times, settings, readouts, Lsoda(rtol=1e-8, atol=1e-11)).to_numpy()
    return {"worst": float((np.abs(ours - other) / np.abs(other)).max())}


def zero_drug(model: Model, library: Library) -> Numbers:
    """Largest relative difference between a zero dose of every drug and none."""
    worst = 0.0
    control = read_dishes(model, [Dish("T47D", "serum 10 %", 4320.0, "viability")], library=library)[0, 0]
    drugs = [name for name, drug in library.drugs.items() if drug.kind == "drug"]
    dishes = [Dish("T47D", f"serum 10 % + {name} 0 nM", 4320.0, "viability") for name in drugs]
    worst = float(np.abs(read_dishes(model, dishes, library=library)[0] / control - 1.0).max())
    return {"worst": worst}


def monotone_occupancy(model: Model, library: Library) -> Numbers:
    """Smallest step of target occupancy between rising doses, over all drugs and their sites."""
    smallest = np.inf
    for drug in library.drugs.values():
        for name, slope in drug.per_nM.items():
            if name.startswith("drug_on_"):
                occupancy = slope * np.geomspace(1e-3, 1e6, 19) / (1.0 + slope * np.geomspace(1e-3, 1e6, 19))
                smallest = min(smallest, float(np.diff(occupancy).min()))
    return {"smallest": smallest}


def rest_before_treatment(model: Model, library: Library) -> Numbers:
    """Largest drift of a readout per hour in full medium, in % of its value, over all lines."""
    readouts = [name for name in model.readouts if name not in ("cell_count", "viability", "dead_fraction", "cPARP")]
    dishes = [
        Dish(line, "serum 10 %", time, name) for line in library.cell_lines for time in (0.0, 60.0) for name in readouts
    ]
    values = read_dishes(model, dishes, library=library)[0].reshape(len(library.cell_lines), 2, len(readouts))
    change = np.abs(values[:, 1] - values[:, 0]) / np.maximum(np.abs(values[:, 0]), 1e-6)
    return {"percent_per_hour": float(100.0 * change.max())}


def self_combination(model: Model, library: Library) -> Numbers:
    """A drug with itself: viability of half a dose twice over that of the dose once."""
    dishes = [
        Dish("T47D", "serum 10 % + alpelisib 150 nM + alpelisib 150 nM", 4320.0, "viability"),
        Dish("T47D", "serum 10 % + alpelisib 300 nM", 4320.0, "viability"),
    ]
    twice, once = read_dishes(model, dishes, library=library)[0]
    return {"twice_over_once": float(twice / once)}


EXPERIMENTS: Mapping[str, Callable[[Model, Library], Numbers]] = {
    "mass_conservation": mass_conservation,
    "negative_states": negative_states,
    "two_solvers": two_solvers,
    "zero_drug": zero_drug,
    "monotone_occupancy": monotone_occupancy,
    "rest_before_treatment": rest_before_treatment,
    "self_combination": self_combination,
}
"""Experiments by the name a claim gives."""
