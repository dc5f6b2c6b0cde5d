"""How much faster than libRoadRunner is a sweep of a large model, per core?

Chen et al. 2009 (ErbB signalling, 500 species), all states at all measurement times, parameter draws around the
published values (libRoadRunner takes up to half a minute for one further out, because of the stimulus that is switched
on within 0.01 s). Errors are against a tight reference (pathsim at 1e-10) as parts of the peak of each state in its
draw: the median over draws of the largest deviation of any state (worst) and of the median over states (typical);
states that stay below 1e-9 of the largest of all are left out. Processor time of one thread, medians over draws.

    python benchmarks/large_model.py [--draws 5] [--rows 64]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

import pathsim as ps
from collection import Rival, data_folder, draws, load_case

ATOL = 1e-12  # the default of libRoadRunner
SPREAD = 1.1
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7)


def errors(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Worst and typical deviation of a state, median over draws, in parts of its peak."""
    peak = np.abs(reference).max(axis=1)
    alive = peak > 1e-9 * peak.max(axis=1, keepdims=True)
    deviation = np.abs(values - reference).max(axis=1) / np.where(alive, peak, np.inf)
    typical = [np.median(row[present]) for row, present in zip(deviation, alive, strict=True)]
    return float(np.median(deviation.max(axis=1))), float(np.median(typical))


@contextmanager
def quiet() -> Iterator[None]:
    """CVODE writes its warnings to stdout, from C."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--rows", type=int, default=64)
    options = parser.parse_args()
    case = load_case(data_folder(), "Chen_MSB2009")
    started = time.perf_counter()
    model = ps.load_model(case.model_file)
    frame = draws(case, {p.id for p in model.parameters}, options.rows, spread=SPREAD)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    few = frame.iloc[: options.draws]

    def ours(rows: pd.DataFrame, rtol: float, atol: float = ATOL) -> np.ndarray:
        batch = ps.simulate_many(model, rows, case.times, states, ps.Rosenbrock(rtol, atol), workers=1)
        if batch.status.any():
            print(f"rtol {rtol:g}: {batch.explain(int(np.flatnonzero(batch.status)[0]))}")
        return batch.values

    ours(few.iloc[:1], 1e-4)
    print(f"first result after {time.perf_counter() - started:.2f} s (reading, equations, machine code)")
    print("solver,rtol,ms per simulation,worst error,typical error", flush=True)
    reference = ours(few, 1e-10)
    rival = Rival(case, frame, states, ATOL)
    rival.set_tolerances(1e-6)
    values, times = [], []
    for i in range(options.draws):
        started = time.thread_time()
        with quiet():
            values.append(rival.one(i))
        times.append(1e3 * (time.thread_time() - started))
    theirs = float(np.median(times))
    worst, typical = errors(np.array(values), reference)
    print(f"libRoadRunner,1e-06,{theirs:.0f},{worst:.1e},{typical:.1e}  (draws: {' '.join(f'{t:.0f}' for t in times)})")
    ratio = np.nan
    for rtol in TOLERANCES:
        rounds = []
        for _ in range(3):
            started = time.thread_time()
            ours(frame, rtol)
            rounds.append(1e3 * (time.thread_time() - started) / options.rows)
        our_worst, our_typical = errors(ours(few, rtol), reference)
        print(f"pathsim,{rtol:g},{np.median(rounds):.1f},{our_worst:.1e},{our_typical:.1e}", flush=True)
        if np.isnan(ratio) and our_worst <= worst:
            ratio = theirs / float(np.median(rounds))
    print(f"ratio at the first tolerance that is as accurate in its worst state: {ratio:.1f}")


if __name__ == "__main__":
    main()
