"""Doses read from the one table: background, units, histories, and screens with dose columns."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.stats.doses import read_doses, single_drug_curves


def table(*treatments: str) -> pd.DataFrame:
    return pd.DataFrame(
        [("T47D", text, 60.0, "viability", 1.0) for text in treatments],
        columns=["cell_line", "treatment", "time_min", "readout", "value"],
    )


def test_what_every_well_has_is_background() -> None:
    doses = read_doses(table("serum 10 %", "serum 10 % + alpelisib 1 uM", "alpelisib 10 nM + serum 10 %"))
    assert (doses.drugs, doses.units) == (("alpelisib",), ("nM",))
    assert doses.values[:, 0].tolist() == [0.0, 1000.0, 10.0]


def test_duration_of_the_last_step_and_earlier_steps_are_not_doses() -> None:
    doses = read_doses(table("vehicle for 24 h then vehicle for 72 h", "vehicle for 24 h then IGF1 13 nM for 72 h"))
    assert doses.drugs == ("IGF1",)
    assert doses.values[:, 0].tolist() == [0.0, 13.0]


def test_a_ligand_by_mass_keeps_its_unit() -> None:
    doses = read_doses(table("vehicle", "EGF 100 ng/ml", "EGF 0.1 ug/ml"))
    assert doses.units == ("ng/ml",)
    assert doses.values[:, 0].tolist() == [0.0, 100.0, 100.0]


def test_two_kinds_of_unit_for_one_drug() -> None:
    with pytest.raises(InputError, match=r"row [12]: EGF is in .*, elsewhere in"):
        read_doses(table("EGF 100 ng/ml", "EGF 10 nM"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpelisib", "row 2: 'alpelisib' is not a dose"),
        ("alpelisib 10", "row 2: 'alpelisib 10' is not a dose"),
        ("alpelisib 10 nMol", "unknown unit 'nMol'"),
        ("alpelisib -5 nM", "row 2: 'alpelisib -5 nM' is a negative dose"),
    ],
)
def test_unreadable_treatments(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_doses(table("vehicle", text))


def test_no_dose_varies() -> None:
    with pytest.raises(InputError, match="no dose differs"):
        list(single_drug_curves(table("vehicle", "vehicle")))


def test_missing_column_has_its_near_miss() -> None:
    with pytest.raises(InputError, match=r"column 'readout' is missing \(is 'read_out' meant\?\)"):
        list(single_drug_curves(table("vehicle").rename(columns={"readout": "read_out"})))


def test_modules_are_public_names_and_load_when_used() -> None:
    code = (
        "import sys, pathsim; assert 'scipy' not in sys.modules and 'pandas' not in sys.modules; "
        "assert pathsim.hill.fit and pathsim.synergy.bliss and pathsim.growth_rate.metrics "
        "and pathsim.survival.kaplan_meier; assert {'hill', 'synergy'} <= set(dir(pathsim)); "
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
