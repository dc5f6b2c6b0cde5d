"""The xenograft study: fast against fully coupled, calibration, directions, and everything that cannot be asked."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.invivo.animals import Study, calibrate, event_times
from pathsim.invivo.dosed_cells import follow, prepare
from pathsim.invivo.growth_table import chebyshev, courses, periodicity
from pathsim.invivo.power import logrank_power
from pathsim.invivo.xenograft import Trial, xenograft
from pathsim.lab import Regimen, default_library, default_pharmacy, expose
from pathsim.lab.host import sites
from pathsim.lab.schedule import DAY
from pathsim.model import load_model

MODEL = load_model("pi3k_mapk")
LIBRARY = default_library()
PAIR = "paxalisib 15 mg/kg daily + mirdametinib 1 mg/kg twice daily 4 on / 3 off"


@pytest.fixture(scope="module")
def study() -> Study:
    cells = prepare(MODEL, LIBRARY.cell_line("ATRT"), ["paxalisib", "mirdametinib"], LIBRARY)
    site = sites()["brain"]
    return Study(cells, site, calibrate(cells, site), default_pharmacy(), LIBRARY)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return xenograft(MODEL, "ATRT", ["vehicle", "paxalisib 15 mg/kg daily", PAIR], mice=60, seed=1)


@pytest.mark.parametrize("text", ["vehicle", "paxalisib 15 mg/kg daily", PAIR, "paxalisib 30 mg/kg daily for 21 d"])
def test_the_growth_table_agrees_with_full_coupling(study: Study, text: str) -> None:
    regimen = Regimen.parse(text)
    fast, coupled = (arm(regimen, 12, 100.0, 3) for arm in (study.arm, study.arm_coupled))
    times, events = event_times(fast, 100.0)
    expected, expected_events = event_times(coupled, 100.0)
    near_end = np.maximum(times, expected) > 98  # an event this near the end of the study may fall on either side
    assert (events == expected_events)[~near_end].all()
    assert times == pytest.approx(expected, rel=0.02)
    at = np.interp(60 * DAY, fast.times, fast.log_cells[0]) - np.log(fast.animals.cells[0])
    truth = np.interp(60 * DAY, coupled.times, coupled.log_cells[0]) - np.log(coupled.animals.cells[0])
    assert at == pytest.approx(truth, rel=0.02, abs=0.02)


def test_the_drug_inside_the_rates_is_the_drug_in_the_body(study: Study) -> None:
    regimen = Regimen.parse("paxalisib 15 mg/kg twice daily")
    kinetics = study.kinetics(regimen)
    given = courses(study.cells, regimen, kinetics, "brain", np.array([[1.3]]), 3.3 * DAY)
    rows = study.cells.settings({}, 1)
    growth = follow(study.cells, rows, given, 3.3 * DAY, readouts=["course_of_paxalisib_in_medium"])
    plasma = expose(kinetics[0].varied(clearance=1.3), regimen.courses[0], 3.3 * DAY)
    expected = plasma.concentration(3.3 * DAY) * kinetics[0].medium_equivalent("brain")
    assert growth.readouts[0, 0] == pytest.approx(float(expected), rel=1e-9)


def test_a_constant_level_is_a_treatment(study: Study) -> None:
    """With no decay a course is a drug in the medium, which the ordinary protocol of the lab simulates too."""
    from pathsim.assays.western_blot import western_blot
    from pathsim.lab import Exposure

    constant = Exposure(np.zeros(1), np.zeros(2), np.array([[300.0, 0.0]]))
    nothing = Exposure(np.empty(0), np.empty(0), np.empty((0, 0)))
    growth = follow(study.cells, study.cells.settings({}, 1), [[constant], [nothing]], 2 * DAY, readouts=["pAKT_S473"])
    table = western_blot(MODEL, "ATRT", "serum 10 % + paxalisib 300 nM", ["cell_count", "pAKT_S473"], [0, 2 * DAY])
    first, _, last, phospho = table["value"]
    assert growth.log_live[0, -1] == pytest.approx(math.log(last / first), rel=1e-4)
    assert growth.readouts[0, 0] == pytest.approx(phospho, rel=1e-3)


def test_untreated_animals_reach_the_endpoint_when_they_were_calibrated_to() -> None:
    trial = xenograft(MODEL, "ATRT", ["vehicle"], mice=400, seed=5, untreated_days=33)
    assert trial.survival["vehicle"].median.value == pytest.approx(33, rel=0.03)


def test_the_untreated_culture_is_the_untreated_arm(study: Study) -> None:
    """The closed form of the vehicle arm against the coupled equations."""
    regimen = Regimen(())
    fast, coupled = study.arm(regimen, 8, 60.0, 2), study.arm_coupled(regimen, 8, 60.0, 2)
    assert event_times(fast, 60.0)[0] == pytest.approx(event_times(coupled, 60.0)[0], rel=0.02)


def test_arms_differ_in_the_direction_of_their_drugs(trial: Trial) -> None:
    summary = trial.summary().set_index("arm")
    alone, both = trial.arms[1:]
    assert summary.loc[alone, "median_days"] > 1.05 * summary.loc["vehicle", "median_days"]
    assert summary.loc[alone, "log_rank_p"] < 0.02
    assert trial.log_rank(both, alone).p < 0.01  # type: ignore[operator]
    lysate = trial.lysate.pivot(index="readout", columns="treatment", values="value")
    assert lysate.loc["pS6_S240", alone] < 0.9 * lysate.loc["pS6_S240", "vehicle"]


def test_more_drug_never_shortens_survival() -> None:
    doses = [f"paxalisib {dose} mg/kg daily" for dose in (2, 5, 10, 20)]
    medians = xenograft(MODEL, "ATRT", ["vehicle", *doses], mice=100, days=150).summary()["median_days"]
    assert medians.is_monotonic_increasing


def test_equal_seeds_give_equal_animals_whatever_other_arms_there_are(trial: Trial) -> None:
    again = xenograft(MODEL, "ATRT", ["vehicle", PAIR], mice=60, seed=1).mice
    first = trial.mice[trial.mice["arm"] == PAIR]["time_days"].to_numpy()
    assert again[again["arm"] == PAIR]["time_days"].to_numpy() == pytest.approx(first, rel=1e-9)
    other = xenograft(MODEL, "ATRT", ["vehicle"], mice=60, seed=2).mice["time_days"].to_numpy()
    assert not np.allclose(other, trial.mice["time_days"].to_numpy()[:60])


def test_animals_differ_as_much_as_the_site_says(study: Study) -> None:
    arm = study.arm(Regimen.parse("paxalisib 15 mg/kg daily"), 4000, 60.0, 0)
    growth = arm.animals.speed**study.pace.elasticity
    # drawn within 2.5 standard deviations, which takes 6 % off the spread
    assert growth.std() / growth.mean() == pytest.approx(0.12, rel=0.12)
    assert arm.animals.clearance.std() / arm.animals.clearance.mean() == pytest.approx(0.3, rel=0.15)


def test_survivors_are_censored_and_the_median_is_not_invented() -> None:
    trial = xenograft(MODEL, "ATRT", ["vehicle", "paxalisib 60 mg/kg daily + mirdametinib 10 mg/kg daily"], 8, days=60)
    part = trial.mice[trial.mice["arm"] != "vehicle"]
    assert (part["event"] == 0).all()
    assert (part["time_days"] == 60).all()
    assert str(trial.survival[trial.arms[1]].median).startswith("not reached")


def test_power_rises_with_animals_and_with_effect() -> None:
    trial = xenograft(MODEL, "ATRT", ["vehicle", "paxalisib 60 mg/kg daily"], mice=300, seed=0)
    table = logrank_power(trial, sizes=(4, 16, 40), trials=200, seed=0)
    assert table["power"].is_monotonic_increasing
    assert table["power"].iloc[-1] > 0.9


def test_power_of_no_effect_is_the_error_rate() -> None:
    trial = xenograft(MODEL, "ATRT", ["vehicle", "paxalisib 0.0001 mg/kg daily"], mice=1000, seed=0)
    table = logrank_power(trial, sizes=(20,), trials=600, seed=0)
    assert table["power"].iloc[0] == pytest.approx(0.05, abs=0.035)


def test_periods_of_mixed_schedules_are_common_multiples() -> None:
    regimen = Regimen.parse("a 1 mg/kg every other day + b 1 mg/kg twice daily 4 on / 3 off from day 5")
    assert periodicity(regimen) == (5 * DAY, 14 * DAY)
    assert periodicity(Regimen.parse("a 1 mg/kg daily for 21 d")) == (21 * DAY, DAY)


def test_nodes_span_the_animals() -> None:
    nodes = chebyshev(0.5, 2.0, 5)
    assert nodes[[0, 2, 4]] == pytest.approx([0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arms": []}, "no arm is named"),
        ({"arms": ["paxalisib"]}, "is not a schedule"),
        ({"arms": ["vehicle", "vehicle"]}, "named twice"),
        ({"arms": ["paxalisb 1 mg/kg daily"]}, "did you mean paxalisib"),
        ({"arms": ["GSK2334470 1 mg/kg daily"]}, "no pharmacokinetics of GSK2334470"),
        ({"arms": ["paxalisib 30 mg daily"]}, "animals are dosed by weight, as 'paxalisib 30 mg/kg'"),
        ({"mice": 0}, "whole number of at least 1"),
        ({"mice": -3}, "whole number of at least 1"),
        ({"line": "ATR"}, "did you mean ATRT"),
        ({"site": "brian"}, "did you mean brain"),
        ({"days": 5}, "before dosing starts"),
        ({"dosing_from_days": -1}, "before implantation"),
        ({"dosing_from_days": 50}, "half of the untreated animals"),
        ({"untreated_days": -1}, "must be positive"),
        ({"untreated_days": 1.0, "dosing_from_days": 0.2}, "cannot reach"),
        ({"readouts": ["pAKT"]}, "did you mean"),
    ],
)
def test_what_cannot_be_asked_is_said(changes: dict[str, object], says: str) -> None:
    asked: dict[str, object] = {"line": "ATRT", "arms": ["vehicle"], "mice": 3, **changes}
    with pytest.raises(InputError, match=says):
        xenograft(MODEL, **asked)  # type: ignore[arg-type]


def test_a_site_must_make_sense() -> None:
    with pytest.raises(InputError) as caught:
        replace(sites()["brain"], growth_cv=-0.1, implanted_cells=1e9, endpoint_cells=1e8)
    assert "growth_cv" in str(caught.value)
    assert "are the endpoint already" in str(caught.value)


def test_animals_lost_before_dosing_are_counted_and_named() -> None:
    trial = xenograft(MODEL, "ATRT", ["vehicle"], mice=30, untreated_days=20, dosing_from_days=19)
    assert (trial.mice["time_days"] < 19).any()
    assert any("before dosing began" in note for note in trial.notes)
