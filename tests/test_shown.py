"""Results show themselves in a few lines, and Tab offers public names only."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pathsim as ps
from pathsim import shown
from pathsim.experiments.ensemble import Intervals
from pathsim.stats import growth_rate, hill, survival, synergy

DOSES, RESPONSES = [0, 1, 10, 100, 1000], [1.0, 0.95, 0.7, 0.3, 0.1]
GRID = [[a, b] for a in (0, 1, 10, 100) for b in (0, 1, 10, 100)]
VIABILITY = [1 / ((1 + a / 20) * (1 + b / 30)) for a, b in GRID]
WELLS = synergy.from_arrays(GRID, VIABILITY, ("a", "b"))
RESULTS: dict[str, Callable[[], Any]] = {
    "model": lambda: ps.load_model("pi3k_mapk"),
    "library": ps.default_library,
    "drug": lambda: ps.default_library().drug("alpelisib"),
    "cell line": lambda: ps.default_library().cell_line("T47D+PTEN_loss"),
    "alteration": lambda: ps.default_library().alterations["PTEN_loss"],
    "Hill curve": lambda: hill.fit(DOSES, RESPONSES),
    "GR metrics": lambda: growth_rate.from_values(DOSES, RESPONSES),
    "wells": lambda: WELLS,
    "score": lambda: synergy.bliss(WELLS, resamples=0),
    "index": lambda: synergy.combination_index(WELLS),
    "isobologram": lambda: synergy.isobologram(WELLS),
    "Kaplan-Meier": lambda: survival.kaplan_meier(list(range(1, 90))),
    "studies": lambda: Intervals((pd.DataFrame({"value": range(1000)}),) * 3),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_a_few_lines_and_a_table(name: str) -> None:
    result = RESULTS[name]()
    text = repr(result)
    assert 1 <= len(text.splitlines()) <= 40
    assert len(text) < 5000
    assert max(map(len, text.splitlines())) < 400
    page = result._repr_html_()
    assert page.startswith("<p><strong>")
    assert len(page) < 20_000


def test_numbers_stand_in_what_is_shown() -> None:
    assert "CI" not in repr(ps.synergy.isobologram(WELLS)).splitlines()[0]
    assert "ci_low" in repr(ps.synergy.isobologram(WELLS))
    assert "IC50" in repr(hill.fit(DOSES, RESPONSES))
    assert "110 species" in repr(ps.load_model("pi3k_mapk"))


def test_html_is_escaped() -> None:
    class Odd:
        def _shown(self) -> shown.Shown:
            return shown.Shown("<b>", [{"a": "<i>"}], ["<u>"])

    page = shown.as_html(Odd())
    assert not any(tag in page for tag in ("<b>", "<i>", "<u>"))


MODULES = ("hill", "survival", "synergy", "petab", "growth_rate", "noise", "plot", "sweep", "sensitivity", "search")


@pytest.mark.parametrize("name", MODULES)
def test_tab_offers_public_names_only(name: str) -> None:
    module = getattr(ps, name)
    offered = dir(module)
    assert offered == sorted(module.__all__)
    for one in offered:
        found = getattr(module, one)
        assert not isinstance(found, types.ModuleType)
        assert not one.startswith("_")
        if inspect.isfunction(found) or inspect.isclass(found):
            assert found.__module__.startswith("pathsim.")


def test_tab_offers_the_table_of_public_names() -> None:
    assert dir(ps) == sorted(ps.__all__)
