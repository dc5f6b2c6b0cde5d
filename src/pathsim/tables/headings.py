"""Which column of a lab's table holds what: names in many spellings, units in the name, and a map for all others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InputError, brief, near_misses, raise_together
from ..units import Dimension, Unit, unit
from .cells import Numbers, as_number, why_missing
from .sheet import Sheet

Spellings = Mapping[str, Sequence[tuple[str, ...]]]
"""For each of our names the spellings that mean it, folded, in groups: a column of an earlier group is believed
first."""

LOOKED_THROUGH = 40
"""Rows at the top of a file among which the header is looked for."""

_DOSE_UNITS = (Dimension.CONCENTRATION, Dimension.MASS_CONCENTRATION, Dimension.FRACTION)


class Heading(NamedTuple):
    """A column's name: ``folded`` without its unit, letter case and signs; ``unit`` None where it names none; ``log``
    where the column holds decadic logarithms."""

    text: str
    folded: str
    unit: Unit | None
    log: bool = False


def groups(*texts: str) -> list[tuple[str, ...]]:
    """Groups of spellings, each written as one text of words."""
    return [tuple(text.split()) for text in texts]


def fold(text: str) -> str:
    """Letters and digits of a name, in lower case."""
    plain = unicodedata.normalize("NFKC", text).replace("%", "percent")
    return "".join(character for character in plain.lower() if character.isalnum())


def heading(text: str) -> Heading:
    """A column's name taken apart: ``Time (h)``, ``time_h``, ``Conc. [µM]``, ``log10(dose, M)``."""
    found = _trailing_unit(text)
    base, symbol = found if found else (text, None)
    logged = re.match(r"\s*log(?!\s*2)\s*_?(?:10)?(?=[^a-z]|$|conc|dose|m$)", text.strip().lower())
    if logged and not symbol:
        inside = re.fullmatch(r"\s*log\s*_?(?:10)?\s*[\[(]?\s*([a-zµμ]*m)\s*[\])]?\s*", text, re.IGNORECASE)
        symbol = unit_of(inside[1]) if inside else None
    bracketed = re.sub(r"[\[(][^\])]*[\])]\s*$", "", base).strip() if symbol is None and not logged else base
    return Heading(text, fold(bracketed or base), symbol, bool(logged))


_ENDS = (
    re.compile(r"^(.*?)\s*[\[(]\s*(?:in\s+)?([^\[\]()]+?)\s*[\])]\s*$"),
    re.compile(r"^(.*\S)\s*/\s*([^\s/]+(?:/ml|/mL)?)$"),
    re.compile(r"^(.*?)(?:[_\s,.;:-]+(?:in[_\s]+)?)([^\s_,;()\[\]]+)$"),
)


def _trailing_unit(text: str) -> tuple[str, Unit] | None:
    """A name that ends in a unit, without it; None for any other."""
    for pattern in _ENDS:
        found = pattern.match(text.strip())
        if found:
            inner = found[2].rpartition(",")[2].strip()
            symbol = unit_of(inner)
            if symbol is not None and found[1].strip():
                return found[1].strip(), symbol
    whole = unit_of(text.strip().lower()) if len(fold(text)) > 3 else None
    return ("time", whole) if whole is not None and whole.dimension is Dimension.TIME else None


_UNIT_SPELLINGS = {
    "um": "uM", "\u00b5m": "uM", "\u03bcm": "uM", "nm": "nM", "pm": "pM", "mol/l": "M", "nmol/l": "nM", "mmol/l": "mM",
    "umol/l": "uM", "\u00b5mol/l": "uM", "\u03bcmol/l": "uM", "micromolar": "uM", "nanomolar": "nM", "molar": "M",
}  # fmt: skip
"""How units are written in the head of a column beside the spellings of :mod:`pathsim.units`."""


def unit_of(text: str) -> Unit | None:
    """The unit that a text is, in any spelling; None where it is none."""
    spelt = text.strip().strip(".")
    for one in (spelt, _UNIT_SPELLINGS.get(spelt.lower(), "")):
        if one:
            try:
                return unit(one)
            except InputError:
                continue
    return None


def read_map(pairs: Sequence[str]) -> dict[str, str]:
    """``theirs=ours`` as a mapping. Raises :class:`InputError` for a pair without a name on either side."""
    found: dict[str, str] = {}
    problems = []
    for pair in pairs:
        theirs, _, ours = pair.rpartition("=")
        if not theirs.strip() or not ours.strip():
            problems.append(f"--columns {pair}: write theirs=ours, for example 'Band intensity=value'")
        found[theirs.strip()] = ours.strip()
    raise_together(problems)
    return found


@dataclass(slots=True)
class Table:
    """A sheet whose header is known: ``names`` of its columns, ``rows`` of data with their ``lines``, none of them
    empty.

    ``numbers`` tells how its numbers are written; ``notes`` gathers what the user should know.
    """

    where: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    numbers: Numbers
    notes: list[str]

    def cells(self, name: str) -> list[str]:
        """A column as text."""
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def heading(self, name: str) -> Heading:
        """The name of a column, taken apart."""
        return heading(name)

    def looks_numeric(self, name: str) -> bool:
        """Whether a column holds numbers (words for missing ones aside): at least one, and more than other things."""
        given = [cell for cell in self.cells(name) if why_missing(cell) is None]
        plain, _ = self.numbers.column(name, given)
        count = sum(as_number(cell.removeprefix("<")) == as_number(cell.removeprefix("<")) for cell in plain)
        odd = sum(bool(re.fullmatch(r"[-+]?[0-9]+(?:[.,][0-9]+)+", cell)) for cell in given)  # commas to be refused
        if self.numbers.converted and self.numbers.converted[-1] == name:
            self.numbers.converted.pop()
        return max(count, odd) * 2 > len(given) if given else False


def table_of(sheet: Sheet, spellings: Spellings, columns: Mapping[str, str] | None = None, needed: int = 1) -> Table:
    """The table of a sheet: its header is the row, of the first :data:`LOOKED_THROUGH`, with the most known names (the
    first row where none has ``needed``).

    ``columns`` renames columns (theirs to ours) before anything else looks at them.

    Raises :class:`InputError` for an empty sheet, names given twice, and a map that names columns that are not there.
    """
    filled = [i for i, row in enumerate(sheet.rows) if any(row)]
    if not filled:
        raise InputError(f"{sheet.where}: not a table: the file is empty")
    known = {spelling for groups in spellings.values() for group in groups for spelling in group}
    renamed = {key.strip().lower() for key in columns or {}}

    def score(row: Sequence[str]) -> int:
        return sum(heading(cell).folded in known or cell.strip().lower() in renamed for cell in row if cell)

    candidates = filled[:LOOKED_THROUGH]
    best = max(candidates, key=lambda i: (score(sheet.rows[i]), -i))
    top = best if score(sheet.rows[best]) >= max(needed, 1) else candidates[0]
    names = list(sheet.rows[top])
    rows, lines = [], []
    for i in filled:
        if i > top and sheet.rows[i] != sheet.rows[top]:  # a header that is repeated is not data
            rows.append(list(sheet.rows[i]))
            lines.append(sheet.lines[i])
    _refuse_crooked(sheet, sheet.written[top] if sheet.written else len(names), rows, lines)
    empty = [j for j, name in enumerate(names) if not name and not any(row[j] for row in rows)]
    for j in reversed(empty):
        del names[j]
        for row in rows:
            del row[j]
    notes = list(sheet.notes)
    if top != filled[0]:
        notes.append(
            f"{sheet.where}: the header is taken from line {sheet.lines[top]}; what stands above it is left out"
        )
    table = Table(sheet.where, names, rows, lines, Numbers.of(sheet.separator, rows), notes)
    _rename(table, columns or {})
    return table


def _refuse_crooked(sheet: Sheet, named: int, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    """Rows with more cells than the header has, which a decimal comma in a file of commas makes."""
    long = [line for row, line in zip(rows, lines, strict=True) if any(row[named:])]
    if len(long) * 2 > len(rows) or (long and sheet.separator in (",", "|")):
        hint = (
            "; a decimal comma in a file separated by commas needs semicolons between cells"
            if sheet.separator == ","
            else ""
        )
        raise InputError(f"{sheet.where}: not a table: row {long[0]} has more cells than the header has names{hint}")


def _rename(table: Table, columns: Mapping[str, str]) -> None:
    problems = []
    for theirs, ours in columns.items():
        exact = [j for j, name in enumerate(table.names) if name == theirs]
        found = exact or [j for j, name in enumerate(table.names) if name.lower() == theirs.strip().lower()]
        if not found:
            close = near_misses(theirs, table.names)
            advice = f"is '{close[0]}' meant?" if close else f"there are {brief(', '.join(table.names), 120)}"
            problems.append(f"--columns {theirs}={ours}: no column '{theirs}' ({advice})")
        for j in found[:1]:
            table.names[j] = ours
    raise_together(problems, table.where)


def assigned(table: Table, spellings: Spellings) -> dict[str, str]:
    """Which column of the table holds what: our names to theirs.

    A column that has our own name is believed first, then those of earlier groups. Raises :class:`InputError` where two
    of one group could be meant, and for a name that stands there twice.
    """
    found: dict[str, str] = {}
    problems: list[str] = []
    folded = [(name, heading(name)) for name in table.names if name]
    for ours, groups in spellings.items():
        exact = [name for name in table.names if name == ours]
        if len(exact) > 1:
            problems.append(f"column '{ours}' is there {len(exact)} times")
        if exact:
            found[ours] = exact[0]
            continue
        for group in groups:
            hits = [name for name, parts in folded if parts.folded in group and name not in found.values()]
            if len(hits) > 1:
                shown = " and ".join(f"'{name}'" for name in hits[:3])
                problems.append(f"columns {shown} could both be the {ours}; choose with --columns '{hits[0]}={ours}'")
            if hits:
                found[ours] = hits[0]
                break
    raise_together(problems, table.where)
    return found


def missing_column(table: Table, ours: str, spellings: Spellings, taken: Mapping[str, str]) -> str:
    """The line that says that a column is missing, and how to name the one that holds it."""
    free = [name for name in table.names if name and name not in taken.values()]
    words = [word for group in spellings.get(ours, ()) for word in group]
    close = near_misses(ours, free) or next((found for word in words if (found := near_misses(word, free))), [])
    hint = f" (is '{close[0]}' meant? --columns '{close[0]}={ours}')" if close else ""
    if not hint and free:
        hint = f" (there are {brief(', '.join(free), 100)}; --columns 'theirs={ours}' says which it is)"
    return f"column '{ours}' is missing{hint}"


def times_min(table: Table, name: str, problems: list[str]) -> list[str]:
    """A column of times as texts in minutes: its unit stands in its name, or in every cell. Cells that are no time stay
    as they are."""
    stated = heading(name).unit
    cells = table.cells(name)
    if stated is not None and stated.dimension is not Dimension.TIME:
        problems.append(f"column '{name}' is in {stated.symbol}, which is no time; name it time_min or time_h")
        return cells
    if stated is not None:
        plain, problem = table.numbers.column(name, cells)
        if problem:
            problems.append(problem)
        return [_scaled(cell, stated) for cell in plain]
    found: list[str] = []
    bare = 0
    for cell in cells:
        given = amount(table.numbers.text(cell))
        if given is not None and given[1].dimension is Dimension.TIME:
            found.append(_scaled(given[0], given[1]))
        else:
            bare += as_number(cell) not in (0.0,) and as_number(cell) == as_number(cell)
            found.append(cell)
    if bare:
        problems.append(
            f"column '{name}' does not say its unit; name it time_min, time_h or time_d (--columns '{name}=time_h')"
        )
    return found


def amount(cell: str) -> tuple[str, Unit] | None:
    """Number and unit of a cell such as ``24 h``; None for any other."""
    match = re.fullmatch(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*([^\s0-9.][^\s]*)", cell.strip())
    symbol = unit_of(match[2]) if match else None
    return (match[1], symbol) if match and symbol is not None else None


def _scaled(cell: str, symbol: Unit) -> str:
    from decimal import Decimal

    if as_number(cell) != as_number(cell) or symbol.factor == 1:
        return cell
    return repr(float(Decimal(cell) * symbol.factor))


@dataclass(frozen=True, slots=True)
class DoseColumn:
    """Doses of a column as numbers (NaN where a cell is none), and their unit: nM, ng/ml, % or "" where none is
    said."""

    values: list[float]
    unit: str


def doses(table: Table, name: str, stated: str | None, beside: Sequence[str] | None, problems: list[str]) -> DoseColumn:
    """A column of doses in the inner unit of their kind.

    The unit stands in the column's name, in a column of its own (``beside``), in every cell, or is ``stated`` by the
    caller for a file without one. Logarithms are undone; a word for the vehicle is dose zero.
    """
    parts = heading(name)
    cells = [_vehicle_is_zero(table.numbers.text(cell)) for cell in table.cells(name)]
    amounts = [amount(cell) for cell in cells]
    if any(given is not None and given[1].dimension in _DOSE_UNITS for given in amounts):
        return _doses_with_units(table, name, cells, amounts, problems)
    plain, problem = table.numbers.column(name, [_vehicle_is_zero(cell) for cell in table.cells(name)])
    if problem:
        problems.append(problem)
    texts = [text.strip() for text in beside] if beside is not None else [""] * len(plain)
    known: dict[str, Unit | None] = {"": parts.unit or (unit(stated) if stated else None)}
    if parts.log and known[""] is None:
        known[""] = unit("M")
    for text in dict.fromkeys(texts):
        if text and text not in known:
            known[text] = unit_of(text)
            if known[text] is None:
                said = f"row {table.lines[texts.index(text)]}: unknown unit '{brief(text)}' (nM, uM, mM, ng/ml ...)"
                problems += [said] if said not in problems else []
    used = {text for text, cell in zip(texts, plain, strict=True) if as_number(cell) != 0}
    kinds = {symbol.dimension.value for text in used if (symbol := known[text]) is not None}
    if len(kinds) > 1:
        problems.append(f"column '{name}' mixes {' and '.join(sorted(kinds))}; one drug needs one kind of unit")
    if kinds and any(known[text] is None for text in used):
        empty = next((i for i, text in enumerate(texts) if text in used and not text), None)
        said = f"row {table.lines[empty or 0]}: no unit, while other rows state one"
        problems += [said] if empty is not None and said not in problems else []
    values = []
    for cell, text in zip(plain, texts, strict=True):
        value, symbol = as_number(cell), known[text]
        if parts.log:
            infinite = cell.strip().lower() in ("-inf", "-infinity", "-∞", "\u2212∞")
            value = 0.0 if infinite or cell == "vehicle" else _power(value)
        values.append(_inner(value, symbol))
    return DoseColumn(values, next(iter(kinds), ""))


def _power(value: float) -> float:
    return 10.0**value if -300 < value < 300 else float("nan")


def _inner(value: float, symbol: Unit | None) -> float:
    from decimal import Decimal

    if symbol is None or value != value or symbol.factor == 1:
        return value
    return float(Decimal(repr(value)) * symbol.factor)


def _doses_with_units(
    table: Table, name: str, cells: Sequence[str], amounts: Sequence[tuple[str, Unit] | None], problems: list[str]
) -> DoseColumn:
    values = []
    kinds: dict[str, None] = {}
    for cell, given, line in zip(cells, amounts, table.lines, strict=True):
        if given is None:
            zero = as_number(cell) == 0
            if not zero and as_number(cell) == as_number(cell):
                problems.append(f"row {line}: {name} is '{cell}' without a unit, while other rows have one")
            values.append(0.0 if zero else float("nan"))
            continue
        value = as_number(given[0])
        values.append(_inner(value, given[1]))
        if value != 0:
            kinds[given[1].dimension.value] = None
    if len(kinds) > 1:
        problems.append(f"column '{name}' mixes {' and '.join(sorted(kinds))}; one drug needs one kind of unit")
    return DoseColumn(values, next(iter(kinds), ""))


VEHICLES = frozenset(
    {"vehicle", "dmso", "control", "ctrl", "untreated", "mock", "solvent", "negativecontrol", "nodrug", "media",
    "medium",
     "pbs", "water", "veh", "unt", "ut", "nt"}
)  # fmt: skip
"""Words, folded, for wells without a drug."""


def _vehicle_is_zero(cell: str) -> str:
    return "0" if fold(cell) in VEHICLES else cell
