"""PI3K inhibition raises glucose, insulin answers and drives the tumour again: diet and SGLT2 inhibitor against it.

Directions after Hopkins 2018 Nature; every size in the host is an estimate.

python examples/hyperglycaemia.py [hyperglycaemia.png]
"""

from __future__ import annotations

import sys

import pathsim as ps
from pathsim.experiments.ensemble import on_lines
from pathsim.plot.glucose import draw_glucose


def main(target: str) -> None:
    """One study and the same under ten parameter sets that fit the calibration about as well, summary, figure."""
    study_of = on_lines(
        lambda lines: ps.glucose_insulin_study("pi3k_mapk", lines[0], "paxalisib 15 mg/kg daily"), ["ATRT"]
    )
    found = ps.prediction_intervals(study_of, [{}, *ps.load_parameter_sets()[:10]])
    study = found.best
    print(f"{study.line}, {study.regimen}")
    print(study.summary.round(3).to_string(index=False))
    draw_glucose(study, others=found.sample).savefig(target, dpi=160)
    print(f"wrote {target}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "hyperglycaemia.png")
