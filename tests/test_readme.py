"""README says what is true: the count of constants, and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pathsim as ps
from pathsim.cli.app import VERBS
from pathsim.model.checks import check_model

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_count_of_constants_is_that_of_the_model() -> None:
    report = check_model(ps.load_model("pi3k_mapk"))
    classes = ", ".join(f"{count} {kind}" for kind, count in report.classes.items())
    expected = f"{report.species} species, {report.reactions} reactions, {report.constants} constants: {classes}."
    stated = re.search(r"<!-- check:begin -->\n(.*?)\n<!-- check:end -->", README, re.DOTALL)
    assert stated is not None
    assert " ".join(stated[1].split()) == expected


def test_every_command_in_readme_exists() -> None:
    named = {verb.replace("-", "_") for verb in re.findall(r"^pathsim ([a-z-]+)", README, re.MULTILINE)}
    assert named <= set(VERBS)


def test_pictures_in_readme_are_there() -> None:
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (Path(__file__).parents[1] / name).exists(), name
