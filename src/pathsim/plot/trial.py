"""A virtual clinical trial beside the reported one: survival of all simulated patients, and hazard ratios."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from ..checked import checked
from .style import COLOURS, HEADING, PAGE, PALE, canvas, caption, log_axis, page
from .survival import draw_survival

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..invivo.trial import VirtualTrial


@checked
def draw_trial(trial: VirtualTrial) -> Figure:
    """Survival by arm; each simulated trial's hazard ratio against the share of the effect carried over.

    Horizontal lines are the reported ratios of medians, the first analysis drawn strongest.
    """
    figure = page(PAGE, 3.7)
    left, right = figure.subplots(1, 2)
    draw_survival(trial.curves, left, event="overall survival")
    canvas(right, 5, 4)
    right.plot(
        100 * trial.trials["carried_over"],
        trial.trials["hazard_ratio"],
        "o",
        ms=3,
        color=COLOURS[0],
        alpha=0.6,
        label="simulated trials",
    )
    right.axhline(1.0, color=PALE, lw=0.8)
    for number, item in enumerate(trial.cohort.reported):
        right.axhline(
            item.ratio,
            color=COLOURS[1 + number],
            lw=1.5 if number == 0 else 1.1,
            ls="-" if number == 0 else "--",
            label=f"reported, {item.analysis}: {item.treated:g} vs {item.control:g} months",
        )
    right.set(xlabel="share of the effect in cells that reaches\npatients (%), assumed", xlim=(-3, 103))
    right.set_ylabel("hazard ratio, treated over control")
    ratios = [*trial.trials["hazard_ratio"].dropna(), *(item.ratio for item in trial.cohort.reported), 1.0]
    log_axis(right, "y", 0.85 * min(ratios), 1.15 * max(ratios))
    caption(right)
    figure.suptitle(
        fill(f"Virtual trial: {trial.cohort.name}, {trial.cohort.regimen}", 90),
        x=0.01,
        ha="left",
        fontsize=HEADING,
        weight="bold",
    )
    return figure
