"""What made a table, figure or report: version, model and its hash, command line, date; in one form everywhere.

Tables keep it in a file beside them (``blot.csv`` has ``blot.csv.stamp.json``), so that they stay plain tables; figures
in the metadata of their format; JSON objects under ``stamp``; HTML pages in their last lines. Folders of sweeps have
none: what is in them follows from the sweep alone, whoever goes on with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import join
from typing import Any

from . import __version__
from .errors import InputError
from .files import write_whole
from .model import Model
from .model.stored import to_json

EPOCH = "SOURCE_DATE_EPOCH"
"""The variable that fixes the date, as reproducible builds do: seconds since 1970."""
SUFFIX = ".stamp.json"


@dataclass(frozen=True, slots=True)
class Stamp:
    """``model``: its id, with ``@version`` where it is bundled; ``model_hash`` of its content; ``date``: the day, UTC;
    ``results``: ``"within tolerance"`` where more than one processor was allowed to make them.

    What does not apply is empty.
    """

    pathsim: str
    model: str
    model_hash: str
    command: str
    date: str
    results: str = ""

    def facts(self) -> dict[str, str]:
        """What is not empty, by name."""
        return {name: value for name, value in asdict(self).items() if value}

    def sentence(self) -> str:
        """All of it on one line."""
        made = f"pathsim {self.pathsim}"
        model = f"{self.model} ({self.model_hash})" if self.model else ""
        results = f"results {self.results}" if self.results else ""
        return "; ".join(part for part in (made, model, self.command, self.date, results) if part)

    def write_beside(self, path: str | Path) -> None:
        """Write the stamp of the table in ``path`` into a file beside it."""
        write_whole(f"{path}{SUFFIX}", json.dumps(self.facts(), indent=1) + "\n")

    def figure_metadata(self, ending: str) -> dict[str, Any]:
        """The ``metadata`` of matplotlib's ``savefig`` for ``png``, ``svg`` or ``pdf``."""
        made = f"pathsim {self.pathsim}"
        if ending == "pdf":
            day = datetime.fromisoformat(self.date).replace(tzinfo=UTC)
            return {"Creator": made, "Subject": self.sentence(), "CreationDate": day}
        if ending == "svg":
            return {"Creator": made, "Date": self.date, "Description": self.sentence()}
        return {"Software": made, "Description": self.sentence(), "Creation Time": self.date}


def stamp_of(model: Model | None = None, command: Sequence[str] = (), results: str = "") -> Stamp:
    """The stamp of what is made now, of ``model`` and by the words of ``command``, and how far its ``results`` agree.

    Raises :class:`InputError` where ``SOURCE_DATE_EPOCH`` is no number of seconds.
    """
    name = "" if model is None else label(model)
    digest = "" if model is None else content_hash(model)
    return Stamp(__version__, name, digest, join(command), today(), results)


def label(model: Model) -> str:
    """The id of a model, with its version where it is bundled."""
    return f"{model.id}@{model.version}" if model.version else model.id


def content_hash(model: Model) -> str:
    """Twelve hexadecimal digits that change with everything a model computes, and not with comments or its file."""
    bare = replace(model, name="", source="", digest="", version="", annotations=())
    return hashlib.sha256(to_json(bare)).hexdigest()[:12]


def today() -> str:
    """The day in UTC, or that of ``SOURCE_DATE_EPOCH``. Raises :class:`InputError` where that is none."""
    given = os.environ.get(EPOCH)
    if given is None:
        return datetime.now(UTC).date().isoformat()
    try:
        return datetime.fromtimestamp(int(given), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        raise InputError(f"{EPOCH} is '{given}'; it is a number of seconds since 1970") from None
