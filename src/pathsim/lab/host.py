"""The host of a tumour: sites of xenografts, and glucose with what is done about it (``models/hosts.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from ..errors import raise_together, unknown
from ..files import read_toml
from ..model import models_folder
from .cell_line import CellLine


@dataclass(frozen=True, slots=True)
class Site:
    """Where a tumour is implanted, what ends an animal's follow-up, and how animals differ (CV of log-normals).

    ``untreated_days``: median time to the endpoint without drug, to which growth in the animal is calibrated.
    """

    name: str
    description: str
    compartment: str
    lines: tuple[str, ...]
    endpoint: str
    implanted_cells: float
    endpoint_cells: float
    untreated_days: float
    dosing_from_days: float
    growth_cv: float
    clearance_cv: float
    take_cv: float
    endpoint_cv: float
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value!r}; it must be positive and finite"
            for name in ("implanted_cells", "endpoint_cells", "untreated_days")
            if not 0 < (value := getattr(self, name)) < float("inf")
        ]
        problems += [
            f"{name} is {value!r}; it must be between 0 and 1"
            for name in ("growth_cv", "clearance_cv", "take_cv", "endpoint_cv")
            if not 0 <= (value := getattr(self, name)) <= 1
        ]
        if not 0 <= self.dosing_from_days < float("inf"):
            problems.append(f"dosing starts on day {self.dosing_from_days!r}, before implantation (day 0)")
        elif self.dosing_from_days >= self.untreated_days:
            problems.append(
                f"dosing starts on day {self.dosing_from_days:g}, when half of the untreated animals have reached the "
                f"endpoint (day {self.untreated_days:g})"
            )
        if self.implanted_cells >= self.endpoint_cells:
            problems.append(f"{self.implanted_cells:g} implanted cells are the endpoint already")
        raise_together(problems, f"site '{self.name}'")


_NUMBERS = (
    "implanted_cells", "endpoint_cells", "untreated_days", "dosing_from_days", "growth_cv", "clearance_cv", "take_cv",
    "endpoint_cv",
)  # fmt: skip


@cache
def host_tables(version: str = "") -> Mapping[str, Any]:
    """The bundled file about hosts, as it stands, by default in the current version."""
    return MappingProxyType(read_toml(models_folder(version) / "hosts.toml"))


def sites(version: str = "") -> dict[str, Site]:
    """Bundled sites by name."""
    return {
        name: Site(
            name=name,
            description=entry["description"],
            compartment=entry["compartment"],
            lines=tuple(entry["lines"]),
            endpoint=entry["endpoint"],
            sources=MappingProxyType({key: entry[key]["source"] for key in _NUMBERS}),
            **{key: float(entry[key]["value"]) for key in _NUMBERS},
        )
        for name, entry in host_tables(version)["site"].items()
    }


@dataclass(frozen=True, slots=True)
class GlucoseHost:
    """The model of the host's glucose and how the study drives it.

    ``drug_target``: the entry of the drug table that acts on the host, through ``drug_input`` of its model.
    ``readouts``: glucose and insulin. ``interventions``: values of the model's parameters by name of the arm, those of
    ``from_first_dose`` starting with the drug.
    """

    model: str
    drug_target: str
    drug_input: str
    readouts: tuple[str, ...]
    from_first_dose: tuple[str, ...]
    interventions: Mapping[str, Mapping[str, float]]


def glucose_host(version: str = "") -> GlucoseHost:
    """The bundled host."""
    table, arms = host_tables(version)["glucose"], host_tables(version)["intervention"]
    return GlucoseHost(
        model=f"{table['model']}@{version}" if version else table["model"],
        drug_target=table["drug_target"],
        drug_input=table["drug_input"],
        readouts=tuple(table["readouts"]),
        from_first_dose=tuple(table["from_first_dose"]),
        interventions=MappingProxyType(
            {arm: {name: float(one["value"]) for name, one in changes.items()} for arm, changes in arms.items()}
        ),
    )


def find_site(name: str | None, line: CellLine | None, version: str = "") -> Site:
    """A site by name, or where tumours of ``line`` are usually grown. Raises :class:`UnknownNameError`."""
    known = sites(version)
    if name is None and line is not None and line.site:
        name = line.site
    if name is None:
        family = line.name.split("+")[0] if line is not None else ""
        return next((site for site in known.values() if family in site.lines), known["flank"])
    if name not in known:
        raise unknown("site", name, known)
    return known[name]
