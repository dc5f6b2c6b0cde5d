"""``pathsim export``: measurements and free parameters, or a fit, as a PEtab problem for other tools."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from . import app as cli
from .bench import BENCH, Bench, read_free, verb


@verb()
def export(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE|FIT",
            help="CSV, Excel or Parquet with cell_line, treatment, time_min, readout, value; or a folder of "
            "pathsim fit, whose best parameters are then where the problem starts.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR", callback=cli.new_folder, help="Where problem.yaml and its tables go."
        ),
    ],
    bench: Bench = BENCH,
    free: Annotated[
        list[str] | None,
        typer.Option("--free", metavar="NAME...|FILE.toml", help="What to estimate: parameters, or a file of priors."),
    ] = None,
    background: cli.Background = None,
    saturation: cli.Saturation = None,
    noise: cli.NoiseFamily = None,
    columns: cli.Columns = None,
    sheet: cli.SheetName = None,
) -> None:
    """Write a PEtab version 2 problem: model, conditions, measurements and parameters to estimate."""
    from ..petab import export as export_table
    from ..tables import read_map

    if os.path.isdir(table):
        path = _fit(table, output)
    else:
        path = str(
            export_table(
                bench.opened,
                table,
                output,
                read_free(free or ()),
                bench.library,
                cli.noise_family(noise),
                background or (),
                saturation or (),
                columns=read_map(columns or ()),
                sheet=sheet,
                tell=cli.note,
            )
        )
    cli.note(f"wrote {path}")
    cli.send(f"{path}\n")


def _fit(folder: str, output: str) -> str:
    from ..errors import InputError
    from ..estimation import load_fit
    from ..petab import write

    found = load_fit(folder)
    problem = found.problem
    if "measurement" in problem.description.parts[0].table:
        raise InputError(f"{folder}: a fit of a PEtab problem, not of blots; the problem is PEtab already")
    return str(write(problem, output, found.theta))
