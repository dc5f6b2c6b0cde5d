"""A plate whose map says what stands in each well: every well treated and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..checked import checked
from ..errors import InputError, PathsimError, brief, raise_together
from ..lab import CellLine, Library, Treatment, default_library
from ..model import Model
from ..progress import announced
from ..solve import Solver
from ..stats.noise import WellNoise
from ..threads import Workers
from .names import open_model, read_line
from .plate_map import PlateMap, Well, read_plate_map
from .screen_input import full_medium, read_readout, read_replicates, read_times
from .wells import Place, assemble, read_signals

if TYPE_CHECKING:
    import pandas as pd


@checked
@announced("plate")
def run_plate(
    model: Model | str | Path,
    plate_map: PlateMap | str | Path,
    time: str | None = None,
    readout: str | None = None,
    *,
    cell_line: str | None = None,
    replicates: int = 1,
    noise: WellNoise | None = None,
    seed: int = 0,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Treat the wells of a plate as its map says, and read each.

    Viability, colony and GR are relative to the vehicle wells (nothing but medium) of the same line on the same plate.

    Args:
        plate_map: the file of a map, or a map that was read from one.
        cell_line: of a file, the line of wells for which it names none.
        time, readout: as of :func:`pathsim.dose_response`; default those of the map.
        replicates: plates of the same layout; they differ only with ``noise``.
        workers: as of :func:`pathsim.dose_response`.

    Returns:
        The one table with ``unit``, ``replicate``, ``plate`` and ``well``, a row per well in the order of the plate.

    Raises:
        InputError: a name or number that makes no sense, or a line without vehicle wells that needs them.
        SimulationError: a well could not be simulated.

    >>> table = ps.run_plate("pi3k_mapk", "plate.toml", "72 h", "viability")  # doctest: +SKIP
    """
    import pandas as pd

    opened = open_model(model)
    shelf = library or default_library(opened.version)
    asked = plate_map if isinstance(plate_map, PlateMap) else read_plate_map(plate_map, cell_line)
    problems: list[str] = []
    read_replicates(replicates, problems)
    moments = read_times(time or asked.time, problems)
    measured = read_readout(readout or asked.readout, opened, problems)
    medium = asked.medium or full_medium(opened)
    vehicle = _parsed(f"{asked.before} then {medium}" if asked.before else medium, "medium", problems)
    raise_together(problems, asked.source or "plate")
    assert vehicle is not None
    treated = {name: _treatment(vehicle, well, name, problems) for name, well in asked.wells.items()}
    lines: dict[str, CellLine | None] = {}
    for well in asked.wells.values():
        if well.cell_line not in lines:
            lines[well.cell_line] = read_line(well.cell_line, shelf, problems)
    for name in dict.fromkeys(name for one in (vehicle, *treated.values()) if one is not None for name in one.names):
        try:
            shelf.drug(name)
        except PathsimError as error:
            problems.append(str(error))
    latest = max(moments)
    problems += [
        f"well {name}: '{one}' ends {one.steps[-1].duration} after its last step began, before {latest:g} min"
        for name, one in treated.items()
        if one is not None and one.steps[-1].minutes is not None and one.steps[-1].minutes < latest
    ]
    raise_together(problems, asked.source or "plate")
    frames = []
    for text, line in lines.items():
        assert line is not None
        own = {name: one for name, one in treated.items() if one is not None and asked.wells[name].cell_line == text}
        others = [one for one in dict.fromkeys(own.values()) if str(one) != str(vehicle)]
        if len(others) and measured.scale.value and all(str(one) != str(vehicle) for one in own.values()):
            raise InputError(
                f"{asked.source or 'plate'}: {text} has no vehicle well ('{vehicle}'), which {measured.name} is "
                "relative to; add one, or read a readout of the model"
            )
        number = {str(vehicle): -1, **{str(one): i for i, one in enumerate(others)}}
        places = [
            Place(number[str(one)], replicate, f"plate {replicate}", name)
            for replicate in range(1, replicates + 1)
            for name, one in own.items()
        ]
        signals = read_signals(opened, [line], others, vehicle, measured, moments, shelf, solver, workers)
        frames.append(assemble([line], moments, places, [vehicle, *others], signals, measured, {}, noise, seed))
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values(["time_min", "replicate", "well"], kind="stable", ignore_index=True)


def _treatment(vehicle: Treatment, well: Well, name: str, problems: list[str]) -> Treatment | None:
    if well.treatment:
        return _parsed(well.treatment, f"well {name}", problems)
    found = _parsed(well.add, f"well {name}", problems)
    if found is None:
        return None
    if len(found.steps) > 1 or found.steps[0].duration is not None:
        problems.append(f"well {name}: '{brief(well.add)}' has steps or a duration; name what is added to the medium")
        return None
    return vehicle.with_added(found.steps[0].doses)


def _parsed(text: str, where: str, problems: list[str]) -> Treatment | None:
    try:
        return Treatment.parse(text)
    except PathsimError as error:
        problems.append(f"{where}: {error}")
        return None
