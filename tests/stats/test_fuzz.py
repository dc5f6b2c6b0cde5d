"""Anything handed to the statistics gives a result or one InputError: a seeded fuzz over all public functions."""

from __future__ import annotations

import datetime
import math
import random
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pathsim.errors import InputError
from pathsim.stats import growth_rate, hill, survival, synergy
from pathsim.stats.synergy import Response

DOSES = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0]
LONG = {"value": "response", "dose1_nM": "conc1", "dose2_nM": "conc2"}
PAIRS = [(a, b) for a in DOSES[::2] for b in DOSES[::2]]
ODD: list[Any] = [
    None,
    math.nan,
    math.inf,
    -1,
    0,
    1e-300,
    1e300,
    2**64,
    10**400,
    "1",
    "24h",
    "",
    "<0.1",
    b"1",
    True,
    1j,
    [1],
    {},
    (),
    Fraction(1, 3),
    Decimal("0.3"),
    Decimal("NaN"),
    np.float32(0.3),
    np.int8(1),
    np.bool_(True),
    pd.NA,
    pd.NaT,
    object(),
    datetime.timedelta(hours=1),
    np.datetime64("2020-01-01"),
    0.1 + 0.2,
    -0.0,
    5e-324,
]


def spoilt(values: list[Any], draw: random.Random) -> Any:
    """``values`` as some other container, shorter, constant, or with odd entries; sometimes not a list at all."""
    found = list(values)
    for _ in range(draw.choice([0, 0, 1, 1, 3])):
        if found:
            found[draw.randrange(len(found))] = draw.choice(ODD)
    how = draw.randrange(14)
    if how == 0:
        return draw.choice(ODD)
    if how == 1:
        return found[: draw.randrange(len(found) + 1)]
    if how == 2:
        return [found[0]] * len(found)
    if how == 3:
        return pd.Series(found, dtype=object)
    if how == 4:
        return iter(found)
    if how == 5:
        return [found, found]
    if how == 6:
        return [draw.choice([0.0, 0.5, 1.0, -0.3, 1e99]) for _ in found]
    return found


def one_odd_cell(frame: pd.DataFrame, draw: random.Random) -> pd.DataFrame:
    column = draw.choice(list(frame.columns))
    cells = list(frame[column])
    cells[draw.randrange(len(cells))] = draw.choice(ODD)
    return frame.assign(**{column: pd.Series(cells, index=frame.index, dtype=object)})


def calls(draw: random.Random) -> list[Callable[[], Any]]:
    fall = [1 / (1 + d) for d in DOSES]
    flags, arms = [1, 0, 1, 1, 0, 1], ["a", "b", "a", "b", "b", "a"]
    doses, responses = spoilt(DOSES, draw), spoilt(fall, draw)
    option = draw.choice([*ODD, 0.9, 0.9, 0.9])
    pairs, matrix = spoilt([list(pair) for pair in PAIRS], draw), spoilt([1 / (1 + a + b) for a, b in PAIRS], draw)
    frame = pd.DataFrame({"time_days": [1.0, 2, 3, 4, 5, 6], "event": flags, "arm": arms}).astype(object)
    frame = one_odd_cell(frame, draw)
    table = pd.DataFrame(
        {
            "cell_line": "T47D",
            "treatment": [f"A {d:g} nM" for d in DOSES],
            "time_min": 60.0,
            "readout": "viability",
            "value": fall,
            "drug": "A",
            "dose_nM": DOSES,
        }
    ).astype(object)
    table = one_odd_cell(table, draw)
    screen = pd.DataFrame(
        {
            "cell_line": "T47D",
            "treatment": "screen",
            "time_min": 60.0,
            "readout": "viability",
            "value": [1 / (1 + a + b) for a, b in PAIRS],
            "drug1": "A",
            "dose1_nM": [a for a, _ in PAIRS],
            "drug2": "B",
            "dose2_nM": [b for _, b in PAIRS],
        }
    ).astype(object)
    screen = one_odd_cell(screen, draw)
    curve = hill.fit(DOSES, fall, top=1.0, bottom=0.0, h=1.0)
    scale = draw.choice([*Response, Response.VIABILITY_FRACTION, option])
    return [
        lambda: hill.fit(doses, responses, top=1.0, bottom=0.0, h=1.0),
        lambda: hill.fit(DOSES, fall, spoilt(DOSES, draw), top=option, bottom=0.0, h=1.0),
        lambda: hill.fit(DOSES, fall, confidence=option, top=1.0, bottom=0.0, h=draw.choice([option, 1.0])),
        lambda: curve(doses),
        lambda: curve.interval(doses),
        lambda: hill.potency(curve, option),
        lambda: hill.fit_table(table, top=1.0, bottom=0.0, h=1.0),
        lambda: hill.fit_table(option),
        lambda: growth_rate.values(spoilt([10, 9, 8], draw), spoilt([12, 12, 12], draw), option),
        lambda: growth_rate.metrics(doses, spoilt([40, 35, 30, 20, 12, 9], draw), 40, draw.choice([10, option])),
        lambda: survival.kaplan_meier(doses, spoilt(flags, draw), confidence=draw.choice([0.9, option])),
        lambda: survival.log_rank(doses, spoilt(arms, draw), spoilt(flags, draw)),
        lambda: survival.by_arm(frame),
        lambda: survival.by_arm(option),
        lambda: survival.kaplan_meier(DOSES).at(option),
        lambda: survival.kaplan_meier(DOSES).number_at_risk(doses),
        lambda: survival.kaplan_meier(DOSES).quantile(option),
        lambda: synergy.bliss(pairs, matrix, resamples=5, scale=scale),
        lambda: synergy.hsa(pairs, matrix, resamples=0),
        lambda: synergy.combination_index(pairs, matrix),
        lambda: synergy.median_effect(doses, responses),
        lambda: synergy.from_matrix(DOSES[:3], doses, matrix),
        lambda: synergy.bliss(screen, resamples=0),
        lambda: synergy.experiments(screen),
        lambda: synergy.bliss(option, matrix),
        lambda: synergy.experiments(option),
        lambda: synergy.from_long(screen.rename(columns=LONG), Response.VIABILITY_FRACTION),
        lambda: synergy.Wells(("A", "B"), ("nM", "nM"), pairs, matrix),
        lambda: synergy.rank([option]),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_any_argument_gives_a_result_or_one_error(seed: int) -> None:
    draw = random.Random(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for _ in range(6):
            for place, call in enumerate(calls(draw)):
                try:
                    call()
                except InputError as error:
                    said = str(error)
                    if not said or said.count("\n") > 40:
                        pytest.fail(f"call {place} of seed {seed} says: {said!r}")
                except Exception as error:
                    raise AssertionError(f"call {place} of seed {seed}") from error


PIECES = [b"", b",", b"\n", b'"', b"nan", b"-", b"\xb5", b"\0"]


def test_files_of_any_bytes(tmp_path: Path) -> None:
    good = b"block_id,drug1,drug2,conc1,conc2,conc_unit,response\n1,A,B,0,0,nM,1\n1,A,B,0,1,nM,0.7\n1,A,B,1,0,nM,0.5\n"
    path, draw = tmp_path / "screen.csv", random.Random(0)
    for _ in range(150):
        text = bytearray(good + b"1,A,B,1,1,nM,0.3\n")
        for _ in range(draw.randrange(1, 5)):
            place = draw.randrange(len(text))
            text[place : place + draw.randrange(4)] = draw.choice(
                [b"", b",", b"\n", b'"', b"nan", b"-", b"\xb5", b"\0"]
            )
        path.write_bytes(bytes(text))
        try:
            synergy.read_csv(path, Response.VIABILITY_FRACTION)
        except InputError:
            continue
