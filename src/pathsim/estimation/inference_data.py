"""What a fit gives as an ``arviz.InferenceData``, for the figures and diagnostics of ArviZ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from .problem import Problem
from .scales import values_of


def draws_of(
    names: Sequence[str],
    scales: tuple[str, ...],
    chain: FloatArray,
    log_posterior: FloatArray | None,
    problem: Problem | None,
) -> Any:
    """Draws (chains, draws, d) on scale, and their log posterior (chains, draws).

    Raises :class:`InputError` where arviz is not installed.
    """
    groups = {"posterior": _variables(names, scales, chain)}
    if log_posterior is not None:
        groups["sample_stats"] = {"lp": log_posterior}
    return _made(groups, problem, {})


def optima_of(
    names: Sequence[str],
    scales: tuple[str, ...],
    thetas: FloatArray,
    log_posterior: FloatArray,
    problem: Problem | None,
) -> Any:
    """Where starts ended (starts, d) on scale, as a group ``optima`` along ``start``. Raises as :func:`draws_of`."""
    return _made({}, problem, {**_variables(names, scales, thetas), "lp": log_posterior})


def _variables(names: Sequence[str], scales: tuple[str, ...], thetas: FloatArray) -> dict[str, FloatArray]:
    rows = [values_of(theta, scales) for theta in thetas.reshape(-1, len(names))]
    values = np.array(rows).reshape(thetas.shape)
    return {name: values[..., k] for k, name in enumerate(names)}


def _made(groups: dict[str, dict[str, FloatArray]], problem: Problem | None, optima: dict[str, FloatArray]) -> Any:
    try:
        import arviz
        import xarray
    except ImportError:
        raise InputError("this needs the package 'arviz': pip install 'arviz<1'") from None
    found = arviz.from_dict(**groups) if groups else arviz.InferenceData()
    if optima:
        found.add_groups({"optima": xarray.Dataset({name: ("start", values) for name, values in optima.items()})})
    if problem is not None:
        rows = [row for part in problem.description.parts for row in part.measurements]
        measured = np.array([row.value for row in rows])
        labels = {
            "observable": [row.observable for row in rows],
            "experiment": [row.experiment for row in rows],
            "time": [row.time for row in rows],
        }
        found.add_groups({"observed_data": xarray.Dataset({"measurement": ("row", measured)})})
        found.add_groups({"constant_data": xarray.Dataset({name: ("row", cells) for name, cells in labels.items()})})
    return found
