"""PEtab version 1: its tables as a :class:`~pathsim.estimation.records.Description`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from ..errors import InputError, UnsupportedModelError
from ..estimation.priors import check_prior
from ..estimation.records import Description, Measurement, Observable, Part, Prior, TableParameter
from ..experiments.experiment import STEADY_STATE, Change, Experiment, Period
from ..model.maths import number, symbol
from ..stats.noise import Family, Laplace, Log10Laplace, Log10Normal, LogLaplace, LogNormal, Normal, Scale
from .check import Uses, gathered, name_faults
from .formulas import parse
from .rows import bound_faults, finish, measurement_of, numbers_in, observables_of, open_model
from .tables import Kind, Row, Sheet, advice, is_id, number_of, read_sheet

_SCALES: tuple[Scale, ...] = ("lin", "log", "log10")
_FAMILIES: dict[tuple[str, str], Family] = {
    ("lin", "normal"): Normal(),
    ("log", "normal"): LogNormal(),
    ("log10", "normal"): Log10Normal(),
    ("lin", "laplace"): Laplace(),
    ("log", "laplace"): LogLaplace(),
    ("log10", "laplace"): Log10Laplace(),
}
_PRIORS = {
    "uniform": ("uniform", False),
    "normal": ("normal", False),
    "laplace": ("laplace", False),
    "logNormal": ("log-normal", False),
    "logLaplace": ("log-laplace", False),
    "parameterScaleUniform": ("uniform", True),
    "parameterScaleNormal": ("normal", True),
    "parameterScaleLaplace": ("laplace", True),
}
PARAMETERS = Kind(
    "parameter",
    unique=("parameterId",),
    required=("parameterId", "parameterScale", "lowerBound", "upperBound", "estimate"),
    filled=("parameterId", "parameterScale", "estimate"),
    ids=("parameterId",),
    numbers=("lowerBound", "upperBound", "nominalValue"),
    words={
        "parameterScale": _SCALES,
        "initializationPriorType": tuple(_PRIORS),
        "objectivePriorType": tuple(_PRIORS),
    },
    tight=(
        *("parameterId", "parameterScale", "lowerBound", "upperBound", "estimate"),
        *("initializationPriorType", "objectivePriorType"),
    ),
)
OBSERVABLES = Kind(
    "observable",
    unique=("observableId",),
    required=("observableId", "observableFormula", "noiseFormula"),
    filled=("observableId", "observableFormula", "noiseFormula"),
    ids=("observableId",),
    words={"observableTransformation": _SCALES, "noiseDistribution": ("normal", "laplace")},
    tight=(
        *("observableId", "observableName", "observableFormula", "noiseFormula"),
        *("observableTransformation", "noiseDistribution"),
    ),
)
CONDITIONS = Kind(
    "condition",
    unique=("conditionId",),
    required=("conditionId",),
    filled=("conditionId",),
    ids=("conditionId",),
    tight=("*",),
)
MEASUREMENTS = Kind(
    "measurement",
    required=("observableId", "simulationConditionId", "time", "measurement"),
    filled=("observableId", "simulationConditionId", "time", "measurement"),
    numbers=("time", "measurement"),
    tight=(
        *("observableId", "preequilibrationConditionId", "simulationConditionId", "time", "measurement"),
        *("observableParameters", "noiseParameters", "datasetId", "replicateId"),
    ),
)
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True}
_TRUTHS = {"false": False, "true": True}


def read_v1(source: Path, contents: dict[str, Any]) -> Description:
    """The problem whose YAML file says ``contents``. Raises :class:`InputError` with every problem found."""
    folder, problems = source.parent, list[str]()
    refused: list[UnsupportedModelError] = []
    files = contents["parameter_file"]
    sheet = read_sheet(folder, PARAMETERS, [files] if isinstance(files, str) else files, problems)
    flags = _flags(sheet, problems)
    rows = {row.text("parameterId"): row for row in sheet.rows if "parameterId" in row}
    parameters = [(row.where, _parameter(row, flags.get(row.where), problems)) for row in rows.values()]
    parts: list[Part] = []
    uses: list[Uses] = []
    for problem in contents["problems"]:
        before = sum(len(part.table) for part in parts)
        part, used = _part(folder, problem, before, problems, refused)
        uses.append(used)
        if part is not None:
            parts.append(part)
    if sheet.whole and "parameterId" in sheet.columns:
        problems += name_faults(parameters, uses, 1)
    finish(problems, refused, source)
    return Description(str(source), 1, tuple(parameter for _, parameter in parameters), tuple(parts))


def _flags(sheet: Sheet, problems: list[str]) -> dict[str, bool]:
    """Whether each row is estimated: 0 or 1; a whole column of true and false is understood too."""
    texts = {row.where: row.text("estimate") for row in sheet.rows if "estimate" in row}
    known = _TRUTHS if all(text.lower() in _TRUTHS for text in texts.values()) else _FLAGS
    found = {where: known[text.lower()] for where, text in texts.items() if text.lower() in known}
    problems += [
        f"{where}: estimate is '{text}'; it must be 0 or 1" for where, text in texts.items() if where not in found
    ]
    return found


def _parameter(row: Row, estimated: bool | None, problems: list[str]) -> TableParameter:
    """A row of the parameter table; its faults, but for those of single cells, go to ``problems``."""
    scale = next((one for one in _SCALES if one == row.text("parameterScale")), None)
    if scale is not None and estimated is not None:
        problems += bound_faults(row, scale, estimated)
    gathered(problems, _prior, row, "initialization", estimated is True)
    prior = gathered(problems, _prior, row, "objective", estimated is True)
    return TableParameter(
        row.text("parameterId"),
        scale or "lin",
        row.value("lowerBound", -math.inf),
        row.value("upperBound", math.inf),
        row.value("nominalValue", math.nan),
        estimated is True,
        prior,
    )


def _prior(row: Row, use: str, estimated: bool) -> Prior | None:
    """The prior in the columns of one ``use``: ``objective`` or ``initialization``."""
    kind, text = row.text(f"{use}PriorType"), row.text(f"{use}PriorParameters")
    numbers = numbers_in(row, f"{use}PriorParameters")
    if text and len(numbers) != 2:
        raise InputError(f"{row.where}: {use}PriorParameters is '{text}'; every prior takes 2 numbers")
    if not kind:
        if text and use == "objective":
            raise InputError(f"{row.where}: objectivePriorParameters are given, but no objectivePriorType")
        return None
    if kind not in _PRIORS or (not text and kind == "parameterScaleUniform"):  # the latter is between the bounds
        return None
    if not text:
        raise InputError(f"{row.where}: the prior '{kind}' needs its {use}PriorParameters")
    distribution, on_scale = _PRIORS[kind]
    sampled = use == "initialization" and kind == "parameterScaleUniform"
    if sampled and row.text("parameterScale") != "lin" and 0.0 in numbers:
        raise InputError(f"{row.where}: initializationPriorParameters is '{text}', but 0 has no logarithm")
    if estimated:
        check_prior(distribution, numbers, row.where)
    return Prior(distribution, numbers, on_scale)


def _part(
    folder: Path, problem: dict[str, Any], before: int, problems: list[str], refused: list[UnsupportedModelError]
) -> tuple[Part | None, Uses]:
    """One of the problems of a file, and the names it uses; ``before`` counts the measurements of those before it."""
    if len(problem["sbml_files"]) == 1:
        model = open_model(folder / problem["sbml_files"][0], problems, refused)
    else:
        model = None
        problems.append(f"one SBML file per problem is expected, not {len(problem['sbml_files'])}")
    sheets = {
        kind.name: read_sheet(folder, kind, problem[f"{kind.name}_files"], problems)
        for kind in (CONDITIONS, OBSERVABLES, MEASUREMENTS)
    }
    complete = all(sheet.whole for sheet in sheets.values())
    uses = Uses(model, whole=complete, complete=complete)
    conditions = _conditions(sheets["condition"], problems, uses)
    observables = observables_of(sheets["observable"], _observable, problems, uses)
    experiments, measurements = _measurements(sheets["measurement"], observables, conditions, problems, uses)
    if model is None:
        return None, uses
    table = sheets["measurement"].frame()
    table.index += before
    read = {name: observable for name, observable in observables.items() if observable is not None}
    return Part(model, read, experiments, measurements, table), uses


def _conditions(sheet: Sheet, problems: list[str], uses: Uses) -> dict[str, tuple[Change, ...]]:
    """What each condition sets; an empty cell asks for the value that the model itself gives."""
    targets = [column for column in sheet.columns if column not in ("conditionId", "conditionName")]
    uses.targets += [("condition table: column", target) for target in targets]
    found = {}
    for row in sheet.rows:
        changes = []
        for target in targets:
            text = row.text(target)
            value = number_of(text) if text else math.nan
            if value is None and (not is_id(text) or text == "time"):
                problems.append(
                    f"{row.where}: {target} is '{text}', where a number or the id of a parameter belongs{advice(text)}"
                )
                uses.whole = False
                continue
            if value is None:
                uses.values.append((f"{row.where}: {target}", frozenset((text,))))
            elif math.isinf(value):
                problems.append(f"{row.where}: {target} is '{text}', which is not finite")
            changes.append(Change(target, symbol(text) if value is None else number(value)))
        found[row.text("conditionId")] = tuple(changes)
    return found


def _observable(row: Row) -> Observable:
    name = row.text("observableId")
    scale, noise = row.text("observableTransformation", "lin"), row.text("noiseDistribution", "normal")
    return Observable(
        name,
        parse(row.text("observableFormula"), f"{row.where}: observableFormula"),
        parse(row.text("noiseFormula"), f"{row.where}: noiseFormula"),
        _FAMILIES.get((scale, noise), Normal()),
        _placeholders(row, "observableParameter", row.text("observableFormula")),
        _placeholders(row, "noiseParameter", row.text("noiseFormula")),
    )


def _placeholders(row: Row, prefix: str, formula: str) -> tuple[str, ...]:
    """Placeholders that a formula names, which must be numbered from 1 without a gap."""
    name = row.text("observableId")
    found = set(re.findall(rf"(?<!\w){prefix}\d+_{re.escape(name)}(?!\w)", formula))
    wanted = tuple(f"{prefix}{i + 1}_{name}" for i in range(len(found)))
    if found != set(wanted):
        raise InputError(f"{row.where}: {', '.join(sorted(found))} must be numbered from 1 without a gap")
    return wanted


def _measurements(
    sheet: Sheet,
    observables: dict[str, Observable | None],
    conditions: dict[str, tuple[Change, ...]],
    problems: list[str],
    uses: Uses,
) -> tuple[dict[str, Experiment], tuple[Measurement, ...]]:
    experiments: dict[str, Experiment] = {}
    measurements: list[Measurement] = []
    columns = ("preequilibrationConditionId", "simulationConditionId")
    for row in sheet.rows:
        names = [row.text(column) for column in columns if column in row]
        for missing in (name for name in names if name not in conditions):
            uses.unknown(row.where, "condition", missing, conditions, problems)
        key = " then ".join(names) if names and all(name in conditions for name in names) else None
        measurement = measurement_of(row, key, observables, problems, uses, formulas=False)
        if measurement is None or key is None:
            continue
        measurements.append(measurement)
        if key not in experiments:
            starts = (STEADY_STATE, 0.0)[-len(names) :]
            periods = tuple(Period(start, conditions[one]) for start, one in zip(starts, names, strict=True))
            experiments[key] = Experiment(key, periods, carries=False)
    return experiments, tuple(measurements)
