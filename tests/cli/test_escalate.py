"""``pathsim escalate`` as typed, and the line it writes in the hands of another verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from pathsim.cli.app import DONE, WRONG_USAGE, main


def test_a_line_is_made_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = tmp_path / "steps.png"
    with pytest.raises(SystemExit) as ended:
        main(["escalate", "MCF7", "alpelisib", "--factor", "3", "-o", str(tmp_path), "--plot", str(figure)])
    assert ended.value.code == DONE
    seen = capsys.readouterr()
    assert "raised to" in seen.err
    line = tmp_path / "MCF7-alpelisibR.toml"
    assert line.exists()
    assert figure.stat().st_size > 10_000
    with pytest.raises(SystemExit) as ended:
        main(["blot", str(line), "--treatment", "serum 10 %", "--readouts", "pAKT_S473"])
    assert ended.value.code == DONE
    assert "MCF7-alpelisibR" in capsys.readouterr().out


def test_intervals_over_a_file_of_parameter_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = tmp_path / "sets.csv"
    sets.write_text("SRC_total,IRS1_total\n100,300\n120,250\n")
    words = ["escalate", "MCF7", "alpelisib", "--factor", "3", "--max-days", "40", "--ensemble", str(sets)]
    with pytest.raises(SystemExit) as ended:
        main([*words, "-o", str(tmp_path), "--plot", str(tmp_path / "x.png")])
    assert ended.value.code == DONE
    assert "parameter set 1 of 1" in capsys.readouterr().err
    assert len((tmp_path / "outcomes.csv").read_text().splitlines()) == 3
    assert "dose_nM_low" in (tmp_path / "history.csv").read_text()
    sets.write_text("SRC_totl\n1\n")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == WRONG_USAGE
    assert "did you mean SRC_total" in capsys.readouterr().err


def test_wrong_usage_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["escalate", "T47D", "alpelisib", "--factor", "1"])
    assert ended.value.code == WRONG_USAGE
    assert "rises by a factor" in capsys.readouterr().err


def test_several_lines_and_one_drug(capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, said in (
        (["MCF7", "alpelisib", "trametinib"], WRONG_USAGE, "resistant to one drug; alpelisib, trametinib are named"),
        (["T47D", "MCF7", "alpelisib", "--plot", "x.png"], WRONG_USAGE, "--plot draws one culture; 2 lines are named"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["escalate", *words])
        assert ended.value.code == code
        assert said in capsys.readouterr().err
