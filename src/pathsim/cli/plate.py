"""``pathsim plate``: a plate whose map says what stands in each well."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli
from .bench import BENCH, Bench, verb


@verb()
def plate(
    map_file: Annotated[
        str,
        typer.Argument(
            metavar="MAP",
            help="TOML of rows and columns; or CSV, Excel or Parquet: a grid as the plate, or columns well, cell_line, "
            "treatment.",
        ),
    ],
    line: Annotated[
        str | None, typer.Option("--line", metavar="LINE", help="Cell line of wells for which the map names none.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", metavar="TIMES", help="When wells are read. Default: as the map says, or 72 h."),
    ] = None,
    readout: Annotated[
        str | None,
        typer.Option(
            "--readout", help="viability, colony, GR, or any readout. Default: as the map says, or viability."
        ),
    ] = None,
    replicates: cli.PlateReplicates = 1,
    noise: cli.PlateNoise = False,
    bench: Bench = BENCH,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Treat the wells of a plate as its map says: one row per well, and the plate as a figure.

    Example: pathsim plate examples/plate.toml --plot plate.png
    """
    from ..assays.plate import run_plate
    from ..assays.plate_map import read_plate_map
    from ..stats.noise import WellNoise
    from ..threads import chosen

    table = run_plate(
        bench.opened,
        read_plate_map(map_file, line),
        time,
        readout,
        replicates=replicates,
        noise=WellNoise() if noise else None,
        seed=seed,
        library=bench.library,
        workers=chosen(workers, dask),
    )
    if plot is not None:
        from ..plot import draw_plate

        cli.save_figure(draw_plate(table), plot, quiet, model=bench.opened)
    cli.deliver(table, "plate", json, output, quiet, model=bench.opened)
