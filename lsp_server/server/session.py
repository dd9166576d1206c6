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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer import config
from indexer.config import Settings
from indexer.data_layout import STATS, TRACES
from indexer.errors import OndolError
from lsp_server.reasons import Reason
from lsp_server.server.changed_files import ChangedFiles
from lsp_server.server.engine_thread import EngineThread, Job, background, call_on
from lsp_server.server.factories import Factories
from lsp_server.server.folder_poll import Found
from lsp_server.server.host import Host, SessionState
from lsp_server.server.logs import describe
from lsp_server.server.other_repositories import guests, joined
from lsp_server.server.repository_files import RepositoryFiles, is_rule_file
from lsp_server.server.repository_index import RepositoryIndex
from lsp_server.server.tasks import Tasks
from lsp_server.telemetry.traces import STATS_BYTES, TRACE_BYTES, Ring, ring_of
from lsp_server.types import Answer, Document, Engine, ModelPhase, Request

if TYPE_CHECKING:
    from indexer.storage.joined import Guest
    from lsp_server.server.masked_documents import SecretCover

log = logging.getLogger(__name__)


class Session:
    """See the module. Lives on the loop, except for methods that name another thread.

    :param root: the repository; None for documents outside of every repository, which have no index.
    :param options: the editor's settings.
    """

    def __init__(
        self,
        root: Path | None,
        options: Mapping[str, Any],
        thread: EngineThread,
        host: Host,
        factories: Factories,
    ) -> None:
        self.root = root
        self.settings = Settings()
        self.state = SessionState()
        self.engine: Engine | None = None
        self.traces: Ring | None = None
        self.stats: Ring | None = None
        self._thread, self._host, self._factories = thread, host, factories
        self._tasks = Tasks()
        self._cover: SecretCover | None = None
        self._guests: list[Guest] = []
        self._files = RepositoryFiles(root) if root is not None else None
        self._changed = ChangedFiles(root) if root is not None else None
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

    def close(self, *, wait: bool) -> None:
        """Stop the model, the child and the timers.

        :param wait: end the child before this returns, because the process ends.
        """
        if self.engine is not None:
            self.engine.stop()
        if self._index is not None:
            self._index.close(wait=wait)
        self._tasks.cancel()

    # Settings and the engine

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take new settings of the editor and the rules on disk; what they exclude is not used from now on.

        The engine is rebuilt if the settings differ.
        """
        before = self.settings
        self._load_settings(options)
        if self.settings != before:
            self._guests = []  # what they exclude may have changed; they are opened again with the index
            self._rebuild(moved=self.settings.data_dir != before.data_dir)
        elif self._files is not None:
            self._narrow()

    def _narrow(self) -> None:
        """Leave out of the index what the rules on disk exclude now; later requests wait for it."""
        files, settings = self._files, self.settings

        def work(_: Callable[[], bool]) -> int:
            self._forget_changed(ChangedFiles.drop_all)
            index = self.index
            if files is None or index is None:
                return 0
            count = files.narrow(index, settings)
            self.use_index(index)
            return count

        self._tasks.start(self._update_after(self._thread.submit(work)))

    async def _update_after(self, job: Job[int]) -> None:
        """Update the index when documents were left out of it, so that their bytes leave the disk as well."""
        await job.future
        if self._index is not None:
            self._index.files_changed(left_out=True)

    def _load_settings(self, options: Mapping[str, Any]) -> None:
        self.settings, problems = config.load(self.root, init_options=options)
        for problem in problems:
            self._host.show_message(problem, problem=True)

    def _make_engine(self, index: Any) -> Engine:
        """Make the engine that the settings name; on the engine's thread."""
        index = joined(index, self._guests)
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

    def _rebuild(self, *, moved: bool) -> None:
        """Rebuild the engine under new settings; later requests wait for it.

        :param moved: whether the settings change where the index is.
        """
        files, settings = self._files, self.settings

        def make(_: Callable[[], bool]) -> None:
            index = self.index
            if files is not None and index is not None:
                files.narrow(index, settings)
            self._forget_changed(ChangedFiles.drop_all)
            before, self.engine = self.engine, self._make_engine(index)
            if before is not None:
                before.stop()

        self._tasks.start(self._rebuilt(self._thread.submit(make), moved=moved))

    async def _rebuilt(self, making: Job[None], *, moved: bool) -> None:
        try:
            await making.future
        except Exception as error:
            log.error("the engine did not take the new settings: %s", describe(error))
            self._host.show_message(
                "The completion engine did not take the new settings; the old ones are kept.", problem=True
            )
        if moved:
            self.update_index()
        elif self._index is not None:
            self._index.files_changed(left_out=True)
        self._host.state_changed()

    def _on_loop(self, call: Callable[[], None]) -> None:
        """Call something on the loop, from any thread."""
        call_on(self._loop, call)

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
        """Give the engine an index that was opened, or that has fewer documents now; from any thread."""
        if self.engine is not None:
            self.engine.set_index(joined(index, self._guests))

    def prepare_index(self, index: Any) -> None:
        """Leave out of an opened index what is gone or excluded, and open the guests; on a background thread."""
        if self._files is not None:
            self._files.prepare(index, self.settings)
        if self.root is not None:
            self._guests, problems = guests(self.settings, self.root, self._factories.open_index)
            for problem in problems:
                self._on_loop(partial(self._host.show_message, f"Ondol: {problem}", problem=True))

    def take_index(self, index: Any) -> None:
        """Use an index that was opened and prepared, under the rules that hold by now."""
        self.use_index(index)
        self._thread.submit(lambda _: self._forget_changed(lambda files: files.drop_indexed(index)))
        if self._files is not None and not self._files.is_current(self.settings):
            self._narrow()

    # Files on disk

    def look(self, budget: int, seconds: float) -> tuple[Found, tuple[int, ...]]:
        """Look for changes on disk, at ``budget`` files at most, and for a new index; on a background thread."""
        if self._files is None or self._index is None or self._index.opened is None:
            return Found(), self._index.current_stamp() if self._index is not None else ()
        return self._files.look(budget, seconds), self._index.current_stamp()

    def take(self, found: Found, stamp: tuple[int, ...], is_open: Callable[[str], bool]) -> bool:
        """Act on the result of :meth:`look`; see :meth:`files_changed`."""
        if self._index is None or self.engine is None or self.state.name == "starting":
            return False
        self._index.check(stamp)
        if found.checkout:
            self._index.files_changed()
        return self.files_changed(found.gone, found.changed, is_open)

    def files_changed(self, gone: list[str], changed: list[str], is_open: Callable[[str], bool]) -> bool:
        """Stop using files that are gone, and update the index.

        :param gone: paths of files and folders, relative to the root. :param changed: the same.
        :param is_open: whether a document of this path is open; its text is searchable without an update.
        :returns: whether a rule file is among them, so that the rules have to be applied again.
        """
        index, files, known = self.index, self._files, self._changed
        if index is None or files is None or known is None or self._index is None:
            return False
        lost = [path for path in gone if files.is_indexed(index, path) or known.knows(path)]
        if lost:
            self._host.withdraw()
            self._leave_out(lost)
        written = [path for path in changed if files.is_wanted(path)]
        closed = [path for path in written if not is_open(path)]
        if closed:
            self.search_changed(closed)
            self._index.files_changed()
        elif written:
            self._index.update_soon()
        return any(is_rule_file(path) for path in (*gone, *changed))

    def _leave_out(self, lost: list[str]) -> None:
        """Leave lost files out of the index; later requests wait for it."""

        def work(_: Callable[[], bool]) -> int:
            self._forget_changed(ChangedFiles.drop_gone)
            index = self.index
            count = self._files.leave_out(index, lost) if index is not None and self._files is not None else 0
            if count:
                self.use_index(index)
            return count

        self._tasks.start(self._update_after(self._thread.submit(work)))

    def search_changed(self, paths: list[str]) -> None:
        """Search files that changed on disk until the index has them; its update may come later."""
        if self._changed is not None and self.index is not None:
            self._tasks.start(self._search_changed(paths, self._changed))

    async def _search_changed(self, paths: list[str], known: ChangedFiles) -> None:
        """Read files that changed on disk, and search them until the index has them."""
        settings = self.settings
        found = await background(lambda: known.read(paths, settings), "changed-files")

        def take(_: Callable[[], bool]) -> None:
            if self._files is not None and settings == self.settings and self._files.is_current(settings):
                self.update(known.add(found))
                self._forget_changed(ChangedFiles.drop_surplus)
                self._forget_changed(lambda files: files.drop_indexed(self.index))  # touched, but not changed

        if found:
            await self._thread.submit(take).future

    def _forget_changed(self, drop: Callable[[ChangedFiles], list[str]]) -> None:
        """Stop searching changed files in addition to the index; on the engine's thread."""
        for uri in drop(self._changed) if self._changed is not None else ():
            self.forget(uri)

    # Updates of the index

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

    def below(self, path: str) -> str | None:
        """The path of a file or folder below the root, which need not exist; None outside. Cheaper than `relative`."""
        root = str(self.root)
        return path[len(root) + 1 :] if path.startswith(root + "/") else self.relative(path)

    @property
    def cover(self) -> "SecretCover":
        """What hides the secrets of documents; on the engine's thread, which loads the rules at the first use."""
        if self._cover is None:
            from lsp_server.server.masked_documents import SecretCover

            self._cover = SecretCover()
        return self._cover

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Complete at a cursor; on the engine's thread."""
        engine = self.engine
        if engine is None:
            return Answer((), Reason.STARTING)
        if self._files is not None and self._files.rules.changed():
            return Answer((), Reason.RULES_CHANGED)
        return engine.complete(replace(request, document=self.cover.document(request.document)), cancelled)

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Let the engine work ahead for the key that follows the last request; on the engine's thread."""
        if self.engine is not None and not stop():
            self.engine.prepare(stop)

    def update(self, documents: list[Document]) -> None:
        """Give edited documents to the engine, without their secrets; on the engine's thread."""
        engine = self.engine
        if engine is not None:
            for document in documents:
                engine.update(self.cover.document(document))

    def forget(self, uri: str) -> None:
        """Forget a document that was closed, or may not be used any more; on the engine's thread."""
        self.cover.forget(uri)
        if self.engine is not None:
            self.engine.close(uri)

    def accepted(self, document: Document, offset: int) -> None:
        """Prepare the next answer after a suggestion was accepted; on the engine's thread."""
        if self.engine is not None:
            self.engine.accepted(self.cover.document(document), offset)
