"""A drug, ligand or medium: what one unit of it adds to the parameters of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..errors import InputError
from ..units import Dimension, Quantity
from .names import check_name


@dataclass(frozen=True, slots=True)
class Drug:
    """Coefficients add up linearly over everything in the medium, so a drug with itself is exactly additive.

    ``per_nM``: parameter -> increase per nM (1/Kd on ``drug_on_<site>`` for an inhibitor, 1 for a ligand).
    ``per_percent``: the same for a medium dosed in percent. ``sources``: parameter -> where the number comes from.
    """

    name: str
    kind: str = "drug"
    synonyms: tuple[str, ...] = ()
    description: str = ""
    molar_mass: float | None = None
    per_nM: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    per_percent: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_name(self.name)

    def additions(self, amount: Quantity) -> dict[str, float]:
        """What ``amount`` adds to each parameter.

        Raises :class:`InputError` when the unit does not suit the substance (percent of a drug, ng/ml without a molar
        mass).
        """
        match amount.unit.dimension:
            case Dimension.FRACTION if self.per_percent:
                return {name: coefficient * amount.inner for name, coefficient in self.per_percent.items()}
            case Dimension.CONCENTRATION if self.per_nM:
                return {name: coefficient * amount.inner for name, coefficient in self.per_nM.items()}
            case Dimension.MASS_CONCENTRATION if self.per_nM:
                if self.molar_mass is None:
                    raise InputError(f"'{self.name} {amount}': the molar mass of {self.name} is unknown; dose it in nM")
                nanomolar = amount.inner / self.molar_mass * 1e3  # ng/ml = ug/l; over g/mol gives 1e-6 mol/l
                return {name: coefficient * nanomolar for name, coefficient in self.per_nM.items()}
        example = "10 %" if self.per_percent else "100 nM"
        raise InputError(f"'{self.name} {amount}': {self.name} is dosed like '{self.name} {example}'")
