"""``python -m pathsim.calibration.posterior DATA_FOLDER RESULTS``: parameter sets that fit about as well.

Each is a fit to data and priors with one draw of noise added (randomise, then optimise) that begins at the shipped
values. ``RESULTS`` keeps every set as it is found, and a run that was stopped makes the rest; then ``ensemble.csv`` is
written into the models folder (or ``--into``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..errors import SimulationError
from ..estimation.problem import Problem
from ..files import only_user, write_whole
from ..lab import default_library
from ..model import load_model, models_folder
from ..threads import Workers
from .calibrate import squares
from .command import command, errors_in_a_line, hands, say
from .legs import take_up
from .problem import best_of_effects, is_of_model, whole_problem
from .sets import kept_fits
from .tables import Targets, read_targets

FARTHEST = 0.15
"""Sets whose misfit exceeds that of the best fit by more than this share of it are left out of the ensemble."""


def posterior(
    data: Path,
    folder: Path,
    into: Path,
    sets: int = 60,
    seed: int = 0,
    workers: Workers = None,
    any_processor: bool = False,
) -> None:
    """Make parameter sets that fit the tables in ``data`` about as well as the shipped values, kept in ``folder``, and
    write ``ensemble.csv`` into ``into``.

    Raises :class:`InputError` for tables that are missing, and for a folder of another problem, or made on another
    processor unless it may be ``any_processor``. :class:`SimulationError`: the shipped values cannot be evaluated.
    """
    model, library = load_model("pi3k_mapk"), default_library()
    targets = read_targets(models_folder() / "calibration.toml", data)
    problem = whole_problem(model, library, targets)
    theta = best_of_effects(problem)
    say(f"{problem.n_measurements} numbers; log likelihood {problem.log_likelihood(theta):.1f}")
    with only_user(folder, "a sample"):
        take_up(folder, problem.objective(), any_processor)
        text = ensemble_text(problem, theta, targets, sets, seed, folder, workers, any_processor)
    into.mkdir(parents=True, exist_ok=True)
    write_whole(into / "ensemble.csv", text)


def ensemble_text(
    problem: Problem,
    theta: FloatArray,
    targets: Targets,
    size: int,
    seed: int,
    folder: Path,
    workers: Workers,
    any_processor: bool = False,
) -> str:
    """Fits to perturbed data as a CSV, one row each, one column per constant; ``folder`` keeps what has been fitted."""
    least = 0.5 * float(squares(problem, theta, targets).sum())
    path = folder / f"sets_of_seed_{seed}.jsonl"
    fits = kept_fits(path, problem, theta, size, seed, workers, say, any_processor)
    return sets_text(problem, fits.theta, 1.0 + fits.misfit / least, f"seed {seed}")


def sets_text(problem: Problem, thetas: FloatArray, misfit: FloatArray, made: str) -> str:
    """Vectors (n, d) as a CSV of constants, without those whose ``misfit`` (n,), over that of the best fit, is too
    large; ``made`` says how they were made.

    Raises :class:`SimulationError` where that leaves none.
    """
    import pandas as pd

    kept = misfit <= 1.0 + FARTHEST
    if not kept.any():
        raise SimulationError(f"no set is within {FARTHEST:.0%} of the misfit of the best fit")
    frame = pd.DataFrame(np.exp(thetas[kept]), columns=list(problem.parameter_ids))
    frame = frame[[name for name in problem.parameter_ids if is_of_model(name)]]
    low, middle, high = np.quantile(misfit[kept], [0.0, 0.5, 1.0])
    header = (
        f"# {len(frame)} parameter sets, each fitted to data and priors with one draw of noise added (randomise, then\n"
        f"# optimise); {made}; {int((~kept).sum())} refused for their misfit. Misfit to the data as measured, over\n"
        f"# that of the best fit: {low:.3f} to {high:.3f}, median {middle:.3f}. name@line is for one cell line.\n"
    )
    return header + frame.to_csv(index=False, float_format="%.4g")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the sets, report on stderr, write."""
    parser = command("posterior", __doc__, "the sets")
    parser.add_argument("--into", type=Path, default=models_folder(), help="where the ensemble is written")
    parser.add_argument("--sets", type=int, default=60, help="parameter sets in the ensemble")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with errors_in_a_line():
        asked = (options.data, options.results, options.into, options.sets, options.seed)
        posterior(*asked, hands(options), options.any_processor)


if __name__ == "__main__":
    main()
