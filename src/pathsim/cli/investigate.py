"""``pathsim investigate``: from a parental line to a report on its resistance."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from . import app as cli
from .bench import BENCH, STEPS, Bench, Steps, verb


@verb()
def investigate(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="Parental line, with alterations after +.")],
    drug: Annotated[str, typer.Argument(metavar="DRUG", help="The PI3K inhibitor.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", callback=cli.new_folder, help="Folder of the report.")
    ] = "report",
    steps: Steps = STEPS,
    sets: Annotated[int, typer.Option("--sets", min=1, help="Parameter sets for the ranking.")] = 12,
    mice: Annotated[int, typer.Option("--mice", min=1, help="Animals per arm.")] = 10,
    bench: Bench = BENCH,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    any_processor: cli.AnyProcessor = False,
    quiet: cli.Quiet = False,
) -> None:
    """Make the line resistant, find out why, find what rescues it, test it in animals: one HTML page.

    Tables are written as steps finish; the same command again goes on where it stopped.
    """
    from ..made_on import mark_in
    from ..plot.investigation import draw_investigation
    from ..threads import chosen
    from ..workflow.investigate import Settings
    from ..workflow.investigate import investigate as run
    from ..workflow.report import write_report

    found = run(
        bench.opened,
        cell_line,
        drug,
        output,
        seed=seed,
        settings=Settings(cell_line, drug, start=steps.start, rules=steps.rules, sets=sets, mice=mice),
        tell=lambda sentence: cli.note(sentence, quiet),
        library=bench.library,
        workers=chosen(workers, dask),
        any_processor=any_processor,
    )
    stamp = cli.stamp(bench.opened, mark_in(output))
    path = write_report(found, draw_investigation(found), os.path.join(output, "report.html"), stamp)
    cli.note(f"wrote {path}", quiet)
