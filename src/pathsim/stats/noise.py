"""Noise families: how a measurement scatters around what is true, drawn from by virtual assays and assumed by fits.

A family puts values on a ``scale`` (``lin``, ``log`` or ``log10``) and says by a ``density`` how

    z = (scaled simulation - scaled measurement) / sigma

is distributed there: :class:`Normal`, :class:`LogNormal`, :class:`Log10Normal`, :class:`Laplace`, :class:`LogLaplace`,
:class:`Log10Laplace`, :class:`Robust`. ``sigma`` of a family is the size of the noise, or None where it is known from
elsewhere (a column ``sd``, a noise formula) or estimated. Another family is another small type with these three names;
another shape is another density.

Some measurements are only bounds: ``side`` is -1 where the true value lies below the number measured (a band below
detection), 1 where it lies above, 0 where the number is the value.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from ..arrays import FloatArray, SideArray
from ..errors import raise_together
from ..names import listing

Scale = Literal["lin", "log", "log10"]

LN10 = math.log(10.0)
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


# ------------------------------------------------------------------------------------------------------------- scales


def scaled(x: FloatArray, scale: str) -> FloatArray:
    """Values put on a scale."""
    if scale == "lin":
        return x
    return np.log(x) if scale == "log" else np.log10(x)


def unscaled(x: FloatArray, scale: str) -> FloatArray:
    """The values that :func:`scaled` has put on a scale."""
    if scale == "lin":
        return x
    return np.exp(x) if scale == "log" else 10.0**x


def scale_derivative(x: FloatArray, scale: str) -> FloatArray:
    """d :func:`scaled` / d ``x``."""
    if scale == "lin":
        return np.ones_like(x)
    return 1.0 / x if scale == "log" else 1.0 / (x * LN10)


def log_scale_derivative(x: FloatArray, scale: str) -> FloatArray:
    """The logarithm of :func:`scale_derivative`, negative: what a density on the scale loses as one of the value."""
    if scale == "lin":
        return np.zeros_like(x)
    return np.log(x) + (math.log(LN10) if scale == "log10" else 0.0)


# ---------------------------------------------------------------------------------------------------------- densities


class Density(Protocol):
    """A density of z, symmetric around 0 and falling from there.

    ``constant`` is the negative log density at 0; ``information`` the expected second derivative by log sigma.
    """

    @property
    def constant(self) -> float: ...
    @property
    def information(self) -> float: ...
    def loss(self, z: FloatArray) -> FloatArray:
        """Negative log density, 0 at 0."""

    def pull(self, z: FloatArray) -> FloatArray:
        """d loss / d z."""

    def bend(self, z: FloatArray) -> FloatArray:
        """The second derivative of the loss, or what stands for it in Gauss-Newton steps; not negative."""

    def bound_loss(self, u: FloatArray) -> FloatArray:
        """The loss of a bound that is kept where ``u`` is positive."""

    def bound_pull(self, u: FloatArray) -> FloatArray:
        """d bound_loss / d u."""

    def bound_bend(self, u: FloatArray) -> FloatArray:
        """Its second derivative."""


@dataclass(frozen=True, slots=True)
class Gaussian:
    """exp(-z^2 / 2); a bound costs the logarithm of the probability on its side."""

    constant: ClassVar[float] = HALF_LOG_TWO_PI
    information: ClassVar[float] = 2.0

    def loss(self, z: FloatArray) -> FloatArray:
        return 0.5 * z**2

    def pull(self, z: FloatArray) -> FloatArray:
        return z

    def bend(self, z: FloatArray) -> FloatArray:
        return np.ones_like(z)

    def bound_loss(self, u: FloatArray) -> FloatArray:
        return -_log_ndtr(u)

    def bound_pull(self, u: FloatArray) -> FloatArray:
        return -_hazard(u)

    def bound_bend(self, u: FloatArray) -> FloatArray:
        hazard = _hazard(u)
        return hazard * (u + hazard)


def _log_ndtr(u: FloatArray) -> FloatArray:
    """log Phi(u), also far out in the tail."""
    from scipy.special import log_ndtr  # slow to load, and not wanted by gels and plates

    return np.asarray(log_ndtr(u), dtype=float)


def _hazard(u: FloatArray) -> FloatArray:
    """phi(u) / Phi(u), also far out in the tail."""
    return np.asarray(np.exp(-0.5 * u**2 - HALF_LOG_TWO_PI - _log_ndtr(u)))


@dataclass(frozen=True, slots=True)
class DoubleExponential:
    """exp(-|z|); a bound costs the logarithm of the probability on its side."""

    constant: ClassVar[float] = math.log(2.0)
    information: ClassVar[float] = 1.0

    def loss(self, z: FloatArray) -> FloatArray:
        return np.abs(z)

    def pull(self, z: FloatArray) -> FloatArray:
        return np.sign(z)

    def bend(self, z: FloatArray) -> FloatArray:
        return np.ones_like(z)

    def bound_loss(self, u: FloatArray) -> FloatArray:
        return np.where(u < 0, math.log(2.0) - u, -np.log1p(-0.5 * np.exp(-np.abs(u))))

    def bound_pull(self, u: FloatArray) -> FloatArray:
        return np.where(u < 0, -1.0, -self._odds(u))

    def bound_bend(self, u: FloatArray) -> FloatArray:
        odds = self._odds(u)
        return np.where(u < 0, 1.0, odds * (1.0 + odds))

    def _odds(self, u: FloatArray) -> FloatArray:
        tail = 0.5 * np.exp(-np.abs(u))
        return tail / (1.0 - tail)


@dataclass(frozen=True, slots=True)
class SoftL1:
    """exp(-k^2 (sqrt(1 + (z/k)^2) - 1)): normal near 0, exponential beyond ``knee`` k, so that no outlier pulls hard.

    A bound that is broken costs what its distance does; one that is kept costs nothing.
    """

    knee: float = 3.0
    information: ClassVar[float] = 2.0

    @property
    def constant(self) -> float:
        """It is the hyperbolic distribution, normalised by a Bessel function."""
        from scipy.special import kve  # slow to load, and not wanted by gels and plates

        return math.log(2.0 * self.knee * float(kve(1, self.knee**2)))

    def loss(self, z: FloatArray) -> FloatArray:
        return self.knee**2 * (np.sqrt(1.0 + (z / self.knee) ** 2) - 1.0)

    def pull(self, z: FloatArray) -> FloatArray:
        return z / np.sqrt(1.0 + (z / self.knee) ** 2)

    def bend(self, z: FloatArray) -> FloatArray:
        return (1.0 + (z / self.knee) ** 2) ** -1.5

    def bound_loss(self, u: FloatArray) -> FloatArray:
        return np.where(u < 0, self.loss(u), 0.0)

    def bound_pull(self, u: FloatArray) -> FloatArray:
        return np.where(u < 0, self.pull(u), 0.0)

    def bound_bend(self, u: FloatArray) -> FloatArray:
        return np.where(u < 0, self.bend(u), 0.0)


# ----------------------------------------------------------------------------------------------------------- families


class Family(Protocol):
    """A distribution of measurements: a scale, a density on it, and its size where that is known."""

    @property
    def scale(self) -> Scale: ...
    @property
    def density(self) -> Density: ...
    @property
    def sigma(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Normal:
    """Noise of the same size whatever the value; ``sigma`` in the units of the measurements."""

    sigma: float | None = None
    scale: ClassVar[Scale] = "lin"
    density: ClassVar[Density] = Gaussian()


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Noise in proportion to the value; ``sigma`` is the standard deviation of the natural logarithm."""

    sigma: float | None = None
    scale: ClassVar[Scale] = "log"
    density: ClassVar[Density] = Gaussian()

    @classmethod
    def of_cv(cls, cv: float) -> LogNormal:
        """The family with a coefficient of variation ``cv`` of the value itself."""
        return cls(math.sqrt(math.log1p(cv * cv)))

    def factor(self, seed: int, number: int, *identity: object) -> float:
        """A random factor of mean 1 that depends on what it belongs to (its gel or plate, and ``identity``) alone."""
        key = zlib.crc32("|".join(map(str, identity)).encode())
        sigma = self.sigma or 0.0
        return float(np.exp(np.random.default_rng([seed, number, key]).normal(-0.5 * sigma * sigma, sigma)))


@dataclass(frozen=True, slots=True)
class Log10Normal:
    """Noise in proportion to the value; ``sigma`` in decades."""

    sigma: float | None = None
    scale: ClassVar[Scale] = "log10"
    density: ClassVar[Density] = Gaussian()


@dataclass(frozen=True, slots=True)
class Laplace:
    """Double exponential noise of the same size whatever the value."""

    sigma: float | None = None
    scale: ClassVar[Scale] = "lin"
    density: ClassVar[Density] = DoubleExponential()


@dataclass(frozen=True, slots=True)
class LogLaplace:
    """Double exponential noise of the natural logarithm."""

    sigma: float | None = None
    scale: ClassVar[Scale] = "log"
    density: ClassVar[Density] = DoubleExponential()


@dataclass(frozen=True, slots=True)
class Log10Laplace:
    """Double exponential noise of the decimal logarithm."""

    sigma: float | None = None
    scale: ClassVar[Scale] = "log10"
    density: ClassVar[Density] = DoubleExponential()


@dataclass(frozen=True, slots=True)
class Robust:
    """Noise that is normal up to ``knee`` sigma and exponential beyond, on any scale; bounds are one-sided.

    With ``side`` 1 a measurement says "at least", with -1 "at most": within the bound it costs nothing.
    """

    sigma: float | None = None
    scale: Scale = "log"
    knee: float = 3.0

    @property
    def density(self) -> Density:
        """See :class:`SoftL1`."""
        return SoftL1(self.knee)


def residuals(family: Family, simulated: FloatArray, measured: FloatArray, sigma: FloatArray | float) -> FloatArray:
    """z; arrays broadcast against each other, NaN or infinite where a value is not on the scale."""
    with np.errstate(all="ignore"):
        return np.asarray((scaled(simulated, family.scale) - scaled(measured, family.scale)) / sigma)


def losses(
    family: Family, z: FloatArray, measured: FloatArray, sigma: FloatArray | float, side: SideArray | None = None
) -> FloatArray:
    """Negative log densities of the values measured (log probabilities of bounds), given :func:`residuals`."""
    density = family.density
    with np.errstate(all="ignore"):
        seen = density.loss(z) + (np.log(sigma) + log_scale_derivative(measured, family.scale) + density.constant)
        if side is None:
            return np.asarray(seen)
        return np.where(side == 0, seen, density.bound_loss(side * z))


def pulls(family: Family, z: FloatArray, side: SideArray | None = None) -> FloatArray:
    """d loss / d z."""
    with np.errstate(all="ignore"):
        seen = family.density.pull(z)
        return seen if side is None else np.where(side == 0, seen, side * family.density.bound_pull(side * z))


def bends(family: Family, z: FloatArray, side: SideArray | None = None) -> FloatArray:
    """The second derivative of the loss by z, not negative."""
    with np.errstate(all="ignore"):
        seen = family.density.bend(z)
        return seen if side is None else np.where(side == 0, seen, family.density.bound_bend(side * z))


# ------------------------------------------------------------------------------------------------------- of instruments


@dataclass(frozen=True, slots=True)
class BlotNoise:
    """What gels, transfers, antibodies and detectors do to a signal; bands become densitometry in arbitrary units.

    ``loading_cv``: log-normal error of the protein loaded in a lane, shared by all its bands, loading control
    included. ``band_cv``: log-normal error of each band. ``background``: added to every band, as a share of the
    brightest of its antibody. ``saturation``: signal, in units of the brightest band, at which the detector gives half
    of its range (infinite: a linear detector). ``gain_cv``: log-normal spread of the gain of each antibody on each gel.
    Defaults are those of careful densitometry (loading error 10 to 20 %).
    """

    loading_cv: float = 0.12
    band_cv: float = 0.10
    background: float = 0.02
    saturation: float = float("inf")
    gain_cv: float = 0.3

    def __post_init__(self) -> None:
        problems = _not_sizes(self, ("loading_cv", "band_cv", "background", "gain_cv"))
        if not self.saturation > 0:
            problems.append(f"saturation is {self.saturation!r}; it must be a number above 0, or infinite")
        raise_together(problems, "blot noise")

    @property
    def loading(self) -> LogNormal:
        """The noise of the protein in a lane."""
        return LogNormal.of_cv(self.loading_cv)

    @property
    def band(self) -> LogNormal:
        """The noise of a band: what :func:`pathsim.blot_problem` assumes when it is told ``noise=BlotNoise().band``."""
        return LogNormal.of_cv(self.band_cv)

    @property
    def gain(self) -> LogNormal:
        """The spread of the scale of an antibody on a gel."""
        return LogNormal.of_cv(self.gain_cv)


@dataclass(frozen=True, slots=True)
class WellNoise:
    """What seeding, pipetting and reading do to a signal.

    ``well_cv``: log-normal error of each well. ``plate_cv``: log-normal gain shared by all wells of a plate, which
    normalising to its vehicle wells removes. Defaults are those of a good screen (replicate CV about 5 %).
    """

    well_cv: float = 0.05
    plate_cv: float = 0.10

    def __post_init__(self) -> None:
        raise_together(_not_sizes(self, ("well_cv", "plate_cv")), "well noise")

    @property
    def well(self) -> LogNormal:
        """The noise of a well."""
        return LogNormal.of_cv(self.well_cv)

    @property
    def plate(self) -> LogNormal:
        """The spread of the gain of a plate."""
        return LogNormal.of_cv(self.plate_cv)


def _not_sizes(noise: object, names: Sequence[str]) -> list[str]:
    """What is wrong with sizes of noise."""
    values = {name: getattr(noise, name) for name in names}
    return [
        f"{name} is {value!r}; it must be a finite number that is not negative"
        for name, value in values.items()
        if not 0 <= value < math.inf
    ]


__all__ = [
    "BlotNoise",
    "Laplace",
    "Log10Laplace",
    "Log10Normal",
    "LogLaplace",
    "LogNormal",
    "Normal",
    "Robust",
    "WellNoise",
]
__dir__ = listing(__all__)
