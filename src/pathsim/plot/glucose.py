"""Glucose and insulin of the host, and what they do to the signalling of the tumour."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..experiments.ensemble import interval
from .style import COLOURS, HEADING, INK, NOTES, PAGE, PALE, canvas, page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..invivo.glucose import GlucoseStudy


@checked
def draw_glucose(study: GlucoseStudy, hours: float = 24.0, others: Sequence[GlucoseStudy] = ()) -> Figure:
    """Glucose, insulin and every tumour readout over the first ``hours``, one colour per arm, and net growth.

    With ``others``, the same study under other parameter sets, 5 to 95 % of the sets are shaded around the readouts and
    drawn as whiskers of growth.
    """
    readouts = list(dict.fromkeys(study.tumour["readout"]))
    count = 3 + len(readouts)
    across = min(3, (count + 1) // 2)
    down = -(-count // across)
    figure = page(PAGE, 0.6 + 2.2 * down)
    axes = np.atleast_1d(np.asarray(figure.subplots(down, across))).ravel()
    arms = list(dict.fromkeys(study.host["arm"]))
    colours = {arm: PALE if "clamped" in arm else COLOURS[i % len(COLOURS)] for i, arm in enumerate(arms)}
    for ax in axes:
        canvas(ax, 3, 3)
    for arm, colour in colours.items():
        host = study.host[(study.host["arm"] == arm) & (study.host["time_h"] <= hours)]
        axes[0].plot(host["time_h"], host["glucose_mM"], color=colour, label=arm)
        axes[1].plot(host["time_h"], host["insulin_nM"], color=colour)
        for ax, readout in zip(axes[2:], readouts, strict=False):
            part = study.tumour[(study.tumour["arm"] == arm) & (study.tumour["readout"] == readout)]
            part = part[part["time_h"] <= hours]
            ax.plot(part["time_h"], part["value"], color=colour)
            if others:
                low, _, high = interval([other.tumour.loc[part.index, "value"].to_numpy() for other in others])
                ax.fill_between(part["time_h"], low, high, color=colour, alpha=0.15, lw=0)
    for ax, readout in zip(axes[2:], readouts, strict=False):
        ax.set(xlabel="hours after the dose", ylabel=f"tumour {readout} (nM)", ylim=(0, None))
    axes[0].set(xlabel="hours after the dose", ylabel="blood glucose (mM)", ylim=(0, None))
    axes[1].set(xlabel="hours after the dose", ylabel="insulin (nM)", ylim=(0, None))
    bars = axes[2 + len(readouts)]
    places = range(len(study.summary))
    bars.barh(places, study.summary["net_growth_per_day"], color=[colours[arm] for arm in study.summary["arm"]])
    if others:
        low, _, high = interval([other.summary["net_growth_per_day"].to_numpy() for other in others])
        bars.hlines(places, low, high, color=INK, lw=1.0)
    bars.set_yticks(places, study.summary["arm"], fontsize=6.5)
    bars.invert_yaxis()
    bars.axvline(0, color=PALE, lw=0.8)
    bars.set_xlabel("tumour net growth (1/day)")
    bars.locator_params(axis="x", nbins=4)
    for ax in axes[count:]:
        ax.axis("off")
    bars.set_title(
        f"growth; whiskers: 5 to 95 %\nof {len(others)} parameter sets" if others else "growth of the tumour",
        fontsize=NOTES,
        loc="left",
        color=INK,
    )
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", frameon=False, fontsize=NOTES, ncols=3)
    figure.suptitle(
        fill(f"Glucose, insulin and tumour: {study.line}, {study.regimen}", 90),
        x=0.01,
        ha="left",
        fontsize=HEADING,
        weight="bold",
    )
    return figure
