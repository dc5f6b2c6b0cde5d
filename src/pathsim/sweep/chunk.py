"""A piece of the table of a sweep, as the bytes of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import InputError
from ..experiments.wells import WellReadings
from .axes import Kind, Listed
from .design import Design

if TYPE_CHECKING:
    import pandas as pd


RESERVED = ("cell_line", "treatment", "time_min", "readout", "value", "well", "set", "failure")
"""Columns every table of a sweep has; those of its axes stand between ``well`` and ``failure``."""


class Format(Enum):
    """How chunks are written; the value is the ending of their files."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The file of one chunk, and how many of its wells could not be simulated."""

    content: bytes
    wells: int
    failed: int


def make_chunk(design: Design, first: int, last: int, format: Format, workers: int | None = 1) -> Chunk:
    """Simulate the wells ``first`` to ``last`` - 1 and write their rows."""
    return chunk_of(design, first, last, design.read(first, last, workers), format)


def chunk_of(design: Design, first: int, last: int, readings: WellReadings, format: Format) -> Chunk:
    """Write the rows of wells that have been read."""
    frame = _frame(design, first, last, readings.values, readings.failures)
    content = frame.to_csv(index=False).encode() if format is Format.CSV else _parquet(frame)
    return Chunk(content, last - first, len(readings.failures))


def _frame(design: Design, first: int, last: int, values: FloatArray, failures: Mapping[int, str]) -> pd.DataFrame:
    """Rows: well, time, readout; ``set`` is 0 for the model itself, ``failure`` says why a value is missing."""
    import pandas as pd

    line, protocol, axes = design.values(first, last)
    wells, rows = last - first, len(design.times) * len(design.readouts)
    names = np.array([name for name, _ in design.lines], dtype=object)
    said = np.full(wells, "", dtype=object)
    for well, sentence in failures.items():
        said[well] = sentence
    columns: dict[str, Any] = {
        "cell_line": names[line].repeat(rows),
        "treatment": _treatments(design, protocol, axes).repeat(rows),
        "time_min": np.tile(np.repeat(design.times, len(design.readouts)), wells),
        "readout": np.tile(np.array(design.readouts, dtype=object), wells * len(design.times)),
        "value": values.reshape(-1),
        "well": np.arange(first, last).repeat(rows),
    }
    if design.sets:
        columns["set"] = (line % (1 + design.sets)).repeat(rows)
    columns |= {axis.column: axes[axis.name].repeat(rows) for axis in design.axes}
    columns["failure"] = said.repeat(rows)
    return pd.DataFrame(columns)


def _treatments(design: Design, protocol: IntArray, axes: Mapping[str, FloatArray]) -> Any:
    """The treatment text of every well.

    Texts are put together from their pieces; where a dose is zero the dose is left out, by the grammar.
    """
    texts: dict[str, list[str]] = {}
    zero = np.zeros(len(protocol), dtype=bool)
    for axis in design.axes:
        if axis.kind not in (Kind.DOSE, Kind.DURATION):
            continue
        values = axes[axis.name]
        if isinstance(axis.points, Listed):
            known = {value: axis.text(value) for value in axis.points.values}
            texts[axis.name] = [known[value] for value in values.tolist()]
        else:
            texts[axis.name] = [axis.text(value) for value in values.tolist()]
        zero |= values == 0
    result = np.empty(len(protocol), dtype=object)
    pieces = [one.pieces for one in design.protocols]
    for i, number in enumerate(protocol.tolist()):
        if zero[i]:
            result[i] = design.protocols[number].write({name: column[i] for name, column in texts.items()})
        else:
            result[i] = "".join([texts[piece][i] if odd % 2 else piece for odd, piece in enumerate(pieces[number])])
    return result


def _parquet(frame: pd.DataFrame) -> bytes:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError('Parquet needs pyarrow: pip install pyarrow; or write format = "csv"') from None
    texts = [name for name in frame.columns if frame[name].dtype == object or str(frame[name].dtype) == "str"]
    schema = pyarrow.schema(
        [
            (
                name,
                pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
                if name in texts
                else pyarrow.int64()
                if name in ("well", "set")
                else pyarrow.float64(),
            )
            for name in frame.columns
        ]
    )
    table = pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=False)
    buffer = BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
    return buffer.getvalue()
