"""A command as an experiment file: TOML that ``--save-experiment`` writes and ``pathsim run`` reads.

::

    verb = "dose-response"
    made_with = "pathsim 0.1.0; pi3k_mapk@0.2 (0123456789ab)"

    [arguments]
    names = ["T47D", "alpelisib"]

    [options]
    doses = "1 nM .. 10 uM x 9"

Options have the names of the command line. All are written, those at their default too, so that another default changes
nothing; paths stay as they were typed and are looked up from where the file is run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import brief, raise_together, unknown
from ..files import read_toml, toml_text

_KEYS = ("verb", "made_with", "arguments", "options")


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a file holds: values of arguments in their order, and of options, by name."""

    verb: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    made_with: str = ""

    def words(self, without: Sequence[str] = ()) -> list[str]:
        """The command line, but for the options named ``without``."""
        found = [self.verb]
        for name, value in self.options.items():
            if name not in without:
                found += _words(name, value)
        plain = [str(one) for value in self.arguments.values() for one in _listed(value)]
        return [*found, "--", *plain] if any(word.startswith("-") for word in plain) else [found[0], *plain, *found[1:]]

    def text(self) -> str:
        """The file."""
        lines = [
            "# An experiment: pathsim run FILE does it again; options behind FILE replace those of the file.",
            f"verb = {_value(self.verb)}",
            f"made_with = {_value(self.made_with)}",
        ]
        for heading, values in (("arguments", self.arguments), ("options", self.options)):
            lines += ["", f"[{heading}]", *(f"{name} = {_value(value)}" for name, value in values.items())]
        return "\n".join(lines) + "\n"


def read_experiment(path: str | Path, verbs: Sequence[str]) -> Experiment:
    """Read a file. Raises :class:`InputError` naming every entry that makes no sense."""
    content = read_toml(path)
    problems = [str(unknown("entry", key, _KEYS)) for key in content if key not in _KEYS]
    verb, made_with = content.get("verb"), content.get("made_with", "")
    if verb not in verbs:
        problems.append(
            f'verb is missing; write verb = "{verbs[0]}"' if verb is None else str(unknown("verb", str(verb), verbs))
        )
    if not isinstance(made_with, str):
        problems.append(f"made_with is {brief(repr(made_with))}, not a text")
    tables = {}
    for heading in ("arguments", "options"):
        table = content.get(heading, {})
        if not isinstance(table, dict):
            problems.append(f"{heading} is {brief(repr(table))}, not a table [{heading}]")
            table = {}
        problems += [
            f"{heading}.{name} is {brief(repr(value))}; it must be a text, a number, true, false or a list of texts"
            for name, value in table.items()
            if not all(isinstance(one, str | int | float) for one in _listed(value))
        ]
        tables[heading] = table
    raise_together(problems, str(path))
    return Experiment(str(verb), tables["arguments"], tables["options"], str(made_with))


def experiment_of(command: Any, verb: str, words: Sequence[str], made_with: str) -> Experiment:
    """What a verb (a command of typer) is asked for by ``words``.

    Raises :class:`InputError` for a verb that has no command, and what typer finds wrong with the words.
    """
    context = command.make_context(verb, list(words))
    arguments, options = {}, {}
    for parameter in command.params:
        value = context.params.get(parameter.name)
        if value is None or (isinstance(value, list | tuple) and not value) or parameter.name == "help":
            continue
        plain = [str(one) for one in value] if isinstance(value, list | tuple) else _plain(value)
        if parameter.param_type_name == "argument":
            arguments[parameter.name] = plain
        elif plain is not False or parameter.secondary_opts:
            options[option_name(parameter)] = plain
    return Experiment(verb, arguments, options, made_with)


def option_name(parameter: Any) -> str:
    """The long name of an option without its dashes."""
    return str(next(name for name in parameter.opts if name.startswith("--"))).removeprefix("--")


def replaced(command: Any, words: Sequence[str]) -> list[str]:
    """The names of the options of a verb that ``words`` name."""
    said = {word.partition("=")[0] for word in words}
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return [option_name(one) for one in options if said & {*one.opts, *one.secondary_opts}]


def _plain(value: Any) -> str | int | float | bool:
    return value if type(value) in (bool, int, float) else str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}={one}" for one in _listed(value)]


def _value(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return toml_text(value)
    return json.dumps(value) if isinstance(value, bool | int) else repr(value)
