"""``pathsim fit`` and ``pathsim profile`` as typed, on a model with a known answer."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from pathsim.cli import main


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model small enough to fit in a test, its blots and priors."""
    target = tmp_path_factory.mktemp("fit")
    (target / "decay.ant").write_text(
        "model decay\n serum = 0; IGF1 = 0; k = 0.1; species S; S = 1;\n"
        " R1: -> S; k*(0.1 + IGF1/(1 + IGF1)); R2: S -> ; k*S;\nend\n"
    )
    times = [0.0, 5.0, 10.0, 20.0, 40.0]  # S = 0.1 at rest, then rises to 0.6 with rate k = 0.1
    bands = [800 * (0.1 + 0.5 * (1 - math.exp(-0.1 * t))) for t in times]
    rows = [("plain", "vehicle for 1 h then IGF1 1 nM", t, "S", band, "gel 1", 1)
            for t, band in zip(times, bands, strict=True)]  # fmt: skip
    pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value", "gel", "replicate"]).to_csv(
        target / "blots.csv", index=False
    )
    (target / "lines.toml").write_text("[line.plain]\n")
    (target / "priors.toml").write_text("[k]\nlower = 0.01\nupper = 1\n")
    return target


def fit(folder: Path, *more: str) -> int:
    return run("fit", str(folder / "blots.csv"), "--free", str(folder / "priors.toml"), "--model",
               str(folder / "decay.ant"), "--cell-lines", str(folder / "lines.toml"), "-o", str(folder / "out"),
               "--starts", "3", "--workers", "1", *more)  # fmt: skip


def test_fit_profile_and_resume(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(folder, "--plot", str(folder / "fit.png")) == 0
    best = pd.read_csv(folder / "out" / "best.csv").set_index("parameter")
    assert best.loc["k", "value"] == pytest.approx(0.1, rel=0.02)
    assert len(pd.read_csv(folder / "out" / "starts.csv")) == 3
    assert "predicted" in pd.read_csv(folder / "out" / "predicted.csv").columns
    assert (folder / "fit.png").stat().st_size > 5000
    assert "start 3 of 3" in capsys.readouterr().err
    assert fit(folder) == 2  # there is a fit already
    assert "already holds a fit" in capsys.readouterr().err
    assert fit(folder, "--resume") == 0
    assert "start 1 of 3" not in capsys.readouterr().err
    assert run("profile", str(folder / "out"), "--workers", "1", "--plot", str(folder / "profile.png")) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[1].startswith("k,0.")
    assert "identifiable" in table
    assert (folder / "profile.png").stat().st_size > 5000


def test_mistakes_are_usage_errors_in_one_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", str(folder / "blots.csv")) == 2
    assert "--free" in capsys.readouterr().err
    (folder / "bad.toml").write_text("[kk]\nlower = 1\n[k]\nlower = -1\n")
    assert run("fit", str(folder / "blots.csv"), "--free", str(folder / "bad.toml")) == 2
    assert "[k] lower -1 must be positive" in capsys.readouterr().err
    assert run("profile", str(folder)) == 2
    assert "holds no fit" in capsys.readouterr().err
