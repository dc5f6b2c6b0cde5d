"""The virtual dose response: one drug, many doses, one row per well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..checked import checked
from ..errors import raise_together
from ..lab import CellLine, Library, default_library
from ..model import Model
from ..progress import announced
from ..solve import Solver
from ..stats.noise import WellNoise
from ..threads import Workers
from .names import open_model, read_lines
from .screen_input import (
    full_medium,
    read_doses,
    read_medium,
    read_plate,
    read_readout,
    read_times,
)
from .wells import Place, Plate, add_doses, assemble, fill_plates, read_signals

if TYPE_CHECKING:
    import pandas as pd


@checked
@announced("dose response")
def dose_response(
    model: Model | str | Path,
    cell_line: CellLine | str | Sequence[CellLine | str],
    drug: str | Sequence[str],
    doses: str | Iterable[float | str] = "1 nM .. 10 uM x 9",
    readout: str = "viability",
    time: str | Iterable[float] = "72 h",
    *,
    medium: str | None = None,
    before: str | None = None,
    plate: Plate | int | None = None,
    replicates: int = 1,
    noise: WellNoise | None = None,
    seed: int = 0,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Treat a cell line with a series of doses and read every well.

    Args:
        cell_line: a line, or several (each on plates of its own).
        drug: a drug, or several, each on its own.
        doses: ``"1 nM .. 10 uM x 9"``, or numbers in nM, or texts such as ``["0 nM", "100 nM"]``; vehicle wells are
            always there, whether or not a zero dose is named.
        readout: ``viability`` (% of vehicle), ``colony`` (% of vehicle, meant for ``time="14 d"``), ``GR``, or any
            readout of the model, in the model's own unit.
        time: when the wells are read, from the start of the drug; several times make several rows per well.
        medium: what all wells contain, vehicle wells included; default full medium (``serum 10 %``, or nothing where
            the model knows no serum).
        before: steps that come first, for example ``"vehicle for 24 h"``.
        plate: 96 or 384 (or a :class:`Plate`) places wells and adds ``plate, well``; vehicle fills the first column.
        replicates: plates of the same layout; they differ only when there is noise.
        noise: None gives what the model says; with noise a plate is read as at the bench, vehicle wells included.
        seed: starts the noise. The noise of a well depends on what is in it, not on where it stands in the table.
        workers: a number of threads of this machine, or who else takes wells, as of :func:`pathsim.fit`.

    Returns:
        The one table, ``cell_line, treatment, time_min, readout, value``, with ``unit, drug, dose_nM, replicate`` and,
        on plates, ``plate, well``. Vehicle wells have dose 0. Rows: drug, line, time, replicate, then ascending dose.

    Raises:
        InputError: every name, dose, time or number that makes no sense, at once. SimulationError: a well failed.

    >>> wells = ps.dose_response("pi3k_mapk", "T47D", "alpelisib", "10 nM .. 10 uM x 5")
    >>> 300 < ps.hill.fit(wells["dose_nM"], wells["value"]).ic50.value < 1000
    True
    """
    opened = open_model(model)
    shelf = library or default_library(opened.version)
    problems: list[str] = []
    drugs = [drug] if isinstance(drug, str) else list(drug)
    if not drugs:
        problems.append("no drug is named")
    problems += [f"drug '{name}' is named twice" for name in sorted({n for n in drugs if drugs.count(n) > 1})]
    lines = read_lines(cell_line, shelf, problems)
    amounts = read_doses(doses if isinstance(doses, str) else list(doses), " and ".join(drugs), problems)
    moments = read_times(time, problems)
    measured = read_readout(readout, opened, problems)
    layout = read_plate(plate, noise, replicates, problems)
    vehicle = read_medium(medium or full_medium(opened), before, drugs, moments, shelf, problems)
    raise_together(problems, "dose response")
    assert vehicle is not None
    treatments = [[add_doses(vehicle, [(name, dose)]) for dose in amounts] for name in drugs]
    everything = [treatment for series in treatments for treatment in series]
    signals = read_signals(opened, lines, everything, vehicle, measured, moments, shelf, solver, workers)
    places = fill_plates(layout, len(amounts), replicates)
    frames = []
    for number, (name, series) in enumerate(zip(drugs, treatments, strict=True)):
        own = slice(number * len(amounts), (number + 1) * len(amounts))
        part = replace(signals, values=signals.values[:, own])
        labels = {"drug": [name] * len(places), "dose_nM": [dose_of(place, amounts) for place in places]}
        frames.append(assemble(lines, moments, places, [vehicle, *series], part, measured, labels, noise, seed))
    if len(frames) == 1:
        return frames[0]
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def dose_of(place: Place, amounts: Sequence[float]) -> float:
    """The dose in a well, 0 for vehicle."""
    return 0.0 if place.treatment < 0 else amounts[place.treatment]
