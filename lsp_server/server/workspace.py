"""The repositories that are open, and which of them each document belongs to.

Several folders may be open. Each has a session with an engine and an index, and a document belongs to the innermost
root around it. Documents outside of all roots, untitled ones among them, share a session without an index.

``document_owner`` says what of a document may be used, ``live_text`` what engines see of it. Knows no protocol types
and never reads a document from the disk.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.errors import UserError
from lsp_server.reasons import Reason
from lsp_server.server.document_owner import Owner, excluded_reason
from lsp_server.server.documents import Documents, OpenDocument, key_of, path_of
from lsp_server.server.engine_thread import EngineThread, background
from lsp_server.server.factories import Factories
from lsp_server.server.host import STATES, Host, SessionState
from lsp_server.server.live_text import LiveText, Snapshot
from lsp_server.server.memory import give_back
from lsp_server.server.session import Session
from lsp_server.types import Document

LOOKS: Final = 1_500
"""Files and folders that are looked at every second where the editor does not report changes: 5 ms of a core."""

LOOKS_BESIDE_EVENTS: Final = 150
LEAST_LOOKS: Final = 20

LOOK_S: Final = 1.0
"""All looks together end after this time: a network's file system answers slowly. Where ten other processes compute,
1,500 looks take 0.3 s; with 50 ms for a look a new file was noticed after 14 s there."""

ENDED_S: Final = 2.0
"""After this time, nothing that a closed folder had begun runs any more."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Everything that a completion request needs besides its cursor.

    :param languages: names of the document's language: Ondol's and the editor's.
    :param snapshot: the text that the engine sees, or the reason why it may not see the document.
    :param take_updates: takes the other edited documents of the session, which the engine has not seen yet; call it
        when the request is given to the engine.
    """

    session: Session
    settings: Settings
    path: str | None
    language: str
    languages: frozenset[str]
    snapshot: Snapshot | Reason
    take_updates: Callable[[], list[Document]]


class Workspace:
    """The sessions by root, and the owner of every open document. Lives on the loop."""

    def __init__(
        self, documents: Documents, thread: EngineThread, host: Host, factories: Factories, options: Mapping[str, Any]
    ) -> None:
        self.options = options
        self._documents = documents
        self._thread, self._host, self._factories = thread, host, factories
        self._sessions: dict[Path, Session] = {}
        self._outside: Session | None = None
        self._folders: dict[str, Path] = {}
        self._owners: dict[str, Owner] = {}
        self._live = LiveText(documents, thread, self.owner, self.sessions)
        self._saved: set[str] = set()

    # Folders and sessions

    def add_folder(self, path: str) -> None:
        """Open a workspace folder: the repository around it, or the folder itself."""
        from indexer.repository import git

        try:
            root = git.find_root(Path(path))
        except UserError as error:
            self._host.show_message(f"Ondol: {error}", problem=True)
            return
        self._folders[path] = root
        self._session(root)
        self._owners.clear()

    def remove_folder(self, path: str) -> None:
        """Close a workspace folder, and its session if no other folder shares it."""
        root = self._folders.pop(path, None)
        if root is not None and root not in self._folders.values():
            session = self._sessions.pop(root, None)
            if session is not None:
                session.close(wait=False)
                asyncio.get_running_loop().call_later(ENDED_S, self._free_closed)
            self._owners.clear()
            self._host.state_changed()

    def _free_closed(self) -> None:
        """Free closed sessions, whose parts refer to each other, with their indexes and the threads of these."""
        self._thread.submit(lambda _: give_back(), urgent=False)

    def outside(self) -> Session:
        """The session of documents outside of every repository; made at the first call."""
        if self._outside is None:
            self._outside = self._start(None)
        return self._outside

    def sessions(self) -> list[Session]:
        """Every session."""
        return [*self._sessions.values(), *([self._outside] if self._outside else [])]

    def configure(self, options: Mapping[str, Any]) -> None:
        """Hand new settings to every session."""
        self.options = options
        for session in self.sessions():
            self._configure(session)
        self._owners.clear()
        self._host.withdraw()
        self._forget_excluded()

    def close(self, *, wait: bool = True) -> None:
        """End every session.

        :param wait: end the children before this returns, because the process ends.
        """
        self._live.close()
        for session in self.sessions():
            session.close(wait=wait)

    def state(self) -> SessionState:
        """The most urgent state of the sessions."""
        states = [session.reported_state for session in list(self._sessions.values()) or self.sessions()]
        if not states:
            return SessionState("ready", "no folder is open")
        return min(states, key=lambda state: STATES.index(state.name))

    def _session(self, root: Path) -> Session:
        if root not in self._sessions:
            self._sessions[root] = self._start(root)
        return self._sessions[root]

    def _start(self, root: Path | None) -> Session:
        session = Session(root, self.options, self._thread, self._host, self._factories)
        session.start()
        return session

    # The owner of a document

    def owner(self, document: OpenDocument) -> Owner:
        """Where a document belongs; decided once, at the first call."""
        key = key_of(document.uri)
        found = self._owners.get(key)
        if found is None:
            found = self._owners[key] = self._find_owner(document)
        return found

    def _find_owner(self, document: OpenDocument) -> Owner:
        from indexer.languages import grammars

        path = path_of(document.notebook or document.uri)
        session, relative = self._session_of(path)
        said = (document.language_id, "" if document.notebook else relative or "", document.buffer.text)
        return Owner(session, relative, grammars.language_of_document(*said), excluded_reason(session, relative, path))

    def _session_of(self, path: str | None) -> tuple[Session, str | None]:
        """The session of the innermost root around a path, and the path below that root."""
        from indexer.repository import git

        best: tuple[int, Session, str] | None = None
        for session in self._sessions.values():
            relative = session.relative(path)
            if relative is not None and (best is None or len(str(session.root)) > best[0]):
                best = (len(str(session.root)), session, relative)
        if best is not None:
            return best[1], best[2]
        if path is not None and not self._folders:
            try:
                root = git.find_root(Path(path).parent)
            except (UserError, OSError, ValueError):
                return self.outside(), None
            if git.is_repository(root):
                session = self._session(root)
                return session, session.relative(path)
        if path is None and self._sessions:
            return next(iter(self._sessions.values())), None
        return self.outside(), None

    def rules_changed(self, session: Session) -> None:
        """Apply settings or ignore files of a repository that were written; what they forbid is forgotten at once."""
        self._configure(session)
        self._owners.clear()
        self._host.withdraw()
        self._forget_excluded()

    def _configure(self, session: Session) -> None:
        """Hand the settings to a session; a rebuilt engine gets every open document again."""
        session.configure(self.options)
        self._live.changed_all()

    def _forget_excluded(self) -> None:
        for document in self._documents.open.values():
            owner = self.owner(document)
            if owner.excluded is not None:
                self._forget(owner, document)

    # Files on disk

    def files_changed(self, gone: list[str], changed: list[str]) -> None:
        """Act on absolute paths of files and folders that an editor has reported."""
        for session in self.sessions():
            if session.root is not None:
                below = [[rest for path in paths if (rest := session.below(path))] for paths in (gone, changed)]
                if session.files_changed(below[0], below[1], self._is_open(session)):
                    self.rules_changed(session)

    async def look(self, *, reported: bool) -> None:
        """Look for changes on disk in every repository.

        :param reported: whether the editor reports changes, so that few looks are enough.
        """
        sessions = list(self._sessions.values())
        if not sessions:
            return
        budget = max(LEAST_LOOKS, (LOOKS_BESIDE_EVENTS if reported else LOOKS) // len(sessions))
        seconds = LOOK_S / len(sessions)
        looked = await background(lambda: [one.look(budget, seconds) for one in sessions], "look")
        for session, found in zip(sessions, looked, strict=True):
            if session.take(*found, self._is_open(session)):
                self.rules_changed(session)

    def _is_open(self, session: Session) -> Callable[[str], bool]:
        paths = {path for one in self._documents.open.values() if (path := path_of(one.notebook or one.uri))}
        relative = {rest for path in paths if (rest := session.below(path))}
        return relative.__contains__

    # What the engine sees

    def request_context(self, document: OpenDocument) -> RequestContext:
        """Everything that a request in a document needs, as it is now."""
        owner = self.owner(document)
        blocked = Reason.EXCLUDED if owner.excluded is not None else document.trouble
        return RequestContext(
            owner.session,
            owner.session.settings,
            owner.path,
            owner.language,
            frozenset((owner.language, document.language_id.lower())),
            blocked or self._live.snapshot(document, owner),
            partial(self._live.take_updates, owner.session, document),
        )

    # Events of the editor

    def changed(self, document: OpenDocument) -> None:
        """Make a document that was opened or edited searchable soon."""
        self._live.changed(document)

    def saved(self, document: OpenDocument) -> None:
        """Update the index of a document that was saved once nothing was saved for a while."""
        self._saved.add(key_of(document.uri))
        self.owner(document).session.update_index_soon()

    def closed(self, document: OpenDocument) -> None:
        """Drop the live text of a document that was closed; what it has saved is searched until the index has it."""
        key = key_of(document.uri)
        self._live.closed(key)
        if (owner := self._owners.pop(key, None)) is not None:
            self._forget(owner, document)
        if key in self._saved:
            self._saved.remove(key)
            owner = owner or self._find_owner(document)
            if owner.path is not None and owner.excluded is None:
                owner.session.search_changed([owner.path])
        if not self._documents.open:
            self._thread.submit(partial(_rest, self.sessions()), urgent=False)

    def _forget(self, owner: Owner, document: OpenDocument) -> None:
        session, uri = owner.session, document.notebook or document.uri
        if session.engine is not None:
            self._thread.submit(lambda _: session.forget(uri))


def _rest(sessions: list[Session], _: Callable[[], bool]) -> None:
    """Forget what was kept for open documents, of which there are none."""
    for session in sessions:
        if session.index is not None:
            session.index.forget_texts()
    give_back()
