"""The plan of an investigation: from a sensitive line to what overcomes its resistance, step by step."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from ..checked import checked
from ..lab.protocols import protocols
from .pathway import CANONICAL, RESISTANCE
from .style import INK, NOTES, PAGE, PALE, canvas, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..workflow.investigate import Investigation

_STEPS = (
    ("escalation", "1  Make a resistant line", "step-wise dose until the culture grows at a multiple of the IC50"),
    ("phenotype", "2  Check the phenotype", "dose responses: viability and growth-rate inhibition"),
    ("mechanisms", "3  Find the mechanism", "blots and pathway activity of both lines, with and without the drug"),
    (
        "rescue",
        "4  Test what overcomes it",
        "the drug with each partner in dose matrices, with scores",
    ),
    ("ranking", "5  Rank the combinations", "what is left of the resistant line, over parameter sets"),
    ("xenograft", "6  In animals", "survival, tumours and lysates under the best combination"),
)
_AVENUES = ("clones and\nalterations", "blots: feedback and\nparallel pathways", "growth, death\nand energy")
_WIDE, _LETTERS = 4.3, 58


@checked
def draw_workflow(found: Investigation | None = None, ax: Axes | None = None) -> Figure:
    """Draw the steps of an investigation from top to bottom; the avenues of mechanism and of rescue side by side.

    Args:
        found: whose findings stand beside the steps; by default what each step does.

    >>> figure = ps.plot.draw_workflow()
    """
    axes = canvas(ax, PAGE, 4.8)
    axes.axis("off")
    axes.set_xlim(0, 10.4)
    axes.set_ylim(1.15, 10.35)
    strategies = list(dict.fromkeys(one.strategy for one in protocols().rescue))
    fans = {"mechanisms": _AVENUES, "rescue": tuple(text.replace(" ", "\n", 1) for text in strategies)}
    y, before = 10.2, None
    said = {} if found is None else _findings(found)
    for name, title, what in _STEPS:
        parts = fans.get(name, ())
        height = 1.45 if parts else 0.85
        colour = {"escalation": CANONICAL, "rescue": RESISTANCE, "ranking": RESISTANCE}.get(name, INK)
        _draw_step(axes, y, height, title, colour)
        for place, text in enumerate(parts):
            width = (_WIDE - 0.2) / len(parts)
            left = 0.1 + place * width
            axes.text(left + width / 2, y - 1.0, text, ha="center", va="center", fontsize=6, color=colour)
            if place:
                axes.plot([left, left], [y - 1.3, y - 0.7], color=PALE, lw=0.6)
        text = said.get(name, what)
        axes.text(
            _WIDE + 0.35,
            y - height / 2,
            "\n".join(wrap(text, _LETTERS)[:4]),
            va="center",
            fontsize=NOTES,
            color=INK if name in said else PALE,
        )
        if before is not None:
            axes.annotate(
                "", (_WIDE / 2, y), (_WIDE / 2, before), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.0}
            )
        before = y - height
        y = before - 0.52
    return whole(axes)


def _draw_step(ax: Axes, top: float, height: float, title: str, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    ax.add_patch(
        FancyBboxPatch(
            (0.1, top - height),
            _WIDE - 0.2,
            height,
            boxstyle="round,pad=0,rounding_size=0.15",
            facecolor="#F3F5F8",
            edgecolor=colour,
            linewidth=1.0,
        )
    )
    ax.text(0.3, top - 0.42, title, va="center", fontsize=NOTES + 1, color=colour, weight="bold")


def _findings(found: Investigation) -> dict[str, str]:
    """What each step of an investigation has found, in a few words."""
    facts = found.facts
    first = found.tables["ranking"].iloc[0]
    shift = facts["phenotype"]["gr50"]["fold"]
    escalation = facts["escalation"]
    return {
        "escalation": f"{escalation['names']['resistant']} after {escalation['days']:g} days",
        "phenotype": "GR50 cannot be compared" if shift is None else f"GR50 {shift:.3g} times the parental one",
        "mechanisms": f"carries {' and '.join(escalation['changes']) or 'no change'}",
        "rescue": f"{len(found.tables['ranking'])} combinations screened",
        "ranking": f"first: {found.settings.drug} with {first['partner']} ({first['strategy']}), which leaves "
        f"{first['viability_percent']:.3g} %",
        "xenograft": f"{len(facts['xenograft']['arms'])} arms, {facts['xenograft']['site']}",
    }
