"""``python -m pathsim.calibration.calibrate DATA_FOLDER``: fit the bundled model to the tables, write it back.

Writes into the models folder (or ``--into``): the values in ``pi3k_mapk.ant`` and ``cell_lines.toml`` (among them the
speed of the cell cycle that gives every line its doubling time), ``constants.csv`` (value, 95 % interval, and how much
narrower than the prior, per constant), ``goodness.csv`` (fit per table) and ``ensemble.csv`` (parameter sets that fit
as well).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import PathsimError, SimulationError
from ..estimation.optimise import QuasiNewton
from ..estimation.perturbed import perturbed_fits
from ..estimation.problem import Problem
from ..estimation.search import fit
from ..files import write_whole
from ..lab import default_library
from ..model import load_model, models_folder
from ..workers import Workers, add_workers, chosen
from .problem import Constant, calibration_problem, free_constants, is_of_model, prior_centres
from .tables import Targets, read_targets
from .write_back import write_back

if TYPE_CHECKING:
    import pandas as pd

SEARCH = QuasiNewton(tolerance=0.02)
RESTARTS = 1
"""Values found under older tables lie in a valley of their own; half way back to the priors the way is open."""
IDENTIFIED = 0.8
"""A constant counts as informed by the data when its posterior is narrower than this share of its prior."""
FARTHEST = 0.15
"""Sets whose misfit exceeds that of the best fit by more than this share of it are left out of the ensemble."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, report on stderr, write."""
    parser = argparse.ArgumentParser(
        prog="python -m pathsim.calibration.calibrate", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("data", type=Path, help="folder with the measured tables, one folder each")
    parser.add_argument("--into", type=Path, default=models_folder(), help="where the results are written")
    parser.add_argument("--from-priors", action="store_true", help="begin at the prior centres, not the shipped values")
    parser.add_argument("--sets", type=int, default=60, help="parameter sets in the ensemble; 0 writes none")
    parser.add_argument("--seed", type=int, default=0)
    add_workers(parser)
    options = parser.parse_args(arguments)
    try:
        workers = chosen(options.workers, options.dask)
        calibrate(options.data, options.into, options.from_priors, options.sets, options.seed, workers)
    except PathsimError as error:
        sys.exit(f"pathsim: {error}")


def calibrate(
    data: Path, into: Path, from_priors: bool = False, sets: int = 60, seed: int = 0, workers: Workers = None
) -> None:
    """Fit the bundled model to the tables in the folder ``data`` and write everything that follows into ``into``.

    Raises :class:`InputError` for tables that are missing or say something else than ``calibration.toml`` expects.
    """
    began = time.perf_counter()
    model, library = load_model("pi3k_mapk"), default_library()
    targets = read_targets(models_folder() / "calibration.toml", data)
    constants = free_constants(model, library, targets)
    problem = calibration_problem(model, library, targets, constants)
    first = prior_centres(problem, constants) if from_priors else problem.theta
    _say(f"{len(constants)} free constants, {problem.n_measurements} numbers; {_told(problem, first)}")
    found = fit(problem, 1, workers=1, optimiser=SEARCH, first=[first], restarts=RESTARTS, watch=_say)
    _say(f"{_told(problem, found.theta)} after {time.perf_counter() - began:.0f} s: {found.best.message}")
    table, goodness = constants_table(problem, found.theta, constants), goodness_table(problem, found.theta, targets)
    into.mkdir(parents=True, exist_ok=True)
    write_whole(into / "constants.csv", table.to_csv(index=False, float_format="%.4g"))
    write_whole(into / "goodness.csv", goodness.to_csv(index=False, float_format="%.3g"))
    write_back(table, models_folder(), into, _say)
    _say(goodness.to_string(index=False))
    _say(f"{int(table['identified'].sum())} of {len(table)} constants are informed by the data")
    if sets:
        write_whole(into / "ensemble.csv", ensemble_text(problem, found.theta, targets, sets, seed, workers))
    _say(f"{time.perf_counter() - began:.0f} s in all")


def constants_table(problem: Problem, theta: FloatArray, constants: Sequence[Constant]) -> pd.DataFrame:
    """One row per free constant: ``name, start, value, low, high, share_of_prior, identified`` (95 % intervals).

    Intervals are those of the normal approximation of the posterior. Raises :class:`SimulationError` where the best
    fit cannot be differentiated.
    """
    import pandas as pd

    derivatives = problem.objective().derivatives(theta)
    if derivatives.failure:
        raise SimulationError(f"the best fit cannot be evaluated: {derivatives.failure}")
    places = [problem.parameter_ids.index(item.name) for item in constants]
    value, sd = np.exp(theta)[places], np.sqrt(np.diag(np.linalg.inv(derivatives.fisher)))[places]
    prior = np.array([item.sd for item in constants])
    return pd.DataFrame(
        {
            "name": [item.name for item in constants],
            "start": [item.prior for item in constants],
            "value": value,
            "low": value * np.exp(-1.96 * sd),
            "high": value * np.exp(1.96 * sd),
            "share_of_prior": sd / prior,
            "identified": sd / prior < IDENTIFIED,
        }
    )


def goodness_table(problem: Problem, theta: FloatArray, targets: Targets) -> pd.DataFrame:
    """Fit per table: ``table, numbers, mean_squared_residual`` (in units of the error stated in calibration.toml).

    Residuals beyond three errors count as in the fit, see :func:`squares`.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {"table": [item.table for item in targets.numbers], "squared": squares(problem, theta, targets)}
    )
    grouped = frame.groupby("table", sort=False)["squared"]
    return pd.DataFrame({"numbers": grouped.size(), "mean_squared_residual": grouped.mean()}).reset_index()


def squares(problem: Problem, theta: FloatArray, targets: Targets) -> FloatArray:
    """Squared residuals (numbers,), those beyond three errors as they count in the fit."""
    z = problem.agreement(theta)["residual"].to_numpy(dtype=float)
    density = [item.observable.family.density for item in targets.numbers]
    return np.array([2.0 * float(one.loss(value)) for one, value in zip(density, z, strict=True)])


def ensemble_text(problem: Problem, theta: FloatArray, targets: Targets, size: int, seed: int, workers: Workers) -> str:
    """Fits to perturbed data as a CSV, one row each, one column per constant."""
    import pandas as pd

    least = 0.5 * float(squares(problem, theta, targets).sum())
    fits = perturbed_fits(problem, theta, size, seed, workers, farthest=FARTHEST * least, report=_say)
    frame = pd.DataFrame(np.exp(fits.theta), columns=list(problem.parameter_ids))
    frame = frame[[name for name in problem.parameter_ids if is_of_model(name)]]
    low, middle, high = 1.0 + np.quantile(fits.misfit, [0.0, 0.5, 1.0]) / least
    header = (
        f"# {len(frame)} parameter sets, each fitted to data and priors with one draw of noise added (randomise, then\n"
        f"# optimise); seed {seed}; {fits.refused} refused for their misfit. Misfit to the data as measured, over\n"
        f"# that of the best fit: {low:.3f} to {high:.3f}, median {middle:.3f}. name@line is for one cell line.\n"
    )
    return header + frame.to_csv(index=False, float_format="%.4g")


def _told(problem: Problem, theta: FloatArray) -> str:
    return f"log likelihood {problem.log_likelihood(theta):.1f}, log posterior {problem.log_posterior(theta):.1f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
