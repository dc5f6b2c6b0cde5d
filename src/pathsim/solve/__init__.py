"""How equations are solved: systems over one expression graph, solvers, and the trusted twin."""

from .batch import Rows, engine_of, run_rows, settle_rows
from .building import build_system
from .single import Single
from .solvers import Bdf, Lsoda, Rosenbrock, Solver
from .status import Status
from .system import System

__all__ = [
    "Bdf",
    "Lsoda",
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
