"""What is worth keeping between processes: parsed models and machine code, in the user's cache folder.

Entries are named by a hash of everything they depend on, so they cannot be stale, and may be deleted at any time.
``PATHSIM_CACHE`` names another folder; set but empty, it turns the cache off.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

VARIABLE = "PATHSIM_CACHE"
MOST_BYTES = 300_000_000
DIGEST = 32


def key_of(*parts: str | bytes) -> str:
    """A name that differs whenever one of ``parts`` does."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


@cache
def source_of(folder: Path) -> bytes:
    """A hash of the Python sources under ``folder``: entries made by other versions of the code are not used."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.digest()


def recall(key: str) -> bytes | None:
    """What was kept under ``key``, or None. Damaged entries count as absent."""
    place = _folder()
    if place is None:
        return None
    try:
        content = (place / key).read_bytes()
    except OSError:
        return None
    body = content[DIGEST:]
    return body if hashlib.sha256(body).digest() == content[:DIGEST] else None


def keep(key: str, content: bytes) -> None:
    """Keep ``content``, whole or not at all; a folder that cannot be written is no error."""
    place = _folder()
    if place is None:
        return
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=place, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(partial, place / key)
        if key.startswith("00"):  # one in 256: looking through a full folder takes longer than keeping an entry
            _make_room(place)
    except OSError:
        return


def _folder() -> Path | None:
    """The cache folder, unless it is turned off or belongs to somebody else."""
    place = _named(os.environ.get(VARIABLE))
    try:
        if place is not None and hasattr(os, "getuid") and place.stat().st_uid != os.getuid():
            return None
    except OSError:
        return place  # not made yet
    return place


@cache
def _named(asked: str | None) -> Path | None:
    if asked is not None:
        return Path(asked) if asked else None
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("pathsim", appauthor=False))


def _make_room(place: Path) -> None:
    """Forget the oldest entries when there are too many."""
    entries = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(place))
    excess = sum(size for _, size, _ in entries) - MOST_BYTES
    for _, size, path in entries:
        if excess <= 0:
            return
        os.unlink(path)
        excess -= size
