"""What is done to the cell: drugs, cell lines, treatments, and the conditions they make.

In: text (treatments, regimens, TOML of the library). Out: :class:`Condition`, a sequence of parameter settings; it
knows nothing of how equations are solved.

- what treatment text may say: ``treatment.py``; dosing text: ``schedule.py``; what follows from both: ``condition.py``
- drugs, ligands, media: ``drug.py``; cell lines and alterations: ``cell_line.py``; their files: ``library.py``, read
  field by field by ``entry.py``; names that become file names: ``names.py``
- constants of one's own (of a fit, or set by hand) and which number wins in a line: ``constants.py``
- concentrations in the body: ``pharmacokinetics.py``; clones before drug: ``clones.py``; sites and hosts: ``host.py``
- standard protocols, and the names of a model that assays call upon: ``protocols.py``
"""

from .cell_line import Alteration, CellLine
from .condition import FULL_MEDIUM, Condition
from .drug import Drug
from .library import Library, default_library
from .pharmacokinetics import Exposure, Kinetics, Pharmacy, default_pharmacy, expose, expose_doses, read_pharmacy
from .schedule import Course, Regimen
from .treatment import Dose, Step, Treatment

__all__ = [
    "FULL_MEDIUM",
    "Alteration",
    "CellLine",
    "Condition",
    "Course",
    "Dose",
    "Drug",
    "Exposure",
    "Kinetics",
    "Library",
    "Pharmacy",
    "Regimen",
    "Step",
    "Treatment",
    "default_library",
    "default_pharmacy",
    "expose",
    "expose_doses",
    "read_pharmacy",
]
