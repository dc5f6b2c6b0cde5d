"""The systematic workflow for resistance to a PI3K inhibitor, end to end.

Make a resistant line; validate the phenotype; profile mechanisms; screen rescue combinations (vertical, horizontal,
non-canonical); rank them with their uncertainty; take the best into animals. Every step writes its tables as soon as it
is done, so that an interrupted investigation goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, shown
from ..assays.combination import combination_screen
from ..assays.dose_response import dose_response
from ..assays.names import open_model
from ..assays.western_blot import resistance_blot_protocol, western_blot
from ..checked import checked
from ..errors import InputError, PathsimError, raise_together
from ..experiments.ensemble import interval, load_parameter_sets
from ..experiments.readings import Reading, take_readings
from ..experiments.timecourse import system_of
from ..files import only_user, read_bytes, read_json, write_whole
from ..invivo.xenograft import Trial, xenograft
from ..lab import Alteration, CellLine, Drug, Library, default_library, default_pharmacy
from ..lab.clones import cell_line_toml
from ..lab.protocols import Partner, pathway_map, protocols
from ..made_on import go_on_in
from ..model import Model, models_folder
from ..parts import side_by_side
from ..progress import bar
from ..resistance.escalation import Escalation, Rules, escalate, washout
from ..shown import Shown
from ..stats import growth_rate, hill, synergy
from ..threads import Workers, elsewhere
from ..units import doses_nM, number_text
from .methods import METHODS

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What an investigation was asked; equal settings go on in a folder, others are refused there."""

    line: str
    drug: str
    seed: int = 0
    start: str = "100 nM"
    rules: Rules = field(default_factory=Rules)
    sets: int = 12
    mice: int = 10
    time: str = "72 h"


@dataclass(frozen=True, eq=False)
class Investigation:
    """Everything found. ``tables`` by name, ``facts`` plain values by step, ``methods`` how each step was done."""

    settings: Settings
    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]
    methods: Mapping[str, str]

    def _shown(self) -> Shown:
        ranking = self.tables["ranking"]
        columns = ("partner_dose", "strategy", "viability_percent", "gain_points")
        return Shown(
            f"Investigation of {self.settings.line} under {self.settings.drug}: best partner {self.best}",
            ranking[[name for name in columns if name in ranking.columns]],
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def best(self) -> str:
        """The partner ranked first."""
        return str(self.tables["ranking"]["partner"].iloc[0])

    @property
    def trial(self) -> Trial:
        """The xenograft study of the best combination."""
        from ..lab.host import sites

        facts = self.facts["xenograft"]
        return Trial(
            line=facts["line"],
            site=sites()[facts["site"]],
            arms=tuple(facts["arms"]),
            mice=self.tables["mice"],
            volumes=self.tables["volumes"],
            lysate=self.tables["lysate"],
            days=facts["days"],
            notes=tuple(facts["notes"]),
        )


@checked
def investigate(
    model: Model | str | Path,
    cell_line: str,
    drug: str,
    folder: str | Path,
    *,
    seed: int = 0,
    settings: Settings | None = None,
    library: Library | None = None,
    tell: Tell | None = None,
    workers: Workers = None,
    any_processor: bool = False,
) -> Investigation:
    """Run the whole workflow, writing every table into ``folder/tables``.

    Args:
        settings: more choices; its line, drug and seed are replaced by the arguments.
        tell: called with a sentence when a step starts, ends or is taken from an earlier run.
        workers: a number of threads of this machine, or who else takes the studies of a step, as of
            :func:`pathsim.fit`.
        any_processor: as of :func:`pathsim.fit`.

    Raises:
        InputError: names that do not exist, a drug that does not inhibit the line by half, or a folder that holds
            another study (or one that is under way), or was made on another processor.

    >>> found = ps.investigate("pi3k_mapk", "T47D", "alpelisib", "report")  # doctest: +SKIP
    >>> found.best  # doctest: +SKIP
    """
    opened = open_model(model)
    shelf = library or default_library(opened.version)
    problems: list[str] = []
    for find, name in ((shelf.cell_line, cell_line), (shelf.drug, drug)):
        try:
            find(name)
        except PathsimError as error:
            problems.append(str(error))
    raise_together(problems, "investigation")
    asked = settings or Settings(cell_line, drug)
    chosen = replace(asked, line=cell_line, drug=shelf.drug(drug).name, seed=seed)
    with only_user(folder, "a study"), bar("investigation", len(STEPS)) as further:
        work = _Work(opened, shelf, chosen, Path(folder), tell or (lambda _: None), workers, any_processor)
        for name, (title, run) in STEPS.items():
            work.step(name, title, run)
            further()
    return Investigation(chosen, work.tables, work.facts, METHODS)


STUDY_FILE = "study.json"
"""Says whose study a folder holds."""

Found = tuple[dict[str, "pd.DataFrame"], dict[str, Any]]


class _Work:
    """Steps done so far: their tables and facts, on disk as soon as they exist."""

    def __init__(
        self,
        model: Model,
        library: Library,
        settings: Settings,
        folder: Path,
        tell: Tell,
        workers: Workers,
        any_processor: bool,
    ) -> None:
        self.model, self.library, self.settings = model, library, settings
        self.workers, self.any_processor = workers, any_processor
        self.folder, self.tell = folder / "tables", tell
        self.tables: dict[str, pd.DataFrame] = {}
        self.facts: dict[str, Any] = {}
        made_by = self._made_by()
        self.key = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:16]
        self._claim(folder, made_by)

    def _made_by(self) -> dict[str, Any]:
        """All that the results follow from: what was asked, the model, the library, shipped numbers, the version."""
        library, shipped = self.library, hashlib.sha256()
        for path in sorted(path for path in models_folder(self.model.version).iterdir() if path.is_file()):
            shipped.update(path.name.encode() + b"\0" + path.read_bytes())
        known: list[CellLine | Alteration | Drug] = [
            library.cell_line(self.settings.line),
            *library.alterations.values(),
            *library.drugs.values(),
        ]
        science = repr([[getattr(item, each.name) for each in fields(item)] for item in known])
        return {
            **asdict(self.settings),
            "model": f"{self.model.id} {self.model.digest}",
            "library": hashlib.sha256(science.encode()).hexdigest(),
            "shipped numbers": shipped.hexdigest(),
            "version of pathsim": __version__,
        }

    def _claim(self, folder: Path, made_by: dict[str, Any]) -> None:
        """Say in a new folder whose study it holds. Raises :class:`InputError` when it holds another."""
        path = folder / STUDY_FILE
        if not os.path.exists(path):
            if os.path.exists(self.folder) and any(self.folder.iterdir()):
                raise InputError(f"{folder} holds tables of something else ({STUDY_FILE} is missing); use a new folder")
            self.folder.mkdir(parents=True, exist_ok=True)
            go_on_in(folder, False, self.any_processor)
            write_whole(path, json.dumps(made_by, indent=1) + "\n")
            return
        found = read_json(path, dict)
        differ = [name for name in made_by if found.get(name) != made_by[name]]
        if differ:
            raise InputError(f"{folder} holds another study ({', '.join(differ)} differ); use a new folder")
        go_on_in(folder, True, self.any_processor)

    def step(self, name: str, title: str, run: Callable[[_Work], Found]) -> None:
        """Do a step, or take it from an earlier run with the same settings."""
        if self._recall(name):
            self.tell(f"{title}: done earlier")
            return
        self.tell(f"{title} ...")
        tables, facts = run(self)
        contents = {table: frame.to_csv(index=False).encode() for table, frame in tables.items()}
        for table, content in contents.items():
            write_whole(self.folder / f"{table}.csv", content)
        checksums = {table: _checksum(content) for table, content in contents.items()}
        lines = {name: _checksum(read_bytes(self.folder / name)) for name in facts.get("lines", {}).values()}
        done = {"key": self.key, "tables": checksums, "lines": lines, "facts": facts, "checksum": _of_facts(facts)}
        write_whole(self.folder / f"{name}.json", json.dumps(done, indent=1))
        self.tables |= tables
        self.facts[name] = facts

    def of_each(self, studies: Sequence[Callable[[int | None], Any]], said: Sequence[str] = ()) -> list[Any]:
        """What studies find that do not depend on each other, functions of the number of their threads; as each ends
        its sentence is ``said``."""
        found = {}
        for place, result in side_by_side(studies, self.workers, self.any_processor):
            found[place] = result
            for sentence in said[place : place + 1]:
                self.tell(sentence)
        return [found[place] for place in range(len(studies))]

    def _recall(self, name: str) -> bool:
        """Take tables and facts from the folder; False where they are not all there as they were written."""
        import pandas as pd

        try:
            done = read_json(self.folder / f"{name}.json", dict)
            contents = {table: read_bytes(self.folder / f"{table}.csv") for table in done["tables"]}
            checksums = {table: _checksum(content) for table, content in contents.items()}
            lines = {file: _checksum(read_bytes(self.folder / file)) for file in done["lines"]}
            if (done["key"], done["tables"], done["lines"]) != (self.key, checksums, lines):
                return False
            if done["checksum"] != _of_facts(done["facts"]):
                return False
            self.facts[name] = done["facts"]
        except (InputError, KeyError, TypeError, ValueError):
            return False
        self.tables |= {table: pd.read_csv(BytesIO(content)) for table, content in contents.items()}
        return True

    @property
    def lines(self) -> dict[str, CellLine]:
        """Parental, resistant and washed-out line, by what they are called."""
        names = self.facts["escalation"]["lines"]
        return {kind: self.library.cell_line(str(self.folder / file)) for kind, file in names.items()}


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _of_facts(facts: Mapping[str, Any]) -> str:
    return _checksum(json.dumps(facts).encode())


def _escalation(work: _Work) -> Found:
    settings, model, library = work.settings, work.model, work.library
    tell = work.tell if elsewhere(work.workers) is None else None

    def study(threads: int | None) -> tuple[Escalation, pd.DataFrame]:
        found = escalate(
            model,
            settings.line,
            settings.drug,
            settings.start,
            settings.rules.factor,
            rules=settings.rules,
            seed=settings.seed,
            library=library,
            workers=threads,
            progress=None if tell is None else lambda text: tell(f"  {text}"),
        )
        return found, washout(found, workers=threads)

    ((run, washed),) = work.of_each([study])
    files = {}
    for kind, line in (("parental", run.parental), ("resistant", run.line), ("washed out", run.washed)):
        files[kind] = f"{kind.replace(' ', '_')}.toml"
        write_whole(work.folder / files[kind], cell_line_toml(line))
    facts = {
        "lines": files,
        "names": {"resistant": run.line.name},
        "changes": list(run.changes),
        "reversible": list(run.reversible),
        "measure": run.measure,
        "parental_potency_nM": run.aim.value,
        "days": run.days,
        "reached": run.reached,
        "resistant": run.resistant,
        "rule": str(run.rules),
        "reason": run.reason,
        "last_dose_nM": float(run.history["dose_nM"].iloc[-1]),
    }
    return {"escalation_history": run.history, "clone_fractions": run.fractions, "washed_out_clones": washed}, facts


def _phenotype(work: _Work) -> Found:
    import pandas as pd

    lines = list({line.name: line for line in work.lines.values()}.values())
    model, library, settings, doses = work.model, work.library, work.settings, "1 nM .. 100 uM x 16"

    def read(readout: str, threads: int | None) -> pd.DataFrame:
        return dose_response(
            model, lines, settings.drug, doses, readout, settings.time, library=library, workers=threads
        )

    viability, growth = work.of_each([partial(read, "viability"), partial(read, "GR")])
    rows = []
    for line in lines:
        part, rate = (table[table["cell_line"] == line.name] for table in (viability, growth))
        ic50 = hill.fit(part["dose_nM"], part["value"]).ic50
        metrics = growth_rate.from_values(rate["dose_nM"], rate["value"])
        rows.append(
            {
                "cell_line": line.name,
                "ic50_nM": ic50.value,
                "ic50_relation": ic50.relation,
                "ic50_low": ic50.low,
                "ic50_high": ic50.high,
                "gr50_nM": metrics.gr50.value,
                "gr50_relation": metrics.gr50.relation,
                "gr_max": metrics.gr_max,
                "gr_aoc": metrics.gr_aoc,
            }
        )
    potency = pd.DataFrame(rows)
    facts: dict[str, Any] = {}
    for name in ("ic50", "gr50"):
        first, second = potency[f"{name}_nM"].iloc[:2]
        relations = list(potency[f"{name}_relation"].iloc[:2])
        known = relations[0] == "=" and relations[1] in ("=", ">")
        facts[name] = {"fold": float(second / first) if known else None, "bound": relations[1] == ">"}
    return {"dose_response": viability, "growth_rate_inhibition": growth, "potency": potency}, facts


def _mechanisms(work: _Work) -> Found:
    import pandas as pd

    lines = [work.lines["parental"], work.lines["resistant"]]
    dose = float(f"{work.facts['escalation']['parental_potency_nM']:.2g}")
    drug = f"{work.settings.drug} {number_text(dose)} nM"
    bench = protocols(work.model.version)
    standard, known = bench.resistance_blot, {*work.model.symbols, *bench.loading_controls}
    antibodies = [name for name in standard.antibodies if name in known]
    readouts = [name for name in pathway_map(work.model.version).places if name in known]
    drugged = f"serum 10 % + {drug}"
    lanes = ((resistance_blot_protocol(drug), antibodies, standard.times), (["serum 10 %", drugged], readouts, "24 h"))
    model, library = work.model, work.library

    def read(asked: tuple[Any, ...], threads: int | None) -> pd.DataFrame:
        return western_blot(model, lines, *asked, library=library, workers=threads)

    blot, table = work.of_each([partial(read, asked) for asked in lanes])
    by = table.pivot_table(index="readout", columns=["cell_line", "treatment"], values="value").loc[readouts]
    parental, resistant = (line.name for line in lines)
    ratio = by[resistant, drugged] / by[parental, drugged]
    activity = pd.DataFrame(
        {
            "readout": readouts,
            "parental": by[parental, "serum 10 %"].to_numpy(),
            "parental_with_drug": by[parental, drugged].to_numpy(),
            "resistant": by[resistant, "serum 10 %"].to_numpy(),
            "resistant_with_drug": by[resistant, drugged].to_numpy(),
            "log2_resistant_over_parental_with_drug": np.log2(np.maximum(ratio.to_numpy(), 2.0**-20)),
        }
    )
    return {"blot": blot, "activity": activity}, {"dose": drug}


def _rescue(work: _Work) -> Found:
    import pandas as pd

    dose = work.facts["escalation"]["last_dose_nM"]
    own = f"{number_text(float(f'{dose / 30:.3g}'))} nM .. {number_text(float(f'{dose:.3g}'))} nM x 4"
    model, library, settings = work.model, work.library, work.settings
    lines, asked = work.lines, [(partner, kind) for partner in _partners(work) for kind in ("resistant", "parental")]

    def screen(partner: Partner, kind: str, threads: int | None) -> pd.DataFrame:
        return combination_screen(
            model,
            lines[kind],
            [settings.drug, partner.drug],
            {settings.drug: own, partner.drug: partner.doses},
            settings.time,
            library=library,
            workers=threads,
        )

    said = [f"  {partner.strategy}: {settings.drug} + {partner.drug}, {kind}" for partner, kind in asked]
    frames, rows = work.of_each([partial(screen, *one) for one in asked], said), []
    for (partner, kind), table in zip(asked, frames, strict=True):
        score = synergy.bliss(table, resamples=0)
        rows.append(
            {
                "partner": partner.drug,
                "strategy": partner.strategy,
                "cell_line": lines[kind].name,
                "state": kind,
                "bliss_mean_points": score.mean,
                "bliss_max_points": score.max,
                "lowest_viability_percent": float(table["value"].min()),
            }
        )
    return {"combinations": pd.concat(frames, ignore_index=True), "combination_scores": pd.DataFrame(rows)}, {
        "doses": own
    }


def _partners(work: _Work) -> list[Partner]:
    known = set(work.model.symbols)
    fitting = []
    for partner in protocols(work.model.version).rescue:
        if partner.drug != work.settings.drug and partner.drug in work.library.drugs:
            targets = work.library.drugs[partner.drug].per_nM
            if set(targets) <= known:
                fitting.append(partner)
    if not fitting:
        raise InputError(f"model '{work.model.id}' has no site for any of the rescue drugs")
    return fitting


def parameter_sets(model: Model, size: int, seed: int) -> tuple[list[dict[str, float]], str]:
    """Parameter sets for uncertainty: the shipped ensemble, or log-normal perturbations where there is none.

    Returns the sets and, in words, what they are.
    """
    try:
        shipped = load_parameter_sets(version=model.version)
    except InputError:
        shipped = []
    known = set(system_of(model).slots)
    if shipped and all(name.split("@")[0] in known for name in shipped[0]):
        chosen = np.random.default_rng([seed, 5]).permutation(len(shipped))[:size]
        return [shipped[i] for i in sorted(chosen)], f"{len(chosen)} parameter sets of the calibrated ensemble"
    system = system_of(model)
    free = [a.name for a in model.annotations if a.kind in ("calibrated", "estimate") and a.name in known]
    values = {name: float(system.defaults[system.slots[name]]) for name in free}
    free = [name for name in free if values[name] > 0]
    random = np.random.default_rng([seed, 5])
    sets = [{name: values[name] * float(np.exp(0.1 * random.normal())) for name in free} for _ in range(size)]
    return sets, f"{size} sets with every estimated or calibrated constant perturbed log-normally by 10 % (no ensemble)"


def _dose_text(nanomolar: float) -> str:
    """A dose as it is pipetted: two digits and the unit that suits it."""
    for unit, size in (("mM", 1e6), ("uM", 1e3)):
        if nanomolar >= size:
            return f"{number_text(float(f'{nanomolar / size:.2g}'))} {unit}"
    return f"{number_text(float(f'{nanomolar:.2g}'))} nM"


def _ranking(work: _Work) -> Found:
    import pandas as pd

    sets, what = parameter_sets(work.model, work.settings.sets, work.settings.seed)
    line, drug = work.lines["resistant"], work.settings.drug
    dose = number_text(float(f"{work.facts['escalation']['last_dose_nM']:.3g}"))
    minutes, viability = 72 * 60.0, protocols(work.model.version).names.viability
    readings = [Reading(line.name, "serum 10 %", minutes, viability)]
    readings.append(Reading(line.name, f"serum 10 % + {drug} {dose} nM", minutes, viability))
    partners = _partners(work)
    for partner in partners:
        amount = _dose_text(doses_nM(partner.doses)[2])
        readings.append(Reading(line.name, f"serum 10 % + {partner.drug} {amount}", minutes, viability))
        both = f"serum 10 % + {drug} {dose} nM + {partner.drug} {amount}"
        readings.append(Reading(line.name, both, minutes, viability))
    model, library, cases = work.model, work.library, [{}, *sets]
    own = {line.name: line}
    (values,) = work.of_each([lambda _: take_readings(model, readings, cases, library, lines=own)])
    percent = 100 * values / values[:, :1]
    alone, single, both_ = percent[:, 1:2], percent[:, 2::2], percent[:, 3::2]
    gain = np.minimum(alone, single) - both_
    bliss = alone * single / 100 - both_
    best = np.bincount(np.argmax(gain[1:], axis=1), minlength=len(partners)) / max(len(sets), 1)
    rows = []
    for i, partner in enumerate(partners):
        row: dict[str, Any] = {
            "partner": partner.drug,
            "strategy": partner.strategy,
            "partner_dose": readings[2 + 2 * i].treatment,
        }
        for name, table in (("viability_percent", both_), ("gain_points", gain), ("bliss_points", bliss)):
            low, value, high = interval(table[:, i]) if len(sets) else (np.nan, table[0, i], np.nan)
            row |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
        rows.append({**row, "share_of_sets_best": float(best[i])})
    ranking = pd.DataFrame(rows).sort_values("gain_points", ascending=False, kind="stable", ignore_index=True)
    ranking["partner_dose"] = ranking["partner_dose"].str.removeprefix("serum 10 % + ")
    return {"ranking": ranking}, {"uncertainty": what, "dose": f"{drug} {dose} nM"}


def _xenograft(work: _Work) -> Found:
    pharmacy = default_pharmacy(work.model.version)
    usual = {name: regimen for (name, species), regimen in pharmacy.usual.items() if species == "mouse"}
    drug = work.settings.drug
    if drug not in usual:
        raise InputError(f"no usual dose of {drug} in mice is known, so there is no xenograft study of it")
    ranked = [name for name in work.tables["ranking"]["partner"] if name in usual]
    arms = ["vehicle", usual[drug], *(f"{usual[drug]} + {usual[name]}" for name in ranked[:1])]
    model, library, settings = work.model, work.library, work.settings

    def study(line: CellLine | str, arms: Sequence[str], threads: int | None) -> Trial:
        return xenograft(model, line, arms, settings.mice, settings.seed, library=library, workers=threads)

    lines = ((work.lines["resistant"], arms), (settings.line, arms[:2]))
    trial, naive = work.of_each([partial(study, *one) for one in lines])
    facts = {
        "line": trial.line,
        "site": trial.site.name,
        "arms": list(trial.arms),
        "days": trial.days,
        "notes": list(trial.notes),
        "partner": ranked[0] if ranked else "",
        "skipped": [name for name in work.tables["ranking"]["partner"] if name not in usual],
    }
    summary = trial.summary().assign(line=trial.line)
    import pandas as pd

    both = pd.concat([naive.summary().assign(line=naive.line), summary], ignore_index=True)
    return {"mice": trial.mice, "volumes": trial.volumes, "lysate": trial.lysate, "xenograft_summary": both}, facts


STEPS: Mapping[str, tuple[str, Callable[[_Work], Found]]] = {
    "escalation": ("1/6 resistant line by step-wise dose", _escalation),
    "phenotype": ("2/6 phenotype: IC50 shift and growth-rate inhibition", _phenotype),
    "mechanisms": ("3/6 mechanisms: western blot and pathway activity", _mechanisms),
    "rescue": ("4/6 rescue combinations", _rescue),
    "ranking": ("5/6 ranking over the parameter ensemble", _ranking),
    "xenograft": ("6/6 xenograft of the best combination", _xenograft),
}
