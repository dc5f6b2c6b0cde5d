"""Which parameters matter: elasticities, Sobol indices, Morris effects.

In: a model, a cell line, treatment text, readouts, intervals of parameters. Out: a DataFrame, one row per readout and
parameter.

- local elasticities, and how sets of parameters are simulated and read: ``local.py``
- shares of variance and screenings, another global method: ``variance.py``
- samples of a sweep instead of a study of variance: :mod:`pathsim.sweep`
"""

from ..names import listing
from .local import elasticities
from .variance import morris_effects, sobol_indices

__all__ = ["elasticities", "morris_effects", "sobol_indices"]

__dir__ = listing(__all__)
