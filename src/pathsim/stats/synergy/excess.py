"""Bliss, HSA, Loewe and ZIP: how far a combination exceeds what a null model expects of its drugs.

Every function takes :class:`Wells`, the one table, or doses (wells, drugs) with responses, and returns a
:class:`Score` in percentage points of inhibition, where > 0 is synergy.
"""

from __future__ import annotations

import re
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...arrays import FloatArray, IndexArray
from ...errors import InputError, raise_together, unknown
from .. import logistic
from .noise import single_drug
from .scores import Score, excess_score
from .wells import Conditions, Wells, from_arrays, from_table

if TYPE_CHECKING:
    import pandas as pd

_AGAIN = re.compile(r" \(\d\)$")
"""Behind a drug that is given again."""
_HALVINGS = 80
_GRID = 2000
"""Points at which a single curve is drawn to read doses from it."""
_DECADES = float(np.log(1e3))
"""How far below the lowest dose it is drawn, on the logarithm."""
_EXACT, _MISSED = 1e-9, 1e-4
"""A Hill curve that misses no mean by more than the first is taken as it is; one that misses a mean by more than the
second says nothing beyond the doses measured."""


def bliss(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    **reading: Any,
) -> Score:
    """Bliss independence (Bliss 1939, Ann Appl Biol 26:585): expected viability is the product of the single drugs'.

    Two or more drugs. ``reading`` goes to :func:`from_table` or :func:`from_arrays`.

    Raises :class:`InputError` for wells that cannot be used or single-drug wells that are missing.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> ps.synergy.bliss(screen).unit
    'percentage points of inhibition'
    """
    wells = read(data, responses, **reading)
    return excess_score(
        wells,
        "Bliss excess",
        "observed minus expected inhibition under Bliss independence",
        _bliss_viability,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )


def hsa(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    **reading: Any,
) -> Score:
    """Highest single agent (Berenbaum 1989, Pharmacol Rev 41:93): the best of the drugs at the same dose alone.

    Arguments, result and errors as :func:`bliss`.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> ps.synergy.hsa(screen, resamples=0).max > 0
    True
    """
    wells = read(data, responses, **reading)
    return excess_score(
        wells,
        "HSA excess",
        "observed inhibition minus that of the best single drug",
        _best_single,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )


def loewe(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    **reading: Any,
) -> Score:
    """Loewe additivity (Loewe & Muischnek 1926): the effect at which the doses, each in units of the dose that gives
    that effect alone, add up to one.

    Single drugs are Hill curves that start at the mean of the untreated wells (at 1 without any). Where one drug cannot
    reach an effect at any dose, its dose counts as nothing there, so the stronger drug alone sets the expectation: this
    is the limit of the equation, and gives a value for every well.

    The ``wells`` of the score also carry ``index``, the sum itself at the observed effect: the combination index on
    the single-drug curves, drawn through the means measured, instead of on median-effect lines (no unit, < 1 is
    synergy). It is empty, and the well counted in the notes, where the effect lies outside both curves, or beyond what
    was measured of both when Hill curves do not describe them.

    Arguments, result and errors as :func:`bliss`.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> score = ps.synergy.loewe(screen, resamples=0)
    """
    wells = read(data, responses, **reading)
    _check_curves(wells.conditions)
    score = excess_score(
        wells,
        "Loewe excess",
        "observed minus expected inhibition under Loewe additivity",
        _loewe_viability,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )
    index = _loewe_index(wells.conditions)
    lost = int(np.isnan(index).sum())
    note = f"no index at {lost} of {len(index)} combinations: their effect lies outside the single-drug curves"
    return replace(score, wells=score.wells.assign(index=index), notes=score.notes + ((note,) if lost else ()))


def zip_score(
    data: Wells | pd.DataFrame | npt.ArrayLike,
    responses: npt.ArrayLike | None = None,
    *,
    resamples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    **reading: Any,
) -> Score:
    """Zero interaction potency (Yadav et al. 2015, Comput Struct Biotechnol J 13:504): Bliss on fitted Hill curves,
    against the matrix smoothed along both drugs, each curve starting where the other drug alone leaves it.

    Two drugs and a complete matrix. With noisy or negative single-drug data the four-parameter fits are badly
    conditioned and published values differ between programs; these are the global optima. Arguments, result and
    errors as :func:`bliss`.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> score = ps.synergy.zip(screen, resamples=0)
    """
    wells = read(data, responses, **reading)
    conditions = wells.conditions
    _check_curves(conditions)
    _matrix_index(conditions)
    return excess_score(
        wells,
        "ZIP",
        "fitted minus expected inhibition under zero interaction potency",
        _zip_reference,
        observed=_zip_surface,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )


def read(data: Wells | pd.DataFrame | npt.ArrayLike, responses: npt.ArrayLike | None = None, **reading: Any) -> Wells:
    """Wells from wells, from the one table, or from doses (wells, drugs) with responses (wells,).

    Untreated wells far from 1 are named in the notes. Raises :class:`InputError` where they are the lowest by far.
    """
    if isinstance(data, Wells):
        if responses is not None or reading:
            raise InputError("wells are complete; responses and reading options go to the function that made them")
        wells = data
    else:
        maker = from_table if responses is None else from_arrays
        unknown_options = [name for name in reading if name not in signature(maker).parameters]
        if unknown_options:
            raise unknown("option", unknown_options[0], list(signature(maker).parameters)[1:])
        if responses is not None:
            wells = from_arrays(data, responses, **reading)
        elif hasattr(data, "columns"):
            wells = from_table(data, **reading)  # type: ignore[arg-type]
        else:
            raise InputError("doses without responses; give both, or wells, or a table")
    return replace(wells, notes=(*wells.notes, *_sham(wells), *_far_controls(wells.conditions)))


def _sham(wells: Wells) -> list[str]:
    """That a drug is combined with itself, which only Loewe's null model takes for no interaction."""
    plain = [_AGAIN.sub("", drug) for drug in wells.drugs]
    twice = sorted({drug for drug in plain if plain.count(drug) > 1})
    return [
        f"{drug} is combined with itself: only loewe and ci are expected to find no interaction here" for drug in twice
    ]


def _far_controls(conditions: Conditions) -> list[str]:
    """A note when the untreated wells are far from the control of 1 that every null model starts from."""
    if conditions.untreated is None:
        return []
    control = float(conditions.means[conditions.untreated])
    if control < 0.25 and float(conditions.means.max()) > control + 0.25:
        raise InputError(
            f"the untreated wells average {control:.3g} of control, and drugs raise that to "
            f"{conditions.means.max():.3g}: is this inhibition? then say so with scale=Response.INHIBITION_FRACTION "
            "(or VIABILITY_FRACTION if it was called inhibition)"
        )
    if abs(control - 1.0) <= 0.1:
        return []
    return [
        f"the untreated wells average {control:.3g} of control, not 1: not yet divided by them? "
        "(synergy.normalised does so)"
    ]


def _bliss_viability(conditions: Conditions, means: FloatArray) -> FloatArray:
    expected = np.ones((len(means), len(conditions.combined)))
    for partner in conditions.partners().T:
        expected *= np.where(partner >= 0, means[:, partner], 1.0)
    return expected


def _best_single(conditions: Conditions, means: FloatArray) -> FloatArray:
    best = np.full((len(means), len(conditions.combined)), np.inf)
    for partner in conditions.partners().T:
        best = np.minimum(best, np.where(partner >= 0, means[:, partner], np.inf))
    return best


def single_curves(conditions: Conditions, means: FloatArray) -> list[FloatArray]:
    """Hill curves (resamples, 4) of each drug alone, all starting at the untreated response."""
    control = np.ones(len(means)) if conditions.untreated is None else means[:, conditions.untreated]
    held = np.full((len(means), 4), np.nan)
    held[:, 0] = control
    curves = []
    for drug in range(len(conditions.drugs)):
        rows = conditions.alone(drug)
        curves.append(logistic.fit_many(conditions.doses[rows, drug], means[:, rows], None, held).theta)
    return curves


def _loewe_viability(conditions: Conditions, means: FloatArray) -> FloatArray:
    return loewe_response(conditions.doses[conditions.combined], single_curves(conditions, means))


def _loewe_index(conditions: Conditions) -> FloatArray:
    """Sum of doses over equally effective doses alone at the observed effect; NaN outside the single-drug curves, and
    beyond what was measured of either where a Hill curve misses a measured mean."""
    curves = [theta[0] for theta in single_curves(conditions, conditions.means[None])]
    doses, seen = conditions.doses[conditions.combined], conditions.means[conditions.combined]
    total, deepest, misses = np.zeros(len(doses)), [], []
    for drug, theta in enumerate(curves):
        rows = conditions.alone(drug)
        given, means = conditions.doses[rows, drug], conditions.means[rows]
        misses.append(np.abs(means - logistic.evaluate(given, theta)).max() > _MISSED)
        deepest.append(means.min())
        alone = _dose_alone(given, means, theta, seen)
        counts = np.isfinite(alone) & (doses[:, drug] > 0)
        total += np.divide(doses[:, drug], alone, out=np.zeros(len(doses)), where=counts & (alone > 0))
    inside = (seen < curves[0][0]) & (seen > min(theta[1] for theta in curves))
    measured = (seen >= min(deepest)) | ~np.any(misses)
    return np.asarray(np.where(inside & measured & (total > 0), total, np.nan))


def _dose_alone(doses: FloatArray, means: FloatArray, theta: FloatArray, levels: FloatArray) -> FloatArray:
    """Doses of one drug that alone give ``levels``, infinite where it never does: the Hill curve, made to pass through
    the measured means by a monotone interpolation of what it misses, falling throughout."""
    from scipy.interpolate import PchipInterpolator

    found = logistic.dose_at(levels, theta[None])
    found = np.where(np.isfinite(found) & (theta[1] < theta[0]), found, np.inf)
    missed = means - logistic.evaluate(doses, theta)
    if np.abs(missed).max() <= _EXACT:
        return found
    logs = np.log(doses)
    grid = np.linspace(logs[0] - _DECADES, logs[-1], _GRID)
    near = np.clip(grid, logs[0], logs[-1])
    correction = PchipInterpolator(logs, missed)(near) if len(logs) > 1 else np.full(len(grid), missed[0])
    drawn = logistic.evaluate(np.exp(grid), theta) + correction * np.minimum(np.exp(grid - logs[0]), 1.0)
    falling = np.minimum.accumulate(drawn)
    within = (levels <= falling[0]) & (levels >= falling[-1])
    first = np.searchsorted(-falling, -levels, side="left").clip(1, len(grid) - 1)
    step = falling[first - 1] - falling[first]
    share = np.divide(falling[first - 1] - levels, step, out=np.ones_like(levels), where=step > 0)
    inside = np.where(within, grid[first - 1] + share * (grid[first] - grid[first - 1]), 0.0)
    return np.where(within, np.exp(inside), found)


def loewe_response(doses: FloatArray, curves: list[FloatArray]) -> FloatArray:
    """Viability expected by Loewe additivity at ``doses`` (points, drugs) for falling curves (resamples, 4) each.

    The sum of doses in units of equally effective doses falls as viability falls short of the control, so the root is
    single; it is found by bisection between the control and the deepest bottom. (resamples, points)
    """
    top = curves[0][:, 0:1]
    bottoms = np.stack([np.minimum(theta[:, 1:2], top) for theta in curves])
    shape = (len(top), len(doses))
    low, high = np.broadcast_to(bottoms.min(axis=0), shape).copy(), np.broadcast_to(top, shape).copy()
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        total = np.zeros(shape)
        for drug, theta in enumerate(curves):
            total += _relative_dose(doses[:, drug], middle, theta)
        enough = total >= 1.0
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle)
    return 0.5 * (low + high)


def _relative_dose(doses: FloatArray, levels: FloatArray, theta: FloatArray) -> FloatArray:
    """``doses`` in units of the dose of that drug alone that gives ``levels``; 0 where it never does."""
    alone = logistic.dose_at(levels, theta[:, None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(doses > 0, doses / alone, 0.0)
    falling = theta[:, None, 1] < theta[:, None, 0]
    return np.asarray(np.where(falling, share, 0.0))


def _matrix_index(conditions: Conditions) -> tuple[FloatArray, FloatArray, IndexArray]:
    """Positive doses of both drugs and the condition at each pair, row and column 0 being the drugs alone."""
    if len(conditions.drugs) != 2:
        raise InputError(f"ZIP is defined for two drugs; these wells have {len(conditions.drugs)}")
    levels = [np.unique(np.append(conditions.doses[:, drug], 0.0)) for drug in (0, 1)]
    index = np.full((len(levels[0]), len(levels[1])), -1, dtype=np.intp)
    at = [np.searchsorted(levels[drug], conditions.doses[:, drug]) for drug in (0, 1)]
    index[at[0], at[1]] = np.arange(len(conditions.doses))
    missing = [(i, j) for i, j in np.argwhere(index < 0) if (i, j) != (0, 0)]
    drugs, units = conditions.drugs, conditions.units
    raise_together(
        [f"{drugs[0]} {levels[0][i]:g} {units[0]} with {drugs[1]} {levels[1][j]:g} {units[1]}" for i, j in missing],
        "ZIP needs the complete matrix; missing wells",
    )
    return levels[0][1:], levels[1][1:], index


def _zip_singles(conditions: Conditions, means: FloatArray) -> list[FloatArray]:
    """Fitted viabilities (resamples, doses) of each drug alone, four free parameters."""
    fitted = []
    for drug in (0, 1):
        rows = conditions.alone(drug)
        if conditions.untreated is not None:
            rows = np.concatenate([[conditions.untreated], rows])
        doses = conditions.doses[rows, drug]
        theta = logistic.fit_many(doses, means[:, rows]).theta
        fitted.append(logistic.evaluate(doses[doses > 0], theta))
    return fitted


def _zip_reference(conditions: Conditions, means: FloatArray) -> FloatArray:
    first, second = _zip_singles(conditions, means)
    _, _, index = _matrix_index(conditions)
    surface = first[:, :, None] * second[:, None, :]
    return _in_order(conditions, index, surface)


def _zip_surface(conditions: Conditions, means: FloatArray) -> FloatArray:
    """Viability of each combination: the mean of the curves fitted along either drug."""
    doses_1, doses_2, index = _matrix_index(conditions)
    first, second = _zip_singles(conditions, means)
    grid = means[:, index[1:, 1:]]
    along_1 = _fit_from(doses_1, grid.transpose(0, 2, 1), second).transpose(0, 2, 1)
    along_2 = _fit_from(doses_2, grid, first)
    return _in_order(conditions, index, 0.5 * (along_1 + along_2))


def _fit_from(doses: FloatArray, responses: FloatArray, tops: FloatArray) -> FloatArray:
    """Fitted values of curves along the last axis of ``responses`` (resamples, curves, doses) with given tops."""
    flat = responses.reshape(-1, len(doses))
    held = np.full((len(flat), 4), np.nan)
    held[:, 0] = tops.reshape(-1)
    theta = logistic.fit_many(doses, flat, None, held).theta
    return logistic.evaluate(doses, theta).reshape(responses.shape)


def _in_order(conditions: Conditions, index: IndexArray, surface: FloatArray) -> FloatArray:
    """Values of a surface (resamples, doses 1, doses 2) in the order of the combined conditions."""
    place = np.empty(len(conditions.doses), dtype=np.intp)
    inner = index[1:, 1:].reshape(-1)
    place[inner] = np.arange(len(inner))
    return surface.reshape(len(surface), -1)[:, place[conditions.combined]]


def _check_curves(conditions: Conditions) -> None:
    problems = []
    for drug, name in enumerate(conditions.drugs):
        doses, _ = single_drug(conditions, drug)
        positive = int((doses > 0).sum())
        if positive < 3:
            problems.append(f"{name} alone was measured at {positive} dose(s); its Hill curve needs at least 3")
    raise_together(problems, "single-drug curves")
