"""``pathsim export``: measurements and free parameters, or a fit, as a PEtab problem for other tools."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def export(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE.csv|FIT",
            help="CSV with cell_line, treatment, time_min, readout, value; or a folder of "
            "pathsim fit, whose best parameters are then where the problem starts.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR", callback=cli.new_folder, help="Where problem.yaml and its tables go."
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="A bundled model, or a path to a model file.")] = "pi3k_mapk",
    free: Annotated[
        list[str] | None,
        typer.Option("--free", metavar="NAME...|FILE.toml", help="What to estimate: parameters, or a file of priors."),
    ] = None,
    cell_lines: cli.CellLines = None,
    drugs: cli.Drugs = None,
    background: cli.Background = None,
    saturation: cli.Saturation = None,
    normal_noise: Annotated[
        bool, typer.Option("--normal-noise", help="Noise of the same size on all bands; so it is with a column sd.")
    ] = False,
) -> None:
    """Write a PEtab version 2 problem: model, dishes, measurements and parameters to estimate."""
    from ..estimation.free import FreeParameter, read_free_parameters
    from ..petab import export as write

    if os.path.isdir(table):
        path = _fit(table, output)
    else:
        chosen: list[str | FreeParameter] = []
        for word in free or []:
            chosen += read_free_parameters(word) if word.endswith(".toml") else [word]
        rules = None
        if background or saturation or normal_noise:
            from ..estimation import Densitometry

            rules = Densitometry(not normal_noise, tuple(background or ()), tuple(saturation or ()))
        path = str(write(model, table, output, chosen, cli.library(cell_lines, drugs), rules))
    cli.note(f"wrote {path}")
    cli.send(f"{path}\n")


def _fit(folder: str, output: str) -> str:
    from ..errors import InputError
    from ..estimation.blot_objective import BlotObjective
    from ..petab.export import export_objective
    from .fit import open_folder

    found = open_folder(folder)
    if not isinstance(found.objective, BlotObjective):
        raise InputError(f"{folder}: a fit of a PEtab problem, not of blots; the problem is PEtab already")
    return str(export_objective(found.objective, output, found.theta))
