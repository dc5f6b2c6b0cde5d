"""The same problem in both versions of PEtab: steps after the first are events in version 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from culture import culture_library, culture_model

pytest.importorskip("petab", reason="the package petab is not installed")

import pathsim as ps
from pathsim.errors import InputError

ONE = "serum 10 % + inhibitor 300 nM"
THREE = "vehicle for 90 min then serum 10 % + inhibitor 300 nM for 30 min then IGF1 5 nM"
FREE = ["k_off", "K"]


def _table(*treatments: str) -> pd.DataFrame:
    rows = [
        (line, treatment, time, readout, 20.0 + time, f"gel of {line}")
        for line in ("T47D", "MCF7")
        for treatment in treatments
        for time in (0.0, 15.0, 60.0)
        for readout in ("pAKT", "cell_count")
    ]
    return pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value", "gel"])


def _both(tmp_path: Path, table: pd.DataFrame, free: list[str]) -> tuple[ps.petab.Problem, ps.petab.Problem]:
    model, library = culture_model(), culture_library()
    folders = {version: tmp_path / f"v{version}" for version in (1, 2)}
    for version, folder in folders.items():
        ps.petab.export(model, table, folder, free, library, version=version)
    return ps.petab.load(folders[1] / "problem.yaml"), ps.petab.load(folders[2] / "problem.yaml")


@pytest.mark.parametrize("treatments", [(ONE,), (ONE, THREE)], ids=["one step", "three steps"])
def test_both_versions_say_the_same(tmp_path: Path, treatments: tuple[str, ...]) -> None:
    first, second = _both(tmp_path, _table(*treatments), FREE)
    assert first.log_likelihood() == pytest.approx(second.log_likelihood(), rel=1e-8)
    simulated = [problem.simulate()["simulation"].to_numpy() for problem in (first, second)]
    np.testing.assert_allclose(simulated[0], simulated[1], rtol=1e-7)
    from petab.v1 import Problem, lint_problem

    assert not lint_problem(Problem.from_yaml(str(tmp_path / "v1" / "problem.yaml")))


def test_gradients_go_through_the_events(tmp_path: Path) -> None:
    first, second = _both(tmp_path, _table(THREE), FREE)
    shared = [first.parameter_ids.index(name) for name in FREE]
    other = [second.parameter_ids.index(name) for name in FREE]
    scale = [10.0 ** first.theta[i] * np.log(10.0) if first.parameters[i].scale == "log10" else 1.0 for i in shared]
    found = first.gradient(first.theta)[shared] / scale
    np.testing.assert_allclose(found, second.gradient(second.theta)[other], rtol=1e-4)


def test_a_formula_has_no_room_in_a_condition(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'AKT_total' is set to the formula .* so write version 2"):
        _both(tmp_path, _table(ONE), ["AKT_total"])
