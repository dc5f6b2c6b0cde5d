"""``pathsim xenograft``: a study in mice."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def xenograft(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="Cell line, with alterations after +.")],
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
        str, typer.Option("--table", help="Which table goes to stdout: summary, mice, volumes, lysate or survival.")
    ] = "summary",
    model: cli.Model = "pi3k_mapk",
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Implant, dose, follow tumours, read survival and lysates.

    Default arms: vehicle, paxalisib 15 mg/kg daily. With -o every table is written into the folder.
    """
    from ..assays import xenograft as run
    from ..assays.power import mice_needed
    from ..errors import unknown

    tables = ("summary", "mice", "volumes", "lysate", "survival")
    if table not in tables:
        raise unknown("table", table, tables)
    cli.check_plot(plot)
    trial = run(
        model, cell_line, arm or ["vehicle", "paxalisib 15 mg/kg daily"], max(mice, 400) if power else mice, seed,
        site=site, days=days, untreated_days=untreated_days, dosing_from_days=dosing_from, workers=workers,
    )  # fmt: skip
    for line in trial.notes:
        cli.note(line, quiet)
    if power:
        cli.deliver(mice_needed(trial, seed=seed), "power", json, output)
        return
    for name, curve in trial.survival.items():
        cli.note(f"{name}: median {curve.median}, {curve.size} animals", quiet)
    if len(trial.arms) > 1:
        cli.note(f"all arms: {trial.log_rank()}", quiet)
    if plot is not None:
        from ..plot.xenograft import draw_xenograft

        cli.save_figure(draw_xenograft(trial), plot, quiet)
    if output is None:
        cli.deliver(trial.tables()[table], table, json)
        return
    for name, frame in trial.tables().items():
        cli.deliver(frame, name, json, output)
