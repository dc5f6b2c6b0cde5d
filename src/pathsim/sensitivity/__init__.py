"""Which parameters matter: elasticities, Sobol indices, Morris effects."""

from .local import elasticities
from .variance import morris_effects, sobol_indices

__all__ = ["elasticities", "morris_effects", "sobol_indices"]
