"""What is done to the cell: drugs, cell lines, treatments, and the conditions they make."""

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
