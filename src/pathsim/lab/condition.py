"""A condition is a cell line under a treatment: a sequence of parameter settings, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ..units import UNITS, Dimension, Quantity
from .cell_line import CellLine
from .library import Library
from .treatment import Step, Treatment

FULL_MEDIUM = Treatment.parse("serum 10 %").steps[0]
"""The medium in which cells are at steady state before the first step of a treatment."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Cells of one line and what is done to them."""

    cell_line: CellLine
    treatment: Treatment

    def settings(self, step: Step, defaults: Mapping[str, float], library: Library) -> dict[str, float]:
        """Parameters during ``step``: what the line sets, plus what everything in the medium adds.

        ``defaults`` are the model's own values. Doses of one substance are summed as decimals and substances in
        alphabetical order, so a drug with itself is exactly additive and the order in which doses are written changes
        nothing, not even the last bit. Raises :class:`UnknownNameError` for a drug not in the library.
        """
        totals: dict[tuple[str, Dimension], Decimal] = {}
        for dose in step.doses:
            key = (library.drug(dose.name).name, dose.amount.unit.dimension)
            totals[key] = totals.get(key, Decimal(0)) + dose.amount.exact
        values = self.cell_line.apply(defaults)
        for (name, dimension), total in sorted(totals.items(), key=lambda item: (item[0][0], item[0][1].value)):
            amount = Quantity(float(total), UNITS[dimension.value])
            for parameter, addition in library.drug(name).additions(amount).items():
                values[parameter] = values.get(parameter, defaults.get(parameter, 0.0)) + addition
        return values
