"""Records come back as they were written, or the file and line of what is wrong are named."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest

from pathsim.errors import InputError
from pathsim.estimation.result import Start
from pathsim.stored_records import json_lines, record_of

START = Start(0, (1.0,), (2.0,), math.inf, False, "why", 1, 2, 3, 4, 0.5, {"failed": 2})


def test_a_record_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "starts.jsonl"
    path.write_text(json.dumps(asdict(START)) + '\n{"number": 1, "beg\n' + json.dumps(asdict(START)) + "\n")
    assert [record_of(Start, content, where) for where, content in json_lines(path)] == [START, START]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": "low"}, "'value' is 'low', not float"),
        ({"value": True}, "'value' is True, not float"),
        ({"number": 0.5}, "'number' is 0.5, not int"),
        ({"theta": [1.0, None]}, "'theta' is None, not float"),
        ({"theta": 3}, r"'theta' is 3, not tuple\[float, ...\]"),
        ({"failures": {"x": []}}, r"'failures' is \[\], not int"),
        ({"seconds": 10**400}, "'seconds' is a number too large"),
        ({"extra": 1}, "the entry 'extra' is not known"),
    ],
)
def test_a_wrong_entry_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=f"file, line 2: {said}"):
        record_of(Start, {**asdict(START), "begin": [1.0], "theta": [2.0], **changes}, "file, line 2")
    with pytest.raises(InputError, match="'number' is missing"):
        record_of(Start, {}, "file")


@pytest.mark.parametrize("line", ["[1}", "nonsense}", "[" * 10_000 + "}"])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "starts.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=r"starts\.jsonl, line 2: "):
        list(json_lines(path))
