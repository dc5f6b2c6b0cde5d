"""Fits to perturbed data: the spread of a nearly linear problem is that of the Laplace approximation."""

from __future__ import annotations

import numpy as np
import pytest

import pathsim as ps
from pathsim.calibration.calibration import Constant, Experiments, descend, posterior_sd, start
from pathsim.calibration.calibration_data import CalibrationData, Ratio
from pathsim.calibration.perturbed_fits import perturbed_fits
from pathsim.experiments.readings import Reading, take_readings
from pathsim.lab import default_library


def test_the_spread_of_a_nearly_linear_problem_is_known() -> None:
    model = ps.load_model("pi3k_mapk")
    treatment = "vehicle for 24 h then IGF1 13 nM"
    first = Reading("T47D", treatment, 0.0, "pS6K_T389")
    dishes = [Reading("T47D", treatment, time, "pS6K_T389") for time in (5.0, 10.0, 20.0, 30.0)]
    values = take_readings(model, [first, *dishes])[0]
    pairs = zip(dishes, values[1:] / values[0], strict=True)
    data = CalibrationData((), tuple(Ratio(dish, first, float(x), 0.02, "made") for dish, x in pairs), (), frozenset())
    true = {item.id: item.value for item in model.parameters}["k_S6K"]
    assert true is not None
    state = descend(
        start(Experiments(model, default_library(), data), [Constant("k_S6K", true, true, sd=1.0)]), 2, lambda _: None
    )
    said: list[str] = []
    fits = perturbed_fits(state, 150, seed=3, report=said.append, tolerance=np.inf)
    found = np.array([x[0] for x in fits.sets])
    assert len(found) == 150
    assert fits.refused == 0
    assert found.mean() == pytest.approx(np.log(true), abs=0.25 * posterior_sd(state)[0])
    assert found.std(ddof=1) == pytest.approx(posterior_sd(state)[0], rel=0.25)
    assert "150 parameter sets" in said[-1] or "parameter sets within" in said[-1]
