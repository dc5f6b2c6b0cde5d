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
        resistance_blot_protocol,
    )
    from .assays.dose_response import dose_response
    from .assays.western_blot import western_blot
    from .errors import InputError, PathsimError, SimulationError, UnknownNameError, UnsupportedModelError
    from .estimation import (
        LBFGSB,
        Beginning,
        Densitometry,
        Descent,
        Evolution,
        Fides,
        Fit,
        FreeParameter,
        LeastSquares,
        TrustRegion,
        bands,
        blot_problem,
        directions,
        fit,
        hints,
        load_fit,
        posterior_ensemble,
        read_blots,
        read_free_parameters,
    )
    from .estimation.profile import profile
    from .estimation.sample import sample
    from .experiments.ensemble import load_parameter_sets, over_sets, repeat
    from .experiments.simulation import Plan, full_plan
    from .experiments.timecourse import Batch, Simulator, iter_simulate_many, simulate, simulate_many, simulator
    from .invivo import glucose_insulin_study, logrank_power, virtual_trial
    from .invivo.xenograft import xenograft
    from .lab import CellLine, Condition, Drug, Library, Treatment, default_library
    from .model import Model, load_model
    from .resistance import escalate, washout
    from .sensitivity import elasticities, morris_effects, sobol_indices
    from .solve import BDF, LSODA, Rosenbrock, Status
    from .stats import growth_rate, hill, survival, synergy
    from .sweep import (
        Progress,
        Shard,
        make_spec,
        merge_sweep,
        read_spec,
        run_sweep,
        run_sweep_on_dask,
    )
    from .table import check_table, read_table
    from .workflow.investigate import investigate

_ROOMS = {
    "assays": (
        "ASSAY_READOUTS",
        "BlotNoise",
        "Plate",
        "WellNoise",
        "combination_screen",
        "dose_response",
        "resistance_blot_protocol",
        "western_blot",
    ),
    "resistance": ("escalate", "washout"),
    "invivo": ("glucose_insulin_study", "logrank_power", "virtual_trial", "xenograft"),
    "workflow": ("investigate",),
    "sensitivity": ("elasticities", "morris_effects", "sobol_indices"),
    "experiments.ensemble": ("over_sets", "load_parameter_sets", "repeat"),
    "errors": ("InputError", "PathsimError", "SimulationError", "UnknownNameError", "UnsupportedModelError"),
    "estimation": (
        "Beginning",
        "Densitometry",
        "Descent",
        "Evolution",
        "Fides",
        "Fit",
        "FreeParameter",
        "LBFGSB",
        "LeastSquares",
        "TrustRegion",
        "bands",
        "blot_problem",
        "directions",
        "fit",
        "hints",
        "load_fit",
        "posterior_ensemble",
        "profile",
        "read_blots",
        "read_free_parameters",
        "sample",
    ),
    "lab": ("CellLine", "Condition", "Drug", "Library", "Treatment", "default_library"),
    "model": ("Model", "load_model"),
    "experiments.simulation": ("Plan", "full_plan"),
    "solve": ("BDF", "LSODA", "Rosenbrock", "Status"),
    "sweep": (
        "Progress",
        "Shard",
        "make_spec",
        "merge_sweep",
        "read_spec",
        "run_sweep",
        "run_sweep_on_dask",
    ),
    "table": ("check_table", "read_table"),
    "experiments.timecourse": ("Batch", "Simulator", "simulate", "simulate_many", "iter_simulate_many", "simulator"),
}
_MODULES = {name: f".stats.{name}" for name in ("growth_rate", "hill", "survival", "synergy")} | {"petab": ".petab"}
"""Whole modules that are public names: ``ps.synergy.bliss(...)``."""
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ASSAY_READOUTS",
    "BDF",
    "LBFGSB",
    "LSODA",
    "Batch",
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
    "FreeParameter",
    "InputError",
    "LeastSquares",
    "Library",
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
    "glucose_insulin_study",
    "growth_rate",
    "hill",
    "hints",
    "investigate",
    "iter_simulate_many",
    "load_fit",
    "load_model",
    "load_parameter_sets",
    "logrank_power",
    "make_spec",
    "merge_sweep",
    "morris_effects",
    "over_sets",
    "petab",
    "posterior_ensemble",
    "profile",
    "read_blots",
    "read_free_parameters",
    "read_spec",
    "read_table",
    "repeat",
    "resistance_blot_protocol",
    "run_sweep",
    "run_sweep_on_dask",
    "sample",
    "simulate",
    "simulate_many",
    "simulator",
    "sobol_indices",
    "survival",
    "synergy",
    "virtual_trial",
    "washout",
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
