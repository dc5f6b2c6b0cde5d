"""What claims measure: each measure names the readings it needs and makes one number per parameter set of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..assays.screen_input import read_doses
from ..errors import InputError, brief, unknown
from ..experiments.readings import Reading
from ..lab.protocols import protocols
from ..stats.synergy import Wells, bliss, combination_index, loewe
from ..units import times_min

FULL = "serum 10 %"


@dataclass(frozen=True)
class Measure:
    """``readings(line)`` to read, and ``value(readings)`` of them: (sets, readings) -> (sets,)."""

    name: str
    readings: Callable[[str], list[Reading]]
    value: Callable[[FloatArray], FloatArray]


_LISTS = ("bliss", "bliss_peak", "loewe", "index", "own_index", "correlation", "highest", "rebound", "doses", "drugs",
          "lines")  # fmt: skip
"""What is a list of texts: for drugs, and for cell lines."""


def read_measure(name: str, spec: Any, where: str, problems: list[str]) -> Measure | None:
    """The measure a TOML table describes; what is wrong with it is added to ``problems``."""
    if not isinstance(spec, dict):
        problems.append(f"{where}, measure {name}: is {brief(repr(spec))}, not a table")
        return None
    for key, value in spec.items():
        if not (isinstance(value, str) or (key in _LISTS and _is_texts(value))):
            problems.append(f"{where}, measure {name}: {key} is {brief(repr(value))}, not a text")
            return None
    kind = next((key for key in MAKERS if key in spec), None)
    if kind is None:
        problems.append(f"{where}, measure {name}: needs one of {', '.join(MAKERS)}")
        return None
    try:
        readings, value = MAKERS[kind](spec)
    except (KeyError, InputError) as error:
        reason = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
        problems.append(f"{where}, measure {name}: {reason}")
        return None
    cells = ("line", "lines", "treatment", "vehicle", "medium", "suffix")
    known = (*cells, "time", "times", "over", "drug", "drugs", "doses")
    problems += [
        f"{where}, measure {name}: {unknown('key', key, (*known, *MAKERS))}"
        for key in spec
        if key not in known and key not in MAKERS
    ]
    own = str(spec.get("line", "{line}"))
    return Measure(name, lambda line: readings(own.replace("{line}", line)), value)


_Parts = tuple[Callable[[str], list[Reading]], Callable[[FloatArray], FloatArray]]


def _counted() -> str:
    """The readout that counts cells."""
    return protocols().names.cell_count


def _atp() -> str:
    """The readout that a viability assay sees."""
    return protocols().names.viability


def _minutes(spec: Mapping[str, Any], default: str = "24 h") -> float:
    return float(times_min(str(spec.get("time", default)))[0])


def _readout(spec: Mapping[str, Any]) -> _Parts:
    """``readout``: the value of a readout, in the unit of the model."""
    treatment, time, readout = str(spec["treatment"]), _minutes(spec), str(spec["readout"])
    return lambda line: [Reading(line, treatment, time, readout)], lambda x: x[:, 0]


def _fold(spec: Mapping[str, Any]) -> _Parts:
    """``fold``: a readout over the same readout under ``over`` (full medium) at the same time."""
    treatment, over, time, readout = (
        str(spec["treatment"]),
        str(spec.get("over", FULL)),
        _minutes(spec),
        str(spec["fold"]),
    )
    return (
        lambda line: [Reading(line, treatment, time, readout), Reading(line, over, time, readout)],
        lambda x: x[:, 0] / x[:, 1],
    )


def _rise(spec: Mapping[str, Any]) -> _Parts:
    """``rise``: a readout over its own value when the last step of the treatment began."""
    treatment, time, readout = str(spec["treatment"]), _minutes(spec), str(spec["rise"])
    return (
        lambda line: [Reading(line, treatment, time, readout), Reading(line, treatment, 0.0, readout)],
        lambda x: x[:, 0] / x[:, 1],
    )


def _gr_values(counts: FloatArray, control: FloatArray, start: FloatArray) -> FloatArray:
    """GR values (Hafner 2016); a control that hardly grows is taken to double in twenty times the assay."""
    doublings = np.maximum(np.log2(control / start), 0.05)
    return np.asarray(2.0 ** (np.log2(np.maximum(counts, 1e-9) / start) / doublings) - 1.0)


def _gr(spec: Mapping[str, Any]) -> _Parts:
    """``gr``: the GR value of a treatment against ``vehicle`` (full medium)."""
    treatment, vehicle, time = str(spec["gr"]), str(spec.get("vehicle", FULL)), _minutes(spec, "72 h")

    def readings(line: str) -> list[Reading]:
        return [
            Reading(line, treatment, time, _counted()),
            Reading(line, vehicle, time, _counted()),
            Reading(line, vehicle, 0.0, _counted()),
        ]

    return readings, lambda x: _gr_values(x[:, 0], x[:, 1], x[:, 2])


def _over_vehicle(key: str, readout: Callable[[], str], usual: str) -> Callable[[Mapping[str, Any]], _Parts]:
    """A readout of a culture under a treatment over that under ``vehicle`` (full medium)."""

    def make(spec: Mapping[str, Any]) -> _Parts:
        treatment, vehicle, time = str(spec[key]), str(spec.get("vehicle", FULL)), _minutes(spec, usual)
        return (
            lambda line: [Reading(line, text, time, readout()) for text in (treatment, vehicle)],
            lambda x: x[:, 0] / x[:, 1],
        )

    return make


def _doubling(spec: Mapping[str, Any]) -> _Parts:
    """``doubling``: hours in which the cells of a culture double under a treatment, infinite where they do not grow."""
    treatment, time = str(spec["doubling"]), _minutes(spec, "72 h")

    def value(x: FloatArray) -> FloatArray:
        doublings = np.log2(x[:, 1] / x[:, 0])
        return np.where(doublings > 0, time / 60.0 / np.maximum(doublings, 1e-300), np.inf)

    return lambda line: [Reading(line, treatment, moment, _counted()) for moment in (0.0, time)], value


def _viabilities(key: str, number: Callable[[FloatArray], FloatArray]) -> Callable[[Mapping[str, Any]], _Parts]:
    """A number of each viability curve (sets, 1 + doses; the first is untreated), the largest over all drugs named."""

    def make(spec: Mapping[str, Any]) -> _Parts:
        medium, time = str(spec.get("medium", FULL)), _minutes(spec, "72 h")
        if not isinstance(spec[key], list) or not spec[key]:
            raise InputError(f"{key} is {brief(repr(spec[key]))}; give a list of drugs")
        texts = [medium, *(text for drug in spec[key] for text in _series(spec, str(drug), str(spec["doses"]))[1])]
        drugs = len(spec[key])

        def value(x: FloatArray) -> FloatArray:
            curves = (x[:, 1:] / x[:, :1]).reshape(len(x), drugs, -1)
            return np.asarray(number(np.concatenate([np.ones((len(x), drugs, 1)), curves], axis=2)).max(axis=1))

        return lambda line: [Reading(line, text, time, _atp()) for text in texts], value

    return make


def _steepest_rise(curves: FloatArray) -> FloatArray:
    """How far each curve rises above its lowest value at smaller doses."""
    return np.asarray((curves - np.minimum.accumulate(curves, axis=2)).max(axis=2))


def _own_index(wells: Wells) -> float:
    """Largest distance from 1 of the Loewe index of a drug with itself, where there is one."""
    found = np.abs(loewe(wells, resamples=0).wells["index"].to_numpy(dtype=float) - 1.0)
    return float(np.nanmax(found, initial=0.0))


def _series(spec: Mapping[str, Any], drug: str, doses: str) -> tuple[FloatArray, list[str]]:
    problems: list[str] = []
    amounts = read_doses(doses, drug, problems)
    if problems:
        raise InputError("; ".join(problems))
    medium = str(spec.get("medium", FULL))
    return np.array(amounts), [f"{medium} + {drug} {amount:.6g} nM" for amount in amounts]


def _gr_curve(spec: Mapping[str, Any], key: str) -> tuple[FloatArray, Callable[[str], list[Reading]]]:
    doses, treatments = _series(spec, str(spec[key]), str(spec["doses"]))
    vehicle, time = str(spec.get("medium", FULL)), _minutes(spec, "72 h")

    def readings(line: str) -> list[Reading]:
        first = [
            Reading(line, vehicle, 0.0, _counted()),
            Reading(line, vehicle, time, _counted()),
        ]
        return first + [Reading(line, text, time, _counted()) for text in treatments]

    return doses, readings


def crossing(doses: FloatArray, curves: FloatArray, level: float) -> FloatArray:
    """Dose at which each curve (sets, doses) first falls below ``level``, log-interpolated; else the top dose."""
    log_doses = np.log(doses)
    found = np.full(len(curves), doses[-1])
    for row, curve in enumerate(curves):
        below = np.flatnonzero(curve < level)
        if below.size == 0:
            continue
        k = int(below[0])
        if k == 0:
            found[row] = doses[0]
            continue
        share = (curve[k - 1] - level) / (curve[k - 1] - curve[k])
        found[row] = np.exp(log_doses[k - 1] + share * (log_doses[k] - log_doses[k - 1]))
    return found


def _gr50(spec: Mapping[str, Any]) -> _Parts:
    """``gr50``: nM at which GR is 0.5, capped at the top dose."""
    doses, readings = _gr_curve(spec, "gr50")
    return readings, lambda x: crossing(doses, _gr_values(x[:, 2:], x[:, 1:2], x[:, :1]), 0.5)


def _gr_max(spec: Mapping[str, Any]) -> _Parts:
    """``gr_max``: GR at the top dose."""
    _, readings = _gr_curve(spec, "gr_max")
    return readings, lambda x: _gr_values(x[:, -1], x[:, 1], x[:, 0])


def _ec50(spec: Mapping[str, Any]) -> _Parts:
    """``ec50``: nM at which a readout is half of what it is without the drug, capped at the top dose."""
    doses, treatments = _series(spec, str(spec["drug"]), str(spec["doses"]))
    medium, time, readout = str(spec.get("medium", FULL)), _minutes(spec), str(spec["ec50"])

    def readings(line: str) -> list[Reading]:
        return [Reading(line, medium, time, readout)] + [Reading(line, text, time, readout) for text in treatments]

    return readings, lambda x: crossing(doses, x[:, 1:] / x[:, :1], 0.5)


def _two_drugs(spec: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    """The two drugs under ``key``, each with its doses."""
    for what in (key, "doses"):
        if not isinstance(spec[what], list) or len(spec[what]) != 2:
            raise InputError(f"{what} is {brief(repr(spec[what]))}; give one text for each of the two drugs")
    return list(zip(spec[key], spec["doses"], strict=True))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _matrix(key: str, score: Callable[[Wells], float]) -> Callable[[Mapping[str, Any]], _Parts]:
    """A number of a dose matrix of two drugs, in viability over untreated."""

    def make(spec: Mapping[str, Any]) -> _Parts:
        pairs = _two_drugs(spec, key)
        drugs = tuple(name for name, _ in pairs)
        names = drugs if len(set(drugs)) == len(drugs) else (drugs[0], f"{drugs[1]} (2)")
        (a, first), (b, second) = (_series(spec, name, doses) for name, doses in pairs)
        medium, time = str(spec.get("medium", FULL)), _minutes(spec, "72 h")
        added = [text.removeprefix(medium) for text in second]
        both = [f"{text}{more}" for text in first for more in added]
        alone = [[(0.0, 0.0)], [(x, 0.0) for x in a], [(0.0, y) for y in b], [(x, y) for x in a for y in b]]
        doses = np.array([pair for part in alone for pair in part])

        def readings(line: str) -> list[Reading]:
            return [Reading(line, text, time, _atp()) for text in (medium, *first, *second, *both)]

        def value(x: FloatArray) -> FloatArray:
            return np.array([score(Wells(names, ("nM", "nM"), doses, row / row[0])) for row in x])

        return readings, value

    return make


def _index(wells: Wells) -> float:
    """The combination index at half effect (Chou & Talalay 1984); NaN where a drug has no median-effect line."""
    mean = combination_index(wells).row()["mean"]
    return float("nan") if mean is None else float(mean)


def _t80(spec: Mapping[str, Any]) -> _Parts:
    """``t80``: minutes until a readout first reaches 80 % of its maximum over ``times``."""
    treatment, readout = str(spec["treatment"]), str(spec["t80"])
    times = np.array(times_min(str(spec["times"])))

    def value(x: FloatArray) -> FloatArray:
        share = x / x.max(axis=1, keepdims=True)
        found = np.empty(len(x))
        for row, curve in enumerate(share):
            k = int(np.flatnonzero(curve >= 0.8)[0])
            found[row] = times[0] if k == 0 else np.interp(0.8, curve[k - 1 : k + 1], times[k - 1 : k + 1])
        return found

    return lambda line: [Reading(line, treatment, time, readout) for time in times], value


def _correlation(spec: Mapping[str, Any]) -> _Parts:
    """``correlation``: rank correlation over ``lines`` of the area over the GR curve of two drugs."""
    curves = [
        _gr_curve({**spec, "drug": drug, "doses": doses}, "drug") for drug, doses in _two_drugs(spec, "correlation")
    ]
    lines: Sequence[str] = [spec["lines"]] if isinstance(spec["lines"], str) else spec["lines"]

    def readings(_: str) -> list[Reading]:
        return [reading for _, make in curves for line in lines for reading in make(line)]

    def value(x: FloatArray) -> FloatArray:
        areas = []
        at = 0
        for doses, _ in curves:
            block = x[:, at : at + len(lines) * (len(doses) + 2)].reshape(len(x), len(lines), -1)
            at += len(lines) * (len(doses) + 2)
            areas.append(1.0 - _gr_values(block[..., 2:], block[..., 1:2], block[..., :1]).mean(axis=2))
        return np.array([_rank_correlation(a, b) for a, b in zip(*areas, strict=True)])

    return readings, value


def _rank_correlation(a: FloatArray, b: FloatArray) -> float:
    return float(np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1])


MAKERS: Mapping[str, Callable[[Mapping[str, Any]], _Parts]] = {
    "fold": _fold,
    "rise": _rise,
    "gr": _gr,
    "viability": _over_vehicle("viability", _atp, "72 h"),
    "colony": _over_vehicle("colony", _counted, "14 d"),
    "gr50": _gr50,
    "gr_max": _gr_max,
    "ec50": _ec50,
    "bliss": _matrix("bliss", lambda wells: bliss(wells, resamples=0).mean),
    "bliss_peak": _matrix("bliss_peak", lambda wells: bliss(wells, resamples=0).max),
    "loewe": _matrix("loewe", lambda wells: loewe(wells, resamples=0).mean),
    "index": _matrix("index", _index),
    "own_index": _matrix("own_index", _own_index),
    "doubling": _doubling,
    "highest": _viabilities("highest", lambda curves: curves.max(axis=2)),
    "rebound": _viabilities("rebound", _steepest_rise),
    "t80": _t80,
    "correlation": _correlation,
    "readout": _readout,
}
"""The kinds of measure, by the key that names them."""
