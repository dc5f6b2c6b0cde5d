"""Every case of the PEtab test suite, against its own solution and tolerances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

import yaml

import pathsim as ps
from pathsim.petab import load

SUITE = Path(__file__).parents[3] / "shared" / "data" / "petab_test_suite"
CASES = sorted(folder for folder in SUITE.glob("v*/*") if (folder / f"_{folder.name}.yaml").exists())


@pytest.mark.skipif(not CASES, reason=f"the PEtab test suite is not at {SUITE}")
def test_the_suite_is_whole() -> None:
    assert sum(folder.parent.name == "v1.0.0" for folder in CASES) >= 20


@pytest.mark.parametrize("case", CASES, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_case(case: Path) -> None:
    solution = yaml.safe_load((case / f"_{case.name}_solution.yaml").read_text())
    problem = load(case / f"_{case.name}.yaml")
    assert problem.chi2() == pytest.approx(solution["chi2"], abs=solution["tol_chi2"], rel=0)
    assert problem.log_likelihood() == pytest.approx(solution["llh"], abs=solution["tol_llh"], rel=0)
    expected = pd.concat([pd.read_csv(case / name, sep="\t") for name in solution["simulation_files"]])
    simulated = problem.simulate()
    assert simulated["observableId"].tolist() == expected["observableId"].tolist()
    np.testing.assert_allclose(
        simulated["simulation"], expected["simulation"].astype(float), rtol=0, atol=solution["tol_simulations"]
    )
    for name, value in solution.get("log_prior", {}).items():
        assert problem.log_priors()[name] == pytest.approx(value, abs=solution["tol_log_prior"])
    if "unnorm_log_posterior" in solution:
        tolerance = solution["tol_unnorm_log_posterior"]
        assert problem.log_posterior() == pytest.approx(solution["unnorm_log_posterior"], abs=tolerance)


@pytest.mark.parametrize("case", CASES, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_gradient_of_case(case: Path) -> None:
    problem = load(case / f"_{case.name}.yaml", ps.Rosenbrock(rtol=1e-10, atol=1e-14))
    theta = problem.theta * 1.01
    numeric = []
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = 1e-4 * max(1.0, abs(theta[i]))
        before, after = (problem.log_likelihood(theta + sign * step) for sign in (-1, 1))
        far_before, far_after = (problem.log_likelihood(theta + sign * step) for sign in (-2, 2))
        numeric.append((8 * (after - before) - (far_after - far_before)) / (12 * step[i]))
    scale = max(np.abs(numeric).max(initial=0.0), 1e-6 * abs(problem.log_likelihood(theta)))
    np.testing.assert_allclose(problem.gradient(theta), numeric, rtol=0, atol=1e-6 * scale)
