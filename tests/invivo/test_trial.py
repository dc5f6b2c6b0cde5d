"""The virtual trial: calibration of the control arm, the null, the interval, and what is reported first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.invivo.trial import ASSUMPTIONS, COHORTS, VirtualTrial, virtual_trial
from pathsim.model import load_model
from pathsim.plot.trial import draw_trial

MODEL = load_model("pi3k_mapk")


@pytest.fixture(scope="module")
def trial() -> VirtualTrial:
    return virtual_trial(MODEL, trials=40, patients=40)


def test_the_primary_analysis_stands_first(trial: VirtualTrial) -> None:
    first = trial.summary().iloc[0]
    assert first["row"] == "primary analysis"
    assert (first["treated_months"], first["control_months"]) == (14.77, 13.84)
    assert first["hazard_ratio"] == pytest.approx(13.84 / 14.77)


@pytest.mark.parametrize("name", list(COHORTS))
def test_the_control_arm_is_the_reported_one(name: str) -> None:
    found = virtual_trial(MODEL, name, trials=10, patients=100).summary().iloc[-1]
    assert found["control_months"] == pytest.approx(COHORTS[name].control_months, rel=0.06)


def test_with_nothing_carried_over_the_arms_are_alike() -> None:
    found = virtual_trial(MODEL, trials=60, patients=40, carried_over=(0.0, 0.0))
    logs = np.log(found.trials["hazard_ratio"])
    assert abs(logs.mean()) < 3 * logs.std() / np.sqrt(len(logs))
    assert (found.trials["p"] < 0.05).mean() < 0.17
    # the error of a log hazard ratio is about 2 / sqrt(events)
    assert logs.std() == pytest.approx(2 / np.sqrt(found.trials["events"].mean()), rel=0.35)


def test_hazard_ratios_reach_one_and_fall_with_what_carries_over(trial: VirtualTrial) -> None:
    table = trial.trials
    assert table["hazard_ratio"].max() > 0.8
    assert np.corrcoef(table["carried_over"], np.log(table["hazard_ratio"]))[0, 1] < 0
    shares = trial.compatible()
    assert shares is not None
    assert shares[0] < 0.2


def test_equal_seeds_give_equal_trials(trial: VirtualTrial) -> None:
    again = virtual_trial(MODEL, trials=40, patients=40)
    assert again.trials.equals(trial.trials)


def test_assumptions_are_said() -> None:
    text = " ".join(ASSUMPTIONS)
    for word in ("calibrated", "unknown", "estimates"):
        assert word in text


def test_the_figure_is_drawn(trial: VirtualTrial, tmp_path: Path) -> None:
    path = tmp_path / "trial.png"
    draw_trial(trial).savefig(path)
    assert path.stat().st_size > 20_000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cohort": "newly"}, "unknown cohort"),
        ({"patients": 1}, "at least 2 patients"),
        ({"trials": 0}, "at least 2 patients"),
        ({"carried_over": (-0.1, 1.0)}, "between 0 and 1"),
        ({"carried_over": (0.8, 0.2)}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_asked_is_said(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        virtual_trial(MODEL, **changes)  # type: ignore[arg-type]


def test_trials_take_parameter_sets_in_turn() -> None:
    """The same constants twice change nothing but who is simulated; others widen what hazard ratios are possible."""
    sets = [{}, {"MEK_total": 400.0}]
    found = virtual_trial(MODEL, trials=7, patients=20, sets=sets)
    assert list(found.trials["set"]) == [1, 2, 1, 2, 1, 2, 1]
    assert "2 parameter sets" in found.summary()["what"].iloc[-1]
    alone = virtual_trial(MODEL, trials=7, patients=20)
    assert found.trials["carried_over"].iloc[0] == alone.trials["carried_over"].iloc[0]
    few = virtual_trial(MODEL, trials=1, patients=20, sets=sets)
    assert list(few.trials["set"]) == [1]
    with pytest.raises(InputError, match="sets is empty"):
        virtual_trial(MODEL, trials=2, patients=5, sets=[])
