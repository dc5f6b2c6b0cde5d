"""``pathsim export``: measurements and free parameters as a PEtab problem for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def export(
    table: Annotated[str, typer.Argument(help="CSV with cell_line, treatment, time_min, readout, value.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Where problem.yaml and its tables go.")],
    model: Annotated[str, typer.Option("--model", help="A bundled model, or a path to a model file.")] = "pi3k_mapk",
    free: Annotated[
        list[str] | None,
        typer.Option("--free", metavar="NAME...|FILE.toml", help="What to estimate: parameters, or a file of priors."),
    ] = None,
) -> None:
    """Write a PEtab version 2 problem: model, dishes, measurements and parameters to estimate."""
    from ..fitting.free import Free, read_free
    from ..petab import export as write

    chosen: list[str | Free] = []
    for word in free or []:
        chosen += read_free(word) if word.endswith(".toml") else [word]
    path = write(model, table, output, chosen)
    cli.note(f"wrote {path}")
    cli.send(f"{path}\n")
