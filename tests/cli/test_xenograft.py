"""``pathsim xenograft`` as typed."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from pathsim.cli.app import DONE, WRONG_USAGE, main

ARMS = ["--arm", "vehicle", "--arm", "paxalisib 30 mg/kg daily", "--arm",
        "paxalisib 30 mg/kg daily + mirdametinib 10 mg/kg daily"]  # fmt: skip


def test_a_study_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["xenograft", "ATRT", *ARMS, "--mice", "6"])
    assert ended.value.code == DONE
    seen = capsys.readouterr()
    table = pd.read_csv(io.StringIO(seen.out))
    assert list(table["mice"]) == [6, 6, 6]
    assert set(table["line"]) == {"ATRT"}
    assert table["events"].iloc[0] == 6
    assert "calibrated" in seen.err


def test_a_folder_takes_every_table_and_the_figure(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["xenograft", "ATRT", *ARMS, "--mice", "4", "-o", str(tmp_path), "--plot", str(tmp_path / "x.png"), "-q"])
    assert ended.value.code == DONE
    assert {path.name for path in tmp_path.iterdir() if not path.name.endswith(".stamp.json")} == {
        "summary.csv",
        "log_rank.csv",
        "mice.csv",
        "volumes.csv",
        "lysate.csv",
        "survival.csv",
        "x.png",
    }


def test_a_study_has_the_band_of_the_ensemble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "xenograft",
                "ATRT",
                *ARMS[:4],
                "--mice",
                "5",
                "--ensemble",
                "3",
                "-o",
                str(tmp_path),
                "--plot",
                str(tmp_path / "x.png"),
            ]
        )
    assert ended.value.code == DONE
    assert "over the parameter sets" in capsys.readouterr().err
    assert {"ensemble_low", "ensemble_high"} <= set(pd.read_csv(tmp_path / "survival.csv").columns)
    assert {"low", "high"} <= set(pd.read_csv(tmp_path / "lysate.csv").columns)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--ensemble", "9999"], "60 are shipped"), (["--ensemble", "-1"], "-1 parameter sets"),
     (["--ensemble", "no.csv"], "neither a number"), (["--power", "--ensemble", "2"], "one of them"),
     (["--mice", "0"], "whole number of at least 1"), (["--arm", "paxalisib"], "is not a schedule"),
     (["--table", "mouse"], "unknown table")],
)  # fmt: skip
def test_wrong_usage_is_one_sentence(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["xenograft", "ATRT", *words])
    assert ended.value.code == WRONG_USAGE
    assert says in capsys.readouterr().err
