"""Finding and opening models: bundled ones by name, any ``.ant``, ``.xml``, ``.sbml`` or ``.omex`` file by path."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache as once
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .. import cache
from ..checked import checked
from ..errors import InputError, UnknownNameError, unknown
from ..files import read_bytes, read_text
from ..garbage import none_looked_for
from .records import Model
from .stored import from_json

ARCHIVE = ".omex"
SUFFIXES = (".ant", ".xml", ".sbml", ARCHIVE)
_READERS = ("libsbml", "antimony")
_REFERS_ELSEWHERE = re.compile(rb'\bimport\b(?:\s|//[^\r\n]*[\r\n]|#[^\r\n]*[\r\n]|/\*.*?\*/)*"', re.DOTALL)
"""Where Antimony names another file."""


def models_folder(version: str = "") -> Path:
    """Where the bundled models and libraries of a version are, by default those of the current one.

    Raises :class:`UnknownNameError` with the versions that there are.
    """
    folder = _bundled_folder()
    if version in ("", current_version()):
        return folder
    if version not in versions():
        raise _no_version(version, "the bundled models")
    return folder / "versions" / version


def _bundled_folder() -> Path:
    """Inside the installed package, or at the root of a checkout."""
    installed = Path(__file__).parents[1] / "models"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "models"


def made_folder() -> Path:
    """Where the SBML of bundled models is that was made when the package was built; a checkout has none."""
    return _bundled_folder() / "made"


@once
def current_version() -> str:
    """The version of the bundled models whose names stand without one."""
    return read_text(_bundled_folder() / "VERSION").strip()


@once
def versions() -> tuple[str, ...]:
    """The versions of the bundled models, the oldest first, the current one last."""
    earlier = [path.name for path in (_bundled_folder() / "versions").iterdir() if path.is_dir()]
    return (*sorted(earlier, key=lambda name: [int(part) for part in name.split(".")]), current_version())


def bundled_models() -> dict[str, Path]:
    """Bundled models by name; those of earlier versions as ``name@version``."""
    found = {path.stem: path for path in sorted(models_folder().glob("*.ant"))}
    for version in versions()[:-1]:
        found |= {f"{path.stem}@{version}": path for path in sorted(models_folder(version).glob("*.ant"))}
    return found


def version_of(name_or_path: str | Path) -> str:
    """The version of a bundled model by its name (``"pi3k_mapk@0.1"``); none for a file.

    Raises :class:`UnknownNameError` with the versions that there are, for a bundled name with another.
    """
    name, at, version = str(name_or_path).partition("@")
    if name not in {known.partition("@")[0] for known in bundled_models()} or os.path.exists(name_or_path):
        return ""
    if not at:
        return current_version()
    if version not in versions():
        raise _no_version(version, f"the bundled model '{name}'")
    return version


def _no_version(version: str, of: str) -> UnknownNameError:
    return UnknownNameError(f"there is no version '{version}' of {of}; there are {' and '.join(versions())}")


@checked
def load_model(name_or_path: str | Path) -> Model:
    """Open a bundled model by name (``"pi3k_mapk"``, ``"pi3k_mapk@0.1"`` for an earlier version) or a file by path.

    Raises :class:`InputError` with file, line and what is wrong; near misses for a misspelt bundled name.

    >>> ps.load_model("pi3k_mapk").id
    'pi3k_mapk'
    """
    path, version = _locate(name_or_path)
    content = read_bytes(path)
    if path.suffix.lower() != ARCHIVE and _may_refer_elsewhere(content):
        return from_json(_read(path))
    key = cache.key_of("model", str(path), content, cache.source_of(Path(__file__).parent), *map(_version, _READERS))
    return _remembered(key, path, version)


def _may_refer_elsewhere(content: bytes) -> bool:
    """Whether other files may be part of this one, which is then read anew each time; so are files in UTF-16, whose
    words cannot be seen here."""
    if b"externalModelDefinition" in content or b"\0" in content:
        return True
    return b"import" in content and _REFERS_ELSEWHERE.search(content) is not None


@lru_cache(maxsize=32)
@none_looked_for()
def _remembered(key: str, path: Path, version: str) -> Model:
    """The model of this key: one object however often it is opened, so that what is derived from it is derived once."""
    kept = cache.recall(key)
    if kept is not None:
        try:
            return replace(from_json(kept), version=version)
        except ValueError:  # written by something else: made again
            pass
    content = _read(path)
    model = replace(from_json(content), version=version)
    cache.keep(key, content)
    return model


def _read(path: Path) -> bytes:
    from .isolated import read_isolated  # not needed, and not loaded, for what is in the cache

    return read_isolated("model", path)


def _version(library: str) -> str:
    """What tells one installed version of a library from another, without importing it."""
    spec = find_spec(library)
    return f"{spec.origin} {Path(spec.origin).stat().st_mtime_ns}" if spec is not None and spec.origin else ""


def _locate(name_or_path: str | Path) -> tuple[Path, str]:
    """The file of a model and, where it is bundled, its version."""
    if version := version_of(name_or_path):
        return models_folder(version) / f"{str(name_or_path).partition('@')[0]}.ant", version
    path = Path(name_or_path)
    if os.path.isdir(path):  # which takes a name that no file system does
        raise InputError(f"{path} is a folder; name a model file ({', '.join(SUFFIXES)})")
    if os.path.exists(path):
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: not a model file; expected one of {', '.join(SUFFIXES)}")
        return path, ""
    if path.suffix.lower() in SUFFIXES:
        raise InputError(f"{path}: no such file")
    raise unknown("model", str(name_or_path), bundled_models(), f"(or a path to a {', '.join(SUFFIXES)} file)")
