"""Tables of a PEtab problem as rows of text, with the faults of single cells and rows, one line each.

Cells are read as text, so that a fault is told with the cell as it stands in the file, and all are found at once.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..arguments import shortened
from ..errors import InputError, brief, near_misses, repeated
from ..files import read_text

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.IGNORECASE | re.ASCII)
_ID = re.compile(r"[a-zA-Z_]\w*")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of table.

    ``unique``: the columns that tell rows apart, an id first; ``required``: columns that must be there; ``filled``:
    cells that must not be empty; ``ids``: cells that hold an id; ``numbers``: cells that hold a number; ``words``: what
    a cell may say; ``tight``: columns of text where spaces around a cell are part of it, ``*`` for all but names.
    """

    name: str
    unique: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tight: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its file, its number (from 1), its filled cells, stripped, by column, and where it stands in words."""

    file: str
    number: int
    cells: Mapping[str, str]
    where: str

    def __contains__(self, column: str) -> bool:
        return column in self.cells

    def text(self, column: str, default: str = "") -> str:
        """The cell of a column, or ``default`` where it is empty or there is no such column."""
        return self.cells.get(column, default)

    def value(self, column: str, default: float) -> float:
        """The number in a column, or ``default`` where it is empty or, which is a fault told elsewhere, no number."""
        found = number_of(self.cells[column]) if column in self.cells else default
        return default if found is None else found


@dataclass(frozen=True, slots=True)
class Sheet:
    """All tables of one kind under each other: ``columns`` of any of them, rows, and whether every file was read."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    whole: bool

    def frame(self) -> pd.DataFrame:
        """The table with numbers where a whole column holds numbers."""
        frame = pd.DataFrame([dict(row.cells) for row in self.rows], columns=list(self.columns), dtype=object)
        for column in frame:
            values = [number_of(cell) if isinstance(cell, str) else math.nan for cell in frame[column]]
            text = any(value is None for value in values)
            frame[column] = (
                frame[column].where(frame[column].notna(), math.nan) if text else pd.Series(values, dtype=float)
            )
        return frame


def number_of(text: str) -> float | None:
    """The number that a cell holds, which may be infinite; None where it holds something else."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def is_id(text: str) -> bool:
    """Whether ``text`` is an id: letters, digits and underscores, no digit first."""
    return _ID.fullmatch(text) is not None


def read_sheet(folder: Path, kind: Kind, names: list[str], problems: list[str]) -> Sheet:
    """The tables of one kind; what is wrong with them, their cells and their rows goes to ``problems``."""
    columns: dict[str, None] = {}
    rows: list[Row] = []
    found: list[str] = []
    whole = True
    seen: dict[tuple[str, ...], Row] = {}
    for name in names:
        try:
            frame = _frame(folder / name)
        except InputError as error:
            found.append(str(error))
            whole = False
            continue
        titles = [str(column) for column in frame.columns]
        found += _title_faults(kind, titles, name)
        texts = {title for title in titles if any(number_of(cell) is None for cell in frame[title] if cell == cell)}
        for number, values in enumerate(frame.itertuples(index=False, name=None), start=1):
            raw = {title: cell for title, cell in zip(titles, values, strict=True) if isinstance(cell, str)}
            cells = {title: cell.strip() for title, cell in raw.items() if cell.strip()}
            row = Row(name, number, cells, _where(kind, name, number, cells))
            found += _row_faults(kind, row, titles)
            found += _space_faults(kind, row, raw, texts)
            found += _twice(kind, row, seen)
            rows.append(row)
        columns |= dict.fromkeys(titles)
    problems += shortened(found)
    return Sheet(tuple(columns), tuple(rows), whole)


def _frame(path: Path) -> pd.DataFrame:
    """One table as text cells, NaN where empty."""
    text = read_text(path)
    try:
        frame = pd.read_csv(io.StringIO(text), sep="\t", dtype=str)
    except (ValueError, OSError, OverflowError) as error:
        raise InputError(f"{path}: {brief(str(error), 200)}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(f"{path}: rows have more cells than the header has columns")
    header = text.lstrip("\n").split("\n", 1)[0].split("\t")
    twice = sorted(title for title in repeated(header) if title.strip())
    if twice:
        raise InputError(f"{path}: the column '{twice[0]}' is given twice")
    return frame


def _where(kind: Kind, name: str, number: int, cells: Mapping[str, str]) -> str:
    named, column = (kind.name, kind.unique[0]) if kind.unique else ("observable", "observableId")
    label = cells.get(column, "")
    return f"{name}, row {number} ({named} '{label}')" if label else f"{name}, row {number}"


def _title_faults(kind: Kind, titles: list[str], name: str) -> Iterator[str]:
    for title in titles:
        if title != title.strip():
            yield f"{name}: the column '{brief(title)}' has spaces around its name"
    for column in kind.required:
        if column not in titles:
            close = near_misses(column, [title for title in titles if title not in kind.required], 1)
            yield f"{name}: there is no column '{column}'" + (f" (is '{close[0]}' meant?)" if close else "")


def _row_faults(kind: Kind, row: Row, titles: list[str]) -> Iterator[str]:
    for column in kind.filled:
        if column in titles and column not in row:
            says = kind.words.get(column)
            yield f"{row.where}: {column} is empty" + (f"; it must be {_either(says)}" if says else "")
    for column in kind.ids:
        if column in row and not is_id(row.text(column)):
            yield (
                f"{row.where}: {column} is '{brief(row.text(column))}', which is no id (letters, digits and "
                "underscores, no digit first)"
            )
    for column in kind.numbers:
        if column in row and number_of(row.text(column)) is None:
            text = row.text(column)
            yield f"{row.where}: {column} is '{brief(text)}', where a number belongs{advice(text)}"
    for column, says in kind.words.items():
        if column in row and row.text(column) not in says:
            yield f"{row.where}: {column} is '{brief(row.text(column))}'; it must be {_either(says)}"


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _space_faults(kind: Kind, row: Row, raw: Mapping[str, str], texts: set[str]) -> Iterator[str]:
    every = [title for title in raw if not title.endswith("Name")]
    for column in every if kind.tight == ("*",) else kind.tight:
        if column in texts and column in raw and raw[column] != raw[column].strip():
            yield f"{row.where}: {column} is '{brief(row.text(column))}' with spaces around it; they must go"


def _twice(kind: Kind, row: Row, seen: dict[tuple[str, ...], Row]) -> Iterator[str]:
    """An id that an earlier row has; several parameter files may repeat a row unchanged."""
    key = tuple(row.text(column) for column in kind.unique)
    if not key or not key[0]:
        return
    before = seen.setdefault(key, row)
    if before is row or (kind.name == "parameter" and before.file != row.file and before.cells == row.cells):
        return
    what = " and ".join(f"{column} '{part}'" for column, part in zip(kind.unique, key, strict=True) if part)
    yield f"{row.where}: {kind.name} given twice: {what} is in {before.where} already"


def advice(text: str) -> str:
    """A hint at what is meant by text that stands where a number belongs; empty when there is none."""
    text = text.strip()
    if text.count(",") == 1 and number_of(text.replace(",", ".")) is not None:
        return f" (is {text.replace(',', '.')} meant? decimals are written with a point)"
    if text[:1] in ("<", ">"):
        return " (PEtab has no detection limits)"
    return ""
