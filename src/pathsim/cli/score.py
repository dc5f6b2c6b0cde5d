"""``pathsim score``: synergy of measured dose matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import app as cli

if TYPE_CHECKING:
    import pandas as pd

    from ..arrays import BoolArray
    from ..stats.synergy import Response, Wells


class Meaning(StrEnum):
    """What the numbers of a matrix are."""

    viability = "viability"
    inhibition = "inhibition"
    signal = "signal"


@cli.app.command()
def score(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Dose matrices (CSV, Excel, Parquet): SynergyFinder's table or matrix, any number of them in a file.",
        ),
    ],
    metric: Annotated[
        list[cli.Metric] | None,
        typer.Option("--metric", help="Null models, the first of which ranks. Default: bliss hsa loewe zip ci musyc."),
    ] = None,
    response: Annotated[
        Meaning | None,
        typer.Option("--response", help="What the numbers are. Default: what their name and the untreated wells say."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Of doses, in a file that states none: nM, uM, ng/ml.")
    ] = None,
    columns: cli.Columns = None,
    sheet: cli.SheetName = None,
    seed: cli.Seed = 0,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Score measured dose matrices for synergy: a row per matrix and metric, the most synergistic matrix first.

    Wells that disagree with their replicates are marked and counted, not left out. -o DIR gets the wells, and the
    excess of every combination, too.
    """
    from ..stats import synergy
    from ..tables import read_map

    mapped = read_map(columns or ())
    found: list[Wells] = []
    for path in files:
        own = synergy.read_csv(
            path,
            _scale(path, response, unit, mapped, sheet),
            unit,
            columns=mapped,
            sheet=sheet,
            tell=lambda said: cli.note(said, quiet),
        )
        found += [_of_file(wells, path) for wells in own] if len(files) > 1 else own
    chosen = [str(name) for name in metric or cli.Metric]
    table = synergy.summary(found, chosen, seed)
    marked = synergy.outliers(found)
    _tell(table, found, marked)
    tables = {"scores": table}
    if output is not None or json:
        tables["wells"] = _wells(found, marked)
        excess = _excess(found, [name for name in chosen if name not in ("ci", "musyc")], seed)
        if excess is not None:
            tables["combinations"] = excess
    cli.deliver_all(tables, json, output, quiet)
    if plot is not None:
        cli.save_figure(draw_scores(found, table, chosen, seed), plot, quiet)


def _scale(
    path: str, response: Meaning | None, unit: str | None, columns: Mapping[str, str], sheet: str | None
) -> Response | None:
    """The scale that is meant by a word; percent or fractions by how large the numbers are."""
    from ..stats.synergy import Response
    from ..tables.matrices import largest_response

    if response is None:
        return None
    if response is Meaning.signal:
        return Response.SIGNAL
    percent = largest_response(path, columns, unit, sheet) > 5.0
    if response is Meaning.viability:
        return Response.VIABILITY_PERCENT if percent else Response.VIABILITY_FRACTION
    return Response.INHIBITION_PERCENT if percent else Response.INHIBITION_FRACTION


def _of_file(wells: Wells, path: str) -> Wells:
    from dataclasses import replace
    from pathlib import Path

    return replace(wells, name=f"{Path(path).stem}{f', {wells.name}' if wells.name else ''}")


def _tell(table: pd.DataFrame, found: Sequence[Wells], outliers: Sequence[BoolArray]) -> None:
    """The first metric of every matrix in a line each, and which wells are marked."""
    for row in table.drop_duplicates("rank").to_dict("records"):
        where = f"{row['experiment']}: " if row["experiment"] else ""
        if row["problem"]:
            cli.note(f"{row['rank']}. {where}{row['drugs']}: {row['problem']}")
            continue
        ends = "" if row["low"] is None or row["low"] != row["low"] else f" ({row['low']:.3g} to {row['high']:.3g})"
        sign = f"{row['unit']}; {row['synergy_if']} is synergy"
        cli.note(f"{row['rank']}. {where}{row['drugs']}: {row['metric']} {row['mean']:.4g}{ends} {sign}")
    for wells, marked in zip(found, outliers, strict=True):
        for place in marked.nonzero()[0][:10]:
            pairs = zip(wells.drugs, wells.units, wells.doses[place], strict=True)
            doses = " + ".join(f"{drug} {dose:g} {unit}" for drug, unit, dose in pairs)
            head = f"{wells.name}: " if wells.name else ""
            cli.note(f"{head}{doses}: viability {wells.viability[place]:.3g} disagrees with its replicates")


def _wells(found: Sequence[Wells], outliers: Sequence[BoolArray]) -> pd.DataFrame:
    """Every measured well, with whether it disagrees with its replicates."""
    import pandas as pd

    parts = []
    for wells, marked in zip(found, outliers, strict=True):
        part = pd.DataFrame({"experiment": wells.name}, index=range(len(marked)))
        for place, (drug, unit) in enumerate(zip(wells.drugs, wells.units, strict=True), start=1):
            part[f"drug{place}"], part[f"dose{place}"], part[f"unit{place}"] = drug, wells.doses[:, place - 1], unit
        parts.append(part.assign(viability=wells.viability, outlier=marked))
    return pd.concat(parts, ignore_index=True)


def _excess(found: Sequence[Wells], metrics: Sequence[str], seed: int) -> pd.DataFrame | None:
    """Observed, expected and excess of every combination under every metric that has them."""
    import pandas as pd

    from ..errors import InputError
    from ..stats.synergy import METRICS

    parts = []
    for wells in found:
        for name in metrics:
            try:
                scored: Any = METRICS[name](wells, seed=seed)
            except InputError:
                continue  # said in the summary
            part = scored.wells.copy()
            for place, (drug, unit) in enumerate(zip(wells.drugs, wells.units, strict=True), start=1):
                part.insert(2 * place - 2, f"drug{place}", drug)
                part = part.rename(columns={f"{drug}_{unit}": f"dose{place}"})
                part[f"unit{place}"] = unit
            part.insert(0, "metric", name)
            part.insert(0, "experiment", wells.name)
            parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else None


def draw_scores(found: Sequence[Wells], table: pd.DataFrame, metrics: Sequence[str], seed: int) -> Any:
    """One matrix beside its score, or the ranking of several."""
    from ..errors import InputError
    from ..plot.style import PAGE, page
    from ..plot.synergy import draw_combination_index, draw_dose_matrix, draw_ranking, draw_synergy
    from ..stats import synergy

    if len(found) > 1:
        leading = table.drop_duplicates("rank").reset_index(drop=True)
        return draw_ranking(leading)
    (wells,) = found
    if len(wells.drugs) != 2:
        raise InputError(f"--plot draws the matrix of two drugs; {len(wells.drugs)} are named")
    figure = page(PAGE, 3.2)
    left, right = figure.subplots(1, 2)
    draw_dose_matrix(wells, ax=left)
    drawable = next((name for name in metrics if name not in ("ci", "musyc")), None)
    if drawable is None and metrics[0] == "ci":
        draw_combination_index(synergy.combination_index(wells), ax=right)
    else:
        scored: Any = synergy.METRICS[drawable or "bliss"](wells, seed=seed)
        draw_synergy(scored, ax=right)
    return figure
