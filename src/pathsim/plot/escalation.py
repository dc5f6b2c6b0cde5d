"""How a resistant line was made: the dose staircase with growth, the clones, and what the dose response became."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..experiments.ensemble import Intervals
from ..workflow.study_intervals import escalation_tables, picked
from .style import (
    COLOURS,
    HEADING,
    INK,
    LABELS,
    NOTES,
    PAGE,
    PALE,
    TICKS,
    canvas,
    caption,
    letters,
    log_axis,
    page,
    whole,
)

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
    figure = page(PAGE, 5.2 if others else 5.0)
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
            fontsize=NOTES,
            loc="left",
            color=INK,
        )
        lower.set_title(fill(f"the sets end with {', '.join(most)}{more}", 105), fontsize=NOTES, loc="left", color=INK)
    figure.suptitle(fill(f"{run.line.name}: {run.reason}", 95), x=0.01, ha="left", fontsize=HEADING, weight="bold")
    return figure


def draw_staircase(
    history: pd.DataFrame,
    drug: str,
    parental_nM: float | None = None,
    ax: Axes | None = None,
    *,
    measure: str = "IC50",
) -> Figure:
    """The dose over the months, in nM, with the parental potency, and growth relative to untreated parental cells.

    Where ``history`` has intervals (``dose_nM_low``, ``relative_growth_low``, ...) they are shaded.
    """
    axes = canvas(ax, PAGE, 2.6)
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
    doses = np.concatenate(
        [history[name] for name in ("dose_nM", *(("dose_nM_low", "dose_nM_high") if banded else ()))]
    )
    doses = np.append(doses[doses > 0], parental_nM or [])
    log_axis(axes, "y", 0.8 * doses.min(), 1.25 * doses.max())
    axes.set(xlabel="days", ylabel=f"{drug} (nM)")
    axes.yaxis.label.set_color(COLOURS[0])
    if parental_nM:
        axes.axhline(parental_nM, color=PALE, lw=0.8, ls="--")
        axes.annotate(
            f"parental {measure}",
            (0.995, parental_nM),
            xycoords=("axes fraction", "data"),
            xytext=(0, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=NOTES,
            color=PALE,
        )
    growth = axes.twinx()
    growth.spines[["top"]].set_visible(False)
    growth.tick_params(labelsize=TICKS)
    smooth = history["relative_growth"].clip(lower=-0.5)
    growth.plot(history["day"], 100 * smooth, color=COLOURS[1], lw=1.0)
    if banded:
        low, high = (100 * history[f"relative_growth_{end}"].clip(lower=-0.5) for end in ("low", "high"))
        growth.fill_between(history["day"], low, high, color=COLOURS[1], alpha=0.15, lw=0)
    growth.set_ylabel("growth (% of untreated parental)", color=COLOURS[1], fontsize=LABELS)
    growth.axhline(0, color=PALE, lw=0.4)
    return whole(axes)


def draw_clones(fractions: pd.DataFrame, ax: Axes | None = None, label_from: float = 0.05) -> Figure:
    """A fish plot: the share of every clone over time, stacked; clones that never reach ``label_from`` stay unnamed."""
    axes = canvas(ax, PAGE, 2.4)
    table = fractions.pivot_table(index="day", columns="clone", values="fraction", fill_value=0.0)
    order = [name for name in dict.fromkeys(fractions["clone"]) if name in table.columns]
    order.sort(key=lambda name: (name != "parental", float(np.argmax(table[name].to_numpy()))))
    colours = ["#d9d9d9" if name == "parental" else COLOURS[i % len(COLOURS)] for i, name in enumerate(order)]
    days = table.index.to_numpy(dtype=float)
    named = [name if table[name].max() >= label_from else "" for name in order]
    axes.stackplot(days, [100 * table[name] for name in order], colors=colours, labels=named, alpha=0.9, lw=0)
    shown = [handle for handle in axes.get_legend_handles_labels()[0] if handle.get_label()]
    caption(axes, "", shown, columns=2 if letters(axes) < 80 else 3)
    axes.set(xlim=(days[0], days[-1]), ylim=(0, 100), xlabel="days", ylabel="share of culture (%)")
    return whole(axes)
