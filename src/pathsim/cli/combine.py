"""``pathsim combine``: a dose matrix of two or three drugs, scored for synergy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from . import app as cli
from .bench import BENCH, MEASURED, Bench, Measured, lines_and_drugs, table_of, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import CellLine
    from ..model import Model
    from ..stats.synergy import Wells


@verb()
def combine(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="LINE... DRUG DRUG [DRUG]", help="Cell lines, with alterations after +, and two or three drugs."
        ),
    ],
    doses: Annotated[
        list[str] | None,
        typer.Option("--doses", metavar="DOSES", help="'1 nM .. 10 uM x 7' for all drugs, or once for each in order."),
    ] = None,
    time: Annotated[str, typer.Option("--time", help="When wells are read, after the drugs.")] = "72 h",
    metric: Annotated[
        cli.Metric, typer.Option("--metric", help="Null model; ci: Chou-Talalay index; musyc: surface.")
    ] = cli.Metric.bliss,
    readout: Annotated[
        str, typer.Option("--readout", help="viability, colony, or any readout of the model (in % of vehicle).")
    ] = "viability",
    medium: cli.Medium = None,
    before: cli.Before = None,
    sequence: Annotated[
        str | None,
        typer.Option(
            "--sequence",
            metavar="TIME",
            help="One drug after another as named: each but the last for so long, then washed out. Default: together.",
        ),
    ] = None,
    plate: cli.PlateSize = None,
    replicates: cli.PlateReplicates = 1,
    noise: cli.PlateNoise = False,
    wells: Annotated[bool, typer.Option("--wells", help="Print the wells instead of the scores.")] = False,
    bench: Bench = BENCH,
    measured: Measured = MEASURED,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    isobologram: Annotated[
        str | None,
        typer.Option(
            "--isobologram",
            metavar="FILE",
            callback=cli.new_figure,
            help="Draw the doses of equal effect of two drugs.",
        ),
    ] = None,
    effect: Annotated[float, typer.Option("--effect", help="... of this fraction affected.")] = 0.5,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Treat cell lines with every combination of doses, and score each against no interaction.

    The table has one row per combination. The summary with its unit and sign is said on stderr; -o DIR and --json have
    it as a table, and the wells.
    """
    import pandas as pd

    from ..assays.combination import combination_screen
    from ..assays.wells import percent_of_vehicle
    from ..stats.noise import WellNoise
    from ..threads import chosen
    from ..workflow.study_intervals import row_over_sets

    hands = chosen(workers, dask)
    lines, drugs = lines_and_drugs(names, bench.library)
    if len(lines) > 1 and (plot is not None or isobologram is not None):
        raise InputError(f"figures are of one line; {len(lines)} are named")
    if len(drugs) != 2 and (isobologram is not None or metric is cli.Metric.musyc):
        what = "--isobologram" if isobologram is not None else "--metric musyc"
        raise InputError(f"{what} is of two drugs; {len(drugs)} are named")
    series = doses or ["1 nM .. 10 uM x 7"]
    if len(series) not in (1, len(drugs)):
        raise InputError(f"--doses is given {len(series)} times for {len(drugs)} drugs; give it once, or once each")
    amounts: Any = series[0] if len(series) == 1 else dict(zip(drugs, series, strict=True))

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        return combination_screen(
            bench.opened,
            lines,
            drugs,
            amounts,
            time,
            readout,
            medium=medium,
            before=before,
            sequence=sequence,
            plate=plate,
            replicates=replicates,
            noise=WellNoise() if noise else None,
            seed=seed,
            library=bench.library,
            workers=hands,
        )

    beside = _measured(measured, drugs, quiet)
    runs = bench.repeats(run, lines, bench.sets(ensemble), quiet, hands)
    table = table_of(runs)
    if wells and output is None:
        cli.deliver(table, "wells", json, output, model=bench.opened)
        return
    percent = percent_of_vehicle(table)
    every = [percent_of_vehicle(other) for other in runs.sample]
    scores, summaries = [], []
    for line in dict.fromkeys(percent["cell_line"]):
        mine, theirs = (part[part["cell_line"] == line] for part in (percent, table))
        found, score = _score(mine, metric, seed, exact=not noise)
        key = {"cell_line": line, "readout": readout, "time_min": float(theirs["time_min"].iloc[0])}
        row = found.row()
        if every:
            again = [_score(one[one["cell_line"] == line], metric, seed, exact=not noise) for one in every]
            score = _with_intervals(score, [one for _, one in again], metric)
            row = row_over_sets([one.row() for one, _ in again])
            row |= {end: row.pop(f"mean_{end}", None) for end in ("low", "high")}
        if every and row["low"] is not None:
            mean = f"{row['metric']} {row['mean']:.4g} ({row['low']:.4g} to {row['high']:.4g}) {row['unit']}"
            cli.note(
                f"{line}, {readout} after {time}: {row['drugs']}: {mean}, {row['synergy_if']} is synergy (median; "
                f"brackets: {row['intervals']})"
            )
        else:
            cli.note(f"{line}, {readout} after {time}: {found}")
        score.insert(0, "cell_line", line)
        scores.append(score)
        summaries.append({**key, **row})
    together = pd.concat(scores, ignore_index=True)
    tables = {f"{metric.value}_scores": together, "summary": pd.DataFrame(summaries), "wells": table}
    if beside is not None:
        found_beside, tables[f"measured_{metric.value}_scores"] = _score(beside, metric, seed, exact=False)
        cli.note(f"measured: {found_beside}")
    cli.deliver_all(tables, json, output, quiet, model=bench.opened)
    if plot is not None and beside is not None:
        from ..plot import draw_matrix_beside
        from ..stats import synergy

        cli.save_figure(draw_matrix_beside(synergy.from_table(percent), beside, seed), plot, quiet, model=bench.opened)
    elif plot is not None:
        _draw(percent, found, plot, quiet, bench.opened)
    if isobologram is not None:
        from ..plot.synergy import draw_isobologram
        from ..stats import synergy

        figure = draw_isobologram(synergy.isobologram(percent, fa=effect))
        cli.save_figure(figure, isobologram, quiet, model=bench.opened)


def _measured(measured: Measured, drugs: Sequence[str], quiet: bool) -> Wells | None:
    """The measured matrix of these drugs, those down first."""
    import numpy as np

    from ..errors import near_misses
    from ..stats import synergy

    if measured.data is None:
        return None
    found = synergy.read_csv(
        measured.data,
        columns=measured.mapped,
        sheet=measured.sheet,
        tell=lambda said: cli.note(said, quiet),
    )
    for wells in found:
        order = [next((i for i, name in enumerate(wells.drugs) if near_misses(name, [drug])), -1) for drug in drugs]
        if sorted(order) == list(range(len(wells.drugs))):
            units = tuple(wells.units[i] for i in order)
            return replace(wells, drugs=tuple(drugs), units=units, doses=np.asarray(wells.doses[:, order]))
    names = "; ".join(" + ".join(wells.drugs) for wells in found)
    raise InputError(f"{measured.data}: holds no matrix of {' + '.join(drugs)}, but of {names}")


def _score(table: pd.DataFrame | Wells, metric: cli.Metric, seed: int, exact: bool) -> tuple[Any, pd.DataFrame]:
    """What was found, and one row per combination (of a surface: per parameter); ``exact``: the wells have no noise."""
    import pandas as pd

    from ..stats import synergy

    if metric is cli.Metric.musyc:
        surface = synergy.musyc(table)
        every = {"beta": surface.beta, **surface.estimates}
        rows = [
            {"parameter": name, "value": one.value, "low": one.low, "high": one.high} for name, one in every.items()
        ]
        return surface, pd.DataFrame(rows)

    if metric is cli.Metric.ci:
        index = synergy.combination_index(table)
        return (index.of_exact_wells() if exact else index), index.points.copy()
    score = getattr(synergy, metric.value)(table, seed=seed)
    return (score.of_exact_wells() if exact else score), score.wells.copy()


def _with_intervals(scores: pd.DataFrame, every: Sequence[pd.DataFrame], metric: cli.Metric) -> pd.DataFrame:
    """Scores with their medians and intervals over parameter sets."""
    from ..experiments.ensemble import add_ends, interval

    column = {cli.Metric.ci: "ci", cli.Metric.musyc: "value"}.get(metric, "excess")
    same = [one[column].to_numpy(dtype=float) for one in every if len(one) == len(scores)]
    if len(same) < len(every):
        cli.note(f"{len(every) - len(same)} parameter sets score other combinations and are left out")
    if len(same) > 1:
        add_ends(scores, column, (f"{column}_ensemble_low", f"{column}_ensemble_high"), interval(same))
    return scores


def _draw(table: pd.DataFrame, found: Any, path: str, quiet: bool, model: Model) -> None:
    """The wells of two drugs beside the score, the index or the surface; what there is of three drugs."""
    from ..plot.style import PAGE, page
    from ..plot.synergy import draw_combination_index, draw_dose_matrix, draw_musyc, draw_synergy, draw_three_drugs
    from ..stats import synergy

    if len(found.drugs) != 2:
        index = isinstance(found, synergy.CombinationIndex)
        cli.save_figure(draw_combination_index(found) if index else draw_three_drugs(found), path, quiet, model=model)
        return
    figure = page(PAGE, 3.6 if isinstance(found, synergy.Musyc) else 3.2)
    left, right = figure.subplots(1, 2)
    draw_dose_matrix(table, ax=left)
    if isinstance(found, synergy.CombinationIndex):
        draw_combination_index(found, ax=right)
    elif isinstance(found, synergy.Musyc):
        draw_musyc(found, table, ax=right)
    else:
        draw_synergy(found, ax=right)
    cli.save_figure(figure, path, quiet, model=model)
