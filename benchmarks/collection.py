"""Conditions, parameter draws and measurement times of published PEtab problems, for the benchmarks.

The collection (Benchmark-Models-PEtab) is not part of pathsim: name its folder with PATHSIM_DATA.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def data_folder() -> Path:
    """The folder that holds ``petab/``: PATHSIM_DATA, or ``../shared/data`` beside the checkout. Ends the program with
    a sentence when there is none."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PATHSIM_DATA", beside))
    if not (folder / "petab").is_dir():
        raise SystemExit(
            f"no models: {folder / 'petab'} does not exist. Get the collection (github.com/Benchmarking-Initiative/"
            "Benchmark-Models-PEtab) and set PATHSIM_DATA to the folder in which it is called 'petab'"
        )
    return folder


def rival_module() -> Any:
    """libRoadRunner, quiet; ends the program with a sentence where it is not installed."""
    try:
        import roadrunner
    except ImportError:
        raise SystemExit("libRoadRunner is not installed: pip install libroadrunner") from None
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    return roadrunner


class Rival:
    """libRoadRunner on one case, set up once; the loop around it is as lean as its Python interface allows."""

    def __init__(self, case: Case, frame: pd.DataFrame, states: list[str], atol: float = 1e-12) -> None:
        self.runner = rival_module().RoadRunner(str(case.model_file))
        self.atol = atol
        globals_ = list(self.runner.model.getGlobalParameterIds())
        self.columns = [name for name in frame.columns if name in globals_]
        self.index = [globals_.index(name) for name in self.columns]
        self.values = frame[self.columns].to_numpy()
        others = [name for name in frame.columns if name not in globals_]
        assert not others, f"libRoadRunner has no global parameter {others}"
        self.runner.timeCourseSelections = [f"[{name}]" for name in states]
        self.times = case.times if case.times[0] == 0 else np.concatenate([[0.0], case.times])
        self.skip = 0 if case.times[0] == 0 else 1

    def run(self, rtol: float, n: int) -> np.ndarray:
        """The first ``n`` draws, shape (n, times, states)."""
        self.set_tolerances(rtol)
        out = np.full((n, len(self.times) - self.skip, len(self.runner.timeCourseSelections)), np.nan)
        for i in range(n):
            out[i] = self.one(i)
        return out

    def set_tolerances(self, rtol: float) -> None:
        integrator = self.runner.getIntegrator()
        integrator.relative_tolerance, integrator.absolute_tolerance = rtol, self.atol
        integrator.maximum_num_steps = 1_000_000

    def one(self, i: int) -> np.ndarray:
        """Draw ``i``, shape (times, states)."""
        self.runner.model.setGlobalParameterValues(self.index, self.values[i])
        self.runner.reset()
        return np.asarray(self.runner.simulate(times=self.times))[self.skip :]


def error_of(values: np.ndarray, reference: np.ndarray) -> float:
    """Median over draws of the largest deviation, in parts of each state's peak."""
    peak = np.abs(reference).max(axis=1, keepdims=True)
    relative = np.abs(values - reference) / np.where(peak > 0, peak, np.inf)
    return float(np.median(np.nanmax(relative.reshape(len(values), -1), axis=1)))


def at_error(errors: Sequence[float], times: Sequence[float], wanted: float) -> float:
    """Our time at error ``wanted``, by interpolation in logarithms; the cheapest tolerance where all are better."""
    x, y = np.log(np.maximum(errors, 1e-300)), np.log(times)
    order = np.argsort(x)
    return float(np.exp(np.interp(np.log(wanted), x[order], np.maximum.accumulate(y[order][::-1])[::-1])))


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


def draws(case: Case, known: set[str], n: int, seed: int = 1, spread: float = 2.0) -> pd.DataFrame:
    """``n`` rows of the case's settings, every estimated symbol the model has times log-uniform(1/spread, spread)."""
    settings = {name: value for name, value in case.settings.items() if name in known}
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: np.full(n, value) for name, value in settings.items()})
    for name in case.estimated:
        if name in frame:
            frame[name] *= np.exp(rng.uniform(-np.log(spread), np.log(spread), n))
    return frame
