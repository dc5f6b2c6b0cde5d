"""A xenograft study on one page: survival, tumour growth, and the lysates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..experiments.ensemble import interval
from ..units import time_text
from ..workflow.study_intervals import median_interval, survival_interval
from .style import COLOURS, HEADING, INK, NOTES, PAGE, PALE, canvas, log_axis, page, whole
from .survival import draw_survival

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..invivo.xenograft import Trial

ONE_CELL_MM3 = 1e-6
"""No tumour is smaller, whatever a continuous model says."""


@checked
def draw_xenograft(trial: Trial, others: Sequence[Trial] = ()) -> Figure:
    """Survival with intervals and animals at risk, tumour volume of every animal, lysates relative to the first arm.

    With ``others``, the same study under other parameter sets, what is shaded around survival, the whiskers of lysates
    and the ranges of medians are 5 to 95 % of the sets.
    """
    arms = len(trial.arms)
    figure = page(PAGE, 3.4 + 0.5 * arms)
    grid = figure.add_gridspec(2, 2, height_ratios=(1.35, 1.0))
    curves = trial.survival
    days = np.linspace(0.0, trial.days, 481)
    spread = (
        {arm: survival_interval([other.survival[arm] for other in others], days) for arm in trial.arms}
        if others
        else {}
    )
    shaded = {arm: (days, found.low, found.high) for arm, found in spread.items()} or None
    test = trial.log_rank() if arms > 1 else None
    survival = figure.add_subplot(grid[0, :])
    heading = "\n".join(
        f"{arm}: median {median_interval(others, arm)} over {len(others)} parameter sets"
        for arm in (trial.arms if others else ())
    )
    draw_survival(curves, survival, test, shaded=shaded, heading=heading)
    survival.set_xlabel("days after implantation")
    draw_volumes(trial, figure.add_subplot(grid[1, 0]))
    if arms > 1:
        draw_lysate(trial, figure.add_subplot(grid[1, 1]), others)
    figure.suptitle(
        f"Virtual xenograft: {trial.line}, {trial.site.name}", x=0.01, ha="left", fontsize=HEADING, weight="bold"
    )
    return figure


def draw_volumes(trial: Trial, ax: Axes | None = None) -> Figure:
    """Tumour volume of every animal until its endpoint, with the geometric mean of each arm while all are there."""
    axes = canvas(ax, 4.0, 3.4)
    for colour, arm in zip(_colours(trial), trial.arms, strict=True):
        part = trial.volumes[trial.volumes["arm"] == arm]
        mice = part["mouse"].unique()
        for mouse in mice[:20]:
            one = part[part["mouse"] == mouse]
            axes.plot(one["day"], one["volume_mm3"], color=colour, lw=0.5, alpha=0.35)
        counts = part.groupby("day")["mouse"].nunique()
        complete = part[part["day"].isin(counts[counts == len(mice)].index)]
        means = np.exp(np.log(complete["volume_mm3"]).groupby(complete["day"]).mean())
        axes.plot(means.index, means, color=colour, lw=2.2)
    axes.axvline(trial.site.dosing_from_days, color=PALE, lw=0.6, ls="--")
    axes.set(yscale="log", xlabel="days after implantation", ylabel="tumour (mm³)", xlim=(0, trial.days))
    low, high = axes.get_ylim()
    log_axis(axes, "y", max(low, ONE_CELL_MM3), high)
    axes.set_title("each tumour; thick: mean; dashed: dosing begins", fontsize=NOTES, loc="left")
    return whole(axes)


def draw_lysate(trial: Trial, ax: Axes | None = None, others: Sequence[Trial] = ()) -> Figure:
    """Readouts of the endpoint lysate of every arm relative to the first; whiskers 5 to 95 % of ``others``."""
    axes = canvas(ax, 3.4, 3.4)
    readouts = list(dict.fromkeys(trial.lysate["readout"]))[::-1]
    height = 0.8 / max(len(trial.arms) - 1, 1)
    for number, (colour, arm) in enumerate(zip(_colours(trial)[1:], trial.arms[1:], strict=True)):
        fold = _log_fold(trial, arm, readouts)
        where = np.arange(len(readouts)) + 0.4 - height * (number + 0.5)
        axes.barh(where, fold, height=0.9 * height, color=colour)
        if others:
            low, _, high = interval([_log_fold(other, arm, readouts) for other in others])
            axes.hlines(where, low, high, color=INK, lw=1.0)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(np.arange(len(readouts)), readouts, fontsize=6.5)
    axes.set_xlabel(f"log2 ratio to {trial.arms[0]}")
    hours = time_text(float(trial.lysate["time_min"].iloc[0]))
    axes.set_title(f"tumour lysate, {hours} after dosing began", fontsize=NOTES, loc="left", color=INK)
    return whole(axes)


def _log_fold(trial: Trial, arm: str, readouts: Sequence[str]) -> FloatArray:
    """log2 of every readout over that of the first arm."""
    table = trial.lysate.pivot(index="readout", columns="treatment", values="value")
    own, first = (table[one].loc[list(readouts)].to_numpy(dtype=float) for one in (arm, trial.arms[0]))
    return np.asarray(np.log2(np.maximum(own / first, 2.0**-8)))


def _colours(trial: Trial) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(trial.arms))]
