"""The page in headless Chromium: click, slide, type, upload, download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import pandas as pd
import pytest

pytest.importorskip("panel", reason="needs the extra [app]")
pytest.importorskip("playwright", reason="needs playwright (extra [test])")
if browser.chromium() is None:
    pytest.skip("needs Chromium on the path", allow_module_level=True)

ELSEWHERE: list[str] = []


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser.served() as url, browser.opened(url) as found:
        host = re.escape(url.removeprefix("http://"))
        for outcome in ("requestfinished", "requestfailed"):
            found.on(outcome, lambda asked: ELSEWHERE.append(asked.url) if _left(asked, host) else None)
        yield found


def _left(asked: Any, host: str) -> bool:
    """Whether a request went to another host: what the page's own policy stops in the browser did not."""
    own = re.match(rf"(https?|wss?)://{host}/|data:|blob:", asked.url) is not None
    return not own and asked.failure != "csp"


def command(page: Any) -> str:
    return str(page.locator(".command code").first.inner_text())


def error(page: Any) -> str:
    return str(page.locator(".error pre").locator("visible=true").first.inner_text(timeout=30_000))


def test_the_picture_is_there_on_opening_and_follows_a_slider(page: Any) -> None:
    assert 'alpelisib 1 uM" ' in command(page)
    before = browser.number(page)
    browser.slide(page, "alpelisib")
    browser.next_picture(page, before)
    assert "alpelisib 1.5 uM" in command(page)
    page.get_by_role("button", name="Copy the command").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == command(page)
    page.get_by_role("button", name="Copy the Python").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('import pathsim as ps'))")


def test_downloads(page: Any, tmp_path: Path) -> None:
    for name, start in (
        ("CSV", b"cell_line,"),
        ("SVG", b"<?xml"),
        ("PDF", b"%PDF"),
        ("PNG", b"\x89PNG"),
        ("Report", b"<!doc"),
    ):
        with page.expect_download(timeout=60_000) as coming:
            page.get_by_text(name, exact=True).first.click()
        path = tmp_path / coming.value.suggested_filename
        coming.value.save_as(path)
        assert path.read_bytes().startswith(start), name
    table = pd.read_csv(tmp_path / "blot.csv")
    assert len(table) == 56
    assert (tmp_path / "pathsim_report.html").read_text(encoding="utf-8").count("<img ") == 4


def test_nonsense_is_said_in_a_line_and_the_page_lives_on(page: Any) -> None:
    field = page.get_by_label("Lysed after")
    field.fill("soon")
    field.press("Enter")
    assert "soon" in error(page)
    before = browser.number(page)
    field.fill("30 min")
    field.press("Enter")
    page.locator(".error pre").locator("visible=true").first.wait_for(state="hidden")
    page.wait_for_selector(f"img:not(.stale){browser.IMAGE[3:]}")
    assert browser.number(page) > before
    assert '"30 min"' in command(page)


def test_a_measured_blot_stands_beside(page: Any, tmp_path: Path) -> None:
    with page.expect_download() as coming:
        page.get_by_text("CSV", exact=True).first.click()
    table = pd.read_csv(coming.value.path())
    measured = tmp_path / "bands.csv"
    measured.write_text("this is no table\n")
    page.get_by_text("A measured table").click()
    files = page.locator(".measured input[type=file]")
    files.set_input_files(measured)
    assert "bands.csv" in error(page)
    before = browser.number(page)
    table.assign(value=table["value"] * 3, sd=0.1).to_csv(measured, index=False)
    files.set_input_files(measured)
    browser.next_picture(page, before)
    assert command(page).startswith("pathsim blot --data bands.csv")
    before = browser.number(page)
    page.get_by_role("button", name="Without it").click()
    browser.next_picture(page, before)


def test_a_compound_of_ones_own(page: Any) -> None:
    page.get_by_text("A compound of your own").click()
    page.get_by_role("button", name="Add the compound").click()
    page.locator(".error pre", has_text="no name").wait_for()
    page.get_by_label("Name", exact=True).fill("mine")
    page.get_by_label("Where the numbers come from").fill("own assay")
    page.get_by_placeholder("site").first.fill("p110a_WT")
    page.get_by_placeholder("site").first.press("Escape")
    page.get_by_placeholder("number").first.fill("3")
    page.get_by_placeholder("number").first.press("Enter")
    before = browser.number(page)
    page.get_by_role("button", name="Add the compound").click()
    page.locator(".dose", has_text="mine").first.wait_for()
    browser.next_picture(page, before)
    assert "--drugs compounds.toml" in command(page)
    assert "mine 1 uM" in command(page)


def test_tabs_and_a_study(page: Any) -> None:
    for name, verb in (("Time course", "timecourse"), ("Dose response", "dose-response"), ("Combination", "combine")):
        page.get_by_text(name, exact=True).first.click()
        page.wait_for_selector(f'img[alt="{name}"]', timeout=60_000)
        assert command(page).startswith(f"pathsim {verb} ")
    assert "Bliss excess" in page.locator(".notes pre").first.inner_text()
    page.get_by_text("Resistance", exact=True).first.click()
    until = page.get_by_label("Until x IC50")
    until.fill("1.1")
    until.press("Enter")
    page.get_by_role("button", name="Run the study").click()
    page.wait_for_selector('img[alt="Resistance"]', timeout=120_000)
    assert "day " in page.locator(".notes pre").first.inner_text()
    page.get_by_text("Numbers", exact=True).last.click()
    assert page.locator(".rows table").first.locator("tr").count() > 1


def test_nothing_is_asked_of_other_hosts(page: Any) -> None:
    assert ELSEWHERE == []
