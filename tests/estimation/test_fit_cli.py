"""``pathsim fit`` and ``pathsim profile`` as typed, on a model with a known answer."""

from __future__ import annotations

import importlib.util
import io
import math
import subprocess
import sys
import time
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
    rows = [
        ("plain", "vehicle for 1 h then IGF1 1 nM", t, "S", band, "gel 1", 1)
        for t, band in zip(times, bands, strict=True)
    ]
    pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value", "gel", "replicate"]).to_csv(
        target / "blots.csv", index=False
    )
    (target / "lines.toml").write_text("[line.plain]\n")
    (target / "priors.toml").write_text("[k]\nlower = 0.01\nupper = 1\n")
    return target


def words_of(folder: Path, output: str, table: str = "blots.csv") -> list[str]:
    """``pathsim fit`` of a table in ``folder`` into a folder inside it."""
    given = f"{table} --free priors.toml --model decay.ant --cell-lines lines.toml -o {output}".split()
    return ["fit", *(word if word.startswith("-") else str(folder / word) for word in given)]


def test_fit_profile_and_resume(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*words_of(folder, "out"), "--starts", "3", "--workers", "1"]
    assert run(*words, "--plot", str(folder / "fit.png")) == 0
    best = pd.read_csv(folder / "out" / "best.csv").set_index("parameter")
    assert best.loc["k", "value"] == pytest.approx(0.1, rel=0.02)
    assert len(pd.read_csv(folder / "out" / "starts.csv")) == 3
    assert "predicted" in pd.read_csv(folder / "out" / "predicted.csv").columns
    assert (folder / "fit.png").stat().st_size > 5000
    assert "start 3 of 3" in capsys.readouterr().err
    assert run(*words) == 2  # there is a fit already
    assert "already holds a fit" in capsys.readouterr().err
    assert run(*words, "--resume") == 0
    assert "start 1 of 3" not in capsys.readouterr().err
    assert run("profile", str(folder / "out"), "--workers", "1", "--plot", str(folder / "profile.png")) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[1].startswith("k,0.")
    assert "identifiable" in table
    assert (folder / "profile.png").stat().st_size > 5000


@pytest.mark.parametrize("search", ["trust-region", "l-bfgs-b"])
def test_every_optimiser_finds_it(folder: Path, search: str) -> None:
    out = folder / search
    assert run(*words_of(folder, search), "--starts", "2", "--workers", "1", "--optimiser", search) == 0
    assert pd.read_csv(out / "best.csv").set_index("parameter").loc["k", "value"] == pytest.approx(0.1, rel=0.02)


def test_parameter_sets_of_a_fit_are_for_every_verb(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "sets"
    words = [*words_of(folder, "sets", "noisy.csv"), "--starts", "2", "--workers", "1"]
    table = pd.read_csv(folder / "blots.csv")
    table["value"] *= [1.1, 0.9, 1.0, 1.15, 0.85]
    table.to_csv(folder / "noisy.csv", index=False)
    assert run(*words[:-6], "--ensemble", "5") == 2
    assert "name one with -o" in capsys.readouterr().err
    assert run(*words, "--mcmc", "50") == 2
    assert run(*words, "--ensemble", "30", "--plot-blots", str(out / "blots.png")) == 0
    assert (out / "blots.png").stat().st_size > 5000
    drawn = pd.read_csv(out / "ensemble.csv")
    assert list(drawn.columns) == ["k"]
    assert len(drawn) == 31  # the best fit first
    assert 0.02 < drawn["k"].std() / drawn["k"].mean() < 1
    capsys.readouterr()
    simulate = ["simulate", str(folder / "decay.ant"), "--times", "0 10", "--set", "IGF1=1"]
    assert run(*simulate, "--ensemble", str(out / "ensemble.csv")) == 0
    last = pd.read_csv(io.StringIO(capsys.readouterr().out)).iloc[-1]
    assert last["S_low"] < last["S"] < last["S_high"]
    if importlib.util.find_spec("emcee") is not None:
        assert run(*words, "--resume", "--ensemble", "20", "--mcmc", "200") == 0
        assert "acceptance" in capsys.readouterr().err
        assert len(pd.read_csv(out / "ensemble.csv")) == 21
        assert "r_hat" in pd.read_csv(out / "posterior.csv").columns


def test_a_killed_fit_leaves_no_process_and_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "killed"
    words = words_of(folder, "killed")
    running = subprocess.Popen(
        [sys.executable, "-m", "pathsim", *words, "--starts", "5000", "--workers", "2"], stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    for line in running.stderr:  # until some starts are done
        if line.startswith(b"start 9 "):
            break
    running.kill()
    running.wait()
    began = time.monotonic()
    while running.stderr.read(1 << 16) and time.monotonic() < began + 20:  # workers hold the pipe open while they live
        pass
    assert time.monotonic() < began + 10
    with (out / "starts.jsonl").open("a") as file:
        file.write('{"number": 3, "be')  # torn by the kill
    assert run(*words, "--starts", "8", "--resume", "--workers", "1") == 0
    assert "8 of 8 starts" in capsys.readouterr().err


def test_mistakes_are_usage_errors_in_one_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fit", str(folder / "blots.csv")) == 2
    assert "--free" in capsys.readouterr().err
    (folder / "bad.toml").write_text("[kk]\nlower = 1\n[k]\nlower = -1\n")
    assert run("fit", str(folder / "blots.csv"), "--free", str(folder / "bad.toml")) == 2
    assert "[k] lower -1 must be positive" in capsys.readouterr().err
    assert run("profile", str(folder)) == 2
    assert "no fit is saved here" in capsys.readouterr().err
