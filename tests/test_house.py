"""The house keeps its own rules: types, lint, the import contract, and what ships in the wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "src", "tests", "examples", "benchmarks"),
        ("mypy",),
    ],
    ids=lambda command: command[0],
)
def test_static_checks_pass(command: tuple[str, ...]) -> None:
    result = run(sys.executable, "-m", *command)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def test_imports_run_one_way() -> None:
    result = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def test_types_are_shipped() -> None:
    import pathsim

    assert (Path(pathsim.__file__).parent / "py.typed").exists()


def test_public_names_exist() -> None:
    import pathsim as ps

    for name in ps.__all__:
        assert getattr(ps, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = ps.simulat  # type: ignore[attr-defined]


def test_outside_data_is_only_read_by_tests_and_benchmarks() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        assert "shared/data" not in path.read_text(encoding="utf-8"), path
