"""Measured dose responses: read from files, fitted, and compared with each other.

Several curves are compared by the extra sum of squares (Motulsky & Christopoulos 2004, Fitting Models to Biological
Data, chapter 27): an F-test of one curve for all against a curve for each, and one of a common IC50. The ratio of two
IC50s has a profile-likelihood interval that agrees with the second test; where each curve was repeated three times or
more, the interval comes from how the IC50s of the repeats scatter (Welch), because wells of one plate share its errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError, raise_together, unknown
from ..table import check_table
from ..tables import Tell
from ..tables.blots import read_bands, say
from ..tables.curves import KEYS, has_treatments, open_wells, wells_of
from . import growth_rate, hill, logistic
from .curve import Curve, interval_text, rounded, t_quantile
from .doses import single_drug_curves
from .profile import dose_model

if TYPE_CHECKING:
    import pandas as pd

GR_NAMES = {"gr50": "GR50", "gr_max": "GRmax", "gr_aoc": "GR_AOC", "gec50": "GEC50", "gr_inf": "GRinf", "h": "h_GR"}
"""Our names of GR metrics and those of the GR tools."""

RELATIVE_COUNT = "relative cell count"
"""What cell counts over those of untreated wells are called."""

ENOUGH_REPEATS = 3
"""From so many repeats of each curve on their scatter says how sure the ratio is."""


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """One measured curve: ``doses`` (n,) in ``unit`` and ``values`` (n,) that fall where the drug works.

    ``labels`` say what it is of (cell line, drug, ...); ``repeats`` name the repeat of each well (all ``""`` where the
    table has none); ``gr``: GR values (n,) where counts at the start are known, else None.
    """

    name: str
    labels: Mapping[str, str]
    unit: str
    doses: FloatArray = field(repr=False)
    values: FloatArray = field(repr=False)
    repeats: tuple[str, ...] = field(repr=False)
    gr: FloatArray | None = field(default=None, repr=False)
    response: str = "response"
    """What the values are called."""

    @property
    def as_measured(self) -> str:
        """What it is called beside simulated curves."""
        return self.name if self.name.lower().startswith("measured") else f"measured {self.name}"

    @cached_property
    def curve(self) -> Curve:
        """The Hill curve through the wells. Raises :class:`InputError` where they do not determine one."""
        try:
            return hill.fit(self.doses, self.values, unit=self.unit)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None

    @cached_property
    def metrics(self) -> growth_rate.Metrics | None:
        """GR metrics, None without counts at the start."""
        return None if self.gr is None else growth_rate.from_values(self.doses, self.gr, unit=self.unit)

    def row(self) -> dict[str, Any]:
        """One table row: labels, the Hill curve, and the GR metrics under the names of the GR tools."""
        found: dict[str, Any] = {"curve": self.name, **self.labels, "wells": len(self.doses)}
        found |= {"repeats": len({*self.repeats} - {""}), **self.curve.row()}
        if self.metrics is not None:
            row = self.metrics.row()
            names = {
                "gr50": "GR50",
                "gr_max": "GRmax",
                "gr_aoc": "GR_AOC",
                "gec50": "GEC50",
                "gr_inf": "GRinf",
                "h": "h_GR",
            }
            for ours, theirs in names.items():
                found[theirs] = row[ours]
                for end in ("relation", "low", "high"):
                    if f"{ours}_{end}" in row:
                        found[f"{theirs}_{end}"] = row[f"{ours}_{end}"]
        return found

    def in_percent(self) -> DoseResponse:
        """The same curve in percent of its untreated wells, or of its top where none was measured."""
        untreated = self.values[self.doses == 0]
        level = float(untreated.mean()) if len(untreated) else self._top()
        usual = next((one for one in (1.0, 100.0) if abs(level / one - 1.0) < 0.25), level)
        return replace(self, values=self.values * 100.0 / usual) if usual > 0 else self

    def _top(self) -> float:
        top = self.curve.top.value
        return math.nan if top is None else top

    def averaged(self) -> tuple[FloatArray, FloatArray]:
        """Doses and values with wells of one repeat at one dose averaged, so that none counts more than once."""
        if not any(self.repeats):
            return self.doses, self.values
        places: dict[tuple[str, float], list[float]] = {}
        for repeat, dose, value in zip(self.repeats, self.doses, self.values, strict=True):
            places.setdefault((repeat, float(dose)), []).append(float(value))
        return np.array([dose for _, dose in places]), np.array([float(np.mean(group)) for group in places.values()])

    def by_repeat(self) -> list[tuple[FloatArray, FloatArray]]:
        """Doses and values of each repeat that has a curve of its own; wells without a repeat are in all."""
        names = [name for name in dict.fromkeys(self.repeats) if name]
        found = []
        for name in names:
            own = np.array([repeat in (name, "") for repeat in self.repeats])
            if len(np.unique(self.doses[own])) > 4:
                found.append((self.doses[own], self.values[own]))
        return found


@checked
def read_curves(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    *,
    by: Sequence[str] = (),
    unit: str | None = None,
    inhibition: bool | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
) -> list[DoseResponse]:
    """Dose responses of a file: CSV, Excel or Parquet, with one well a row, one curve a column, or cell counts.

    One well a row has ``dose`` (with its unit in the name, as ``dose_nM``), a value, and what tells curves apart
    (``cell_line``, ``drug``, time). In one curve a column, columns of one name, or numbered ones, are repeats. Cell
    counts
    with ``cell_count__ctrl`` and ``cell_count__time0``, or with rows of dose 0 and of time 0, also give GR values. A
    table in the one schema is read by its treatments.

    Args:
        columns: names of columns in the file and what they hold.
        by: further columns that tell curves apart.
        unit: of the doses, where the file states none.
        inhibition: whether values rise where the drug works; default what the column's name says.
        sheet: of an Excel file.
        tell: takes a sentence on everything that had to be decided; default a warning.

    Raises:
        InputError: naming what is missing and each bad cell by its row.

    >>> curves = ps.read_curves("two_lines.csv", unit="uM")  # doctest: +SKIP
    """
    table = open_wells(path, columns, sheet)
    if has_treatments(table):
        return _of_schema(path, columns, sheet, tell)
    frame = wells_of(table, by, unit, tell)
    return _curves_of(frame, [*KEYS, *by], str(path), inhibition, tell)


def _of_schema(
    path: str | Path, columns: Mapping[str, str] | None, sheet: str | None, tell: Tell | None
) -> list[DoseResponse]:
    frame = check_table(read_bands(path, columns, sheet, tell).frame, str(path))
    found = []
    for key, doses, values, unit in single_drug_curves(frame.reset_index(drop=True)):
        labels = {name: f"{text:g}" if isinstance(text, float) else str(text) for name, text in key.items()}
        gr = values if labels["readout"] == "GR" else None
        name = f"{labels['cell_line']}, {labels['drug']}"
        found.append(DoseResponse(name, labels, unit, doses, values, ("",) * len(doses), gr, labels["readout"]))
    return _told_apart(found)


def _curves_of(
    frame: pd.DataFrame, keys: Sequence[str], where: str, inhibition: bool | None, tell: Tell | None
) -> list[DoseResponse]:
    present = [name for name in keys if name in frame.columns]
    frame = frame.assign(**{name: frame[name].astype(str).str.strip() for name in present})
    if "replicate" not in frame.columns:
        frame = frame.assign(replicate="")
    frame, start = _with_counts(frame, present, where, tell)
    rising = [name for name in dict.fromkeys(frame["response"]) if _is_inhibition(str(name))]
    if (inhibition is None and rising) or inhibition:
        chosen = frame["response"].isin(rising) if inhibition is None else frame["response"].notna()
        percent = float(frame.loc[chosen, "value"].abs().max()) > 2.0
        frame.loc[chosen, "response"] = "100 % - inhibition" if percent else "1 - inhibition"
        frame.loc[chosen, "value"] = (100.0 if percent else 1.0) - frame.loc[chosen, "value"]
        said = "100 % minus" if percent else "1 minus"
        say(f"{where}: values are inhibition; curves are drawn of {said} the value", tell)
    found: list[DoseResponse] = []
    shared = [name for name in present if name != "drug"]
    groups = frame.groupby(shared, sort=False, dropna=False) if shared else [((), frame)]
    for key, part in groups:
        labels = dict(zip(shared, map(str, key if isinstance(key, tuple) else (key,)), strict=True))
        for drug, wells in _by_drug(part):
            names = {**labels, **({"drug": drug} if drug else {})}
            found.append(_one_curve(names, wells, start))
    if not found:
        raise InputError(f"{where}: no dose is above zero; no dose response")
    return _told_apart(found, Path(where).stem)


def _is_inhibition(name: str) -> bool:
    folded = name.lower()
    return "inhibition" in folded or "kill" in folded or "percent effect" in folded


def _by_drug(part: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Wells of each drug; untreated ones that name none, or a vehicle, belong to all of them."""
    if "drug" not in part.columns:
        return [("", part)] if (part["dose"] > 0).any() else []
    drugs = list(dict.fromkeys(part["drug"][part["dose"] > 0]))
    untreated = part["dose"] == 0
    stray = untreated & ~part["drug"].isin(drugs)
    return [(drug, part[(part["drug"] == drug) | stray]) for drug in drugs]


def _one_curve(labels: dict[str, str], wells: pd.DataFrame, has_counts: bool) -> DoseResponse:
    shown = [labels[name] for name in ("cell_line", "series", "drug") if labels.get(name)]
    units = list(dict.fromkeys(wells["unit"]))
    gr = None
    values = wells["value"].to_numpy(dtype=float)
    if str(wells["response"].iloc[0]).lower() in ("gr", "gr value", "gr_value", "grvalue"):
        gr = values
    elif has_counts and "control" in wells.columns:
        values = values / wells["control"].to_numpy(dtype=float)
        gr = _gr(wells)
    return DoseResponse(
        ", ".join(shown),
        {name: text for name, text in labels.items() if text},
        str(units[0]),
        wells["dose"].to_numpy(dtype=float),
        values,
        tuple(wells["replicate"].astype(str)),
        gr,
        RELATIVE_COUNT if has_counts else str(wells["response"].iloc[0]) or "response",
    )


def _gr(wells: pd.DataFrame) -> FloatArray | None:
    """GR values of cell counts: with the count at the start, or with the doublings of the control."""
    counts, control = (wells[name].to_numpy(dtype=float) for name in ("value", "control"))
    if "start" in wells.columns and wells["start"].notna().all():
        return growth_rate.values(counts, control, wells["start"].to_numpy(dtype=float))
    if "doublings" in wells.columns and wells["doublings"].notna().all():
        doublings = wells["doublings"].to_numpy(dtype=float)
        return growth_rate.values(counts, control, control / 2.0**doublings)
    return None


def _with_counts(frame: pd.DataFrame, keys: Sequence[str], where: str, tell: Tell | None) -> tuple[pd.DataFrame, bool]:
    """Cell counts with the count of their control and at the start beside them; whether there are any."""
    if str(frame["response"].iloc[0]) != "count":
        return frame, False
    if "division_time" in frame.columns and "time" in frame.columns:
        hours = frame["time"].astype(float)
        frame = frame.assign(doublings=hours / frame["division_time"])
    if "control" in frame.columns:
        return frame, True
    context = [name for name in keys if name not in ("drug", "time")]
    untreated = frame["dose"] == 0
    times = frame["time"].map(_time) if "time" in frame.columns else untreated * math.nan
    began = times == 0
    if not untreated.any() or not (untreated & ~began).any():
        return frame, False
    start = frame[began]
    ends = frame[untreated & ~began]
    if began.any():
        found = _matched(frame, start, [*context, "replicate"])
        frame = frame.assign(start=found)
    timed = ["time"] if "time" in frame.columns else []
    frame = frame.assign(control=_matched(frame, ends, [*timed, *context, "replicate"]))
    frame = frame[~began]
    lacking = frame[frame["control"].isna() | (frame["start"].isna() if "start" in frame else False)]
    raise_together(
        [f"row {line}: no untreated or time-0 count goes with this well" for line in lacking.index[:20]], where
    )
    word = " and time 0" if began.any() else ""
    say(f"{where}: counts are divided by those of dose 0{word} (mean of the middle half of the wells)", tell)
    return frame, True


def _time(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return math.nan


def _matched(frame: pd.DataFrame, source: pd.DataFrame, keys: Sequence[str]) -> list[float]:
    """For each row the mean of the middle half of the ``source`` rows with its keys; the last keys are let go where
    no row has them."""
    found = []
    for row in frame[list(keys)].itertuples(index=False, name=None):
        value = math.nan
        for most in range(len(keys), -1, -1):
            mask = np.ones(len(source), dtype=bool)
            for name, text in zip(keys[:most], row[:most], strict=True):
                mask &= (source[name] == text).to_numpy()
            if mask.any():
                ordered = np.sort(source["value"].to_numpy(dtype=float)[mask])
                cut = len(ordered) // 4
                value = float(ordered[cut : len(ordered) - cut].mean())
                break
        found.append(value)
    return found


def _told_apart(found: list[DoseResponse], stem: str = "") -> list[DoseResponse]:
    """Curves with different names: what differs between equal ones is added."""
    names = [one.name or stem for one in found]
    result = []
    for one, name in zip(found, names, strict=True):
        if names.count(name) > 1:
            same = [other for other, text in zip(found, names, strict=True) if text == name]
            extra = [
                text
                for key, text in one.labels.items()
                if key not in ("cell_line", "series", "drug") and len({other.labels.get(key) for other in same}) > 1
            ]
            name = ", ".join([name, *extra])
        result.append(replace(one, name=name))
    return result


@dataclass(frozen=True, slots=True)
class Comparison:
    """Curves against a reference: ``table`` has a row for each, ``shared`` the F-test of one curve for all.

    Columns of ``table``: ``ratio`` of the IC50s (with ``ratio_relation`` ``">"`` or ``"<"`` where one was not reached),
    ``ratio_low``, ``ratio_high`` and what the interval comes from, ``p_ic50`` of a common IC50, the F-test of one
    curve for both (``f_shared``, its degrees of freedom, ``p_shared``), and the ``verdict`` in words.
    """

    reference: str
    table: pd.DataFrame = field(repr=False)
    shared: Mapping[str, float] = field(repr=False)
    confidence: float

    def __str__(self) -> str:
        lines = [str(row["verdict"]) for row in self.table.to_dict("records")]
        if len(lines) > 1:
            lines.append(
                f"one curve for all {len(lines) + 1}: F({self.shared['df_1']:g}, {self.shared['df_2']:g}) = "
                f"{self.shared['f']:.4g}, p = {self.shared['p']:.3g}"
            )
        return "\n".join(lines)


@checked
def compare_curves(
    curves: Sequence[DoseResponse], reference: str | None = None, confidence: float = 0.95
) -> Comparison:
    """Compare measured curves with a reference (default the first): is a line resistant?

    Wells of one repeat at one dose count once. Curves whose untreated wells are at neither 1 nor 100 are first divided
    by them.

    Raises :class:`InputError` for fewer than two curves, an unknown reference, or doses in different units.

    >>> curves = ps.read_curves("two_lines.csv")  # doctest: +SKIP
    >>> ps.compare_curves(curves, reference="parental").table  # doctest: +SKIP
    """
    import pandas as pd

    confidence = arguments.share(confidence, "confidence")
    if len(curves) < 2:
        raise InputError(f"{len(curves)} curve; a comparison needs at least two")
    names = [one.name for one in curves]
    chosen = names[0] if reference is None else reference
    if chosen not in names:
        raise unknown("curve", chosen, names)
    units = {one.unit for one in curves}
    if len(units) > 1:
        raise InputError(f"doses are in {' and '.join(sorted(units))}; curves are compared in one unit")
    scaled = _on_one_scale(curves)
    base = names.index(chosen)
    rows = [
        _pair(curves[base], curves[i], scaled[base], scaled[i], confidence) for i in range(len(curves)) if i != base
    ]
    return Comparison(chosen, pd.DataFrame(rows), _shared([_Fitted.of(*one) for one in scaled]), confidence)


def _on_one_scale(curves: Sequence[DoseResponse]) -> list[tuple[FloatArray, FloatArray]]:
    averaged = [one.averaged() for one in curves]
    levels = []
    for one, (doses, values) in zip(curves, averaged, strict=True):
        untreated = values[doses == 0]
        top = one.curve.top.value
        levels.append(float(untreated.mean()) if len(untreated) else (top if top is not None else math.nan))
    for usual in (1.0, 100.0):
        if all(abs(level / usual - 1.0) < 0.25 for level in levels):
            return averaged
    if any(not level > 0 for level in levels):
        return averaged
    return [(doses, values / level) for (doses, values), level in zip(averaged, levels, strict=True)]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Wells with their least squares."""

    doses: FloatArray
    values: FloatArray
    theta: FloatArray
    rss: float

    @classmethod
    def of(cls, doses: FloatArray, values: FloatArray) -> _Fitted:
        found = logistic.fit_many(doses, values[None])
        return cls(doses, values, found.theta[0], float(found.rss[0]))

    def profile(self, log_doses: FloatArray) -> FloatArray:
        """Least squares with the IC50 held at each of ``log_doses`` (m,)."""
        model, limits = dose_model(self.doses, 0.5), logistic.bounds(self.doses, self.values)
        many = np.repeat(self.values[None], len(log_doses), axis=0)
        start, held = np.repeat(self.theta[None], len(log_doses), axis=0), np.zeros((len(log_doses), 4), dtype=bool)
        start[:, 1] = np.minimum(start[:, 1], 0.45 * start[:, 0])
        start[:, 2], held[:, 2] = log_doses, True
        return logistic.descend(model, many, np.ones(len(self.values)), start, held, limits).rss


def _shared(fitted: Sequence[_Fitted]) -> dict[str, float]:
    """F-test of one curve for all against one for each."""
    from scipy.special import fdtrc  # slow to load, and only wanted here

    doses, values = np.concatenate([one.doses for one in fitted]), np.concatenate([one.values for one in fitted])
    apart = sum(one.rss for one in fitted)
    together = max(float(logistic.fit_many(doses, values[None]).rss[0]), apart)
    first, second = 4 * (len(fitted) - 1), len(values) - 4 * len(fitted)
    if second < 1:
        return {"f": math.nan, "df_1": first, "df_2": second, "p": math.nan}
    if apart <= 1e-24 * float(values @ values):
        same = together <= 1e-20 * float(values @ values)
        return {"f": 0.0 if same else math.inf, "df_1": first, "df_2": second, "p": 1.0 if same else 0.0}
    ratio = (together - apart) / first / (apart / second)
    return {"f": ratio, "df_1": first, "df_2": second, "p": float(fdtrc(first, second, ratio))}


def _pair(
    reference: DoseResponse,
    other: DoseResponse,
    wells: tuple[FloatArray, FloatArray],
    other_wells: tuple[FloatArray, FloatArray],
    confidence: float,
) -> dict[str, Any]:
    first, second = _Fitted.of(*wells), _Fitted.of(*other_wells)
    test = _shared([first, second])
    potency, base = other.curve.ic50, reference.curve.ic50
    row: dict[str, Any] = {
        "curve": other.name, "reference": reference.name, "ic50": potency.value, "ic50_relation": potency.relation,
        "ic50_reference": base.value, "ic50_reference_relation": base.relation, "dose_unit": other.unit,
        "ratio": None, "ratio_relation": "?", "ratio_low": None, "ratio_high": None, "interval_from": "",
        "p_ic50": None, "f_shared": test["f"], "df_1": test["df_1"], "df_2": test["df_2"], "p_shared": test["p"],
    }  # fmt: skip
    if potency.value is not None and base.value is not None:
        row["ratio"] = potency.value / base.value
        if potency.reached and base.reached:
            row["ratio_relation"] = "="
            row |= _ratio_interval(reference, other, first, second, math.log(row["ratio"]), confidence)
        elif potency.relation in (">", "=") and base.relation in ("<", "="):
            row["ratio_relation"] = ">"
        elif potency.relation in ("<", "=") and base.relation in (">", "="):
            row["ratio_relation"] = "<"
        else:
            row["ratio"] = None
    return row | {"verdict": _verdict(row, confidence)}


def _ratio_interval(
    reference: DoseResponse, other: DoseResponse, first: _Fitted, second: _Fitted, log_ratio: float, confidence: float
) -> dict[str, Any]:
    """Limits of the ratio, from repeats where there are enough, and the p of a common IC50."""
    logs = [_logs_of_repeats(one) for one in (reference, other)]
    if all(len(each) >= ENOUGH_REPEATS for each in logs):
        from scipy.special import stdtr  # slow to load, and only wanted here

        parts = [float(np.var(each, ddof=1)) / len(each) for each in logs]
        error = math.sqrt(sum(parts))
        if error > 0:
            freedom = sum(parts) ** 2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, logs, strict=True))
            reach = t_quantile(confidence, freedom) * error
            return {
                "ratio_low": math.exp(log_ratio - reach),
                "ratio_high": math.exp(log_ratio + reach),
                "interval_from": f"{len(logs[0])} and {len(logs[1])} repeats (Welch)",
                "p_ic50": 2.0 * float(stdtr(freedom, -abs(log_ratio) / error)),
            }
    freedom = len(first.values) + len(second.values) - 8
    if freedom < 1:
        return {"interval_from": "nothing: as many parameters as wells"}
    variance = (first.rss + second.rss) / freedom
    size = float(np.mean(np.concatenate([first.values, second.values]) ** 2))
    if variance <= 1e-24 * size:
        return {
            "ratio_low": math.exp(log_ratio), "ratio_high": math.exp(log_ratio),
            "interval_from": "wells (profile likelihood)", "p_ic50": 1.0 if abs(log_ratio) < 1e-9 else 0.0,
        }  # fmt: skip
    rise = _joint_profile(reference, other, first, second, variance, t_quantile(confidence, freedom))
    from scipy.special import fdtrc  # slow to load, and only wanted here

    target = t_quantile(confidence, freedom) ** 2
    low, high = (_end(rise, log_ratio, side, target) for side in (-1.0, 1.0))
    return {
        "ratio_low": math.exp(low),
        "ratio_high": math.exp(high) if math.isfinite(high) else math.inf,
        "interval_from": "wells (profile likelihood)",
        "p_ic50": float(fdtrc(1, freedom, rise(0.0))),
    }


def _logs_of_repeats(one: DoseResponse) -> list[float]:
    """Logarithms of the IC50 of each repeat; none where one of them has none."""
    found = []
    for doses, values in one.by_repeat():
        potency = hill.fit(doses, values, unit=one.unit).ic50
        if not potency.reached or potency.value is None:
            return []
        found.append(math.log(potency.value))
    return found


def _joint_profile(
    reference: DoseResponse, other: DoseResponse, first: _Fitted, second: _Fitted, variance: float, reach: float
) -> Any:
    """The rise of the sum of squares, over the variance, as a function of the logarithm of the ratio."""
    ics = [float(np.log(one.curve.ic50.value or 1.0)) for one in (reference, other)]
    roots = []
    for fit_of, fit, centre in zip((reference, other), (first, second), ics, strict=True):
        ends = fit_of.curve.ic50.low or 0.0, fit_of.curve.ic50.high or math.inf
        width = min(max((abs(math.log(end) - centre) for end in ends if 0 < end < math.inf), default=0.5), 2.5)
        span = abs(ics[1] - ics[0]) + width
        grid = np.unique(
            np.concatenate([centre + width * np.linspace(-2.0, 2.0, 21), np.linspace(centre - span, centre + span, 9)])
        )
        squares = fit.profile(grid)
        least = min(fit.rss, float(squares.min()))
        root = np.sqrt(np.maximum(squares - least, 0.0) / variance)
        root = np.where(np.isfinite(root), root, 1e6)
        centre = float(grid[int(np.argmin(root))]) if root.min() > 1e-3 else centre
        roots.append((grid, root))

    def one(place: int, at: FloatArray) -> FloatArray:
        grid, root = roots[place]
        inside = np.interp(at, grid, root)
        beyond = np.maximum(grid[0] - at, at - grid[-1])
        slope = max(reach, 1.0)
        return np.where(beyond > 0, inside + slope * np.maximum(beyond, 0.0), inside) ** 2

    low, high = min(ics) - 3.0, max(ics) + 3.0
    at = np.unique(np.concatenate([np.linspace(low, high, 1201), *(ic + np.linspace(-0.3, 0.3, 1201) for ic in ics)]))

    def rise(log_ratio: float) -> float:
        more = np.unique(np.concatenate([at, ics[1] - log_ratio + np.linspace(-0.3, 0.3, 601)]))
        return float((one(0, more) + one(1, more + log_ratio)).min())

    return rise


def _end(rise: Any, centre: float, side: float, target: float) -> float:
    """Where the rise reaches ``target`` on one side; infinite where it never does within a factor of e^12."""
    inside, step = 0.0, 0.05
    while rise(centre + side * step) < target:
        inside, step = step, step * 1.6
        if step > 12.0:
            return side * math.inf
    outside = step
    for _ in range(40):
        middle = 0.5 * (inside + outside)
        if rise(centre + side * middle) < target:
            inside = middle
        else:
            outside = middle
        if outside - inside < 1e-6:
            break
    return centre + side * 0.5 * (inside + outside)


def _verdict(row: Mapping[str, Any], confidence: float) -> str:
    """What the numbers say, in a sentence."""
    test = f"one curve for both: F({row['df_1']:g}, {row['df_2']:g}) = {row['f_shared']:.4g}, p = {row['p_shared']:.3g}"
    if row["ratio"] is None:
        return f"{row['curve']} against {row['reference']}: no ratio of IC50s, which are not both bounded; {test}"
    low, high = row["ratio_low"], row["ratio_high"]
    sign = "" if row["ratio_relation"] == "=" else f"{row['ratio_relation']} "
    head = f"{row['curve']} against {row['reference']}: IC50 {sign}{rounded(row['ratio'], 3)} times"
    if low is not None and high is not None:
        head += interval_text(low, high).replace(")", f", {confidence:.0%} interval from {row['interval_from']})")
        known: str
        if low > 1:
            known = "less sensitive (resistant)"
        elif high < 1:
            known = "more sensitive"
        else:
            known = "no difference in IC50 shown"
        return f"{head}: {known}; {test}"
    differs = row["p_shared"] < 1 - confidence
    known = {">": "less sensitive (resistant)", "<": "more sensitive"}.get(row["ratio_relation"], "")
    sure = known if differs and known else "no difference shown" if not differs else "the curves differ"
    return f"{head}: {sure}; {test}"
