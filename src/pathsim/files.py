"""Files read and written: TOML read or refused in one line, and files that are replaced whole or not at all."""

from __future__ import annotations

import os
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

PARTIAL = ".tmp"
"""How files that are not whole yet end."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file. Raises :class:`InputError` naming the file and what is wrong with it."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file so that whoever looks, even after a crash, sees all of it or what was there before.

    Raises :class:`OSError` that names ``path``, for example when the disk is full.
    """
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A place beside ``path`` to write to, which becomes ``path`` at the end, or vanishes if anything goes wrong.

    The folder is made if need be. Raises :class:`OSError` that names ``path``, for example when the disk is full.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(partial)):
            raise OSError(error.errno, error.strerror or str(error), str(target)) from None
        raise


def remove_partial(folder: Path, names: set[str]) -> None:
    """Remove what killed processes left half-written of these files of ``folder``."""
    for stale in folder.glob(f".*{PARTIAL}"):
        if stale.name[1:].removesuffix(PARTIAL).rpartition(".")[0] in names:
            stale.unlink(missing_ok=True)
