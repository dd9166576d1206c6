"""From a cursor to what the editor is told: the newest request of a document wins, an old answer is never given.

What is being typed through is answered from memory: if the document is the one the last item was made for plus typed
characters that agree with it, the rest of that item is returned with the same id, at once. (Neovim asks after every
key; without this the grey text would flicker.)

This module knows no protocol types; ``app`` translates.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lsp_server.reasons import Reason
from lsp_server.server.documents import Documents, OpenDocument, key_of
from lsp_server.server.engine_thread import Worker
from lsp_server.server.logs import describe
from lsp_server.server.session import Session
from lsp_server.server.workspace import Snapshot, Workspace
from lsp_server.telemetry.feedback import Feedback, Offered
from lsp_server.telemetry.traces import Traces
from lsp_server.types import Answer, Popup, Request, Suggestion

PATIENCE_S: Final = 3.0
"""An engine that has not answered after its own deadline and this long is not waited for any more."""

INVOKED_ITEMS: Final = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Item:
    """A suggestion in a document: replace ``[start, end)`` (code points of the document) by ``text``."""

    id: str
    text: str
    start: int
    end: int
    suggestion: Suggestion


@dataclass(slots=True)
class Ask:
    """One request as the editor made it.

    :param popup: two positions (line, units) and the text of the selected entry of the editor's list.
    :param channel: requests of one channel supersede each other; a completion list and grey text do not.
    """

    uri: str
    line: int
    column: int
    automatic: bool
    popup: tuple[tuple[int, int], tuple[int, int], str] | None = None
    channel: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What the newest request is the newest of."""
        return key_of(self.uri), self.channel


@dataclass(slots=True)
class _Shown:
    """The last item of a document and the text and cursor it was made for."""

    item: Item
    text: str
    offset: int

    def rest(self, text: str, offset: int) -> Item | None:
        """What is left of the item after typing what it says, or None."""
        typed = offset - self.offset
        if typed < 0 or len(text) != len(self.text) + typed:
            return None
        done = offset - self.item.start
        if (
            done >= len(self.item.text)
            or self.item.text[: self.offset - self.item.start] != (self.text[self.item.start : self.offset])
        ):
            return None
        if not self.item.text.startswith(text[self.offset : offset], self.offset - self.item.start):
            return None
        if text[: self.offset] != self.text[: self.offset] or text[offset:] != self.text[self.offset :]:
            return None
        return replace(self.item, text=self.item.text[done:], start=offset, end=self.item.end + typed)


@dataclass(slots=True)
class _Slot:
    """The newest request of a document. ``ended`` is set to why nobody waits for it any more."""

    ended: "asyncio.Future[Reason]"


@dataclass
class Switches:
    """What the user has switched off in this session."""

    enabled: bool = True
    languages: set[str] = field(default_factory=set)


class Completions:
    """Asks the engine on behalf of the editor. Lives on the loop."""

    def __init__(
        self, documents: Documents, workspace: Workspace, worker: Worker, traces: Traces, feedback: Feedback
    ) -> None:
        self.switches = Switches()
        self.errors = 0
        self.on_error: Callable[[str], None] = lambda said: None
        self.on_trouble: Callable[[OpenDocument, Reason], None] = lambda document, reason: None
        self._documents, self._workspace, self._worker = documents, workspace, worker
        self._traces, self._feedback = traces, feedback
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._shown: dict[str, _Shown] = {}
        self._accepted: dict[str, Item] = {}
        self._numbers = itertools.count(1)
        self._prefix = secrets.token_hex(4)

    # What the editor does meanwhile

    def changed(self, uri: str) -> None:
        """The document changed: an answer for its old version is not wanted any more."""
        for key in [key for key in self._slots if key[0] == key_of(uri)]:
            self._end(key, Reason.STALE)
        item = self._accepted.pop(key_of(uri), None)
        if item is not None:
            self._prefetch(key_of(uri), item)

    def closed(self, uri: str) -> None:
        """The document was closed."""
        self.changed(uri)
        self._shown.pop(key_of(uri), None)

    def accepted(self, identifier: str) -> None:
        """A suggestion was accepted: the next one is begun where the cursor will be. Some editors say so before they
        change the document, others after."""
        for key, shown in self._shown.items():
            if shown.item.id == identifier and not self._prefetch(key, shown.item):
                self._accepted[key] = shown.item

    def _prefetch(self, key: str, item: Item) -> bool:
        """Begin the completion behind an item; False where the document does not hold the item (yet)."""
        document = self._documents.open.get(key)
        end = item.start + len(item.text)
        if document is None or document.buffer.text[item.start : end] != item.text:
            return False
        place = self._workspace.place(document)
        if self._blocked(document, place.session, place.language, place.excluded) is None:
            snapshot = self._workspace.snapshot(document)
            at = snapshot.base + end
            self._worker.submit(lambda _: place.session.accepted(snapshot.document, at), urgent=False)
        return True

    def _end(self, key: tuple[str, str], why: Reason) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None and not slot.ended.done():
            slot.ended.set_result(why)

    # Asking

    async def ask(self, ask: Ask) -> list[Item] | None:
        """Return the items to show, best first; an empty list for nothing; None where no answer is wanted any more.

        Never raises but for the cancellation of its task.
        """
        began = time.perf_counter()
        record: dict[str, Any] = {
            "id": f"{self._prefix}-{next(self._numbers)}",
            "automatic": ask.automatic,
            "line": ask.line + 1,
            "column": ask.column + 1,
        }
        document = self._documents.get(ask.uri)
        items: list[Item] | None = []
        try:
            if document is None:
                record["reason"] = Reason.NOT_OPEN
            else:
                items = await self._ask(ask, document, record)
        except asyncio.CancelledError:
            record["reason"] = Reason.CANCELLED
            raise
        except Exception as error:
            self.errors += 1
            record["reason"], record["error"] = Reason.ERROR, describe(error)
            log.error("a completion failed: %s", record["error"])
            self.on_error(type(error).__name__)
        finally:
            record["ms"] = round(1000 * (time.perf_counter() - began), 2)
            record.setdefault("reason", Reason.EMPTY)
            ring = self._workspace.place(document).session.traces if document is not None else None
            self._traces.add(ring, record)
        return items

    async def _ask(self, ask: Ask, document: OpenDocument, record: dict[str, Any]) -> list[Item] | None:
        place = self._workspace.place(document)
        session = place.session
        session.look(time.monotonic())
        record |= {"path": place.path, "language": place.language, "version": document.version}
        record["precision"] = session.settings.precision
        blocked = self._blocked(document, session, place.language, place.excluded)
        if blocked is not None:
            record["reason"] = blocked
            if blocked == document.trouble and not document.told:
                document.told = True
                self.on_trouble(document, blocked)
            return []
        key = ask.key
        self._end(key, Reason.SUPERSEDED)
        offset = document.buffer.offset(ask.line, ask.column)
        if ask.automatic and ask.popup is None:
            rest = self._typed_through(key[0], document.buffer.text, offset)
            if rest is not None:
                record |= {"reason": Reason.TYPED_THROUGH, "items": [rest.id]}
                return [rest]
        slot = self._slots[key] = _Slot(asyncio.get_running_loop().create_future())
        try:
            outcome = await self._answer(ask, document, offset, slot, session)
        finally:
            if self._slots.get(key) is slot:
                del self._slots[key]
        if isinstance(outcome, Reason):
            record["reason"] = outcome
            return [] if outcome is Reason.LATE else None
        snapshot, answer = outcome
        return self._items(ask, document, offset, snapshot, answer, session, record)

    def _blocked(self, document: OpenDocument, session: Session, language: str, excluded: str | None) -> Reason | None:
        if not self.switches.enabled:
            return Reason.OFF
        names = {language, document.language_id.lower()}
        if names & (self.switches.languages | {name.lower() for name in session.settings.disabled_languages}):
            return Reason.LANGUAGE_OFF
        return Reason.EXCLUDED if excluded is not None else document.trouble

    async def _answer(
        self, ask: Ask, document: OpenDocument, offset: int, slot: _Slot, session: Session
    ) -> tuple[Snapshot, Answer] | Reason:
        """The engine's answer and what it saw, or the reason why there is none."""
        if ask.automatic and session.settings.debounce_ms:
            done, _ = await asyncio.wait({slot.ended}, timeout=session.settings.debounce_ms / 1000)
            if done:
                return slot.ended.result()
        snapshot = self._workspace.snapshot(document)
        popup = None
        if ask.popup is not None:
            start, end, text = ask.popup
            popup = Popup(
                snapshot.base + document.buffer.offset(*start), snapshot.base + document.buffer.offset(*end), text
            )
        request = Request(snapshot.document, snapshot.base + offset, ask.automatic, popup)
        updates = self._workspace.take_updates(session, document)
        job = self._worker.submit(lambda cancelled: session.complete(updates, request, cancelled))
        patience = PATIENCE_S + session.settings.deadline_ms / 1000
        try:
            either: set[asyncio.Future[Any]] = {job.future, slot.ended}
            await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            job.cancel()
            raise
        if slot.ended.done():
            job.cancel()
            return slot.ended.result()
        if not job.future.done():
            job.cancel()
            log.warning("the engine did not answer within %.1f s", patience)
            return Reason.LATE
        return snapshot, job.future.result()

    # Answering

    def _typed_through(self, key: str, text: str, offset: int) -> Item | None:
        shown = self._shown.get(key)
        return shown.rest(text, offset) if shown is not None else None

    def _items(
        self,
        ask: Ask,
        document: OpenDocument,
        offset: int,
        snapshot: Snapshot,
        answer: Answer,
        session: Session,
        record: dict[str, Any],
    ) -> list[Item]:
        best = answer.suggestions[0] if answer.suggestions else None
        record |= {"reason": answer.reason, "trace": answer.trace}
        items: list[Item] = []
        for suggestion in answer.suggestions:
            item = self._item(document, offset, snapshot, suggestion)
            if item is not None:
                items.append(item)
        items = items[: 1 if ask.automatic else INVOKED_ITEMS]
        if best is not None:
            record |= {"probability": round(best.probability, 3), "engine": best.engine}
            record["provenance"] = [f"{p.path}:{p.line}" for p in best.provenance[:3]]
        record["items"] = [item.id for item in items]
        if items and session.settings.trace_text:
            record["text"] = [item.text for item in items]
        if items:  # an empty answer forgets nothing: after a wrong character and Backspace the item is back at once
            self._shown[key_of(document.uri)] = _Shown(items[0], document.buffer.text, offset)
            self._follow(ask, document, offset, items, session, record)
        return items

    def _item(self, document: OpenDocument, offset: int, snapshot: Snapshot, suggestion: Suggestion) -> Item | None:
        """An engine's suggestion as an item, or None if an editor could not show it: it must replace part of one line
        of this document, around the cursor, and change something."""
        start, end = suggestion.start - snapshot.base, suggestion.end - snapshot.base
        text = document.buffer.text
        if not 0 <= start <= offset <= end <= len(text):
            return None
        replaced = text[start:end]
        if not suggestion.text or suggestion.text == replaced or "\n" in replaced or "\r" in replaced:
            return None
        identifier = f"{self._prefix}-{next(self._numbers)}"
        return Item(identifier, suggestion.text, start, end, suggestion)

    def _follow(
        self, ask: Ask, document: OpenDocument, offset: int, items: list[Item], session: Session, record: dict[str, Any]
    ) -> None:
        key, text = key_of(document.uri), document.buffer.text

        def read() -> str | None:
            now = self._documents.get(document.uri)
            return now.buffer.text if now is not None and now.buffer.length <= now.buffer.limit else None

        def still_there(item: Item) -> bool:
            shown = self._shown.get(key)
            now = read()
            if shown is None or shown.item.id != item.id or now is None:
                return False
            return now == text or shown.rest(now, offset + len(now) - len(text)) is not None

        for item in items:
            facts = {
                "language": record.get("language"),
                "engine": item.suggestion.engine,
                "adapter": record["trace"].get("adapter") if isinstance(record.get("trace"), dict) else None,
                "automatic": ask.automatic,
                "probability": round(item.suggestion.probability, 3),
            }
            offered = Offered(item.id, item.text, offset - item.start, offset, session.stats, facts, read)
            self._feedback.offer(offered, lambda item=item: still_there(item))  # type: ignore[misc]
