"""Folders of fits and profiles: one process at a time, and nothing is taken from them that is not as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_optimise import Curve

import pathsim as ps
from pathsim.estimation.profile import PROFILES_FILE
from pathsim.estimation.result import HEAD_FILE, STARTS_FILE
from pathsim.files import only_user
from pathsim.workers import finished


def test_a_folder_is_for_one_fit_at_a_time(tmp_path: Path) -> None:
    fit = ps.fit(Curve(), starts=1, workers=1)
    with only_user(tmp_path, "a fit"):
        with pytest.raises(ps.InputError, match="a fit is under way here in another process"):
            ps.fit(Curve(), starts=1, workers=1, folder=tmp_path)
        with pytest.raises(ps.InputError, match="a fit or profile is under way here"):
            ps.profile(fit, folder=tmp_path)
    ps.fit(Curve(), starts=1, workers=1, folder=tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (STARTS_FILE, '{"number": 0}\n', "starts.jsonl, line 1: 'begin' is missing"),
        (STARTS_FILE, "[0]}\n", "starts.jsonl, line 1: not valid JSON"),
        (STARTS_FILE, b"\xff\xfe\xff", "starts.jsonl, line 1: byte 1 is not UTF-8"),
        (HEAD_FILE, '["names"]', "fit.json: holds no table"),
        (HEAD_FILE, '{"names": ["a"', "fit.json: not valid JSON"),
        (HEAD_FILE, "[" * 10_000, "fit.json: not valid JSON"),
        (HEAD_FILE, "{}", "another problem"),
    ],
)
def test_a_damaged_folder_is_refused_in_a_line(tmp_path: Path, file: str, content: str | bytes, said: str) -> None:
    ps.fit(Curve(), starts=1, workers=1, folder=tmp_path)
    (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ps.InputError, match=said) as caught:
        ps.load_fit(tmp_path, Curve())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"theta": [1.0]}, "2 parameters"),
        ({"value": float("nan")}, "not a start"),
        ({"number": "0"}, "'number' is '0'"),
    ],
)
def test_a_changed_start_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    ps.fit(Curve(), starts=1, workers=1, folder=tmp_path)
    start = json.loads((tmp_path / STARTS_FILE).read_text())
    (tmp_path / STARTS_FILE).write_text(json.dumps({**start, **changes}) + "\n")
    with pytest.raises(ps.InputError, match=f"starts.jsonl, line 1: .*{said}"):
        ps.load_fit(tmp_path, Curve())


def test_a_changed_profile_is_refused(tmp_path: Path) -> None:
    fit = ps.fit(Curve(), starts=1, workers=1, folder=tmp_path)
    ps.profile(fit, ["a"], workers=1, folder=tmp_path)
    kept = json.loads((tmp_path / PROFILES_FILE).read_text())
    for changes in ({"values": []}, {"name": "b"}, {"others": [[1.0]]}):
        (tmp_path / PROFILES_FILE).write_text(json.dumps({**kept, **changes}) + "\n")
        with pytest.raises(ps.InputError, match=r"profiles\.jsonl, line 1: not a profile of this fit"):
            ps.profile(fit, ["a"], workers=1, folder=tmp_path)


def ends(number: int) -> int:
    """A job whose process is killed, as one that takes all memory is."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    return number


def fails(number: int) -> float:
    """A job with a defect."""
    return 1 / 0


def test_a_worker_that_is_gone_or_fails_is_said_in_a_line() -> None:
    with pytest.raises(ps.SimulationError, match="a worker process was ended from outside"):
        list(finished(ends, range(3), 2))
    with pytest.raises(ps.SimulationError, match="ZeroDivisionError: division by zero"):
        list(finished(fails, range(3), 2))


def test_a_worker_that_cannot_start_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **options: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refuse)
    with pytest.raises(ps.SimulationError, match=r"worker process 1 of 2 could not be started .*ask for fewer workers"):
        list(finished(fails, range(3), 2))
