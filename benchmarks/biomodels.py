"""How do curated BioModels come out beside libRoadRunner? Writes docs/biomodels.md.

usage: python benchmarks/biomodels.py [--folder ../shared/data/biomodels] [--limit 60] [--only 234 356] [--jobs 2]

Every model runs in a process of its own with a time limit: our result at defaults against libRoadRunner at rtol 1e-10,
concentrations of floating species at 51 times up to 100 time units. A difference counts relative to a species' peak.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
AGREES = 1e-4


def compare(file: Path) -> dict[str, object]:
    """What both make of a model: a verdict and details."""
    import warnings

    import numpy as np

    import pathsim as ps

    warnings.simplefilter("ignore")
    times = np.linspace(0, 100, 51)
    try:
        model = ps.load_model(file)
        names = [s.id for s in model.species if not s.boundary and not s.constant]
        if not names:
            return {"verdict": "no species", "detail": ""}
        ours = ps.simulate(model, times, outputs=[f"concentration({name})" for name in names]).to_numpy(float)
    except ps.PathsimError as error:
        return {
            "verdict": "refused" if type(error).__name__ != "SimulationError" else "failed",
            "detail": str(error)[:160],
        }
    import roadrunner

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    try:
        other = roadrunner.RoadRunner(str(file))
        integrator = other.integrator
        integrator.relative_tolerance, integrator.absolute_tolerance = 1e-10, 1e-16
        integrator.maximum_num_steps = 200_000
        known = set(other.model.getFloatingSpeciesIds())
        chosen = [i for i, name in enumerate(names) if name in known]
        other.selections = ["time", *(f"[{names[i]}]" for i in chosen)]
        theirs = np.array(other.simulate(times=list(times)))[:, 1:]
    except Exception as error:
        return {"verdict": "libRoadRunner fails", "detail": str(error).split(";")[0][:160]}
    if not chosen:
        return {"verdict": "no species", "detail": ""}
    peak = np.abs(theirs).max(axis=0)
    size = np.where(peak > 1e-12 * peak.max(initial=0.0), peak, np.inf)
    error = np.abs(ours[:, chosen] - theirs) / size
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    detail = f"{error[worst]:.1e} of the peak of {names[chosen[worst[1]]]} at {times[worst[0]]:g}"
    return {"verdict": "agrees" if error[worst] < AGREES else "differs", "detail": detail}


def in_a_process(file: Path, limit: float) -> dict[str, object]:
    """:func:`compare` in a child, which may die or take too long."""
    command = [sys.executable, __file__, "--one", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"verdict": "takes too long", "detail": f"more than {limit:g} s, with libRoadRunner's share"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return {"verdict": "died", "detail": f"exit status {done.returncode}: {last[:120]}"}
    found: dict[str, object] = json.loads(lines[-1])
    return found


CAUSES = {
    "BIOMD0000000718": "libRoadRunner loses triggers that compare states with ==; they are crossings here",
    "BIOMD0000000356": "libRoadRunner does not get past its limit of steps",
}


def write_page(results: dict[str, dict[str, object]], page: Path) -> None:
    """The table of everything that does not simply agree, with its cause where one has been found."""
    counts = Counter(str(one["verdict"]) for one in results.values())
    lines = [
        "# Curated BioModels",
        "",
        f"{len(results)} models by `python benchmarks/biomodels.py`, at defaults, "
        f"beside libRoadRunner at rtol 1e-10; they agree within {AGREES:g} of every species' peak "
        "unless listed.",
        "",
        "| verdict | models |",
        "| --- | --- |",
    ]
    lines += [f"| {verdict} | {count} |" for verdict, count in counts.most_common()]
    lines += ["", "| model | verdict | detail | cause |", "| --- | --- | --- | --- |"]
    for name, one in sorted(results.items()):
        if one["verdict"] not in ("agrees", "no species"):
            detail = str(one["detail"]).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {name} | {one['verdict']} | {detail} | {CAUSES.get(name, '')} |")
    page.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Run the models and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE.parents[1] / "shared" / "data" / "biomodels")
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--only", nargs="*", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path, default=HERE.parent / "docs" / "biomodels.md")
    parser.add_argument("--one", type=Path)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(compare(given.one)))
        return
    files = sorted(given.folder.glob("BIOMD*.xml"))
    if given.only:
        files = [file for file in files if int(file.stem[5:]) in given.only]
    results = {}
    with ThreadPoolExecutor(given.jobs) as pool:
        for file, found in zip(files, pool.map(lambda file: in_a_process(file, given.limit), files), strict=True):
            results[file.stem] = found
            if found["verdict"] != "agrees":
                print(file.stem, found["verdict"], found["detail"], flush=True)
    if not given.only:
        write_page(results, given.page)
    print(Counter(str(one["verdict"]) for one in results.values()))


if __name__ == "__main__":
    main()
