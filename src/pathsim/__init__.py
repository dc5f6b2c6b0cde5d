"""pathsim: a virtual wet lab for PI3K-pathway drug resistance."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import petab
    from .assays import (
        ASSAY_READOUTS,
        BlotNoise,
        Plate,
        WellNoise,
        combination_screen,
        escalate,
        glucose_study,
        mice_needed,
        seed_protocol,
        virtual_trial,
        wash_out,
    )
    from .assays.dose_response import dose_response
    from .assays.investigate import investigate
    from .assays.western_blot import western_blot
    from .assays.xenograft import xenograft
    from .ensemble import over_sets, read_ensemble, repeat
    from .errors import InputError, PathsimError, SimulationError, UnknownNameError, UnsupportedModelError
    from .fitting import (
        Beginning,
        Densitometry,
        Descent,
        Evolution,
        Fides,
        Fit,
        Free,
        Lbfgsb,
        LeastSquares,
        TrustRegion,
        bands,
        blot_problem,
        directions,
        fit,
        hints,
        load_fit,
        parameter_ensemble,
        read_blots,
        read_free,
    )
    from .fitting.profile import profile
    from .fitting.sample import sample
    from .lab import CellLine, Condition, Drug, Library, Treatment, default_library
    from .model import Model, load_model
    from .simulation import Plan, full_plan
    from .solve import Bdf, Lsoda, Rosenbrock, Status
    from .stats import growth_rate, hill, survival, synergy
    from .sweep import (
        Progress,
        Shard,
        elasticities,
        make_spec,
        merge_sweep,
        morris_effects,
        read_spec,
        run_sweep,
        run_sweep_on_dask,
        sobol_indices,
    )
    from .table import check_table, read_table
    from .timecourse import Batch, Simulator, simulate, simulate_many, simulate_stream, simulator

_ROOMS = {
    "assays": (
        "ASSAY_READOUTS",
        "BlotNoise",
        "Plate",
        "WellNoise",
        "combination_screen",
        "dose_response",
        "escalate",
        "glucose_study",
        "investigate",
        "mice_needed",
        "seed_protocol",
        "virtual_trial",
        "wash_out",
        "western_blot",
        "xenograft",
    ),
    "ensemble": ("over_sets", "read_ensemble", "repeat"),
    "errors": ("InputError", "PathsimError", "SimulationError", "UnknownNameError", "UnsupportedModelError"),
    "fitting": (
        "Beginning",
        "Densitometry",
        "Descent",
        "Evolution",
        "Fides",
        "Fit",
        "Free",
        "Lbfgsb",
        "LeastSquares",
        "TrustRegion",
        "bands",
        "blot_problem",
        "directions",
        "fit",
        "hints",
        "load_fit",
        "parameter_ensemble",
        "profile",
        "read_blots",
        "read_free",
        "sample",
    ),
    "lab": ("CellLine", "Condition", "Drug", "Library", "Treatment", "default_library"),
    "model": ("Model", "load_model"),
    "simulation": ("Plan", "full_plan"),
    "solve": ("Bdf", "Lsoda", "Rosenbrock", "Status"),
    "sweep": (
        "Progress",
        "Shard",
        "elasticities",
        "make_spec",
        "merge_sweep",
        "morris_effects",
        "read_spec",
        "run_sweep",
        "run_sweep_on_dask",
        "sobol_indices",
    ),
    "table": ("check_table", "read_table"),
    "timecourse": ("Batch", "Simulator", "simulate", "simulate_many", "simulate_stream", "simulator"),
}
_MODULES = {name: f".stats.{name}" for name in ("growth_rate", "hill", "survival", "synergy")} | {"petab": ".petab"}
"""Whole modules that are public names: ``ps.synergy.bliss(...)``."""
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ASSAY_READOUTS",
    "Batch",
    "Bdf",
    "Beginning",
    "BlotNoise",
    "CellLine",
    "Condition",
    "Densitometry",
    "Descent",
    "Drug",
    "Evolution",
    "Fides",
    "Fit",
    "Free",
    "InputError",
    "Lbfgsb",
    "LeastSquares",
    "Library",
    "Lsoda",
    "Model",
    "PathsimError",
    "Plan",
    "Plate",
    "Progress",
    "Rosenbrock",
    "Shard",
    "SimulationError",
    "Simulator",
    "Status",
    "Treatment",
    "TrustRegion",
    "UnknownNameError",
    "UnsupportedModelError",
    "WellNoise",
    "bands",
    "blot_problem",
    "check_table",
    "combination_screen",
    "default_library",
    "directions",
    "dose_response",
    "elasticities",
    "escalate",
    "fit",
    "full_plan",
    "glucose_study",
    "growth_rate",
    "hill",
    "hints",
    "investigate",
    "load_fit",
    "load_model",
    "make_spec",
    "merge_sweep",
    "mice_needed",
    "morris_effects",
    "over_sets",
    "parameter_ensemble",
    "petab",
    "profile",
    "read_blots",
    "read_ensemble",
    "read_free",
    "read_spec",
    "read_table",
    "repeat",
    "run_sweep",
    "run_sweep_on_dask",
    "sample",
    "seed_protocol",
    "simulate",
    "simulate_many",
    "simulate_stream",
    "simulator",
    "sobol_indices",
    "survival",
    "synergy",
    "virtual_trial",
    "wash_out",
    "western_blot",
    "xenograft",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that ``import pathsim`` and ``pathsim --help`` are quick."""
    if name in _MODULES:
        return import_module(_MODULES[name], __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'pathsim' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
