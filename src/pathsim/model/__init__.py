"""What the cell is: frozen records, the maths tree, and the readers of ``.ant`` and SBML files."""

from .loading import bundled_models, load_model, models_folder
from .records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species

__all__ = [
    "Compartment",
    "Event",
    "Model",
    "Parameter",
    "Participant",
    "Reaction",
    "Rule",
    "Species",
    "bundled_models",
    "load_model",
    "models_folder",
]
