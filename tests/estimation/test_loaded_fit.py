"""The folder of a fit is enough: what is loaded from it is as good as what was saved."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from culture import culture_library, culture_model

import pathsim as ps
from pathsim.estimation import Fit, Start
from pathsim.estimation.result import ordered, read_starts
from pathsim.estimation.stored_problem import PROBLEM_FILE

SCHEMA = ["cell_line", "treatment", "time_min", "readout", "value", "gel"]


@pytest.fixture(scope="module")
def fit() -> Fit:
    """Of blots (a saturating detector, a prior, a bound) and of wells compared with a vehicle."""
    times = [0.0, 10.0, 30.0, 60.0]
    blots = pd.DataFrame(
        [("T47D", "inhibitor 100 nM for 1 h", t, "pAKT", v, "g 1") for t, v in zip(times, [5, 3, "<1", 2], strict=True)]
        + [("MCF7", "IGF1 10 nM for 1 h", t, "pAKT", v, "g 2") for t, v in zip(times, [1, 4, 5, 6], strict=True)],
        columns=SCHEMA,
    )
    wells = pd.DataFrame(
        [("T47D", f"inhibitor {dose} nM", 4320.0, "viability", v) for dose, v in ((10, 95.0), (100, 60.0), (1000, 30))],
        columns=SCHEMA[:-1],
    )
    free = [ps.FreeParameter("k_off", mean=0.2, sd=0.5), "growth"]
    problem = ps.problem(culture_model(), [blots, wells], free, saturation=["pAKT"], library=culture_library())
    objective = problem.objective()
    ends = [problem.theta, problem.theta + 0.1]
    starts = [
        Start(i, tuple(end), tuple(end.tolist()), objective.value(end)[0], True, "", 1, 1, 1, 0, 0.1)
        for i, end in enumerate(ends)
    ]
    return Fit(objective, ordered(starts))


def test_a_loaded_fit_is_as_good_as_new(fit: Fit, tmp_path: Path) -> None:
    fit.save(tmp_path)
    again = ps.load_fit(tmp_path)
    assert again.problem.description.content == fit.problem.description.content
    assert again.objective.value(fit.theta) == fit.objective.value(fit.theta)
    np.testing.assert_array_equal(again.problem.gradient(fit.theta), fit.problem.gradient(fit.theta))
    pd.testing.assert_frame_equal(
        again.problem.predicted(again.theta), fit.problem.predicted(fit.theta), check_dtype=False
    )
    assert ps.posterior_ensemble(again, 5).parameters == ps.posterior_ensemble(fit, 5).parameters


def test_a_loaded_fit_goes_on_in_its_folder(fit: Fit, tmp_path: Path) -> None:
    fit.save(tmp_path)
    objective = ps.load_fit(tmp_path).problem.objective()  # which fit(folder=..., resume=True) asks
    assert ordered(read_starts(tmp_path, objective)) == fit.starts


@pytest.mark.parametrize("key", ["parameters", "models", "solver", "formulas"])
def test_a_changed_problem_is_refused(fit: Fit, tmp_path: Path, key: str) -> None:
    fit.save(tmp_path)
    path = tmp_path / PROBLEM_FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: []}))
    with pytest.raises(ps.InputError, match=r"problem\.json: changed since it was written"):
        ps.load_fit(tmp_path)
    path.write_text('{"format": "pathsim problem 0"}')
    with pytest.raises(ps.InputError, match="not a problem in the format"):
        ps.load_fit(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("arviz") is None, reason="arviz is not installed")
def test_what_arviz_gets(fit: Fit) -> None:
    data = fit.to_arviz()
    assert data.optima["growth"].values.tolist() == fit.table["growth"].tolist()
    assert data.observed_data["measurement"].size == fit.problem.n_measurements == 11
    members = ps.posterior_ensemble(fit, 5)
    drawn = members.to_arviz()
    assert drawn.posterior["k_off"].values[0].tolist() == [one["k_off"] for one in members.parameters[1:]]
