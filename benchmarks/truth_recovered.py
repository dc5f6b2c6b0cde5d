"""Do 95 % profile intervals contain the truth 95 % of the time?

Noisy blots are simulated from known parameters (two cell lines, ligand and inhibitor, three gels of unknown gain,
log-normal noise of 15 %, a fifth of the weakest bands below detection) and fitted. The truth lies inside the interval
of a parameter when the profile likelihood there is within 1.92 of the best, which is one optimisation of the others;
the first replicates are profiled in full as well, to see that both say the same. The share should be 0.90 to 0.99.

    OPENBLAS_NUM_THREADS=1 python benchmarks/truth_recovered.py [--replicates 100] [--seed 0] [--profiled 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import pathsim as ps
from pathsim.estimation.optimise import Ledger, minimise
from pathsim.estimation.profile import Held
from pathsim.estimation.questions import alone
from pathsim.estimation.result import Fit
from pathsim.experiments.readings import simulate_conditions
from pathsim.lab import Condition, Treatment

ANT = """
model cascade
  serum = 0; inhibitor = 0; IGF1 = 0;
  AKT_total = 100; k_on = 0.3; k_off = 0.2; k_s6 = 0.05; k_ds6 = 0.04; basal = 0.05; Kd = 5;
  species pAKT, pS6; pAKT = 1; pS6 = 1;
  R1: -> pAKT; k_on*(basal + IGF1/(Kd + IGF1))/(1 + inhibitor)*(AKT_total - pAKT);
  R2: pAKT -> ; k_off*pAKT;
  R3: -> pS6; k_s6*pAKT/100*(50 - pS6);
  R4: pS6 -> ; k_ds6*pS6;
end
"""
LINES = {"T47D": ps.CellLine("T47D"), "MCF7": ps.CellLine("MCF7", scale={"AKT_total": 0.5})}
DRUGS = {
    "blocker": ps.Drug("blocker", per_nM={"inhibitor": 0.02}),
    "IGF1": ps.Drug("IGF1", kind="ligand", per_nM={"IGF1": 1.0}),
    "serum": ps.Drug("serum", kind="medium", per_percent={"serum": 1.0}),
}
TREATMENTS = (
    "vehicle for 4 h then IGF1 2 nM",
    "vehicle for 4 h then IGF1 20 nM",
    "blocker 100 nM for 1 h then blocker 100 nM + IGF1 20 nM",
)
TIMES = (0.0, 2.0, 5.0, 15.0, 30.0, 60.0)
FREE = ("k_on", "k_off", "k_s6", "k_ds6", "basal", "Kd")
NOISE = 0.15
THRESHOLD = 1.9207


def signals(model: ps.Model, truth: dict[str, float], library: ps.Library) -> pd.DataFrame:
    """What an ideal blot would show."""
    parameters = tuple(replace(item, value=truth.get(item.id, item.value)) for item in model.parameters)
    changed = replace(model, parameters=parameters, digest=repr(sorted(truth.items())))
    conditions = [Condition(line, Treatment.parse(text)) for line in LINES.values() for text in TREATMENTS]
    readouts = ["pAKT", "pS6"]
    values = simulate_conditions(changed, conditions, TIMES, readouts, library)
    rows = [
        (conditions[c].cell_line.name, str(conditions[c].treatment), TIMES[t], readouts[r], value)
        for (c, t, r), value in np.ndenumerate(values)
    ]
    return pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value"])


def noisy(ideal: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Three gels with noise, gains and detection limits."""
    gels = []
    for gel in range(3):
        one = ideal.assign(gel=f"gel {gel + 1}", replicate=gel + 1)
        gain = one["readout"].map({name: rng.lognormal(6, 1) for name in one["readout"].unique()})
        one["value"] = one["value"] * gain * np.exp(NOISE * rng.standard_normal(len(one)))
        limit = one.groupby("readout")["value"].transform(lambda v: v.quantile(0.2))
        one["censored"] = one["value"] < limit
        one["value"] = one["value"].clip(lower=limit)
        gels.append(one)
    return pd.concat(gels, ignore_index=True)


def lost_at(fit: Fit, k: int, value: float) -> float:
    """Log likelihood lost when parameter k is held at ``value`` and the others make up for it."""
    held = Held(fit.objective, k, value)
    search = minimise(Ledger(held), np.delete(fit.theta, k), ps.search.TrustRegion(tolerance=1e-3))
    ended = alone(held, search)
    return ended.value - fit.best.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profiled", type=int, default=3)
    chosen = parser.parse_args()
    library = ps.Library(DRUGS, LINES, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cascade.ant"
        path.write_text(ANT)
        model = ps.load_model(path)
    values = {item.id: item.value for item in model.parameters}
    inside: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    began = time.perf_counter()
    for replicate in range(chosen.replicates):
        rng = np.random.default_rng([chosen.seed, replicate])
        truth = {name: values[name] * float(np.exp(0.3 * rng.standard_normal())) for name in FREE}
        problem = ps.blot_problem(model, noisy(signals(model, truth, library), rng), FREE, library=library)
        fit = ps.fit(problem, starts=2, seed=replicate, workers=1, candidates=5)
        contained = {name: lost_at(fit, k, np.log10(truth[name])) <= THRESHOLD for k, name in enumerate(FREE)}
        inside.update(name for name in FREE if contained[name])
        if replicate < chosen.profiled:
            table = ps.profile(fit, workers=1).table.set_index("parameter")
            for name in FREE:
                said = bool(table.loc[name, "lower"] <= truth[name] <= table.loc[name, "upper"])
                verdicts[f"{table.loc[name, 'verdict']}, {'agrees' if said == contained[name] else 'DISAGREES'}"] += 1
        if (replicate + 1) % 10 == 0 or replicate + 1 == chosen.replicates:
            share = {name: round(inside[name] / (replicate + 1), 3) for name in FREE}
            total = sum(inside.values()) / (len(FREE) * (replicate + 1))
            print(
                f"{replicate + 1} replicates, {time.perf_counter() - began:.0f} s: inside {total:.3f}, {share}, "
                f"{dict(verdicts)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
