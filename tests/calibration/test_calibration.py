"""The calibration: closed-form scales against brute force, the readers, and recovery of a known constant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

import pathsim as ps
from pathsim.calibration.calibration import Constant, Experiments, descend, soften, start
from pathsim.calibration.calibration_data import CalibrationData, Ratio, read_calibration
from pathsim.calibration.closed_form import factors, scaled_residuals
from pathsim.experiments.readings import Reading, take_readings
from pathsim.files import read_toml
from pathsim.lab import default_library
from pathsim.model import models_folder

DATA = Path(__file__).parents[3] / "shared" / "data" / "calibration"


@dataclass(frozen=True)
class Lane:
    value: float
    sd: float
    scale: str
    background: bool


def test_a_scale_and_background_are_found_again() -> None:
    x = np.array([1.0, 2.0, 5.0, 9.0, 3.0, 4.0])
    y = np.concatenate([3.0 * x[:4] + 2.0, 10.0 * x[4:]])
    blot = np.array([0, 0, 0, 0, 1, 1])
    factor, background = factors(x, y, np.full(6, 0.2), blot, np.array([True, False]))
    np.testing.assert_allclose(factor, [3.0, 10.0])
    np.testing.assert_allclose(background, [2.0, 0.0], atol=1e-9)


def test_the_plain_scale_is_the_best_of_log_errors() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.lognormal(size=8), rng.lognormal(size=8)
    lanes = [Lane(float(v), 0.3, "one", False) for v in y]
    found = float((scaled_residuals(list(x), lanes) ** 2).sum())
    best = minimize(lambda s: float((((np.log(x) + s[0] - np.log(y)) / 0.3) ** 2).sum()), [0.0]).fun
    assert found == pytest.approx(best, rel=1e-6)


def test_soft_residuals_are_quadratic_then_linear() -> None:
    small, large = soften(np.array([0.01, 300.0]))
    assert small == pytest.approx(0.01, rel=1e-4)
    assert large**2 == pytest.approx(2 * 3.0 * 300.0, rel=0.02)


def test_a_constant_is_recovered_from_its_own_predictions() -> None:
    model, library = ps.load_model("pi3k_mapk"), default_library()
    times = (5.0, 10.0, 20.0, 30.0)
    treatment = "vehicle for 24 h then IGF1 13 nM"
    dishes = [Reading("T47D", treatment, time, "pS6K_T389") for time in times]
    first = Reading("T47D", treatment, 0.0, "pS6K_T389")
    true = {item.id: item.value for item in model.parameters}["k_S6K"]
    assert true is not None
    values = take_readings(model, [first, *dishes], [{"k_S6K": true}])[0]
    pairs = zip(dishes, values[1:] / values[0], strict=True)
    ratios = tuple(Ratio(dish, first, float(fold), 0.05, "made") for dish, fold in pairs)
    data = CalibrationData((), ratios, (), frozenset())
    begun = start(Experiments(model, library, data), [Constant("k_S6K", true * 1.5, true * 1.5, sd=3.0)])
    done = descend(begun, 3, lambda _: None)
    assert done.settings(done.x)["k_S6K"] == pytest.approx(true, rel=0.03)


def test_claims_marked_as_used_are_those_the_fit_lists() -> None:
    fit = read_toml(models_folder() / "calibration.toml")
    rows = [entry for kind in ("table", "ratio", "level", "growth", "sign") for entry in fit[kind]]
    listed = {name for entry in rows for name in entry.get("claims", ())} | set(fit["watched"])
    marked = {item["id"] for item in read_toml(models_folder() / "claims.toml")["claim"] if item.get("calibrated")}
    assert listed == marked


def test_every_table_is_read() -> None:
    if not DATA.exists():
        pytest.skip("the calibration tables are not here")
    data = read_calibration(models_folder() / "calibration.toml", DATA)
    tables = {item.table for item in data.items}
    assert {"hpn_dream_rppa", "welsh_insulin_westerns", "lincs_brca_gr", "oneil2016_merck", "marm2_a375_perk"} <= tables
    assert all(item.value > 0 for item in data.bands)
    assert len(data.bands) > 1500


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ps.InputError, match="hpn_dream_rppa: no such folder"):
        read_calibration(models_folder() / "calibration.toml", tmp_path)
