"""Files of the lab as sheets of text cells: CSV in whatever encoding and with whatever separator, Excel, Parquet.

What a cell means is decided by whoever asks for its column (:mod:`.cells`, :mod:`.headings`); here a file only becomes
rows of texts, each with the number of its line, and a word on everything that was not plain.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from ..errors import InputError, brief, unknown
from ..files import read_bytes

Tell = Callable[[str], None]
"""Takes a sentence for the user."""

SEPARATORS = ("\t", ";", ",", "|")
"""Characters between cells, in the order in which they are believed."""

SEPARATOR_WORDS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}

MOST_CELLS = 20_000_000
MOST_BYTES = 500_000_000
"""Sizes beyond which an Excel file is not opened."""

_LOOKED_AT = 200
"""Lines that the separator is told from."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Cells as text without spaces around them; ``lines``: the number of each row in its file, counted from 1.

    ``separator`` is ``""`` where a file tells cells apart otherwise. All rows have one length. ``notes``: what had to
    be decided about the file, a sentence each.
    """

    where: str
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str
    name: str = ""
    notes: tuple[str, ...] = ()
    written: tuple[int, ...] = ()
    """How many cells each row has in the file, empty ones among them."""

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.rows[0]) if self.rows else 0


def read_sheet(path: str | Path, sheet: str | None = None) -> Sheet:
    """The table of a file; of an Excel file the sheet of that name, or the first one that is not empty.

    Raises :class:`InputError` in one line for what cannot be read.
    """
    found = read_sheets(path, sheet)
    if len(found) == 1:
        return found[0]
    others = ", ".join(f"'{other.name}'" for other in found[1:])
    said = f"{path}: sheet '{found[0].name}' is read; there is also {others} (--sheet chooses)"
    return replace(found[0], notes=(*found[0].notes, said))


def read_sheets(path: str | Path, sheet: str | None = None) -> list[Sheet]:
    """Every table of a file that is not empty (an Excel file may hold several). Raises as :func:`read_sheet`."""
    content = read_bytes(path)
    if content[:4] == b"PK\x03\x04":
        return _excel(content, str(path), sheet)
    if sheet is not None:
        raise InputError(f"{path}: has no sheet '{brief(sheet)}'; only an Excel file (.xlsx) has sheets")
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise InputError(f"{path}: an Excel file of before 2007 (.xls); save it as .xlsx or CSV")
    if content[:4] == b"PAR1":
        return [_parquet(content, str(path))]
    text, note = _decoded(content, str(path))
    return [_delimited(text, str(path), note)]


def _decoded(content: bytes, where: str) -> tuple[str, str | None]:
    """The text of a file, its lines ended by a line feed, and what had to be assumed about its encoding."""
    note = None
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = content.decode("utf-16")
        elif b"\0" in content[:4096]:
            zeros = [content[start:4096:2].count(0) for start in (0, 1)]
            text = content.decode("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be")
            if "\0" in text or (not text.isprintable() and _control(text)):
                raise UnicodeDecodeError("utf-16", content, content.index(0), content.index(0) + 1, "no text")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{where}, line 1: byte {error.start + 1} is not UTF-16 text") from None
        if b"\0" in content:
            line = content[: content.index(b"\0")].count(b"\n") + 1
            raise InputError(f"{where}, line {line}: a null character; this is no table of text") from None
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        line = content[: error.start].count(b"\n") + 1
        if _control(text):
            raise InputError(f"{where}, line {line}: byte {error.start + 1} is no text; is this a table?") from None
        letter = text[error.start] if error.start < len(text) else "?"
        note = f"{where}: not UTF-8; read as Western European (Windows-1252), where line {line} has '{letter}'"
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{where}, line {line}: a null character; this is no table of text")
    return text.replace("\r\n", "\n").replace("\r", "\n"), note


def _control(text: str) -> bool:
    """Whether a text holds characters that no text has."""
    return re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text) is not None


def _delimited(text: str, where: str, note: str | None) -> Sheet:
    lines = text.split("\n")
    skipped = 0
    stated = re.fullmatch(r"sep=(.)", lines[0].strip("\ufeff ")) if lines else None
    if (stated and stated[1] in SEPARATORS) or lines[0].rstrip() == "sep=":
        skipped = 1
    while skipped < len(lines) and lines[skipped].lstrip("\ufeff ").startswith("#") and not _is_error(lines[skipped]):
        skipped += 1  # remarks above the table
    body = lines[skipped:]
    separator = stated[1] if stated and stated[1] in SEPARATORS else _separator(body)
    reader = csv.reader(StringIO("\n".join(body)), delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    rows: list[tuple[str, ...]] = []
    numbers: list[int] = []
    began = 0
    try:
        for row in reader:
            rows.append(tuple(_cell(cell) for cell in row))
            numbers.append(skipped + began + 1)
            began = reader.line_num
    except csv.Error as error:
        reason = "a quotation mark is opened and not closed" if "end of data" in str(error) else str(error)
        raise InputError(f"{where}, line {skipped + began + 1}: {reason}") from None
    return _sheet(where, rows, numbers, separator, "", () if note is None else (note,))


def _is_error(line: str) -> bool:
    """Whether a line begins with a cell such as ``#DIV/0!`` rather than being a remark."""
    return re.match(r"#[A-Z/0]+[!?]", line.strip()) is not None


def _separator(lines: Sequence[str]) -> str:
    """The character that splits most lines into equally many cells; the first of ``SEPARATORS`` where several do."""
    shown = [re.sub(r'"[^"]*"', "", line) for line in lines if line.strip()][:_LOOKED_AT]
    best, most = ",", 0
    for candidate in SEPARATORS:
        counts = Counter(count for line in shown if (count := line.count(candidate)))
        if not counts:
            continue
        agree = max(counts.values())
        if agree > most:
            best, most = candidate, agree
    return best


def _cell(text: str) -> str:
    """A cell without spaces around it, non-breaking ones and byte order marks among them."""
    return text.strip(" \t\n\r\f\v\ufeff\u200b\u00a0\u202f\u2007")


def _sheet(
    where: str,
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int],
    separator: str,
    name: str,
    notes: tuple[str, ...] = (),
) -> Sheet:
    """A sheet of rows made equally long, without empty rows at its end and empty columns at its right."""
    kept = [tuple(row) for row in rows]
    while kept and not any(kept[-1]):
        kept.pop()
    width = max((max((i + 1 for i, cell in enumerate(row) if cell), default=0) for row in kept), default=0)
    full = tuple((*row, *[""] * (width - len(row)))[:width] for row in kept)
    written = tuple(len(row) for row in kept)
    return Sheet(where, full, tuple(numbers[: len(full)]), separator, name, notes, written)


def _excel(content: bytes, path: str, sheet: str | None) -> list[Sheet]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as parts:
            names = set(parts.namelist())
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise InputError(f"{path}: a damaged Excel file ({brief(str(error))})") from None
    if not any(name.startswith("xl/") for name in names):
        raise InputError(f"{path}: an archive, but no Excel file (.xlsx); save the table as .xlsx or CSV")
    if size > MOST_BYTES:
        raise InputError(f"{path}: unpacks to {size:,} bytes, which is no table of a lab")
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            f"{path}: reading Excel files needs openpyxl (pip install openpyxl); or save the table as CSV"
        ) from None
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and drawings
            book = openpyxl.load_workbook(BytesIO(content), data_only=True)
    except Exception as error:  # whatever a damaged archive makes of its parser
        raise InputError(f"{path}: a damaged Excel file ({brief(f'{type(error).__name__}: {error}')})") from None
    shown = [page for page in book.worksheets if page.sheet_state == "visible"]
    if sheet is not None:
        chosen = [page for page in book.worksheets if page.title.strip().lower() == sheet.strip().lower()]
        if not chosen:
            raise InputError(f"{path}: {unknown('sheet', sheet, [page.title for page in book.worksheets])}")
        shown = chosen
    found = [_page(page, path, len(shown) > 1) for page in shown]
    filled = [page for page in found if page.rows]
    if not filled:
        raise InputError(f"{path}: holds no table: {'the sheet is' if sheet else 'its sheets are'} empty")
    return filled


def _page(page: Any, path: str, several: bool) -> Sheet:
    """One sheet of an Excel file; every cell of merged ones has their content."""
    if page.max_row * page.max_column > MOST_CELLS:
        raise InputError(f"{path}, sheet '{page.title}': {page.max_row} rows of {page.max_column} cells are too many")
    cells = [[_cell(_excel_text(value)) for value in row] for row in page.iter_rows(values_only=True)]
    first = page.min_row
    for merged in page.merged_cells.ranges:
        rows, columns = range(merged.min_row, merged.max_row + 1), range(merged.min_col, merged.max_col + 1)
        if len(columns) > 1 and len(rows) == 1 and merged.min_row == first:
            continue  # a title over several columns
        text = cells[merged.min_row - first][merged.min_col - page.min_column]
        for row in rows:
            for column in columns:
                if row - first < len(cells) and column - page.min_column < len(cells[row - first]):
                    cells[row - first][column - page.min_column] = text
    where = f"{path}, sheet '{page.title}'" if several else path
    return _sheet(where, cells, list(range(first, first + len(cells))), "", page.title)


def _excel_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (datetime, date, time)):
        return f"{value.isoformat()} (a date)"
    if isinstance(value, timedelta):
        return f"{value} (a time span)"
    return str(value)


def _parquet(content: bytes, path: str) -> Sheet:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError(f"{path}: reading Parquet needs pyarrow (pip install pyarrow)") from None
    import pandas as pd

    try:
        frame = pd.read_parquet(BytesIO(content))
    except Exception as error:  # whatever a damaged file makes of its parser
        raise InputError(f"{path}: a damaged Parquet file ({brief(f'{type(error).__name__}: {error}')})") from None
    if frame.index.name is not None:
        frame = frame.reset_index()
    rows = [[str(name) for name in frame.columns]]
    rows += [["" if pd.isna(cell) else _excel_text(cell) for cell in row] for row in _plain(frame)]
    cells = [[_cell(cell) for cell in row] for row in rows]
    return _sheet(path, cells, list(range(1, len(cells) + 1)), "", "")


def _plain(frame: Any) -> Iterable[list[Any]]:
    """Rows of a frame as objects of Python; lists and records in a cell become text."""
    for row in frame.itertuples(index=False, name=None):
        yield [
            cell.item()
            if hasattr(cell, "item") and getattr(cell, "ndim", 0) == 0
            else cell
            if not hasattr(cell, "__len__") or isinstance(cell, str)
            else str(cell)
            for cell in row
        ]
