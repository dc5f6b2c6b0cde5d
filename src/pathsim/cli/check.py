"""``pathsim check``: whether a model is fit to be published."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def check(
    model: Annotated[
        str, typer.Argument(help="A bundled model, or a path to an .ant, .xml or .sbml file.")
    ] = "pi3k_mapk",
    behaviours: Annotated[
        bool, typer.Option("--behaviours", help="What must hold in every preset, and where it does not, instead.")
    ] = False,
    quiet: cli.Quiet = False,
    json: cli.Json = False,
) -> None:
    """Count constants by where they come from; check their units and values. Exit code 1 if anything is wrong.

    With --behaviours: one row for each thing that must hold in every preset, with the presets where it does not; exit
    code 1 if one of these is not listed in models/behaviours.toml as known.
    """
    from ..model import check_model, load_model

    if behaviours:
        from ..scorecard.behaviours import read_behaviours, see, to_frame

        seen = see(read_behaviours(), load_model(model), progress=lambda text: cli.note(text, quiet))
        frame = to_frame(seen)
        cli.deliver(frame, "behaviours", json)
        cli.note(f"{sum(one.holds for one in seen)} of {len(seen)} hold", quiet)
        if frame["unexpected"].any():
            raise typer.Exit(cli.FAILED)
        return
    report = check_model(load_model(model))
    counts = {"species": report.species, "reactions": report.reactions, "constants": report.constants}
    counts |= {f"constants: {kind}": count for kind, count in report.classes.items()}
    if json:
        from json import dumps

        details = {"conserved totals": report.conserved, "problems": report.problems}
        cli.send(dumps({"model": report.model, **counts, **details}, indent=1) + "\n")
    else:
        counts["conserved totals"] = len(report.conserved)
        counts["problems"] = len(report.problems)
        cli.send("what,count\n" + "".join(f"{what},{count}\n" for what, count in counts.items()))
        for total in report.conserved:
            cli.note(f"conserved: {total}")
        for problem in report.problems:
            cli.note(f"problem: {problem}")
    if report.problems:
        raise typer.Exit(cli.FAILED)
