"""``pathsim check``: whether a model is fit to be published, and what changed since another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli

if TYPE_CHECKING:
    from ..model import Model


@cli.app.command()
def check(
    model: Annotated[
        str, typer.Argument(help="A bundled model, or a path to an .ant, .xml or .sbml file.")
    ] = "pi3k_mapk",
    behaviours: Annotated[
        bool, typer.Option("--behaviours", help="What must hold in every preset, and where it does not, instead.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="MODEL", help="What changed since this model (pi3k_mapk@0.1, or a file)."),
    ] = None,
    output: cli.OutputFolder = None,
    quiet: cli.Quiet = False,
    json: cli.Json = False,
) -> None:
    """Count constants by where they come from; check their units and values. Exit code 1 if anything is wrong.

    Of the bundled model the files beside it are looked at as well: every source needs a DOI or PMID that was looked up,
    or is an estimate, calibrated, or marked as unverified. Models of others are told of, never refused for, sources.

    With --behaviours: one row for each thing that must hold in every preset, with the presets where it does not; exit
    code 1 if one of these is not listed in models/behaviours.toml as known.

    With --against: states, values, reactions, sources, drugs, cell lines and readings of a few experiments that differ;
    with --behaviours beside it also what holds in one of the two only.
    """
    from ..model import load_model

    opened = load_model(model)
    if against is not None:
        _compare(load_model(against), opened, behaviours, output, json, quiet)
    elif behaviours:
        _behaviours(opened, output, json, quiet)
    else:
        _check(opened, output, json)


def _compare(old: Model, new: Model, behaviours: bool, output: str | None, json: bool, quiet: bool) -> None:
    from ..scorecard.behaviours import read_behaviours
    from ..scorecard.comparison import compare, compare_behaviours, summary, to_frame
    from ..stamp import content_hash, label

    changes = compare(old, new, note=lambda text: cli.note(text, quiet))
    if behaviours:
        changes += compare_behaviours(read_behaviours(), old, new, lambda text: cli.note(text, quiet))
    if json or output is not None:
        cli.deliver(to_frame(changes), "changes", json, output, quiet, model=new)
    else:
        cli.send("".join(f"{change}\n" for change in changes))
    models = f"{label(new)} ({content_hash(new)}) against {label(old)} ({content_hash(old)})"
    cli.note(f"{models}: {summary(changes)}", quiet)


def _behaviours(model: Model, output: str | None, json: bool, quiet: bool) -> None:
    from ..scorecard.behaviours import read_behaviours, see, to_frame

    seen = see(read_behaviours(), model, progress=lambda text: cli.note(text, quiet))
    frame = to_frame(seen)
    cli.deliver(frame, "behaviours", json, output, quiet, model=model)
    cli.note(f"{sum(one.holds for one in seen)} of {len(seen)} hold", quiet)
    if frame["unexpected"].any():
        raise typer.Exit(cli.FAILED)


def _check(model: Model, output: str | None, json: bool) -> None:
    from ..model.checks import check_model
    from ..model.sources import bundled_sources

    report, sources = check_model(model), bundled_sources(model)
    counts = {"species": report.species, "reactions": report.reactions, "constants": report.constants}
    counts |= {f"constants: {kind}": count for kind, count in report.classes.items()}
    problems, remarks = [*report.problems], [*report.remarks]
    if sources is not None:
        counts |= {f"sources: {kind}": count for kind, count in sources.classes.items()}
        counts |= {"references": sources.references[0], "references unverified": sources.references[1]}
        problems += sources.problems
    if json:
        details = {"conserved totals": report.conserved, "remarks": remarks, "problems": problems}
        _send_json({"model": report.model, **counts, **details, "stamp": cli.stamp(model).facts()}, output)
    else:
        import pandas as pd

        counts["conserved totals"] = len(report.conserved)
        counts["problems"] = len(problems)
        cli.deliver(pd.DataFrame(counts.items(), columns=["what", "count"]), "check", False, output, model=model)
        for total in report.conserved:
            cli.note(f"conserved: {total}")
        for remark in remarks:
            cli.note(f"remark: {remark}")
        for problem in problems:
            cli.note(f"problem: {problem}")
    if problems:
        raise typer.Exit(cli.FAILED)


def _send_json(found: dict[str, object], output: str | None) -> None:
    import os
    from json import dumps

    from ..files import write_whole

    content = dumps(found, indent=1) + "\n"
    if output is None:
        cli.send(content)
        return
    path = os.path.join(output, "check.json")
    write_whole(path, content)
    cli.note(f"wrote {path}")
