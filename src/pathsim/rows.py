"""Small tables as lists of rows, cells by column: text as pandas would write it, without loading pandas.

All rows have the columns of the first. A cell that is None or NaN has no value.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, object]


def rows_of(columns: Mapping[str, Any]) -> list[Row]:
    """The rows of columns that are arrays of one length."""
    cells = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def rows_as_csv(rows: Sequence[Row]) -> str:
    """A CSV with a header; numbers to the last bit; a cell without a value is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows([None if value != value else value for value in row.values()] for row in rows)
    return text.getvalue()


def rows_as_json(rows: Sequence[Row]) -> str:
    """JSON records with every digit of their numbers; null where there is none, or an infinite one."""
    return json.dumps([{name: _plain(cell) for name, cell in row.items()} for row in rows], indent=1) + "\n"


def _plain(cell: Any) -> Any:
    value = cell.item() if hasattr(cell, "item") else cell
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)
