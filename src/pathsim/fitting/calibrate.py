"""``python -m pathsim.fitting.calibrate DATA_FOLDER``: fit the bundled model to the measured tables and write it back.

Writes into the models folder (or ``--into``): the values in ``pi3k_mapk.ant`` and ``cell_lines.toml``,
``constants.csv`` (value, 95 % interval, and how much narrower than the prior, per constant), ``goodness.csv`` (fit per
table) and ``ensemble.csv`` (parameter sets that fit as well).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..lab import default_library
from ..model import load_model, models_folder
from .calibration import Calibration, Experiments, descend, ensemble, free_constants, posterior_sd, start
from .calibration_data import read_calibration

if TYPE_CHECKING:
    import pandas as pd

IDENTIFIED = 0.8
"""A constant counts as informed by the data when its posterior is narrower than this share of its prior."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, report on stderr, write."""
    parser = argparse.ArgumentParser(
        prog="python -m pathsim.fitting.calibrate", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("data", type=Path, help="folder with the measured tables, one folder each")
    parser.add_argument("--into", type=Path, default=models_folder(), help="where the results are written")
    parser.add_argument(
        "--rounds", type=int, default=3, help="most Jacobians; Levenberg-Marquardt with Broyden updates between them"
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
    write_values(state, constants, models_folder(), options.into)
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


_CONSTANT = re.compile(
    r"^(?P<name>[A-Za-z_]\w*) = [-+0-9.eE]+;\s*// (?P<unit>[^|]*) \| (?P<kind>estimate|calibrated): (?P<text>.*)$"
)


def write_values(state: Calibration, constants: pd.DataFrame, source: Path, into: Path) -> None:
    """Write the values and their uncertainty into the comments of the model and into the lines that were fitted."""
    rows = {str(row["name"]): row for row in constants.to_dict("records")}
    lines = []
    for line in (source / "pi3k_mapk.ant").read_text(encoding="utf-8").splitlines():
        match = _CONSTANT.match(line)
        if match and match["name"] in rows:
            row = rows[match["name"]]
            fold = float(row["high"] / row["value"])
            text = re.sub(r"\s*\(start [^)]*\)$", "", match["text"])
            head = f"{match['name']} = {row['value']:.3g};".ljust(32)
            known = f"within {fold:.2g} fold" if row["identified"] else "not informed by the data"
            line = f"{head} // {match['unit']} | calibrated: {text} (start {row['start']:g}, {known})"
        lines.append(line)
    (into / "pi3k_mapk.ant").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = (source / "cell_lines.toml").read_text(encoding="utf-8")
    for item, value in zip(state.constants, np.exp(state.x), strict=True):
        if item.line:
            table = re.escape(f"[line.{item.line}.set]")
            text = re.sub(
                rf"({table}(?:\n(?!\[).*)*?\n{item.name} = \{{ value = )[-+0-9.eE]+", rf"\g<1>{value:.3g}", text
            )
    (into / "cell_lines.toml").write_text(text, encoding="utf-8")


def write_ensemble(state: Calibration, size: int, seed: int, path: Path) -> None:
    """Draw and write parameter sets, one row each, one column per constant."""
    import pandas as pd

    sets, shortened = ensemble(state, size, seed)
    _say(f"{size} parameter sets; draws were shortened to {shortened:.2g} of the Laplace approximation")
    frame = pd.DataFrame([state.settings(x) for x in sets])
    header = (f"# {size} parameter sets whose misfit is within 10 % of the best; seed {seed}; draws from the Laplace\n"
              f"# approximation shortened by {shortened:.2g}. name@line is the value for one cell line.\n")  # fmt: skip
    path.write_text(header + frame.to_csv(index=False, float_format="%.4g"), encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
