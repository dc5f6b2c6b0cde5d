"""Files read and written: text, TOML and YAML read or refused in one line, and files replaced whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .errors import InputError, brief

Kind = TypeVar("Kind", dict[str, Any], list[Any])

PARTIAL = ".tmp"
"""How files that are not whole yet end."""


def read_bytes(path: str | Path) -> bytes:
    """The content of a file. Raises :class:`InputError` in one line for what cannot be read or is no file, such as a
    pipe, which might never end."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{brief(repr(path))} is not the path of a file")
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{path}: {'a folder' if os.path.isdir(path) else 'a pipe or device'}, not a file")
        return Path(path).read_bytes()
    except (FileNotFoundError, ValueError):  # ValueError: a name with a null character
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark; its lines end with ``\\n``.

    Raises :class:`InputError` naming the line of what is not text.
    """
    content = read_bytes(path)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        with contextlib.suppress(UnicodeDecodeError):
            return _plain_lines(content.decode("utf-16"))
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: a null character; save the file as UTF-8 text")
    try:
        return _plain_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: byte {error.start + 1} is not UTF-8 text") from None


def _plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_toml(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file. Raises :class:`InputError` naming the file and what is wrong with it."""
    import tomllib

    text = read_text(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: not valid TOML: nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None


def toml_text(value: str) -> str:
    """A text as TOML has it, in quotes."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """A name as a key of TOML, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def read_json(path: str | Path, kind: type[Kind]) -> Kind:
    """The content of a JSON file, a ``dict`` or a ``list``. Raises :class:`InputError` naming the file."""
    try:
        found = json.loads(read_text(path))
    except RecursionError:
        raise InputError(f"{path}: not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(found, kind):
        raise InputError(f"{path}: holds no {'table' if kind is dict else 'list'} but {brief(repr(found))}")
    return found


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file. Raises :class:`InputError` naming the file, the line and what is wrong with it.

    Aliases count as often as they are used, and a file may stand for so many values only.
    """
    import yaml

    text = read_text(path)
    try:
        _count_nodes(yaml.compose(text, yaml.SafeLoader))
        return yaml.safe_load(text)
    except (RecursionError, _TooManyError):
        raise InputError(f"{path}: not valid YAML: nested too deeply, or aliases of aliases without end") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


MOST_YAML_NODES = 1_000_000


class _TooManyError(Exception):
    """A YAML text that stands for more values than anyone writes."""


def _count_nodes(root: Any) -> None:
    """Raise :class:`_TooManyError` where ``root``, with its aliases written out, has too many nodes."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: Any) -> int:
        known = sizes.get(id(node))
        if known is None:
            if id(node) in open_nodes:  # an alias of a node inside itself
                raise _TooManyError
            open_nodes.add(id(node))
            value = node.value if isinstance(node.value, list) else []
            children = [child for item in value for child in (item if isinstance(item, tuple) else (item,))]
            known = sizes[id(node)] = 1 + sum(map(size, children))
            if known > MOST_YAML_NODES:
                raise _TooManyError
        return known

    if root is not None:
        size(root)


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file so that whoever looks, even after a crash, sees all of it or what was there before.

    Raises :class:`OSError` that names ``path``, for example when the disk is full.
    """
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def write_first(path: str | Path, content: str | bytes) -> bool:
    """As :func:`write_whole`, unless the file is there; whether it was not. Of several processes one is the first."""
    target = Path(path)
    partial = _beside(target)
    try:
        write_whole(partial, content)
        os.link(partial, target)
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def _beside(target: Path) -> Path:
    """A file beside ``target`` that is nobody's yet; its name says that it is not whole."""
    return target.with_name(f".{target.name}.{os.urandom(16).hex()}{PARTIAL}")


def append_line(path: str | Path, line: str) -> None:
    """Add a line to a file, after a line break if a kill has torn the one before.

    Raises :class:`OSError` that names ``path``, for example when the disk is full.
    """
    try:
        with open(path, "a+b") as file:
            end = file.seek(0, os.SEEK_END)
            torn = b""
            if end:
                file.seek(-1, os.SEEK_END)
                torn = b"\n" if file.read(1) != b"\n" else b""
            try:
                _write_all(file.fileno(), torn + line.encode())
            except OSError:
                os.truncate(path, end)  # what was there stays as it was
                raise
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _write_all(handle: int, content: bytes) -> None:
    """Write without a buffer, which would be written once more when the file is closed."""
    while content:
        content = content[os.write(handle, content) :]


@contextmanager
def only_user(folder: str | Path, what: str) -> Iterator[None]:
    """Keep a folder, made if need be, for the block alone; the lock ends with the process, however rudely.

    Raises :class:`InputError` when another process, or thread, is at it; ``what`` names what is being done there.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    held = _lock(target)
    if held is None:
        raise InputError(f"{folder}: {what} is under way here in another process; wait for it, or use another folder")
    try:
        yield
    finally:
        os.close(held)


def _lock(folder: Path) -> int | None:
    """An open file that holds the lock of a folder, or None where another holds it."""
    if sys.platform == "win32":
        import msvcrt

        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            os.close(handle)
            return None
        return handle
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:  # a file system without locks
        pass
    return handle


def refuse_device(path: str | Path) -> None:
    """Raise :class:`InputError` where there is a pipe or device, which no file may take the place of."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise InputError(f"{path}: a pipe or device, not a file")


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A place beside ``path`` to write to, which becomes ``path`` at the end, or vanishes if anything goes wrong.

    The folder is made if need be. Raises :class:`OSError` that names ``path``, for example when the disk is full, and
    :class:`InputError` when there is a pipe or device.
    """
    refuse_device(path)
    target = Path(os.path.realpath(path))  # a link stays one
    partial = _beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(partial)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise


def remove_partial(folder: Path, names: set[str]) -> None:
    """Remove what killed processes left half-written of these files of ``folder``."""
    for stale in folder.glob(f".*{PARTIAL}"):
        if stale.name[1:].removesuffix(PARTIAL).rpartition(".")[0] in names:
            stale.unlink(missing_ok=True)
