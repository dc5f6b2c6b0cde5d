"""The page in a real browser, as tests and ``benchmarks/app.py`` drive it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

IMAGE = "img[data-number]"


def chromium() -> str | None:
    """Where Chromium is, if anywhere on the path."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@contextmanager
def served(*options: str) -> Iterator[str]:
    """The address of a page that is served while the ``with`` lasts, on a free port."""
    command = [sys.executable, "-m", "pathsim", "app", "--no-browser", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stderr is not None
        yield process.stderr.readline().split()[0]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """A page of headless Chromium at that address, with its first picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(IMAGE, timeout=90_000)
        yield page
        browser.close()


def number(page: Any) -> int:
    """The count of pictures that the open tab has shown."""
    return int(page.locator(IMAGE).first.get_attribute("data-number"))


def next_picture(page: Any, after: int, timeout_ms: float = 60_000) -> None:
    """Wait for a picture that follows number ``after``: more than one may, of changes that come together."""
    until = time.monotonic() + timeout_ms / 1000.0
    while number(page) <= after:
        assert time.monotonic() < until, f"no picture followed number {after}"
        page.wait_for_timeout(5)


def slide(page: Any, name: str, key: str = "ArrowRight") -> None:
    """One step of the slider of a drug."""
    page.locator(".dose", has_text=name).locator(".noUi-handle").first.press(key)
