"""Where a sweep writes: a manifest, one file per chunk, each there whole or not at all, and the checksums of chunks.

A process that is killed at any moment leaves finished chunks and nothing that could be taken for one. The manifest
holds no times or machine names: the folder of a sweep that was stopped and resumed is the same, byte for byte, as that
of one that was not. A chunk counts when its file has the length and the SHA-256 that were noted when it was written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError, raise_together
from ..files import read_json, remove_partial, write_first, write_whole
from ..made_on import MADE_ON_FILE, go_on_in
from .chunk import Format
from .spec import Spec

MANIFEST, CHECKSUMS = "sweep.json", "checksums.txt"
_UNKNOWN = "-" * 64


@dataclass(frozen=True, slots=True)
class Shard:
    """Every ``count``-th chunk from the ``number``-th on (from 1): the part of one job of an array."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"there is no shard {self.number}/{self.count}; write for example 3/10 (of 1/10 to 10/10)")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``"3/10"``."""
        number, _, count = text.partition("/")
        if not (number.strip().isdecimal() and count.strip().isdecimal()):
            raise InputError(f"shard '{text}' is not number/count; write for example 3/10")
        return cls(int(number), int(count))

    def __contains__(self, chunk: int) -> bool:
        return chunk % self.count == self.number - 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a sweep folder holds when it is complete."""

    fingerprint: str
    format: Format
    chunks: int
    wells: int
    description: str

    def text(self) -> str:
        """The content of the manifest file."""
        return (
            json.dumps(
                {
                    "pathsim": __version__,
                    "fingerprint": self.fingerprint,
                    "format": self.format.value,
                    "chunks": self.chunks,
                    "wells": self.wells,
                    "sweep": json.loads(self.description),
                },
                indent=1,
            )
            + "\n"
        )


def plan_manifest(spec: Spec) -> Manifest:
    """The manifest of a sweep."""
    description = _description(spec)
    fingerprint = hashlib.sha256(f"{__version__} {description}".encode()).hexdigest()
    chunks = -(-spec.design.wells // spec.wells_per_chunk)
    return Manifest(fingerprint, spec.format, chunks, spec.design.wells, description)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a sweep folder. Raises :class:`InputError` when it is none."""
    if not os.path.exists(folder / MANIFEST):
        raise InputError(f"{folder}: not a folder of a sweep (it has no {MANIFEST})")
    try:
        content = read_json(folder / MANIFEST, dict)
        if not 0 < int(content["chunks"]) <= int(content["wells"]) or not isinstance(content["sweep"], dict):
            raise ValueError("its numbers of chunks and wells contradict each other")
        return Manifest(
            str(content["fingerprint"]),
            Format(content["format"]),
            int(content["chunks"]),
            int(content["wells"]),
            json.dumps(content["sweep"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST}: not the manifest of a sweep: {error}") from None


def open_folder(folder: Path, manifest: Manifest, resume: bool, shard: Shard, any_processor: bool = False) -> list[int]:
    """Make or take up a sweep folder; returns the chunks of ``shard`` still to do.

    Raises :class:`InputError` when the folder holds another sweep, or this one and ``resume`` is not asked for, or it
    was made on another processor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.exists(folder / MANIFEST):
        found = read_manifest(folder)
        if found.fingerprint != manifest.fingerprint:
            raise InputError(
                f"{folder} holds another sweep ({_difference(found.description, manifest.description)}); "
                "choose another folder"
            )
    mine = [chunk for chunk in range(manifest.chunks) if chunk in shard]
    noted = _noted(folder, manifest)
    there = [chunk for chunk in mine if chunk_path(folder, manifest, chunk).exists()]
    damage = {chunk: _damage(chunk_path(folder, manifest, chunk), noted[chunk]) for chunk in there}
    left = [chunk for chunk in mine if damage.get(chunk) != ""]
    if len(left) < len(mine) and not resume:
        raise InputError(
            f"{folder} holds {len(mine) - len(left)} of {len(mine)} chunks of this sweep; "
            "--resume continues it, or choose another folder"
        )
    go_on_in(folder, os.path.exists(folder / MANIFEST), any_processor)
    if not os.path.exists(folder / MANIFEST):
        put(folder / MANIFEST, manifest.text().encode())
    _begin_checksums(folder, manifest)
    for chunk, said in damage.items():
        if said and noted[chunk] is not None:
            logging.getLogger("pathsim").warning("pathsim: %s; it is made again", said)
    return left


def keep_chunk(folder: Path, manifest: Manifest, chunk: int, content: bytes) -> None:
    """Write the file of a chunk, having noted its length and checksum."""
    path = chunk_path(folder, manifest, chunk)
    line = _line(path.name, len(content), hashlib.sha256(content).hexdigest())
    with open(folder / CHECKSUMS, "rb+") as file:  # each line has its place, so several processes may write
        file.seek(chunk * len(line))
        file.write(line)
    put(path, content)


def _line(name: str, length: int, checksum: str) -> bytes:
    return f"{name} {length:012d} {checksum}\n".encode()


def _begin_checksums(folder: Path, manifest: Manifest) -> None:
    """A line per chunk, of which nothing is known yet; another process may have been first."""
    if not (folder / CHECKSUMS).exists():
        names = [chunk_path(folder, manifest, chunk).name for chunk in range(manifest.chunks)]
        write_first(folder / CHECKSUMS, b"".join(_line(name, 0, _UNKNOWN) for name in names))


def _noted(folder: Path, manifest: Manifest) -> list[tuple[int, str] | None]:
    """Length and checksum of each chunk that was written, as noted; what is not a note counts as none."""
    try:
        lines = (folder / CHECKSUMS).read_bytes().decode("ascii", "replace").split("\n")
    except FileNotFoundError:
        lines = []
    found: list[tuple[int, str] | None] = []
    for chunk in range(manifest.chunks):
        words = lines[chunk].split(" ") if chunk < len(lines) else []
        known = len(words) == 3 and words[1].isdecimal() and words[0] == chunk_path(folder, manifest, chunk).name
        found.append((int(words[1]), words[2]) if known and words[2] != _UNKNOWN else None)
    return found


def _damage(path: Path, noted: tuple[int, str] | None) -> str:
    """What is wrong with the file of a chunk; empty when it is what was written."""
    if noted is None:
        return f"{path}: {CHECKSUMS} does not say what was written"
    length, checksum = noted
    if path.stat().st_size != length:
        return f"{path}: holds {path.stat().st_size} of the {length} bytes that were written"
    with path.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == checksum
    return "" if same else f"{path}: is not what was written (its checksum differs)"


def chunk_path(folder: Path, manifest: Manifest, chunk: int) -> Path:
    """The file of a chunk."""
    digits = max(6, len(str(manifest.chunks - 1)))
    return folder / f"part-{chunk:0{digits}d}.{manifest.format.value}"


def put(path: Path, content: bytes) -> None:
    """Write a file of a sweep; where another process on the same sweep has just written it, that one stays."""
    try:
        write_whole(path, content)
    except FileNotFoundError:  # the other process took it for a leftover
        if not path.exists():
            raise


def sweep_out(folder: Path, manifest: Manifest, chunks: list[int]) -> None:
    """Remove what killed runs left half-written of these chunks."""
    remove_partial(
        folder, {MANIFEST, CHECKSUMS, MADE_ON_FILE, *(chunk_path(folder, manifest, chunk).name for chunk in chunks)}
    )


def _description(spec: Spec) -> str:
    """The whole sweep as canonical JSON, exact to the last bit of every number."""
    design = spec.design
    return json.dumps(
        {
            "model": {"id": design.model.id, "digest": design.model.digest},
            "lines": [[name, list(map(list, settings))] for name, settings in design.lines],
            "kept in": repr(design.kept_in),
            "treatments": [protocol.text for protocol in design.protocols],
            "substances": sorted(
                {
                    repr(one)
                    for protocol in design.protocols
                    for medium in (protocol.rest, *protocol.steps)
                    for one in medium.substances
                }
            ),
            "axes": [[axis.name, axis.kind.value, axis.unit, repr(axis.points)] for axis in design.axes],
            "sample": repr(design.sample),
            "times_min": list(design.times),
            "readouts": list(design.readouts),
            "solver": repr(design.solver),
            "format": spec.format.value,
            "wells_per_chunk": spec.wells_per_chunk,
        },
        sort_keys=True,
    )


def _difference(one: str, other: str) -> str:
    """Which entries two descriptions differ in."""
    left, right = json.loads(one), json.loads(other)
    names = [name for name in right if left.get(name) != right[name]]
    return f"different {', '.join(names)}" if names else "made by another version of pathsim"


def parts(folders: list[Path]) -> Iterator[tuple[Manifest, list[Path]]]:
    """The one manifest of these folders and the files of all chunks in order, wherever each lies.

    Raises :class:`InputError` for folders of different sweeps, and for chunks that are missing or not as written.
    """
    manifests: list[Any] = [read_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.fingerprint != manifests[0].fingerprint:
            raise InputError(f"{folder} and {folders[0]} hold different sweeps")
    found: list[Path] = []
    missing: list[int] = []
    damaged: list[str] = []
    noted = [_noted(folder, manifests[0]) for folder in folders]
    for chunk in range(manifests[0].chunks):
        places = [
            (path, notes[chunk])
            for folder, notes in zip(folders, noted, strict=True)
            if (path := chunk_path(folder, manifests[0], chunk)).exists()
        ]
        said = {path: _damage(path, note) for path, note in places}
        whole = [path for path in said if not said[path]]
        found += whole[:1]
        if not places:
            missing.append(chunk)
        elif not whole:
            damaged += said.values()
    if damaged:
        raise_together([f"{text}; copy it again, or make it again with --resume" for text in damaged])
    if missing:
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise InputError(
            f"{len(missing)} of {manifests[0].chunks} chunks are missing ({shown}); finish the sweep with --resume"
        )
    yield manifests[0], found
