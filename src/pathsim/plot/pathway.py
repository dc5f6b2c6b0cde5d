"""The pathway for papers: modules, the canonical path, routes of resistance, alterations and drugs on their sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from ..checked import checked
from ..lab import Drug, default_library
from ..lab.protocols import Molecule, PathwayDiagram, pathway_diagram
from ..model import load_model
from ..model.wiring import Effect, Wiring, wiring
from .network import drugs_by_molecule
from .style import INK, NOTES, PAGE, PALE, canvas, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

CANONICAL, RESISTANCE, DRUG = "#D62728", "#1A8A4A", "#8C1C4B"
_HEIGHT = 7.6
_LETTER, _TALL = 0.078, 0.36  # of a box, in units of the diagram


@checked
def draw_pathway(drugs: Iterable[Drug] | None = None, ax: Axes | None = None) -> Figure:
    """Draw the bundled model as modules: what p110 alpha inhibitors block in red, what restores the signals in green.

    Layout and selection are text (``models/pathway_diagram.toml``); whether an arrow activates or inhibits, and which
    molecules a drug binds, is read off the model and the library. Arrows upwards, the feedbacks, are dashed.

    Args:
        drugs: those to show; default: every inhibitor of the bundled library.

    >>> figure = ps.plot.draw_pathway()
    """
    diagram, network = pathway_diagram(), _bundled_wiring()
    shelf = default_library().drugs.values() if drugs is None else drugs
    axes = canvas(ax, PAGE, _HEIGHT)
    axes.axis("off")
    axes.set_xlim(-0.15, 10.45)
    axes.set_ylim(-0.9, 10.5)
    _draw_modules(axes, diagram)
    boxes = {name: _box(axes, one) for name, one in diagram.molecules.items()}
    effects = arrow_effects(diagram, network)
    for pairs, colour, width in (
        (diagram.others, PALE, 0.8),
        (diagram.resistance, RESISTANCE, 1.2),
        (diagram.canonical, CANONICAL, 1.6),
    ):
        for origin, target in pairs:
            if (effect := effects.get((origin, target))) is not None:
                ends = diagram.molecules[origin], diagram.molecules[target]
                _draw_arrow(axes, *ends, boxes[origin], boxes[target], effect, colour, width)
    _draw_alterations(axes, diagram)
    _draw_drugs(axes, diagram, drugs_by_molecule(network, shelf))
    _draw_key(axes)
    return whole(axes)


@cache
def _bundled_wiring() -> Wiring:
    return wiring(load_model("pi3k_mapk"))


def arrow_effects(diagram: PathwayDiagram, network: Wiring) -> dict[tuple[str, str], Effect]:
    """What the model says of every arrow of the diagram; one that the model does not have is left out."""
    owner = {node: name for name, one in diagram.molecules.items() for node in one.nodes}
    found: dict[tuple[str, str], Counter[Effect]] = {}
    for edge in network.edges:
        pair = owner.get(edge.origin, ""), owner.get(edge.target, "")
        found.setdefault(pair, Counter())[edge.effect] += 1
    chosen = {}
    for pair in (*diagram.canonical, *diagram.resistance, *diagram.others):
        if counts := found.get(pair):
            signed = [effect for effect, _ in counts.most_common() if effect is not Effect.MODULATES]
            chosen[pair] = signed[0] if signed else Effect.MODULATES
    return chosen


def _draw_modules(ax: Axes, diagram: PathwayDiagram) -> None:
    from matplotlib.patches import FancyBboxPatch

    for one in diagram.modules.values():
        ax.add_patch(
            FancyBboxPatch(
                (one.left, one.bottom),
                one.right - one.left,
                one.top - one.bottom,
                boxstyle="round,pad=0,rounding_size=0.18",
                facecolor="#F3F5F8",
                edgecolor="#D5DAE2",
                linewidth=0.8,
                zorder=0,
            )
        )
        ax.text(
            one.left + 0.12, one.top - 0.1, one.label, fontsize=NOTES, color=PALE, weight="bold", va="top", zorder=1
        )


def _half(label: str) -> float:
    return 0.5 * (_LETTER * max(len(label), 3) + 0.22)


def _box(ax: Axes, one: Molecule) -> FancyBboxPatch:
    from matplotlib.patches import FancyBboxPatch

    half = _half(one.label)
    box = FancyBboxPatch(
        (one.x - half, one.y - _TALL / 2),
        2 * half,
        _TALL,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor="white",
        edgecolor=INK,
        linewidth=0.8,
        zorder=4,
    )
    ax.add_patch(box)
    ax.text(one.x, one.y - 0.01, one.label, ha="center", va="center", fontsize=NOTES, color=INK, zorder=5)
    return box


def _draw_arrow(
    ax: Axes,
    start: Molecule,
    end: Molecule,
    first: FancyBboxPatch,
    last: FancyBboxPatch,
    effect: Effect,
    colour: str,
    width: float,
) -> None:
    from matplotlib.patches import FancyArrowPatch

    up = end.y > start.y + 0.3
    far = abs(end.x - start.x) + abs(end.y - start.y) > 3.0
    bend = 0.18 if up else 0.1 if far else 0.0
    styles = {Effect.INHIBITS: "|-|,widthA=0,widthB=0.22", Effect.ACTIVATES: "-|>,head_length=0.36,head_width=0.16"}
    ax.add_patch(
        FancyArrowPatch(
            (start.x, start.y),
            (end.x, end.y),
            patchA=first,
            patchB=last,
            arrowstyle=styles.get(effect, "-"),
            connectionstyle=f"arc3,rad={bend if end.x >= start.x else -bend}",
            mutation_scale=12,
            shrinkA=1.0,
            shrinkB=1.5,
            linewidth=width,
            linestyle=(0, (3.5, 1.8)) if up else "-",
            color=colour,
            alpha=0.9,
            zorder=2 + width / 10,
        )
    )


def _draw_alterations(ax: Axes, diagram: PathwayDiagram) -> None:
    by_molecule: dict[str, list[str]] = {}
    for alteration, name in diagram.alterations.items():
        by_molecule.setdefault(name, []).append(alteration.replace("_", " "))
    for name, alterations in by_molecule.items():
        one = diagram.molecules[name]
        ax.text(
            one.x + 0.06,
            one.y + _TALL / 2 + 0.03,
            "\n".join(alterations),
            ha="left",
            va="bottom",
            fontsize=5.5,
            color=RESISTANCE,
            style="italic",
            linespacing=0.95,
            zorder=6,
            bbox=_HALO,
        )


def _draw_drugs(ax: Axes, diagram: PathwayDiagram, drugs: dict[str, tuple[str, ...]]) -> None:
    for one in diagram.molecules.values():
        names = list(dict.fromkeys(drug for node in one.nodes for drug in drugs.get(node, ())))
        if not names:
            continue
        shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
        ax.text(
            one.x,
            one.y - _TALL / 2 - 0.04,
            "⊣ " + ",\n".join(shown),
            ha="center",
            va="top",
            fontsize=5.5,
            color=DRUG,
            linespacing=0.95,
            zorder=6,
            bbox=_HALO,
        )


_HALO = {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.8}


def _draw_key(ax: Axes) -> None:
    from matplotlib.lines import Line2D

    rows = [
        Line2D([], [], color=CANONICAL, linewidth=1.6, label="canonical path"),
        Line2D([], [], color=RESISTANCE, linewidth=1.2, label="restores the signals"),
        Line2D([], [], color=PALE, linewidth=0.8, label="other influences"),
        Line2D([], [], color=PALE, linewidth=0.8, linestyle=(0, (3.5, 1.8)), label="feedback (upwards)"),
        Line2D([], [], linestyle="none", label="alteration"),
        Line2D([], [], linestyle="none", label="⊣ drugs"),
    ]
    ax.legend(
        handles=rows,
        labelcolor=[INK, INK, INK, INK, RESISTANCE, DRUG],
        loc="lower center",
        ncols=6,
        frameon=False,
        fontsize=6.5,
        borderaxespad=0.0,
        columnspacing=1.2,
    )
