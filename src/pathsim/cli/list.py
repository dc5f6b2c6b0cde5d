"""``pathsim list``: what is on the shelf and in a model."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import Library


class Shelf(StrEnum):
    """What can be listed."""

    drugs = "drugs"
    models = "models"
    cell_lines = "cell-lines"
    alterations = "alterations"
    readouts = "readouts"
    network = "network"


@cli.app.command(name="list")
def list_shelf(
    what: Annotated[str, typer.Argument(metavar=f"{{{'|'.join(Shelf)}}}", help="What to list.", show_default=False)],
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A bundled model or a path; drugs, cell lines and alterations are those of its version."
        ),
    ] = "pi3k_mapk",
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """List drugs, models, cell lines, alterations, readouts, or the wiring of a model (--plot draws it)."""
    from ..errors import InputError, unknown

    if what not in set(Shelf):
        raise unknown("list", what, list(Shelf))
    shelf = Shelf(what)
    if plot is not None and shelf is not Shelf.network:
        raise InputError(f"--plot draws the network; 'pathsim list {what}' is a table only")
    cli.deliver(_table(shelf, model, plot), what, json, output, model=model)


def _table(what: Shelf, model: str, plot: str | None) -> pd.DataFrame:
    if what is Shelf.drugs:
        return _drugs(cli.library(model))
    if what is Shelf.models:
        return _models()
    if what is Shelf.cell_lines:
        return _cell_lines(cli.library(model))
    if what is Shelf.alterations:
        return _alterations(cli.library(model))
    if what is Shelf.readouts:
        return _readouts(model)
    return _network(model, plot)


def _drugs(library: Library) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "drug": drug.name,
                "synonyms": "; ".join(drug.synonyms),
                "kind": drug.kind,
                "description": drug.description,
                "acts_on": "; ".join((*drug.per_nM, *drug.per_percent)),
            }
            for drug in library.drugs.values()
        ]
    )


def _models() -> pd.DataFrame:
    import pandas as pd

    from ..model import bundled_models, load_model

    opened = {name: load_model(name) for name in bundled_models()}
    return pd.DataFrame(
        [
            {
                "model": name,
                "version": model.version,
                "species": len(model.species),
                "reactions": len(model.reactions),
                "parameters": len(model.parameters),
                "readouts": len(model.readouts),
                "time_unit": model.time_unit,
            }
            for name, model in opened.items()
        ]
    )


def _cell_lines(library: Library) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "cell_line": line.name,
                "description": line.description,
                "genotype": "; ".join(f"{gene} {state}" for gene, state in line.genotype.items()),
            }
            for line in library.cell_lines.values()
        ]
    )


def _alterations(library: Library) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "alteration": item.name,
                "description": item.description,
                "changes": "; ".join(
                    [f"{name} = {value:g}" for name, value in item.set.items()]
                    + [f"{name} x {value:g}" for name, value in item.scale.items()]
                ),
                "source": item.source,
            }
            for item in library.alterations.values()
        ]
    )


def _readouts(model: str) -> pd.DataFrame:
    import pandas as pd

    from ..lab.protocols import protocols
    from ..model import load_model

    opened = load_model(model)
    notes = {item.name: item for item in opened.annotations}
    rows: list[dict[str, object]] = [
        {"readout": name, "antigen": item.readout, "mass_kDa": item.mass_kDa or None, "unit": item.unit}
        if (item := notes.get(name))
        else {"readout": name, "antigen": "", "mass_kDa": None, "unit": ""}
        for name in opened.readouts
    ]
    rows += [
        {"readout": name, "antigen": "loading control", "mass_kDa": mass, "unit": ""}
        for name, mass in protocols(opened.version).loading_controls.items()
    ]
    return pd.DataFrame(rows).astype({"mass_kDa": "Int64"})


def _network(model: str, plot: str | None) -> pd.DataFrame:
    import pandas as pd

    from ..model import load_model, wiring

    opened = load_model(model)
    graph = wiring(opened)
    if plot is not None:
        from ..plot import draw_network

        cli.save_figure(draw_network(graph, cli.library(model).drugs.values()).figure, plot, model=opened)
    return pd.DataFrame(
        [
            {"from": edge.origin, "to": edge.target, "effect": edge.effect.value, "through": edge.through}
            for edge in graph.edges
        ]
    )
