"""The virtual combination screen: a matrix of doses of two or three drugs, single agents and vehicle included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checked import checked
from ..errors import PathsimError, raise_together, unknown
from ..lab import CellLine, Library, default_library
from ..model import Model
from ..progress import announced
from ..solve import Solver
from ..stats.noise import WellNoise
from ..threads import Workers
from ..units import Dimension, Quantity, quantity
from .names import open_model, read_lines
from .screen_input import (
    full_medium,
    read_doses,
    read_medium,
    read_plate,
    read_readout,
    read_times,
)
from .wells import Plate, Readout, Scale, add_doses, assemble, fill_plates, in_sequence, read_signals

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
    sequence: str | None = None,
    plate: Plate | int | None = None,
    replicates: int = 1,
    noise: WellNoise | None = None,
    seed: int = 0,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Treat a cell line with every combination of doses of two or three drugs and read every well.

    The zero dose of every drug is always part of the matrix, so single-agent arms and vehicle wells are there. A drug
    may be combined with itself (name it twice). Other arguments and errors as :func:`dose_response`.

    Args:
        drugs: two or three drugs.
        doses: one series for all drugs, or a mapping from drug to its series.
        sequence: how long each drug but the last is given alone, before it is washed out for the next (``"24 h"``);
            default: all together. ``time`` counts from the start of the last drug.

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
    alone = _alone(sequence, measured, problems)
    raise_together(problems, "combination screen")
    assert vehicle is not None
    matrix = [doses_ for doses_ in product(*([0.0, *one] for one in series)) if any(doses_)]
    if alone is None:
        treatments = [add_doses(vehicle, list(zip(names, doses_, strict=True))) for doses_ in matrix]
    else:
        treatments = [in_sequence(vehicle, list(zip(names, doses_, strict=True)), alone) for doses_ in matrix]
        vehicle = in_sequence(vehicle, [(name, 0.0) for name in names], alone)
    signals = read_signals(opened, lines, treatments, vehicle, measured, moments, shelf, solver, workers)
    places = fill_plates(layout, len(treatments), replicates)
    nothing = (0.0,) * len(names)
    labels: dict[str, Any] = {}
    for i, name in enumerate(names):
        labels[f"drug{i + 1}"] = name
        labels[f"dose{i + 1}_nM"] = [(nothing if p.treatment < 0 else matrix[p.treatment])[i] for p in places]
    return assemble(lines, moments, places, [vehicle, *treatments], signals, measured, labels, noise, seed)


def _alone(sequence: str | None, readout: Readout, problems: list[str]) -> Quantity | None:
    """How long each drug but the last is alone; None where all are given together."""
    if sequence is None:
        return None
    try:
        found = quantity(sequence, Dimension.TIME)
    except PathsimError as error:
        problems.append(f"sequence: {error}")
        return None
    if found.value <= 0:
        problems.append(f"sequence is {found}; each drug but the last is given for a time above 0")
    if readout.scale is Scale.GROWTH_RATE:
        problems.append("GR compares growth since the one moment when drugs are given; read viability of a sequence")
    return found


def _series(names: Sequence[str], doses: Doses | Mapping[str, Doses], problems: list[str]) -> list[list[float]]:
    if not isinstance(doses, Mapping):
        shared = doses if isinstance(doses, str) else list(doses)
        return [read_doses(shared, name, problems) for name in names]
    problems += [str(unknown("drug", name, names, "in doses")) for name in doses if name not in names]
    problems += [f"no doses are given for {name}" for name in names if name not in doses]
    return [read_doses(doses[name], name, problems) for name in names if name in doses]
