"""Many pairs side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.stats import synergy

POTENCY = {"a": 100.0, "b": 300.0, "c": 1000.0, "d": 500.0}


def screen() -> pd.DataFrame:
    """Four drugs, all pairs, independent but for a + b, which is 15 points better; read by treatment text."""
    rows = [("T47D", "vehicle", 4320.0, "viability", 1.0)]
    doses = (30.0, 100.0, 300.0, 1000.0)
    alone = {(drug, dose): 1 / (1 + dose / POTENCY[drug]) for drug in POTENCY for dose in doses}
    rows += [("T47D", f"{drug} {dose} nM", 4320.0, "viability", value) for (drug, dose), value in alone.items()]
    for one, two in [("a", "b"), ("a", "c"), ("b", "c"), ("a", "d")]:
        for dose_1 in doses:
            for dose_2 in doses:
                value = alone[one, dose_1] * alone[two, dose_2] - (0.15 if (one, two) == ("a", "b") else 0.0)
                rows.append(("T47D", f"{one} {dose_1} nM + {two} {dose_2} nM", 4320.0, "viability", value))
    return pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value"])


def test_pairs_are_found_in_a_table_and_ranked() -> None:
    found = synergy.experiments(screen())
    assert [wells.drugs for wells in found] == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c")]
    ranked = synergy.rank(found)
    assert ranked["drugs"].iloc[0] == "a + b"
    assert ranked["mean"].iloc[0] == pytest.approx(15.0)
    assert ranked["beyond_partners"].iloc[0] == pytest.approx(15.0)
    assert ranked.set_index("drugs")["beyond_partners"]["a + c"] == pytest.approx(-3.75)  # a scores 15 and 0 elsewhere
    assert set(ranked["unit"]) == {"percentage points of inhibition"}


def test_index_ranks_the_smallest_first() -> None:
    ranked = synergy.rank(synergy.experiments(screen()), synergy.combination_index)
    assert ranked["drugs"].iloc[0] == "a + b"
    assert ranked["mean"].is_monotonic_increasing
    assert set(ranked["synergy_if"]) == {"< 1"}


def test_efficacy_synergy_ranks_too() -> None:
    ranked = synergy.rank(synergy.experiments(screen()), synergy.musyc)
    assert ranked["mean"].is_monotonic_decreasing
    assert set(ranked["metric"]) == {"MuSyC beta"}


def test_experiment_that_cannot_be_scored_is_not_lost() -> None:
    frame = screen()
    lost = frame[frame["treatment"] != "d 300.0 nM"]
    ranked = synergy.rank(synergy.experiments(lost))
    assert ranked["drugs"].iloc[-1] == "a + d"
    assert "d alone at 300 nM" in ranked["problem"].iloc[-1]
    assert np.isnan(ranked["mean"].iloc[-1])
    assert (ranked["problem"].iloc[:-1] == "").all()


def test_screen_columns_keep_a_drug_combined_with_itself_apart() -> None:
    doses = [0.0, 50.0, 100.0, 200.0, 400.0]
    rows = [
        ("T47D", "sham", 4320.0, "viability", 100 / (1 + ((a + b) / 120.0) ** 1.4), "% of vehicle", "x", a, "x", b)
        for a in doses
        for b in doses
    ]
    columns = [
        "cell_line",
        "treatment",
        "time_min",
        "readout",
        "value",
        "unit",
        "drug1",
        "dose1_nM",
        "drug2",
        "dose2_nM",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    assert synergy.from_table(frame).drugs == ("x", "x (2)")
    assert synergy.loewe(frame, resamples=0).wells["excess"].abs().max() < 1e-4
    assert synergy.combination_index(frame).points["ci"].to_numpy() == pytest.approx(np.ones(16))
    both = pd.concat([frame, frame.assign(drug2="y")])
    with pytest.raises(InputError, match="drug2 names 2 drugs in one table"):
        synergy.bliss(both)
    assert [wells.drugs for wells in synergy.experiments(both)] == [("x", "x (2)"), ("x", "y")]


def test_nothing_to_rank() -> None:
    with pytest.raises(InputError, match="no experiment"):
        synergy.rank([])
    with pytest.raises(InputError, match="no row of the table combines two drugs"):
        synergy.experiments(screen().iloc[:10])
