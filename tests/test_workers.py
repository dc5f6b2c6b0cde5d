"""Whoever works, results are the same bits; workers that are lost, others, or not there are told in one line."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from valley import Valley, killed_once

import pathsim as ps
from pathsim import workers as room
from pathsim.experiments.ensemble import prediction_intervals
from pathsim.lab.clones import default_clones
from pathsim.made_on import Identity
from pathsim.resistance import Rules
from pathsim.threads import Workers, chosen
from pathsim.workers import crew, finished, spread


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    options: dict[str, Any] = {"dashboard_address": None, "processes": True, "threads_per_worker": 1}
    with distributed.LocalCluster(n_workers=2, **options) as local:
        yield local


@pytest.fixture(params=["processes", "threads", "spawned", "client"])
def hands(request: pytest.FixtureRequest) -> Iterator[Workers]:
    """Everybody who may work."""
    if request.param == "processes":
        yield 2
    elif request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif request.param == "spawned":
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
            yield processes
    else:
        with request.getfixturevalue("cluster").get_client() as client:
            yield client


def test_long_work_gives_the_same_bits_whoever_does_it(hands: Workers) -> None:
    sets = [{"x": float(x)} for x in range(5)]
    found = [prediction_intervals(lambda one: one["x"] ** 0.5, sets, workers=one).of(float) for one in (1, hands)]
    assert found[0] == found[1]
    assert spread(lambda seed: np.random.default_rng(seed).random(), range(6), hands) == [
        np.random.default_rng(seed).random() for seed in range(6)
    ]
    if isinstance(hands, ProcessPoolExecutor):
        return
    here, there = (ps.fit(Valley(), starts=4, seed=3, workers=one) for one in (1, hands))
    assert [start.theta for start in here.starts] == [start.theta for start in there.starts]
    profiles = [ps.profile(here, workers=one).table for one in (1, hands)]
    assert profiles[0].equals(profiles[1])
    chains = [ps.sample(here, steps=12, seed=1, workers=one).chain for one in (1, hands)]
    assert (chains[0] == chains[1]).all()


@pytest.mark.parametrize("hands", ["client"], indirect=True)
def test_studies_of_the_lab_are_done_elsewhere_to_the_bit(hands: Workers) -> None:
    here, there = (_studies(who) for who in (1, hands))
    for name, tables in here.items():
        assert [one.equals(other) for one, other in zip(tables, there[name], strict=True)] == [True] * len(tables), name


def _studies(workers: Workers) -> dict[str, list[pd.DataFrame]]:
    """Tables of a study of each kind."""
    model, few = "pi3k_mapk", tuple(clone for clone in default_clones() if clone.alteration == "PTEN_loss")
    told: list[str] = []
    line = ps.escalate(
        model, "T47D", "alpelisib", clones=few, rules=Rules(max_days=20), seed=3, progress=told.append, workers=workers
    )
    assert told
    trial = ps.xenograft(model, "ATRT", ["vehicle", "paxalisib 15 mg/kg daily"], mice=2, days=40, workers=workers)
    glucose = ps.glucose_insulin_study(model, "T47D", "alpelisib 30 mg/kg daily", ["none"], 0.25, workers=workers)
    sets = [{}, {"SRC_total": 100.0}]
    patients = ps.virtual_trial(model, patients=4, trials=2, sets=sets, workers=workers)
    doses = ps.dose_response(model, ["T47D", "MCF7", "SK-BR-3"], "alpelisib", readout="GR", workers=workers)
    return {
        "escalate": [line.history, line.fractions, ps.washout(line, 5, workers=workers)],
        "xenograft": [trial.mice, trial.volumes, trial.lysate],
        "glucose": [glucose.summary, glucose.host, glucose.tumour],
        "trial": [patients.trials],
        "dose response": [doses],
    }


def test_a_task_whose_process_is_killed_is_done_again(tmp_path: Path, cluster: Any) -> None:
    for number, workers in enumerate((2, cluster.scheduler_address)):
        done, killed = tmp_path / f"done{number}", tmp_path / f"killed{number}"
        done.write_text("")
        markers = [str(killed), str(done), str(done), str(done)]
        assert spread(killed_once, markers, workers) == markers


def test_a_pool_that_breaks_is_told(tmp_path: Path) -> None:
    said = r"workers were lost .*resuming goes on from it"
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(ps.SimulationError, match=said) as caught,
    ):
        spread(killed_once, [str(tmp_path / "c")], pool)
    assert "\n" not in str(caught.value)


def test_leaving_ends_the_processes_at_once() -> None:
    began = time.monotonic()
    pids: list[int] = []
    with crew(2, 4) as team:
        for _, (pid, _) in team.finished(lambda seconds: (os.getpid(), time.sleep(seconds)), [0.0, 60.0, 60.0, 60.0]):
            pids.append(pid)
            break
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_no_worker_is_said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    monkeypatch.setattr(room, "PATIENCE_S", 0.6)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, processes=False) as nobody,
        pytest.raises(ps.SimulationError, match=r"no worker has been there for 0\.6 s"),
    ):
        spread(abs, [1, 2], nobody.scheduler_address)

    class Idle(Executor):
        def submit(self, *words: Any, **more: Any) -> Any:
            from concurrent.futures import Future

            return Future()

    with pytest.raises(ps.SimulationError, match="no worker has been there"):
        spread(abs, [1, 2], Idle())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pathsim": "0.0.9"}, r"a worker runs pathsim .*, this is 0\.0\.9; install one version"),
        ({"python": "2.7"}, r"a worker runs Python .*, this is 2\.7"),
        ({"processor": "i386"}, r"another processor \(.*, here i386\).*PATHSIM_CPU"),
        ({"features": "none"}, "another processor with other features"),
    ],
)
def test_another_version_or_processor_is_refused(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    mine: Identity = room.identity()._replace(**changes)
    monkeypatch.setattr(room, "identity", lambda: mine)
    with pytest.raises(ps.InputError, match=said) as caught:
        spread(abs, [1, 2], cluster.scheduler_address)
    assert "\n" not in str(caught.value)


def test_work_that_cannot_travel_is_told_or_done_here() -> None:
    lock = threading.Lock()
    with pytest.raises(ps.InputError, match=r"cannot be sent to other processes .*workers=1 does it here"):
        spread(lambda number: (number, lock)[0], [1, 2], 2)
    assert spread(lambda number: (number, lock)[0], [1, 2]) == [1, 2]


def test_errors_come_back_as_they_are() -> None:
    def fails(number: int) -> int:
        raise ps.InputError(f"{number} is wrong")

    with pytest.raises(ps.InputError, match=r"^1 is wrong$"):
        list(finished(fails, [1, 1], 2))


def test_one_of_workers_and_dask() -> None:
    assert chosen(3, None) == 3
    assert chosen(None, "tcp://host:1") == "tcp://host:1"
    with pytest.raises(ps.InputError, match="--workers and --dask: give one"):
        chosen(3, "tcp://host:1")
    with pytest.raises(ps.InputError, match="workers is"):
        ps.fit(Valley(), starts=2, workers=object())  # type: ignore[arg-type]
