"""A virtual trial of paxalisib in glioblastoma beside GBM-AGILE: the primary analysis first, then what was assumed.

python examples/gbm_trial.py [gbm_trial.png]
"""

from __future__ import annotations

import sys

import pathsim as ps
from pathsim.invivo.trial import ASSUMPTIONS, COHORTS
from pathsim.plot.trial import draw_trial


def main(target: str) -> None:
    """Simulate both cohorts, print reported numbers above simulated ones, draw the newly diagnosed."""
    for name in COHORTS:
        trial = ps.virtual_trial("pi3k_mapk", name, trials=100, sets=ps.load_parameter_sets()[:10])
        print(f"{name}, {trial.cohort.regimen}")
        for row in trial.summary().itertuples():
            interval = "" if row.low is None or row.low != row.low else f" ({row.low:.2f} to {row.high:.2f})"
            print(
                f"  {row.row}: {row.treated_months:.2f} against {row.control_months:.2f} months, "
                f"hazard ratio {row.hazard_ratio:.2f}{interval}; {row.what}"
            )
        shares = trial.compatible()
        said = "no simulated trial agrees with it"
        if shares is not None:
            low, high = (f"{100 * share:.0f}" for share in shares)
            said = f"agrees with trials in which {low} to {high} % of the effect in cells carries over"
        print(f"  {trial.cohort.reported[0].analysis}: {said}")
        if name == "newly diagnosed":
            draw_trial(trial).savefig(target, dpi=160)
    print("Assumed:", *ASSUMPTIONS, sep="\n  ")
    print(f"wrote {target}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "gbm_trial.png")
