"""``pathsim curve``: measured dose responses, fitted and compared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import app as cli

if TYPE_CHECKING:
    from ..stats.measured import Comparison, DoseResponse


@cli.app.command()
def curve(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Dose responses (CSV, Excel, Parquet): a well a row with its dose, a curve a column, or cell counts.",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="NAME", help="The curve, or line, that others are compared with."),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="COLUMN...", help="Further columns that tell curves apart.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Of doses, in a file that states none: nM, uM, ng/ml.")
    ] = None,
    inhibition: Annotated[
        bool | None,
        typer.Option(
            "--inhibition/--viability", help="Values rise (fall) where the drug works, whatever they are called."
        ),
    ] = None,
    columns: cli.Columns = None,
    sheet: cli.SheetName = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Fit measured dose responses: IC50 with its interval, GR metrics from counts, and whether curves differ.

    Two or more curves of one drug are compared with the first (or --reference): the ratio of their IC50s with its
    interval and an F-test of one curve for both. "Is my line resistant?"
    """
    import pandas as pd

    from ..stats.measured import compare_curves, read_curves
    from ..tables import read_map

    mapped = read_map(columns or ())
    found: list[DoseResponse] = []
    for path in files:
        own = read_curves(
            path,
            mapped,
            by=by or (),
            unit=unit,
            inhibition=inhibition,
            sheet=sheet,
            tell=lambda said: cli.note(said, quiet),
        )
        found += [_of_file(one, path, own) for one in own] if len(files) > 1 else own
    rows = [one.row() for one in found]
    for one in found:
        metrics = "" if one.metrics is None else f"\n{one.metrics}"
        cli.note(f"{one.name}\n{one.curve}{metrics}")
    compared: list[Comparison] = []
    for group in _alike(found):
        compared.append(compare_curves(group, _reference(group, reference)))
        cli.note(str(compared[-1]))
    if reference is not None and not compared:
        _reference(found, reference)
    table = pd.DataFrame(rows)
    tables = {"curves": table}
    if compared:
        others = pd.concat([one.table for one in compared], ignore_index=True)
        keep = [name for name in others.columns if name not in ("ic50", "ic50_relation", "dose_unit")]
        tables = {"curves": table.merge(others[keep], on="curve", how="left"), "comparison": others}
    cli.deliver_all(tables, json, output, quiet)
    if plot is not None:
        cli.save_figure(_figure(found, compared), plot, quiet)


def _of_file(one: DoseResponse, path: str, own: Sequence[DoseResponse]) -> DoseResponse:
    """A curve named after its file, where several files are read."""
    stem = os.path.splitext(os.path.basename(path))[0]
    name = stem if len(own) == 1 and one.name in ("", stem) else f"{stem}: {one.name}"
    return replace(one, name=name, labels={**one.labels, "file": stem})


def _alike(found: Sequence[DoseResponse]) -> list[list[DoseResponse]]:
    """Curves that are compared with each other: of one drug, time and readout; all of them where none has a partner."""
    groups: dict[tuple[str, ...], list[DoseResponse]] = {}
    for one in found:
        groups.setdefault(
            tuple(one.labels.get(name, "") for name in ("drug", "time", "readout", "time_min")), []
        ).append(one)
    several = [group for group in groups.values() if len(group) > 1]
    return several or ([list(found)] if len(found) > 1 else [])


def _reference(group: Sequence[DoseResponse], asked: str | None) -> str | None:
    """The name of the curve that is asked for, by its name or one of its labels; None for the first."""
    from ..errors import unknown

    if asked is None:
        return None
    named = [one.name for one in group if asked in (one.name, *one.labels.values())]
    if not named:
        known = dict.fromkeys(name for one in group for name in (one.name, *one.labels.values()))
        raise unknown("curve", asked, known)
    return named[0]


def _figure(found: Sequence[DoseResponse], compared: Sequence[Comparison]) -> Any:
    from ..plot.dose_response import draw_dose_response
    from ..plot.style import MIDDLE, PAGE, page

    counted = [one for one in found if one.metrics is not None]
    figure = page(PAGE if counted else MIDDLE, 3.3 + 0.15 * len(found))
    axes = figure.subplots(1, 1 + bool(counted), squeeze=False)[0]
    labels = list(dict.fromkeys(one.response for one in found))
    label = labels[0] if len(labels) == 1 and not found[0].labels.get("series") else "response"
    heading = ""
    if len(compared) == 1 and len(compared[0].table) == 1:
        row = compared[0].table.iloc[0]
        if row["ratio"] is not None and row["ratio_low"] is not None:
            ratio = f"ratio of IC50s {row['ratio']:.3g} ({row['ratio_low']:.3g} to {row['ratio_high']:.3g})"
            heading = f"{ratio}; one curve for both: p = {row['p_shared']:.2g}"
    draw_dose_response({one.name: one.curve for one in found}, ax=axes[0], response_label=label, heading=heading)
    if counted:
        curves = {one.name: one.metrics for one in counted if one.metrics is not None}
        draw_dose_response(curves, ax=axes[1], response_label="GR value")
    return figure
