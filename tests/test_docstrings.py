"""Every public function has an example in its docstring, and examples do what they say."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pathsim as ps

MODULES = (ps, ps.hill, ps.growth_rate, ps.survival, ps.synergy, ps.petab, ps.sweep, ps.sensitivity)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{module.__name__.removeprefix('pathsim.')}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
}
OF_FITS = {"fit", "load_fit", "identifiability_report", "posterior_ensemble", "profile"}


class Bowl:
    """Something to fit that takes no time."""

    names, scales = ("a", "b"), ("lin", "lin")
    lower, upper = np.full(2, -3.0), np.full(2, 3.0)

    def value(self, theta: Any) -> tuple[float, str]:
        return float(0.5 * (theta @ theta)), ""

    def derivatives(self, theta: Any) -> Any:
        from pathsim.estimation.objective import Derivatives

        return Derivatives(0.5 * float(theta @ theta), np.array(theta), np.eye(2), "")


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return {"ps": ps, "np": np, "pd": pd}


def test_every_public_function_has_an_example() -> None:
    assert [name for name, found in FUNCTIONS.items() if ">>> " not in (found.__doc__ or "")] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_do_what_they_say(name: str, names: dict[str, Any]) -> None:
    if name.rpartition(".")[2] in OF_FITS and name.startswith("pathsim."):
        names["problem"] = Bowl()
        names["fit"] = ps.fit(Bowl(), starts=2, workers=1)
    found = doctest.DocTestFinder(recurse=False).find(inspect.unwrap(FUNCTIONS[name]), name, globs=names)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for one in found:
        runner.run(one, out=said.append)
    assert not runner.failures, "".join(said)
