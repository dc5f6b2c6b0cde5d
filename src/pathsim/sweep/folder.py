"""Where a sweep writes: a manifest and one file per chunk, each there whole or not at all.

A process that is killed at any moment leaves finished chunks and nothing that could be taken for one. The manifest
holds no times or machine names: the folder of a sweep that was stopped and resumed is the same, byte for byte, as that
of one that was not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError
from ..files import remove_partial, write_whole
from .chunk import Format
from .spec import Spec

MANIFEST = "sweep.json"


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
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(
            content["fingerprint"],
            Format(content["format"]),
            int(content["chunks"]),
            int(content["wells"]),
            json.dumps(content["sweep"]),
        )
    except FileNotFoundError:
        raise InputError(f"{folder}: not a folder of a sweep (it has no {MANIFEST})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST}: not the manifest of a sweep: {error}") from None


def open_folder(folder: Path, manifest: Manifest, resume: bool, shard: Shard) -> list[int]:
    """Make or take up a sweep folder; returns the chunks of ``shard`` still to do.

    Raises :class:`InputError` when the folder holds another sweep, or this one and ``resume`` is not asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        found = read_manifest(folder)
        if found.fingerprint != manifest.fingerprint:
            raise InputError(
                f"{folder} holds another sweep ({_difference(found.description, manifest.description)}); "
                "choose another folder"
            )
    mine = [chunk for chunk in range(manifest.chunks) if chunk in shard]
    left = [chunk for chunk in mine if not chunk_path(folder, manifest, chunk).exists()]
    if len(left) < len(mine) and not resume:
        raise InputError(
            f"{folder} holds {len(mine) - len(left)} of {len(mine)} chunks of this sweep; "
            "--resume continues it, or choose another folder"
        )
    if not (folder / MANIFEST).exists():
        put(folder / MANIFEST, manifest.text().encode())
    return left


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
    remove_partial(folder, {MANIFEST, *(chunk_path(folder, manifest, chunk).name for chunk in chunks)})


def _description(spec: Spec) -> str:
    """The whole sweep as canonical JSON, exact to the last bit of every number."""
    design = spec.design
    return json.dumps(
        {
            "model": {"id": design.model.id, "digest": design.model.digest},
            "lines": [[name, list(map(list, settings))] for name, settings in design.lines],
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

    Raises :class:`InputError` for folders of different sweeps and for chunks that are missing.
    """
    manifests: list[Any] = [read_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.fingerprint != manifests[0].fingerprint:
            raise InputError(f"{folder} and {folders[0]} hold different sweeps")
    found: list[Path] = []
    missing: list[int] = []
    for chunk in range(manifests[0].chunks):
        places = [path for folder in folders if (path := chunk_path(folder, manifests[0], chunk)).exists()]
        found += places[:1]
        missing += [] if places else [chunk]
    if missing:
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise InputError(
            f"{len(missing)} of {manifests[0].chunks} chunks are missing ({shown}); finish the sweep with --resume"
        )
    yield manifests[0], found
