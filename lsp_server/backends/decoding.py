"""The one decode loop: prefix reuse, drafts verified in one pass, stops, cancellation and deadline at every token.

Any model that can be fed tokens and cut back runs under it; the loop knows neither torch nor llama.cpp.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from indexer.prompt.formats import PromptSpec, stop_ids
from indexer.prompt.renderer import Prompt
from indexer.prompt.tokenizer import Vocabulary
from lsp_server.backends.base import Cancelled, Generation, Limits, Progress, never
from lsp_server.backends.draft_length import Pace
from lsp_server.backends.draft_sources import Drafts
from lsp_server.backends.stop_rules import TextStops
from lsp_server.errors import BackendProblem

BEST = 3
"""How many of the likeliest next tokens a model reports."""

_PREFILL = 256  # prompt tokens per pass: a cancel during a long prompt waits for one such pass at most

Predictions = tuple[list[list[int]], list[list[float]]]
"""For each of some places the likeliest next ids, best first, and their log-probabilities."""


class Model(Protocol):
    """A causal model with a cache of everything it was fed."""

    @property
    def context(self) -> int:
        """Tokens the cache can hold."""
        ...

    def feed(self, tokens: Sequence[int], last: int) -> Predictions:
        """Append tokens to the cache.

        :returns: for each of the ``last`` final places the ``BEST`` likeliest next ids, and their log-probabilities.
        """
        ...

    def among(self, place: int, ids: Sequence[int]) -> tuple[list[int], list[float]]:
        """The ``BEST`` likeliest of some ids, and their log-probabilities if it has to be one of them.

        :param place: one of those that the last feed predicted, from 0.
        """
        ...

    def keep(self, length: int) -> None:
        """Forget everything after the first ``length`` tokens."""
        ...

    def likelihoods(self, token: int, continuations: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """Log-likelihood of each continuation after the cache and ``token``, in one pass; the cache stays as it is.

        :param given: ids of which the first has to be one; none: any may.
        """
        ...


@dataclass
class _Run:
    """A generation in progress."""

    stops: TextStops
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
        self.text = visible.rstrip("\ufffd")  # a character whose last bytes are still to come
        if "\n" in self.text:
            self._line_over(0.0)
        stop = self.stops.check(self.text)
        if stop is not None:
            self.text, self.reason = self.text[: stop[0]], stop[1]
        elif len(self.written) >= self.limits.max_tokens:
            self.reason = "tokens"
        return bool(self.reason)

    def _line_over(self, end: float) -> None:
        if self.line_logprob is None:
            self.line_logprob = sum(self.logprobs) + end

    def interrupted(self, cancelled: Cancelled) -> bool:
        """Whether time is up or nobody waits any more."""
        if cancelled():
            self.reason = "cancelled"
        elif time.monotonic() >= self.limits.deadline:
            self.reason = "time"
        return bool(self.reason)


class Decoder:
    """Greedy generation by one model. Used by one thread at a time.

    :param ends: tokens that end a generation.
    :param end: the one that closes a middle; None for models that go on to the next line instead.
    :param clock: seconds, by which it is learnt what a pass costs.
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
        self._pace = Pace()

    def forget(self) -> None:
        """Drop the cache: the weights have changed, or a pass has failed half way."""
        self._fed = []
        self._model.keep(0)

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        progress: Progress | None = None,
        rank: int = 0,
    ) -> Generation:
        """Write after ``prompt``; ``rank`` takes another first token than the likeliest."""
        began = time.perf_counter()
        run = _Run(TextStops(limits, prompt.held), limits, self._vocabulary, self._ends)
        texts = [self._vocabulary.encode(prompt.held + text) for text in drafts]
        try:
            self._write(run, list(prompt.ids), Drafts(texts, prompt.ids), cancelled, progress, rank)
        except BaseException:
            self._fed = []  # what the cache holds now is not known; the model is told at the next prompt
            raise
        seconds = time.perf_counter() - began
        return Generation(
            run.text,
            run.reason,
            tuple(run.logprobs),
            len(prompt.ids),
            run.reused,
            run.forwards,
            run.drafted,
            run.accepted,
            seconds,
            tuple(run.written),
            run.line_logprob,
        )

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never
    ) -> list[Generation]:
        """Up to ``count`` different texts: one for each of the likeliest first tokens, the greedy one first."""
        out: list[Generation] = []
        for rank in range(min(count, BEST)):
            made = self.generate(prompt, limits, cancelled, rank=rank)
            if made.text and all(made.text != other.text for other in out):
                out.append(made)
            if made.reason in ("cancelled", "time"):
                break
        return out

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """Log-likelihood of each text *and its end* after the prompt; None when cancelled before it was computed."""
        ids = list(prompt.ids)
        limits = Limits()
        run = _Run(TextStops(limits), limits, self._vocabulary, self._ends)
        try:
            if len(ids) > 1 and self._prefill(run, ids[:-1], cancelled, all_but_last=False) is None:
                return None
            self._model.keep(len(ids) - 1)
            self._fed = ids[:-1]
            closed = [[*self._vocabulary.encode(prompt.held + text), *self._closing] for text in texts]
            given = self._vocabulary.writing(prompt.held) if prompt.held else ()
            return self._model.likelihoods(ids[-1], closed, given)
        except BaseException:
            self._fed = []
            raise

    def _write(
        self, run: _Run, ids: list[int], source: Drafts, cancelled: Cancelled, progress: Progress | None, rank: int
    ) -> None:
        ground, draft = ("", []) if rank else self._draft(run, source, len(ids))
        found = self._prefill(run, ids, cancelled, draft)
        while found is not None:
            agreed, at = 0, rank
            while not self._take(run, found, agreed, at):
                if agreed == len(draft) or draft[agreed] != run.written[-1]:
                    break
                agreed, at = agreed + 1, 0
            rank = 0
            self._judge(run, ground, draft, agreed)
            if progress and run.text:
                progress(run.text)
            if run.reason or run.interrupted(cancelled):
                return
            if len(self._fed) + 1 > self._model.context:
                run.reason = "tokens"
                return
            token = run.written[-1]
            ground, draft = self._draft(run, source, len(self._fed))
            found = self._feed([token, *draft], len(draft) + 1)
            run.forwards += 1

    def _take(self, run: _Run, found: Predictions, place: int, rank: int) -> bool:
        """Accept the token of a rank at a place; where held text is to be written, only what writes it counts."""
        unwritten = run.stops.unwritten(run.raw)
        if not unwritten:
            return run.take(found[0][place][rank], found[1][place][rank])
        allowed = self._vocabulary.writing(unwritten)
        ids, chances = self._model.among(place, allowed) if allowed else ([], [])
        if rank < len(ids):
            return run.take(ids[rank], chances[rank])
        run.reason = "held"
        return True

    def _draft(self, run: _Run, source: Drafts, held: int) -> tuple[str, list[int]]:
        """What to verify in the next pass. :param held: tokens that the cache holds by then."""
        room = min(run.limits.max_tokens - len(run.written) - 1, self._model.context - held - 2)
        return source.propose(run.written, lambda ground: self._pace.length(ground, room))

    def _feed(self, tokens: list[int], last: int) -> Predictions:
        began = self._clock()
        found = self._model.feed(tokens, last)
        self._pace.passed(len(tokens), self._clock() - began)
        self._fed += tokens
        return found

    def _judge(self, run: _Run, ground: str, draft: Sequence[int], agreed: int) -> None:
        """Keep what agreed of a draft, forget the rest."""
        if not draft:
            return
        run.drafted += len(draft)
        run.accepted += agreed
        self._pace.drafted(ground, agreed, len(draft))
        if agreed < len(draft):
            del self._fed[len(self._fed) - len(draft) + agreed :]
            self._model.keep(len(self._fed))

    def _prefill(
        self, run: _Run, ids: list[int], cancelled: Cancelled, draft: Sequence[int] = (), *, all_but_last: bool = True
    ) -> Predictions | None:
        """Bring the cache to ``ids``, using what it already holds; the predictions after the last of them.

        :param draft: tokens that are verified in the last pass of the prompt.
        :param all_but_last: the last token has to be fed, because its prediction is wanted.
        """
        if len(ids) >= self._model.context:
            raise BackendProblem(
                f"the prompt has {len(ids)} tokens and the model takes {self._model.context}", "lower the context size"
            )
        same = 0
        for have, want in zip(self._fed, ids, strict=False):
            if have != want:
                break
            same += 1
        same = min(same, len(ids) - 1) if all_but_last else same
        run.reused = same
        self._model.keep(same)
        self._fed = self._fed[:same]
        found: Predictions = [], []
        for at in range(same, len(ids), _PREFILL):
            if run.interrupted(cancelled):
                return None
            part = ids[at : at + _PREFILL]
            last = at + _PREFILL >= len(ids)
            found = self._feed([*part, *draft] if last else part, len(draft) + 1 if last else 1)
        return found


def decoder_for(model: Model, spec: PromptSpec, vocabulary: Vocabulary) -> Decoder:
    """The decoder of a model that is asked by ``spec``."""
    vocabulary.writing(" ")  # spells all tokens out, now and not at the first key
    end = vocabulary.control(spec.end) if spec.end else None
    return Decoder(model, vocabulary, stop_ids(spec, vocabulary), end)
