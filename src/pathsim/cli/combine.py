"""``pathsim combine``: a dose matrix of two or three drugs, scored for synergy."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import CellLine
    from ..model import Model


class Metric(StrEnum):
    """Null models of no interaction."""

    bliss = "bliss"
    hsa = "hsa"
    loewe = "loewe"
    zip = "zip"
    ci = "ci"


@verb()
def combine(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="A cell line, with alterations after +.")],
    drugs: Annotated[list[str], typer.Argument(metavar="DRUG DRUG [DRUG]", help="Two or three drugs.")],
    doses: Annotated[
        list[str] | None,
        typer.Option("--doses", metavar="DOSES", help="'1 nM .. 10 uM x 7' for all drugs, or once for each in order."),
    ] = None,
    time: Annotated[str, typer.Option("--time", help="When wells are read, after the drugs.")] = "72 h",
    metric: Annotated[Metric, typer.Option("--metric", help="Null model; ci: Chou-Talalay index.")] = Metric.bliss,
    readout: Annotated[
        str, typer.Option("--readout", help="viability, colony, or any readout of the model (in % of vehicle).")
    ] = "viability",
    medium: cli.Medium = None,
    before: cli.Before = None,
    plate: cli.PlateSize = None,
    replicates: cli.PlateReplicates = 1,
    noise: cli.PlateNoise = False,
    wells: Annotated[bool, typer.Option("--wells", help="Print the wells instead of the scores.")] = False,
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Treat a cell line with every combination of doses, and score each against no interaction.

    The table has one row per combination; the summary with its unit and sign goes to stderr. -o DIR gets wells too.
    """
    from ..assays.combination import combination_screen
    from ..assays.wells import percent_of_vehicle
    from ..stats.noise import WellNoise

    if plot is not None and len(drugs) != 2:
        raise InputError(f"--plot draws the matrix of two drugs; {len(drugs)} are named")
    series = doses or ["1 nM .. 10 uM x 7"]
    if len(series) not in (1, len(drugs)):
        raise InputError(f"--doses is given {len(series)} times for {len(drugs)} drugs; give it once, or once each")
    amounts: Any = series[0] if len(series) == 1 else dict(zip(drugs, series, strict=True))

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        return combination_screen(
            bench.opened,
            lines[0],
            drugs,
            amounts,
            time,
            readout,
            medium=medium,
            before=before,
            plate=plate,
            replicates=replicates,
            noise=WellNoise() if noise else None,
            seed=seed,
            library=bench.library,
            workers=workers,
        )

    runs = bench.repeats(run, [cell_line], bench.sets(ensemble), quiet)
    table = runs.table() if runs.sample else runs.best
    if output is not None or wells:
        cli.deliver(table, "wells", json, output, model=bench.opened)
    if wells and output is None:
        return
    percent = percent_of_vehicle(table)
    found, scores = _score(percent, metric, seed)
    cli.note(f"{cell_line}, {readout} after {time}: {found}", quiet)
    if runs.sample:
        others = [_score(percent_of_vehicle(other), metric, seed)[1] for other in runs.sample[1:]]
        scores = _with_intervals(scores, others, metric, quiet)
    cli.deliver(scores, f"{metric.value}_scores", json, output, model=bench.opened)
    if plot is not None:
        _draw(percent, found, plot, quiet, bench.opened)


def _score(table: pd.DataFrame, metric: Metric, seed: int) -> tuple[Any, pd.DataFrame]:
    """What was found, and one row per combination."""
    from ..stats import synergy

    if metric is Metric.ci:
        index = synergy.combination_index(table)
        return index, index.points
    score = getattr(synergy, metric.value)(table, seed=seed)
    return score, score.wells


def _with_intervals(scores: pd.DataFrame, others: Sequence[pd.DataFrame], metric: Metric, quiet: bool) -> pd.DataFrame:
    """Scores with their intervals over parameter sets, and how far their mean spreads in words."""
    import numpy as np

    from ..experiments.ensemble import add_ends, interval

    column = "ci" if metric is Metric.ci else "excess"
    same = [one[column].to_numpy(dtype=float) for one in (scores, *others) if len(one) == len(scores)]
    if len(same) < 1 + len(others):
        cli.note(f"{1 + len(others) - len(same)} parameter sets score other combinations and are left out", quiet)
    if len(same) == 1:
        return scores
    result = scores.copy()
    add_ends(result, column, (f"{column}_ensemble_low", f"{column}_ensemble_high"), interval(same))
    means = interval([np.nanmean(values) for values in same])
    cli.note(
        f"over {len(same)} parameter sets the mean {column} is {means.value:.3g} ({means.low:.3g} to {means.high:.3g})",
        quiet,
    )
    return result


def _draw(table: pd.DataFrame, found: Any, path: str, quiet: bool, model: Model) -> None:
    """The wells beside the score, or beside the combination index."""
    from ..plot.style import PAGE, page
    from ..plot.synergy import draw_combination_index, draw_dose_matrix, draw_synergy
    from ..stats import synergy

    figure = page(PAGE, 3.2)
    left, right = figure.subplots(1, 2)
    draw_dose_matrix(table, ax=left)
    if isinstance(found, synergy.CombinationIndex):
        draw_combination_index(found, ax=right)
    else:
        draw_synergy(found, ax=right)
    cli.save_figure(figure, path, quiet, model=model)
