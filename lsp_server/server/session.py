"""One open repository: its settings, its engine, its index and its state.

The index is opened after the editor has its answer to ``initialize``. Until then, and where there is no index, the
engine completes from the open documents. Knows no protocol types: a :class:`~lsp_server.server.host.Host` shows
messages and states to the user.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer import config
from indexer.config import Settings
from indexer.data_layout import STATS, TRACES
from indexer.errors import OndolError
from lsp_server.reasons import Reason
from lsp_server.server.engine_thread import EngineThread, Job
from lsp_server.server.factories import Factories
from lsp_server.server.host import Host, SessionState
from lsp_server.server.logs import describe
from lsp_server.server.repository_index import RepositoryIndex
from lsp_server.server.tasks import Tasks
from lsp_server.telemetry.traces import STATS_BYTES, TRACE_BYTES, Ring, ring_of
from lsp_server.types import Answer, Document, Engine, ModelPhase, Request

log = logging.getLogger(__name__)


class Session:
    """See the module. Lives on the loop, except for methods that name another thread.

    :param root: the repository; None for documents outside of every repository, which have no index.
    :param options: the editor's settings.
    """

    def __init__(
        self, root: Path | None, options: Mapping[str, Any], thread: EngineThread, host: Host, factories: Factories
    ) -> None:
        self.root = root
        self.settings = Settings()
        self.state = SessionState()
        self.engine: Engine | None = None
        self.traces: Ring | None = None
        self.stats: Ring | None = None
        self._thread, self._host, self._factories = thread, host, factories
        self._tasks = Tasks()
        self._index = RepositoryIndex(root, self, host, factories, self._tasks) if root is not None else None
        self._load_settings(options)

    # Starting and stopping

    def start(self) -> None:
        """Make the engine and open the index in the background; requests wait for the engine."""
        self._loop = asyncio.get_running_loop()

        def make(_: Callable[[], bool]) -> None:
            self.engine = self._make_engine(None)

        self._tasks.start(self._start(self._thread.submit(make)))

    async def _start(self, making: Job[None]) -> None:
        self.traces = ring_of(self.settings, self.root, TRACES, TRACE_BYTES)
        self.stats = ring_of(self.settings, self.root, STATS, STATS_BYTES)
        try:
            await making.future
        except Exception as error:
            log.error("the engine did not start: %s", describe(error))
            said = str(error) if isinstance(error, OndolError) else f"{type(error).__name__}, see the log"
            self.report(SessionState("problem", f"the completion engine did not start ({said})"), message=True)
            return
        if self._index is None:
            self.report(SessionState("ready", "completing from open files"))
            return
        await self._index.start()

    def close(self) -> None:
        """Stop the model, the child and the timers; call before the process ends."""
        if self.engine is not None:
            self.engine.stop()
        if self._index is not None:
            self._index.close()
        self._tasks.cancel()

    # Settings and the engine

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take new settings of the editor; the engine is rebuilt if they differ."""
        before = self.settings
        self._load_settings(options)
        if self.settings != before:
            moved = self.settings.data_dir != before.data_dir or self.settings.exclude != before.exclude
            self._tasks.start(self._rebuild(moved))

    def _load_settings(self, options: Mapping[str, Any]) -> None:
        self.settings, problems = config.load(self.root, init_options=options)
        for problem in problems:
            self._host.show_message(problem, problem=True)

    def _make_engine(self, index: Any) -> Engine:
        """Make the engine that the settings name; on the engine's thread."""
        engine = self._factories.engine(self.settings, index)
        if self.settings.backend == "retrieval":
            return engine
        return self._factories.add_model(
            self.settings,
            self.root,
            engine,
            index,
            lambda message: self._on_loop(lambda: self._host.show_message(f"Ondol: {message}", problem=True)),
            lambda: self._on_loop(self._host.state_changed),
        )

    async def _rebuild(self, moved: bool) -> None:
        """Rebuild the engine under new settings.

        :param moved: whether the settings change where the index is or what is in it.
        """
        index = self._index.opened if self._index is not None else None
        before = self.engine
        try:
            self.engine = await self._thread.submit(lambda _: self._make_engine(index)).future
            if before is not None:
                before.stop()
        except Exception as error:
            log.error("the engine did not take the new settings: %s", describe(error))
            self._host.show_message(
                "The completion engine did not take the new settings; the old ones are kept.", problem=True
            )
        if moved:
            self.update_index()
        self._host.state_changed()

    def _on_loop(self, call: Callable[[], None]) -> None:
        """Call something on the loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is ending
            self._loop.call_soon_threadsafe(call)

    # The state

    @property
    def reported_state(self) -> SessionState:
        """The state that the editor shows; a session that is ready names its model's state as well."""
        model = self.engine.state if self.engine is not None else None
        if model is None or self.state.name != "ready":
            return self.state
        message = self.state.message
        if model.phase is ModelPhase.LOADING:
            return replace(self.state, name="model-loading", message=f"{message}; the model is being loaded")
        if model.phase is ModelPhase.PROBLEM:
            return replace(self.state, message=f"{message}; no model: {model.detail}")
        return replace(self.state, message=f"{message}; {model.detail}")

    def report(self, state: SessionState, *, message: bool = False) -> None:
        """Take a new state, and show the user its message if ``message`` is true."""
        if message:
            said = state.message if state.message.endswith(".") else state.message + "."
            self._host.show_message(f"Ondol: {said}", problem=True)
        if state != self.state:
            self.state = state
            self._host.state_changed()

    # The index

    @property
    def index(self) -> Any:
        """The index that is open, or None."""
        return self._index.opened if self._index is not None else None

    def use_index(self, index: Any) -> None:
        """Give the engine an index that was opened; on a background thread."""
        if self.engine is not None:
            self.engine.set_index(index)

    def check(self, now: float) -> None:
        """Notice a new index or another commit checked out; cheap.

        :param now: a value of ``time.monotonic``.
        """
        if self._index is not None and self.engine is not None and self.state.name != "starting":
            self._index.check(now)

    def update_index_soon(self) -> None:
        """Update the index once nothing was saved for a while."""
        if self._index is not None:
            self._index.update_soon()

    def update_index(self) -> None:
        """Build or update the index now."""
        if self._index is not None:
            self._index.update()

    # Documents and completions

    def relative(self, path: str | None) -> str | None:
        """The path of a file below the root as the index spells it (POSIX); None outside."""
        if self.root is None or path is None:
            return None
        for candidate in (Path(path), Path(os.path.realpath(path))):
            with contextlib.suppress(ValueError):
                return candidate.relative_to(self.root).as_posix()
        return None

    def complete(self, updates: list[Document], request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Bring the engine up to date and complete; on the engine's thread."""
        engine = self.engine
        if engine is None:
            return Answer((), Reason.STARTING)
        for document in updates:
            engine.update(document)
        return engine.complete(request, cancelled)

    def accepted(self, document: Document, offset: int) -> None:
        """Prepare the next answer after a suggestion was accepted; on the engine's thread."""
        if self.engine is not None:
            self.engine.accepted(document, offset)
