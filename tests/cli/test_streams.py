"""Streams that are closed or full, and signals: no traceback, the right exit code, and what is finished stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from pathsim.cli import app
from pathsim.cli.app import main
from pathsim.errors import InputError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="devices and signals of POSIX")
LIST = f"{sys.executable} -m pathsim list drugs"


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">/dev/full", 1, "standard output: No space left on device"),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
        (">&-", 1, "standard output: is closed"),
        ("2>&-", 0, ""),
        ("| head -1 >/dev/null; exit ${PIPESTATUS[0]}", 0, ""),
    ],
)
def test_a_stream_that_takes_nothing_ends_in_a_line(redirection: str, code: int, said: str) -> None:
    if "full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    done = subprocess.run(["bash", "-c", f"{LIST} {redirection}"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") <= 1
    assert "Traceback" not in done.stdout + done.stderr


COMMAND = """
import hashlib, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a script inherits none
from pathsim.cli import app
app.VERBS = ()

@app.app.command()
def wait():
    app.send("ready\\n")
    time.sleep(60)

@app.app.command()
def compute():
    app.send("ready\\n")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes in a library that does not look for signals

app.main()
"""


@pytest.mark.parametrize(
    ("verb", "number", "code"),
    [("wait", signal.SIGINT, 130), ("wait", signal.SIGTERM, 143), ("compute", signal.SIGTERM, 143)],
)
def test_signals_end_a_command_within_a_second(verb: str, number: int, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == code
    assert time.monotonic() - began < 2.0  # a second for a busy machine
    assert said == ("pathsim: interrupted\n" if code == 130 else "pathsim: terminated\n")


@pytest.mark.parametrize("path", ["/dev/null", "/proc/new/table", "/dev/null/x"])
def test_places_that_cannot_be_written_are_refused_before_the_work(path: str) -> None:
    for check in (app.new_file, app.new_folder):
        if (check, path) != (app.new_folder, "/dev/null"):
            with pytest.raises(InputError, match=r"cannot be written|a pipe or device|is a file and not a folder"):
                check(path)
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--html", path])
    assert ended.value.code == 2
    assert not os.path.isfile("/dev/null")
