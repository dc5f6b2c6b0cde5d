"""PEtab problems, version 1 and 2: read and written. Needs ``pip install pathsim[petab]``.

In: a problem's YAML file and its tables. Out: a :class:`pathsim.estimation.problem.Problem`, and the other way round.

- ``loading.py``: the way in, which picks ``read_v1.py`` or ``read_v2.py``; both make the records of
  :mod:`pathsim.estimation.records`; ``formulas.py``: PEtab's formulas as maths trees
- ``write.py``: any problem of the lab as version 2; ``export.py``: straight from measured tables
"""

from __future__ import annotations

from ..estimation.problem import Evaluation, Problem
from .export import export
from .loading import load
from .write import write

__all__ = ["Evaluation", "Problem", "export", "load", "write"]
