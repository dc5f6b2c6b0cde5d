"""pathsim: a virtual wet lab for PI3K-pathway drug resistance."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assays import (
        ASSAY_READOUTS,
        BlotNoise,
        Plate,
        WellNoise,
        combination_screen,
        dose_response,
        seed_protocol,
        western_blot,
    )
    from .errors import InputError, PathsimError, SimulationError, UnknownNameError, UnsupportedModelError
    from .lab import CellLine, Condition, Drug, Library, Treatment, default_library
    from .model import Model, load_model
    from .simulation import Batch, Plan, full_plan, simulate, simulate_many
    from .solve import Bdf, Lsoda, Rosenbrock, Status
    from .table import check_table, read_table

_ROOMS = {
    "assays": (
        "ASSAY_READOUTS",
        "BlotNoise",
        "Plate",
        "WellNoise",
        "combination_screen",
        "dose_response",
        "seed_protocol",
        "western_blot",
    ),
    "errors": ("InputError", "PathsimError", "SimulationError", "UnknownNameError", "UnsupportedModelError"),
    "lab": ("CellLine", "Condition", "Drug", "Library", "Treatment", "default_library"),
    "model": ("Model", "load_model"),
    "simulation": ("Batch", "Plan", "full_plan", "simulate", "simulate_many"),
    "solve": ("Bdf", "Lsoda", "Rosenbrock", "Status"),
    "table": ("check_table", "read_table"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ASSAY_READOUTS",
    "Batch",
    "Bdf",
    "BlotNoise",
    "CellLine",
    "Condition",
    "Drug",
    "InputError",
    "Library",
    "Lsoda",
    "Model",
    "PathsimError",
    "Plan",
    "Plate",
    "Rosenbrock",
    "SimulationError",
    "Status",
    "Treatment",
    "UnknownNameError",
    "UnsupportedModelError",
    "WellNoise",
    "check_table",
    "combination_screen",
    "default_library",
    "dose_response",
    "full_plan",
    "load_model",
    "read_table",
    "seed_protocol",
    "simulate",
    "simulate_many",
    "western_blot",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that ``import pathsim`` and ``pathsim --help`` are quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'pathsim' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
