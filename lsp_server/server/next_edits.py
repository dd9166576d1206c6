"""Answers the editor's requests for the next edit, and tells it when there is one.

The search (``edit_search``) runs on the engine's thread behind everything that is urgent; a key ends it. An answer
belongs to the version of the document that it was made for. Knows no protocol types; ``edit_handlers`` translates.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from indexer.text.printable import printable
from lsp_server.edits.features import HERE
from lsp_server.edits.history import USED, PastEdit
from lsp_server.edits.learned import LEAST, Learned
from lsp_server.edits.offered import Offer
from lsp_server.edits.titles import title_of
from lsp_server.reasons import Reason
from lsp_server.server.at_cursor import AtCursor, Standing
from lsp_server.server.document_owner import Owner
from lsp_server.server.documents import Change, Documents, OpenDocument, key_of, path_of
from lsp_server.server.edit_model import ModelEdits
from lsp_server.server.edit_recording import EditRecorder
from lsp_server.server.edit_search import Asked, SessionEdits, all_places
from lsp_server.server.edit_searches import EditSearches
from lsp_server.server.engine_thread import EngineThread
from lsp_server.server.logs import describe
from lsp_server.server.session import Session
from lsp_server.server.tasks import Tasks
from lsp_server.server.workspace import Workspace
from lsp_server.telemetry.edit_feedback import EditFeedback, OfferedEdit
from lsp_server.telemetry.traces import Traces
from lsp_server.types import Document

PAUSE_S: Final = 0.4
"""After this long without a change, an edit counts as made."""

REMEMBERED: Final = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShownEdit:
    """An offer as it is sent.

    :param id: the editor reports under it what happened to the offer. :param version: None for files that are not open.
    """

    id: str
    offer: Offer
    uri: str
    version: int | None


@dataclass(frozen=True)
class FileEdits:
    """All places of an edit in one file.

    :param path: as it is shown to the user.
    """

    uri: str
    path: str
    offers: list[Offer]


class NextEdits:
    """The edits of all sessions. Lives on the loop.

    The rules answer alone where they have an offer. Where they have none, the model is asked, if one is loaded
    (``edit_model``).
    """

    def __init__(
        self,
        documents: Documents,
        workspace: Workspace,
        thread: EngineThread,
        traces: Traces,
        feedback: EditFeedback,
    ) -> None:
        self._on_ready: Callable[[str], None] | None = None
        self.errors = 0
        self.feedback = feedback
        self._documents, self._workspace, self._thread, self._traces = documents, workspace, thread, traces
        self._states: WeakKeyDictionary[Session, SessionEdits] = WeakKeyDictionary()
        self._recorder = EditRecorder()
        self._model = ModelEdits(thread, self._failed)
        self._told: set[str] = set()
        self._searches = EditSearches(thread)
        self._shown: OrderedDict[str, tuple[SessionEdits, Offer]] = OrderedDict()
        self._at_cursor = AtCursor(feedback.was_shown)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks = Tasks()
        self._numbers = itertools.count(1)
        self._prefix = secrets.token_hex(4)

    @property
    def on_ready(self) -> Callable[[str], None] | None:
        """Called with a document's URI when there is a next edit for it; None for clients that do not ask."""
        return self._on_ready

    @on_ready.setter
    def on_ready(self, call: Callable[[str], None]) -> None:
        self._on_ready = self._model.on_ready = call

    def close(self) -> None:
        """Stop the timers; call before the server ends."""
        self._model.close()
        for key in list(self._timers):
            self._stop_timer(key)
        self._tasks.cancel()

    # Events of the editor

    def change(self, document: OpenDocument, changes: Sequence[Change], apply: Callable[[Change], object]) -> None:
        """Apply the changes of a document and note them as edits."""
        key = key_of(document.uri)
        self._model.cancel()
        self._searches.cancel()
        state = self._state(document)
        if state is None:
            for change in changes:
                apply(change)
            return
        self._recorder.change(state.log, key, document, changes, apply)
        self._take_back(state)
        for other in [name for name in state.log.open if name != key]:
            state.log.settle(other)
        self._stop_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(PAUSE_S, self._paused, key)

    def saved(self, uri: str) -> None:
        """End the edit that is being made in a document that was saved."""
        document = self._documents.get(uri)
        state = self._state(document) if document is not None else None
        if document is not None and state is not None:
            self._recorder.saved(state.log, key_of(uri))
            state.log.settle(key_of(uri))

    def closed(self, document: OpenDocument) -> None:
        """Keep what the edits of a closed document teach; forget their places."""
        key = key_of(document.uri)
        self._stop_timer(key)
        self._told.discard(key)
        self._recorder.forget(key)
        state = self._state(document)
        if state is not None:
            state.log.forget(key)
            state.views.pop(key, None)

    def _take_back(self, state: SessionEdits) -> None:
        """Undo refuses: what the user took back is not offered for the same line again."""
        taken, state.log.taken_back = state.log.taken_back, []
        for old, new in taken:
            self._searches.forget()
            state.refusals.take_back(old, new)
            offers = [(name, offer) for name, (owner, offer) in self._shown.items() if owner is state]
            for name in [name for name, offer in offers if offer.new == new and old in offer.lines][-1:]:
                self.dismissed(name)
        state.note_made()

    def _stop_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _paused(self, key: str) -> None:
        """After a pause the edit counts as made, and the editor hears whether there is a next one."""
        self._timers.pop(key, None)
        document = self._documents.open.get(key)
        state = self._state(document) if document is not None else None
        if document is None or state is None:
            return
        self._recorder.settle(state.log, key)
        state.log.settle(key)
        if self.on_ready is not None and state.log.settled:
            self._tasks.start(self._announce(document, state))

    async def _announce(self, document: OpenDocument, state: SessionEdits) -> None:
        version = document.version
        asked = self._asked(document, state, state.log.settled[-1].start, 0)
        try:
            offer = await self._searches.search(asked) if asked is not None else None
        except Exception as error:
            self._failed(error)
            return
        # A document's first edit is announced even where nothing is offered: a line that the cursor reaches later may
        # get an offer, and an editor that never heard of an edit would not ask there.
        wanted = offer is not None or (asked is not None and key_of(document.uri) not in self._told)
        if wanted and document.version == version and self.on_ready is not None:
            self._told.add(key_of(document.uri))
            self.on_ready(document.uri)

    # Answering

    async def next_edit(self, uri: str, version: int | None, line: int, column: int) -> ShownEdit | None:
        """Return the next edit for a cursor (from 0); None for none, or where the document has changed meanwhile."""
        began = time.perf_counter()
        document = self._documents.get(uri)
        state = self._state(document) if document is not None else None
        if document is None or state is None:
            return None
        edit = state.log.open.get(key_of(uri))
        if edit is not None and not edit.start <= line < edit.end:
            state.log.settle(key_of(uri))
        searched = document.version
        if self._at_cursor.moved(key_of(uri), searched, line):
            self._searches.forget()
        owner = self._workspace.owner(document)
        traced: dict[str, Any] = {"id": f"{self._prefix}-e{next(self._numbers)}", "kind": "next_edit"}
        traced |= {"automatic": True, "path": owner.path, "language": owner.language, "version": searched}
        traced |= {"line": line + 1, "column": column + 1}
        known = version in (None, searched)
        asked = self._asked(document, state, line, column) if known else None
        offer = await self._offer(asked, document, owner, traced) if asked is not None else None
        shown = None
        if not known or document.version != searched or self._documents.get(uri) is not document:
            traced["reason"] = Reason.STALE
        elif offer is None:
            traced["reason"] = Reason.NO_NEXT_EDIT
        else:
            traced["reason"] = Reason.MODEL_EDIT if offer.model else Reason.NEXT_EDIT
            shown = self._remember(state, offer, owner)
            if offer.where == HERE:
                self._at_cursor.offered(Standing((shown.id,), state.refusals, key_of(uri), searched, line, offer))
            traced |= self._facts(offer, shown, owner.session)
        traced["ms"] = round(1000 * (time.perf_counter() - began), 2)
        if state.log.settled:
            self._traces.add(owner.session.traces, traced)
        return shown

    async def _offer(self, asked: Asked, document: OpenDocument, owner: Owner, traced: dict[str, Any]) -> Offer | None:
        """Return the offer of the rules, else that of the model; after an error, none.

        :param traced: the record of the trace; receives what the search and the model say.
        """
        version = document.version
        try:
            offer = await self._searches.search(asked)
            traced["searched"] = dict(asked.searched)
            if offer is None and document.version == version:
                about = Document(document.uri, owner.path, owner.language, version, "")
                offer, facts = await self._model.offer(asked, about)
                traced |= facts
        except Exception as error:
            self._failed(error)
            traced["error"] = describe(error)
            return None
        return offer

    async def everywhere(self, uri: str, line: int) -> tuple[str, list[FileEdits]]:
        """Return a title and all places of the newest edit, by file; the document with the cursor comes first."""
        document = self._documents.get(uri)
        state = self._state(document) if document is not None else None
        if document is None or state is None:
            return "", []
        state.log.settle(key_of(uri))
        asked = self._asked(document, state, line, 0)
        if asked is None:
            return "", []
        found = await self._thread.submit(lambda stopped: all_places(asked, stopped), urgent=False).future
        newest = asked.edits[-1]
        return printable(title_of(newest.old, newest.new)), [
            FileEdits(self._uri(name, asked.session), printable(self._path(name, asked.session) or name), offers)
            for name, offers in found.items()
        ]

    def accepted(self, identifier: str) -> None:
        """Count an accepted edit for the edits that proposed it.

        The edit is complete, so it need not wait for a pause: the next offer would come from the edits before it, and
        change under the user's eyes when the pause is over.
        """
        known = self._shown.get(identifier)
        if known is not None:
            state, offer = known
            state.refusals.accept(offer)
            for name in list(state.log.open):
                state.log.settle(name)
        self.feedback.tell(identifier, "accepted")

    def dismissed(self, identifier: str) -> None:
        """Count a refused edit against the edits that proposed it."""
        known = self._shown.pop(identifier, None)
        if known is not None:
            known[0].refusals.add(known[1])
            self._searches.forget()
            self.feedback.tell(identifier, "dismissed")

    def _asked(self, document: OpenDocument, state: SessionEdits, line: int, column: int) -> Asked | None:
        """Everything that a search needs; None where there is nothing to repeat or the document may not be used."""
        owner, key = self._workspace.owner(document), key_of(document.uri)
        self._recorder.settle(state.log, key)
        self._take_back(state)
        if not state.log.settled or document.trouble is not None:
            return None
        edits = tuple(PastEdit.of(edit) for edit in state.log.settled)
        views = []
        for name, other in self._documents.open.items():
            if other.trouble is None and (other is document or self._state(other) is state):
                views.append(state.view(name, other))
        views.sort(key=lambda view: view.uri != key)
        paths = {path for view in views if (path := self._path(view.uri, owner.session)) is not None}
        body = views[0].lines[line] if line < len(views[0].lines) else ""
        at_end = column >= len(body.rstrip())
        return Asked(state, owner.session, edits, tuple(views), frozenset(paths), line, at_end)

    def _state(self, document: OpenDocument) -> SessionEdits | None:
        """The edits of a document's session; None where nothing of the document may be used or the setting is off."""
        owner = self._workspace.owner(document)
        if owner.excluded is not None or not owner.session.settings.next_edits:
            return None
        return self._states.setdefault(owner.session, SessionEdits())

    def new_form(self, document: OpenDocument) -> Callable[[str], str | None] | None:
        """Return what makes the new form of a line, by the edits so far; None where there are too few."""
        state = self._state(document)
        if state is None or len(state.log.settled) < LEAST:
            return None
        if state.learned is None or state.learned[0] != state.log.version:
            edits = tuple(PastEdit.of(edit) for edit in state.log.settled[-USED:])
            state.learned = state.log.version, Learned(lambda: state.history.lines(edits))
        return state.learned[1].new_form

    def _remember(self, state: SessionEdits, offer: Offer, owner: Owner) -> ShownEdit:
        identifier, session = self._standing(state, offer), owner.session
        if identifier is None:
            identifier = f"{self._prefix}-e{next(self._numbers)}"
            characters = max(0, len(offer.new) - len(offer.old))
            self.feedback.offer(OfferedEdit(identifier, owner.language, offer.probability, characters, session.stats))
        self._shown[identifier] = (state, offer)
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        there = self._documents.open.get(offer.document)
        return ShownEdit(identifier, offer, self._uri(offer.document, session), there.version if there else None)

    def _standing(self, state: SessionEdits, offer: Offer) -> str | None:
        """Return the id of the last offer if this is the same text at the same line, so that it counts once."""
        name, (owner, last) = next(reversed(self._shown.items()), ("", (None, offer)))
        same = (last.document, last.line, last.old, last.new) == (offer.document, offer.line, offer.old, offer.new)
        return name if owner is state and same and self.feedback.stands(name) else None

    def _facts(self, offer: Offer, shown: ShownEdit, session: Session) -> dict[str, Any]:
        """What the trace of an offer says."""
        sources = [f"{self._path(name, session) or 'a closed file'}:{line + 1}" for name, line in offer.sources]
        facts: dict[str, Any] = {"probability": round(offer.probability, 3), "items": [shown.id]}
        facts["provenance"] = list(dict.fromkeys(sources))[:3]
        facts["place"] = f"{self._path(offer.document, session) or offer.document}:{offer.line + 1}"
        return facts | ({"text": [offer.old, offer.new]} if session.settings.trace_text else {})

    def _uri(self, name: str, session: Session) -> str:
        """The URI of an open document, by its key, or of a file by its path in the repository."""
        there = self._documents.open.get(name)
        if there is not None:
            return there.uri
        return (session.root / name).as_uri() if session.root is not None else name

    def _path(self, name: str, session: Session) -> str | None:
        """The path of a document in the repository; of a cell, that of its notebook."""
        there = self._documents.open.get(name)
        name = there.notebook if there is not None and there.notebook is not None else name
        return session.relative(path_of(name)) if ":" in name else name or None

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        log.error("the search for the next edit failed: %s", describe(error))
