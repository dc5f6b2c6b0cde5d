"""What an investigation tries, and in words how each of its numbers is obtained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partner:
    """A candidate rescue drug: how it is meant to help, and the doses it is screened at."""

    drug: str
    strategy: str
    doses: str


PARTNERS = (
    Partner("capivasertib", "vertical", "30 nM .. 3 uM x 4"),
    Partner("everolimus", "vertical", "0.1 nM .. 10 nM x 4"),
    Partner("sapanisertib", "vertical", "3 nM .. 100 nM x 4"),
    Partner("mirdametinib", "horizontal", "1 nM .. 100 nM x 4"),
    Partner("trametinib", "horizontal", "0.3 nM .. 30 nM x 4"),
    Partner("dasatinib", "horizontal", "3 nM .. 300 nM x 4"),
    Partner("metformin", "non-canonical", "1 mM .. 10 mM x 4"),
    Partner("dichloroacetate", "non-canonical", "3 mM .. 30 mM x 4"),
    Partner("SN38", "non-canonical", "1 nM .. 30 nM x 4"),
)
"""The strategies of the source pages: below PI3K, beside it, and outside the pathway."""

METHODS = {
    "escalation": (
        "Clones (models/clones.toml; frequencies and rates are estimates) grow at the rates the pathway model "
        "gives them at each dose, drawn cell by cell from the exact law of the birth-death process. The dose rises "
        "when growth has recovered to 80 % of untreated parental cells, or after 45 days at 30 %. The most "
        "frequent clone at the end is picked. Washed out means without its reversible (adaptive) changes."
    ),
    "phenotype": (
        "Viability (ATP) and cell number after 72 h at 16 doses without noise; IC50 from a four-parameter Hill "
        "curve, absolute at half of the top; GR metrics after Hafner 2016 Nat Methods. A dose that is not reached "
        "is given as a bound."
    ),
    "mechanisms": (
        "The standard blot: starved 24 h, drug 1 h at the parental IC50, IGF1 15 min. The map shows lysates after "
        "24 h in full medium with the same drug, resistant over parental."
    ),
    "rescue": (
        "4 x 4 dose matrices, 72 h viability, in the resistant and the parental line. Bliss excess is in "
        "percentage points of inhibition, above 0 is synergy."
    ),
    "ranking": (
        "Viability of the resistant line at the last dose of the escalation with the third dose of the partner. "
        "Ranked by what the combination takes off the culture beyond the better of its two drugs (gain, percentage "
        "points of viability); intervals are 5 to 95 % over parameter sets. Doses are those of the bench: metformin, "
        "dichloroacetate and SN38 reach less in patients."
    ),
    "xenograft": (
        "Usual mouse doses; pharmacokinetics, pathway, growth and death as in pathsim xenograft. Growth in the "
        "animal is calibrated to the untreated arm alone. Absolute survival rests on estimated mouse exposure: "
        "read the order of the arms, not the days."
    ),
}
"""By step."""
