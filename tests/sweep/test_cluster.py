"""A sweep on a real Dask cluster of this machine: a scheduler, two workers, one of them killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_sweep import parts, spec, toml, write_files

import pathsim
from pathsim import sweep
from pathsim.errors import InputError
from pathsim.sweep import Progress

distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")

DOSES = {"alphanib": "1 nM .. 1 uM x 20", "betanib": "1 nM .. 1 uM x 20"}
OUTPUT = {"wells_per_chunk": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    write_files(path)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """``dask scheduler`` and ``dask worker`` as processes."""

    def __init__(self, folder: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.folder = folder
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", self.address.rsplit(":", 1)[1])
        self.workers = [self._worker(number) for number in (1, 2)]

    def _worker(self, number: int) -> subprocess.Popen[bytes]:
        return self._start(
            "worker",
            self.address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--name",
            f"w{number}",
            "--local-directory",
            str(self.folder / f"w{number}"),
        )

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{'-'.join(words[:1])}-{time.monotonic_ns()}.log").open("wb")
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        source = str(Path(pathsim.__file__).parents[1])  # the pathsim under test, installed or not
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": source})

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path)
    try:
        with distributed.Client(running.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=90)
        yield running
    finally:
        running.stop()


def test_one_worker_killed_in_the_middle(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    made = spec(folder, doses=DOSES, output=OUTPUT)
    sweep.run(made, tmp_path / "here")
    seen: list[Progress] = []

    def kill_one(progress: Progress) -> None:
        seen.append(progress)
        if progress.chunks == 5:
            os.kill(cluster.workers[0].pid, signal.SIGKILL)

    done = sweep.run(made, tmp_path / "there", workers=cluster.address, report=kill_one)
    assert done.wells == 800
    assert done.failed == 0
    assert [progress.chunks for progress in seen] == list(range(1, 41))
    assert cluster.workers[0].wait(timeout=10) == -signal.SIGKILL
    assert cluster.workers[1].poll() is None
    assert parts(tmp_path / "there") == parts(tmp_path / "here")


def test_cluster_lost_and_resumed_here(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    """What a cluster began, this machine can finish: the chunks are the same."""
    made = spec(folder, doses=DOSES, output=OUTPUT)
    sweep.run(made, tmp_path / "here")

    class PulledPlugError(Exception):
        pass

    def pull_plug(progress: Progress) -> None:
        if progress.chunks == 4:
            raise PulledPlugError

    with pytest.raises(PulledPlugError):
        sweep.run(made, tmp_path / "there", workers=cluster.address, report=pull_plug)
    assert len(list((tmp_path / "there").glob("part-*"))) == 4
    done = sweep.run(made, tmp_path / "there", resume=True)
    assert done.chunks == 36
    assert parts(tmp_path / "there") == parts(tmp_path / "here")


def test_no_scheduler_there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathsim.workers.PATIENCE_S", 1.0)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        sweep.run(spec(folder), tmp_path / "out", workers=f"tcp://127.0.0.1:{free_port()}")
    assert not (tmp_path / "out").exists()


def test_from_the_shell(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    text = f"""
model = "{folder / "tiny.ant"}"
cell_lines = ["plain", "quick"]
treatment = "alphanib {{alphanib}}"
times = "30 min"
readouts = ["cell_count"]
[doses]
alphanib = "1 nM .. 1 uM x 9"
[libraries]
drugs = "{folder / "drugs.toml"}"
cell_lines = "{folder / "lines.toml"}"
[output]
wells_per_chunk = 5
"""
    command = [sys.executable, "-m", "pathsim", "sweep", str(toml(tmp_path, text))]
    subprocess.run([*command, "-o", str(tmp_path / "there"), "--dask", cluster.address], check=True)
    subprocess.run([*command, "-o", str(tmp_path / "here"), "-q"], check=True)
    assert parts(tmp_path / "there") == parts(tmp_path / "here")
