"""Stamps: what made a table or figure, the same wherever it is written, and reproducible when asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import pathsim as ps
from pathsim.cli import main
from pathsim.stamp import EPOCH, content_hash, label, stamp_of

NOVEMBER = "1700000000"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs a command in an empty folder on a fixed day; the exit code."""
    monkeypatch.setenv(EPOCH, NOVEMBER)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(words)
        return int(ended.value.code or 0)

    return run


def test_the_hash_follows_what_is_computed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "decay.ant"
    lines = {
        "first": "model decay\n  A = 1;\n  k = 1; // 1/min | estimate: yes\n  J: A -> ; k*A;\nend\n",
        "comments": "model decay\n\n  A = 1; // nM\n  k = 1; // 1/min | source: no\n  J: A -> ; k*A;\nend\n",
        "another value": "model decay\n  A = 1;\n  k = 2;\n  J: A -> ; k*A;\nend\n",
    }
    found = {}
    for name, text in lines.items():
        path.write_text(text)
        found[name] = content_hash(ps.load_model(path))
    assert found["first"] == found["comments"] != found["another value"]


def test_a_bundled_model_says_its_version() -> None:
    model = ps.load_model("pi3k_mapk@0.1")
    assert label(model) == "pi3k_mapk@0.1"
    assert label(replace(model, version="")) == "pi3k_mapk"
    assert content_hash(model) == content_hash(replace(model, source="elsewhere.ant"))


def test_the_day_is_that_of_source_date_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EPOCH, NOVEMBER)
    assert stamp_of(command=["pathsim", "two words"]).sentence().endswith("; pathsim 'two words'; 2023-11-14")
    monkeypatch.setenv(EPOCH, "tomorrow")
    with pytest.raises(ps.InputError, match="SOURCE_DATE_EPOCH is 'tomorrow'"):
        stamp_of()


def test_a_written_table_has_its_stamp_beside_it_and_stays_a_plain_table(shell: Callable[..., int]) -> None:
    words = ("list", "drugs", "--model", "pi3k_mapk@0.1", "-o", "out")
    assert shell(*words) == 0
    assert "alpelisib" in set(pd.read_csv("out/drugs.csv")["drug"])
    assert json.loads(Path("out/drugs.csv.stamp.json").read_text()) == {
        "pathsim": ps.__version__,
        "model": "pi3k_mapk@0.1",
        "model_hash": content_hash(ps.load_model("pi3k_mapk@0.1")),
        "command": "pathsim list drugs --model pi3k_mapk@0.1 -o out",
        "date": "2023-11-14",
    }


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_figure_carries_its_stamp_and_is_the_same_again(shell: Callable[..., int], ending: str) -> None:
    Path("decay.ant").write_text("model decay\n  A = 1;\n  k = 1;\n  J: A -> ; k*A;\nend\n")
    found = []
    for _ in range(2):
        assert shell("simulate", "decay.ant", "--times", "0 .. 5 x 3", "--plot", f"course.{ending}") == 0
        found.append(Path(f"course.{ending}").read_bytes())
    assert found[0] == found[1]
    for said in (f"pathsim {ps.__version__}", f"decay ({content_hash(ps.load_model('decay.ant'))})", "2023"):
        assert said.encode() in found[0].replace(b"\\(", b"(").replace(b"\\)", b")")


def test_the_shell_says_versions_and_hashes(shell: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert shell("version") == 0
    rows = dict(line.split(",", 1) for line in capsys.readouterr().out.splitlines())
    assert rows["pathsim"] == ps.__version__
    assert rows["model pi3k_mapk@0.1"] == content_hash(ps.load_model("pi3k_mapk@0.1"))
    assert rows["date"] == "2023-11-14"
