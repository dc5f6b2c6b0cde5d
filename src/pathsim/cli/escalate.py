"""``pathsim escalate``: make a resistant line by step-wise dose."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def escalate(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="Parental line, with alterations after +.")],
    drug: Annotated[str, typer.Argument(metavar="DRUG", help="The drug to become resistant to.")],
    start: Annotated[str, typer.Option("--start", metavar="DOSE", help="First dose.")] = "100 nM",
    factor: Annotated[float, typer.Option("--factor", help="From one dose to the next.")] = 1.5,
    fold: Annotated[float, typer.Option("--fold", help="Stop at this multiple of the parental IC50 (5 to 10).")] = 5.0,
    max_days: Annotated[float, typer.Option("--max-days", help="Give up after so many days.")] = 540.0,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Follow expected cell numbers instead of drawing them.")
    ] = False,
    model: cli.Model = "pi3k_mapk",
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    plot: cli.Plot = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write the line (.toml), history and fractions there."),
    ] = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Grow clones under rising dose for months, pick the winner, save it as a cell line.

    The line saved can be used wherever a cell line is named: pathsim blot T47D line/T47D-alpelisibR.toml
    """
    from ..assays import Rules
    from ..assays import escalate as run

    cli.check_plot(plot)
    rules = Rules(fold=fold, max_days=max_days)
    done = run(
        model, cell_line, drug, start, factor, rules=rules, stochastic=not deterministic, seed=seed, workers=workers,
        progress=lambda sentence: cli.note(sentence, quiet),
    )  # fmt: skip
    carried = " + ".join(done.changes) or "no change"
    cli.note(f"day {done.days:g}: {done.line.name} ({carried}) {done.reason}", quiet)
    if plot is not None:
        from ..plot.escalation import draw_escalation

        cli.save_figure(draw_escalation(done), plot, quiet)
    if output is None:
        cli.deliver(done.history, "history", json)
        return
    for path in done.save(output):
        cli.note(f"wrote {path}", quiet)
