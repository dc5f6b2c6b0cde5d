"""Folders say on which processor their results were made: to go on elsewhere is refused in a line, or marked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_sweep import spec, write_files
from valley import Valley

import pathsim as ps
from pathsim import made_on
from pathsim.cli import main
from pathsim.made_on import MADE_ON_FILE, WITHIN_TOLERANCE, Identity, MadeOn, mark_in
from pathsim.sweep import Shard

Elsewhere = Callable[..., None]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Become a process of another version or processor."""

    def move(**changes: str) -> None:
        here: Identity = made_on.identity()._replace(**changes)
        monkeypatch.setattr(made_on, "identity", lambda: here)

    return move


CHANGES = [
    ({"processor": "znver9"}, r"was made on another processor \(.*, here znver9\).* PATHSIM_CPU .*--any-processor"),
    ({"features": "none"}, r"another processor with other features"),
    ({"numpy": "other"}, r"a numpy whose last digits are others .*OPENBLAS_CORETYPE"),
]


def stopped(folder: Path, study: Path, **words: object) -> None:
    """A sweep that is interrupted after its first chunk."""

    class Interrupted(Exception):
        pass

    def stop(_: object) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        ps.sweep.run(spec(study), folder, report=stop, **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(("changes", "said"), CHANGES)
def test_it_is_said_what_differs(tmp_path: Path, elsewhere: Elsewhere, changes: dict[str, str], said: str) -> None:
    ps.fit(Valley(), starts=1, workers=1, folder=tmp_path)
    elsewhere(**changes)
    with pytest.raises(ps.InputError, match=said) as caught:
        ps.fit(Valley(), starts=2, workers=1, folder=tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_sweep_goes_on_elsewhere_only_when_told(tmp_path: Path, elsewhere: Elsewhere) -> None:
    write_files(tmp_path)
    stopped(tmp_path / "out", tmp_path)
    elsewhere(processor="znver9")
    with pytest.raises(ps.InputError, match="was made on another processor"):
        ps.sweep.run(spec(tmp_path), tmp_path / "out", resume=True)
    assert mark_in(tmp_path / "out") == ""
    ps.sweep.run(spec(tmp_path), tmp_path / "out", resume=True, any_processor=True)
    assert mark_in(tmp_path / "out") == WITHIN_TOLERANCE
    made = MadeOn.read(tmp_path / "out")
    assert made is not None
    assert len(made.processors) == 2


def test_another_version_is_refused_whatever_is_allowed(tmp_path: Path, elsewhere: Elsewhere) -> None:
    ps.fit(Valley(), starts=1, workers=1, folder=tmp_path)
    elsewhere(pathsim="0.0.9")
    with pytest.raises(ps.InputError, match=r"was made by pathsim .*, this is 0\.0\.9; go on with that version"):
        ps.fit(Valley(), starts=2, workers=1, folder=tmp_path, resume=True, any_processor=True)


def test_shards_of_several_processors_are_told_apart(tmp_path: Path, elsewhere: Elsewhere) -> None:
    """Jobs of an array in one folder are refused as they come; in folders of their own, when they are joined."""
    write_files(tmp_path)
    ps.sweep.run(spec(tmp_path), tmp_path / "1", shard=Shard(1, 2))
    elsewhere(processor="znver9")
    with pytest.raises(ps.InputError, match="was made on another processor"):
        ps.sweep.run(spec(tmp_path), tmp_path / "1", shard=Shard(2, 2))
    ps.sweep.run(spec(tmp_path), tmp_path / "2", shard=Shard(2, 2))
    folders = [str(tmp_path / "1"), str(tmp_path / "2")]
    with pytest.raises(ps.InputError, match=r"1 and .*2 were made on different processors \(.*znver9\)"):
        ps.sweep.merge(folders, tmp_path / "whole.csv")
    words = ["sweep", "merge", *folders, "-o", str(tmp_path / "whole.csv"), "--any-processor"]
    with pytest.raises(SystemExit, match="0"):
        main(words)
    assert json.loads((tmp_path / "whole.csv.stamp.json").read_text())["results"] == WITHIN_TOLERANCE


def test_a_fit_keeps_where_it_was_made(tmp_path: Path, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    fit = ps.fit(Valley(), starts=1, workers=1, folder=home)
    ps.profile(fit, fit.names[:1], workers=1, folder=home)
    elsewhere(processor="znver9")
    loaded = ps.load_fit(home, Valley())  # to look at it is free
    loaded.save(away)
    for folder in (home, away):
        for go_on in (
            lambda folder=folder: ps.fit(Valley(), starts=2, workers=1, folder=folder, resume=True),
            lambda folder=folder: ps.profile(loaded, workers=1, folder=folder),
        ):
            with pytest.raises(ps.InputError, match="was made on another processor"):
                go_on()
    assert not caplog.records
    again = ps.fit(Valley(), starts=2, workers=1, folder=home, resume=True, any_processor=True)
    assert again.made_on.mark == mark_in(home) == WITHIN_TOLERANCE
    assert "agree within tolerance only" in caplog.text
    ps.profile(again, workers=1, folder=home)  # both processors are known there now


def test_a_study_is_refused_before_any_work(tmp_path: Path, elsewhere: Elsewhere) -> None:
    def stop(said: str) -> None:
        raise KeyboardInterrupt(said)

    def begin() -> None:
        with pytest.raises(KeyboardInterrupt, match="1/6"):
            ps.investigate("pi3k_mapk", "T47D", "alpelisib", tmp_path, tell=stop)

    begin()
    begin()
    elsewhere(features="none")
    with pytest.raises(ps.InputError, match="another processor with other features"):
        ps.investigate("pi3k_mapk", "T47D", "alpelisib", tmp_path, tell=stop)


def test_what_is_not_said_or_changed_is_refused(tmp_path: Path) -> None:
    ps.fit(Valley(), starts=1, workers=1, folder=tmp_path)
    path = tmp_path / MADE_ON_FILE

    def resumed() -> str:
        with pytest.raises(ps.InputError) as caught:
            ps.fit(Valley(), starts=2, workers=1, folder=tmp_path, resume=True)
        return str(caught.value)

    for content in ('{"pathsim": "0.1.0", "processors": []}', "{}", '{"pathsim": 1, "processors": []}', "["):
        path.write_text(content)
        assert MADE_ON_FILE in resumed()
    path.unlink()
    assert "does not say on which processor" in resumed()
    assert ps.load_fit(tmp_path, Valley()).made_on == MadeOn.unknown()


def test_what_a_worker_says_of_itself() -> None:
    here = made_on.identity()
    assert here == Identity.of(here)
    assert here.suits(here)
    assert not here.suits(here._replace(numpy="other"))
    assert here.on_any_processor().suits(here._replace(processor="other", numpy="other"))
    assert not here.on_any_processor().suits(here._replace(pathsim="0.0.9"))
    older = Identity.of(["0.0.9", "3.9"])  # of a version that says less
    assert "runs pathsim 0.0.9" in here.difference(older)
    assert here.difference(here) == ""
