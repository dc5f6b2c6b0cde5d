"""Where the numbers of the bundled files come from: every source cited, every citation with an identifier or marked.

A source is a text: ``estimate: ...``, ``calibrated: ...``, ``definition``, ``derived: ...`` (from numbers that stand
there with their own sources), or words that cite: a paper by its key in
``references.toml`` (``"4.8 (Fritsch 2014) x 16"``), a DOI or PMID, or the accession of a database.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import raise_together
from ..files import read_toml
from .loading import current_version, load_model, models_folder
from .records import Model

REFERENCES = "references.toml"
FILES = (
    "drugs.toml", "cell_lines.toml", "clones.toml", "hosts.toml", "pharmacokinetics.toml", "protocols.toml",
    "pathway_map.toml", "pathway_diagram.toml", "calibration.toml",
)  # fmt: skip
"""Bundled files whose entries carry sources, beside the models themselves."""
CLASSES = ("DOI or PMID", "accession", "unverified", "estimate", "calibrated", "derived", "definition")
"""What can stand behind an entry: an identifier that was looked up, that of a database, a paper or document without
one, or no paper at all."""

_KEYS = ("source", "copies_source")
_IDENTIFIER = re.compile(r"\b(doi:?\s*10\.\d{4,9}/\S+|PMID:?\s*\d+)", re.IGNORECASE)
_DOI, _PMID = re.compile(r"10\.\d{4,9}/\S+"), re.compile(r"\d{1,8}")
_ACCESSION = re.compile(r"\b(UniProt [A-Z]\d[A-Z0-9]{4}|PubChem \d+|BioModels [A-Z]+\d+)")
_CITATION = re.compile(r"\b((?:de |van )?[A-Z][\w'’-]+(?: and [A-Z][\w'’-]+)? (?:19|20)\d\d)\b(?! ?(?:nM|uM|h|copies))")
_NO_PAPER = ("estimate", "calibrated", "derived", "definition")


@dataclass(frozen=True, slots=True)
class Reference:
    """A paper or document: ``doi`` and ``pmid`` as far as they were looked up; ``unverified`` where neither was."""

    title: str
    doi: str = ""
    pmid: str = ""
    unverified: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """What stands behind the entries of a folder: how many of each of :data:`CLASSES`; ``problems``, one line each.

    ``references``: how many there are, and how many of them are unverified.
    """

    classes: Mapping[str, int]
    references: tuple[int, int]
    problems: tuple[str, ...]


def read_references(path: str | Path) -> dict[str, Reference]:
    """References by key, as they are cited. Raises :class:`InputError` listing every one with no identifier that is not
    marked ``unverified``, and every identifier that is none."""
    problems: list[str] = []
    found = {key: _reference(key, entry, problems) for key, entry in read_toml(path).items()}
    raise_together(problems, str(path))
    return found


def _reference(key: str, entry: Any, problems: list[str]) -> Reference:
    where = f'["{key}"]'
    if not isinstance(entry, dict):
        problems.append(f"{where} is no table; write title, and doi or pmid or unverified = true")
        return Reference("")
    problems += [
        f"{where}: '{name}' is unknown" for name in entry if name not in ("title", "doi", "pmid", "unverified")
    ]
    title, doi, pmid = (str(entry.get(name, "")) for name in ("title", "doi", "pmid"))
    unverified = entry.get("unverified", False)
    if not title.strip():
        problems.append(f"{where} needs a title")
    if doi and not _DOI.fullmatch(doi):
        problems.append(f"{where}: '{doi}' is no DOI")
    if pmid and not _PMID.fullmatch(pmid):
        problems.append(f"{where}: '{pmid}' is no PMID")
    if bool(doi or pmid) == (unverified is True):
        problems.append(f"{where} needs either doi or pmid, as looked up, or unverified = true")
    return Reference(title, doi, pmid, unverified is True)


def cited(text: str, references: Mapping[str, Reference]) -> list[str]:
    """Keys of the references that ``text`` cites."""
    return [key for key in references if re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", text)]


def class_of(text: str, references: Mapping[str, Reference]) -> str:
    """Which of :data:`CLASSES` a source is; empty where nothing stands behind it."""
    plain = text.strip().lower()
    for word in _NO_PAPER:
        if plain.startswith(word):
            return word
    keys = cited(text, references)
    if _IDENTIFIER.search(text) or any(not references[key].unverified for key in keys):
        return "DOI or PMID"
    if _ACCESSION.search(text):
        return "accession"
    return "unverified" if keys else ""


def uncited(text: str, references: Mapping[str, Reference]) -> list[str]:
    """What looks like the citation of a paper in ``text`` and is no key of the references."""
    return [name for name in _CITATION.findall(text) if name not in references]


def check_sources(folder: Path, models: Iterable[Model]) -> Sources:
    """Look at every source in a folder of bundled files and in its ``models``."""
    references = read_references(folder / REFERENCES)
    classes: Counter[str] = Counter()
    problems: list[str] = []
    texts = [(f"{name}: {where}", text) for name in FILES for where, text in _entries(read_toml(folder / name), "")]
    for model in models:
        texts += [
            (f"{Path(model.source).name}, line {note.line}: {note.name}", _as_text(note.kind, note.text))
            for note in model.annotations
            if note.kind in ("source", "estimate", "calibrated")
        ]
    for where, text in texts:
        found = class_of(text, references)
        classes[found] += 1
        if not found:
            problems.append(
                f"{where}: '{text}' is neither an estimate nor calibrated, and cites nothing of {REFERENCES}"
                if text
                else f"{where}: a value without a source"
            )
        problems += [f"{where}: '{name}' is not in {REFERENCES}" for name in uncited(text, references)]
    counts = {name: classes[name] for name in CLASSES if classes[name]}
    unverified = sum(one.unverified for one in references.values())
    return Sources(counts, (len(references), unverified), tuple(dict.fromkeys(problems)))


def bundled_sources(model: Model) -> Sources | None:
    """The sources behind a bundled model and the files beside it; None for a model of somebody else, and for one of an
    earlier version, which stays as it was.

    Raises :class:`InputError` where the references cannot be read.
    """
    if model.version != current_version():
        return None
    folder = models_folder()
    return check_sources(folder, [load_model(path.stem) for path in sorted(folder.glob("*.ant"))])


def _as_text(kind: str, text: str) -> str:
    return text if kind == "source" else f"{kind}: {text}"


def _entries(content: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every source below ``content`` with the place it stands at; an empty text for a value without one."""
    if isinstance(content, list):
        for number, item in enumerate(content, start=1):
            yield from _entries(item, f"{where}[{number}]")
    if not isinstance(content, dict):
        return
    for key in _KEYS:
        if isinstance(content.get(key), str):
            yield where or key, content[key]
    if "value" in content and "source" not in content and not isinstance(content["value"], str):
        yield where, ""
    for key, item in content.items():
        yield from _entries(item, f"{where}.{key}" if where else str(key))
