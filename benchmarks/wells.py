"""A million wells: how long does a screen nobody can pipette take, what memory, and how many times faster than a loop?

The screen: four lines (wild type and three resistance mechanisms), two drugs at n x n doses in full medium, 72 h, read
at the end, written as a table in chunks. The rival is libRoadRunner (CVODE) in a Python loop on a sample of the same
wells, from the same steady state, same relative tolerance. Memory is the peak of the process; it is measured for a
tenth of the wells too, to show that it does not grow with their number.

    python benchmarks/wells.py [--wells 1000000] [--workers 2] [--format parquet] [--rival 100]
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import pathsim as ps

LINES = ["T47D", "T47D+PTEN_loss", "T47D+mTORC1_hyper", "T47D+MAPK_up"]
HOURS = 72


def content(wells: int, format: str, readout: str) -> dict[str, object]:
    """The sweep, with about so many wells."""
    side = max(2, round(math.sqrt(wells / len(LINES))))
    return {
        "cell_lines": LINES,
        "times": f"{HOURS} h",
        "readouts": [readout],
        "doses": {"alpelisib": f"1 nM .. 10 uM x {side}", "mirdametinib": f"0.1 nM .. 1 uM x {side}"},
        "output": {"format": format, "wells_per_chunk": 10_000},
    }


def sweep(wells: int, workers: int, format: str, readout: str) -> None:
    """Run one sweep in this process and print what it took."""
    spec = ps.sweep.make_spec(content(wells, format, readout))
    with tempfile.TemporaryDirectory() as folder:
        spec.design.read(0, 16)  # compiled before the clock starts: the machine code is cached between runs anyway
        started, cpu = time.perf_counter(), time.process_time()
        done = ps.sweep.run(spec, Path(folder) / "out", workers=workers)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        size = sum(path.stat().st_size for path in (Path(folder) / "out").iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{done.wells:>9,} wells, {workers} threads: {wall:7.1f} s wall, {done.wells / wall:8,.0f} wells/s, "
        f"{1e6 * cpu / done.wells:6.1f} us of processor per well, peak {peak:5.0f} MB, table {size / 1e6:.0f} MB, "
        f"{done.failed} failed"
    )


def rival(wells: int, readout: str) -> None:
    """Processor time per well of both on a sample of the same wells, one core each, and how far apart they read."""
    import roadrunner

    from pathsim.experiments.timecourse import system_of
    from pathsim.model import bundled_models
    from pathsim.model.reading import read_sbml_text
    from pathsim.solve import run_rows, settle_rows

    spec = ps.sweep.make_spec(content(1_000_000, "csv", readout))
    design, system = spec.design, system_of(spec.design.model)
    numbers = np.random.default_rng(0).choice(design.wells, wells, replace=False)
    sample = np.sort(numbers)
    every = [design.values(int(number), int(number) + 1) for number in sample]
    line = np.concatenate([one[0] for one in every])
    values = {name: np.concatenate([one[2][name] for one in every]) for name in every[0][2]}
    wells = design.settings(design.protocols[0], line, values)
    ours = design.measure(design.protocols[0], line, values).values[:, 0, 0]
    columns, media = wells.columns, wells.media[0]
    states = settle_rows(system, wells.rest, [], columns=columns).x
    node = [system.output(readout)]
    run_rows(system, media, np.array([HOURS * 60.0]), node, columns=columns, start_states=states, workers=1)
    copies = max(1, 2000 // wells)
    started = time.process_time()
    run_rows(
        system,
        np.tile(media, (copies, 1)),
        np.array([HOURS * 60.0]),
        node,
        columns=columns,
        start_states=np.tile(states, (copies, 1)),
        workers=1,
    )
    own = (time.process_time() - started) / (wells * copies)
    runner = roadrunner.RoadRunner(read_sbml_text(bundled_models()["pi3k_mapk"]))
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-6, 1e-9
    names = [list(system.slots)[column] for column in columns]
    species = list(runner.model.getFloatingSpeciesIds())
    order = [system.states.index(name) for name in species]
    runner.timeCourseSelections = [readout]
    theirs = []
    started = time.process_time()
    for medium, state in zip(media, states, strict=True):
        for name, value in zip(names, medium, strict=True):
            runner.model[name] = value
        runner.reset()
        runner.model.setFloatingSpeciesConcentrations(state[order])
        theirs.append(runner.simulate(0, HOURS * 60.0, 2)[-1, 0])
    other = (time.process_time() - started) / wells
    apart = np.abs(np.array(theirs) / ours - 1)
    print(
        f"one core, {wells} wells of these: pathsim {1e6 * own:.0f} us, libRoadRunner {1e6 * other:.0f} us a well: "
        f"{other / own:.0f} times; readings differ by at most {apart.max():.1e}"
    )


def main() -> None:
    """Each measurement in a process of its own, so that peaks of memory are their own too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--readout", default="viability")
    parser.add_argument("--rival", type=int, default=100, help="wells for libRoadRunner; 0 leaves it out")
    parser.add_argument("--only", choices=["sweep", "rival"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only == "sweep":
        sweep(asked.wells, asked.workers, asked.format, asked.readout)
    elif asked.only == "rival":
        rival(asked.rival, asked.readout)
    else:
        states = len(ps.load_model("pi3k_mapk").species)
        print(f"bundled model: {states} species; {HOURS} h; {asked.format}", flush=True)
        same = [
            sys.executable,
            __file__,
            "--workers",
            str(asked.workers),
            "--format",
            asked.format,
            "--readout",
            asked.readout,
        ]
        for wells in (asked.wells // 10, asked.wells):
            subprocess.run([*same, "--only", "sweep", "--wells", str(wells)], check=True)
        if asked.rival:
            subprocess.run([*same, "--only", "rival", "--rival", str(asked.rival)], check=True)


if __name__ == "__main__":
    main()
