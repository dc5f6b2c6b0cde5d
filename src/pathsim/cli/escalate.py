"""``pathsim escalate``: make a resistant line by step-wise dose."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import app as cli
from .bench import BENCH, STEPS, Bench, Steps, lines_and_drugs, verb

if TYPE_CHECKING:
    from ..experiments.ensemble import Intervals
    from ..lab import CellLine
    from ..model import Model
    from ..resistance import Escalation


@verb()
def escalate(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="LINE... DRUG",
            help="Parental lines, with alterations after +, and the drug to resist.",
        ),
    ],
    steps: Steps = STEPS,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Follow expected cell numbers instead of drawing them.")
    ] = False,
    bench: Bench = BENCH,
    ensemble: cli.Ensemble = None,
    seed: cli.Seed = 0,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    plot: cli.Plot = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", callback=cli.new_folder, help="Write line and tables there."),
    ] = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Grow clones under rising dose for months, pick the winner, save it as a cell line that is kept in the drug.

    The dose rises when growth has recovered; a culture that does not grow, or whose IC50 or GR50 fell, is called not
    resistant. The line saved can be used wherever a cell line is named: pathsim blot T47D line/T47D-alpelisibR.toml
    Of several lines each has a folder of its own in -o DIR.
    """
    import pandas as pd

    from ..errors import InputError
    from ..resistance import escalate as run
    from ..threads import chosen

    hands = chosen(workers, dask)
    lines, drugs = lines_and_drugs(names, bench.library)
    if len(drugs) != 1:
        raise InputError(f"a culture becomes resistant to one drug; {', '.join(drugs)} are named")
    if plot is not None and len(lines) > 1:
        raise InputError(f"--plot draws one culture; {len(lines)} lines are named")
    rules = steps.rules
    cli.note(f"rule: {rules}", quiet)
    sets = bench.sets(ensemble)

    def one(lines: Sequence[CellLine | str]) -> Escalation:
        own = isinstance(lines[0], str)
        return run(
            bench.opened,
            lines[0],
            drugs[0],
            steps.start,
            rules.factor,
            rules=rules,
            stochastic=not deterministic,
            seed=seed,
            library=bench.library,
            workers=hands,
            progress=lambda sentence: cli.note(sentence, quiet or not own),
        )

    studies = []
    for line in lines:
        studies.append(bench.repeats(one, [line], sets, quiet, hands))
        done = studies[-1].best
        carried = " + ".join(done.changes) or "no change"
        cli.note(f"day {done.days:g}: {done.line.name} ({carried}) {done.reason}")
    if plot is not None:
        from ..plot.escalation import draw_escalation

        cli.save_figure(draw_escalation(studies[0].best, studies[0].sample), plot, quiet, model=bench.opened)
    if output is None:
        tables = [_tables(found) for found in studies]
        if len(lines) > 1:
            tables = [
                {name: one.assign(parental=line) for name, one in own.items()}
                for line, own in zip(lines, tables, strict=True)
            ]
        cli.deliver_all({name: pd.concat([own[name] for own in tables], ignore_index=True) for name in tables[0]}, json)
        return
    for line, found in zip(lines, studies, strict=True):
        folder = output if len(lines) == 1 else os.path.join(output, Path(line).stem)
        _write(found, folder, json, quiet, bench.opened)


def _tables(found: Intervals[Escalation]) -> dict[str, Any]:
    """What goes to stdout: the history, with intervals where there are any, and how each escalation ended."""
    from ..workflow.study_intervals import escalation_tables, outcomes

    history = escalation_tables(found)["history"] if found.sample else found.best.history
    return {"history": history, "outcomes": outcomes(found)}


def _write(found: Intervals[Escalation], output: str, json: bool, quiet: bool, model: Model) -> None:
    """The line and every table, into a folder."""
    from ..workflow.study_intervals import escalation_tables, outcomes

    for path in found.best.save(output):
        cli.stamp(model).write_beside(path)
        cli.note(f"wrote {path}", quiet)
    # under parameter sets the same tables with intervals in their place
    tables = escalation_tables(found) if found.sample else {"outcomes": outcomes(found)}
    cli.deliver_all(tables, json, output, quiet, model=model)
