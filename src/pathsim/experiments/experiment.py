"""What is done to cells: an experiment is a chain of periods, each begun by changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..model.maths import Expr

STEADY_STATE = -math.inf
"""The start of a period that lasts until nothing moves any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """``target`` becomes ``value`` when a period starts; NaN asks for the value the model itself gives."""

    target: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` on (``STEADY_STATE``: until steady) ``changes`` hold."""

    start: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Periods in order of time. ``carries`` says whether later periods keep what earlier ones set (version 2)."""

    id: str
    periods: tuple[Period, ...]
    carries: bool
