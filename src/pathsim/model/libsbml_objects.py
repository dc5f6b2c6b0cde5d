"""libsbml by its C++ functions, without the 900 Python classes over them: making those takes 0.15 s, which is most of
the time that the first reading of a file on a machine takes.

``libsbml/_libsbml`` holds a function ``Class_method`` for every method; objects of it know their class and no method.
An :class:`Element` is such an object with its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


def _extension() -> ModuleType:
    """The extension module inside the package, which is not imported itself."""
    package = find_spec("libsbml")
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("_libsbml", places) if places else None
    if found is None or found.loader is None:
        raise ImportError("libsbml is not installed, or not as python-libsbml 5.20 is: pip install python-libsbml")
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


LIBRARY: Any = _extension()
"""Functions that belong to no class, and constants."""

_BASES = {
    "AssignmentRule": "Rule",
    "RateRule": "Rule",
    "AlgebraicRule": "Rule",
    "SpeciesReference": "SimpleSpeciesReference",
    "ModifierSpeciesReference": "SimpleSpeciesReference",
    "LocalParameter": "Parameter",
    "SBMLError": "XMLError",
    "SBMLErrorLog": "XMLErrorLog",
    "XMLNode": "XMLToken",
}
"""Where a class has methods from, besides ListOf of all whose names begin so and SBase."""


class Element:
    """An object of libsbml. Each class of libsbml has one of these, which gets a method when that is first used."""

    __slots__ = ("made",)

    def __init__(self, made: Any) -> None:
        self.made = made

    def __getattr__(self, method: str) -> Callable[..., Any]:
        setattr(type(self), method, _method(_function(type(self).__name__, method)))
        return getattr(self, method)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Element]:
        """The elements of a ListOf."""
        for i in range(LIBRARY.ListOf_size(self.made)):
            yield wrapped(LIBRARY.ListOf_get(self.made, i))


def wrapped(made: Any) -> Element:
    """What a function gives that is neither number nor text."""
    kind = type(made).__name__  # where somebody has imported libsbml, it is of one of its classes
    if kind == "SwigPyObject":
        kind = repr(made).split("'")[1].split(" ")[0]  # <Swig Object of type 'Species *' at 0x...>
    return _class_of(kind)(made)


@cache
def _class_of(kind: str) -> type[Element]:
    return type(kind, (Element,), {"__slots__": ()})


_PLAIN = frozenset({int, float, bool, str, type(None)})
"""Types of what functions give besides objects."""


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(element: Element, *arguments: Any) -> Any:
        found = function(element.made, *arguments)
        return found if type(found) in _PLAIN else wrapped(found)

    return method


@contextmanager
def opened(text: str) -> Iterator[Any]:
    """The document in SBML text, which may have errors; everything of it ends with the block."""
    document = LIBRARY.readSBMLFromString(text)
    try:
        yield wrapped(document)
    finally:
        LIBRARY.delete_SBMLDocument(document)


@contextmanager
def conversion(**options: bool) -> Iterator[Any]:
    """What a document is asked to be converted with, an object of libsbml; underscores stand for blanks."""
    properties = LIBRARY.new_ConversionProperties()
    try:
        for name, value in options.items():
            LIBRARY.ConversionProperties_addOption(properties, name.replace("_", " "), value)
        yield properties
    finally:
        LIBRARY.delete_ConversionProperties(properties)


def _function(kind: str, method: str) -> Callable[..., Any]:
    """The function behind a method, of the class or of one that it has it from."""
    bases = ("ListOf",) if kind.startswith("ListOf") else ()
    for owner in (kind, *_BASES.get(kind, "").split(), *bases, "SBase"):
        found = getattr(LIBRARY, f"{owner}_{method}", None)
        if found is not None:
            return found  # type: ignore[no-any-return]
    raise AttributeError(f"libsbml's {kind} has no {method}")
