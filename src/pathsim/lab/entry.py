"""One table of a TOML file of the library, read field by field: what is of another kind is a problem in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..errors import InputError, brief, unknown
from .names import check_name


class Entry:
    """The table ``content`` called ``where``; problems are added to ``problems``, and a stand-in is returned."""

    def __init__(self, where: str, content: Any, problems: list[str]) -> None:
        self.where, self.problems = where, problems
        self.content: dict[str, Any] = content if isinstance(content, dict) else {}
        if not isinstance(content, dict):
            problems.append(
                f"{where} is not a table but {brief(repr(content))}; write {where} and the entries below it"
            )

    def named(self, name: str) -> str:
        """``name``; one that holds a path is a problem, for names become parts of file names."""
        try:
            check_name(name)
        except InputError as error:
            self.problems.append(f"{self.where} {error}")
            return "unnamed"
        return name

    def check_keys(self, known: Iterable[str]) -> None:
        """Every key that is not ``known`` is a problem."""
        names = list(known)
        self.problems += [
            str(unknown("key", key, names, f"in {self.where}")) for key in self.content if key not in names
        ]

    def number(self, key: str, default: float = math.nan) -> float:
        """A finite number; without ``default`` it is needed."""
        value = self.content.get(key, default)
        if key in self.content or math.isnan(default):
            return self._finite(value, key)
        return default

    def numbers(self) -> dict[str, float]:
        """All entries, each a finite number."""
        return {key: self._finite(value, key) for key, value in self.content.items()}

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        value = self.content.get(key, default)
        if isinstance(value, str):
            return value
        self.problems.append(f"{self.where} {key} is {brief(repr(value))}, not a text")
        return default

    def named_texts(self) -> dict[str, str]:
        """All entries, each a text."""
        return {key: self.text(key) for key in self.content}

    def truth(self, key: str) -> bool:
        """True or false, which it is where it is not given."""
        value = self.content.get(key, False)
        if isinstance(value, bool):
            return value
        self.problems.append(f"{self.where} {key} is {brief(repr(value))}, not true or false")
        return False

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.content.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.problems.append(f"{self.where} {key} is {brief(repr(value))}, not a list of texts")
        return ()

    def table(self, key: str) -> Entry:
        """The table under ``key``, empty where there is none."""
        return Entry(f"{self.where} {key}".strip(), self.content.get(key, {}), self.problems)

    def sourced_number(self, key: str, needs: str = '{ value = ..., source = "..." }') -> tuple[float, Entry] | None:
        """The number and the table of ``key = { value, source }``; None, with a problem, for anything else."""
        item = self.content.get(key)
        if not isinstance(item, dict) or "value" not in item or not str(item.get("source", "")).strip():
            self.problems.append(f"{self.where}.{key} needs {needs}")
            return None
        return self._finite(item["value"], key), Entry(f"{self.where}.{key}", item, self.problems)

    def sourced(self, key: str, source: str = "") -> tuple[dict[str, float], dict[str, str]]:
        """``{name: {value, source}}`` under ``key`` as two mappings; every number must name its source.

        Where all share one ``source``, a number may stand alone.
        """
        values: dict[str, float] = {}
        sources: dict[str, str] = {}
        table = self.table(key)
        for name, item in table.content.items():
            if source.strip() and not isinstance(item, dict):
                values[name], sources[name] = table._finite(item, name), source
                continue
            found = table.sourced_number(name)
            if found is not None:
                values[name], sources[name] = found[0], str(found[1].content["source"])
        return values, sources

    def _finite(self, value: Any, name: str) -> float:
        try:
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                return float(value)
        except OverflowError:  # a whole number beyond all floats
            pass
        self.problems.append(f"{self.where} {name} is {brief(repr(value))}, not a finite number")
        return 1.0
