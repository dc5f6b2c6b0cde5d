"""The network of a model in formats of other tools: GraphML, JSON of Cytoscape, and SBGN-ML.

GraphML and Cytoscape get the signed graph of :mod:`pathsim.model.wiring`; SBGN (a process description) gets every
species and every reaction, with what stimulates or inhibits it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.dom.minidom import Document

from ..model import Model
from ..model.sbml_export import child, pretty
from ..model.wiring import Effect, modifiers, wiring
from ..stamp import stamp_of

if TYPE_CHECKING:
    import networkx as nx

SBGN = "http://sbgn.org/libsbgn/0.2"
"""Version 0.2 of the format, which every tool for SBGN reads."""
_ARCS = {Effect.ACTIVATES: "stimulation", Effect.INHIBITS: "inhibition", Effect.MODULATES: "modulation"}
_SIZES = {"process": (20.0, 20.0), "source and sink": (20.0, 20.0)}
_ENTITY = (96.0, 40.0)
_APART = 90.0
"""How far from each other glyphs stand, on the whole."""


def network(model: Model) -> nx.DiGraph[str]:
    """The wiring as a graph: nodes with their kind, edges with effect and the reactions they stand for."""
    import networkx as nx

    found = wiring(model)
    graph: nx.DiGraph[str] = nx.DiGraph(name=model.id)
    for name, kind in found.kinds.items():
        graph.add_node(name, kind=kind.value, members=" ".join(found.members.get(name, ())))
    for edge in found.edges:
        graph.add_edge(edge.origin, edge.target, effect=edge.effect.value, through=edge.through)
    return graph


def graphml_text(model: Model) -> str:
    """The wiring as GraphML, for Cytoscape, yEd and networkx.

    >>> ps.exchange.graphml_text(ps.load_model("host_glucose")).startswith("<graphml")
    True
    """
    import networkx as nx

    return "\n".join(nx.generate_graphml(network(model))) + "\n"


def cyjs_text(model: Model) -> str:
    """The wiring as JSON of Cytoscape and Cytoscape.js; ``interaction`` is the effect of an edge.

    >>> '"directed": true' in ps.exchange.cyjs_text(ps.load_model("host_glucose"))
    True
    """
    graph = network(model)
    nodes = [{"data": {"id": name, "name": name, "value": name, **data}} for name, data in graph.nodes(data=True)]
    edges = [
        {
            "data": {
                "id": f"{origin} ({data['effect']}) {target}",
                "source": origin,
                "target": target,
                "interaction": data["effect"],
                **data,
            }
        }
        for origin, target, data in graph.edges(data=True)
    ]
    whole = {
        "format_version": "1.0",
        "generated_by": stamp_of(model).sentence(),
        "target_cytoscapejs_version": "~3.0",
        "directed": True,
        "multigraph": False,
        "data": {"name": model.id},
        "elements": {"nodes": nodes, "edges": edges},
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def sbgn_text(model: Model) -> str:
    """Species and reactions as SBGN-ML, a process description with places; drugs and ligands are perturbing agents.

    >>> "process description" in ps.exchange.sbgn_text(ps.load_model("host_glucose"))
    True
    """
    return _Map(model).text()


class _Map:
    """A process description while it is made."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.document = Document()
        self.root = child(child(self.document, "sbgn", xmlns=SBGN), "map", language="process description")
        self.modifiers = modifiers(model)
        used = {name for effects in self.modifiers.values() for name in effects}
        species = set(model.species_by_id)
        self.classes = {one.id: "macromolecule" for one in model.species}
        self.classes |= dict.fromkeys(sorted(used - species), "perturbing agent")
        self.links = list(self._links())
        self.places = _places(self.links, list(self.classes))

    def _links(self) -> Iterator[tuple[str, str, str]]:
        """Class, from and to of each arc; reactions and what stands for nothing are glyphs too."""
        for reaction in self.model.reactions:
            process = f"process_{reaction.id}"
            self.classes[process] = "process"
            for side, members in (("consumption", reaction.reactants), ("production", reaction.products)):
                names = [one.species for one in members]
                if not names:
                    names = [f"nothing_{side}_{reaction.id}"]
                    self.classes[names[0]] = "source and sink"
                for name in names:
                    yield (side, name, process) if side == "consumption" else (side, process, name)
            for name, effect in self.modifiers[reaction.id].items():
                yield _ARCS[effect], name, process

    def text(self) -> str:
        for name, kind in self.classes.items():
            self._glyph(name, kind)
        for number, (kind, origin, target) in enumerate(self.links, start=1):
            arc = child(self.root, "arc", id=f"arc_{number}", source=origin, target=target)
            arc.setAttribute("class", kind)
            if kind == "consumption":
                arc.setAttribute("target", f"{target}.in")
            elif kind == "production":
                arc.setAttribute("source", f"{origin}.out")
            for tag, name in (("start", origin), ("end", target)):
                x, y = self.places[name]
                child(arc, tag, x=f"{x:.1f}", y=f"{y:.1f}")
        return pretty(self.document)

    def _glyph(self, name: str, kind: str) -> None:
        glyph = child(self.root, "glyph", id=name)
        glyph.setAttribute("class", kind)
        width, height = _SIZES.get(kind, _ENTITY)
        x, y = self.places[name]
        if kind not in _SIZES:
            known = self.model.species_by_id.get(name)
            child(glyph, "label", text=(known.name if known is not None else "") or name)
        child(glyph, "bbox", x=f"{x - width / 2:.1f}", y=f"{y - height / 2:.1f}", w=f"{width:g}", h=f"{height:g}")
        if kind == "process":
            for port, side in (("in", -1), ("out", 1)):
                child(glyph, "port", id=f"{name}.{port}", x=f"{x + side * width:.1f}", y=f"{y:.1f}")


def _places(links: list[tuple[str, str, str]], names: list[str]) -> dict[str, tuple[float, float]]:
    """Where glyphs stand: what is linked near each other, the same in every run."""
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((origin, target) for _, origin, target in links)
    size = _APART * math.sqrt(len(graph)) * 1.5
    found = nx.spring_layout(graph, seed=0, iterations=60, scale=size)
    return {name: (float(x) + size, float(y) + size) for name, (x, y) in found.items()}
