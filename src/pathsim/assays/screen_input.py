"""Reading what is asked of a screen: every function adds what is wrong to a list, so that all of it is said at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ..errors import PathsimError
from ..experiments.conditions import resting_medium
from ..lab import Library, Treatment
from ..model import Model
from ..stats.noise import WellNoise
from ..units import doses_nM, number_text, times_min
from .wells import PLATES, Plate, Readout, Scale, find_readout


def read_doses(doses: str | Iterable[float | str], drug: str, problems: list[str]) -> list[float]:
    """Doses in nM, ascending, without the zero (the vehicle is always there); bad ones are added to ``problems``."""
    found: list[float] = []
    for item in [doses] if isinstance(doses, str) else doses:
        try:
            found += doses_nM(item) if isinstance(item, str) else [float(item)]
        except (PathsimError, ValueError, TypeError) as error:
            problems.append(f"doses of {drug}: {error}")
    problems += [f"doses of {drug}: {dose!r} nM is not a dose from 0 on" for dose in found if not 0 <= dose < math.inf]
    given = Counter(found)
    twice = sorted(dose for dose in given if dose > 0 and given[dose] > 1)
    problems += [f"doses of {drug}: {number_text(dose)} nM is given twice" for dose in twice]
    positive = sorted({dose for dose in found if 0 < dose < math.inf})
    if not positive and not problems:
        problems.append(f"doses of {drug}: none above zero; write for example '1 nM .. 10 uM x 9'")
    return positive


def read_times(times: str | Iterable[float], problems: list[str]) -> list[float]:
    """Reading times in minutes from the start of the last step."""
    try:
        moments = times_min(times) if isinstance(times, str) else [float(time) for time in times]
    except (PathsimError, ValueError, TypeError) as error:
        problems.append(str(error))
        return []
    problems += [f"time {time!r} min is not a time after 0" for time in moments if not 0 < time < math.inf]
    if not moments:
        problems.append("no time is given; write for example '72 h'")
    return moments


def read_readout(name: str, model: Model, problems: list[str]) -> Readout:
    """The readout, or a stand-in with the reason in ``problems``."""
    try:
        return find_readout(name, model)
    except PathsimError as error:
        problems.append(str(error))
        return Readout(name, name, Scale.AS_MODELLED, "")


def read_replicates(replicates: int, problems: list[str]) -> None:
    """How many plates of a layout there are."""
    if replicates < 1:
        problems.append(f"replicates is {replicates}; at least 1 plate is needed")


def read_plate(
    plate: Plate | int | None, noise: WellNoise | None, replicates: int, problems: list[str]
) -> Plate | None:
    """The plate; noise needs one, 96 wells unless another is named."""
    read_replicates(replicates, problems)
    if plate is None:
        return None if noise is None else PLATES[96]
    if isinstance(plate, Plate):
        return plate
    if plate not in PLATES:
        problems.append(f"there is no layout for {plate} wells; known: {', '.join(map(str, PLATES))}")
        return None
    return PLATES[plate]


def full_medium(model: Model) -> str:
    """``serum 10 %``, or ``vehicle`` for a model without serum."""
    return str(Treatment((resting_medium(model),)))


def read_medium(
    medium: str,
    before: str | None,
    drugs: Sequence[str],
    moments: Sequence[float],
    library: Library,
    problems: list[str],
) -> Treatment | None:
    """The treatment of the vehicle wells: ``before`` (steps with durations), then ``medium``."""
    text = f"{before} then {medium}" if before else medium
    try:
        vehicle = Treatment.parse(text)
    except PathsimError as error:
        problems.append(str(error))
        return None
    last = vehicle.steps[-1]
    if last.minutes is not None and moments and last.minutes < max(moments):
        problems.append(f"medium '{medium}' ends after {last.duration}, before the reading at {max(moments):g} min")
    for name in (*vehicle.names, *drugs):
        try:
            library.drug(name)
        except PathsimError as error:
            problems.append(str(error))
    named = {dose.name for dose in last.doses}
    problems += [
        f"'{drug}' is in the medium '{medium}' too; its doses would not be what they say"
        for drug in drugs
        if drug in named
    ]
    return vehicle
