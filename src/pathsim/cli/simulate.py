"""``pathsim simulate``: one time course of any model."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def simulate(
    model: Annotated[str, typer.Argument(help="A bundled model, or a path to an .ant, .xml or .sbml file.")],
    times: Annotated[
        str, typer.Option("--times", metavar="TIMES", help="'0 .. 60 x 61' or '0 1 5', in the model's own time unit.")
    ],
    outputs: Annotated[
        list[str] | None, typer.Option("--outputs", metavar="NAME...", help="Any symbols; default: all species.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER...", help="Parameters or initial values to change."),
    ] = None,
    rtol: Annotated[float, typer.Option("--rtol", help="Relative tolerance.")] = 1e-6,
    atol: Annotated[float, typer.Option("--atol", help="Absolute tolerance.")] = 1e-9,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """Run one time course and print it as a table."""
    from ..simulation import simulate as run
    from ..solve import Rosenbrock
    from ..units import numbers

    cli.check_plot(plot)
    frame = run(model, numbers(times), cli.settings(changes or []), outputs or None, Rosenbrock(rtol=rtol, atol=atol))
    if plot is not None:
        from ..plot import draw_time_course

        cli.save_figure(draw_time_course(frame).figure, plot)
    cli.deliver(frame.reset_index(), "time_course", json, output)
