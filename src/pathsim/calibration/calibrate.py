"""``python -m pathsim.calibration.calibrate DATA_FOLDER``: fit the bundled model to the tables, write it back.

Writes into the models folder (or ``--into``): the values in ``pi3k_mapk.ant`` and ``cell_lines.toml`` (among them the
speed of the cell cycle that gives every line its doubling time), ``constants.csv`` (value, 95 % interval, and how much
narrower than the prior, per constant), ``goodness.csv`` (fit per table) and ``ensemble.csv`` (parameter sets that fit
as well).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..lab import default_library
from ..model import load_model, models_folder
from .calibration import Calibration, Experiments, descend, free_constants, posterior_sd, start
from .calibration_data import read_calibration
from .perturbed_fits import perturbed_fits
from .write_back import write_back

if TYPE_CHECKING:
    import pandas as pd

IDENTIFIED = 0.8
"""A constant counts as informed by the data when its posterior is narrower than this share of its prior."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, report on stderr, write."""
    parser = argparse.ArgumentParser(
        prog="python -m pathsim.calibration.calibrate", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("data", type=Path, help="folder with the measured tables, one folder each")
    parser.add_argument("--into", type=Path, default=models_folder(), help="where the results are written")
    parser.add_argument(
        "--rounds", type=int, default=5, help="most Jacobians; Levenberg-Marquardt with Broyden updates between them"
    )
    parser.add_argument("--sets", type=int, default=60, help="parameter sets in the ensemble; 0 writes none")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    model, library = load_model("pi3k_mapk"), default_library()
    data = read_calibration(models_folder() / "calibration.toml", options.data)
    experiments = Experiments(model, library, data)
    state = start(experiments, free_constants(model, library, data))
    _say(f"{len(state.constants)} free constants, {len(experiments.tables())} numbers; cost {state.cost:.1f}")
    state = descend(state, options.rounds, _say)
    constants, goodness = constants_table(state), goodness_table(state)
    options.into.mkdir(parents=True, exist_ok=True)
    constants.to_csv(options.into / "constants.csv", index=False, float_format="%.4g")
    goodness.to_csv(options.into / "goodness.csv", index=False, float_format="%.3g")
    write_back(state, constants, models_folder(), options.into, _say)
    _say(goodness.to_string(index=False))
    _say(f"{int(constants['identified'].sum())} of {len(constants)} constants are informed by the data")
    if options.sets:
        write_ensemble(state, options.sets, options.seed, options.into / "ensemble.csv")


def constants_table(state: Calibration) -> pd.DataFrame:
    """One row per free constant: ``name, start, value, low, high, share_of_prior, identified`` (95 % intervals)."""
    import pandas as pd

    value, sd = np.exp(state.x), posterior_sd(state)
    prior = np.array([item.sd for item in state.constants])
    return pd.DataFrame({
        "name": [item.label for item in state.constants],
        "start": [item.prior for item in state.constants],
        "value": value,
        "low": value * np.exp(-1.96 * sd),
        "high": value * np.exp(1.96 * sd),
        "share_of_prior": sd / prior,
        "identified": sd / prior < IDENTIFIED,
    })  # fmt: skip


def goodness_table(state: Calibration) -> pd.DataFrame:
    """Fit per table: ``table, numbers, mean_squared_residual`` (in units of the error stated in calibration.toml)."""
    import pandas as pd

    residuals = state.residuals[: -len(state.constants)]
    frame = pd.DataFrame({"table": state.experiments.tables(), "squared": residuals**2})
    grouped = frame.groupby("table", sort=False)["squared"]
    return pd.DataFrame({"numbers": grouped.size(), "mean_squared_residual": grouped.mean()}).reset_index()


def write_ensemble(state: Calibration, size: int, seed: int, path: Path) -> None:
    """Fit to perturbed data and write the parameter sets, one row each, one column per constant."""
    import pandas as pd

    fits = perturbed_fits(state, size, seed, _say)
    frame = pd.DataFrame([state.settings(x) for x in fits.sets])
    low, middle, high = np.quantile(fits.misfit, [0.0, 0.5, 1.0])
    header = (
        f"# {len(frame)} parameter sets, each fitted to data and priors with one draw of noise added (randomise, then\n"
        f"# optimise); seed {seed}; {fits.refused} refused for their misfit. Misfit to the data as measured, over\n"
        f"# that of the best fit: {low:.3f} to {high:.3f}, median {middle:.3f}. name@line is for one cell line.\n"
    )
    path.write_text(header + frame.to_csv(index=False, float_format="%.4g"), encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
