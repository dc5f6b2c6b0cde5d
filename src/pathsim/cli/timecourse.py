"""``pathsim timecourse``: readouts of treated cell lines over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import CellLine


@verb()
def timecourse(
    cell_lines: Annotated[list[str], typer.Argument(metavar="LINE...", help="Cell lines, with alterations after +.")],
    treatment: Annotated[
        list[str],
        typer.Option(
            "--treatment",
            metavar="TEXT...",
            help="'serum 10 % + alpelisib 1 uM', 'vehicle for 24 h then IGF1 13 nM'; several, a line of the "
            "figure each. A step names everything in the medium: without 'serum 10 %' it is serum-free.",
        ),
    ],
    times: Annotated[
        str,
        typer.Option("--times", metavar="TIMES", help="'0 .. 24 h x 25' or '0 15 60 min', from the last step's start."),
    ] = "0 .. 24 h x 49",
    readouts: Annotated[
        list[str] | None, typer.Option("--readouts", metavar="NAME...", help="Readouts (pathsim list readouts).")
    ] = None,
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Follow readouts of treated cell lines over hours, as a table and as lines.

    Example: pathsim timecourse T47D T47D+PTEN_loss --treatment "serum 10 % + alpelisib 1 uM" --readouts pAKT_S473
    pERK_T202 --times "0 .. 72 h x 73" --plot course.png
    """
    from ..assays.western_blot import western_blot
    from ..lab.protocols import protocols
    from ..threads import chosen

    opened, hands = bench.opened, chosen(workers, dask)
    standard = protocols(opened.version)
    usual = [name for name in standard.resistance_blot.antibodies if name not in standard.loading_controls]

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        return western_blot(opened, lines, treatment, readouts or usual, times, library=bench.library, workers=hands)

    table = bench.with_intervals(run, cell_lines, ensemble, hands)
    if plot is not None:
        from ..plot.time_course import draw_readouts, units_of

        cli.save_figure(draw_readouts(table, units_of(opened)), plot, quiet, model=opened)
    cli.deliver(table, "timecourse", json, output, model=opened)
