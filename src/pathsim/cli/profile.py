"""``pathsim profile``: what a fit's data say about each parameter."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import app as cli


@cli.app.command()
def profile(
    folder: Annotated[str, typer.Argument(metavar="FIT", help="The folder that 'pathsim fit -o' has written.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME...", help="Only these parameters; default all.")
    ] = None,
    level: Annotated[float, typer.Option("--level", help="Confidence level of the intervals.")] = 0.95,
    plot: cli.Plot = None,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    any_processor: cli.AnyProcessor = False,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    quiet: cli.Quiet = False,
) -> None:
    """Profile likelihoods of a fit: intervals, and what is identifiable, practically unidentifiable, or at a bound.

    Profiles are kept in the fit's folder as they finish; run again, and only missing ones are computed. The last column
    says which parameters no data of this kind can tell apart: products, ratios, what hides behind a free scale.
    """
    from ..estimation import identifiability_report, load_fit
    from ..estimation import profile as compute
    from ..threads import chosen

    fit = load_fit(folder)
    model = fit.problem.description.parts[0].model
    count = len(only or fit.names)
    done: list[str] = []

    def report(found: Any) -> None:
        done.append(found.name)
        cli.note(f"profile {len(done)} of {count}: {found.name} is {found.verdict}", quiet)

    hands = chosen(workers, dask)
    profiles = compute(fit, only, level, hands, folder=folder, any_processor=any_processor, report=report)
    better = max(p.better for p in profiles.profiles)
    if better > 0.1:
        cli.note(f"a profile found a likelihood {better:.2f} higher than the fit: run more starts", quiet)
    table = profiles.table
    report_of_data = identifiability_report(fit)
    said = report_of_data.sentences
    table["structure"] = [
        "; ".join(text for text, about in said.items() if name in about) for name in table["parameter"]
    ]
    for text in said:
        cli.note(f"by structure, {text}", quiet)
    if output is not None:
        cli.deliver(report_of_data.table, "identifiability", json, output, quiet, model=model)
    if plot is not None:
        from ..plot.fit import draw_profiles

        cli.save_figure(draw_profiles(profiles), plot, quiet, model=model)
    cli.deliver(table, "profiles", json, output, model=model)
