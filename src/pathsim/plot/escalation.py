"""How a resistant line was made: the dose staircase with growth, the clones, and what the dose response became."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..experiments.ensemble import Intervals
from ..workflow.study_intervals import escalation_tables, picked
from .style import COLOURS, INK, PALE, canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..resistance.escalation import Escalation


@checked
def draw_escalation(run: Escalation, others: Sequence[Escalation] = ()) -> Figure:
    """Dose staircase and clone fractions over the same days.

    With ``others``, the same escalation under all parameter sets (the best first), 5 to 95 % of them are shaded around
    dose and growth, and the clones that they end with are counted.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5.9 if others else 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    history = escalation_tables(Intervals(tuple(others)))["history"] if others else run.history
    draw_staircase(history, run.drug, run.aim.value, upper, measure=run.measure)
    draw_clones(run.fractions, lower)
    upper.set_xlabel("")
    if others:
        counts = picked(others)
        most = [f"{name} ({count})" for name, count in list(counts.items())[:3]]
        more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
        resistant = sum(other.resistant for other in others)
        upper.set_title(
            f"shaded: 5 to 95 % of {len(others)} parameter sets, {resistant} of which end resistant",
            fontsize=8,
            loc="left",
            color=INK,
        )
        lower.set_title(fill(f"the sets end with {', '.join(most)}{more}", 105), fontsize=8, loc="left", color=INK)
    figure.suptitle(f"{run.line.name}: {run.reason}", x=0.01, ha="left", fontsize=10, weight="bold")
    return figure


def draw_staircase(
    history: pd.DataFrame,
    drug: str,
    parental_nM: float | None = None,
    ax: Axes | None = None,
    *,
    measure: str = "IC50",
) -> Axes:
    """The dose over the months, in nM, with the parental potency, and growth relative to untreated parental cells.

    Where ``history`` has intervals (``dose_nM_low``, ``relative_growth_low``, ...) they are shaded.
    """
    axes = canvas(ax, 7.0, 2.8)
    banded = "dose_nM_low" in history
    if banded:
        axes.fill_between(
            history["day"],
            history["dose_nM_low"],
            history["dose_nM_high"],
            step="pre",
            lw=0,
            color=COLOURS[0],
            alpha=0.15,
        )
    axes.step(history["day"], history["dose_nM"], where="pre", color=COLOURS[0], lw=1.8)
    axes.set(yscale="log", xlabel="days", ylabel=f"{drug} (nM)")
    axes.yaxis.label.set_color(COLOURS[0])
    if parental_nM:
        axes.axhline(parental_nM, color=PALE, lw=0.8, ls="--")
        axes.annotate(
            f"parental {measure}",
            (0.005, parental_nM),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=7,
            color=PALE,
        )
    growth = axes.twinx()
    growth.spines[["top"]].set_visible(False)
    smooth = history["relative_growth"].clip(lower=-0.5)
    growth.plot(history["day"], 100 * smooth, color=COLOURS[1], lw=1.0)
    if banded:
        low, high = (100 * history[f"relative_growth_{end}"].clip(lower=-0.5) for end in ("low", "high"))
        growth.fill_between(history["day"], low, high, color=COLOURS[1], alpha=0.15, lw=0)
    growth.set_ylabel("growth (% of untreated parental)", color=COLOURS[1])
    growth.axhline(0, color=PALE, lw=0.4)
    return axes


def draw_clones(fractions: pd.DataFrame, ax: Axes | None = None, label_from: float = 0.05) -> Axes:
    """A fish plot: the share of every clone over time, stacked; clones that never reach ``label_from`` stay unnamed."""
    axes = canvas(ax, 7.0, 2.8)
    table = fractions.pivot_table(index="day", columns="clone", values="fraction", fill_value=0.0)
    order = [name for name in dict.fromkeys(fractions["clone"]) if name in table.columns]
    order.sort(key=lambda name: (name != "parental", float(np.argmax(table[name].to_numpy()))))
    colours = ["#d9d9d9" if name == "parental" else COLOURS[i % len(COLOURS)] for i, name in enumerate(order)]
    days = table.index.to_numpy(dtype=float)
    axes.stackplot(days, [100 * table[name] for name in order], colors=colours, alpha=0.9, lw=0)
    bottom = np.zeros(len(days))
    for name in order:
        share = table[name].to_numpy()
        if share.max() >= label_from:  # named in the middle of where it is large, inwards from there at the edges
            middle = float(np.median(days[share >= 0.5 * share.max()]))
            at = int(np.searchsorted(days, middle))
            place = (middle - days[0]) / max(np.ptp(days), 1e-9)
            side = "left" if place < 0.05 else "right" if place > 0.9 else "center"
            height = min(max(100 * (bottom[at] + share[at] / 2), 4.0), 96.0)
            axes.text(middle, height, name.replace("+", "\n+ "), ha=side, va="center", fontsize=7, color=INK)
        bottom = bottom + share
    axes.set(xlim=(days[0], days[-1]), ylim=(0, 100), xlabel="days", ylabel="share of culture (%)")
    return axes
