"""Own drugs, lines, alterations and constants, in every verb of the lab and in Python alike."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pandas as pd
import pytest
import typer

import pathsim as ps
from pathsim.cli import app, main

LAB = (
    "blot", "timecourse", "dose-response", "combine", "sensitivity", "escalate", "xenograft", "trial", "glucose",
    "investigate", "fit", "export", "list",
)  # fmt: skip
MODEL = (
    "model decay\n serum = 0; IGF1 = 0;\n k = 0.1; // 1/min | estimate: a guess\n species S; S = 1;\n"
    " R1: -> S; k*(0.1 + IGF1/(1 + IGF1)); R2: S -> ; k*S;\nend\n"
)
RISE = "vehicle for 1 h then IGF1 1 nM"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose S rises from 0.1 towards 0.6 at the rate k, with a drug, a line and an alteration of one's own."""
    target = tmp_path_factory.mktemp("own")
    (target / "decay.ant").write_text(MODEL)
    (target / "lines.toml").write_text(
        "[line.plain]\n[line.fast]\nset.k = { value = 0.4, source = 'mine' }\n"
        "[alteration.slower]\nscale = { k = { value = 0.5, source = 'mine' } }\n"
    )
    (target / "one.toml").write_text("[line.one]\n[alteration.halved]\nsource = 'mine'\nscale.k = 0.5\n")
    (target / "drugs.toml").write_text("[growth]\nsynonyms = ['GF-1']\nper_nM.IGF1 = { value = 1, source = 'mine' }\n")
    (target / "fit").mkdir()
    (target / "fit" / "best.csv").write_text(
        "parameter,value,on_scale,scale\nk,0.2,-0.7,log10\nbackground:S,3,0.5,log10\n"
    )
    return target


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


def risen(rate: float, minutes: float = 10.0) -> float:
    return 0.1 + 0.5 * (1 - math.exp(-rate * minutes))


def blot(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> list[float]:
    given = ("--model", str(folder / "decay.ant"), "--readouts", "S", "--times", "10 min", "--treatment", RISE)
    code, out, err = run(capsys, "blot", *words[:1], *given, *words[1:])
    assert code == 0, err
    return list(pd.read_csv(io.StringIO(out))["value"])


def test_every_verb_of_the_lab_takes_them() -> None:
    for verb in app.VERBS:
        __import__(f"pathsim.cli.{app.MODULES.get(verb, verb)}")
    commands = typer.main.get_command(app.app).commands  # type: ignore[attr-defined]
    for verb in LAB:
        options = {name for item in commands[verb].params for name in item.opts}
        assert {"--model", "--drugs", "--cell-lines", "--set", "--parameters"} <= options, verb


def test_constants_of_a_fit_and_by_hand(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    lines = ("--cell-lines", str(folder / "lines.toml"))
    assert blot(capsys, folder, "plain", *lines) == pytest.approx([risen(0.1)], rel=1e-5)
    for fit in ("fit", "fit/best.csv"):
        fitted = (*lines, "--parameters", str(folder / fit))
        assert blot(capsys, folder, "plain", *fitted) == pytest.approx([risen(0.2)], rel=1e-5)
    assert blot(capsys, folder, "fast", *fitted) == pytest.approx([risen(0.4)], rel=1e-5)  # a number of its own
    assert blot(capsys, folder, "fast", *fitted, "--set", "k=0.3") == pytest.approx([risen(0.3)], rel=1e-5)
    assert blot(capsys, folder, "fast+slower", *lines, "--set", "k=0.3") == pytest.approx([risen(0.15)], rel=1e-5)
    assert blot(capsys, folder, "fast", *lines, "--set", "k@plain=0.3") == pytest.approx([risen(0.4)], rel=1e-5)


def test_parameter_sets_vary_what_was_fitted_and_not_what_is_set(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "ensemble.csv").write_text("k\n0.1\n0.2\n0.3\n")
    words = ["blot", "plain", "--cell-lines", str(folder / "lines.toml"), "--model", str(folder / "decay.ant")]
    words += ["--readouts", "S", "--times", "10 min", "--treatment", RISE, "--ensemble", str(folder / "ensemble.csv")]
    _, out, _ = run(capsys, *words, "--parameters", str(folder / "fit"))
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    assert row["low"] < risen(0.12) < risen(0.28) < row["high"]
    _, out, _ = run(capsys, *words, "--set", "k=0.25")
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    assert row["low"] == row["high"] == pytest.approx(risen(0.25), rel=1e-5)


def test_a_drug_and_an_alteration_beside_a_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    own = ("--drugs", str(folder / "drugs.toml"), "--treatment", "vehicle for 1 h then gf-1 1 nM")
    assert blot(capsys, folder, str(folder / "one.toml") + "+halved", *own) == pytest.approx(
        [risen(0.05)] * 2, rel=1e-5
    )


def test_a_model_without_cell_lines_runs_as_it_is(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert blot(capsys, folder, "none") == pytest.approx([risen(0.1)], rel=1e-5)
    assert blot(capsys, folder, "none", "--set", "k=0.3") == pytest.approx([risen(0.3)], rel=1e-5)
    words = ("blot", "T47D", "--model", str(folder / "decay.ant"), "--readouts", "S", "--treatment", RISE)
    assert "the line 'none' is the model as it is" in run(capsys, *words)[2]


def test_python_has_the_same(folder: Path) -> None:
    library = ps.default_library().with_cell_lines(folder / "lines.toml").with_drugs(folder / "drugs.toml")
    fitted = library.with_parameters(folder / "fit").with_settings({"k@fast": 0.3})
    lines = ["plain", "fast", "plain+slower"]
    table = ps.western_blot(folder / "decay.ant", lines, RISE, "S", 10.0, library=fitted)
    assert list(table["value"]) == pytest.approx([risen(0.2), risen(0.3), risen(0.1)], rel=1e-5)
    assert fitted.cell_line("plain").sources["k"].endswith("fit")


def test_what_is_free_is_not_held_at_a_fitted_value(folder: Path) -> None:
    rows = [("plain", RISE, t, "S", risen(0.3, t), "gel 1", 1) for t in (0.0, 5.0, 10.0, 20.0)]
    names = ["cell_line", "treatment", "time_min", "readout", "value", "gel", "replicate"]
    library = ps.default_library().with_cell_lines(folder / "lines.toml").with_parameters(folder / "fit")
    made = ps.blot_problem(folder / "decay.ant", pd.DataFrame(rows, columns=names), ["k"], library=library)
    values = {k: made.log_likelihood([math.log10(k)]) for k in (0.2, 0.3)}
    assert values[0.3] > values[0.2] + 1


def test_a_fit_frees_names_and_gives_constants(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    rows = [("plain", RISE, t, "S", 700 * risen(0.3, t), "gel 1", 1) for t in (0.0, 5.0, 10.0, 20.0)]
    names = ["cell_line", "treatment", "time_min", "readout", "value", "gel", "replicate"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "blots.csv", index=False)
    words = ["fit", str(tmp_path / "blots.csv"), "--free", "k", "--model", str(folder / "decay.ant"), "--cell-lines"]
    words += [str(folder / "lines.toml"), "--parameters", str(folder / "fit"), "--starts", "1", "--workers", "1"]
    code, _, err = run(capsys, *words, "-o", str(tmp_path / "fit"))
    assert code == 0, err
    lines = ("--cell-lines", str(folder / "lines.toml"), "--parameters", str(tmp_path / "fit"))
    assert blot(capsys, folder, "plain", *lines) == pytest.approx([risen(0.3)], rel=1e-3)


def test_parameters_are_listed(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    model = ("--model", str(folder / "decay.ant"))
    _, out, _ = run(capsys, "list", "parameters", *model, "--json")
    rows = {row["parameter"]: row for row in json.loads(out)}
    assert rows["k"] == {"parameter": "k", "value": 0.1, "unit": "1/min", "class": "estimate", "source": "a guess"}
    _, out, _ = run(capsys, "list", "parameters", *model, "--json", "--set", "k=3")
    assert {row["parameter"]: row for row in json.loads(out)}["k"]["value"] == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "kk=1"], "--set: unknown parameter or species 'kk'"),
        (["--parameters", "nowhere"], "nowhere"),
        (["--parameters", "."], "holds no fit (best.csv is missing"),
    ],
)
def test_what_cannot_be_is_said(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    code, _, err = run(capsys, "blot", "plain", "--model", "decay.ant", "--cell-lines", "lines.toml", *words)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scale.k = { value = '0,3', source = 'x' }", "k is '0,3', not a finite number"),
        ("scale.k = '0,3'\nsource = 'x'", "k is '0,3', not a finite number"),
        ("scale.k = 0.3", "[alteration.wrong] scale.k needs { value = ..., source"),
        ("scale.k = [1]\nsource = 'x'", "k is [1], not a finite number"),
    ],
)
def test_an_alteration_of_the_wrong_type_is_one_line(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "wrong.toml").write_text(f"[line.one]\n[alteration.wrong]\n{text}\n")
    code, _, err = run(capsys, "blot", f"{tmp_path / 'wrong.toml'}+wrong", "--model", str(folder / "decay.ant"))
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
