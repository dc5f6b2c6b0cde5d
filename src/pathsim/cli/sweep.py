"""``pathsim sweep SPEC.toml`` and ``pathsim sweep merge``: a million wells, chunk by chunk."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import InputError, SimulationError
from . import app as cli

if TYPE_CHECKING:
    from ..sweep import Progress


class RunByDefault(TyperGroup):
    """``pathsim sweep SPEC.toml`` is ``pathsim sweep run SPEC.toml``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command asked for."""
        if args and args[0] not in self.commands:
            args = ["run", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options may come before the spec."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


verb = typer.Typer(
    name="sweep",
    cls=RunByDefault,
    no_args_is_help=True,
    help="Simulate every well of a sweep file (pathsim sweep SPEC.toml -o DIR), or join what sweeps wrote "
    "(pathsim sweep merge DIR... -o FILE).",
)
cli.app.add_typer(verb)


@verb.command(name="run")
def run(
    spec: Annotated[str, typer.Argument(metavar="SPEC.toml", help="What to sweep; see the manual of pathsim.sweep.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", callback=cli.new_folder, help="Where chunks are written.")
    ],
    workers: cli.Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a sweep that was stopped.")] = False,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only every N-th chunk, for one job of an array.")
    ] = None,
    dask: cli.Dask = None,
    any_processor: cli.AnyProcessor = False,
    quiet: cli.Quiet = False,
) -> None:
    """Simulate every well of SPEC.toml into DIR, in chunks that appear whole; a stopped sweep goes on with --resume."""
    from .. import sweep
    from ..threads import chosen

    read = sweep.read_spec(spec)
    part = sweep.Shard.parse(shard) if shard is not None else None
    report = None if quiet else progress_line()
    hands = chosen(workers, dask)
    done = sweep.run(read, output, workers=hands, resume=resume, shard=part, any_processor=any_processor, report=report)
    if not quiet:
        cli.note(
            f"{done.of_wells} wells in {_clock(done.seconds)}; {output} is complete"
            if part is None
            else f"shard {shard}: {done.of_wells} wells in {_clock(done.seconds)}"
        )
    if done.failed:
        cli.note(f"{done.failed} wells could not be simulated; column 'failure' says why")
        if done.failed == done.wells:
            raise SimulationError("no well could be simulated")


@verb.command(name="merge")
def merge(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of one sweep (one per shard).")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", callback=cli.new_file, help="The table: .csv or .parquet.")
    ],
    any_processor: cli.AnyProcessor = False,
) -> None:
    """Join the chunks of a finished sweep into one table."""
    from .. import sweep
    from ..made_on import all_made_on

    if not folders:
        raise InputError("name at least one folder of a sweep")
    count = sweep.merge(folders, output, any_processor=any_processor)
    cli.stamp(None, all_made_on(folders, any_processor).mark).write_beside(output)
    cli.note(f"wrote {output} from {count} chunks")


def progress_line(every: float = 10.0) -> Callable[[Progress], None]:
    """Reports on stderr: one line that changes on a terminal, else a line every ``every`` seconds and the last."""
    last = [time.monotonic()]

    def report(now: Progress) -> None:
        share = 100 * now.wells / max(1, now.of_wells)
        text = (
            f"sweep: {share:3.0f} %, {now.wells:,} of {now.of_wells:,} wells, {now.rate:,.0f} wells/s, "
            f"{_clock(now.seconds_left)} left"
        )
        finished = now.chunks == now.of_chunks
        if sys.stderr is not None and sys.stderr.isatty():
            cli.note(f"\r{text}   ", end="\n" if finished else "")
        elif finished or time.monotonic() - last[0] >= every:
            last[0] = time.monotonic()
            cli.note(text)

    return report


def _clock(seconds: float) -> str:
    """``1:02:03``, ``2:03`` or ``0:03``."""
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
