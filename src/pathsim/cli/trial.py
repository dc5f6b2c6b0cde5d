"""``pathsim trial``: a virtual clinical trial beside the reported one."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli
from .bench import BENCH, Bench, verb

TABLES = ("summary", "trials", "survival")


@verb()
def trial(
    cohort: Annotated[
        str, typer.Argument(metavar="COHORT", help="'newly diagnosed' or recurrent.")
    ] = "newly diagnosed",
    patients: Annotated[int, typer.Option("--patients", help="Per arm.")] = 60,
    trials: Annotated[int, typer.Option("--trials", help="How many trials to simulate.")] = 200,
    table: Annotated[
        str, typer.Option("--table", help="Which table goes to stdout: summary, trials or survival.")
    ] = "summary",
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Simulate a two-arm trial in glioblastoma (GBM-AGILE) many times: which hazard ratios the assumptions allow.

    Not a prediction: the control arm is set to the reported one, and how much of the effect in cells reaches patients
    is drawn anew for every trial. With -o every table is written into the folder.
    """
    from ..errors import unknown
    from ..invivo.trial import ASSUMPTIONS, virtual_trial
    from ..threads import chosen

    if table not in TABLES:
        raise unknown("table", table, TABLES)
    found = virtual_trial(
        bench.opened,
        cohort,
        patients,
        trials,
        seed,
        sets=bench.sets(ensemble) or ({},),
        library=bench.library,
        workers=chosen(workers, dask),
    )
    for sentence in ASSUMPTIONS:
        cli.note(sentence, quiet)
    if plot is not None:
        from ..plot.trial import draw_trial

        cli.save_figure(draw_trial(found), plot, quiet, model=bench.opened)
    for name, frame in found.tables().items():
        if output is not None or name == table:
            cli.deliver(frame, name, json, output, quiet, model=bench.opened)
