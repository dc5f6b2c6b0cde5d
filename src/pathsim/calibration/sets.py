"""Parameter sets by fits to perturbed data, kept in a file as they are found: a run that was stopped makes the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from ..estimation.optimise import QuasiNewton
from ..estimation.perturbed import SEARCH, PerturbedFits, perturbed_fits
from ..estimation.problem import Problem
from ..files import append_line
from ..stored_records import json_lines, plain, record_of
from ..threads import Workers


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """Set ``number`` of a sample: ``theta``, on scale."""

    number: int
    theta: tuple[float, ...]


def kept_fits(
    path: Path,
    problem: Problem,
    theta: FloatArray,
    size: int,
    seed: int,
    workers: Workers,
    report: Callable[[str], None],
    any_processor: bool = False,
    search: QuasiNewton = SEARCH,
) -> PerturbedFits:
    """As :func:`pathsim.estimation.perturbed.perturbed_fits`; ``path`` keeps each, and what it holds is not done again.

    Raises :class:`InputError` for vectors there that are not of this problem.
    """

    def keep(number: int, theta: FloatArray) -> None:
        append_line(path, json.dumps(plain(ParameterSet(number, tuple(theta.tolist())))) + "\n")

    return perturbed_fits(
        problem,
        theta,
        size,
        seed,
        workers,
        any_processor,
        search=search,
        report=report,
        known=_kept_sets(path, len(theta)),
        keep=keep,
    )


def _kept_sets(path: Path, length: int) -> dict[int, FloatArray]:
    """The vectors (d,) of a file by number, none where there is no file; a line torn by a kill is left out.

    Raises :class:`InputError` for vectors that have not ``length`` parameters.
    """
    if not path.exists():
        return {}
    found = [record_of(ParameterSet, content, where) for where, content in json_lines(path)]
    if any(len(one.theta) != length for one in found):
        raise InputError(f"{path}: not sets of this problem, which has {length} parameters")
    return {one.number: np.array(one.theta) for one in found}
