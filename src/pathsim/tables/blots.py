"""Densitometry as labs keep it: one band a row, one antibody a column, or what ImageJ measured."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, raise_together
from .cells import as_number, why_missing
from .headings import Spellings, Table, assigned, fold, groups, heading, missing_column, table_of, times_min
from .sheet import Tell, read_sheet

if TYPE_CHECKING:
    import pandas as pd

LINE = "line"
"""Name of the index of a table that was read: the line of each row in its file."""

SPELLINGS: Spellings = {
    "cell_line": groups("cellline celllines line cells cell celltype celllinename cellname zelllinie"),
    "treatment": groups("treatment treatments condition conditions stimulation stimulus behandlung"),
    "time_min": groups("time timepoint timepoints duration zeit incubation stimulationtime incubationtime"),
    "readout": groups(
        "readout antibody antibodies ab target protein proteins analyte epitope primaryantibody probe antigen "
        "phosphosite marker antikörper"
    ),
    "value": groups(
        "value values bandintensity intensity signal density densitometry banddensity messwert normalizedintensity "
        "intensität normalisedintensity normalizedsignal normalisedsignal quantification quantity",
        "adjvol adjvolume adjustedvolume netintensity correctedintensity backgroundcorrected",
        "integrateddensity intden integratedintensity peakarea",
        "rawintden",
        "volume opticaldensity od total",
        "mean meangrayvalue meangreyvalue meanintensity",
        "area",
    ),
    "gel": groups("gel blot membrane gelid blotid gelnumber blotnumber westernblot image imagename"),
    "replicate": groups(
        "replicate rep replicates repeat biologicalreplicate bioreplicate biorep replicateno replicatenumber "
        "experiment expt repetition"
    ),
    "sd": groups("sd stdev std standarddeviation stddev valuesd"),
    "censored": groups("censored belowdetection"),
}
"""Of several columns of an instrument (ImageJ, Image Lab, Image Studio) the one that was corrected most comes first."""

_INSTRUMENT = frozenset(word for group in SPELLINGS["value"][1:] for word in group)
"""Names that instruments, ImageJ among them, give to what they measure."""

_OURS = ("unit", "well", "plate", "low", "high", "drug", "dose_nM")
"""Columns that tables of pathsim have beside those that are read."""

NEEDED = ("cell_line", "treatment", "time_min", "readout", "value")
_ASIDE = frozenset(
    word
    for group in groups(
        "lane laneno lanenumber well row column col plate exposure exposuretime number no nr id index sampleid passage",
        "date day order loading loadingug ug volumeul min max area mean median mode perimeter percent percentarea",
        "stddev x y xm ym rawintden intden background bkgnd slice angle length circ channel comment",
    )
    for word in group
)
"""Columns of numbers that are no antibodies."""


@dataclass(frozen=True, slots=True)
class Bands:
    """A table of bands with our column names, and the rows that were left out because nothing was measured."""

    frame: pd.DataFrame
    missing: pd.DataFrame


def read_bands(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
    lanes: str | Path | None = None,
) -> Bands:
    """Read measured bands, or any readouts at times, in a lab's own layout.

    One row a band, or one column an antibody. Columns may have other names (``columns`` maps theirs to ours); a time
    says its unit in its name (``time_h``) or in each cell. A cell without a number on purpose (empty, ``n.d.``,
    saturated, ``#DIV/0!``) leaves its band out, with a word to ``tell`` (default: a warning). Where a file holds
    measured numbers only, as ImageJ writes them, ``lanes`` is a second table that says what each row is, in turn.

    Returns:
        Cells as text, except that numbers have decimal points and times are in minutes. The index is the line.

    Raises:
        InputError: for a file that is no table, columns that are missing or could be two things, numbers that can be
            read in two ways, and as many lanes as there are no rows.
    """
    table = table_of(read_sheet(path, sheet), SPELLINGS, columns, needed=2)
    found = assigned(table, SPELLINGS)
    if lanes is not None:
        frame = _in_lanes(table, found, lanes)
    else:
        frame = _long(table, found) if "readout" in found else _wide(table, found)
    kept = _without_missing(frame, table)
    for note in [*table.notes, *table.numbers.note(table.where)]:
        say(note, tell)
    return kept


def say(note: str, tell: Tell | None) -> None:
    """A sentence to whoever listens, else as a warning."""
    if tell is None:
        warnings.warn(note, UserWarning, stacklevel=3)
    else:
        tell(note)


def _long(table: Table, found: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    problems = [missing_column(table, ours, SPELLINGS, found) for ours in NEEDED if ours not in found]
    raise_together(problems, table.where)
    _say_aside(table, found)
    extra = {name: table.cells(name) for name in table.names if name and name not in (*found, *found.values())}
    return pd.DataFrame(extra | _columns(table, found), index=pd.Index(table.lines, name=LINE))


def _in_lanes(table: Table, found: Mapping[str, str], lanes: str | Path) -> pd.DataFrame:
    """Measured numbers, row by row of what a table of lanes says."""
    import pandas as pd

    own = table_of(read_sheet(lanes), SPELLINGS, needed=2)
    said = {ours: theirs for ours, theirs in assigned(own, SPELLINGS).items() if ours not in ("value", "sd")}
    problems = [missing_column(own, ours, SPELLINGS, said) for ours in NEEDED[:-1] if ours not in said]
    if not problems and len(own.rows) != len(table.rows):
        problems.append(
            f"{len(own.rows)} lanes, but {table.where} has {len(table.rows)} measured rows; one for each, in order"
        )
    raise_together(problems, own.where)
    raise_together([missing_column(table, "value", SPELLINGS, found)] if "value" not in found else [], table.where)
    measured = {ours: theirs for ours, theirs in found.items() if ours in ("value", "sd")}
    _say_aside(table, measured)
    return pd.DataFrame(_columns(own, said) | _columns(table, measured), index=pd.Index(table.lines, name=LINE))


def _wide(table: Table, found: Mapping[str, str]) -> pd.DataFrame:
    """Antibodies as columns: every column of numbers that is nothing else."""
    import pandas as pd

    keys = {ours: theirs for ours, theirs in found.items() if ours not in ("value", "readout", "sd")}
    problems = [missing_column(table, ours, SPELLINGS, keys) for ours in NEEDED[:3] if ours not in keys]
    measured = "value" in found
    if measured and len(problems) == 3 and heading(found["value"]).folded in _INSTRUMENT:
        raise InputError(
            f"{table.where}: '{found['value']}' is what an instrument measured, but no column says of which lane; add "
            "columns cell_line, treatment, time_min and readout, or give a table of them, a row for each measured one "
            "(--lanes FILE, lanes=)"
        )
    antibodies = [
        name
        for name in table.names
        if name
        and name not in keys.values()
        and heading(name).folded not in ("", *_ASIDE)
        and table.looks_numeric(name)
    ]
    if (measured and antibodies == [found["value"]]) or not antibodies:
        problems.append(missing_column(table, "readout", SPELLINGS, found))
        if "value" not in found:
            problems.append(missing_column(table, "value", SPELLINGS, found))
    twice = sorted({name for name in antibodies if antibodies.count(name) > 1})
    problems += [f"column '{name}' is there {table.names.count(name)} times" for name in twice]
    raise_together(problems, table.where)
    errors = {name: error for name in antibodies if (error := _error_of(name, antibodies))}
    antibodies = [name for name in antibodies if name not in errors.values()]
    _say_aside(table, {**keys, **{name: name for name in antibodies}, **errors})
    common = _columns(table, keys)
    parts = []
    for name in antibodies:
        pair = {"value": name} | ({"sd": errors[name]} if name in errors else {})
        parts.append(
            pd.DataFrame(
                common | {"readout": [_readout(name)] * len(table.rows)} | _columns(table, pair),
                index=pd.Index(table.lines, name=LINE),
            )
        )
    frame = pd.concat(parts).sort_index(kind="stable")
    table.notes.append(f"{table.where}: one readout a column: {', '.join(_readout(name) for name in antibodies)}")
    return frame


_SCALES = re.compile(
    r"\s*[\[(](?:a\.?\s*u\.?|arb[^\])]*|rel[^\])]*|norm[^\])]*|int[^\])]*|fold[^\])]*|raw|%|n\s*=\s*[0-9]+)[\])]\s*$",
    re.IGNORECASE,
)


def _readout(name: str) -> str:
    """An antibody's column without the scale behind it (``pAKT_S473 (a.u.)``); a site in brackets stays."""
    return _SCALES.sub("", name).strip() or name


def _error_of(name: str, others: Sequence[str]) -> str | None:
    """The column of standard deviations beside an antibody's (``pAKT_S473_sd``)."""
    wanted = {fold(name) + ending for ending in ("sd", "stdev", "std", "stddev")} | {"sd" + fold(name)}
    return next((other for other in others if fold(other) in wanted), None)


def _say_aside(table: Table, used: Mapping[str, str]) -> None:
    aside = [name for name in table.names if name and name not in used.values() and name not in _OURS]
    if aside:
        table.notes.append(f"{table.where}: columns left aside: {', '.join(aside)}")


def _columns(table: Table, found: Mapping[str, str]) -> dict[str, list[str]]:
    """Columns under our names, with numbers and times as we write them."""
    problems: list[str] = []
    columns: dict[str, list[str]] = {}
    for ours, theirs in found.items():
        if ours == "time_min":
            columns[ours] = times_min(table, theirs, problems)
        elif ours in ("value", "sd"):
            columns[ours], problem = table.numbers.column(theirs, table.cells(theirs))
            problems += [problem] if problem else []
        elif ours == "treatment":
            columns[ours] = [table.numbers.text(cell) for cell in table.cells(theirs)]
        else:
            columns[ours] = table.cells(theirs)
    raise_together(problems, table.where)
    return columns


def _without_missing(frame: pd.DataFrame, table: Table) -> Bands:
    """The table without bands that nothing was measured of, each reason said in one line."""
    why = frame["value"].map(lambda cell: why_missing(cell) if as_number(cell) != as_number(cell) else None)
    if "sd" in frame.columns:
        frame = frame.assign(sd=frame["sd"].map(lambda cell: "" if why_missing(cell) is not None else cell))
    out = why.notna().to_numpy()
    for reason in dict.fromkeys(why[out]):
        rows = frame[(why == reason).to_numpy()]
        shown = ", ".join(
            f"row {line} ({name})" for line, name in zip(rows.index[:3], rows["readout"][:3], strict=True)
        )
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        cells = ", ".join(repr(cell) for cell in list(dict.fromkeys(rows["value"]))[:3] if cell)
        limit = "; write <limit to keep a band below detection" if reason.startswith("below") else ""
        table.notes.append(
            f"{table.where}: {len(rows)} band{'s' if len(rows) > 1 else ''} left out as {reason}"
            f"{f' ({cells})' if cells else ''}: {shown}{more}{limit}"
        )
    return Bands(frame[~out], frame[out])
