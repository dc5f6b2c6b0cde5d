"""One table from the chunks of a sweep, whichever folders its shards were written to."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..checked import checked
from ..errors import InputError
from ..files import whole_file
from ..made_on import all_made_on
from .chunk import Format
from .folder import parts


@checked
def merge(folders: Sequence[str | Path], output: str | Path, *, any_processor: bool = False) -> int:
    """Write the whole table of a finished sweep to one file, in the order of its wells; returns the number of chunks.

    One chunk is in memory at a time. Raises :class:`InputError` when chunks are missing, folders belong to different
    sweeps, or were made on different processors and that is not allowed (``any_processor``), or the ending of
    ``output`` is not that of the sweep's format.

    >>> ps.sweep.merge(["shard1", "shard2"], "whole")  # doctest: +SKIP
    """
    if not folders:
        raise InputError("name at least one folder of a sweep")
    target = Path(output)
    ((manifest, files),) = parts([Path(folder) for folder in folders])
    all_made_on(folders, any_processor)
    if target.suffix != f".{manifest.format.value}":
        raise InputError(
            f"{target}: the chunks of this sweep are {manifest.format.value}; "
            f"name the file {target.stem or 'table'}.{manifest.format.value}"
        )
    with whole_file(target) as partial:
        if manifest.format is Format.CSV:
            _join_csv(files, partial)
        else:
            _join_parquet(files, partial)
    return len(files)


def _join_csv(files: Sequence[Path], target: Path) -> None:
    with target.open("wb") as out:
        for number, file in enumerate(files):
            with file.open("rb") as part:
                header = part.readline()
                if number == 0:
                    out.write(header)
                shutil.copyfileobj(part, out, 1 << 20)


def _join_parquet(files: Sequence[Path], target: Path) -> None:
    try:
        import pyarrow.parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow: pip install pyarrow") from None
    writer = None
    for file in files:
        table = pyarrow.parquet.read_table(file)
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(target, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
