"""One repository being worked in: its settings, its engine, its index, and the child process that keeps it up to date.

An index is opened in the background after the editor has its answer to ``initialize``; until then, and where there is
none, the engine completes from the open documents. A new generation is noticed by its pointer file.

This module knows no protocol types: it tells a :class:`Host` what a user should hear.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from indexer import config
from indexer.config import Settings
from indexer.data_layout import STATS, TRACES, index_pointer_file
from indexer.errors import IndexDamaged, IndexMissing, Locked, OndolError
from lsp_server.reasons import Reason
from lsp_server.server.engine_thread import Job, Worker, background
from lsp_server.server.factories import Parts
from lsp_server.server.index_process import IndexRun, Outcome, Progress
from lsp_server.server.logs import describe
from lsp_server.telemetry.traces import STATS_BYTES, TRACE_BYTES, Ring, ring_of
from lsp_server.types import Answer, Document, Engine, ModelPhase, Request

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
AFTER_SAVE_S: Final = 1.0
AFTER_START_S: Final = 3.0
BUSY_S: Final = 20.0
LONGEST_WAIT_S: Final = 60.0


class Host(Protocol):
    """What a session asks of the server around it. All calls come on the loop."""

    def tell(self, message: str, *, problem: bool = False) -> None:
        """Tell the user something, once per message."""

    def state_changed(self) -> None:
        """A session's state changed."""

    def show_progress(self, token: str, title: str, step: Progress | None) -> None:
        """Show progress under a token; None ends it."""


def _load_detector() -> None:
    """Load the secret detector while nobody waits: 0.3 s, of which the first key press would feel every one."""
    from indexer.secrets import masking

    with contextlib.suppress(OndolError):
        masking.prepare()


@dataclass(slots=True)
class State:
    """What the status line says; ``name`` as in the contract of ``ondol/status``."""

    name: str = "starting"
    message: str = "starting"
    percent: int | None = None
    documents: int | None = None
    generation: int | None = None


@dataclass(eq=False)
class Session:
    """See the module. ``root`` is None for documents outside of every repository: they have no index.

    :param options: the editor's settings.
    """

    root: Path | None
    options: Mapping[str, Any]
    worker: Worker
    host: Host
    parts: Parts
    settings: Settings = field(init=False)
    state: State = field(default_factory=State)
    engine: Engine | None = None
    index: Any = None
    dirty: dict[str, Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings, problems = config.load(self.root, init_options=self.options)
        for problem in problems:
            self.host.tell(problem, problem=True)
        self.name = self.root.name if self.root else "open files"
        self.traces: Ring | None = None
        self.stats: Ring | None = None
        self._run: IndexRun | None = None
        self._again: bool | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stamp: tuple[int, ...] = ()
        self._head: tuple[int, ...] = ()
        self._looked = 0.0
        self._update_took = 0.0
        self._directory: Path | None = None
        self._closed = False

    # Starting and stopping

    def start(self) -> None:
        """Make the engine and open the index, in the background; requests wait behind the engine's making."""

        self._loop = asyncio.get_running_loop()

        def make(_: Callable[[], bool]) -> None:
            self.engine = self._make(None)

        self._task(self._start(self.worker.submit(make)))

    def _make(self, index: Any) -> Engine:
        """The engine that the settings ask for; on the worker's thread."""
        engine = self.parts.engine(self.settings, index)
        if self.settings.backend == "retrieval":
            return engine
        return self.parts.model(
            self.settings,
            self.root,
            engine,
            index,
            lambda message: self._on_loop(lambda: self.host.tell(f"Ondol: {message}", problem=True)),
            lambda: self._on_loop(self.host.state_changed),
        )

    def _on_loop(self, call: Callable[[], None]) -> None:
        """Call something on the loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is on its way out
            self._loop.call_soon_threadsafe(call)

    @property
    def told_state(self) -> State:
        """The state as the editor is told it: what the model does counts where nothing else is the matter."""
        model = self.engine.state if self.engine is not None else None
        if model is None or self.state.name != "ready":
            return self.state
        said = self.state.message
        if model.phase is ModelPhase.LOADING:
            return replace(self.state, name="model-loading", message=f"{said}; the model is being loaded")
        if model.phase is ModelPhase.PROBLEM:
            return replace(self.state, message=f"{said}; no model: {model.detail}")
        return replace(self.state, message=f"{said}; {model.detail}")

    async def _start(self, making: Job[None]) -> None:
        self.traces = ring_of(self.settings, self.root, TRACES, TRACE_BYTES)
        self.stats = ring_of(self.settings, self.root, STATS, STATS_BYTES)
        try:
            await making.future
        except Exception as error:
            log.error("the engine did not start: %s", describe(error))
            said = str(error) if isinstance(error, OndolError) else f"{type(error).__name__}, see the log"
            self._say(State("problem", f"the completion engine did not start ({said})"), tell=True)
            return
        if self.root is None:
            self._say(State("ready", "completing from open files"))
            return
        self._head = self._head_stamp()
        await self._open()
        if self.index is not None:
            self.update_soon(AFTER_START_S)

    def close(self) -> None:
        """Stop the child and the timers; call before the process ends."""
        self._closed = True
        if self.engine is not None:
            self.engine.stop()
        if self._timer is not None:
            self._timer.cancel()
        if self._run is not None:
            self._run.kill()
        for task in self._tasks:
            task.cancel()

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take new settings of the editor; the engine is made again if they differ."""
        settings, problems = config.load(self.root, init_options=options)
        for problem in problems:
            self.host.tell(problem, problem=True)
        self.options = options
        if settings == self.settings:
            return
        moved = settings.data_dir != self.settings.data_dir or settings.exclude != self.settings.exclude
        self.settings = settings
        self._task(self._remake(moved))

    async def _remake(self, moved: bool) -> None:
        index = self.index
        before = self.engine
        try:
            self.engine = await self.worker.submit(lambda _: self._make(index)).future
            if before is not None:
                before.stop()
        except Exception as error:
            log.error("the engine did not take the new settings: %s", describe(error))
            self.host.tell("The completion engine did not take the new settings; the old ones are kept.", problem=True)
        if moved and self.root is not None:
            self.index_now()
        self.host.state_changed()

    # The index

    async def _open(self) -> None:
        assert self.root is not None
        root, settings = self.root, self.settings
        engine = self.engine
        self._stamp = self._current_stamp()

        def work() -> Any:
            index = self.parts.open(settings, root)
            if engine is not None:
                engine.set_index(index)
            _load_detector()
            return index

        try:
            self.index = await background(work, "index-open")
        except IndexMissing:
            self._missing()
        except IndexDamaged as error:
            log.warning("damaged index: %s", error)
            self.host.tell(f"Ondol's index of {self.name} is damaged and is being rebuilt.")
            self.index_now(full=True)
        except Exception as error:
            log.error("the index was not opened: %s", describe(error))
            said = str(error) if isinstance(error, OndolError) else f"{type(error).__name__}, see the log"
            self._say(State("problem", f"the index of {self.name} cannot be used: {said}"), tell=True)
        else:
            self._ready()

    def _missing(self) -> None:
        if self._too_wide():
            self._say(State("ready", f"{self.name} is not a project, so it is not indexed; completing from open files"))
            return
        self.host.tell(f"Ondol is indexing {self.name} for the first time; until then it completes from open files.")
        self.index_now()

    def _too_wide(self) -> bool:
        from indexer.repository import git

        assert self.root is not None
        wide = self.root == Path(self.root.anchor) or self.root == Path.home()
        return wide and not git.is_repository(self.root)

    def _ready(self) -> None:
        count, generation = len(self.index.documents), self.index.generation
        self._say(State("ready", f"{self.name}: {count:,} files indexed", None, count, generation))
        if self.index.problem:
            self.host.tell(f"Ondol: {self.index.problem}", problem=True)

    def look(self, now: float) -> None:
        """Notice a new generation or another commit checked out; cheap, at most once a second."""
        if self.root is None or self._closed or self.engine is None or now - self._looked < LOOK_EVERY_S:
            return
        if self.state.name == "starting":
            return
        self._looked = now
        if self._run is None:
            head = self._head_stamp()
            if head != self._head:
                self._head = head
                self.update_soon()
        if self._current_stamp() != self._stamp:
            self._task(self._open_again())

    async def _open_again(self) -> None:
        if self._current_stamp() != self._stamp and self._run is None:
            await self._open()

    def update_soon(self, seconds: float = AFTER_SAVE_S) -> None:
        """Update the index once nothing was saved for a while: at least three times as long as the last update took,
        so that editors which save at every pause do not keep a core busy. What is open is searchable at once anyway.
        """
        if self.root is None or self._closed:
            return
        seconds = max(seconds, min(3 * self._update_took, LONGEST_WAIT_S))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.index_now)

    def index_now(self, *, full: bool = False) -> None:
        """Build or update the index in a child process, one at a time."""
        if self.root is None or self._closed:
            return
        if self._run is not None:
            self._again = bool(self._again) or full
            return
        first = self.index is None
        if first:
            self._say(State("indexing", f"indexing {self.name}", 0))
        token = f"ondol-index-{id(self):x}"
        try:
            self._run = self.parts.run(self.root, self.settings, lambda p: self._step(p, token, first), full=full)
        except OSError as error:
            self._say(State("problem", f"indexing could not start ({error.strerror})"), tell=True)
            return
        self._task(self._finish(self._run, token, first))

    def _step(self, progress: Progress, token: str, first: bool) -> None:
        if first:
            self._say(State("indexing", f"indexing {self.name}: {progress.message}", progress.percent))
            self.host.show_progress(token, f"Ondol: indexing {self.name}", progress)

    async def _finish(self, run: IndexRun, token: str, first: bool) -> None:
        began = time.monotonic()
        outcome = await run.outcome
        self._run = None
        if not first:
            self._update_took = time.monotonic() - began
        if first:
            self.host.show_progress(token, "", None)
        if self._closed:
            return
        if outcome.code == 0:
            if self.index is None or self._current_stamp() != self._stamp:
                await self._open()
            elif self.state.name != "ready":
                self._ready()
        else:
            self._failed(outcome)
        again, self._again = self._again, None
        if again is not None:
            self.index_now(full=again)

    def _failed(self, outcome: Outcome) -> None:
        log.warning("indexing ended with %d: %s", outcome.code, outcome.said)
        if outcome.code == Locked.exit_code:
            if self.index is None:
                self._say(State("indexing", f"{self.name} is being indexed by another Ondol process"))
            self.update_soon(BUSY_S)
            return
        said = outcome.said or f"it ended with {outcome.code}"
        self._say(State("problem", f"the index of {self.name} is not up to date: {said}"), tell=True)

    # Documents and completions

    def relative(self, path: str | None) -> str | None:
        """The path of a file below the root as the index spells it (POSIX), or None outside."""
        if self.root is None or path is None:
            return None
        for candidate in (Path(path), Path(os.path.realpath(path))):
            with contextlib.suppress(ValueError):
                return candidate.relative_to(self.root).as_posix()
        return None

    def complete(self, updates: list[Document], request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Bring the engine up to date and ask it; on the worker's thread."""
        engine = self.engine
        if engine is None:
            return Answer((), Reason.STARTING)
        for document in updates:
            engine.update(document)
        return engine.complete(request, cancelled)

    def accepted(self, document: Document, offset: int) -> None:
        """A suggestion was accepted and the cursor stands behind it: an engine with a model begins the next one."""
        if self.engine is not None:
            self.engine.accepted(document, offset)

    # Small things

    def _say(self, state: State, *, tell: bool = False) -> None:
        if tell:
            self.host.tell("Ondol: " + state.message + ("" if state.message.endswith(".") else "."), problem=True)
        if state != self.state:
            self.state = state
            self.host.state_changed()

    def _current_stamp(self) -> tuple[int, ...]:
        assert self.root is not None
        with contextlib.suppress(OSError, OndolError):
            if self._directory is None or self.settings.data_dir not in self._directory.parents:
                self._directory = self.parts.directory(self.settings, self.root)
            found = index_pointer_file(self._directory).stat()
            return (found.st_mtime_ns, found.st_ino, found.st_size)
        return ()

    def _head_stamp(self) -> tuple[int, ...]:
        assert self.root is not None
        stamps = []
        for name in ("HEAD", "logs/HEAD"):
            with contextlib.suppress(OSError):
                stamps.append((self.root / ".git" / name).stat().st_mtime_ns)
        return tuple(stamps)

    def _task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a session's task failed: %s", describe(task.exception()))  # type: ignore[arg-type]
