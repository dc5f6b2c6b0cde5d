"""``pathsim fit``: parameters from measured tables, from a PEtab problem, or from where an earlier fit ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..files import write_whole
from . import app as cli
from .bench import BENCH, Bench, read_free, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..estimation import Ensemble, Fit, Problem
    from ..estimation.optimise import Optimiser
    from ..tables import Tell
    from ..threads import Workers


@dataclass(frozen=True)
class Plates:
    """What plates do not say of themselves."""

    cell_line: str | None
    time: str | None
    readout: str
    unit: str | None


@dataclass(frozen=True)
class Reading:
    """How measured files are read."""

    columns: dict[str, str]
    sheet: str | None
    tell: Tell
    lanes: str | None


class Search(StrEnum):
    """Local optimisers."""

    trust_region = "trust-region"
    l_bfgs_b = "l-bfgs-b"


@verb()
def fit(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Measured tables (CSV, Excel or Parquet): blots (a band a row or an antibody a column), time courses, "
            "viability, GR, tumour volumes, dose responses; or a PEtab problem (YAML), or the folder of a fit.",
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
    lanes: cli.Lanes = None,
    cell_line: Annotated[
        str | None, typer.Option("--cell-line", metavar="NAME", help="Of a plate that does not say whose wells it has.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="Under the drug, where a plate does not say: 72 h.")
    ] = None,
    readout: Annotated[
        str, typer.Option("--readout", metavar="NAME", help="What plates show: viability, colony or GR.")
    ] = "viability",
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Of doses, in a plate that states none: nM, uM, ng/ml.")
    ] = None,
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
    dask: cli.Dask = None,
    any_processor: cli.AnyProcessor = False,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Fit free parameters to measured tables of any kind: many starts, every result kept, the best first.

    Writes starts.jsonl (as searches finish), starts.csv, best.csv, predicted.csv and the whole problem into the output
    folder, which ps.load_fit, pathsim profile and pathsim fit FOLDER --resume go on from; prints the best parameters.
    Scales per gel and antibody and the noise are solved for, not searched.
    """
    from .. import estimation
    from ..errors import InputError
    from ..tables import read_map
    from ..threads import chosen

    if (ensemble or mcmc) and output is None:
        raise InputError("--ensemble writes into the output folder; name one with -o")
    if mcmc and not ensemble:
        raise InputError("--mcmc draws the parameter sets of --ensemble; say how many, --ensemble 50")
    if plot_blots is not None and _is_petab(data):
        raise InputError("--plot-blots draws fits of blots; pathsim petab --plot draws a PEtab problem")
    hands = chosen(workers, dask)
    if is_fit(data[0]):
        problem = _kept(data, free)
        output = output or data[0]
    else:
        plates = Plates(cell_line, time, readout, unit)
        reading = Reading(read_map(columns or ()), sheet, lambda said: cli.note(said, quiet), lanes)
        problem = _problem(data, free or (), bench, background or (), saturation or (), noise, plates, reading)

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
        hands,
        optimiser=_optimiser(optimiser),
        folder=output,
        resume=resume,
        any_processor=any_processor,
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
    members = _ensemble(found, ensemble, mcmc, seed, output, quiet, hands) if ensemble else None
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

    best = curves(problem, found.theta)
    drawn_of = set(best[["cell_line", "treatment", "readout"]].itertuples(index=False, name=None))
    bands = problem.predicted(found.theta)
    lanes = bands[["cell_line", "treatment", "readout"]].itertuples(index=False, name=None)
    bands = bands[[lane in drawn_of for lane in lanes]]  # percentages of a control have no curve
    spread = None
    if members is not None:
        drawn = [curves(problem, theta)["predicted"].to_numpy() for theta in (found.theta, *members.theta)]
        low, _, high = interval(drawn, 0.95)
        spread = low, high
    return draw_blot_fit(bands, best, spread)


def _ensemble(
    found: Fit, size: int, steps: int, seed: int, folder: str | None, quiet: bool, hands: Workers
) -> Ensemble:
    """Write parameter sets that the data allow, and say how far to trust them."""
    from ..estimation import posterior_ensemble, sample

    assert folder is not None
    if steps:

        def report(done: int) -> None:
            cli.note(f"MCMC: step {done} of {steps}", quiet)

        drawn = sample(found, steps, seed=seed, report=report, workers=1 if hands is None else hands)
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


def _problem(
    data: Sequence[str],
    free: Sequence[str],
    bench: Bench,
    background: Sequence[str],
    saturation: Sequence[str],
    noise: str | None,
    plates: Plates,
    reading: Reading,
) -> Problem:
    """The problem of a PEtab file or of measured tables."""
    from .. import estimation
    from ..errors import InputError, PathsimError, raise_together
    from ..estimation.tables import only_bands

    if _is_petab(data):
        from ..petab import load

        return load(data[0], threads=1)
    if not free:
        raise InputError(
            "say what may change: --free NAME..., or --free FILE.toml with a table per parameter, such as [k_phos]"
        )
    problems: list[str] = []
    freed, tables = [], []
    try:
        freed = read_free(free)
    except InputError as error:
        problems.append(str(error))
    for one in data:  # all files are said in one go
        try:
            tables.append(_table(one, bench, plates, reading))
        except PathsimError as error:
            problems.append(str(error))
    raise_together(problems)
    family = cli.noise_family(noise)
    if len(tables) == 1 and only_bands(tables[0]):
        return estimation.blot_problem(
            bench.opened, tables[0], freed, family, background, saturation, library=bench.library, source=data[0]
        )
    return estimation.problem(
        bench.opened,
        dict(zip(data, tables, strict=True)),
        freed,
        family,
        background,
        saturation,
        library=bench.library,
    )


def _table(path: str, bench: Bench, plates: Plates, reading: Reading) -> pd.DataFrame:
    """A measured file in the one schema: a plate by its doses, everything else by its treatments."""
    from ..estimation import read_screen
    from ..estimation.blot_table import read_frame
    from ..estimation.screen_table import is_screen
    from ..estimation.tables import RELATIVE

    if reading.lanes or not is_screen(path, reading.columns, reading.sheet):
        table = read_frame(path, reading.columns, reading.sheet, reading.tell, reading.lanes)
        if "gel" in table or "unit" in table or table["readout"].isin(RELATIVE).all():
            return table
        reading.tell(f"{path}: no column 'gel': one gel, whose scale is fitted (a column 'unit' says it has none)")
        return table.assign(gel="gel 1")
    return read_screen(
        path,
        plates.cell_line,
        plates.time,
        plates.readout,
        model=bench.opened,
        library=bench.library,
        dose_unit=plates.unit,
        columns=reading.columns,
        sheet=reading.sheet,
        tell=reading.tell,
    )


def _kept(data: Sequence[str], free: Sequence[str] | None) -> Problem:
    """The problem in the folder of a fit, to go on from."""
    from ..errors import InputError
    from ..estimation import load_fit

    if len(data) > 1 or free:
        raise InputError(f"{data[0]} is the folder of a fit, which holds its tables and what is free: name it alone")
    return load_fit(data[0]).problem


def is_fit(path: str) -> bool:
    """Whether a path is the folder of a fit."""
    from ..estimation.result import HEAD_FILE

    return os.path.exists(os.path.join(path, HEAD_FILE))


def _is_petab(data: Sequence[str]) -> bool:
    from ..errors import InputError

    named = [one for one in data if one.lower().endswith((".yaml", ".yml"))]
    if named and len(data) > 1:
        raise InputError(f"{named[0]}: a PEtab problem holds its own tables; name it alone")
    return bool(named)


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
