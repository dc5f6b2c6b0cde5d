"""What the readers of both versions make of rows in the same way: parameters, overrides, numbers of measurements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..errors import InputError, UnsupportedModelError, raise_together
from ..estimation.records import Measurement, Observable
from ..model import Model, load_model
from ..model.maths import Expr, symbols
from .check import Uses, gathered, positive_fault
from .formulas import parse
from .tables import Row, Sheet, advice, is_id, number_of


def open_model(path: Path, problems: list[str], refused: list[UnsupportedModelError]) -> Model | None:
    """The model in a file; None, with its fault among ``problems`` or ``refused``, where it cannot be used."""
    try:
        return load_model(path)
    except UnsupportedModelError as error:
        refused.append(error)
    except InputError as error:
        problems.append(str(error))
    return None


def finish(problems: list[str], refused: list[UnsupportedModelError], source: Path) -> None:
    """Raise all faults of a problem together, or return where there is none."""
    if refused and not problems:
        raise refused[0]
    raise_together(list(dict.fromkeys([*problems, *map(str, refused)])), str(source))


def bound_faults(row: Row, scale: str, estimated: bool) -> Iterator[str]:
    """Bounds and nominal value that cannot be meant."""
    given = {name: number_of(row.text(name)) for name in ("lowerBound", "upperBound", "nominalValue") if name in row}
    if None in given.values():
        return  # told with the cell
    if not estimated:
        if "nominalValue" not in given:
            yield f"{row.where}: nominalValue is empty; a parameter that is not estimated needs it"
    else:
        for name in ("lowerBound", "upperBound"):
            if name not in given:
                yield f"{row.where}: {name} is empty; a parameter that is estimated needs both bounds"
        for name, value in given.items():
            if scale != "lin" and value is not None and value <= 0:
                yield f"{row.where}: {name} is {row.text(name)}; on the scale {scale} it must be positive"
    if math.isinf(row.value("nominalValue", 0.0)):
        yield f"{row.where}: nominalValue is {row.text('nominalValue')}, which is not finite"
    lower, upper = row.value("lowerBound", -math.inf), row.value("upperBound", math.inf)
    if lower > upper or (estimated and lower == upper):
        yield f"{row.where}: lowerBound {lower:g} must lie below upperBound {upper:g}"


def numbers_in(row: Row, column: str) -> tuple[float, ...]:
    """The numbers between semicolons in a cell, none where it is empty. Raises :class:`InputError` for what is none."""
    found = []
    text = row.text(column)
    for part in text.split(";") if text else ():
        value = number_of(part)
        if value is None:
            raise InputError(
                f"{row.where}: {column} is '{text}', where numbers between semicolons belong{advice(part)}"
            )
        found.append(value)
    return tuple(found)


def observables_of(
    sheet: Sheet, read: Callable[[Row], Observable], problems: list[str], uses: Uses
) -> dict[str, Observable | None]:
    """Observables by id as ``read`` from their rows; None, and why among ``problems``, for rows that are at fault."""
    found: dict[str, Observable | None] = {}
    for row in sheet.rows:
        filled = "observableFormula" in row and "noiseFormula" in row
        observable = gathered(problems, read, row) if filled else None
        found[row.text("observableId")] = observable
        if observable is None:
            uses.whole = False
        else:
            _note_observable(row, observable, problems, uses)
    return found


def _note_observable(row: Row, observable: Observable, problems: list[str], uses: Uses) -> None:
    """Note an observable and the names that it uses; a number that is not finite is among ``problems``."""
    for column, formula in (("observableFormula", observable.formula), ("noiseFormula", observable.noise)):
        if formula is not None and formula.op == "number" and not math.isfinite(formula.value):
            problems.append(f"{row.where}: {column} is '{row.text(column)}', which is not finite")
    uses.observables.append((row.where, observable))


def measurement_of(
    row: Row,
    experiment: str | None,
    observables: Mapping[str, Observable | None],
    problems: list[str],
    uses: Uses,
    formulas: bool,
) -> Measurement | None:
    """A row as a measurement in an experiment; None, with its faults among ``problems``, where it or the experiment
    has any. ``formulas`` as in :func:`_overrides`.
    """
    name = row.text("observableId")
    observable = observables.get(name)
    if observable is None:
        if name and name not in observables:
            uses.unknown(row.where, "observable", name, observables, problems)
        uses.whole = False
        return None
    overrides = _overrides(row, observable, problems, uses, formulas)
    numbers = _numbers(row, observable, problems)
    if overrides is None or numbers is None or experiment is None:
        return None
    return Measurement(observable.id, experiment, *numbers, *overrides)


def _numbers(row: Row, observable: Observable, problems: list[str]) -> tuple[float, float] | None:
    """Time and value of a measurement; None, and why among ``problems`` unless told elsewhere, where there are none."""
    time, value = row.value("time", math.nan), row.value("measurement", math.nan)
    if time == -math.inf:
        problems.append(f"{row.where}: time is '{row.text('time')}'; it must be finite, or inf for the steady state")
    elif math.isinf(value):
        problems.append(f"{row.where}: measurement is '{row.text('measurement')}', which is not finite")
    elif not (math.isnan(time) or math.isnan(value)):
        fault = positive_fault(observable.family, value)
        if not fault:
            return time, value
        problems.append(f"{row.where}: {fault}")
    return None


def _overrides(
    row: Row, observable: Observable, problems: list[str], uses: Uses, formulas: bool
) -> tuple[tuple[Expr, ...], tuple[Expr, ...]] | None:
    """What fills the placeholders of formula and noise; None, and why among ``problems``, where it does not fit.

    ``formulas`` says whether formulas may stand there (version 2), or only numbers and parameter ids.
    """
    found = []
    for column, wanted in (
        ("observableParameters", observable.placeholders),
        ("noiseParameters", observable.noise_placeholders),
    ):
        parts = [part.strip() for part in row.text(column).split(";")] if column in row else []
        given = [gathered(problems, _override, row, column, part, formulas) for part in parts]
        if None in given:
            uses.whole = False
            continue
        expressions = tuple(one for one in given if one is not None)
        uses.overrides.append((row.where, frozenset().union(*(symbols(one) for one in expressions))))
        if len(expressions) != len(wanted):
            problems.append(f"{row.where}: the observable takes {len(wanted)} {column}, not {len(expressions)}")
            continue
        found.append(expressions)
    return (found[0], found[1]) if len(found) == 2 else None


def _override(row: Row, column: str, text: str, formulas: bool) -> Expr:
    where = f"{row.where}: {column} is '{row.text(column)}'"
    value = number_of(text)
    if value is not None and not math.isfinite(value):
        raise InputError(f"{where}, but '{text}' is not finite")
    if not text or advice(text) or (value is None and not formulas and not is_id(text)):
        raise InputError(f"{where}, but '{text}' is neither a number nor the id of a parameter{advice(text)}")
    return parse(text, where)
