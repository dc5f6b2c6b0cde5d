"""From measured tables to parameters: objectives, search, profiles, samples."""

from ..estimation.blots import Densitometry, blot_problem, check_blots, read_blots
from ..estimation.descend import Descent
from ..estimation.evolve import Evolution
from ..estimation.free import FreeParameter, read_free_parameters
from ..estimation.objective import Objective, Slopes
from ..estimation.optimise import LBFGSB, Fides, LeastSquares, TrustRegion
from ..estimation.profile import Profile, Profiles, profile
from ..estimation.result import Fit, Start, load_fit
from ..estimation.sample import Sampled, sample
from ..estimation.search import Beginning, fit
from ..estimation.uncertainty import Ensemble, bands, directions, hints, posterior_ensemble

__all__ = [
    "LBFGSB",
    "Beginning",
    "Densitometry",
    "Descent",
    "Ensemble",
    "Evolution",
    "Fides",
    "Fit",
    "FreeParameter",
    "LeastSquares",
    "Objective",
    "Profile",
    "Profiles",
    "Sampled",
    "Slopes",
    "Start",
    "TrustRegion",
    "bands",
    "blot_problem",
    "check_blots",
    "directions",
    "fit",
    "hints",
    "load_fit",
    "posterior_ensemble",
    "profile",
    "read_blots",
    "read_free_parameters",
    "sample",
]
