"""``pathsim dose-response``: one drug, many doses."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import InputError
from . import app as cli


@cli.app.command(name="dose-response")
def dose_response(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="A cell line, with alterations after +.")],
    drugs: Annotated[list[str], typer.Argument(metavar="DRUG...", help="One drug, or several, each on its own.")],
    doses: Annotated[str, typer.Option("--doses", metavar="DOSES", help="'1 nM .. 10 uM x 9' or '0 10 100 nM'.")] = (
        "1 nM .. 10 uM x 9"
    ),
    time: Annotated[str, typer.Option("--time", metavar="TIMES", help="When wells are read, after the drug.")] = "72 h",
    readout: Annotated[
        str, typer.Option("--readout", help="viability, colony, GR, or any readout of the model.")
    ] = "viability",
    medium: Annotated[
        str | None, typer.Option("--medium", help="What all wells contain. Default: full medium, serum 10 %.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="STEPS", help="Steps before the drug: 'vehicle for 24 h'.")
    ] = None,
    plate: Annotated[int | None, typer.Option("--plate", help="96 or 384: place the wells on plates.")] = None,
    replicates: Annotated[int, typer.Option("--replicates", min=1, help="Plates of the same layout.")] = 1,
    noise: Annotated[bool, typer.Option("--noise", help="Read plates as at the bench, with errors of wells.")] = False,
    model: Annotated[str, typer.Option("--model", help="A bundled model or a path to one.")] = "pi3k_mapk",
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Treat a cell line with a series of doses: one row per well; fitted curves go to stderr (and to -o DIR)."""
    import pandas as pd

    from ..assays import WellNoise, dose_response
    from ..stats import hill

    cli.check_plot(plot)
    tables = [
        dose_response(
            model, cell_line, drug, doses, readout, time, medium=medium, before=before, plate=plate,
            replicates=replicates, noise=WellNoise() if noise else None, seed=seed, workers=workers,
        )
        for drug in drugs
    ]  # fmt: skip
    table = pd.concat(tables, ignore_index=True)
    if plot is not None:
        from ..plot.dose_response import draw_dose_response

        cli.save_figure(draw_dose_response(table).figure, plot, quiet)
    try:
        curves = hill.fit_table(table)
    except InputError as error:
        cli.note(f"no curve: {error}", quiet)
    else:
        for (drug, minutes), wells in table.groupby(["drug", "time_min"], sort=False):
            curve = hill.fit(wells["dose_nM"], wells["value"])
            cli.note(f"{cell_line}, {drug}, {readout} after {float(str(minutes)) / 60:g} h\n{curve}", quiet)
        if output is not None:
            cli.deliver(curves, "curves", json, output)
    cli.deliver(table, "dose_response", json, output)

