"""``python -m pathsim.calibration.converge DATA_FOLDER RESULTS``: do independent fits of the bundled model agree?

The fit is done from several starts drawn from the priors, and around each optimum parameter sets are made by fits to
perturbed data (randomise, then optimise), each with noise of its own: every start is a chain. Where chains agree, the
spread between their means is no larger than the spread within them (R-hat of what they predict, below 1.05).

``RESULTS`` keeps every leg of a search and every set as it ends, and a run that was stopped does the rest. It gets
``optima.csv`` (a row per start), ``convergence.csv`` (a row per family of predictions: panel, doublings, other growth,
each table of blots), ``at_bounds.csv`` (constants at a bound) and ``ensemble.csv`` (the sets of all starts together).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from ..estimation.optimise import QuasiNewton
from ..estimation.perturbed import PerturbedFits
from ..estimation.problem import Problem
from ..estimation.sample import r_hat
from ..files import only_user, write_whole
from ..lab import default_library
from ..model import load_model, models_folder
from ..threads import Workers
from .calibrate import squares
from .command import command, errors_in_a_line, hands, say
from .legs import Leg, searched, told
from .posterior import sets_text
from .problem import bound_of, whole_problem
from .sets import kept_fits
from .starts import drawn_starts, prior_widths
from .tables import GROWTH, Targets, read_targets

if TYPE_CHECKING:
    import pandas as pd

SETTLED = QuasiNewton(tolerance=0.1, most=60, renew=60)
"""Of a fit to perturbed data: until a tenth of a unit of log likelihood is no longer to be had."""
MOST_STARTS = 1000
AGREE = 1.05
"""R-hat below which chains agree (A. Gelman et al., Bayesian Data Analysis, 3rd edition, 11.4)."""
DOUBLINGS = "doublings per day"


def chain(
    problem: Problem,
    optimum: FloatArray,
    start: int,
    draws: int,
    folder: Path,
    seed: int,
    workers: Workers,
    any_processor: bool = False,
) -> PerturbedFits:
    """``draws`` parameter sets around the optimum of a start, by fits to perturbed data whose noise no other start
    shares; ``folder`` keeps them."""

    def report(line: str) -> None:
        say(f"start {start}: {line}")

    path, own = folder / f"sets_{start}.jsonl", MOST_STARTS * seed + start
    return kept_fits(path, problem, optimum, draws, own, workers, report, any_processor, SETTLED)


def pooled(problem: Problem, targets: Targets, optima: Sequence[FloatArray], sets: Sequence[PerturbedFits]) -> str:
    """The sets around all optima as one ensemble, whose spread holds that between the optima; a CSV. Misfits are over
    that of the optimum that fits the data best."""
    fits = [problem.log_likelihood(theta) for theta in optima]
    best = int(np.argmax(fits))
    least = 0.5 * float(squares(problem, optima[best], targets).sum())
    misfit = np.concatenate([one.misfit + fits[best] - own for one, own in zip(sets, fits, strict=True)])
    thetas = np.concatenate([one.theta for one in sets])
    return sets_text(problem, thetas, 1.0 + misfit / least, f"around {len(optima)} independent optima")


# ------------------------------------------------------------------------------------------------------- what is told


def predictions(problem: Problem, targets: Targets, theta: FloatArray) -> FloatArray:
    """What is predicted for every measured number (numbers,), scales of blots solved for: logarithms of bands, folds
    and levels, growth as it is."""
    simulated = problem.agreement(theta)["simulation"].to_numpy(dtype=float)
    log = np.array([item.observable.family != GROWTH for item in targets.numbers])
    return np.where(log, np.log(np.maximum(simulated, 1e-12)), simulated)


def families(targets: Targets) -> list[str]:
    """Of every number the family of predictions that it belongs to: its table, or "doublings per day"."""
    return [DOUBLINGS if item.observable.id.startswith(DOUBLINGS) else item.table for item in targets.numbers]


def convergence_table(values: FloatArray, errors: FloatArray, names: Sequence[str]) -> pd.DataFrame:
    """One row per family and one for all: ``family, predictions, agree, r_hat_median, r_hat_95, r_hat_most, between,
    within``.

    ``values`` (draws, starts, numbers), ``errors`` (numbers,) those stated for the measured numbers, ``names`` their
    families. ``agree`` is the share of predictions whose R-hat is below 1.05; ``between`` and ``within`` are medians of
    the standard deviations of means of starts, and of sets of one start, in stated errors. What no set moves agrees and
    counts nowhere.
    """
    import pandas as pd

    found = np.array([r_hat(values[:, :, i]) for i in range(values.shape[2])])
    between = values.mean(axis=0).std(axis=0, ddof=1) / errors
    within = np.sqrt(values.var(axis=0, ddof=1).mean(axis=0)) / errors
    labels = np.array(names)
    rows = []
    for family in (*dict.fromkeys(names), "all"):
        own = np.isfinite(found) & ((labels == family) | (family == "all"))
        if not own.any():
            continue
        quantiles = np.quantile(found[own], [0.5, 0.95, 1.0])
        middle = [float(np.median(one[own])) for one in (between, within)]
        rows.append([family, int(own.sum()), float((found[own] < AGREE).mean()), *quantiles.tolist(), *middle])
    columns = ["family", "predictions", "agree", "r_hat_median", "r_hat_95", "r_hat_most", "between", "within"]
    return pd.DataFrame(rows, columns=columns)


def at_bounds(names: Sequence[str], thetas: Sequence[FloatArray], lower: FloatArray, upper: FloatArray) -> pd.DataFrame:
    """Constants at a bound: ``name, bound, value, starts``, the last how many of the ``thetas`` end there."""
    import pandas as pd

    rows = []
    for i, name in enumerate(names):
        found = [bound_of(theta[i], lower[i], upper[i]) for theta in thetas]
        for bound, end in (("lower", lower[i]), ("upper", upper[i])):
            if bound in found:
                rows.append([name, bound, math.exp(end), found.count(bound)])
    return pd.DataFrame(rows, columns=["name", "bound", "value", "starts"])


def optima_table(problem: Problem, searches: Sequence[Sequence[Leg]], begins: Sequence[FloatArray]) -> pd.DataFrame:
    """One row per start: ``start, begin, log_posterior, log_likelihood, steps, minutes, ended, from_best``.

    ``begin`` is the log posterior where it began, ``minutes`` are of processor time, ``from_best`` is the root mean
    square distance to the best optimum in standard deviations of the priors.
    """
    import pandas as pd

    objective = problem.objective()
    best = min((legs[-1] for legs in searches), key=lambda leg: leg.value).vector
    sd = prior_widths(problem)
    rows = []
    for number, (legs, begin) in enumerate(zip(searches, begins, strict=True), 1):
        last = legs[-1]
        rows.append(
            {
                "start": number,
                "begin": -objective.value(begin)[0],
                "log_posterior": -last.value,
                "log_likelihood": problem.log_likelihood(last.vector),
                "steps": sum(leg.steps for leg in legs),
                "minutes": sum(leg.seconds for leg in legs) / 60,
                "ended": last.message,
                "from_best": float(np.sqrt(np.mean(((last.vector - best) / sd) ** 2))),
            }
        )
    return pd.DataFrame(rows)


def converge(
    data: Path,
    folder: Path,
    starts: int = 4,
    draws: int = 15,
    seed: int = 0,
    workers: Workers = None,
    any_processor: bool = False,
) -> pd.DataFrame:
    """Fit from ``starts`` draws of the priors, make ``draws`` parameter sets around each optimum and write what the
    module says into ``folder``; the table of convergence.

    Raises :class:`InputError` for fewer than two starts or draws, for tables that are missing, and for a folder of
    another problem, or made on another processor unless it may be ``any_processor``.
    """
    if not 2 <= starts < MOST_STARTS or draws < 2:
        raise InputError(f"2 to {MOST_STARTS - 1} starts and at least 2 draws are needed, not {starts} and {draws}")
    model, library = load_model("pi3k_mapk"), default_library()
    targets = read_targets(models_folder() / "calibration.toml", data)
    problem = whole_problem(model, library, targets)
    with only_user(folder, "a search"):
        begins = drawn_starts(problem, starts, seed)
        named = {f"seed {seed}, start {number}": begin for number, begin in enumerate(begins, 1)}
        search = searched(problem.objective(), named, folder, workers=workers, any_processor=any_processor, tell=say)
        legs = list(search.values())
        for one in legs:
            say(told(one))
        optima = [one[-1].vector for one in legs]
        for name, frame in (
            ("optima", optima_table(problem, legs, begins)),
            ("at_bounds", at_bounds(problem.parameter_ids, optima, problem.lower, problem.upper)),
        ):
            write_whole(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.5g"))
            say(frame.to_string(index=False))
        sets = [
            chain(problem, one, number, draws, folder, seed, workers, any_processor)
            for number, one in enumerate(optima, 1)
        ]
        write_whole(folder / "ensemble.csv", pooled(problem, targets, optima, sets))
        values = np.array([[predictions(problem, targets, theta) for theta in one.theta] for one in sets])
        errors = np.array([item.row.sd for item in targets.numbers])
        table = convergence_table(values.swapaxes(0, 1), errors, families(targets))
        write_whole(folder / "convergence.csv", table.to_csv(index=False, float_format="%.4g"))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, draw, print the table of convergence."""
    parser = command("converge", __doc__, "the results")
    parser.add_argument("--starts", type=int, default=4, help="independent fits")
    parser.add_argument("--draws", type=int, default=15, help="parameter sets around each optimum")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with errors_in_a_line():
        asked = (options.data, options.results, options.starts, options.draws, options.seed)
        table = converge(*asked, hands(options), options.any_processor)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
