"""Words of the bench that treatments and schedules take for their own: DMSO, starve, ``and``, a comma between drugs."""

from __future__ import annotations

import re

VEHICLE = "vehicle"
_SOLVENT = re.compile(r"dmso(?:\s+[\d.]+\s*%)?", re.IGNORECASE)
_STARVED = ("starve", "starved", "starving", "starvation", "serum-free", "serum free", "serum-free medium")
_UNTREATED = ("control", "untreated", "placebo", "no drug")
_BETWEEN_DRUGS = re.compile(r"\s+\+\s+|,?\s+and\s+|,\s+|,(?=[^\W\d_])", re.IGNORECASE)
_BETWEEN_STEPS = re.compile(r"\s*[,;]?\s+then\s+")


def steps_of(text: str) -> list[str]:
    """The steps of a treatment, which ``then`` joins."""
    return _BETWEEN_STEPS.split(text)


def drugs_of(text: str) -> list[str]:
    """What is given at once, joined by ``+``, ``and`` or a comma; the solvent beside drugs is left out."""
    parts = [part.strip() for part in _BETWEEN_DRUGS.split(text)]
    return [part for part in parts if len(parts) == 1 or not _SOLVENT.fullmatch(part)]


def is_vehicle(text: str) -> bool:
    """Whether a step adds nothing: ``vehicle``, ``DMSO``, ``DMSO 0.1 %``, ``starve``, ``serum-free``."""
    return text.lower() in (VEHICLE, *_STARVED) or _SOLVENT.fullmatch(text) is not None


def is_untreated(text: str) -> bool:
    """Whether an arm receives no drug: what a step adds nothing by, or ``control``, ``untreated``, ``placebo``."""
    return text.lower() in _UNTREATED or (is_vehicle(text) and text.lower() not in _STARVED)
