"""Files that end or stop the libraries that read them: the process goes on, and says what it is about."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.errors import InputError, UnsupportedModelError
from pathsim.model import isolated

CASES = Path(__file__).parents[2].parent / "shared" / "field_cases"
GOOD = "model m\n  compartment c = 1; species S in c = 2; k = 1; r: S -> ; k*S;\nend\n"


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHSIM_CACHE", "")


def opens(folder: Path) -> bool:
    path = folder / "good.ant"
    path.write_text(GOOD)
    return ps.load_model(path).species[0].initial == 2.0


def test_a_library_that_dies_is_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opens(tmp_path)
    child = isolated._child(os.getpid())
    assert child.process is not None
    original = isolated._Child._exchange

    def dies(self: isolated._Child, request: dict[str, object], seconds: float) -> object:
        if self.process is not None:
            self.process.send_signal(11)
            self.process.wait()
        return original(self, request, seconds)

    monkeypatch.setattr(isolated._Child, "_exchange", dies)
    path = tmp_path / "bad.ant"
    path.write_text(GOOD)
    with pytest.raises(InputError, match=r"bad\.ant: it ends the library that reads it"):
        ps.load_model(path)
    monkeypatch.undo()
    monkeypatch.setenv("PATHSIM_CACHE", "")
    assert opens(tmp_path)


def test_texts_that_take_for_ever_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty rules that each use the next one twice: antimony writes them out, 2^60 terms."""
    monkeypatch.setattr(isolated, "SECONDS", 1.0)
    path = tmp_path / "chain.ant"
    path.write_text("model m\n" + "".join(f"  a{i} := a{i + 1} + a{i + 1};\n" for i in range(60)) + "  a60 = 1;\nend\n")
    with pytest.raises(InputError, match=r"chain\.ant: reading it was given up after 1 s"):
        ps.load_model(path)
    assert opens(tmp_path)


def test_functions_that_double_with_every_call_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "SECONDS", 3.0)
    path = tmp_path / "doubling.ant"
    text = "".join(f"function f{i + 1}(x)\n  f{i}(x) + f{i}(x)\nend\n" for i in range(40))
    path.write_text("function f0(x)\n  x + 1\nend\n" + text + "model *m()\n  y = 1; y' = f40(y);\nend\n")
    with pytest.raises(InputError, match=r"doubling\.ant: "):
        ps.load_model(path)
    assert opens(tmp_path)


def test_threads_share_the_readers(tmp_path: Path) -> None:
    found: list[float] = []

    def read(number: int) -> None:
        path = tmp_path / f"m{number}.ant"
        path.write_text(GOOD.replace("S in c = 2", f"S in c = {number}"))
        found.append(ps.load_model(path).species[0].initial)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_its_own_child(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathsim as ps\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        f"text = {GOOD!r}\n"
        "for name in ('a', 'b', 'c'): (folder / f'{name}.ant').write_text(text)\n"
        "ps.load_model(folder / 'a.ant')\n"
        "pid = os.fork()\n"
        "ps.load_model(folder / ('b.ant' if pid else 'c.ant'))\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if pid else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_keep_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "q.xml"
    path.write_text(
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1" '
        'xmlns:qual="http://www.sbml.org/sbml/level3/version1/qual/version1" qual:required="true"><model/></sbml>'
    )
    with pytest.raises(UnsupportedModelError, match=r"q\.xml: the SBML package 'qual'"):
        ps.load_model(path)


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the field cases are not at {CASES}")
def test_submodels_with_another_prefix() -> None:
    """libsbml ends the process over both; the first names a file that is not there."""
    with pytest.raises(InputError, match=r"enzyme_identical-l3v2\.xml"):
        ps.load_model(CASES / "comp_files" / "segv_comp_flatten.xml")
    found = ps.simulate(CASES / "comp_files" / "segv_valid_comp_other_prefix.xml", [0, 1], outputs=["sub1__s1"])
    np.testing.assert_allclose(found.iloc[-1], 1 + 10 * 1000, rtol=1e-6)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_are_no_files(tmp_path: Path) -> None:
    for name in ("m.ant", "m.xml"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="a pipe or device, not a file"):
            ps.load_model(tmp_path / name)
