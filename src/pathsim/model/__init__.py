"""What the cell is: frozen records, the maths tree, and the readers of ``.ant`` and SBML files.

In: a file, or the name of a bundled model. Out: a :class:`Model` with the meaning SBML gives its parts; no equations.

- where files are found, and which reader takes them: ``loading.py``; in a child process: ``isolated.py``, ``child.py``,
  ``reading.py``; kept in the cache: ``stored.py``
- another SBML construct: ``records.py``, ``sbml.py`` (reader), ``sbml_prepare.py`` (what libsbml cannot take),
  ``libsbml_objects.py``; another function of formulas: ``maths.py``; whether parts fit together: ``consistency.py``
- Antimony: ``antimony.py``; units and sources behind numbers: ``annotations.py``; SBML for others: ``sbml_export.py``
- ``pathsim check``: ``checks.py``, ``dimensions.py``, and of bundled files ``sources.py``; conserved totals:
  ``moieties.py``; the wiring: ``wiring.py``
"""

from .loading import bundled_models, current_version, load_model, models_folder, version_of, versions
from .records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species, without_value

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
    "current_version",
    "load_model",
    "models_folder",
    "version_of",
    "versions",
    "without_value",
]
