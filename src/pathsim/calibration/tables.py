"""Measured tables and literature targets of the calibration, as measured rows of the one estimation problem.

``models/calibration.toml`` says which tables and which of their rows are used, what their columns are called in the
model and how large their errors are; the tables themselves are read from a folder of the user (none is shipped). A
reader knows nothing but the format of its file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, raise_together
from ..estimation.lab_problem import Place, Row
from ..estimation.likelihood import Scaled, ScaledWithOffset
from ..estimation.observables import doublings_per_day, fold_change, gr_value, not_below, ratio
from ..estimation.records import Observable
from ..files import read_toml
from ..lab.protocols import protocols
from ..model.maths import Expr, number, symbol
from ..stats import growth_rate
from ..stats.noise import Robust

if TYPE_CHECKING:
    import pandas as pd

STARVED = "vehicle for 24 h then "
FULL_MEDIUM = "serum 10 %"
LEAST_SIGNAL = 1e-12
"""Simulated signals count as at least this much (nM, or cells): a logarithm needs something."""
FLUORESCENCE = Robust(scale="log")
GROWTH = Robust(scale="lin")


@dataclass(frozen=True, slots=True)
class Number:
    """A measured ``row``, the ``observable`` it is of, the ``table`` it stands in, and the line effect in its formula
    with the standard deviation of its logarithm (:func:`effect_of`)."""

    row: Row
    observable: Observable
    table: str
    effect: tuple[str, float] | None = None

    @property
    def readout(self) -> str:
        """The readout of the model, or empty for growth, whose observable is made of counts."""
        return self.observable.id.partition(" ")[0]


@dataclass(frozen=True)
class Targets:
    """Everything the fit looks at (``numbers``), the constants it must leave alone, those that are shares (below 1),
    priors narrower than usual, and the constant that every line has a value of its own of (``line_constant``)."""

    numbers: tuple[Number, ...]
    held_fixed: frozenset[str] = frozenset()
    shares: frozenset[str] = frozenset()
    prior_sd: Mapping[str, float] = field(default_factory=dict)
    line_constant: str = ""

    @property
    def growing_lines(self) -> list[str]:
        """Cell lines whose growth is measured. What is found for one holds for its altered lines too."""
        names = {item.row.place.cell_line for item in self.numbers if item.observable.family == GROWTH}
        return sorted(name for name in names if "+" not in name)

    @property
    def growth_treatments(self) -> list[str]:
        """Treatments under which growth is measured."""
        return sorted({item.row.place.treatment for item in self.numbers if item.observable.family == GROWTH})

    @property
    def line_effects(self) -> dict[str, float]:
        """Line effects in the formulas of numbers, and the standard deviations of their logarithms."""
        return dict(item.effect for item in self.numbers if item.effect is not None)

    def frame(self) -> pd.DataFrame:
        """Columns ``table, cell_line, treatment, time_min, readout, value, sd``, one row per number."""
        import pandas as pd

        return pd.DataFrame(
            {
                "table": [item.table for item in self.numbers],
                "cell_line": [item.row.place.cell_line for item in self.numbers],
                "treatment": [item.row.place.treatment for item in self.numbers],
                "time_min": [item.row.place.time_min for item in self.numbers],
                "readout": [item.row.observable for item in self.numbers],
                "value": [item.row.value for item in self.numbers],
                "sd": [item.row.sd for item in self.numbers],
            }
        )


def read_targets(config: Path, folder: Path) -> Targets:
    """Read ``calibration.toml`` and the tables it names from ``folder``.

    Raises :class:`InputError` naming every table that is missing or unknown.
    """
    content = read_toml(config)
    numbers: list[Number] = []
    problems = []
    for entry in content["table"]:
        name = entry["id"]
        home = folder / entry.get("folder", name)
        if name not in READERS:
            problems.append(f"table '{name}' has no reader; known: {', '.join(READERS)}")
        elif not home.is_dir():
            problems.append(f"{home}: no such folder; the README says where the table comes from")
        else:
            try:
                numbers += READERS[name](home, Entry(entry))
            except KeyError as error:
                problems.append(f"table '{name}' needs the key {error}")
            except OSError as error:
                problems.append(f"{error.filename}: {error.strerror}")
    raise_together(problems, str(config))
    numbers += _literature(content)
    emphasis = content.get("emphasis", ())
    weighed = tuple(_weighed(item, emphasis) for item in numbers)
    if not weighed:
        raise InputError(f"{config}: the calibration has no data")
    held, shares = frozenset(content["held_fixed"]), frozenset(content["shares"])
    return Targets(weighed, held, shares, content.get("prior_sd", {}), content["line_constant"])


@dataclass(frozen=True)
class Entry:
    """A ``[[table]]`` of ``calibration.toml``: names, selections and the size of errors."""

    content: Mapping[str, Any]

    @property
    def table(self) -> str:
        """The name of the table."""
        return str(self.content["id"])

    def doses_of(self, drug: str) -> tuple[float, float]:
        """The lowest and the highest dose (nM) of a drug of a panel, named as its file does."""
        highest = 1e3 * float(self.content["highest_uM"])
        decades = float(self.content["decades_of"].get(drug, self.content["decades"]))
        return highest * 10.0**-decades, highest

    @property
    def sd(self) -> float:
        """The error of a number, of its logarithm where the scale is logarithmic."""
        return float(self.content["sd"])

    @property
    def lines(self) -> Mapping[str, str]:
        """Names of cell lines in the file, and those of pathsim; lines that are not listed are not used."""
        return dict(self.content["lines"])

    @property
    def readouts(self) -> Mapping[str, str]:
        """Names of readouts in the file, and those of the model; readouts that are not listed are not used."""
        return dict(self.content["readouts"])

    @property
    def treatments(self) -> Mapping[str, str]:
        """Names of treatments, ligands or drugs in the file, and what pathsim calls them."""
        return dict(self.content["treatments"])

    def band(self, place: Place, readout: str, value: float, scale: str) -> Number:
        """A number on an arbitrary scale: rows of one ``scale`` share a factor (and a background)."""
        form = ScaledWithOffset() if self.content["background"] else Scaled()
        observable = Observable(f"{readout} ({self.table})", _signal(readout), family=FLUORESCENCE, form=form)
        return Number(Row(observable.id, place, value, gel=scale, sd=self.sd), observable, self.table)

    def fold(self, place: Place, over: Place, readout: str, value: float, sd: float) -> Number:
        """A readout over that of another condition or time, with a log-normal error."""
        return _fold(place, over, readout, value, sd, self.table)


def _fold(place: Place, over: Place, readout: str, value: float, sd: float, table: str, side: int = 0) -> Number:
    formula = fold_change(_signal(readout))
    observable = Observable(f"{readout} (fold)", formula, family=FLUORESCENCE)
    return Number(Row(observable.id, place, value, (over,), sd=sd, side=side), observable, table)


def _level(place: Place, readout: str, total: float, value: float, sd: float, table: str) -> Number:
    formula = ratio(_signal(readout), number(total))
    observable = Observable(f"{readout} (of {total:g})", formula, family=FLUORESCENCE)
    return Number(Row(observable.id, place, value, sd=sd), observable, table)


def effect_of(table: str, line: str) -> str:
    """The parameter that is the line effect of a panel: the factor on what every drug takes from the growth of one line
    (1 - GR), which no constant of the model explains. Known names are told by :func:`is_effect`."""
    return f"effect({table}, {line})"


def is_effect(name: str) -> bool:
    """Whether a parameter is a line effect of a panel."""
    return name.startswith("effect(")


def _gr(
    line: str, treatment: str, minutes: float, value: float, sd: float, table: str, effect_sd: float | None = None
) -> Number:
    """A growth rate inhibition value (Hafner 2016); ``effect_sd``: of a panel whose lines have effects."""
    formula = gr_value(_signal(protocols().names.cell_count))
    others = (Place(line, FULL_MEDIUM, 0.0), Place(line, FULL_MEDIUM, minutes))
    if effect_sd is None:
        name, effect = "GR", None
    else:
        name, effect = f"GR ({table}, {line})", (effect_of(table, line), effect_sd)
        lost = Expr("times", (symbol(effect[0]), Expr("minus", (number(1.0), formula))))
        formula = Expr("minus", (number(1.0), lost))
    observable = Observable(name, formula, family=GROWTH)
    return Number(Row(name, Place(line, treatment, minutes), value, others, sd=sd), observable, table, effect)


def _relative(line: str, treatment: str, minutes: float, value: float, sd: float, table: str) -> Number:
    """Viable cells over those of the control."""
    formula = fold_change(_signal(protocols().names.viability))
    observable = Observable("viability", formula, family=GROWTH)
    others = (Place(line, FULL_MEDIUM, minutes),)
    return Number(Row("viability", Place(line, treatment, minutes), value, others, sd=sd), observable, table)


def _doubling(line: str, minutes: float, hours: float, sd: float, table: str) -> Number:
    """Doublings per day in full medium: a doubling time diverges without growth. ``sd`` is of two doublings a day."""
    formula = doublings_per_day(_signal(protocols().names.cell_count), minutes)
    observable = Observable(f"doublings per day ({minutes:g} min)", formula, family=GROWTH)
    others = (Place(line, FULL_MEDIUM, 0.0),)
    place = Place(line, FULL_MEDIUM, minutes)
    return Number(Row(observable.id, place, 24.0 / hours, others, sd=0.5 * sd), observable, table)


def _signal(readout: str) -> Expr:
    return not_below(symbol(readout), LEAST_SIGNAL)


def _weighed(item: Number, emphasis: Sequence[Mapping[str, Any]]) -> Number:
    """``item`` with its error divided by the factor of every emphasis whose table, line, treatment and readout fit."""
    place, sd = item.row.place, item.row.sd
    for entry in emphasis:
        fits = (
            entry["table"] == item.table
            and entry.get("cell_line", place.cell_line) == place.cell_line
            and entry.get("treatment", "") in place.treatment
            and entry.get("readout", item.readout) == item.readout
        )
        if fits:
            sd = sd / float(entry["factor"])
    return replace(item, row=replace(item.row, sd=sd))


def _literature(content: Mapping[str, Any]) -> Iterable[Number]:
    for entry in content.get("ratio", ()):
        yield _compared(entry, float(entry["value"]), 0, "literature targets")
    for entry in content.get("sign", ()):
        side = 1 if "at_least" in entry else -1
        yield _compared(entry, float(entry.get("at_least", entry.get("at_most"))), side, "literature directions")
    for entry in content.get("level", ()):
        place = Place(entry["cell_line"], entry["treatment"], 0.0)
        total, value, sd = float(entry["total"]), float(entry["value"]), float(entry["sd"])
        yield _level(place, entry["readout"], total, value, sd, "literature targets")
    for entry in content.get("growth", ()):
        line, minutes, sd = entry["cell_line"], 60.0 * entry["hours"], float(entry["sd"])
        if "doubling_h" in entry:
            yield _doubling(line, minutes, float(entry["doubling_h"]), sd, "growth targets")
        else:
            yield _gr(line, entry["treatment"], minutes, float(entry["GR"]), sd, "growth targets")


def _compared(entry: Mapping[str, Any], value: float, side: int, table: str) -> Number:
    place, over = (Place(entry["cell_line"], entry[key], float(entry["time_min"])) for key in ("treatment", "over"))
    return _fold(place, over, entry["readout"], value, float(entry["sd"]), table, side)


# ---------------------------------------------------------------------------------------------------------- the tables


def _rppa(folder: Path, entry: Entry) -> Iterable[Number]:
    """Starved 24 h, inhibitor 2 h before the ligand; doses are not in the files: those of the entry are assumed."""
    import pandas as pd

    inhibitor, dose = str(entry.content["inhibitor"]), str(entry.content["inhibitor_dose"])
    for name, line in entry.lines.items():
        frame = pd.read_csv(folder / f"{name}.csv")
        ligands = frame[[f"TR:{ligand}" for ligand in (*entry.treatments, *entry.content["other_ligands"])]]
        frame["ligand"] = [str(name).removeprefix("TR:") for name in ligands.idxmax(axis=1)]
        frame.loc[ligands.sum(axis=1) == 0, "ligand"] = "PBS"
        frame = frame[(frame[f"TR:{entry.content['other_inhibitor']}"] == 0)]
        frame = frame[frame["ligand"].isin(list(entry.treatments))]
        first = frame[frame["DA:ALL"] == 0].drop_duplicates(f"TR:{inhibitor}").assign(ligand="PBS")
        for _, row in pd.concat([first, frame[frame["DA:ALL"] > 0]]).iterrows():
            drug, stimulus = dose if row[f"TR:{inhibitor}"] else "", entry.treatments[row["ligand"]]
            parts = [part for part in (drug, stimulus) if part not in ("", "vehicle")]
            treatment = f"vehicle for 22 h then {drug or 'vehicle'} for 2 h then {' + '.join(parts) or 'vehicle'}"
            for antibody, readout in entry.readouts.items():
                value = row.get(f"DV:{antibody}", math.nan)
                if value > 0:
                    place = Place(line, treatment, float(row["DA:ALL"]))
                    yield entry.band(place, readout, float(value), f"{line} {antibody}")


def _welsh(folder: Path, entry: Entry) -> Iterable[Number]:
    import pandas as pd

    frame = pd.read_csv(folder / "timecourse_long.csv")
    frame = frame[(frame["block"] == "values") & frame["antibody"].isin(list(entry.readouts)) & (frame["value"] > 0)]
    for _, row in frame[frame["cell_line"].isin(list(entry.lines))].iterrows():
        line = entry.lines[row["cell_line"]]
        place = Place(line, STARVED + entry.treatments["insulin"], float(row["time_min"]))
        scale = f"{row['sheet']} {line} {row['antibody']} {row['replicate']}"
        yield entry.band(place, entry.readouts[row["antibody"]], float(row["value"]), scale)


def _niepel(folder: Path, entry: Entry) -> Iterable[Number]:
    import pandas as pd

    frame = pd.read_csv(folder / "pERK-pAKT_fold_change_20160606.tsv", sep="\t")
    frame = frame[frame["Protein Name"].isin(list(entry.treatments))]
    lowest, highest = entry.content["log10_folds"]
    for _, row in frame[frame["Cell Line Name"].isin(list(entry.lines))].iterrows():
        ligand, line = row["Protein Name"], entry.lines[row["Cell Line Name"]]
        dose = row["Ligand Concentration"] / float(entry.content["kDa"][ligand])
        treatment = f"{STARVED}{entry.treatments[ligand]} {dose:.3g} nM"
        for kinase, readout in entry.readouts.items():
            for minutes in (10, 30, 90):
                log_fold = row[f"Measured {kinase}:{minutes}min log10(fold change)"]
                if lowest < log_fold < highest:
                    place, start = Place(line, treatment, float(minutes)), Place(line, treatment, 0.0)
                    sd = entry.sd * float(entry.content["error_factor"][readout])
                    yield entry.fold(place, start, readout, 10.0**log_fold, sd)


def _niepel_levels(folder: Path, entry: Entry) -> Iterable[Number]:
    import pandas as pd

    profile = pd.read_csv(folder / "receptor_profiling.tsv", sep="\t").set_index("Cell Line Name")
    raw = pd.read_csv(folder / "pERK-pAKT_raw_level.tsv", sep="\t")
    starved = raw.groupby("Cell Line Name").mean(numeric_only=True)
    volumes = entry.content["relative_volume"]
    starved = starved.loc[starved.index.isin(entry.content["starved_lines"])]
    for frame, treatment in ((profile, FULL_MEDIUM), (starved, STARVED + "vehicle")):
        for name, line in entry.lines.items():
            for column, readout in entry.readouts.items():
                if name in frame.index and column in frame.columns:
                    value = 10.0 ** float(frame[column].to_dict()[name]) / float(volumes.get(line, 1.0))
                    yield entry.band(Place(line, treatment, 0.0), readout, value, f"{treatment} {readout}")


def _imoto(folder: Path, entry: Entry) -> Iterable[Number]:
    import pandas as pd

    frame = pd.read_csv(folder / "western_raw.csv")
    for _, row in frame[frame["readout"].isin(list(entry.readouts)) & (frame["densitometry_au"] > 0)].iterrows():
        line, readout = entry.lines[row["cell_line"]], entry.readouts[row["readout"]]
        place = Place(line, STARVED + entry.treatments[row["ligand"]], float(row["time_min"]))
        scale = f"{line} {row['readout']} {row['replicate']}"
        yield entry.band(place, readout, float(row["densitometry_au"]), scale)


def _yip(folder: Path, entry: Entry) -> Iterable[Number]:
    import pandas as pd

    frame = pd.read_csv(folder / "western_fullmedium_timecourse.csv")
    (line,) = entry.lines.values()
    for _, row in frame[frame["minutes"] > 0].iterrows():
        for column, readout in entry.readouts.items():
            place, first = (Place(line, STARVED + FULL_MEDIUM, float(time)) for time in (row["minutes"], 0.0))
            yield entry.fold(place, first, readout, float(row[column]), entry.sd)


def _marm2(folder: Path, entry: Entry) -> Iterable[Number]:
    """Columns by position, since their names repeat: 7 and 14 say which drug and readout, then ten doses, ten means."""
    import pandas as pd

    frame = pd.read_csv(folder / "D4_single_mek_inhibitors.csv", header=None, skiprows=1)
    (line,) = entry.lines.values()
    for _, row in frame.iterrows():
        drug = entry.treatments["trametinib" if row[7] == -1 else "PD0325901"]
        readout = entry.readouts["erk" if row[14] == 1 else "mek"]
        for dose, mean in zip(row[16:26], row[26:36], strict=True):
            place = Place(line, f"{FULL_MEDIUM} + {drug} {dose * 1e3:.4g} nM", 1440.0)
            yield entry.band(place, readout, float(mean), f"{drug} {readout}")


THIRDS = (1.0 / 6.0, 0.5, 5.0 / 6.0)
"""Where curves are asked, as shares of the range of doses: together their area."""
SLOPES = np.geomspace(0.15, 6.0, 60)


def _lincs(folder: Path, entry: Entry) -> Iterable[Number]:
    """Three values of each fitted curve, in the middles of the thirds of its doses, on the logarithm of the dose."""
    import pandas as pd

    frame = pd.read_csv(folder / "grmetrics.csv")
    frame = frame[frame["cell_line"].isin(list(entry.lines)) & frame["generic_name"].isin(list(entry.treatments))]
    for record in frame.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        lowest, highest = entry.doses_of(str(row["generic_name"]))
        curve = _gr_curve(row, lowest, highest)
        for share in THIRDS:
            dose = lowest * (highest / lowest) ** share
            treatment = f"{FULL_MEDIUM} + {entry.treatments[row['generic_name']]} {dose:.4g} nM"
            line, effect_sd = entry.lines[row["cell_line"]], float(entry.content["line_sd"])
            yield _gr(line, treatment, 4320.0, float(curve(dose)), entry.sd, entry.table, effect_sd)


def _gr_curve(row: Mapping[str, Any], lowest: float, highest: float) -> Callable[[FloatArray | float], FloatArray]:
    """The fitted GR curve of a dose (nM). Its slope is not in the file: it is the one that gives GR_AOC."""
    bottom, middle = float(row["GRmax"]), 1e3 * float(row["GEC50"])
    middle = min(max(middle, 0.01 * lowest), 100.0 * highest)
    doses = np.geomspace(lowest, highest, 9)

    def curve(slope: float) -> Callable[[FloatArray | float], FloatArray]:
        return lambda dose: np.asarray(bottom + (1.0 - bottom) / (1.0 + (dose / middle) ** slope))

    curves = [curve(slope) for slope in SLOPES]
    areas = np.array([growth_rate.area_over(doses, one(doses)) for one in curves])
    return curves[int(np.argmin(np.abs(areas - float(row["GR_AOC"]))))]


def _oneil(folder: Path, entry: Entry) -> Iterable[Number]:
    """Percent inhibition is relative to control; doses whose median is below zero count as no effect."""
    import pandas as pd

    frame = pd.read_csv(folder / "single_agent_raw.csv")
    frame = frame[frame["Compound"].isin(list(entry.treatments))]
    (line,) = entry.lines.values()
    for _, row in frame.groupby(["Compound", "Dose"], as_index=False)["Response"].median().iterrows():
        drug, dose, response = entry.treatments[str(row["Compound"])], float(row["Dose"]), float(row["Response"])
        treatment = f"{FULL_MEDIUM} + {drug} {dose * 1e3:.4g} nM"
        yield _relative(line, treatment, 2880.0, 1.0 - max(response, 0.0) / 100.0, entry.sd, entry.table)


READERS: Mapping[str, Callable[[Path, Entry], Iterable[Number]]] = {
    "hpn_dream_rppa": _rppa,
    "welsh_insulin_westerns": _welsh,
    "niepel2013_breast_rtk": _niepel,
    "niepel2013_levels": _niepel_levels,
    "imoto2022_erbb_westerns": _imoto,
    "yip2024_t47d": _yip,
    "marm2_a375_perk": _marm2,
    "lincs_brca_gr": _lincs,
    "oneil2016_merck": _oneil,
}
