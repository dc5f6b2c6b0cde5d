"""Drug combinations: dose matrix, synergy landscape, three drugs, isobologram, fa-CI plot, MuSyC, many pairs ranked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..stats import synergy
from ..stats.curve import Estimate, rounded
from ..stats.synergy.scores import dose_columns, points
from ..table import check_columns
from ..units import handy_concentration
from .style import (
    COLOURS,
    INK,
    LABELS,
    MIDDLE,
    NOTES,
    PAGE,
    PALE,
    TICKS,
    canvas,
    caption,
    drawable,
    log_axis,
    page,
    whole,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SYNERGY_MAP = "PuOr_r"
"""Diverging, safe for every kind of colour blindness: orange above zero, purple below (ColorBrewer)."""
_MOST_LINES = 4


@checked
def draw_dose_matrix(data: synergy.Wells | pd.DataFrame, ax: Axes | None = None) -> Figure:
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
    width = min(PAGE, 0.42 * len(levels[1]) + 1.7)
    ax = canvas(ax, width=width, height=0.3 * len(levels[0]) + 1.2)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    image = ax.imshow(grid, origin="lower", cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(grid):
        text = "" if np.isnan(value) else points(value, 0)
        ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if value < 55 else INK)
    for drug, ticks, label in ((1, ax.set_xticks, ax.set_xlabel), (0, ax.set_yticks, ax.set_ylabel)):
        factor, unit = _handy(levels[drug], wells.units[drug])
        ticks(range(len(levels[drug])), labels=[_dose(dose / factor) for dose in levels[drug]], fontsize=6.5)
        label(f"{wells.drugs[drug]} ({unit})")
    bar = whole(ax).colorbar(image, ax=ax, shrink=0.9, pad=0.02)
    caption(ax, wells.name)
    bar.set_label("inhibition (%)", fontsize=LABELS)
    bar.ax.tick_params(labelsize=TICKS)
    bar.outline.set_visible(False)
    return whole(ax)


@checked
def draw_synergy(score: synergy.Score, ax: Axes | None = None) -> Figure:
    """The excess of a Bliss, HSA, Loewe or ZIP score over the dose matrix, zero in the middle of a diverging map.

    Contours every ten percentage points (twenty, fifty, ... where there are many), dashed at zero; circles mark the
    wells, filled where the interval of the well excludes zero. The mean with its interval stands above.

    Raises :class:`InputError` for other than two drugs or fewer than two doses of either.
    """
    _two(score.drugs)
    matrix = score.matrix()
    if min(matrix.shape) < 2:
        raise InputError(
            f"a landscape needs two doses of each drug; this matrix is {matrix.shape[0]} x {matrix.shape[1]}"
        )
    (first_by, first_unit), (second_by, second_unit) = (
        _handy(levels.to_numpy(dtype=float), unit)
        for levels, unit in zip((matrix.index, matrix.columns), score.units, strict=True)
    )
    first, second = matrix.index.to_numpy(dtype=float) / first_by, matrix.columns.to_numpy(dtype=float) / second_by
    excess = matrix.to_numpy(dtype=float)
    ax = canvas(ax, width=4.4, height=3.7)
    reach = max(10.0, 10.0 * np.ceil(np.nanmax(np.abs(excess)) / 10.0))
    masked = np.ma.masked_invalid(excess)
    log_axis(ax, "x", second.min(), second.max())
    log_axis(ax, "y", first.min(), first.max())
    filled = ax.contourf(second, first, masked, levels=np.linspace(-reach, reach, 41), cmap=SYNERGY_MAP)
    step = next(step for step in (10, 20, 50, 100, 200, 500, 1000, reach) if reach / step <= 6)
    crossed = [level for level in np.arange(-reach, reach + 1, step) if np.nanmin(excess) < level < np.nanmax(excess)]
    lines = [level for level in crossed if level != 0]
    if lines:
        drawn = ax.contour(second, first, masked, levels=lines, colors=INK, linewidths=0.6)
        ax.clabel(drawn, fmt="%d", fontsize=6)
    if 0 in crossed:
        ax.contour(second, first, masked, levels=[0], colors=PALE, linewidths=0.5, linestyles="dashed")
    _draw_wells(ax, score, second_by, first_by)
    ax.set_xlabel(f"{score.drugs[1]} ({second_unit})")
    ax.set_ylabel(f"{score.drugs[0]} ({first_unit})")
    bar = whole(ax).colorbar(filled, ax=ax, shrink=0.95, pad=0.02, ticks=np.linspace(-reach, reach, 5))
    caption(ax, f"{score.name}\n{_headline(score)}" if score.name else _headline(score))
    bar.set_label(f"{score.metric} (percentage points; > 0 synergy)", fontsize=LABELS)
    bar.ax.tick_params(labelsize=TICKS)
    bar.outline.set_visible(False)
    return whole(ax)


@checked
def draw_three_drugs(score: synergy.Score) -> Figure:
    """The excess of a score of three drugs: one dose matrix of the first two for every dose of the third.

    Raises :class:`InputError` for other than three drugs.
    """
    if len(score.drugs) != 3:
        raise InputError(f"this figure shows three drugs; there are {len(score.drugs)} ({', '.join(score.drugs)})")
    columns = dose_columns(score.drugs, score.units)
    table = score.wells
    levels = [np.unique(table[column].to_numpy(dtype=float)) for column in columns]
    scales = [_handy(level, unit) for level, unit in zip(levels, score.units, strict=True)]
    reach = max(10.0, 10.0 * np.ceil(np.nanmax(np.abs(table["excess"].to_numpy(dtype=float))) / 10.0))
    across = min(len(levels[2]), 4)
    down = -(-len(levels[2]) // across)
    figure = page(PAGE, 0.7 + down * (0.55 + 0.2 * len(levels[0]) + 0.3))
    axes = np.atleast_1d(np.asarray(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False))).ravel()
    image = None
    for number, (ax, dose) in enumerate(zip(axes, levels[2], strict=False)):
        canvas(ax, 0, 0)
        part = table[table[columns[2]] == dose]
        grid = np.full((len(levels[0]), len(levels[1])), np.nan)
        place = [np.searchsorted(levels[drug], part[columns[drug]].to_numpy(dtype=float)) for drug in (0, 1)]
        grid[place[0], place[1]] = part["excess"]
        image = ax.imshow(grid, origin="lower", cmap=SYNERGY_MAP, vmin=-reach, vmax=reach, aspect="auto")
        for (i, j), value in np.ndenumerate(grid):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.7 * reach else INK
                ax.text(j, i, points(value, 0), ha="center", va="center", fontsize=5.5, color=ink)
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(length=0)
        ax.set_title(f"{score.drugs[2]} {_dose(dose / scales[2][0])} {scales[2][1]}", fontsize=NOTES, loc="left")
        ax.set_xticks(range(len(levels[1])), [_dose(each / scales[1][0]) for each in levels[1]], fontsize=5.5)
        ax.set_yticks(range(len(levels[0])), [_dose(each / scales[0][0]) for each in levels[0]], fontsize=5.5)
        if number % across == 0:
            ax.set_ylabel(f"{score.drugs[0]} ({scales[0][1]})")
        if number + across >= len(levels[2]):
            ax.set_xlabel(f"{score.drugs[1]} ({scales[1][1]})")
            ax.tick_params(labelbottom=True)
    for ax in axes[len(levels[2]) :]:
        ax.set_visible(False)
    assert image is not None
    bar = figure.colorbar(image, ax=axes.tolist(), shrink=0.9, pad=0.01)
    bar.set_label(f"{score.metric}\n(percentage points; > 0 synergy)", fontsize=NOTES)
    bar.ax.tick_params(labelsize=TICKS)
    bar.outline.set_visible(False)
    said = "\n".join(part for part in (score.name, _headline(score)) if part)
    figure.suptitle(said, x=0.01, ha="left", fontsize=LABELS)
    return figure


@checked
def draw_isobologram(found: synergy.Isobologram, ax: Axes | None = None) -> Figure:
    """Doses of equal effect: the straight line is additivity, points below are synergy, bars the limits of the index.

    Axes are fractions of the dose of each drug that gives the effect alone, so that every ratio fits in one frame; the
    doses themselves stand at the ends of the axes. Colours go from much of the first drug to much of the second.

    Raises :class:`InputError` for other than two drugs.
    """
    _two(found.drugs)
    ax = canvas(ax, width=MIDDLE, height=3.4)
    alone = found.alone["dose"].to_numpy(dtype=float)
    columns = dose_columns(found.drugs, found.units)
    ax.plot([1, 0], [0, 1], color=PALE, linewidth=1.2)
    ax.fill_between([0, 1], [1, 0], color=COLOURS[0], alpha=0.06, linewidth=0)
    largest = 1.0
    mixed = found.mixed.sort_values(columns[1], key=lambda dose: dose / found.mixed[columns[0]])
    for colour, record in zip(_sequence(len(mixed)), mixed.to_dict("records"), strict=True):
        point = np.array([float(record[column]) for column in columns]) / alone
        if record["ci_low"] is not None and np.isfinite(record["ci_low"]):
            ends = np.outer([record["ci_low"] / record["ci"], record["ci_high"] / record["ci"]], point)
            ax.plot(ends[:, 0], ends[:, 1], color=colour, linewidth=1.1)
        ax.plot(*point, marker="o", color=colour, markersize=5.5, linestyle="", label=_index_text(record))
        largest = max(largest, float(point.max()))
    ax.set_xlim(0, min(1.15 * largest, 3.0))
    ax.set_ylim(0, min(1.15 * largest, 3.0))
    ax.set_aspect("equal")
    for drug, label in ((0, ax.set_xlabel), (1, ax.set_ylabel)):
        factor, unit = _handy(alone[drug : drug + 1], found.units[drug])
        label(f"{found.drugs[drug]} (share of {rounded(float(alone[drug]) / factor, 3)} {unit} alone)", fontsize=NOTES)
    ax.text(
        0.9,
        0.12,
        "additive",
        rotation=-45,
        fontsize=NOTES,
        color=PALE,
        ha="center",
        va="bottom",
        rotation_mode="anchor",
        transform_rotates_text=True,
    )
    ax.set_title(
        _lines(found.name, f"doses with {100 * found.fa:.0f} % effect"), fontsize=LABELS, loc="left", color=INK
    )
    _beside(ax, "mixture (CI < 1 synergy)")
    return whole(ax)


@checked
def draw_combination_index(index: synergy.CombinationIndex, ax: Axes | None = None) -> Figure:
    """The fa-CI plot: index against fraction affected, on a logarithmic axis with 1 (additivity) marked.

    Dots are wells. Lines, each over the effects that its own wells have, are the constant-ratio mixtures in whose
    colour those wells are (with confidence intervals where there are few); of many the four nearest equal potency.
    """
    ax = canvas(ax, width=MIDDLE, height=3.4)
    ax.axhline(1.0, color=PALE, linewidth=1.0)
    known = index.points[index.points["ci"].notna()]
    if known.empty:
        raise InputError(f"no combination has an index: {index.points['mark'].iloc[0]}")
    doses = known[list(dose_columns(index.drugs, index.units))].to_numpy(dtype=float)
    shares = doses / doses.sum(axis=1, keepdims=True)
    effects, values = (known[name].to_numpy(dtype=float) for name in ("fa", "ci"))
    others = np.ones(len(known), dtype=bool)
    few = _nearest(index)
    for number, mixture in enumerate(few):
        colour = COLOURS[number]
        own = np.isclose(shares, np.array(mixture.share), rtol=1e-6).all(axis=1)
        others &= ~own
        seen = effects[own] if own.any() else np.array([0.02, 0.98])
        fa = np.linspace(float(seen.min()), float(seen.max()), 60)
        at = index.along(mixture, fa)
        if at["ci_low"].notna().all() and len(index.mixtures) <= 3:
            limits = [at[end].to_numpy(dtype=float) for end in ("ci_low", "ci_high")]
            ax.fill_between(fa, limits[0], limits[1], color=colour, alpha=0.15, linewidth=0)
        ax.plot(fa, at["ci"].to_numpy(dtype=float), color=colour, linewidth=1.6, label=mixture.label)
        ax.plot(effects[own], values[own], marker="o", linestyle="", color=colour, markersize=3.8)
    if others.any():
        ax.plot(
            effects[others],
            values[others],
            marker="o",
            linestyle="",
            color=PALE,
            markersize=3.4,
            label="wells at other ratios" if few else "wells",
        )
    ax.set_yscale("log")
    bottom, top = min(0.45, 0.7 * float(values.min())), max(2.2, 1.4 * float(values.max()))
    ax.set_ylim(bottom, top)
    ax.set_xlim(0, 1)
    every = (
        (0.001, 0.01, 0.1, 1, 10, 100, 1000)
        if top / bottom > 200
        else (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
    )
    ticks = [tick for tick in every if bottom <= tick <= top]
    ax.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    for text, height, side in (("antagonism", 0.99, "top"), ("synergy", 0.01, "bottom")):
        ax.text(1.01, height, text, transform=ax.transAxes, rotation=90, ha="left", va=side, fontsize=NOTES, color=PALE)
    ax.set_xlabel("fraction affected")
    ax.set_ylabel("combination index")
    ax.set_title(_lines(index.name, " + ".join(index.drugs)), fontsize=LABELS, loc="left", color=INK)
    _beside(ax, "ratio", room=0.06)
    return whole(ax)


@checked
def draw_musyc(
    found: synergy.Musyc, data: synergy.Wells | pd.DataFrame | None = None, ax: Axes | None = None
) -> Figure:
    """The fitted MuSyC surface as viability over the doses of both drugs, its parameters above.

    With ``data``, the wells the surface was fitted to, they are circles in the colours of what was measured: where a
    circle stands out, the surface misses it.
    """
    wells = data if data is None or isinstance(data, synergy.Wells) else synergy.from_table(data)
    axes = canvas(ax, width=4.4, height=3.7)
    spans, scales = [], []
    for drug in (0, 1):
        level = np.unique(wells.doses[:, drug]) if wells is not None else np.empty(0)
        level = level[level > 0]
        if not len(level):
            middle = found.estimates[f"C{drug + 1}"].value or 1.0
            level = np.array([middle / 30, middle * 30])
        scales.append(_handy(level, found.units[drug]))
        spans.append(np.geomspace(level.min(), level.max(), 80))
    across, down = spans[1] / scales[1][0], spans[0] / scales[0][0]
    surface = 100 * found(spans[0][:, None], spans[1][None, :])
    log_axis(axes, "x", across[0] / 1.2, across[-1] * 1.2)
    log_axis(axes, "y", down[0] / 1.2, down[-1] * 1.2)
    image = axes.pcolormesh(across, down, surface, cmap="cividis_r", vmin=0, vmax=100, shading="gouraud")
    image.set_rasterized(True)
    if wells is not None:
        conditions = wells.conditions
        both = (conditions.doses > 0).all(axis=1)
        axes.scatter(
            conditions.doses[both, 1] / scales[1][0],
            conditions.doses[both, 0] / scales[0][0],
            c=100 * conditions.means[both],
            cmap="cividis_r",
            vmin=0,
            vmax=100,
            s=22,
            edgecolor="white",
            linewidth=0.6,
            clip_on=False,
            label="wells",
        )
    axes.set_xlabel(f"{found.drugs[1]} ({scales[1][1]})")
    axes.set_ylabel(f"{found.drugs[0]} ({scales[0][1]})")
    alphas = (f"{name} {_short(found.estimates[name])}" for name in ("alpha12", "alpha21"))
    said = [
        found.name,
        f"MuSyC: beta {_short(found.beta)} (> 0 synergy)",
        *alphas,
        f"(> 1 synergy; alpha12: by {found.drugs[0]})",
        "" if wells is None else "circles: wells",
    ]
    bar = whole(axes).colorbar(image, ax=axes, shrink=0.95, pad=0.02)
    caption(axes, _lines(*said), [])
    bar.set_label("viability (% of control)", fontsize=LABELS)
    bar.ax.tick_params(labelsize=TICKS)
    bar.outline.set_visible(False)
    return whole(axes)


@checked
def draw_ranking(ranked: pd.DataFrame, ax: Axes | None = None, most: int = 30) -> Figure:
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
    ax = canvas(ax, width=MIDDLE, height=0.2 * len(shown) + 1.1)
    heights = np.arange(len(shown))[::-1]
    means = shown["mean"].to_numpy(dtype=float)
    ax.axvline(1.0 if ratio else 0.0, color=PALE, linewidth=1.0)
    low, high = (shown[end].to_numpy(dtype=float) for end in ("low", "high"))
    ax.hlines(heights, low, high, color=COLOURS[0], linewidth=1.4)
    ax.plot(means, heights, marker="o", linestyle="", color=COLOURS[0], markersize=4.5, label="mean and interval")
    several_marks = "beyond_partners" in shown.columns and shown["beyond_partners"].notna().any() and not ratio
    if several_marks:
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
    if ratio:
        ax.set_xscale("log")
    several = len(set(shown["experiment"])) > 1
    names = [
        f"{drugs}, {where}" if several else str(drugs)
        for drugs, where in zip(shown["drugs"], shown["experiment"], strict=True)
    ]
    ax.set_yticks(heights, labels=names, fontsize=TICKS)
    ax.set_ylim(-0.7, len(shown) - 0.3)
    more = f"; {len(scored) - len(shown)} more not shown" if len(scored) > len(shown) else ""
    said = f"{shown['metric'].iloc[0]} in {shown['unit'].iloc[0]}; {shown['synergy_if'].iloc[0]} is synergy{more}"
    ax.set_xlabel(fill(said, 42))
    if several_marks:
        caption(ax, columns=2)
    return whole(ax)


def _draw_wells(ax: Axes, score: synergy.Score, across: float, down: float) -> None:
    first, second = dose_columns(score.drugs, score.units)
    wells = score.wells
    style: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 3.4, "clip_on": False}
    ax.plot(
        wells[second] / across,
        wells[first] / down,
        markerfacecolor="white",
        markeredgecolor=INK,
        markeredgewidth=0.6,
        zorder=3,
        label="well",
        **style,
    )
    if "excess_low" in wells.columns:
        sure = wells[(wells["excess_low"] > 0) | (wells["excess_high"] < 0)]
        if len(sure):  # a line without points would take part in the layout, in the corner of the page
            ax.plot(
                sure[second] / across,
                sure[first] / down,
                color=INK,
                zorder=4,
                label="its interval excludes zero",
                **style,
            )


def _headline(score: synergy.Score) -> str:
    text = f"{score.metric}: mean {points(score.mean, 1)}"
    if score.low is not None and score.high is not None:
        text += f" ({points(score.low, 1)} to {points(score.high, 1)})"
    return f"{text}, largest {points(score.max, 1)} points"


def _nearest(index: synergy.CombinationIndex) -> list[Any]:
    """Mixtures in order of their ratio: all of them, or the few nearest to equal potency."""
    if len(index.mixtures) <= _MOST_LINES:
        return list(index.mixtures)
    central = index.central.share
    near = sorted(
        index.mixtures, key=lambda each: abs(float(np.log(each.share[-1] / each.share[0] * central[0] / central[-1])))
    )
    kept = near[:_MOST_LINES]
    return [mixture for mixture in index.mixtures if mixture in kept]


def _beside(ax: Axes, title: str, room: float = 0.02) -> None:
    """A legend to the right of the frame."""
    if not ax.get_legend_handles_labels()[0]:
        return
    ax.legend(
        frameon=False,
        fontsize=6.5,
        title=title,
        title_fontsize=NOTES,
        loc="upper left",
        bbox_to_anchor=(1.0 + room, 1.0),
        alignment="left",
        borderaxespad=0.0,
    )


def _sequence(count: int) -> list[Any]:
    """Colours that differ, in an order that one sees."""
    import matplotlib as mpl

    if count <= len(COLOURS):
        return list(COLOURS[:count])
    return list(mpl.colormaps["viridis"](np.linspace(0.0, 0.95, count)))


def _two(drugs: tuple[str, ...]) -> None:
    if len(drugs) != 2:
        raise InputError(f"this figure shows two drugs; there are {len(drugs)} ({', '.join(drugs)})")


def _handy(doses: FloatArray, unit: str) -> tuple[float, str]:
    """What to divide doses by to read them easily, and the unit they then have."""
    return handy_concentration(float(doses.max())) if unit == "nM" else (1.0, unit)


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _short(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not estimable"
    if estimate.low is None or estimate.high is None:
        return rounded(estimate.value, 3)
    return f"{rounded(estimate.value, 3)} ({rounded(estimate.low, 3)} to {rounded(estimate.high, 3)})"


def _dose(dose: float) -> str:
    return f"{dose:.2g}" if dose < 100 else f"{dose:.0f}"


def _index_text(record: Mapping[Hashable, Any]) -> str:
    text = f"{record['mixture']}: CI {record['ci']:.2f}"
    if record["ci_low"] is None or not np.isfinite(record["ci_low"]):
        return text
    return f"{text} ({record['ci_low']:.2f} to {record['ci_high']:.2f})"
