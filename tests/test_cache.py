"""The cache between processes: never stale, never fatal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import pathsim as ps
from pathsim import cache

TEXT = "model m\n  compartment c = 1; species S in c = {start}; k = 1; r: S -> ; k*S;\nend\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_keeps_and_recalls(folder: Path) -> None:
    key = cache.key_of("a", b"b")
    assert cache.recall(key) is None
    cache.keep(key, b"content")
    assert cache.recall(key) == b"content"
    assert cache.key_of("ab", b"") != key
    if hasattr(os, "getuid"):
        assert folder.stat().st_mode & 0o077 == 0


def test_damaged_entries_count_as_absent(folder: Path) -> None:
    cache.keep("entry", b"content")
    (folder / "entry").write_bytes((folder / "entry").read_bytes()[:-1] + b"X")
    assert cache.recall("entry") is None
    (folder / "entry").write_bytes(b"")
    assert cache.recall("entry") is None


def test_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep("entry", b"content")
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.recall("entry") is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "below"))
    cache.keep("entry", b"content")
    assert cache.recall("entry") is None


def test_old_entries_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 250)
    for number in range(5):
        cache.keep(f"1{number}", b"x" * 60)
        os.utime(folder / f"1{number}", (number, number))
    cache.keep("00", b"")  # some keys look through the folder, most do not
    assert cache.recall("10") is None
    assert cache.recall("14") is not None


def test_models_are_read_again_when_they_change(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "m.ant"
    file.write_text(TEXT.format(start=2))
    first = ps.load_model(file)
    assert any(folder.iterdir())
    assert ps.load_model(file) is first
    file.write_text(TEXT.format(start=3))
    assert ps.load_model(file).species[0].initial == 3.0
    file.write_text(TEXT.format(start=2))
    assert ps.load_model(file).species[0].initial == 2.0


def test_a_model_made_of_several_files_follows_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "part.ant").write_text("model part()\n  species S = 2; k = 1; r: S -> ; k*S;\nend\n")
    file = tmp_path / "whole.ant"
    file.write_text('import "part.ant"\nmodel *whole()\n  A: part();\nend\n')
    assert ps.load_model(file).species[0].initial == 2.0
    (tmp_path / "part.ant").write_text("model part()\n  species S = 5; k = 1; r: S -> ; k*S;\nend\n")
    assert ps.load_model(file).species[0].initial == 5.0
