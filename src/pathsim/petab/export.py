"""Blots and free parameters as a PEtab version 2 problem that other tools can fit.

Everything done to a cell is arithmetic on the parameter vector, so a cell line under a treatment is a row of periods
and a period a list of parameters: export is a rename. What a fit in pathsim solves for (scale, offset, background,
half saturation, size of noise) becomes parameters that start at their best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, UnsupportedModelError
from ..estimation.blot_objective import BACKGROUND_BOUNDS, SATURATION_BOUNDS, Antibody, BlotObjective
from ..estimation.blots import Densitometry, blots_of
from ..estimation.densitometry import SMALLEST_SIGMA, Solved
from ..estimation.free import FreeParameter, as_free_parameters
from ..estimation.objective import natural
from ..lab import Condition, Library, Treatment
from ..model import Model, load_model
from ..model.maths import nodes
from ..model.sbml_export import sbml_text
from .export_periods import Periods, Tables, identifier

if TYPE_CHECKING:
    import pandas as pd

LARGEST_SIGMA = 5.0
"""An estimated spread of the logarithm that is no information at all."""
FOLD = 1e4
"""How far a scale, an offset or the size of normal noise may be from where it starts."""
HEADERS = {
    "parameter": "parameterId lowerBound upperBound nominalValue estimate priorDistribution priorParameters",
    "condition": "conditionId targetId targetValue",
    "experiment": "experimentId time conditionId",
    "observable": "observableId observableFormula noiseFormula noiseDistribution observablePlaceholders "
    "noisePlaceholders",
    "measurement": "observableId experimentId time measurement observableParameters noiseParameters",
}


def export(
    model: Model | str | Path,
    table: pd.DataFrame | str | Path,
    folder: str | Path,
    free: Iterable[str | FreeParameter] = (),
    library: Library | None = None,
    densitometry: Densitometry | None = None,
) -> Path:
    """Write measurements in the one schema and a model with free parameters as a PEtab version 2 problem.

    Cells start at steady state in full medium; time zero is the start of the last step of a treatment. With a column
    ``gel``, each gel and readout has an unknown scale, and loading controls divide the bands of their lane; without
    one, values are in the units of the model. Noise is log-normal with an estimated spread per readout, or normal where
    ``densitometry`` says so or the table has a column ``sd``. The read-back problem has the log-likelihood of
    :func:`pathsim.blot_problem` at the model's own values.

    Args:
        model: a bundled name, a path to an ``.ant``, ``.xml`` or ``.sbml`` file, or a model read from one.
        table: measurements, or a CSV file of them.
        folder: where the files go; made when it is missing.
        free: parameters to estimate, by name (bounds: a hundredth to a hundred times the model's own value) or as
            :class:`~pathsim.estimation.free.FreeParameter`; ``parameter@cell line`` is estimated for one line only.
        library: drugs and cell lines; default the bundled ones.
        densitometry: noise, background and saturation.

    Returns:
        The path of ``problem.yaml``.

    Raises:
        InputError: naming every row, parameter or line that cannot be written, bands below detection among them, which
            PEtab has no form for; UnsupportedModelError: a model with explicit time, whose clock would not restart with
            each step.
    """
    opened = model if isinstance(model, Model) else load_model(model)
    _refuse_clock(opened)
    given = _columns(table)
    named = list(free)
    objective = blots_of(opened, table, as_free_parameters(named) if named else [], densitometry, library=library)
    return export_objective(objective, folder, scaled="gel" in given)


def export_objective(
    objective: BlotObjective, folder: str | Path, theta: FloatArray | None = None, scaled: bool = True
) -> Path:
    """Write a blot problem as :func:`export` does, starting at ``theta`` (default: the model's own values).

    ``scaled``: whether bands have an unknown scale per gel, as in fits they do.
    """
    _refuse_clock(objective.model)
    _refuse_censored(objective)
    tables = Tables({*objective.model.symbols})
    at = objective.nominal if theta is None else np.asarray(theta, dtype=float)
    pairs = list(dict.fromkeys(zip(objective.bands["cell_line"], objective.bands["treatment"], strict=True)))
    dishes = [Condition(objective.lines[line], Treatment.parse(text)) for line, text in pairs]
    periods = Periods(objective.dishes.system, dishes, objective.free, objective.dishes.library, tables)
    values = natural(at[: len(objective.free)], tuple(item.scale for item in objective.free))
    for item, value in zip(objective.free, values.tolist(), strict=True):
        assert item.lower is not None
        assert item.upper is not None
        within = min(max(value, item.lower), item.upper)
        tables.parameters.append((periods.names[item.name], item.lower, item.upper, within, "true", *_prior(item)))
    experiments = dict(zip(pairs, periods.write(), strict=True))
    _Bands(objective, at, tables, scaled).write([experiments[pair] for pair in zip(
        objective.bands["cell_line"], objective.bands["treatment"], strict=True)])  # fmt: skip
    return _files(Path(folder), objective.model, tables)


def _columns(table: pd.DataFrame | str | Path) -> set[str]:
    import pandas as pd

    if not isinstance(table, (str, Path)):
        return set(table.columns)
    try:
        return set(pd.read_csv(table, nrows=0, skipinitialspace=True).columns)
    except (OSError, ValueError):  # said by whoever reads the whole
        return set()


def _refuse_clock(model: Model) -> None:
    rules = (*model.assignment_rules, *model.rate_rules, *model.initial_assignments)
    formulas = [rule.math for rule in rules] + [reaction.rate for reaction in model.reactions]
    formulas += [event.trigger for event in model.events]
    if any(node.op == "time" for formula in formulas for node in nodes(formula)):
        raise UnsupportedModelError(
            f"{model.source}: the model uses time itself, which starts anew with each step of a treatment in pathsim "
            "and runs on in PEtab"
        )


def _refuse_censored(objective: BlotObjective) -> None:
    below = objective.bands.index[objective.bands["censored"].to_numpy(dtype=bool)]
    if len(below):
        shown = ", ".join(map(str, below[:10])) + (f" and {len(below) - 10} more" if len(below) > 10 else "")
        raise InputError(
            f"rows {shown}: PEtab has no measurements below a detection limit; leave these rows out to export the rest"
        )


class _Bands:
    """Observables and measurements, with the parameters that only they know."""

    def __init__(self, objective: BlotObjective, theta: FloatArray, tables: Tables, scaled: bool) -> None:
        self.objective, self.theta, self.tables, self.scaled = objective, theta, tables, scaled
        self.solved, self.films = objective.solved(theta), objective.films(theta)

    def write(self, experiments: list[str]) -> None:
        """Everything; ``experiments`` has the experiment of each band."""
        for antibody in self.objective.antibodies:
            self._antibody(antibody, self.solved[antibody.name], experiments)

    def _antibody(self, antibody: Antibody, solved: Solved, experiments: list[str]) -> None:
        observable = self.tables.new(f"obs_{antibody.name}")
        placeholders, per_gel = self._per_gel(antibody, solved, observable)
        formula = self._formula(antibody)
        if self.scaled:
            formula = f"{placeholders[0]} * {formula}" + (f" + {placeholders[1]}" if len(placeholders) > 1 else "")
        known = antibody.sd is not None and not self.objective.is_log_normal
        noise = self.tables.new(f"noise_of_{observable}") if known else self._sigma(antibody, solved)
        self.tables.observables.append(
            (observable, formula, noise, "log-normal" if self.objective.is_log_normal else "normal",
             ";".join(placeholders), noise if known else "")
        )  # fmt: skip
        times = self.objective.bands["time_min"].to_numpy(dtype=float)
        for i, row in enumerate(antibody.rows):
            sd = float(antibody.sd[i]) if known and antibody.sd is not None else ""
            self.tables.measurements.append(
                (observable, experiments[row], float(times[row]), float(antibody.value[i]),
                 per_gel[antibody.gel[i]], sd)
            )  # fmt: skip

    def _per_gel(self, antibody: Antibody, solved: Solved, observable: str) -> tuple[list[str], list[str]]:
        """Placeholders of what differs between gels, and for each gel the parameters in their place."""
        if not self.scaled:
            return [], [""] * len(antibody.gels)
        has_offset = antibody.background and not self.objective.is_log_normal
        kinds = ["scale", "offset"] if has_offset else ["scale"]
        filled = []
        for g, gel in enumerate(antibody.gels):
            names = []
            for kind in kinds:
                start = float((solved.scale if kind == "scale" else solved.offset)[g])
                typical = float(np.mean(antibody.value[antibody.gel == g]))
                if kind == "scale":
                    start = start if start > 0 else typical / max(float(self.films[antibody.name].mean()), 1e-12)
                    lower, upper = start / FOLD, start * FOLD
                else:
                    lower, upper = 0.0, FOLD * max(start, typical)
                names.append(self.tables.new(f"{kind}_{antibody.name}_{gel}"))
                self.tables.parameters.append((names[-1], lower, upper, start, "true", "", ""))
            filled.append(";".join(names))
        return [self.tables.new(f"{kind}_of_{observable}") for kind in kinds], filled

    def _formula(self, antibody: Antibody) -> str:
        """What is on the film before its scale: the readout, with background and saturation where there are any."""
        formula = antibody.name
        for kind, (low, high) in (("background", BACKGROUND_BOUNDS), ("saturation", SATURATION_BOUNDS)):
            if f"{kind}:{antibody.name}" not in self.objective.names:
                continue
            position = self.objective.names.index(f"{kind}:{antibody.name}")
            unit = self.objective.typical[antibody.name]
            name = self.tables.new(f"{kind}_{antibody.name}")
            ends = [unit * 10.0**end for end in (low, high, float(self.theta[position]))]
            self.tables.parameters.append((name, *ends, "true", "", ""))
            formula = f"({formula} + {name})" if kind == "background" else f"({formula} / (1 + {formula} / {name}))"
        return formula

    def _sigma(self, antibody: Antibody, solved: Solved) -> str:
        """An estimated size of the noise, starting at its best."""
        best = solved.sigma
        if not self.scaled:
            film = self.films[antibody.name]
            left = np.log(antibody.value / film) if self.objective.is_log_normal else antibody.value - film
            best = float(np.sqrt(np.mean(left[np.isfinite(left)] ** 2))) if np.isfinite(left).any() else 0.2
        if self.objective.is_log_normal:
            lower, upper = SMALLEST_SIGMA, LARGEST_SIGMA
        else:
            lower, upper = best / FOLD, best * FOLD
        name = self.tables.new(f"sigma_{antibody.name}")
        self.tables.parameters.append((name, lower, upper, min(max(best, lower), upper), "true", "", ""))
        return name


def _files(folder: Path, model: Model, tables: Tables) -> Path:
    """Write the model, the tables and the file that names them; returns the path of the last."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.xml").write_text(sbml_text(model), encoding="utf-8")
    lines = ["format_version: 2.0.0", "model_files:", f"  {identifier(model.id)}:", "    location: model.xml",
             "    language: sbml"]  # fmt: skip
    for name, header in HEADERS.items():
        rows = getattr(tables, f"{name}s")
        text = ["\t".join(header.split()), *("\t".join(_cell(cell) for cell in row) for row in rows)]
        (folder / f"{name}s.tsv").write_text("\n".join(text) + "\n", encoding="utf-8")
        lines.append(f"{name}_files: [{name}s.tsv]")
    path = folder / "problem.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _prior(item: FreeParameter) -> tuple[str, str]:
    """Normal on the scale the parameter is searched on, as PEtab says it of the value."""
    if item.mean is None or item.sd is None:
        return "", ""
    if item.scale == "lin":
        return "normal", f"{item.mean!r};{item.sd!r}"
    return "log-normal", f"{math.log(item.mean)!r};{item.sd * (math.log(10.0) if item.scale == 'log10' else 1.0)!r}"


def _cell(cell: object) -> str:
    return repr(float(cell)) if isinstance(cell, float) else str(cell)


__all__ = ["export", "export_objective"]
