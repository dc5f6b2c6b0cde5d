"""What the cell is: frozen records, the maths tree, and the readers of ``.ant`` and SBML files.

In: a file, or the name of a bundled model. Out: a :class:`Model` with the meaning SBML gives its parts; no equations.

- where files are found, and which reader takes them: ``loading.py``; in a child process: ``isolated.py``, ``child.py``,
  ``reading.py``; kept in the cache: ``stored.py``
- another SBML construct: ``records.py``, ``sbml.py`` (reader), ``sbml_prepare.py`` (what libsbml cannot take); another
  function of formulas: ``maths.py``; whether parts fit together: ``consistency.py``
- Antimony: ``antimony.py``; units and sources behind numbers: ``annotations.py``; SBML for others: ``sbml_export.py``
- ``pathsim check``: ``checks.py``, ``dimensions.py``, and of bundled files ``sources.py``; conserved totals:
  ``moieties.py``; the wiring: ``wiring.py``
"""

from .checks import Report, check_model, without_value
from .loading import bundled_models, current_version, load_model, models_folder, version_of, versions
from .moieties import Moiety, conserved_moieties
from .records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species
from .sources import bundled_sources
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
    "bundled_sources",
    "check_model",
    "conserved_moieties",
    "current_version",
    "load_model",
    "models_folder",
    "version_of",
    "versions",
    "wiring",
    "without_value",
]
