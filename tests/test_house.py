"""The house keeps its own rules: types, lint, the import contract, and what ships in the wheel."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_static_checks_pass(command: tuple[str, ...]) -> None:
    result = run(sys.executable, "-m", *command)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def test_imports_run_one_way() -> None:
    result = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def test_there_are_no_import_circles() -> None:
    """Between modules, packages included, with what is imported for type checking and inside functions counted."""
    assert not circles(imports_of(ROOT / "src"))


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}]


def test_only_experiments_and_the_solver_run_rows() -> None:
    """Whoever wants something simulated describes an experiment."""
    doors = {"run_rows", "settle_rows", "run_sensitivities", "record_rows", "record_parts"}
    source, found = ROOT / "src" / "pathsim", []
    for path in source.rglob("*.py"):
        if path.relative_to(source).parts[0] not in ("experiments", "solve"):
            names = {node.name.rpartition(".")[2] for node in ast.walk(tree_of(path)) if isinstance(node, ast.alias)}
            found += [f"{path.relative_to(source)}: {name}" for name in sorted(names & doors)]
    assert not found


def imports_of(source: Path) -> dict[str, set[str]]:
    """The modules of the package that each of them imports."""
    files = sorted((source / "pathsim").rglob("*.py"))
    names = {path: ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__") for path in files}
    known = set(names.values())
    found: dict[str, set[str]] = {}
    for path, name in names.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        wanted: list[str] = []
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                wanted += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                wanted += [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
        found[name] = {one for one in wanted if one in known and one not in (name, "pathsim")}
    return found


def circles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of modules each of which reaches all others of its set."""
    reached = {name: set(direct) for name, direct in imports.items()}
    for middle in imports:
        for name, reach in reached.items():
            if middle in reach:
                reached[name] = reach | reached[middle]
    found = [{other for other in reached[name] if name in reached[other]} for name in imports if name in reached[name]]
    return [circle for i, circle in enumerate(found) if circle not in found[:i]]


def test_no_symbol_of_a_model_is_written_in_python() -> None:
    """The code asks the model, or a file in ``models/``.

    Not counted: plain words, what ``models/protocols.toml`` calls the roles of symbols, the E2 of the MuSyC equations.
    """
    from dataclasses import fields

    from pathsim.lab.protocols import Names
    from pathsim.model import bundled_models, load_model

    models = [load_model(name) for name in bundled_models()]
    parts = [(*m.species, *m.parameters, *m.compartments, *m.reactions) for m in models]
    symbols = {item.id for items in parts for item in items if re.search(r"[A-Z0-9_]", item.id)}
    symbols -= {field.name for field in fields(Names)} | {"E2"}
    assert len(symbols) > 600
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in symbols:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.value}")
    assert not found


def test_types_are_shipped() -> None:
    import pathsim

    assert (Path(pathsim.__file__).parent / "py.typed").exists()


def test_public_names_exist() -> None:
    """A misspelt line of an ``__init__.pyi``, the one table of public names, fails here (and in mypy)."""
    import pathsim as ps

    for package in (ps, ps.plot):
        for name in package.__all__:
            assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = ps.simulat  # type: ignore[attr-defined]


def test_public_names_are_few_and_lead_to_their_definitions() -> None:
    import pathsim as ps

    assert len(ps.__all__) <= 60
    assert ps.sweep.__name__ == "pathsim.sweep"
    assert ps.synergy.__name__ == "pathsim.stats.synergy"
    assert ps.western_blot.__module__ == "pathsim.assays.western_blot"


def test_verbs_are_the_modules_of_their_folder() -> None:
    """A verb is registered by a word in ``VERBS``; a misspelt or forgotten one fails here."""
    from pathsim.cli.app import MODULES, VERBS

    folder = ROOT / "src" / "pathsim" / "cli"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__", "app", "bench", "experiment"}
    assert sorted(MODULES.get(verb, verb) for verb in VERBS) == sorted(modules)
    help_text = run(sys.executable, "-m", "pathsim", "--help").stdout
    for verb in VERBS:
        assert f" {verb.replace('_', '-')} " in help_text


def test_outside_data_is_only_read_by_tests_and_benchmarks() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        assert "shared/data" not in path.read_text(encoding="utf-8"), path


def test_old_words_do_not_return() -> None:
    """Conditions, discontinuities, references and forward sensitivities are called that, and bands are of gels."""
    old = re.compile(r"\b(dish(es)?|twins?|tangents?|stretch(es)?|films?|fillings|drivers?|margins_before|n_modes)\b")
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if old.search(line.lower())
    ]
    assert not found
