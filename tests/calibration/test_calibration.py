"""The calibration: tables and targets become rows of one problem, whose gradient is exact, and constants are found."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.calibration.calibrate import goodness_table, squares
from pathsim.calibration.problem import Constant, calibration_problem, free_constants, of_model, prior_centres
from pathsim.calibration.tables import Targets, _fold, _gr, _gr_curve, _weighed, read_targets
from pathsim.estimation.lab_problem import Place
from pathsim.estimation.search import QuasiNewton
from pathsim.files import read_toml
from pathsim.lab import default_library
from pathsim.model import models_folder
from pathsim.stats.growth_rate import area_over

DATA = Path(__file__).parents[3] / "shared" / "data" / "calibration"
CONFIG = models_folder() / "calibration.toml"
IGF1 = "vehicle for 24 h then IGF1 13 nM"


def made_targets() -> Targets:
    start = Place("T47D", IGF1, 0.0)
    folds = tuple(_fold(Place("T47D", IGF1, time), start, "pS6K_T389", 2.0, 0.05, "made") for time in (5.0, 10.0, 30.0))
    return Targets(folds)


def test_a_constant_is_recovered_from_its_own_predictions() -> None:
    model, library = ps.load_model("pi3k_mapk"), default_library()
    true = {item.id: item.value for item in model.parameters}["k_S6K"]
    assert true is not None
    targets = made_targets()
    constants = [Constant("k_S6K", true, true * 1.5, 3.0, False)]
    problem = calibration_problem(model, library, targets, constants)
    assert problem.theta[0] == pytest.approx(math.log(true))
    values = problem.simulate()["value"]
    rows = [
        _fold(item.row.place, item.row.others[0], "pS6K_T389", float(value), 0.05, "made")
        for item, value in zip(targets.numbers, values, strict=True)
    ]
    made = calibration_problem(model, library, Targets(tuple(rows)), constants)
    found = ps.fit(made, 1, workers=1, optimiser=QuasiNewton(), first=[prior_centres(made, constants)])
    assert math.exp(found.theta[0]) == pytest.approx(true, rel=0.01)
    assert found.best.begin[0] == pytest.approx(math.log(1.5 * true))


def test_the_gradient_of_growth_and_folds_is_that_of_differences() -> None:
    model, library = ps.load_model("pi3k_mapk"), default_library()
    numbers = (*made_targets().numbers, _gr("BT-20", "serum 10 % + alpelisib 300 nM", 4320.0, 0.4, 0.1, "made"))
    values = {item.id: float(item.value or 0.0) for item in model.parameters}
    constants = [Constant(name, values[name], values[name], 1.0, False) for name in ("k_S6K", "k_RHEB_exchange")]
    constants.append(
        Constant("E2F_requirement@BT-20", library.cell_line("BT-20").set["E2F_requirement"], 1.0, 0.5, False)
    )
    constants.append(Constant("potency(alpelisib)", library.drug("alpelisib").potency, 1.0, 0.7, False))
    problem = calibration_problem(model, library, Targets(numbers), constants)
    problem = problem.with_solver(ps.Rosenbrock(rtol=1e-10, atol=1e-13))
    gradient, step = problem.gradient(), 1e-4
    for i, name in enumerate(problem.parameter_ids):
        up, down = (problem.log_likelihood({name: problem.theta[i] + way * step}) for way in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5), name


def test_a_line_effect_scales_what_is_lost_and_moves_with_its_prior() -> None:
    model, library = ps.load_model("pi3k_mapk"), default_library()
    asked = ("BT-20", "alpelisib 300 nM", 1440.0, 0.4, 0.1, "made")
    constants = [Constant("k_PP2A_T308", 0.3, 0.2, 0.5, False)]
    plain = calibration_problem(model, library, Targets((_gr(*asked),)), constants)
    problem = calibration_problem(model, library, Targets((_gr(*asked, 0.3),)), constants)
    assert problem.parameter_ids == ("k_PP2A_T308", "effect(made, BT-20)")
    theta = np.array([math.log(0.3), math.log(1.5)])
    lost = 1.0 - plain.signals(theta[:1])[0]
    assert problem.signals(theta)[0] == pytest.approx(1.0 - 1.5 * lost, rel=1e-9)
    there, here = (problem.log_posterior(theta) - problem.log_likelihood(theta) for theta in (theta, 0 * theta))
    own = Constant("k_PP2A_T308", 0.3, 0.2, 0.5, False)
    prior = [(math.log(value) - math.log(own.prior)) / own.sd for value in (0.3, 1.0)]
    assert there - here == pytest.approx(0.5 * (prior[1] ** 2 - prior[0] ** 2) - 0.5 * (math.log(1.5) / 0.3) ** 2)
    gradient, step = problem.gradient(theta), 1e-4
    ends = [problem.log_likelihood(theta + sign * step * np.eye(2)[1]) for sign in (1, -1)]
    assert gradient[1] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)
    assert of_model({"k_PP2A_T308": 0.3, "effect(made, BT-20)": 1.5, "potency(alpelisib)": 2.0}) == {"k_PP2A_T308": 0.3}


def test_altered_lines_have_no_constant_of_their_own() -> None:
    """What is fitted for a line holds for the line without PTEN: only then do isogenic numbers say anything."""
    model, library = ps.load_model("pi3k_mapk"), default_library()
    numbers = tuple(_gr(line, "alpelisib 1 uM", 1440.0, 0.4, 0.1, "made") for line in ("AGS", "AGS+PTEN_loss"))
    targets = Targets(numbers, line_constant="E2F_requirement")
    assert targets.growing_lines == ["AGS"]
    constants = [one for one in free_constants(model, library, targets) if one.name == "E2F_requirement@AGS"]
    problem = calibration_problem(model, library, targets, constants)
    before, after = problem.signals(problem.theta), problem.signals(problem.theta + 0.2)
    assert (np.abs(after - before) > 1e-4).all()


def test_a_free_potency_does_what_a_library_with_that_potency_does() -> None:
    model, library = ps.load_model("pi3k_mapk"), default_library()
    numbers = (
        _gr("BT-20", "alpelisib 100 nM for 24 h then alpelisib 300 nM + trametinib 1 nM", 1440.0, 0.4, 0.1, "made"),
    )
    constants = [Constant("potency(alpelisib)", library.drug("alpelisib").potency, 1.0, 0.7, False)]
    problem = calibration_problem(model, library, Targets(numbers), constants)
    stronger = library.with_potencies({"potency(alpelisib)": 3.0})
    fixed = calibration_problem(model, stronger, Targets(numbers), constants)
    np.testing.assert_allclose(fixed.theta, math.log(3.0))
    asked = problem.signals(np.array([math.log(3.0)]))
    np.testing.assert_allclose(asked, fixed.signals(), rtol=1e-9)
    assert abs(asked[0] - problem.signals()[0]) > 1e-3


def test_curves_of_a_panel_have_its_areas() -> None:
    row = {"GRmax": -0.2, "GEC50": 0.05, "GR_AOC": 0.66}
    curve = _gr_curve(row, 1.0, 1e4)
    doses = np.geomspace(1.0, 1e4, 9)
    assert area_over(doses, curve(doses)) == pytest.approx(0.66, abs=0.01)
    assert float(curve(50.0)) == pytest.approx(0.4)


def test_emphasis_divides_the_error_of_what_fits_it() -> None:
    item = made_targets().numbers[0]
    weighed = _weighed(item, [{"table": "made", "readout": "pS6K_T389", "treatment": "IGF1", "factor": 2.0}])
    assert weighed.row.sd == pytest.approx(0.025)
    assert _weighed(item, [{"table": "made", "cell_line": "MCF7", "factor": 2.0}]) == item


def test_claims_marked_as_used_are_those_the_fit_lists() -> None:
    fit = read_toml(CONFIG)
    rows = [entry for kind in ("table", "ratio", "level", "growth", "sign") for entry in fit[kind]]
    listed = {name for entry in rows for name in entry.get("claims", ())} | set(fit["watched"])
    marked = {
        item["id"]
        for item in read_toml(models_folder() / "claims.toml")["claim"]
        if item.get("used") in ("fit", "watched")
    }
    assert listed == marked


def test_constants_that_are_held_or_shares_exist() -> None:
    known = {item.id for item in ps.load_model("pi3k_mapk").parameters}
    content = read_toml(CONFIG)
    known |= {f"potency({name})" for name in default_library().drugs}
    assert {*content["held_fixed"], *content["shares"], *content["prior_sd"]} <= known


def test_every_table_is_read_and_becomes_the_problem() -> None:
    if not DATA.exists():
        pytest.skip("the calibration tables are not here")
    targets = read_targets(CONFIG, DATA)
    frame = targets.frame()
    counted = frame["table"].value_counts().to_dict()
    assert counted == {
        "hpn_dream_rppa": 1533,
        "welsh_insulin_westerns": 570,
        "imoto2022_erbb_westerns": 192,
        "niepel2013_breast_rtk": 123,
        "lincs_brca_gr": 648,
        "literature targets": 92,
        "marm2_a375_perk": 40,
        "niepel2013_levels": 38,
        "yip2024_t47d": 25,
        "oneil2016_merck": 16,
        "literature directions": 48,
        "growth targets": 53,
    }
    assert (frame["sd"] > 0).all()
    chosen = replace(targets, numbers=tuple(item for item in targets.numbers if item.row.place.cell_line == "A375"))
    model, library = ps.load_model("pi3k_mapk"), default_library()
    constants = [item for item in free_constants(model, library, targets) if item.name in ("K_DUSP", "DUSP_max")]
    problem = calibration_problem(model, library, chosen, constants)
    goodness = goodness_table(problem, problem.theta, chosen).set_index("table")
    assert goodness.loc["marm2_a375_perk", "numbers"] == 40
    assert goodness["numbers"].sum() == len(chosen.numbers)
    assert squares(problem, problem.theta, chosen).sum() < 80


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ps.InputError, match="hpn_dream_rppa: no such folder"):
        read_targets(CONFIG, tmp_path)


def test_shares_stay_below_one_and_nothing_leaves_its_prior_far() -> None:
    share, plain = Constant("a", 0.9, 0.9, 1.0, True).free, Constant("b", 2.0, 2.0, 0.1, False).free
    assert share.upper == 0.98
    assert np.allclose([plain.lower, plain.upper], [2.0 * math.exp(-0.3), 2.0 * math.exp(0.3)])
