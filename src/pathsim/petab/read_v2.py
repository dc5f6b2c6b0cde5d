"""PEtab version 2: its tables as a :class:`~pathsim.estimation.records.Description`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError, UnsupportedModelError, repeated, unknown
from ..estimation.priors import ARITY, check_prior
from ..estimation.records import Description, Measurement, Observable, Part, Prior, TableParameter
from ..experiments.experiment import Change, Experiment, Period
from ..model.maths import Expr, substitute, symbol, symbols
from ..stats.noise import Family, Laplace, LogLaplace, LogNormal, Normal
from .check import Uses, gathered, name_faults
from .formulas import parse
from .rows import bound_faults, finish, measurement_of, numbers_in, observables_of, open_model
from .tables import Kind, Row, Sheet, is_id, read_sheet

_NOISE: dict[str, Family] = {
    "normal": Normal(),
    "laplace": Laplace(),
    "log-normal": LogNormal(),
    "log-laplace": LogLaplace(),
}
PARAMETERS = Kind(
    "parameter",
    unique=("parameterId",),
    required=("parameterId", "estimate"),
    filled=("parameterId", "estimate"),
    ids=("parameterId",),
    numbers=("lowerBound", "upperBound", "nominalValue"),
    words={"priorDistribution": tuple(ARITY)},
    tight=("parameterId", "priorDistribution"),
)
OBSERVABLES = Kind(
    "observable",
    unique=("observableId",),
    required=("observableId", "observableFormula", "noiseFormula"),
    filled=("observableId", "observableFormula", "noiseFormula"),
    ids=("observableId",),
    words={"noiseDistribution": tuple(_NOISE)},
    tight=("observableId", "noiseDistribution"),
)
CONDITIONS = Kind(
    "condition",
    unique=("conditionId", "targetId"),
    required=("conditionId", "targetId", "targetValue"),
    filled=("conditionId", "targetId", "targetValue"),
    ids=("conditionId", "targetId"),
    tight=("conditionId", "targetId"),
)
EXPERIMENTS = Kind(
    "experiment",
    unique=("experimentId", "time", "conditionId"),
    required=("experimentId", "time", "conditionId"),
    filled=("experimentId", "time"),
    ids=("experimentId", "conditionId"),
    numbers=("time",),
    tight=("experimentId", "conditionId"),
)
MEASUREMENTS = Kind(
    "measurement",
    required=("observableId", "time", "measurement"),
    filled=("observableId", "time", "measurement"),
    ids=("modelId", "observableId", "experimentId"),
    numbers=("time", "measurement"),
    tight=("modelId", "observableId", "experimentId"),
)
MAPPINGS = Kind(
    "mapping",
    unique=("petabEntityId",),
    required=("petabEntityId", "modelEntityId"),
    filled=("petabEntityId",),
    ids=("petabEntityId",),
    tight=("petabEntityId",),
)
Aliases = Mapping[str, Expr]
"""What the ids of the mapping table stand for."""


def read_v2(source: Path, contents: dict[str, Any]) -> Description:
    """The problem whose YAML file says ``contents``. Raises :class:`InputError` with every problem found."""
    _refuse_extensions(source, contents)
    folder, problems = source.parent, list[str]()
    refused: list[UnsupportedModelError] = []
    problems += [
        f"the problem names no {kind} table"
        for kind in ("parameter", "observable", "measurement")
        if not contents.get(f"{kind}_files")
    ]
    sheets = {
        kind.name: read_sheet(folder, kind, contents.get(f"{kind.name}_files") or [], problems)
        for kind in (MAPPINGS, PARAMETERS, OBSERVABLES, CONDITIONS, EXPERIMENTS, MEASUREMENTS)
    }
    aliases = _aliases(sheets["mapping"], problems)
    rows = {row.text("parameterId"): row for row in sheets["parameter"].rows if "parameterId" in row}
    parameters = [(row.where, _parameter(row, aliases, problems)) for row in rows.values()]
    complete = all(sheet.whole for sheet in sheets.values())
    shared = Uses(None, whole=complete, complete=complete)
    read = partial(_observable, aliases=aliases)
    observables = observables_of(sheets["observable"], read, problems, shared)
    conditions = _conditions(sheets["condition"], aliases, problems, shared)
    experiments = _experiments(sheets["experiment"], conditions, problems, shared)
    parts, uses = _parts(folder, contents, sheets["measurement"], observables, experiments, shared, problems, refused)
    if sheets["parameter"].whole and "parameterId" in sheets["parameter"].columns:
        problems += name_faults(parameters, uses, 2)
    finish(problems, refused, source)
    return Description(str(source), 2, tuple(parameter for _, parameter in parameters), parts)


def _refuse_extensions(source: Path, contents: dict[str, Any]) -> None:
    """Extensions that change what the problem means."""
    extensions = contents.get("extensions") or {}
    needed = sorted(
        name for name, entry in extensions.items() if not isinstance(entry, dict) or entry.get("required", True)
    )
    if needed:
        raise UnsupportedModelError(f"{source}: the PEtab extension '{needed[0]}' is required, but unknown to pathsim")


def _aliases(sheet: Sheet, problems: list[str]) -> dict[str, Expr]:
    found = {}
    for row in sheet.rows:
        name, meant = row.text("petabEntityId"), row.text("modelEntityId")
        if not meant or meant == name:
            continue
        if is_id(meant):
            problems.append(
                f"{row.where}: '{meant}' is an id already and needs no other name; write '{meant}' everywhere"
            )
        found[name] = symbol(meant)
    return found


def _named(name: str, aliases: Aliases) -> str:
    return aliases[name].name if name in aliases else name


def _parameter(row: Row, aliases: Aliases, problems: list[str]) -> TableParameter:
    """A row of the parameter table; its faults, but for those of single cells, go to ``problems``."""
    lower, upper = row.value("lowerBound", -math.inf), row.value("upperBound", math.inf)
    says = row.text("estimate").lower()
    if says in ("true", "false"):
        problems += bound_faults(row, "lin", says == "true")
    elif says:
        problems.append(f"{row.where}: estimate is '{row.text('estimate')}'; it must be true or false")
    prior = gathered(problems, _prior, row, says == "true")
    if prior is None and says == "true" and math.isfinite(lower) and math.isfinite(upper):
        prior = Prior("uniform", (lower, upper), truncated=True)
    name = _named(row.text("parameterId"), aliases)
    nominal = row.value("nominalValue", math.nan)
    return TableParameter(name, "lin", lower, upper, nominal, says == "true", prior)


def _prior(row: Row, estimated: bool) -> Prior | None:
    distribution, text = row.text("priorDistribution"), row.text("priorParameters")
    numbers = numbers_in(row, "priorParameters")
    if not distribution:
        if text:
            raise InputError(f"{row.where}: priorParameters are given, but no priorDistribution")
        return None
    if distribution not in ARITY:
        return None  # told with the cell
    check_prior(distribution, numbers, row.where)
    return Prior(distribution, numbers, truncated=True) if estimated else None


def _observable(row: Row, aliases: Aliases) -> Observable:
    return Observable(
        row.text("observableId"),
        substitute(parse(row.text("observableFormula"), f"{row.where}: observableFormula"), aliases),
        substitute(parse(row.text("noiseFormula"), f"{row.where}: noiseFormula"), aliases),
        _NOISE.get(row.text("noiseDistribution", "normal"), Normal()),
        _placeholders(row, "observablePlaceholders"),
        _placeholders(row, "noisePlaceholders"),
    )


def _placeholders(row: Row, column: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in row.text(column).split(";") if name.strip())
    for name in names:
        if not is_id(name):
            raise InputError(f"{row.where}: {column} is '{row.text(column)}', but '{name}' is no id")
    if len(set(names)) < len(names):
        raise InputError(f"{row.where}: {column} is '{row.text(column)}'; each placeholder may stand there once")
    return names


def _conditions(sheet: Sheet, aliases: Aliases, problems: list[str], uses: Uses) -> dict[str, list[tuple[str, Change]]]:
    """What each condition sets, with where that stands."""
    found: dict[str, list[tuple[str, Change]]] = {}
    for row in sheet.rows:
        changes = found.setdefault(row.text("conditionId"), [])
        target = row.text("targetId")
        if target:
            uses.targets.append((f"{row.where}: targetId", _named(target, aliases)))
        value = gathered(problems, _target_value, row) if "targetValue" in row else None
        if value is None or not target:
            uses.whole = False
            continue
        value = substitute(value, aliases)
        uses.values.append((f"{row.where}: targetValue", frozenset(symbols(value))))
        changes.append((f"{row.where}: targetValue", Change(_named(target, aliases), value)))
    return found


def _target_value(row: Row) -> Expr:
    value = parse(row.text("targetValue"), f"{row.where}: targetValue")
    if value.op == "number" and not math.isfinite(value.value):
        raise InputError(f"{row.where}: targetValue is '{row.text('targetValue')}', which is not finite")
    return value


def _experiments(
    sheet: Sheet, conditions: Mapping[str, list[tuple[str, Change]]], problems: list[str], uses: Uses
) -> dict[str, Experiment]:
    """Experiments by id; one without an id takes the model as it is."""
    periods: dict[str, dict[float, list[str]]] = {}
    for row in sheet.rows:
        name, condition, time = row.text("experimentId"), row.text("conditionId"), row.value("time", math.nan)
        if condition and condition not in conditions:
            uses.unknown(row.where, "condition", condition, conditions, problems)
        if time == math.inf:
            problems.append(
                f"{row.where}: time is '{row.text('time')}'; it must be finite, or -inf for the steady state"
            )
        if name and not math.isnan(time):
            names = periods.setdefault(name, {}).setdefault(time, [])
            names += [condition] if condition in conditions else []
    found = {"": Experiment("", (Period(0.0, ()),), carries=True)}
    for name, by_time in periods.items():
        chain: list[Period] = []
        for time, names in sorted(by_time.items()):
            entries = [entry for one in names for entry in conditions[one]]
            targets = [change.target for _, change in entries]
            problems += [
                f"experiment '{name}', time {time:g}: '{target}' is set more than once"
                for target in sorted(repeated(targets))
            ]
            if not chain:
                uses.first += [(where, frozenset(symbols(change.value))) for where, change in entries]
            chain.append(Period(time, tuple(change for _, change in entries)))
        found[name] = Experiment(name, tuple(chain), carries=True)
    return found


def _parts(
    folder: Path,
    contents: dict[str, Any],
    sheet: Sheet,
    observables: dict[str, Observable | None],
    experiments: dict[str, Experiment],
    shared: Uses,
    problems: list[str],
    refused: list[UnsupportedModelError],
) -> tuple[tuple[Part, ...], list[Uses]]:
    """One part for each model, and the names that the tables use with it."""
    files = contents.get("model_files") or {}
    if not files:
        problems.append("the problem names no model")
    chosen: dict[str, list[Row]] = {name: [] for name in files}
    for row in sheet.rows:
        name = row.text("modelId")
        if name and name not in files:
            problems.append(f"{row.where}: {unknown('model', name, files)}")
        elif not name and len(files) > 1:
            problems.append(f"{row.where}: several models, so modelId must say which")
        elif files:
            chosen[name or next(iter(files))].append(row)
    parts: list[Part] = []
    uses: list[Uses] = []
    read = {name: observable for name, observable in observables.items() if observable is not None}
    frame = sheet.frame()
    for name, entry in files.items():
        model = None
        if entry["language"] == "sbml":
            model = open_model(folder / entry["location"], problems, refused)
        else:
            refused.append(
                UnsupportedModelError(
                    f"model '{name}' is written in '{entry['language']}'; pathsim reads PEtab models in sbml"
                )
            )
        used = Uses(
            model, shared.observables, shared.targets, shared.values, [], shared.first, shared.whole, shared.complete
        )
        uses.append(used)
        measurements = _measurements(chosen[name], observables, experiments, problems, used)
        if model is not None:
            places = {id(row): i for i, row in enumerate(sheet.rows)}
            table = frame.iloc[[places[id(row)] for row in chosen[name]]]
            parts.append(Part(model, read, experiments, measurements, table))
    return tuple(parts), uses


def _measurements(
    rows: list[Row],
    observables: dict[str, Observable | None],
    experiments: dict[str, Experiment],
    problems: list[str],
    uses: Uses,
) -> tuple[Measurement, ...]:
    measurements: list[Measurement] = []
    for row in rows:
        experiment = row.text("experimentId")
        if experiment not in experiments:
            uses.unknown(row.where, "experiment", experiment, [one for one in experiments if one], problems)
        known = experiment if experiment in experiments else None
        measurement = measurement_of(row, known, observables, problems, uses, formulas=True)
        measurements += [] if measurement is None else [measurement]
    return tuple(measurements)
