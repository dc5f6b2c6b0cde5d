"""How much faster than libRoadRunner is one simulation at a time, in a plain Python loop?

As ``engine_speed.py``, but each draw is a call of its own: ``ps.simulator(...)`` made once and called per draw, with
the default method (extrapolation) and with Rosenbrock, ``ps.simulate(...)`` with everything by name and a DataFrame
back, and libRoadRunner's ``simulate`` in as lean a loop as its interface allows. Same core, same draws, matched error,
processor time, medians over rounds that take turns.

    python benchmarks/single_speed.py [--models Boehm Fujita] [--rounds 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import pathsim as ps
from collection import SPEED_SET, Case, Rival, at_error, data_folder, draws, error_of, load_case

TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ATOL = 1e-12
DRAWS = 32
WAYS = ("simulator", "rosenbrock", "simulate")


def measure(case: Case, rounds: int) -> dict[str, float]:
    model = ps.load_model(case.model_file)
    frame = draws(case, {p.id for p in model.parameters}, DRAWS)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    names, rows = list(frame.columns), frame.to_numpy()
    named = [dict(zip(names, row, strict=True)) for row in rows.tolist()]
    rival = Rival(case, frame, states, ATOL)
    solvers = {rtol: ps.Extrapolation(rtol, ATOL) for rtol in TOLERANCES}
    calls = {rtol: ps.simulator(model, case.times, names, states, solver) for rtol, solver in solvers.items()}
    others = {r: ps.simulator(model, case.times, names, states, ps.Rosenbrock(r, ATOL)) for r in TOLERANCES}
    tight = ps.simulator(model, case.times, names, states, ps.Rosenbrock(1e-11, 1e-16, 10_000_000))
    reference = np.array([tight(row) for row in rows])
    errors = [error_of(np.array([call(row) for row in rows]), reference) for call in calls.values()]
    other_errors = [error_of(np.array([call(row) for row in rows]), reference) for call in others.values()]
    rival_errors = {rtol: error_of(rival.run(rtol, DRAWS), reference) for rtol in (1e-6, 1e-8)}
    ours: dict[str, dict[float, list[float]]] = {way: {rtol: [] for rtol in TOLERANCES} for way in WAYS}
    theirs: dict[float, list[float]] = {rtol: [] for rtol in rival_errors}
    for _ in range(rounds):
        for rtol, times in theirs.items():
            rival.set_tolerances(rtol)
            times.append(_microseconds(lambda i: rival.one(i)))
        for rtol in TOLERANCES:
            call, other, solver = calls[rtol], others[rtol], solvers[rtol]
            ours["simulator"][rtol].append(_microseconds(lambda i, call=call: call(rows[i])))
            ours["rosenbrock"][rtol].append(_microseconds(lambda i, call=other: call(rows[i])))
            ours["simulate"][rtol].append(
                _microseconds(lambda i, solver=solver: ps.simulate(model, case.times, named[i], states, solver))
            )
    result = {"states": float(len(states))}
    for rtol, error in rival_errors.items():
        rival_us = float(np.median(theirs[rtol]))
        result |= {f"rr_{rtol:g}": rival_us, f"rr_err_{rtol:g}": error}
        for way in WAYS:
            reached = other_errors if way == "rosenbrock" else errors
            us = at_error(reached, [float(np.median(times)) for times in ours[way].values()], error)
            result |= {f"{way}_{rtol:g}": us, f"{way}_ratio_{rtol:g}": rival_us / us}
    return result


def _microseconds(run: Callable[[int], object]) -> float:
    """Mean processor time of a call, over all draws."""
    started = time.thread_time()
    for i in range(DRAWS):
        run(i)
    return (time.thread_time() - started) / DRAWS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SPEED_SET))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    folder = data_folder()
    head = "model,states"
    for rtol in ("1e-06", "1e-08"):
        head += f",rr_us({rtol}),rr_err" + "".join(f",{way}_us,ratio" for way in WAYS)
    print(head)
    ratios = []
    for wanted in options.models:
        name = next(known for known in SPEED_SET if known.startswith(wanted))
        r = measure(load_case(folder, name, SPEED_SET[name]), options.rounds)
        line = f"{name},{r['states']:.0f}"
        for rtol in ("1e-06", "1e-08"):
            line += f",{r[f'rr_{rtol}']:.0f},{r[f'rr_err_{rtol}']:.1e}"
            line += "".join(f",{r[f'{way}_{rtol}']:.1f},{r[f'{way}_ratio_{rtol}']:.1f}" for way in WAYS)
        print(line, flush=True)
        ratios.append([r[f"{way}_ratio_{rtol}"] for rtol in ("1e-06", "1e-08") for way in WAYS])
    means = np.exp(np.log(np.array(ratios)).mean(axis=0))
    for rtol, found in zip(("1e-6", "1e-8"), means.reshape(2, -1), strict=True):
        print(f"geometric means of ratios against {rtol}: " + ", ".join(map("{} {:.1f}".format, WAYS, found)))


if __name__ == "__main__":
    main()
