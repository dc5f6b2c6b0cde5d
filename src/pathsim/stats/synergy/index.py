"""The combination index of Chou and Talalay with the confidence limits of Lee and Kong, and the isobologram.

``CI(fa) = sum_i d_i / Dx_i(fa)``, mutually exclusive form (Chou 2006, Pharmacol Rev 58:621): doses ``d_i`` in the
mixture that affects ``fa``, over the doses ``Dx_i`` of each drug that affect ``fa`` alone. Limits: delta method on
``ln CI`` with the residual variance of each line, t quantile with ``n - 2 * lines`` degrees of freedom (Lee & Kong
2009, Stat Biopharm Res 1:4; a line through two points takes the pooled variance). The dose-reduction index of drug i is
``Dx_i / d_i``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ... import arguments, shown
from ...arrays import FloatArray, IndexArray
from ...errors import InputError, raise_together
from ...shown import Shown
from .. import logistic
from ..curve import t_quantile
from .excess import read
from .median_effect import MedianEffect, median_effect
from .scores import Convention, dose_columns
from .wells import Conditions, Wells

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.5, 0.75, 0.9, 0.95)
"""Fractions affected at which an index is reported when none are asked for."""

CONVENTION = Convention("combination index", "ratio without unit", "< 1", 1.0)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Wells at one constant ratio: ``share`` of each drug in the total dose, and the line of the total dose."""

    share: tuple[float, ...]
    line: MedianEffect

    @property
    def label(self) -> str:
        """The ratio as 1:x."""
        return ":".join(f"{part / self.share[0]:.4g}" for part in self.share)


@dataclass(frozen=True, slots=True)
class CombinationIndex:
    """Combination indices: unit-free, < 1 synergy, 1 additivity, > 1 antagonism.

    ``points``: a row per measured combination (dose columns, ``fa``, ``ci``, ``ci_low``, ``ci_high``, ``dri_<drug>``,
    ``mark``); ``levels``: the same at chosen effects along each constant-ratio ``mixture`` (empty without one),
    ``extrapolated`` where the effect lies outside what the mixture or a drug alone was seen to do. A row without an
    index has NaN, and its ``mark`` says why: its effect is not between 0 and 1, or a drug alone has no median-effect
    line (it is None in ``singles``) because its effect does not rise with dose.
    """

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    singles: tuple[MedianEffect | None, ...]
    mixtures: tuple[Mixture, ...]
    points: pd.DataFrame = field(repr=False, compare=False)
    levels: pd.DataFrame = field(repr=False, compare=False)
    confidence: float
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def convention(self) -> Convention:
        """Unit and sign of the index."""
        return CONVENTION

    def along(self, mixture: Mixture, fa: npt.ArrayLike) -> pd.DataFrame:
        """Index with limits and dose-reduction indices of ``mixture`` at effects ``fa`` (the fa-CI plot).

        Raises :class:`InputError` for effects not between 0 and 1.
        """
        return _along(self.drugs, self.singles, mixture, np.atleast_1d(arguments.array(fa, "effect")), self.confidence)

    def of_exact_wells(self) -> CombinationIndex:
        """The same index, whose limits are called what they are where wells were simulated without noise."""
        said = "the wells have no noise: limits are the misfit of the median-effect lines to them, not confidence"
        return replace(self, notes=(*self.notes, said))

    def row(self) -> dict[str, float | str | None]:
        """One table row: the index at the median effect of the mixture nearest equipotency, else of the points.

        ``mean`` and ``max`` are None where no combination has an index.
        """
        found: dict[str, float | str | None] = {
            "experiment": self.name,
            "drugs": " + ".join(self.drugs),
            "metric": "combination index",
        }
        if self.mixtures:
            at = self.along(self.central, 0.5).iloc[0]
            found |= {"mean": _or_none(at["ci"]), "low": _or_none(at["ci_low"]), "high": _or_none(at["ci_high"])}
        else:
            found |= {"mean": _or_none(np.exp(np.log(self.points["ci"]).mean())), "low": None, "high": None}
        return found | {
            "max": _or_none(self.points["ci"].max()),
            "unit": CONVENTION.unit,
            "synergy_if": "< 1",
            "combinations": len(self.points),
            "notes": "; ".join(self.notes),
        }

    @property
    def central(self) -> Mixture:
        """The mixture nearest to equipotent shares of the drugs. Raises InputError without any mixture."""
        if not self.mixtures:
            raise InputError("no constant-ratio mixture with two usable doses; only the measured points have an index")
        potency = np.array([1.0 if single is None else single.dm for single in self.singles])
        return min(self.mixtures, key=lambda each: float(np.ptp(np.log(np.array(each.share) / potency))))

    def _shown(self) -> Shown:
        columns = ["mixture", "fa", "ci", "ci_low", "ci_high", "extrapolated"]
        rows = self.levels[columns] if self.mixtures else self.points
        return Shown(str(self).splitlines()[0], rows, self.notes)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        lines = [f"{' + '.join(self.drugs)}: {CONVENTION}"]
        lines += [str(single) for single in self.singles if single is not None]
        shown = self.points
        if self.mixtures:
            central = self.central
            lines.append(f"{central.label} mixture, total dose: {central.line}")
            shown = self.levels[self.levels["mixture"] == central.label]
        if len(self.mixtures) > 1:
            lines.append(f"({len(self.mixtures)} constant ratios; the one nearest equal potency is shown)")
        for record in shown.to_dict("records"):
            where = (
                f"{record['mixture']} at fa {record['fa']:.2f}" if "mixture" in record else f"at fa {record['fa']:.2f}"
            )
            if record["mark"]:
                lines.append(f"CI {where}: none ({record['mark']})")
                continue
            lines.append(
                f"CI {where}: {record['ci']:.3f}{_limits(record['ci_low'], record['ci_high'])}"
                f"{' extrapolated' if record.get('extrapolated') else ''}"
            )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def combination_index(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    confidence: float = 0.95,
    **reading: Any,
) -> CombinationIndex:
    """Combination index of two or more drugs at every measured combination, and along constant ratios at ``levels``.

    Lines are fitted to the mean effect at each dose. ``reading`` goes to :func:`from_table` or :func:`from_arrays`.

    Raises:
        InputError: wells that cannot be used, a drug that was not measured alone, or no combination of all drugs.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> index = ps.synergy.combination_index(screen)
    >>> list(index.points.columns[:3])
    ['alpelisib_nM', 'capivasertib_nM', 'fa']
    """
    wells = read(data, responses, **reading)
    levels, confidence = _check_levels(levels, confidence)
    conditions = wells.conditions
    singles, troubles = _single_lines(conditions)
    combined = conditions.combined[(conditions.doses[conditions.combined] > 0).all(axis=1)]
    if not len(combined):
        raise InputError(f"no well combines {' and '.join(wells.drugs)}; there is no combination index")
    mixtures, notes = _mixtures(conditions, combined)
    points, point_notes = _points(conditions, combined, singles, mixtures, confidence)
    trouble = "; ".join(troubles)
    points["mark"] = [trouble or mark for mark in points["mark"]]
    all_notes = (
        *wells.notes,
        *_plateaus(conditions),
        *(f"{each}: no index (bliss, hsa and loewe do without the line)" for each in troubles),
        *_line_notes([*_known(singles), *(mixture.line for mixture in mixtures)]),
        *notes,
        *point_notes,
    )
    levelled = _level_table(wells.drugs, singles, mixtures, levels, confidence).assign(mark=trouble)
    return CombinationIndex(
        wells.drugs, wells.units, singles, mixtures, points, levelled, confidence, wells.name, all_notes
    )


@dataclass(frozen=True, slots=True)
class Isobologram:
    """Doses of equal effect ``fa``: ``alone`` (drug, dose, low, high), ``mixed`` (mixture, dose columns, ci, limits).

    A point under the straight line between the drugs alone is synergy; its normalised coordinates ``d_i / Dx_i`` add up
    to the combination index.
    """

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    fa: float
    alone: pd.DataFrame = field(repr=False, compare=False)
    mixed: pd.DataFrame = field(repr=False, compare=False)
    confidence: float
    name: str = ""

    def _shown(self) -> Shown:
        alone = "; ".join(
            f"{one['drug']} alone {one['dose']:.4g} {one['unit']}{_limits(one['low'], one['high'])}"
            for one in self.alone.to_dict("records")
        )
        said = f"Isobologram{f' of {self.name}' if self.name else ''}: doses with {self.fa:.0%} effect; {alone}"
        return Shown(said, self.mixed)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


def isobologram(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    fa: float = 0.5,
    confidence: float = 0.95,
    **reading: Any,
) -> Isobologram:
    """Doses that affect the fraction ``fa``, alone and in every constant-ratio mixture, from median-effect lines.

    Raises :class:`InputError` as :func:`combination_index`, and when no constant ratio has two usable doses.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> found = ps.synergy.isobologram(screen, fa=0.5)
    """
    import pandas as pd

    found = combination_index(data, responses, levels=(fa,), confidence=confidence, **reading)
    missing = [drug for drug, line in zip(found.drugs, found.singles, strict=True) if line is None]
    if missing:
        raise InputError(
            f"no isobologram: the effect of {' and of '.join(missing)} alone does not rise with dose, so "
            "no dose has the effect asked for"
        )
    if not found.mixtures:
        raise InputError("no constant-ratio mixture with two usable doses; an isobologram needs at least one")
    alone = []
    for drug, unit, line in zip(found.drugs, found.units, _known(found.singles), strict=True):
        dose = float(line.dose(fa))
        low = high = None
        if line.degrees_of_freedom > 0:
            variance = float(line.log_dose_variance(fa, line.rss / line.degrees_of_freedom))
            reach = t_quantile(confidence, line.degrees_of_freedom) * variance**0.5
            low, high = dose * float(np.exp(-reach)), dose * float(np.exp(reach))
        alone.append({"drug": drug, "unit": unit, "dose": dose, "low": low, "high": high})
    mixed = []
    columns = dose_columns(found.drugs, found.units)
    for mixture, record in zip(found.mixtures, found.levels.to_dict("records"), strict=True):
        total = float(mixture.line.dose(fa))
        doses = {column: total * share for column, share in zip(columns, mixture.share, strict=True)}
        mixed.append(
            {
                "mixture": mixture.label,
                **doses,
                "ci": record["ci"],
                "ci_low": record["ci_low"],
                "ci_high": record["ci_high"],
            }
        )
    return Isobologram(found.drugs, found.units, fa, pd.DataFrame(alone), pd.DataFrame(mixed), confidence, found.name)


def _known(lines: Sequence[MedianEffect | None]) -> list[MedianEffect]:
    return [line for line in lines if line is not None]


def _single_lines(conditions: Conditions) -> tuple[tuple[MedianEffect | None, ...], list[str]]:
    """The line of each drug alone, None for a drug whose effect gives none, and why."""
    lines: list[MedianEffect | None] = []
    troubles = []
    unseen = [name for drug, name in enumerate(conditions.drugs) if not len(conditions.alone(drug))]
    raise_together([f"{name} was not measured alone" for name in unseen], "median effect of the single drugs")
    for drug, (name, unit) in enumerate(zip(conditions.drugs, conditions.units, strict=True)):
        rows = conditions.alone(drug)
        try:
            lines.append(median_effect(conditions.doses[rows, drug], 1.0 - conditions.means[rows], name, unit))
        except InputError as error:
            lines.append(None)
            troubles.append(str(error))
    return tuple(lines), troubles


def _mixtures(conditions: Conditions, combined: IndexArray) -> tuple[tuple[Mixture, ...], list[str]]:
    """Constant ratios with two or more usable doses, each with its line, and what was left out."""
    doses = conditions.doses[combined]
    logs = np.log(doses / doses[:, :1])
    kinds: list[tuple[FloatArray, list[int]]] = []
    for row, ratio in enumerate(logs):
        for known, members in kinds:
            if np.allclose(known, ratio, atol=1e-3):
                members.append(row)
                break
        else:
            kinds.append((ratio, [row]))
    mixtures, notes = [], []
    for _, members in kinds:
        total, fa = doses[members].sum(axis=1), 1.0 - conditions.means[combined[members]]
        if len(members) < 3:
            continue
        share = tuple(float(part) for part in (doses[members] / total[:, None]).mean(axis=0))
        name = " + ".join(conditions.drugs)
        try:
            mixtures.append(Mixture(share, median_effect(total, fa, name, conditions.units[0])))
        except InputError as error:
            notes.append(f"constant ratio left out: {error}")
    return tuple(mixtures), notes


def _points(
    conditions: Conditions,
    combined: IndexArray,
    singles: tuple[MedianEffect | None, ...],
    mixtures: tuple[Mixture, ...],
    confidence: float,
) -> tuple[pd.DataFrame, list[str]]:
    import pandas as pd

    fa_all = 1.0 - conditions.means[combined]
    usable = (fa_all > 0) & (fa_all < 1)
    marks = [
        "" if good else f"effect {f:.3g} is not between 0 and 1; no index"
        for f, good in zip(fa_all, usable, strict=True)
    ]
    notes = [f"{conditions.text(int(i))}: {mark}" for i, mark in zip(combined, marks, strict=True) if mark]
    doses, fa = conditions.doses[combined], np.where(usable, fa_all, np.nan)
    alone = _doses_alone(singles, fa)
    terms = doses / alone
    ci = terms.sum(axis=1)
    lines = [*_known(singles), *(mixture.line for mixture in mixtures)]
    freedom = _freedom(lines)
    frame = pd.DataFrame(doses, columns=dose_columns(conditions.drugs, conditions.units))
    frame["fa"], frame["ci"] = fa_all, ci
    if freedom > 0 and None not in singles:
        weights = terms / ci[:, None]
        spread = sum(
            weights[:, i] ** 2 * line.log_dose_variance(fa, _variance(line, lines))
            for i, line in enumerate(_known(singles))
        )
        # the measured effect itself carries the noise of one logit
        variance = _pooled(lines)
        slope = sum(weights[:, i] / line.m for i, line in enumerate(_known(singles)))
        frame["ci_low"], frame["ci_high"] = _limits_of(ci, spread + slope**2 * variance, freedom, confidence)
    else:
        frame["ci_low"] = frame["ci_high"] = None
    for i, drug in enumerate(conditions.drugs):
        frame[f"dri_{drug}"] = alone[:, i] / doses[:, i]
    return frame.assign(mark=marks), notes


def _doses_alone(singles: tuple[MedianEffect | None, ...], fa: FloatArray) -> FloatArray:
    """Doses (effects, drugs) of each drug alone for the effects ``fa``; NaN for a drug without a line."""
    return np.stack([np.full(len(fa), np.nan) if line is None else line.dose(fa) for line in singles], axis=1)


def _along(
    drugs: tuple[str, ...],
    singles: tuple[MedianEffect | None, ...],
    mixture: Mixture,
    fa: FloatArray,
    confidence: float,
) -> pd.DataFrame:
    import pandas as pd

    _check_levels(fa.tolist(), confidence)
    doses = mixture.line.dose(fa)[:, None] * np.array(mixture.share)
    alone = _doses_alone(singles, fa)
    terms = doses / alone
    ci = terms.sum(axis=1)
    frame = pd.DataFrame({"mixture": mixture.label, "fa": fa, "ci": ci})
    lines = [*_known(singles), mixture.line]
    freedom = _freedom(lines)
    if freedom > 0 and None not in singles:
        weights = terms / ci[:, None]
        spread = mixture.line.log_dose_variance(fa, _variance(mixture.line, lines)) + sum(
            weights[:, i] ** 2 * line.log_dose_variance(fa, _variance(line, lines))
            for i, line in enumerate(_known(singles))
        )
        frame["ci_low"], frame["ci_high"] = _limits_of(ci, spread, freedom, confidence)
    else:
        frame["ci_low"] = frame["ci_high"] = None
    for i, drug in enumerate(drugs):
        frame[f"dri_{drug}"] = alone[:, i] / doses[:, i]
    seen = [line.seen for line in lines]
    frame["extrapolated"] = (fa < max(low for low, _ in seen)) | (fa > min(high for _, high in seen))
    return frame


def _level_table(
    drugs: tuple[str, ...],
    singles: tuple[MedianEffect | None, ...],
    mixtures: tuple[Mixture, ...],
    levels: Sequence[float],
    confidence: float,
) -> pd.DataFrame:
    import pandas as pd

    parts = [_along(drugs, singles, mixture, np.array(levels, dtype=float), confidence) for mixture in mixtures]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["mixture", "fa", "ci"])


def _variance(line: MedianEffect, lines: Sequence[MedianEffect]) -> float:
    """Residual variance of a logit about ``line``; that of all ``lines`` together for a line through two points."""
    return line.rss / line.degrees_of_freedom if line.degrees_of_freedom else _pooled(lines)


def _pooled(lines: Sequence[MedianEffect]) -> float:
    return sum(line.rss for line in lines) / _freedom(lines)


def _freedom(lines: Sequence[MedianEffect]) -> int:
    return sum(line.degrees_of_freedom for line in lines)


def _limits_of(ci: FloatArray, variance: Any, freedom: int, confidence: float) -> tuple[FloatArray, FloatArray]:
    reach = t_quantile(confidence, freedom) * np.sqrt(variance)
    return ci * np.exp(-reach), ci * np.exp(reach)


def _plateaus(conditions: Conditions) -> list[str]:
    """Drugs whose effect levels off well below complete: the median-effect line has no room for that."""
    notes = []
    for drug, name in enumerate(conditions.drugs):
        rows = conditions.alone(drug)
        if len(rows) < 5:
            continue
        doses, means = conditions.doses[rows, drug], conditions.means[None, rows]
        held = np.array([[1.0, np.nan, np.nan, np.nan], [1.0, 0.0, np.nan, np.nan]])
        levelled, complete = (logistic.fit_many(doses, means, None, one[None]) for one in held)
        bottom = float(levelled.theta[0, 1])
        if bottom > 0.15 and levelled.rss[0] < 0.25 * complete.rss[0]:
            notes.append(
                f"{name} levels off at an effect of {1 - bottom:.2f} where the median-effect line goes on to 1: "
                "indices near and above that effect are extrapolated; compare loewe"
            )
    return notes


def _line_notes(lines: Sequence[MedianEffect]) -> list[str]:
    notes = []
    for line in lines:
        if line.left_out:
            shown = ", ".join(f"{dose:g}" for dose in line.left_out[:6])
            notes.append(f"{line.name}: effect not between 0 and 1 at {shown} {line.unit}; left out of the line")
        if line.r is not None and line.r < 0.9:
            notes.append(f"{line.name}: the points follow the median-effect line poorly (r = {line.r:.3f})")
    return notes


def _check_levels(levels: Sequence[float], confidence: float) -> tuple[list[float], float]:
    """Both as floats. Raises :class:`InputError` for any that is not between 0 and 1."""
    found = arguments.column(levels, "effect").tolist()
    problems = [f"effect {fa:g} is not between 0 and 1" for fa in found if not 0 < fa < 1]
    raise_together(problems, "combination index")
    return found, arguments.share(confidence, "confidence")


def _or_none(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _limits(low: Any, high: Any) -> str:
    return "" if _or_none(low) is None or _or_none(high) is None else f" ({low:.3f} to {high:.3f})"
