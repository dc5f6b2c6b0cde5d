"""In words, how each number of an investigation is obtained; the report prints them beside the numbers."""

from __future__ import annotations

METHODS = {
    "escalation": (
        "Clones (models/clones.toml; frequencies and rates are estimates) grow at the rates the pathway model "
        "gives them at each dose, drawn cell by cell from the exact law of the birth-death process. The dose rises "
        "when growth has recovered to a share of that of untreated parental cells, by the rule above. The most "
        "frequent clone at the end is picked, and called resistant when the culture grows at the target dose and was "
        "passaged there, and neither IC50 nor GR50 fell; it is kept in the drug. Washed out means without its "
        "reversible (adaptive) changes."
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
