"""Examples run, and give the published numbers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_published_model_over_its_blots() -> None:
    """Fujita 2010: log-likelihood of the collection at the optimum, and its prediction to 1e-3."""
    example = load("fujita_blots")
    assert example.log_likelihood() == pytest.approx(53.08377, abs=2e-3)
    assert example.deviation() < 1e-3
    figure = example.draw()
    assert [len(ax.lines) for ax in figure.axes] == [12, 12, 12]
