"""A sweep of a million rows: does it stream in bounded memory, does a second worker pay, is every bit the same?

Bachmann et al. 2011 (25 states), 20 values per row (four states at five times), drawn block by block. The sweep runs in
a process of its own, which reports its peak memory. The gain of two workers is the median over pairs of runs that take
turns; on a machine that others use, it is given apart for the pairs whose threads got the processors they asked for.

    python benchmarks/sweep_scale.py [--rows 1000000] [--pairs 15]
    python benchmarks/sweep_scale.py --only-decay --rows 10000000     # a model of one species: many rows, little work
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import pathsim as ps
from collection import data_folder, draws, load_case

OUTPUTS = ["pEpoR_JAK2", "ppSTAT5", "SOCS3", "CIS"]
BLOCK = 20_000


def setting() -> tuple[ps.Model, object, np.ndarray, list[str]]:
    case = load_case(data_folder(), "Bachmann_MSB2011")
    model = ps.load_model(case.model_file)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    outputs = [name for name in OUTPUTS if name in states] or states[:4]
    return model, case, case.times[np.linspace(0, len(case.times) - 1, 5).astype(int)], (outputs + states)[:4]


def stream(rows: int, workers: int) -> None:
    """The sweep, block by block; prints what it took as JSON."""
    model, case, times, outputs = setting()
    known = {p.id for p in model.parameters}

    def blocks() -> Iterator[pd.DataFrame]:
        for number, first in enumerate(range(0, rows, BLOCK)):
            yield draws(case, known, min(BLOCK, rows - first), seed=number)

    started, failed, digest = time.perf_counter(), 0, hashlib.sha256()
    for batch in ps.iter_simulate_many(model, blocks(), times, outputs, workers=workers):
        failed += int((batch.status != 0).sum())
        digest.update(batch.values.tobytes())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - started,
                "peak_MB": peak,
                "failed": failed,
                "values_per_row": len(times) * len(outputs),
                "digest": digest.hexdigest()[:16],
            }
        )
    )


def decay(rows: int, workers: int) -> None:
    """A sweep of a model of one species, block by block: seconds, and the peak after each tenth of it, printed."""
    text = "model decay\n species A = 1; k = 1; J: A -> ; k*A;\nend\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decay.ant"
        path.write_text(text)
        model = ps.load_model(path)

    def blocks() -> Iterator[pd.DataFrame]:
        for number, first in enumerate(range(0, rows, BLOCK)):
            yield pd.DataFrame({"k": np.random.default_rng(number).uniform(0.1, 10.0, min(BLOCK, rows - first))})

    times = np.array([0.5, 1.0])
    started, done, worst = time.perf_counter(), 0, 0.0
    for block, batch in zip(
        blocks(), ps.iter_simulate_many(model, blocks(), times, ["A"], workers=workers), strict=True
    ):
        exact = np.exp(-block["k"].to_numpy()[:, None] * times)
        worst = max(worst, float(np.abs(batch.values[:, :, 0] - exact).max()))
        before, done = done, done + len(batch.values)
        if done * 10 // rows > before * 10 // rows:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{done} rows of a decay, {workers} workers: {time.perf_counter() - started:.0f} s "
                f"({time.process_time():.0f} of the processor), peak memory {peak:.0f} MB, largest error {worst:.1e}",
                flush=True,
            )


def two_workers(pairs: int, rows: int = 20_000) -> None:
    model, case, times, outputs = setting()
    frame = draws(case, {p.id for p in model.parameters}, rows)
    shuffled = np.random.default_rng(0).permutation(rows)

    def run(workers: int, chosen: pd.DataFrame = frame) -> tuple[float, float, np.ndarray]:
        wall, processor = time.perf_counter(), time.process_time()
        values = ps.simulate_many(model, chosen, times, outputs, workers=workers).values
        return time.perf_counter() - wall, time.process_time() - processor, values

    reference = run(1)[2]
    same = all(np.array_equal(reference, run(workers)[2]) for workers in (2, 3, 4))
    same = same and np.array_equal(reference[shuffled], run(2, frame.iloc[shuffled])[2])
    gains, free_gains, costs = [], [], []
    for _ in range(pairs):
        one, one_cpu, _ = run(1)
        two, two_cpu, _ = run(2)
        gains.append(one / two)
        costs.append(one_cpu / two_cpu)
        if one_cpu > 0.95 * one and two_cpu > 0.93 * 2 * two:  # nobody else had the cores
            free_gains.append(one / two)
    print(f"bitwise the same for 1, 2, 3, 4 workers and any order of rows: {same}")
    print(
        f"two workers against one, {rows} rows: {np.median(gains):.2f} times (median of {pairs} pairs), "
        f"{np.median(free_gains) if free_gains else np.nan:.2f} times (median of the {len(free_gains)} pairs that had "
        f"the cores to themselves); processor time of one worker to that of two: {np.median(costs):.2f}"
    )


def one_worker(rows: int = 100_000) -> None:
    """Median seconds of a sweep with one worker, printed."""
    model, case, times, outputs = setting()
    frame = draws(case, {p.id for p in model.parameters}, rows)
    ps.simulate_many(model, frame.iloc[:1000], times, outputs, workers=1)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        ps.simulate_many(model, frame, times, outputs, workers=1)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": float(np.median(seconds))}))


def machine_limit() -> float:
    """What two processes with nothing in common gain over one: cores of a machine may share more than they show."""
    command = [sys.executable, "-W", "ignore", __file__, "--only-one"]

    def together(count: int) -> float:
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return max(json.loads(process.communicate()[0].splitlines()[-1])["seconds"] for process in running)

    return 2 * together(1) / together(2)


def calling_thread(rows: int = 100_000) -> float:
    """Microseconds a row that a sweep of two workers leaves its calling thread: what more cores cannot share."""
    case = load_case(data_folder(), "Alkan_SciSignal2018")
    model = ps.load_model(case.model_file)
    outputs = [s.id for s in model.species if not s.boundary and s.id not in model.rules][:4]
    frame, times = draws(case, {p.id for p in model.parameters}, rows), case.times[[-1]]
    taken = []
    for _ in range(6):
        began = time.thread_time()
        ps.simulate_many(model, frame, times, outputs, workers=2)
        taken.append(time.thread_time() - began)
    return 1e6 * float(np.median(taken[1:])) / rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only-calling", action="store_true", help="only what the calling thread does")
    parser.add_argument("--only-decay", action="store_true", help="only the rows of a model of one species")
    parser.add_argument("--only-stream", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only-one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_one:
        one_worker()
        return
    if options.only_decay:
        decay(options.rows, options.workers)
        return
    if options.only_stream:
        stream(options.rows, options.workers)
        return
    print(f"calling thread: {calling_thread():.3f} us a row (Alkan, 10^5 rows, two workers)")
    if options.only_calling:
        return
    two_workers(options.pairs, rows=100_000)
    print(f"two processes with nothing in common against one, on this machine: {machine_limit():.2f} times")
    command = [sys.executable, "-W", "ignore", __file__, "--only-stream", "--rows", str(options.rows)]
    done = subprocess.run([*command, "--workers", str(options.workers)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{options.rows} rows x {found['values_per_row']} values, {options.workers} workers: {found['seconds']:.1f} s, "
        f"peak memory {found['peak_MB']:.0f} MB, {found['failed']} failed, sha256 {found['digest']}"
    )


if __name__ == "__main__":
    main()
