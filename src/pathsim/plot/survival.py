"""Kaplan-Meier curves with limits, censoring marks and the number at risk below the axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..stats.survival import KaplanMeier, LogRank
from .style import COLOURS, INK, MIDDLE, PALE, canvas, caption, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@checked
def draw_survival(
    curves: Mapping[str, KaplanMeier] | Iterable[KaplanMeier],
    ax: Axes | None = None,
    test: LogRank | None = None,
    event: str = "survival",
    shaded: Mapping[str, tuple[FloatArray, FloatArray, FloatArray]] | None = None,
    heading: str = "",
) -> Figure:
    """Draw one curve per arm with its confidence interval, a tick for each censored subject, and the number at risk.

    Args:
        test: a log-rank test whose p value to write above the legend.
        event: what the curve is the probability of (``"survival"``, ``"progression-free survival"``).
        shaded: by arm, times and the lower and upper end of an interval to shade instead of the confidence limits.
        heading: what is shown, above the legend.

    >>> arms = {"vehicle": ps.survival.kaplan_meier([21, 25, 30]), "drug": ps.survival.kaplan_meier([34, 41, 50])}
    >>> figure = ps.plot.draw_survival(arms)

    Raises :class:`InputError` without curves or with curves in different units of time.
    """
    arms = list(curves.values()) if isinstance(curves, Mapping) else list(curves)
    names = (
        list(curves) if isinstance(curves, Mapping) else [curve.name or f"arm {i + 1}" for i, curve in enumerate(arms)]
    )
    if not arms:
        raise InputError("no survival curve to draw")
    units = {curve.unit for curve in arms}
    if len(units) > 1:
        raise InputError(f"curves are in {' and '.join(sorted(units))}; one time axis needs one unit")
    ax = canvas(ax, width=MIDDLE, height=2.9 + 0.32 * len(arms))
    latest = max(float(curve.times[-1]) for curve in arms)
    for number, (name, curve) in enumerate(zip(names, arms, strict=True)):
        low, high = (np.concatenate([[1.0], limit]) for limit in (curve.low, curve.high))
        area = (shaded or {}).get(name) or (np.concatenate([[0.0], curve.times]), low, high)
        _draw_arm(ax, name, curve, COLOURS[number % len(COLOURS)], area)
    ax.set_xlim(0, latest * 1.03)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel(f"{event} (probability)")
    ax.set_xlabel(f"time ({units.pop()})")
    shading = "shaded: 5 to 95 % of the parameter sets" if shaded else f"shaded: {arms[0].confidence:.0%} limits"
    caption(ax, "\n".join(part for part in (heading, "" if test is None else str(test), shading) if part))
    _number_at_risk(ax, names, arms)
    return whole(ax)


def _draw_arm(
    ax: Axes, name: str, curve: KaplanMeier, colour: str, shaded: tuple[FloatArray, FloatArray, FloatArray]
) -> None:
    times = np.concatenate([[0.0], curve.times])
    survival = np.concatenate([[1.0], curve.survival])
    median = curve.median
    text = "median not reached" if median.value is None else f"median {median.value:.4g} {median.unit}"
    ax.step(times, survival, where="post", color=colour, linewidth=1.6, label=f"{name} (n = {curve.size}, {text})")
    ax.fill_between(*shaded, step="post", color=colour, alpha=0.13, linewidth=0)
    lost = curve.censored > 0
    ax.plot(curve.times[lost], curve.survival[lost], marker="|", linestyle="", color=colour, markersize=7)


def _number_at_risk(ax: Axes, names: list[str], arms: list[KaplanMeier]) -> None:
    """Counts under the ticks of the time axis; rows in the colours of the arms, numbered where names are long."""
    ticks = [tick for tick in ax.get_xticks() if 0 <= tick <= ax.get_xlim()[1]]
    offset = -32
    common: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": 6.5}
    beside: dict[str, Any] = {"xycoords": "axes fraction", "ha": "right", **common}
    ax.annotate("at risk", (0, 0), xytext=(-14, offset), color=PALE, **beside)
    for row, (name, curve) in enumerate(zip(names, arms, strict=True)):
        height = offset - 10 * (row + 1)
        colour = COLOURS[row % len(COLOURS)]
        ax.annotate(name if len(name) <= 12 else "■", (0, 0), xytext=(-14, height), color=colour, **beside)
        for tick, count in zip(ticks, curve.number_at_risk(ticks), strict=True):
            below = ("data", "axes fraction")
            ax.annotate(str(count), (tick, 0), xytext=(0, height), xycoords=below, ha="center", color=INK, **common)
