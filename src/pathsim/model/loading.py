"""Finding and opening models: bundled ones by name, any ``.ant``, ``.xml`` or ``.sbml`` file by path."""

from __future__ import annotations

import contextlib
import pickle
import re
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .. import cache
from ..errors import InputError, unknown
from .annotations import read_annotations
from .records import Model

SUFFIXES = (".ant", ".xml", ".sbml")
_READERS = ("libsbml", "antimony")
_REFERS_ELSEWHERE = re.compile(rb'externalModelDefinition|^\s*import\s+"', re.MULTILINE)
"""Files that other files are part of are read anew each time."""


def models_folder() -> Path:
    """Where the bundled models and libraries are: inside the installed package, or at the root of a checkout."""
    installed = Path(__file__).parents[1] / "models"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "models"


def bundled_models() -> dict[str, Path]:
    """Bundled models by name."""
    return {path.stem: path for path in sorted(models_folder().glob("*.ant"))}


def load_model(name_or_path: str | Path) -> Model:
    """Open a bundled model by name (``"pi3k_mapk"``) or a model file by path.

    Raises :class:`InputError` with file, line and what is wrong; near misses for a misspelt bundled name.
    """
    path = _locate(name_or_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if _REFERS_ELSEWHERE.search(content) is not None:
        return _read(path)
    key = cache.key_of("model", str(path), content, cache.source_of(Path(__file__).parent), *map(_version, _READERS))
    return _remembered(key, path)


@lru_cache(maxsize=32)
def _remembered(key: str, path: Path) -> Model:
    """The model of this key: one object however often it is opened, so that what is derived from it is derived once."""
    kept = cache.recall(key)
    if kept is not None:
        return pickle.loads(kept)  # type: ignore[no-any-return]
    model = _read(path)
    with contextlib.suppress(RecursionError):  # formulas nested too deeply to be written out
        cache.keep(key, pickle.dumps(model, protocol=5))
    return model


def _read(path: Path) -> Model:
    if path.suffix == ".ant":
        from .antimony import antimony_to_sbml
        from .sbml import parse_sbml

        model = parse_sbml(antimony_to_sbml(path), str(path))
        return replace(model, annotations=tuple(read_annotations(path.read_text(encoding="utf-8")).values()))
    from .sbml import read_sbml

    return read_sbml(path)


def _version(library: str) -> str:
    """What tells one installed version of a library from another, without importing it."""
    spec = find_spec(library)
    return f"{spec.origin} {Path(spec.origin).stat().st_mtime_ns}" if spec is not None and spec.origin else ""


def _locate(name_or_path: str | Path) -> Path:
    bundled = bundled_models()
    if str(name_or_path) in bundled:
        return bundled[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a model file ({', '.join(SUFFIXES)})")
    if path.exists():
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: not a model file; expected one of {', '.join(SUFFIXES)}")
        return path
    if path.suffix.lower() in SUFFIXES:
        raise InputError(f"{path}: no such file")
    raise unknown("model", str(name_or_path), bundled, f"(or a path to a {', '.join(SUFFIXES)} file)")
