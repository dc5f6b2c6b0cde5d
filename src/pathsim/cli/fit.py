"""``pathsim fit``: parameters from measured blots, or from a PEtab problem."""

from __future__ import annotations

import json as text_json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..files import read_json, write_whole
from ..stored_records import record_of
from . import app as cli
from .bench import BENCH, Bench, is_file_of_free, read_free, verb

if TYPE_CHECKING:
    from ..estimation import Ensemble, Fit, Problem
    from ..estimation.optimise import Optimiser

PROBLEM_FILE = "problem.json"


@dataclass(frozen=True)
class Task:
    """What a fit was asked for: the files, and how they are read."""

    data: str
    free: tuple[str, ...]
    model: str
    cell_lines: str | None
    drugs: str | None
    changes: tuple[str, ...]
    fitted: str | None
    background: tuple[str, ...]
    saturation: tuple[str, ...]
    noise: str | None
    columns: tuple[str, ...] = ()
    sheet: str | None = None


class Search(StrEnum):
    """Local optimisers."""

    trust_region = "trust-region"
    l_bfgs_b = "l-bfgs-b"


@verb()
def fit(
    data: Annotated[
        str,
        typer.Argument(
            help="Densitometry (CSV, Excel or Parquet; a band a row or an antibody a column) or a PEtab problem (YAML)."
        ),
    ],
    free: Annotated[
        list[str] | None,
        typer.Option(
            "--free",
            metavar="NAME...|FILE.toml",
            help="What to estimate: parameters (within a hundredth and a hundred times their value), or a file with a "
            "table per parameter: lower, upper, prior.",
        ),
    ] = None,
    bench: Bench = BENCH,
    optimiser: Annotated[Search, typer.Option("--optimiser", help="Of the local searches.")] = Search.trust_region,
    starts: Annotated[int, typer.Option("--starts", min=1, help="Local searches from random points.")] = 20,
    background: cli.Background = None,
    saturation: cli.Saturation = None,
    noise: cli.NoiseFamily = None,
    columns: cli.Columns = None,
    sheet: cli.SheetName = None,
    ensemble: Annotated[
        int,
        typer.Option(
            "--ensemble",
            metavar="N",
            min=0,
            help="Write so many parameter sets that the data allow to "
            "ensemble.csv in the output folder, which --ensemble of other verbs takes.",
        ),
    ] = 0,
    mcmc: Annotated[
        int, typer.Option("--mcmc", metavar="STEPS", min=0, help="Draw them by so many steps of ensemble MCMC (emcee).")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from what the output folder holds.")] = False,
    plot: cli.Plot = None,
    plot_blots: Annotated[
        str | None,
        typer.Option(
            "--plot-blots",
            metavar="FILE",
            callback=cli.new_figure,
            help="Draw the bands and their fit over time, with what the parameter sets of --ensemble leave open.",
        ),
    ] = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Fit free parameters to blots: many starts, every result kept, the best first.

    Writes starts.jsonl (as searches finish), starts.csv, best.csv and predicted.csv into the output folder; prints the
    best parameters. Scales per gel and antibody and the noise are solved for, not searched.
    """
    from .. import estimation
    from ..errors import InputError

    if (ensemble or mcmc) and output is None:
        raise InputError("--ensemble writes into the output folder; name one with -o")
    if mcmc and not ensemble:
        raise InputError("--mcmc draws the parameter sets of --ensemble; say how many, --ensemble 50")
    if plot_blots is not None and _is_petab(data):
        raise InputError("--plot-blots draws fits of blots; pathsim petab --plot draws a PEtab problem")
    task = Task(
        os.path.abspath(data),
        tuple(os.path.abspath(word) if is_file_of_free(word) else word for word in free or ()),
        os.path.abspath(bench.model) if os.path.exists(bench.model) else bench.model,
        None if bench.cell_lines is None else os.path.abspath(bench.cell_lines),
        None if bench.drugs is None else os.path.abspath(bench.drugs),
        tuple(bench.changes or ()),
        None if bench.fitted is None else os.path.abspath(bench.fitted),
        tuple(background or ()),
        tuple(saturation or ()),
        noise,
        tuple(columns or ()),
        sheet,
    )
    problem = open_problem(task, quiet)
    if output is not None:
        _remember(output, task, problem)

    def report(start: Any) -> None:
        if start.value < float("inf"):
            value = f"log likelihood {-start.value:.4f} in {start.seconds:.1f} s"
            value += "" if start.converged else f", not converged: {start.message}"
        else:
            value = f"failed: {start.message}"
        cli.note(f"start {start.number + 1} of {starts}: {value}", quiet)

    def watch(line: str) -> None:
        cli.note(line, quiet)

    found = estimation.fit(
        problem,
        starts,
        seed,
        workers,
        optimiser=_optimiser(optimiser),
        folder=output,
        resume=resume,
        report=report,
        watch=watch,
    )
    cli.note(found.summary)
    for reason, count in _reasons(found).items():
        cli.note(f"  {count} evaluations failed: {reason}", quiet)
    if not found.best.converged:
        cli.note(f"the best start did not converge ({found.best.message}); do not trust it, run more starts")
    if output is not None:
        write_whole(os.path.join(output, "predicted.csv"), problem.predicted(found.theta).to_csv(index=False))
    opened = problem.description.parts[0].model
    members = _ensemble(found, ensemble, mcmc, seed, output, quiet) if ensemble else None
    if plot_blots is not None:
        cli.save_figure(_blots_figure(problem, found, members), plot_blots, quiet, model=opened)
    if plot is not None:
        from ..plot.fit import draw_fit

        cli.save_figure(draw_fit(found), plot, quiet, model=opened)
    cli.deliver(_best(found), "best", json, output, model=opened)


def _optimiser(search: Search) -> Optimiser:
    from .. import estimation

    match search:
        case Search.trust_region:
            return estimation.TrustRegion()
        case Search.l_bfgs_b:
            return estimation.LBFGSB()


def _blots_figure(problem: Problem, found: Fit, members: Ensemble | None) -> Any:
    """Bands, fit, and where there are ``members`` 95 % of their predictions."""
    from ..estimation.curves import curves
    from ..experiments.ensemble import interval
    from ..plot.fit import draw_blot_fit

    spread = None
    if members is not None:
        drawn = [curves(problem, theta)["predicted"].to_numpy() for theta in (found.theta, *members.theta)]
        low, _, high = interval(drawn, 0.95)
        spread = low, high
    return draw_blot_fit(problem.predicted(found.theta), curves(problem, found.theta), spread)


def _ensemble(found: Fit, size: int, steps: int, seed: int, folder: str | None, quiet: bool) -> Ensemble:
    """Write parameter sets that the data allow, and say how far to trust them."""
    from ..estimation import posterior_ensemble, sample

    assert folder is not None
    if steps:
        drawn = sample(found, steps, seed=seed, report=lambda done: cli.note(f"MCMC: step {done} of {steps}", quiet))
        cli.deliver(drawn.table, "posterior", False, folder, quiet)
        worst = float(drawn.table["r_hat"].max())
        advice = "" if worst < 1.05 else "; above 1.05 the walkers have not met: take more steps"
        cli.note(f"MCMC: acceptance {drawn.acceptance:.2f}, largest R-hat {worst:.3f}{advice}", quiet)
        members = drawn.ensemble(size, seed)
    else:
        members = posterior_ensemble(found, size, seed)
        if members.effective < 0.5 * size:
            cli.note(
                f"the {size} parameter sets are worth {members.effective:.0f} independent ones, because the "
                "likelihood is not normal; --mcmc 2000 draws better ones",
                quiet,
            )
    path = os.path.join(folder, "ensemble.csv")
    members.save(path)
    cli.note(f"wrote {path}", quiet)
    return members


def open_problem(task: Task, quiet: bool = False) -> Problem:
    """The problem that a task describes."""
    from .. import estimation
    from ..errors import InputError
    from ..tables import read_map

    if _is_petab(task.data):
        from ..petab import load

        return load(task.data, workers=1)
    if not task.free:
        raise InputError(
            "say what may change: --free NAME..., or --free FILE.toml with a table per parameter, such as [k_phos]"
        )
    bench = Bench(task.model, task.cell_lines, task.drugs, list(task.changes), task.fitted)
    columns = read_map(task.columns)
    try:
        free = read_free(task.free)
    except InputError as error:
        try:  # both files are said in one go
            estimation.read_blots(task.data, columns, task.sheet, lambda said: None)
        except InputError as other:
            raise InputError(f"{error}\n{other}") from None
        raise
    return estimation.blot_problem(
        bench.opened,
        task.data,
        free,
        cli.noise_family(task.noise),
        task.background,
        task.saturation,
        library=bench.library,
        columns=columns,
        sheet=task.sheet,
        tell=lambda said: cli.note(said, quiet),
    )


def _is_petab(data: str) -> bool:
    return data.lower().endswith((".yaml", ".yml"))


def open_folder(folder: str) -> tuple[Problem, Fit]:
    """A fit saved by ``pathsim fit -o``, and its problem. Raises :class:`InputError` when there is none."""
    from ..errors import InputError
    from ..estimation import load_fit

    path = os.path.join(folder, PROBLEM_FILE)
    if not os.path.exists(path):
        raise InputError(f"{folder}: holds no fit of 'pathsim fit ... -o {folder}' ({PROBLEM_FILE} is missing)")
    task = record_of(Task, read_json(path, dict), path)
    problem = open_problem(task)
    return problem, load_fit(folder, problem)


def _remember(folder: str, task: Task, problem: Problem) -> None:
    """Keep the task beside its fit, unless the folder holds another one's."""
    from ..estimation.result import HEAD_FILE, load_fit

    if os.path.exists(os.path.join(folder, HEAD_FILE)):
        load_fit(folder, problem)
    os.makedirs(folder, exist_ok=True)
    write_whole(os.path.join(folder, PROBLEM_FILE), text_json.dumps(asdict(task), indent=1) + "\n")


def _best(found: Fit) -> Any:
    import pandas as pd

    return pd.DataFrame(
        {
            "parameter": found.names,
            "value": list(found.parameters.values()),
            "on_scale": found.theta,
            "scale": found.objective.scales,
        }
    )


def _reasons(found: Fit) -> dict[str, int]:
    """Reasons of failed evaluations over all starts, most frequent first."""
    from collections import Counter

    total: Counter[str] = Counter()
    for start in found.starts:
        total.update(start.failures)
    return dict(total.most_common(5))
