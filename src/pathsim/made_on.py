"""What results depend on beside what was asked: versions and the processor, of workers and of folders.

Results are the same to the bit on one processor target; on another the last digits may differ. A folder of a sweep,
fit, profile or study says in ``made_on.json`` on which its results were made. Another version of pathsim is refused
there, another processor too, unless that is wanted; then the file says that results agree "within tolerance".
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from . import __version__
from .errors import InputError
from .files import read_json, write_first, write_whole
from .stored_records import record_of

MADE_ON_FILE = "made_on.json"
BITWISE, WITHIN_TOLERANCE = "to the bit", "within tolerance"
_SAME_CODE = "set PATHSIM_CPU to one that all have (x86-64-v3) on all machines"
_ALLOW = "or allow it (--any-processor), which marks the results as within tolerance"


class Identity(NamedTuple):
    """Versions, and the processor that code is made for; empty texts stand for any.

    ``numpy``: a digest of what numpy and its linear algebra make of fixed numbers, which depends on their versions and
    on the processor that they find, whatever pathsim's own code is made for.
    """

    pathsim: str
    python: str
    processor: str
    features: str
    numpy: str

    @classmethod
    def of(cls, words: Sequence[str]) -> Identity:
        """What a process of any version says of itself."""
        return cls(*(*words, *[""] * 5)[:5])

    def difference(self, other: Identity) -> str:
        """In what a worker is another, in words; empty where it is not."""
        if self.pathsim != other.pathsim:
            return f"runs pathsim {other.pathsim}, this is {self.pathsim}; install one version on all machines"
        if self.python != other.python:
            return f"runs Python {other.python}, this is {self.python}; use one version on all machines"
        detail = Processor(*self[2:]).difference(Processor(*other[2:]))
        return f"has {detail}, {_ALLOW}" if detail else ""

    def on_any_processor(self) -> Identity:
        """The same, whichever processor."""
        return self._replace(processor="", features="", numpy="")

    def suits(self, other: Identity) -> bool:
        """Whether ``other`` is one of those that this stands for."""
        return all(mine in ("", theirs) for mine, theirs in zip(self, other, strict=True))


@cache
def identity() -> Identity:
    """That of this process."""
    from .solve.llvm.machine import machine

    own = machine()
    features = ",".join(sorted(own.features.split(",")))
    python = ".".join(platform.python_version_tuple()[:2])
    return Identity(__version__, python, own.cpu, _digest(features.encode()), _digest(*_samples()))


def _samples() -> list[bytes]:
    """What numpy makes of fixed numbers, where processors and versions differ in the last digit."""
    import numpy as np

    x = np.arange(1.0, 1025.0) * 0.6180339887498949 % 1.0
    A = x.reshape(32, 32)
    spd = A @ A.T + 4.0 * np.eye(32)
    found = [np.exp(x), np.log(x), np.log10(x), np.log2(x), x**1.7, np.sin(x), np.tanh(x), np.log1p(x), np.expm1(x)]
    found += [spd, A @ x[:32], np.linalg.solve(spd, A), np.linalg.cholesky(spd)]
    return [one.tobytes() for one in found]


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Processor:
    """The part of an :class:`Identity` that another machine changes."""

    name: str
    features: str
    numpy: str

    def difference(self, other: Processor) -> str:
        """What the ``other`` is beside this one, and how they would be the same; empty where they are."""
        if (self.name, self.features) != (other.name, other.features):
            detail = "with other features" if self.name == other.name else f"({other.name}, here {self.name})"
            return f"another processor {detail}, whose results could differ in the last digits; {_SAME_CODE}"
        if self.numpy != other.numpy:
            return (
                "a numpy whose last digits are others (of another version, or for another processor); install one "
                "version and set OPENBLAS_CORETYPE and NPY_DISABLE_CPU_FEATURES as docs/clusters.md says"
            )
        return ""


@dataclass(frozen=True, slots=True)
class MadeOn:
    """Which version made the results of a folder, on which processors, and how they agree with those of one alone:
    ``"to the bit"`` or ``"within tolerance"``."""

    pathsim: str
    processors: tuple[Processor, ...]
    results: str = BITWISE

    @classmethod
    def here(cls, any_processor: bool = False) -> MadeOn:
        """That of this process, and of workers of ``any_processor`` where they may help."""
        own = identity()
        results = WITHIN_TOLERANCE if any_processor else BITWISE
        return cls(own.pathsim, (Processor(*own[2:]),), results)

    @classmethod
    def unknown(cls) -> MadeOn:
        """Where nobody has said it."""
        return cls(__version__, (Processor("unknown", "", ""),))

    @classmethod
    def read(cls, folder: str | Path) -> MadeOn | None:
        """What a folder says; None where it does not. Raises :class:`InputError` for what is not as written."""
        path = Path(folder) / MADE_ON_FILE
        if not os.path.exists(path):
            return None
        found = record_of(cls, read_json(path, dict), str(path))
        if not found.processors or found.results not in (BITWISE, WITHIN_TOLERANCE):
            raise InputError(f"{path}: not as it was written")
        return found

    def text(self) -> str:
        """The content of the file."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def write(self, folder: str | Path) -> None:
        """Say it in a folder."""
        write_whole(Path(folder) / MADE_ON_FILE, self.text())

    @property
    def mark(self) -> str:
        """``"within tolerance"`` where results may not be those of one processor to the bit; else empty."""
        return "" if self.results == BITWISE else self.results

    def together(self, other: MadeOn) -> MadeOn:
        """Results of both, which no one processor made where these are several."""
        processors = tuple(dict.fromkeys((*self.processors, *other.processors)))
        alone = len(processors) == 1 and not self.mark and not other.mark
        return replace(self, processors=processors, results=BITWISE if alone else WITHIN_TOLERANCE)


def go_on_in(folder: str | Path, begun: bool, any_processor: bool = False) -> MadeOn:
    """Take up a folder, which exists and holds results where it was ``begun``, and say there on what they are made.

    Raises :class:`InputError` in one line where they were made by another version of pathsim; and on another processor,
    unless ``any_processor``, which is marked in the file and logged.
    """
    own = MadeOn.here(any_processor)
    if not begun and write_first(Path(folder) / MADE_ON_FILE, own.text()):
        return own
    kept = MadeOn.read(folder)
    if kept is None:
        if not any_processor:
            raise InputError(
                f"{folder} does not say on which processor its results were made ({MADE_ON_FILE} is missing); use a "
                f"new folder, {_ALLOW}"
            )
        kept = own
    if kept.pathsim != own.pathsim:
        raise InputError(
            f"{folder} was made by pathsim {kept.pathsim}, this is {own.pathsim}; go on with that version, or use a "
            "new folder"
        )
    (here,) = own.processors
    if here not in kept.processors and not any_processor:
        raise InputError(f"{folder} was made on {here.difference(kept.processors[0])}, {_ALLOW}")
    if any_processor:
        kept = kept.together(own)
        kept.write(folder)
    if kept.mark:
        logging.getLogger("pathsim").warning(
            "pathsim: results in %s agree %s only: more than one processor was allowed to make them", folder, kept.mark
        )
    return kept


def mark_in(folder: str | Path) -> str:
    """``"within tolerance"`` where a folder says so of its results; else empty."""
    made = MadeOn.read(folder)
    return "" if made is None else made.mark


def all_made_on(folders: Sequence[str | Path], any_processor: bool = False) -> MadeOn:
    """On what the results of several folders were made, which become one.

    Raises :class:`InputError` where that is not one processor, unless it may be ``any_processor``.
    """
    found = {folder: MadeOn.read(folder) for folder in folders}
    known = {folder: made for folder, made in found.items() if made is not None}
    problems = [f"{folder} ({MADE_ON_FILE} is missing)" for folder in found if folder not in known]
    if problems and not any_processor:
        raise InputError(f"on which processor results were made is not known of {', '.join(problems)}; {_ALLOW[3:]}")
    whole = MadeOn.here() if not known else next(iter(known.values()))
    for folder, made in known.items():
        if made.processors != whole.processors and not any_processor:
            names = ", ".join(dict.fromkeys(one.name for one in (*whole.processors, *made.processors)))
            raise InputError(
                f"{next(iter(found))} and {folder} were made on different processors ({names}), whose results could "
                f"differ in the last digits; {_SAME_CODE}, {_ALLOW}"
            )
        whole = whole.together(made)
    return replace(whole, results=WITHIN_TOLERANCE) if problems else whole
