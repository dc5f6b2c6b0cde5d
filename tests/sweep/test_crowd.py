"""Several processes on one folder at once, as jobs of an array are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tiny_sweep import parts, toml, write_files

TEXT = """
model = "tiny.ant"
cell_lines = ["plain", "quick"]
treatment = "alphanib {alphanib}"
times = "30 min"
readouts = ["cell_count"]
[doses]
alphanib = "1 nM .. 1 uM x 100"
[libraries]
drugs = "drugs.toml"
cell_lines = "lines.toml"
[output]
wells_per_chunk = 4
"""


def test_all_shards_of_an_array_start_together(tmp_path: Path) -> None:
    write_files(tmp_path)
    command = [sys.executable, "-m", "pathsim", "sweep", str(toml(tmp_path, TEXT)), "-q", "--workers", "1"]
    jobs = [subprocess.Popen([*command, "-o", str(tmp_path / "shared"), "--shard", f"{i}/3"]) for i in (1, 2, 3)]
    assert [job.wait(timeout=180) for job in jobs] == [0, 0, 0]
    subprocess.run([*command, "-o", str(tmp_path / "alone")], check=True)
    assert parts(tmp_path / "shared") == parts(tmp_path / "alone")
    assert len(parts(tmp_path / "alone")) == 53


def test_the_same_job_twice_at_once(tmp_path: Path) -> None:
    """A job that a scheduler started twice wastes work and harms nothing."""
    write_files(tmp_path)
    command = [sys.executable, "-m", "pathsim", "sweep", str(toml(tmp_path, TEXT)), "-q", "--workers", "1", "--resume"]
    jobs = [subprocess.Popen([*command, "-o", str(tmp_path / "shared")]) for _ in range(2)]
    assert [job.wait(timeout=180) for job in jobs] == [0, 0]
    assert len(parts(tmp_path / "shared")) == 53
