"""Solvers are values: a record of tolerances, checked when it is made. A misspelt option is an error at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..checked import check_fields
from ..errors import InputError
from .extrapolation.scheme import EXTRAPOLATION8, Scheme
from .rosenbrock.tableau import RODAS5P, Tableau

LONGEST = 1e50
"""Time units within which a steady state must be reached."""


@dataclass(frozen=True, slots=True)
class Rosenbrock:
    """A Rosenbrock method with error control per step; the default, with Rodas5P.

    ``rtol`` and ``atol`` bound the estimated error of each step relative to ``atol + rtol*|x|``, per state and in the
    root mean square over states. The error reached is usually far below ``rtol`` times the peak of a state. By default
    ``atol`` follows each state, so that results do not depend on units: a thousandth of ``rtol`` times the largest
    value that the state has had, and never less than 1e-5 of that for the largest state of its kind. A row in which a
    state falls below that and comes back, such as a population that grows again from a trace, is done once more with
    1e-7 of it. ``max_steps`` may be taken from one sample to the next. ``tableau`` is the method, see
    :mod:`pathsim.solve.rosenbrock.tableau`.
    """

    rtol: float = 1e-6
    atol: float | None = None
    max_steps: int = 100_000
    tableau: Tableau = RODAS5P

    def __post_init__(self) -> None:
        check_fields(self)
        check_tolerances(self.rtol, self.atol, self.max_steps)

    @property
    def method(self) -> Tableau:
        return self.tableau


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """Extrapolation of order 8, for one simulation at a time: its columns take the lanes side by side.

    The default of ``ps.simulate``, ``ps.simulator`` and ``pathsim simulate`` for up to 200 samples and an ``rtol`` of
    1e-5 or less: it takes fewer and longer steps than :class:`Rosenbrock`, the fewer the tighter the tolerance. In
    sweeps, where lanes are full of rows, Rosenbrock is faster. Tolerances mean the same; samples inside steps count.
    Steady states are found with the Rosenbrock method of the same tolerances. Below an ``rtol`` of 1e-10 rounding keeps
    its steps short.
    """

    rtol: float = 1e-6
    atol: float | None = None
    max_steps: int = 100_000

    def __post_init__(self) -> None:
        check_fields(self)
        check_tolerances(self.rtol, self.atol, self.max_steps)

    @property
    def method(self) -> Scheme:
        return EXTRAPOLATION8


@dataclass(frozen=True, slots=True)
class LSODA:
    """scipy's LSODA behind the same interface: slow, independent, for comparison."""

    rtol: float = 1e-8
    atol: float = 1e-12
    max_steps: int = 100_000

    def __post_init__(self) -> None:
        check_fields(self)
        check_tolerances(self.rtol, self.atol, self.max_steps)


@dataclass(frozen=True, slots=True)
class BDF:
    """scipy's BDF with the analytic Jacobian behind the same interface: slow, independent, for comparison."""

    rtol: float = 1e-8
    atol: float = 1e-12
    max_steps: int = 100_000

    def __post_init__(self) -> None:
        check_fields(self)
        check_tolerances(self.rtol, self.atol, self.max_steps)


MOST_SAMPLES = 200
"""Samples up to which extrapolation takes less time for one simulation: with more of them, steps become as short as
Rosenbrock's for the sake of what lies inside them (measured on ten published models)."""

LOOSEST = 1e-5
"""Relative tolerance from which on extrapolation takes less time for one simulation."""


def for_one_run(samples: int, rtol: float = 1e-6, atol: float | None = None) -> Rosenbrock | Extrapolation:
    """The method for one simulation with so many samples, where nobody chose one."""
    if samples <= MOST_SAMPLES and rtol <= LOOSEST:
        return Extrapolation(rtol, atol)
    return Rosenbrock(rtol, atol)


Solver = Rosenbrock | Extrapolation | LSODA | BDF


def check_tolerances(rtol: float, atol: float | None, max_steps: int) -> None:
    """Raise :class:`InputError` unless both tolerances are positive numbers and the limit allows a step."""
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a positive number, not {value!r}")
    if rtol > 0.1:
        raise InputError(f"rtol {rtol!r} is too loose to mean anything; use 1e-2 or less")
    if max_steps < 1:
        raise InputError(f"max_steps must be at least 1, not {max_steps!r}")
