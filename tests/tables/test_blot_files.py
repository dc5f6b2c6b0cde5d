"""The same blots, saved in the ways labs save them: one table comes out, or one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import pathsim as ps
from pathsim.tables import read_map

ROWS = [
    ("T47D", "vehicle", 0, "pAKT_S473", 1200.5, "a"),
    ("T47D", "vehicle", 0, "vinculin", 700.25, "a"),
    ("T47D", "alpelisib 0.5 uM", 90, "pAKT_S473", 410.75, "a"),
    ("T47D", "alpelisib 0.5 uM", 90, "vinculin", 650.5, "a"),
    ("MCF7", "IGF1 13 nM", 15, "pAKT_S473", 2400.5, "b"),
    ("MCF7", "IGF1 13 nM", 15, "vinculin", 810.0, "b"),
]
NAMES = ["cell_line", "treatment", "time_min", "readout", "value", "gel"]
PLAIN = pd.DataFrame(ROWS, columns=NAMES)
MICRO = PLAIN.assign(treatment=PLAIN["treatment"].str.replace("uM", "µM"))


def german(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        value=[f"{value:.2f}".replace(".", ",") for value in frame["value"]],
        treatment=frame["treatment"].str.replace("0.5", "0,5"),
    )


def wide() -> pd.DataFrame:
    keys = ["cell_line", "treatment", "time_min", "gel"]
    return PLAIN.pivot_table(index=keys, columns="readout", values="value", sort=False).reset_index()


def with_hours() -> pd.DataFrame:
    return PLAIN.assign(time_min=PLAIN["time_min"] / 60).rename(columns={"time_min": "time_h"})


WAYS: dict[str, Callable[[Path], object]] = {
    "plain.csv": lambda path: PLAIN.to_csv(path, index=False),
    "bom.csv": lambda path: PLAIN.to_csv(path, index=False, encoding="utf-8-sig"),
    "german.csv": lambda path: german(PLAIN).to_csv(path, index=False, sep=";"),
    "tabs.tsv": lambda path: PLAIN.to_csv(path, index=False, sep="\t"),
    "german_tabs.txt": lambda path: german(PLAIN).to_csv(path, index=False, sep="\t", encoding="utf-16"),
    "utf16.csv": lambda path: MICRO.to_csv(path, index=False, encoding="utf-16"),
    "utf16_without_mark.csv": lambda path: path.write_bytes(MICRO.to_csv(index=False).encode("utf-16-le")),
    "latin1.csv": lambda path: MICRO.to_csv(path, index=False, encoding="latin-1"),
    "carriage_returns.csv": lambda path: path.write_bytes(PLAIN.to_csv(index=False).replace("\n", "\r").encode()),
    "other_names.csv": lambda path: PLAIN.rename(
        columns={"readout": "Antibody", "value": "Intensity (a.u.)", "cell_line": "Cell line", "time_min": "Time (min)",
                 "gel": "Membrane", "treatment": "Treatment"}
    ).to_csv(path, index=False),
    "hours.csv": lambda path: with_hours().to_csv(path, index=False),
    "units_in_cells.csv": lambda path: PLAIN.assign(
        time_min=[f"{minutes / 60:g} h" for minutes in PLAIN["time_min"]]
    ).rename(columns={"time_min": "Time"}).to_csv(path, index=False),
    "wide.csv": lambda path: wide().to_csv(path, index=False),
    "wide_german.csv": lambda path: wide()
    .assign(pAKT_S473=[f"{value:g}".replace(".", ",") for value in wide()["pAKT_S473"]], lane=[1, 2, 3])
    .to_csv(path, index=False, sep=";"),
    "spaces.csv": lambda path: PLAIN.assign(readout=PLAIN["readout"] + " ").to_csv(path, index=False),
    "empty_rows.csv": lambda path: path.write_text(PLAIN.to_csv(index=False) + ",,,,,\n" * 5),
    "title.csv": lambda path: path.write_text("Blots of May,,,,,\n,,,,,\n" + PLAIN.to_csv(index=False)),
    "imagej.csv": lambda path: PLAIN.rename(columns={"value": "IntDen"})
    .assign(Area=1500, Mean=3.5, Min=0, Max=255, RawIntDen=9)
    .to_csv(path, index_label=" "),
    "french.csv": lambda path: PLAIN.assign(
        value=[f"{value:,.2f}".replace(",", "\u202f").replace(".", ",") for value in PLAIN["value"]]
    ).to_csv(path, index=False, sep=";"),
    "excel.xlsx": lambda path: PLAIN.to_excel(path, index=False),
    "wide.xlsx": lambda path: wide().to_excel(path, index=False, startrow=2),
    "table.parquet": lambda path: PLAIN.to_parquet(path),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_one_table_however_it_is_saved(name: str, tmp_path: Path) -> None:
    if name.endswith((".xlsx", ".parquet")):
        pytest.importorskip("openpyxl" if name.endswith("x") else "pyarrow")
    WAYS[name](tmp_path / name)
    told: list[str] = []
    read = ps.read_blots(tmp_path / name, tell=told.append)
    keys = ["cell_line", "time_min", "readout", "gel"]
    found = read.sort_values(keys)[NAMES].reset_index(drop=True)
    wanted = PLAIN.sort_values(keys)[NAMES].reset_index(drop=True)
    found["treatment"] = found["treatment"].str.replace("µ", "u")
    assert found["value"].tolist() == wanted["value"].tolist()
    assert found["time_min"].tolist() == wanted["time_min"].tolist()
    assert (
        found[["cell_line", "treatment", "readout", "gel"]]
        .astype(str)
        .equals(wanted[["cell_line", "treatment", "readout", "gel"]].astype(str))
    )
    if "german" in name:
        assert sum("decimal commas" in note for note in told) == 1


def test_measurements_alone_take_a_table_of_lanes(tmp_path: Path) -> None:
    """What ImageJ writes, row by row of what another table says the rows are."""
    file, lanes = tmp_path / "Results.csv", tmp_path / "lanes.csv"
    measured = pd.DataFrame({"Area": 1500, "Mean": 3.5, "Min": 0, "Max": 255, "IntDen": PLAIN["value"]})
    measured.to_csv(file, index_label=" ")
    PLAIN.drop(columns="value").to_csv(lanes, index=False, sep=";")
    read = ps.read_blots(file, tell=lambda said: None, lanes=lanes)
    assert read["value"].tolist() == PLAIN["value"].tolist()
    assert read["readout"].tolist() == PLAIN["readout"].tolist()
    with pytest.raises(ps.InputError, match=r"what an instrument measured.*--lanes"):
        ps.read_blots(file)
    PLAIN.drop(columns="value").iloc[1:].to_csv(lanes, index=False)
    with pytest.raises(ps.InputError, match=rf"{len(PLAIN) - 1} lanes, but .*Results.csv has {len(PLAIN)} measured"):
        ps.read_blots(file, lanes=lanes)
    PLAIN.drop(columns=["value", "readout"]).to_csv(lanes, index=False)
    with pytest.raises(ps.InputError, match=r"lanes.csv: column 'readout' is missing"):
        ps.read_blots(file, lanes=lanes)


def refused(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.write_text(text, encoding=encoding)
    with pytest.raises(ps.InputError) as caught:
        ps.read_blots(path, tell=lambda said: None)
    return str(caught.value).removeprefix(f"{path}: ")


HEAD = "cell_line,treatment,time_min,readout,value\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + 'T47D,vehicle,0,pAKT,"240,725.0"\nT47D,vehicle,1,pAKT,"1,725.0"\n', "column 'value' has '240,725.0'"),
        (HEAD + 'T47D,vehicle,0,pAKT,"1,234"\n', "decimal comma or a thousands separator"),
        (HEAD + "T47D,vehicle,0,pAKT,1,5\n", "more cells than the header has names; a decimal comma"),
        (HEAD.replace(",", ";") + "T47D;vehicle;0;pAKT;1,5\nT47D;vehicle;1;pAKT;1.5\n", "write all alike"),
        (HEAD.replace(",", ";") + "T47D;vehicle;0;pAKT;12,345\nT47D;vehicle;1;pAKT;845\n", "thousands separator"),
        (HEAD.replace(",", ";") + "T47D;vehicle;0,5;pAKT;1.234\n", "'1.234' with a point while the file has '0,5'"),
        (HEAD.replace(",", "\t") + "T47D\tvehicle\t0\tpAKT\t1,234,567\n", "thousands separators"),
        (HEAD.replace("time_min", "time") + "T47D,vehicle,24,pAKT,1.5\n", "does not say its unit; name it time_min"),
        (HEAD.replace("readout", "what") + "T47D,vehicle,24,pAKT,1.5\n", "column 'readout' is missing"),
        (HEAD + "T47D,vehicle,24,pAKT,high\n", "row 2: value is 'high', not a finite number"),
        (HEAD + 'T47D,"vehicle,24,pAKT,1\n', "line 2: a quotation mark is opened and not closed"),
        ("cell_line,treatment,time_min,Intensity,Signal,readout\nT47D,vehicle,0,1,2,x\n", "could both be the value"),
    ],
)  # fmt: skip
def test_what_could_be_two_things_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    found = refused(tmp_path / "blots.csv", text)
    assert says in found
    assert "\n" not in found


def test_lanes_without_a_measurement_are_left_out_with_a_word(tmp_path: Path) -> None:
    cells = ["", "n.d.", "saturated", "#DIV/0!", ">65000", "<LOD"]
    rows = [f"T47D,vehicle,{i},pAKT,{cell}" for i, cell in enumerate(cells)]
    path = tmp_path / "blots.csv"
    path.write_text(HEAD + "\n".join([*rows, "T47D,vehicle,60,pAKT,2", "T47D,vehicle,70,pAKT,<5"]) + "\n")
    told: list[str] = []
    found = ps.read_blots(path, tell=told.append)
    assert found["time_min"].tolist() == [60, 70]
    assert found["censored"].tolist() == [False, True]
    assert list(found.index) == [8, 9]
    assert len(told) == 4
    assert "2 bands left out as missing ('n.d.'): row 2 (pAKT), row 3 (pAKT)" in told[0]
    assert any("saturated" in note for note in told)
    with pytest.warns(UserWarning, match="left out as missing"):
        ps.read_blots(path)


def test_a_missing_loading_control_takes_its_lane_with_it(tmp_path: Path) -> None:
    table = wide()
    table.loc[1, "vinculin"] = None
    table.to_csv(tmp_path / "wide.csv", index=False)
    told: list[str] = []
    found = ps.read_blots(tmp_path / "wide.csv", tell=told.append)
    assert sorted(found["time_min"]) == [0, 0, 15, 15]
    assert any("whose loading control was not measured (rows 3)" in note for note in told)


def test_columns_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "blots.csv"
    PLAIN.rename(columns={"value": "Fläche A", "time_min": "t"}).assign(t=[0, 0, 1.5, 1.5, 0.25, 0.25]).to_csv(
        path, index=False
    )
    mapped = read_map(["Fläche A=value", "t=time_h"])
    assert ps.read_blots(path, mapped, tell=lambda said: None)["time_min"].tolist() == PLAIN["time_min"].tolist()
    with pytest.raises(ps.InputError, match="no column 'Flache' \\(is 'Fläche A' meant"):
        ps.read_blots(path, {"Flache": "value"})
    with pytest.raises(ps.InputError, match="write theirs=ours"):
        read_map(["value"])


def test_errors_of_wide_columns_go_with_them(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    wide().assign(pAKT_S473_sd=[10, 20, 30], vinculin_sd=5).to_csv(path, index=False)
    found = ps.read_blots(path, tell=lambda said: None)
    assert found[found["readout"] == "pAKT_S473"]["sd"].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04 nothing else", "damaged Excel file"),
        (b"PAR1 nothing else", "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "save it as .xlsx or CSV"),
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "null character"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file.xlsx").write_bytes(content)
    with pytest.raises(ps.InputError, match=says):
        ps.read_blots(tmp_path / "file.xlsx")


def test_a_site_in_brackets_is_part_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    wide().rename(columns={"pAKT_S473": "pAKT (S473)", "vinculin": "Vinculin (a.u.)"}).to_csv(path, index=False)
    found = ps.read_blots(path, tell=lambda said: None)
    assert set(found["readout"]) == {"pAKT (S473)", "vinculin"}
