"""``python -m pathsim.calibration.leave_out DATA_FOLDER RESULTS``: each line of the drug panel, predicted without it.

The bundled model is fitted again without any measured number of one cell line, from the shipped values on; the line
then has what its sources say, and the requirement that gives it its doubling time. ``--keep-blots`` leaves its blots in
the fit and takes out its growth only. ``RESULTS`` gets one file a line, and a run that was stopped does the rest;
once all lines are there, ``panel.csv`` (area over the GR curve, measured, in the fit and left out, with intervals),
``blots.csv`` and ``summary.csv``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, SimulationError, unknown
from ..estimation.optimise import Ledger, QuasiNewton, quasi_newton
from ..estimation.problem import Problem
from ..estimation.questions import alone
from ..experiments.readings import Reading, take_readings
from ..files import read_toml, write_whole
from ..lab import Library, default_library
from ..lab.protocols import protocols
from ..made_on import go_on_in
from ..model import Model, load_model, models_folder
from ..stats import growth_rate
from ..threads import Workers
from ..workers import finished
from .command import command, errors_in_a_line, hands, say
from .problem import calibration_problem, free_constants, of_model, whole_problem
from .tables import FLUORESCENCE, FULL_MEDIUM, GROWTH, Entry, Targets, read_targets
from .write_back import Doubling, doubling_constants, doublings

if TYPE_CHECKING:
    import pandas as pd

SEARCH = QuasiNewton(tolerance=0.1, most=40)
LEVEL = 0.9
"""Share of the measured values that intervals should hold."""
NORMAL = 1.6448536269514722
"""Half the width of the interval of that level, in standard deviations."""
POOLED = 5.0
"""So many lines' worth of what drugs err by on average steadies what one drug errs by on few lines."""


@dataclass(frozen=True)
class Panel:
    """Measured areas over the GR curve (``measured``: drugs in rows, lines in columns, as pathsim names them), and the
    doses (nM) of each drug."""

    measured: pd.DataFrame
    doses: Mapping[str, FloatArray]
    minutes: float

    def simulated(self, model: Model, line: str, constants: Mapping[str, float], library: Library) -> FloatArray:
        """Areas over the GR curve of every drug in one line, (drugs,), on the logarithm of the dose and per decade.
        ``constants`` may hold potencies of drugs."""
        count = protocols().names.cell_count
        control = [Reading(line, FULL_MEDIUM, at, count) for at in (0.0, self.minutes)]
        treated = [
            Reading(line, f"{FULL_MEDIUM} + {drug} {dose:.6g} nM", self.minutes, count)
            for drug, doses in self.doses.items()
            for dose in doses
        ]
        counts = take_readings(model, [*control, *treated], [of_model(constants)], library.with_potencies(constants))[0]
        gr = growth_rate.values(counts[2:], control=counts[1], start=counts[0])
        ends = np.cumsum([len(doses) for doses in self.doses.values()])[:-1]
        curves = zip(self.doses.values(), np.split(gr, ends), strict=True)
        return np.array([growth_rate.area_over(doses, curve) for doses, curve in curves])


def read_panel(config: Path, data: Path) -> Panel:
    """The drug panel that ``[panel]`` of ``calibration.toml`` names. Raises :class:`InputError` where it is missing."""
    import pandas as pd

    content = read_toml(config)
    spec = content["panel"]
    entry = next(one for one in content["table"] if one["id"] == spec["table"])
    path = data / spec["table"] / spec["file"]
    if not path.is_file():
        raise InputError(f"{path}: no such file; the README says where the table comes from")
    frame = pd.read_csv(path)
    areas = frame.pivot_table(index="generic_name", columns="cell_line", values="GR_AOC")
    drugs, lines = entry["treatments"], entry["lines"]
    measured = areas.loc[list(drugs), list(lines)].rename(index=drugs, columns=lines)
    doses = {name: np.geomspace(*Entry(entry).doses_of(key), spec["doses"]) for key, name in drugs.items()}
    return Panel(measured, doses, 60.0 * spec["hours"])


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The job of one line: fit without it, predict it. Constants of which nothing is said are those of the files."""

    model: Model
    library: Library
    targets: Targets
    whole: Problem
    panel: Panel
    own: Mapping[str, Doubling]
    keep_blots: bool

    def __call__(self, line: str) -> tuple[dict[str, Any], str]:
        """What the file of a line holds, and a sentence about it."""
        began = time.perf_counter()
        kept = [item for item in self.targets.numbers if not self.is_out(line, item.row.place.cell_line, item)]
        targets = replace(self.targets, numbers=tuple(kept))
        constants = free_constants(self.model, self.library, targets)
        problem = calibration_problem(self.model, self.library, targets, constants)
        objective, start = problem.objective(), problem.theta
        derivatives = objective.derivatives(start)
        if derivatives.failure:
            raise SimulationError(f"without {line} the shipped values cannot be evaluated: {derivatives.failure}")
        ended = alone(objective, quasi_newton(Ledger(objective), start, SEARCH, derivatives.fisher))
        found = dict(zip(problem.parameter_ids, np.exp(ended.theta).tolist(), strict=True))
        for one, value in doubling_constants(self.model, [self.own[line]], say, of_model(found)).items():
            key = f"{one.name}@{one.cell_line}"
            found[key if key in self.whole.parameter_ids else one.name] = (
                value  # the reference line has the general one
            )
        result = {
            "line": line,
            "numbers_left_out": len(self.targets.numbers) - len(kept),
            "log_posterior_gained": float(objective.value(start)[0] - ended.value),
            "ended": ended.message,
            "constants": found,
            "panel": self.panel.simulated(self.model, line, found, self.library).tolist(),
            "blots": blot_errors(self.whole, vector(self.whole, found), self.targets, line),
        }
        return result, (
            f"{line}: {result['numbers_left_out']} numbers left out, log posterior of the others "
            f"{result['log_posterior_gained']:+.1f}, {ended.message}, {time.perf_counter() - began:.0f} s"
        )

    def is_out(self, line: str, place: str, item: Any) -> bool:
        """Whether a number of the cell line ``place`` is left out with ``line``."""
        return place == line and (not self.keep_blots or item.observable.family == GROWTH)


def vector(problem: Problem, constants: Mapping[str, float]) -> FloatArray:
    """``constants`` as parameters of the whole problem, those that are not told as shipped."""
    known = {name: value for name, value in constants.items() if name in problem.parameter_ids}
    return problem.vector(problem.on_scale(known))


def blot_errors(problem: Problem, theta: FloatArray, targets: Targets, line: str) -> dict[str, list[float]]:
    """By table, the log2 of simulated over measured of one line's bands and folds (scales solved for), infinite where
    nothing is left above the background."""
    table = problem.agreement(theta)
    ratio = table["simulation"].to_numpy(dtype=float) / table["measurement"].to_numpy(dtype=float)
    logs = np.log2(ratio, out=np.full(len(ratio), math.inf), where=ratio > 0)
    errors: dict[str, list[float]] = {}
    for item, value in zip(targets.numbers, logs, strict=True):
        measured = item.row.side == 0 and item.observable.family == FLUORESCENCE
        if item.row.place.cell_line == line and measured and not item.table.startswith("literature"):
            errors.setdefault(item.table, []).append(float(value))
    return errors


def leave_out(
    data: Path,
    folder: Path,
    lines: Sequence[str] = (),
    keep_blots: bool = False,
    workers: Workers = None,
    any_processor: bool = False,
) -> pd.DataFrame:
    """Fit without each line in turn and predict it; write what the module says into ``folder``; the summary.

    Raises :class:`InputError` for a line that is not in the panel, for tables that are missing, and for a folder that
    was made on another processor unless it may be ``any_processor``.
    """
    config = models_folder() / "calibration.toml"
    model, library = load_model("pi3k_mapk"), default_library()
    targets, panel = read_targets(config, data), read_panel(config, data)
    all_lines = [str(name) for name in panel.measured.columns]
    for name in lines:
        if name not in all_lines:
            raise unknown("cell line", name, all_lines, "in the panel")
    text = (models_folder() / "cell_lines.toml").read_text(encoding="utf-8")
    own = {one.cell_line: one for one in doublings(text) if one.name == targets.line_constant}
    for entry in read_toml(config)["growth"]:
        if "doubling_h" in entry and entry["cell_line"] not in own:
            line = str(entry["cell_line"])
            own[line] = Doubling(-1, line, targets.line_constant, float(entry["doubling_h"]))
    folder.mkdir(parents=True, exist_ok=True)
    go_on_in(folder, any((folder / f"{name}.json").is_file() for name in all_lines), any_processor)
    missing = [name for name in lines or all_lines if not (folder / f"{name}.json").is_file()]
    whole = whole_problem(model, library, targets)
    job = LeftOut(model, library, targets, whole, panel, own, keep_blots)
    for done, (place, (result, told)) in enumerate(finished(job, missing, workers, any_processor), 1):
        write_whole(folder / f"{missing[place]}.json", json.dumps(result, indent=1))
        say(f"{done} of {len(missing)}: {told}")
    left = [name for name in all_lines if not (folder / f"{name}.json").is_file()]
    if left:
        raise InputError(f"{folder}: not done yet: {', '.join(left)}")
    results = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in all_lines}
    table = panel_table(panel, results, {name: panel.simulated(model, name, {}, library) for name in all_lines})
    blots = blots_table(whole, targets, results)
    summary = summary_table(table, blots)
    for name, frame in (("panel", table), ("blots", blots), ("summary", summary)):
        write_whole(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.4g"))
    return summary


def panel_table(panel: Panel, results: Mapping[str, Any], in_fit: Mapping[str, FloatArray]) -> pd.DataFrame:
    """One row per drug and line: ``drug, cell_line, measured, in_fit, left_out, low, high, median, median_low,
    median_high``, the last three those of the other lines' measured values, a prediction that knows no biology.

    Intervals are normal, around the prediction; their width follows from the errors of the same drug in the other
    lines, steadied by those of all drugs there, each line predicted without itself.
    """
    import pandas as pd

    drugs, lines = list(panel.measured.index), list(panel.measured.columns)
    measured = panel.measured.to_numpy(dtype=float)
    left_out = np.array([results[name]["panel"] for name in lines]).T
    fitted = np.array([in_fit[name] for name in lines]).T
    rows = []
    for j, line in enumerate(lines):
        others = np.delete(measured, j, axis=1)
        errors = others - np.delete(left_out, j, axis=1)
        plain, middle = others - _medians(others), np.nanmedian(others, axis=1)
        for i, drug in enumerate(drugs):
            half, plain_half = NORMAL * _spread(errors, i), NORMAL * _spread(plain, i)
            own = left_out[i, j]
            ends = [own, own - half, own + half, middle[i], middle[i] - plain_half, middle[i] + plain_half]
            rows.append([drug, line, measured[i, j], fitted[i, j], *ends])
    columns = ["drug", "cell_line", "measured", "in_fit", "left_out", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "median", "median_low", "median_high"])


def _medians(values: FloatArray) -> FloatArray:
    """Of each row (a drug), the median of the other columns (lines), for every column."""
    return np.stack([np.nanmedian(np.delete(values, j, axis=1), axis=1) for j in range(values.shape[1])], axis=1)


def _spread(errors: FloatArray, drug: int) -> float:
    """What a drug errs by in lines (root mean square of a row of ``errors``), steadied by what all drugs do."""
    own = errors[drug][np.isfinite(errors[drug])]
    return math.sqrt((float((own**2).sum()) + POOLED * float(np.nanmean(errors**2))) / (len(own) + POOLED))


def blots_table(problem: Problem, targets: Targets, results: Mapping[str, Any]) -> pd.DataFrame:
    """``cell_line, table, numbers, in_fit, left_out``: medians of the absolute log2 of simulated over measured."""
    import pandas as pd

    rows = []
    for line, result in results.items():
        inside = blot_errors(problem, problem.theta, targets, line)
        for table, errors in result["blots"].items():
            medians = [float(np.median(np.abs(one))) for one in (inside[table], errors)]
            rows.append([line, table, len(errors), *medians])
    return pd.DataFrame(rows, columns=["cell_line", "table", "numbers", "in_fit", "left_out"])


def summary_table(table: pd.DataFrame, blots: pd.DataFrame) -> pd.DataFrame:
    """``quantity, in_fit, left_out, median_of_the_other_lines`` of a panel table and a table of blots."""
    import pandas as pd

    ranks = {column: _rank_correlations(table, column) for column in ("in_fit", "left_out")}
    rows: list[list[Any]] = [
        ["rank correlation over lines, mean of drugs", *(float(one.mean()) for one in ranks.values()), math.nan]
    ]
    rows += [[f"rank correlation over lines, {drug}", ranks["in_fit"][drug], ranks["left_out"][drug], math.nan]
             for drug in ranks["in_fit"].index]  # fmt: skip
    errors = [float((table[one] - table["measured"]).abs().mean()) for one in ("in_fit", "left_out", "median")]
    rows.append(["mean absolute error of GR_AOC", *errors])
    between = [_between_drugs(table, one) for one in ("in_fit", "left_out")]
    rows.append(["drug-drug correlations, mean absolute difference", *between, math.nan])
    for name, number in (("coverage", _covered), ("width", _width), ("interval score", _score)):
        text = f"{LEVEL:.0%} intervals: {name}"
        rows.append([text, math.nan, number(table, "low", "high"), number(table, "median_low", "median_high")])
    weighed = [float(np.average(blots[one], weights=blots["numbers"])) for one in ("in_fit", "left_out")]
    rows.append(["blots: median absolute log2 error, mean over tables", *weighed, math.nan])
    return pd.DataFrame(rows, columns=["quantity", "in_fit", "left_out", "median_of_the_other_lines"])


def _rank_correlations(table: pd.DataFrame, column: str) -> pd.Series[float]:
    by_drug = table.groupby("drug", sort=False)[["measured", column]]
    return by_drug.apply(lambda own: float(own["measured"].rank().corr(own[column].rank())))


def _between_drugs(table: pd.DataFrame, column: str) -> float:
    """How far correlations between drugs over lines are from the measured ones, on average over pairs."""
    matrices = [table.pivot_table(index="cell_line", columns="drug", values=one).corr() for one in ("measured", column)]
    pairs = np.triu_indices(len(matrices[0]), 1)
    return float(np.nanmean(np.abs(matrices[0].to_numpy() - matrices[1].to_numpy())[pairs]))


def _covered(table: pd.DataFrame, low: str, high: str) -> float:
    known = table[table["measured"].notna()]
    return float(((known["measured"] >= known[low]) & (known["measured"] <= known[high])).mean())


def _width(table: pd.DataFrame, low: str, high: str) -> float:
    return float((table[high] - table[low]).median())


def _score(table: pd.DataFrame, low: str, high: str) -> float:
    """Mean interval score (T. Gneiting and A. E. Raftery, J. Am. Stat. Assoc. 102, 359 (2007)); less is better."""
    below, above = (table[low] - table["measured"]).clip(lower=0.0), (table["measured"] - table[high]).clip(lower=0.0)
    return float((table[high] - table[low] + 2.0 / (1.0 - LEVEL) * (below + above)).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Leave lines out, report on stderr, print the summary."""
    parser = command("leave_out", __doc__, "the results")
    parser.add_argument("--lines", nargs="+", default=(), help="lines of the panel to leave out; all unless given")
    parser.add_argument("--keep-blots", action="store_true", help="leave only the growth of the line out")
    options = parser.parse_args(arguments)
    with errors_in_a_line():
        asked = (options.data, options.results, options.lines, options.keep_blots)
        summary = leave_out(*asked, hands(options), options.any_processor)
    print(summary.to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
