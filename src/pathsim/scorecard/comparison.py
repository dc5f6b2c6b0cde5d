"""What changed between two models, with the libraries that go with them: a table of one row per difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..assays.western_blot import resistance_blot_protocol
from ..errors import InputError, PathsimError
from ..experiments.readings import Reading, take_readings
from ..lab import Drug, Kinetics, Library, default_library, default_pharmacy
from ..lab.clones import default_clones
from ..lab.protocols import protocols
from ..model import Model, Reaction
from ..model.maths import Expr, number, text
from ..units import number_text
from .behaviours import Behaviour, see

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("state", "parameter", "rule", "reaction", "event", "source", "substance", "cell line", "alteration", "clone",
         "pharmacokinetics", "reading", "behaviour")  # fmt: skip
SAME = 1e-9
"""Readings that differ by less than this share are the same."""

Entries = Mapping[str, tuple[str, str]]
"""What there is of one kind, by name: its value as text, and its unit."""


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` is empty for what was added, ``new`` for what was removed; ``unit`` of both, where they have one."""

    kind: str
    name: str
    old: str
    new: str
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit and self.unit != "1" else ""
        if not self.old:
            return f"{self.kind} {self.name}: added, {self.new}{unit}"
        if not self.new:
            return f"{self.kind} {self.name}: removed (was {self.old}{unit})"
        return f"{self.kind} {self.name}: {self.old} -> {self.new}{unit}"


def compare_models(old: Model, new: Model) -> list[Change]:
    """States, parameters, rules, reactions, events and sources that differ, in this order."""
    return [
        *_changes("state", _states(old), _states(new)),
        *_changes("parameter", _parameters(old), _parameters(new)),
        *_changes("rule", _rules(old), _rules(new)),
        *_changes("reaction", _reactions(old), _reactions(new)),
        *_changes("event", _events(old), _events(new)),
        *_changes("source", _sources(old), _sources(new)),
    ]


def compare_libraries(old: Library, new: Library) -> list[Change]:
    """Substances, cell lines, alterations, clones and pharmacokinetics that differ between two libraries."""
    before, after = default_pharmacy(old.version).kinetics, default_pharmacy(new.version).kinetics
    return [
        *_parts("substance", old.drugs, new.drugs, _substance),
        *_parts("cell line", old.cell_lines, new.cell_lines, _line),
        *_parts("alteration", old.alterations, new.alterations, _line),
        *_parts("clone", _by_alteration(old.version), _by_alteration(new.version), _record),
        *_parts("pharmacokinetics", _by_drug(before), _by_drug(after), _record),
    ]


def compare_readings(old: Model, new: Model) -> list[Change]:
    """Readouts of the standard blot of both models, and viability and cell number after three days, that differ.

    Raises :class:`InputError` where the two have no readout in common, or a model cannot do without a symbol.
    """
    bench = protocols(new.version)
    common = {*old.symbols} & {*new.symbols}
    blotted = [name for name in bench.resistance_blot.antibodies if name in common]
    counted = [name for name in (bench.names.viability, bench.names.cell_count) if name in common]
    if not blotted and not counted:
        raise InputError("the two models have no readout in common")
    drug = f"serum 10 % + {bench.resistance_blot.drug}"
    readings = []
    for line in bench.resistance_blot.cell_lines:
        for treatment in ("serum 10 %", *resistance_blot_protocol(version=new.version)):
            readings += [Reading(line, treatment, 15.0, name) for name in blotted]
        readings += [Reading(line, drug, 1440.0, name) for name in blotted]
        readings += [Reading(line, treatment, 4320.0, name) for treatment in ("serum 10 %", drug) for name in counted]
    before, after = take_readings(old, readings)[0], take_readings(new, readings)[0]
    units = {note.name: note.unit for note in new.annotations}
    found = []
    for reading, first, second in zip(readings, before, after, strict=True):
        if not math.isclose(first, second, rel_tol=SAME):
            where = f"{reading.readout} of {reading.cell_line}, {reading.treatment}, {reading.time_min:g} min"
            found.append(Change("reading", where, f"{first:.4g}", f"{second:.4g}", units.get(reading.readout, "")))
    return found


def compare_behaviours(
    behaviours: Sequence[Behaviour], old: Model, new: Model, progress: Callable[[str], None] = lambda _: None
) -> list[Change]:
    """Behaviours that hold on a line in one of the two models only; of lines that both libraries have."""
    states = []
    for model in (old, new):
        library = default_library(model.version)
        known = [_on(item, library) for item in behaviours]
        seen = see([item for item in known if item.lines], model, library, progress)
        states.append({(one.behaviour.id, one.line): "holds" if one.holds else "does not hold" for one in seen})
    before, after = states
    return [
        Change("behaviour", f"{item} on {line}", before[item, line], after[item, line])
        for item, line in before
        if (item, line) in after and before[item, line] != after[item, line]
    ]


def compare(old: Model, new: Model, note: Callable[[str], None] = lambda _: None) -> list[Change]:
    """Everything that differs but behaviours; ``note`` is told where readings could not be taken."""
    found = compare_models(old, new)
    found += compare_libraries(default_library(old.version), default_library(new.version))
    try:
        found += compare_readings(old, new)
    except PathsimError as error:
        note(f"no readings: {error}")
    return found


def to_frame(changes: Iterable[Change]) -> pd.DataFrame:
    """One row per change: ``kind, name, change, old, new, unit``."""
    import pandas as pd

    rows = [
        {
            "kind": one.kind,
            "name": one.name,
            "change": "added" if not one.old else "changed" if one.new else "removed",
            "old": one.old,
            "new": one.new,
            "unit": one.unit,
        }
        for one in changes
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "change", "old", "new", "unit"])


def summary(changes: Sequence[Change]) -> str:
    """How many of each kind, in words."""
    counts = {kind: sum(one.kind == kind for one in changes) for kind in KINDS}
    said = ", ".join(f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in counts.items() if count)
    return said or "nothing differs"


def _plural(kind: str) -> str:
    return kind if kind.endswith("s") else f"{kind}s"


def _changes(kind: str, old: Entries, new: Entries) -> Iterator[Change]:
    """Differences in the order of the new entries, removed ones last."""
    for name, (value, unit) in new.items():
        before, unit_before = old.get(name, ("", unit))
        if (before, unit_before) != (value, unit):
            same_unit = unit_before == unit
            yield Change(kind, name, before if same_unit else f"{before} {unit_before}", value, unit)
    for name, (before, unit) in old.items():
        if name not in new:
            yield Change(kind, name, before, "", unit)


def _parts(
    kind: str, old: Mapping[str, Any], new: Mapping[str, Any], describe: Callable[[Any], Entries]
) -> list[Change]:
    """Items that one side lacks, as a whole; of the others what differs, one change per part."""
    found = []
    for name, item in new.items():
        after = describe(item)
        if name not in old:
            found.append(Change(kind, name, "", _whole(after)))
            continue
        inside = _changes(kind, describe(old[name]), after)
        found += [Change(kind, f"{name}, {one.name}", one.old, one.new, one.unit) for one in inside]
    found += [Change(kind, name, _whole(describe(item)), "") for name, item in old.items() if name not in new]
    return found


def _whole(entries: Entries) -> str:
    shown = [f"{name} {value} {unit}".rstrip() for name, (value, unit) in entries.items() if "source" not in name]
    return "; ".join(shown) or "with nothing set"


def _states(model: Model) -> dict[str, tuple[str, str]]:
    starts = {rule.variable: text(rule.math) for rule in model.initial_assignments}
    notes = {note.name: note.unit for note in model.annotations}
    return {
        item.id: (f"starts at {starts.get(item.id, number_text(item.initial))}", notes.get(item.id, item.unit))
        for item in model.species
    }


def _parameters(model: Model) -> dict[str, tuple[str, str]]:
    notes = {note.name: note.unit for note in model.annotations}
    starts = {rule.variable: text(rule.math) for rule in model.initial_assignments}
    return {
        item.id: (starts.get(item.id, number_text(item.value)), notes.get(item.id, item.unit))
        for item in model.parameters
        if item.id not in model.rules
    }


def _rules(model: Model) -> dict[str, tuple[str, str]]:
    found = {rule.variable: (text(rule.math), "") for rule in model.assignment_rules}
    return found | {f"rate of {rule.variable}": (text(rule.math), "") for rule in model.rate_rules}


def _reactions(model: Model) -> dict[str, tuple[str, str]]:
    return {item.id: (f"{_stoichiometry(item)}; {text(item.rate)}", "") for item in model.reactions}


def _stoichiometry(reaction: Reaction) -> str:
    sides = []
    for members in (reaction.reactants, reaction.products):
        sides.append(" + ".join(f"{_times(one.stoichiometry)}{one.species}" for one in members))
    return " => ".join(sides).strip()


def _times(count: Expr) -> str:
    return "" if count == number(1.0) else f"{text(count)} "


def _events(model: Model) -> dict[str, tuple[str, str]]:
    return {
        item.id: (
            f"when {text(item.trigger)}: "
            + ", ".join(f"{one.variable} = {text(one.math)}" for one in item.assignments),
            "",
        )
        for item in model.events
    }


def _sources(model: Model) -> dict[str, tuple[str, str]]:
    return {
        note.name: (f"{note.kind}: {note.text}" if note.text else note.kind, "")
        for note in model.annotations
        if not note.is_rule
    }


def _substance(drug: Drug) -> dict[str, tuple[str, str]]:
    """Constants as the file has them: an inhibitor's as the concentration that half occupies its site."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in {**drug.per_nM, **drug.per_percent}.items():
        inhibits = name.startswith("drug_on_") and value > 0
        found[f"K of {name}" if inhibits else name] = (
            f"{1 / value if inhibits else value:.6g}",
            "nM" if inhibits else "",
        )
    if drug.molar_mass is not None:
        found["molar mass"] = (number_text(drug.molar_mass), "g/mol")
    return found | {f"source of {name}": (source, "") for name, source in drug.sources.items()}


def _line(item: Any) -> dict[str, tuple[str, str]]:
    """What a cell line or alteration sets and scales, and why."""
    found = {f"genotype {gene}": (str(state), "") for gene, state in getattr(item, "genotype", {}).items()}
    found |= {name: (f"{value:.6g}", "") for name, value in item.set.items()}
    found |= {f"{name}, factor": (f"{value:.6g}", "") for name, value in item.scale.items()}
    sources = getattr(item, "sources", None)
    if sources is None:
        return found | {"source": (item.source, "")}
    return found | {f"source of {name}": (source, "") for name, source in sources.items()}


def _record(item: Any) -> dict[str, tuple[str, str]]:
    """The fields of a record."""
    found: dict[str, tuple[str, str]] = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, Mapping):
            found |= {f"{field.name} {key}": (_shown(one), "") for key, one in value.items()}
        else:
            found[field.name] = (_shown(value), "")
    return found


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _by_alteration(version: str) -> dict[str, Any]:
    return {clone.alteration: clone for clone in default_clones(version)}


def _by_drug(kinetics: Mapping[tuple[str, str], Kinetics]) -> dict[str, Kinetics]:
    return {f"{drug} in {species}": item for (drug, species), item in kinetics.items()}


def _on(behaviour: Behaviour, library: Library) -> Behaviour:
    """The behaviour on those of its lines that a library has."""
    return replace(
        behaviour, lines=tuple(line for line in behaviour.lines if line.partition("+")[0] in library.cell_lines)
    )
