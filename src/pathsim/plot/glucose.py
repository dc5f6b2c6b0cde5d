"""Glucose and insulin of the host, and what they do to the signalling of the tumour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..checked import checked
from ..experiments.ensemble import interval
from .style import COLOURS, INK, PALE, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..invivo.glucose import GlucoseStudy


@checked
def draw_glucose(study: GlucoseStudy, hours: float = 24.0, others: Sequence[GlucoseStudy] = ()) -> Figure:
    """Glucose, insulin and every tumour readout over the first ``hours``, one colour per arm, and net growth.

    With ``others``, the same study under other parameter sets, 5 to 95 % of the sets are shaded around the readouts and
    drawn as whiskers of growth.
    """
    from matplotlib.figure import Figure

    readouts = list(dict.fromkeys(study.tumour["readout"]))
    count = 3 + len(readouts)
    figure = Figure(figsize=(3.1 * ((count + 1) // 2), 5.6), layout="constrained")
    axes = figure.subplots(2, (count + 1) // 2).ravel()
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
        bars.set_title(f"whiskers: 5 to 95 % of {len(others)} parameter sets", fontsize=8, loc="left", color=INK)
    bars.set_yticks(places, study.summary["arm"], fontsize=7)
    bars.invert_yaxis()
    bars.axvline(0, color=PALE, lw=0.8)
    bars.set_xlabel("tumour net growth (1/day)")
    for ax in axes[count:]:
        ax.axis("off")
    axes[0].legend(frameon=False, fontsize=7)
    figure.suptitle(f"{study.line}: {study.regimen}", x=0.01, ha="left", fontsize=10, weight="bold")
    return figure
