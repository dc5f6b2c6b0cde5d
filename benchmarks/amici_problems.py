"""Published PEtab problems in pyPESTO with AMICI: the rival of the benchmarks that have it in their name (optional).

    pip install '.[petab]' swig cmake ninja      # swig and cmake of the system do as well
    AMICI_BLAS_USE_SCIPY_OPENBLAS=TRUE pip install amici==1.0.1 pypesto==0.7.0 fides      # or libopenblas-dev
    the environment's bin must be on PATH when models are compiled

Compiled models are kept in a folder of the system's temporary one (PATHSIM_AMICI_MODELS names another).
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from collection import data_folder

PROBLEMS = (
    "Boehm_JProteomeRes2014", "Fiedler_BMCSystBiol2016", "Fujita_SciSignal2010", "Brannmark_JBC2010",
    "Bachmann_MSB2011", "Lucarelli_CellSystems2018",
)  # fmt: skip


def yaml_of(name: str) -> Path:
    """The problem's file."""
    return next(path for path in sorted((data_folder() / "petab" / name).glob("*.yaml")) if "test" not in path.name)


def rival_problem(name: str, tolerances: tuple[float, float] | None = None) -> Any:
    """The problem in pyPESTO, its model compiled, with relative and absolute tolerance, or AMICI's own; ends the
    program with a sentence where AMICI is not installed."""
    try:
        import amici  # noqa: F401
        from petab.v1 import Problem
        from petab.v1.core import flatten_timepoint_specific_output_overrides
        from petab.v1.lint import measurement_table_has_timepoint_specific_mappings
        from pypesto.petab import PetabImporter
    except ImportError as error:
        raise SystemExit(f"the rival is not installed: pip install amici pypesto fides ({error})") from None
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    tables = Problem.from_yaml(str(yaml_of(name)))
    if measurement_table_has_timepoint_specific_mappings(tables.measurement_df):
        flatten_timepoint_specific_output_overrides(tables)
    models = Path(os.environ.get("PATHSIM_AMICI_MODELS", Path(tempfile.gettempdir()) / "amici_models"))
    importer = PetabImporter(tables, output_folder=str(models / name), model_name="m_" + name)
    problem = importer.create_problem(startpoint_kwargs={"check_fval": True}, verbose=False)
    if tolerances is not None:
        solver = amici_objective(problem).amici_solver
        solver.set_relative_tolerance(tolerances[0])
        solver.set_absolute_tolerance(tolerances[1])
    return problem


def amici_objective(problem: Any) -> Any:
    """The part of the objective that AMICI computes: priors left out."""
    whole = problem.objective
    return whole if hasattr(whole, "amici_solver") else whole._objectives[0]
