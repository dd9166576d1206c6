"""Answers the editor's completion requests: the newest request of a document wins, an outdated answer is never given.

While the user types what the last item says, the rest of that item is the answer, at once and with the same id. What
the user refused on a line (``refusals``) is not in an automatic answer on that line, whichever engine gives it.
Knows no protocol types; ``handlers`` translates.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from indexer.secrets.cover import COVER
from lsp_server.reasons import Reason
from lsp_server.refused_texts import SHORT, is_refused
from lsp_server.server.completion_request import EditorRequest, RunningRequest, timed
from lsp_server.server.documents import Change, Documents, OpenDocument, key_of
from lsp_server.server.engine_thread import EngineThread, Job
from lsp_server.server.item_memory import Item, ItemMemory
from lsp_server.server.late_answers import LateAnswers
from lsp_server.server.live_text import Snapshot
from lsp_server.server.logs import describe
from lsp_server.server.refusals import Refusals, Standing
from lsp_server.server.workspace import RequestContext, Workspace
from lsp_server.telemetry.feedback import Feedback, Offered
from lsp_server.telemetry.traces import Traces
from lsp_server.types import Answer, Popup, Request, Suggestion

PATIENCE_S: Final = 3.0
"""How long the server waits for the engine after the engine's own deadline."""

INVOKED_ITEMS: Final = 3

ASKED_AGAIN: Final = 3
"""How often a request is made again because files changed while it was answered, at most."""

AHEAD_S: Final = 0.01
"""How long after an answer the engine works ahead: the answer goes out first."""

log = logging.getLogger(__name__)


@dataclass
class Switches:
    """What the user has switched off in this session."""

    enabled: bool = True
    languages: set[str] = field(default_factory=set)


class Completions:
    """Asks the engine on behalf of the editor. Lives on the loop."""

    def __init__(
        self, documents: Documents, workspace: Workspace, thread: EngineThread, traces: Traces, feedback: Feedback
    ) -> None:
        self.switches = Switches()
        self.patience_s = PATIENCE_S
        self.errors = 0
        self.on_error: Callable[[str], None] = lambda error: None
        self.on_trouble: Callable[[OpenDocument, Reason], None] = lambda document, reason: None
        self.new_form: Callable[[OpenDocument], Callable[[str], str | None] | None] = lambda document: None
        self._documents, self._workspace, self._thread = documents, workspace, thread
        self._traces, self._feedback = traces, feedback
        self.late = LateAnswers(thread)
        self._newest: dict[tuple[str, str], asyncio.Future[Reason]] = {}
        self._memory = ItemMemory()
        self._refusals = Refusals()
        self._accepted: dict[str, Item] = {}
        self._numbers = itertools.count(1)
        self._prefix = secrets.token_hex(4)

    # Events of the editor

    def changed(self, uri: str, changes: Sequence[Change] = (Change(""),)) -> None:
        """End the requests of a document that changed: their answers are outdated.

        :param changes: in their order; one without a range for a document whose whole text is new.
        """
        for key in [key for key in self._newest if key[0] == key_of(uri)]:
            self._end(key, Reason.STALE)
        document = self._documents.get(uri)
        edits = [(one.start, one.end, one.text) if one.start and one.end else None for one in changes]
        if document is not None and self._refusals.changed(key_of(uri), document.buffer.lines, edits):
            self._memory.forget(key_of(uri))
        item = self._accepted.pop(key_of(uri), None)
        if item is not None:
            self._prefetch(key_of(uri), item)

    def withdraw(self) -> None:
        """End every request and forget every item: a file that they come from may not be used any more."""
        for key in list(self._newest):
            self._end(key, Reason.WITHDRAWN)
        self._memory.clear()

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self.changed(uri)
        self._memory.forget(key_of(uri))
        self._refusals.forget(key_of(uri))

    def accepted(self, identifier: str) -> None:
        """Begin the completion after an accepted suggestion.

        Some editors report an accept before they change the document, others after it.
        """
        self._refusals.accepted(identifier)
        for key, item in self._memory.find(identifier):
            if not self._prefetch(key, item):
                self._accepted[key] = item

    def dismissed(self, identifier: str) -> None:
        """Suggest nothing more on the line of an item that the user dismissed (Escape)."""
        for key in self._refusals.dismissed(identifier):
            self._memory.forget(key)

    def _prefetch(self, key: str, item: Item) -> bool:
        """Begin the completion behind an item; False where the document does not hold the item (yet)."""
        document = self._documents.open.get(key)
        end = item.start + len(item.text)
        if document is None or document.buffer.text[item.start : end] != item.text:
            return False
        context = self._workspace.request_context(document)
        snapshot = self._usable(context)
        if isinstance(snapshot, Snapshot):
            session, seen, at = context.session, snapshot.document, snapshot.base + end
            self._thread.submit(lambda _: session.accepted(seen, at), urgent=False)
        return True

    def _end(self, key: tuple[str, str], reason: Reason) -> None:
        ended = self._newest.pop(key, None)
        if ended is not None and not ended.done():
            ended.set_result(reason)

    # Answering

    async def complete(self, request: EditorRequest) -> list[Item] | None:
        """Return the items to show, best first; an empty list for nothing; None where the answer is outdated.

        Raises nothing but the cancellation of its task.
        """
        began = time.perf_counter()
        record: dict[str, Any] = {
            "id": f"{self._prefix}-{next(self._numbers)}",
            "automatic": request.automatic,
            "line": request.line + 1,
            "column": request.column + 1,
        }
        context: RequestContext | None = None
        items: list[Item] | None = []
        try:
            document = self._documents.get(request.uri)
            if document is None:
                record["reason"] = Reason.NOT_OPEN
            else:
                context = self._workspace.request_context(document)
                items = await self._complete(request, document, context, record)
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
            self._traces.add(context.session.traces if context is not None else None, record)
        return items

    async def _complete(
        self, request: EditorRequest, document: OpenDocument, context: RequestContext, record: dict[str, Any]
    ) -> list[Item] | None:
        record |= {"path": context.path, "language": context.language, "version": document.version}
        record["precision"] = context.settings.precision
        snapshot = self._usable(context)
        if isinstance(snapshot, Reason):
            record["reason"] = snapshot
            if snapshot is document.trouble and not document.trouble_reported:
                document.trouble_reported = True
                self.on_trouble(document, snapshot)
            return []
        self._end(request.key, Reason.SUPERSEDED)
        offset = document.buffer.offset(request.line, request.column)
        standing = self._standing(request, document, offset, record)
        if request.automatic and standing.silent:
            record["reason"] = Reason.DISMISSED
            return []
        if request.automatic and request.popup is None:
            rest = self._memory.rest(request.key[0], document.buffer.text, offset)
            if rest is not None:  # a new refusal would have made the memory forget it, and older ones were asked then
                record |= {"reason": Reason.TYPED_THROUGH, "items": [rest.id]}
                if rest.start == offset:  # else a syllable is being composed, and nothing is decided about it
                    self._refusals.offered(request.key[0], rest.id, rest.text)
                return [rest]
        ended = self._newest[request.key] = asyncio.get_running_loop().create_future()
        running = RunningRequest(
            request, document, document.version, context, snapshot, offset, standing, record, ended
        )
        try:
            answer = await self._ask_engine(running)
        finally:
            if self._newest.get(request.key) is running.ended:
                del self._newest[request.key]
        if isinstance(answer, Reason):
            record["reason"] = answer
            return None if answer in (Reason.SUPERSEDED, Reason.STALE) else []
        return self._items(running, answer)

    def _standing(
        self, request: EditorRequest, document: OpenDocument, offset: int, record: dict[str, Any]
    ) -> Standing:
        """What was refused on the line of the cursor."""
        buffer = document.buffer
        line = min(request.line, len(buffer.lines) - 1)
        standing = self._refusals.asked(request.key[0], buffer.lines, line, offset - buffer.offset(line, 0))
        if standing.refused:
            record |= {"refused": len(standing.refused), "new_refusals": standing.new}
        if standing.new:
            self._memory.forget(request.key[0])
        return standing

    def _usable(self, context: RequestContext) -> Snapshot | Reason:
        """What the engine may see of a document, or the reason why it gets no completion."""
        if not self.switches.enabled:
            return Reason.OFF
        off = self.switches.languages | {name.lower() for name in context.settings.disabled_languages}
        return Reason.LANGUAGE_OFF if off & context.languages else context.snapshot

    async def _ask_engine(self, running: RunningRequest) -> Answer | Reason:
        """The engine's answer under the rules that hold now, or the reason why there is none.

        An answer that may hold text which may not be used any more is dropped, and the engine is asked again.
        """
        for _ in range(ASKED_AGAIN + 1):
            answer = await self._ask_once(running)
            if isinstance(answer, Answer) and answer.reason is Reason.RULES_CHANGED:
                self._workspace.rules_changed(running.context.session)
            elif answer is not Reason.WITHDRAWN:
                return answer
            if (reason := self._renew(running)) is not None:
                return reason
        return Reason.WITHDRAWN

    def _renew(self, running: RunningRequest) -> Reason | None:
        """Give a withdrawn request the rules that hold now; the reason why it is over, if it is."""
        request, document = running.request, running.document
        if self._newest.get(request.key, running.ended) is not running.ended:
            return Reason.SUPERSEDED
        if self._documents.get(request.uri) is not document or document.version != running.version:
            return Reason.STALE
        context = self._workspace.request_context(document)
        if isinstance(snapshot := self._usable(context), Reason):
            return snapshot
        running.context, running.snapshot = context, snapshot
        running.ended = self._newest[request.key] = asyncio.get_running_loop().create_future()
        return None

    async def _ask_once(self, running: RunningRequest) -> Answer | Reason:
        """The engine's answer, or the reason why there is none."""
        request, context, snapshot, ended = running.request, running.context, running.snapshot, running.ended
        if request.automatic and context.settings.debounce_ms:
            done, _ = await asyncio.wait({ended}, timeout=context.settings.debounce_ms / 1000)
            if done:
                return ended.result()
        popup = None
        if request.popup is not None:
            start, end = (snapshot.base + running.document.buffer.offset(*position) for position in request.popup[:2])
            popup = Popup(start, end, request.popup[2])
        # Refused texts of one or two characters are compared as a whole, at the end: an engine that compares beginnings
        # would offer no word with the same letters on this line any more.
        refused = (
            tuple(one for one in running.standing.refused if len(one.strip()) >= SHORT) if request.automatic else ()
        )
        new_form = self.new_form(running.document)
        asked = Request(snapshot.document, snapshot.base + running.offset, request.automatic, popup, refused, new_form)
        if updates := context.take_updates():  # a job of its own: the request may be cancelled before it begins
            self._thread.submit(lambda _: context.session.update(updates))
        record = running.record
        job = self._thread.submit(lambda cancelled: timed(record, lambda: context.session.complete(asked, cancelled)))
        answer = await self._until(running, job, self.patience_s + context.settings.deadline_ms / 1000)
        if request.automatic and isinstance(answer, Answer):
            asyncio.get_running_loop().call_later(AHEAD_S, self._work_ahead, context)
        if isinstance(answer, Reason) or (later := answer.later) is None:
            return answer
        record["trace"] = answer.trace
        version, uri = running.document.version, running.document.uri if request.automatic else None
        late = await self.late.wait(
            later, ended, uri, lambda: running.document.version == version and request.key not in self._newest
        )
        if ended.done():
            return ended.result()
        return await self._until(running, self._thread.submit(lambda _: later.finish(late=late)), self.patience_s)

    def _work_ahead(self, context: RequestContext) -> None:
        """Let the engine work for the next key, until that one asks."""
        self._thread.submit(lambda _: context.session.prepare(lambda: self._thread.urgent_waits), urgent=False)

    async def _until(self, running: RunningRequest, job: Job[Answer], seconds: float) -> Answer | Reason:
        """The result of a job of the engine's thread, or why there is none."""
        try:
            either: set[asyncio.Future[Any]] = {job.future, running.ended}
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            job.cancel()
            raise
        if running.ended.done():
            job.cancel()
            return running.ended.result()
        if not job.future.done():
            job.cancel()
            log.warning("the engine did not answer within %.1f s", seconds)
            return Reason.LATE
        return job.future.result()

    def _items(self, running: RunningRequest, answer: Answer) -> list[Item]:
        record, best = running.record, answer.suggestions[0] if answer.suggestions else None
        record |= {"reason": answer.reason, "trace": answer.trace}
        found = [item for suggestion in answer.suggestions if (item := self._item(running, suggestion)) is not None]
        items = found[:INVOKED_ITEMS]
        if running.request.automatic:
            items = self._not_refused(running, found)[:1]
        if best is not None:
            record |= {"probability": round(best.probability, 3), "engine": best.engine}
            record["provenance"] = [f"{p.path}:{p.line}" for p in best.provenance[:3]]
        record["items"] = [item.id for item in items]
        if not items and record["reason"] is Reason.SHOWN:
            record["reason"] = Reason.DOES_NOT_FIT
        if items and running.context.settings.trace_text:
            record["text"] = [item.text for item in items]
        if items:  # an empty answer forgets nothing: after Backspace and the same character the item is back at once
            key, first = running.request.key[0], items[0]
            self._memory.remember(key, first, running.document.buffer.text, running.offset)
            self._refusals.offered(key, first.id, first.text[running.offset - first.start :])
            self._follow(running, items)
        return items

    def _not_refused(self, running: RunningRequest, items: list[Item]) -> list[Item]:
        """The items that an automatic request may show: the user may have pressed Escape meanwhile."""
        if items and self._refusals.silent(running.request.key[0]):
            running.record["reason"] = Reason.DISMISSED
            return []
        before, refused = _before(running.document, running.offset), running.standing.refused
        kept = [one for one in items if not is_refused(one.text[running.offset - one.start :], refused, before)]
        if items and not kept:
            running.record["reason"] = Reason.REFUSED
        return kept

    def _item(self, running: RunningRequest, suggestion: Suggestion) -> Item | None:
        """An engine's suggestion as an item; None if an editor could not show it.

        An item must replace part of one line of this document, around the cursor, and change something.
        """
        start, end = suggestion.start - running.snapshot.base, suggestion.end - running.snapshot.base
        text = running.document.buffer.text
        if not 0 <= start <= running.offset <= end <= len(text):
            return None
        replaced = text[start:end]
        if not suggestion.text or suggestion.text == replaced or "\n" in replaced or "\r" in replaced:
            return None
        if COVER in suggestion.text:
            return None  # it would write over a secret with what covers it
        identifier = f"{self._prefix}-{next(self._numbers)}"
        return Item(identifier, suggestion.text, start, end, suggestion)

    def _follow(self, running: RunningRequest, items: list[Item]) -> None:
        """Give the items to the statistics, which look at the document again later."""
        uri, offset, trace = running.document.uri, running.offset, running.record.get("trace")

        def read() -> str | None:
            now = self._documents.get(uri)
            return now.buffer.text if now is not None and now.buffer.length <= now.buffer.limit else None

        def still_offered(item: Item) -> Callable[[], bool]:
            return lambda: self._memory.still_offered(key_of(uri), item, read())

        for item in items:
            facts = {
                "language": running.context.language,
                "engine": item.suggestion.engine,
                "adapter": trace.get("adapter") if isinstance(trace, dict) else None,
                "automatic": running.request.automatic,
                "probability": round(item.suggestion.probability, 3),
            }
            stats = running.context.session.stats
            offered = Offered(item.id, item.text, offset - item.start, offset, stats, facts, read, uri)
            self._feedback.offer(offered, still_offered(item))


def _before(document: OpenDocument, offset: int) -> str:
    """The character before the cursor."""
    return document.buffer.text[max(offset - 1, 0) : offset]
