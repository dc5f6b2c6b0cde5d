"""The one table: an experiment is this table with the value column missing.

Columns ``cell_line, treatment, time_min, readout, value``; where they exist also ``replicate``, ``gel`` and ``sd``.
The simulator fills ``value``; the bench fills the same column.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, near_misses, raise_together

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("cell_line", "treatment", "time_min", "readout", "value")
OPTIONAL = ("replicate", "gel", "sd")
_TEXT = ("cell_line", "treatment", "readout")
_NUMERIC = ("time_min", "value", "sd")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV in the one schema and check every row; rows are numbered as an editor shows them (header = 1).

    Raises :class:`InputError` that lists every bad row at once.
    """
    return check_table(read_csv(path, skipinitialspace=True), str(path))


def read_csv(path: str | Path, **options: Any) -> pd.DataFrame:
    """A CSV file as pandas reads it. Raises :class:`InputError` in one line for a file that is none."""
    import pandas as pd

    try:
        frame: pd.DataFrame = pd.read_csv(path, **options)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a CSV table: byte {error.start + 1} is not UTF-8 text") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: not a CSV table: the file is empty") from None
    except pd.errors.ParserError as error:
        raise InputError(f"{path}: not a CSV table: {' '.join(str(error).split())}") from None
    return frame


def check_table(frame: pd.DataFrame, where: str = "table") -> pd.DataFrame:
    """Return ``frame`` with numeric columns as floats.

    Raises :class:`InputError` naming each missing column and each row with an empty name, a number that is NaN,
    infinite or not a number, or a negative time or standard deviation.
    """
    import numpy as np
    import pandas as pd

    problems = [_missing(column, list(frame.columns)) for column in COLUMNS if column not in frame.columns]
    raise_together(problems, where)
    checked = frame.copy()
    for column in _TEXT:
        empty = frame[column].isna() | (frame[column].astype(str).str.strip() == "")
        problems += [f"row {row + 2}: {column} is empty" for row in np.flatnonzero(empty)]
    for column in _NUMERIC:
        if column not in frame.columns:
            continue
        values = pd.to_numeric(frame[column], errors="coerce").astype(float)
        bad = ~np.isfinite(values.to_numpy())
        problems += [f"row {row + 2}: {column} is '{frame[column].iloc[row]}', not a finite number"
                     for row in np.flatnonzero(bad)]  # fmt: skip
        if column != "value":
            negative = values.to_numpy() < 0
            problems += [f"row {row + 2}: {column} is negative" for row in np.flatnonzero(negative)]
        checked[column] = values
    raise_together(problems, where)
    return checked


def _missing(column: str, present: list[str]) -> str:
    close = near_misses(column, [name for name in present if name not in COLUMNS])
    return f"column '{column}' is missing" + (f" (is '{close[0]}' meant?)" if close else "")
