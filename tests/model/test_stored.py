"""Models as JSON: what comes back is what went in, and nothing else is taken for a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import pathsim as ps
from pathsim.model import Model, reading, records
from pathsim.model.maths import ARITY
from pathsim.model.stored import LAYOUT, LEAVES, from_json, to_json

BUNDLED = ps.load_model("pi3k_mapk")
SPELT = (*LEAVES, *ARITY)


def test_the_bundled_model_comes_back() -> None:
    again = from_json(to_json(BUNDLED))
    assert to_json(again) == to_json(BUNDLED)
    assert (again.reactions, again.rules, again.annotations) == (BUNDLED.reactions, BUNDLED.rules, BUNDLED.annotations)


def test_every_field_has_a_letter_that_fits_its_type() -> None:
    plain = {str: "s", float: "f", bool: "b", int: "i", records.Expr: "e"}
    for kind, letters in LAYOUT.items():
        hints = get_type_hints(kind, vars(records) | {"Annotation": object})
        assert len(letters) == len(fields(kind)), kind
        for field, letter in zip(fields(kind), letters, strict=True):
            if hints[field.name] in plain:
                assert plain[hints[field.name]] == letter, (kind, field.name)


def test_formulas_of_any_depth() -> None:
    deep = records.Expr("symbol", name="x")
    for _ in range(50_000):
        deep = records.Expr("exp", (deep,))
    model = Model("m", "m", (), (), (), (), assignment_rules=(records.Rule("y", deep),))
    again = from_json(to_json(model)).assignment_rules[0].math
    for _ in range(50_000):
        assert again.op == "exp"
        again = again.args[0]
    assert again.name == "x"


def _broken() -> list[bytes]:
    good = to_json(BUNDLED)
    kind, ops, args, values, names, body = json.loads(good)
    found = [b"", b"[]", b"null", b"\xff", good[:-5], good.replace(b"pathsim model", b"another model"), b"[" * 100_000]
    first = next(
        i for i, numbers in enumerate(args) if len(numbers) == 2 and SPELT[ops[i]] in ("divide", "minus", "power")
    )
    loop, far, text, short = ([list(x) for x in args] for _ in range(4))
    loop[first], far[first], text[first], short[first] = [first], [10**9], ["0"], []
    found += [json.dumps([kind, ops, x, values, names, body]).encode() for x in (loop, far, text, short)]
    found.append(json.dumps([kind, [10**6, *ops[1:]], args, values, names, body]).encode())
    found.append(json.dumps([kind, ops, args, ["1.0", *values[1:]], names, body]).encode())
    found.append(json.dumps([kind, ops, args, values, names, body[:-1]]).encode())
    found.append(json.dumps([kind, ops, args, values, names, [1, *body[1:]]]).encode())
    found.append(
        json.dumps([kind, ops, args, values, names, [*body[:2], [["c", "1", 3.0, True, ""]], *body[3:]]]).encode()
    )
    return found


@pytest.mark.parametrize("content", _broken(), ids=range(len(_broken())))
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(content)


def test_a_cache_entry_that_is_no_model_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathsim import cache

    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "kept"))
    file = tmp_path / "m.ant"
    file.write_text("model m\n  k = 4.5;\nend\n")
    assert ps.load_model(file).parameters[0].value == 4.5
    (entry,) = (tmp_path / "kept").iterdir()
    cache.keep(entry.name, b"cos\nsystem\n(S'true'\ntR.")
    from pathsim.model import loading

    loading._remembered.cache_clear()
    assert ps.load_model(file).parameters[0].value == 4.5


def test_nothing_that_can_run_code_is_read_back() -> None:
    for path in sorted((Path(ps.__file__).parent / "model").rglob("*.py")):
        assert "pickle" not in path.read_text(encoding="utf-8"), path


def test_sbml_made_when_the_package_was_built_is_read_in_place_of_antimony(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "S in c; compartment c = 1; S = 1; J: S -> ; k*S; k = 2; // 1/min | estimate: made up"
    path, digest = tmp_path / "own.ant", hashlib.sha256(text.encode()).hexdigest()[:16]
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(reading, "made_folder", lambda: tmp_path / "made")
    plain = reading.read_model(path)
    (tmp_path / "made").mkdir()
    made = reading.read_sbml_text(path).decode().replace('value="2"', 'value="5"')
    (tmp_path / "made" / f"{digest}.xml").write_text(made, encoding="utf-8")
    again = reading.read_model(path)
    assert [item.value for item in plain.parameters] == [2]
    assert [item.value for item in again.parameters] == [5]
    assert again.annotations == plain.annotations
    path.write_text(text + "\n", encoding="utf-8")
    assert reading.read_model(path) == plain
