"""The way into PEtab: a YAML file becomes a :class:`~pathsim.estimation.problem.Problem`."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..checked import checked
from ..errors import InputError
from ..estimation.problem import Problem
from ..files import read_yaml
from ..solve import Solver


@checked
def load(path: str | Path, solver: Solver | None = None, threads: int | None = None) -> Problem:
    """Read a PEtab problem, version 1 or 2.

    Args:
        path: the problem's YAML file.
        solver: default ``Rosenbrock(rtol=1e-8, atol=1e-14)``.
        threads: for the simulations of one evaluation; results do not depend on it.

    Raises:
        InputError: files that are missing or do not follow PEtab, all problems of a table together, or the package
            ``petab`` is not installed; UnsupportedModelError: a model that is not SBML or not an ODE model.

    >>> problem = ps.petab.load("problem.yaml")  # doctest: +SKIP
    >>> problem.log_likelihood()  # doctest: +SKIP
    """
    if find_spec("petab") is None:
        raise InputError("PEtab problems need the package 'petab': pip install petab pyyaml")
    source = Path(path)
    contents = _yaml(source)
    version = str(contents.get("format_version", "")).split(".")[0]
    if version == "1":
        from .read_v1 import read_v1

        description = read_v1(source, contents)
    elif version == "2":
        from .read_v2 import read_v2

        description = read_v2(source, contents)
    else:
        raise InputError(f"{source}: format_version '{contents.get('format_version')}' is neither 1 nor 2")
    return Problem(description, solver, threads)


def _yaml(source: Path) -> dict[str, Any]:
    from petab.v1.yaml import validate_yaml_syntax

    contents = read_yaml(source)
    if not isinstance(contents, dict):
        raise InputError(f"{source}: not a PEtab problem file")
    try:
        validate_yaml_syntax(contents, _schemas().get(str(contents.get("format_version"))))
    except Exception as error:
        raise InputError(f"{source}: not a PEtab problem file: {' '.join(str(error).split())[:200]}") from None
    return contents


@cache
def _schemas() -> dict[str, Any]:
    """The schemas of the package petab by version as files write it; reading them takes longer than a problem does."""
    from petab.v1.yaml import SCHEMAS, load_yaml

    found = {}
    for version, path in SCHEMAS.items():
        schema = load_yaml(path)
        texts = (f"{version[0]}", ".".join(map(str, version)), ".".join(map(str, (*version, 0))))
        found.update(dict.fromkeys(texts, schema))
    return found
