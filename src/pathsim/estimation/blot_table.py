"""Densitometry as a table: read, and checked row by row."""

from __future__ import annotations

import numbers
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import is_missing
from ..checked import checked
from ..errors import InputError, PathsimError, brief, raise_together
from ..lab import Treatment
from ..lab.protocols import protocols
from ..table import COLUMNS, check_columns, check_table, numeric_cells
from ..tables import Tell, read_bands
from ..tables.blots import LINE, say
from ..tables.headings import fold

if TYPE_CHECKING:
    import pandas as pd

TOTAL_PROTEIN = "Coomassie"
"""A stain of everything in a lane; it divides the lane's bands like the loading controls of the protocols."""
CENSORED = "censored"
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "")
KEYS = ("cell_line", "treatment", "readout", "gel", "replicate")
"""Columns that hold names."""


def loading_controls() -> frozenset[str]:
    """Readouts that measure how much of a lane was loaded; bands are divided by them."""
    return frozenset({*protocols().loading_controls, TOTAL_PROTEIN})


@checked
def read_blots(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
    lanes: str | Path | None = None,
) -> pd.DataFrame:
    """Read densitometry from CSV (any separator and encoding), Excel or Parquet, as :mod:`pathsim.tables` says.

    One band a row (``cell_line, treatment, time_min, readout, value, gel, replicate``, or names that mean these), or
    one antibody a column. Missing ``gel`` or ``replicate`` columns mean one gel, one replicate. A band below detection
    has ``<limit`` as its value, or its limit and ``true`` in a column ``censored``; a band that was not measured (an
    empty cell, ``n.d.``, ``saturated``) is left out with a word. Readouts that are loading controls (vinculin, GAPDH,
    ...) divide the bands of their lane and their ``sd`` when a problem is made; a lane without them is left out where
    they were not measured, and refused where it has no row for them.

    Args:
        columns: names of columns in the file and what they hold (``{"Band intensity": "value"}``).
        sheet: of an Excel file; default the first that is not empty.
        tell: takes a sentence on everything that had to be decided; default a warning.
        lanes: a table with ``cell_line, treatment, time_min, readout``, a row for each row of a file that holds only
            what an instrument measured (``Results.csv`` of ImageJ).

    Returns:
        The table with float values, and a boolean column ``censored``; its index is the line in the file.

    Raises:
        InputError: naming every bad row with its line.

    >>> blots = ps.read_blots("westerns.xlsx")  # doctest: +SKIP
    """
    return check_blots(read_frame(path, columns, sheet, tell, lanes), str(path))


def read_frame(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
    lanes: str | Path | None = None,
) -> pd.DataFrame:
    """Measured rows of a file as text under our names, unchecked; its index is the line in the file.

    Bands that were not measured are left out, and with a loading control all bands of its lane; ``tell`` hears of it.
    Raises :class:`InputError` as :func:`pathsim.tables.read_bands`.
    """
    bands, names = read_bands(path, columns, sheet, tell, lanes), sorted(loading_controls())
    frame, missing = (with_known_names(part, names) for part in (bands.frame, bands.missing))
    controls = missing[missing["readout"].isin(names)]
    keys = [name for name in ("gel", "cell_line", "treatment", "time_min", "replicate") if name in frame.columns]
    gels = ["gel"] if "gel" in keys else []
    measured = set(frame[[*gels, "readout"]].itertuples(index=False, name=None))
    divided = [row in measured for row in controls[[*gels, "readout"]].itertuples(index=False, name=None)]
    lost = set(controls[np.array(divided, dtype=bool)][keys].itertuples(index=False, name=None))
    out = np.array([lane in lost for lane in frame[keys].itertuples(index=False, name=None)], dtype=bool)
    if out.any():
        rows = frame.index[out]
        shown = ", ".join(str(line) for line in rows[:5]) + (" ..." if len(rows) > 5 else "")
        say(f"{path}: {len(rows)} bands left out, whose loading control was not measured (rows {shown})", tell)
    return frame[~out]


def with_known_names(table: pd.DataFrame, known: Sequence[str]) -> pd.DataFrame:
    """The table with readouts spelt as the model spells them, where they differ in letter case and signs only
    (``pakt (S473)`` is ``pAKT_S473``) and no two known names do."""
    folded: dict[str, set[str]] = {}
    for name in known:
        folded.setdefault(fold(name), set()).add(name)
    spelt = {
        name: next(iter(same))
        for name in dict.fromkeys(table["readout"].astype(str))
        if name not in known and len(same := folded.get(fold(name), set())) == 1
    }
    return table.assign(readout=table["readout"].replace(spelt)) if spelt else table


def check_blots(frame: pd.DataFrame, where: str = "blots") -> pd.DataFrame:
    """A table as :func:`read_blots` gives it, from one with text or numbers. Raises as :func:`read_blots`."""
    table, problems = with_problems(frame, where)
    raise_together(problems, where)
    return table


def with_problems(frame: pd.DataFrame, where: str, without_gel: Collection[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """As :func:`check_blots`, but with what is wrong with rows, in their order; their bad numbers are NaN.

    Names are text without spaces around them, empty where they are missing. A table that was checked before keeps its
    index. ``without_gel``: readouts that are no bands, whose rows need no gel.

    Raises :class:`InputError` when columns are missing or given twice.
    """
    import pandas as pd

    check_columns(frame, COLUMNS, where)
    frame = frame.set_axis([str(name) for name in frame.columns], axis="columns")
    check_columns(frame, dict.fromkeys(frame.columns), where)
    lines = _lines(frame)
    table = frame.reset_index(drop=True).copy()
    problems: list[str] = []
    text = table["value"].astype(object).map(_text)
    below = text.str.startswith("<").astype(bool)
    table["value"] = text.where(~below, text.str[1:].str.strip())
    given = table.get(CENSORED, below).astype(object).map(_text).str.lower()
    odd = ~given.isin([*TRUE, *FALSE])
    problems += [f"row {i + 2}: {CENSORED} is '{brief(given[i])}', neither true nor false" for i in np.flatnonzero(odd)]
    table[CENSORED] = given.isin(TRUE).astype(bool) | below
    for column, default in (("gel", "gel 1"), ("replicate", "1")):
        if column not in table.columns:
            table[column] = default
    if "sd" in table.columns and table["sd"].astype(object).map(is_missing).all():
        table = table.drop(columns="sd")
    try:
        check_table(table, where)
    except InputError as error:
        problems += _lines_of(str(error), where)
    for column in ("time_min", "value", *(["sd"] if "sd" in table else [])):
        table[column] = numeric_cells(table[column])
    for column in KEYS:
        cells = list(table[column])
        table[column] = pd.Series([_name(cell) for cell in cells], index=table.index, dtype=object)
    unneeded = table["readout"].isin([*without_gel])
    told = {problem.split(" is ")[0] for problem in problems}
    for column in KEYS:
        for i in np.flatnonzero((table[column] == "") & ~(unneeded & (column == "gel"))):
            cell, head = frame[column].iloc[i], f"row {i + 2}: {column}"
            if head not in told:
                problems.append(f"{head} is {'empty' if is_missing(cell) else f'{brief(repr(cell))}, not a name'}")
    if not len(table):
        problems.append("the table has no rows")
    said = {problem.split(":")[0] for problem in problems}
    problems += [problem for problem in _row_problems(table) if problem.split(":")[0] not in said]
    table.index = pd.Index(lines)
    return table, in_order([_ROW.sub(lambda found: f"row {lines[int(found[1]) - 2]}", text) for text in problems])


_ROW = re.compile(r"(?:(?<=^)|(?<=: the same band as ))row (\d+)")


def _lines(frame: pd.DataFrame) -> list[int]:
    """The number of each row: its line in a file, or what a table that was checked before says."""
    index = frame.index
    if index.name == LINE and index.dtype.kind == "i":
        return [int(line) for line in index]
    checked = {CENSORED, "gel", "replicate"} <= set(frame.columns) and index.dtype.kind == "i" and index.is_unique
    if checked and len(index) and index.min() >= 2 and frame[CENSORED].dtype == bool:
        return [int(line) for line in index]
    return list(range(2, len(frame) + 2))


def _text(cell: object) -> str:
    return "" if is_missing(cell) else str(cell).strip()


def _name(cell: object) -> str:
    """A name as text, whole numbers without their point; empty where it is missing, or neither text nor number."""
    if is_missing(cell) or isinstance(cell, bool) or not isinstance(cell, (str, numbers.Real)):
        return ""
    if isinstance(cell, str):
        return cell.strip()
    value = float(cell)
    return str(int(value)) if value.is_integer() else str(cell)


def in_order(problems: list[str]) -> list[str]:
    """Problems by their row, those of the table as a whole first."""
    return sorted(problems, key=_row_number)


def _lines_of(message: str, where: str) -> list[str]:
    """The separate problems of an error that lists several."""
    lines = [line.strip() for line in message.splitlines()]
    return lines[1:] if len(lines) > 1 else [message.removeprefix(f"{where}: ")]


def _row_problems(table: pd.DataFrame) -> list[str]:
    problems = []
    for treatment, rows in table.groupby("treatment").groups.items():
        if not treatment:  # said already
            continue
        try:
            parsed = Treatment.parse(str(treatment))
        except PathsimError as error:
            problems += [f"row {row + 2}: {error}" for row in rows]
            continue
        last = parsed.steps[-1].minutes
        if last is not None:
            late = table.loc[rows, "time_min"] > last
            problems += [
                f"row {row + 2}: lysed {table['time_min'][row]:g} min into a last step of {last:g} min"
                for row in late[late].index
            ]
    key = ["cell_line", "treatment", "time_min", "readout", "gel", "replicate"]
    bands = table.groupby(key, dropna=False, sort=False).ngroup().tolist()  # rows count from 0
    first = {band: row for row, band in reversed([*enumerate(bands)])}
    problems += [
        f"row {row + 2}: the same band as row {first[band] + 2} (give lanes that repeat a replicate)"
        for row, band in enumerate(bands)
        if first[band] != row
    ]
    if "sd" in table.columns:
        problems += [f"row {row + 2}: sd must be positive" for row in table.index[~(table["sd"] > 0)]]
    return problems


def _row_number(problem: str) -> int:
    """Which row a problem is about; -1 for the table as a whole."""
    words = problem.split()
    number = words[1].rstrip(":") if len(words) > 1 and words[0] == "row" else ""
    return int(number) if number.isdigit() else -1
