"""Fit a small ERBB model to measured westerns from start to finish: data, multi-start fit, profiles, predictions.

Data: western blots of MCF7 and SKBR3 under EGF or heregulin (10 nM), three replicates on gels of unknown gain
(H. Imoto, S. Yamashiro and M. Okada, iScience 25, 103944 (2022); Apache-2.0, pasmopy/breast_cancer). The table is not
part of pathsim: the example reads ../shared/data/calibration/imoto2022_erbb_westerns, or the folder given.

    python examples/fit_westerns.py [folder with western_raw.csv] [-o figures]
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small matrices: the cores are for the starts

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import pathsim as ps
from pathsim.plot.fit import draw_blot_fit, draw_fit, draw_profiles

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data" / "calibration" / "imoto2022_erbb_westerns"
FREE = (
    "k_EGF", "k_HRG", "k_loss_EGFR", "k_loss_ERBB3", "basal_AKT", "basal_ERK", "k_EGFR_AKT", "k_ERBB3_AKT",
    "k_EGFR_ERK", "k_ERBB3_ERK", "k_off_AKT", "k_off_ERK", "k_feedback", "strength", "EGFR_total@SKBR3",
    "ERBB3_total@SKBR3",
)  # fmt: skip
SHOWN = ("k_loss_EGFR", "k_loss_ERBB3", "k_off_AKT", "k_off_ERK", "k_feedback", "strength", "EGFR_total@SKBR3",
         "ERBB3_total@SKBR3")  # fmt: skip


def blots(folder: Path) -> pd.DataFrame:
    """The published densitometry in the one table schema: a gel per line and replicate."""
    raw = pd.read_csv(folder / "western_raw.csv")
    raw = raw[raw["readout"].isin(["pAkt", "pERK"])]
    return pd.DataFrame(
        {
            "cell_line": raw["cell_line"],
            "treatment": raw["ligand"] + " 10 nM",
            "time_min": raw["time_min"].astype(float),
            "readout": raw["readout"],
            "value": raw["densitometry_au"],
            "gel": raw["cell_line"] + " " + raw["replicate"].astype(str),
            "replicate": raw["replicate"],
        }
    )


def shelf() -> ps.Library:
    """The two ligands and two lines of the experiment."""
    ligands = {name: ps.Drug(name, kind="ligand", per_nM={name: 1.0}) for name in ("EGF", "HRG")}
    return ps.Library(ligands, {name: ps.CellLine(name) for name in ("MCF7", "SKBR3")}, {})


def main() -> None:
    from pathsim.estimation.curves import curves

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    parser.add_argument("-o", "--output", type=Path, default=Path("figures"))
    parser.add_argument("--starts", type=int, default=10)
    chosen = parser.parse_args()
    if not (chosen.folder / "western_raw.csv").exists():
        sys.exit(f"no data: {chosen.folder / 'western_raw.csv'} does not exist (see the first lines of this file)")
    chosen.output.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - began:6.1f} s  {text}", file=sys.stderr)

    problem = ps.blot_problem(HERE / "data" / "erbb.ant", blots(chosen.folder), FREE, library=shelf())
    fit = ps.fit(problem, starts=chosen.starts, report=lambda s: say(f"start {s.number}: {-s.value:.2f}"))
    say(fit.summary)
    draw_fit(fit).savefig(chosen.output / "fit_westerns_search.png", dpi=150)
    report = ps.identifiability_report(fit)
    print(report)
    print(report.table[["sd", "kind", "meaning"]].tail(4).to_string(index=False))
    profiles = ps.profile(fit, SHOWN, report=lambda p: say(f"{p.name}: {p.verdict}"))
    draw_profiles(profiles).savefig(chosen.output / "fit_westerns_profiles.png", dpi=150)
    # intervals: the range of predictions over every parameter vector on the profiles that the data allow
    predictions = np.array([curves(problem, theta)["predicted"] for theta in profiles.ensemble().theta])
    ends = predictions.min(axis=0), predictions.max(axis=0)
    figure = draw_blot_fit(problem.predicted(fit.theta), curves(problem, fit.theta), ends)
    figure.savefig(chosen.output / "fit_westerns_bands.png", dpi=150)
    print(profiles.table.round(4).to_string(index=False))
    say("done")


if __name__ == "__main__":
    main()
