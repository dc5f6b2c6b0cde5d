"""Drug combinations: dose matrix, synergy landscape, isobologram, fa-CI plot, and many pairs ranked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checked import checked
from ..errors import InputError
from ..stats import synergy
from ..stats.curve import rounded
from ..stats.synergy.scores import dose_columns, points
from ..table import check_columns
from .style import COLOURS, INK, PALE, canvas, drawable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


SYNERGY_MAP = "PuOr_r"
"""Diverging, safe for every kind of colour blindness: orange above zero, purple below (ColorBrewer)."""


@checked
def draw_dose_matrix(data: synergy.Wells | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Inhibition (percent) at every dose pair as a heat map with its number; single drugs at dose 0.

    Raises :class:`InputError` for other than two drugs.
    """
    wells = data if isinstance(data, synergy.Wells) else synergy.from_table(data)
    _two(wells.drugs)
    conditions = wells.conditions
    levels = [np.unique(conditions.doses[:, drug]) for drug in (0, 1)]
    grid = np.full((len(levels[0]), len(levels[1])), np.nan)
    place = [np.searchsorted(levels[drug], conditions.doses[:, drug]) for drug in (0, 1)]
    grid[place[0], place[1]] = 100 * (1 - conditions.means)
    ax = canvas(ax, width=0.62 * len(levels[1]) + 2.0, height=0.46 * len(levels[0]) + 1.3)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    image = ax.imshow(grid, origin="lower", cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(grid):
        text = "" if np.isnan(value) else f"{value:.0f}"
        ax.text(j, i, text, ha="center", va="center", fontsize=7.5, color="white" if value < 55 else INK)
    ax.set_xticks(range(len(levels[1])), labels=[_dose(dose) for dose in levels[1]], fontsize=7.5)
    ax.set_yticks(range(len(levels[0])), labels=[_dose(dose) for dose in levels[0]], fontsize=7.5)
    ax.set_xlabel(f"{wells.drugs[1]} ({wells.units[1]})")
    ax.set_ylabel(f"{wells.drugs[0]} ({wells.units[0]})")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, pad=0.02)
    bar.set_label("inhibition (%)")
    bar.outline.set_visible(False)
    return ax


@checked
def draw_synergy(score: synergy.Score, ax: Axes | None = None) -> Axes:
    """The excess of a Bliss, HSA, Loewe or ZIP score over the dose matrix, zero in the middle of a diverging map.

    Contours every ten percentage points, dashed at zero; dots mark the wells, filled where the interval of the well
    excludes zero. The mean with its interval stands above.

    Raises :class:`InputError` for other than two drugs or fewer than two doses of either.
    """
    _two(score.drugs)
    matrix = score.matrix()
    if min(matrix.shape) < 2:
        raise InputError(
            f"a landscape needs two doses of each drug; this matrix is {matrix.shape[0]} x {matrix.shape[1]}"
        )
    first, second = matrix.index.to_numpy(dtype=float), matrix.columns.to_numpy(dtype=float)
    excess = matrix.to_numpy(dtype=float)
    ax = canvas(ax, width=5.2, height=4.1)
    reach = max(10.0, 10.0 * np.ceil(np.nanmax(np.abs(excess)) / 10.0))
    levels = np.linspace(-reach, reach, 41)
    masked = np.ma.masked_invalid(excess)
    filled = ax.contourf(second, first, masked, levels=levels, cmap=SYNERGY_MAP)
    crossed = [level for level in np.arange(-reach, reach + 1, 10) if np.nanmin(excess) < level < np.nanmax(excess)]
    lines = [level for level in crossed if level != 0]
    if lines:
        drawn = ax.contour(second, first, masked, levels=lines, colors=INK, linewidths=0.6)
        ax.clabel(drawn, fmt="%d", fontsize=6.5)
    if 0 in crossed:
        ax.contour(second, first, masked, levels=[0], colors=PALE, linewidths=0.5, linestyles="dashed")
    _draw_wells(ax, score)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(f"{score.drugs[1]} ({score.units[1]})")
    ax.set_ylabel(f"{score.drugs[0]} ({score.units[0]})")
    ax.set_title(_headline(score), fontsize=8.5, color=INK, loc="left")
    bar = ax.figure.colorbar(filled, ax=ax, shrink=0.95, pad=0.02, ticks=np.linspace(-reach, reach, 5))
    bar.set_label(f"{score.metric} (percentage points; > 0 synergy)", fontsize=8)
    bar.outline.set_visible(False)
    return ax


@checked
def draw_isobologram(found: synergy.Isobologram, ax: Axes | None = None) -> Axes:
    """Doses of equal effect: the straight line is additivity, points below are synergy, bars the limits of the index.

    Axes are fractions of the dose of each drug that gives the effect alone, so that every ratio fits in one frame; the
    doses themselves stand at the ends of the axes.

    Raises :class:`InputError` for other than two drugs.
    """
    _two(found.drugs)
    ax = canvas(ax, width=4.4 if len(found.mixed) <= 3 else 6.8, height=4.2)
    alone = found.alone["dose"].to_numpy(dtype=float)
    columns = dose_columns(found.drugs, found.units)
    ax.plot([1, 0], [0, 1], color=PALE, linewidth=1.2)
    ax.fill_between([0, 1], [1, 0], color=COLOURS[0], alpha=0.06, linewidth=0)
    largest = 1.0
    for number, record in enumerate(found.mixed.to_dict("records")):
        point = np.array([float(record[column]) for column in columns]) / alone
        colour = COLOURS[number % len(COLOURS)]
        if record["ci_low"] is not None and np.isfinite(record["ci_low"]):
            ends = np.outer([record["ci_low"] / record["ci"], record["ci_high"] / record["ci"]], point)
            ax.plot(ends[:, 0], ends[:, 1], color=colour, linewidth=1.1)
        ax.plot(*point, marker="o", color=colour, markersize=5.5, linestyle="", label=_index_text(record))
        largest = max(largest, float(point.max()))
    ax.set_xlim(0, min(1.15 * largest, 3.0))
    ax.set_ylim(0, min(1.15 * largest, 3.0))
    ax.set_aspect("equal")
    for drug, label in ((0, ax.set_xlabel), (1, ax.set_ylabel)):
        label(
            f"{found.drugs[drug]} (fraction of {rounded(float(alone[drug]), 3)} {found.units[drug]} alone)",
            fontsize=8.5,
        )
    ax.text(
        0.5,
        0.5,
        "additive",
        rotation=-45,
        fontsize=7,
        color=PALE,
        ha="center",
        va="bottom",
        rotation_mode="anchor",
        transform_rotates_text=True,
    )
    ax.set_title(f"doses with {100 * found.fa:.0f} % effect", fontsize=8.5, loc="left", color=INK)
    _legend(ax, "mixture (CI < 1 synergy)", beside=len(found.mixed) > 3)
    return ax


@checked
def draw_combination_index(index: synergy.CombinationIndex, ax: Axes | None = None) -> Axes:
    """The fa-CI plot: index against fraction affected, on a logarithmic axis with 1 (additivity) marked.

    Lines with confidence intervals are the constant-ratio mixtures, dots the measured combinations.
    """
    ax = canvas(ax, width=5.0 if len(index.mixtures) <= 3 else 6.0, height=3.8)
    ax.axhline(1.0, color=PALE, linewidth=1.0)
    fa = np.linspace(0.02, 0.98, 97)
    known = index.points[index.points["ci"].notna()]
    if known.empty:
        raise InputError(f"no combination has an index: {index.points['mark'].iloc[0]}")
    measured = known["fa"].to_numpy(dtype=float)
    for number, mixture in enumerate(index.mixtures[: len(COLOURS)]):
        at = index.along(mixture, fa)
        colour = COLOURS[number]
        inside = (fa >= measured.min() - 0.05) & (fa <= measured.max() + 0.05)
        if at["ci_low"].notna().all() and len(index.mixtures) <= 3:
            low, high = (at[end].to_numpy(dtype=float)[inside] for end in ("ci_low", "ci_high"))
            ax.fill_between(fa[inside], low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(fa[inside], at["ci"].to_numpy(dtype=float)[inside], color=colour, linewidth=1.6, label=mixture.label)
    ax.plot(measured, known["ci"], marker="o", linestyle="", color=INK, markersize=3.8, label="measured")
    ax.set_yscale("log")
    low, high = float(known["ci"].min()), float(known["ci"].max())
    ax.set_ylim(min(0.45, 0.7 * low), max(2.2, 1.4 * high))
    ax.set_xlim(0, 1)
    ticks = [
        tick for tick in (0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30) if ax.get_ylim()[0] <= tick <= ax.get_ylim()[1]
    ]
    ax.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.text(0.995, 0.985, "antagonism", transform=ax.transAxes, ha="right", va="top", fontsize=7.5, color=PALE)
    ax.text(0.995, 0.015, "synergy", transform=ax.transAxes, ha="right", va="bottom", fontsize=7.5, color=PALE)
    ax.set_xlabel("fraction affected")
    ax.set_ylabel("combination index")
    ax.set_title(" + ".join(index.drugs), fontsize=8.5, loc="left", color=INK)
    _legend(ax, "ratio", beside=len(index.mixtures) > 3)
    return ax


@checked
def draw_ranking(ranked: pd.DataFrame, ax: Axes | None = None, most: int = 30) -> Axes:
    """Scores of :func:`pathsim.synergy.rank` with their intervals, strongest on top; the null model is a line.

    Open diamonds show the score beyond what the drugs reach with their other partners, where that is known. At most
    ``most`` pairs are drawn; the axis says how many more there are.

    Raises :class:`InputError` when nothing in the table has a score.
    """
    texts = ("experiment", "drugs", "metric", "unit", "synergy_if")
    ranked = drawable(ranked, "ranking", texts, (), ("mean", "low", "high", "beyond_partners"))
    check_columns(ranked, ("mean", "low", "high"), "ranking")
    scored = ranked[ranked["mean"].notna()]
    if scored.empty:
        raise InputError("no scored combination to draw")
    shown = scored.head(most)
    ratio = str(shown["synergy_if"].iloc[0]).startswith("<")
    ax = canvas(ax, width=5.6, height=0.24 * len(shown) + 1.2)
    heights = np.arange(len(shown))[::-1]
    means = shown["mean"].to_numpy(dtype=float)
    ax.axvline(1.0 if ratio else 0.0, color=PALE, linewidth=1.0)
    low, high = (shown[end].to_numpy(dtype=float) for end in ("low", "high"))
    ax.hlines(heights, low, high, color=COLOURS[0], linewidth=1.4)
    ax.plot(means, heights, marker="o", linestyle="", color=COLOURS[0], markersize=4.5, label="mean and interval")
    if "beyond_partners" in shown.columns and shown["beyond_partners"].notna().any() and not ratio:
        beyond = shown["beyond_partners"].to_numpy(dtype=float)
        ax.plot(
            beyond,
            heights,
            marker="D",
            linestyle="",
            color=COLOURS[1],
            markersize=4,
            fillstyle="none",
            label="beyond other partners",
        )
        ax.legend(frameon=False, fontsize=7, loc="lower right")
    if ratio:
        ax.set_xscale("log")
    several = len(set(shown["experiment"])) > 1
    names = [
        f"{drugs}, {where}" if several else str(drugs)
        for drugs, where in zip(shown["drugs"], shown["experiment"], strict=True)
    ]
    ax.set_yticks(heights, labels=names, fontsize=7.5)
    ax.set_ylim(-0.7, len(shown) - 0.3)
    more = f"; {len(scored) - len(shown)} more not shown" if len(scored) > len(shown) else ""
    ax.set_xlabel(
        f"{shown['metric'].iloc[0]} ({shown['unit'].iloc[0]}; {shown['synergy_if'].iloc[0]} synergy{more})",
        fontsize=8.5,
    )
    return ax


def _draw_wells(ax: Axes, score: synergy.Score) -> None:
    first, second = dose_columns(score.drugs, score.units)
    wells = score.wells
    ax.plot(
        wells[second],
        wells[first],
        marker="o",
        linestyle="",
        markersize=3.4,
        markerfacecolor="white",
        markeredgecolor=INK,
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
    )
    if "excess_low" in wells.columns:
        sure = wells[(wells["excess_low"] > 0) | (wells["excess_high"] < 0)]
        ax.plot(sure[second], sure[first], marker="o", linestyle="", markersize=3.4, color=INK, clip_on=False, zorder=4)


def _headline(score: synergy.Score) -> str:
    text = f"{score.metric}: mean {points(score.mean, 1)}"
    if score.low is not None and score.high is not None:
        text += f" ({points(score.low, 1)} to {points(score.high, 1)})"
    return f"{text}, largest {points(score.max, 1)} points"


def _legend(ax: Axes, title: str, beside: bool) -> None:
    """A legend in the upper corner that the curves leave free, or beside the frame when it has many entries."""
    if beside:
        ax.legend(
            frameon=False, fontsize=7, title=title, title_fontsize=7, loc="upper left", bbox_to_anchor=(1.02, 1.0)
        )
    else:
        ax.legend(frameon=False, fontsize=7, title=title, title_fontsize=7, loc="best")


def _two(drugs: tuple[str, ...]) -> None:
    if len(drugs) != 2:
        raise InputError(f"this figure shows two drugs; there are {len(drugs)} ({', '.join(drugs)})")


def _dose(dose: float) -> str:
    return f"{dose:.3g}" if dose < 1000 else f"{dose:.0f}"


def _index_text(record: Mapping[Hashable, Any]) -> str:
    text = f"{record['mixture']}: CI {record['ci']:.2f}"
    if record["ci_low"] is None or not np.isfinite(record["ci_low"]):
        return text
    return f"{text} ({record['ci_low']:.2f} to {record['ci_high']:.2f})"
