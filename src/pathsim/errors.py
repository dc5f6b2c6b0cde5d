"""What can go wrong, in words: every error names what failed, where, and what would be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


class PathsimError(Exception):
    """Base of every error pathsim raises on purpose; its text is meant for the user."""


class InputError(PathsimError):
    """Something the user wrote (text, file, table or argument) cannot be used as it stands."""


class UnknownNameError(InputError):
    """A name that is in no library, model or table; the message carries the near misses."""


class UnsupportedModelError(InputError):
    """A valid model with an element outside an ordinary-differential-equation simulator."""


class SimulationError(PathsimError):
    """The numbers could not be computed; the message says for which state, when, and what to try."""


def near_misses(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Known names that look like ``name``, best first; letter case, hyphens and underscores do not count."""
    from difflib import get_close_matches  # slow to load, and only wanted here

    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(folded(candidate), candidate)
    close = get_close_matches(folded(name), by_folded, n=most, cutoff=0.6)
    return [by_folded[folded] for folded in close]


def unknown(
    kind: str, name: str, known: Iterable[str], note: str = "", shown: Iterable[str] | None = None
) -> UnknownNameError:
    """The error for a misspelt ``name``: one line, with near misses or, failing those, the first known names.

    ``shown``: those of the ``known`` names that are listed; by default all.
    """
    names = list(known)
    close = near_misses(name, names)
    if close:
        advice = f"did you mean {' or '.join(close)}?"
    elif names:
        listed = sorted(names if shown is None else shown, key=str.lower)
        advice = f"known: {', '.join(listed[:8])}{', ...' if len(listed) > 8 else ''}"
    else:
        advice = "none is known"
    return UnknownNameError(f"unknown {kind} '{name}': {advice}{' ' + note if note else ''}")


def repeated(items: Iterable[T]) -> list[T]:
    """What stands more than once among ``items``, each once, in order of first appearance."""
    return [item for item, times in Counter(items).items() if times > 1]


def brief(text: str, most: int = 60) -> str:
    """``text`` as a message repeats it: on one line, and cut off after ``most`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."


MOST_LINES = 200


def raise_together(problems: list[str], heading: str = "") -> None:
    """Raise one :class:`InputError` that lists the problems, or return when there is none.

    All are counted; of more than :data:`MOST_LINES`, as of a table that is wrong throughout, the first are listed.
    """
    if not problems:
        return
    if len(problems) == 1:
        raise InputError(f"{heading}: {problems[0]}" if heading else problems[0])
    lines = "\n".join(f"  {problem}" for problem in problems[:MOST_LINES])
    if len(problems) > MOST_LINES:
        lines += f"\n  and {len(problems) - MOST_LINES} more"
    raise InputError(f"{heading or 'several problems'} ({len(problems)} problems):\n{lines}")


def folded(name: str) -> str:
    """``name`` by its letters and digits alone, in lower case."""
    return "".join(character for character in name.lower() if character.isalnum())
