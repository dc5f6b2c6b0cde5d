"""A disk that is full, or a limit on the size of files: what was there stays whole, and the file is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
SCRIPT = """
import resource, signal, sys
from pathlib import Path
from pathsim.files import append_line, whole_file, write_whole

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with open(folder / "long.jsonl", "ab") as file:
    file.write(b"x" * 990)

def figure(path):
    from matplotlib.figure import Figure
    from pathsim.cli.app import save_figure
    save_figure(Figure(), str(path), quiet=True)

for write, name in (
    (lambda path: write_whole(path, "x" * 2000), "table.csv"),
    (lambda path: append_line(path, "y" * 2000), "long.jsonl"),
    (figure, "figure.png"),
):
    try:
        write(folder / name)
    except OSError as error:
        print(error.filename, error.strerror, sep=": ")
"""


def test_what_was_there_stays_whole(tmp_path: Path) -> None:
    for name in ("table.csv", "figure.png"):
        (tmp_path / name).write_text("before")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, encoding="utf-8", check=True, timeout=120
    )
    assert done.stdout.splitlines() == [
        f"{tmp_path / name}: File too large" for name in ("table.csv", "long.jsonl", "figure.png")
    ]
    assert (tmp_path / "table.csv").read_text() == (tmp_path / "figure.png").read_text() == "before"
    assert (tmp_path / "long.jsonl").read_text() == "x" * 990  # the line begun is taken back
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.png", "long.jsonl", "table.csv"]
