"""MuSyC: synergy of potency, of efficacy and of cooperativity told apart (Wooten et al. 2021, Nat Commun 12:4607).

Cells are unaffected (U), affected by drug 1, by drug 2, or by both, with responses ``E0, E1, E2, E3``. Drug 1 moves
them along U -> 1 and 2 -> 12, drug 2 along U -> 2 and 1 -> 12; the response is the mean over the steady state:

* rate U -> 1: ``r1 (d1 / C1) ** h1``, back ``r1``; in the presence of drug 2: ``(r1 (alpha21 d1 / C1) ** h1) **
  gamma21``, back ``r1 ** gamma21``; likewise for drug 2 with ``alpha12, gamma12``;
* ``alpha12``: factor by which drug 1 changes the potency of drug 2 (> 1 synergy, < 1 antagonism); ``alpha21`` the other
  way round; ``gamma``: the same for cooperativity; ``beta = (min(E1, E2) - E3) / (E0 - min(E1, E2))``: extra efficacy
  over the stronger drug (> 0 synergy).

When ``alpha12 ** h2 != alpha21 ** h1`` the surface depends on the reverse rates ``r1, r2``, which dose responses do not
tell: they are fixed (1 by default) and printed. Doses enter only as ``d / C``, so their unit changes nothing but ``C``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ... import arguments, shown
from ...arrays import BoolArray, FloatArray
from ...errors import InputError, brief, raise_together, unknown
from ...shown import Shown
from .. import logistic
from ..curve import Estimate, t_quantile
from .excess import read
from .noise import single_drug
from .wells import Conditions, Wells

if TYPE_CHECKING:
    import pandas as pd

EFFECTS = ("E0", "E1", "E2", "E3")
SHAPES = ("h1", "h2", "C1", "C2", "alpha12", "alpha21", "gamma12", "gamma21")
PARAMETERS = (*EFFECTS, *SHAPES)
RATES = ("r1", "r2")
_ALPHA_STARTS = (0.1, 1.0, 10.0)
_DECADES = 4.0
FLAT_P = 0.001
"""A surface must beat a constant at this level to have parameters: it finds more in noise than an F-test grants."""
_SILENT = 1e-4
"""A parameter whose change by a unit (or a factor e) moves viability by less than this on average is not seen."""


@dataclass(frozen=True, slots=True)
class Musyc:
    """A fitted surface; calling it gives viability at doses of both drugs.

    ``estimates`` maps every parameter to its estimate with Wald limits (on the logarithm but for effects), ``beta``
    likewise (delta method). Effects are viabilities (fraction of control); ``C1`` and ``C2`` have the units of doses.
    A surface on which no drug has an effect has its level as all four effects and nothing else, as the notes say.
    """

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    estimates: Mapping[str, Estimate]
    beta: Estimate
    rates: tuple[float, float]
    residual_sd: float | None
    r_squared: float | None
    confidence: float
    name: str = ""
    notes: tuple[str, ...] = field(default=())

    def __call__(self, doses_1: npt.ArrayLike, doses_2: npt.ArrayLike) -> FloatArray:
        """Viability (fraction of control) at doses that broadcast against each other.

        Raises :class:`InputError` for what is no dose.
        """
        first, second = _doses(doses_1, doses_2)
        found = {name: each.value for name, each in self.estimates.items() if each.value is not None}
        if len(found) < len(PARAMETERS):
            return np.full(first.shape, found["E0"])
        return musyc_response(first, second, found, self.rates)

    def row(self) -> dict[str, float | str | None]:
        """One table row: beta as the score, and both alphas, with limits."""
        found: dict[str, float | str | None] = {
            "experiment": self.name, "drugs": " + ".join(self.drugs), "metric": "MuSyC beta", "mean": self.beta.value,
            "low": self.beta.low, "high": self.beta.high, "unit": "ratio without unit", "synergy_if": "> 0",
            "notes": "; ".join(self.notes),
        }  # fmt: skip
        for name in ("alpha12", "alpha21"):
            each = self.estimates[name]
            found |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
        return found

    def _shown(self) -> Shown:
        rows = [
            {"parameter": name, "estimate": str(each)} for name, each in (("beta", self.beta), *self.estimates.items())
        ]
        return Shown(str(self).splitlines()[0], rows, self.notes)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        one, two = self.drugs
        e = self.estimates
        lines = [
            f"{one} + {two}: MuSyC (effects as viability, fraction of control)",
            f"beta     {self.beta}   extra efficacy over the stronger drug; > 0 is synergy",
            f"alpha12  {e['alpha12']}   how {one} changes the potency of {two}; > 1 is synergy",
            f"alpha21  {e['alpha21']}   how {two} changes the potency of {one}; > 1 is synergy",
            f"gamma12  {e['gamma12']}, gamma21 {e['gamma21']}   the same for cooperativity; > 1 is synergy",
            ", ".join(f"{name} {e[name]}" for name in EFFECTS),
            f"C1 {e['C1']} {self.units[0]}, h1 {e['h1']}; C2 {e['C2']} {self.units[1]}, h2 {e['h2']}",
            f"(reverse rates fixed at r1 = {self.rates[0]:g}, r2 = {self.rates[1]:g}; {self.confidence:.0%} limits)",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def musyc_response(
    doses_1: npt.ArrayLike,
    doses_2: npt.ArrayLike,
    parameters: Mapping[str, float],
    rates: tuple[float, float] = (1.0, 1.0),
) -> FloatArray:
    """The response at doses that broadcast against each other; ``parameters`` has every name of ``PARAMETERS``.

    Raises :class:`InputError` for what is no dose, and parameters that are missing, unknown or out of range.

    >>> shape = dict.fromkeys(("h1", "h2", "C1", "C2", "alpha12", "alpha21", "gamma12", "gamma21"), 1.0)
    >>> float(ps.synergy.musyc_response(1.0, 0.0, {"E0": 1.0, "E1": 0.0, "E2": 0.0, "E3": 0.0, **shape}))
    0.5
    """
    _check_parameters(parameters)
    missing = [name for name in PARAMETERS if name not in parameters]
    if missing:
        raise InputError(f"MuSyC parameters are missing: {', '.join(missing)}")
    return _response(*_doses(doses_1, doses_2), {name: float(parameters[name]) for name in PARAMETERS}, _rates(rates))


def _response(
    first: FloatArray, second: FloatArray, found: Mapping[str, float], rates: tuple[float, float]
) -> FloatArray:
    states = _states(first, second, np.array([found[name] for name in SHAPES]), rates)
    return np.asarray(states @ np.array([found[name] for name in EFFECTS]))


def _doses(doses_1: npt.ArrayLike, doses_2: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    given = [arguments.array(doses, f"dose of drug {i}") for i, doses in ((1, doses_1), (2, doses_2))]
    problems = [
        f"dose of drug {i}: {each.min():g} to {each.max():g}; doses are finite numbers that are not negative"
        for i, each in enumerate(given, 1)
        if each.size and not (each.min() >= 0 and each.max() <= arguments.LARGEST)
    ]
    raise_together(problems, "MuSyC")
    try:
        first, second = np.broadcast_arrays(*given)
    except ValueError:
        raise InputError(f"MuSyC: doses of shapes {given[0].shape} and {given[1].shape} do not fit together") from None
    return first, second


def _rates(rates: object) -> tuple[float, float]:
    found = arguments.column(rates, "rate")
    if len(found) != 2 or not ((found > 1e-30) & (found < 1e30)).all():
        raise InputError(f"MuSyC: rates are {brief(repr(rates))}; give two positive numbers (r1, r2)")
    return float(found[0]), float(found[1])


def _check_parameters(parameters: object) -> None:
    if not isinstance(parameters, Mapping):
        raise InputError(f"MuSyC parameters are {brief(repr(parameters))}; give a mapping from names to numbers")
    problems = []
    for name, value in parameters.items():
        if name not in PARAMETERS:
            raise unknown("MuSyC parameter", str(name), PARAMETERS)
        found = arguments.number(value, f"MuSyC parameter {name}")
        if name in SHAPES and not found > 0:
            problems.append(f"{name} is {found:g}; it must be above zero")
    raise_together(problems, "MuSyC parameters")


def musyc(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    rates: tuple[float, float] = (1.0, 1.0),
    confidence: float = 0.95,
    **reading: Any,
) -> Musyc:
    """Fit the MuSyC surface of two drugs by least squares from several starts.

    Args:
        fixed: parameters to hold; by default ``gamma12 = gamma21 = 1``, which a dose matrix can rarely tell.
        rates: the reverse rates ``(r1, r2)``.

    Raises:
        InputError: wells that cannot be used, other than two drugs, unknown parameters, or fewer distinct dose
            combinations than free parameters.

    >>> grid = [[a, b] for a in (0, 1, 10, 100) for b in (0, 1, 10, 100)]
    >>> surface = ps.synergy.musyc(grid, [1 / (1 + a / 9) / (1 + b / 9) for a, b in grid])
    >>> abs(surface.beta.value) < 0.1
    True
    """
    wells = read(data, responses, **reading)
    _check_parameters({} if fixed is None else fixed)
    held = {"gamma12": 1.0, "gamma21": 1.0} if fixed is None else {name: float(fixed[name]) for name in fixed}
    confidence, rates = arguments.share(confidence, "confidence"), _rates(rates)
    conditions = wells.conditions
    free = [name for name in PARAMETERS if name not in held]
    _check(conditions, free)
    problem = _Problem(wells.doses, wells.viability, tuple(free), held, rates)
    if float(np.ptp(wells.viability)) <= 1e-9 * float(np.abs(wells.viability).max()):
        return _flat_report(wells, problem, confidence)
    best = _best_fit(problem, conditions)
    if _explains_nothing(problem, float(best.cost)):
        return _flat_report(wells, problem, confidence)
    return _report(wells, problem, best, confidence)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Wells and what is fitted; the vector holds effects as they are and shapes as natural logarithms."""

    doses: FloatArray
    viability: FloatArray
    free: tuple[str, ...]
    held: Mapping[str, float]
    rates: tuple[float, float]

    def parameters(self, vector: FloatArray) -> dict[str, float]:
        found = dict(self.held)
        for name, value in zip(self.free, vector, strict=True):
            found[name] = float(value) if name in EFFECTS else math.exp(value)
        return found

    def residuals(self, vector: FloatArray) -> FloatArray:
        found = self.parameters(vector)
        return _response(self.doses[:, 0], self.doses[:, 1], found, self.rates) - self.viability

    def limits(self) -> FloatArray:
        """Lower and upper limits (2, free): half the observed range beyond it for effects, decades for shapes."""
        low, high = float(self.viability.min()), float(self.viability.max())
        margin = 0.5 * max(high - low, 0.1)
        limits = dict.fromkeys(EFFECTS, (low - margin, high + margin))
        limits |= {name: (math.log(0.1), math.log(10.0)) for name in ("h1", "h2", "gamma12", "gamma21")}
        for column, name in enumerate(("C1", "C2")):
            given = logistic.bounds(self.doses[:, column], self.viability)
            limits[name] = (float(given[0, 2]), float(given[1, 2]))
        reach = _DECADES * math.log(10.0)
        limits |= dict.fromkeys(("alpha12", "alpha21"), (-reach, reach))
        return np.array([limits[name] for name in self.free]).T


def _best_fit(problem: _Problem, conditions: Conditions) -> Any:
    from scipy.optimize import least_squares  # slow to load, and only wanted here

    limits, best = problem.limits(), None
    guess = _guess(conditions)
    for alpha12 in _ALPHA_STARTS:
        for alpha21 in _ALPHA_STARTS:
            full = guess | {"alpha12": alpha12, "alpha21": alpha21}
            start = [full[name] if name in EFFECTS else math.log(full[name]) for name in problem.free]
            inside = np.clip(start, limits[0] + 1e-6, limits[1] - 1e-6)
            found = least_squares(
                problem.residuals,
                inside,
                bounds=(limits[0], limits[1]),
                x_scale="jac",
                xtol=1e-12,
                ftol=1e-12,
                gtol=1e-12,
                max_nfev=400,
            )
            if best is None or found.cost < best.cost:
                best = found
    return best


def _guess(conditions: Conditions) -> dict[str, float]:
    """Starting values: Hill curves of the drugs alone, and the deepest combination."""
    guess = {"gamma12": 1.0, "gamma21": 1.0, "E3": float(conditions.means[conditions.combined].min())}
    tops = []
    for drug in (0, 1):
        doses, means = single_drug(conditions, drug)
        top, bottom, log_c, log_h = logistic.fit_many(doses, means[None]).theta[0]
        tops.append(float(top))
        guess |= {f"E{drug + 1}": float(bottom), f"C{drug + 1}": math.exp(log_c), f"h{drug + 1}": math.exp(log_h)}
    guess["E0"] = float(np.mean(tops))
    return guess


def _report(wells: Wells, problem: _Problem, best: Any, confidence: float) -> Musyc:
    vector, rss = np.asarray(best.x), 2.0 * float(best.cost)
    freedom = len(problem.viability) - len(problem.free)
    limits, notes = problem.limits(), list(wells.notes)
    jacobian = np.asarray(best.jac)
    stuck = (vector <= limits[0] + 1e-6) | (vector >= limits[1] - 1e-6)
    silent = np.sqrt((jacobian**2).mean(axis=0)) < _SILENT
    for name, at_limit, unseen in zip(problem.free, stuck, silent, strict=True):
        if at_limit or unseen:
            notes.append(
                f"{name} {'is at its limit' if at_limit else 'changes nothing'}: these data do not determine it"
            )
    covariance = _covariance(jacobian, stuck | silent, rss / freedom) if freedom > 0 else None
    reach = t_quantile(confidence, freedom) if freedom > 0 else math.nan
    estimates = {name: Estimate(value, fixed=True) for name, value in problem.held.items()}
    for place, (name, value) in enumerate(zip(problem.free, vector.tolist(), strict=True)):
        natural = value if name in EFFECTS else math.exp(value)
        if covariance is None or not math.isfinite(covariance[place, place]):
            estimates[name] = Estimate(natural)
            continue
        se = math.sqrt(covariance[place, place])
        ends = (value - reach * se, value + reach * se)
        if name in EFFECTS:
            estimates[name] = Estimate(natural, se, *ends)
        else:
            estimates[name] = Estimate(natural, se * natural, *_open_ends(*ends))
    total = float(((problem.viability - problem.viability.mean()) ** 2).sum())
    return Musyc(
        wells.drugs,
        wells.units,
        {name: estimates[name] for name in PARAMETERS},
        _beta(problem, vector, covariance, reach),
        problem.rates,
        math.sqrt(rss / freedom) if freedom > 0 else None,
        1 - rss / total,
        confidence,
        wells.name,
        tuple(notes),
    )


def _explains_nothing(problem: _Problem, cost: float) -> bool:
    """Whether the surface follows the wells no better than a constant does (F-test)."""
    from scipy.special import fdtrc  # slow to load, and only wanted here

    constant = float(((problem.viability - problem.viability.mean()) ** 2).sum())
    freedom, more = len(problem.viability) - len(problem.free), len(problem.free) - 1
    if freedom < 1 or more < 1 or cost <= 0:
        return False
    ratio = max(constant - 2.0 * cost, 0.0) / more / (2.0 * cost / freedom)
    return float(fdtrc(more, freedom, ratio)) > FLAT_P


def _flat_report(wells: Wells, problem: _Problem, confidence: float) -> Musyc:
    """What can be said of wells that do not differ: their level."""
    level = float(wells.viability.mean())
    estimates = {name: Estimate(level if name in EFFECTS else None) for name in PARAMETERS}
    estimates |= {name: Estimate(value, fixed=True) for name, value in problem.held.items()}
    sd = float(wells.viability.std(ddof=1)) if len(wells.viability) > 1 else None
    note = "no well differs from the others beyond noise: the surface is flat, and has no potencies and no interaction"
    return Musyc(
        wells.drugs,
        wells.units,
        estimates,
        Estimate(None),
        problem.rates,
        sd,
        None,
        confidence,
        wells.name,
        (*wells.notes, note),
    )


def _open_ends(low: float, high: float) -> tuple[float, float]:
    """Limits back from logarithms; beyond 13 decades an end is open."""
    return (math.exp(low) if low > -30 else 0.0), (math.exp(high) if high < 30 else math.inf)


def _covariance(jacobian: FloatArray, lost: BoolArray, variance: float) -> FloatArray:
    """Covariance of the parameters that are not ``lost``; infinite where the data determine nothing."""
    size = jacobian.shape[1]
    covariance = np.full((size, size), np.inf)
    inside = np.flatnonzero(~lost)
    normal = jacobian[:, inside].T @ jacobian[:, inside]
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    if np.linalg.cond(normal / np.outer(scale, scale)) < 1e12:
        covariance[np.ix_(inside, inside)] = variance * np.linalg.inv(normal)
    return covariance


def _beta(problem: _Problem, vector: FloatArray, covariance: FloatArray | None, reach: float) -> Estimate:
    found = problem.parameters(vector)
    stronger = "E1" if found["E1"] <= found["E2"] else "E2"
    depth = found["E0"] - found[stronger]
    if not depth > 1e-9:
        return Estimate(None)
    beta = (found[stronger] - found["E3"]) / depth
    gradient = {"E0": -beta / depth, stronger: (1 + beta) / depth, "E3": -1 / depth}
    places = [(problem.free.index(name), slope) for name, slope in gradient.items() if name in problem.free]
    if covariance is None or not places:
        return Estimate(beta)
    index, slopes = [place for place, _ in places], np.array([slope for _, slope in places])
    block = covariance[np.ix_(index, index)]
    if not np.isfinite(block).all():
        return Estimate(beta)
    se = math.sqrt(max(float(slopes @ block @ slopes), 0.0))
    return Estimate(beta, se, beta - reach * se, beta + reach * se)


def _states(first: FloatArray, second: FloatArray, shapes: FloatArray, rates: tuple[float, float]) -> FloatArray:
    """Steady-state shares (..., 4) of U, 1, 2, 12: weights of the spanning trees of the four-state cycle."""
    h1, h2, c1, c2, alpha12, alpha21, gamma12, gamma21 = shapes
    r1, r2 = rates
    to_1, back_1 = r1 * (first / c1) ** h1, r1
    to_2, back_2 = r2 * (second / c2) ** h2, r2
    to_1_after_2, back_1_after_2 = (r1 * (alpha21 * first / c1) ** h1) ** gamma21, r1**gamma21
    to_2_after_1, back_2_after_1 = (r2 * (alpha12 * second / c2) ** h2) ** gamma12, r2**gamma12
    unaffected = (
        to_2_after_1 * back_1_after_2 * back_2
        + back_1 * back_1_after_2 * back_2
        + back_2_after_1 * back_1 * back_2
        + to_1_after_2 * back_2_after_1 * back_1
    )
    by_1 = (
        to_2 * to_1_after_2 * back_2_after_1
        + to_1 * back_1_after_2 * back_2
        + to_1 * back_2_after_1 * back_2
        + to_1 * to_1_after_2 * back_2_after_1
    )
    by_2 = (
        to_1 * to_2_after_1 * back_1_after_2
        + to_2 * back_2_after_1 * back_1
        + to_2 * back_1_after_2 * back_1
        + to_2 * to_2_after_1 * back_1_after_2
    )
    by_both = (
        to_2 * to_1_after_2 * to_2_after_1
        + back_1 * to_2 * to_1_after_2
        + back_2 * to_1 * to_2_after_1
        + to_1 * to_2_after_1 * to_1_after_2
    )
    weights = np.stack(np.broadcast_arrays(unaffected, by_1, by_2, by_both), axis=-1)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _check(conditions: Conditions, free: list[str]) -> None:
    if len(conditions.drugs) != 2:
        raise InputError(f"MuSyC is fitted for two drugs; these wells have {len(conditions.drugs)}")
    if not len(conditions.combined):
        raise InputError(f"no well combines {' and '.join(conditions.drugs)}; nothing to fit")
    if len(conditions.doses) < len(free):
        raise InputError(
            f"{len(conditions.doses)} distinct dose combinations cannot determine {len(free)} parameters; "
            "measure more, or fix some with fixed="
        )
    for drug, name in enumerate(conditions.drugs):
        if len(conditions.alone(drug)) < 2:
            raise InputError(f"{name} alone was measured at fewer than 2 doses; its curve cannot be started from")
