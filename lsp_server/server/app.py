"""One editor's server: its lifecycle, its documents, and what it shows the user.

Only this module, ``protocol`` (messages) and ``handlers`` (requests) know the protocol's types.
"""

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any, Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from indexer import config
from indexer.text.printable import printable
from lsp_server.reasons import Reason
from lsp_server.server import editor_process
from lsp_server.server.completions import Completions
from lsp_server.server.documents import Change, Documents, OpenDocument, path_of
from lsp_server.server.engine_thread import EngineThread, Worker, call_on
from lsp_server.server.factories import Factories
from lsp_server.server.file_events import FileEvents
from lsp_server.server.index_process import IndexProgress
from lsp_server.server.logs import describe
from lsp_server.server.memory import give_back_start, use_pause
from lsp_server.server.next_edits import NextEdits
from lsp_server.server.protocol import OndolProtocol, converter
from lsp_server.server.tasks import Tasks
from lsp_server.server.transport import Transport
from lsp_server.server.workspace import Workspace
from lsp_server.telemetry.edit_feedback import EditFeedback
from lsp_server.telemetry.feedback import Feedback
from lsp_server.telemetry.traces import Recorder, Traces

log = logging.getLogger(__name__)

ERROR_EVERY_S: Final = 600.0
LOOK_EVERY_S: Final = 1.0
PAUSE_S: Final = 1.0
"""So long after the last change of a document the typing pauses."""

SETTLED_S: Final = 3.0
"""So long after the start of a window most of the start's work is done."""

STATUS_EVERY_S: Final = 0.2
RECORDS_S: Final = 0.5
"""How long the end waits for the last records to be written."""

FIRST_INDEX_S: Final = 0.5
"""Repositories that are indexed for the first time within this time are named in one message."""


class Server(LanguageServer):
    """One editor's server. Lives on the loop.

    :param overrides: settings given on the command line; they win over the editor's.
    :param worker: the engine's thread where several editors share one process, which then does not end with one.
    """

    protocol: OndolProtocol

    def __init__(
        self,
        transport: Transport,
        overrides: Mapping[str, Any],
        factories: Factories,
        worker: Worker | None = None,
    ) -> None:
        cells = types.NotebookDocumentSyncOptions(
            notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")], save=False
        )
        super().__init__(
            "ondol", _version(), notebook_document_sync=cells, protocol_cls=OndolProtocol, converter_factory=converter
        )
        self.transport = transport
        self.documents = Documents()
        self.fallback = False
        self.note = ""
        self._overrides, self._options = dict(overrides), dict(overrides)
        self._shared = worker is not None
        self._thread = EngineThread(worker)
        self._recorder = Recorder()
        self.traces = Traces(self._recorder)
        self.feedback = Feedback(self._recorder, asyncio.get_running_loop().call_later)
        self.repositories = Workspace(self.documents, self._thread, self, factories, self._options)
        self.completions = Completions(self.documents, self.repositories, self._thread, self.traces, self.feedback)
        self.completions.on_error = self._show_error
        self.completions.on_trouble = self._show_trouble
        self.file_events = FileEvents(self, self.repositories)
        self.next_edits = NextEdits(
            self.documents, self.repositories, self._thread, self.traces, EditFeedback(self._recorder)
        )
        self.completions.new_form = self.next_edits.new_form
        self._started = False
        self._first_folders: list[str] = []
        self._first_indexes: list[str] = []
        self._messages: set[str] = set()
        self._error_shown = -ERROR_EVERY_S
        self._status: dict[str, Any] = {}
        self._status_timer: asyncio.TimerHandle | None = None
        self._progress: dict[str, IndexProgress | None] = {}
        self._pause: asyncio.TimerHandle | None = None
        self._tasks = Tasks()
        self.protocol.set_writer(transport)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Count and log an error; pygls would open a window for each."""
        self.protocol.faults += 1
        log.warning("a handler failed: %s", describe(error))

    # Starting and stopping

    def prepare(self, params: types.InitializeParams) -> None:
        """Take the parameters of ``initialize``; starts no work but to wait for the end of the editor."""
        loop = asyncio.get_running_loop()
        if not self._shared:
            editor_process.watch(params.process_id, lambda: call_on(loop, lambda: self.transport.stop(1)))
        given = params.initialization_options
        if isinstance(given, dict):
            inner = given.get("ondol")
            named = inner if isinstance(inner, dict) else given
            self._options = {**{k: v for k, v in named.items() if v is not None}, **self._overrides}
        if self._options.get("nextEdits", self._options.get("next_edits")) is True:
            self.next_edits.on_ready = lambda uri: self.protocol.notify("ondol/nextEditReady", {"uri": uri})
        if self._options.pop("completionReady", False) is True:
            self.completions.late.on_ready = lambda uri: self.protocol.notify("ondol/completionReady", {"uri": uri})
        self.repositories.options = self._options
        settings, _ = config.load(None, init_options=self._options)
        self.documents.limit, self.documents.line_limit = settings.max_file_bytes, settings.max_line_chars
        self.fallback = settings.completion_fallback
        uris = [folder.uri for folder in params.workspace_folders or []]
        root = params.root_uri
        if not uris and root:
            uris = [root]
        self._first_folders = [path for path in map(path_of, uris) if path is not None]
        if not self._first_folders and not uris and params.root_path:
            self._first_folders = [params.root_path]

    def start(self, *_: Any) -> None:
        """Begin the work that the answer to ``initialize`` does not need."""
        if self._started:
            return
        self._started = True
        if self.note:
            self.show_message(self.note, problem=True)
        for folder in self._first_folders:
            self.repositories.add_folder(folder)
        if not self._first_folders:
            self.repositories.outside()
        self.state_changed()
        self.watch_files()
        self._tasks.start(self._look_regularly())
        asyncio.get_running_loop().call_later(SETTLED_S, self._settled)

    def _settled(self) -> None:
        self._thread.submit(lambda _: give_back_start(), urgent=False)

    def configure(self, given: Mapping[str, Any]) -> None:
        """Take settings that the editor changed; keys that are not Ondol's are ignored.

        Null means that the user set no value any more: what the files and the environment say counts again.
        """
        known = {setting[0] for setting in config.describe()}
        ours = {key: value for key, value in _named(given).items() if key in known}
        options = {**_named(self._options), **ours}
        self._options = {key: value for key, value in options.items() if value is not None} | self._overrides
        self.repositories.configure(self._options)

    def close(self) -> None:
        """End children, threads and timers; at most a second, and at once where the process goes on."""
        self._tasks.cancel()
        self.next_edits.close()
        if self._pause is not None:
            self._pause.cancel()
        self._thread.close()
        self.repositories.close(wait=not self._shared)
        self._recorder.close(0 if self._shared else RECORDS_S)

    def watch_files(self) -> None:
        """Ask the editor to watch the folders that are open now."""
        self.file_events.watch(one.root for one in self.repositories.sessions() if one.root is not None)

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.repositories.look(reported=self.file_events.watched)
            except Exception as error:
                log.error("looking for changed files failed: %s", describe(error))

    # Documents

    def opened(self, item: types.TextDocumentItem, notebook: str | None = None) -> None:
        """Take a document or a cell that was opened."""
        self.start()
        document = self.documents.put(item.uri, item.language_id or "", item.version, item.text, notebook)
        self.completions.changed(item.uri)
        self.repositories.changed(document)

    def changed(self, which: types.VersionedTextDocumentIdentifier, changes: list[Change]) -> None:
        """Take the edits of a document or a cell."""
        document = self.documents.get(which.uri)
        if document is None:
            log.debug("an edit of a document that is not open was ignored")
            return
        self.next_edits.change(
            document, changes, lambda change: self.documents.change(which.uri, which.version, [change])
        )
        document.version = which.version
        self.completions.changed(which.uri, changes)
        self.repositories.changed(document)
        if self._pause is not None:
            self._pause.cancel()
        self._pause = asyncio.get_running_loop().call_later(PAUSE_S, self._paused)

    def _paused(self) -> None:
        """Use a pause of the typing behind everything else that the engine's thread has to do."""
        self._pause = None
        self._thread.submit(lambda _: use_pause(), urgent=False)

    def closed(self, uri: str) -> None:
        """Forget a document or a cell that was closed."""
        document = self.documents.close(uri)
        if document is not None:
            self.next_edits.closed(document)
            self.completions.closed(uri)
            self.repositories.closed(document)

    # Host: what sessions report

    def show_message(self, message: str, *, problem: bool = False) -> None:
        """Show the user a message; each message is shown once."""
        message = printable(message, "\n")
        if message in self._messages:
            return
        self._messages.add(message)
        log.info("shown to the user: %s", message)
        kind = types.MessageType.Warning if problem else types.MessageType.Info
        self.window_show_message(types.ShowMessageParams(type=kind, message=message))

    def first_index(self, name: str) -> None:
        """Tell the user that a repository is indexed for the first time; several at once are one message."""
        self._first_indexes.append(name)
        if len(self._first_indexes) == 1:
            asyncio.get_running_loop().call_later(FIRST_INDEX_S, self._say_first_indexes)

    def _say_first_indexes(self) -> None:
        names, self._first_indexes = self._first_indexes, []
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more folders" if len(names) > 3 else "")
        self.show_message(f"Ondol is indexing {listed} for the first time; until then it completes from open files.")

    def withdraw(self) -> None:
        """Drop answers in work and remembered texts: they may come from a file that may not be used any more."""
        self.completions.withdraw()

    def _show_error(self, error: str) -> None:
        now = time.monotonic()
        if now - self._error_shown >= ERROR_EVERY_S:
            self._error_shown = now
            message = (
                f"Ondol had an internal error ({printable(error)}); completions go on. See the log and `ondol explain`."
            )
            self.window_show_message(types.ShowMessageParams(type=types.MessageType.Warning, message=message))

    def _show_trouble(self, document: OpenDocument, reason: Reason) -> None:
        name = PurePath(path_of(document.uri) or document.uri).name
        self._notify_status({**self.status(), "message": f"{name}: {reason.sentence}"})

    def status(self) -> dict[str, Any]:
        """The parameters of ``ondol/status``."""
        if not self.completions.switches.enabled:
            return {"state": "off", "message": "switched off"}
        state = self.repositories.state()
        found = {"state": state.name, "message": state.message, "percent": state.percent}
        found |= {"documents": state.documents, "generation": state.generation}
        return {key: value for key, value in found.items() if value is not None}

    def state_changed(self) -> None:
        """Send ``ondol/status``: at once when the state's name changes, else at most five times a second."""
        if self.status().get("state") != self._status.get("state"):
            self._send_status()
        elif self._status_timer is None:
            self._status_timer = asyncio.get_running_loop().call_later(STATUS_EVERY_S, self._send_status)

    def _send_status(self) -> None:
        if self._status_timer is not None:
            self._status_timer.cancel()
            self._status_timer = None
        status = self.status()
        if status != self._status:
            self._notify_status(status)
            self._status = status

    def _notify_status(self, status: dict[str, Any]) -> None:
        shown = {key: printable(value) if isinstance(value, str) else value for key, value in status.items()}
        self.protocol.notify("ondol/status", shown)

    def show_progress(self, token: str, title: str, step: IndexProgress | None) -> None:
        """Show a progress bar in clients that have one."""
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        known = token in self._progress
        self._progress[token] = step
        if not known and step is not None:
            self._tasks.start(self._begin_progress(token, title))
        elif token in self.work_done_progress.tokens:
            self._report_progress(token, step)

    async def _begin_progress(self, token: str, title: str) -> None:
        try:
            await self.work_done_progress.create_async(token)
        except Exception as error:
            log.info("the editor shows no progress: %s", type(error).__name__)
            return
        self.work_done_progress.begin(
            token, types.WorkDoneProgressBegin(title=printable(title), percentage=0, cancellable=False)
        )
        self._report_progress(token, self._progress.get(token))

    def _report_progress(self, token: str, step: IndexProgress | None) -> None:
        if step is None:
            self.work_done_progress.end(token, types.WorkDoneProgressEnd())
            self.work_done_progress.tokens.pop(token, None)
            self._progress.pop(token, None)
            return
        report = types.WorkDoneProgressReport(message=step.message, percentage=step.percent)
        self.work_done_progress.report(token, report)


def _version() -> str:
    try:
        return version("ondol")
    except PackageNotFoundError:
        return "0"


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their names in files: editors write ``maxLines`` for ``max_lines``."""
    return {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", str(key)).lower(): value for key, value in given.items()}
