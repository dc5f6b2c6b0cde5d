"""PEtab problems, version 1 and 2: read, evaluated, exported. Needs ``pip install pathsim[petab]``."""

from __future__ import annotations

from .export import export
from .loading import load
from .problem import Evaluation, Problem

__all__ = ["Evaluation", "Problem", "export", "load"]
