"""``pathsim export`` of a treated line, and ``simulate`` of the archive."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shell import run

CULTURE = str(Path(__file__).parents[1] / "estimation" / "culture.ant")
ASK = ("export", "none", "--model", CULTURE, "--treatment", "serum 10 % for 2 h then vehicle")


def test_an_archive_is_written_and_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [str(tmp_path / f"a.{ending}") for ending in ("xml", "ant", "omex")]
    words = ["--sbml", files[0], "--antimony", files[1], "--omex", files[2]]
    code, out, err = run(capsys, *ASK, *words, "--readouts", "pAKT", "--times", "0 .. 1 h x 3")
    assert (code, out.split()) == (0, files), err
    code, out, err = run(capsys, "simulate", files[2], "--outputs", "pAKT")
    assert code == 0, err
    found = pd.read_csv(io.StringIO(out))
    assert found["time"].tolist() == [120.0, 150.0, 180.0]
    for file in files[:2]:
        other = pd.read_csv(
            io.StringIO(run(capsys, "simulate", file, "--outputs", "pAKT", "--times", "120 150 180")[1])
        )
        np.testing.assert_allclose(other["pAKT"], found["pAKT"], rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "T47D"), "say what to write: -o DIR"),
        (("export", "T47D", "--sbml", "a.xml"), "--treatment is missing"),
        ((*ASK, "-o", "out"), "--treatment goes with a cell line"),
        ((*ASK, "-o", "out", "--sbml", "a.xml"), "-o is for a PEtab problem"),
        (("simulate", CULTURE), "--times is missing"),
    ],
)
def test_what_is_missing_is_said(
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *words)
    assert code == 2
    assert said in err
