"""Prior densities of PEtab's parameter tables, with the derivatives that gradients need."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..errors import InputError, unknown
from .records import Prior

# how many parameters each distribution takes
ARITY = {
    "normal": 2, "laplace": 2, "uniform": 2, "cauchy": 2, "gamma": 2,
    "log-normal": 2, "log-laplace": 2, "log-uniform": 2,
    "chisquare": 1, "exponential": 1, "rayleigh": 1,
}  # fmt: skip
_BETWEEN = ("uniform", "log-uniform")


def check_prior(distribution: str, parameters: tuple[float, ...], where: str) -> None:
    """Raise :class:`InputError` unless the distribution exists, its parameters have the right number and are proper."""
    if distribution not in ARITY:
        raise unknown("prior distribution", distribution, ARITY, f"({where})")
    if len(parameters) != ARITY[distribution]:
        raise InputError(
            f"{where}: the prior '{distribution}' takes {ARITY[distribution]} parameters, not {len(parameters)}"
        )
    given = "; ".join(f"{value:g}" for value in parameters)
    if not all(math.isfinite(value) for value in parameters):
        raise InputError(f"{where}: the parameters {given} of the prior '{distribution}' must be finite")
    if distribution in _BETWEEN:
        if not parameters[0] < parameters[1]:
            raise InputError(f"{where}: the prior '{distribution}' needs {given} to rise: lower end first")
        if distribution == "log-uniform" and parameters[0] <= 0:
            raise InputError(f"{where}: the ends {given} of the prior 'log-uniform' must be positive")
    elif parameters[-1] <= 0 or (distribution == "gamma" and parameters[0] <= 0):
        what = "standard deviation" if distribution in ("normal", "log-normal") else "scale or shape"
        raise InputError(f"{where}: the {what} of the prior '{distribution}' ({given}) must be positive")


def overlaps(prior: Prior, lower: float, upper: float) -> bool:
    """Whether the prior has any mass between two bounds, which are on its scale."""
    if prior.truncated:
        return _mass(prior, lower, upper) > 0
    return prior.distribution not in _BETWEEN or (prior.parameters[0] < upper and lower < prior.parameters[1])


def log_density(prior: Prior, x: float, lower: float, upper: float) -> float:
    """The logarithm of the density at ``x``; the bounds count when the prior is truncated."""
    frozen = _frozen(prior.distribution, prior.parameters)
    if not prior.truncated:
        return float(frozen.logpdf(x))
    if not lower <= x <= upper:
        return -math.inf
    return float(frozen.logpdf(x)) - math.log(_mass(prior, lower, upper))


def derivative(prior: Prior, x: float) -> float:
    """d log density / d x."""
    return _SLOPES[prior.distribution](x, *prior.parameters)


@lru_cache(maxsize=1024)
def _mass(prior: Prior, lower: float, upper: float) -> float:
    frozen = _frozen(prior.distribution, prior.parameters)
    return float(frozen.cdf(upper) - frozen.cdf(lower))


@lru_cache(maxsize=1024)
def _frozen(distribution: str, parameters: tuple[float, ...]) -> Any:
    from scipy import stats

    a = parameters[0]
    b = parameters[1] if len(parameters) > 1 else math.nan
    match distribution:
        case "normal":
            return stats.norm(a, b)
        case "laplace":
            return stats.laplace(a, b)
        case "uniform":
            return stats.uniform(a, b - a)
        case "cauchy":
            return stats.cauchy(a, b)
        case "gamma":
            return stats.gamma(a, scale=b)
        case "log-normal":
            return stats.lognorm(b, scale=math.exp(a))
        case "log-laplace":
            return stats.loglaplace(1 / b, scale=math.exp(a))
        case "log-uniform":
            return stats.loguniform(a, b)
        case "chisquare":
            return stats.chi2(a)
        case "exponential":
            return stats.expon(scale=a)
        case _:
            return stats.rayleigh(scale=a)


_SLOPES: dict[str, Callable[..., float]] = {
    "normal": lambda x, m, s: (m - x) / s**2,
    "laplace": lambda x, m, b: -math.copysign(1.0, x - m) / b,
    "uniform": lambda x, a, b: 0.0,
    "cauchy": lambda x, m, s: -2 * (x - m) / (s**2 + (x - m) ** 2),
    "gamma": lambda x, k, s: (k - 1) / x - 1 / s,
    "log-normal": lambda x, m, s: -(1 + (math.log(x) - m) / s**2) / x,
    "log-laplace": lambda x, m, b: -(1 + math.copysign(1.0, math.log(x) - m) / b) / x,
    "log-uniform": lambda x, a, b: -1 / x,
    "chisquare": lambda x, k: (k / 2 - 1) / x - 0.5,
    "exponential": lambda x, s: -1 / s,
    "rayleigh": lambda x, s: 1 / x - x / s**2,
}
