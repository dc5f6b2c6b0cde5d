"""Who does long work: this process, others of this machine, a Dask cluster, or whatever executor one has.

Everything that takes ``workers=`` and is made of independent tasks (starts of a fit, profiles, parameter sets, chunks
of a sweep, ...) hands them to :func:`finished`, and gets results as they come, the same bits whoever worked; what is
better done together where it is done here, to :mod:`pathsim.parts`, which leads here for workers elsewhere. A job is a
function of one task; it travels pickled, once to each worker. A task that asks for workers itself does all of its work.

A worker is asked for its version of pathsim and its processor with every task, since it may come at any time: where
they are others than here, results could differ, and the work is refused. Processes of this machine are started anew,
not forked: what runs in this one (threads, libraries) does not matter to them. They wait for more work for some time
after it is done, because to start one takes a second or two.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import IO, Any, Literal, Protocol, TypeVar

from .checked import checked
from .errors import InputError, PathsimError, SimulationError
from .linear_algebra import one_thread
from .made_on import Identity, identity
from .progress import bar, quiet
from .threads import StoppedError, Workers, elsewhere, processors, threads, threads_of, undivided

PATIENCE_S = 30.0
"""How long to wait for a scheduler, and for the first worker or one that comes back."""
IDLE_S = 120.0
"""Processes of this machine that have had no work for so long end."""
TRIES = 3
"""How often a task is begun whose worker is ended from outside."""
AHEAD = 2
"""Tasks under way or waiting for each worker."""
_POLL_S = 0.5
_KEPT = "what was written before is kept, and resuming goes on from it"


Task = TypeVar("Task")
Result = TypeVar("Result")


@checked
def spread(
    run: Callable[[Any], Result], items: Sequence[Any], workers: Workers = None, *, any_processor: bool = False
) -> list[Result]:
    """``run(item)`` for each of the ``items``, in their order: any study over seeds, lines or files.

    Args:
        run: a function; what it needs travels with it, so that it may be a lambda or one of a notebook.
        workers: a number of processes, the address of a Dask scheduler (``"tcp://host:8786"``), a Dask client, or any
            ``concurrent.futures.Executor``. Results do not depend on it.
        any_processor: whether workers may have another processor than there is here; results then agree within
            tolerances instead of to the bit.

    Raises:
        InputError: no worker answers, or one has another version of pathsim or another processor. Whatever ``run``
        raises as an error of pathsim; other errors as :class:`SimulationError`.

    >>> ps.spread(lambda seed: seed**2, range(3), workers=1)
    [0, 1, 4]
    """
    tasks = list(items)
    with bar("tasks", len(tasks)) as further:
        found: dict[int, Result] = {}
        for place, result in finished(run, tasks, workers, any_processor):
            found[place] = result
            further()
    return [found[place] for place in range(len(tasks))]


def finished(
    job: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers, any_processor: bool = False
) -> Iterator[tuple[int, Result]]:
    """The place of each task and ``job(task)``, in the order they finish; with one worker here, one after another.

    Whatever ends the iteration (an error, Ctrl-C) ends what is still under way. Raises as :func:`spread`.
    """
    with crew(workers, len(tasks), any_processor) as hands:
        yield from hands.finished(job, tasks)


def in_blocks(
    job: Callable[[Sequence[int]], Iterator[Result]],
    numbers: Sequence[int],
    workers: Workers,
    most: int,
    any_processor: bool = False,
) -> Iterator[Result]:
    """What ``job(numbers)`` gives, in the order it comes: of all numbers with one worker here, else of ``most`` at a
    time, or fewer where they would not be enough for all."""
    with crew(workers, len(numbers), any_processor) as hands:
        if isinstance(hands, _Here):
            yield from job(numbers)
            return
        size = min(most, -(-len(numbers) // max(1, hands.count)))
        blocks = [tuple(numbers[first : first + size]) for first in range(0, len(numbers), size)]
        for _, found in hands.finished(_Listed(job), blocks):
            yield from found


@dataclass(frozen=True)
class _Listed:
    """A job whose results are collected."""

    job: Callable[[Sequence[int]], Iterator[Any]]

    def __call__(self, numbers: Sequence[int]) -> list[Any]:
        return list(self.job(numbers))


class Crew(Protocol):
    """Who works together on tasks of any number of jobs."""

    @property
    def count(self) -> int:
        """How many they are now."""

    def finished(self, job: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """As the function of that name."""


@contextmanager
def crew(workers: Workers, tasks: int, any_processor: bool = False) -> Iterator[Crew]:
    """Those whom ``workers`` names, for as long as the block runs and for ``tasks`` at a time at most; those elsewhere
    may have ``any_processor``, or only the one that there is here."""
    who = elsewhere(workers)
    if who is None:
        count = min(processors(threads_of(workers)), tasks)
        with nullcontext(_Here()) if count <= 1 else _processes(count, workers is None) as own:
            yield own
    elif isinstance(who, Executor):
        yield _Spread(_Remote(who, _asked(any_processor)))
    elif isinstance(who, str):
        with connect(who) as client:
            yield _Spread(_Remote(client.get_executor(pure=False), _asked(any_processor), client))
    else:
        yield _Spread(_Remote(who.get_executor(pure=False), _asked(any_processor), who))


def _asked(any_processor: bool) -> Identity:
    """What a worker elsewhere must be."""
    return identity().on_any_processor() if any_processor else identity()


def connect(address: str) -> Any:
    """A client of the Dask scheduler at ``address``, which closes when it is left as a context.

    Raises :class:`InputError` when Dask is not installed or no scheduler answers.
    """
    try:
        import distributed
    except ImportError:
        raise InputError("a Dask cluster needs Dask: pip install dask distributed") from None
    try:
        return distributed.Client(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at '{address}' ({error}); write for example tcp://localhost:8786"
        ) from None


# ------------------------------------------------------------------------------------------------------ what they do

Answer = tuple[Literal["done", "sent", "failed", "unknown", "other"], Any]
"""Of a worker: the result, or as it is sent (pickled), an error, that it does not know the job yet, or that it is
another (and which)."""


def work(asked: Sequence[str], key: str, package: bytes | None, task: bytes) -> Answer:
    """Do a task of the job ``key``, which travels as ``package`` when a worker does not know it."""
    here = identity()
    if not Identity.of(asked).suits(here):
        return "other", tuple(here)
    known = _known().jobs
    if key not in known:
        if package is None:
            return "unknown", None
        while len(known) >= 4:
            del known[next(iter(known))]
        try:
            known[key] = pickle.loads(package)
        except Exception as error:
            return "failed", InputError(f"a worker cannot read the task ({type(error).__name__}: {error})")
    kind, found = _tried(known[key], pickle.loads(task))
    if kind != "done":
        return kind, found
    try:
        return "sent", _pickled(found)
    except Exception as error:
        return "failed", SimulationError(f"a result cannot be sent back ({type(error).__name__}: {error})")


def _pickled(value: Any) -> bytes:
    """With functions and classes of scripts and notebooks in full."""
    import cloudpickle

    return bytes(cloudpickle.dumps(value))


def _tried(job: Callable[[Any], Any], task: Any) -> Answer:
    try:
        with quiet(), one_thread(), undivided():
            return "done", job(task)
    except PathsimError as error:
        return "failed", error
    except Exception as error:
        return "failed", SimulationError(f"{type(error).__name__}: {error} (in a worker process)")


class _Known(threading.local):
    """Jobs that a thread has been given: their objects are not shared between threads."""

    def __init__(self) -> None:
        self.jobs: dict[str, Callable[[Any], Any]] = {}


@cache
def _known() -> _Known:
    return _Known()


@dataclass(frozen=True, eq=False)
class _Job:
    """A job, and how it travels."""

    function: Callable[[Any], Any]

    @cached_property
    def package(self) -> bytes:
        """Pickled. Raises :class:`InputError` where that cannot be done."""
        try:
            return _pickled(self.function)
        except Exception as error:
            raise InputError(
                f"this work cannot be sent to other processes ({type(error).__name__}: {error}); workers=1 does it here"
            ) from None

    @cached_property
    def travels(self) -> bool:
        """Whether it can be sent to other processes."""
        try:
            return bool(self.package)
        except InputError:
            return False

    @cached_property
    def key(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.package).hexdigest()


# ---------------------------------------------------------------------------------------------------------- handing out


class _Here:
    """This process alone."""

    count = 1

    def finished(self, job: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        for place, task in enumerate(tasks):
            yield place, job(task)


class _Place(Protocol):
    """Where tasks can be sent."""

    @property
    def count(self) -> int:
        """How many are done side by side."""

    def submit(self, job: _Job, task: Any, whole: bool) -> Future[Answer]:
        """Begin a task, with the ``whole`` job or only its key."""

    def lives(self, running: Sequence[Future[Answer]]) -> bool:
        """Whether anybody is there to do what is under way."""

    def give_up(self) -> None:
        """End what is under way: nobody wants it any more."""

    def lost(self, error: BaseException, times: int) -> PathsimError | None:
        """What to say of a task whose worker was lost so many times; nothing where it is to be done again."""


@dataclass(frozen=True, eq=False)
class _Spread:
    """Tasks over a place: some for each of its workers at a time, the rest when these are done."""

    place: _Place

    @property
    def count(self) -> int:
        return self.place.count

    def finished(self, job: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        own, waiting = _Job(job), iter(range(len(tasks)))
        running: dict[Future[Answer], int] = {}
        losses: dict[int, int] = {}
        try:
            while True:
                while len(running) < AHEAD * max(1, self.place.count) and (number := next(waiting, None)) is not None:
                    running[self.place.submit(own, tasks[number], False)] = number
                if not running:
                    return
                for future in self._ended(running):
                    number = running.pop(future)
                    kind, found = self._answer(future, losses, number)
                    if kind == "done":
                        yield number, found
                    elif kind == "sent":
                        yield number, pickle.loads(found)
                    elif kind == "failed":
                        raise found
                    elif kind == "other":
                        raise InputError(f"a worker {identity().difference(Identity.of(found))}")
                    else:
                        running[self.place.submit(own, tasks[number], True)] = number
        finally:
            for future in running:
                future.cancel()
            if running:
                self.place.give_up()

    def _answer(self, future: Future[Answer], losses: dict[int, int], number: int) -> Answer:
        """What a worker says; of one that is lost, that the task is to be sent again."""
        try:
            return future.result()
        except (PathsimError, StoppedError):
            raise
        except (Exception, CancelledError) as error:
            losses[number] = losses.get(number, 0) + 1
            said = self.place.lost(error, losses[number])
            if said is not None:
                raise said from None
            return "unknown", None

    def _ended(self, running: dict[Future[Answer], int]) -> list[Future[Answer]]:
        """Those that have ended, of which there is one at least. Raises :class:`SimulationError` when nobody comes."""
        since = time.monotonic()
        while True:
            done = wait(running, _POLL_S, FIRST_COMPLETED).done
            if done:
                return sorted(done, key=running.__getitem__)
            if self.place.lives(list(running)):
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                raise SimulationError(f"no worker has been there for {PATIENCE_S:g} s; start some, then do this again")


@dataclass(frozen=True, eq=False)
class _Remote:
    """An executor; that of a Dask client where there is one."""

    executor: Executor
    asked: Identity
    client: Any = None

    @property
    def count(self) -> int:
        if self.client is not None:
            return sum(self._threads().values())
        return getattr(self.executor, "_max_workers", None) or processors()

    def submit(self, job: _Job, task: Any, whole: bool) -> Future[Answer]:
        try:
            return self.executor.submit(
                work, tuple(self.asked), job.key, job.package if whole else None, _pickled(task)
            )
        except (RuntimeError, OSError) as error:
            raise SimulationError(f"the executor takes no tasks ({error})") from None

    def lives(self, running: Sequence[Future[Answer]]) -> bool:
        if self.client is not None:
            return bool(self._threads())
        return any(future.running() for future in running)

    def give_up(self) -> None:
        """What a worker has begun it ends; the rest has been cancelled."""

    def _threads(self) -> dict[str, int]:
        """Of the workers that are there, by address."""
        try:
            return dict(self.client.nthreads())
        except (OSError, TimeoutError) as error:
            raise SimulationError(f"the Dask cluster was lost ({error}); {_KEPT}") from None

    def lost(self, error: BaseException, times: int) -> PathsimError | None:
        name = type(error).__name__
        if isinstance(error, ModuleNotFoundError | AttributeError | ImportError):
            return InputError(f"a worker has another pathsim or none ({error}); install this version on all machines")
        if self.client is None or name == "KilledWorker" or times >= TRIES or self.client.status != "running":
            return SimulationError(f"workers were lost ({name}: {error}); {_KEPT}")
        return None


# -------------------------------------------------------------------------------------------- processes of this machine


@contextmanager
def _processes(count: int, along: bool) -> Iterator[_Spread]:
    """So many processes; this one works ``along`` where a job cannot be sent to them."""
    team = _Team(count, along)
    try:
        with threads(count) as submit, team.starting():
            team.thread = submit
            yield _Spread(team)
    finally:
        team.part()


class _GoneError(Exception):
    """A process was ended from outside."""


class _Team:
    """Processes of this machine, each led by one thread at a time, that end at once when the work is given up."""

    def __init__(self, count: int, along: bool) -> None:
        self.count, self.along = count, along
        self.thread: Callable[..., Future[Answer]]
        self.free: queue.SimpleQueue[_Child | BaseException] = queue.SimpleQueue()
        self.children: list[_Child] = []
        self.over, self.lock, self.alone = threading.Event(), threading.Lock(), threading.Lock()
        self.given_up = False

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Starts processes beside the block, and ends them where it ends by an error."""
        starter = threading.Thread(target=self._start, daemon=True)
        starter.start()
        try:
            yield
        except BaseException:
            self.give_up()
            raise
        finally:
            self.over.set()
            starter.join()
            for _ in range(self.count):
                self.free.put(SimulationError("given up"))  # whoever waits for a process

    def submit(self, job: _Job, task: Any, whole: bool) -> Future[Answer]:
        if self.along and not job.travels:
            self.over.set()
            return self.thread(self._in_turn, job, task)
        return self.thread(self._do, job, task)

    def lives(self, running: Sequence[Future[Answer]]) -> bool:
        return True

    def lost(self, error: BaseException, times: int) -> PathsimError | None:
        return SimulationError(f"{type(error).__name__}: {error}")

    def give_up(self) -> None:
        self.given_up = True
        self.over.set()
        with self.lock:
            for child in self.children:
                child.end()

    def part(self) -> None:
        """Let processes that are well wait for other work."""
        if not self.given_up:
            _stock(os.getpid()).give(self.children)

    def _start(self) -> None:
        for number in range(self.count):
            if self.over.is_set():
                return
            try:
                self._ready(self._child())
            except OSError as error:
                self.free.put(
                    SimulationError(
                        f"worker process {number + 1} of {self.count} could not be started "
                        f"({error.strerror or error}); ask for fewer workers"
                    )
                )
                return

    def _child(self) -> _Child:
        """A process that waits for work, or a new one."""
        child = _stock(os.getpid()).take() or _Child.started()
        with self.lock:
            self.children.append(child)
        return child

    def _ready(self, child: _Child) -> None:
        """Lend the process as soon as it can work: until then nobody should wait for it who could be served."""

        def greet() -> None:
            with suppress(_GoneError):  # which whoever gets it finds
                child.greeted()
            self.free.put(child)

        threading.Thread(target=greet, daemon=True).start()

    def _in_turn(self, job: _Job, task: Any) -> Answer:
        """A task of a job that only this process can do."""
        with self.alone:
            return _tried(job.function, task)

    def _do(self, job: _Job, task: Any) -> Answer:
        own = self.free.get()
        if isinstance(own, BaseException):
            self.free.put(own)
            raise own
        try:
            for _ in range(TRIES):
                try:
                    return own.done(job, task)
                except _GoneError:
                    self._forget(own)
                    own = self._child()
            return "failed", SimulationError(
                f"a worker process was ended from outside {TRIES} times at the same task (out of memory?); "
                "ask for fewer workers"
            )
        finally:
            self.free.put(own)

    def _forget(self, child: _Child) -> None:
        child.end()
        if self.over.is_set():
            raise StoppedError
        with self.lock:
            self.children.remove(child)


@dataclass(eq=False)
class _Child:
    """A process that does tasks one by one."""

    process: subprocess.Popen[bytes]
    greeting: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def started(cls) -> _Child:
        """A new one, which finds modules where this one does. Raises :class:`OSError`."""
        code = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # Ctrl-C is for the parent
            f"sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
        )
        return cls(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def greeted(self) -> None:
        """Wait until it can work."""
        with self.lock:
            if self.greeting:
                self._read()
                self.greeting = False

    def done(self, job: _Job, task: Any) -> Answer:
        """The answer to a task. Raises :class:`_GoneError` when the process has ended."""
        self.greeted()
        answer = self._asked(job, task, False)
        return self._asked(job, task, True) if answer[0] == "unknown" else answer

    def _asked(self, job: _Job, task: Any, whole: bool) -> Answer:
        message = pickle.dumps((tuple(identity()), job.key, job.package if whole else None, _pickled(task)))
        to, _ = _pipes(self.process)
        try:
            to.write(struct.pack("<Q", len(message)))
            to.write(message)
            to.flush()
        except (OSError, ValueError):
            raise _GoneError from None
        answer: Answer = pickle.loads(self._read())
        return answer

    def _read(self) -> bytes:
        _, back = _pipes(self.process)
        try:
            return _received(back)
        except (OSError, ValueError, EOFError):
            raise _GoneError from None

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        for pipe in _pipes(self.process):
            with suppress(OSError):
                pipe.close()


class _Stock:
    """Processes that wait for work; they end by themselves with this one, or after a while."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: list[_Child] = []

    def take(self) -> _Child | None:
        with self.lock:
            while self.idle:
                child = self.idle.pop()
                if child.process.poll() is None:
                    return child
        return None

    def give(self, children: Sequence[_Child]) -> None:
        with self.lock:
            self.idle += children


@cache
def _stock(pid: int) -> _Stock:
    """That of this process; one that is forked from it has its own."""
    return _Stock()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _received(stream: IO[bytes]) -> bytes:
    """A message. Raises :class:`EOFError` at the end."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    (size,) = struct.unpack("<Q", head)
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content


def serve() -> None:
    """What a process does that others have started: tasks as they come, until the other end closes."""
    come, go = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a job prints must not get between answers
    os.environ["PATHSIM_PROGRESS"] = "0"
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def receive() -> None:
        with suppress(EOFError, OSError):
            while True:
                inbox.put(_received(come))
        os._exit(0)  # whatever it is at: nobody waits for it any more

    threading.Thread(target=receive, daemon=True).start()
    _sent(go, b"")
    while True:
        try:
            message = inbox.get(timeout=IDLE_S)
        except queue.Empty:
            os._exit(0)
        _sent(go, pickle.dumps(work(*pickle.loads(message))))


def _sent(stream: IO[bytes], content: bytes) -> None:
    try:
        stream.write(struct.pack("<Q", len(content)))
        stream.write(content)
        stream.flush()
    except OSError:
        os._exit(0)
