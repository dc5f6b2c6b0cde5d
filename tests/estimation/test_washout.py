"""Gradients of blots after washout, by both ways, are those of central differences.

The cells rest before their first step, with receptors whose total is conserved and free: steady states are
differentiated by their equations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pathsim as ps
from pathsim.solve.sensitivities import at_rest

ANT = """
model washed
  drug_on_R = 0; dose = 0;
  compartment cell; cell = 2;
  species R in cell, pR in cell, pS in cell;
  R = 80; pR = 20; pS = 1;
  k_on = 0.1; k_off = 0.05; k_s = 0.02; k_ds = 0.03; basal = 0.2;
  R1: R -> pR; cell*k_on*(basal + dose)/(1 + drug_on_R)*R;
  R2: pR -> R; cell*k_off*pR;
  R3: -> pS; cell*k_s*pR;
  R4: pS -> ; cell*k_ds*pS;
end
"""
TREATMENTS = (
    "inhibitor 100 nM for 1 h then vehicle",
    "inhibitor 100 nM for 1 h then growth 3 nM for 20 min then vehicle",
)
FREE = [ps.FreeParameter(name, own / 20, own * 20) for name, own in (("k_on", 0.1), ("k_off", 0.05), ("k_s", 0.02))]
FREE += [ps.FreeParameter("R", 1.0, 1000.0), ps.FreeParameter("cell", 0.1, 50.0), ps.FreeParameter("basal", 0.01, 5.0)]


@pytest.fixture(name="problem")
def blots_after_washout(tmp_path: Path) -> ps.Problem:
    path = tmp_path / "washed.ant"
    path.write_text(ANT)
    rng, rows = np.random.default_rng(0), []
    for treatment in TREATMENTS:
        for time in (0.0, 5.0, 20.0, 60.0):
            for readout in ("pR", "pS"):
                rows.append(("line", treatment, time, readout, float(np.exp(rng.normal())), "gel", 1))
    columns = ["cell_line", "treatment", "time_min", "readout", "value", "gel", "replicate"]
    drugs = {
        "inhibitor": ps.Drug("inhibitor", per_nM={"drug_on_R": 0.1}),
        "growth": ps.Drug("growth", kind="ligand", per_nM={"dose": 0.5}),
    }
    shelf = ps.Library(drugs, {"line": ps.CellLine("line")}, {})
    solver = ps.Rosenbrock(rtol=1e-10, atol=1e-13)
    return ps.blot_problem(path, pd.DataFrame(rows, columns=columns), FREE, library=shelf, solver=solver)


@pytest.mark.parametrize("by_equations", [True, False])
def test_gradients_are_those_of_differences(
    problem: ps.Problem, by_equations: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the equations are taken to say too little, and the approach to rest is followed instead."""
    if not by_equations:
        monkeypatch.setattr(at_rest, "NEAR", -1.0)
    objective = problem.objective()
    theta = problem.theta + np.linspace(-0.2, 0.3, len(problem.theta))
    found = []
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = 1e-4
        found.append((objective.value(theta + step)[0] - objective.value(theta - step)[0]) / 2e-4)
    np.testing.assert_allclose(-problem.gradient(theta), found, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(objective.derivatives(theta).gradient, found, rtol=1e-5, atol=1e-4)
