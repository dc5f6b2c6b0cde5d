"""The widgets of the page and the server they run in; needs panel (the extra ``[app]``)."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from shlex import split
from typing import Any

import panel as pn

from .. import progress
from ..assays.wells import ASSAY_READOUTS
from ..errors import InputError, PathsimError
from ..lab import Library, default_library
from ..lab.protocols import protocols
from ..model import load_model
from ..stamp import stamp_of
from ..stats.synergy.ranking import METRICS
from . import choices as offered
from .choices import MODEL, Choices, Schedule, first_choices
from .commands import FOLDER, VIEWS, View, shell_text, without_folder
from .compound import Action, Acts, Compound, sites, with_compound
from .outcome import Outcome, as_file, as_picture
from .report import Part, write_report

Keep = Callable[[Sequence[str], Outcome], None]
"""Runs a command and keeps what it makes."""

STYLE = files("pathsim.app").joinpath("page.css").read_text(encoding="utf-8")
"""For the page, and for each of its parts, which no style of the page reaches into."""
_FRAME = files("pathsim.app").joinpath("page.html").read_text(encoding="utf-8")
COMPOUNDS = "compounds.toml"
"""The file of own compounds."""
_SHOWN_ROWS = 200
_MOST_UPLOADED = 20_000_000
_COPY = """
const said = text.value;
const was = button.label;
const done = () => { button.label = "Copied"; setTimeout(() => { button.label = was }, 1200) };
if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(said).then(done) }
else {
  const area = document.createElement("textarea");
  area.value = said; document.body.appendChild(area); area.select();
  document.execCommand("copy"); area.remove(); done();
}
"""


def _text(name: str, text: str = "", **more: Any) -> Any:
    """A place for text of the style ``name``."""
    return pn.pane.HTML(text, css_classes=[name], stylesheets=[STYLE], sizing_mode="stretch_width", **more)


def _card(title: str, *content: Any, collapsed: bool = True, **more: Any) -> Any:
    return pn.Card(*content, title=title, collapsed=collapsed, stylesheets=[STYLE], margin=(4, 0), **more)


class Server:
    """The page on a port of this machine.

    Raises :class:`PathsimError` when the port is taken, or the address is none of this machine.
    """

    def __init__(
        self,
        keep: Keep,
        address: str = "127.0.0.1",
        port: int = 5006,
        drugs: str | None = None,
        cell_lines: str | None = None,
    ) -> None:
        self.keep, self.address = keep, address
        self.port = _free_port(address, port)
        self.drugs, self.cell_lines = drugs, cell_lines

    @property
    def url(self) -> str:
        """Where the page is."""
        host = "127.0.0.1" if self.address in ("0.0.0.0", "::") else self.address
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def run(self, show: bool) -> None:
        """Serve the page until the process is interrupted."""
        threading.Thread(target=self._warm, daemon=True, name="pathsim-warm").start()
        names = {"127.0.0.1", "localhost", self.address, socket.gethostname(), socket.getfqdn()}
        pn.serve(
            {"/": self.page},
            address=self.address,
            port=self.port,
            show=show,
            title="pathsim",
            verbose=False,
            websocket_origin=[f"{name}:{self.port}" for name in sorted(names) if ":" not in name],
            websocket_max_message_size=2 * _MOST_UPLOADED,
        )

    def _warm(self) -> None:
        """Compile, and load what figures need, before somebody opens the page."""
        with tempfile.TemporaryDirectory() as folder:
            outcome = Outcome()
            self.keep(VIEWS[0].command(first_choices(), folder), outcome)
            for figure in outcome.figures:
                as_picture(figure)

    def page(self) -> Any:
        """A page for whoever opens it."""
        return Page(self.keep, self.drugs, self.cell_lines).template()


def _free_port(address: str, port: int) -> int:
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise PathsimError(f"{address}, port {port}: {reason}; --port 0 takes a port that is free") from None


@dataclass
class Study:
    """How far a study is, written by the thread that runs it and read by the page."""

    said: str = ""
    done: float = 0.0
    total: float | None = None

    def draw(self, what: str, done: float, total: float | None, seconds: float) -> None:
        """As a display of :mod:`pathsim.progress`."""
        self.said, self.done, self.total = what, done, total

    def close(self) -> None:
        """Nothing to take down."""


class Shown:
    """The tab of a view: its picture, notes and table, and what can be copied and downloaded."""

    def __init__(self, view: View, folder: str, report: Callable[[], io.StringIO]) -> None:
        self.view, self.folder = view, folder
        self.words: list[str] = []
        self.age = -1
        self.python = ""
        self.outcome = Outcome()
        self.number = 0
        waiting = "A study takes ten seconds and more, and runs when the button is pressed." if view.slow else ""
        self.picture = _text("picture", f"<p>{waiting}</p>", min_height=120 if view.slow else 260)
        self.error = _text("error", visible=False)
        self.notes = _text("notes")
        self.command = _text("command")
        self.which = pn.widgets.Select(name="Table", options=[], width=220)
        self.rows = _text("rows")
        self.which.param.watch(lambda event: self._show_rows(), "value")
        self.texts = {name: pn.widgets.TextInput(value="", visible=False) for name in ("command", "Python")}
        downloads = [
            pn.widgets.FileDownload(
                callback=partial(self._file, ending),
                filename=f"{view.verb}.{ending}",
                label=ending.upper(),
                button_type="default",
                width=74,
            )
            for ending in ("csv", "svg", "pdf", "png")
        ]
        kept = pn.widgets.FileDownload(
            callback=report, filename="pathsim_report.html", label="Report", button_type="default", width=92
        )
        copies = []
        for name, text in self.texts.items():
            copy = pn.widgets.Button(name=f"Copy the {name}", button_type="primary", button_style="outline", width=172)
            copy.js_on_click(args={"text": text, "button": copy}, code=_COPY)
            copies.append(copy)
        self.tools = pn.FlexBox(*copies, *downloads, kept, *self.texts.values(), css_classes=["tools"])
        self.table = _card("Numbers", self.which, self.rows)

    def layout(self, *controls: Any) -> Any:
        """The tab, with the controls of its own above."""
        return pn.Column(
            *controls,
            self.error,
            self.picture,
            self.notes,
            self.tools,
            self.command,
            self.table,
            sizing_mode="stretch_width",
            margin=(6, 10),
        )

    def spell(self, choices: Choices) -> list[str]:
        """Say the command and the Python of some choices; the words to run."""
        words = self.view.command(choices, self.folder)
        said = shell_text(without_folder(words, self.folder))
        self.python = self.view.python(choices)
        self.texts["command"].value, self.texts["Python"].value = said, self.python
        self.command.object = f"<code>{escape(said)}</code>"
        return words

    def show(self, words: list[str], age: int, outcome: Outcome, picture: bytes) -> None:
        """Show what a command made of files of an ``age``, or in a line why it made nothing."""
        self.words, self.age = words, age
        if outcome.failed:
            reason = outcome.notes[-1] if outcome.notes else "nothing came of it"
            self.fail(reason.removeprefix("pathsim: "))
            return
        self.outcome, self.number = outcome, self.number + 1
        self.error.visible = False
        coded = base64.b64encode(picture).decode()
        self.picture.object = (
            f'<img alt="{escape(self.view.title)}" data-number="{self.number}" src="data:image/svg+xml;base64,{coded}">'
        )
        said = "\n".join(line for line in outcome.notes if not line.startswith("wrote "))
        self.notes.object = f"<pre>{escape(without_path(said, self.folder))}</pre>" if said else ""
        names = list(outcome.tables)
        main = self.view.verb.replace("-", "_")
        self.which.param.update(options=names, value=main if main in names else names[0])
        self._show_rows()

    def fail(self, reason: str) -> None:
        """Say in a line what is wrong; the picture stays, pale."""
        self.error.object = f"<pre>{escape(without_path(reason, self.folder))}</pre>"
        self.error.visible = True
        self.picture.object = self.picture.object.replace("<img alt", '<img class="stale" alt')

    def _show_rows(self) -> None:
        if self.which.value not in self.outcome.tables:
            return
        import pandas as pd

        frame = pd.read_csv(io.StringIO(self.outcome.csv(self.which.value)), keep_default_na=False, dtype=str)
        text = frame.head(_SHOWN_ROWS).to_html(index=False, border=0)
        cut = f"<p>The first {_SHOWN_ROWS} of {len(frame)} rows; CSV has all.</p>" if len(frame) > _SHOWN_ROWS else ""
        self.rows.object = f"<div>{text}</div>{cut}"

    def _file(self, ending: str) -> io.BytesIO:
        """What a download holds: the table that is shown, or the figure, stamped."""
        if ending == "csv":
            return io.BytesIO(self.outcome.csv(self.which.value).encode() if self.outcome.tables else b"")
        if not self.outcome.figures:
            return io.BytesIO()
        command = ("pathsim", *without_folder(self.words, self.folder))
        stamp = stamp_of(self.outcome.model, command)
        return io.BytesIO(as_file(self.outcome.figures[0], ending, stamp.figure_metadata(ending)))


def without_path(text: str, folder: str) -> str:
    """A message without the folder of the session, which means nothing to its reader."""
    return text.replace(folder + os.sep, "")


@dataclass
class Doses:
    """The sliders of the chosen drugs; a drug that comes back has the dose it had."""

    box: Any = field(default_factory=lambda: pn.Column(sizing_mode="stretch_width"))
    amounts: dict[str, float] = field(default_factory=dict)
    sliders: dict[str, Any] = field(default_factory=dict)

    def show(self, names: Sequence[str], changed: Callable[..., None]) -> None:
        """A slider for each drug."""
        ladder = offered.rungs()
        self.sliders = {}
        for name in names:
            at = self.amounts.setdefault(name, 1000.0)
            nearest = min(ladder.values(), key=lambda dose: abs(dose - at))
            slider = pn.widgets.DiscreteSlider(name=name, options=ladder, value=nearest, css_classes=["dose"])
            slider.param.watch(changed, "value")
            self.sliders[name] = slider
        self.box[:] = list(self.sliders.values())

    def chosen(self) -> tuple[tuple[str, float], ...]:
        """Drugs and doses in nM."""
        self.amounts |= {name: slider.value for name, slider in self.sliders.items()}
        return tuple((name, float(slider.value)) for name, slider in self.sliders.items())


class Page:
    """What one visitor sees: choices at the side, a tab for each view."""

    def __init__(self, keep: Keep, drugs: str | None = None, cell_lines: str | None = None) -> None:
        pn.extension(sizing_mode="stretch_width")
        self.keep = keep
        self.folder = tempfile.mkdtemp(prefix="pathsim-app-")
        if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
            pn.state.on_session_destroyed(lambda context: shutil.rmtree(self.folder, ignore_errors=True))
        self.first = first_choices()
        self.lines_file, self.data = "", {view.verb: "" for view in VIEWS}
        self.made: list[str] = []
        self.shown = {view.verb: Shown(view, self.folder, self._report) for view in VIEWS}
        self._wanted, self._busy, self._age = 0, False, 0
        self._make_widgets()
        if drugs is not None:
            self.own.value = Path(drugs).read_text(encoding="utf-8-sig")
        if cell_lines is not None:
            self._take_lines(os.path.basename(cell_lines), Path(cell_lines).read_bytes())

    @property
    def library(self) -> Library:
        """The bundled shelf with the files of this visitor."""
        found = default_library()
        if self.drugs_file:
            found = found.with_drugs(self.drugs_file)
        return found.with_cell_lines(self.lines_file) if self.lines_file else found

    @property
    def drugs_file(self) -> str:
        """The file of own compounds, empty where there are none."""
        path = os.path.join(self.folder, COMPOUNDS)
        return path if os.path.exists(path) else ""

    def _make_widgets(self) -> None:
        first, shelf, w = self.first, default_library(), pn.widgets
        model = load_model(MODEL)
        readouts = [*model.readouts, *protocols().loading_controls]
        self.lines = w.MultiChoice(name="Cell lines", options=[*shelf.cell_lines], value=[*first.lines])
        self.alterations = w.MultiChoice(
            name="Alterations", options=[*shelf.alterations], value=[*first.alterations], placeholder="none"
        )
        self.parents = w.Checkbox(name="beside the line without them", value=first.parents)
        self.drugs = w.MultiChoice(
            name="Drugs", options=offered.known("drug", shelf), value=[d for d, _ in first.drugs]
        )
        self.doses = Doses(amounts=dict(first.drugs))
        self.doses.show(self.drugs.value, self._changed)
        # schedule of blots and time courses
        self.schedule = w.Select(
            name="Schedule", options=[str(one) for one in Schedule], value=str(first.schedule), width=205
        )
        self.starved = w.TextInput(name="Starved before", value=first.starved, placeholder="not", width=95)
        self.treated = w.TextInput(name="Drug before", value=first.treated, width=85)
        self.serum = w.Select(name="Medium", options=offered.media(), value=first.serum, width=115)
        ligands = {"none": "", **{name: name for name in offered.known("ligand", shelf)}}
        self.ligand = w.Select(name="Ligand", options=ligands, value=first.ligand, width=110)
        self.ligand_dose = w.FloatInput(name="nM", value=first.ligand_nM, start=0, width=75)
        self.written = w.TextAreaInput(
            name="Or write the lanes, one a line",
            placeholder="vehicle for 24 h then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM",
            height=74,
        )
        self.lysed = w.TextInput(name="Lysed after", value=first.lysed, width=90)
        self.readouts = w.MultiChoice(name="Antibodies", options=readouts, value=[*first.readouts])
        self.course = w.TextInput(name="Times", value=first.course, width=170)
        self.course_readouts = w.MultiChoice(name="Readouts", options=[*model.readouts], value=[*first.course_readouts])
        # wells
        self.range = w.TextInput(name="Doses", value=first.doses, width=190)
        self.medium = w.Select(name="Medium", options=offered.media(), value=first.medium, width=130)
        self.before = w.TextInput(name="Steps before", value=first.before, placeholder="vehicle for 24 h", width=160)
        self.read = w.TextInput(name="Read after", value=first.read, width=90)
        self.readout = w.Select(
            name="Readout", options=[*ASSAY_READOUTS, *model.readouts], value=first.readout, width=150
        )
        self.metric = w.Select(name="Score", options=[*METRICS], value=first.metric, width=100)
        self.partner = w.Select(name="Partner", options=offered.known("drug", shelf), value=first.partner[0], width=150)
        self.partner_dose = w.DiscreteSlider(
            name="Partner around", options=offered.rungs(), value=first.partner[1], width=240, css_classes=["partner"]
        )
        self.line = w.Select(name="Line", options=first.cells, value=first.cells[0], width=190)
        # studies
        self.arms = w.TextAreaInput(name="Arms, one a line", value="\n".join(first.arms), height=84, width=330)
        self.mice = w.IntInput(name="Mice an arm", value=first.mice, start=2, end=1000, width=100)
        self.days = w.FloatInput(name="Days", value=first.days, start=1, width=100)
        self.seed = w.IntInput(name="Seed", value=first.seed, start=0, width=90)
        self.start = w.TextInput(name="First dose", value=first.start, width=110)
        self.factor = w.FloatInput(name="Rise by", value=first.factor, start=1.01, end=10, step=0.1, width=100)
        self.fold = w.FloatInput(name="Until x IC50", value=first.fold, start=1, step=1, width=110)
        # own things
        self.upload = w.FileInput(accept=".csv,.tsv,.txt,.xlsx,.xls,.parquet", css_classes=["measured"])
        self.columns = w.TextInput(name="Columns", placeholder="'Band intensity=value' Time=time_h")
        self.without = w.Button(name="Without it", button_type="light", width=110, visible=False)
        self.said_of_data = _text("hint")
        self.own = w.TextAreaInput(name=COMPOUNDS, height=120, placeholder="[my_compound] ...")
        self.said_of_own = _text("error", visible=False)
        self.own_upload = w.FileInput(accept=".toml", css_classes=["compounds"])
        self.own_kept = w.FileDownload(
            callback=lambda: io.StringIO(self.own.value or ""), filename=COMPOUNDS, label=f"Save {COMPOUNDS}"
        )
        self.lines_upload = w.FileInput(accept=".toml", css_classes=["cell-lines"])
        self.settings = w.TextInput(name="Constants set by hand", placeholder="NAME=NUMBER ...")
        self.form = Form(shelf)
        self.tabs = pn.Tabs(dynamic=True, sizing_mode="stretch_width")
        self._watch()

    def _watch(self) -> None:
        quick = (
            *(self.lines, self.alterations, self.parents, self.schedule, self.starved, self.treated, self.serum),
            *(
                self.ligand,
                self.ligand_dose,
                self.written,
                self.lysed,
                self.readouts,
                self.course,
                self.course_readouts,
            ),
            *(
                self.range,
                self.medium,
                self.before,
                self.read,
                self.readout,
                self.metric,
                self.partner,
                self.partner_dose,
            ),
            *(self.line, self.arms, self.mice, self.days, self.seed, self.start, self.factor, self.fold),
            *(self.settings, self.columns),
        )
        for widget in quick:
            widget.param.watch(self._changed, "value")
        self.drugs.param.watch(self._drugs_changed, "value")
        self.upload.param.watch(self._take_data, "value")
        self.without.on_click(self._leave_data)
        self.own.param.watch(self._own_changed, "value")
        self.own_upload.param.watch(lambda event: self._take_own(), "value")
        self.lines_upload.param.watch(
            lambda event: self._take_lines(self.lines_upload.filename, self.lines_upload.value), "value"
        )
        self.form.add.on_click(self._add_compound)

    @property
    def view(self) -> View:
        """The view that is open."""
        return VIEWS[self.tabs.active]

    def choices(self) -> Choices:
        """What is chosen now. Raises :class:`InputError` for text with an open quote."""
        return Choices(
            lines=tuple(self.lines.value),
            alterations=tuple(self.alterations.value),
            parents=self.parents.value,
            drugs=self.doses.chosen(),
            partner=(self.partner.value, float(self.partner_dose.value)),
            schedule=Schedule(self.schedule.value),
            starved=self.starved.value.strip(),
            treated=self.treated.value.strip(),
            serum=self.serum.value,
            ligand=self.ligand.value,
            ligand_nM=float(self.ligand_dose.value or 0.0),
            treatments=_lines_of(self.written.value),
            lysed=self.lysed.value.strip(),
            readouts=tuple(self.readouts.value),
            course=self.course.value.strip(),
            course_readouts=tuple(self.course_readouts.value),
            line=self.line.value or "",
            doses=self.range.value.strip(),
            medium=self.medium.value,
            before=self.before.value.strip(),
            read=self.read.value.strip(),
            readout=self.readout.value,
            metric=self.metric.value,
            arms=_lines_of(self.arms.value),
            mice=self.mice.value,
            days=self.days.value,
            seed=self.seed.value,
            start=self.start.value.strip(),
            factor=self.factor.value,
            fold=self.fold.value,
            settings=_words(self.settings.value, "constants"),
            columns=_words(self.columns.value, "columns"),
            drugs_file=self.drugs_file,
            lines_file=self.lines_file,
            data=self.data[self.view.verb] if self.view.measured else "",
        )

    # ------------------------------------------------------------------------------------------------- what is shown

    def template(self) -> Any:
        """The whole page."""
        for view in VIEWS:
            shown = self.shown[view.verb]
            self.tabs.append((view.title, shown.layout(*self._controls(view))))
        self.tabs.param.watch(self._changed, "active")
        made = pn.Template(_FRAME)
        made.add_variable("dist_url", "static/extensions/panel/")  # what comes later is not taken from another host
        made.add_panel("side", pn.Column(*self._side(), sizing_mode="stretch_width"))
        made.add_panel("views", self.tabs)
        pn.state.onload(self._changed)
        return made

    def _side(self) -> list[Any]:
        measured = _text(
            "hint",
            "Drawn beside the simulated: bands of a blot, a dose response, or a dose matrix (CSV, Excel, Parquet).",
        )
        own_lines = _text("hint", "Cell lines and alterations (TOML)")
        return [
            _card("Cells", self.lines, self.alterations, self.parents, collapsed=False),
            _card("Drugs", self.drugs, self.doses.box, collapsed=False),
            _card("A measured table", measured, self.upload, self.columns, self.said_of_data, self.without),
            _card(
                "A compound of your own",
                *self.form.widgets(),
                self.said_of_own,
                self.own_upload,
                self.own,
                self.own_kept,
            ),
            _card("Own lines and constants", own_lines, self.lines_upload, self.settings),
        ]

    def _controls(self, view: View) -> list[Any]:
        schedule = [self.schedule, self.starved, self.treated, self.serum, self.ligand, self.ligand_dose]
        wells = [self.read, self.readout, self.medium, self.before]
        rows: dict[str, list[Any]] = {
            "blot": [pn.FlexBox(*schedule, self.lysed), _card("Antibodies and lanes", self.readouts, self.written)],
            "timecourse": [
                pn.FlexBox(*schedule, self.course),
                _card("Readouts and lanes", self.course_readouts, self.written),
            ],
            "dose-response": [pn.FlexBox(self.range, *wells)],
            "combine": [pn.FlexBox(self.line, self.partner, self.partner_dose, self.metric, *wells)],
            "xenograft": [pn.FlexBox(self.line, self.arms, self.mice, self.days, self.seed)],
            "escalate": [pn.FlexBox(self.line, self.start, self.factor, self.fold, self.seed)],
        }
        if not view.slow:
            return rows[view.verb]
        study = pn.widgets.Button(name="Run the study", button_type="primary", width=150)
        bar = pn.indicators.Progress(active=True, value=-1, width=220, visible=False)
        said = _text("hint")
        study.on_click(partial(self._run_study, view, study, bar, said))
        return [*rows[view.verb], pn.Row(study, bar, said)]

    # ------------------------------------------------------------------------------------------------ what happens

    def _changed(self, *events: Any) -> None:
        """Run the open view again; of changes that come while it runs, only the last is run after it."""
        cells = self._cells()
        if self.line.options != cells:
            self.line.param.update(
                options=cells, value=self.line.value if self.line.value in cells else cells[:1] and cells[0]
            )
        self._wanted += 1
        if not self._busy:
            pn.state.execute(self._follow)

    def _cells(self) -> list[str]:
        chosen = Choices(
            tuple(self.lines.value), (), ("", 0), "", 0, (), (), (), tuple(self.alterations.value), self.parents.value
        )
        return chosen.cells

    async def _follow(self) -> None:
        self._busy = True
        try:
            seen = -1
            while seen != self._wanted:
                seen, shown = self._wanted, self.shown[self.view.verb]
                try:
                    words = shown.spell(self.choices())
                except PathsimError as error:
                    shown.fail(str(error))
                    continue
                if shown.view.slow or self._is_current(shown, words):
                    continue
                age = self._age
                outcome, picture = await asyncio.to_thread(self._run, words, Outcome())
                shown.show(words, age, outcome, picture)
        finally:
            self._busy = False

    def _is_current(self, shown: Shown, words: list[str]) -> bool:
        """Whether a tab shows what these words make of the files as they are now."""
        return (words, self._age) == (shown.words, shown.age)

    def _run(self, words: list[str], outcome: Outcome) -> tuple[Outcome, bytes]:
        """Run a command; what it made, and its picture."""
        self.keep(words, outcome)
        picture = as_picture(outcome.figures[0]) if outcome.figures and not outcome.failed else b""
        return outcome, picture

    async def _run_study(self, view: View, button: Any, bar: Any, said: Any, event: Any) -> None:
        shown, study, age = self.shown[view.verb], Study(), self._age
        try:
            words = shown.spell(self.choices())
        except PathsimError as error:
            shown.fail(str(error))
            return
        button.disabled, bar.visible = True, True

        def run() -> tuple[Outcome, bytes]:
            with progress.shown_by(lambda: study):
                return self._run(words, Outcome(tell=lambda sentence: study.draw(sentence, 0.0, None, 0.0)))

        try:
            running = asyncio.ensure_future(asyncio.to_thread(run))
            while not running.done():
                await asyncio.wait([running], timeout=0.3)
                said.object = escape(without_path(study.said, self.folder))
                bar.value = int(100 * study.done / study.total) if study.total else -1
            outcome, picture = running.result()
            shown.show(words, age, outcome, picture)
            self._keep_line(view)
        finally:
            button.disabled, bar.visible, said.object = False, False, ""

    def _keep_line(self, view: View) -> None:
        """A resistant line that was made can be chosen as a cell line."""
        place = Path(self.folder, FOLDER)
        for path in sorted(place.glob("*.toml")) if view.verb == "escalate" else ():
            kept = os.path.join(self.folder, path.name)
            shutil.move(path, kept)
            if kept not in self.made:
                self.made.append(kept)
        self._offer()

    def _report(self) -> io.StringIO:
        """All quick views of what is chosen, and the studies that have been run, on one page."""
        parts, model = [], None
        choices = self.choices()
        for view in VIEWS:
            shown = self.shown[view.verb]
            if view.slow:
                outcome, words, python = shown.outcome, shown.words, shown.python
            else:
                words, python = view.command(choices, self.folder), view.python(choices)
                outcome = shown.outcome if self._is_current(shown, words) else self._run(words, Outcome())[0]
            if words and outcome.tables and not outcome.failed:
                parts.append(Part(view.title, without_folder(words, self.folder), python, outcome))
                model = outcome.model or model
        read = [path for path in (choices.drugs_file, choices.lines_file) if path]
        texts = [(os.path.basename(path), Path(path).read_text(encoding="utf-8")) for path in read]
        title = f"{', '.join(choices.cells)}: {', '.join(name for name, _ in choices.drugs)}"
        return io.StringIO(write_report(without_path(title, self.folder), parts, texts, model))

    # ---------------------------------------------------------------------------------------------- things of one's own

    def _drugs_changed(self, event: Any) -> None:
        self.doses.chosen()
        self.doses.show(self.drugs.value, self._changed)
        self._changed()

    def _offer(self) -> None:
        """Offer what is on the shelf now."""
        shelf = self.library
        made = {os.path.basename(path).removesuffix(".toml"): path for path in self.made}
        self.lines.options = {**{name: name for name in shelf.cell_lines}, **made}
        self.alterations.options = [*shelf.alterations]
        drugs = offered.known("drug", shelf)
        self.drugs.options, self.partner.options = drugs, drugs
        self.ligand.options = {"none": "", **{name: name for name in offered.known("ligand", shelf)}}

    def _write(self, name: str, content: bytes) -> str:
        self._age += 1
        path = os.path.join(self.folder, file_name(name))
        Path(path).write_bytes(content)
        return path

    def _take_data(self, event: Any) -> None:
        if not self.upload.value:
            return
        self.data[self.view.verb] = self._write(self.upload.filename or "measured.csv", self.upload.value)
        self.said_of_data.object = (
            f"{escape(file_name(self.upload.filename))} beside the {escape(self.view.title.lower())}"
        )
        self.without.visible = True
        self.upload.clear()  # browsers say nothing when the same file, mended, is chosen again
        self._changed()

    def _leave_data(self, event: Any) -> None:
        self.data[self.view.verb] = ""
        self.said_of_data.object, self.without.visible = "", False
        self._changed()

    def _take_own(self) -> None:
        if self.own_upload.value:
            self.own.value = self.own_upload.value.decode("utf-8-sig", errors="replace")
            self.own_upload.clear()

    def _own_changed(self, event: Any) -> None:
        """Read the compounds anew; a file that cannot be read is said and not used."""
        trial = os.path.join(self.folder, "read", COMPOUNDS)
        os.makedirs(os.path.dirname(trial), exist_ok=True)
        try:
            Path(trial).write_text(self.own.value, encoding="utf-8")
            if self.own.value.strip():
                default_library().with_drugs(trial)
        except PathsimError as error:
            self._complain(str(error).replace(os.path.dirname(trial) + os.sep, ""))
            return
        self.said_of_own.visible = False
        self._age += 1
        kept = os.path.join(self.folder, COMPOUNDS)
        if self.own.value.strip():
            shutil.copy(trial, kept)
        else:
            Path(kept).unlink(missing_ok=True)
        self._offer()
        self._changed()

    def _complain(self, reason: str) -> None:
        self.said_of_own.object, self.said_of_own.visible = f"<pre>{escape(reason)}</pre>", True

    def _add_compound(self, event: Any) -> None:
        try:
            compound = self.form.compound()
            text = with_compound(self.own.value or "", compound)
        except PathsimError as error:
            self._complain(str(error))
            return
        self.own.value = text
        if not self.said_of_own.visible and compound.name in self.drugs.options:
            self.drugs.value = [*self.drugs.value, compound.name]

    def _take_lines(self, name: str, content: bytes | None) -> None:
        if not content:
            return
        before, self.lines_file = self.lines_file, self._write(name or "cell_lines.toml", content)
        self.lines_upload.clear()
        try:
            self._offer()
        except PathsimError as error:
            self.lines_file = before
            self.shown[self.view.verb].fail(str(error))
            return
        self._changed()


class Form:
    """The fields of a compound."""

    def __init__(self, library: Library) -> None:
        w = pn.widgets
        self.name = w.TextInput(name="Name", placeholder="my_compound")
        self.kind = w.Select(name="Kind", options=["drug", "ligand", "medium"])
        self.synonyms = w.TextInput(name="Synonyms", placeholder="comma between")
        self.description = w.TextInput(name="Description")
        self.mass = w.FloatInput(name="g/mol", value=None, width=90, margin=(5, 3, 5, 10))
        self.mass_source = w.TextInput(name="... from", placeholder="datasheet", width=170, margin=(5, 3))
        targets = sites(library)
        self.rows = [
            (
                w.Select(
                    options={"Kd (nM)": "Kd_nM", "adds per nM": "per_nM", "adds per %": "per_percent"},
                    width=96,
                    margin=(5, 3),
                ),
                w.AutocompleteInput(
                    options=targets, placeholder="site", restrict=False, min_characters=0, width=96, margin=(5, 3)
                ),
                w.FloatInput(value=None, placeholder="number", width=72, margin=(5, 3)),
            )
            for _ in range(3)
        ]
        self.source = w.TextInput(name="Where the numbers come from", placeholder="own assay, May 2026")
        self.add = w.Button(name="Add the compound", button_type="primary", button_style="outline")

    def widgets(self) -> list[Any]:
        """In order of reading."""
        acts = _text("hint", "Acts on")
        return [
            *(self.name, self.kind, acts, *(pn.Row(*row) for row in self.rows), self.source),
            *(self.synonyms, self.description, pn.Row(self.mass, self.mass_source), self.add),
        ]

    def compound(self) -> Compound:
        """What is filled in."""
        actions = tuple(
            Action(
                Acts(how.value),
                target.value_input.strip() or target.value.strip(),
                float(number.value),
                self.source.value,
            )
            for how, target, number in self.rows
            if (target.value or target.value_input) and number.value is not None
        )
        synonyms = tuple(part.strip() for part in self.synonyms.value.split(",") if part.strip())
        more = (synonyms, self.description.value, self.mass.value, self.mass_source.value, actions)
        return Compound(self.name.value.strip(), self.kind.value, *more)


def file_name(name: str | None) -> str:
    """A name of an uploaded file that is safe to write and to type."""
    bare = re.sub(r"[^\w.-]+", "_", os.path.basename((name or "").replace("\\", "/"))).lstrip(".-")
    return bare or "uploaded"


def _lines_of(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


def _words(text: str, what: str) -> tuple[str, ...]:
    try:
        return tuple(split(text or ""))
    except ValueError as error:
        raise InputError(f"{what}: {str(error).lower()}") from None
