"""An editor with one document, in this process, in front of the server's own request path.

Edits go through :class:`lsp_server.server.documents.Documents`, requests through
:class:`lsp_server.server.completions.Completions` with its memory of the last item and of refusals, on the server's
engine thread. Only the transport is left out. Positions are code points.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from indexer.config import Settings
from lsp_server.server.completion_request import EditorRequest
from lsp_server.server.completions import Completions
from lsp_server.server.document_owner import Owner
from lsp_server.server.documents import Change, Documents, OpenDocument
from lsp_server.server.engine_thread import EngineThread
from lsp_server.server.factories import Factories
from lsp_server.server.index_process import IndexProgress
from lsp_server.server.item_memory import Item
from lsp_server.server.live_text import Snapshot
from lsp_server.server.session import Session
from lsp_server.server.workspace import Workspace
from lsp_server.telemetry.feedback import Feedback
from lsp_server.telemetry.traces import Recorder, Ring, Traces
from lsp_server.types import Engine

ENCODING: Final = "utf-32"

PATIENCE_S: Final = 600.0
"""How long an answer is waited for."""


@dataclass(frozen=True, slots=True)
class Ghost:
    """A ghost text at the cursor.

    :param text: what accepting it adds. :param replaced: characters behind the cursor that it replaces.
    """

    id: str
    text: str
    replaced: int


class _Silent:
    """A host that shows nothing: there is no user."""

    def show_message(self, message: str, *, problem: bool = False) -> None:
        """Do nothing."""

    def state_changed(self) -> None:
        """Do nothing."""

    def first_index(self, name: str) -> None:
        """Do nothing."""

    def withdraw(self) -> None:
        """Do nothing."""

    def show_progress(self, token: str, title: str, step: IndexProgress | None) -> None:
        """Do nothing."""


class _LastTrace(Traces):
    """Keeps the record of the last request, and writes none."""

    def __init__(self) -> None:
        super().__init__(Recorder())
        self.last: dict[str, Any] = {}

    def add(self, ring: Ring | None, record: dict[str, Any]) -> None:
        """Keep a record."""
        self.last = record


class _OneDocument(Workspace):
    """A workspace in which every document belongs to one session."""

    def __init__(self, documents: Documents, thread: EngineThread, session: Session) -> None:
        super().__init__(documents, thread, _Silent(), Factories(), {})
        self._session_of_all, self.path, self.language = session, "", ""

    def owner(self, document: OpenDocument) -> Owner:
        """Return the session, and the path that the document has in the replayed repository."""
        return Owner(self._session_of_all, self.path, self.language, None)


class TypingEditor:
    """See the module. Lives on a loop; :meth:`close` ends its thread."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._thread = EngineThread()
        self._session = Session(None, {}, self._thread, _Silent(), Factories())
        # A pause before each request would only make the replay slow: here no key overtakes a request.
        self._session.settings, self._session.engine = replace(settings, debounce_ms=0), engine
        self._documents = Documents(encoding=ENCODING, limit=settings.max_file_bytes)
        self._workspace = _OneDocument(self._documents, self._thread, self._session)
        self._traces = _LastTrace()
        feedback = Feedback(Recorder(), lambda seconds, call: None)
        self._completions = Completions(self._documents, self._workspace, self._thread, self._traces, feedback)
        # A busy machine must not change what is shown.
        self._completions.patience_s = PATIENCE_S
        self._engine, self._uri, self._version = engine, "", 0

    def close(self) -> None:
        """End the engine's thread."""
        self._thread.close()

    async def open(self, uri: str, path: str, language: str, text: str) -> None:
        """Open a document; the engine sees it as the author opened it."""
        self._uri, self._version = uri, 1
        self._workspace.path, self._workspace.language = path, language
        document = self._documents.put(uri, language, 1, text)
        self._completions.changed(uri)
        snapshot = self._workspace.request_context(document).snapshot
        if isinstance(snapshot, Snapshot):
            await self._on_thread(lambda: self._engine.update(snapshot.document))

    async def shut(self) -> None:
        """Close the document."""
        self._documents.close(self._uri)
        self._completions.closed(self._uri)
        await self._on_thread(lambda: self._engine.close(self._uri))

    async def _on_thread(self, work: Callable[[], None]) -> None:
        await self._thread.submit(lambda cancelled: work()).future

    @property
    def text(self) -> str:
        """The document's text."""
        return self._open().buffer.text

    def _open(self) -> OpenDocument:
        document = self._documents.get(self._uri)
        assert document is not None, "a document is open"
        return document

    def edit(self, start: int, end: int, text: str) -> None:
        """Replace the text between two offsets."""
        buffer = self._open().buffer
        changes = [Change(text, buffer.position(start), buffer.position(end))]
        self._version += 1
        self._documents.change(self._uri, self._version, changes)
        self._completions.changed(self._uri, changes)

    async def ask(self, offset: int) -> tuple[Ghost | None, float, dict[str, Any]]:
        """Ask as an editor does after a key; return the ghost text, the milliseconds and the server's trace."""
        line, column = self._open().buffer.position(offset)
        began = time.perf_counter()
        items = await self._completions.complete(EditorRequest(self._uri, line, column, automatic=True))
        spent = 1e3 * (time.perf_counter() - began)
        return _ghost(items[0], offset) if items else None, spent, self._traces.last

    def accepted(self, ghost: Ghost) -> None:
        """Report that a ghost text was accepted, after the edit."""
        self._completions.accepted(ghost.id)

    def dismissed(self, ghost: Ghost) -> None:
        """Report Escape on a ghost text."""
        self._completions.dismissed(ghost.id)


def _ghost(item: Item, offset: int) -> Ghost:
    return Ghost(item.id, item.text[offset - item.start :], item.end - offset)
