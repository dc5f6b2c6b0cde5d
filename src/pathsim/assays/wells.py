"""Wells and plates: what dose responses and combination screens share.

A well is a cell line under a treatment, read once. Signals that only mean something beside untreated cells (viability,
colony area, growth rate) are normalised to the vehicle wells of the same plate, as at the bench.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, unknown
from ..experiments.readings import simulate_conditions
from ..lab import CellLine, Condition, Dose, Library, Treatment
from ..lab.protocols import protocols
from ..model import Model
from ..solve import Solver
from ..stats import growth_rate
from ..stats.noise import WellNoise
from ..threads import Workers
from ..units import UNITS, Quantity

if TYPE_CHECKING:
    import pandas as pd


class Scale(Enum):
    """How the model's own signal becomes what the assay reports; the value is the unit printed beside it."""

    PERCENT_OF_VEHICLE = "% of vehicle"
    GROWTH_RATE = "GR"
    AS_MODELLED = ""


@dataclass(frozen=True, slots=True)
class Readout:
    """An assay's readout: the model symbol it is made from, and how."""

    name: str
    symbol: str
    scale: Scale
    unit: str


ASSAY_READOUTS = {
    "viability": (("viability", "cell_count"), Scale.PERCENT_OF_VEHICLE),
    "colony": (("cell_count", "viability"), Scale.PERCENT_OF_VEHICLE),
    "GR": (("cell_count", "viability"), Scale.GROWTH_RATE),
}
"""Readouts an assay makes from a symbol of the model: the first that exists of those that :class:`Names` gives.

``viability``: signal of a viability assay in % of the vehicle wells. ``colony``: live cells in % of vehicle, which is
what the stained area of a 14-day colony formation assay measures. ``GR``: growth rate inhibition
(Hafner 2016 Nat Methods), 1 no effect, 0 stasis, below 0 loss of cells.
"""


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate whose first column holds vehicle; treatments fill the other wells row by row."""

    rows: int
    columns: int

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the vehicle wells."""
        return tuple(f"{letter(row)}01" for row in range(self.rows))

    @property
    def treated(self) -> tuple[str, ...]:
        """Names of the wells for treatments, in the order they are filled."""
        return tuple(f"{letter(row)}{column + 1:02d}" for row in range(self.rows) for column in range(1, self.columns))


PLATES = {96: Plate(8, 12), 384: Plate(16, 24)}


def letter(row: int) -> str:
    """The name of a row, counted from 0."""
    return "ABCDEFGHIJKLMNOP"[row]


class Place(NamedTuple):
    """Where one reading of a screen stands: ``treatment`` is its number, -1 for a vehicle well."""

    treatment: int
    replicate: int
    plate: str
    well: str


def fill_plates(plate: Plate | None, treatments: int, replicates: int) -> list[Place]:
    """Every reading of one line at one time: each replicate on plates of its own, vehicle wells first."""
    places: list[Place] = []
    for replicate in range(1, replicates + 1):
        if plate is None:
            places += [Place(number, replicate, "", "") for number in range(-1, treatments)]
            continue
        room = len(plate.treated)
        for first in range(0, treatments, room):
            name = f"plate {replicate}.{first // room + 1}" if treatments > room else f"plate {replicate}"
            places += [Place(-1, replicate, name, well) for well in plate.controls]
            here = range(first, min(first + room, treatments))
            places += [Place(number, replicate, name, plate.treated[number - first]) for number in here]
    return places


@dataclass(frozen=True, eq=False)
class Signals:
    """What a screen read without any error: ``values`` (lines, treatments, times), vehicle and start (lines, times)."""

    values: FloatArray
    vehicle: FloatArray
    start: FloatArray


def find_readout(name: str, model: Model) -> Readout:
    """How the readout ``name`` is made from ``model``.

    Raises :class:`InputError` when the model has no symbol for it.
    """
    symbols = set(model.symbols)
    if name in ASSAY_READOUTS:
        roles, scale = ASSAY_READOUTS[name]
        candidates = [str(getattr(protocols(model.version).names, role)) for role in roles]
        for symbol in candidates:
            if symbol in symbols:
                return Readout(name, symbol, scale, scale.value)
        raise InputError(
            f"readout '{name}' needs {' or '.join(map(repr, candidates))} in the model, which '{model.id}' does not "
            f"have; choose one of its own: {', '.join(model.readouts[:6])}"
        )
    if name not in symbols:
        raise unknown("readout", name, [*model.readouts, *ASSAY_READOUTS], "(pathsim list readouts shows all)")
    unit = next((item.unit for item in model.annotations if item.name == name), "")
    return Readout(name, name, Scale.AS_MODELLED, unit)


def read_signals(
    model: Model,
    lines: Sequence[CellLine],
    treatments: Sequence[Treatment],
    vehicle: Treatment,
    readout: Readout,
    moments: Sequence[float],
    library: Library,
    solver: Solver | None,
    workers: Workers,
) -> Signals:
    """Simulate every treatment and the vehicle in every line."""
    protocols = [vehicle, *treatments]
    conditions = [Condition(line, protocol) for line in lines for protocol in protocols]
    grid = [0.0, *moments]
    values = simulate_conditions(model, conditions, grid, [readout.symbol], library, solver, workers)
    cube = values.reshape(len(lines), len(protocols), len(grid))
    return Signals(values=cube[:, 1:, 1:], vehicle=cube[:, 0, 1:], start=cube[:, 0, 0])


def normalise(signal: FloatArray, vehicle: FloatArray, start: FloatArray, scale: Scale) -> FloatArray:
    """A signal as the assay reports it; arrays broadcast against each other.

    Raises :class:`InputError` where the vehicle shows nothing to normalise to.
    """
    if scale is Scale.AS_MODELLED:
        return signal
    if not (vehicle > 0).all():
        raise InputError("the vehicle wells show no signal, so nothing can be expressed in % of them")
    if scale is Scale.PERCENT_OF_VEHICLE:
        return 100.0 * signal / vehicle
    doublings = np.log2(vehicle / start)
    if not (np.abs(doublings) > 1e-6).all():
        raise InputError("vehicle cells do not grow in the time of the assay, so GR is not defined; use viability")
    return growth_rate.values(signal, vehicle, start)


def read_plates(
    places: Sequence[Place],
    texts: Sequence[str],
    who: Sequence[object],
    signal: FloatArray,
    vehicle: float,
    start: float,
    scale: Scale,
    noise: WellNoise | None,
    seed: int,
) -> FloatArray:
    """What is reported for every place, given the true ``signal`` of each treatment and of the vehicle.

    ``texts`` are the treatments and ``who`` the line, readout and time: noise depends on these, on the replicate and
    on nothing else; only vehicle wells, which are all alike, are told apart by their place.
    """
    true = np.array([vehicle if place.treatment < 0 else signal[place.treatment] for place in places])
    if noise is not None:
        for i, place in enumerate(places):
            identity = ("vehicle", place.plate, place.well) if place.treatment < 0 else (texts[place.treatment],)
            true[i] *= noise.well.factor(seed, place.replicate, "well", *who, *identity)
            true[i] *= noise.plate.factor(seed, place.replicate, "plate", *who, place.plate)
    plates = [(place.replicate, place.plate) for place in places]
    untreated = {
        name: float(np.mean([true[i] for i, place in enumerate(places) if place.treatment < 0 and plates[i] == name]))
        for name in set(plates)
    }
    return normalise(true, np.array([untreated[name] for name in plates]), np.array(start), scale)


def percent_of_vehicle(table: pd.DataFrame) -> pd.DataFrame:
    """A screen of a readout in the model's own unit as % of the vehicle wells of the same line, time and plate.

    Raises :class:`InputError` for GR, which is no percentage, and for rows without vehicle wells or with none that show
    a signal.
    """
    if set(table["unit"]) == {Scale.PERCENT_OF_VEHICLE.value}:
        return table
    if Scale.GROWTH_RATE.value in set(table["unit"]):
        raise InputError("GR is no percentage of vehicle; score the viability or a readout of the model")
    doses = [name for name in table.columns if name.startswith("dose") and name.endswith("_nM")]
    groups = [name for name in ("cell_line", "time_min", "readout", "replicate", "plate") if name in table.columns]
    untreated = table["value"].where((table[doses] == 0).all(axis=1))
    vehicle = untreated.groupby([table[name] for name in groups]).transform("mean")
    if not (vehicle > 0).all():
        row = int((~(vehicle > 0)).to_numpy().argmax())
        raise InputError(f"row {row + 1} has no vehicle well with a signal to express it in percent of")
    return table.assign(value=100.0 * table["value"] / vehicle, unit=Scale.PERCENT_OF_VEHICLE.value)


def add_doses(vehicle: Treatment, doses: Sequence[tuple[str, float]]) -> Treatment:
    """The vehicle's treatment with drugs (name, nM) in its last step; zero doses are left out."""
    return vehicle.with_added(Dose(name, Quantity(amount, UNITS["nM"])) for name, amount in doses if amount > 0)


def in_sequence(vehicle: Treatment, doses: Sequence[tuple[str, float]], alone: Quantity) -> Treatment:
    """The vehicle's treatment with drugs (name, nM) one after another in its medium: each but the last for the time
    ``alone``, and washed out then."""
    *before, medium = vehicle.steps
    steps = [add_doses(Treatment((medium,)), [dose]).steps[0] for dose in doses]
    return Treatment((*before, *(replace(step, duration=alone) for step in steps[:-1]), steps[-1]))


def assemble(
    lines: Sequence[CellLine],
    moments: Sequence[float],
    places: Sequence[Place],
    treatments: Sequence[Treatment],
    signals: Signals,
    readout: Readout,
    labels: dict[str, Any],
    noise: WellNoise | None,
    seed: int,
) -> pd.DataFrame:
    """The table of a screen; ``treatments`` starts with the vehicle, ``labels`` are columns over ``places``."""
    import pandas as pd

    texts = [str(treatment) for treatment in treatments]
    frames = []
    for i, line in enumerate(lines):
        for j, time in enumerate(moments):
            who = (line.name, readout.name, time)
            values = read_plates(
                places,
                texts[1:],
                who,
                signals.values[i, :, j],
                float(signals.vehicle[i, j]),
                float(signals.start[i]),
                readout.scale,
                noise,
                seed,
            )
            columns: dict[str, Any] = {
                "cell_line": line.name,
                "treatment": [texts[place.treatment + 1] for place in places],
                "time_min": time,
                "readout": readout.name,
                "value": values,
                "unit": readout.unit,
                **labels,
                "replicate": [place.replicate for place in places],
            }
            if places[0].plate:
                columns |= {"plate": [place.plate for place in places], "well": [place.well for place in places]}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
