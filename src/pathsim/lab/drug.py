"""A drug, ligand or medium: what one unit of it adds to the parameters of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from .. import shown
from ..errors import InputError
from ..shown import Shown, shortened
from ..units import Dimension, Quantity
from .names import check_name

_POTENCY = "potency({})"
_OVER_KD, _LEAST_LIMIT_NM, _DISSOLVED_NM = 1e4, 1e6, 1e8


@dataclass(frozen=True, slots=True)
class Drug:
    """Coefficients add up linearly over everything in the medium, so a drug with itself is exactly additive.

    ``per_nM``: parameter -> increase per nM (1/Kd on ``drug_on_<site>`` for an inhibitor, 1 for a ligand).
    ``per_percent``: the same for a medium dosed in percent. ``sources``: parameter -> where the number comes from.
    ``potency``: the factor on all of its effects that a calibration found, which ``per_nM`` holds already.
    """

    name: str
    kind: str = "drug"
    synonyms: tuple[str, ...] = ()
    description: str = ""
    molar_mass: float | None = None
    per_nM: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    per_percent: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    potency: float = 1.0

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def most_nM(self) -> float:
        """The largest concentration that makes sense: 1e4 times the Kd of the tightest site as the sources have it,
        between 1 and 100 mM."""
        tightest = max(self.per_nM.values(), default=0.0) / (self.potency or 1.0)
        return min(max(_OVER_KD / tightest, _LEAST_LIMIT_NM), _DISSOLVED_NM) if tightest > 0 else _DISSOLVED_NM

    def with_potency(self, potency: float) -> Drug:
        """This drug with another factor on all that a concentration of it does."""
        per_nM = {name: value * (potency / self.potency) for name, value in self.per_nM.items()}
        return replace(self, per_nM=MappingProxyType(per_nM), potency=potency)

    def _shown(self) -> Shown:
        also = f", also {', '.join(self.synonyms)}" if self.synonyms else ""
        rows = [
            {"adds to": name, "per": per, "amount": value, "source": shortened(self.sources.get(name, ""), 90)}
            for per, table in (("nM", self.per_nM), ("%", self.per_percent))
            for name, value in table.items()
        ]
        return Shown(f"Drug {self.name} ({self.kind}{also}): {self.description or 'no description'}", rows)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def additions(self, amount: Quantity) -> dict[str, float]:
        """What ``amount`` adds to each parameter.

        Raises :class:`InputError` when the unit does not suit the substance (percent of a drug, ng/ml without a molar
        mass), and for more than :attr:`most_nM` or 100 %.
        """
        match amount.unit.dimension:
            case Dimension.FRACTION if self.per_percent:
                if amount.inner > 100:
                    raise InputError(f"'{self.name} {amount}' is more than all of the medium (100 %)")
                return {name: coefficient * amount.inner for name, coefficient in self.per_percent.items()}
            case Dimension.CONCENTRATION if self.per_nM:
                return self._of(amount.inner)
            case Dimension.MASS_CONCENTRATION if self.per_nM:
                if self.molar_mass is None:
                    raise InputError(f"'{self.name} {amount}': the molar mass of {self.name} is unknown; dose it in nM")
                nanomolar = amount.inner / self.molar_mass * 1e3  # ng/ml = ug/l; over g/mol gives 1e-6 mol/l
                return self._of(nanomolar)
        example = "10 %" if self.per_percent else "100 nM"
        raise InputError(f"'{self.name} {amount}': {self.name} is dosed like '{self.name} {example}'")

    def _of(self, nanomolar: float) -> dict[str, float]:
        if nanomolar > self.most_nM:
            asked, most = (f"{number / 1e6:.4g} mM" for number in (nanomolar, self.most_nM))
            raise InputError(f"'{self.name} {asked}' is beyond any dose of {self.name} ({most}); is the unit right?")
        return {name: coefficient * nanomolar for name, coefficient in self.per_nM.items()}


def potency_of(drug: str) -> str:
    """The name under which the potency of a drug is a free constant."""
    return _POTENCY.format(drug)


def drug_of(constant: str) -> str:
    """The drug whose potency a constant is, empty for any other constant."""
    before, _, after = _POTENCY.partition("{}")
    return constant[len(before) : -len(after)] if constant.startswith(before) and constant.endswith(after) else ""
