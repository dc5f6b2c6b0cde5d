"""How integration loops become machine code: what is refused, what is shipped, and that nothing needs numba later."""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.solve import ship
from pathsim.solve.llvm import loops, objects, shipped
from pathsim.solve.llvm.layout import LANES, Floats1, Floats2, Integers1
from pathsim.solve.llvm.machine import CPU_VARIABLE

Loop = Callable[..., int | None]
SOURCES = Path(shipped.__file__).parents[2]
SIMULATE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np
import pathsim as ps
print(ps.simulate("pi3k_mapk", np.linspace(0.0, 60.0, 7), solver=ps.Rosenbrock()).to_numpy().tobytes().hex())
"""


class Box(NamedTuple):
    size: int
    values: Floats1


def test_the_list_of_loops_is_complete() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py")]
    used = {name.rsplit(".", 1)[-1] for text in texts for name in re.findall(r"\bcompiled\(([\w.]+)\)", text)}
    assert used == {loop.__name__ for loop in ship.LOOPS}
    own = f".{LANES}.ll.gz"
    names = {path.name for path in shipped.FOLDER.iterdir()}
    assert {name for name in names if name.endswith(own)} == {shipped.place_of(loop).name for loop in ship.LOOPS}
    assert len(names) == len(ship.PROCESSORS) * len(ship.LOOPS)


@pytest.mark.parametrize("processor", ship.PROCESSORS)
def test_what_is_shipped_is_up_to_date_for_every_number_of_lanes(processor: str) -> None:
    code = (
        "from pathsim.solve.llvm import objects, shipped\nfrom pathsim.solve.llvm.layout import LANES\n"
        "from pathsim.solve.ship import EFFORT, LOOPS, compiled_texts\n"
        f"there = [objects.place_of(text, how, EFFORT, {processor!r}).exists() for text, how in compiled_texts()]\n"
        "print(LANES, [shipped.read(loop) is None for loop in LOOPS].count(True), there.count(False))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), CPU_VARIABLE: processor}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [{"x86-64-v3": "4", "x86-64-v4": "8"}[processor], "0", "0"], (
        "run `python -m pathsim.solve.ship` (after a change of steps or vector functions with the word objects) and "
        "commit what it writes"
    )


def test_shipped_code_and_code_made_here_give_the_same_bits(tmp_path: Path) -> None:
    code = (
        "import hashlib, sys\nfrom pathlib import Path\nimport pandas as pd\nimport pathsim as ps\n"
        "from pathsim.solve.llvm import jit, objects\n"
        "if sys.argv[1] == 'here': objects.FOLDER = Path('nowhere')\n"
        "made, real = [], jit.object_of\n"
        "jit.object_of = lambda *words: (made.append(words[1:]), real(*words))[1]\n"
        "rows = pd.DataFrame({'k': [0.1 * i for i in range(1, 10)]})\n"
        "text = 'x = 1; y = 0; k = 1; x -> y; k*x^1.5/(1 + exp(y))'\n"
        "Path(sys.argv[2]).write_text('model m\\n' + text + '\\nend\\n')\n"
        "values = ps.simulate_many(sys.argv[2], rows, [0.0, 1.0, 7.0], ['x', 'y']).values\n"
        "print(hashlib.sha256(values.tobytes()).hexdigest(), sum(effort == 2 for _, effort in made))"
    )
    found = {}
    for where in ("here", "shipped"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATHSIM_CACHE": str(tmp_path / where)}
        command = [sys.executable, "-c", code, where, str(tmp_path / f"{where}.ant")]
        found[where] = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
    assert found["here"][0] == found["shipped"][0]
    assert found["here"][1] == "4"
    level = objects._level()
    assert found["shipped"][1] == ("3" if level is None else "0")


@pytest.mark.parametrize("loop", ship.LOOPS, ids=lambda loop: loop.__name__)
def test_what_is_shipped_is_up_to_date_and_needs_nothing(loop: Loop) -> None:
    text = shipped.read(loop)
    assert text is not None, "a loop has changed: run `python -m pathsim.solve.ship` and commit what it writes"
    outside = set(re.findall(r"^declare .*@([\w.]+)\(", text, flags=re.MULTILINE))
    assert all(name.startswith("llvm.") or name == "nextafter" for name in outside)
    assert "target" not in text
    assert "attributes" not in text
    assert " fast " not in text


QUICK = [loop for loop in ship.LOOPS if "lanes" not in loop.__name__]
"""Loops that numba makes in a second or two."""


@pytest.fixture(scope="module")
def made_again() -> dict[str, str]:
    """The IR of the quick loops, made in a process of its own as ``ship`` makes it: what numba has compiled before in a
    process can change the order of instructions."""
    code = (
        "import json\nfrom pathsim.solve import ship\nfrom pathsim.solve.llvm.translate import module_of\n"
        f"names = {[one.__name__ for one in QUICK]!r}\n"
        "print(json.dumps({loop.__name__: module_of(loop) for loop in ship.LOOPS if loop.__name__ in names}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("loop", QUICK, ids=lambda loop: loop.__name__)
def test_numba_makes_the_same_again(loop: Loop, made_again: dict[str, str]) -> None:
    """``python -m pathsim.solve.ship`` leaves all files as they are."""
    text = shipped.read(loop)
    assert text is not None
    if text.split("\n", 1)[0] != f"; {ship.made_with()}":
        pytest.skip("shipped by other versions")
    assert text.split("\n", 2)[2] == made_again[loop.__name__]


def test_a_change_of_a_constant_counts_as_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    loop_module = importlib.import_module("pathsim.solve.integrate.loop")
    before = shipped.sources_of.__wrapped__(loop_module.run_lanes)
    monkeypatch.setattr(loop_module, "SMALLEST_STEP", 1e-90)  # defined elsewhere
    assert shipped.sources_of.__wrapped__(loop_module.run_lanes) != before


def run_in_process(refused: tuple[str, ...], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    command = [sys.executable, "-c", SIMULATE.format(refused=set(refused) or "()")]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=True)


def test_loops_load_and_run_without_numba(tmp_path: Path) -> None:
    here = ps.simulate("pi3k_mapk", np.linspace(0.0, 60.0, 7), solver=ps.Rosenbrock()).to_numpy().tobytes().hex()
    for _ in range(2):  # first with an empty cache, from what is shipped; then from the cache
        done = run_in_process(("numba",), PATHSIM_CACHE=str(tmp_path))
        assert done.stdout.strip() == here
        assert done.stderr == ""


def test_the_first_compilation_says_so_and_later_processes_need_no_numba(tmp_path: Path) -> None:
    changed = """
from pathsim.solve.llvm import shipped
from pathlib import Path
shipped.FOLDER = Path("nowhere")
"""
    text = (
        changed
        + """
import numpy as np
from pathsim.solve.integrate.recorder import Tape, sort_steps, nothing_recorded
from pathsim.solve.llvm.loops import compiled
none = np.empty(0, dtype=np.int64)
print(compiled(sort_steps)(nothing_recorded()._replace(lanes=1), none, none))
"""
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATHSIM_CACHE": str(tmp_path)}
    refuse = SIMULATE.format(refused={"numba"}).split("import numpy")[0]

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8", check=True
        )

    first = run(text)
    assert first.stdout == "0\n"
    assert re.fullmatch(r"compiling sort_steps with numba, once on this machine.*\n", first.stderr)
    second = run(refuse + text)
    assert second.stdout == "0\n"
    assert second.stderr == ""


# what numba compiles otherwise than meant, or not at all


def raises(values: Floats1) -> int:
    if values[0] > 0.0:
        raise ValueError("positive")
    return 0


def allocates(values: Floats1) -> int:
    return int(np.zeros(values.shape[0]).shape[0])


def whole_part(values: Floats1) -> int:
    values[0] = math.floor(values[1])
    return 0


def misspelt(box: Box) -> int:
    return box.sise


def changes_kind(values: Floats1) -> int:
    found = 0
    for _ in range(values.shape[0]):
        found = values
    return int(found)


def too_few_indices(values: Floats2) -> int:
    values[0] = "text"
    return 0


def prints(values: Floats1) -> int:
    print(values[0])
    return 0


def shapeless(values: FloatArray) -> int:
    return 0


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (raises, "could raise an exception"),
        (allocates, "allocates cannot be compiled|needs"),
        (whole_part, "makes an integer of a float.*numpy.floor"),
        (misspelt, "sise"),
        (changes_kind, "changes_kind cannot be compiled"),
        (too_few_indices, "too_few_indices cannot be compiled"),
        (prints, "could raise an exception"),
        (shapeless, r"shapeless\(values\): .*known shape"),
    ],
    ids=lambda item: item if isinstance(item, str) else item.__name__,
)
def test_what_must_not_be_compiled_is_refused(function: Loop, complaint: str) -> None:
    from pathsim.solve.llvm.translate import module_of

    with pytest.raises(TypeError, match=complaint):
        module_of(function)


def settings_matter(values: Floats1, out: Integers1) -> int:
    total = 0.0
    for i in range(values.shape[0]):
        total += values[i]
    out[0] = values.shape[0]
    return 1 if total > 0.0 else 0


def test_settings_of_the_users_program_do_not_matter(caplog: pytest.LogCaptureFixture) -> None:
    import numba

    from pathsim.solve.llvm.translate import module_of

    before = numba.config.OPT
    made = module_of(settings_matter)
    assert before == numba.config.OPT
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"DISABLE_JIT": 1, "BOUNDSCHECK": 1, "DEBUGINFO_DEFAULT": 1}.items():
            patch.setattr(numba.config, name, value)
        assert module_of(settings_matter) == made
    with caplog.at_level(logging.WARNING):
        loop = loops.compiled(settings_matter)
    assert "compiling settings_matter with numba" in caplog.text
    counted = np.zeros(1, dtype=np.int64)
    assert loop(np.array([1.0, -2.0, 4.0]), counted) == 1
    assert counted[0] == 3
