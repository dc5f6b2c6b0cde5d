"""One dose matrix in the layouts of programs and labs gives one Bliss score; bad cells are said with row and column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.stats import synergy
from pathsim.stats.synergy import Response

DOWN, ACROSS = np.array([0.0, 10, 100, 1000]), np.array([0.0, 1, 3, 10, 30])
"""nM of A and of B."""
VIABILITY = np.outer(1 / (1 + DOWN / 100), 1 / (1 + ACROSS / 5))
"""Independent drugs; the two combinations below are 10 and 20 points better than that."""
VIABILITY[2, 2] -= 0.10
VIABILITY[3, 1] -= 0.20
EXCESS = 30.0 / 12
"""Mean Bliss excess over the combinations."""


def grid(values: np.ndarray, corner: str = "", comma: str = ",") -> str:
    lines = [comma.join([corner, *(f"{dose:g}" for dose in ACROSS)])]
    lines += [comma.join([f"{dose:g}", *(f"{v:.12g}" for v in row)]) for dose, row in zip(DOWN, values, strict=True)]
    return "\n".join(lines) + "\n"


def long(values: np.ndarray = 100 * VIABILITY) -> pd.DataFrame:
    rows = [("A", "B", a, b, values[i, j]) for i, a in enumerate(DOWN) for j, b in enumerate(ACROSS)]
    return pd.DataFrame(rows, columns=["drug1", "drug2", "conc1", "conc2", "response"])


def german(text: str) -> str:
    return text.replace(",", ";").replace(".", ",")


SYNERGYFINDER = "Drug1:,A,,,,\nDrug2:,B,,,,\nConcUnit:,nM,,,,\n"
COMBENEFIT = "\nAgent1,A\nAgent2,B\nUnit1,nM\nUnit2,nM\nTitle,Some cells\n"
PERCENT = 100 * VIABILITY
LAYOUTS: dict[str, Callable[[Path], object]] = {
    "long.csv": lambda path: long().assign(conc_unit="nM").to_csv(path, index=False),
    "micromolar.csv": lambda path: long()
    .assign(conc1=lambda t: t["conc1"] / 1000, conc2=lambda t: t["conc2"] / 1000)
    .rename(columns={"conc1": "Dose A (µM)", "conc2": "Dose B (µM)", "drug1": "Drug A", "drug2": "Drug B"})
    .to_csv(path, index=False, sep=";", encoding="latin-1"),
    "after_drugs.csv": lambda path: long()
    .drop(columns=["drug1", "drug2"])
    .rename(columns={"conc1": "A (nM)", "conc2": "B (nM)", "response": "Viability (%)"})
    .to_csv(path, index=False),
    "inhibition.csv": lambda path: long(100 - PERCENT)
    .rename(columns={"response": "inhibition"})
    .assign(conc_unit="nM")
    .to_csv(path, index=False),
    "signal.tsv": lambda path: long(54321 * VIABILITY).assign(conc_unit="nM").to_csv(path, index=False, sep="\t"),
    "german.csv": lambda path: path.write_text(german(long().assign(conc_unit="nM").to_csv(index=False))),
    "matrix.csv": lambda path: path.write_text(SYNERGYFINDER + grid(PERCENT)),
    "matrix_inhibition.csv": lambda path: path.write_text(SYNERGYFINDER + grid(100 - PERCENT)),
    "matrix_german.csv": lambda path: path.write_text(german(SYNERGYFINDER + grid(PERCENT))),
    "matrix_fractions.txt": lambda path: path.write_text((SYNERGYFINDER + grid(VIABILITY)).replace(",", "\t")),
    "corner.csv": lambda path: path.write_text(grid(PERCENT, "A (nM) \\ B (nM)")),
    "header_above.csv": lambda path: path.write_text(",,B (nM),,,\n" + grid(PERCENT, "A (nM)")),
    "combenefit.csv": lambda path: path.write_text(grid(PERCENT) + COMBENEFIT),
    "units_in_doses.csv": lambda path: path.write_text(
        "A \\ B," + ",".join(f"{b / 1000:g} uM" for b in ACROSS) + "\n"
        + "\n".join(
            ",".join([f"{a:g} nM", *(f"{v:.12g}" for v in row)]) for a, row in zip(DOWN, PERCENT, strict=True)
        )
    ),
    "matrix.xlsx": lambda path: pd.DataFrame(
        [["A / B (nM)", *ACROSS], *([a, *row] for a, row in zip(DOWN, PERCENT, strict=True))]
    ).to_excel(path, index=False, header=False, startrow=1, startcol=1),
    "replicates.csv": lambda path: path.write_text(
        "".join(f"Replicate {i},,,,,\n{SYNERGYFINDER}{grid(PERCENT)}\n" for i in (1, 2, 3))
    ),
    "schema.csv": lambda path: pd.DataFrame(
        [
            ("T47D", " + ".join(f"{name} {dose:g} nM" for name, dose in (("A", a), ("B", b)) if dose) or "vehicle",
             72, "viability", 100 * VIABILITY[i, j])
            for i, a in enumerate(DOWN) for j, b in enumerate(ACROSS)
        ],
        columns=["cell_line", "treatment", "time_h", "readout", "value"],
    ).to_csv(path, index=False),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_score(name: str, tmp_path: Path) -> None:
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl")
    LAYOUTS[name](tmp_path / name)
    told: list[str] = []
    (wells,) = synergy.read_csv(tmp_path / name, unit="nM" if name == "matrix.xlsx" else None, tell=told.append)
    assert set(wells.drugs) == {"A", "B"}
    assert wells.units == ("nM", "nM")
    assert wells.doses[:, wells.drugs.index("A")].max() == pytest.approx(1000)
    assert synergy.bliss(wells, resamples=0).mean == pytest.approx(EXCESS, rel=1e-9)
    assert len(wells.viability) == 20 * (3 if "replicates" in name else 1)


def test_many_matrices_are_ranked_and_outliers_marked(tmp_path: Path) -> None:
    """Five pairs of independent drugs in triplicate, one of them 20 points synergistic, one well far off."""
    rng = np.random.default_rng(3)
    parts = []
    for block in range(5):
        for repeat in (1, 2, 3):
            values = 100 * np.outer(1 / (1 + DOWN / 100), 1 / (1 + ACROSS / 5)) + rng.normal(0, 1, VIABILITY.shape)
            values[1:, 1:] -= 20 * (block == 3)
            parts.append(long(values).assign(block_id=block, replicate=repeat, conc_unit="nM", drug2=f"B{block}"))
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[7, "response"] += 30
    frame.to_csv(tmp_path / "screen.csv", index=False)
    found = synergy.read_csv(tmp_path / "screen.csv", tell=lambda said: None)
    table = synergy.summary(found, ["bliss", "hsa"])
    assert list(table["rank"]) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert table["experiment"].iloc[0] == "block 3"
    assert table["mean"].iloc[0] == pytest.approx(20, abs=1.0)
    flags = synergy.outliers(found)
    assert [int(marked.sum()) for marked in flags] == [1, 0, 0, 0, 0]
    assert flags[0][7]
    assert table.set_index(["experiment", "metric"]).loc[("block 0", "HSA excess"), "outliers"] == 1


def test_a_replicate_matrix_that_disagrees_is_noted(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    parts = [
        long(PERCENT + rng.normal(0, 1, VIABILITY.shape) + 15 * (block == 2)).assign(block_id=block, conc_unit="nM")
        for block in range(4)
    ]
    pd.concat(parts).to_csv(tmp_path / "screen.csv", index=False)
    table = synergy.summary(synergy.read_csv(tmp_path / "screen.csv", tell=lambda said: None), ["bliss"])
    noted = table[table["notes"].str.contains("disagrees with the 3 others")]
    assert list(noted["experiment"]) == ["block 2"]


def test_sheets_are_matrices_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        for name in ("one", "two"):
            long().assign(conc_unit="nM").to_excel(book, sheet_name=name, index=False)
    found = synergy.read_csv(tmp_path / "book.xlsx", tell=lambda said: None)
    assert [wells.name for wells in found] == ["block one", "block two"]
    assert len(synergy.read_csv(tmp_path / "book.xlsx", sheet="two", tell=lambda said: None)) == 1


def test_pairs_and_cell_lines_are_told_apart(tmp_path: Path) -> None:
    pairs = pd.concat([long(), long().assign(drug2="C")])
    pairs.assign(conc_unit="nM").to_csv(tmp_path / "pairs.csv", index=False)
    assert [w.drugs for w in synergy.read_csv(tmp_path / "pairs.csv", tell=lambda said: None)] == [
        ("A", "B"),
        ("A", "C"),
    ]
    lines = pd.concat([long().assign(cell_line="T47D"), long().assign(cell_line="MCF7")])
    lines.assign(conc_unit="nM").to_csv(tmp_path / "lines.csv", index=False)
    assert len(synergy.read_csv(tmp_path / "lines.csv", tell=lambda said: None)) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SYNERGYFINDER + grid(PERCENT).replace("\n100,50", "\n100,fifty"), "row 7, column B: 'fifty' is not a finite"),
        (SYNERGYFINDER.replace("nM", "furlong") + grid(PERCENT), "unknown unit 'furlong'"),
        (grid(PERCENT + 400).replace("\n0,500", "\n0,-50"), "A|viability or inhibition"),
        ("drug1,drug2,conc1,conc2\nA,B,0,1\n", "column 'response' is missing"),
        ("a,b\n1,2\n", "holds no dose matrix"),
        (long().rename(columns={"response": "inhibition"}).to_csv(index=False), "should be inhibition, but untreated"),
        (long()[lambda t: t["conc1"] + t["conc2"] > 0].to_csv(index=False), "no untreated well to tell"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        synergy.read_csv(path, tell=lambda said: None)


def test_cells_without_a_measurement_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(SYNERGYFINDER + grid(PERCENT).replace(f"{PERCENT[3, 4]:.12g}", "n.d."))
    told: list[str] = []
    (wells,) = synergy.read_csv(path, Response.VIABILITY_PERCENT, tell=told.append)
    assert len(wells.viability) == 19
    assert any("left out (row 8, column F)" in note for note in told)


def test_replicates_side_by_side_and_tabs(tmp_path: Path) -> None:
    table = long().drop(columns="response").assign(rep1=PERCENT.ravel() + 1, rep2=PERCENT.ravel() - 1, conc_unit="nM")
    table.to_csv(tmp_path / "side.csv", index=False)
    (wells,) = synergy.read_csv(tmp_path / "side.csv", tell=lambda said: None)
    assert len(wells.viability) == 40
    assert synergy.bliss(wells, resamples=0).mean == pytest.approx(EXCESS, rel=1e-9)
    two = "".join(f"Drug1:\tA\nDrug2:\t{name}\nConcUnit:\tnM\n{grid(PERCENT, comma=chr(9))}\n" for name in "BC")
    (tmp_path / "two.txt").write_text(two)
    found = synergy.read_csv(tmp_path / "two.txt", tell=lambda said: None)
    assert [wells.drugs for wells in found] == [("A", "B"), ("A", "C")]


def test_a_table_without_a_well_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("drug_row,drug_col,conc_r,conc_c,response,conc_unit\na,b,0,0,,nM\na,b,1,1,n.d.,nM\n")
    with pytest.raises(InputError, match="no row holds a well"):
        synergy.read_csv(path, tell=lambda said: None)
