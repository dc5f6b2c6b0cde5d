"""Figures: one function per figure, takes ``ax=None`` or draws its own, and returns what it drew on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agreement import draw_agreement
    from .blot import draw_blot
    from .dose_response import draw_dose_response
    from .fit import draw_blot_fit, draw_fit, draw_parameters, draw_profile, draw_profiles, draw_waterfall
    from .network import draw_network
    from .sensitivity import draw_morris, draw_sobol, draw_tornado
    from .survival import draw_survival
    from .synergy import draw_combination_index, draw_dose_matrix, draw_isobologram, draw_ranking, draw_synergy
    from .time_course import draw_time_course

_FIGURES = {
    "draw_agreement": "agreement",
    "draw_blot": "blot",
    "draw_combination_index": "synergy",
    "draw_dose_matrix": "synergy",
    "draw_dose_response": "dose_response",
    "draw_isobologram": "synergy",
    "draw_morris": "sensitivity",
    "draw_blot_fit": "fit",
    "draw_fit": "fit",
    "draw_network": "network",
    "draw_parameters": "fit",
    "draw_profile": "fit",
    "draw_profiles": "fit",
    "draw_waterfall": "fit",
    "draw_ranking": "synergy",
    "draw_sobol": "sensitivity",
    "draw_survival": "survival",
    "draw_synergy": "synergy",
    "draw_time_course": "time_course",
    "draw_tornado": "sensitivity",
}

__all__ = [
    "draw_agreement",
    "draw_blot",
    "draw_blot_fit",
    "draw_combination_index",
    "draw_dose_matrix",
    "draw_dose_response",
    "draw_fit",
    "draw_isobologram",
    "draw_morris",
    "draw_network",
    "draw_parameters",
    "draw_profile",
    "draw_profiles",
    "draw_ranking",
    "draw_sobol",
    "draw_survival",
    "draw_synergy",
    "draw_time_course",
    "draw_tornado",
    "draw_waterfall",
]


def __getattr__(name: str) -> Any:
    """Figures are imported when first used: matplotlib is slow to load."""
    if name not in _FIGURES:
        raise AttributeError(f"module 'pathsim.plot' has no attribute '{name}'")
    return getattr(import_module(f".{_FIGURES[name]}", __name__), name)
