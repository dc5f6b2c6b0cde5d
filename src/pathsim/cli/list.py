"""``pathsim list``: what is on the shelf and in a model."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..files import write_whole
from . import app as cli
from .bench import BENCH, Bench, verb

if TYPE_CHECKING:
    from ..lab import Library
    from ..model import Model
    from ..rows import Row


class Shelf(StrEnum):
    """What can be listed."""

    drugs = "drugs"
    models = "models"
    cell_lines = "cell-lines"
    alterations = "alterations"
    readouts = "readouts"
    parameters = "parameters"
    network = "network"


@verb(name="list")
def list_shelf(
    what: Annotated[str, typer.Argument(metavar=f"{{{'|'.join(Shelf)}}}", help="What to list.", show_default=False)],
    bench: Bench = BENCH,
    plot: cli.Plot = None,
    diagram: Annotated[
        str | None,
        typer.Option(
            "--diagram",
            metavar="FILE",
            callback=cli.new_figure,
            help="Draw the bundled network in modules: canonical path, routes of resistance, drugs on their sites.",
        ),
    ] = None,
    graphml: Annotated[
        str | None,
        typer.Option(
            "--graphml", metavar="FILE", callback=cli.new_file, help="Write the network for Cytoscape, yEd, networkx."
        ),
    ] = None,
    cyjs: Annotated[
        str | None,
        typer.Option("--cyjs", metavar="FILE", callback=cli.new_file, help="Write it as JSON of Cytoscape."),
    ] = None,
    sbgn: Annotated[
        str | None,
        typer.Option(
            "--sbgn",
            metavar="FILE",
            callback=cli.new_file,
            help="Write its reactions as SBGN-ML.",
        ),
    ] = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """List drugs, models, cell lines, alterations, readouts, parameters, or the wiring of a model (--plot draws it).

    Parameters come with value, unit, class and source.
    """
    from ..errors import InputError, unknown

    if what not in set(Shelf):
        raise unknown("list", what, list(Shelf))
    shelf = Shelf(what)
    if plot is not None and shelf is not Shelf.network:
        raise InputError(f"--plot draws the network; 'pathsim list {what}' is a table only")
    if diagram is not None:
        if shelf is not Shelf.network:
            raise InputError(f"--diagram draws the network; 'pathsim list {what}' is a table only")
        from ..plot.pathway import draw_pathway

        cli.save_figure(draw_pathway(), diagram)
    _write_network(bench.opened if shelf is Shelf.network else None, what, graphml, cyjs, sbgn)
    cli.deliver(_table(shelf, bench, plot), what, json, output, model=bench.model)


def _write_network(model: Model | None, what: str, graphml: str | None, cyjs: str | None, sbgn: str | None) -> None:
    """Write the network of a model in the formats that are asked for."""
    from ..errors import InputError
    from ..exchange.network import cyjs_text, graphml_text, sbgn_text

    for name, path, text in (("graphml", graphml, graphml_text), ("cyjs", cyjs, cyjs_text), ("sbgn", sbgn, sbgn_text)):
        if path is None:
            continue
        if model is None:
            raise InputError(f"--{name} writes the network; 'pathsim list {what}' is a table only")
        write_whole(path, text(model))


def _table(what: Shelf, bench: Bench, plot: str | None) -> list[Row]:
    match what:
        case Shelf.drugs:
            return _drugs(bench.library)
        case Shelf.models:
            return _models()
        case Shelf.cell_lines:
            return _cell_lines(bench.library)
        case Shelf.alterations:
            return _alterations(bench.library)
        case Shelf.readouts:
            return _readouts(bench.opened)
        case Shelf.parameters:
            return _parameters(bench)
        case Shelf.network:
            return _network(bench, plot)


def _drugs(library: Library) -> list[Row]:
    return [
        {
            "drug": drug.name,
            "synonyms": "; ".join(drug.synonyms),
            "kind": drug.kind,
            "description": drug.description,
            "acts_on": "; ".join((*drug.per_nM, *drug.per_percent)),
        }
        for drug in library.drugs.values()
    ]


def _models() -> list[Row]:
    from ..model import bundled_models, load_model

    opened = {name: load_model(name) for name in bundled_models()}
    return [
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


def _cell_lines(library: Library) -> list[Row]:
    return [
        {
            "cell_line": line.name,
            "description": line.description,
            "genotype": "; ".join(f"{gene} {state}" for gene, state in line.genotype.items()),
        }
        for line in library.cell_lines.values()
    ]


def _alterations(library: Library) -> list[Row]:
    return [
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


def _readouts(opened: Model) -> list[Row]:
    from ..lab.protocols import protocols

    notes = {item.name: item for item in opened.annotations}
    rows: list[Row] = [
        {"readout": name, "antigen": item.readout, "mass_kDa": item.mass_kDa or None, "unit": item.unit}
        if (item := notes.get(name))
        else {"readout": name, "antigen": "", "mass_kDa": None, "unit": ""}
        for name in opened.readouts
    ]
    rows += [
        {"readout": name, "antigen": "loading control", "mass_kDa": mass, "unit": ""}
        for name, mass in protocols(opened.version).loading_controls.items()
    ]
    return rows


def _parameters(bench: Bench) -> list[Row]:
    """Every constant of the model; those of --parameters and --set have the value they give it in all lines."""
    opened, library = bench.opened, bench.library
    notes = {item.name: item for item in opened.annotations}
    rows: list[Row] = []
    for parameter in opened.parameters:
        if not parameter.constant:
            continue
        name, note = parameter.id, notes.get(parameter.id)
        value, kind, source = parameter.value, note.kind if note else "", note.text if note else ""
        if name in library.parameters:
            value, kind, source = library.parameters[name], "fitted", library.origin
        if name in library.settings:
            value, kind, source = library.settings[name], "set", "--set"
        unit = note.unit if note else parameter.unit
        rows.append({"parameter": name, "value": value, "unit": unit, "class": kind, "source": source})
    return rows


def _network(bench: Bench, plot: str | None) -> list[Row]:
    from ..model.wiring import wiring

    opened = bench.opened
    graph = wiring(opened)
    if plot is not None:
        from ..plot import draw_network

        cli.save_figure(draw_network(graph, bench.library.drugs.values()), plot, model=opened)
    return [
        {"from": edge.origin, "to": edge.target, "effect": edge.effect.value, "through": edge.through}
        for edge in graph.edges
    ]
