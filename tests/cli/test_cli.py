"""The command line: tables on stdout, one line on stderr when something is wrong, exit codes that mean it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from shell import run

from pathsim.cli import main

DECAY = "model decay\n  species A = 1, B = 0;\n  k1 = 1;\n  A -> B; k1*A;\nend\n"


@pytest.fixture
def decay(tmp_path: Path) -> str:
    path = tmp_path / "decay.ant"
    path.write_text(DECAY)
    return str(path)


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def test_simulate_prints_a_table(capsys: pytest.CaptureFixture[str], decay: str) -> None:
    code, out, _ = run(capsys, "simulate", decay, "--times", "0 .. 2 x 3", "--outputs", "A", "B", "--set", "k1=0.5")
    assert code == 0
    frame = table(out)
    assert list(frame.columns) == ["time", "A", "B"]
    assert frame["A"].iloc[2] == pytest.approx(0.36787944, rel=1e-5)


def test_times_with_a_unit_are_those_of_the_model(capsys: pytest.CaptureFixture[str], decay: str) -> None:
    model = ["simulate", "pi3k_mapk", "--outputs", "pERK_T202"]
    code, plain, _ = run(capsys, *model, "--times", "0 .. 120 x 3")
    assert (code, *run(capsys, *model, "--times", "0 .. 2 h x 3")) == (
        0,
        0,
        plain,
        "times of pi3k_mapk are in min: the last is 120 min\n",
    )
    assert "in s: the last is 60 s" in run(capsys, "simulate", decay, "--times", "0 1 min")[2]
    code, _, said = run(capsys, "simulate", decay, "--times", "0 .. soon x 3")
    assert code == 2
    assert "unknown unit 'soon'" in said


def test_json_and_folder(capsys: pytest.CaptureFixture[str], decay: str, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "simulate", decay, "--times", "0 1", "--json")
    assert code == 0
    assert json.loads(out)[0]["A"] == 1
    code, out, _ = run(capsys, "simulate", decay, "--times", "0 1", "-o", str(tmp_path / "new" / "folder"))
    assert (code, out) == (0, "")
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert [name.removeprefix(names[0]) for name in names] == ["", ".stamp.json"]
    assert names[0].endswith(".csv")


def test_the_main_job_and_its_figure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "blot", "--plot", str(tmp_path / "blot.png"))
    assert code == 0
    frame = table(out)
    assert set(frame["cell_line"]) == {"T47D", "T47D+PTEN_loss"}
    assert len(set(frame["treatment"])) == 4
    assert set(frame["readout"]) == {
        "pAKT_S473",
        "AKT_total",
        "pPRAS40_T246",
        "pS6_S240",
        "pSRC_Y419",
        "pSTAT1_S727",
        "vinculin",
    }
    assert (tmp_path / "blot.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_of_the_design_works_as_typed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(
        capsys,
        "blot",
        "T47D",
        "ZR-75-1",
        "--treatment",
        "vehicle for 24 h then vehicle for 1 h then IGF1 13 nM",
        "--treatment",
        "vehicle for 24 h then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM",
        "--times",
        "0 15 min",
        "--readouts",
        "pAKT_S473",
        "pPRAS40_T246",
        "pS6_S240",
        "--plot",
        str(tmp_path / "blot.svg"),
    )
    assert code == 0
    assert len(table(out)) == 2 * 2 * 2 * 3
    assert "<svg" in (tmp_path / "blot.svg").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["blot", "T47D", "--readouts", "pAKT_S473"],
        ["dose-response", "T47D", "alpelisib", "--doses", "100 nM 1 uM"],
        ["combine", "T47D", "alpelisib", "trametinib", "--doses", "10 nM 1 uM", "--wells"],
    ],
)
def test_predictions_come_with_intervals(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, _ = run(capsys, *words, "--ensemble", "6")
    assert code == 0
    frame = table(out)
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert (frame["high"] > 1.001 * frame["low"]).any()
    single = table(run(capsys, *words)[1])
    potency = [name for name in frame if name.startswith("ic50_nM")]  # over sets, with an interval of its own
    assert potency in ([], ["ic50_nM", "ic50_nM_low", "ic50_nM_high"])
    if potency:
        assert (frame["ic50_nM_low"] <= frame["ic50_nM"]).all()
        assert (frame["ic50_nM"] <= frame["ic50_nM_high"]).all()
    kept = single.drop(columns=["value", *potency[:1]])
    assert (frame.drop(columns=["value", "low", "high", *potency]) == kept).all(axis=None)


@pytest.mark.parametrize(("metric", "column"), [("bliss", "excess"), ("ci", "ci")])
def test_synergy_has_a_band_too(capsys: pytest.CaptureFixture[str], metric: str, column: str) -> None:
    words = ["combine", "T47D", "alpelisib", "trametinib", "--doses", "30 nM 300 nM 3 uM", "--metric", metric]
    code, out, err = run(capsys, *words, "--ensemble", "4")
    assert code == 0
    frame = table(out)
    assert (frame[f"{column}_ensemble_low"] <= frame[column]).all()
    assert (frame[column] <= frame[f"{column}_ensemble_high"]).all()
    assert (frame[f"{column}_ensemble_high"] - frame[f"{column}_ensemble_low"]).max() > 0.01
    assert "5 to 95 % over 5 parameter sets" in err
    assert metric == "ci" or "Bliss excess" in err
    assert frame["observed" if "observed" in frame else "fa"].notna().all()


def test_time_courses_have_intervals_too(capsys: pytest.CaptureFixture[str], decay: str, tmp_path: Path) -> None:
    sets = tmp_path / "sets.csv"
    sets.write_text("A\n1\n2\n3\n")
    code, out, _ = run(
        capsys, "simulate", decay, "--times", "0 1", "--ensemble", str(sets), "--plot", str(tmp_path / "interval.png")
    )
    assert code == 0
    frame = table(out)
    own, low, high = (frame[f"A{end}"] for end in ("", "_low", "_high"))
    assert list(low / own) == pytest.approx([1.1 / 2, 1.1 / 2], rel=1e-5)
    assert list(high / own) == pytest.approx([2.9 / 2, 2.9 / 2], rel=1e-5)


@pytest.mark.parametrize("what", ["drugs", "models", "cell-lines", "alterations", "readouts", "network"])
def test_lists_are_tables(capsys: pytest.CaptureFixture[str], what: str) -> None:
    code, out, _ = run(capsys, "list", what)
    assert code == 0
    assert len(table(out)) > 0


def test_check_counts_and_tells_what_is_wrong(capsys: pytest.CaptureFixture[str], decay: str, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "check")
    assert code == 0
    assert table(out).set_index("what")["count"]["problems"] == 0
    bad = tmp_path / "bad.ant"
    bad.write_text(
        "model bad\n  k1 = 1; // 1/min | estimate: a guess\n  species A = 1;\n  A -> ; k1*k2*A;\n  k2 = 1;\nend\n"
    )
    code, _, err = run(capsys, "check", str(bad))
    assert code == 0  # a model of somebody else's is told, not refused, for its sources
    assert "remark: k2: no unit and no source" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["blot", "T47X"], "unknown cell line 'T47X': did you mean T47D"),
        (["blot", "--treatment", "alpelisb 1 uM"], "unknown drug 'alpelisb': did you mean alpelisib"),
        (["blot", "--readouts", "pAKT_S743"], "unknown readout 'pAKT_S743': did you mean pAKT_S473"),
        (["blot", "--treatment", "alpelisib 1 uMM"], "unknown unit 'uMM': did you mean uM"),
        (["blot", "--treatment", "alpelisib -1 uM"], "negative dose"),
        (["blot", "--times", "-5 min"], "negative time"),
        (["blot", "--ensemble", "999"], "1 to 60 are shipped"),
        (["blot", "--plot", "blot.tiff"], "must end in .png, .pdf or .svg"),
        (["blot", "--modell", "x"], "No such option"),
        (["blott"], "No such command"),
        (["list", "drgs"], "unknown list 'drgs': did you mean drugs"),
        (["list", "drugs", "--plot", "x.png"], "--plot draws the network"),
        (["simulate", "pi3k_mapq", "--times", "0 1"], "unknown model 'pi3k_mapq': did you mean pi3k_mapk"),
        (["simulate", "none.xml", "--times", "0 1"], "none.xml: no such file"),
        (["simulate", "pi3k_mapk", "--times", "1 0"], "ascending order"),
        (["simulate", "pi3k_mapk", "--times", "0 1", "--outputs", "pAKT_S743"], "pAKT_S473"),
        (["simulate", "pi3k_mapk", "--times", "0 1", "--set", "EGF"], "write name=number"),
        (["simulate", "pi3k_mapk", "--times", "0 1", "--set", "EFG=1"], "did you mean EGF"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert says in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bad.ant", "model bad\n  A -> B k1*A;\nend\n", "bad.ant, line 2: "),
        ("bad.xml", "<sbml><model>\n</sbml>\n", "bad.xml, line "),
        ("empty.xml", "", "empty.xml"),
        ("undefined.ant", "model m\n  species A = 1;\n  A -> ; k1*A;\n  k1 = k3;\nend\n", "k3"),
    ],
)
def test_files_that_do_not_parse_say_where(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    code, out, err = run(capsys, "simulate", str(path), "--times", "0 1")
    assert (code, out) == (2, "")
    assert says in err


@pytest.mark.parametrize("more", [[], ["--ensemble", "3"]])
def test_every_unknown_name_is_said_at_once(capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    code, out, err = run(capsys, "dose-response", "T47X", "alpelisb", *more)
    assert (code, out) == (2, "")
    assert "did you mean T47D" in err
    assert "did you mean alpelisib" in err


def test_debug_shows_the_traceback(decay: str) -> None:
    with pytest.raises(Exception, match="unknown cell line"):
        main(["blot", "T47X", "--debug"])


def test_a_failed_simulation_is_exit_code_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "explodes.ant"
    path.write_text("model explodes\n  species A = 1;\n  -> A; A*A;\nend\n")
    code, out, err = run(capsys, "simulate", str(path), "--times", "0 2")
    assert (code, out) == (1, "")
    assert "A" in err


def test_help_is_quick_to_import_and_a_closed_pipe_is_no_error(decay: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    code = (
        "import sys\nfrom pathsim.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'matplotlib', 'libsbml', 'numba', 'llvmlite'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, env=environment
    )
    assert shown.stdout.strip().endswith("heavy: []")
    piped = subprocess.run(
        f"{sys.executable} -m pathsim simulate {decay} --times '0 .. 1 x 50000' | head -n 1",
        shell=True,
        capture_output=True,
        encoding="utf-8",
        check=True,
        env=environment,
    )
    assert piped.stdout.startswith("time")
    assert "Traceback" not in piped.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["blot", "T47D", "-o", "{file}/out"], "is a file and not a folder"),
        (["blot", "T47D", "--plot", "{file}/x.png"], "is a file and not a folder"),
        (["blot", "T47D", "--plot", "{folder}/x.gif"], "must end in .png"),
        (["sweep", "merge", "x", "-o", "{folder}"], "a folder; name a file in it"),
        (["petab", "{bytes}"], "byte 1 is not UTF-8 text"),
        (["fit", "{bytes}", "--free", "{file}"], "is not UTF-16 text"),
        (["fit", "{folder}", "--free", "{file}"], "a folder, not a file"),
        (["blot", "T47D", "--ensemble", "{bytes}"], "byte 1 is not UTF-8 text"),
    ],
)
def test_places_and_files_are_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], says: str
) -> None:
    places = {name: str(tmp_path / name) for name in ("file", "bytes", "folder")}
    Path(places["file"]).write_text("[k]\n")
    Path(places["bytes"]).write_bytes(b"\xff\xfebad")
    Path(places["folder"]).mkdir()
    code, out, err = run(capsys, *(word.format(**places) for word in words))
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
