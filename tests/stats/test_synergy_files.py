"""Dose-matrix files in other programs' layouts, and what is said about broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.stats import synergy
from pathsim.stats.synergy import Response

PERCENT = Response.INHIBITION_PERCENT
# ispinesib (rows) x ibrutinib (columns), nM, percent inhibition: example data of SynergyFinder (Mathews Griner 2014)
ISPINESIB = [0, 9.7656, 39.0626, 156.25, 625, 2500]
IBRUTINIB = [0, 0.1954, 0.7812, 3.125, 12.5, 50]
INHIBITION = [
    [-22.9562, -3.7601, -18.1385, 41.1731, 53.3330, 71.3049],
    [59.2244, 63.6251, 71.9630, 88.2397, 85.0046, 91.0519],
    [60.2457, 63.1284, 70.8970, 86.4888, 92.9351, 93.7234],
    [60.7626, 66.4826, 74.0660, 87.5748, 92.3878, 94.2758],
    [60.6274, 61.9479, 76.7389, 85.9040, 93.4483, 94.0666],
    [54.2094, 61.9569, 75.4961, 84.9104, 93.1687, 92.1974],
]


def synergyfinder() -> pd.DataFrame:
    rows = [
        (1, "ispinesib", "ibrutinib", a, b, INHIBITION[i][j], "nM")
        for i, a in enumerate(ISPINESIB)
        for j, b in enumerate(IBRUTINIB)
    ]
    return pd.DataFrame(rows, columns=["block_id", "drug1", "drug2", "conc1", "conc2", "response", "conc_unit"])


def write(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "screen.csv"
    frame.to_csv(path, index=False)
    return path


def test_synergyfinder_layout(tmp_path: Path) -> None:
    (wells,) = synergy.read_csv(write(synergyfinder(), tmp_path), PERCENT)
    assert wells.drugs == ("ispinesib", "ibrutinib")
    assert wells.units == ("nM", "nM")
    assert synergy.bliss(wells).mean == pytest.approx(10.8565, rel=1e-4)


@pytest.mark.parametrize(
    "spelling",
    [
        {"block_id": "PairIndex", "drug1": "Drug1", "drug2": "Drug2", "conc1": "Conc1", "conc2": "Conc2",
         "response": "Response", "conc_unit": "ConcUnit"},
        {"drug1": "drug_row", "drug2": "drug_col", "conc1": "conc_r", "conc2": "conc_c", "conc_unit": "conc_r_unit"},
        {"block_id": "BlockId", "drug1": "DrugRow", "drug2": "DrugCol", "conc1": "ConcRow", "conc2": "ConcCol",
         "response": "Response", "conc_unit": "ConcUnit"},
    ],
)  # fmt: skip
def test_spellings_of_its_versions(spelling: dict[str, str], tmp_path: Path) -> None:
    frame = synergyfinder().rename(columns=spelling)
    if "conc_r_unit" in frame:
        frame["conc_c_unit"] = "nM"
    (wells,) = synergy.read_csv(write(frame, tmp_path), PERCENT)
    assert synergy.hsa(wells).mean == pytest.approx(20.1951, rel=1e-4)


def test_synergy_package_layout(tmp_path: Path) -> None:
    """First rows of sample_data_1.csv of the package: doses without unit, effect from 1 down."""
    doses = [(0, 0), (0.1, 0), (0, 0.1), (0.1, 0.1)]
    effects = [1.00488135039273, 0.883693632709369, 0.762226490406033, 0.394454286354989]
    frame = pd.DataFrame(
        [(a, b, e) for (a, b), e in zip(doses, effects, strict=True)], columns=["drug1.conc", "drug2.conc", "effect"]
    )
    (wells,) = synergy.read_csv(write(frame, tmp_path), Response.VIABILITY_FRACTION)
    assert (wells.drugs, wells.units) == (("drug 1", "drug 2"), ("a.u.", "a.u."))
    assert synergy.bliss(wells).mean == pytest.approx(100 * (effects[1] * effects[2] - effects[3]), rel=1e-10)
    (named,) = synergy.read_csv(tmp_path / "screen.csv", Response.VIABILITY_FRACTION, unit="uM")
    assert named.units == ("nM", "nM")
    assert named.doses.max() == pytest.approx(100.0)


def test_blocks_and_units_per_row(tmp_path: Path) -> None:
    frame = synergyfinder()
    micro = frame.assign(block_id=2, conc1=frame["conc1"] / 1000, conc2=frame["conc2"] / 1000, conc_unit="uM")
    one, two = synergy.read_csv(write(pd.concat([frame, micro]), tmp_path), PERCENT)
    assert two.doses == pytest.approx(one.doses)
    assert (one.name, two.name) == ("block 1", "block 2")
    ranked = synergy.rank([one, two])
    assert list(ranked["experiment"]) == ["block 1", "block 2"]
    assert list(ranked["mean"]) == pytest.approx([10.8565, 10.8565], rel=1e-4)


def test_three_drugs_and_semicolons(tmp_path: Path) -> None:
    rows = [(1, a, b, c, 100 * 0.5 ** (a + b + c)) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    frame = pd.DataFrame(rows, columns=["block_id", "conc1", "conc2", "conc3", "response"])
    path = tmp_path / "three.csv"
    frame.to_csv(path, index=False, sep=";")
    (wells,) = synergy.read_csv(path, Response.VIABILITY_PERCENT)
    assert len(wells.drugs) == 3
    assert synergy.bliss(wells).wells["excess"].abs().max() < 1e-10


def test_every_bad_row_is_listed(tmp_path: Path) -> None:
    frame = synergyfinder().astype({"conc1": object, "response": object})
    frame.loc[1, "response"] = np.nan
    frame.loc[2, "response"] = "n.d."
    frame.loc[3, "conc2"] = -3.125
    frame.loc[4, "conc_unit"] = "nMol"
    frame.loc[5, "conc_unit"] = np.nan
    with pytest.raises(InputError) as caught:
        synergy.read_csv(write(frame, tmp_path), PERCENT)
    message = str(caught.value)
    for part in (
        "screen.csv",
        "row 5: conc2 is negative (-3.125)",
        "row 6: unknown unit 'nMol'",
        "row 7: no unit, while other rows state one",
    ):
        assert part in message


def test_mixed_kinds_of_unit(tmp_path: Path) -> None:
    frame = synergyfinder()
    frame.loc[3:, "conc_unit"] = "ng/ml"
    with pytest.raises(InputError, match="mixes nM and ng/ml"):
        synergy.read_csv(write(frame, tmp_path), PERCENT)


def test_same_well_twice(tmp_path: Path) -> None:
    frame = synergyfinder().assign(replicate=1)
    same = pd.concat([frame, frame.iloc[[7]]])
    (wells,) = synergy.read_csv(write(same, tmp_path), PERCENT)
    assert len(wells.viability) == 36
    assert "row 9 and row 38 are the same well with the same value; counted once" in wells.notes
    other = pd.concat([frame, frame.iloc[[7]].assign(response=12.5)])
    with pytest.raises(
        InputError, match=r"row 38: the well of row 9 again .* with another value \(12.5, was 63.6251\)"
    ):
        synergy.read_csv(write(other, tmp_path), PERCENT)
    replicates = pd.concat([frame, frame.assign(replicate=2, response=frame["response"] + 1)])
    (twice,) = synergy.read_csv(write(replicates, tmp_path), PERCENT)
    assert len(twice.viability) == 72


def test_missing_columns_and_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column 'response' is missing"):
        synergy.read_csv(write(synergyfinder().drop(columns="response"), tmp_path), PERCENT)
    with pytest.raises(InputError, match="no such file"):
        synergy.read_csv(tmp_path / "absent.csv", PERCENT)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(InputError, match="the file is empty"):
        synergy.read_csv(empty, PERCENT)


def test_two_drugs_in_one_block(tmp_path: Path) -> None:
    frame = synergyfinder()
    frame.loc[30:, "drug1"] = "other"
    with pytest.raises(InputError, match="drug1 names 2 drugs in one block"):
        synergy.read_csv(write(frame, tmp_path), PERCENT)


def test_scale_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="look like percent"):
        synergy.read_csv(write(synergyfinder(), tmp_path), Response.INHIBITION_FRACTION)


@pytest.mark.parametrize("control", ["DMSO", "", "vehicle", "none"])
def test_names_beside_dose_zero_do_not_matter(control: str, tmp_path: Path) -> None:
    """Exactly Bliss data in which wells without a drug name a solvent, or nothing."""
    frame = pd.DataFrame(
        [
            (1, control, control, 0, 0, "uM", 0),
            (1, control, "B", 0, 1, "uM", 25),
            (1, "A", control, 0.1, 0, "uM", 40),
            (1, "A", "B", 0.1, 1, "uM", 55),
        ],
        columns=["block_id", "drug1", "drug2", "conc1", "conc2", "conc_unit", "response"],
    )
    (wells,) = synergy.read_csv(write(frame, tmp_path), PERCENT)
    assert wells.drugs == ("A", "B")
    assert synergy.bliss(wells).mean == pytest.approx(0.0, abs=1e-9)


def test_a_dose_without_a_name_is_refused(tmp_path: Path) -> None:
    frame = synergyfinder()
    frame.loc[30:, "drug1"] = np.nan
    with pytest.raises(InputError, match="drug1 is empty beside a dose above zero"):
        synergy.read_csv(write(frame, tmp_path), PERCENT)
    with pytest.raises(InputError, match="row 3: block_id is empty"):
        synergy.from_long(synergyfinder().assign(block_id=["1", " ", *["1"] * 34]), PERCENT)


def test_screens_with_solvents_at_dose_zero() -> None:
    doses = [(a, b) for a in (0.0, 1.0, 3.0) for b in (0.0, 1.0, 3.0)]
    frame = pd.DataFrame(
        {
            "cell_line": "T47D",
            "treatment": "see drugs",
            "time_min": 4320.0,
            "readout": "viability",
            "value": [1 / (1 + a) / (1 + b) for a, b in doses],
            "drug1": ["A" if a else "DMSO" for a, _ in doses],
            "dose1_nM": [a for a, _ in doses],
            "drug2": ["B" if b else None for _, b in doses],
            "dose2_nM": [b for _, b in doses],
        }
    )
    (wells,) = synergy.experiments(frame)
    for each in (wells, synergy.from_table(frame)):
        assert each.drugs == ("A", "B")
        assert len(each.viability) == 9
        assert synergy.bliss(each).mean == pytest.approx(0.0, abs=1e-9)
    several = pd.concat([frame, frame.assign(drug1=frame["drug1"].replace("A", "C"))])
    with pytest.raises(InputError, match="row 1: drug1 is 'DMSO' at dose zero, while there are 2"):
        synergy.experiments(several)
