"""The host's glucose and insulin: equilibrium, time course, interventions, and what the tumour feels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.experiments.ensemble import load_parameter_sets, on_lines, prediction_intervals
from pathsim.experiments.timecourse import simulate
from pathsim.invivo.glucose import CLAMPED, GlucoseStudy, follow_host, glucose_insulin_study
from pathsim.lab import CellLine, Regimen, default_library, default_pharmacy
from pathsim.lab.host import glucose_host
from pathsim.model import load_model
from pathsim.model.checks import check_model
from pathsim.plot.glucose import draw_glucose

MODEL = load_model("pi3k_mapk")


@pytest.fixture(scope="module")
def study() -> GlucoseStudy:
    return glucose_insulin_study(MODEL, "ATRT", "paxalisib 15 mg/kg daily")


def course(study: GlucoseStudy, arm: str = "none") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    part = study.host[study.host["arm"] == arm]
    return tuple(part[name].to_numpy() for name in ("time_h", "glucose_mM", "insulin_nM"))  # type: ignore[return-value]


def test_the_host_model_is_documented() -> None:
    report = check_model(load_model("host_glucose"))
    assert not report.problems, report.problems


def test_glucose_rises_within_hours_and_is_back_within_a_day(study: GlucoseStudy) -> None:
    time, glucose, insulin = course(study)
    assert 2 <= glucose.max() / glucose[0] <= 5
    assert 3 <= insulin.max() / insulin[0] <= 15
    assert 1 <= time[glucose.argmax()] <= 4
    before_next = (time > 22) & (time < 24)
    assert glucose[before_next] == pytest.approx(glucose[0], rel=0.25)


def test_an_undosed_host_stays_at_rest() -> None:
    _, values = follow_host(Regimen(()), ["none"], 600, default_library(), default_pharmacy())
    assert values[0] == pytest.approx(np.broadcast_to(values[0, 0], values[0].shape), rel=1e-6)


def test_a_drug_that_spares_pi3k_alpha_leaves_glucose_alone() -> None:
    regimen = Regimen.parse("trametinib 1 mg/kg daily")
    _, values = follow_host(regimen, ["none"], 600, default_library(), default_pharmacy())
    assert np.ptp(values[0, :, 0]) < 1e-6 * values[0, 0, 0]


def test_steps_of_insulin_resolve_the_course() -> None:
    """The host in one run under a constant drug is the host in quarter-hour steps."""
    whole = simulate("host_glucose", [0, 60, 180], {"drug_on_PI3K": 5.0}, ["glucose", "insulin"])
    stepped = simulate("host_glucose", np.arange(0, 181, 15), {"drug_on_PI3K": 5.0}, ["glucose", "insulin"])
    assert whole.loc[180].to_numpy() == pytest.approx(stepped.loc[180].to_numpy(), rel=1e-4)


def test_insulin_drives_the_tumour_again(study: GlucoseStudy) -> None:
    summary = study.summary.set_index("arm")
    for readout in ("pAKT_S473_at_3_h", "pS6_S240_at_3_h"):
        assert summary.loc["none", readout] > 1.02 * summary.loc[CLAMPED, readout]
    assert summary.loc["none", "pAKT_S473_at_3_h"] > 1.1 * summary.loc[CLAMPED, "pAKT_S473_at_3_h"]
    assert summary.loc["none", "net_growth_per_day"] > summary.loc[CLAMPED, "net_growth_per_day"]


def test_diet_and_sglt2_help_more_than_metformin_and_insulin_undoes_it(study: GlucoseStudy) -> None:
    summary = study.summary.set_index("arm")
    area, growth = summary["insulin_area_nM_h"], summary["net_growth_per_day"]
    for arm in ("ketogenic diet", "SGLT2 inhibitor"):
        assert area[arm] < 0.9 * area["metformin"] < area["none"]
        assert growth[arm] < growth["metformin"] < growth["none"]
    assert growth["insulin"] > growth["none"]


def test_the_figure_has_a_panel_for_everything(study: GlucoseStudy, tmp_path: Path) -> None:
    path = tmp_path / "glucose.png"
    draw_glucose(study).savefig(path)
    assert path.stat().st_size > 20_000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"regimen": "paxalisib daily"}, "is not a schedule"),
        ({"interventions": ["keto diet"]}, "unknown intervention"),
        ({"interventions": []}, "no intervention"),
        ({"days": -1}, "choose from"),
        ({"days": float("nan")}, "choose from"),
        ({"line": "ATR"}, "did you mean ATRT"),
        ({"readouts": ["pAKT"]}, "did you mean"),
    ],
)
def test_what_cannot_be_asked_is_said(changes: dict[str, object], says: str) -> None:
    asked: dict[str, object] = {"line": "ATRT", "regimen": "paxalisib 15 mg/kg daily", **changes}
    with pytest.raises(InputError, match=says):
        glucose_insulin_study(MODEL, **asked)  # type: ignore[arg-type]


def test_interventions_name_parameters_of_the_host() -> None:
    known = {parameter.id for parameter in load_model("host_glucose").parameters}
    assert {name for changes in glucose_host().interventions.values() for name in changes} <= known


def test_the_figure_has_bands_over_parameter_sets(tmp_path: Path) -> None:
    def run(lines: Sequence[CellLine | str]) -> GlucoseStudy:
        return glucose_insulin_study(MODEL, lines[0], "paxalisib 15 mg/kg daily", ["none"], 1.0)

    found = prediction_intervals(on_lines(run, ["ATRT"]), [{}, *load_parameter_sets()[:2]])
    growth = [study.summary["net_growth_per_day"].iloc[0] for study in found.studies]
    assert len(set(growth)) == 3
    figure = draw_glucose(found.best, others=found.sample)
    figure.savefig(tmp_path / "glucose.png")
    said = " ".join(" ".join(ax.get_title(loc="left") for ax in figure.axes).split())
    assert "whiskers: 5 to 95 % of 3 parameter sets" in said
