"""The state of the pathway on one map: every measured protein coloured by how much it differs between two lysates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..lab.protocols import pathway_map
from .style import INK, LABELS, PAGE, PALE, TICKS, canvas, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_activity_map(
    log2_ratio: Mapping[str, float], ax: Axes | None = None, title: str = "", most: float = 3.0
) -> Figure:
    """Draw readouts of the bundled model as a pathway; colour is the log2 ratio, clipped at ``most``.

    Readouts without a place on the map are left out; lines are the main influences (signs are on the wiring diagram).
    """
    import networkx as nx
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    ax = canvas(ax, PAGE, 4.4)
    chart = pathway_map()
    shown = [name for name in log2_ratio if name in chart.places]
    graph = nx.DiGraph()
    graph.add_nodes_from(shown)
    graph.add_edges_from(edge for edge in chart.influences if edge[0] in shown and edge[1] in shown)
    places = {name: np.array(chart.places[name]) for name in shown}
    nx.draw_networkx_edges(
        graph, places, ax=ax, edge_color=PALE, arrowsize=9, width=0.8, min_source_margin=14, min_target_margin=18
    )
    scale = ScalarMappable(Normalize(-most, most), "PuOr_r")
    colours = scale.to_rgba(np.clip(np.array([log2_ratio[name] for name in shown]), -most, most))
    for colour, name in zip(colours, shown, strict=True):
        value = log2_ratio[name]
        dark = sum(colour[:3]) < 1.5
        label, (x, y) = chart.labels[name], chart.places[name]
        text = f"{label}\n{2.0**value:.2g}×" if abs(value) < 10 else f"{label}\n{'>' if value > 0 else '<'}"
        box = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": PALE, "linewidth": 0.7}
        ink = "white" if dark else INK
        ax.text(x, y, text, ha="center", va="center", fontsize=6.5, color=ink, zorder=5, bbox=box)
    ax.set(xlim=(-1.9, 7.2), ylim=(-0.6, 5.6))
    ax.axis("off")
    if title:
        ax.set_title(title, fontsize=LABELS, loc="left", color=INK)
    bar = whole(ax).colorbar(scale, ax=ax, shrink=0.6, pad=0.01)
    bar.set_label("log2 ratio", fontsize=LABELS)
    bar.ax.tick_params(labelsize=TICKS)
    return whole(ax)
