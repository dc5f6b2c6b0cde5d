"""What the data leave open: combinations of parameters they do not know, and ensembles of parameters they allow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import shown
from ..arrays import FloatArray, IntArray
from ..checked import checked
from ..errors import InputError, SimulationError
from ..files import write_whole
from ..linear_algebra import one_thread
from ..shown import Shown
from .inference_data import draws_of
from .objective import all_values
from .result import Fit
from .scales import values_of

if TYPE_CHECKING:
    import pandas as pd

BLIND = 1e-10
"""An eigenvalue of the Fisher information below this share of the largest: structurally invisible in the data."""
WEAK = 1.0
"""An eigenvalue (per unit of scale squared) below this: its eigenvector is known no better than to a unit of scale."""


@dataclass(frozen=True, eq=False)
class IdentifiabilityReport:
    """What the data leave open.

    ``table``: eigenvectors of the Fisher information at the best fit, one row each, those the data know best first.
    Columns ``information`` (eigenvalue, per unit of scale squared), ``sd`` (on scale), ``kind`` (``stiff``; ``sloppy``,
    known to no better than one unit of scale; ``blind``, not in the data at all), ``meaning`` (the combination of
    parameters, largest shares first), then the components. On logarithmic scales a blind one with components (+1, -1)
    says that only the product of two parameters matters, (+1, +1) that only their ratio does.

    ``sentences``: what the data cannot tell for reasons of structure, with the parameters each is about. Parameters
    that reach no measurement, hide behind a free scale, or appear only as products or ratios; from the blind
    eigenvectors that are blind elsewhere too (a rate so large that it no longer matters is not), written with as few
    parameters as they allow. On linear scales a product is not told from another combination.
    """

    table: pd.DataFrame
    sentences: Mapping[str, tuple[str, ...]]

    def _shown(self) -> Shown:
        first, *sentences = str(self).splitlines()
        return Shown(first, self.table[["information", "sd", "kind", "meaning"]], sentences)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        counts = self.table["kind"].value_counts()
        first = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in ("stiff", "sloppy", "blind"))
        return "\n".join([f"combinations of parameters: {first}", *self.sentences])


@checked
def identifiability_report(fit: Fit) -> IdentifiabilityReport:
    """What the data of a fit know and do not know about its parameters, around the best of them.

    Raises :class:`SimulationError` where that cannot be evaluated any more.

    >>> sentences = ps.identifiability_report(fit).sentences
    """
    import pandas as pd

    derivatives = fit.objective.derivatives(fit.theta)
    if derivatives.failure:
        raise SimulationError(f"the best fit cannot be evaluated any more: {derivatives.failure}")
    values, vectors = np.linalg.eigh(derivatives.fisher)
    rows = []
    for value, vector in zip(values[::-1], vectors.T[::-1], strict=True):
        value = max(float(value), 0.0)
        kind = "blind" if value <= BLIND * values[-1] else ("sloppy" if value < WEAK else "stiff")
        sd = math.inf if value == 0 else 1.0 / math.sqrt(value)
        rows.append(
            {
                "information": value,
                "sd": sd,
                "kind": kind,
                "meaning": _meaning(vector, fit.names),
                **dict(zip(fit.names, vector.tolist(), strict=True)),
            }
        )
    table = pd.DataFrame(rows)
    blind = table.loc[table["kind"] == "blind", list(fit.names)].to_numpy(dtype=float)
    return IdentifiabilityReport(table, _sentences(fit, blind))


def _meaning(vector: FloatArray, names: tuple[str, ...]) -> str:
    large = [i for i in np.argsort(-np.abs(vector)) if abs(vector[i]) > 0.15][:5]
    first = vector[large[0]]
    return ", ".join(f"{names[i]} ({vector[i] / first:+.2g})" for i in large)


def _sentences(fit: Fit, blind: FloatArray) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for vector in _sparse(blind):
        large = np.flatnonzero(np.abs(vector) > 0.03 * np.abs(vector).max())
        if _seen_elsewhere(fit, vector, large):
            continue
        names = tuple(fit.names[i] for i in large)
        logarithmic = all(fit.objective.scales[i] != "lin" for i in large)
        if len(names) == 1:
            found[f"{names[0]}: {_why_unseen(fit, int(large[0]))}"] = names
        elif len(names) == 2 and logarithmic:
            ratio = float(vector[large[1]] / vector[large[0]])
            found[f"{names[0]} and {names[1]}: the data know only {_invariant(*names, ratio)}"] = names
        else:
            moving = _meaning(vector / np.linalg.norm(vector), fit.names)
            found[f"{', '.join(names)}: can move together without a change in the data, as {moving}"] = names
    return found


def _seen_elsewhere(fit: Fit, vector: FloatArray, moved: IntArray) -> bool:
    """Whether the data see an eigenvector where the parameters it moves lie nearer to the middle of their bounds."""
    middle = 0.5 * (fit.objective.lower + fit.objective.upper)
    for share in (0.3, 0.6, 1.0):
        theta = fit.theta.copy()
        theta[moved] += share * (middle - theta)[moved]
        derivatives = fit.objective.derivatives(theta)
        least = 1e-7 * np.abs(derivatives.fisher).max() * float(vector @ vector)
        if not derivatives.failure and vector @ derivatives.fisher @ vector > least:
            return True
    return False


def _sparse(vectors: FloatArray) -> FloatArray:
    """The same space spanned by rows each of which has an entry that the others do not (reduced echelon form)."""
    rows = vectors.copy()
    for i in range(len(rows)):
        pivot = int(np.argmax(np.abs(rows[i])))
        rows[i] /= rows[i, pivot]
        for k in range(len(rows)):
            if k != i:
                rows[k] -= rows[k, pivot] * rows[i]
    return rows


def _invariant(first: str, second: str, ratio: float) -> str:
    """What stays the same while log ``second`` moves ``ratio`` times as far as log ``first``."""
    if abs(ratio + 1) < 0.02:
        return f"their product {first} * {second}"
    if abs(ratio - 1) < 0.02:
        return f"their ratio {first} / {second}"
    return f"{second} * {first}^{-ratio:.3g}"


def _why_unseen(fit: Fit, k: int) -> str:
    """Whether a parameter without information reaches no measurement, or a scale makes up for it."""
    signals = getattr(fit.objective, "signals", None)
    if signals is None:
        return "the data say nothing about it"
    there = fit.theta.copy()
    there[k] += 1e-2 * (1.0 if there[k] + 1e-2 <= fit.objective.upper[k] else -1.0)
    moved = not np.allclose(signals(there), signals(fit.theta), rtol=1e-4)
    return "the scale of the gels makes up for it" if moved else "it reaches no band"


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Parameter vectors that the data allow, equally likely: ``theta`` (n, d), on scale.

    ``effective``: how many independent draws they are worth.
    """

    fit: Fit
    theta: FloatArray
    effective: float

    def _shown(self) -> Shown:
        worth = f"worth {self.effective:.0f} independent draws"
        return Shown(f"{len(self.theta)} parameter sets of {len(self.fit.names)} parameters, {worth}")

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def parameters(self) -> list[dict[str, float]]:
        """The best fit, then each vector, as mappings, not on scale."""
        scales, vectors = self.fit.objective.scales, (self.fit.theta, *self.theta)
        return [dict(zip(self.fit.names, values_of(row, scales).tolist(), strict=True)) for row in vectors]

    @property
    def constants(self) -> list[dict[str, float]]:
        """As :attr:`parameters`, without those of the detector (``background:...``): what
        :func:`pathsim.prediction_intervals` takes."""
        return [{name: value for name, value in one.items() if ":" not in name} for one in self.parameters]

    def to_arviz(self) -> Any:
        """The vectors as one chain of an ``arviz.InferenceData``, with the measurements.

        >>> data = ps.posterior_ensemble(fit, 200).to_arviz()  # doctest: +SKIP
        """
        fit = self.fit
        return draws_of(fit.names, fit.objective.scales, self.theta[None], None, fit.known_problem)

    def save(self, path: str | Path) -> None:
        """Write :attr:`constants` to a CSV that ``--ensemble`` and :func:`pathsim.load_parameter_sets` read."""
        import pandas as pd

        write_whole(path, pd.DataFrame(self.constants).to_csv(index=False))


@checked
@one_thread()
def posterior_ensemble(fit: Fit, size: int = 100, seed: int = 0, draws: int | None = None) -> Ensemble:
    """Parameters the data allow: draws from the normal approximation, weighted by their true likelihood and resampled.

    Sampling-importance resampling (D. B. Rubin, J. Am. Stat. Assoc. 82, 543 (1987)); ``effective`` says whether it can
    be trusted: when it is small, use :func:`sample` instead. ``draws`` defaults to ten times ``size``.

    >>> members = ps.posterior_ensemble(fit, 10)
    >>> len(members.parameters)  # the best fit, and ten more
    11
    """
    if size < 1:
        raise InputError(f"an ensemble needs at least 1 member, not {size}")
    objective, rng = fit.objective, np.random.default_rng(seed)
    derivatives = objective.derivatives(fit.theta)
    if derivatives.failure:
        raise SimulationError(f"the best fit cannot be evaluated any more: {derivatives.failure}")
    values, vectors = np.linalg.eigh(derivatives.fisher)
    span = objective.upper - objective.lower
    reach = np.abs(vectors.T) @ span  # an eigenvector the data do not see is limited by its bounds
    spread = np.minimum(1.0 / np.sqrt(np.maximum(values, 1e-300)), 0.25 * reach)
    count = draws or 10 * size
    z = rng.standard_normal((count, len(values)))
    theta = fit.theta + (z * spread) @ vectors.T
    inside = ((theta >= objective.lower) & (theta <= objective.upper)).all(axis=1)
    weights = np.full(count, -math.inf)
    chosen = np.flatnonzero(inside)
    values_there = all_values(objective, theta[chosen])
    weights[chosen] = np.where(
        np.isfinite(values_there), fit.best.value - values_there + 0.5 * (z[chosen] ** 2).sum(axis=1), -math.inf
    )
    if not np.isfinite(weights).any():
        raise SimulationError("no draw around the best fit lies within the bounds and can be simulated")
    share = np.exp(weights - weights.max())
    share /= share.sum()
    drawn = rng.choice(count, size=size, p=share)
    return Ensemble(fit, theta[drawn], float(1.0 / (share**2).sum()))
