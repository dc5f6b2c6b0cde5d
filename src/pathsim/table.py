"""The one table: an experiment is this table with the value column missing.

Columns ``cell_line, treatment, time_min, readout, value``; where they exist also ``replicate``, ``gel`` and ``sd``.
The simulator fills ``value``; the bench fills the same column.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import arguments
from .arrays import FloatArray
from .errors import InputError, brief, near_misses, raise_together
from .files import read_text
from .units import UNITS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("cell_line", "treatment", "time_min", "readout", "value")
OPTIONAL = ("replicate", "gel", "sd")
_TEXT = ("cell_line", "treatment", "readout")
_NUMERIC = ("time_min", "value", "sd")


def read_csv(path: str | Path, **options: Any) -> pd.DataFrame:
    """A CSV file as pandas reads it. Raises :class:`InputError` in one line for a file that is none."""
    import pandas as pd

    text = read_text(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the header would be dropped
            frame: pd.DataFrame = pd.read_csv(StringIO(text), index_col=False, **options)
    except pd.errors.ParserWarning:
        raise InputError(f"{path}: not a CSV table: rows have more cells than the header has names") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: not a CSV table: the file is empty") from None
    except (pd.errors.ParserError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: not a CSV table: {' '.join(str(error).split())}") from None
    return frame


def check_table(frame: pd.DataFrame, where: str = "table", first_row: int = 2) -> pd.DataFrame:
    """Return ``frame`` with numeric columns as floats.

    Rows are counted from ``first_row``: 2 for a file with its header, 1 for a table in memory.

    Raises :class:`InputError` naming each missing column and each row with an empty name, a number that is NaN,
    infinite or not a number, or a negative time or standard deviation.
    """
    import numpy as np

    check_columns(frame, COLUMNS, where)
    check_columns(frame, [name for name in frame.columns if isinstance(name, str)], where)
    checked, problems = frame.copy(), []
    for column in _TEXT:
        text = frame[column].astype(object)
        empty = text.isna() | (text.astype(str).str.strip() == "")
        problems += [f"row {row + first_row}: {column} is empty" for row in np.flatnonzero(empty)]
        problems += [
            f"row {row + first_row}: {column} is {brief(repr(cell))}, not a name"
            for row, cell in enumerate(text)
            if not isinstance(cell, Hashable)
        ]
    for column in _NUMERIC:
        if column not in frame.columns:
            continue
        values = numeric_cells(frame[column])
        problems += [
            f"row {row + first_row}: {column} is '{brief(str(frame[column].iloc[row]))}', not a finite number"
            for row in np.flatnonzero(~np.isfinite(values))
        ]
        if column != "value":
            problems += [f"row {row + first_row}: {column} is negative" for row in np.flatnonzero(values < 0)]
        checked[column] = values
    raise_together(problems, where)
    return checked


def check_columns(frame: pd.DataFrame, needed: Iterable[str], where: str = "table") -> None:
    """Raises :class:`InputError` unless ``frame`` is a table with each of the ``needed`` columns once."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{where}: a pandas DataFrame is needed, not {brief(repr(type(frame).__name__))}")
    wanted = list(needed)
    present = [str(name) for name in frame.columns]
    raise_together([_missing(name, present, wanted) for name in wanted if name not in frame.columns], where)
    raise_together(
        [f"column '{name}' is there {present.count(name)} times" for name in wanted if present.count(name) > 1], where
    )


def numeric_cells(cells: pd.Series) -> FloatArray:
    """The numbers of a column (n,), also those written as text; NaN for every cell that is none.

    Dates, time spans, complex numbers and True or False are none, though pandas would count with them.
    """
    import numpy as np
    import pandas as pd

    if cells.dtype.kind in "mMcb":
        return np.full(len(cells), np.nan)
    if cells.dtype.kind in "iuf":
        return np.asarray(cells.to_numpy(dtype=float, na_value=np.nan))
    plain = cells.astype(object).map(lambda cell: cell if isinstance(cell, str) else arguments.or_nan(cell))
    return np.asarray(pd.to_numeric(plain, errors="coerce"), dtype=float)


def _missing(column: str, present: list[str], needed: list[str]) -> str:
    close = near_misses(column, [name for name in present if name not in needed])
    said = f"column '{column}' is missing"
    if not close:
        return said
    units = [name.rpartition("_")[2] for name in (column, close[0])]
    if units[0] != units[1] and set(units) <= {*UNITS}:
        return f"{said} ('{close[0]}' is in {units[1]}; give it in {units[0]})"
    return f"{said} (is '{close[0]}' meant?)"
