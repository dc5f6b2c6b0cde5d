"""The whole workflow: order, resumption, and the page it ends in, opened in a real browser where there is one."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pathsim.errors import InputError
from pathsim.files import only_user
from pathsim.plot.investigation import draw_investigation
from pathsim.resistance import Rules, escalate
from pathsim.workflow.investigate import STEPS, Investigation, Settings, investigate
from pathsim.workflow.report import write_report

SMALL = Settings("MCF7", "alpelisib", rules=Rules(factor=4.0), sets=3, mice=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("investigation")


@pytest.fixture(scope="module")
def found(folder: Path) -> Investigation:
    return investigate("pi3k_mapk", "MCF7", "BYL719", folder, settings=SMALL)


@pytest.fixture(scope="module")
def page(found: Investigation, folder: Path) -> Path:
    return write_report(found, draw_investigation(found), folder / "report.html")


def test_every_step_leaves_its_tables(found: Investigation, folder: Path) -> None:
    assert list(found.facts) == list(STEPS)
    assert found.settings.drug == "alpelisib"
    for name in found.tables:
        assert (folder / "tables" / f"{name}.csv").exists()
    ranking = found.tables["ranking"]
    assert ranking["gain_points"].is_monotonic_decreasing
    assert ranking["share_of_sets_best"].sum() == pytest.approx(1.0)
    assert (ranking["viability_percent_low"] <= ranking["viability_percent_high"]).all()
    assert set(ranking["strategy"]) == {"vertical", "horizontal", "non-canonical"}


def test_the_resistant_line_is_resistant(found: Investigation) -> None:
    facts = found.facts["escalation"]
    assert facts["resistant"]
    assert facts["reason"].startswith("grows at 5 times the parental IC50")
    alone = escalate("pi3k_mapk", "MCF7", "alpelisib", factor=4.0)  # the same seed, the same months
    assert list(alone.changes) == facts["changes"]
    assert alone.days == facts["days"]
    potency = found.tables["potency"].set_index("cell_line")["gr50_nM"]
    assert potency["MCF7-alpelisibR"] > 1.1 * potency["MCF7"]
    activity = found.tables["activity"].set_index("readout")
    assert activity.loc["pAKT_S473", "resistant_with_drug"] > activity.loc["pAKT_S473", "parental_with_drug"]


def test_it_goes_on_where_it_stopped(found: Investigation, folder: Path) -> None:
    (folder / "tables" / "ranking.json").unlink()
    told: list[str] = []
    again = investigate("pi3k_mapk", "MCF7", "alpelisib", folder, settings=SMALL, tell=told.append)
    assert sum("done earlier" in sentence for sentence in told) == len(STEPS) - 1
    assert again.tables["ranking"].round(6).equals(found.tables["ranking"].round(6))


@pytest.mark.parametrize(("words", "differ"), [({"seed": 1}, "seed"), ({"rules": Rules(factor=3.0)}, "rules")])
def test_the_folder_of_another_study_is_refused(
    found: Investigation, folder: Path, words: dict[str, Any], differ: str
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    settings = replace(SMALL, **{name: value for name, value in words.items() if name != "seed"})
    with pytest.raises(InputError, match=rf"holds another study \({differ} differ\)"):
        investigate("pi3k_mapk", "MCF7", "alpelisib", folder, seed=words.get("seed", 0), settings=settings)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_of_something_else_or_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "mine.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="holds tables of something else"):
        investigate("pi3k_mapk", "MCF7", "alpelisib", tmp_path)
    with only_user(tmp_path, "a study"), pytest.raises(InputError, match="a study is under way here"):
        investigate("pi3k_mapk", "MCF7", "alpelisib", tmp_path)


def test_a_table_that_is_not_as_written_is_made_again(found: Investigation, folder: Path) -> None:
    table, step = folder / "tables" / "ranking.csv", folder / "tables" / "ranking.json"
    whole = table.read_bytes()
    told: list[str] = []
    for path, content in ((table, whole[:-20]), (step, step.read_bytes().replace(b"alpelisib", b"copanlisib"))):
        path.write_bytes(content)
        told.clear()
        again = investigate("pi3k_mapk", "MCF7", "alpelisib", folder, settings=SMALL, tell=told.append)
        assert [sentence[:3] for sentence in told if sentence.endswith("...")] == ["5/6"]
        assert table.read_bytes() == whole
    assert again.facts["ranking"] == found.facts["ranking"]


def test_names_are_checked_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        investigate("pi3k_mapk", "MFC7", "alpelisb", tmp_path / "new")
    assert "did you mean MCF7" in str(caught.value)
    assert "did you mean alpelisib" in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_the_page_needs_nothing_else(page: Path, found: Investigation) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    tables = dict(re.findall(r'download="(\w+)\.csv" href="data:text/csv;base64,([^"]+)"', text))
    assert set(tables) == set(found.tables)
    csv = base64.b64decode(tables["ranking"]).decode()
    assert csv == found.tables["ranking"].to_csv(index=False)
    assert "nan" not in re.sub(r"base64,[^\"]+", "", text).lower().split()


def test_the_page_opens_in_a_browser(page: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    seen = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert seen.returncode == 0, seen.stderr[-2000:]
    assert seen.stdout.count("<section") == 7
    picture = tmp_path / "page.png"
    subprocess.run(
        [*command, f"--screenshot={picture}", "--window-size=1100,3000", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert picture.stat().st_size > 100_000  # figures are there, not a blank page
