"""How equations are solved: systems over one expression graph, solvers, and the trusted twin."""

from .equations.building import build_system
from .equations.system import System
from .integrate.batch import Rows, engine_of, run_rows, settle_rows
from .integrate.single import Single
from .rosenbrock.tableau import RODAS4P, RODAS5P
from .solvers import BDF, LSODA, Rosenbrock, Solver
from .status import Status

__all__ = [
    "BDF",
    "LSODA",
    "RODAS4P",
    "RODAS5P",
    "Rosenbrock",
    "Rows",
    "Single",
    "Solver",
    "Status",
    "System",
    "build_system",
    "engine_of",
    "run_rows",
    "settle_rows",
]
