"""Formulas of observables made of several simulated rows: what the bench reports beside a control or a start.

A formula speaks of symbols of the model at the experiment and time of its measurement; :func:`at` speaks of them in the
measurement's ``others``: ``at(x, 1)`` is ``x`` in the first of them, ``at(x, 2)`` in the second. Any differentiable
formula will do; those here are the usual ones. Their arguments are formulas too, mostly one readout:
``symbol("cell_count")``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..model.maths import Expr, number, symbol

ROW = "at"
"""The operation of :func:`at`; it never reaches a simulation."""
LEAST_DOUBLINGS = 0.05
"""Fewer doublings than this of the control count as this many: a GR value divides by them."""


def at(formula: Expr, row: int) -> Expr:
    """``formula`` in another simulated row of the measurement: number ``row`` of its ``others``, from 1 on."""
    return Expr(ROW, (formula, number(row)))


def fold_change(readout: Expr) -> Expr:
    """The readout over its value in row 1 (before treatment, or in the control)."""
    return _over(readout, at(readout, 1))


def ratio(readout: Expr, other: Expr) -> Expr:
    """One readout over another of the same lysate, or over a constant: phosphorylated over total."""
    return _over(readout, other)


def log_ratio(readout: Expr) -> Expr:
    """The natural logarithm of the fold change over row 1."""
    return Expr("ln", (fold_change(readout),))


def percent(readout: Expr) -> Expr:
    """The readout in percent of row 1 (the vehicle wells)."""
    return Expr("times", (number(100.0), fold_change(readout)))


def gr_value(count: Expr) -> Expr:
    """Growth rate inhibition (M. Hafner et al., Nature Methods 13, 521 (2016)): 1 no effect, 0 stasis, below 0 loss.

    Row 1 is the count at the start, row 2 that of the vehicle at the end.
    """
    doublings = _log2(_over(at(count, 2), at(count, 1)))
    kept = Expr("max", (doublings, number(LEAST_DOUBLINGS)))
    share = _over(_log2(_over(count, at(count, 1))), kept)
    return Expr("minus", (Expr("power", (number(2.0), share)), number(1.0)))


def doublings_per_day(count: Expr, minutes: float) -> Expr:
    """How often a count has doubled per day since row 1, ``minutes`` before."""
    return Expr("times", (number(1440.0 / minutes), _log2(fold_change(count))))


def area_over_curve(readout: Expr, doses: Sequence[float]) -> Expr:
    """The mean loss over a dose response, 1 - readout / vehicle, along the logarithm of the dose.

    Row 0 is the lowest of ``doses`` (ascending), rows 1, 2, ... the others, and the row after the last the vehicle.
    """
    logs = [math.log10(dose) for dose in doses]
    span = logs[-1] - logs[0]
    vehicle = at(readout, len(doses))
    terms = []
    for i in range(len(doses)):
        left = logs[i] - logs[i - 1] if i > 0 else 0.0
        right = logs[i + 1] - logs[i] if i + 1 < len(doses) else 0.0
        here = readout if i == 0 else at(readout, i)
        terms.append(Expr("times", (number(0.5 * (left + right) / span), _over(here, vehicle))))
    return Expr("minus", (number(1.0), Expr("plus", tuple(terms))))


def above_background(readout: Expr, background: str) -> Expr:
    """What a detector sees of a signal: the readout and an unknown background, a parameter in the readout's unit."""
    return Expr("plus", (readout, symbol(background)))


def saturated(signal: Expr, half: str) -> Expr:
    """What a saturating detector shows of a signal; the parameter ``half`` is the signal of half its range."""
    return _over(signal, Expr("plus", (number(1.0), _over(signal, symbol(half)))))


def not_below(readout: Expr, least: float) -> Expr:
    """The readout, but never below ``least``: a logarithm needs something."""
    return Expr("max", (readout, number(least)))


def _over(a: Expr, b: Expr) -> Expr:
    return Expr("divide", (a, b))


def _log2(x: Expr) -> Expr:
    return Expr("log", (number(2.0), x))
