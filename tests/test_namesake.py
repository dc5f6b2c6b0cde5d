"""Another project's distribution of our name is noticed, ours and those that only begin alike are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pathsim.namesake import namesakes

SRC = Path(__file__).parents[1] / "src"


def test_only_a_distribution_called_pathsim_is_one(tmp_path: Path) -> None:
    names = ("pathsim-0.22.1.dist-info", "pathsim_lab-0.1.0.dist-info", "pathsim", "pathsim-tools-1.dist-info")
    for name in names:
        (tmp_path / name).mkdir()
    assert namesakes([str(tmp_path), str(tmp_path), str(tmp_path / "nowhere")]) == [str(tmp_path / names[0])]


def test_importing_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "PathSim-0.22.1.dist-info").mkdir()
    code = f"import sys; sys.path[:0] = [{str(SRC)!r}, {str(tmp_path)!r}]; import pathsim"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert "PathSim-0.22.1.dist-info belongs to another project" in done.stderr
    assert "fresh environment" in done.stderr
    assert done.stdout == ""
