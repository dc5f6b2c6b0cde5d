"""``pathsim petab`` and ``pathsim export``: out of the shell and back again."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from shell import run

pytest.importorskip("petab", reason="the package petab is not installed")


BANDS = """cell_line,treatment,time_min,readout,value,gel
T47D,serum 10 %,0,pAKT_S473,1.0,a
T47D,serum 10 %,15,pAKT_S473,1.5,a
T47D,alpelisib 1 uM,15,pAKT_S473,0.4,b
"""


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("bands") / "bands.csv"
    path.write_text(BANDS)
    return str(path)


def test_export_and_evaluate(capsys: pytest.CaptureFixture[str], bands: str, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "export", bands, "-o", str(tmp_path / "petab"), "--free", "kcat_PI3K", "PTEN_total")
    assert code == 0
    file = out.strip()
    assert file.endswith("problem.yaml")
    code, out, err = run(capsys, "petab", file, "--simulate", str(tmp_path / "simulations.tsv"))
    assert code == 0, err
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    assert (row["measurements"], row["estimated_parameters"]) == (3, 5)
    simulations = pd.read_csv(tmp_path / "simulations.tsv", sep="\t")
    assert "simulation" in simulations
    assert "measurement" not in simulations
    code, out, _ = run(capsys, "petab", file, "--set", "kcat_PI3K=40", "--json")
    assert code == 0
    assert json.loads(out)[0]["log_likelihood"] != pytest.approx(row["log_likelihood"], rel=1e-3)


def test_misspelt_names_get_advice(capsys: pytest.CaptureFixture[str], bands: str, tmp_path: Path) -> None:
    code, out, err = run(capsys, "export", bands, "-o", str(tmp_path), "--free", "kcat_PI3")
    assert (code, out) == (2, "")
    assert "did you mean kcat_PI3K" in err


def test_what_is_not_petab_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "problem.yaml").write_text("format_version: 7\n")
    for file, message in (("nothing.yaml", "no such file"), ("problem.yaml", "problem.yaml")):
        code, out, err = run(capsys, "petab", str(tmp_path / file))
        assert (code, out) == (2, "")
        assert message in err
        assert "Traceback" not in err
