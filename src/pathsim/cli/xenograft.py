"""``pathsim xenograft``: a study in mice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    from ..experiments.ensemble import Intervals
    from ..invivo import Trial
    from ..lab import CellLine
    from ..model import Model

TABLES = ("summary", "log_rank", "mice", "volumes", "lysate", "survival")


@verb()
def xenograft(
    cell_lines: Annotated[
        list[str], typer.Argument(metavar="LINE...", help="Cell lines, with alterations after +; a study of each.")
    ],
    arm: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            metavar="TEXT",
            help="'vehicle', 'paxalisib 15 mg/kg daily', 'capivasertib 100 mg/kg twice daily 4 on / 3 off + ...'; once "
            "per arm, the first is the reference.",
        ),
    ] = None,
    mice: Annotated[int, typer.Option("--mice", help="Animals per arm.")] = 10,
    site: Annotated[
        str | None, typer.Option("--site", help="brain or flank; default: where the line is usually grown.")
    ] = None,
    days: Annotated[float, typer.Option("--days", help="End of the study, from implantation.")] = 120.0,
    untreated_days: Annotated[
        float | None, typer.Option("--untreated-days", help="Median survival without drug, calibrated to.")
    ] = None,
    dosing_from: Annotated[float | None, typer.Option("--dosing-from", help="Day of the first dose.")] = None,
    power: Annotated[
        bool, typer.Option("--power", help="Instead: how many animals per arm the log-rank test needs.")
    ] = False,
    table: Annotated[
        str,
        typer.Option(
            "--table", help="Which table goes to stdout: summary, log_rank, mice, volumes, lysate or survival."
        ),
    ] = "summary",
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Implant, dose, follow tumours, read survival and lysates.

    Default arms: vehicle, paxalisib 15 mg/kg daily. With -o every table is written into the folder.
    """
    import pandas as pd

    from ..errors import InputError, unknown
    from ..invivo import xenograft as run
    from ..invivo.power import logrank_power
    from ..threads import chosen

    if table not in TABLES:
        raise unknown("table", table, TABLES)
    if plot is not None and len(cell_lines) > 1:
        raise InputError(f"--plot draws the study of one cell line; {len(cell_lines)} are named")
    sets = bench.sets(ensemble)
    if sets and power:
        raise InputError("--power and --ensemble: give one of them")
    arms = arm or ["vehicle", "paxalisib 15 mg/kg daily"]
    hands = chosen(workers, dask)

    def one(lines: Sequence[CellLine | str]) -> Trial:
        return run(
            bench.opened,
            lines[0],
            arms,
            max(mice, 400) if power else mice,
            seed,
            site=site,
            days=days,
            untreated_days=untreated_days,
            dosing_from_days=dosing_from,
            library=bench.library,
            workers=hands,
        )

    studies = []
    for line in cell_lines:
        studies.append(bench.repeats(one, [line], sets, quiet, hands))
        for said in studies[-1].best.notes:
            cli.note(said, quiet)
        if not power:
            _say(studies[-1])
    if power:
        tables = [logrank_power(study.best, seed=seed).assign(line=study.best.line) for study in studies]
        cli.deliver(pd.concat(tables, ignore_index=True), "power", json, output, model=bench.opened)
        return
    if plot is not None:
        from ..plot.xenograft import draw_xenograft

        figure = draw_xenograft(studies[0].best, studies[0].sample)
        cli.save_figure(figure, plot, quiet, model=bench.opened)
    _deliver(studies, table, json, output, bench.opened, quiet)


def _say(found: Intervals[Trial]) -> None:
    """Survival of every arm in words."""
    cli.note(f"{found.best.line}, {found.best.site.name}:")
    from ..workflow.study_intervals import median_interval, median_survival

    for name, curve in found.best.survival.items():
        said = str(curve.median)
        if found.sample:
            days = float(median_survival(found.sample, name).value)
            said = f"{days:.4g} days" if days < float("inf") else "not reached"
            said += f" over the parameter sets, {median_interval(found.sample, name)}"
        cli.note(f"{name}: median {said}, {curve.size} animals")
    if len(found.best.arms) > 1:
        cli.note(f"all arms: {found.best.log_rank()}")


def _deliver(
    studies: Sequence[Intervals[Trial]], table: str, json: bool, output: str | None, model: Model, quiet: bool
) -> None:
    import pandas as pd

    from ..workflow.study_intervals import trial_tables

    parts = [(found.best.line, trial_tables(found) if found.sample else found.best.tables()) for found in studies]
    tables = {
        name: pd.concat([own[name].assign(line=line) for line, own in parts], ignore_index=True) for name in parts[0][1]
    }
    if output is None:
        shown = {table: tables[table]}
        cli.deliver_all({**shown, "log_rank": tables["log_rank"]} if table == "summary" else shown, json)
        return
    cli.deliver_all(tables, json, output, quiet, model=model)
