"""Dose responses as labs keep them: one well a row, one curve a column (as Prism does), or the counts of the GR
tools."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, raise_together
from .blots import LINE, say
from .blots import SPELLINGS as OF_BLOTS
from .cells import as_number, no_number, why_missing
from .headings import VEHICLES, Spellings, Table, assigned, doses, fold, groups, heading, missing_column, table_of
from .sheet import Sheet, Tell, read_sheet

if TYPE_CHECKING:
    import pandas as pd

SPELLINGS: Spellings = {
    "cell_line": groups("cellline celllines line cell celltype celllinename cellname zelllinie"),
    "drug": groups(
        "drug drugs drugname compound compoundname agent agentname inhibitor inhibitorname molecule smallmolecule "
        "smallmoleculename perturbagen substance wirkstoff",
        "treatment treatmentname",
    ),
    "dose": groups(
        "dose doses conc concs concentration concentrations drugconc drugconcentration finalconc finalconcentration "
        "smallmolconcentration konzentration dosis logdose logconc logconcentration log10dose log10conc "
        "log10concentration logdrug loginhibitor logagonist logcompound log10 log logm log10m x xvalue xvalues"
    ),
    "unit": groups("unit units concunit concunits doseunit doseunits concentrationunit concentrationunits"),
    "value": groups(
        "value values response responses viability percentviability viabilitypercent cellviability survival "
        "percentsurvival survivingfraction inhibition percentinhibition inhibitionpercent growthinhibition effect "
        "percenteffect signal luminescence lum rlu absorbance fluorescence rfu relativeviability normalizedviability "
        "normalisedviability percentofcontrol percentcontrol ofcontrol percentofvehicle activity confluence gr grvalue "
        "relativecellcount relcellcount intensity od messwert",
    ),
    "count": groups(
        "cellcount count counts cellcounts numberofcells cellnumber livecells livecount viablecells nuclei nucleicount "
        "meantotalcellcountaftertreatment meancellcount"
    ),
    "control": groups(
        "cellcountctrl controlcellcount cellcountcontrol controlcount ctrlcount countctrl countcontrol control ctrl "
        "xctrl meantotalcontrolcellcount"
    ),
    "start": groups(
        "cellcounttime0 time0cellcount cellcountt0 cellcountstart startcount countstart start count0 counttime0 x0 t0 "
        "time0 initialcount startingcount day0 meantotalcellcountbeforetreatment"
    ),
    "time": groups("time timepoint timepoints assaytime timemin duration", "treatmentduration"),
    "division_time": groups("divisiontime doublingtime nominaldivisiontime"),
    "replicate": OF_BLOTS["replicate"],
    "readout": groups("readout assay endpoint"),
    "perturbation": groups("perturbation"),
}

KEYS = ("cell_line", "drug", "perturbation", "readout", "time", "series")
"""Columns that tell curves apart; ``series`` is the name of a curve that has a column of its own."""

_GENERIC = frozenset(
    word
    for group in groups(
        "y rep repl replicate response viability percentviability value signal inhibition percentinhibition",
        "count counts luminescence lum rlu rfu absorbance abs od fluorescence cps survival well n run series data",
        "dataset growth exp experiment",
    )
    for word in group
)
"""Names of columns that say nothing of which curve they are of."""

_REPLICATE = re.compile(
    r"^(.*?)[\s_.:\-(]*(?:(?:rep(?:licate|l)?|repeat|exp(?:eriment)?|run|y)[\s_.\-#]*)([0-9]+)\)?$", re.I
)
_NUMBERED = re.compile(r"^(.*\S)[\s_.:\-(#]+([0-9]{1,2})\)?$")
_SPREAD = frozenset(["sd", "sem", "stdev", "std", "se", "stderr", "n", "cv"])


def open_wells(path: str | Path, columns: Mapping[str, str] | None = None, sheet: str | None = None) -> Table:
    """The table of dose responses in a file, doses down the rows.

    Raises :class:`InputError` for a file that is no table.
    """
    found = read_sheet(path, sheet)
    return table_of(_one_header(_doses_down(found)), SPELLINGS, columns)


def has_treatments(table: Table) -> bool:
    """Whether doses stand in texts (``alpelisib 1 uM + IGF1 13 nM``) rather than in a column of doses."""
    found = _assigned(table)
    return (
        "dose" not in found and "treatment" in table.names and "value" in found and _dose_column(table, found) is None
    )


def dose_and_time(
    path: str | Path, columns: Mapping[str, str] | None = None, sheet: str | None = None
) -> tuple[bool, str]:
    """Whether a file has a column of doses, and the unit that its column of times states (empty where it states none).

    Raises :class:`InputError` for a file that is no table.
    """
    table = open_wells(path, columns, sheet)
    found = _assigned(table)
    stated = heading(found["time"]).unit if "time" in found else None
    return "dose" in found or _dose_column(table, found) is not None, stated.symbol if stated else ""


def wells_of(table: Table, by: Sequence[str] = (), unit: str | None = None, tell: Tell | None = None) -> pd.DataFrame:
    """Wells of dose responses, one a row, by their line in the file.

    Args:
        by: further columns of the file that tell curves apart.
        unit: of doses in a file that states none.

    Returns:
        The columns of :data:`KEYS` and ``by`` that are there, ``replicate`` and ``unit`` as text; ``dose`` in the inner
        unit of its kind, ``value``, and for cell counts ``control``, ``start`` and ``doublings`` (of the control) as
        numbers, NaN where they are not known. ``response`` is what the file calls its values.

    Raises:
        InputError: naming every column that is missing and every cell that is no number, by its row.
    """
    found = _assigned(table)
    dose = found.get("dose") or _dose_column(table, found)
    if dose is None:
        raise InputError(f"{table.where}: {missing_column(table, 'dose', SPELLINGS, found)}")
    found["dose"] = dose
    absent = [name for name in by if name not in table.names]
    raise_together([f"--by {name}: no such column" for name in absent], table.where)
    long = "value" in found or "count" in found
    frame = _long(table, found, by, unit) if long else _wide(table, found, by, unit)
    for note in [*table.notes, *table.numbers.note(table.where)]:
        say(note, tell)
    return frame


def _assigned(table: Table) -> dict[str, str]:
    """What each column is; where several have the same name, or none, each is a curve of its own."""
    named = [name for name in table.names if name]
    side_by_side = len(set(named)) < len(named) or any(not name for name in table.names[1:])
    without = ("value", "count", "control", "start") if side_by_side else ()
    found = assigned(table, {ours: groups for ours, groups in SPELLINGS.items() if ours not in without})
    amount = heading(found["drug"]).unit if "drug" in found else None
    if amount is not None and "dose" not in found:  # "[Drug] (nM)" holds doses
        found["dose"] = found.pop("drug")
    for name in ("control", "start"):
        if name in found and "count" not in found and "value" not in found:
            del found[name]  # a curve called Control, not a count
    return found


def _one_header(sheet: Sheet) -> Sheet:
    """A sheet whose curves are named in one row and their replicates in the next, with both in one; any other as it is.

    The name of a curve stands over its first column or over each of them.
    """
    filled = [i for i, row in enumerate(sheet.rows[:20]) if any(row)]
    for upper, lower in pairwise(filled):
        names, below = sheet.rows[upper], sheet.rows[lower]
        if lower + 1 >= len(sheet.rows) or names[0] or not below[0] or as_number(below[0]) == as_number(below[0]):
            continue
        numbered = [re.sub(r"[\s_.#:-]*[0-9]+$", "", cell) for cell in below[1:] if cell]
        if not numbered or any(fold(name) not in ("", *_GENERIC) for name in numbered):
            continue
        joined, last = [below[0]], ""
        for name, cell in zip(names[1:], below[1:], strict=True):
            last = name or last
            joined.append(last if cell or name else "")
        if len(set(filter(None, joined[1:]))) < 1 or not any(names[1:]):
            continue
        rows = (*sheet.rows[:upper], tuple(joined), *sheet.rows[lower + 1 :])
        lines = (*sheet.lines[:upper], *sheet.lines[upper + 1 :])
        return replace(sheet, rows=rows, lines=lines, written=())
    return sheet


def _doses_down(sheet: Sheet) -> Sheet:
    """A sheet whose doses run across the first row, turned; any other as it is."""
    filled = [i for i, row in enumerate(sheet.rows) if any(row)]
    if not filled:
        return sheet
    top = sheet.rows[filled[0]]
    across = [cell for cell in top[1:] if cell]
    parsed = [as_number(cell.replace(",", ".")) for cell in across]
    if len(across) < 3 or sum(value == value for value in parsed) < len(across) or len(set(parsed)) < 3:
        return sheet
    body = [sheet.rows[i] for i in filled]
    if any(as_number(row[0].replace(",", ".")) == as_number(row[0].replace(",", ".")) for row in body[1:]):
        return sheet  # numbers down the first column too: a matrix, or numbers only
    names = [top[0] or "dose", *(row[0] for row in body[1:])]
    rows = [tuple(names), *(tuple(column) for column in list(zip(*body, strict=True))[1:])]
    said = f"{sheet.where}: doses run across the first row; each row below it is a curve"
    lines = (sheet.lines[filled[0]],) * len(rows)
    return replace(sheet, rows=tuple(rows), lines=lines, notes=(*sheet.notes, said), written=())


def _dose_column(table: Table, found: Mapping[str, str]) -> str | None:
    """The column that must hold the doses though it is not called so: the only one with a unit of amounts or
    logarithms in its name, or a first one without a name."""
    free = [name for name in table.names if name and name not in found.values()]
    amounts = [
        name
        for name in free
        if heading(name).log or ((symbol := heading(name).unit) and symbol.dimension.value in ("nM", "ng/ml"))
    ]
    if len(amounts) == 1 and table.looks_numeric(amounts[0]):
        return amounts[0]
    if table.names and not table.names[0] and table.looks_numeric(""):
        return ""
    return None


def _named_drug(dose: str) -> str:
    """The drug that a column of doses is called after (``alpelisib (nM)``), or nothing."""
    parts = heading(dose)
    bare = re.sub(r"^\s*log\s*(?:10)?\s*", "", dose, flags=re.I) if parts.log else dose
    bare = re.split(r"[\[(,]|\s+(?=nM|uM|µM|mM|M\b)", bare.strip("[( "))[0].strip(" ]_)")
    bare = re.sub(r"_(?:nM|uM|µM|mM|pM|M)$", "", bare)
    generic = {word for group in SPELLINGS["dose"] for word in group} | {""}
    return "" if fold(bare) in generic else bare


def _common(
    table: Table, found: Mapping[str, str], by: Sequence[str], unit: str | None, problems: list[str]
) -> dict[str, list[str] | list[float]]:
    """What each row is: keys, replicate, dose and unit."""
    columns: dict[str, list[str] | list[float]] = {}
    for ours in ("cell_line", "drug", "perturbation", "readout", "time", "replicate"):
        if ours in found:
            columns[ours] = table.cells(found[ours])
    for name in by:
        columns[name] = table.cells(name)
    beside = table.cells(found["unit"]) if "unit" in found else None
    amounts = doses(table, found["dose"], unit, beside, problems)
    if heading(found["dose"]).log:
        symbol = amounts.unit or "their unit"
        table.notes.append(f"{table.where}: '{found['dose']}' is read as decadic logarithms of doses, made {symbol}")
    if "drug" not in columns and _named_drug(found["dose"]):
        columns["drug"] = [_named_drug(found["dose"])] * len(table.rows)
    elif "drug" in columns:
        columns["drug"] = [_plain_drug(str(cell)) for cell in columns["drug"]]
    columns["dose"] = amounts.values
    columns["unit"] = [amounts.unit or "a.u."] * len(table.rows)
    return columns


def _plain_drug(cell: str) -> str:
    """A drug's name; empty for the names of a vehicle."""
    return "" if fold(cell) in VEHICLES or why_missing(cell) is not None else cell


def _values(table: Table, name: str, place: int, problems: list[str]) -> list[float]:
    """Numbers of the column at ``place``, NaN where nothing was measured; others are told among ``problems``."""
    cells = [row[place] for row in table.rows]
    plain, problem = table.numbers.column(name, cells)
    if problem:
        problems.append(problem)
        return [math.nan] * len(cells)
    found = []
    for cell, line in zip(plain, table.lines, strict=True):
        value = as_number(cell)
        if value != value and why_missing(cell) is None:
            problems.append(no_number(line, name or "a value", cell))
        found.append(value)
    return found


def _long(table: Table, found: Mapping[str, str], by: Sequence[str], unit: str | None) -> pd.DataFrame:
    import pandas as pd

    problems: list[str] = []
    columns = _common(table, found, by, unit, problems)
    measured = found.get("value") or found["count"]
    if "value" not in found or ("count" in found and "start" in found):
        measured = found["count"]
    for ours in ("control", "start", "division_time"):
        if ours in found and measured == found.get("count"):
            columns[ours] = _values(table, found[ours], table.names.index(found[ours]), problems)
    columns["value"] = _values(table, measured, table.names.index(measured), problems)
    frame = pd.DataFrame(columns, index=pd.Index(table.lines, name=LINE))
    frame["response"] = "count" if measured == found.get("count") else measured
    used = {*found.values(), *by, measured}
    aside = [name for name in table.names if name and name not in used]
    if aside:
        table.notes.append(
            f"{table.where}: columns left aside: {', '.join(aside)} (--by tells curves apart by a further column)"
        )
    return _checked(table, frame, problems)


def _wide(table: Table, found: Mapping[str, str], by: Sequence[str], unit: str | None) -> pd.DataFrame:
    import pandas as pd

    problems: list[str] = []
    common = _common(table, found, by, unit, problems)
    taken = {*found.values(), *by}
    series: list[tuple[int, str]] = []
    last = ""
    for place, name in enumerate(table.names):
        if name in taken and name != "":
            continue
        if not name and (place == 0 or (found["dose"] == "" and place == table.names.index(""))):
            continue
        last = name or last
        cells = [row[place] for row in table.rows]
        if any(as_number(cell.replace(",", ".")) == as_number(cell.replace(",", ".")) for cell in cells):
            series.append((place, last))
    if not series:
        raise InputError(f"{table.where}: {missing_column(table, 'value', SPELLINGS, found)}")
    spread = [name for _, name in series if _is_spread(name)]
    series = [(place, name) for place, name in series if not _is_spread(name)]
    if spread:
        table.notes.append(f"{table.where}: columns of spread left aside: {', '.join(dict.fromkeys(spread))}")
    bases = _bases([re.sub(r"[\s_.(]*\b(?:mean|average|avg)\)?$", "", name, flags=re.IGNORECASE) for _, name in series])
    merged: dict[str, list[str]] = {}
    parts = []
    for (place, name), base in zip(series, bases, strict=True):
        merged.setdefault(base, []).append(name or f"column {place + 1}")
        part = pd.DataFrame(common, index=pd.Index(table.lines, name=LINE))
        part["value"] = _values(table, name, place, problems)
        part["response"] = name
        part["series"] = "" if fold(base) in _GENERIC else base
        part["replicate"] = str(len(merged[base])) if "replicate" not in found else part["replicate"]
        parts.append(part)
    for base, names in merged.items():
        if len(names) > 1:
            table.notes.append(f"{table.where}: {', '.join(names)} are replicates of '{base or 'one curve'}'")
    alone = [base for base, names in merged.items() if len(names) == 1]
    frame = pd.concat(parts)
    if len(alone) == len(merged) and "replicate" not in found:
        frame = frame.drop(columns="replicate")
    return _checked(table, frame, problems)


def _is_spread(name: str) -> bool:
    last = re.split(r"[\s_.:\-(]+", name.strip(" )"))[-1]
    return fold(last) in _SPREAD


def _bases(names: Sequence[str]) -> list[str]:
    """The curve that each column belongs to: columns of one name, or of one name with the number of a replicate."""
    explicit = [_REPLICATE.match(name) for name in names]
    if all(explicit) and names:
        return [match[1].strip(" _.:-(") if match else "" for match in explicit]
    first = [
        match[1].strip(" _.:-(") if match and match[1].strip() else name
        for match, name in zip(explicit, names, strict=True)
    ]
    numbered = [_NUMBERED.match(name) for name in first]
    counts: dict[str, list[int]] = {}
    for match in numbered:
        if match:
            counts.setdefault(match[1].strip(" _.:-("), []).append(int(match[2]))
    balanced = {
        base
        for base, numbers in counts.items()
        if sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers))) and len(numbers) > 1
    }
    several = len(balanced) > 1 and len({len(counts[base]) for base in balanced}) == 1 and all(numbered)
    result = []
    for name, match in zip(first, numbered, strict=True):
        base = match[1].strip(" _.:-(") if match else ""
        generic = re.sub(r"[0-9]+$", "", fold(name)) in _GENERIC
        if match and base in balanced and (several or fold(base) in _GENERIC):
            result.append(base)
        elif generic and len(names) > 1:
            result.append(re.sub(r"[\s_.]*[0-9]+$", "", name))
        else:
            result.append(name)
    return result


def _checked(table: Table, frame: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """The wells that were measured; raises for doses that are none beside values that are."""
    missing = frame["value"].isna()
    bad = frame[~missing & ~(frame["dose"] >= 0)]
    if not problems and (bad["dose"] < 0).any():
        problems.append(
            f"row {bad.index[0]}: a negative dose; that doses are logarithms is said in the column's name, as "
            f"'log10 dose (M)' (--columns '{_dose_name(table)}=log10 dose (M)')"
        )
    if not problems:
        for line in dict.fromkeys(bad.index):
            cell = table.rows[table.lines.index(line)][table.names.index(_dose_name(table))] if len(table.lines) else ""
            problems.append(no_number(int(str(line)), "dose", cell))
    raise_together(problems, table.where)
    out = frame[missing & frame["dose"].notna()]
    if len(out):
        lines = list(dict.fromkeys(out.index))
        shown = ", ".join(map(str, lines[:5])) + (" ..." if len(lines) > 5 else "")
        table.notes.append(
            f"{table.where}: {len(out)} well{'s' if len(out) > 1 else ''} without a measurement left out (rows {shown})"
        )
    kept = frame[~missing]
    if kept.empty:
        raise InputError(f"{table.where}: the table has no rows with a measured value")
    return kept


def _dose_name(table: Table) -> str:
    found = _assigned(table)
    name = found.get("dose") or _dose_column(table, found)
    return "" if name is None else name
