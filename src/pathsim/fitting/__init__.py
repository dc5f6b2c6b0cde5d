"""From measured tables to parameters: objectives, search, profiles, samples."""

from .blots import Densitometry, blot_problem, check_blots, read_blots
from .descend import Descent
from .evolve import Evolution
from .free import Free, read_free
from .objective import Objective, Slopes
from .optimise import Fides, Lbfgsb, LeastSquares, TrustRegion
from .profile import Profile, Profiles, profile
from .result import Fit, Start, load_fit
from .sample import Sampled, sample
from .search import Beginning, fit
from .uncertainty import Ensemble, bands, directions, hints, parameter_ensemble

__all__ = [
    "Beginning",
    "Densitometry",
    "Descent",
    "Ensemble",
    "Evolution",
    "Fides",
    "Fit",
    "Free",
    "Lbfgsb",
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
    "parameter_ensemble",
    "profile",
    "read_blots",
    "read_free",
    "sample",
]
