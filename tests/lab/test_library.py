"""The shelf: names found however they are spelt, and files that are wrong refused with every reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.errors import InputError, UnknownNameError
from pathsim.lab import Alteration, CellLine, Drug


def test_everything_on_the_shelf_acts_on_the_bundled_model() -> None:
    library, model = ps.default_library(), ps.load_model("pi3k_mapk")
    known = set(model.symbols)
    for drug in library.drugs.values():
        missing = {*drug.per_nM, *drug.per_percent} - known
        assert not missing, f"{drug.name}: {missing}"
    for line in library.cell_lines.values():
        assert not {*line.set, *line.scale} - known, line.name
    for alteration in library.alterations.values():
        assert not {*alteration.set, *alteration.scale} - known, alteration.name


def test_every_number_names_its_source() -> None:
    library = ps.default_library()
    for drug in library.drugs.values():
        for parameter in (*drug.per_nM, *drug.per_percent):
            assert drug.sources[parameter].strip(), f"{drug.name}: {parameter}"
    for line in library.cell_lines.values():
        for parameter in (*line.set, *line.scale):
            assert line.sources[parameter].strip(), f"{line.name}: {parameter}"


@pytest.mark.parametrize(
    ("look", "name", "says"),
    [
        ("drug", "alpelisb", "did you mean alpelisib"),
        ("cell_line", "T47", "did you mean T47D"),
        ("cell_line", "T47D+PTEN_los", "unknown alteration 'PTEN_los': did you mean PTEN_loss"),
    ],
)
def test_misspelt_names_bring_near_misses(look: str, name: str, says: str) -> None:
    with pytest.raises(UnknownNameError, match=says):
        getattr(ps.default_library(), look)(name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[new\n", "not valid TOML"),
        ("new = 1\n", r"\[new\] is not a table"),
        ("[new]\nknd = 'drug'\n", "unknown key 'knd': did you mean kind"),
        ("[new]\nKd_nM.SRC = { value = 5 }\n", "needs { value = ..., source"),
        ("[new]\nKd_nM.SRC = { value = 0, source = 'x' }\n", "a dissociation constant is positive"),
    ],
)
def test_a_drug_file_that_is_wrong_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "drugs.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        ps.default_library().with_drugs(path)
    assert "drugs.toml" in str(caught.value)


def test_a_drug_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "drugs.toml"
    path.write_text("[newdrug]\nkind = 'drug'\nKd_nM.SRC = { value = 5, source = 'in house' }\n")
    library = ps.default_library().with_drugs(path)
    assert library.drug("NEWDRUG").per_nM == {"drug_on_SRC": 0.2}
    assert "alpelisib" in library.drugs


@pytest.mark.parametrize("name", ["../../evil", "a/b", "/etc/x", "..", ".hidden", "a\\b", "C:x", "a\nb", " ", "a\0b"])
def test_names_that_hold_a_path_are_refused(tmp_path: Path, name: str) -> None:
    """Results are written to files named after lines and drugs."""
    path = tmp_path / "lines.toml"
    key = json.dumps(name)
    path.write_text(f"[line.{key}]\n")
    with pytest.raises(InputError, match="cannot be used: names are parts of file names"):
        ps.default_library().with_cell_lines(path)
    path.write_text(f"[{key}]\n")
    with pytest.raises(InputError, match="cannot be used: names are parts of file names"):
        ps.default_library().with_drugs(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("line = 1\n", r"line is not a table but 1"),
        ("line.x = 1\n", r"\[line.x\] is not a table but 1"),
        ("[line.x]\nset = [1]\n", r"\[line.x\] set is not a table but \[1\]"),
        ("[line.x]\nset.AKT_total = { value = '5', source = 'x' }\n", r"AKT_total is '5', not a finite number"),
        ("[line.x]\nset.AKT_total = { value = nan, source = 'x' }\n", r"AKT_total is nan, not a finite number"),
        ("[line.x]\nset.AKT_total = { value = true, source = 'x' }\n", r"AKT_total is True, not a finite number"),
        ("[line.x]\nvolume_pL = '2'\ncopies_source = 'x'\ncopies.AKT_total = 5\n", "volume_pL is '2', not a finite"),
        ("[line.x]\ndescription = 5\n", "description is 5, not a text"),
        (
            "[line.X]\ndescription = 'x'\nvolume_pL = 1e-320\ncopies_source = 'y'\ncopies = { AKT_total = 1e5 }\n",
            r"copies need volume_pL \(1e-06 to 1e\+09\)",
        ),
        ("[alteration.x]\nsource = 'x'\nscale.AKT_total = [2]\n", r"AKT_total is \[2\], not a finite number"),
    ],
)
def test_entries_of_the_wrong_kind_are_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "lines.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        ps.default_library().with_cell_lines(path)


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", "a\\b", "C:x", ".hidden", "", "two\nlines", "$x_{$", 3])
def test_a_name_that_holds_a_path_is_refused_wherever_it_comes_from(name: str) -> None:
    for kind in (CellLine, Drug, Alteration):
        with pytest.raises(InputError, match=r"the name .* (cannot be used|is no text)"):
            kind(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "alpelisb 1 uM",
            "looks like a treatment, which pathsim blot takes after --treatment; did you mean alpelisib?",
        ),
        ("alpelisib 1 uM + IGF1 13 nM", "unknown cell line 'alpelisib 1 uM'.*: that is a treatment"),
        ("vehicle for 24 h then BYL719 1 uM", "that is a treatment"),
        ("qqqzzz 10 nM", "looks like a treatment"),
        ("byl719", "unknown cell line 'byl719': that is a drug"),
        ("alpelisb", "looks like a drug; did you mean alpelisib"),
        ("T47D+alpelisib 1 uM", "unknown alteration 'alpelisib 1 uM': that is a treatment"),
        ("T47Dd", r"unknown cell line 'T47Dd': did you mean T47D"),
        ("nothing of the kind", "unknown cell line 'nothing of the kind': known: "),
    ],
)
def test_a_drug_or_a_treatment_in_place_of_a_line_is_called_that(name: str, says: str) -> None:
    with pytest.raises(UnknownNameError, match=says):
        ps.default_library().cell_line(name)


def test_a_potency_is_a_factor_on_all_that_a_drug_does(tmp_path: Path) -> None:
    file = tmp_path / "drugs.toml"
    text = '[newib]\npotency = {{ value = {}, source = "fitted" }}\nKd_nM.MEK = {{ value = 10, source = "assay" }}\n'
    file.write_text(text.format(2.5), encoding="utf-8")
    library = ps.default_library().with_drugs(file)
    assert library.drug("newib").per_nM["drug_on_MEK"] == pytest.approx(0.25)
    again = library.with_potencies({"potency(newib)": 1.0, "k_RAF": 3.0}).drug("newib")
    assert (again.per_nM["drug_on_MEK"], again.potency) == (pytest.approx(0.1), 1.0)
    file.write_text(text.format(-1), encoding="utf-8")
    with pytest.raises(InputError, match=r"\[newib\] potency is -1"):
        ps.default_library().with_drugs(file)
