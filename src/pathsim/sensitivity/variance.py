"""Global sensitivity: which parameters make a readout vary when all vary at once.

Sobol indices (Saltelli 2010 estimators in scipy) say what share of the variance a parameter explains alone (first
order) and with all its interactions (total). Morris screening (SALib) ranks many parameters with few simulations.

Where some sets of parameters cannot be simulated (no steady state, say), their points or trajectories are left out as a
whole and counted, and the result speaks of the rest of the ranges; beyond a fifth of all sets it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..arrays import FloatArray, IntArray
from ..checked import checked
from ..errors import InputError
from ..lab import CellLine, Library
from ..model import Model
from ..progress import announced
from ..solve import Rosenbrock, Solver
from ..threads import Workers
from .local import Interval, Setup, at_shares, intervals, of_each, set_up

if TYPE_CHECKING:
    import pandas as pd

MOST_FAILURES = 0.2


@checked
@announced("Sobol indices")
def sobol_indices(
    model: Model | str | Path,
    cell_line: CellLine | str | Sequence[CellLine | str],
    treatment: str,
    readouts: Sequence[str] | str,
    time: str | float = "24 h",
    *,
    values: Mapping[str, Interval] | None = None,
    factors: Mapping[str, Interval] | None = None,
    points: int = 1024,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 200,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Sobol indices of readouts, with bootstrap intervals.

    Args:
        values: parameter -> interval of its value, ``(low, high)`` or ``"0.1 .. 10 log"``.
        factors: parameter -> interval of a factor on the cell line's own value.
        points: base sample, a power of 2; the number of simulations is ``points * (parameters + 2)``.

    Returns:
        One row per readout and parameter: ``cell_line, treatment, time_min, readout, parameter, first, first_low,
        first_high, total, total_low, total_high, points, simulations, failed``; the largest total first for each
        readout. ``points`` are those used.

    Raises:
        InputError: unknown names, bad intervals, a readout that does not vary. SimulationError: a set failed.

    >>> factors = {"PTEN_total": "0.5 .. 2 log", "AKT_total": "0.5 .. 2 log"}
    >>> table = ps.sensitivity.sobol_indices(
    ...     "pi3k_mapk", "T47D", "vehicle", "pAKT_S473", "1 h", factors=factors, points=64
    ... )  # doctest: +SKIP
    """
    if not isinstance(cell_line, CellLine | str):
        return of_each(
            cell_line,
            lambda line: sobol_indices(
                model, line, treatment, readouts, time, values=values, factors=factors, points=points, seed=seed,
                confidence=confidence, resamples=resamples, library=library, solver=solver, workers=workers,
            ),
        )  # fmt: skip
    if points < 2 or points & (points - 1):
        raise InputError(f"points is {points}; a Sobol sample needs a power of 2 (512, 1024, ...)")
    confidence = arguments.share(confidence, "confidence")
    axes = intervals(values, factors)
    setup = set_up(model, cell_line, treatment, readouts, time, axes, library, solver or Rosenbrock())
    shares = saltelli(points, len(axes), seed)
    read = setup.read(at_shares(axes, shares), workers, MOST_FAILURES)
    groups = read.reshape(len(axes) + 2, points, -1)
    whole = np.flatnonzero(np.isfinite(groups).all(axis=(0, 2)))
    used = 1 << (len(whole).bit_length() - 1) if len(whole) else 0  # the estimators take powers of 2
    if used < 2:
        raise InputError(f"only {len(whole)} of {points} points could be simulated whole; take more points")
    columns = _indices(_varying(setup, groups[:, whole[:used]]), resamples, confidence, seed)
    by_readout = [{name: column[i] for name, column in columns.items()} for i in range(read.shape[1])]
    return _table(setup, by_readout, "total", {"points": used}, read)


def saltelli(points: int, parameters: int, seed: int) -> FloatArray:
    """Points of the unit cube ((parameters + 2) * points, parameters): A, B, and A with each column from B in turn."""
    from scipy.stats import qmc  # slow to load, and only wanted here

    pair = qmc.Sobol(2 * parameters, scramble=True, rng=np.random.default_rng(seed)).random(points)
    A, B = pair[:, :parameters], pair[:, parameters:]
    mixed = [np.where(np.arange(parameters) == column, B, A) for column in range(parameters)]
    return np.vstack([A, B, *mixed])


def _indices(readings: FloatArray, resamples: int, confidence: float, seed: int) -> dict[str, FloatArray]:
    """Indices with percentile-bootstrap limits (readouts, parameters); readings (parameters + 2, points, readouts)."""
    from scipy import stats  # slow to load, and only wanted here

    f = np.moveaxis(readings, 2, 1)  # (parameters + 2, readouts, points), as scipy wants it
    readouts = f.shape[1]
    f = np.repeat(f, 2, axis=1) if readouts == 1 else f  # scipy cannot do one parameter of one readout
    random = np.random.default_rng(seed)

    def estimate(pick: IntArray) -> FloatArray:
        func: Any = {"f_A": f[0][:, pick], "f_B": f[1][:, pick], "f_AB": f[2:][:, :, pick]}
        found = stats.sobol_indices(func=func, n=f.shape[2])
        orders = [np.reshape(order, (f.shape[1], -1)) for order in (found.first_order, found.total_order)]
        return np.stack(orders)[:, :readouts]

    first, total = estimate(np.arange(f.shape[2], dtype=np.int64))
    picks = random.integers(f.shape[2], size=(resamples, f.shape[2]))
    spread = np.stack([estimate(pick) for pick in picks])
    low, high = np.quantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return {
        "first": first,
        "first_low": low[0],
        "first_high": high[0],
        "total": total,
        "total_low": low[1],
        "total_high": high[1],
    }


@checked
@announced("Morris effects")
def morris_effects(
    model: Model | str | Path,
    cell_line: CellLine | str | Sequence[CellLine | str],
    treatment: str,
    readouts: Sequence[str] | str,
    time: str | float = "24 h",
    *,
    values: Mapping[str, Interval] | None = None,
    factors: Mapping[str, Interval] | None = None,
    trajectories: int = 50,
    levels: int = 4,
    seed: int = 0,
    confidence: float = 0.95,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Elementary effects (Morris 1991, Technometrics 33:161; mu* of Campolongo 2007), needs the extra [sensitivity].

    An effect is the change of the readout, in its own unit, per full width of a parameter's interval. Arguments and
    errors otherwise as :func:`sobol_indices`; the number of simulations is ``trajectories * (parameters + 1)``.

    Returns:
        One row per readout and parameter: ``cell_line, treatment, time_min, readout, parameter, mu, mu_star,
        mu_star_error, sigma, trajectories, simulations, failed``; ``mu_star_error`` is the half width of its interval.
        Largest mu* first.

    >>> factors = {"PTEN_total": "0.5 .. 2 log", "AKT_total": "0.5 .. 2 log"}
    >>> table = ps.sensitivity.morris_effects(
    ...     "pi3k_mapk", "T47D", "vehicle", "pAKT_S473", "1 h", factors=factors
    ... )  # doctest: +SKIP
    """
    if not isinstance(cell_line, CellLine | str):
        return of_each(
            cell_line,
            lambda line: morris_effects(
                model, line, treatment, readouts, time, values=values, factors=factors, trajectories=trajectories,
                levels=levels, seed=seed, confidence=confidence, library=library, solver=solver, workers=workers,
            ),
        )  # fmt: skip
    confidence = arguments.share(confidence, "confidence")
    try:
        from SALib.analyze import morris as analysis
        from SALib.sample import morris as sampling
    except ImportError:
        raise InputError("Morris screening needs SALib: pip install SALib") from None
    if trajectories < 2 or levels < 2 or levels % 2:
        raise InputError(f"{trajectories} trajectories on {levels} levels; at least 2 and an even number are needed")
    axes = intervals(values, factors)
    setup = set_up(model, cell_line, treatment, readouts, time, axes, library, solver or Rosenbrock())
    problem = {"num_vars": len(axes), "names": setup.names, "bounds": [[0.0, 1.0]] * len(axes)}
    shares = sampling.sample(problem, trajectories, num_levels=levels, seed=seed)
    read = setup.read(at_shares(axes, shares), workers, MOST_FAILURES)
    groups = read.reshape(trajectories, len(axes) + 1, -1)
    whole = np.flatnonzero(np.isfinite(groups).all(axis=(1, 2)))
    if len(whole) < 2:
        raise InputError(f"only {len(whole)} of {trajectories} trajectories could be simulated whole; take more")
    readings = _varying(setup, groups[whole]).reshape(-1, read.shape[1])
    shares = shares.reshape(trajectories, len(axes) + 1, -1)[whole].reshape(len(readings), -1)
    by_readout = []
    for column in readings.T:
        found = analysis.analyze(problem, shares, column, num_levels=levels, conf_level=confidence, seed=seed)
        effects = {"mu": "mu", "mu_star": "mu_star", "mu_star_error": "mu_star_conf", "sigma": "sigma"}
        by_readout.append({name: np.asarray(found[theirs]) for name, theirs in effects.items()})
    return _table(setup, by_readout, "mu_star", {"trajectories": len(whole)}, read)


def _table(
    setup: Setup, by_readout: Sequence[Mapping[str, FloatArray]], order: str, used: Mapping[str, int], read: FloatArray
) -> pd.DataFrame:
    """One row per readout and parameter, the largest ``order`` first for each readout."""
    import pandas as pd

    counts = {**used, "simulations": len(read), "failed": int(np.isnan(read[:, 0]).sum())}
    frames = [
        pd.DataFrame({**setup.columns, "readout": readout, "parameter": setup.names, **columns, **counts})
        for readout, columns in zip(setup.design.readouts, by_readout, strict=True)
    ]
    ordered = [frame.sort_values(order, ascending=False, kind="stable") for frame in frames]
    return pd.concat(ordered, ignore_index=True)


def _varying(setup: Setup, readings: FloatArray) -> FloatArray:
    """Readings (..., readouts). Raises :class:`InputError` for a readout that nothing moves: it has no variance."""
    still = [
        name
        for name, column in zip(setup.design.readouts, np.moveaxis(readings, -1, 0), strict=True)
        if np.ptp(column) <= 1e-9 * np.abs(column).max()
    ]
    if still:
        raise InputError(f"nothing that varies moves {', '.join(still)}, so there is no variance to explain")
    return readings
