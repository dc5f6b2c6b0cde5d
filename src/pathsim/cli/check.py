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
    json: cli.Json = False,
) -> None:
    """Count constants by where they come from; check their units and values. Exit code 1 if anything is wrong."""
    from ..model import check_model, load_model

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
