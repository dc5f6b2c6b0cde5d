"""A xenograft study on one page: survival, tumour growth, and the lysates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..experiments.ensemble import interval
from ..workflow.study_intervals import median_interval, survival_interval
from .style import COLOURS, INK, PALE, canvas
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
    from matplotlib.figure import Figure

    arms = len(trial.arms)
    figure = Figure(figsize=(11.5, 4.2 + 0.2 * arms), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(1.0, 0.045 + 0.05 * arms), width_ratios=(1.25, 1.0, 0.8))
    named = {f"arm {number}": arm for number, arm in enumerate(trial.arms, start=1)}
    curves = trial.survival
    days = np.linspace(0.0, trial.days, 481)
    spread = (
        {name: survival_interval([other.survival[arm] for other in others], days) for name, arm in named.items()}
        if others
        else {}
    )
    shaded = {name: (days, found.low, found.high) for name, found in spread.items()} or None
    test = trial.log_rank() if arms > 1 else None
    survival = draw_survival(
        {name: curves[arm] for name, arm in named.items()}, figure.add_subplot(grid[0, 0]), test, shaded=shaded
    )
    survival.set_xlabel("days after implantation")
    if others:
        survival.set_title(f"shaded: 5 to 95 % of {len(others)} parameter sets", fontsize=8, loc="left", color=INK)
    if (legend := survival.get_legend()) is not None:
        legend.remove()  # arms are named below
    draw_volumes(trial, figure.add_subplot(grid[0, 1]))
    if arms > 1:
        draw_lysate(trial, figure.add_subplot(grid[0, 2]), others)
    _draw_legend(trial, figure.add_subplot(grid[1, :]), others)
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
    axes.set_ylim(bottom=max(axes.get_ylim()[0], ONE_CELL_MM3))
    return axes


def draw_lysate(trial: Trial, ax: Axes | None = None, others: Sequence[Trial] = ()) -> Axes:
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
    axes.set_yticks(np.arange(len(readouts)), readouts, fontsize=8)
    axes.set_xlabel(f"log2 of {trial.arms[0]}")
    axes.set_title("tumour lysate", fontsize=8, loc="left", color=INK)
    return axes


def _log_fold(trial: Trial, arm: str, readouts: Sequence[str]) -> FloatArray:
    """log2 of every readout over that of the first arm."""
    table = trial.lysate.pivot(index="readout", columns="treatment", values="value")
    own, first = (table[one].loc[list(readouts)].to_numpy(dtype=float) for one in (arm, trial.arms[0]))
    return np.asarray(np.log2(np.maximum(own / first, 2.0**-8)))


def _colours(trial: Trial) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(trial.arms))]


def _draw_legend(trial: Trial, ax: Axes, others: Sequence[Trial] = ()) -> None:
    for row, (colour, (arm, curve)) in enumerate(zip(_colours(trial), trial.survival.items(), strict=True)):
        said = f"arm {row + 1}: {arm}; median {curve.median}"
        if others:
            said += f"; {median_interval(others, arm)} over the parameter sets"
        ax.text(0.0, -row, said, color=colour, fontsize=8, ha="left", va="center")
    ax.set(xlim=(0, 1), ylim=(-len(trial.arms) + 0.4, 1.3))
    ax.axis("off")
