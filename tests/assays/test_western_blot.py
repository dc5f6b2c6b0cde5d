"""The virtual western blot: what a bench scientist expects of it, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pathsim as ps
from pathsim.table import COLUMNS, check_table

READOUTS = ["pAKT_S473", "pPRAS40_T246", "pS6_S240", "vinculin"]


@pytest.fixture(scope="module")
def blot() -> pd.DataFrame:
    return ps.western_blot("pi3k_mapk", ["T47D", "T47D+PTEN_loss"], ps.resistance_blot_protocol(), READOUTS, "15 min")


def lane(blot: pd.DataFrame, line: str, ending: str, readout: str) -> float:
    chosen = blot[
        (blot["cell_line"] == line) & blot["treatment"].str.endswith(f"then {ending}") & (blot["readout"] == readout)
    ]
    assert len(chosen) == 1
    return float(chosen["value"].iloc[0])


def test_the_table_has_one_row_per_band(blot: pd.DataFrame) -> None:
    assert list(blot.columns) == [*COLUMNS, "unit"]
    assert set(blot["unit"][blot["readout"] != "vinculin"]) == {"nM"}
    assert len(blot) == 2 * 4 * len(READOUTS)
    check_table(blot)


def test_the_phenotype_of_the_protocol(blot: pd.DataFrame) -> None:
    """IGF1 raises pAKT, alpelisib silences it, and PTEN loss keeps it up under the drug."""
    vehicle, ligand = lane(blot, "T47D", "vehicle", "pAKT_S473"), lane(blot, "T47D", "IGF1 13 nM", "pAKT_S473")
    both = "alpelisib 1 uM + IGF1 13 nM"
    assert ligand > 1.5 * vehicle
    assert lane(blot, "T47D", both, "pAKT_S473") < 0.4 * ligand
    assert lane(blot, "T47D+PTEN_loss", both, "pAKT_S473") > 2 * lane(blot, "T47D", both, "pAKT_S473")
    assert lane(blot, "T47D", both, "pPRAS40_T246") < lane(blot, "T47D", "IGF1 13 nM", "pPRAS40_T246")
    assert lane(blot, "T47D", "vehicle", "vinculin") == 1.0


def test_the_order_of_conditions_changes_nothing(blot: pd.DataFrame) -> None:
    turned = ps.western_blot(
        "pi3k_mapk",
        ["T47D+PTEN_loss", "T47D"],
        ps.resistance_blot_protocol()[::-1],
        READOUTS[::-1],
        "15 min",
        workers=2,
    )
    keys = ["cell_line", "treatment", "time_min", "readout"]
    both = blot.merge(turned, on=keys, suffixes=("", "_turned"))
    assert len(both) == len(blot)
    assert (both["value"] == both["value_turned"]).all()


def test_a_condition_alone_gives_the_same_bits_as_among_others(blot: pd.DataFrame) -> None:
    text = ps.resistance_blot_protocol()[3]
    alone = ps.western_blot("pi3k_mapk", "T47D", text, "pAKT_S473", [15.0])
    assert alone["value"].iloc[0] == lane(blot, "T47D", "alpelisib 1 uM + IGF1 13 nM", "pAKT_S473")


def test_results_do_not_depend_on_the_process(blot: pd.DataFrame, tmp_path: Path) -> None:
    code = (
        "import pathsim as ps\n"
        f"t = ps.western_blot('pi3k_mapk', 'T47D', {ps.resistance_blot_protocol()[1]!r}, 'pAKT_S473', [15.0])\n"
        "print(t['value'].iloc[0].hex())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={
            "PYTHONHASHSEED": "123",
            "PYTHONPATH": str(Path(ps.__file__).parents[1]),
            "PATH": "/usr/bin:/bin",
            "PATHSIM_CACHE": str(tmp_path),
        },
    )
    assert float.fromhex(result.stdout.strip()) == lane(blot, "T47D", "IGF1 13 nM", "pAKT_S473")


def test_noise_belongs_to_the_band_not_to_its_place() -> None:
    protocol, noise = ps.resistance_blot_protocol(), ps.noise.BlotNoise()
    whole = ps.western_blot("pi3k_mapk", "T47D", protocol, READOUTS, [15.0], replicates=2, noise=noise, seed=3)
    again = ps.western_blot("pi3k_mapk", "T47D", protocol, READOUTS, [15.0], replicates=2, noise=noise, seed=3)
    other = ps.western_blot("pi3k_mapk", "T47D", protocol, READOUTS, [15.0], replicates=2, noise=noise, seed=4)
    pd.testing.assert_frame_equal(whole, again)
    assert (whole["value"] != other["value"]).all()
    turned = ps.western_blot("pi3k_mapk", "T47D", protocol[::-1], READOUTS, [15.0], replicates=2, noise=noise, seed=3)
    keys = ["treatment", "readout", "replicate"]
    both = whole.merge(turned, on=keys, suffixes=("", "_turned"))
    np.testing.assert_array_equal(both["value"], both["value_turned"])


def test_loading_errors_cancel_against_the_loading_control() -> None:
    noise = ps.noise.BlotNoise(loading_cv=0.5, band_cv=0.0, background=0.0, gain_cv=0.0)
    protocol = ps.resistance_blot_protocol()[:2]
    noisy = ps.western_blot("pi3k_mapk", "T47D", protocol, READOUTS, [15.0], noise=noise)
    clean = ps.western_blot("pi3k_mapk", "T47D", protocol, READOUTS, [15.0])
    wide = noisy.pivot_table(index="treatment", columns="readout", values="value")
    true = clean.pivot_table(index="treatment", columns="readout", values="value")
    ratio = (wide["pAKT_S473"] / wide["vinculin"]) / (true["pAKT_S473"] / true["vinculin"])
    assert ratio.iloc[0] == pytest.approx(ratio.iloc[1], rel=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cell_lines": "T47"}, "unknown cell line 'T47': did you mean T47D"),
        ({"treatments": "alpelisb 1 uM"}, "unknown drug 'alpelisb': did you mean alpelisib"),
        ({"readouts": "pAKT_S437"}, "unknown readout 'pAKT_S437': did you mean pAKT_S473"),
        ({"times": "15"}, "has no unit"),
        ({"times": [-1.0]}, "not a time from 0 on"),
        ({"times": []}, "at least one time"),
        ({"readouts": []}, "at least one readout"),
        ({"cell_lines": []}, "at least one cell line"),
        ({"replicates": 0}, "at least 1 gel"),
        ({"treatments": "IGF1 1 nM for 5 min"}, "before the lysate at 15 min"),
        ({"treatments": "IGF1 -1 nM"}, "negative dose"),
    ],
)
def test_bad_input_is_refused_in_words(change: dict[str, object], says: str) -> None:
    asked: dict[str, object] = {
        "cell_lines": "T47D", "treatments": "IGF1 1 nM", "readouts": "pAKT_S473", "times": "15 min",
    }  # fmt: skip
    with pytest.raises(ps.InputError, match=says):
        ps.western_blot("pi3k_mapk", **{**asked, **change})  # type: ignore[arg-type]


def test_noise_that_is_no_noise_is_refused() -> None:
    with pytest.raises(ps.InputError, match="band_cv is -1"):
        ps.noise.BlotNoise(band_cv=-1)
