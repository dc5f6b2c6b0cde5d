"""What the cell is: frozen records, the maths tree, and the readers of ``.ant`` and SBML files."""

from .checks import Report, check_model, without_value
from .loading import bundled_models, load_model, models_folder
from .moieties import Moiety, conserved_moieties
from .records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species
from .wiring import Edge, Effect, Kind, Wiring, wiring

__all__ = [
    "Compartment",
    "Edge",
    "Effect",
    "Event",
    "Kind",
    "Model",
    "Moiety",
    "Parameter",
    "Participant",
    "Reaction",
    "Report",
    "Rule",
    "Species",
    "Wiring",
    "bundled_models",
    "check_model",
    "conserved_moieties",
    "load_model",
    "models_folder",
    "wiring",
    "without_value",
]
