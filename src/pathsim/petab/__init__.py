"""PEtab problems, version 1 and 2: read and written. Needs the packages petab and pyyaml.

In: a problem's YAML file and its tables. Out: a :class:`pathsim.estimation.problem.Problem`, and the other way round.

- ``loading.py``: the way in, which picks ``read_v1.py`` or ``read_v2.py``; both make the records of
  :mod:`pathsim.estimation.records`
- ``tables.py``: tables as rows of text and the faults of single cells; ``rows.py``: what both versions read alike;
  ``check.py``: names and priors that tables say together; ``formulas.py``: PEtab's formulas as maths trees
- ``write.py``: any problem of the lab as version 2; ``version_1.py``: its tables as version 1; ``export.py``: straight
  from measured tables

Faults of all files are collected and raised together, a line each with file, row, cell and what would be right. The
package ``petab`` parses formulas and checks the YAML file against its schema; its tables and its linter are not used
here: they tell one fault at a time, without row and cell, let pandas guess types, and cost more. The 23 problems of the
published collection are read and checked in 3.3 s here and in 14.8 s by ``petab.v1`` (2.0 s and 8.1 s for the one with
27,000 measurements); importing ``petab.v2`` takes another 0.5 s. ``tests/petab/test_linter.py`` holds that nothing that
its linter finds is accepted here.
"""

from __future__ import annotations

from ..estimation.problem import Evaluation, Problem
from ..names import listing
from .export import export
from .loading import load
from .write import write

__all__ = ["Evaluation", "Problem", "export", "load", "write"]

__dir__ = listing(__all__)
