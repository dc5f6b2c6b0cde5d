"""The first tag of an SBML file, looked at before libsbml sees it: libsbml ends the process over some wrong ones."""

from __future__ import annotations

from xml.parsers import expat

from ..errors import InputError

_BASE = "http://www.sbml.org/sbml/"
_NAMESPACES = {
    (1, 1): f"{_BASE}level1",
    (1, 2): f"{_BASE}level1",
    (2, 1): f"{_BASE}level2",
    **{(2, version): f"{_BASE}level2/version{version}" for version in (2, 3, 4, 5)},
    **{(3, version): f"{_BASE}level3/version{version}/core" for version in (1, 2)},
}


def check_header(content: bytes, source: str) -> None:
    """Raise :class:`InputError` unless the file begins with an ``sbml`` element whose namespace, level and version
    belong together."""
    name, attributes = _first_tag(content, source)
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


def _first_tag(content: bytes, source: str) -> tuple[str, dict[str, str]]:
    """Name (namespace, blank, tag) and attributes of the first element; the whole file must be XML."""
    tags: list[tuple[str, dict[str, str]]] = []

    def found(name: str, attributes: dict[str, str]) -> None:
        if not tags:
            tags.append((name, attributes))

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = found
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise InputError(f"{source}, line {error.lineno}: not XML: {expat.ErrorString(error.code)}") from None
    except (LookupError, ValueError) as error:  # an encoding nobody knows
        raise InputError(f"{source}: not XML: {error}") from None
    if not tags:
        raise InputError(f"{source}: the file holds no element")
    return tags[0]
