"""The virtual combination screen: a matrix of doses of two or three drugs, single agents and vehicle included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checked import checked
from ..errors import raise_together, unknown
from ..lab import CellLine, Library, default_library
from ..model import Model
from ..progress import announced
from ..solve import Solver
from ..stats.noise import WellNoise
from .names import open_model, read_lines
from .screen_input import (
    full_medium,
    read_doses,
    read_medium,
    read_plate,
    read_readout,
    read_times,
)
from .wells import Plate, add_doses, assemble, fill_plates, read_signals

if TYPE_CHECKING:
    import pandas as pd

Doses = str | Iterable[float | str]


@checked
@announced("combination screen")
def combination_screen(
    model: Model | str | Path,
    cell_line: CellLine | str | Sequence[CellLine | str],
    drugs: Sequence[str],
    doses: Doses | Mapping[str, Doses] = "1 nM .. 10 uM x 7",
    time: str | Iterable[float] = "72 h",
    readout: str = "viability",
    *,
    medium: str | None = None,
    before: str | None = None,
    plate: Plate | int | None = None,
    replicates: int = 1,
    noise: WellNoise | None = None,
    seed: int = 0,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Treat a cell line with every combination of doses of two or three drugs and read every well.

    The zero dose of every drug is always part of the matrix, so single-agent arms and vehicle wells are there. A drug
    may be combined with itself (name it twice). Other arguments and errors as :func:`dose_response`.

    Args:
        drugs: two or three drugs.
        doses: one series for all drugs, or a mapping from drug to its series.

    Returns:
        The one table with ``unit``, ``drug1, dose1_nM, drug2, dose2_nM`` (and ``drug3, dose3_nM``), ``replicate`` and,
        on plates, ``plate, well``. Rows: line, time, replicate, then ascending doses, the last drug fastest.

    >>> screen = ps.combination_screen("pi3k_mapk", "T47D", ["alpelisib", "capivasertib"], "100 nM 1 uM")
    >>> ps.synergy.bliss(screen, resamples=0).unit
    'percentage points of inhibition'
    """
    opened = open_model(model)
    shelf = library or default_library(opened.version)
    problems: list[str] = []
    names = [drugs] if isinstance(drugs, str) else list(drugs)
    if len(names) not in (2, 3):
        problems.append(f"a combination is of two or three drugs, not of {len(names)}")
    lines = read_lines(cell_line, shelf, problems)
    series = _series(names, doses, problems)
    moments = read_times(time, problems)
    measured = read_readout(readout, opened, problems)
    layout = read_plate(plate, noise, replicates, problems)
    vehicle = read_medium(medium or full_medium(opened), before, names, moments, shelf, problems)
    raise_together(problems, "combination screen")
    assert vehicle is not None
    matrix = [doses_ for doses_ in product(*([0.0, *one] for one in series)) if any(doses_)]
    treatments = [add_doses(vehicle, list(zip(names, doses_, strict=True))) for doses_ in matrix]
    signals = read_signals(opened, lines, treatments, vehicle, measured, moments, shelf, solver, workers)
    places = fill_plates(layout, len(treatments), replicates)
    nothing = (0.0,) * len(names)
    labels: dict[str, Any] = {}
    for i, name in enumerate(names):
        labels[f"drug{i + 1}"] = name
        labels[f"dose{i + 1}_nM"] = [(nothing if p.treatment < 0 else matrix[p.treatment])[i] for p in places]
    return assemble(lines, moments, places, [vehicle, *treatments], signals, measured, labels, noise, seed)


def _series(names: Sequence[str], doses: Doses | Mapping[str, Doses], problems: list[str]) -> list[list[float]]:
    if not isinstance(doses, Mapping):
        shared = doses if isinstance(doses, str) else list(doses)
        return [read_doses(shared, name, problems) for name in names]
    problems += [str(unknown("drug", name, names, "in doses")) for name in doses if name not in names]
    problems += [f"no doses are given for {name}" for name in names if name not in doses]
    return [read_doses(doses[name], name, problems) for name in names if name in doses]
