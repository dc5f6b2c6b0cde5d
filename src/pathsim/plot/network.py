"""The pathway map of a model: molecules in layers below what stimulates them, arrows and bars, drugs on their sites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..checked import checked
from ..lab import Drug
from ..model.wiring import Effect, Kind, Wiring
from .style import INK, PALE, canvas, whole

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EDGE = {Effect.ACTIVATES: "#0072B2", Effect.INHIBITS: "#D55E00", Effect.MODULATES: "#7a7a7a"}
_DRUG = "#B0003A"
_ROW, _CHARACTER, _LINE = 1.05, 0.088, 0.165  # inches
_KEY = 4.6
"""Room for the key, in inches: a small network gets that much paper too."""


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    half: float


@checked
def draw_network(wiring: Wiring, drugs: Iterable[Drug] = (), ax: Axes | None = None) -> Figure:
    """Draw the signed influence graph of :func:`pathsim.model.wiring`.

    Molecules lie as many layers below the inputs as steps lead to them; edges that go up are the feedbacks, dashed.
    Drugs of the library stand beside the molecule they bind.
    """
    graph = influence_graph(wiring)
    drugs = list(drugs)
    ligands = {parameter for drug in drugs if drug.kind == "ligand" for parameter in drug.per_nM}
    layers = _layers(graph, ligands)
    pills = _told(drugs_by_molecule(wiring, drugs))
    boxes, width = _place(graph, layers, pills)
    beside = 0.2 + max(0.0, _KEY - width) / 2
    below = _ROW * (len(layers) - 1) + 0.35
    ax = canvas(ax, width + 2 * beside, below + 0.75)
    ax.set_xlim(-beside, width + beside)
    ax.set_ylim(-below, 0.4)
    ax.set_aspect("equal")
    ax.axis("off")
    for origin, target, effect in graph.edges(data="effect"):
        _draw_edge(ax, boxes[origin], boxes[target], effect)
    for name, box in boxes.items():
        is_input = wiring.kinds[name] is Kind.INPUT
        ax.text(
            box.x,
            box.y,
            _shown(name),
            ha="center",
            va="center",
            fontsize=8.5,
            color=INK,
            zorder=4,
            bbox={
                "boxstyle": "round,pad=0.32" if not is_input else "square,pad=0.28",
                "linewidth": 0.9,
                "facecolor": "#FFF4D6" if is_input else "#E8F0F7",
                "edgecolor": PALE,
            },
        )
        _draw_drugs(ax, box, pills.get(name, ()))
    _draw_key(ax, bool(pills))
    return whole(ax)


def influence_graph(wiring: Wiring) -> nx.DiGraph[str]:
    """The molecules and inputs as a networkx graph (drug sites left out), with ``effect`` on each edge."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for edge in wiring.edges:
        if wiring.kinds[edge.origin] is not Kind.SITE:
            graph.add_edge(edge.origin, edge.target, effect=edge.effect)
    graph.add_nodes_from(name for name, kind in wiring.kinds.items() if kind is Kind.MOLECULE)
    return graph


def _layers(graph: nx.DiGraph[str], ligands: set[str]) -> list[list[str]]:
    """Nodes by their distance from the ligands (from all that nothing acts on, where no ligand is known)."""
    import networkx as nx

    unmoved = [node for node in graph if graph.in_degree(node) == 0 and graph.out_degree(node)]
    starts = [node for node in unmoved if node in ligands] or unmoved or list(graph)[:1]
    depth: dict[str, int] = {}
    for source in starts:
        for node, steps in nx.single_source_shortest_path_length(graph, source).items():
            depth[node] = min(depth.get(node, steps), steps)
    reached = dict(depth)
    for node in unmoved:  # a phosphatase or a co-receptor stands one step above the first thing it acts on
        targets = [reached[target] for target in graph.successors(node) if target in reached]
        depth[node] = max(0, min(targets, default=1) - 1)
    lowest = max(depth.values(), default=0) + 1
    layers: list[list[str]] = [[] for _ in range(lowest + 1)]
    for node in graph:
        layers[depth.get(node, lowest)].append(node)
    return _untangled(graph, [layer for layer in layers if layer])


def _untangled(graph: nx.DiGraph[str], layers: list[list[str]]) -> list[list[str]]:
    """Layers reordered so that each node lies near the middle of its neighbours (barycentre method, Sugiyama 1981)."""
    for _ in range(24):
        place = {node: index / max(len(layer) - 1, 1) for layer in layers for index, node in enumerate(layer)}
        for layer in layers:
            middle = {}
            for node in layer:
                near = [place[other] for other in (*graph.predecessors(node), *graph.successors(node)) if other != node]
                middle[node] = sum(near) / len(near) if near else place[node]
            layer.sort(key=lambda node, middle=middle: (middle[node], node))  # type: ignore[misc]
    return layers


def drugs_by_molecule(wiring: Wiring, drugs: Iterable[Drug]) -> dict[str, tuple[str, ...]]:
    """Names of the drugs that bind each molecule, most selective first."""
    sites: dict[str, list[str]] = {}
    for edge in wiring.edges:
        if wiring.kinds[edge.origin] is Kind.SITE:
            sites.setdefault(edge.origin, []).append(edge.target)
    found: dict[str, list[str]] = {}
    for drug in sorted(drugs, key=lambda drug: (len(drug.per_nM), drug.name)):
        strongest = max(drug.per_nM.values(), default=0.0)
        for site, strength in drug.per_nM.items():
            if strength < strongest / 30:
                continue  # bound only at doses that saturate the target proper
            for target in sites.get(site, ()):
                names = found.setdefault(target, [])
                if drug.name not in names:
                    names.append(drug.name)
    return {target: tuple(names) for target, names in found.items()}


def _told(found: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The first of many drugs, and how many more there are."""
    return {
        target: names if len(names) <= 4 else (*names[:4], f"and {len(names) - 4} more")
        for target, names in found.items()
    }


def _place(
    graph: nx.DiGraph[str], layers: list[list[str]], pills: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, _Box], float]:
    """Boxes in inches and the width of the widest layer; each layer is centred."""

    def half(name: str) -> float:
        return 0.5 * _CHARACTER * max(len(_shown(name)), 3) + 0.1

    def room(name: str) -> float:
        drugs = max((len(drug) for drug in pills.get(name, ())), default=0)
        return 2 * half(name) + (0.62 * _CHARACTER * drugs + 0.3 if drugs else 0.0) + 0.3

    width = max(sum(room(name) for name in layer) for layer in layers)
    boxes = {}
    for row, layer in enumerate(layers):
        slack = (width - sum(room(name) for name in layer)) / (len(layer) + 1)
        x = slack
        for name in layer:
            boxes[name] = _Box(x + half(name) + 0.1, -row * _ROW, half(name))
            x += room(name) + slack
    return boxes, width


def _draw_edge(ax: Axes, start: _Box, end: _Box, effect: Effect) -> None:
    from matplotlib.patches import FancyArrowPatch

    up = end.y > start.y + 0.1
    level = abs(end.y - start.y) < 0.1
    length = max(1.0, ((end.x - start.x) ** 2 + (end.y - start.y) ** 2) ** 0.5)
    bend = (0.5 if level else 0.3 if up else -0.06) / length**0.7
    sign = 1.0 if end.x >= start.x else -1.0
    style = {Effect.INHIBITS: "|-|,widthA=0,widthB=0.24", Effect.ACTIVATES: "-|>,head_length=0.35,head_width=0.16"}
    below, above = -0.17, 0.17
    aside = max(-0.7 * start.half, min(0.7 * start.half, 0.12 * (end.x - start.x)))
    first = (start.x + aside, start.y + (above if up or level else below))
    shift = max(-0.7 * end.half, min(0.7 * end.half, 0.25 * (start.x - end.x)))
    last = (end.x + shift, end.y + (below if up else above))
    ax.add_patch(
        FancyArrowPatch(
            first,
            last,
            arrowstyle=style.get(effect, "-"),
            mutation_scale=13,
            linewidth=0.9,
            connectionstyle=f"arc3,rad={bend * sign * (-1 if level else 1)}",
            color=_EDGE[effect],
            linestyle=(0, (4, 2)) if up else "-",
            alpha=0.8,
            zorder=2,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _draw_drugs(ax: Axes, box: _Box, names: tuple[str, ...]) -> None:
    if not names:
        return
    left = box.x + box.half + 0.06
    ax.plot([left, left], [box.y - 0.09, box.y + 0.09], color=_DRUG, linewidth=1.6, zorder=5)
    ax.plot([left, left + 0.13], [box.y, box.y], color=_DRUG, linewidth=1.0, zorder=5)
    top = box.y + 0.5 * _LINE * 0.72 * (len(names) - 1)
    for line, name in enumerate(names):
        height = top - line * _LINE * 0.72
        ax.text(
            left + 0.17,
            height,
            name,
            ha="left",
            va="center",
            fontsize=5.8,
            color=_DRUG,
            zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85},
        )


def _draw_key(ax: Axes, with_drugs: bool) -> None:
    from matplotlib.lines import Line2D

    rows = [Line2D([], [], color=_EDGE[effect], label=effect.value) for effect in Effect]
    rows.append(Line2D([], [], color=PALE, linestyle=(0, (4, 2)), label="feedback (upwards)"))
    if with_drugs:
        rows.append(Line2D([], [], color=_DRUG, marker="|", linestyle="none", markersize=9, label="drugs"))
    ax.legend(handles=rows, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(rows), frameon=False, fontsize=7.5)


def _shown(name: str) -> str:
    return name.replace("_", " ")
