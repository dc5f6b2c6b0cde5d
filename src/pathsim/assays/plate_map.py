"""A plate by its map: what stands in each well, as TOML of rows and columns, a grid as in a spreadsheet, or a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .. import shown
from ..checked import checked
from ..errors import brief, raise_together, unknown
from ..files import read_toml
from ..shown import Shown
from ..tables.sheet import Sheet, read_sheet
from .wells import PLATES, Plate, letter

_WELL = re.compile(r"(?P<row>[A-Pa-p])0*(?P<column>\d{1,2})")
_KEYS = ("wells", "time", "readout", "cell_line", "medium", "before", "rows", "columns", "well", "empty")
_ENTRY = ("cell_line", "add")


class Well(NamedTuple):
    """What stands in a well: ``add`` is given on top of the medium, or ``treatment`` says all of it."""

    cell_line: str
    add: str = ""
    treatment: str = ""


@dataclass(frozen=True)
class PlateMap:
    """Wells by name (``A01``), those that are not named empty. ``medium``: of all wells, full medium where it is empty,
    ``before``: steps before it. ``time`` and ``readout``: when and how the plate is read."""

    plate: Plate
    wells: Mapping[str, Well]
    medium: str = ""
    before: str = ""
    time: str = "72 h"
    readout: str = "viability"
    source: str = ""

    def _shown(self) -> Shown:
        lines = list(dict.fromkeys(well.cell_line for well in self.wells.values()))
        size = self.plate.rows * self.plate.columns
        return Shown(f"Map of {len(self.wells)} of {size} wells: {', '.join(lines)}; {self.readout} after {self.time}")

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


@checked
def read_plate_map(path: str | Path, cell_line: str | None = None) -> PlateMap:
    """Read a map of 96 or 384 wells.

    A ``.toml`` file says what rows, columns and wells add to the medium::

        wells = 96
        cell_line = "T47D"
        [rows]
        "A-C" = "alpelisib 1 uM"
        "E-H" = { cell_line = "T47D+PTEN_loss", add = "alpelisib 1 uM" }
        [columns]
        1 = "vehicle"
        "2-4" = "trametinib 10 nM"
        [well]
        H12 = "vehicle"

    Row and column add up; ``[well]`` replaces both; ``empty = ["A1-B3"]`` leaves wells out. Without ``[rows]`` and
    ``[columns]`` only the wells of ``[well]`` are filled. ``medium``, ``before``, ``time`` and ``readout`` are those of
    :func:`run_plate`. Other files (CSV, Excel, Parquet) are a grid, row letters in the first column and column numbers
    above, each cell what the well adds (an empty one is an empty well, ``vehicle`` nothing but medium), or a table with
    the columns ``well``, ``treatment`` (all that is in the medium) and, unless ``cell_line`` is given, ``cell_line``.

    Args:
        cell_line: the line of wells for which the file names none.

    Raises:
        InputError: naming every well, line of the file or name that makes no sense.

    >>> plate = read_plate_map("plate.toml")  # doctest: +SKIP
    """
    source = str(path)
    if source.lower().endswith(".toml"):
        return _from_toml(source, cell_line)
    sheet, problems = read_sheet(path), list[str]()
    headings = [cell.lower() for cell in sheet.rows[0]] if sheet.rows else []
    read = _from_table if "well" in headings else _from_grid
    wells = read(sheet, cell_line, problems)
    if not wells and not problems:
        problems.append("no well is filled; a grid has row letters in its first column and column numbers above")
    raise_together(problems, source)
    small = set(wells_of(PLATES[96])).issuperset(wells)
    return PlateMap(PLATES[96 if small else 384], dict(sorted(wells.items())), source=source)


def wells_of(plate: Plate) -> list[str]:
    """The names of all wells, row by row."""
    return [f"{letter(row)}{column + 1:02d}" for row in range(plate.rows) for column in range(plate.columns)]


def _from_toml(source: str, cell_line: str | None) -> PlateMap:
    content = read_toml(source)
    problems = [str(unknown("entry", key, _KEYS)) for key in content if key not in _KEYS]
    plate = _size(content.get("wells", 96), problems)
    texts = {}
    for key in ("time", "readout", "cell_line", "medium", "before"):
        texts[key] = content.get(key, "")
        if not isinstance(texts[key], str):
            problems.append(f"{key} is {brief(repr(texts[key]))}, not a text")
    line = cell_line or str(texts["cell_line"])
    tables = {}
    for key in ("rows", "columns", "well"):
        table = content.get(key, {})
        if not isinstance(table, dict):
            problems.append(f"{key} is {brief(repr(table))}, not a table [{key}]")
            table = {}
        tables[key] = table
    letters = [letter(row) for row in range(plate.rows)]
    numbers = [str(column + 1) for column in range(plate.columns)]
    rows = _entries(tables["rows"], "rows", lambda text: _span(text.upper(), letters), problems)
    columns = _entries(tables["columns"], "columns", lambda text: _span(text, numbers), problems)
    single = _entries(tables["well"], "well", lambda text: _block(text, plate), problems)
    empty = content.get("empty", [])
    left_out: set[str] = set()
    if not isinstance(empty, list) or not all(isinstance(one, str) for one in empty):
        problems.append(f'empty is {brief(repr(empty))}; write empty = ["A1", "B1-C3"]')
    else:
        for text in empty:
            block = _block(text, plate)
            left_out.update(block)
            if not block:
                problems.append(f"empty: '{brief(text)}' names no wells of the plate; write for example A1 or A1-B3")
    wells = {}
    for name in wells_of(plate):
        own = single.get(name)
        parts = [own] if own is not None else [rows.get(name[0]), columns.get(str(int(name[1:])))]
        said = [part for part in parts if part is not None]
        if name in left_out or not said:
            continue
        who = next((part["cell_line"] for part in said if part.get("cell_line")), line)
        added = [part["add"] for part in said if part.get("add", "").strip() not in ("", "vehicle")]
        if not who:
            problems.append(f'well {name} has no cell line; write cell_line = "T47D" at the top, or for its row')
            continue
        wells[name] = Well(who, " + ".join(added) or "vehicle")
    if not wells and not problems:
        problems.append('no well is filled; write [rows], [columns] or [well], for example [well] and A1 = "vehicle"')
    raise_together(problems, source)
    return PlateMap(
        plate, wells, texts["medium"], texts["before"], texts["time"] or "72 h", texts["readout"] or "viability", source
    )


def _size(wells: Any, problems: list[str]) -> Plate:
    if wells not in PLATES or isinstance(wells, bool):
        problems.append(f"wells is {brief(repr(wells))}; a plate has {' or '.join(map(str, PLATES))}")
        return PLATES[96]
    return PLATES[int(wells)]


def _entries(
    table: Mapping[str, Any], where: str, named: Callable[[str], list[str]], problems: list[str]
) -> dict[str, dict[str, str]]:
    """What is said of each row, column or well, whichever ``named`` finds in a key such as ``A-C``."""
    found: dict[str, dict[str, str]] = {}
    for key, value in table.items():
        said = {"add": value} if isinstance(value, str) else value
        if not isinstance(said, dict) or not all(isinstance(one, str) for one in said.values()):
            problems.append(f"[{where}] {brief(key)} is {brief(repr(value))}; write a text, or {{ cell_line, add }}")
            continue
        problems += [
            str(unknown("entry", one, _ENTRY, f"of [{where}] {brief(key)}")) for one in said if one not in _ENTRY
        ]
        names = named(key)
        if not names:
            problems.append(
                f"[{where}] {brief(key)} names nothing on the plate; write one, or a range such as A-C or 2-4"
            )
        problems += [f"[{where}] {name} is named twice" for name in names if name in found]
        found |= dict.fromkeys(names, said)
    return found


def _span(text: str, known: Sequence[str]) -> list[str]:
    """``A-C`` or ``2-4`` among the names of rows or columns."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if first not in known or (dash and last not in known):
        return []
    i, j = known.index(first), known.index(last if dash else first)
    return list(known[i : j + 1])


def _block(text: str, plate: Plate) -> list[str]:
    """``A1-B3``: all wells of the rectangle."""
    ends = [_WELL.fullmatch(part.strip()) for part in text.split("-")]
    if not 1 <= len(ends) <= 2:
        return []
    corners = [(end["row"].upper(), int(end["column"])) for end in ends if end is not None]
    if len(corners) != len(ends):
        return []
    (top, left), (bottom, right) = corners[0], corners[-1]
    inside = [name for name in wells_of(plate) if top <= name[0] <= bottom and left <= int(name[1:]) <= right]
    return inside if well_name(*corners[0]) in inside and well_name(*corners[-1]) in inside else []


def well_name(row: str, column: int) -> str:
    """``A01``."""
    return f"{row}{column:02d}"


def _from_table(sheet: Sheet, cell_line: str | None, problems: list[str]) -> dict[str, Well]:
    """Wells of a table with a row for each."""
    headings = [cell.lower() for cell in sheet.rows[0]]
    needed = ("well", "treatment", *(() if cell_line else ("cell_line",)))
    problems += [
        f"column '{column}' is missing; there are {', '.join(map(brief, headings))}"
        for column in needed
        if column not in headings
    ]
    if problems:
        return {}
    wells: dict[str, Well] = {}
    for row, line in zip(sheet.rows[1:], sheet.lines[1:], strict=True):
        cells = dict(zip(headings, row, strict=True))
        name = _known(cells["well"])
        treatment, who = cells["treatment"], cell_line or cells.get("cell_line", "")
        if not any(row):
            continue
        if name is None:
            problems.append(f"line {line}: well is '{brief(cells['well'])}'; write for example A1 or A01")
        elif name in wells:
            problems.append(f"line {line}: well {name} is there twice")
        elif treatment and not who:
            problems.append(f"line {line}: well {name} has no cell line")
        elif treatment:
            wells[name] = Well(who, treatment=treatment)
    return wells


def _from_grid(sheet: Sheet, cell_line: str | None, problems: list[str]) -> dict[str, Well]:
    """Wells of a table shaped as the plate."""
    if cell_line is None:
        problems.append("a grid names no cell line; give one (--line T47D, or cell_line=)")
        return {}
    wells: dict[str, Well] = {}
    for row, line in zip(sheet.rows[1:], sheet.lines[1:], strict=True):
        for heading, text in zip(sheet.rows[0][1:], row[1:], strict=True):
            if not text:
                continue
            name = _known(f"{row[0]}{heading.removesuffix('.0')}")
            if name is None:
                problems.append(
                    f"line {line}: '{brief(row[0])}' and '{brief(heading)}' are no row letter and column number; a map "
                    "is a grid of them, or a table with a column 'well'"
                )
                break
            if name in wells:
                problems.append(f"line {line}: well {name} is there twice")
            wells[name] = Well(cell_line, text)
    return wells


_LARGEST = frozenset(wells_of(PLATES[384]))


def _known(text: str) -> str | None:
    """A well of the largest plate, however it is written."""
    match = _WELL.fullmatch(text.strip())
    name = well_name(match["row"].upper(), int(match["column"])) if match else ""
    return name if name in _LARGEST else None
