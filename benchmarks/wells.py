"""A million wells: how long does a screen nobody can pipette take, what memory, and how many times faster than a loop?

The screen: four lines (wild type and three resistance mechanisms), two drugs at n x n doses in full medium, 72 h, read
at the end, written as a table in chunks. The model is that of version 0.1, frozen (108 species), so that figures can be
held against older ones; the shipped model stands beside it, per state.

- ``sweep``: wall and processor time and the peak of memory of a whole sweep, and of a tenth of it, to show that memory
  does not grow with the number of wells.
- ``parts``: where the time of a well goes: on a sample of wells, one thread, processor time, least of rounds in turns,
  with the code of the whole model and with that of what wells do not share (which large sweeps use), and how far apart
  they read.
- ``rival``: libRoadRunner (CVODE) in a Python loop on a sample of the same wells, from the same steady state, same
  relative tolerance.

    python benchmarks/wells.py [--wells 1000000] [--workers 2] [--format parquet] [--rival 100] [--only parts]
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
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import pathsim as ps
from pathsim.experiments.timecourse import system_of
from pathsim.experiments.wells import Wells, distinct
from pathsim.model import bundled_models
from pathsim.model.reading import read_sbml_text
from pathsim.solve import engine_of, reduction_of, run_reduced_rows, run_rows, settle_rows
from pathsim.sweep.chunk import chunk_of
from pathsim.sweep.design import Design

LINES = ["T47D", "T47D+PTEN_loss", "T47D+mTORC1_hyper", "T47D+MAPK_up"]
HOURS = 72
MODELS = ("pi3k_mapk@0.1", "pi3k_mapk")


def content(wells: int, format: str, readout: str, model: str) -> dict[str, object]:
    """The sweep, with about so many wells."""
    side = max(2, round(math.sqrt(wells / len(LINES))))
    return {
        "model": model,
        "cell_lines": LINES,
        "times": f"{HOURS} h",
        "readouts": [readout],
        "doses": {"alpelisib": f"1 nM .. 10 uM x {side}", "mirdametinib": f"0.1 nM .. 1 uM x {side}"},
        "output": {"format": format, "wells_per_chunk": 10_000},
    }


def sweep(asked: argparse.Namespace) -> None:
    """Run one sweep in this process and print what it took."""
    spec = ps.sweep.make_spec(content(asked.wells, asked.format, asked.readout, asked.model))
    with tempfile.TemporaryDirectory() as folder:
        spec.design.read(0, 16)  # compiled before the clock starts: the machine code is cached between runs anyway
        started, cpu = time.perf_counter(), time.process_time()
        done = ps.sweep.run(spec, Path(folder) / "out", workers=asked.workers)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        size = sum(path.stat().st_size for path in (Path(folder) / "out").iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{done.wells:>9,} wells, {asked.workers} threads: {wall:7.1f} s wall, {done.wells / wall:8,.0f} wells/s, "
        f"{1e6 * cpu / done.wells:6.1f} us of processor per well ({cpu / wall:.2f} processors busy), "
        f"peak {peak:5.0f} MB, table {size / 1e6:.0f} MB, {done.failed} failed"
    )


def sample_of(design: Design, count: int) -> tuple[Wells, Any]:
    """Some wells of a sweep: settings, and line and axes."""
    numbers = np.sort(np.random.default_rng(0).choice(design.wells, count, replace=False))
    every = [design.values(int(number), int(number) + 1) for number in numbers]
    line = np.concatenate([one[0] for one in every])
    values = {name: np.concatenate([one[2][name] for one in every]) for name in every[0][2]}
    return design.settings(design.protocols[0], line, values), (line, values)


def parts(asked: argparse.Namespace) -> None:
    """Where the time of a well goes, with both codes in turns."""
    for name in MODELS:
        spec = ps.sweep.make_spec(content(1_000_000, asked.format, asked.readout, name))
        design, system = spec.design, system_of(spec.design.model)
        wells, _ = sample_of(design, asked.sample)
        times, nodes = np.array(design.times), [system.output(asked.readout)]
        states = settle_rows(system, wells.rest, [], columns=wells.columns, workers=1).x
        started = time.process_time()
        small = reduction_of(system, tuple(wells.columns.tolist()), tuple(nodes))
        took = time.process_time() - started
        assert small is not None
        given = wells.media[0], times
        ways = {
            "whole": partial(run_rows, system, *given, nodes, columns=wells.columns, start_states=states, workers=1),
            "reduced": partial(run_reduced_rows, system, small, *given, start_states=states, workers=1),
        }
        found = {way: run() for way, run in ways.items()}
        least = dict.fromkeys(ways, math.inf)
        for _ in range(asked.rounds):
            for way, run in ways.items():
                started = time.process_time()
                run()
                least[way] = min(least[way], (time.process_time() - started) / asked.sample)
        print(f"{name}: code for what wells do not share found in {took:.2f} s")
        for way, of in (("whole", system), ("reduced", small.system)):
            program, us, steps = engine_of(of).program, 1e6 * least[way], found[way].steps.mean()
            work, hoisted = program.elimination.multiply_adds, len(program.hoisted)
            print(
                f"  {way:8} {us:6.1f} us a well, {us / len(system.states):.2f} per state of the model: {steps:.1f} "
                f"steps of {us / steps:.2f} us; {len(of.states)} states, {work} multiply-adds a factorisation, "
                f"{hoisted} values hoisted"
            )
        apart = np.abs(found["reduced"].values / found["whole"].values - 1).max()
        print(f"  {least['whole'] / least['reduced']:.2f} times; readings differ by at most {apart:.1e}")
        print(f"  {_around(spec, asked.rounds)}")


def _around(spec: ps.sweep.Spec, rounds: int) -> str:
    """What a chunk takes besides the last step of its wells: coming to rest, settings, the table."""
    design, system = spec.design, system_of(spec.design.model)
    first, count = design.wells // 3, spec.wells_per_chunk
    line, _, values = design.values(first, first + count)
    readings = design.read(first, first + count)
    least = {"settings": math.inf, "rest": math.inf, "table": math.inf}
    for _ in range(rounds):
        started = time.process_time()
        wells = design.settings(design.protocols[0], line, values)
        least["settings"] = min(least["settings"], time.process_time() - started)
        started = time.process_time()
        _, firsts = distinct(wells.rest)
        settle_rows(system, wells.rest[firsts], [], columns=wells.columns, workers=1)
        least["rest"] = min(least["rest"], time.process_time() - started)
        started = time.process_time()
        chunk_of(design, first, first + count, readings, spec.format)
        least["table"] = min(least["table"], time.process_time() - started)
    said = ", ".join(f"{name} {1e6 * took / count:.1f}" for name, took in least.items())
    return f"beside it, us a well in a chunk of {count:,}: {said} ({len(firsts)} of them come to rest)"


def rival(asked: argparse.Namespace) -> None:
    """Processor time per well of both on a sample of the same wells, one core each, and how far apart they read."""
    import roadrunner

    spec = ps.sweep.make_spec(content(1_000_000, "csv", asked.readout, asked.model))
    design, system = spec.design, system_of(spec.design.model)
    wells, (line, values) = sample_of(design, asked.rival)
    ours = design.measure(design.protocols[0], line, values).values[:, 0, 0]
    _, (line, values) = sample_of(design, 2000)
    started = time.process_time()
    design.measure(design.protocols[0], line, values)
    own = (time.process_time() - started) / 2000
    states = settle_rows(system, wells.rest, [], columns=wells.columns).x
    runner = roadrunner.RoadRunner(read_sbml_text(bundled_models()[asked.model]).decode())
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-6, 1e-9
    names = [list(system.slots)[column] for column in wells.columns]
    species = list(runner.model.getFloatingSpeciesIds())
    order = [system.states.index(name) for name in species]
    runner.timeCourseSelections = [asked.readout]
    theirs = []
    started = time.process_time()
    for medium, state in zip(wells.media[0], states, strict=True):
        for name, value in zip(names, medium, strict=True):
            runner.model[name] = value
        runner.reset()
        runner.model.setFloatingSpeciesConcentrations(state[order])
        theirs.append(runner.simulate(0, HOURS * 60.0, 2)[-1, 0])
    other = (time.process_time() - started) / asked.rival
    apart = np.abs(np.array(theirs) / ours - 1)
    print(
        f"one core, {asked.rival} wells of these: pathsim {1e6 * own:.0f} us, libRoadRunner {1e6 * other:.0f} us "
        f"a well: {other / own:.0f} times; readings differ by at most {apart.max():.1e}"
    )


def main() -> None:
    """Each measurement in a process of its own, so that peaks of memory are their own too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--readout", default="viability")
    parser.add_argument("--model", default=MODELS[0], help="of the sweep and the rival")
    parser.add_argument("--sample", type=int, default=2000, help="wells for the parts")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which both codes take turns")
    parser.add_argument("--rival", type=int, default=100, help="wells for libRoadRunner; 0 leaves it out")
    parser.add_argument("--only", choices=["sweep", "parts", "rival"], help="one measurement, in this process")
    asked = parser.parse_args()
    if asked.only:
        {"sweep": sweep, "parts": parts, "rival": rival}[asked.only](asked)
        return
    states = len(ps.load_model(asked.model).species)
    print(f"{asked.model}: {states} species; {HOURS} h; {asked.format}", flush=True)
    same = [sys.executable, *sys.argv]
    for wells in (asked.wells // 10, asked.wells):
        subprocess.run([*same, "--only", "sweep", "--wells", str(wells)], check=True)
    subprocess.run([*same, "--only", "parts"], check=True)
    if asked.rival:
        subprocess.run([*same, "--only", "rival"], check=True)


if __name__ == "__main__":
    main()
