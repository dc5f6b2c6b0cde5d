"""How equations move: models become systems of equations, systems become machine code, code integrates rows of numbers.

In come a model and raw values, row by row; out come sampled outputs, how each row ended, and derivatives. Rooms, each
importing only from those before it:

- ``equations``: a model as an expression graph, its Jacobian, its elimination order.
- ``llvm``: everything that writes, compiles or loads machine code.
- ``rosenbrock``: the methods and their steps: plain, forward, backward.
- ``extrapolation``: the method for one simulation at a time, its columns in the lanes.
- ``reference``: the readable reference implementation, and scipy's solvers.
- ``integrate``: the integration loop, discontinuities, events, steady states, many rows and single ones.
- ``sensitivities``: recorded steps and their derivatives, forward and adjoint.

``solvers`` holds what users choose, ``status`` how a simulation ended.
"""

from .equations.building import build_system
from .equations.reduction import Reduction
from .equations.system import System
from .integrate.batch import Rows, engine_of, run_rows, settle_rows
from .integrate.reduced_rows import reduction_of, run_reduced_rows
from .integrate.single import Single
from .rosenbrock.tableau import RODAS4P, RODAS5P
from .solvers import BDF, LSODA, Extrapolation, Rosenbrock, Solver, for_one_run
from .status import Status

__all__ = [
    "BDF",
    "LSODA",
    "RODAS4P",
    "RODAS5P",
    "Extrapolation",
    "Reduction",
    "Rosenbrock",
    "Rows",
    "Single",
    "Solver",
    "Status",
    "System",
    "build_system",
    "engine_of",
    "for_one_run",
    "reduction_of",
    "run_reduced_rows",
    "run_rows",
    "settle_rows",
]
