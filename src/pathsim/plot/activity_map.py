"""The state of the pathway on one map: every measured protein coloured by how much it differs between two lysates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import INK, PALE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

_PLACES = {
    "pIGF1R_Y1135": (0.0, 5.0, "IGF1R"), "pERBB3_Y1289": (1.4, 5.0, "ERBB3"), "pEGFR_Y1068": (2.8, 5.0, "EGFR"),
    "pSRC_Y419": (5.0, 5.0, "SRC"), "pSTAT1_S727": (6.2, 4.0, "STAT1"), "pIRS1_S636": (0.0, 4.0, "IRS1 S636"),
    "pAKT_T308": (0.6, 3.0, "AKT T308"), "pAKT_S473": (2.2, 3.0, "AKT S473"), "RAS_GTP_level": (3.6, 4.0, "RAS-GTP"),
    "pMEK_S217": (4.0, 3.0, "MEK"), "pERK_T202": (4.4, 2.0, "ERK"), "pRSK_S380": (5.8, 2.0, "RSK"),
    "pPRAS40_T246": (0.3, 2.0, "PRAS40"), "pGSK3b_S9": (2.6, 2.0, "GSK3β"), "pAMPK_T172": (-1.2, 2.0, "AMPK"),
    "pS6K_T389": (0.6, 1.0, "S6K"), "p4EBP1_T37": (1.9, 1.0, "4EBP1"), "LC3_flux": (-1.2, 1.0, "autophagy"),
    "pS6_S240": (0.6, 0.0, "S6 S240"), "cyclinD1": (3.0, 0.0, "cyclin D1"), "pRB_S807": (4.5, 0.0, "RB S807"),
    "p21": (5.6, 0.0, "p21"), "BIM": (6.6, 0.0, "BIM"), "ER_protein": (6.5, 1.0, "ER"),
}  # fmt: skip
_EDGES = (
    ("pIGF1R_Y1135", "pIRS1_S636"), ("pIRS1_S636", "pAKT_T308"), ("pERBB3_Y1289", "pAKT_T308"),
    ("pERBB3_Y1289", "RAS_GTP_level"), ("pEGFR_Y1068", "RAS_GTP_level"), ("pSRC_Y419", "RAS_GTP_level"),
    ("pSRC_Y419", "pSTAT1_S727"), ("pAKT_T308", "pAKT_S473"), ("pAKT_S473", "pPRAS40_T246"),
    ("pAKT_S473", "pGSK3b_S9"), ("RAS_GTP_level", "pMEK_S217"), ("pMEK_S217", "pERK_T202"),
    ("pERK_T202", "pRSK_S380"), ("pPRAS40_T246", "pS6K_T389"), ("pPRAS40_T246", "p4EBP1_T37"),
    ("pAMPK_T172", "LC3_flux"), ("pS6K_T389", "pS6_S240"), ("pGSK3b_S9", "cyclinD1"), ("pERK_T202", "cyclinD1"),
    ("cyclinD1", "pRB_S807"), ("ER_protein", "BIM"), ("p4EBP1_T37", "cyclinD1"), ("pERK_T202", "BIM"),
    ("pERK_T202", "p21"),
)  # fmt: skip


def draw_activity_map(
    log2_ratio: Mapping[str, float], ax: Axes | None = None, title: str = "", most: float = 3.0
) -> Axes:
    """Draw readouts of the bundled model as a pathway; colour is the log2 ratio, clipped at ``most``.

    Readouts without a place on the map are left out; lines are the main influences (signs are on the wiring diagram).
    """
    import networkx as nx
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    if ax is None:
        ax = Figure(figsize=(8.2, 5.0), layout="constrained").add_subplot()
    shown = {name: _PLACES[name] for name in log2_ratio if name in _PLACES}
    graph = nx.DiGraph()
    graph.add_nodes_from(shown)
    graph.add_edges_from(edge for edge in _EDGES if edge[0] in shown and edge[1] in shown)
    places = {name: np.array(place[:2], dtype=float) for name, place in shown.items()}
    nx.draw_networkx_edges(graph, places, ax=ax, edge_color=PALE, arrowsize=9, width=0.8, min_source_margin=14,
                           min_target_margin=18)  # fmt: skip
    scale = ScalarMappable(Normalize(-most, most), "PuOr_r")
    colours = scale.to_rgba(np.clip(np.array([log2_ratio[name] for name in shown]), -most, most))
    for colour, (name, (x, y, label)) in zip(colours, shown.items(), strict=True):
        value = log2_ratio[name]
        dark = sum(colour[:3]) < 1.5
        text = f"{label}\n{2.0**value:.2g}×" if abs(value) < 10 else f"{label}\n{'>' if value > 0 else '<'}"
        ax.text(x, y, text, ha="center", va="center", fontsize=7.5, color="white" if dark else INK, zorder=5,
                bbox={"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": PALE, "linewidth": 0.7}
                )  # fmt: skip
    ax.set(xlim=(-1.9, 7.2), ylim=(-0.6, 5.6))
    ax.axis("off")
    if title:
        ax.set_title(title, fontsize=9, loc="left", color=INK)
    bar = ax.figure.colorbar(scale, ax=ax, shrink=0.6, pad=0.01)
    bar.set_label("log2 ratio", fontsize=8)
    return ax
