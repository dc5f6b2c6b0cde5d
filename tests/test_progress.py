"""Bars of long work: silent where nobody looks, one bar for work inside of work."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest

import pathsim as ps
from pathsim import progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen_of(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A terminal to look at; not a fixture, because pytest puts its own stderr in place before each test."""
    found = Screen()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    monkeypatch.setattr(progress, "_EVERY_S", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("PATHSIM_PROGRESS", raising=False)
    return found


def work() -> None:
    with progress.bar("outer", 2) as further:
        for _ in range(2):
            with progress.bar("inner", 5) as step:
                for _ in range(5):
                    time.sleep(0.02)
                    step()
            further()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_one_bar_tells_of_the_work_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch)
    latest = time.monotonic() + 10.0
    while "outer: inner" not in plain(screen.getvalue()) and time.monotonic() < latest:
        work()
    assert "outer: inner" in plain(screen.getvalue())
    assert "%" in screen.getvalue()


def test_nothing_is_shown_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch)
    with ps.quiet():
        work()
    monkeypatch.setenv("PATHSIM_PROGRESS", "0")
    work()
    assert screen.getvalue() == ""


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    work()
    assert capsys.readouterr() == ("", "")


def test_errors_pass_and_end_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch)
    with pytest.raises(ZeroDivisionError), progress.bar("work"):
        raise ZeroDivisionError
    written = screen.getvalue()
    time.sleep(0.06)
    assert screen.getvalue() == written
