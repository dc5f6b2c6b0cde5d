"""What is done to the cell: drugs, cell lines, treatments, and the conditions they make."""

from .cell_line import Alteration, CellLine
from .condition import FULL_MEDIUM, Condition
from .drug import Drug
from .library import Library, default_library
from .treatment import Dose, Step, Treatment

__all__ = [
    "FULL_MEDIUM",
    "Alteration",
    "CellLine",
    "Condition",
    "Dose",
    "Drug",
    "Library",
    "Step",
    "Treatment",
    "default_library",
]
