"""The one table: what is wrong with a CSV is said with the row an editor shows."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.table import COLUMNS, check_table, read_csv

GOOD = "cell_line,treatment,time_min,readout,value\nT47D,vehicle,15,pAKT_S473,1.5\nT47D,IGF1 13 nM,15,pAKT_S473,3\n"
GOOD_ROWS = {"cell_line": ["T47D"] * 2, "treatment": ["vehicle"] * 2, "time_min": [15.0] * 2, "readout": ["pAKT"] * 2,
             "value": [1.5, 3.0]}  # fmt: skip


def read_table(path: Path) -> pd.DataFrame:
    """A CSV in the one schema, checked."""
    return check_table(read_csv(path, skipinitialspace=True), str(path))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "blots.csv"
    path.write_text(text)
    return path


def test_a_good_table_is_read(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, GOOD))
    assert list(frame.columns) == list(COLUMNS)
    assert frame["value"].tolist() == [1.5, 3.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace(",3\n", ",nan\n"), "row 3: value is 'nan', not a finite number"),
        (GOOD.replace(",3\n", ",\n"), "row 3: value is"),
        (GOOD.replace(",3\n", ",high\n"), "row 3: value is 'high'"),
        (GOOD.replace("vehicle,15", "vehicle,-15"), "row 2: time_min is negative"),
        (GOOD.replace("T47D,vehicle", ",vehicle"), "row 2: cell_line is empty"),
        (GOOD.replace("readout,value", "readout,values"), r"column 'value' is missing \(is 'values' meant\?\)"),
        ("", "not a CSV table"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_table(write(tmp_path, text))


def test_every_bad_row_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 problems") as caught:
        read_table(write(tmp_path, GOOD.replace(",1.5", ",x").replace(",3\n", ",inf\n")))
    assert "row 2" in str(caught.value)
    assert "row 3" in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_table(tmp_path / "none.csv")


def test_what_is_no_file_of_text_is_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes("cell_line\nµ".encode("latin-1"))
    wide = write(tmp_path, "a,b\n1,2,3\n4,5,6\n")
    for path, said in (
        (tmp_path, "not a file"),
        (latin, "byte 11 is not UTF-8 text"),
        (wide, "more cells than the header"),
        ("http://localhost/a.csv", "no such file"),
        ("a\0b", "no such file"),
    ):
        with pytest.raises(InputError, match=said):
            read_table(path)  # type: ignore[arg-type]


def test_marks_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "blots.csv"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_table(path)["value"].tolist() == [1.5, 3.0]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("value", pd.to_datetime(["2020-01-01", "2020-01-02"])), ("value", [True, False]), ("value", [1j, 2.0]),
        ("value", [pd.Timedelta("1 h"), 2.0]), ("value", [pd.NA, 1.0]), ("value", [[1], 2.0]),
        ("time_min", ["24 h", 1]),
        ("readout", [None, "pAKT"]), ("treatment", [" ", "vehicle"]), ("sd", [-1.0, 1.0]),
    ],
)  # fmt: skip
def test_cells_that_are_none_of_their_kind(column: str, cells: object) -> None:
    frame = pd.DataFrame(GOOD_ROWS).assign(**{column: cells})
    with pytest.raises(InputError, match=f"row 2: {column} is"):
        check_table(frame)
    with pytest.raises(InputError, match=f"row 1: {column} is"):
        check_table(frame, first_row=1)


def test_numbers_of_every_type() -> None:
    for cells in (
        [Fraction(1, 2), Decimal("0.25")],
        ["0.5", 0.25],
        pd.array([0.5, 0.25], dtype="Float64"),
        [0.5, "0.25 "],
    ):
        assert check_table(pd.DataFrame(GOOD_ROWS).assign(value=cells))["value"].tolist() == [0.5, 0.25]


def test_what_is_no_table() -> None:
    frame = pd.DataFrame(GOOD_ROWS)
    with pytest.raises(InputError, match="column 'value' is there 2 times"):
        check_table(pd.concat([frame, frame[["value"]]], axis=1))
    for thing in (None, [1], GOOD_ROWS, frame["value"], "table.csv"):
        with pytest.raises(InputError, match="a pandas DataFrame is needed"):
            check_table(thing)  # type: ignore[arg-type]
