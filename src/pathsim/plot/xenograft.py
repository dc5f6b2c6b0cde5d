"""A xenograft study on one page: survival, tumour growth, and the lysates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import COLOURS, INK, PALE, canvas
from .survival import draw_survival

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..assays.xenograft import Trial


def draw_xenograft(trial: Trial) -> Figure:
    """Survival with intervals and animals at risk, tumour volume of every animal, lysates relative to the first arm."""
    from matplotlib.figure import Figure

    arms = len(trial.arms)
    figure = Figure(figsize=(11.5, 4.2 + 0.2 * arms), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(1.0, 0.045 + 0.05 * arms), width_ratios=(1.25, 1.0, 0.8))
    curves = {f"arm {number}": curve for number, curve in enumerate(trial.survival.values(), start=1)}
    test = trial.log_rank() if arms > 1 else None
    survival = draw_survival(curves, figure.add_subplot(grid[0, 0]), test)
    survival.set_xlabel("days after implantation")
    if (legend := survival.get_legend()) is not None:
        legend.remove()  # arms are named below
    draw_volumes(trial, figure.add_subplot(grid[0, 1]))
    if arms > 1:
        draw_lysate(trial, figure.add_subplot(grid[0, 2]))
    _draw_legend(trial, figure.add_subplot(grid[1, :]))
    figure.suptitle(
        f"Virtual xenograft: {trial.line}, {trial.site.name}", x=0.01, ha="left", fontsize=10, weight="bold"
    )
    return figure


def draw_volumes(trial: Trial, ax: Axes | None = None) -> Axes:
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
    return axes


def draw_lysate(trial: Trial, ax: Axes | None = None) -> Axes:
    """Readouts of the endpoint lysate of every arm relative to the first."""
    axes = canvas(ax, 3.4, 3.4)
    table = trial.lysate.pivot(index="readout", columns="treatment", values="value")
    readouts = list(dict.fromkeys(trial.lysate["readout"]))[::-1]
    height = 0.8 / max(len(trial.arms) - 1, 1)
    for number, (colour, arm) in enumerate(zip(_colours(trial)[1:], trial.arms[1:], strict=True)):
        fold = np.array([table.loc[name, arm] / table.loc[name, trial.arms[0]] for name in readouts])
        where = np.arange(len(readouts)) + 0.4 - height * (number + 0.5)
        axes.barh(where, np.log2(np.maximum(fold, 2.0**-8)), height=0.9 * height, color=colour)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(np.arange(len(readouts)), readouts, fontsize=8)
    axes.set_xlabel(f"log2 of {trial.arms[0]}")
    axes.set_title("tumour lysate", fontsize=8, loc="left", color=INK)
    return axes


def _colours(trial: Trial) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(trial.arms))]


def _draw_legend(trial: Trial, ax: Axes) -> None:
    for row, (colour, (arm, curve)) in enumerate(zip(_colours(trial), trial.survival.items(), strict=True)):
        ax.text(
            0.0, -row, f"arm {row + 1}: {arm}; median {curve.median}", color=colour, fontsize=8, ha="left", va="center"
        )
    ax.set(xlim=(0, 1), ylim=(-len(trial.arms) + 0.4, 1.3))
    ax.axis("off")
