"""Faults of PEtab tables, one line each: of cells, before anything is read, and of what the tables say together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ..errors import InputError, brief, near_misses, unknown
from ..estimation.priors import overlaps
from ..estimation.records import Description, Part, TableParameter
from ..estimation.scales import on_scale
from ..model.maths import symbol, symbols

_T = TypeVar("_T")
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of table: the columns that make a row unique, must be filled, hold numbers, or numbers between ``;``."""

    name: str
    unique: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


PARAMETERS = Kind(
    "parameter",
    ("parameterId",),
    ("estimate",),
    ("lowerBound", "upperBound", "nominalValue"),
    ("objectivePriorParameters", "priorParameters"),
)
OBSERVABLES = Kind("observable", ("observableId",), ("observableFormula", "noiseFormula"))
CONDITIONS_V1 = Kind("condition", ("conditionId",))
CONDITIONS_V2 = Kind("condition", ("conditionId", "targetId"), ("targetValue",))
EXPERIMENTS = Kind("experiment", ("experimentId", "time", "conditionId"), ("time",), ("time",))
MEASUREMENTS = Kind("measurement", (), ("observableId", "simulationConditionId", "time"), ("time", "measurement"))


def flag(cell: object) -> bool | None:
    """Whether a cell says 0, 1, true or false; None when it says something else."""
    return _FLAGS.get(str(cell).strip().lower())


def gathered(problems: list[str], read: Callable[..., _T], *arguments: Any) -> _T | None:
    """What ``read`` makes of ``arguments``; None, and its message among ``problems``, when it raises InputError."""
    try:
        return read(*arguments)
    except InputError as error:
        problems.append(str(error))
        return None


def cell_faults(folder: Path, kind: Kind, names: list[str]) -> list[str]:
    """What is wrong with single cells and rows of the tables of one kind, with file, row, column and cell."""
    problems: list[str] = []
    seen: dict[tuple[str, ...], tuple[str, str, dict[str, str]]] = {}
    for name in names:
        try:
            frame = pd.read_csv(folder / name, sep="\t", dtype=str)
        except FileNotFoundError:
            problems.append(f"{folder / name}: no such file")
            continue
        except (ValueError, OSError) as error:
            problems.append(f"{folder / name}: {brief(str(error), 200)}")
            continue
        if not isinstance(frame.index, pd.RangeIndex):
            problems.append(f"{folder / name}: rows have more cells than the header has columns")
            continue
        for column in frame.columns[frame.columns.duplicated()]:
            problems.append(f"{folder / name}: the column '{column}' is given twice")
        for i, cells in enumerate(frame.to_dict("records")):
            row = {str(column): cell.strip() for column, cell in cells.items() if isinstance(cell, str)}
            where = f"{name}, row {i + 1}"
            problems += _row_faults(kind, row, tuple(map(str, frame.columns)), where)
            problems += _twice(kind, row, name, where, seen)
    return problems


def _row_faults(kind: Kind, row: dict[str, str], columns: tuple[str, ...], where: str) -> Iterator[str]:
    label = row.get(kind.unique[0] if kind.unique else "observableId", "")
    named = f"{where} ({kind.name if kind.unique else 'observable'} '{label}')" if label else where
    for column in (*kind.unique[:1], *kind.filled):
        if column in columns and not row.get(column):
            right = " (0 or 1, version 2: true or false)" if column == "estimate" else ""
            yield f"{named}: {column} is empty{right}"
    wrong = False
    for column, text in ((column, row[column]) for column in (*kind.numbers, *kind.lists) if column in row):
        for part in text.split(";") if column in kind.lists else (text,):
            if _number(part) is None:
                wrong = True
                expected = "numbers between semicolons belong" if column in kind.lists else "a number belongs"
                yield f"{named}: {column} is '{brief(text)}', where {expected}{_advice(part)}"
                break
    if kind is MEASUREMENTS and not wrong:
        if row.get("time") and _number(row["time"]) == -math.inf:
            yield f"{named}: time is '{row['time']}'; it must be finite, or inf for the steady state"
        if row.get("measurement") and math.isinf(_number(row["measurement"]) or 0.0):
            yield f"{named}: measurement is '{row['measurement']}', which is not finite"
    if kind is PARAMETERS:
        estimated = flag(row.get("estimate", "1"))
        if estimated is None and row.get("estimate"):
            yield f"{named}: estimate is '{brief(row['estimate'])}'; it must be 0 or 1 (version 2: true or false)"
        if not wrong and estimated:
            yield from _bound_faults(row, named)


def _bound_faults(row: dict[str, str], where: str) -> Iterator[str]:
    """Bounds and nominal value of an estimated parameter that cannot be meant."""
    scale = row.get("parameterScale", "lin")
    given = {name: _number(row[name]) or 0.0 for name in PARAMETERS.numbers if row.get(name)}
    for name, value in given.items():
        if scale in ("log", "log10") and value <= 0:
            yield f"{where}: {name} is {row[name]}; on the scale {scale} it must be positive"
        if name == "nominalValue" and math.isinf(value):
            yield f"{where}: nominalValue is {row[name]}, which is not finite"
    lower, upper = given.get("lowerBound", -math.inf), given.get("upperBound", math.inf)
    if not lower < upper:
        yield f"{where}: lowerBound {lower:g} must lie below upperBound {upper:g}"


def _twice(
    kind: Kind, row: dict[str, str], name: str, where: str, seen: dict[tuple[str, ...], tuple[str, str, dict[str, str]]]
) -> Iterator[str]:
    """An id that an earlier row has; several parameter files may repeat a row unchanged."""
    key = tuple(row.get(column, "") for column in kind.unique)
    if not key or not key[0]:
        return
    if key not in seen:
        seen[key] = (name, where, row)
        return
    file, first, before = seen[key]
    if kind is PARAMETERS and file != name and before == row:
        return
    what = " and ".join(f"{column} '{part}'" for column, part in zip(kind.unique, key, strict=True) if part)
    yield f"{where}: {kind.name} given twice: {what} is in {first} already"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if "_" in text or math.isnan(value) else value


def _advice(text: str) -> str:
    if text.count(",") == 1 and _number(text.replace(",", ".")) is not None:
        return f" (is {text.strip().replace(',', '.')} meant? decimals are written with a point)"
    if text[:1] in ("<", ">"):
        return " (PEtab has no detection limits)"
    return ""


def meaning_faults(description: Description) -> list[str]:
    """What tables say that cannot be meant: names that clash, targets and parameters that nothing knows, empty priors.

    Lines name the table, the id, and what would be right.
    """
    problems: list[str] = []
    ids = [parameter.id for parameter in description.parameters]
    used: set[str] = set()
    for part in description.parts:
        inside = set(part.model.symbols) | _formula_symbols(part)
        used |= inside | _change_symbols(part)
        problems += _clashes(part, set(ids))
    misspelt = used - _names(description) - set(ids) - _local_names(description)
    problems += _unknown_targets(description)
    for parameter in description.parameters:
        if parameter.estimated and parameter.id not in used and not misspelt:
            advice = _meant(parameter.id, used)
            problems.append(
                f"parameter table, parameter '{parameter.id}' is estimated, but neither the model nor a "
                f"formula, condition or measurement uses it{advice}"
            )
        problems += _prior_faults(parameter)
    problems += _unknown_fillings(description, set(ids) | _names(description))
    return list(dict.fromkeys(problems))


def _names(description: Description) -> set[str]:
    """Everything that a condition sets, or a model has."""
    found = {name for part in description.parts for name in part.model.symbols}
    return found | {change.target for part in description.parts for change in _changes(part)}


def _local_names(description: Description) -> set[str]:
    """Observables, and placeholders that measurements fill in."""
    found: set[str] = set()
    for part in description.parts:
        for name, observable in part.observables.items():
            found |= {name, *observable.placeholders, *observable.noise_placeholders}
    return found


def _changes(part: Part) -> Iterator[Any]:
    return (change for one in part.experiments.values() for period in one.periods for change in period.changes)


def _formula_symbols(part: Part) -> set[str]:
    """Names in formulas of observables and noise, and in what measurements fill in."""
    found: set[str] = set()
    for observable in part.observables.values():
        found |= symbols(observable.formula)
        if observable.noise is not None:
            found |= symbols(observable.noise)
    for formula in {formula for row in part.measurements for formula in (*row.overrides, *row.noise_overrides)}:
        found |= symbols(formula)
    return found


def _change_symbols(part: Part) -> set[str]:
    return {name for change in _changes(part) for name in symbols(change.value)}


def _clashes(part: Part, ids: set[str]) -> Iterator[str]:
    """Observables whose id is also a parameter's, or is a symbol of the model that the noise formula means."""
    for name, observable in part.observables.items():
        if name in ids:
            yield f"observable table: '{name}' names both an observable and a parameter; ids must be unique"
        elif (
            name in part.model.symbols
            and observable.noise is not None
            and name in symbols(observable.noise)
            and observable.formula != symbol(name)
        ):
            yield (
                f"observable table: '{name}' names both an observable and a symbol of the model, and its "
                "noiseFormula uses it; ids must be unique"
            )


def _unknown_targets(description: Description) -> Iterator[str]:
    known: set[str] = set()
    for part in description.parts:
        known |= set(part.model.symbols) | _formula_symbols(part)
    column = "column" if description.version == 1 else "targetId"
    targets = dict.fromkeys(change.target for part in description.parts for change in _changes(part))
    for target in targets:
        if target not in known:
            yield (
                f"condition table: {column} '{target}' is neither in the model nor in an observable"
                f"{_meant(target, known)}"
            )


def _unknown_fillings(description: Description, known: set[str]) -> Iterator[str]:
    for part in description.parts:
        for i, row in enumerate(part.measurements):
            for name in sorted(
                {name for one in (*row.overrides, *row.noise_overrides) for name in symbols(one)} - known
            ):
                yield f"measurement {i + 1} (observable '{row.observable}'): {unknown('parameter', name, known)}"


def _prior_faults(parameter: TableParameter) -> Iterator[str]:
    prior = parameter.prior
    if prior is None or not parameter.estimated:
        return
    lower, upper = parameter.lower, parameter.upper
    if prior.on_scale:
        lower, upper = on_scale(lower, parameter.scale), on_scale(upper, parameter.scale)
    if not overlaps(prior, lower, upper):
        yield (
            f"parameter table, parameter '{parameter.id}': the prior {prior.distribution} "
            f"({'; '.join(f'{value:g}' for value in prior.parameters)}) has nothing between the bounds {lower:g} and "
            f"{upper:g}"
        )


def _meant(name: str, known: set[str]) -> str:
    close = near_misses(name, sorted(known), 1)
    return f" (is '{close[0]}' meant?)" if close else ""
