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


posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner bits here")


@posix
def test_an_own_folder_that_is_open_to_others_is_closed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.keep("entry", b"content")
    folder.chmod(0o777)
    assert cache.recall("entry") == b"content"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "closed to them" in caplog.text


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_can_write_is_made_again(
    folder: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    cache.keep("entry", b"content")
    (folder / "entry").chmod(mode)
    assert cache.recall("entry") is None
    assert "made again" in caplog.text
    cache.keep("entry", b"content")
    assert cache.recall("entry") == b"content"


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_not_used(folder: Path) -> None:
    cache.keep("entry", b"content")
    os.chown(folder / "entry", 12345, -1)
    assert cache.recall("entry") is None
    cache.keep("entry", b"content")
    os.chown(folder, 12345, -1)
    assert cache.recall("entry") is None
    cache.keep("other", b"content")
    assert not (folder / "other").exists()


@posix
def test_a_pipe_in_the_folder_is_no_entry(folder: Path) -> None:
    cache.keep("entry", b"content")
    (folder / "entry").unlink()
    os.mkfifo(folder / "entry", 0o600)
    assert cache.recall("entry") is None


@pytest.mark.parametrize("before", ["/* the rest */ ", "k = 1; ", "// the rest\n", "import /* from */ \n"])
def test_imports_are_followed_wherever_they_stand(tmp_path: Path, before: str) -> None:
    part, file = tmp_path / "part.ant", tmp_path / "whole.ant"
    line = f'{before}"part.ant"' if before.startswith("import") else f'{before}import "part.ant"'
    file.write_text(f"{line}\nmodel *whole()\n  A: part();\nend\n")
    for start in (2.0, 5.0):
        part.write_text(f"model part()\n  species S = {start}; k = 1; r: S -> ; k*S;\nend\n")
        try:
            found = ps.load_model(file)
        except ps.InputError:  # not where Antimony lets it stand
            continue
        assert found.species[0].initial == start
