"""Decides how large a prompt may be here and now, and what of it stays from key to key.

A plan says where a document's prompts begin and which context stands before. As long as the cursor moves on behind that
place, each key only adds tokens at the end, and the model reads nothing twice. A prompt that is not computed yet is as
small as what the model reads in ``COLD_SECONDS``, at the speed that was measured last. While the cursor rests, a larger
plan is made and computed in the background, and takes the place of the small one when all of it is computed. New
context then follows what is there already, so that the head of the prompt stays.

Runs on the model's thread. Knows no engine and no editor.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from indexer.prompt.renderer import ContextPiece, Prompt, PromptSize
from lsp_server.backends.base import Backend, Cancelled, never
from lsp_server.model.prompt_context import PromptContext, PromptContextBuilder
from lsp_server.types import Document

COLD_SECONDS: Final = 0.4
"""What a prompt that is not computed yet may take."""

WARM_SECONDS: Final = 3.0
"""What a prompt may take that is computed while the cursor rests."""

SMALLEST: Final = 64
"""Tokens of the smallest prompt; less says nothing."""

LARGEST: Final = 2048
"""Tokens of the largest prompt."""

KEPT_PLANS: Final = 8
MOVED_LINES: Final = 12
"""Lines that the cursor may move until the context is chosen again, while it rests."""

_SUFFIX_SHARE: Final = 4  # of a small prompt's tokens: the text behind the cursor, where each key reads it again
_CHARS_PER_TOKEN: Final = 3  # of code, about; only for the first look at a document, before there is a cursor


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the prompts of one document have in common.

    :param start: where the text before the cursor begins in them, in the document.
    :param context: the most useful piece first, as the renderer wants them. :param size: limits of the prompt.
    :param line: of the cursor for which the context was chosen. :param generation: of the index, at that time.
    :param large: whether it was made while the cursor rested.
    """

    start: int
    context: tuple[ContextPiece, ...]
    size: PromptSize
    line: int
    generation: int
    large: bool


@dataclass(frozen=True, slots=True)
class PlannedPrompt:
    """A prompt, the result of choosing its context, and its number of tokens that are not computed yet."""

    prompt: Prompt
    context: PromptContext
    new: int


class PromptPlans:
    """The plans of the documents of a session.

    :param search_seconds: how long the search of context may take; None: as long as it takes, for commands and replays,
        whose prompts are as large as the model allows.
    """

    def __init__(self, builder: PromptContextBuilder, search_seconds: float | None) -> None:
        self._builder = builder
        self._search_seconds = search_seconds
        self._plans: OrderedDict[str, _Plan] = OrderedDict()
        self._next: dict[str, _Plan] = {}

    def forget(self) -> None:
        """Drop all plans: what they hold may not be used any more."""
        self._plans.clear()
        self._next.clear()

    def at(self, backend: Backend, document: Document, offset: int) -> PlannedPrompt:
        """Return the prompt for a cursor."""
        speed = backend.speed
        if self._search_seconds is None or speed is None or not speed.prompt_rate:
            context = self._builder.build(document, offset, self._search_seconds)
            prompt = backend.render(context.parts)
            return PlannedPrompt(prompt, context, len(prompt.ids) - backend.cached(prompt))
        small = max(SMALLEST, min(LARGEST, speed.tokens_in(COLD_SECONDS)))
        plan = self._plans.get(document.uri)
        if plan is not None and not self._builder.knows(plan.context, document.path):
            plan = None  # a file that is not indexed any more may have been excluded
        if plan is not None and (planned := self._by(plan, backend, document, offset)) and planned.new <= small:
            self._plans.move_to_end(document.uri)
            return planned
        return self._cold(backend, document, offset, small)

    def resting(self, backend: Backend, document: Document, offset: int, cancelled: Cancelled = never) -> Prompt | None:
        """Return the prompt to compute while the cursor rests; None where nothing is left to compute.

        Call :meth:`rested` when all of it is computed.

        :param cancelled: ends the search of context, which has no limit here; then there is no prompt.
        """
        speed = backend.speed
        if self._search_seconds is None or speed is None or not speed.prompt_rate:
            return None
        small = max(SMALLEST, min(LARGEST, speed.tokens_in(COLD_SECONDS)))
        whole = max(small, min(LARGEST, speed.tokens_in(WARM_SECONDS)))
        now = self._plans.get(document.uri)
        for plan in (self._next.get(document.uri), now):
            if plan is None or not plan.large or not self._serves(plan, document, offset):
                continue
            planned = self._by(plan, backend, document, offset)
            if planned is not None and len(planned.prompt.ids) <= 1.5 * whole:
                break
        else:
            plan = self._large(backend, document, offset, backend.size(whole, small // _SUFFIX_SHARE), now, cancelled)
            if cancelled():
                return None
            planned = self._by(plan, backend, document, offset)
        if planned is None:
            return None
        self._next[document.uri] = plan
        if planned.new <= 1:
            self.rested(document.uri)
            return None
        return planned.prompt

    def rested(self, uri: str) -> None:
        """Use the plan of the last :meth:`resting` prompt from now on: all of it is computed."""
        if (plan := self._next.pop(uri, None)) is not None:
            self._remember(uri, plan)

    def opening(self, backend: Backend, document: Document) -> int:
        """Return a cursor for the first look at a document: as far from its start as a prompt reaches."""
        speed = backend.speed
        rate = speed.tokens_in(WARM_SECONDS) if speed is not None else 0
        reach = min(LARGEST, rate) // 2 * _CHARS_PER_TOKEN
        return document.text.rfind("\n", 0, reach) + 1 if len(document.text) > reach else len(document.text)

    def _remember(self, uri: str, plan: _Plan) -> None:
        self._plans[uri] = plan
        self._plans.move_to_end(uri)
        while len(self._plans) > KEPT_PLANS:
            self._plans.popitem(last=False)

    def _serves(self, plan: _Plan, document: Document, offset: int) -> bool:
        """Whether a plan's context is still good for a cursor."""
        near = abs(document.text.count("\n", 0, offset) - plan.line) <= MOVED_LINES
        return near and plan.generation == self._builder.generation

    def _by(self, plan: _Plan, backend: Backend, document: Document, offset: int) -> PlannedPrompt | None:
        """Return the prompt of a plan at a cursor; None where the plan does not reach it."""
        if plan.start > offset or (plan.start and document.text[plan.start - 1] not in "\r\n"):
            return None
        parts = self._builder.parts(document, offset, plan.context, plan.start)
        prompt = backend.render(parts, replace(plan.size, whole=LARGEST))
        if prompt.start or len(prompt.context) < len(plan.context):
            return None
        context = PromptContext(parts, "kept", {"pieces": len(plan.context)})
        return PlannedPrompt(prompt, context, len(prompt.ids) - backend.cached(prompt))

    def _cold(self, backend: Backend, document: Document, offset: int, small: int) -> PlannedPrompt:
        """Return a small prompt for a cursor, and make it the document's plan."""
        size = backend.size(small, small // _SUFFIX_SHARE)
        context = self._builder.build(document, offset, self._search_seconds)
        prompt = backend.render(context.parts, size)
        start = _start(document.text, self._builder.begin(document.text, offset), context.parts.prefix, prompt.start)
        line = document.text.count("\n", 0, offset)
        self._remember(document.uri, _Plan(start, prompt.context, size, line, self._builder.generation, False))
        return PlannedPrompt(prompt, context, len(prompt.ids) - backend.cached(prompt))

    def _large(
        self,
        backend: Backend,
        document: Document,
        offset: int,
        size: PromptSize,
        now: _Plan | None,
        cancelled: Cancelled,
    ) -> _Plan:
        """Return a plan for the place where the cursor rests. What stands in the present one comes first again."""
        found = self._builder.build(document, offset, None, cancelled)
        before = now.context if now is not None and now.large else ()
        known = {(piece.path, piece.text) for piece in found.parts.context}
        new = [p for p in found.parts.context if all(p.text[: len(old.text)] != old.text for old in before)]
        kept = [piece for piece in before if any(t.startswith(piece.text) for _, t in known)] if before else []
        parts = replace(found.parts, context=(*new, *kept))
        prompt = backend.render(parts, size)
        start = _start(document.text, self._builder.begin(document.text, offset), parts.prefix, prompt.start)
        line = document.text.count("\n", 0, offset)
        return _Plan(start, prompt.context, size, line, self._builder.generation, True)


def _start(text: str, begin: int, prefix: str, start: int) -> int:
    """Return where a place of a prompt's text stands in the document, whose line ends and secrets may differ.

    :param begin: where the prompt's text begins in the document. :param start: the place, a line's start in ``prefix``.
    """
    at = begin
    for _ in range(prefix.count("\n", 0, start)):
        at = text.find("\n", at) + 1 or at
    return at
