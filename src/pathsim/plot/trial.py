"""A virtual clinical trial beside the reported one: survival of all simulated patients, and hazard ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checked import checked
from .style import COLOURS, INK, PALE, canvas
from .survival import draw_survival

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..invivo.trial import VirtualTrial


@checked
def draw_trial(trial: VirtualTrial) -> Figure:
    """Survival by arm; each simulated trial's hazard ratio against the share of the effect carried over.

    Horizontal lines are the reported ratios of medians, the first analysis drawn strongest.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_survival(trial.curves, left, event="overall survival").set_xlabel("months")
    canvas(right, 5, 4)
    right.plot(
        100 * trial.trials["carried_over"], trial.trials["hazard_ratio"], "o", ms=3.5, color=COLOURS[0], alpha=0.6
    )
    right.axhline(1.0, color=INK, lw=0.8)
    for number, item in enumerate(trial.cohort.reported):
        right.axhline(item.ratio, color=COLOURS[1], lw=1.6 if number == 0 else 0.9, ls="-" if number == 0 else "--")
        right.annotate(
            f"{item.analysis}: {item.treated:g} vs {item.control:g} months",
            (1.0, item.ratio),
            xycoords=("axes fraction", "data"),
            xytext=(-2, -9),
            textcoords="offset points",
            ha="right",
            fontsize=7.5,
            color=COLOURS[1],
        )
    right.set(
        xlabel="share of the effect in cells that reaches patients (%), assumed",
        yscale="log",
        ylabel="hazard ratio, treated over control",
    )
    right.set_yticks([0.2, 0.3, 0.5, 0.7, 1.0, 1.5], ["0.2", "0.3", "0.5", "0.7", "1", "1.5"])
    right.minorticks_off()
    right.grid(axis="y", color=PALE, alpha=0.25, lw=0.5)
    figure.suptitle(
        f"Virtual trial: {trial.cohort.name}, {trial.cohort.regimen}", x=0.01, ha="left", fontsize=10, weight="bold"
    )
    return figure
