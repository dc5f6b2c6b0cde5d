"""COMBINE archives (``.omex``): the model in one, and the sample times that its SED-ML asks for."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from ..errors import InputError, brief
from ..files import read_bytes

LARGEST_MB = 256
"""So large may a file of an archive be once it is unpacked."""
MOST_TIMES = 1_000_000
_SBML = ("/sbml", "sbml.level", "sbml+xml")
_SEDML = ("/sed-ml", "sed-ml.level", "sedml+xml")


@dataclass(frozen=True, slots=True)
class Archive:
    """``sbml``: the model's file. ``times``: first, last and number of the one uniform time course of its SED-ML, None
    where there is none, or several. ``changed``: whether the SED-ML changes the model before it is run."""

    sbml: bytes
    times: tuple[float, float, int] | None = None
    changed: bool = False


def read_archive(path: str | Path) -> Archive:
    """Open an archive with one model, or with one that its SED-ML names.

    Raises :class:`InputError` in one line for what is none, and for several models of which none is named.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as packed:
            return _Opened(packed, str(path)).archive()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeError) as error:
        raise InputError(f"{path}: not a COMBINE archive: {brief(str(error))}") from None


class _Opened:
    """The files of an archive by what they are."""

    def __init__(self, packed: zipfile.ZipFile, source: str) -> None:
        self.packed, self.source = packed, source
        self.names = {posixpath.normpath(item.filename): item for item in packed.infolist() if not item.is_dir()}
        self.models, self.simulations = self._listed()

    def archive(self) -> Archive:
        """What is in it."""
        if len(self.simulations) == 1:
            return self._simulated(self.simulations[0])
        return Archive(self._only_model())

    def _listed(self) -> tuple[list[str], list[str]]:
        """Models, and simulations, the one to start with alone where one is marked so."""
        if "manifest.xml" not in self.names:
            models = [name for name in self.names if name.lower().endswith((".xml", ".sbml"))]
            return models, [name for name in self.names if name.lower().endswith(".sedml")]
        models, simulations, first = [], [], []
        for item in self._xml("manifest.xml"):
            if _tag(item) != "content":
                continue
            place, kind = posixpath.normpath(item.get("location", "").lstrip("/")), item.get("format", "").lower()
            if any(word in kind for word in _SBML):
                models.append(place)
            elif any(word in kind for word in _SEDML):
                simulations.append(place)
                if item.get("master") == "true":
                    first.append(place)
        return models, first or simulations

    def _only_model(self) -> bytes:
        if len(self.models) != 1:
            listed = ", ".join(map(brief, self.models[:5])) or "none"
            raise InputError(f"{self.source}: an archive with one SBML model is expected; in it: {listed}")
        return self._content(self.models[0])

    def _simulated(self, name: str) -> Archive:
        root = self._xml(name)
        models = {item.get("id", ""): item for item in root.iter() if _tag(item) == "model"}
        courses = [item for item in root.iter() if _tag(item) == "uniformTimeCourse"]
        times = _times(courses[0]) if len(courses) == 1 else None
        if not models:
            return Archive(self._only_model(), times)
        named = next((item.get("modelReference", "") for item in root.iter() if _tag(item) == "task"), "")
        model, changed = models.get(named, next(iter(models.values()))), False
        for _ in models:  # a model may be another one with changes
            changed |= any(_tag(item) == "listOfChanges" and len(item) for item in model)
            source = model.get("source", "")
            other = models.get(source.removeprefix("#"))
            if other is None:
                place = posixpath.normpath(posixpath.join(posixpath.dirname(name), source))
                return Archive(self._content(place), times, changed)
            model = other
        raise InputError(f"{self.source}: {brief(name)}: its models are made of each other, and none of a file")

    def _content(self, name: str) -> bytes:
        item = self.names.get(name)
        if item is None:
            raise InputError(f"{self.source}: it names '{brief(name)}', which is not in it")
        if item.file_size > LARGEST_MB * 2**20:
            raise InputError(f"{self.source}: '{brief(name)}' in it has more than {LARGEST_MB} MB")
        return self.packed.read(item)

    def _xml(self, name: str) -> Element:
        try:
            return fromstring(self._content(name))
        except (ParseError, ValueError, LookupError) as error:
            raise InputError(f"{self.source}: '{brief(name)}' in it is not XML: {brief(str(error))}") from None


def _tag(item: Element) -> str:
    return str(item.tag).rpartition("}")[2]


def _times(course: Element) -> tuple[float, float, int] | None:
    """First, last and number of sample times; None where they are none that a run from 0 on has."""
    try:
        begin, first, last = (
            float(course.get(name, "nan")) for name in ("initialTime", "outputStartTime", "outputEndTime")
        )
        steps = int(next(filter(None, map(course.get, ("numberOfSteps", "numberOfPoints"))), ""))
    except ValueError:
        return None
    if begin != 0 or not 0 <= first < last < float("inf") or not 0 < steps < MOST_TIMES:
        return None
    return first, last, steps + 1
