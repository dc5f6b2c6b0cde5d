"""Finding and opening models: bundled ones by name, any ``.ant``, ``.xml`` or ``.sbml`` file by path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import InputError, unknown
from .annotations import read_annotations
from .records import Model

SUFFIXES = (".ant", ".xml", ".sbml")


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
    if path.suffix == ".ant":
        from .antimony import antimony_to_sbml
        from .sbml import parse_sbml

        model = parse_sbml(antimony_to_sbml(path), str(path))
        return replace(model, annotations=tuple(read_annotations(path.read_text(encoding="utf-8")).values()))
    from .sbml import read_sbml

    return read_sbml(path)


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
