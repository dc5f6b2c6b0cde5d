"""How much faster than libRoadRunner is one simulation at a time, in a plain Python loop?

As ``engine_speed.py``, but each draw is a call of its own: ``ps.simulator(...)`` made once and called per draw, with
the default method (extrapolation) and with Rosenbrock, ``ps.simulate(...)`` with everything by name and a DataFrame
back, and libRoadRunner's ``simulate`` in as lean a loop as its interface allows; with ``--lsoda`` scipy's ``odeint``
(LSODA) on our own compiled rates besides. Same core, same draws, matched error, processor time, medians over rounds
that take turns.

    python benchmarks/single_speed.py [--models Boehm Fujita] [--rounds 5] [--lsoda]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int64
from functools import partial

import numpy as np
from scipy.integrate import odeint

import pathsim as ps
from collection import SPEED_SET, Case, Rival, at_error, data_folder, draws, error_of, load_case
from pathsim.experiments.timecourse import system_of
from pathsim.solve import engine_of
from pathsim.solve.llvm.layout import LANES

TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ATOL = 1e-12
DRAWS = 32
SMALLEST = 1e-9
"""Of the largest peak: states that stay below are not compared with LSODA, which leaves noise where nothing is."""
WAYS = ("simulator", "rosenbrock", "simulate")


class Lsoda:
    """scipy's ``odeint`` on the rates that our steps call, draw by draw; the first lane counts."""

    def __init__(self, model: ps.Model, names: list[str], rows: np.ndarray, times: np.ndarray) -> None:
        system = system_of(model)
        code = engine_of(system).code.addresses
        self.columns, self.rows = [system.slot(name) for name in names], rows
        self.base = system.raw()
        n, n_p, n_k = len(system.states), len(system.parameters), len(engine_of(system).program.hoisted)
        sizes = {"t": 1, "raw": n_p + n, "p": n_p + len(system.discontinuities), "x": n, "k": n_k, "out": n}
        self.memory = {name: _aligned(size) for name, size in sizes.items()}
        place = {name: array.ctypes.data for name, array in self.memory.items()}
        four, two = CFUNCTYPE(None, *[c_int64] * 4), CFUNCTYPE(None, *[c_int64] * 2)
        self.start = partial(four(code["start"]), *[place[name] for name in ("t", "raw", "p", "x")])
        self.prep = partial(two(code["prep"]), *[place[name] for name in ("p", "k")])
        self.rates = partial(four(code["rates"]), *[place[name] for name in ("t", "x", "k", "out")])
        self.times = times if times[0] == 0 else np.concatenate([[0.0], times])

    def run(self, i: int, rtol: float, atol: float = ATOL) -> np.ndarray:
        """Draw ``i``: states (times, states)."""
        m, raw = self.memory, self.base.copy()
        raw[self.columns] = self.rows[i]
        m["raw"][: len(raw)], m["t"][:] = raw[:, None], 0.0
        self.start()
        self.prep()
        t, x, out = m["t"], m["x"], m["out"]

        def rates(y: np.ndarray, time: float) -> np.ndarray:
            x[:], t[:], out[:] = y[:, None], time, 0.0
            self.rates()
            return out[:, 0]

        return np.asarray(odeint(rates, x[:, 0].copy(), self.times, rtol=rtol, atol=atol, mxstep=100_000))


def _aligned(rows: int) -> np.ndarray:
    """Zeros (rows, lanes) where vector registers are filled from whole."""
    memory = np.zeros((rows + 2) * LANES)
    skipped = -memory.ctypes.data // 8 % LANES
    return memory[skipped : skipped + (rows + 1) * LANES].reshape(rows + 1, LANES)[: max(rows, 1)]


def beside_lsoda(case: Case, rounds: int, count: int = 8) -> str:
    """A line of our ``ps.simulator`` beside LSODA at the errors that LSODA reaches at its rtol of 1e-6 and 1e-8."""
    model = ps.load_model(case.model_file)
    frame = draws(case, {p.id for p in model.parameters}, count)
    names, rows = list(frame.columns), frame.to_numpy()
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    other = Lsoda(model, names, rows, case.times)
    tight = np.array([other.run(i, 1e-11, 1e-14) for i in range(count)])
    peaks = np.abs(tight).max(axis=(0, 1))
    large = peaks > SMALLEST * peaks.max()
    runs = {rtol: ps.simulator(model, case.times, names, states, ps.Extrapolation(rtol, ATOL)) for rtol in TOLERANCES}
    best = ps.simulator(model, case.times, names, states, ps.Rosenbrock(1e-11, 1e-16, 10_000_000))
    reference = np.array([best(row) for row in rows])
    errors = [error_of(np.array([run(row) for row in rows]), reference) for run in runs.values()]
    ours: dict[float, list[float]] = {rtol: [] for rtol in TOLERANCES}
    theirs: dict[float, list[float]] = {1e-6: [], 1e-8: []}
    for _ in range(rounds):
        for rtol, run in runs.items():
            ours[rtol].append(_microseconds(lambda i, run=run: run(rows[i]), count))
        for rtol, times in theirs.items():
            times.append(_microseconds(lambda i, rtol=rtol: other.run(i, rtol), count))
    line = f"{case.name},{len(states)}"
    for rtol, times in theirs.items():
        error = error_of(np.array([other.run(i, rtol) for i in range(count)])[..., large], tight[..., large])
        us = at_error(errors, [float(np.median(ours[r])) for r in TOLERANCES], error)
        line += f",{np.median(times):.0f},{error:.1e},{us:.1f},{np.median(times) / us:.1f}"
    return line


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


def _microseconds(run: Callable[[int], object], count: int = DRAWS) -> float:
    """Mean processor time of a call, over all draws."""
    started = time.thread_time()
    for i in range(count):
        run(i)
    return (time.thread_time() - started) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SPEED_SET))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lsoda", action="store_true", help="beside scipy's LSODA instead of libRoadRunner")
    options = parser.parse_args()
    folder = data_folder()
    if options.lsoda:
        print("model,states" + "".join(f",lsoda_us({rtol}),error,simulator_us,ratio" for rtol in ("1e-6", "1e-8")))
        for wanted in options.models:
            name = next(known for known in SPEED_SET if known.startswith(wanted))
            print(beside_lsoda(load_case(folder, name, SPEED_SET[name]), options.rounds), flush=True)
        return
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
