"""Files are replaced whole or not at all, and errors name the file that was meant."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from pathsim.cli.app import save_figure
from pathsim.errors import InputError
from pathsim.files import read_text, read_toml, read_yaml, remove_partial, whole_file, write_whole


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


@pytest.mark.parametrize(
    "content",
    [b"a = 'caf\xc3\xa9'\n", b"\xef\xbb\xbfa = 'caf\xc3\xa9'\r\n", "a = 'café'\r".encode("utf-16")],
    ids=["UTF-8", "byte order mark, CRLF", "UTF-16"],
)
def test_text_of_any_editor(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_text(path) == "a = 'café'\n"
    assert read_toml(path) == {"a": "café"}
    path.write_bytes(content.replace(b" =", b":") if b"\0" not in content else "a: 'café'".encode("utf-16"))
    assert read_yaml(path) == {"a": "café"}


@pytest.mark.parametrize(
    ("read", "content", "says"),
    [
        (read_toml, b"a = 1\nb = '\xe4'\n", "line 2: byte 12 is not UTF-8 text"),
        (read_toml, b"a = " + b"[" * 10_000 + b"]" * 10_000, "nested too deeply"),
        (read_toml, b"a = " + b"9" * 5000, "not valid TOML"),
        (read_toml, b"a = 2020-13-45\n", "not valid TOML"),
        (read_yaml, b"[" * 2_000 + b"]" * 2_000, "nested too deeply"),
        (read_yaml, b"a: &a [*a]\n", "without end"),
        (read_yaml, b"a: [1\n", "not valid YAML"),
        (read_yaml, b"? [a]\n: b\n", "not valid YAML"),
        (read_yaml, b"a: 2020-13-45\n", "not valid YAML"),
        (read_yaml, b"a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        (
            read_yaml,
            b"a: &a0 [1]\n"
            + b"".join(b"b%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 20)),
            "without end",
        ),
    ],
    ids=range(11),
)
def test_what_is_no_such_text_is_one_line(
    tmp_path: Path, read: Callable[[Path], object], content: bytes, says: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_yaml_text_may_use_aliases(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a: &x {k: 1}\nb: *x\nc: {<<: *x, j: 2}\n")
    assert read_yaml(path) == {"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1, "j": 2}}


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder, not a file"):
        read_text(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "absent")
    with pytest.raises(InputError, match="no such file"):
        read_text("a\0b")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="a pipe or device, not a file"):
            read_text(tmp_path / "pipe")
