"""Finding and opening models: bundled ones by name, any ``.ant``, ``.xml`` or ``.sbml`` file by path."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .. import cache
from ..checked import checked
from ..errors import InputError, unknown
from ..files import read_bytes
from .records import Model
from .stored import from_json

SUFFIXES = (".ant", ".xml", ".sbml")
_READERS = ("libsbml", "antimony")
_REFERS_ELSEWHERE = re.compile(
    rb'externalModelDefinition|\bimport\b(?:\s|//[^\r\n]*[\r\n]|#[^\r\n]*[\r\n]|/\*.*?\*/)*"|\0', re.DOTALL
)
"""Files that other files are part of are read anew each time; so are those in UTF-16, whose words this cannot see."""


def models_folder() -> Path:
    """Where the bundled models and libraries are: inside the installed package, or at the root of a checkout."""
    installed = Path(__file__).parents[1] / "models"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "models"


def bundled_models() -> dict[str, Path]:
    """Bundled models by name."""
    return {path.stem: path for path in sorted(models_folder().glob("*.ant"))}


@checked
def load_model(name_or_path: str | Path) -> Model:
    """Open a bundled model by name (``"pi3k_mapk"``) or a model file by path.

    Raises :class:`InputError` with file, line and what is wrong; near misses for a misspelt bundled name.
    """
    path = _locate(name_or_path)
    content = read_bytes(path)
    if _REFERS_ELSEWHERE.search(content) is not None:
        return from_json(_read(path))
    key = cache.key_of("model", str(path), content, cache.source_of(Path(__file__).parent), *map(_version, _READERS))
    return _remembered(key, path)


@lru_cache(maxsize=32)
def _remembered(key: str, path: Path) -> Model:
    """The model of this key: one object however often it is opened, so that what is derived from it is derived once."""
    kept = cache.recall(key)
    if kept is not None:
        try:
            return from_json(kept)
        except ValueError:  # written by something else: made again
            pass
    content = _read(path)
    model = from_json(content)
    cache.keep(key, content)
    return model


def _read(path: Path) -> bytes:
    from .isolated import read_isolated  # not needed, and not loaded, for what is in the cache

    return read_isolated("model", path)


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
