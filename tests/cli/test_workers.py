"""``--workers`` and ``--dask`` stand together in every verb, and who works does not change what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from shell import run
from small_problems import write

from pathsim import workers as room
from pathsim.cli.app import VERBS, command_of


class Cluster:
    """What pathsim asks of a Dask client, over threads of this process, and how many tasks it was given."""

    status = "running"

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool, self.tasks = pool, 0

    def get_executor(self, **_: Any) -> Executor:
        def submit(*words: Any) -> Any:
            self.tasks += 1
            return self.pool.submit(*words)

        found = ThreadPoolExecutor(1)
        found.submit = submit  # type: ignore[method-assign,assignment]
        return found

    def nthreads(self) -> dict[str, int]:
        return {"here": 2}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with ThreadPoolExecutor(2) as pool:
        made = Cluster(pool)

        @contextmanager
        def connect(_: str) -> Iterator[Cluster]:
            yield made

        monkeypatch.setattr(room, "connect", connect)
        yield made


def options(command: Any) -> Iterator[tuple[str, set[str]]]:
    """The options of a command, or of each that it has."""
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)
    if not hasattr(command, "commands"):
        yield command.name, {name for parameter in command.params for name in parameter.opts}


def test_both_stand_together_in_every_verb() -> None:
    known = {verb: dict(options(command_of(verb.replace("_", "-")))) for verb in VERBS if verb != "app"}
    both = {"--workers", "--dask"}
    assert {
        (verb, name) for verb, own in known.items() for name, found in own.items() if len(both & found) == 1
    } == set()
    resumes = {name for own in known.values() for name, found in own.items() if "--any-processor" in found}
    assert resumes == {"run", "merge", "fit", "profile", "investigate"}


def test_a_study_is_done_by_the_cluster(capsys: pytest.CaptureFixture[str], cluster: Cluster, tmp_path: Path) -> None:
    plate = tmp_path / "plate.toml"
    plate.write_text(
        'cell_line = "T47D"\ntime = "1 h"\nreadout = "pAKT_S473"\n[well]\nA1 = "vehicle"\nB1 = "alpelisib 1 uM"\n'
    )
    petab = str(write(tmp_path, 2))
    for words in (
        ["plate", str(plate)],
        ["blot", "T47D", "--treatment", "vehicle", "--readouts", "pAKT_S473", "--times", "0 min"],
        ["timecourse", "T47D", "--treatment", "vehicle", "--readouts", "pAKT_S473", "--times", "0 1 h"],
        ["dose-response", "T47D", "alpelisib", "--doses", "100 nM 1 uM", "-q"],
        ["petab", petab],
    ):
        before = cluster.tasks
        here, there = (run(capsys, *words, *more) for more in ((), ("--dask", "tcp://nowhere:1")))
        assert here[:2] == there[:2], there[2]
        assert here[0] == 0, here[2]
        assert cluster.tasks > before
