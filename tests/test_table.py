"""The one table: what is wrong with a CSV is said with the row an editor shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pathsim.errors import InputError
from pathsim.table import COLUMNS, read_table

GOOD = "cell_line,treatment,time_min,readout,value\nT47D,vehicle,15,pAKT_S473,1.5\nT47D,IGF1 13 nM,15,pAKT_S473,3\n"


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
