"""``pathsim sensitivity``: which parameters a readout depends on."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..model import Model


class Method(StrEnum):
    """Local elasticities, shares of variance, or a screening of effects."""

    elasticity = "elasticity"
    sobol = "sobol"
    morris = "morris"


@verb()
def sensitivity(
    cell_line: Annotated[list[str], typer.Argument(metavar="LINE...", help="Cell lines, with alterations after +.")],
    readouts: Annotated[list[str], typer.Option("--readouts", metavar="NAME...", help="Readouts of the model.")],
    treatment: Annotated[
        str,
        typer.Option("--treatment", metavar="TEXT", help="What is done; without 'serum 10 %' a step is serum-free."),
    ] = "serum 10 %",
    time: Annotated[str, typer.Option("--time", help="When they are read, from the start of the last step.")] = "24 h",
    method: Annotated[
        Method, typer.Option("--method", help="elasticity: local; sobol: shares of variance; morris: screening.")
    ] = Method.elasticity,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="NAME...",
            help="Which parameters to vary. Default: all constants (elasticity), or the --top of them by elasticity.",
        ),
    ] = None,
    factor: Annotated[
        str, typer.Option("--factor", metavar="RANGE", help="sobol, morris: factors on every parameter.")
    ] = "0.5 .. 2 log",
    top: Annotated[int, typer.Option("--top", min=1, help="How many of the most elastic to vary.")] = 10,
    points: Annotated[int, typer.Option("--points", help="Base sample (a power of 2) or trajectories.")] = 256,
    bench: Bench = BENCH,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Which parameters a readout depends on, locally or over whole ranges, steady state and protocol included."""
    from ..sensitivity import elasticities, morris_effects, sobol_indices
    from ..threads import chosen

    if plot is not None and len(cell_line) > 1:
        raise InputError(f"--plot draws one cell line; {len(cell_line)} are named")
    opened, own, hands = bench.opened, bench.library, chosen(workers, dask)
    if method is Method.elasticity or vary is None:
        table = elasticities(opened, cell_line, treatment, readouts, time, vary or None, library=own, workers=hands)
    if method is not Method.elasticity:
        names = vary or _most_elastic(table, top)
        factors = dict.fromkeys(names, factor)
        cli.note(f"{method.value}: {len(names)} parameters, factors {factor}: {', '.join(names)}", quiet)
        sobol, morris = partial(sobol_indices, points=points), partial(morris_effects, trajectories=points)
        vary_all = sobol if method is Method.sobol else morris
        asked = (opened, cell_line, treatment, readouts, time)
        table = vary_all(*asked, factors=factors, seed=seed, library=own, workers=hands)
        counts = table.groupby("cell_line")[["failed", "simulations"]].first().sum()
        if failed := int(counts["failed"]):
            cli.note(
                f"{failed} of {counts['simulations']} sets of parameters have no resting state or could not be "
                "simulated; points they belong to are left out"
            )
    cli.deliver(table, f"sensitivity_{method.value}", json, output, model=opened)
    if plot is not None:
        _draw(table, readouts, method, plot, quiet, opened)


def _most_elastic(table: pd.DataFrame, top: int) -> list[str]:
    """The parameters with the largest elasticity of any readout."""
    sizes = table["elasticity"].abs().groupby(table["parameter"]).max()
    return [str(name) for name in sizes.sort_values(ascending=False, kind="stable").index[:top]]


def _draw(table: pd.DataFrame, readouts: list[str], method: Method, path: str, quiet: bool, model: Model) -> None:
    """One panel per readout."""
    from ..plot import draw_morris, draw_sobol, draw_tornado
    from ..plot.style import MIDDLE, PAGE, page

    draw = {Method.elasticity: draw_tornado, Method.sobol: draw_sobol, Method.morris: draw_morris}[method]
    across = min(2, len(readouts))
    down = -(-len(readouts) // across)
    figure = page(PAGE if across > 1 else MIDDLE, 4.0 * down)
    for place, readout in enumerate(readouts):
        draw(table, readout, ax=figure.add_subplot(down, across, place + 1))
    cli.save_figure(figure, path, quiet, model=model)
