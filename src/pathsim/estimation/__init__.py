"""From measured tables to parameters: one estimation problem, whoever reads it, and everything that is done with it.

In: measured tables of the lab, or the records that :mod:`pathsim.petab` and :mod:`pathsim.calibration` make. Out: a
:class:`Problem` (likelihood, gradient, predictions), fits, profiles, samples.

- another measured quantity: a formula in ``observables.py``; another table of the lab: ``tables.py``, ``blots.py`` or
  ``screen_table.py``,
  which make the rows that ``lab_problem.py`` turns into a problem; a problem from parts: ``records.py``
- another noise family: ``pathsim/stats/noise.py``; what is solved for in closed form: ``likelihood.py``
- from formulas to arrays and their derivatives: ``terms.py``, ``setup.py``; gradients: ``gradients.py``; the rough
  objective of many vectors: ``refine.py``; the objective of fits: ``posterior.py``
- search: ``search.py`` (starts), ``evolve.py``, ``descend.py``, ``optimise.py`` (local); results: ``result.py``,
  ``profile.py``, ``sample.py``, ``uncertainty.py``
"""

from .blot_table import check_blots, read_blots
from .blots import blot_problem
from .free import FreeParameter, read_free_parameters
from .objective import Derivatives, Objective
from .optimise import LBFGSB, TrustRegion
from .problem import Problem
from .profile import Profile, Profiles, profile
from .result import Fit, Start, load_fit
from .sample import Sampled, sample
from .screen_table import read_screen
from .search import fit
from .tables import problem
from .uncertainty import Ensemble, IdentifiabilityReport, identifiability_report, posterior_ensemble

__all__ = [
    "LBFGSB",
    "Derivatives",
    "Ensemble",
    "Fit",
    "FreeParameter",
    "IdentifiabilityReport",
    "Objective",
    "Problem",
    "Profile",
    "Profiles",
    "Sampled",
    "Start",
    "TrustRegion",
    "blot_problem",
    "check_blots",
    "fit",
    "identifiability_report",
    "load_fit",
    "posterior_ensemble",
    "problem",
    "profile",
    "read_blots",
    "read_free_parameters",
    "read_screen",
    "sample",
]
