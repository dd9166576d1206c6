"""Which repository a document belongs to, what of it may be used, and the snapshot that the engine sees.

Several folders may be open: each has a session (engine, index) of its own, and a document belongs to the innermost
root around it. Documents outside of all of them, untitled ones among them, share a session without an index.

This module knows no protocol types and never reads a document from the disk.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.errors import UserError
from lsp_server.server.documents import Documents, OpenDocument, key_of, path_of
from lsp_server.server.engine_thread import Worker
from lsp_server.server.factories import Parts
from lsp_server.server.session import Host, Session, State
from lsp_server.types import Document, Engine

IDLE_S: Final = 0.3
"""An edited document is made searchable after this long without an edit, or before another document is completed."""

_ORDER: Final = ("problem", "indexing", "model-loading", "starting", "ready", "off")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands; ``excluded`` is the reason why nothing of it may be used, or None."""

    session: Session
    path: str | None
    language: str
    excluded: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The text that the engine sees; a cell sees its whole notebook.

    :param base: code points before the document's own text, ``end`` where its own text ends.
    """

    document: Document
    base: int
    end: int


def private_reasons() -> tuple[str, ...]:
    """Reasons of ``policy`` that forbid to use anything of a file; others (vendored, too large ...) only keep it out
    of the index."""
    from indexer.repository import policy

    return (policy.EXCLUDED, policy.ONDOLIGNORED, policy.KEY_FILE, policy.OWN_DATA, policy.VERSION_CONTROL)


class Workspace:
    """Sessions by root, and the place of every open document."""

    def __init__(
        self, documents: Documents, worker: Worker, host: Host, parts: Parts, options: Mapping[str, Any]
    ) -> None:
        self.documents = documents
        self.options = options
        self.sessions: dict[Path, Session] = {}
        self._worker, self._host, self._parts = worker, host, parts
        self._folders: dict[str, Path] = {}
        self._loose: Session | None = None
        self._places: dict[str, Place] = {}
        self._dirty: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    # Folders

    def add_folder(self, path: str) -> None:
        """Open a workspace folder: the repository around it, or the folder itself."""
        from indexer.repository import git

        try:
            root = git.find_root(Path(path))
        except UserError as error:
            self._host.tell(f"Ondol: {error}", problem=True)
            return
        self._folders[path] = root
        self._session(root)
        self._places.clear()

    def remove_folder(self, path: str) -> None:
        """Close a workspace folder, and its session if no other folder shares it."""
        root = self._folders.pop(path, None)
        if root is not None and root not in self._folders.values():
            session = self.sessions.pop(root, None)
            if session is not None:
                session.close()
            self._places.clear()
            self._host.state_changed()

    def _session(self, root: Path) -> Session:
        if root not in self.sessions:
            self.sessions[root] = Session(root, self.options, self._worker, self._host, self._parts)
            self.sessions[root].start()
        return self.sessions[root]

    @property
    def loose(self) -> Session:
        """The session of documents outside of every repository."""
        if self._loose is None:
            self._loose = Session(None, self.options, self._worker, self._host, self._parts)
            self._loose.start()
        return self._loose

    def all(self) -> list[Session]:
        """Every session."""
        return [*self.sessions.values(), *([self._loose] if self._loose else [])]

    def configure(self, options: Mapping[str, Any]) -> None:
        """Hand new settings to every session."""
        self.options = options
        for session in self.all():
            session.configure(options)
        self._places.clear()

    def close(self) -> None:
        """End every session."""
        if self._timer is not None:
            self._timer.cancel()
        for session in self.all():
            session.close()

    def state(self) -> State:
        """The state of the session that most needs to be told."""
        sessions = list(self.sessions.values()) or self.all()
        states = sorted((session.told_state for session in sessions), key=lambda state: _ORDER.index(state.name))
        return states[0] if states else State("ready", "no folder is open")

    # Documents

    def place(self, document: OpenDocument) -> Place:
        """Where a document belongs; decided once, when it is first asked for."""
        key = key_of(document.uri)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._find_place(document)
        return found

    def _find_place(self, document: OpenDocument) -> Place:
        from indexer.languages import grammars

        path = path_of(document.notebook or document.uri)
        session, relative = self._owner(path)
        language = grammars.language_of_document(document.language_id, "" if document.notebook else relative or "")
        return Place(session, relative, language, self._excluded(session, relative, path))

    def _owner(self, path: str | None) -> tuple[Session, str | None]:
        from indexer.repository import git

        best: tuple[int, Session, str] | None = None
        for session in self.sessions.values():
            relative = session.relative(path)
            if relative is not None and (best is None or len(str(session.root)) > best[0]):
                best = (len(str(session.root)), session, relative)
        if best is not None:
            return best[1], best[2]
        if path is not None and not self._folders:
            try:
                root = git.find_root(Path(path).parent)
            except (UserError, OSError, ValueError):
                return self.loose, None
            if git.is_repository(root):
                session = self._session(root)
                return session, session.relative(path)
        if path is None and self.sessions:
            return next(iter(self.sessions.values())), None
        return self.loose, None

    @staticmethod
    def _excluded(session: Session, relative: str | None, path: str | None) -> str | None:
        from indexer.repository import policy, walk

        private = private_reasons()
        if path is None:
            return None
        if relative is None or session.root is None:
            reason = policy.accepts_path(path.lstrip("/"), session.settings)
            return reason if reason in private else None
        real = session.relative(str(Path(path).resolve())) or relative
        for candidate in {relative, real}:
            reason = walk.excluded(session.root, candidate, session.settings)
            if reason in private:
                return reason
        return None

    def rules_changed(self) -> None:
        """An ignore file or a repository's settings were saved: what they forbid now is forgotten at once."""
        self.configure(self.options)
        for document in self.documents.open.values():
            place = self.place(document)
            if place.excluded is not None and place.session.engine is not None:
                self._worker.submit(_closing(place.session.engine, document.notebook or document.uri), urgent=False)

    def usable(self, document: OpenDocument) -> bool:
        """Whether anything of a document may be given to the engine."""
        return document.trouble is None and self.place(document).excluded is None

    def snapshot(self, document: OpenDocument) -> Snapshot:
        """What the engine sees of a document; for a cell, all code cells of its notebook, one below the other."""
        place = self.place(document)
        own = document.buffer.text
        if document.notebook is None:
            whole = Document(document.uri, place.path, place.language, document.version, own)
            return Snapshot(whole, 0, len(own))
        texts: list[str] = []
        base = 0
        for cell in self.documents.cells(document.notebook):
            text = own if cell is document else cell.buffer.text if cell.trouble is None else ""
            if cell is document:
                base = sum(len(t) + 1 for t in texts)
            texts.append(text)
        joined = Document(document.notebook, place.path, place.language, document.version, "\n".join(texts or [own]))
        return Snapshot(joined, base, base + len(own))

    # Live text

    def changed(self, document: OpenDocument) -> None:
        """A document was opened or edited: make it searchable soon."""
        self._dirty.add(key_of(document.uri))
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(IDLE_S, self._flush)

    def closed(self, document: OpenDocument) -> None:
        """A document was closed: its live text does not count any more."""
        key = key_of(document.uri)
        self._dirty.discard(key)
        place = self._places.pop(key, None)
        if place is not None and place.session.engine is not None:
            self._worker.submit(_closing(place.session.engine, document.notebook or document.uri), urgent=False)

    def take_updates(self, session: Session, without: OpenDocument) -> list[Document]:
        """The edited documents of a session, except the one that is being completed, which the engine gets anyway."""
        found: dict[str, Document] = {}
        for key in list(self._dirty):
            document = self.documents.open.get(key)
            if document is None:
                self._dirty.discard(key)
                continue
            if document is without or self.place(document).session is not session:
                continue
            self._dirty.discard(key)
            if without.notebook is not None and document.notebook == without.notebook:
                continue
            if self.usable(document):
                snapshot = self.snapshot(document).document
                found[snapshot.uri] = snapshot
        return list(found.values())

    def _flush(self) -> None:
        for session in self.all():
            if session.engine is None:
                continue
            updates = self.take_updates(session, _NOTHING)
            if updates:
                self._worker.submit(_updating(session, updates), urgent=False)


_NOTHING = OpenDocument("", "", 0, None)  # type: ignore[arg-type]


def _closing(engine: Engine, uri: str) -> Callable[[Callable[[], bool]], None]:
    return lambda _: engine.close(uri)


def _updating(session: Session, updates: list[Document]) -> Callable[[Callable[[], bool]], None]:
    def work(_: Callable[[], bool]) -> None:
        for document in updates:
            if session.engine is not None:
                session.engine.update(document)

    return work
