"""Conditions, parameter draws and measurement times of published PEtab problems, for the benchmarks.

The collection (Benchmark-Models-PEtab) is not part of pathsim: name its folder with ``--data`` or PATHSIM_DATA.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

# problem -> condition that is far from steady state (None: the first)
SPEED_SET = {
    "Bachmann_MSB2011": None,
    "Alkan_SciSignal2018": "model1_data89",
    "Raimundez_PCB2020": None,
    "Brannmark_JBC2010": None,
    "Fujita_SciSignal2010": "condition_step_30_0",
    "Boehm_JProteomeRes2014": None,
    "Fiedler_BMCSystBiol2016": None,
    "Borghans_BiophysChem1997": None,
    "Lucarelli_CellSystems2018": "model1_data2",
    "SalazarCavazos_MBoC2020": None,
}


@dataclass(frozen=True)
class Case:
    """One model under one condition: overrides of its symbols, the ones that are estimated, and sample times."""

    name: str
    model_file: Path
    settings: dict[str, float]
    estimated: tuple[str, ...]
    times: np.ndarray


def data_folder(parser: argparse.ArgumentParser | None = None) -> Path:
    """The folder that holds ``petab/``: ``--data``, PATHSIM_DATA, or ``../shared/data`` beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("PATHSIM_DATA", beside))


def load_case(folder: Path, name: str, condition: str | None = None) -> Case:
    """Read the PEtab tables of a problem."""
    place = folder / "petab" / name

    def table(pattern: str) -> pd.DataFrame:
        return pd.read_csv(next(iter(sorted(place.glob(pattern)))), sep="\t")

    parameters = table("parameters*.tsv").set_index("parameterId")
    nominal = parameters["nominalValue"].astype(float)
    conditions = table("experimentalCondition*.tsv").set_index("conditionId")
    row = conditions.iloc[0] if condition is None else conditions.loc[condition]
    settings = dict(nominal)
    for symbol, value in row.drop("conditionName", errors="ignore").items():
        if pd.isna(value):
            continue
        try:
            settings[str(symbol)] = float(value)
        except ValueError:
            settings[str(symbol)] = float(nominal[str(value)])
    times = np.unique(table("measurementData*.tsv")["time"].astype(float))
    estimated = tuple(parameters.index[parameters["estimate"].astype(float) == 1])
    return Case(name, next(iter(place.glob("*.xml"))), settings, estimated, times[np.isfinite(times)])


def draws(case: Case, known: set[str], n: int, seed: int = 1) -> pd.DataFrame:
    """``n`` rows of the case's settings, every estimated symbol the model has times log-uniform(0.5, 2)."""
    settings = {name: value for name, value in case.settings.items() if name in known}
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: np.full(n, value) for name, value in settings.items()})
    for name in case.estimated:
        if name in frame:
            frame[name] *= np.exp(rng.uniform(np.log(0.5), np.log(2.0), n))
    return frame
