"""Intervals of studies: against quantiles by hand, and directions that must hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from pathsim.experiments.ensemble import Intervals, load_parameter_sets, on_lines, prediction_intervals
from pathsim.invivo import Trial, xenograft
from pathsim.lab import CellLine
from pathsim.lab.clones import default_clones
from pathsim.model import load_model
from pathsim.resistance import Escalation, Rules, escalate
from pathsim.stats import hill
from pathsim.stats.survival import kaplan_meier
from pathsim.workflow.study_intervals import (
    escalation_tables,
    median_interval,
    picked,
    row_over_sets,
    survival_interval,
    trial_tables,
)

MODEL = load_model("pi3k_mapk")
ARMS = ["vehicle", "paxalisib 15 mg/kg daily"]


@pytest.fixture(scope="module")
def trials() -> Intervals[Trial]:
    def run(lines: Sequence[CellLine | str]) -> Trial:
        return xenograft(MODEL, lines[0], ARMS, mice=8, seed=2)

    return prediction_intervals(on_lines(run, ["ATRT"]), [{}, *load_parameter_sets()[:5]])


@pytest.fixture(scope="module")
def escalations() -> Intervals[Escalation]:
    few = tuple(clone for clone in default_clones() if clone.alteration == "PTEN_loss")

    def run(lines: Sequence[CellLine | str]) -> Escalation:
        return escalate(MODEL, lines[0], "alpelisib", factor=3, clones=few, rules=Rules(max_days=60), seed=1)

    return prediction_intervals(on_lines(run, ["MCF7"]), [{}, *load_parameter_sets()[:4]])


def test_an_interval_of_survival_is_made_of_the_curves() -> None:
    curves = [kaplan_meier([shift + day for day in (10.0, 20.0, 30.0)], [1, 1, 0]) for shift in range(5)]
    low, _, high = survival_interval(curves, np.array([9.0, 12.0, 25.0, 99.0]))
    assert low == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3])  # at 12 the earliest three have fallen
    assert high == pytest.approx([1, 1, 1 / 3, 1 / 3])


def test_medians_have_the_interval_of_the_sets(trials: Intervals[Trial]) -> None:
    summary = trial_tables(trials)["summary"].set_index("arm")
    treated = [other.survival[ARMS[1]].median.value or np.inf for other in trials.studies]
    assert summary["median_days_ensemble_low"].iloc[1] == pytest.approx(min(treated))
    high = summary["median_days_ensemble_high"].iloc[1]
    assert np.isnan(high) if np.isinf(max(treated)) else high == pytest.approx(max(treated))
    assert summary["growth_inhibition_percent_ensemble_low"].iloc[1] < summary["growth_inhibition_percent"].iloc[1]
    assert 0 <= summary["significant_share"].iloc[1] <= 1
    assert np.isnan(summary["significant_share"].iloc[0])
    assert f"{min(treated):.4g}" in median_interval(trials.studies, ARMS[1])


def test_survival_and_lysates_carry_intervals(trials: Intervals[Trial]) -> None:
    tables = trial_tables(trials)
    survival = tables["survival"]
    assert (survival["ensemble_low"] <= survival["ensemble_high"]).all()
    lysate = tables["lysate"]
    by_hand = np.quantile([other.lysate["value"] for other in trials.studies], [0.05, 0.95], axis=0)
    assert pytest.approx(by_hand) == lysate[["low", "high"]].to_numpy().T
    assert (lysate["high"] > 1.01 * lysate["low"]).any()


def test_an_escalation_has_a_row_for_each_set(escalations: Intervals[Escalation]) -> None:
    tables = escalation_tables(escalations)
    outcomes = tables["outcomes"]
    assert list(outcomes["set"]) == [0, 1, 2, 3, 4]
    assert outcomes["parental_potency_nM"].nunique() == 5
    assert sum(picked(escalations.studies).values()) == 5
    history = tables["history"]
    assert (history["dose_nM_low"] <= history["dose_nM_high"]).all()
    first = [other.history["relative_growth"].iloc[0] for other in escalations.studies]
    ends = history[["relative_growth_low", "relative_growth_high"]].iloc[0]
    assert list(ends) == pytest.approx(np.quantile(first, [0.05, 0.95]))
    fractions = tables["fractions"]
    assert isinstance(fractions, pd.DataFrame)
    assert (fractions["fraction_low"] <= fractions["fraction_high"]).all()


def test_a_potency_over_sets_has_the_interval_of_its_own_sets() -> None:
    """Not reached counts as larger than all others; the value is of the same sets as its interval."""
    doses = [0.0, 1.0, 10.0, 100.0, 1000.0]

    def row(ic50: float) -> dict[str, object]:
        values = [100.0 / (1.0 + dose / ic50) for dose in doses]
        return dict(hill.fit(doses, values, top=100.0, bottom=0.0, exact=True).row())

    found = row_over_sets([row(ic50) for ic50 in (10.0, 20.0, 30.0, 40.0, 1e6)])
    assert found["ic50"] == pytest.approx(30.0, rel=1e-3)
    assert (found["ic50_relation"], found["ic50_high"]) == ("=", math.inf)
    assert found["ic50_low"] == pytest.approx(10.0, rel=1e-3)
    assert found["intervals"] == "5 to 95 % over 5 parameter sets"
    beyond = row_over_sets([row(ic50) for ic50 in (10.0, 1e6, 1e6)])
    assert (beyond["ic50"], beyond["ic50_relation"]) == (1000.0, ">")
