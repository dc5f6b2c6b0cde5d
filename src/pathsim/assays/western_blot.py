"""The virtual western blot: cell lines times treatments times times, one row per band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError, PathsimError, raise_together, unknown
from ..experiments.readings import simulate_conditions
from ..lab import CellLine, Condition, Library, Treatment, default_library
from ..lab.protocols import protocols
from ..model import Model, load_model
from ..progress import announced
from ..solve import Solver
from ..threads import Workers
from ..units import times_min
from .names import read_line

if TYPE_CHECKING:
    import pandas as pd

    from ..stats.noise import BlotNoise


@checked
@announced("western blot")
def western_blot(
    model: Model | str | Path,
    cell_lines: Sequence[CellLine | str] | CellLine | str,
    treatments: Sequence[Treatment | str] | Treatment | str,
    readouts: Sequence[str] | str,
    times: Iterable[float] | float | str,
    replicates: int = 1,
    noise: BlotNoise | None = None,
    seed: int = 0,
    *,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Run a western blot.

    Cells rest in full medium, go through each treatment, and are lysed at ``times`` (minutes from the start of the
    last step, or text such as ``"0 15 min"``).

    Args:
        readouts: readouts of the model, and loading controls (``"vinculin"``).
        replicates: gels of the same lanes; they differ only when there is noise.
        noise: None gives the model's own values (nM; 1 for a loading control), else densitometry in arbitrary units.
        seed: starts the noise. The noise of a band depends on what it is, not on where it stands in the table.
        workers: as of :func:`dose_response`.

    Returns:
        The one table: ``cell_line, treatment, time_min, readout, value, unit``, with ``replicate`` and ``gel`` when
        there are several gels or noise. Rows are ordered as asked: line, treatment, time, readout, replicate.

    Raises:
        InputError: a name, treatment, time or number that makes no sense. SimulationError: a condition failed.

    >>> table = ps.western_blot("pi3k_mapk", ["T47D", "T47D+PTEN_loss"], "serum 10 %", ["pAKT_S473"], "1 h")
    >>> table["value"].is_monotonic_increasing
    True
    """
    import pandas as pd

    asked = (cell_lines, treatments, readouts, times, replicates, noise, seed)
    return pd.DataFrame(blot_columns(model, *asked, library=library, solver=solver, workers=workers))


def blot_columns(
    model: Model | str | Path,
    cell_lines: Sequence[CellLine | str] | CellLine | str,
    treatments: Sequence[Treatment | str] | Treatment | str,
    readouts: Sequence[str] | str,
    times: Iterable[float] | float | str,
    replicates: int = 1,
    noise: BlotNoise | None = None,
    seed: int = 0,
    *,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> dict[str, npt.NDArray[Any]]:
    """The columns of :func:`western_blot`, each (bands,), without pandas, which takes longer to load than a blot."""
    opened = model if isinstance(model, Model) else load_model(model)
    shelf = library or default_library(opened.version)
    lines, treated = _read_lanes(cell_lines, treatments, shelf)
    names = [readouts] if isinstance(readouts, str) else list(readouts)
    moments = times_min(times) if isinstance(times, str) else _checked_times(times)
    _check_numbers(names, replicates)
    _check_durations(treated, moments)
    controls = protocols(opened.version).loading_controls
    measured = [name for name in names if name not in controls]
    _check_readouts(opened, measured, controls)
    conditions = [Condition(line, treatment) for line in lines for treatment in treated]
    signal = np.empty((len(conditions), len(moments), 0))
    if measured:
        signal = simulate_conditions(opened, conditions, moments, measured, shelf, solver, workers)
    lanes = [Lane(str(c.cell_line), str(c.treatment), time) for c in conditions for time in moments]
    bands = np.ones((len(lanes), len(names)))
    for column, name in enumerate(names):
        if name not in controls:
            bands[:, column] = signal[:, :, measured.index(name)].reshape(-1)
    return _columns(lanes, names, bands, _units(opened, names, noise), replicates, noise, seed)


def _units(model: Model, names: Sequence[str], noise: BlotNoise | None) -> list[str]:
    """The unit of each band: arbitrary on a gel with noise, else the model's, 1 for a loading control."""
    if noise is not None:
        return ["a.u."] * len(names)
    known = {note.name: note.unit for note in model.annotations}
    controls = protocols(model.version).loading_controls
    return [known.get(name, "1" if name in controls else "") for name in names]


class Lane(NamedTuple):
    """One lane of a gel."""

    cell_line: str
    treatment: str
    time_min: float


def _columns(
    lanes: Sequence[Lane],
    names: Sequence[str],
    bands: FloatArray,
    units: Sequence[str],
    replicates: int,
    noise: BlotNoise | None,
    seed: int,
) -> dict[str, npt.NDArray[Any]]:
    gels = [bands if noise is None else expose(bands, lanes, names, noise, seed, gel) for gel in range(replicates)]
    count = len(lanes) * len(names)
    columns: dict[str, npt.NDArray[Any]] = {
        "cell_line": np.repeat([lane.cell_line for lane in lanes], len(names) * replicates),
        "treatment": np.repeat([lane.treatment for lane in lanes], len(names) * replicates),
        "time_min": np.repeat([lane.time_min for lane in lanes], len(names) * replicates),
        "readout": np.tile(np.repeat(names, replicates), len(lanes)),
        "value": np.stack([gel.reshape(-1) for gel in gels], axis=1).reshape(-1),
        "unit": np.tile(np.repeat(units, replicates), len(lanes)),
    }
    if replicates > 1 or noise is not None:
        columns["replicate"] = np.tile(np.arange(1, replicates + 1), count)
        columns["gel"] = np.array([f"gel {number}" for number in columns["replicate"].tolist()])
    return columns


def expose(
    bands: FloatArray, lanes: Sequence[Lane], names: Sequence[str], noise: BlotNoise, seed: int, gel: int
) -> FloatArray:
    """Densitometry of true ``bands`` (lanes, antibodies) on one gel, in arbitrary units."""
    loading = np.array([noise.loading.factor(seed, gel, "lane", *lane) for lane in lanes])[:, None]
    result = np.empty_like(bands)
    for column, name in enumerate(names):
        each = np.array([noise.band.factor(seed, gel, "band", name, *lane) for lane in lanes])
        brightest = max(float(bands[:, column].max()), 1e-300)
        signal = bands[:, column] / brightest * loading[:, 0] * each + noise.background
        gain = 1000.0 * noise.gain.factor(seed, gel, "antibody", name)
        result[:, column] = gain * signal / (1.0 + signal / noise.saturation)
    return result


def _read_lanes(
    cell_lines: Sequence[CellLine | str] | CellLine | str,
    treatments: Sequence[Treatment | str] | Treatment | str,
    library: Library,
) -> tuple[list[CellLine], list[Treatment]]:
    """Lines and treatments as records; every name that is not known is reported at once."""
    problems: list[str] = []
    asked = [cell_lines] if isinstance(cell_lines, (CellLine, str)) else cell_lines
    lines = [line for item in asked if (line := read_line(item, library, problems)) is not None]
    protocols: list[Treatment] = []
    for text in [treatments] if isinstance(treatments, (Treatment, str)) else treatments:
        try:
            protocols.append(Treatment.parse(text) if isinstance(text, str) else text)
        except PathsimError as error:
            problems.append(str(error))
    for name in dict.fromkeys(name for protocol in protocols for name in protocol.names):
        try:
            library.drug(name)
        except PathsimError as error:
            problems.append(str(error))
    raise_together(problems)
    if not lines or not protocols:
        raise InputError("a blot needs at least one cell line and one treatment")
    return lines, protocols


def _checked_times(times: Iterable[float] | float) -> list[float]:
    moments = [float(time) for time in ([times] if isinstance(times, (int, float)) else times)]
    problems = [f"time {time!r} min is not a time from 0 on" for time in moments if not 0 <= time < float("inf")]
    raise_together(problems)
    if not moments:
        raise InputError("a blot needs at least one time")
    return moments


def _check_readouts(model: Model, measured: Sequence[str], controls: Iterable[str]) -> None:
    known = set(model.symbols)
    possible = [*model.readouts, *controls]
    raise_together(
        [
            str(unknown("readout", name, possible, "(pathsim list readouts shows all)"))
            for name in measured
            if name not in known
        ]
    )


def _check_numbers(readouts: Sequence[str], replicates: int) -> None:
    if not readouts:
        raise InputError("a blot needs at least one readout")
    if replicates < 1:
        raise InputError(f"replicates is {replicates}; at least 1 gel is needed")


def _check_durations(protocols: Iterable[Treatment], moments: Sequence[float]) -> None:
    """A last step that names its duration must last until the latest lysate."""
    latest = max(moments)
    raise_together(
        [
            f"treatment '{protocol}' ends {protocol.steps[-1].duration} after its last step began, before the lysate "
            f"at {latest:g} min"
            for protocol in protocols
            if (minutes := protocol.steps[-1].minutes) is not None and minutes < latest
        ]
    )


@checked
def resistance_blot_protocol(drug: str | None = None, ligand: str | None = None, version: str = "") -> list[str]:
    """Treatments of the bench protocol for profiling resistance: starve, inhibit, stimulate, with every control.

    Returns vehicle, ligand, drug, and drug with ligand (``[resistance_blot]`` of ``models/protocols.toml``, which also
    names lines, antibodies and when to lyse). ``drug`` and ``ligand`` are doses; default: alpelisib 1 uM, IGF1 13 nM.
    ``version``: of the bundled models, by default the current one.

    >>> len(ps.resistance_blot_protocol("inavolisib"))
    4
    """
    standard = protocols(version).resistance_blot
    doses = {"drug": drug or standard.drug, "ligand": ligand or standard.ligand}
    return [treatment.format(**doses) for treatment in standard.treatments]
