"""Asks the model for the new text of the cursor's line, where the rules have no edit to offer.

The model's thread serves completions first. Nothing waits for the answer: an editor that hears of next edits hears when
there is one, and gets it with its next request; only for others a request stays open for a while. The next key
ends the question. Without a model that is loaded, nothing is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from lsp_server.edits.model_lines import Case, agrees, case_at, offer_of
from lsp_server.edits.offered import Offer
from lsp_server.model.line_questions import ChangedLine, LineJob, LineQuestion, text_of
from lsp_server.reasons import Reason
from lsp_server.server.edit_search import Asked, search_of, without_secrets
from lsp_server.server.engine_thread import EngineThread, call_on
from lsp_server.server.tasks import Tasks
from lsp_server.types import Document, ModelPhase, ModelState

if TYPE_CHECKING:
    from lsp_server.fitting.fitter import Fitter

WAIT_S: Final = 2.0
"""How long a request stays open for the model, where the editor does not hear of next edits."""


@runtime_checkable
class AsksLines(Protocol):
    """An engine with a model that can be asked about a line."""

    @property
    def state(self) -> ModelState | None:
        """The state of the model."""
        ...

    def ask_line(self, question: LineQuestion) -> LineJob:
        """Ask what becomes of a line."""
        ...


@dataclass(eq=False)
class _Asking:
    """One question from the editor's request to the offer.

    :ivar facts: for the trace; no text.
    """

    asked: Asked
    document: Document
    done: "asyncio.Future[Offer | None]"
    facts: dict[str, Any] = field(default_factory=lambda: {"model_reason": Reason.MODEL_WAITING})
    job: LineJob | None = None
    cancelled: bool = False


class ModelEdits:
    """The question that is asked now, and its answer. Lives on the loop.

    :param failed: called with the error of a question.
    :ivar on_ready: called with a document's URI when there is an offer for it; None for clients that do not ask again.
    """

    def __init__(self, thread: EngineThread, failed: Callable[[Exception], None]) -> None:
        self.on_ready: Callable[[str], None] | None = None
        self._thread, self._failed = thread, failed
        self._now: _Asking | None = None
        self._fitter: Fitter | None = None
        self._tasks = Tasks()

    def close(self) -> None:
        """Ask nothing any more; call before the server ends."""
        self.cancel()
        self._tasks.cancel()

    def cancel(self) -> None:
        """Drop the question: a key came."""
        now, self._now = self._now, None
        if now is not None:
            now.cancelled = True
            if now.job is not None:
                now.job.cancel()

    async def offer(self, asked: Asked, document: Document) -> tuple[Offer | None, dict[str, Any]]:
        """Return the model's offer for the cursor's line as far as it is known, and facts for the trace."""
        engine = _with_model(asked)
        if engine is None or asked.line in asked.views[0].edited:
            return None, {}
        now = self._now
        if now is None or not _same(now.asked, asked):
            self.cancel()
            question = replace(asked, searched=Counter())
            now = self._now = _Asking(question, document, asyncio.get_running_loop().create_future())
            self._tasks.start(self._ask(now, engine))
        if not now.done.done() and self.on_ready is None:
            await asyncio.wait({now.done}, timeout=WAIT_S)
        offer = now.done.result() if now.done.done() else None
        if offer is not None and asked.state.refusals.refused(offer.old, offer.new):
            offer = None
        if offer is not None and asked.at_end and offer.new.startswith(offer.old.rstrip()):
            offer = None  # text behind the cursor is the completion's
        return offer, dict(now.facts)

    async def _ask(self, now: _Asking, engine: AsksLines) -> None:
        offer = None
        try:
            offer = await self._answered(now, engine)
        except Exception as error:
            self._failed(error)
        finally:
            if not now.done.done():
                now.done.set_result(offer)
        if offer is not None and not now.cancelled and self.on_ready is not None:
            self.on_ready(now.document.uri)

    async def _answered(self, now: _Asking, engine: AsksLines) -> Offer | None:
        case = await self._thread.submit(lambda _: _case(now), urgent=False).future
        if case is None or now.cancelled:
            now.facts = {}
            return None
        path, drafts = now.document.path or "", (case.text.strip(),)
        now.job = engine.ask_line(LineQuestion(path, case.pairs, case.old.strip(), drafts))
        answered = asyncio.Event()
        now.job.when_ended(partial(call_on, asyncio.get_running_loop(), answered.set))
        await answered.wait()
        answer = now.job.answer
        now.facts = {"model_reason": answer.reason, **answer.trace} if answer is not None else {}
        if answer is None or not answer.text or now.cancelled:
            return None
        return await self._thread.submit(lambda _: self._judged(now, case, answer), urgent=False).future

    def _judged(self, now: _Asking, case: Case, answer: ChangedLine) -> Offer | None:
        """Return the offer of a model's text, if it is probable and fits; on the engine's thread."""
        search = search_of(without_secrets(now.asked), lambda: False)
        now.facts["model_agrees"] = agrees(case, answer.text)
        offer = offer_of(case, search, answer.text, str(answer.trace.get("model", "")))
        if offer is not None and not self._fits(now, case):
            now.facts["model_reason"] = Reason.DOES_NOT_FIT
            return None
        return offer

    def _fits(self, now: _Asking, case: Case) -> bool:
        """Return whether a text fits its place; on the engine's thread, since the first call imports grammars."""
        from lsp_server.fitting.fitter import Fitter

        self._fitter = self._fitter or Fitter()
        return fits(self._fitter, now.document, case)


def _with_model(asked: Asked) -> AsksLines | None:
    """Return the engine, if it has a model that is loaded."""
    engine = asked.session.engine
    if not isinstance(engine, AsksLines) or engine.state is None:
        return None
    return engine if engine.state.phase is ModelPhase.READY else None


def fits(fitter: "Fitter", document: Document, case: Case) -> bool:
    """Return whether a case's text may stand in the place of its line: it parses no worse and holds no secret."""
    from lsp_server.fitting.place import Fitted

    lines, text = list(case.view.lines), case.text.lstrip()
    lines[case.line] = case.text[: len(case.text) - len(text)]
    offset = sum(len(line) + 1 for line in lines[: case.line]) + len(lines[case.line])
    found = fitter.fit(replace(document, text="\n".join(lines)), offset, text)
    return isinstance(found, Fitted) and found.text == text and found.end == offset


def _case(now: _Asking) -> Case | None:
    """Return what the model is asked, without secrets; on the engine's thread."""
    from lsp_server.server.masked_documents import holds_secret

    asked = without_secrets(now.asked)
    case = case_at(search_of(asked, lambda: False), asked.views[0], asked.line)
    if case is None or holds_secret((text_of(case.pairs, case.old.strip()),), now.document.path or ""):
        return None
    return case


def _same(one: Asked, other: Asked) -> bool:
    """Whether a question is about the same line of the same texts, wherever on the line the cursor is."""
    return one.line == other.line and replace(one, at_end=False).same(replace(other, at_end=False))
