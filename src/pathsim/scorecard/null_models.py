"""Null models: the same wiring with the feedbacks held at their untreated level, and drugs that do nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from ..experiments.readings import Reading, take_readings
from ..lab import CellLine, Library
from ..lab.protocols import protocols
from ..model import Model


def feedback_free(model: Model, library: Library, names: Iterable[str]) -> dict[str, CellLine]:
    """Each named line with its feedbacks cut: held at the level they have in that very line at rest, so that the
    untreated state is the same and only what a perturbation feeds back is gone; and without shielding of AKT."""
    null = protocols(model.version).without_feedback
    unique = list(dict.fromkeys(names))
    readings = [Reading(name, "serum 10 %", 0.0, signal) for name in unique for signal in null.held.values()]
    levels = take_readings(model, readings, library=library)[0].reshape(len(unique), len(null.held))
    lines = {}
    for name, level in zip(unique, levels, strict=True):
        line = library.cell_line(name)
        held = dict(zip(null.held, (float(value) for value in level), strict=True))
        settings = {**line.set, **dict.fromkeys(null.off, 0.0), **held}
        lines[name] = replace(line, set=MappingProxyType(settings))
    return lines


def without_drug_effects(library: Library) -> Library:
    """The library with every drug inert; ligands and media act."""
    inert = {
        name: replace(drug, per_nM=MappingProxyType(dict.fromkeys(drug.per_nM, 0.0))) if drug.kind == "drug" else drug
        for name, drug in library.drugs.items()
    }
    return replace(library, drugs=inert)
