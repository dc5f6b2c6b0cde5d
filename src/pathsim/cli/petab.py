"""``pathsim petab``: the likelihood of a published estimation problem at its nominal parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from ..estimation.problem import Evaluation

from ..files import write_whole
from . import app as cli


@cli.app.command()
def petab(
    problem: Annotated[str, typer.Argument(help="The YAML file of a PEtab problem, version 1 or 2.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER...", help="Values of estimated parameters, not on log scale."),
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option("--simulate", metavar="FILE", callback=cli.new_file, help="Write the PEtab simulation table."),
    ] = None,
    rtol: Annotated[float, typer.Option("--rtol", help="Relative tolerance.")] = 1e-8,
    atol: Annotated[float, typer.Option("--atol", help="Absolute tolerance.")] = 1e-14,
    plot: cli.Plot = None,
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """Evaluate a PEtab problem: log-likelihood and chi2 at the nominal parameters."""
    import pandas as pd

    from ..errors import SimulationError
    from ..parts import one_study
    from ..petab import load
    from ..solve import Rosenbrock
    from ..threads import chosen

    loaded = load(problem, Rosenbrock(rtol=rtol, atol=atol), workers)
    theta = loaded.on_scale(cli.settings(changes or []))

    def run(_: int | None) -> tuple[Evaluation, pd.DataFrame | None, pd.DataFrame | None]:
        evaluation = loaded.evaluate(theta)
        drawn = loaded.agreement(theta) if plot is not None and not evaluation.failure else None
        return evaluation, loaded.simulate(theta) if simulate is not None else None, drawn

    evaluation, simulated, drawn = one_study(run, chosen(workers, dask))
    if simulate is not None and simulated is not None:
        write_whole(simulate, simulated.to_csv(sep="\t", index=False))
        cli.note(f"wrote {simulate}")
    if evaluation.failure:
        raise SimulationError(evaluation.failure)
    if plot is not None and drawn is not None:
        from ..plot import draw_agreement

        cli.save_figure(draw_agreement(drawn), plot)
    row = {
        "problem": problem,
        "log_likelihood": evaluation.log_likelihood,
        "chi2": evaluation.chi2,
        "log_prior": loaded.log_prior(theta),
        "measurements": loaded.n_measurements,
        "estimated_parameters": len(loaded.parameter_ids),
    }
    cli.deliver(pd.DataFrame([row]), "petab", json, output)
