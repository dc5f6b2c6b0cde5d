"""Measured tables and literature targets of the calibration, as dishes to simulate and numbers to match.

The tables are read from the data folder of the user (none is shipped); ``models/calibration.toml`` says which are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import InputError, raise_together
from ..experiments.readings import Reading
from ..files import read_toml

if TYPE_CHECKING:
    import pandas as pd

STARVED = "vehicle for 24 h then "


@dataclass(frozen=True, slots=True)
class Band:
    """A measured number on an arbitrary scale: rows of one ``scale`` share a factor (and a background)."""

    dish: Reading
    value: float
    sd: float
    scale: str
    background: bool
    table: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """``dish`` over ``over`` (another dish, or a constant total), with a log-normal error ``sd``."""

    dish: Reading
    over: Reading | float
    value: float
    sd: float
    table: str
    side: int = 0
    """0: the value itself; 1: at least the value; -1: at most."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A growth-rate inhibition value, a relative cell count, or a doubling time, with an error ``sd``."""

    cell_line: str
    treatment: str
    minutes: float
    kind: str  # "GR", "relative" or "doubling"
    value: float
    sd: float
    table: str


@dataclass(frozen=True)
class CalibrationData:
    """Everything the fit looks at, and the constants it must leave alone."""

    bands: tuple[Band, ...]
    ratios: tuple[Ratio, ...]
    growth: tuple[Growth, ...]
    held_fixed: frozenset[str]
    prior_sd: Mapping[str, float] = field(default_factory=dict)
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def items(self) -> list[Band | Ratio | Growth]:
        """Everything to match, in the order of the residuals."""
        return [*self.bands, *self.ratios, *self.growth]


def read_calibration(config: Path, folder: Path) -> CalibrationData:
    """Read ``calibration.toml`` and the tables it names from ``folder``.

    Raises :class:`InputError` naming every table that is missing or unknown.
    """
    content = read_toml(config)
    bands: list[Band] = []
    ratios: list[Ratio] = []
    growth: list[Growth] = []
    claims: dict[str, tuple[str, ...]] = {}
    problems = []
    for entry in content["table"]:
        name = entry["id"]
        claims[name] = tuple(entry["claims"])
        if name not in READERS:
            problems.append(f"table '{name}' has no reader; known: {', '.join(READERS)}")
        elif not (home := folder / FOLDERS.get(name, name)).is_dir():
            problems.append(f"{home}: no such folder; the README says where the table comes from")
        else:
            for item in READERS[name](home, float(entry["sd"]), bool(entry["background"])):
                if isinstance(item, Band):
                    bands.append(item)
                elif isinstance(item, Ratio):
                    ratios.append(item)
                else:
                    growth.append(item)
    raise_together(problems, str(config))
    _read_targets(content, ratios, growth)
    emphasis = content.get("emphasis", ())
    bands, ratios = [_weighed(item, emphasis) for item in bands], [_weighed(item, emphasis) for item in ratios]
    growth = [_weighed(item, emphasis) for item in growth]
    return CalibrationData(
        tuple(bands),
        tuple(ratios),
        tuple(growth),
        frozenset(content["held_fixed"]),
        content.get("prior_sd", {}),
        claims,
    )


_Item = TypeVar("_Item", Band, Ratio, Growth)


def _weighed(item: _Item, emphasis: Sequence[Mapping[str, Any]]) -> _Item:
    """``item`` with its error divided by the factor of every emphasis whose table, line, treatment and readout fit."""
    where: Reading | Growth = item if isinstance(item, Growth) else item.dish
    readout = "" if isinstance(where, Growth) else where.readout
    for entry in emphasis:
        fits = (
            entry["table"] == item.table
            and entry.get("cell_line", where.cell_line) == where.cell_line
            and entry.get("treatment", "") in where.treatment
            and entry.get("readout", readout) == readout
        )
        if fits:
            item = replace(item, sd=item.sd / float(entry["factor"]))
    return item


def _read_targets(content: Mapping[str, Any], ratios: list[Ratio], growth: list[Growth]) -> None:
    for entry in content.get("ratio", ()):
        dish = Reading(entry["cell_line"], entry["treatment"], entry["time_min"], entry["readout"])
        over = Reading(entry["cell_line"], entry["over"], entry["time_min"], entry["readout"])
        ratios.append(Ratio(dish, over, entry["value"], entry["sd"], "literature targets"))
    for entry in content.get("sign", ()):
        dish = Reading(entry["cell_line"], entry["treatment"], entry["time_min"], entry["readout"])
        over = Reading(entry["cell_line"], entry["over"], entry["time_min"], entry["readout"])
        side = 1 if "at_least" in entry else -1
        value = entry.get("at_least", entry.get("at_most"))
        ratios.append(Ratio(dish, over, value, entry["sd"], "literature directions", side))
    for entry in content.get("level", ()):
        dish = Reading(entry["cell_line"], entry["treatment"], 0.0, entry["readout"])
        ratios.append(Ratio(dish, float(entry["total"]), entry["value"], entry["sd"], "literature targets"))
    for entry in content.get("growth", ()):
        kind = "doubling" if "doubling_h" in entry else "GR"
        value = entry["doubling_h"] if kind == "doubling" else entry["GR"]
        minutes = 60.0 * entry["hours"]
        line, treatment = entry["cell_line"], entry["treatment"]
        growth.append(Growth(line, treatment, minutes, kind, value, entry["sd"], "growth targets"))


# ---------------------------------------------------------------------------------------------------- the tables

_RPPA = {
    "AKT_pS473": "pAKT_S473", "AKT_pT308": "pAKT_T308", "GSK3-alpha-beta_pS9": "pGSK3b_S9",
    "MAPK_pT202_Y204": "pERK_T202", "MEK1_pS217_S221": "pMEK_S217", "S6_pS235_S236": "pS6_S235",
    "S6_pS240_S244": "pS6_S240", "p70S6K_pT389": "pS6K_T389", "4EBP1_pT37_pT46": "p4EBP1_T37",
    "Src_pY416": "pSRC_Y419", "p90RSK_pT359_S363": "pRSK_S380",
}  # fmt: skip
_RPPA_LIGANDS = {"EGF": "EGF 16 nM", "IGF1": "IGF1 13 nM", "Insulin": "insulin 100 nM", "NRG1": "NRG1 13 nM",
                 "Serum": "serum 10 %", "PBS": "vehicle"}  # fmt: skip


def _rppa(folder: Path, sd: float, background: bool) -> Iterable[Band]:
    """Starved 24 h, inhibitor 2 h before the ligand; doses are not in the files: 100 ng/ml and 10 uM are assumed."""
    import pandas as pd

    for name, line in (("MCF7", "MCF7"), ("BT20", "BT-20")):
        frame = pd.read_csv(folder / f"{name}.csv")
        ligands = frame[[f"TR:{ligand}" for ligand in (*_RPPA_LIGANDS, "FGF1", "HGF")]]
        frame["ligand"] = [str(name).removeprefix("TR:") for name in ligands.idxmax(axis=1)]
        frame.loc[ligands.sum(axis=1) == 0, "ligand"] = "PBS"
        frame = frame[(frame["TR:PD173074i"] == 0) & frame["ligand"].isin(list(_RPPA_LIGANDS))]
        first = frame[frame["DA:ALL"] == 0].drop_duplicates("TR:GSK690693i").assign(ligand="PBS")
        for _, row in pd.concat([first, frame[frame["DA:ALL"] > 0]]).iterrows():
            inhibitor = "GSK690693 10 uM" if row["TR:GSK690693i"] else ""
            stimulus = _RPPA_LIGANDS[row["ligand"]]
            parts = [part for part in (inhibitor, stimulus) if part not in ("", "vehicle")]
            treatment = f"vehicle for 22 h then {inhibitor or 'vehicle'} for 2 h then {' + '.join(parts) or 'vehicle'}"
            for antibody, readout in _RPPA.items():
                value = row.get(f"DV:{antibody}", np.nan)
                if value > 0:
                    dish = Reading(line, treatment, float(row["DA:ALL"]), readout)
                    yield Band(dish, float(value), sd, f"rppa {line} {antibody}", background, "hpn_dream_rppa")


_WELSH = {
    "AktpT308": "pAKT_T308", "AktpS473": "pAKT_S473", "PRAS40pT246": "pPRAS40_T246", "S6KpT389": "pS6K_T389",
    "TSC2pT1462": "pTSC2_T1462", "IRS1pS636/639": "pIRS1_S636", "4E-BP1pT37/46": "p4EBP1_T37",
    "ERK-pT202/Y204": "pERK_T202",
}  # fmt: skip


def _welsh(folder: Path, sd: float, background: bool) -> Iterable[Band]:
    import pandas as pd

    frame = pd.read_csv(folder / "timecourse_long.csv")
    frame = frame[(frame["block"] == "values") & frame["antibody"].isin(list(_WELSH)) & (frame["value"] > 0)]
    for _, row in frame.iterrows():
        line = {"MCF-7": "MCF7"}.get(row["cell_line"], row["cell_line"])
        dish = Reading(line, STARVED + "insulin 100 nM", float(row["time_min"]), _WELSH[row["antibody"]])
        scale = f"welsh {row['sheet']} {line} {row['antibody']} {row['replicate']}"
        yield Band(dish, float(row["value"]), sd, scale, background, "welsh_insulin_westerns")


def _niepel(folder: Path, sd: float, background: bool) -> Iterable[Ratio]:
    import pandas as pd

    frame = pd.read_csv(folder / "pERK-pAKT_fold_change_20160606.tsv", sep="\t")
    molar = {"EGF": ("EGF", 6.2), "HRG": ("NRG1", 7.5), "IGF-I": ("IGF1", 7.65)}
    lines = {"MCF7": "MCF7", "T47D": "T47D", "MCF 10A": "MCF10A", "BT-20": "BT-20"}
    for _, row in frame[frame["Protein Name"].isin(list(molar)) & frame["Cell Line Name"].isin(list(lines))].iterrows():
        ligand, mass = molar[row["Protein Name"]]
        treatment = f"{STARVED}{ligand} {row['Ligand Concentration'] / mass:.3g} nM"
        for kinase, readout in (("pAkt", "pAKT_S473"), ("pErk", "pERK_T202")):
            for minutes in (10, 30, 90):
                log_fold = row[f"Measured {kinase}:{minutes}min log10(fold change)"]
                if not -0.5 < log_fold < 1.6:  # folds above 40 divide by a signal below detection
                    continue
                dish = Reading(lines[row["Cell Line Name"]], treatment, float(minutes), readout)
                start = Reading(dish.cell_line, treatment, 0.0, readout)
                error = sd if kinase == "pAkt" else 3.0 * sd  # pERK of starved cells is near the detection limit
                yield Ratio(dish, start, 10.0**log_fold, error, "niepel2013_breast_rtk")


_LEVEL_LINES = {"BT-20": "BT-20", "BT-474": "BT-474", "BT-549": "BT-549", "MCF 10A": "MCF10A", "MCF7": "MCF7",
                "MDA-MB-231": "MDA-MB-231", "MDA-MB-468": "MDA-MB-468", "SK-BR-3": "SK-BR-3", "T47D": "T47D",
                "ZR-75-1": "ZR-75-1"}  # fmt: skip
_LARGE_CELL = 5.25 / 2.0  # MCF10A: signals are per cell, states of the model are concentrations


def _niepel_levels(folder: Path, sd: float, background: bool) -> Iterable[Band]:
    import pandas as pd

    profile = pd.read_csv(folder / "receptor_profiling.tsv", sep="\t").set_index("Cell Line Name")
    raw = pd.read_csv(folder / "pERK-pAKT_raw_level.tsv", sep="\t")
    starved = raw.groupby("Cell Line Name").mean(numeric_only=True)
    for frame, treatment, columns in (
        (profile, "serum 10 %", {"pAkt log10(a.u.)": "pAKT_S473", "pERK CST log10(a.u.)": "pERK_T202"}),
        (starved, STARVED + "vehicle", {"Control pAkt (a.u.)": "pAKT_S473", "Control pErk (a.u.)": "pERK_T202"}),
    ):
        for name, line in _LEVEL_LINES.items():
            for column, readout in columns.items():
                if name in frame.index:
                    value = 10.0 ** float(frame[column].to_dict()[name]) / (_LARGE_CELL if line == "MCF10A" else 1.0)
                    scale = f"niepel {treatment} {readout}"
                    yield Band(
                        Reading(line, treatment, 0.0, readout), value, sd, scale, background, "niepel2013_levels"
                    )


def _imoto(folder: Path, sd: float, background: bool) -> Iterable[Band]:
    import pandas as pd

    frame = pd.read_csv(folder / "western_raw.csv")
    readouts = {"pAkt": "pAKT_S473", "pERK": "pERK_T202"}
    for _, row in frame[frame["readout"].isin(list(readouts)) & (frame["densitometry_au"] > 0)].iterrows():
        line = {"MCF7": "MCF7", "SKBR3": "SK-BR-3"}[row["cell_line"]]
        treatment = STARVED + {"EGF": "EGF 10 nM", "HRG": "NRG1 10 nM"}[row["ligand"]]
        dish = Reading(line, treatment, float(row["time_min"]), readouts[row["readout"]])
        scale = f"imoto {line} {row['readout']} {row['replicate']}"
        yield Band(dish, float(row["densitometry_au"]), sd, scale, background, "imoto2022_erbb_westerns")


def _yip(folder: Path, sd: float, background: bool) -> Iterable[Ratio]:
    import pandas as pd

    frame = pd.read_csv(folder / "western_fullmedium_timecourse.csv")
    readouts = {"pRB": "pRB_S807", "pS6": "pS6_S240", "cyclinD1": "cyclinD1", "pERK": "pERK_T202", "pAKT": "pAKT_S473"}
    for _, row in frame[frame["minutes"] > 0].iterrows():
        for column, readout in readouts.items():
            dish = Reading("T47D", STARVED + "serum 10 %", float(row["minutes"]), readout)
            first = Reading("T47D", STARVED + "serum 10 %", 0.0, readout)
            yield Ratio(dish, first, float(row[column]), sd, "yip2024_t47d")


def _marm2(folder: Path, sd: float, background: bool) -> Iterable[Band]:
    import pandas as pd

    frame = pd.read_csv(folder / "D4_single_mek_inhibitors.csv", header=None, skiprows=1)
    for _, row in frame.iterrows():
        drug = "trametinib" if row[7] == -1 else "PD0325901"
        readout = "pERK_T202" if row[14] == 1 else "pMEK_S217"
        for dose, mean in zip(row[16:26], row[26:36], strict=True):
            dish = Reading("A375", f"serum 10 % + {drug} {dose * 1e3:.4g} nM", 1440.0, readout)
            yield Band(dish, float(mean), sd, f"marm2 {drug} {readout}", background, "marm2_a375_perk")


def _lincs(folder: Path, sd: float, background: bool) -> Iterable[Growth]:
    """The value at GR50 (where it lies inside the doses) and at the top dose, 10 uM."""
    import pandas as pd

    frame = pd.read_csv(folder / "grmetrics.csv")
    for _, row in frame.iterrows():
        line = {"BT20": "BT-20"}.get(row["cell_line"], row["cell_line"])
        drug = row["generic_name"]
        points = [(10.0, row["GRmax"])] + ([(row["GR50"], 0.5)] if row["GR50"] < 10 else [])
        if row["GR50"] >= 10 and row["GEC50"] < 10:
            points.append((row["GEC50"], 0.5 * (1.0 + row["GRmax"])))
        for dose, value in points:
            treatment = f"serum 10 % + {drug} {dose:.4g} uM"
            yield Growth(line, treatment, 4320.0, "GR", float(value), sd, "lincs_brca_gr")


def _oneil(folder: Path, sd: float, background: bool) -> Iterable[Growth]:
    """Percent inhibition is relative to control; doses whose median is below zero count as no effect."""
    import pandas as pd

    frame = pd.read_csv(folder / "single_agent_raw.csv")
    for _, row in frame.groupby(["Compound", "Dose"], as_index=False)["Response"].median().iterrows():
        drug, dose, response = str(row["Compound"]), float(row["Dose"]), float(row["Response"])
        treatment = f"serum 10 % + {drug} {dose * 1e3:.4g} nM"
        value = 1.0 - max(response, 0.0) / 100.0
        yield Growth("T47D", treatment, 2880.0, "relative", value, sd, "oneil2016_merck")


_Reader = Callable[[Path, float, bool], Iterable[Band | Ratio | Growth]]
READERS: Mapping[str, _Reader] = {
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
FOLDERS = {"niepel2013_levels": "niepel2013_breast_rtk"}
"""Where a table is not in a folder of its own name."""


def table_sizes(data: CalibrationData) -> pd.DataFrame:
    """How many numbers each table gives: columns ``table, numbers``."""
    import pandas as pd

    rows = [item.table for item in data.items]
    if not rows:
        raise InputError("the calibration has no data")
    return pd.Series(rows).value_counts().rename_axis("table").reset_index(name="numbers")
