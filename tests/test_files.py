"""Files are replaced whole or not at all, and errors name the file that was meant."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from pathsim.cli.app import save_figure
from pathsim.files import remove_partial, whole_file, write_whole


def test_folders_are_made_and_text_is_utf8(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "table.csv"
    write_whole(path, "GSK3β\r\n")
    assert path.read_bytes() == "GSK3β\r\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_what_was_there_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_whole(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            write_whole(path, "new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_about_other_files_keep_their_name(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(FileNotFoundError) as caught, whole_file(path):
        (tmp_path / "absent.csv").read_text()
    assert caught.value.filename == str(tmp_path / "absent.csv")
    assert not path.exists()


def test_figures_too(tmp_path: Path) -> None:
    class Broken:
        def savefig(self, path: Path, **_: object) -> None:
            Path(path).write_text("half a figure")
            raise ValueError("no such font")

    path = tmp_path / "figure.png"
    path.write_text("old")
    with pytest.raises(ValueError, match="no such font"):
        save_figure(Broken(), str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_are_removed_by_name(tmp_path: Path) -> None:
    for name in (".a.csv.123.tmp", ".b.csv.123.tmp", "c.tmp"):
        (tmp_path / name).touch()
    remove_partial(tmp_path, {"a.csv"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.csv.123.tmp", "c.tmp"]
