"""The tables of PEtab version 2 as those of version 1, where a condition at rest and one from time 0 on are all.

Steps after the first become events of the model: ``step_2_begins`` says when and ``step_2__X`` what ``X`` then is, both
set by conditions like everything else. Time zero is the start of the first step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from ..errors import InputError, raise_together
from ..exchange.sbml import Editor
from ..model import Model
from ..model.sbml_export import sbml_text
from .tables import is_id, number_of

HEADERS = {
    "parameter": "parameterId parameterScale lowerBound upperBound nominalValue estimate objectivePriorType "
    "objectivePriorParameters",
    "observable": "observableId observableFormula observableTransformation noiseFormula noiseDistribution",
    "measurement": "observableId preequilibrationConditionId simulationConditionId time measurement "
    "observableParameters noiseParameters",
}
NEVER = 1e12
"""When a step begins that an experiment does not have."""
_FAMILIES = {
    "normal": ("lin", "normal"),
    "log-normal": ("log", "normal"),
    "laplace": ("lin", "laplace"),
    "log-laplace": ("log", "laplace"),
}
_PRIORS = {"": "", "normal": "normal", "log-normal": "logNormal"}
Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` on, everything that is set, by name."""

    start: float
    settings: Mapping[str, str]


@dataclass
class Version1:
    """Rows of the tables of version 1, and the model that goes with them as SBML."""

    sbml: str
    conditions: list[Row]
    targets: list[str]
    parameters: list[Row] = field(default_factory=list)
    observables: list[Row] = field(default_factory=list)
    measurements: list[Row] = field(default_factory=list)

    def texts(self) -> dict[str, tuple[str, list[Row]]]:
        """Header and rows of each table."""
        tables = {name: (header, getattr(self, f"{name}s")) for name, header in HEADERS.items()}
        return tables | {"condition": (" ".join(["conditionId", *self.targets]), self.conditions)}


def as_version_1(
    model: Model,
    parameters: list[Row],
    conditions: list[Row],
    experiments: list[Row],
    observables: list[Row],
    measurements: list[Row],
) -> Version1:
    """The rows of the tables of version 2 as those of version 1.

    Raises :class:`InputError` naming every value that is a formula, for which a condition of version 1 has no room.
    """
    chains = _chains(conditions, experiments, moving={one.id for one in model.species})
    _refuse_formulas(chains)
    steps = max(len(chain) for chain in chains.values())
    later = _changed_later(chains)
    dense = {name: _dense(chain, later, steps) for name, chain in chains.items()}
    targets = list(dict.fromkeys(target for pair in dense.values() for one in pair for target in one))
    ids: dict[tuple[str, ...], str] = {}
    rows: list[Row] = []
    begins = {name: chain[1].start for name, chain in chains.items()}
    pairs = {}
    for name, pair in dense.items():
        found = []
        for settings, suffix in zip(pair, ("rest", "treated"), strict=True):
            cells = tuple(settings.get(target, "") for target in targets)
            if cells not in ids:
                ids[cells] = f"{name}__{suffix}"
                rows.append((ids[cells], *cells))
            found.append(ids[cells])
        pairs[name] = tuple(found)
    made = Version1(_with_events(model, later, steps), rows, targets)
    made.parameters = [_parameter(*row) for row in parameters]
    made.observables = [_observable(*row) for row in observables]
    for observable, experiment, time, value, factors, noise in measurements:
        moment = float(str(time)) - begins[str(experiment)]
        made.measurements.append((observable, *pairs[str(experiment)], moment, value, factors, noise))
    return made


def _chains(conditions: list[Row], experiments: list[Row], moving: set[str]) -> dict[str, list[Period]]:
    """The periods of each experiment, each with all that holds in it; what is ``moving`` is set at one moment only."""
    settings: dict[str, dict[str, str]] = {"": {}}
    for name, target, value in conditions:
        settings.setdefault(str(name), {})[str(target)] = str(value)
    chains: dict[str, list[Period]] = {}
    for name, start, condition in experiments:
        chain = chains.setdefault(str(name), [])
        held = chain[-1].settings if chain else {}
        before = {target: value for target, value in held.items() if target not in moving}
        chain.append(Period(float(str(start)), {**before, **settings[str(condition)]}))
    return chains


def _refuse_formulas(chains: Mapping[str, list[Period]]) -> None:
    raise_together(
        list(
            dict.fromkeys(
                f"'{target}' is set to the formula {value}; conditions of PEtab version 1 hold numbers and names of "
                "parameters only, so write version 2"
                for chain in chains.values()
                for period in chain
                for target, value in period.settings.items()
                if number_of(value) is None and not is_id(value)
            )
        )
    )


def _changed_later(chains: Mapping[str, list[Period]]) -> list[str]:
    """What any experiment changes in a step after its first."""
    found: dict[str, None] = {}
    for chain in chains.values():
        for before, now in pairwise(chain[1:]):
            found |= dict.fromkeys(name for name, value in now.settings.items() if before.settings.get(name) != value)
    return list(found)


def _dense(chain: list[Period], later: list[str], steps: int) -> tuple[dict[str, str], dict[str, str]]:
    """Everything that the condition at rest and that from time 0 on set, events of later steps included."""
    rest, first, *others = chain
    moved: dict[str, str] = {}
    for number in range(2, steps):
        period = others[number - 2] if number - 2 < len(others) else None
        moved[begins(number)] = repr(NEVER if period is None else period.start - first.start)
        settings = chain[-1].settings if period is None else period.settings
        moved |= {becomes(number, name): settings[name] for name in later}
    unmoved = {name: repr(NEVER) if name.endswith("_begins") else value for name, value in moved.items()}
    return {**rest.settings, **unmoved}, {**first.settings, **moved}


def begins(step: int) -> str:
    """The parameter that says when a step begins."""
    return f"step_{step}_begins"


def becomes(step: int, name: str) -> str:
    """The parameter that says what ``name`` is from a step on."""
    return f"step_{step}__{name}"


def _with_events(model: Model, later: list[str], steps: int) -> str:
    """The model's SBML, an event for each step after the first."""
    if steps <= 2 or not later:
        return sbml_text(model)
    if model.events:
        raise InputError(
            f"{model.source}: the model has events, which PEtab version 1 cannot keep to one step; write 2"
        )
    with Editor(model) as editor:
        for step in range(2, steps):
            editor.parameter(begins(step), NEVER)
            for name in later:
                editor.parameter(becomes(step, name), 0.0)
            settings = {name: becomes(step, name) for name in later}
            editor.event(f"step_{step}", f"step {step} of a treatment", begins(step), settings)
        return editor.text()


def _parameter(
    name: object, lower: object, upper: object, nominal: object, estimated: object, prior: object, numbers: object
) -> Row:
    scale = "log10" if isinstance(lower, float) and lower > 0 and not math.isinf(lower) else "lin"
    return name, scale, lower, upper, nominal, int(estimated == "true"), _PRIORS[str(prior)], numbers


def _observable(name: object, formula: object, noise: object, family: object, own: object, noisy: object) -> Row:
    """Placeholders get the names that version 1 knows them by."""
    renamed = {}
    for kind, listed in (("observable", own), ("noise", noisy)):
        for i, placeholder in enumerate(filter(None, str(listed).split(";")), start=1):
            renamed[placeholder] = f"{kind}Parameter{i}_{name}"
    signal, spread = (
        re.sub(r"\w+", lambda word: renamed.get(word[0], word[0]), str(text)) for text in (formula, noise)
    )
    scale, distribution = _FAMILIES[str(family)]
    return name, signal, scale, spread, distribution
