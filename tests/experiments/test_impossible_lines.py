"""Lines that cannot be: shares of one thing that add up to more than all of it."""

from __future__ import annotations

import pytest

import pathsim as ps
from pathsim.experiments.conditions import refuse_impossible
from pathsim.experiments.timecourse import system_of

SYSTEM = system_of(ps.load_model("pi3k_mapk"))


def test_shares_of_p110_add_up_to_at_most_one() -> None:
    refuse_impossible(ps.CellLine("fine", set={"share_helical": 0.5}), SYSTEM)  # beside share_kinase 0.5 of the model
    with pytest.raises(ps.InputError) as caught:
        refuse_impossible(ps.CellLine("both", set={"share_helical": 0.6, "share_double": 0.1}), SYSTEM)
    assert str(caught.value) == (
        "both: shares of p110 alpha add up to 1.2 (share_helical 0.6 + share_kinase 0.5 + share_double 0.1); "
        "at most 1 is possible"
    )


def test_every_bundled_line_is_possible() -> None:
    library = ps.default_library()
    for name in library.cell_lines:
        refuse_impossible(library.cell_line(name), SYSTEM)
        for alteration in library.alterations:
            refuse_impossible(library.cell_line(f"{name}+{alteration}"), SYSTEM)


def test_shares_that_need_something_may_overlap() -> None:
    """Entry that needs no CDK2 may need SRC: only what a thing *is* adds up to one."""
    refuse_impossible(ps.CellLine("fine", set={"entry_CDK2_free": 0.7, "entry_SRC": 0.6}), SYSTEM)
