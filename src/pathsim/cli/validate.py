"""``pathsim validate``: the scorecard."""

from __future__ import annotations

from typing import Annotated

import typer

from ..files import write_whole
from . import app as cli


@cli.app.command()
def validate(
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", callback=cli.new_file, help="Write the scorecard as one HTML page."),
    ] = None,
    claims: Annotated[
        str | None, typer.Option("--claims", metavar="FILE", help="Claims in TOML instead of the shipped ones.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="ID...", help="Only these claims.")] = None,
    ensemble: Annotated[
        str | None,
        typer.Option(
            "--ensemble",
            metavar="N|FILE",
            help="Shipped parameter sets that intervals are taken over, or a file of sets; "
            "0: none. Default: 8 for the bundled model.",
        ),
    ] = None,
    model: cli.Model = "pi3k_mapk",
    workers: cli.Workers = None,
    dask: cli.Dask = None,
    quiet: cli.Quiet = False,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """Run every claim about the biology, print verdicts, failed ones first, beside two null models.

    The table has one row per claim: predicted values with intervals, what is accepted, whether the claim was used in
    the calibration, and whether a model without feedback and one with inert drugs pass it too.
    """
    from ..errors import raise_together, unknown
    from ..model import load_model
    from ..scorecard import html_page, read_claims
    from ..scorecard import validate as score
    from ..threads import chosen

    asked = read_claims(claims)
    known = [claim.id for claim in asked]
    raise_together([str(unknown("claim", name, known)) for name in only or () if name not in known])
    these = [claim for claim in asked if not only or claim.id in only]
    members = cli.parameter_sets(model, ensemble or ("8" if model.partition("@")[0] == "pi3k_mapk" else None))

    def tell(said: str) -> None:
        cli.note(said, quiet)

    card = score(these, load_model(model), ensemble=members, progress=tell, workers=chosen(workers, dask) or 1)
    if html is not None:
        write_whole(html, html_page(card, cli.stamp(model).sentence()))
        cli.note(f"wrote {html}", quiet)
    cli.deliver(card.to_frame(), "scorecard", json, output, model=model)
    cli.note(card.summary().to_string(index=False, float_format=lambda share: f"{share:.2f}"), quiet)
    cli.note(f"passed by the model, failed without feedback: {', '.join(card.separating()) or 'none'}", quiet)
    if undecided := card.undecided():
        cli.note(f"claims about feedback that a model without it passes too: {', '.join(undecided)}", quiet)
