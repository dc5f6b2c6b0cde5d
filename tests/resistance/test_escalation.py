"""Escalation: the law of the clones against theory, its deterministic limit, the protocol, and the line it leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathsim.assays.dose_response import dose_response
from pathsim.assays.western_blot import western_blot
from pathsim.errors import InputError
from pathsim.lab import default_library
from pathsim.lab.clones import Clone, default_clones, read_clones
from pathsim.lab.host import find_site
from pathsim.model import load_model
from pathsim.resistance import escalation
from pathsim.resistance.clone_population import make_culture, step_mean, step_random
from pathsim.resistance.escalation import Escalation, Flask, Rules, Shift, escalate, washout
from pathsim.stats import hill
from pathsim.stats.curve import Potency

MODEL = load_model("pi3k_mapk")
LIBRARY = default_library()
FEW = tuple(clone for clone in default_clones() if clone.alteration in ("PTEN_loss", "SRC_STAT1_adapted"))
NONE = np.zeros((1, 1))


@pytest.fixture(scope="module")
def run() -> Escalation:
    return escalate(MODEL, "T47D", "alpelisib", factor=2, clones=FEW, seed=3)


@pytest.mark.parametrize(("birth", "death"), [(0.8, 0.3), (0.3, 0.8), (0.5, 0.5), (0.7, 0.0), (0.0, 0.4)])
def test_births_and_deaths_follow_the_textbook(birth: float, death: float) -> None:
    """Mean, variance and extinction of the linear birth-death process (Bailey 1964)."""
    days, start, random = 2.0, 3, np.random.default_rng(1)
    b, d = np.array([birth]), np.array([death])
    ends = np.array([step_random(np.array([start]), b, d, NONE, NONE, days, random)[0] for _ in range(20_000)])
    net = birth - death
    mean = start * np.exp(net * days)
    if net:
        variance = start * (birth + death) / net * np.exp(net * days) * (np.exp(net * days) - 1)
        gone = (death * (np.exp(net * days) - 1) / (birth * np.exp(net * days) - death)) ** start
    else:
        variance, gone = start * 2 * birth * days, (birth * days / (1 + birth * days)) ** start
    assert ends.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / len(ends)))
    assert ends.var() == pytest.approx(variance, rel=0.08)
    assert (ends == 0).mean() == pytest.approx(gone, abs=0.015)
    assert step_mean(np.array([3.0]), b, d, NONE, NONE, days)[0] == pytest.approx(mean)


def test_large_cultures_are_deterministic() -> None:
    """The relative distance to the mean falls as one over the root of the number of cells."""
    birth, death = np.array([0.6, 0.5]), np.array([0.2, 0.1])
    by_division, by_day = np.array([[0.0, 1e-2], [0.0, 0.0]]), np.array([[0.0, 0.01], [0.02, 0.0]])
    distances = []
    for cells in (1e3, 1e5, 1e7):
        ends = []
        expected = np.array([cells, cells / 10])
        for _ in range(8):
            expected = step_mean(expected, birth, death, by_division, by_day, 0.25)
        for seed in range(40):
            drawn, random = np.array([cells, cells / 10]).astype(np.int64), np.random.default_rng(seed)
            for _ in range(8):
                drawn = step_random(drawn, birth, death, by_division, by_day, 0.25, random)
            ends.append(drawn / expected - 1)
        distances.append(float(np.std(ends)))
    assert distances[1] == pytest.approx(distances[0] / 10, rel=0.5)
    assert distances[2] == pytest.approx(distances[0] / 100, rel=0.5)
    assert distances[2] < 1e-3


def test_no_cell_is_made_or_lost_by_changing_clone() -> None:
    cells, zero = np.array([1e6, 0.0]), np.zeros(2)
    by_day = np.array([[0.0, 0.3], [0.1, 0.0]])
    moved = step_mean(cells, zero, zero, np.zeros((2, 2)), by_day, 1.0)
    assert moved.sum() == pytest.approx(1e6)
    drawn = step_random(cells.astype(np.int64), zero, zero, np.zeros((2, 2)), by_day, 1.0, np.random.default_rng(0))
    assert drawn.sum() == 1_000_000
    assert drawn[1] == pytest.approx(moved[1], rel=0.01)


def test_growth_rates_are_those_of_the_cells() -> None:
    culture = make_culture(MODEL, LIBRARY.cell_line("T47D"), FEW, LIBRARY, most_changes=1)
    birth, death = culture.rates("alpelisib", [0.0, 1000.0])
    table = western_blot(MODEL, "T47D+PTEN_loss", "serum 10 % + alpelisib 1 uM", "cell_count", [13 * 1440, 14 * 1440])
    first, last = table["value"]
    member = culture.names.index("PTEN_loss")
    assert birth[1, member] - death[1, member] == pytest.approx(np.log(last / first), rel=1e-9)
    assert (death >= 0).all()
    assert (birth >= 0).all()


def test_it_takes_months_and_ends_at_the_target(run: Escalation) -> None:
    assert run.reached, run.reason
    assert 30 < run.days < 540
    assert run.history["dose_nM"].is_monotonic_increasing
    assert run.resistant
    assert run.measure == "IC50"
    assert run.aim.value is not None
    assert run.history["dose_nM"].iloc[-1] == pytest.approx(5 * run.aim.value)
    rises = run.history[run.history["dose_nM"].diff(-1) < 0]  # the last row at each dose: growth is back there
    assert (rises["relative_growth"] >= run.rules.recovery).all()
    assert run.history["relative_growth"].iloc[-1] >= run.rules.recovery
    assert run.reason.startswith("grows at 5 times the parental IC50, at ")
    totals = run.fractions.groupby("day")["fraction"].sum()
    assert totals.between(0.99, 1 + 1e-9).all()
    stays = run.history.groupby("dose_nM").size() * 0.25
    assert stays.min() >= 7


def test_the_line_is_a_cell_line(run: Escalation, tmp_path: Path) -> None:
    table = dose_response(MODEL, [run.parental, run.line], "alpelisib", "1 nM .. 100 uM x 12")
    potency = {
        str(name): hill.fit(part["dose_nM"], part["value"]).ic50.value for name, part in table.groupby("cell_line")
    }
    assert potency["T47D-alpelisibR"] > 1.1 * potency["T47D"]  # type: ignore[operator]
    assert run.line.genotype["PTEN"] == "null"
    assert run.line.medium.startswith("serum 10 % + alpelisib 4")
    assert (run.washed.medium, run.washed.site, run.line.site) == ("", "flank", "flank")
    files = run.save(tmp_path)
    assert [path.name for path in files] == ["T47D-alpelisibR.toml", "history.csv", "fractions.csv"]
    again = LIBRARY.cell_line(str(files[0]))
    assert again == run.line
    assert LIBRARY.with_cell_lines(files[0]).cell_line("T47D-alpelisibR") == run.line


def test_washing_out_tells_adaptation_from_mutation(run: Escalation) -> None:
    assert "PTEN_loss" in run.changes
    assert "PTEN_loss" not in run.reversible
    table = washout(run, days=120)
    adapted = table[table["clone"].str.contains("SRC_STAT1_adapted")].groupby("day")["fraction"].sum()
    mutated = table[table["clone"].str.contains("PTEN_loss")].groupby("day")["fraction"].sum()
    assert adapted.iloc[-1] < 0.5 * adapted.iloc[0]
    assert mutated.iloc[-1] > 0.99 * mutated.iloc[0]
    assert run.washed.scale["PTEN_total"] == 0
    assert run.washed.scale.get("SRC_gain", 1.0) == 1


def test_equal_seeds_give_equal_months() -> None:
    quick = Rules(max_days=20)
    runs = [escalate(MODEL, "T47D", "alpelisib", clones=FEW[:1], rules=quick, seed=seed) for seed in (1, 1, 2)]
    assert runs[0].history.equals(runs[1].history)
    assert not runs[0].history.equals(runs[2].history)
    assert not runs[0].reached
    assert "is not resistant: after" in runs[0].reason


def test_without_clones_that_help_the_culture_does_not_get_there() -> None:
    useless = (Clone("RB1_loss", True, 0.0, 0.0),)
    done = escalate(MODEL, "SK-BR-3", "alpelisib", "50 uM", clones=useless, rules=Rules(max_days=60), seed=0)
    assert not done.reached
    assert not done.resistant
    assert done.changes == ()
    assert done.line.name == "SK-BR-3-alpelisib-selected"
    assert done.line.medium == ""


def test_patience_ends_as_not_resistant_and_a_brain_line_stays_one() -> None:
    useless, rules = (Clone("RB1_loss", True, 0.0, 0.0),), Rules(patience_days=10)
    told: list[str] = []
    done = escalate(MODEL, "ATRT", "paxalisib", clones=useless, rules=rules, seed=0, progress=told.append)
    assert told[0].endswith("of the drug-free rate")
    assert done.reason.startswith("is not resistant: after 10 days at 225 nM (1.1 x parental IC50) it grew at ")
    assert done.days == 24
    assert find_site(None, done.line).name == "brain"
    assert find_site("flank", done.line).name == "flank"


def test_a_potency_that_fell_is_no_resistance() -> None:
    def of(value: float, relation: str = "=") -> Potency:
        return Potency(value, relation, "nM")

    assert Shift((of(281), of(159)), (of(100), of(398))).fallen == ["IC50 is 0.566 times the parental one"]
    assert Shift((of(281), of(900)), (of(100), of(50))).fallen == ["GR50 is 0.5 times the parental one"]
    assert Shift((of(1e5, ">"), of(1308)), (of(1), of(2))).fallen == ["IC50 is at most 0.0131 times the parental one"]
    assert not Shift((of(281), of(1e5, ">")), (of(1, "<"), of(2))).fallen
    assert not Shift((of(1e5, ">"), of(1e5, ">")), (of(1), of(1))).fallen


def test_an_ec50_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the culture outlives every dose: what doses are multiples of is then said."""
    import pandas as pd

    doses = np.geomspace(1.0, 1e5, 16)
    table = pd.DataFrame({"dose_nM": [0.0, *doses], "value": [100.0, *(60 + 40 / (1 + doses / 300))]})
    monkeypatch.setattr(escalation, "dose_response", lambda *_, **__: table)
    measure, aim = escalation.parental_potency(MODEL, LIBRARY.cell_line("T47D"), "alpelisib", LIBRARY)
    assert measure == "EC50"
    assert aim.value == pytest.approx(300, rel=1e-3)


def test_a_culture_can_die_out() -> None:
    done = escalate(
        MODEL,
        "ATRT",
        "paxalisib",
        "5 uM",
        clones=(Clone("RB1_loss", True, 0.0, 0.0),),
        flask=Flask(seeded=5, full=100),
        rules=Rules(max_days=400),
        seed=0,
    )
    assert "died out" in done.reason


def test_a_lucky_handful_is_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """T47D as it is grows at a third of the drug-free rate at the target; five of its cells may seem to do better."""
    useless, flask = (Clone("RB1_loss", True, 0.0, 0.0),), Flask(seeded=5, full=100)
    done = escalate(MODEL, "T47D", "alpelisib", clones=useless, flask=flask, seed=1)
    assert not done.resistant
    assert done.reason.endswith("cells, and growth is judged in 1000 or more")
    monkeypatch.setattr(escalation, "COUNTED_CELLS", 1)
    lucky = escalate(MODEL, "T47D", "alpelisib", clones=useless, flask=flask, seed=1)
    assert lucky.reached
    assert lucky.history["cells"].iloc[-1] < 100


def test_a_resistant_culture_has_been_passaged_in_the_drug(run: Escalation) -> None:
    last = run.history[run.history["dose_nM"] == run.history["dose_nM"].iloc[-1]]
    assert (last["cells"].diff() < -0.5 * Flask().full).any()
    never = Flask(2e6, 1e200)
    rules = Rules(patience_days=60)
    done = escalate(MODEL, "T47D", "alpelisib", factor=2, clones=FEW, flask=never, rules=rules, stochastic=False)
    assert not done.reached
    assert done.reason.endswith("it had not filled its flask of 1e+200 cells")
    assert done.history["dose_nM"].iloc[-1] == pytest.approx(5 * done.aim.value)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cell_line": "T47"}, "did you mean T47D"),
        ({"drug": "alpelisb"}, "did you mean alpelisib"),
        ({"start": "0 nM"}, "must be positive"),
        ({"start": "1 h"}, "first dose"),
        ({"start": float("nan")}, "must be positive"),
        ({"factor": 1.0}, "rises by a factor"),
        ({"rules": Rules(fold=-5)}, "must be positive"),
        ({"rules": Rules(stay_days=91)}, "at most patience_days"),
        ({"flask": Flask(10, 5)}, "is not split"),
        ({"drug": "metformin"}, "no multiple of it"),
    ],
)
def test_what_cannot_be_asked_is_said(changes: dict[str, object], says: str) -> None:
    asked: dict[str, object] = {"cell_line": "T47D", "drug": "alpelisib", **changes}
    with pytest.raises(InputError, match=says):
        escalate(MODEL, **asked)  # type: ignore[arg-type]


def test_a_bad_clone_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clones.toml"
    path.write_text('[clone.PTEN_los]\nkind = "viral"\nfrequency = { value = 2, source = "x" }\nrate = 1\n')
    with pytest.raises(InputError) as caught:
        read_clones(path, LIBRARY)
    for words in ("did you mean PTEN_loss", "genetic or adaptive", "frequency is 2", "rate needs"):
        assert words in str(caught.value)


def test_the_gastric_line_of_the_source_page_becomes_resistant() -> None:
    """SNU601 starts sensitive, becomes resistant by more than growing faster, and keeps its signals under the drug."""
    run = escalate(MODEL, "SNU601", "alpelisib")
    assert run.resistant
    assert "PTEN_loss" in run.changes
    before, after = run.shift.gr50
    assert before.value is not None
    assert after.value is None or after.value > 3 * before.value
    readouts = ["pAKT_S473", "pPRAS40_T246", "pSRC_Y419", "pSTAT1_Y701", "pS6_S240"]
    lines = [run.parental, run.line]
    table = western_blot(MODEL, lines, ["serum 10 % + alpelisib 1 uM"], readouts, "24 h")
    parental, resistant = table["value"].to_numpy(dtype=float).reshape(2, -1)
    assert (resistant > [5 * parental[0], 5 * parental[1], 1.5 * parental[2], 1.5 * parental[3], 2 * parental[4]]).all()
