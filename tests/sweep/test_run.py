"""Sweeps that are stopped, sharded, crowded and merged end up the same to the byte."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_sweep import expected, parts, spec, toml, write_files

from pathsim import sweep
from pathsim.errors import InputError
from pathsim.sweep import Shard
from pathsim.sweep.folder import MANIFEST
from pathsim.table import check_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    write_files(path)
    return path


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> Path:
    sweep.run(spec(folder), folder / "unbroken")
    return folder / "unbroken"


def test_table(folder: Path, unbroken: Path) -> None:
    sweep.merge([unbroken], folder / "all.csv")
    table = pd.read_csv(folder / "all.csv", keep_default_na=False, na_values={"value": [""]})
    check_table(table)
    assert list(table.columns) == [
        "cell_line",
        "treatment",
        "time_min",
        "readout",
        "value",
        "well",
        "alphanib_nM",
        "betanib_nM",
        "failure",
    ]
    assert len(table) == 20 * 2
    k_out = np.where(table["cell_line"] == "plain", 0.01, 0.05)
    known = expected(table["alphanib_nM"], table["betanib_nM"], table["time_min"], k_out)
    np.testing.assert_allclose(table["value"], known, rtol=2e-5)
    assert (table["failure"] == "").all()
    assert table["treatment"].iloc[0] == "betanib 100 nM"
    assert table["treatment"].iloc[4] == "alphanib 1 nM + betanib 100 nM"


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(folder: Path, unbroken: Path, tmp_path: Path, workers: int) -> None:
    sweep.run(spec(folder), tmp_path / "out", workers=workers)
    assert parts(tmp_path / "out") == parts(unbroken)


def test_chunk_size_changes_only_the_cut(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    sweep.run(spec(folder, output={"wells_per_chunk": 7}), tmp_path / "out")
    sweep.merge([tmp_path / "out"], tmp_path / "other.csv")
    sweep.merge([unbroken], tmp_path / "one.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()


def test_shards_make_the_whole(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    for number in (3, 1, 2):
        sweep.run(spec(folder), tmp_path / "shared", shard=Shard(number, 3))
        sweep.run(spec(folder), tmp_path / f"own{number}", shard=Shard(number, 3))
    assert parts(tmp_path / "shared") == parts(unbroken)
    sweep.merge([tmp_path / f"own{number}" for number in (1, 2, 3)], tmp_path / "joined.csv")
    sweep.merge([unbroken], tmp_path / "whole.csv")
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_resume_does_only_what_is_missing(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sweep.run(spec(folder), out)
    files = sorted(out.glob("part-*"))
    files[2].unlink()
    files[5].unlink()
    (out / f".{files[2].name}.abc.tmp").write_text("half a chu")
    before = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    seen = []
    sweep.run(spec(folder), out, resume=True, report=seen.append)
    assert [progress.chunks for progress in seen] == [1, 2]
    assert seen[-1].wells == seen[-1].of_wells == 6 - (3 - 20 % 3 if len(files) == 6 else 0)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert parts(out) == parts(unbroken)


@pytest.mark.parametrize("method", ["sobol", "latin hypercube"])
def test_memory_does_not_grow_with_the_number_of_wells(folder: Path, tmp_path: Path, method: str) -> None:
    """Sixteen times the wells, the same peak; a list of all wells or points would show. The first run imports."""
    peaks = []
    for number, points in enumerate((1024, 1024, 16384)):
        sample = {"method": method, "points": points}
        doses = {"alphanib": "1 nM .. 1 uM", "betanib": "1 nM .. 1 uM"}
        made = spec(folder, doses=doses, sample=sample, cell_lines=["plain"], output={"wells_per_chunk": 512})
        tracemalloc.start()
        sweep.run(made, tmp_path / str(number), workers=1)  # more hold more chunks at a time
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.25 * peaks[1]


def test_killed_at_any_time_and_resumed(folder: Path, tmp_path: Path) -> None:
    """SIGKILL, twice, in the middle of writing; nothing finished is repeated; the result is that of an unbroken run."""
    doses = 'alphanib = "1 nM .. 1 uM x 50"\nbetanib = "1 nM .. 1 uM x 40"'
    text = f"""
        model = "{folder / "tiny.ant"}"
        cell_lines = ["plain", "quick"]
        treatment = "alphanib {{alphanib}} + betanib {{betanib}}"
        times = "30 120 min"
        readouts = ["cell_count", "marker"]
        [doses]\n{doses}
        [libraries]
        drugs = "{folder / "drugs.toml"}"
        cell_lines = "{folder / "lines.toml"}"
        [output]
        wells_per_chunk = 10
    """
    path = toml(tmp_path, "\n".join(line.strip() for line in text.splitlines()))
    command = [sys.executable, "-m", "pathsim", "sweep", str(path), "--workers", "2", "-q"]
    subprocess.run([*command, "-o", str(tmp_path / "unbroken")], check=True)
    out = tmp_path / "broken"
    seen: dict[Path, int] = {}
    for kill_at in (20, 60):
        process = subprocess.Popen([*command, "-o", str(out), "--resume"])
        deadline = time.monotonic() + 120
        while len(list(out.glob("part-*"))) < kill_at:
            assert time.monotonic() < deadline, "the sweep writes nothing"
            assert process.poll() is None, "the sweep was over before it could be killed"
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for chunk, when in seen.items():
            assert chunk.stat().st_mtime_ns == when, f"{chunk.name} was made again"
        seen = {chunk: chunk.stat().st_mtime_ns for chunk in out.glob("part-*")}
        assert len(seen) < 400
    subprocess.run([*command, "-o", str(out), "--resume"], check=True)
    assert all(chunk.stat().st_mtime_ns == when for chunk, when in seen.items())
    assert parts(out) == parts(tmp_path / "unbroken")


def test_a_folder_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    sweep.run(spec(folder), tmp_path / "out")
    with pytest.raises(InputError, match="--resume continues it"):
        sweep.run(spec(folder), tmp_path / "out")
    with pytest.raises(InputError, match=r"another sweep \(different times_min\)"):
        sweep.run(spec(folder, times="5 min"), tmp_path / "out", resume=True)
    with pytest.raises(InputError, match="different readouts"):
        sweep.run(spec(folder, readouts=["marker"]), tmp_path / "out", resume=True)


def test_another_model_is_another_sweep(folder: Path, tmp_path: Path) -> None:
    write_files(tmp_path)
    sweep.run(spec(tmp_path), tmp_path / "out")
    model = tmp_path / "tiny.ant"
    model.write_text(model.read_text().replace("k_in = 0.01", "k_in = 0.011"))
    with pytest.raises(InputError, match="different model"):
        sweep.run(spec(tmp_path), tmp_path / "out", resume=True)


def test_wells_that_fail_say_why_and_disturb_nobody(folder: Path, tmp_path: Path) -> None:
    """With ``trap`` the cell count explodes in finite time from some wells only."""
    changes = {"doses": None, "treatment": "vehicle", "cell_lines": ["plain"], "parameters": {"trap": [0.0, 0.1, 30.0]}}
    done = sweep.run(spec(folder, **changes), tmp_path / "out")
    sweep.merge([tmp_path / "out"], tmp_path / "all.csv")
    table = pd.read_csv(tmp_path / "all.csv")
    bad = table[table["trap"] == 30.0]
    assert done.failed == 1
    assert bad["value"].isna().all()
    assert bad["failure"].str.contains("coming to rest").all()
    good = table[table["trap"] < 30]
    assert good["failure"].isna().all()
    assert good["value"].notna().all()


def test_parquet(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    made = spec(folder, output={"format": "parquet", "wells_per_chunk": 3})
    sweep.run(made, tmp_path / "out", workers=2)
    sweep.run(made, tmp_path / "again")
    assert parts(tmp_path / "out") == parts(tmp_path / "again")
    sweep.merge([tmp_path / "out"], tmp_path / "all.parquet")
    sweep.merge([unbroken], tmp_path / "all.csv")
    ours, csv = pd.read_parquet(tmp_path / "all.parquet"), pd.read_csv(tmp_path / "all.csv", keep_default_na=False)
    assert list(ours.columns) == list(csv.columns)
    for column in csv.columns:
        assert list(ours[column]) == list(csv[column]), column
    with pytest.raises(InputError, match=r"name the file all\.parquet"):
        sweep.merge([tmp_path / "out"], tmp_path / "all.csv")


def test_merge_refuses_gaps_and_strangers(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    sweep.run(spec(folder), tmp_path / "half", shard=Shard(1, 2))
    with pytest.raises(InputError, match=r"3 of 7 chunks are missing \(1, 3, 5\)"):
        sweep.merge([tmp_path / "half"], tmp_path / "all.csv")
    sweep.run(spec(folder, times="5 min"), tmp_path / "other")
    with pytest.raises(InputError, match="different sweeps"):
        sweep.merge([unbroken, tmp_path / "other"], tmp_path / "all.csv")
    with pytest.raises(InputError, match=f"has no {MANIFEST}"):
        sweep.merge([tmp_path], tmp_path / "all.csv")


@pytest.mark.parametrize("text", ["0/3", "4/3", "x/3", "3", "1/0", "-1/3"])
def test_bad_shards(text: str) -> None:
    with pytest.raises(InputError, match="shard"):
        Shard.parse(text)


def test_interrupted_sweep_exits_130_and_leaves_whole_chunks(folder: Path, tmp_path: Path) -> None:
    text = f"""
model = "{folder / "tiny.ant"}"
cell_lines = ["plain"]
treatment = "vehicle"
times = "30 min"
readouts = ["cell_count"]
[scales]
k_in = "0.5 .. 2"
[sample]
points = 65536
[libraries]
drugs = "{folder / "drugs.toml"}"
cell_lines = "{folder / "lines.toml"}"
[output]
wells_per_chunk = 64
"""
    command = [sys.executable, "-m", "pathsim", "sweep", str(toml(tmp_path, text)), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs may have it ignored
    )
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "out").glob("part-*"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not list((tmp_path / "out").glob(".*.tmp"))


@pytest.mark.parametrize("damage", ["short", "empty", "changed"])
def test_a_chunk_that_is_not_as_written_is_named_and_made_again(
    folder: Path, unbroken: Path, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(unbroken, out)
    chunk = out / "part-000001.csv"
    content = chunk.read_bytes()
    chunk.write_bytes({"short": content[:-5], "empty": b"", "changed": content.replace(b"1", b"2")}[damage])
    with pytest.raises(InputError, match=r"part-000001\.csv.*(of the \d+ bytes|checksum differs).*--resume"):
        sweep.merge([out], tmp_path / "table.csv")
    assert not (tmp_path / "table.csv").exists()
    sweep.merge([out, unbroken], tmp_path / "table.csv")  # the other folder has it whole
    sweep.run(spec(folder), out, resume=True)
    assert parts(out) == parts(unbroken)


def test_wells_of_a_large_sweep_are_those_of_a_small_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = spec(folder, readouts=["cell_count", "marker %"]).design
    plain = small.read(0, small.wells)
    monkeypatch.setattr("pathsim.sweep.design.MANY_WELLS", 1)
    large = spec(folder, readouts=["cell_count", "marker %"]).design
    found = large.read(0, large.wells)
    assert not np.array_equal(found.values, plain.values)  # by other code
    np.testing.assert_allclose(found.values, plain.values, rtol=1e-6)
    assert np.array_equal(large.read(3, 7).values, found.values[3:7])
