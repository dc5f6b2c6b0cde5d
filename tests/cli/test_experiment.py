"""A command kept as TOML and done again."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import run

from pathsim.cli import app as cli
from pathsim.cli.experiment import experiment_of, read_experiment, replaced
from pathsim.errors import InputError

COMMANDS = [
    ("blot", "T47D", "MCF7", "--times", "0 15 min", "--set", "PTEN_total=0", "--set", "k_S473@T47D=1"),
    ("dose-response", "T47D", "alpelisib", "--noise", "--replicates", "3", "--doses", "-1 nM"),
    ("combine", "T47D", "alpelisib", "trametinib", "--metric", "zip", "--effect", "0.25", "--sequence", "24 h"),
    ("timecourse", "T47D", "--treatment", 'IGF1 13 nM \\ "quoted" é'),
    ("simulate", "model.ant", "--times", "0 1", "--atol", "1e-9"),
    ("escalate", "T47D", "alpelisib", "--fold", "7.5"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_file_asks_for_the_same(words: tuple[str, ...], tmp_path: Path) -> None:
    verb, *rest = words
    command = cli.command_of(verb)
    kept = experiment_of(command, verb, rest, "pathsim")
    (tmp_path / "e.toml").write_text(kept.text(), encoding="utf-8")
    read = read_experiment(tmp_path / "e.toml", [verb])
    assert read == kept
    again = command.make_context(verb, read.words()[1:]).params
    assert again == command.make_context(verb, list(rest)).params


def test_a_command_is_kept_and_done_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("decay.ant").write_text("model m\n x = 2; x' = -x;\nend\n")
    code, first, err = run(
        capsys, "simulate", "decay.ant", "--times", "0 1", "--outputs", "x", "--save-experiment", "decay.toml"
    )
    assert code == 0, err
    code, again, err = run(capsys, "run", "decay.toml")
    assert (code, again) == (0, first), err
    assert "numbers may differ" not in err
    code, other, _ = run(capsys, "run", "decay.toml", "--times", "0 .. 1 x 5")
    assert (code, len(other.splitlines())) == (0, 6)
    Path("decay.toml").write_text(Path("decay.toml").read_text().replace("pathsim 0", "pathsim 99"))
    assert "numbers may differ" in run(capsys, "run", "decay.toml")[2]


def test_options_behind_the_file_replace_those_in_it() -> None:
    command = cli.command_of("blot")
    assert replaced(command, ["--readouts", "pAKT_S473", "-o", "out", "--times=0 min"]) == [
        "times",
        "readouts",
        "output",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'write verb = "blot"'),
        ('verb = "blto"', "unknown verb 'blto'"),
        ('verb = "blot"\nmore = 1', "unknown entry 'more'"),
        ('verb = "blot"\noptions = 3', "options is 3, not a table"),
        ('verb = "blot"\n[options]\ntimes = { a = 1 }', "options.times is {'a': 1}; it must be a text"),
    ],
)
def test_a_wrong_file_is_told_in_a_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text(text)
    with pytest.raises(InputError) as raised:
        read_experiment(tmp_path / "e.toml", ["blot"])
    assert said in str(raised.value)


@pytest.mark.parametrize("words", [("blot", "T47D", "--save-experiment"), ("run", "e.toml", "--save-experiment", "f")])
def test_where_a_file_makes_no_sense(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "--save-experiment" in err
