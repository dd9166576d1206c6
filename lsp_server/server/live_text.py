"""The text of open documents as engines see it: of a cell, the text of its whole notebook.

An edited document is searchable soon after its last edit, or before another document is completed. An engine gets
each document as it was opened first, since what was typed and removed since then counts. The documents and the
engines' thread are given; whose a document is, the workspace says.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from lsp_server.server.document_owner import Owner
from lsp_server.server.documents import Documents, OpenDocument, key_of
from lsp_server.server.engine_thread import EngineThread
from lsp_server.server.session import Session
from lsp_server.types import Document

IDLE_S: Final = 0.3
"""An edited document is made searchable after this long without an edit, or before another document is completed."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The text that the engine sees; for a cell, the text of its whole notebook.

    :param base: code points before the document's own text.
    """

    document: Document
    base: int


class LiveText:
    """The edited documents that engines have not seen yet. Lives on the loop.

    :param owner: says to which session a document belongs. :param sessions: gives every session.
    """

    def __init__(
        self,
        documents: Documents,
        thread: EngineThread,
        owner: Callable[[OpenDocument], Owner],
        sessions: Callable[[], list[Session]],
    ) -> None:
        self._documents, self._thread = documents, thread
        self._owner, self._sessions = owner, sessions
        self._edited: set[str] = set()
        self._opened: dict[str, str] = {}
        self._not_given: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Stop the timer; call before the server ends."""
        if self._timer is not None:
            self._timer.cancel()

    def snapshot(self, document: OpenDocument, owner: Owner) -> Snapshot:
        """A document's text; for a cell, all code cells of its notebook, one below the other."""
        own = document.buffer.text
        if document.notebook is None:
            return Snapshot(Document(document.uri, owner.path, owner.language, document.version, own), 0)
        texts: list[str] = []
        base = 0
        for cell in self._documents.cells(document.notebook):
            text = own if cell is document else cell.buffer.text if cell.trouble is None else ""
            if cell is document:
                base = sum(len(t) + 1 for t in texts)
            texts.append(text)
        joined = "\n".join(texts or [own])
        return Snapshot(Document(document.notebook, owner.path, owner.language, document.version, joined), base)

    def changed(self, document: OpenDocument) -> None:
        """Make a document that was opened or edited searchable soon."""
        key = key_of(document.uri)
        self._edited.add(key)
        if key not in self._opened and document.notebook is None:
            self._opened[key] = document.buffer.text
            self._not_given.add(key)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._flush)

    def changed_all(self) -> None:
        """Give every open document to its engine again, which was rebuilt."""
        self._edited |= set(self._documents.open)
        self._not_given |= set(self._opened)

    def closed(self, key: str) -> None:
        """Forget a document that was closed."""
        self._edited.discard(key)
        self._not_given.discard(key)
        self._opened.pop(key, None)

    def take_updates(self, session: Session, completed: OpenDocument | None) -> list[Document]:
        """Take the edited documents of a session, and before them those new to its engine as they were opened.

        :param completed: the document that is being completed, whose text of now the engine gets with the request.
        """
        return [*self._take_opened(session), *self._take_edited(session, completed)]

    def _take_opened(self, session: Session) -> list[Document]:
        found = []
        for key, document, owner in self._theirs(self._not_given, session):
            if owner.excluded is None and document.trouble is None:
                self._not_given.discard(key)
                text = self._opened[key]
                found.append(Document(document.uri, owner.path, owner.language, document.version, text))
        return found

    def _take_edited(self, session: Session, completed: OpenDocument | None) -> list[Document]:
        found: dict[str, Document] = {}
        for key, document, owner in self._theirs(self._edited, session):
            if document is completed:
                continue
            self._edited.discard(key)
            if completed is not None and document.notebook is not None and document.notebook == completed.notebook:
                continue
            if document.trouble is None and owner.excluded is None:
                seen = self.snapshot(document, owner).document
                found[seen.uri] = seen
        return list(found.values())

    def _theirs(self, keys: set[str], session: Session) -> Iterator[tuple[str, OpenDocument, Owner]]:
        """Yield those of some documents that belong to a session; keys of closed documents are removed."""
        for key in list(keys):
            document = self._documents.open.get(key)
            if document is None:
                keys.discard(key)
            elif (owner := self._owner(document)).session is session:
                yield key, document, owner

    def _flush(self) -> None:
        for session in self._sessions():
            if session.engine is not None and (updates := self.take_updates(session, None)):
                self._thread.submit(partial(_update, session, updates), urgent=False)


def _update(session: Session, updates: list[Document], _: Callable[[], bool]) -> None:
    """Give edited documents to a session's engine, which a changed setting may have replaced meanwhile."""
    session.update(updates)
