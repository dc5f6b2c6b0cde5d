"""Figures of fits: waterfall, parameters, profiles, and data against prediction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import column
from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from .style import COLOURS, INK, NOTES, PAGE, PALE, canvas, caption, drawable, page, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..estimation import Fit, Profile, Profiles


@checked
def draw_fit(fit: Fit) -> Figure:
    """Waterfall of all starts beside the parameters of the good ones."""
    height = max(2.8, 0.24 * len(fit.names) + 1.0)
    figure = page(PAGE, height)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.3])
    draw_waterfall(fit, left)
    draw_parameters(fit, right)
    return figure


@checked
def draw_waterfall(fit: Fit, ax: Axes | None = None) -> Figure:
    """How far each start stayed behind the best, in log-likelihood units, best first; log scale from 0.01 on."""
    from matplotlib.ticker import MaxNLocator

    ax = canvas(ax, 3.4, 2.8)
    values = np.array([start.value for start in fit.starts])
    behind = np.maximum(values - fit.best.value, 0.0)
    shown = np.maximum(behind, 1e-2)
    number = np.arange(1, len(values) + 1)
    done = np.array([start.converged for start in fit.starts])
    finite = np.isfinite(shown)
    ax.plot(number[finite], shown[finite], color=PALE, linewidth=0.8, zorder=1)
    kinds = ((done, COLOURS[0], COLOURS[0], "converged"), (~done, COLOURS[1], "white", "not"))
    for chosen, colour, face, text in kinds:
        if (chosen & finite).any():
            ax.scatter(
                number[chosen & finite],
                shown[chosen & finite],
                s=16,
                color=colour,
                facecolor=face,
                label=text,
                zorder=2,
            )
    ax.axhline(1.92, color=PALE, linewidth=0.8, linestyle=":")
    ax.annotate(
        "1.92", (1.0, 1.92), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7, color=PALE
    )
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(7e-3, max(float(shown[finite].max()) * 2, 10))
    ax.set_xlabel("start, best first")
    ax.set_ylabel("log likelihood behind the best")
    heading = f"best log likelihood {-fit.best.value:.2f}"
    caption(ax, heading, columns=2) if not done.all() else caption(ax, heading, [])
    return whole(ax)


@checked
def draw_parameters(fit: Fit, ax: Axes | None = None, within: float = 10.0) -> Figure:
    """Parameters of the starts within ``within`` of the best, between their bounds; the best in colour."""
    ax = canvas(ax, 4.2, max(2.8, 0.24 * len(fit.names) + 0.8))
    lower, upper = fit.objective.lower, fit.objective.upper
    row = np.arange(len(fit.names))[::-1]
    good = [start for start in fit.starts if start.value <= fit.best.value + within]
    for start in reversed(good):
        share = (np.array(start.theta) - lower) / (upper - lower)
        near = max(0.0, 1.0 - (start.value - fit.best.value) / within)
        ax.plot(share, row, color=PALE, alpha=0.15 + 0.5 * near, linewidth=0.8, marker=".", markersize=3)
    ax.plot((fit.theta - lower) / (upper - lower), row, color=COLOURS[1], linewidth=1.2, marker="o", markersize=3.5)
    ax.set_yticks(row, fit.names, fontsize=7)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xticks([0, 1], ["lower\nbound", "upper\nbound"], fontsize=7)
    ax.set_title(f"{len(good)} of {len(fit.starts)} starts within {within:g}", fontsize=NOTES, loc="left")
    for edge in (0, 1):
        ax.axvline(edge, color=PALE, linewidth=0.5)
    return whole(ax)


@checked
def draw_profiles(profiles: Profiles, columns: int = 4) -> Figure:
    """One small profile per parameter, with the threshold of its confidence interval."""
    count = len(profiles.profiles)
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = page(1.7 * columns + 0.4, 1.6 * rows + 0.3)
    axes = np.atleast_1d(np.asarray(figure.subplots(rows, columns))).ravel()
    for ax, one in zip(axes, profiles.profiles, strict=False):
        draw_profile(one, ax)
    for ax in axes[count:]:
        ax.set_visible(False)
    for i, ax in enumerate(axes[:count]):
        ax.set_ylabel("log likelihood lost" if i % columns == 0 else "", fontsize=7)
    return figure


@checked
def draw_profile(profile: Profile, ax: Axes | None = None) -> Figure:
    """The log likelihood lost along one parameter, all others re-optimised."""
    from scipy.special import chdtri

    ax = canvas(ax, 3.0, 2.4)
    threshold = 0.5 * float(chdtri(1, 1.0 - profile.level))
    theta, values = np.array(profile.theta), np.array(profile.values)
    best = float(values[int(np.argmin(np.abs(theta - profile.estimate)))])
    lost = values - best
    colour = {"identifiable": COLOURS[0], "at bound": COLOURS[3]}.get(profile.verdict, COLOURS[1])
    ax.plot(theta, lost, color=colour, marker=".", markersize=3.5, linewidth=1.1)
    ax.axhline(threshold, color=PALE, linewidth=0.8, linestyle=":")
    ax.plot([profile.estimate], [0.0], marker="o", color=INK, markersize=4)
    for end in (profile.lower, profile.upper):
        if math.isfinite(end):
            ax.plot([end, end], [0, threshold], color=colour, linewidth=0.8, linestyle="--")
    ax.set_ylim(min(-0.1, 1.1 * float(lost.min())), 1.6 * threshold)
    prefix = {"lin": "", "log": "ln ", "log10": "log10 "}[profile.scale]
    ax.set_xlabel(f"{prefix}{profile.name}", fontsize=7)
    ax.set_title(profile.verdict, fontsize=7, loc="left", color=colour)
    ax.tick_params(labelsize=6)
    return whole(ax)


@checked
def draw_blot_fit(
    predicted: pd.DataFrame,
    curves: pd.DataFrame | None = None,
    interval: tuple[FloatArray, FloatArray] | None = None,
    columns: int = 3,
) -> Figure:
    """Measured bands and their fit over time: one panel per readout, one colour per cell line and treatment.

    Bands are divided by the scale of their gel (so that gels lie on one another): what is drawn is in units of the
    median prediction of the panel. Bands below detection are open triangles at their limit.

    Args:
        predicted: :meth:`pathsim.estimation.problem.Problem.predicted`.
        curves: :func:`pathsim.estimation.curves.curves`; without them the predictions of the bands are joined.
        interval: lower and upper ends, row by row of ``curves`` (or of ``predicted``).
    """
    keys = ("cell_line", "treatment", "readout", "gel")
    predicted = drawable(predicted, "predicted", keys, ("time_min", "value", "predicted"))
    if curves is not None:
        curves = drawable(curves, "curves", keys[:3], ("time_min", "predicted"))
    readouts = list(dict.fromkeys(predicted["readout"]))
    conditions = list(dict.fromkeys(zip(predicted["cell_line"], predicted["treatment"], strict=True)))
    columns = min(columns, len(readouts))
    rows = -(-len(readouts) // columns)
    figure = page(min(PAGE, 2.3 * columns + 0.4), 1.9 * rows + 0.5 + 0.14 * len(conditions))
    axes = np.atleast_1d(np.asarray(figure.subplots(rows, columns))).ravel()
    lines = (predicted if curves is None else curves).reset_index(drop=True)
    if interval is not None:
        ends = [column(end, "an end of the interval") for end in interval]
        if [len(end) for end in ends] != [len(lines)] * 2:
            raise InputError(f"interval has {[len(end) for end in ends]} ends; give two for each of {len(lines)} rows")
        lines = lines.assign(lower=ends[0], upper=ends[1])
    for ax, readout in zip(axes, readouts, strict=False):
        canvas(ax, 0, 0)
        measured = predicted[predicted["readout"] == readout]
        unit = measured.groupby("gel")["predicted"].median()
        for colour, (line, treatment) in zip(_cycle(len(conditions)), conditions, strict=True):
            points, curve = (
                table[(table["cell_line"] == line) & (table["treatment"] == treatment)]
                for table in (measured, lines[lines["readout"] == readout])
            )
            if len(points):
                _draw_points(ax, points, unit, colour)
                _draw_curve(ax, curve, unit, colour, f"{line}: {treatment}")
        ax.set_title(readout, fontsize=NOTES, loc="left")
        ax.set_ylim(bottom=0)
        ax.set_xlabel("time (min)", fontsize=7)
        ax.tick_params(labelsize=6)
    for ax in axes[len(readouts) :]:
        ax.set_visible(False)
    axes[0].set_ylabel("band (median prediction of its gel = 1)", fontsize=7)
    named = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(list(named.values()), list(named), loc="outside lower left", frameon=False, fontsize=6)
    return figure


def _draw_points(ax: Axes, points: pd.DataFrame, unit: pd.Series[float], colour: str) -> None:
    below = points["censored"].to_numpy(dtype=bool) if "censored" in points else np.zeros(len(points), dtype=bool)
    value = (points["value"] / points["gel"].map(unit)).to_numpy(dtype=float)
    time = points["time_min"].to_numpy(dtype=float)
    ax.scatter(time[~below], value[~below], s=9, color=colour, alpha=0.7, linewidth=0)
    ax.scatter(time[below], value[below], s=14, marker="v", facecolor="none", edgecolor=colour, linewidth=0.7)


def _draw_curve(ax: Axes, curve: pd.DataFrame, unit: pd.Series[float], colour: str, label: str) -> None:
    """The prediction on the first gel that holds the condition."""
    own = curve[curve["gel"] == curve["gel"].iloc[0]].drop_duplicates("time_min").sort_values("time_min")
    size = float(unit[own["gel"].iloc[0]])
    ax.plot(own["time_min"], own["predicted"] / size, color=colour, linewidth=1.2, label=label)
    if "lower" in own:
        ax.fill_between(own["time_min"], own["lower"] / size, own["upper"] / size, color=colour, alpha=0.2, linewidth=0)


def _cycle(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
