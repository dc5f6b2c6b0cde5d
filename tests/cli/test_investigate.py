"""``pathsim investigate`` as typed: a page, progress on stderr, and the same again for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pathsim.cli.app import DONE, WRONG_USAGE, main


def test_a_page_is_written_and_the_second_time_is_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["investigate", "T47D", "alpelisib", "-o", str(tmp_path), "--sets", "2", "--mice", "3"]
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == DONE
        seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.count("done earlier") == 6
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Resistance of T47D to alpelisib" in page


def test_wrong_names_are_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["investigate", "T47", "alpelisb", "-o", str(tmp_path / "r")])
    assert ended.value.code == WRONG_USAGE
    seen = capsys.readouterr().err
    assert "did you mean T47D" in seen
    assert "did you mean alpelisib" in seen
