"""The decode loop: prefix reuse, drafts verified in one pass, stops, cancellation and deadline at every token.

It runs any model that can append tokens to its cache and cut the cache back. Knows neither torch nor llama.cpp.
"""

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from indexer.prompt.formats import PromptSpec, closing_id, stop_ids
from indexer.prompt.renderer import Prompt
from indexer.prompt.tokenizer import Vocabulary
from lsp_server.backends.base import Cancelled, Generation, Limits, ReportText, never
from lsp_server.backends.draft_length import NEEDED, DraftLength
from lsp_server.backends.draft_sources import DraftSources
from lsp_server.backends.judged_texts import JudgedTexts, later_lines
from lsp_server.backends.kept_states import KeptStates, Stateful, common
from lsp_server.backends.speed import Speed
from lsp_server.backends.stop_rules import StopRules
from lsp_server.errors import BackendProblem

BEST = 3
"""How many of the likeliest next tokens a model reports."""

_ENDED = frozenset({"end", "line", "lines", "block"})  # reasons for which the last line of a text is whole
_LAST_WORD = re.compile(r"\s*\w*\Z")  # perhaps unfinished
_PASS_SECONDS = 0.1  # of a prompt's pass; a cancel during a long prompt waits for one pass at most
_SMALLEST_PASS, _LARGEST_PASS = 32, 2048
"""Prompt tokens per pass. On an H100 2,000 tokens of a prompt take 99 ms in passes of 256, and 17 ms in one."""

Predictions = tuple[list[list[int]], list[list[float]]]
"""For each of several positions the likeliest next ids, best first, and their log-probabilities."""


class Model(Stateful, Protocol):
    """A causal model with a cache of everything it was fed."""

    @property
    def context(self) -> int:
        """Tokens the cache can hold."""
        ...

    def feed(self, tokens: Sequence[int], last: int) -> Predictions:
        """Append tokens to the cache.

        :returns: for each of the ``last`` final positions the ``BEST`` likeliest next ids, and their log-probabilities.
        """
        ...

    def among(self, position: int, ids: Sequence[int]) -> tuple[list[int], list[float]]:
        """The ``BEST`` likeliest of the given ids, and their log-probabilities among these ids.

        :param position: one of those that the last feed predicted, from 0.
        """
        ...

    def masses(self, position: int, groups: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """For each group of ids the log-probability that the next token is one of them.

        :param position: one of those that the last feed predicted, from 0.
        :param given: the ids that the token is restricted to; empty for no restriction.
        """
        ...

    def keep(self, length: int) -> None:
        """Forget everything after the first ``length`` tokens."""
        ...

    def likelihoods(self, token: int, continuations: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """Log-likelihood of each continuation after the cache and ``token``, in one pass; the cache does not change.

        :param given: the ids that the first token is restricted to; empty for no restriction.
        """
        ...


@dataclass
class _Run:
    """A generation in progress."""

    stops: StopRules
    limits: Limits
    vocabulary: Vocabulary
    ends: frozenset[int]
    written: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    raw: str = ""
    text: str = ""
    reason: str = ""
    reused: int = 0
    forwards: int = 0
    drafted: int = 0
    accepted: int = 0
    line_logprob: float | None = None
    judged: JudgedTexts | None = None
    visible: list[str] = field(default_factory=list)

    def take(self, token: int, chance: float) -> bool:
        """Accept one token; True when the text ends with or before it."""
        if not math.isfinite(chance):
            raise BackendProblem(
                "the model computed NaN", "check its weights and its adapter, or roll the adapter back"
            )
        if token in self.ends:
            self.reason = "end"
            self._line_over(chance)
            return True
        self.written.append(token)
        self.logprobs.append(chance)
        self.raw = self.vocabulary.decode(self.written)
        visible, agrees = self.stops.visible(self.raw)
        if not agrees:
            self.text, self.reason = "", "held"
            return True
        self.visible.append(visible)
        self.text = visible.rstrip("\ufffd")  # a character whose last bytes are still to come
        if "\n" in self.text:
            self._line_over(0.0)
        stop = self.stops.check(self.text)
        if stop is None and time.monotonic() >= self.limits.more_until:
            stop = self._whole_part()
        if stop is not None:
            self.text, self.reason = self.text[: stop[0]], stop[1]
        elif len(self.written) >= self.limits.max_tokens:
            self.reason = "tokens"
        return bool(self.reason)

    def _whole_part(self) -> tuple[int, str] | None:
        """Where a text ends whose time is over: behind its whole lines, or behind the last whole word of its first."""
        if "\n" in self.text:
            return self.text.rindex("\n"), "lines"
        end = _LAST_WORD.search(self.text)
        return (end.start(), "time") if end and end.start() else None

    def _line_over(self, end: float) -> None:
        if self.line_logprob is None:
            self.line_logprob = sum(self.logprobs) + end

    def interrupted(self, cancelled: Cancelled) -> bool:
        """Whether the deadline has passed or the request was cancelled."""
        if cancelled():
            self.reason = "cancelled"
        elif time.monotonic() >= self.limits.deadline:
            self.reason = "time"
        return bool(self.reason)


class Decoder:
    """Greedy generation by one model. Used by one thread at a time.

    :param ends: tokens that end a generation.
    :param end: the token that closes a middle; None for models that write the next line instead.
    :param clock: seconds; measures the cost of a pass.
    """

    def __init__(
        self,
        model: Model,
        vocabulary: Vocabulary,
        ends: frozenset[int],
        end: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._ends = ends
        self._closing = vocabulary.encode("\n") if end is None else [end]
        self._fed: list[int] = []
        self._clock = clock
        self._draft_length = DraftLength()
        self._line_ends = sorted({*vocabulary.writing("\n"), *ends})
        self._states = KeptStates(model)
        self.speed = Speed()

    def forget(self) -> None:
        """Drop the cache and all kept states: the weights have changed, or a pass has failed."""
        self._fed = []
        self._states.forget()
        self._model.keep(0)

    def cached(self, prompt: Prompt) -> int:
        """How many tokens of a prompt the cache or a kept state holds."""
        return max(common(self._fed, prompt.ids), self._states.longest(prompt.ids))

    def prefill(self, prompt: Prompt, cancelled: Cancelled = never) -> bool:
        """Compute all of a prompt but its last token, which the next generation feeds; False where cancelled."""
        ids = list(prompt.ids[:-1])
        limits = Limits()
        run = _Run(StopRules(limits), limits, self._vocabulary, self._ends)
        try:
            return not ids or self._prefill(run, ids, cancelled, all_but_last=False) is not None
        except BaseException:
            self._fed = []
            raise

    def measure(self) -> None:
        """Make some passes, so that the speed is known before the first prompt; the first one is not counted.

        Passes over one and two tokens say what a draft costs before one is tried.
        """
        ids = list(range(max(1, min(64, self._model.context - 1))))
        for _ in range(2):
            self.speed = Speed()
            self._model.keep(0)
            self._feed(ids, 1)
        for width in (1, 2) * NEEDED:
            kept = max(0, len(ids) - width)
            self._model.keep(kept)
            self._feed(ids[kept:], len(ids) - kept)
        self.forget()

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        report: ReportText | None = None,
        rank: int = 0,
    ) -> Generation:
        """Write after ``prompt``.

        :param rank: which of the likeliest first tokens to begin with, from 0.
        """
        began = time.perf_counter()
        run = _Run(StopRules(limits, prompt.token_healing), limits, self._vocabulary, self._ends)
        judged = run.judged = JudgedTexts(drafts, self._vocabulary, prompt.token_healing, self._line_ends)
        try:
            self._write(run, DraftSources(judged.ids, prompt.ids), cancelled, report, rank)
        except BaseException:
            self._fed = []  # the state of the cache is not known; the next prompt empties it
            raise
        seconds = time.perf_counter() - began
        return Generation(
            run.text,
            run.reason,
            logprobs=tuple(run.logprobs),
            prompt_tokens=len(prompt.ids),
            reused=run.reused,
            forwards=run.forwards,
            drafted=run.drafted,
            accepted=run.accepted,
            seconds=seconds,
            tokens=tuple(run.written),
            line_logprob=run.line_logprob,
            own=judged.own(run.visible, run.logprobs),
            lines=later_lines(run.visible, run.logprobs, ended=run.reason in _ENDED),
            judged=judged.judgements(),
        )

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never, drafts: Sequence[str] = ()
    ) -> list[Generation]:
        """Up to ``count`` different texts: one for each of the likeliest first tokens, the greedy one first."""
        out: list[Generation] = []
        for rank in range(min(count, BEST)):
            made = self.generate(prompt, limits, cancelled, () if rank else drafts, rank=rank)
            if made.text and all(made.text != other.text for other in out):
                out.append(made)
            if made.reason in ("cancelled", "time"):
                break
        return out

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """Log-likelihood of each text *and its end* after the prompt; None when cancelled before it was computed."""
        ids = list(prompt.ids)
        limits = Limits()
        run = _Run(StopRules(limits), limits, self._vocabulary, self._ends)
        try:
            if len(ids) > 1 and self._prefill(run, ids[:-1], cancelled, all_but_last=False) is None:
                return None
            self._model.keep(len(ids) - 1)
            self._fed = ids[:-1]
            closed = [[*self._vocabulary.encode(prompt.token_healing + text), *self._closing] for text in texts]
            given = self._vocabulary.writing(prompt.token_healing) if prompt.token_healing else ()
            return self._model.likelihoods(ids[-1], closed, given)
        except BaseException:
            self._fed = []
            raise

    def _write(
        self, run: _Run, drafts: DraftSources, cancelled: Cancelled, report: ReportText | None, rank: int
    ) -> None:
        ids = list(drafts.prompt)
        source, draft = ("", []) if rank else self._draft(run, drafts, len(ids))
        found = self._prefill(run, ids, cancelled, draft)
        while found is not None:
            agreed, at = 0, rank
            while not self._take(run, found, agreed, at):
                if agreed == len(draft) or draft[agreed] != run.written[-1]:
                    break
                agreed, at = agreed + 1, 0
            rank = 0
            self._keep_agreed(run, source, draft, agreed)
            if not draft and not run.reason:  # else a source that is not used could not show that it has become right
                source, rest = drafts.copy(run.written[:-1])
                if rest:
                    self._draft_length.record_draft(source, int(rest[0] == run.written[-1]), 1)
            if report and run.text:
                report(run.text)
            if run.reason or run.interrupted(cancelled):
                return
            if len(self._fed) + 1 > self._model.context:
                run.reason = "tokens"
                return
            token = run.written[-1]
            source, draft = self._draft(run, drafts, len(self._fed))
            found = self._feed([token, *draft], len(draft) + 1)
            run.forwards += 1

    def _take(self, run: _Run, found: Predictions, position: int, rank: int) -> bool:
        """Accept the token of a rank at a position; during token healing, only tokens that write the demanded text."""
        unwritten = run.stops.unwritten(run.raw)
        allowed = self._vocabulary.writing(unwritten) if unwritten else []
        if run.judged is not None:
            masses = partial(self._model.masses, position, given=allowed)
            run.judged.look(run.written, masses, may_end=not unwritten)
        if not unwritten:
            return run.take(found[0][position][rank], found[1][position][rank])
        ids, chances = self._model.among(position, allowed) if allowed else ([], [])
        if rank < len(ids):
            return run.take(ids[rank], chances[rank])
        run.reason = "held"
        return True

    def _draft(self, run: _Run, drafts: DraftSources, cached: int) -> tuple[str, list[int]]:
        """The draft that the next pass verifies, and its source.

        :param cached: tokens that the cache holds by then.
        """
        room = min(run.limits.max_tokens - len(run.written) - 1, self._model.context - cached - 2)
        return drafts.propose(run.written, lambda source: self._draft_length.choose(source, room))

    def _feed(self, tokens: list[int], last: int) -> Predictions:
        began = self._clock()
        found = self._model.feed(tokens, last)
        spent = self._clock() - began
        self._draft_length.record_pass(len(tokens), spent)
        self.speed.record(len(tokens), spent)
        self._fed += tokens
        return found

    def _keep_agreed(self, run: _Run, source: str, draft: Sequence[int], agreed: int) -> None:
        """Keep the first ``agreed`` tokens of a draft in the cache, and remove the rest."""
        if not draft:
            return
        run.drafted += len(draft)
        run.accepted += agreed
        self._draft_length.record_draft(source, agreed, len(draft))
        if agreed < len(draft):
            del self._fed[len(self._fed) - len(draft) + agreed :]
            self._model.keep(len(self._fed))

    def _prefill(
        self, run: _Run, ids: list[int], cancelled: Cancelled, draft: Sequence[int] = (), *, all_but_last: bool = True
    ) -> Predictions | None:
        """Bring the cache to ``ids``, reusing the common prefix; returns the predictions after the last id.

        :param draft: tokens to verify in the last pass of the prompt.
        :param all_but_last: reuse at most all but the last token, whose prediction the caller needs.
        :returns: None when interrupted.
        """
        if len(ids) >= self._model.context:
            raise BackendProblem(
                f"the prompt has {len(ids)} tokens and the model takes {self._model.context}", "lower the context size"
            )
        self._fed = self._states.change(self._fed, ids)
        same = min(common(self._fed, ids), len(ids) - all_but_last)
        run.reused = same
        self._model.keep(same)
        self._fed = self._fed[:same]
        found: Predictions = [], []
        step = max(_SMALLEST_PASS, min(_LARGEST_PASS, self.speed.tokens_in(_PASS_SECONDS) // 32 * 32))
        for at in range(same, len(ids), step):
            if run.interrupted(cancelled):
                return None
            part = ids[at : at + step]
            last = at + step >= len(ids)
            found = self._feed([*part, *draft] if last else part, len(draft) + 1 if last else 1)
        return found


def decoder_for(model: Model, spec: PromptSpec, vocabulary: Vocabulary) -> Decoder:
    """The decoder of a model whose prompts follow ``spec``."""
    vocabulary.writing(" ")  # spell all tokens out now, so that the first keystroke does not wait for it
    return Decoder(model, vocabulary, stop_ids(spec, vocabulary), closing_id(spec, vocabulary))
