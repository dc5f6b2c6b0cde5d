"""SBML text made ready for libsbml, which ends the process over some wrong files and refuses some right ones.

What comes in is the bytes of a file; what goes out is text in UTF-8 that

- is XML, begins with an ``sbml`` element whose namespace, level and version belong together, names no other document
  (so that reading never opens an address) and nests no deeper than formulas do;
- holds nothing that is not required for the maths (drawings, groups, what vendors add, notes and annotations): it is
  blanked, line by line, so that messages name the lines of the file;
- has the usual prefix of the package ``comp``, the only one libsbml can flatten.

Packages that change what a model means are refused in one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

from ..errors import InputError, UnsupportedModelError

_BASE = "http://www.sbml.org/sbml/"
_NAMESPACES = {
    (1, 1): f"{_BASE}level1",
    (1, 2): f"{_BASE}level1",
    (2, 1): f"{_BASE}level2",
    **{(2, version): f"{_BASE}level2/version{version}" for version in (2, 3, 4, 5)},
    **{(3, version): f"{_BASE}level3/version{version}/core" for version in (1, 2)},
}
_CORES = frozenset(_NAMESPACES.values())
_PACKAGE = re.compile(rf"{re.escape(_BASE)}level3/version\d+/(?P<name>\w+)/version\d+$")
_DRAWINGS = ("http://projects.eml.org/bcb/sbml/level2", "http://projects.eml.org/bcb/sbml/render/level2")
"""Layout and rendering as they were written before Level 3."""
_UNDERSTOOD = ("comp", "l3v2extendedmath")
_BESIDES = ("fbc", "groups", "layout", "render")
"""Packages that leave an ODE model as it is, whatever they say of being required."""
_QUALITATIVE = "qual"
"""The package whose elements are the model, so that without them nothing is left of it."""
_MATHS = "http://www.w3.org/1998/Math/MathML"
_CONTEXT = ("http://www.w3.org/XML/1998/namespace", _MATHS)
_REMARKS = ("notes", "annotation", "message")
_OURS = re.compile(rb"""class\s*=\s*["']pathsim|sbml\.org/annotations/symbols""")
"""What notes and annotations are kept for: comments of exported models, and symbols that stand for others."""
_BLANK = bytes(byte if byte == ord("\n") else ord(" ") for byte in range(256))
"""Every byte as a blank, so that lines stay where they are."""
DEEPEST = 5000


@dataclass
class _Seen:
    """What one pass over the elements of a file finds."""

    root: tuple[str, dict[str, str]] | None = None
    prefixes: dict[str, str] = field(default_factory=dict)  # of the root element
    blanks: list[tuple[int, int]] = field(default_factory=list)  # first and last byte of elements to leave out
    refused: set[str] = field(default_factory=set)  # packages
    problem: str = ""


def prepare_sbml(content: bytes, source: str) -> bytes:
    """``content`` as libsbml can read it, in UTF-8. Raises :class:`InputError` in one line for what is not SBML, and
    :class:`UnsupportedModelError` for packages outside an ODE simulator; ``source`` is what messages call the file."""
    text = _as_utf8(content, source)
    seen = _look_through(text, source)
    assert seen.root is not None
    level = _check_root(*seen.root, source)
    _refuse_packages(seen, level, source)
    blanked = bytearray(text)
    for first, last in seen.blanks:
        blanked[first:last] = text[first:last].translate(_BLANK)
    return _plain_root(bytes(blanked), seen.prefixes, level)


def _as_utf8(content: bytes, source: str) -> bytes:
    """The text in UTF-8, whatever its byte order mark or XML declaration say of the file."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif content[:3] == b"\xef\xbb\xbf":
        encoding = "utf-8-sig"
    else:
        declared = re.match(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']", content)
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{source}, line {line}: not XML: byte {error.start + 1} is not {encoding} text") from None
    except LookupError:
        raise InputError(f"{source}: not XML: unknown encoding: {encoding}") from None
    # libsbml wants a declaration that names the encoding, which XML does not
    text = re.sub(r"^<\?xml\s[^>]*\?>", '<?xml version="1.0" encoding="UTF-8"?>', text, count=1)
    return text.encode(errors="replace")


def _look_through(content: bytes, source: str) -> _Seen:
    """Name (namespace, blank, tag) and attributes of the first element, and what to leave out; all must be XML."""
    seen = _Seen()
    depth = maths = 0  # of elements and of formulas that are open
    blank, remark = 0, False  # depth at which an element to leave out began, and whether it is one of _REMARKS
    parser = expat.ParserCreate(namespace_separator=" ")

    def namespace(prefix: str | None, uri: str | None) -> None:
        if seen.root is None:
            seen.prefixes[prefix or ""] = uri or ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, maths, blank, remark
        depth += 1
        if depth > DEEPEST and not seen.problem:
            seen.problem = f"line {parser.CurrentLineNumber}: elements nested more than {DEEPEST} levels deep"
        if blank:
            return
        if depth == 1:
            seen.root = name, attributes
        what = _what(name)
        maths += what.maths
        if what.qualitative:
            seen.refused.add(_QUALITATIVE)
        if depth > 1 and (what.remark or (what.beside and not maths)):
            blank, remark = depth, what.remark
            seen.blanks.append((parser.CurrentByteIndex, 0))
        elif attributes and " " in "".join(attributes):  # some have a prefix
            beside = {key.rpartition(" ")[2] for key in attributes if _is_beside(key.rpartition(" ")[0])}
            seen.blanks += _attributes(content, parser.CurrentByteIndex, beside)

    def end(name: str) -> None:
        nonlocal depth, maths, blank
        if depth == blank:
            first, last = seen.blanks[-1][0], parser.CurrentByteIndex  # which is behind an empty element
            tag = re.match(rb"[^\s/>]+", content[first + 1 : first + 1000])
            if tag is not None and content.startswith(b"</" + tag[0], last):
                last = content.index(b">", last) + 1
            seen.blanks[-1] = first, last
            if remark and _OURS.search(content, first, last):
                seen.blanks.pop()
            blank = 0
        if maths and not blank:
            maths -= _what(name).maths
        depth -= 1

    def doctype(name: str, system: str | None, public: str | None, internal: int) -> None:
        if system or public or internal:
            seen.problem = (
                f"line {parser.CurrentLineNumber}: a document type declaration, which SBML does not have"
                if name.lower() != "html"
                else "a page in HTML, not a model"
            )

    parser.StartNamespaceDeclHandler = namespace
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        if re.search(rb"<!doctype html|<html\b", content[:4096], re.IGNORECASE):
            raise InputError(f"{source}: a page in HTML, not a model") from None
        raise InputError(f"{source}, line {error.lineno}: not XML: {expat.ErrorString(error.code)}") from None
    if seen.problem:
        raise InputError(f"{source}, {seen.problem}" if seen.problem[:4] == "line" else f"{source}: {seen.problem}")
    if seen.root is None:
        raise InputError(f"{source}: the file holds no element")
    return seen


class _What(NamedTuple):
    """What an element is, by its name."""

    maths: bool
    remark: bool
    qualitative: bool
    beside: bool


@lru_cache(maxsize=1000)
def _what(name: str) -> _What:
    """Of a name as expat gives it: namespace, blank, tag. A file has thousands of elements of a few dozen names."""
    place, _, tag = name.rpartition(" ")
    package = _PACKAGE.match(place)
    return _What(
        maths=tag == "math",
        remark=place in _CORES and tag in _REMARKS,
        qualitative=package is not None and package["name"] == _QUALITATIVE,
        beside=_is_beside(place),
    )


_TAG = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_PREFIXED = re.compile(rb"\s(?!xmlns:)[^\s=:\"'<>/]+:([^\s=:\"'<>/]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def _attributes(content: bytes, first: int, names: set[str]) -> Iterator[tuple[int, int]]:
    """Where the attributes with a prefix and one of these names stand in the tag that begins at ``first``."""
    tag = _TAG.match(content, first)
    for found in _PREFIXED.finditer(content, first, tag.end() if tag is not None else first):
        if found[1].decode(errors="replace") in names:
            yield found.span()


def _check_root(name: str, attributes: dict[str, str], source: str) -> int:
    """The level of the file, whose namespace, level and version must belong together."""
    namespace, _, tag = name.rpartition(" ")
    if tag != "sbml":
        raise InputError(f"{source}: not an SBML file: its first element is <{tag}>, expected <sbml>")
    level, version = (attributes.get(key, "").strip() for key in ("level", "version"))
    if not (level.isdigit() and version.isdigit()) or (int(level), int(version)) not in _NAMESPACES:
        raise InputError(f"{source}: SBML level '{level}' version '{version}' does not exist")
    expected = _NAMESPACES[int(level), int(version)]
    if namespace != expected:
        raise InputError(
            f"{source}: the namespace '{namespace}' does not belong to SBML level {level} version {version}, "
            f"whose namespace is '{expected}'"
        )
    return int(level)


def _is_beside(namespace: str) -> bool:
    """Whether elements of this namespace leave the maths of a model as it is. Those of SBML itself do not, nor do
    those of namespaces that look like it or stand nowhere."""
    package = _PACKAGE.match(namespace)
    if package is not None:
        return package["name"] not in _UNDERSTOOD
    return namespace in _DRAWINGS or bool(namespace and namespace not in _CONTEXT and "sbml.org/sbml" not in namespace)


def _refuse_packages(seen: _Seen, level: int, source: str) -> None:
    """Raise for a package that is required and not understood, or that this level of SBML cannot have."""
    assert seen.root is not None
    for name in seen.refused:
        raise UnsupportedModelError(f"{source}: the SBML package '{name}' is outside an ODE simulator")
    for name, value in seen.root[1].items():
        namespace, _, attribute = name.rpartition(" ")
        package = _PACKAGE.match(namespace)
        if attribute != "required" or package is None or value.strip() not in ("true", "1"):
            continue
        if package["name"] not in (*_UNDERSTOOD, *_BESIDES):
            raise UnsupportedModelError(f"{source}: the SBML package '{package['name']}' is outside an ODE simulator")
        if level < 3 and package["name"] in _UNDERSTOOD:
            raise InputError(
                f"{source}: the package '{package['name']}' needs SBML Level 3; this file is Level {level}"
            )


def _plain_root(content: bytes, prefixes: dict[str, str], level: int) -> bytes:
    """The first tag without packages that are left out, and the usual prefixes where submodels have to be flattened."""
    for prefix, uri in prefixes.items():
        package = _PACKAGE.match(uri)
        if prefix and (uri in _DRAWINGS or (package is not None and (level < 3 or package["name"] not in _UNDERSTOOD))):
            name = re.escape(prefix.encode())
            content = re.sub(
                rb"\s(?:xmlns:" + name + rb"|" + name + rb":\w+)\s*=\s*(?:\"[^\"]*\"|'[^']*')",
                lambda match: match[0].translate(_BLANK),
                content,
            )
    comp = next((prefix for prefix, uri in prefixes.items() if "/comp/version" in uri and _PACKAGE.match(uri)), "")
    if comp and "comp" not in prefixes:
        content = _renamed(content, comp, "comp")
    core = next((prefix for prefix, uri in prefixes.items() if prefix and uri in _NAMESPACES.values()), "")
    if comp and core and "" not in prefixes:
        content = _renamed(content, core, "")
    return content


def _renamed(content: bytes, prefix: str, wanted: str) -> bytes:
    old, new = re.escape(prefix.encode()), wanted.encode()
    content = re.sub(rb"(</?|\s)" + old + rb":(?=\w)", rb"\1" + new + (b":" if new else b""), content)
    return re.sub(rb"\bxmlns:" + old + rb"(\s*=)", b"xmlns" + (b":" + new if new else b"") + rb"\1", content)
