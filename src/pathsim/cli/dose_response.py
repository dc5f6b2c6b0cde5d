"""``pathsim dose-response``: one drug, many doses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from . import app as cli
from .bench import BENCH, MEASURED, Bench, Measured, lines_and_drugs, table_of, verb

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import CellLine
    from ..stats.measured import DoseResponse


@verb(name="dose-response")
def dose_response(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="LINE... DRUG...", help="Cell lines, with alterations after +, and drugs, each drug on its own."
        ),
    ],
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
    measured: Measured = MEASURED,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    heat_map: Annotated[
        str | None,
        typer.Option(
            "--heat-map", metavar="FILE", callback=cli.new_figure, help="Draw the IC50 of every line under every drug."
        ),
    ] = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Treat cell lines with a series of doses: one row per well, with the IC50 (GR50) of its curve.

    Fitted curves are said on stderr too, and are a table of their own in -o DIR and --json.
    """
    import pandas as pd

    from ..assays.dose_response import dose_response
    from ..stats.noise import WellNoise
    from ..threads import chosen
    from ..workflow.study_intervals import row_over_sets

    hands = chosen(workers, dask)
    lines, drugs = lines_and_drugs(names, bench.library)

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        return dose_response(
            bench.opened,
            lines,
            drugs,
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
            workers=hands,
        )

    beside = _measured(measured, drugs, quiet)
    runs = bench.under_sets(run, lines, ensemble, hands)
    table = table_of(runs)
    tables = {"dose_response": table}
    try:
        curves = [_curves(one, exact=not noise) for one in runs.studies]
    except InputError as error:
        cli.note(f"no curve: {error}")
    else:
        rows = []
        for place, (key, first) in enumerate(curves[0]):
            own = [first, *(found[place][1] for found in curves[1:])]
            rows.append({**key, **(row_over_sets([one.row() for one in own]) if runs.sample else own[0].row())})
            said = _over_sets(rows[-1]) if runs.sample else str(own[0])
            cli.note(f"{key['cell_line']}, {key['drug']}, {readout} after {key['time_min'] / 60:g} h\n{said}")
        fitted = pd.DataFrame(rows)
        tables = {"dose_response": _with_potency(table, fitted), "curves": fitted}
    if beside:
        for one in beside:
            cli.note(f"{one.as_measured}\n{one.metrics or one.curve}")
        tables["measured"] = pd.DataFrame([one.row() for one in beside])
    cli.deliver_all(tables, json, output, quiet, model=bench.opened)
    if plot is not None:
        from ..plot import draw_dose_response, draw_dose_response_beside

        figure = draw_dose_response_beside(table, beside) if beside else draw_dose_response(table)
        cli.save_figure(figure, plot, quiet, model=bench.opened)
    if heat_map is not None:
        from ..plot.dose_response import draw_potencies

        cli.save_figure(draw_potencies(table), heat_map, quiet, model=bench.opened)


def _measured(measured: Measured, drugs: Sequence[str], quiet: bool) -> list[DoseResponse]:
    """Measured curves of these drugs, and those that name none."""
    from ..errors import near_misses
    from ..stats.measured import read_curves

    if measured.data is None:
        return []
    tell = partial(cli.note, quiet=quiet)
    found = read_curves(measured.data, measured.mapped, sheet=measured.sheet, tell=tell)
    own = [one for one in found if "drug" not in one.labels or near_misses(one.labels["drug"], drugs)]
    if not own:
        names = ", ".join(dict.fromkeys(one.labels["drug"] for one in found))
        raise InputError(f"{measured.data}: holds no curve of {' or '.join(drugs)}, but of {names}")
    return own


def _with_potency(table: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The wells with the potency of the curve they belong to, in nM: ``ic50_nM`` or ``gr50_nM``, its relation and, over
    parameter sets, its interval."""
    name = "gr50" if "gr50" in curves else "ic50"
    keys = ["cell_line", "drug", "readout", "time_min"]
    ends = [f"{name}_low", f"{name}_high"] if "low" in table else []
    named = {one: f"{name}_nM{one.removeprefix(name)}" for one in (name, *ends)}
    potency = curves[[*keys, name, f"{name}_relation", *ends]].rename(columns=named)
    return table.merge(potency, on=keys, how="left")


def _over_sets(row: Mapping[str, Any]) -> str:
    """The numbers of a curve over parameter sets, a line each."""
    from ..stats.curve import rounded

    lines = []
    for name, shown_as in _SHOWN.items():
        if f"{name}_low" not in row:
            continue
        unit = f" {row['dose_unit']}" if f"{name}_relation" in row or name in ("ec50", "gec50") else ""
        sign = row.get(f"{name}_relation", "=").replace("=", "")
        shown, low, high = (rounded(row[one]) for one in (name, f"{name}_low", f"{name}_high"))
        lines.append(f"{shown_as:7} {sign}{shown}{unit} ({low} to {high})")
    return "\n".join([*lines, f"(median; brackets: {row['intervals']})"])


_SHOWN = {
    "ic50": "IC50", "ec50": "EC50", "gr50": "GR50", "gec50": "GEC50", "gr_max": "GRmax", "gr_aoc": "GR_AOC",
    "gr_inf": "GRinf", "h": "h", "top": "top", "bottom": "bottom",
}  # fmt: skip


def _curves(table: pd.DataFrame, exact: bool) -> list[tuple[dict[str, Any], Any]]:
    """What each curve is of, and the curve: growth rate metrics of GR values, Hill curves of anything else."""
    from ..stats import growth_rate, hill

    found: list[tuple[dict[str, Any], Any]] = []
    for (line, drug, readout, time), wells in table.groupby(["cell_line", "drug", "readout", "time_min"], sort=False):
        key = {"cell_line": line, "drug": drug, "readout": readout, "time_min": float(str(time))}
        fit = growth_rate.from_values if readout == "GR" else hill.fit
        found.append((key, fit(wells["dose_nM"].tolist(), wells["value"].tolist(), exact=exact)))
    return found
