"""Dose matrices of drug combinations as programs and labs keep them: one well a row, or one dose of a drug a column.

Long tables: SynergyFinder (``block_id, drug1, drug2, conc1, conc2, response, conc_unit`` in its spellings), ``synergy``
(``drug1.conc, drug2.conc, effect``), or columns of doses called after their drugs. Matrices: doses of one drug across,
of
the other down, any number of them below each other or on sheets of a workbook, with the lines that SynergyFinder
(``Drug1:``, ``ConcUnit:``) or Combenefit (``Agent1``, ``Unit1``) put around them, or names in the corner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, raise_together
from .blots import LINE, say
from .blots import SPELLINGS as OF_BLOTS
from .cells import Numbers, as_number, no_number, why_missing
from .headings import (
    VEHICLES,
    Spellings,
    Table,
    amount,
    assigned,
    doses,
    fold,
    groups,
    heading,
    missing_column,
    table_of,
    unit_of,
)
from .sheet import Sheet, Tell, read_sheets

if TYPE_CHECKING:
    import pandas as pd

SPELLINGS: Spellings = {
    "block_id": groups("blockid pairindex block pairid matrixid combinationid comboid combination"),
    "cell_line": groups("cellline celllines line cell celltype celllinename cellname zelllinie"),
    "drug1": groups("drug1 druga drugrow drugrowname drug1name drugname1 compound1 compounda agent1 agenta rowdrug"),
    "drug2": groups(
        "drug2 drugb drugcol drugcolumn drug2name drugname2 compound2 compoundb agent2 agentb coldrug columndrug"
    ),
    "drug3": groups("drug3 drugc drug3name compound3 agent3"),
    "conc1": groups(
        "conc1 concr concrow conca dose1 dosea doserow drug1conc drugaconc drug1dose drugadose drugrowconc "
        "concentration1 concentrationa concdrug1 concdruga dosedrug1 dosedruga rowconc "
        "drug1concentration drugaconcentration"
    ),
    "conc2": groups(
        "conc2 conccol concb dose2 doseb dosecol drug2conc drugbconc drug2dose drugbdose drugcolconc concentration2 "
        "concentrationb concdrug2 concdrugb dosedrug2 dosedrugb colconc drug2concentration drugbconcentration",
        "concc",
    ),
    "conc3": groups("conc3 dose3 drug3conc drugcconc drug3dose concentration3 concdrug3 concc dosec"),
    "response": groups(
        "response",
        "effect inhibition viability percentinhibition percentviability cellviability growthinhibition survival "
        "percentsurvival percentofcontrol ofcontrol relativeviability normalizedviability normalisedviability growth "
        "value signal luminescence lum rlu absorbance fluorescence cellcount count counts",
    ),
    "conc_unit": groups("concunit concunits unit units doseunit doseunits"),
    "conc_unit1": groups("concunit1 concrunit concrowunit drug1units drug1unit unit1 unita concunitr doseunit1"),
    "conc_unit2": groups("concunit2 conccunit conccolunit drug2units drug2unit unit2 unitb concunitc doseunit2"),
    "conc_unit3": groups("concunit3 drug3units drug3unit unit3"),
    "replicate": [(*OF_BLOTS["replicate"][0], "sample", "batch")],
    "row": groups("row wellrow"),
    "col": groups("col column wellcol wellcolumn"),
}

LABEL = "where"
"""The column that says where in its file each well stands."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Wells of a file: ``frame`` with our column names (a row per measured well) and what the file calls a response."""

    frame: pd.DataFrame
    response: str


def read_blocks(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
) -> Blocks:
    """Read the wells of dose matrices in any layout this module knows.

    Returns:
        ``block_id``, ``drug1``, ``drug2`` (``drug3``) and ``replicate`` as text where the file has them, doses
        ``conc1``, ``conc2`` in the inner unit of their kind, their ``conc_unit1`` ..., ``response`` as a number, and
        ``where``.

    Raises:
        InputError: for a file that holds no matrix, and every cell that is no number, by its row and column.
    """
    import pandas as pd

    sheets = read_sheets(path, sheet)
    parts: list[pd.DataFrame] = []
    names: list[str] = []
    for one in sheets:
        numbers = Numbers.of(one.separator, one.rows)
        grids = _grids(one, numbers)
        if grids:
            frame, response, notes = _from_grids(one, grids, numbers, unit)
        else:
            frame, response, notes = _long(_side_by_side(table_of(one, SPELLINGS, columns, needed=3)), unit)
        for note in notes:
            say(note, tell)
        if len(sheets) > 1:
            frame = frame.assign(block_id=_on_sheet(frame, one.name))
        parts.append(frame)
        names.append(response)
    found = pd.concat(parts, ignore_index=len(parts) > 1)
    if not len(found):
        raise InputError(f"{path}: no row holds a well: each needs two doses and a response")
    return Blocks(found, names[0] if len(set(names)) == 1 else "response")


def _on_sheet(frame: pd.DataFrame, name: str) -> list[str]:
    if "block_id" not in frame.columns or frame["block_id"].nunique() < 2:
        return [name] * len(frame)
    return [f"{name}, {block}" for block in frame["block_id"]]


def is_schema(path: str | Path, columns: Mapping[str, str] | None = None, sheet: str | None = None) -> bool:
    """Whether a file is a table in the one schema, whose treatments or dose columns say what each well got."""
    first = read_sheets(path, sheet)[0].rows[:1]
    named = {(columns or {}).get(name, name) for name in (first[0] if first else ())}
    return {"cell_line", "treatment", "readout", "value"} <= named


def is_matrix(path: str | Path, columns: Mapping[str, str] | None = None, sheet: str | None = None) -> bool:
    """Whether a file holds dose matrices of two drugs: two columns of doses, or doses across and down with names."""
    first = read_sheets(path, sheet)[0]
    for grid in _grids(first, Numbers.of(first.separator, first.rows)):
        if grid.corner or {"drug1", "drug2"} <= set(grid.said):
            return True
    try:
        return {"conc1", "conc2", "response"} <= set(assigned(table_of(first, SPELLINGS, columns, needed=3), SPELLINGS))
    except InputError:
        return False


def canonical(names: Sequence[str], where: str = "table") -> dict[str, str]:
    """Our names to those of a long table's columns. Raises :class:`InputError` where two columns could be one thing."""
    return assigned(Table(where, list(names), [], [], Numbers(","), []), SPELLINGS)


def _side_by_side(table: Table) -> Table:
    """A table whose replicates are columns, with one replicate a row; any other as it is."""
    found = assigned(table, SPELLINGS)
    if "response" in found or not {"conc1", "conc2"} <= set(found):
        return table
    taken = {*found.values()}
    values = [name for name in dict.fromkeys(table.names) if name and name not in taken and table.looks_numeric(name)]
    if not values:
        return table
    places = [place for place, name in enumerate(table.names) if name in values]
    rest = [place for place, name in enumerate(table.names) if name not in values]
    rows = [
        [*(row[place] for place in rest), row[value], str(number)]
        for row in table.rows
        for number, value in enumerate(places, start=1)
    ]
    shown = ", ".join(table.names[place] for place in places)
    return replace(
        table,
        names=[*(table.names[place] for place in rest), "response", "replicate"],
        rows=rows,
        lines=[line for line in table.lines for _ in places],
        notes=[*table.notes, f"{table.where}: {shown} are replicates"],
    )


def _named_doses(table: Table, found: Mapping[str, str]) -> list[str]:
    """Columns of doses that are called after their drug: ``alpelisib (nM)``."""
    free = [(name, heading(name).unit) for name in table.names if name and name not in found.values()]
    return [name for name, symbol in free if symbol is not None and symbol.dimension.value in ("nM", "ng/ml")]


def _long(table: Table, unit: str | None) -> tuple[pd.DataFrame, str, list[str]]:
    import pandas as pd

    found = assigned(table, SPELLINGS)
    problems: list[str] = []
    columns: dict[str, object] = {}
    absent = [name for name in ("conc1", "conc2", "response") if name not in found]
    if "conc1" not in found and len(_named_doses(table, found)) in (2, 3):
        absent = [name for name in absent if name == "response"]
    if len(absent) > 1:
        raise InputError(
            f"{table.where}: holds no dose matrix: columns conc1, conc2 and response (--columns theirs=ours for other "
            "names), or doses across the first row and down the first column"
        )
    if absent:
        raise InputError(f"{table.where}: {missing_column(table, absent[0], SPELLINGS, found)}")
    for place, name in enumerate(_named_doses(table, found) if "conc1" not in found else (), start=1):
        found[f"conc{place}"] = name
        columns[f"drug{place}"] = [re.split(r"\s*[\[(]|_(?=[a-zA-Zµμ]+$)", name)[0].strip()] * len(table.rows)
    for ours in ("block_id", "cell_line", "drug1", "drug2", "drug3", "replicate", "row", "col"):
        if ours in found:
            columns[ours] = table.cells(found[ours])
    for ours in ("conc1", "conc2", "conc3"):
        if ours not in found:
            continue
        beside = found.get(f"conc_unit{ours[-1]}") or found.get("conc_unit")
        stated = heading(found[ours]).unit is not None
        read = doses(table, found[ours], unit, table.cells(beside) if beside and not stated else None, problems)
        columns[ours], columns[f"conc_unit{ours[-1]}"] = read.values, [read.unit or "a.u."] * len(table.rows)
        bad = [i for i, value in enumerate(read.values) if not value >= 0]
        for i in bad if not any(found[ours] in problem for problem in problems) else ():
            cell, negative = table.cells(found[ours])[i], read.values[i] < 0
            said = f"row {table.lines[i]}: {found[ours]} is negative ({cell})"
            problems.append(said if negative else no_number(table.lines[i], found[ours], cell))
    plain, problem = table.numbers.column(found["response"], table.cells(found["response"]))
    problems += [problem] if problem else []
    values, missing = [], []
    for cell, line in zip(plain, table.lines, strict=True):
        value = as_number(cell)
        if value != value and not problem:
            if why_missing(cell) is None:
                problems.append(no_number(line, found["response"], cell))
            else:
                missing.append(line)
        values.append(value)
    raise_together(problems, table.where)
    columns["response"] = values
    frame = pd.DataFrame(columns, index=pd.Index(table.lines, name=LINE))
    frame[LABEL] = [f"row {line}" for line in table.lines]
    notes = [*table.notes, *table.numbers.note(table.where), *_left_out(table.where, [f"row {n}" for n in missing])]
    return _with_blocks(frame[frame["response"].notna()]), found["response"], notes


def _left_out(where: str, wells: Sequence[str]) -> list[str]:
    if not wells:
        return []
    shown = ", ".join(wells[:4]) + (" ..." if len(wells) > 4 else "")
    return [f"{where}: {len(wells)} well{'s' if len(wells) > 1 else ''} without a measurement left out ({shown})"]


def _with_blocks(frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose matrices are told apart: by block and cell line, or by pairs of drugs that every row names."""
    if "cell_line" in frame.columns:
        lines = frame["cell_line"].astype(str)
        if "block_id" in frame.columns:
            several = frame.groupby("block_id")["cell_line"].nunique().max() > 1
            return frame.assign(block_id=lines + ", block " + frame["block_id"].astype(str)) if several else frame
        if len(set(lines)) > 1:
            frame = frame.assign(block_id=lines)
        return _by_pairs(frame)
    return frame if "block_id" in frame.columns else _by_pairs(frame)


def _by_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    if not {"drug1", "drug2"} <= set(frame.columns):
        return frame
    drugs = [name for column in ("drug1", "drug2") for name in frame[column].astype(str)]
    named = [fold(name) not in VEHICLES and why_missing(name) is None for name in drugs]
    pairs = frame["drug1"].astype(str) + " + " + frame["drug2"].astype(str)
    if len(set(pairs)) < 2 or not all(named):
        return frame
    return frame.assign(block_id=frame["block_id"] + ", " + pairs if "block_id" in frame.columns else pairs)


@dataclass(slots=True)
class _Grid:
    """One matrix: where its header stands, its doses, and what the lines around it say."""

    top: int
    first: int
    across: list[float]
    rows: list[int]
    said: dict[str, str] = field(default_factory=dict)
    corner: str = ""
    title: str = ""
    units: tuple[str, str] = ("", "")


_SAID = {
    "drug1": "drug1", "druga": "drug1", "drugrow": "drug1", "agent1": "drug1", "rowdrug": "drug1", "compound1": "drug1",
    "drug2": "drug2", "drugb": "drug2", "drugcol": "drug2", "agent2": "drug2", "coldrug": "drug2", "compound2": "drug2",
    "drugcolumn": "drug2", "concunit": "unit", "unit": "unit", "units": "unit", "concunit1": "unit1", "unit1": "unit1",
    "concunit2": "unit2", "unit2": "unit2", "title": "title", "name": "title", "cellline": "title", "block": "title",
    "blockid": "title", "pairindex": "title", "replicate": "replicate", "plate": "replicate", "response": "response",
    "readout": "response",
}  # fmt: skip
"""Lines around a matrix that say what it is of, by their folded first cell."""


def _from_grids(
    sheet: Sheet, grids: Sequence[_Grid], numbers: Numbers, unit: str | None
) -> tuple[pd.DataFrame, str, list[str]]:
    import pandas as pd

    problems: list[str] = []
    missing: list[str] = []
    records: list[dict[str, object]] = []
    for number, grid in enumerate(grids, start=1):
        records += _wells_of(sheet, grid, number, numbers, unit, problems, missing)
    raise_together(problems, sheet.where)
    frame = pd.DataFrame(records)
    notes = [*sheet.notes, *numbers.note(sheet.where), *_left_out(sheet.where, missing)]
    frame, note = _repeated(frame)
    notes += [f"{sheet.where}: {note}"] if note else []
    if set(frame["block_id"]) == {"1"}:
        frame = frame.drop(columns="block_id")
    said = [grid.said["response"] for grid in grids if "response" in grid.said]
    titles = [grid.title for grid in grids if re.search("inhibition|viability", grid.title, re.IGNORECASE)]
    return frame, (said or titles or ["response"])[0], notes


def _grids(sheet: Sheet, numbers: Numbers) -> list[_Grid]:
    found: list[_Grid] = []
    around: list[tuple[int, str, str]] = []
    i = 0
    while i < len(sheet.rows):
        grid = _grid_at(sheet, i, numbers)
        if grid is not None:
            found.append(grid)
            i = grid.rows[-1] + 1
            continue
        row = sheet.rows[i]
        filled = [cell for cell in row if cell]
        if filled:
            key, _, rest = filled[0].partition(":")
            value = rest.strip() or (filled[1] if len(filled) > 1 else "")
            around.append((i, _SAID.get(fold(key), "text"), value if fold(key) in _SAID else ""))
        i += 1
    if not found:
        return []
    after = bool(around) and all(place > found[0].top for place, _, _ in around)
    for place, kind, value in around:
        beside = [grid for grid in found if (grid.rows[-1] < place if after else grid.top > place)]
        if not beside:
            continue
        grid = beside[-1] if after else beside[0]
        if kind != "text":
            grid.said.setdefault(kind, value)
            continue
        texts = [(j, cell) for j, cell in enumerate(sheet.rows[place]) if cell]
        if len(texts) == 1 and texts[0][0] >= grid.first and place == grid.top - 1:
            grid.said.setdefault("drug2", texts[0][1])
        elif texts:
            grid.title = " ".join(cell for _, cell in texts)
    for earlier, later in pairwise(found):
        for kind in ("drug1", "drug2", "unit", "unit1", "unit2", "response"):
            if kind not in later.said and kind in earlier.said and not later.corner:
                later.said[kind] = earlier.said[kind]  # said once for all
    return found


def _grid_at(sheet: Sheet, top: int, numbers: Numbers) -> _Grid | None:
    """The matrix whose row of doses is this one; None where there is none."""
    row = sheet.rows[top]
    for first in range(1, min(len(row) - 1, 6)):
        if _dose(row[first - 1], numbers) is not None and row[first - 1]:
            return None
        across: list[float] = []
        symbol = ""
        for cell in row[first:]:
            dose = _dose(cell, numbers)
            if dose is None:
                break
            across.append(dose[0])
            symbol = symbol or dose[1]
        if len(across) < 2 or any(row[first + len(across) :]) or len(set(across)) < 2:
            continue
        rows: list[int] = []
        down = ""
        for j in range(top + 1, len(sheet.rows)):
            dose = _dose(sheet.rows[j][first - 1], numbers)
            cells = sheet.rows[j][first : first + len(across)]
            if dose is None or not any(_number(cell, numbers) is not None for cell in cells):
                break
            down = down or dose[1]
            rows.append(j)
        if len(rows) < 2:
            continue
        before = [row[first - 2], sheet.rows[rows[0]][first - 2]] if first > 1 else []
        corner = next((cell for cell in (row[first - 1], *before) if cell), "")
        return _Grid(top, first, across, rows, corner=corner, units=(down, symbol))
    return None


def _dose(cell: str, numbers: Numbers) -> tuple[float, str] | None:
    """A dose and its unit, where a cell of a header is one: ``10``, ``10 nM``, ``ibrutinib 10 nM``, ``DMSO``."""
    if not cell:
        return None
    if fold(cell) in VEHICLES:
        return 0.0, ""
    value = _number(cell, numbers)
    if value is not None:
        return (value, "") if value >= 0 else None
    match = re.search(r"(?:^|\s)([0-9.,]+(?:[eE][-+]?[0-9]+)?\s*[^\s0-9.,]+)$", cell)
    found = amount(numbers.text(match[1])) if match else None
    if found is None or found[1].dimension.value not in ("nM", "ng/ml"):
        return None
    return as_number(found[0]) * float(found[1].factor), found[1].dimension.value


def _number(cell: str, numbers: Numbers) -> float | None:
    value = as_number(numbers.text(cell).removesuffix("%").strip())
    return None if value != value else value


def _names_of(grid: _Grid) -> tuple[str, str, str, str]:
    """Names of the drugs down and across and their units, from lines around a matrix or from its corner."""
    down, across = grid.said.get("drug1", ""), grid.said.get("drug2", "")
    if grid.corner and not (down and across):
        parts = re.split(r"\s*(?:\\|\||/(?![a-zA-Z]*l\b)|\bvs\.?\b|\bx\b|×)\s*", grid.corner)
        parts = [part for part in parts if part.strip()]
        if len(parts) == 2:
            down, across = down or parts[0].strip(), across or parts[1].strip()
        elif len(parts) == 1:
            down = down or parts[0].strip()
    shared = grid.said.get("unit", "")
    units = [grid.said.get("unit1", "") or shared, grid.said.get("unit2", "") or shared]
    names = []
    for place, name in enumerate((down, across)):
        symbol = heading(name).unit
        if symbol is not None:
            units[place] = units[place] or symbol.symbol
            name = re.split(r"\s*[\[(,]|_(?=[a-zA-Zµμ]+$)", name)[0].strip()
        names.append(name)
    return names[0], names[1], units[0], units[1]


def _wells_of(
    sheet: Sheet,
    grid: _Grid,
    number: int,
    numbers: Numbers,
    stated: str | None,
    problems: list[str],
    missing: list[str],
) -> list[dict[str, object]]:
    down, across, first_unit, second_unit = _names_of(grid)
    scales: list[tuple[float, str]] = []
    for place, text in enumerate((first_unit, second_unit)):
        if grid.units[place]:
            scales.append((1.0, grid.units[place]))
            continue
        symbol = unit_of(text or stated or "")
        if symbol is None and (text or stated):
            problems.append(f"line {sheet.lines[grid.top]}: unknown unit '{text or stated}' (nM, uM, mM, ng/ml ...)")
        scales.append((1.0, "a.u.") if symbol is None else (float(symbol.factor), symbol.dimension.value))
    records: list[dict[str, object]] = []
    for j in grid.rows:
        row = sheet.rows[j]
        dose = _dose(row[grid.first - 1], numbers)
        plain, problem = numbers.column(f"row {sheet.lines[j]}", row[grid.first : grid.first + len(grid.across)])
        if problem:
            problems.append(problem)
            continue
        for place, cell in enumerate(plain):
            label = f"row {sheet.lines[j]}, column {_letters(grid.first + place)}"
            value = as_number(cell)
            if value != value:
                if why_missing(cell) is None:
                    advice = "leave the cell empty where nothing was measured"
                    problems.append(f"{label}: '{cell}' is not a finite number ({advice})")
                else:
                    missing.append(label)
                continue
            record: dict[str, object] = {"block_id": grid.title or grid.said.get("title", "") or str(number)}
            record |= {"drug1": down or "drug 1", "drug2": across or "drug 2"}
            record |= {"conc1": (dose or (0.0, ""))[0] * scales[0][0], "conc2": grid.across[place] * scales[1][0]}
            record |= {"conc_unit1": scales[0][1], "conc_unit2": scales[1][1], "response": value, LABEL: label}
            record["replicate"] = grid.said.get("replicate", "")
            records.append(record | {"_grid": number})
    return records


def _letters(column: int) -> str:
    """The letter of a column in a spreadsheet."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def _repeated(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Matrices that differ only by a replicate in their title become replicates of one."""
    pattern = r"[\s,_(-]*\b(?:rep(?:licate|eat)?|plate|run|exp(?:eriment)?)[\s_.#-]*[0-9a-z]{1,2}\b\)?\s*"
    bare = frame["block_id"].str.replace(pattern, "", regex=True, case=False).str.strip(" -_,:")
    numbered = frame["replicate"] != ""
    keyed = frame.assign(_bare=bare.where(~numbered, bare))
    said = ""
    drop = ["_grid"]
    titled = bare != frame["block_id"]
    if titled.any() or numbered.any():
        groups_of = keyed[titled | numbered].groupby(["_bare", "drug1", "drug2"])["_grid"].nunique()
        if (groups_of > 1).any():
            names = frame["block_id"].where(~titled, bare.where(bare != "", "1"))
            only = frame["_grid"].nunique()
            frame = frame.assign(
                replicate=frame["replicate"].where(numbered, frame["_grid"].astype(str)),
                block_id=names if not numbered.all() else bare.where(bare.str.contains("[^0-9]"), "1"),
            )
            said = f"{only} matrices with a replicate in their title are replicates of {frame['block_id'].nunique()}"
            return frame.drop(columns=drop), said
    same = frame.groupby("block_id")["_grid"].nunique()
    repeated = frame["block_id"].isin(same[same > 1].index)
    if repeated.any():
        frame = frame.assign(replicate=frame["replicate"].where(~repeated, frame["_grid"].astype(str)))
        said = "matrices of one title are replicates of one another"
        return frame.drop(columns=drop), said
    return frame.drop(columns=[*drop, "replicate"]), said


def largest_response(
    path: str | Path, columns: Mapping[str, str] | None = None, unit: str | None = None, sheet: str | None = None
) -> float:
    """The largest absolute response in a file of dose matrices. Raises as :func:`read_blocks`."""
    return float(read_blocks(path, columns, unit, sheet, lambda said: None).frame["response"].abs().max())
