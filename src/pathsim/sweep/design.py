"""A sweep as plain numbers: which well is which, and what each one gets. Wells are worked out when they are needed.

A design holds nothing that grows with the number of wells, and can be sent to another process as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import InputError, PathsimError, raise_together
from ..experiments.conditions import refuse_impossible, while_resting
from ..experiments.timecourse import system_of
from ..experiments.wells import WellReadings, Wells, distinct, read_wells
from ..lab import CellLine
from ..lab.library import NO_LINE
from ..model import Model
from ..solve import Solver
from .axes import Axis, Kind, Listed, Range, exact
from .protocol import Medium, Protocol
from .sampling import Sample

PERCENT = " %"
"""What a readout ends in that is wanted in percent of the well without the doses of the axes: ``viability %``."""


MANY_WELLS = 4000
"""Wells of a design from which code made for what its wells do not share saves more time than it takes to make."""


@dataclass(frozen=True, eq=False)
class Design:
    """Everything a sweep does.

    With ``sets`` every line stands 1 + ``sets`` times in ``lines``: with the model's own constants, then with those of
    each parameter set. ``kept_in``: what lines come to rest in where that is not the medium of the protocol. Wells are
    numbered: line slowest, then treatment, listed parameters and factors, sample points, and fastest listed durations
    and doses, so that wells which share a steady state stand together.
    """

    model: Model
    lines: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    protocols: tuple[Protocol, ...]
    axes: tuple[Axis, ...]
    sample: Sample | None
    times: tuple[float, ...]
    readouts: tuple[str, ...]
    solver: Solver
    sets: int = 0
    kept_in: tuple[Medium | None, ...] = ()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lines, treatments, values of listed parameters and factors, sample points, values of durations and doses."""
        constants, media = self._listed
        points = self.sample.points if self.sample else 1
        sizes = [[len(listed.values) for _, listed in group] for group in (constants, media)]
        return (len(self.lines), len(self.protocols), *sizes[0], points, *sizes[1])

    @cached_property
    def _listed(self) -> tuple[list[tuple[str, Listed]], list[tuple[str, Listed]]]:
        """Listed axes that change cells at rest, and those that change media only."""
        listed = [(axis, axis.points) for axis in self.axes if isinstance(axis.points, Listed)]
        constant = (Kind.PARAMETER, Kind.SCALE)
        return (
            [(axis.name, points) for axis, points in listed if axis.kind in constant],
            [(axis.name, points) for axis, points in listed if axis.kind not in constant],
        )

    @property
    def wells(self) -> int:
        """How many wells there are."""
        return math.prod(self.shape)

    def values(self, first: int, last: int) -> tuple[IntArray, IntArray, dict[str, FloatArray]]:
        """Line, protocol and the value of every axis for the wells ``first`` to ``last`` - 1."""
        places = np.unravel_index(np.arange(first, last), self.shape)
        line, protocol, *rest = (np.asarray(place, dtype=np.int64) for place in places)
        constants, media = self._listed
        point = rest.pop(len(constants))
        values = {
            name: np.array(listed.values)[place]
            for (name, listed), place in zip([*constants, *media], rest, strict=True)
        }
        ranges = [(axis.name, axis.points) for axis in self.axes if isinstance(axis.points, Range)]
        cube = self.sample.draw(point, len(ranges)) if self.sample else np.zeros((last - first, 0))
        values |= {name: span.at(cube[:, column]) for column, (name, span) in enumerate(ranges)}
        return line, protocol, values

    def read(self, first: int, last: int, workers: int | None = 1) -> WellReadings:
        """The readings of the wells ``first`` to ``last`` - 1, shape (wells, times, readouts)."""
        line, protocol, values = self.values(first, last)
        result = WellReadings(np.full((last - first, len(self.times), len(self.readouts)), np.nan), {})
        for number in np.unique(protocol):
            members = np.flatnonzero(protocol == number)
            mine = {name: column[members] for name, column in values.items()}
            readings = self.measure(self.protocols[number], line[members], mine, workers)
            if any(name.endswith(PERCENT) for name in self.readouts):
                readings = self._beside_vehicle(readings, self.protocols[number], line[members], mine, workers)
            result.values[members] = readings.values
            result.failures.update({int(members[i]): said for i, said in readings.failures.items()})
        return result

    def _beside_vehicle(
        self,
        treated: WellReadings,
        protocol: Protocol,
        line: IntArray,
        values: Mapping[str, FloatArray],
        workers: int | None,
    ) -> WellReadings:
        """Readings with the readouts in percent divided by those of the same well with every dose of an axis zero."""
        doses = {axis.name for axis in self.axes if axis.kind is Kind.DOSE}
        others = [column for name, column in values.items() if name not in doses]
        group, firsts = distinct(np.column_stack([line.astype(float), *others]))
        undosed = {name: np.zeros(len(firsts)) if name in doses else column[firsts] for name, column in values.items()}
        vehicle = self.measure(protocol, line[firsts], undosed, workers)
        percent = [name.endswith(PERCENT) for name in self.readouts]
        silent = (vehicle.values[:, :, percent] <= 0).any(axis=(1, 2))
        said = {int(i): "its vehicle well shows no signal to be a percentage of" for i in np.flatnonzero(silent)}
        said |= {i: f"its vehicle well failed: {sentence}" for i, sentence in vehicle.failures.items()}
        failures = {well: said[int(one)] for well, one in enumerate(group) if int(one) in said} | treated.failures
        with np.errstate(divide="ignore", invalid="ignore"):
            result = treated.values.copy()
            result[:, :, percent] *= 100.0 / vehicle.values[group][:, :, percent]
        result[list(failures)] = np.nan
        return WellReadings(result, failures)

    def measure(
        self, protocol: Protocol, line: IntArray, values: Mapping[str, FloatArray], workers: int | None = 1
    ) -> WellReadings:
        """The readings of wells given by their line and the values of their axes."""
        system = system_of(self.model)
        nodes = [system.output(name.removesuffix(PERCENT)) for name in self.readouts]
        wells = self.settings(protocol, line, values)
        many = self.wells >= MANY_WELLS
        return read_wells(self.model, wells, np.array(self.times), nodes, self.solver, workers, of_many=many)

    def settings(self, protocol: Protocol, line: IntArray, values: Mapping[str, FloatArray]) -> Wells:
        """Wells given by their line and the values of their axes, as numbers for the solver."""
        system = system_of(self.model)
        base = self._base(line, values)
        rest = self._in_medium(base, protocol.rest, values)
        for number, medium in enumerate(self.kept_in):
            if medium is not None:
                rest[line == number] = self._in_medium(base[line == number], medium, {})
        for name, value in while_resting(system).items():
            rest[:, self._slots[name]] = value
        media = [self._in_medium(base, step, values) for step in protocol.steps]
        minutes = [
            values[step.minutes] if isinstance(step.minutes, str) else np.full(len(line), step.minutes)
            for step in protocol.steps[:-1]
        ]
        return Wells(np.array([system.slot(name) for name in self._slots]), rest, media, minutes)

    @cached_property
    def _slots(self) -> dict[str, int]:
        """Column of each parameter that a line, an axis or a substance changes."""
        names = [name for _, settings in self.lines for name, _ in settings]
        names += [axis.name for axis in self.axes if axis.kind in (Kind.PARAMETER, Kind.SCALE)]
        for protocol in self.protocols:
            for medium in (protocol.rest, *protocol.steps, *(medium for medium in self.kept_in if medium)):
                names += [name for substance in medium.substances for name, _ in substance.coefficients]
        system = system_of(self.model)
        names += while_resting(system)
        return {name: i for i, name in enumerate(sorted(set(names)))}

    @cached_property
    def _line_rows(self) -> FloatArray:
        """The parameters of every line, shape (lines, columns)."""
        system = system_of(self.model)
        own = [system.defaults[system.slot(name)] for name in self._slots]
        rows = np.tile(np.array(own), (len(self.lines), 1))
        for row, (_, settings) in zip(rows, self.lines, strict=True):
            for name, value in settings:
                row[self._slots[name]] = value
        return rows

    def _base(self, line: IntArray, values: Mapping[str, FloatArray]) -> FloatArray:
        """Settings without any medium: what the line is, then what axes set and scale."""
        base = self._line_rows[line]
        for kind in (Kind.PARAMETER, Kind.SCALE):
            for axis in self.axes:
                if axis.kind is kind:
                    column = self._slots[axis.name]
                    base[:, column] = values[axis.name] * (base[:, column] if kind is Kind.SCALE else 1.0)
        return base

    def _in_medium(self, base: FloatArray, medium: Medium, values: Mapping[str, FloatArray]) -> FloatArray:
        """Settings in a medium: every substance adds its amount times its coefficients, see :class:`Condition`."""
        result = base.copy()
        for substance in medium.substances:
            fixed = sum(substance.fixed, Decimal(0))
            amount: FloatArray | float
            if not substance.axes:
                amount = float(fixed)
            elif len(substance.axes) == 1 and not fixed:
                amount = values[substance.axes[0]]
            else:  # summed as decimals, so that a drug with itself is exactly additive
                columns = [values[name] for name in substance.axes]
                sums = [sum(map(exact, row), fixed) for row in zip(*columns, strict=True)]
                amount = np.array([float(one) for one in sums])
            for name, coefficient in substance.coefficients:
                result[:, self._slots[name]] += coefficient * amount
        return result

    def check(self) -> None:
        """Raise :class:`InputError` listing every parameter and readout that the model does not have."""
        system = system_of(self.model)
        problems: list[str] = []
        for name in self._slots:
            try:
                system.slot(name)
            except PathsimError as error:
                problems.append(str(error))
        problems += [
            f"[{axis.kind.value}] {axis.name}: cells come to rest before the first step, so where this species starts "
            "changes nothing; vary a total or a constant"
            for axis in self.axes
            if axis.name in system.states
        ]
        for axis in self.axes:
            if axis.kind is Kind.SCALE and not problems and np.isnan(self._line_rows[:, self._slots[axis.name]]).any():
                problems.append(f"[scales] {axis.name}: the model computes it, so there is no number to scale")
        for name in self.readouts:
            try:
                system.output(name.removesuffix(PERCENT))
            except PathsimError as error:
                problems.append(str(error))
        raise_together(problems)


def line_settings(lines: Sequence[CellLine], model: Model) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    """Lines as plain numbers: name and the parameters each sets, scaled ones multiplied out."""
    system = system_of(model)
    defaults = {
        name: float(value) for name, value in zip(system.slots, system.defaults, strict=True) if not math.isnan(value)
    }
    found = []
    for line in lines:
        settings = line.apply(defaults)
        if missing := [name for name in settings if name not in system.slots]:
            known = "" if set(settings) & set(system.slots) else f"; the line '{NO_LINE}' is the model as it is"
            raise InputError(
                f"cell line '{line.name}' sets {', '.join(missing)}, which '{model.id}' does not have{known}"
            )
        refuse_impossible(line, system)
        found.append((line.name, tuple(settings.items())))
    return tuple(found)
