"""PEtab problems, version 1 and 2: read, evaluated, exported. Needs ``pip install pathsim[petab]``."""

from __future__ import annotations

from ..estimation.problem import Evaluation, Problem
from .export import export
from .loading import load

__all__ = ["Evaluation", "Problem", "export", "load"]
