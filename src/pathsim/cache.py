"""What is worth keeping between processes: parsed models and machine code, in the user's cache folder.

Entries are named by a hash of everything they depend on, so they cannot be stale, and may be deleted at any time.
``PATHSIM_CACHE`` names another folder; set but empty, it turns the cache off.

Machine code from here runs in the user's process, so the folder is for the user alone (0700; looser bits are taken
away), a folder of somebody else is not used at all, and an entry that somebody else owns or may write to is made again.
On Windows, where files have no such bits, only folders inside the user's own are used.
"""

from __future__ import annotations

import hashlib
import os
import stat
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
    """What was kept under ``key``, or None. Damaged entries, and those that others could have written, are absent."""
    place = _folder()
    if place is None:
        return None
    try:
        with open(place / key, "rb", opener=_open_plainly) as file:
            if not _is_own(os.fstat(file.fileno())):
                _say(f"the cache entry {place / key} can be written by others: it is made again")
                return None
            content = file.read()
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
    """The cache folder, closed to others, unless it is turned off or belongs to somebody else."""
    place = _named(os.environ.get(VARIABLE))
    if place is None:
        return None
    if not hasattr(os, "getuid"):
        return place if place.absolute().is_relative_to(Path.home()) else None
    try:
        found = os.stat(place)
        if found.st_uid != os.getuid():
            return None
        if found.st_mode & 0o077:
            os.chmod(place, 0o700)
            _say(f"the cache folder {place} was open to others: it is closed to them now")
    except FileNotFoundError:
        return place  # not made yet
    except OSError:
        return None
    return place


def _open_plainly(path: str, flags: int) -> int:
    """Open without waiting, should somebody have put a pipe there."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_own(found: os.stat_result) -> bool:
    """Whether this is a plain file that the user owns and nobody else can write to."""
    if not stat.S_ISREG(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _say(line: str) -> None:
    import logging

    logging.getLogger("pathsim").warning("pathsim: %s", line)


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
