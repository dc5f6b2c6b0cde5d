"""Paxalisib with and without mirdametinib in AT/RT mice: simulated survival with the published medians beside.

The published study: median 40 days untreated, 54 days under paxalisib (p = 0.001), longer in combination. Only the
untreated median is used here (growth in the animal is calibrated to it); exposure of mice to paxalisib rests on
estimates, and the doses of the published arms are a range (20 to 60 mg/kg). Read the order of the arms, not the days.

python examples/paxalisib_survival.py [paxalisib_survival.png]
"""

from __future__ import annotations

import sys

import pathsim as ps
from pathsim.experiments.ensemble import on_lines
from pathsim.plot.xenograft import draw_xenograft
from pathsim.workflow.study_intervals import median_interval

ARMS = ["vehicle", "paxalisib 20 mg/kg daily", "paxalisib 20 mg/kg daily + mirdametinib 1 mg/kg daily"]
PUBLISHED_DAYS = {"vehicle": 40.0, "paxalisib 20 mg/kg daily": 54.0}


def main(target: str) -> None:
    """Run the study at the size of the published one, then ask how many mice it needed."""
    study = on_lines(lambda lines: ps.xenograft("pi3k_mapk", lines[0], ARMS, mice=8, seed=0), ["ATRT"])
    found = ps.prediction_intervals(study, [{}, *ps.load_parameter_sets()[:10]])
    trial = found.best
    for row in trial.summary().itertuples():
        beside = PUBLISHED_DAYS.get(row.arm)
        median, spread = trial.survival[row.arm].median, median_interval(found.sample, row.arm)
        print(
            f"{row.arm}: median {median}, {spread} over the sets"
            + (f"; published {beside:g} days" if beside else "; published: longer than paxalisib alone")
        )
    print(f"paxalisib against vehicle: {trial.log_rank(ARMS[1])}; published p = 0.001")
    print(f"combination against paxalisib: {trial.log_rank(ARMS[2], ARMS[1])}")
    print(*trial.notes, sep="\n")
    large = ps.xenograft("pi3k_mapk", "ATRT", ARMS[:2], mice=300, seed=1)
    print("power of the log-rank test, paxalisib against vehicle:")
    print(ps.logrank_power(large, sizes=(3, 4, 6, 8, 10)).to_string(index=False))
    draw_xenograft(trial, found.sample).savefig(target, dpi=160)
    print(f"wrote {target}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "paxalisib_survival.png")
