"""``pathsim dose-response``: one drug, many doses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import CellLine


@verb(name="dose-response")
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
    medium: cli.Medium = None,
    before: cli.Before = None,
    plate: cli.PlateSize = None,
    replicates: cli.PlateReplicates = 1,
    noise: cli.PlateNoise = False,
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Treat a cell line with a series of doses: one row per well; fitted curves go to stderr (and to -o DIR)."""
    import pandas as pd

    from ..assays.dose_response import dose_response
    from ..stats.noise import WellNoise

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        tables = [
            dose_response(
                bench.opened,
                lines[0],
                drug,
                doses,
                readout,
                time,
                medium=medium,
                before=before,
                plate=plate,
                replicates=replicates,
                noise=WellNoise() if noise else None,
                seed=seed,
                library=bench.library,
                workers=workers,
            )
            for drug in drugs
        ]
        return pd.concat(tables, ignore_index=True)

    table = bench.with_intervals(run, [cell_line], ensemble)
    cli.deliver(table, "dose_response", json, output, model=bench.opened)
    try:
        curves = _curves(table)
    except InputError as error:
        cli.note(f"no curve: {error}", quiet)
    else:
        for key, curve in curves:
            cli.note(f"{cell_line}, {key['drug']}, {readout} after {key['time_min'] / 60:g} h\n{curve}", quiet)
        if output is not None:
            rows = pd.DataFrame([{**key, **curve.row()} for key, curve in curves])
            cli.deliver(rows, "curves", json, output, model=bench.opened)
    if plot is not None:
        from ..plot.dose_response import draw_dose_response

        cli.save_figure(draw_dose_response(table), plot, quiet, model=bench.opened)


def _curves(table: pd.DataFrame) -> list[tuple[dict[str, Any], Any]]:
    """What each curve is of, and the curve: growth rate metrics of GR values, Hill curves of anything else."""
    from ..stats import growth_rate, hill

    found: list[tuple[dict[str, Any], Any]] = []
    for (line, drug, readout, time), wells in table.groupby(["cell_line", "drug", "readout", "time_min"], sort=False):
        key = {"cell_line": line, "drug": drug, "readout": readout, "time_min": float(str(time))}
        fit = growth_rate.from_values if readout == "GR" else hill.fit
        found.append((key, fit(wells["dose_nM"].tolist(), wells["value"].tolist())))
    return found
