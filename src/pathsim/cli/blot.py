"""``pathsim blot``: a virtual western blot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..errors import InputError
from . import app as cli
from .bench import BENCH, MEASURED, Bench, Measured, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import CellLine


@verb()
def blot(
    cell_lines: Annotated[
        list[str] | None,
        typer.Argument(metavar="LINE...", help="Cell lines, with alterations after +. Default: T47D T47D+PTEN_loss."),
    ] = None,
    treatment: Annotated[
        list[str] | None,
        typer.Option(
            "--treatment",
            metavar="TEXT...",
            help="'vehicle for 24 h then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM'; several lanes, "
            "several times. A step names everything in the medium: without 'serum 10 %' it is serum-free. Default: "
            "starved 24 h, alpelisib 1 h or not, IGF1 or not.",
        ),
    ] = None,
    times: Annotated[
        str | None,
        typer.Option(
            "--times", metavar="TIMES", help="When to lyse, from the start of the last step. Default: 15 min."
        ),
    ] = None,
    readouts: Annotated[
        list[str] | None, typer.Option("--readouts", metavar="NAME...", help="Antibodies (pathsim list readouts).")
    ] = None,
    replicates: Annotated[int, typer.Option("--replicates", min=1, help="Gels of the same lanes.")] = 1,
    noise: Annotated[
        bool, typer.Option("--noise", help="Densitometry in arbitrary units with loading and band errors, not nM.")
    ] = False,
    bench: Bench = BENCH,
    measured: Measured = MEASURED,
    lanes: cli.Lanes = None,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """Starve, treat, stimulate, lyse, blot: phospho-readouts as a table and a picture.

    Without arguments: parental T47D and its PTEN-null sister under the standard protocol for PI3K inhibitor resistance.
    """
    from ..assays.western_blot import blot_columns, resistance_blot_protocol, western_blot
    from ..lab.protocols import protocols
    from ..rows import rows_of
    from ..stats.noise import BlotNoise
    from ..threads import chosen

    opened = bench.opened
    standard = protocols(opened.version).resistance_blot

    data = _measured(measured, lanes, [*opened.readouts])
    given = _lanes(data) if data is not None else _Lanes((), (), (), ())
    treatments = treatment or given.treatments or resistance_blot_protocol(version=opened.version)
    antibodies = readouts or given.readouts or standard.antibodies
    lysed = times or given.times or "15 min"
    asked = (treatments, antibodies, lysed, replicates, BlotNoise() if noise else None, seed)
    named = cell_lines or given.cell_lines or standard.cell_lines
    hands = chosen(workers, dask)
    if plot is None and ensemble is None and data is None:
        columns = blot_columns(opened, named, *asked, library=bench.library, workers=hands)
        cli.deliver(rows_of(columns), "blot", json, output, model=opened)
        return

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        return western_blot(opened, lines, *asked, library=bench.library, workers=hands)

    table = bench.with_intervals(run, named, ensemble, hands)
    if data is not None:
        from ..estimation.beside import beside
        from ..plot import draw_blot_beside

        bands = beside(table, data)
        if output is not None:
            cli.deliver(bands, "measured", json, output, model=opened)
        if plot is not None:
            cli.save_figure(draw_blot_beside(bands), plot, model=opened)
    elif plot is not None:
        from ..plot import draw_blot

        masses = {item.name: item.mass_kDa for item in opened.annotations if item.readout}
        cli.save_figure(draw_blot(table, masses_kDa=masses), plot, model=opened)
    cli.deliver(table, "blot", json, output, model=opened)


class _Lanes(NamedTuple):
    """What the lanes of a measured blot are, as the arguments of a simulated one."""

    cell_lines: tuple[str, ...]
    treatments: tuple[str, ...]
    times: tuple[float, ...]
    readouts: tuple[str, ...]


def _measured(measured: Measured, lanes: str | None, known: Sequence[str]) -> pd.DataFrame | None:
    if measured.data is None:
        if lanes is not None:
            raise InputError("--lanes says what the rows of a measured table are; name it with --data")
        return None
    from ..estimation import read_blots
    from ..estimation.blot_table import loading_controls, with_known_names

    found = read_blots(measured.data, measured.mapped, measured.sheet, cli.note, lanes)
    return with_known_names(found, [*known, *loading_controls()])


def _lanes(data: pd.DataFrame) -> _Lanes:
    """The lines, treatments, times and readouts of a measured table, loading controls left out."""
    from ..estimation.blot_table import loading_controls

    columns = (list(dict.fromkeys(data[name])) for name in ("cell_line", "treatment", "time_min", "readout"))
    lines, treatments, times, readouts = columns
    kept = tuple(str(name) for name in readouts if name not in loading_controls())
    return _Lanes(tuple(map(str, lines)), tuple(map(str, treatments)), tuple(map(float, times)), kept)
