"""A thousand mice: how long does a three-arm xenograft study take, and how much does the growth table save?

The rival is this package's own fully coupled integration (pathway, drug and tumour together in every animal) on a
sample of the same mice, scaled to all of them; the largest difference in event times is printed beside.

    python benchmarks/mice.py [--mice 1000] [--sample 16]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import pathsim as ps
from pathsim.invivo.animals import Study, calibrate, event_times
from pathsim.invivo.dosed_cells import prepare
from pathsim.lab import Regimen, default_library, default_pharmacy
from pathsim.lab.host import find_site

ARMS = ["vehicle", "paxalisib 15 mg/kg daily", "paxalisib 15 mg/kg daily + mirdametinib 1 mg/kg daily"]
DAYS = 120.0


def main() -> None:
    """Time the study, then a sample of it coupled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mice", type=int, default=1000, help="per study, spread over the arms")
    parser.add_argument("--sample", type=int, default=16, help="mice per arm followed fully coupled")
    options = parser.parse_args()
    per_arm = options.mice // len(ARMS)
    ps.xenograft("pi3k_mapk", "ATRT", ARMS, 2, 0)  # machine code is made once and kept
    began, used = time.perf_counter(), time.process_time()
    trial = ps.xenograft("pi3k_mapk", "ATRT", ARMS, per_arm, 0, days=DAYS)
    fast, processor = time.perf_counter() - began, time.process_time() - used
    print(f"{len(trial.mice)} mice in {len(ARMS)} arms, {DAYS:g} days: {fast:.2f} s ({processor:.2f} s processor time)")
    library, site = default_library(), find_site(None, "ATRT")
    cells = prepare(ps.load_model("pi3k_mapk"), library.cell_line("ATRT"), ["paxalisib", "mirdametinib"], library)
    study = Study(cells, site, calibrate(cells, site), default_pharmacy(), library)
    began, worst = time.perf_counter(), 0.0
    for text in ARMS:
        regimen = Regimen.parse(text)
        coupled, _ = event_times(study.arm_coupled(regimen, options.sample, DAYS, 0), DAYS)
        table, _ = event_times(study.arm(regimen, options.sample, DAYS, 0), DAYS)
        worst = max(worst, float(np.max(np.abs(table / coupled - 1))))
    slow = (time.perf_counter() - began) * per_arm / options.sample
    print(f"fully coupled, scaled from {options.sample} mice per arm: {slow:.1f} s, {slow / fast:.1f} times as long")
    print(f"largest difference of an event time: {100 * worst:.2f} %")


if __name__ == "__main__":
    main()
