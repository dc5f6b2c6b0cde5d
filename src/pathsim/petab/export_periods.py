"""Dishes as PEtab experiments: a cell line under a treatment is a row of periods, and a period a list of parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import InputError
from ..estimation.conditions import without
from ..estimation.free import FreeParameter
from ..experiments.simulation import PASSAGING
from ..lab import FULL_MEDIUM, CellLine, Condition, Library, Step
from ..solve import System


@dataclass
class Tables:
    """Rows of the PEtab tables, and the ids that are taken."""

    taken: set[str]
    parameters: list[tuple[object, ...]] = field(default_factory=list)
    conditions: list[tuple[object, ...]] = field(default_factory=list)
    experiments: list[tuple[object, ...]] = field(default_factory=list)
    observables: list[tuple[object, ...]] = field(default_factory=list)
    measurements: list[tuple[object, ...]] = field(default_factory=list)

    def new(self, wanted: str) -> str:
        """An id that nothing else has: ``wanted``, or that with a number."""
        base = identifier(wanted)
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name


class Periods:
    """The periods of dishes, and the ids under which free parameters stand in the parameter table.

    ``free`` parameters that no condition sets keep the model's own name.
    """

    def __init__(
        self,
        system: System,
        dishes: Collection[Condition],
        free: Sequence[FreeParameter],
        library: Library,
        tables: Tables,
    ) -> None:
        self.system, self.free, self.library, self.tables = system, free, library, tables
        self.defaults = {
            name: float(value)
            for name, value in zip((*system.parameters, *system.states), system.defaults, strict=True)
            if not math.isnan(value)
        }
        self.rest = FULL_MEDIUM if "serum" in self.defaults else Step(())
        self.dishes = [replace(dish, cell_line=without(dish.cell_line, self._own(dish))) for dish in dishes]
        self._conditions: dict[tuple[tuple[str, str], ...], str] = {}
        self.touched = self._touched()
        self.names = {
            item.name: tables.new(f"{item.parameter}__{item.line or 'all_lines'}")
            if item.parameter in self.touched else item.parameter
            for item in free
        }  # fmt: skip

    def _own(self, dish: Condition) -> set[str]:
        """Parameters that are estimated for the line of a dish alone."""
        return {item.parameter for item in self.free if item.line == str(dish.cell_line)}

    def _touched(self) -> set[str]:
        """Parameters that some dish sets."""
        touched = {PASSAGING} & self.system.slots.keys()
        for dish in self.dishes:
            for step in (self.rest, *dish.treatment.steps):
                touched |= dish.settings(step, self.defaults, self.library).keys()
        return touched | {item.parameter for item in self.free if item.line}

    def write(self) -> list[str]:
        """Write all experiments and their conditions; returns the id of the experiment of each dish."""
        return [self._experiment(dish) for dish in self.dishes]

    def _experiment(self, dish: Condition) -> str:
        """Writes the periods of a dish: what changes from one to the next, since PEtab keeps the rest."""
        steps = dish.treatment.steps
        starts = [-sum(step.minutes or 0.0 for step in steps[i:-1]) for i in range(len(steps))]
        periods = [(-math.inf, self._settings(dish, self.rest)), *zip(
            starts, (self._settings(dish, step) for step in steps), strict=True)]  # fmt: skip
        if PASSAGING in self.system.slots:
            periods[0][1][PASSAGING] = "1"
        names = self._set_for(dish.cell_line)
        experiment = self.tables.new(identifier(f"{dish.cell_line}__{dish.treatment}")[:60])
        before: dict[str, str] = {}
        for i, (start, settings) in enumerate(periods):
            now = {name: settings.get(name, number(self.defaults.get(name, 0.0))) for name in names}
            changes = {name: value for name, value in now.items() if before.get(name) != value}
            medium = " + ".join(map(str, (self.rest, *steps)[i].doses)) or "vehicle"
            text = f"{dish.cell_line} at rest in {medium}" if i == 0 else medium
            self.tables.experiments.append((experiment, start, self._condition(text, changes)))
            before = now
        return experiment

    def _set_for(self, line: CellLine) -> list[str]:
        """Everything that any dish of a line sets: all start from one condition at rest, simulated once."""
        found = {PASSAGING} & self.system.slots.keys()
        for dish in self.dishes:
            if dish.cell_line == line:
                for step in (self.rest, *dish.treatment.steps):
                    found |= self._settings(dish, step).keys()
        return sorted(found)

    def _condition(self, text: str, settings: Mapping[str, str]) -> str:
        """The id of a condition; equal settings share one. Nothing to set is no condition."""
        if not settings:
            return ""
        key = tuple(sorted(settings.items()))
        if key not in self._conditions:
            self._conditions[key] = name = self.tables.new(identifier(text)[:60])
            self.tables.conditions += [(name, target, value) for target, value in key]
        return self._conditions[key]

    def _settings(self, dish: Condition, step: Step) -> dict[str, str]:
        """What a dish sets during a step: a number, or a formula of the free parameters it depends on."""
        line = str(dish.cell_line)
        own = {item.parameter: item for item in self.free if item.line == line}
        applying = {item.parameter: item for item in self.free if not item.line} | own
        free = {name: self.names[item.name] for name, item in applying.items() if name in self.touched}
        at = [dish.settings(step, {**self.defaults, **dict.fromkeys(free, x)}, self.library) for x in (0.0, 1.0)]
        found = {}
        for name in at[0].keys() | free.keys():
            offset = at[0].get(name, 0.0)
            factor = at[1].get(name, 1.0) - offset if name in free else 0.0
            found[name] = number(offset)
            if factor:
                term = free[name] if factor == 1 else f"{number(factor)} * {free[name]}"
                found[name] = f"{number(offset)} + {term}" if offset else term
        return found


def identifier(text: str) -> str:
    """Letters, digits and underscores, not starting with a digit."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


def number(value: float) -> str:
    """A number that reads back as itself. Raises :class:`InputError` for one that is none."""
    if not math.isfinite(value):
        raise InputError(f"{value!r} cannot be written to a PEtab table")
    return repr(float(value))
