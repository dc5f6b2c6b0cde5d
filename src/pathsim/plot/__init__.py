"""Figures: one function per figure, takes ``ax=None`` or draws its own, and returns what it drew on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blot import draw_blot
    from .network import draw_network
    from .time_course import draw_time_course

_FIGURES = {
    "draw_blot": "blot",
    "draw_network": "network",
    "draw_time_course": "time_course",
}

__all__ = ["draw_blot", "draw_network", "draw_time_course"]


def __getattr__(name: str) -> Any:
    """Figures are imported when first used: matplotlib is slow to load."""
    if name not in _FIGURES:
        raise AttributeError(f"module 'pathsim.plot' has no attribute '{name}'")
    return getattr(import_module(f".{_FIGURES[name]}", __name__), name)
