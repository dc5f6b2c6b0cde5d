"""``pathsim glucose``: glucose and insulin of the host, and what they do to the tumour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    from ..invivo import GlucoseStudy
    from ..lab import CellLine

TABLES = ("summary", "host", "tumour")


@verb()
def glucose(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="The tumour: a cell line, alterations after +.")],
    regimen: Annotated[str, typer.Argument(metavar="REGIMEN", help="'alpelisib 30 mg/kg daily', as an arm of mice.")],
    interventions: Annotated[
        list[str] | None,
        typer.Option("--interventions", metavar="NAME...", help="Diets and drugs against it. Default: all there are."),
    ] = None,
    days: Annotated[float, typer.Option("--days", help="How long the animal is followed.")] = 3.0,
    readouts: Annotated[
        list[str] | None, typer.Option("--readouts", metavar="NAME...", help="Of the tumour (pathsim list readouts).")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="brain or flank; default: where the line grows.")] = None,
    medium: cli.Medium = None,
    table: Annotated[str, typer.Option("--table", help="Which table goes to stdout: summary, host or tumour.")] = (
        "summary"
    ),
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Dose a mouse with a PI3K inhibitor: glucose and insulin rise, and the tumour feels both drug and insulin.

    Arms are the interventions, the drug alone, and a control with insulin clamped. With -o every table is written.
    """
    from ..errors import unknown
    from ..invivo.glucose import glucose_insulin_study
    from ..threads import chosen

    if table not in TABLES:
        raise unknown("table", table, TABLES)
    hands = chosen(workers, dask)

    def run(lines: Sequence[CellLine | str]) -> GlucoseStudy:
        return glucose_insulin_study(
            bench.opened,
            lines[0],
            regimen,
            interventions,
            days,
            site=site,
            medium=medium,
            readouts=readouts,
            library=bench.library,
            workers=hands,
        )

    found = bench.repeats(run, [cell_line], bench.sets(ensemble), quiet, hands)
    if plot is not None:
        from ..plot.glucose import draw_glucose

        cli.save_figure(draw_glucose(found.best, others=found.sample), plot, quiet, model=bench.opened)
    study = found.best
    for name, frame in (("summary", study.summary), ("host", study.host), ("tumour", study.tumour)):
        if output is not None or name == table:
            cli.deliver(frame, name, json, output, quiet, model=bench.opened)
