"""How soon does a start of a fit to blots reach the best likelihood, beside an older version of pathsim?

Two problems: the small ERBB model of examples/fit_westerns.py, and 40 parameters of the bundled model, both fitted to
published westerns (shared/data/calibration: imoto2022_erbb_westerns, welsh_insulin_westerns). Starts of both versions
take turns, each in a process of its own that has compiled everything before the clock runs; seconds are processor time.
A start has reached the best once one of its exact evaluations is within 1.92 log-likelihood units of the best that any
start of either version finds; one that does not counts as the limit. Medians of both, and their ratio, are printed.

Each start is measured twice: alone, and in one fit of all of them. There the starts of this version go on in step:
seconds are those of the start itself and, of each call of the objective that serves several starts, its share by the
number of parameter vectors. The older version searches one start after another, which is the same twice. The seconds of
all starts to their end, in that fit, are printed too.

    OPENBLAS_NUM_THREADS=1 python benchmarks/fit_blots.py /path/to/old/src [erbb bundled] [--starts 20] [--seconds 60]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Trace = list[tuple[float, float]]
HERE = Path(__file__).parent
WITHIN = 1.92
STARVED = "vehicle for 24 h then "
WELSH = {
    "AktpT308": "pAKT_T308", "AktpS473": "pAKT_S473", "PRAS40pT246": "pPRAS40_T246", "S6KpT389": "pS6K_T389",
    "TSC2pT1462": "pTSC2_T1462", "IRS1pS636/639": "pIRS1_S636", "4E-BP1pT37/46": "p4EBP1_T37",
    "ERK-pT202/Y204": "pERK_T202",
}  # fmt: skip
FREE_40 = (
    "DUSP_max", "ERK_on_TSC2", "GPCR_tone", "IRS2_total", "K_AKT_PH", "K_DUSP", "K_RHEB", "K_SOS", "K_p85",
    "SOS_ERBB3", "SOS_IRS1", "TSC2_total", "basal_helical", "basal_kinase", "k_ERBB2_basal", "k_ERK", "k_ERK_DUSP",
    "k_IRS1_PTP", "k_IRS1_Y", "k_MEK", "k_MEK_OFF", "k_PP2A_T308", "k_PTEN", "k_PTP_ERBB3", "k_PTP_IGF1R", "k_RAF",
    "k_RAF_OFF", "k_RAS_GAP", "k_RHEB_GAP", "k_RHEB_exchange", "k_SOS", "k_SOS_ERK", "k_SOS_OFF", "k_T308",
    "k_auto_IGF1R", "k_down_ERBB3", "k_internalise_EGFR", "k_recycle_EGFR", "kcat_PI3K", "p110b_total",
)  # fmt: skip
"""The constants marked as estimates that these westerns know most about."""


def data_folder() -> Path:
    """Where the measured tables lie."""
    return HERE.parents[1] / "shared" / "data" / "calibration"


def erbb(ps: Any) -> Any:
    """The problem of examples/fit_westerns.py."""
    sys.path.insert(0, str(HERE.parent / "examples"))
    import fit_westerns

    table = fit_westerns.blots(data_folder() / "imoto2022_erbb_westerns")
    ligands = {name: ps.Drug(name, kind="ligand", per_nM={name: 1.0}) for name in ("EGF", "HRG")}
    shelf = ps.Library(ligands, {name: ps.CellLine(name) for name in ("MCF7", "SKBR3")}, {})
    return ps.blot_problem(HERE.parent / "examples" / "data" / "erbb.ant", table, fit_westerns.FREE, library=shelf)


def bundled(ps: Any) -> Any:
    """The bundled model with 40 constants free within a factor of 10 either way."""
    import pandas as pd

    folder = data_folder()
    imoto = pd.read_csv(folder / "imoto2022_erbb_westerns" / "western_raw.csv")
    imoto = imoto[imoto["readout"].isin(["pAkt", "pERK"]) & (imoto["densitometry_au"] > 0)]
    line = imoto["cell_line"].map({"MCF7": "MCF7", "SKBR3": "SK-BR-3"})
    first = pd.DataFrame(
        {
            "cell_line": line,
            "treatment": STARVED + imoto["ligand"].map({"EGF": "EGF 10 nM", "HRG": "NRG1 10 nM"}),
            "time_min": imoto["time_min"].astype(float),
            "readout": imoto["readout"].map({"pAkt": "pAKT_S473", "pERK": "pERK_T202"}),
            "value": imoto["densitometry_au"],
            "gel": "imoto " + line + " " + imoto["replicate"].astype(str),
            "replicate": imoto["replicate"],
        }
    )
    welsh = pd.read_csv(folder / "welsh_insulin_westerns" / "timecourse_long.csv")
    welsh = welsh[(welsh["block"] == "values") & welsh["antibody"].isin(list(WELSH)) & (welsh["value"] > 0)]
    line = welsh["cell_line"].replace({"MCF-7": "MCF7"})
    second = pd.DataFrame(
        {
            "cell_line": line,
            "treatment": STARVED + "insulin 100 nM",
            "time_min": welsh["time_min"].astype(float),
            "readout": welsh["antibody"].map(WELSH),
            "value": welsh["value"],
            "gel": "welsh " + welsh["sheet"].astype(str) + " " + line,
            "replicate": welsh["replicate"],
        }
    )
    table = pd.concat([first, second], ignore_index=True)
    key = ["cell_line", "treatment", "time_min", "readout", "gel", "replicate"]
    table = table.groupby(key, as_index=False, sort=False)["value"].mean()
    model = ps.load_model(str(HERE.parent / "models" / "pi3k_mapk.ant"))
    own = {item.id: item.value for item in model.parameters}
    record = ps.FreeParameter if hasattr(ps, "FreeParameter") else ps.Free  # its name before
    free = [record(name, own[name] / 10, own[name] * 10) for name in FREE_40]
    return ps.blot_problem(model, table, free)


class OutOfTime(Exception):
    """A start has used up its seconds."""


class Traced:
    """An objective that notes when exact evaluations improve, and stops when time is up."""

    def __init__(self, objective: Any, seconds: float) -> None:
        self.inner, self.seconds = objective, seconds
        self.began, self.best, self.trace = time.process_time(), float("inf"), list[tuple[float, float]]()
        self.names, self.scales = objective.names, objective.scales
        self.lower, self.upper = objective.lower, objective.upper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)  # missing where the version has no such method
        if name in ("refined_many", "derivatives_many"):
            self._check()
        return found

    def _check(self) -> None:
        if time.process_time() - self.began > self.seconds:
            raise OutOfTime

    def _note(self, value: float) -> None:
        if value < self.best - 1e-3:
            self.best = value
            self.trace.append((time.process_time() - self.began, value))
        self._check()

    def value(self, theta: Any) -> Any:
        found = self.inner.value(theta)
        self._note(found[0])
        return found

    def derivatives(self, theta: Any) -> Any:
        found = self.inner.derivatives(theta)
        self._note(found.value)
        return found

    def slopes(self, theta: Any) -> Any:  # their name before
        found = self.inner.slopes(theta)
        self._note(found.value)
        return found


class Refined(Traced):
    """The same of an objective with parameters that cost nothing to optimise."""

    def refined(self, theta: Any) -> Any:
        found = self.inner.refined(theta)
        self._note(found[1])
        return found


def one_fit(ps: Any, objective: Any, starts: int, seconds: float) -> list[Any]:
    """Traces of starts that go on in step, and the processor seconds of all of them to their end or limit."""
    from pathsim.estimation.optimise import Ledger, TrustRegion
    from pathsim.estimation.questions import SPENT, Search, together
    from pathsim.estimation.search import Starts

    class Noting(Ledger):
        """A ledger that notes when exact evaluations improve, and stops when time is up."""

        def __init__(self, trace: list[tuple[float, float]]) -> None:
            super().__init__(objective)
            self.trace = trace

        def _noted(self, search: Search[Any]) -> Search[Any]:
            before = self.best
            found = yield from search
            spent: float = yield SPENT
            if self.best < before - 1e-3:
                self.trace.append((spent, self.best))
            if spent > seconds:
                raise OutOfTime
            return found

        def value(self, theta: Any) -> Search[Any]:
            return (yield from self._noted(super().value(theta)))

        def refined(self, theta: Any) -> Search[Any]:
            return (yield from self._noted(super().refined(theta)))

        def derivatives(self, theta: Any) -> Search[Any]:
            return (yield from self._noted(super().derivatives(theta)))

    def limited(search: Search[Any]) -> Search[None]:
        with contextlib.suppress(OutOfTime):
            yield from search

    traces: list[list[tuple[float, float]]] = [[] for _ in range(starts)]
    job = Starts(objective, 0, TrustRegion(), 10, (ps.search.WIDE, ps.search.DEEP), (), 0, lambda line: None)
    searches = (limited(job.recorded(number, Noting(trace))) for number, trace in enumerate(traces))
    began = time.process_time()
    for _ in together(objective, searches, job.at_once, time.process_time):
        pass
    return [traces, time.process_time() - began]


def worker(name: str, seconds: float) -> None:
    """Answer each line on stdin, the number of a start, with its trace, or minus the number of starts of one fit, with
    theirs; the first answer says that all is compiled."""
    import pathsim as ps

    problem = {"erbb": erbb, "bundled": bundled}[name](ps)
    objective = problem.objective() if hasattr(problem, "objective") else problem
    theta = 0.5 * (objective.lower + objective.upper)
    getattr(objective, "derivatives" if hasattr(objective, "derivatives") else "slopes")(theta)
    if hasattr(objective, "refined_many"):
        objective.refined_many(theta[None])
        found = objective.derivatives_many(theta[None])
        objective.steered_many(theta[None], found[0].fisher[None])
    print(json.dumps([]), flush=True)
    for line in sys.stdin:
        number = int(line)
        if number < 0:
            print(json.dumps(one_fit(ps, objective, -number, seconds)), flush=True)
            continue
        traced = (Refined if hasattr(objective, "refined") else Traced)(objective, seconds)
        ways: dict[str, Any] = {}
        if hasattr(objective, "refined_many"):
            ways["populations"] = ((ps.search.WIDE, ps.search.DEEP)[number % 2],)
        with contextlib.suppress(OutOfTime):
            ps.fit(traced, 1, seed=number, workers=1, **ways)
        print(json.dumps(traced.trace), flush=True)


class Contender:
    """A version of pathsim in a process of its own."""

    def __init__(self, source: Path, name: str, seconds: float) -> None:
        words = [sys.executable, __file__, str(source), name, "--worker", "--seconds", str(seconds)]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source), "OPENBLAS_NUM_THREADS": "1"},
        )
        self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def _asked(self, number: int) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        return self._read()

    def start(self, number: int) -> Trace:
        """(seconds, negative log likelihood) of each improvement."""
        return [tuple(pair) for pair in self._asked(number)]

    def fit(self, starts: int) -> tuple[list[Trace], float]:
        """The same of each start of one fit, and the seconds of all of it."""
        traces, took = self._asked(-starts)
        return [[tuple(pair) for pair in trace] for trace in traces], took


def reached(trace: Trace, threshold: float, seconds: float) -> float:
    """When a start came within the threshold, or the limit."""
    return min(next((at for at, value in trace if value <= threshold), seconds), seconds)


def measure(name: str, sources: dict[str, Path], starts: int, seconds: float, fits: int) -> dict[str, float]:
    """Starts of all versions in turns; the medians."""
    contenders = {version: Contender(source, name, seconds) for version, source in sources.items()}
    traces: dict[str, list[Trace]] = {version: [] for version in sources}
    for number in range(starts):
        for version, contender in contenders.items():
            trace = contender.start(number)
            traces[version].append(trace)
            end = f"{-trace[-1][1]:.2f} at {trace[-1][0]:.1f} s" if trace else "nothing"
            print(f"  {name} start {number + 1}, {version}: {end}", flush=True)
    traces["new, in one fit"] = []
    for _ in range(fits):
        found, took = contenders["new"].fit(starts)
        traces["new, in one fit"] += found
        print(f"  {name}, new: one fit of {starts} starts took {took:.1f} s to its end", flush=True)
    best = min(value for all_traces in traces.values() for trace in all_traces for _, value in trace)
    medians = {}
    for version, all_traces in traces.items():
        times = [reached(trace, best + WITHIN, seconds) for trace in all_traces]
        medians[version] = statistics.median(times)
        done = sum(time < seconds for time in times)
        print(
            f"{name}, {version}: median {medians[version]:.3f} s; {done} of {len(times)} within {WITHIN} of {-best:.2f}"
        )
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="The src folder of the older checkout.")
    parser.add_argument("problems", nargs="*", default=["erbb", "bundled"])
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fits", type=int, default=1, help="How often all starts are measured in one fit.")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        worker(chosen.problems[0], chosen.seconds)
        return
    sources = {"old": chosen.old, "new": HERE.parent / "src"}
    for name in chosen.problems:
        medians = measure(name, sources, chosen.starts, chosen.seconds, chosen.fits)
        alone, in_one = medians["old"] / medians["new"], medians["old"] / medians["new, in one fit"]
        print(f"{name}: {alone:.1f} times faster alone, {in_one:.1f} times in one fit", flush=True)


if __name__ == "__main__":
    main()
