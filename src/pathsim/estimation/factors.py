"""Entries of theta that only multiply observables or the size of their noise: at their best in closed form.

Scales and sizes of noise are most of what is free outside simulations. Given the one, the other has a best value that
needs no iteration, and taking turns soon has both, where Gauss-Newton steps from afar shrink sizes of noise a little at
a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..arrays import BoolArray, FloatArray, IntArray
from ..stats.noise import LN10
from .likelihood import Given
from .terms import Term


@dataclass(frozen=True, eq=False)
class FactorsOfTerm:
    """Which free entries (k,) multiply nothing but the signal of a term, the signal and with it the noise (``tied``),
    or nothing but the noise, in all measurements of the term that they ``occur`` in (k, measurements)."""

    term: Term
    occur: sparse.csr_array
    signal: BoolArray
    tied: BoolArray
    noise: BoolArray

    @classmethod
    def of(cls, term: Term, leaves: Sequence[tuple[int, IntArray]], k: int) -> FactorsOfTerm:
        """``leaves``: the number of a leaf, and which of ``k`` entries it is in each measurement, or -1."""
        of_signal, of_noise = term.degrees
        shape = (k, len(term.rows))
        occur, signal, noise = np.zeros(shape, dtype=bool), np.zeros(shape), np.zeros(shape)
        for i, entry in leaves:
            used = np.flatnonzero(entry >= 0)
            occur[entry[used], used] = True
            signal[entry[used], used] += of_signal[i]
            noise[entry[used], used] += of_noise[i]
        given = isinstance(term.likelihood, Given)  # elsewhere a scale is solved for already

        def everywhere(holds: BoolArray) -> BoolArray:
            return np.asarray((~occur | (holds & given)).all(axis=1))

        return cls(
            term,
            sparse.csr_array(occur.astype(float)),
            everywhere((signal == 1) & (noise == 0)),
            everywhere((signal == 1) & (noise == 1)),
            everywhere((signal == 0) & (noise == 1)),
        )

    def scales(self, y: FloatArray, sigma: FloatArray) -> FloatArray:
        """Sums over the measurements of each entry, (4, k, m): of y d / s^2, (y / s)^2, (d / s)^2 and 1, where y is the
        observable, d the measured value and s the size of its noise."""
        likelihood = self.term.likelihood
        assert isinstance(likelihood, Given)
        scale, one = likelihood.family.scale, np.ones_like(y)
        if scale == "lin":
            of_data, of_y = likelihood.data[:, None] / sigma, y / sigma
        else:  # on a logarithmic scale: measured over expected, and 1
            distance = -likelihood.residuals(y, sigma) * sigma * (LN10 if scale == "log10" else 1.0)
            of_data, of_y = np.exp(distance) / sigma, one / sigma
        return np.array([self.occur @ part for part in (of_y * of_data, of_y**2, of_data**2, one)])

    def squares(self, y: FloatArray, sigma: FloatArray) -> FloatArray:
        """Sums of squared residuals, and their number, (2, k, m)."""
        likelihood = self.term.likelihood
        assert isinstance(likelihood, Given)
        r = likelihood.residuals(y, sigma)
        return np.array([self.occur @ part for part in (r**2, np.ones_like(r))])


Seen = Sequence[tuple[FactorsOfTerm, FloatArray, FloatArray]]
"""Terms whose likelihood is ``Given``, with their signals and sizes of noise (measurements, m)."""


class Factors:
    """The free entries that are factors in all of a problem's terms, and by what they should be multiplied.

    What is returned is (k, m), NaN or 1 for entries that are no such factors.
    """

    def __init__(self, terms: Sequence[FactorsOfTerm], allowed: BoolArray) -> None:
        """``allowed`` (k,): entries that may be factors at all, being on a logarithmic scale."""
        self.signal, self.tied, self.noise = (
            allowed & np.all([getattr(one, kind) for one in terms] or [~allowed], axis=0)
            for kind in ("signal", "tied", "noise")
        )

    def by_least_squares(self, seen: Seen) -> FloatArray:
        """Factors of observables by weighted least squares, as if no noise grew with them."""
        along, own, _, _ = np.sum([one.scales(y, sigma) for one, y, sigma in seen], axis=0)
        return np.asarray(np.where((self.signal | self.tied)[:, None], along / own, 1.0))

    def of_observables(self, seen: Seen) -> FloatArray:
        """The best factors of observables: by least squares, or, where noise grows with them, those whose inverse u
        solves data u^2 - along u - count = 0."""
        along, own, data, count = np.sum([one.scales(y, sigma) for one, y, sigma in seen], axis=0)
        tied = 2.0 * data / (along + np.sqrt(along**2 + 4.0 * data * count))
        return np.asarray(np.where(self.tied[:, None], tied, np.where(self.signal[:, None], along / own, 1.0)))

    def of_noise(self, seen: Seen) -> FloatArray:
        """The best factors of sizes of noise: root mean squares of residuals."""
        squares, count = np.sum([one.squares(y, sigma) for one, y, sigma in seen], axis=0)
        return np.asarray(np.where(self.noise[:, None], np.sqrt(squares / count), 1.0))
