"""Dishes, blots and free parameters as a PEtab version 2 problem that other tools can fit.

Everything done to a cell is arithmetic on the parameter vector, so a cell line under a treatment is a row of periods
and a period a list of parameters: export is a rename.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InputError, PathsimError, UnsupportedModelError, raise_together, unknown
from ..fitting.free import FOLD, Free, as_free
from ..lab import FULL_MEDIUM, CellLine, Condition, Library, Step, Treatment, default_library
from ..model import Model, load_model
from ..model.maths import nodes
from ..simulation import PASSAGING, Plan, system_of
from ..table import check_table, read_table

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
SIGMA = (0.02, 5.0)
"""Bounds of an estimated spread of the logarithm: the best densitometry, and no information at all."""
SCALE_FOLD = 1e4
"""How far the scale of a gel may be from the one that fits best at the model's own values."""


def export(
    model: Model | str | Path,
    table: pd.DataFrame | str | Path,
    folder: str | Path,
    free: Iterable[str | Free] = (),
    library: Library | None = None,
) -> Path:
    """Write measurements in the one schema and a model with free parameters as a PEtab version 2 problem.

    Cells start at steady state in full medium; time zero is the start of the last step of a treatment. With a column
    ``gel``, each gel and readout has an unknown scale. With a column ``sd``, noise is normal with those numbers, else
    log-normal with one estimated spread per readout. Scales and spreads start at their best for the model's own values.

    Args:
        model: a bundled name, a path to an ``.ant``, ``.xml`` or ``.sbml`` file, or a model read from one.
        table: measurements, or a CSV file of them.
        folder: where the files go; made when it is missing.
        free: parameters to estimate, by name (bounds: a hundredth to a hundred times the model's own value) or as
            :class:`~pathsim.fitting.free.Free`; ``parameter@cell line`` is estimated for one line only.
        library: drugs and cell lines; default the bundled ones.

    Returns:
        The path of ``problem.yaml``.

    Raises:
        InputError: naming every row, parameter or line that cannot be written; UnsupportedModelError: a model with
            explicit time, whose clock would not restart with each step.
    """
    opened = model if isinstance(model, Model) else load_model(model)
    frame = read_table(table) if isinstance(table, (str, Path)) else check_table(table)
    named = list(free)
    chosen = as_free(named) if named else []
    _refuse(opened, frame)
    writer = _Writer(opened, frame.reset_index(drop=True), chosen, library or default_library())
    return writer.write(Path(folder))


def _refuse(model: Model, table: pd.DataFrame) -> None:
    rules = (*model.assignment_rules, *model.rate_rules, *model.initial_assignments)
    formulas = [rule.math for rule in rules] + [reaction.rate for reaction in model.reactions]
    formulas += [event.trigger for event in model.events]
    if any(node.op == "time" for formula in formulas for node in nodes(formula)):
        raise UnsupportedModelError(
            f"{model.source}: the model uses time itself, which starts anew with each step of a treatment in pathsim "
            "and runs on in PEtab"
        )
    if "censored" in table and table["censored"].any():
        rows = ", ".join(str(row + 2) for row in np.flatnonzero(table["censored"])[:10])
        raise InputError(f"PEtab has no measurements below a detection limit: rows {rows}")


@dataclass
class _Tables:
    """Rows of the PEtab tables."""

    parameters: list[tuple[object, ...]] = field(default_factory=list)
    conditions: list[tuple[object, ...]] = field(default_factory=list)
    experiments: list[tuple[object, ...]] = field(default_factory=list)
    observables: list[tuple[object, ...]] = field(default_factory=list)
    measurements: list[tuple[object, ...]] = field(default_factory=list)


class _Writer:
    """Collects the tables of one problem."""

    def __init__(self, model: Model, table: pd.DataFrame, free: Sequence[Free], library: Library) -> None:
        self.model, self.table, self.free, self.library = model, table, free, library
        self.system = system_of(model)
        self.taken: set[str] = {*model.symbols}
        self.tables = _Tables()
        self.defaults = {
            name: float(value)
            for name, value in zip((*self.system.parameters, *self.system.states), self.system.defaults, strict=True)
            if not math.isnan(value)
        }
        self.dishes = self._dishes()
        self.touched = self._touched()
        self.names = self._free_names()
        self._conditions: dict[tuple[tuple[str, str], ...], str] = {}

    def write(self, folder: Path) -> Path:
        experiments = {pair: self._experiment(dish) for pair, dish in self.dishes.items()}
        self._refuse_idle()
        self._measurements(experiments)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.xml").write_text(_sbml(self.model), encoding="utf-8")
        lines = ["format_version: 2.0.0", "model_files:", f"  {_identifier(self.model.id)}:", "    location: model.xml",
                 "    language: sbml"]  # fmt: skip
        for name, header, rows in (
            ("parameter", "parameterId lowerBound upperBound nominalValue estimate priorDistribution priorParameters",
             self.tables.parameters),
            ("condition", "conditionId targetId targetValue", self.tables.conditions),
            ("experiment", "experimentId time conditionId", self.tables.experiments),
            ("observable", "observableId observableFormula noiseFormula noiseDistribution observablePlaceholders "
             "noisePlaceholders", self.tables.observables),
            ("measurement", "observableId experimentId time measurement observableParameters noiseParameters",
             self.tables.measurements),
        ):  # fmt: skip
            text = ["\t".join(header.split()), *("\t".join(_cell(cell) for cell in row) for row in rows)]
            (folder / f"{name}s.tsv").write_text("\n".join(text) + "\n", encoding="utf-8")
            lines.append(f"{name}_files: [{name}s.tsv]")
        path = folder / "problem.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    # dishes

    def _dishes(self) -> dict[tuple[str, str], Condition]:
        """One condition per cell line and treatment of the table, in order of appearance."""
        problems: list[str] = []
        lines: dict[str, CellLine] = {}
        known = {*self.model.symbols, *self.model.readouts}
        dishes: dict[tuple[str, str], Condition] = {}
        for row, (line, text, readout) in enumerate(
            zip(self.table["cell_line"], self.table["treatment"], self.table["readout"], strict=True)
        ):
            try:
                lines[line] = lines.get(line) or self.library.cell_line(line)
                dishes[line, text] = dishes.get((line, text)) or Condition(lines[line], Treatment.parse(text))
                for name in dishes[line, text].treatment.names:
                    self.library.drug(name)
                if readout not in known:
                    raise unknown("readout", readout, self.model.readouts or known, "(pathsim list readouts)")
            except PathsimError as error:
                problems.append(f"row {row + 2}: {error}")
        raise_together(list(dict.fromkeys(problems))[:20], "table")
        return dishes

    def _touched(self) -> set[str]:
        """Parameters that some dish sets."""
        touched = {PASSAGING} & self.system.slots.keys()
        for dish in self.dishes.values():
            for step in (self._rest, *dish.treatment.steps):
                settings = dish.settings(step, self.defaults, self.library)
                for name in settings:
                    self.system.slot(name)
                touched |= settings.keys()
        return touched | {item.parameter for item in self.free if item.line}

    @property
    def _rest(self) -> Step:
        return FULL_MEDIUM if "serum" in self.defaults else Step(())

    def _free_names(self) -> dict[str, str]:
        """Free parameter -> id in the parameter table: the model's own where no condition sets it."""
        names, problems = {}, []
        lines = {str(dish.cell_line) for dish in self.dishes.values()}
        for item in self.free:
            value = self.defaults.get(item.parameter, math.nan)
            try:
                self.system.slot(item.parameter)
            except InputError as error:
                problems.append(str(error))
                continue
            if item.line and item.line not in lines:
                problems.append(f"{item.name}: {unknown('cell line of the table', item.line, lines)}")
            lower = item.lower if item.lower is not None else value / FOLD
            upper = item.upper if item.upper is not None else value * FOLD
            if not lower < upper:
                problems.append(f"{item.name}: its value in the model is {value:g}, so lower and upper must be given")
                continue
            names[item.name] = item.parameter
            if item.parameter in self.touched:
                names[item.name] = self._new(f"{item.parameter}__{item.line or 'all_lines'}")
            nominal = value if math.isfinite(value) else 0.5 * (lower + upper)
            self.tables.parameters.append(
                (names[item.name], lower, upper, min(max(nominal, lower), upper), "true", *_prior(item))
            )
        raise_together(problems, "free parameters")
        return names

    # periods

    def _experiment(self, dish: Condition) -> str:
        """Writes the periods of a dish: what changes from one to the next, since PEtab keeps the rest."""
        steps = dish.treatment.steps
        starts = [-sum(step.minutes or 0.0 for step in steps[i:-1]) for i in range(len(steps))]
        periods = [(-math.inf, self._settings(dish, self._rest)), *zip(
            starts, (self._settings(dish, step) for step in steps), strict=True)]  # fmt: skip
        if PASSAGING in self.system.slots:
            periods[0][1][PASSAGING] = "1"
        names = self._set_for(dish.cell_line)
        experiment = self._new(_identifier(f"{dish.cell_line}__{dish.treatment}")[:60])
        before: dict[str, str] = {}
        for i, (start, settings) in enumerate(periods):
            now = {name: settings.get(name, _number(self.defaults.get(name, 0.0))) for name in names}
            changes = {name: value for name, value in now.items() if before.get(name) != value}
            medium = " + ".join(map(str, (self._rest, *steps)[i].doses)) or "vehicle"
            text = f"{dish.cell_line} at rest in {medium}" if i == 0 else medium
            self.tables.experiments.append((experiment, start, self._condition(text, changes)))
            before = now
        return experiment

    def _set_for(self, line: CellLine) -> list[str]:
        """Everything that any dish of a line sets: all start from one condition at rest, simulated once."""
        found = {PASSAGING} & self.system.slots.keys()
        for dish in self.dishes.values():
            if dish.cell_line == line:
                for step in (self._rest, *dish.treatment.steps):
                    found |= self._settings(dish, step).keys()
        return sorted(found)

    def _refuse_idle(self) -> None:
        """A free parameter that every line sets to a number of its own changes nothing."""
        used = " ".join(str(value) for *_, value in self.tables.conditions)
        raise_together(
            [f"'{free}' cannot be estimated: the cell lines it applies to set it to numbers of their own"
             for free, name in self.names.items() if free.partition("@")[0] in self.touched
             and not re.search(rf"\b{name}\b", used)],
            "free parameters",
        )  # fmt: skip

    def _condition(self, text: str, settings: Mapping[str, str]) -> str:
        """The id of a condition; equal settings share one. Nothing to set is no condition."""
        if not settings:
            return ""
        key = tuple(sorted(settings.items()))
        if key not in self._conditions:
            self._conditions[key] = name = self._new(_identifier(text)[:60])
            self.tables.conditions += [(name, target, value) for target, value in key]
        return self._conditions[key]

    def _settings(self, dish: Condition, step: Step) -> dict[str, str]:
        """What a dish sets during a step: a number, or a formula of the free parameters it depends on."""
        line = str(dish.cell_line)
        own = {item.parameter: item for item in self.free if item.line == line}
        applying = {item.parameter: item for item in self.free if not item.line} | own
        free = {name: self.names[item.name] for name, item in applying.items() if name in self.touched}
        at = [dish.settings(step, {**self.defaults, **dict.fromkeys(free, x)}, self.library) for x in (0.0, 1.0)]
        found = {}
        for name in at[0].keys() | free.keys():
            offset = at[0].get(name, 0.0)
            factor = at[1].get(name, 1.0) - offset if name in free else 0.0
            found[name] = _number(offset)
            if factor:
                term = free[name] if factor == 1 else f"{_number(factor)} * {free[name]}"
                found[name] = f"{_number(offset)} + {term}" if offset else term
        return found

    # measurements

    def _measurements(self, experiments: Mapping[tuple[str, str], str]) -> None:
        table = self.table
        simulated = self._simulated()
        has_sd = "sd" in table
        if not has_sd:
            bad = np.flatnonzero(~(table["value"] > 0))
            wrong = "must be positive for log-normal noise; give a column sd for normal noise"
            raise_together([f"row {row + 2}: value {table['value'][row]:g} {wrong}" for row in bad], "table")
        for readout, rows in table.groupby("readout", sort=False).groups.items():
            self._readout(str(readout), np.asarray(rows), simulated, experiments, has_sd)

    def _readout(
        self, readout: str, rows: npt.NDArray[np.int64], simulated: FloatArray,
        experiments: Mapping[tuple[str, str], str], has_sd: bool,
    ) -> None:  # fmt: skip
        observable = self._new(f"obs_{readout}")
        measured = self.table["value"].to_numpy(dtype=float)
        scales = self._scales(readout, rows, measured, simulated) if "gel" in self.table else {}
        factor, noise = (self._new(f"{kind}_of_{observable}") for kind in ("scale", "noise"))
        formula = f"{factor} * {readout}" if scales else readout
        sigma = noise if has_sd else self._sigma(readout, rows, measured, simulated, scales)
        self.tables.observables.append(
            (observable, formula, sigma, "normal" if has_sd else "log-normal", factor if scales else "",
             noise if has_sd else "")
        )  # fmt: skip
        for row in rows:
            entry = self.table.loc[row]
            scale = scales[str(entry["gel"])][0] if scales else ""
            experiment = experiments[entry["cell_line"], entry["treatment"]]
            self.tables.measurements.append(
                (observable, experiment, float(entry["time_min"]), float(entry["value"]), scale,
                 float(entry["sd"]) if has_sd else "")
            )  # fmt: skip

    def _simulated(self) -> FloatArray:
        """What the model's own values give for each row."""
        pairs = list(self.dishes)
        readouts = list(dict.fromkeys(self.table["readout"]))
        plan = Plan(
            model=self.model,
            conditions=tuple(self.dishes.values()),
            readouts=tuple(readouts),
            condition=np.array([pairs.index(pair) for pair in zip(self.table["cell_line"], self.table["treatment"],
                                                                  strict=True)]),
            time_min=self.table["time_min"].to_numpy(dtype=float),
            readout=np.array([readouts.index(name) for name in self.table["readout"]]),
        )  # fmt: skip
        return plan.run(self.library)

    def _scales(
        self, readout: str, rows: npt.NDArray[np.int64], measured: FloatArray, simulated: FloatArray
    ) -> dict[str, tuple[str, float]]:
        """A parameter per gel, starting at the ratio of the sums of bands and signals."""
        found = {}
        for gel, lanes in self.table.loc[rows].groupby("gel", sort=False).groups.items():
            bands, signals = measured[lanes].sum(), simulated[lanes].sum()
            start = bands / signals if bands > 0 and signals > 0 else 1.0
            name = self._new(_identifier(f"scale_{readout}_{gel}"))
            self.tables.parameters.append((name, start / SCALE_FOLD, start * SCALE_FOLD, start, "true", "", ""))
            found[str(gel)] = (name, start)
        return found

    def _sigma(
        self, readout: str, rows: npt.NDArray[np.int64], measured: FloatArray, simulated: FloatArray,
        scales: Mapping[str, tuple[str, float]],
    ) -> str:  # fmt: skip
        """The spread of the logarithm, starting at what is left at the model's own values."""
        factors = np.array([scales[str(gel)][1] for gel in self.table["gel"][rows]]) if scales else 1.0
        with np.errstate(all="ignore"):
            left = np.log(measured[rows] / (factors * simulated[rows]))
        start = float(np.sqrt(np.mean(left[np.isfinite(left)] ** 2))) if np.isfinite(left).any() else 0.2
        name = self._new(_identifier(f"sigma_{readout}"))
        self.tables.parameters.append((name, *SIGMA, min(max(start, SIGMA[0]), SIGMA[1]), "true", "", ""))
        return name

    def _new(self, wanted: str) -> str:
        """An id that nothing else has."""
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name


def _prior(item: Free) -> tuple[str, str]:
    """Normal on the scale the parameter is searched on, as PEtab says it of the value."""
    if item.mean is None or item.sd is None:
        return "", ""
    if item.scale == "lin":
        return "normal", f"{item.mean!r};{item.sd!r}"
    return "log-normal", f"{math.log(item.mean)!r};{item.sd * (math.log(10.0) if item.scale == 'log10' else 1.0)!r}"


def _sbml(model: Model) -> str:
    """The SBML text of the file a model was read from."""
    source = Path(model.source)
    if source.suffix == ".ant":
        from ..model.antimony import antimony_to_sbml

        return antimony_to_sbml(source)
    try:
        return source.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None


def _identifier(text: str) -> str:
    """Letters, digits and underscores, not starting with a digit."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


def _number(value: float) -> str:
    return repr(float(value))


def _cell(cell: object) -> str:
    return repr(float(cell)) if isinstance(cell, float) else str(cell)
