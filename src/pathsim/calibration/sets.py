"""Parameter sets that are kept in a file as they are found, so that a run that was stopped makes only the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from ..files import append_line
from ..stored_records import json_lines, plain, record_of


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """Set ``number`` of a sample: ``theta``, on scale."""

    number: int
    theta: tuple[float, ...]


def kept_sets(path: Path, length: int) -> dict[int, FloatArray]:
    """The vectors (d,) of a file by number, none where there is no file; a line torn by a kill is left out.

    Raises :class:`InputError` for vectors that have not ``length`` parameters.
    """
    if not path.exists():
        return {}
    found = [record_of(ParameterSet, content, where) for where, content in json_lines(path)]
    if any(len(one.theta) != length for one in found):
        raise InputError(f"{path}: not sets of this problem, which has {length} parameters")
    return {one.number: np.array(one.theta) for one in found}


def keeper(path: Path) -> Callable[[int, FloatArray], None]:
    """What adds a set to a file."""

    def keep(number: int, theta: FloatArray) -> None:
        append_line(path, json.dumps(plain(ParameterSet(number, tuple(theta.tolist())))) + "\n")

    return keep
