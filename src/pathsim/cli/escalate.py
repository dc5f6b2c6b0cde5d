"""``pathsim escalate``: make a resistant line by step-wise dose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli
from .bench import BENCH, STEPS, Bench, Steps, verb

if TYPE_CHECKING:
    from ..experiments.ensemble import Intervals
    from ..lab import CellLine
    from ..model import Model
    from ..resistance import Escalation


@verb()
def escalate(
    cell_line: Annotated[str, typer.Argument(metavar="LINE", help="Parental line, with alterations after +.")],
    drug: Annotated[str, typer.Argument(metavar="DRUG", help="The drug to become resistant to.")],
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
    """
    from ..resistance import escalate as run
    from ..workers import chosen

    rules = steps.rules
    cli.note(f"rule: {rules}", quiet)
    sets = bench.sets(ensemble)

    def one(lines: Sequence[CellLine | str]) -> Escalation:
        own = isinstance(lines[0], str)
        done = run(
            bench.opened,
            lines[0],
            drug,
            steps.start,
            rules.factor,
            rules=rules,
            stochastic=not deterministic,
            seed=seed,
            library=bench.library,
            workers=workers,
            progress=lambda sentence: cli.note(sentence, quiet or not own),
        )
        if own:
            carried = " + ".join(done.changes) or "no change"
            cli.note(f"day {done.days:g}: {done.line.name} ({carried}) {done.reason}")
        return done

    found = bench.repeats(one, [cell_line], sets, quiet, chosen(workers, dask))
    if plot is not None:
        from ..plot.escalation import draw_escalation

        cli.save_figure(draw_escalation(found.best, found.sample), plot, quiet, model=bench.opened)
    _deliver(found, output, json, quiet, bench.opened)


def _deliver(found: Intervals[Escalation], output: str | None, json: bool, quiet: bool, model: Model) -> None:
    from ..workflow.study_intervals import escalation_tables, outcomes

    if output is None:
        history = escalation_tables(found)["history"] if found.sample else found.best.history
        cli.deliver_all({"history": history, "outcomes": outcomes(found)}, json)
        return
    for path in found.best.save(output):
        cli.stamp(model).write_beside(path)
        cli.note(f"wrote {path}", quiet)
    # under parameter sets the same tables with intervals in their place
    tables = escalation_tables(found) if found.sample else {"outcomes": outcomes(found)}
    cli.deliver_all(tables, json, output, quiet, model=model)
