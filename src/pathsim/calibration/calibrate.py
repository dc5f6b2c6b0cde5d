"""``python -m pathsim.calibration.calibrate DATA_FOLDER RESULTS``: fit the bundled model to the tables, write it back.

``RESULTS`` keeps every leg of the search as it ends: a run that was stopped goes on there, and ends where it would
have ended. Writes into the models folder (or ``--into``): the values in ``pi3k_mapk.ant``, ``drugs.toml`` and
``cell_lines.toml`` (among them what gives every line its doubling time), ``constants.csv`` (value, 95 % interval, how
much narrower than the prior, and the bound it is at, per constant) and ``goodness.csv`` (fit per table).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import SimulationError
from ..estimation.problem import Problem
from ..files import only_user, write_whole
from ..lab import default_library
from ..model import load_model, models_folder
from ..threads import Workers
from .command import command, errors_in_a_line, hands, say
from .legs import Leg, searched
from .problem import Constant, best_of_effects, bound_of, calibration_problem, free_constants, prior_centres
from .starts import drawn_starts
from .tables import Targets, read_targets
from .write_back import write_back

if TYPE_CHECKING:
    import pandas as pd

IDENTIFIED = 0.8
"""A constant counts as informed by the data when its posterior is narrower than this share of its prior."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, report on stderr, write."""
    parser = command("calibrate", __doc__, "the search")
    parser.add_argument("--into", type=Path, default=models_folder(), help="where constants and tables are written")
    parser.add_argument("--from-priors", action="store_true", help="begin at the prior centres, not the shipped values")
    parser.add_argument(
        "--starts", type=int, default=1, help="searches; those after the first begin at draws of the priors"
    )
    parser.add_argument("--seed", type=int, default=0, help="of those draws")
    options = parser.parse_args(arguments)
    with errors_in_a_line():
        asked = (options.data, options.results, options.into, options.from_priors, options.starts, options.seed)
        calibrate(*asked, hands(options), options.any_processor)


def calibrate(
    data: Path,
    folder: Path,
    into: Path,
    from_priors: bool = False,
    starts: int = 1,
    seed: int = 0,
    workers: Workers = None,
    any_processor: bool = False,
) -> None:
    """Fit the bundled model to the tables in the folder ``data`` and write everything that follows into ``into``.

    ``folder`` keeps the search; a run that was stopped goes on there. Raises :class:`InputError` for tables that are
    missing or say something else than ``calibration.toml`` expects, and as :func:`.legs.searched`.
    """
    began = time.perf_counter()
    model, library = load_model("pi3k_mapk"), default_library()
    targets = read_targets(models_folder() / "calibration.toml", data)
    constants = free_constants(model, library, targets)
    problem = calibration_problem(model, library, targets, constants)
    first = prior_centres(problem, constants) if from_priors else best_of_effects(problem)
    say(f"{len(constants)} free constants, {problem.n_measurements} numbers; {_told(problem, first)}")
    begins = {"prior centres" if from_priors else "shipped values": first}
    begins |= {f"seed {seed}, start {i}": one for i, one in enumerate(drawn_starts(problem, starts - 1, seed), 1)}
    theta = point_fit(problem, begins, folder, workers, any_processor)
    say(f"{_told(problem, theta)} after {time.perf_counter() - began:.0f} s")
    table, goodness = constants_table(problem, theta, constants), goodness_table(problem, theta, targets)
    into.mkdir(parents=True, exist_ok=True)
    write_whole(into / "constants.csv", table.to_csv(index=False, float_format="%.4g"))
    write_whole(into / "goodness.csv", goodness.to_csv(index=False, float_format="%.3g"))
    write_back(table, models_folder(), into, say)
    say(goodness.to_string(index=False))
    say(f"{int(table['identified'].sum())} of {len(table)} constants are informed by the data")
    for row in table[table["at_bound"] != ""].to_dict("records"):
        say(f"{row['name']} is at its {row['at_bound']} bound, {row['value']:.3g}")
    say(f"{time.perf_counter() - began:.0f} s in all")


def point_fit(
    problem: Problem,
    begins: Mapping[str, FloatArray],
    folder: Path,
    workers: Workers = 1,
    any_processor: bool = False,
) -> FloatArray:
    """The best of searches from ``begins``, and of one more from half way between the best of them and the middle of
    the bounds: values found under older tables lie in a valley of their own, from there the way is open."""
    objective = problem.objective()

    def best(begins: Mapping[str, FloatArray]) -> Leg:
        found = searched(objective, begins, folder, workers=workers, any_processor=any_processor, tell=say)
        return min((legs[-1] for legs in found.values()), key=lambda leg: leg.value)

    with only_user(folder, "a search"):
        first = best(begins)
        half = 0.5 * (first.vector + 0.5 * (problem.lower + problem.upper))
        again = best({f"{first.search}, again from half way": half})
    return min(first, again, key=lambda leg: leg.value).vector


def constants_table(problem: Problem, theta: FloatArray, constants: Sequence[Constant]) -> pd.DataFrame:
    """One row per free constant: ``name, start, value, low, high, share_of_prior, identified, at_bound``.

    Intervals (95 %) are those of the normal approximation of the posterior; ``at_bound`` is ``lower``, ``upper`` or
    empty. Raises :class:`SimulationError` where the best fit cannot be differentiated.
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
            "at_bound": [bound_of(theta[i], problem.lower[i], problem.upper[i]) for i in places],
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


def _told(problem: Problem, theta: FloatArray) -> str:
    return f"log likelihood {problem.log_likelihood(theta):.1f}, log posterior {problem.log_posterior(theta):.1f}"


if __name__ == "__main__":
    main()
