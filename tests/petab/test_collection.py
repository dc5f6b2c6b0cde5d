"""Published problems at their nominal parameters, against independent engines and the collection's own simulations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

from pathsim.petab import Problem, load

COLLECTION = Path(__file__).parents[3] / "shared" / "data" / "petab"
REFERENCE = COLLECTION / "nominal_log_likelihood.tsv"
PROBLEMS = sorted(folder.name for folder in COLLECTION.glob("*_*") if folder.is_dir())

NO_REFERENCE = {
    "Chen_MSB2009": (
        "no reference; Rosenbrock gives -130591.75298 at tolerances from 1e-8 to 1e-10 and scipy's BDF at 1e-8 "
        "-130591.75300, while the collection's simulated data give -130669.488 and the publication another value yet"
    ),
    "Liu_IFACPapersOnLine2025": (
        "the reference -918.7366 does not belong to the collection's simulated data, which give -723.3575 with the "
        "noise formula of the observable table, as do ours (they agree to 1e-6)"
    ),
}
"""Problems whose reference log likelihood is not compared, and what is compared instead."""

OWN_REFERENCE = {"Chen_MSB2009": -130591.75300081557, "Liu_IFACPapersOnLine2025": -723.3574922210174}
"""The first is from scipy's BDF behind the same equations, the second from the collection's simulated data."""

NO_SIMULATIONS = {
    "Sneyd_PNAS2002": "simulated data of another parameter set: their log likelihood is 178.5, the published one 319.8",
    "Perelson_Science1996": (
        "simulated data of another parameter set: they rise at first, while the model at the nominal parameters starts "
        "within 0.1 % of the steady state of V (delta*NN*Tstar = c*V) and falls"
    ),
    "Fujita_SciSignal2010": (
        "simulated data of rounded parameters (log likelihood 52.84; published 53.08), conditions under other names"
    ),
}
"""Problems whose simulated data are not compared, and why."""

SIMULATION_TOLERANCE = {"Chen_MSB2009": 3e-3}
"""Relative; 1e-3 elsewhere. Chen: seven values of ERK_PP in the collection come from a loosely solved simulation."""

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason=f"the PEtab collection is not at {COLLECTION}")


def _problem(name: str) -> Problem:
    files = [path for path in sorted((COLLECTION / name).glob("*.yaml")) if "test" not in path.name]
    return load(files[0])


@pytest.mark.parametrize("name", PROBLEMS)
def test_nominal_log_likelihood(name: str) -> None:
    reference = pd.read_csv(REFERENCE, sep="\t").set_index("problem").loc[name]
    problem = _problem(name)
    evaluation = problem.evaluate()
    assert not evaluation.failure
    if name in NO_REFERENCE:
        assert evaluation.log_likelihood == pytest.approx(OWN_REFERENCE[name], rel=1e-6)
    else:
        assert evaluation.log_likelihood == pytest.approx(reference["llh"], rel=1e-5)
        assert evaluation.chi2 == pytest.approx(reference["chi2"], rel=1e-4)
        assert len(problem.parameter_ids) == reference["estimated_parameters"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_simulated_data(name: str) -> None:
    if name in NO_SIMULATIONS:
        pytest.skip(NO_SIMULATIONS[name])
    ours = _problem(name).simulate()
    theirs = pd.read_csv(next(iter((COLLECTION / name).glob("simulat*.tsv"))), sep="\t")
    both = _side_by_side(ours, theirs)
    floor = 1e-3 * both["theirs"].abs().groupby(both["observable"]).transform("max")
    error = (both["ours"] - both["theirs"]).abs() / np.maximum(both["theirs"].abs(), floor)
    assert error.max() < SIMULATION_TOLERANCE.get(name, 1e-3)


def _side_by_side(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Columns observable, ours, theirs. By position where the rows are the same, else by what identifies a row."""
    names = ["observableId", "preequilibrationConditionId", "simulationConditionId", "time", "observableParameters"]
    keys = [key for key in names if key in ours and key in theirs]
    same = len(ours) == len(theirs) and np.allclose(ours["time"].astype(float), theirs["time"].astype(float), rtol=1e-5)
    identity = ["observableId", "simulationConditionId"]
    if same and (ours[identity] == theirs[identity]).all(axis=None):
        return pd.DataFrame(
            {"observable": ours["observableId"], "ours": ours["simulation"], "theirs": theirs["simulation"]}
        )
    frames = []
    for frame in (ours, theirs):
        text = {key: frame[key].astype(float if key == "time" else str) for key in keys}
        frames.append(frame.assign(**text).drop_duplicates(keys).set_index(keys)["simulation"].astype(float))
    both = pd.concat(frames, axis=1, keys=["ours", "theirs"], join="inner")
    assert len(both) == len(frames[0])
    return both.assign(observable=both.index.get_level_values("observableId"))
