"""A question to a language model, the work on it, and the claim to its answer.

A job answers later questions as well: when the user types what it predicted, the rest of its text is the answer. Knows
documents; knows neither the model nor the thread that asks it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from lsp_server.reasons import Reason
from lsp_server.types import Document


@dataclass(frozen=True, slots=True)
class Question:
    """A cursor, and what the copier has found there.

    :param copies: texts the copier proposes, best first; they are ranked by likelihood, and are drafts.
    """

    document: Document
    offset: int
    single_line: bool
    copies: tuple[str, ...] = ()
    max_tokens: int = 64
    max_lines: int = 12
    count: int = 1

    @property
    def prefix(self) -> str:
        """The text before the cursor."""
        return self.document.text[: self.offset]

    @property
    def suffix(self) -> str:
        """The text after the cursor."""
        return self.document.text[self.offset :]


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model has to say.

    :param texts: its own texts, best first; empty when it wrote nothing in time.
    :param reason: why the text ended (``Generation.reason``), or the :class:`Reason` why there is none.
    :param line_logprob: log-likelihood of the first text's first line and its end; None where it is not known.
    :param copy_scores: log-likelihood of each copy that was handed over, and its end; empty where it was not computed.
    :param complete: False while the generation still goes on.
    """

    texts: tuple[str, ...]
    reason: str
    line_logprob: float | None = None
    copy_scores: tuple[float, ...] = ()
    complete: bool = True
    trace: dict[str, Any] = field(default_factory=dict)


class Job:
    """One generation, from its question to its end.

    :param epoch: rises with index and adapter; an answer of an older one is not used again.
    """

    def __init__(self, question: Question, epoch: int) -> None:
        self.question = question
        self.epoch = epoch
        self.prefix, self.suffix = question.prefix, question.suffix
        self.stop = threading.Event()
        self.ended = threading.Event()
        self.partial = ""
        self.answer = ModelAnswer((), Reason.LATE, complete=False)

    def text(self) -> str:
        """What is written so far."""
        return self.answer.texts[0] if self.answer.texts else self.partial

    def scores_of(self, copies: tuple[str, ...]) -> tuple[float, ...]:
        """The likelihoods of these copies; empty where one of them was not asked about."""
        known = dict(zip(self.question.copies, self.answer.copy_scores, strict=False))
        return tuple(known[copy] for copy in copies) if all(copy in known for copy in copies) else ()

    def covers(self, question: Question) -> int | None:
        """How much of this job's text the user has typed since, if it answers the new question as well."""
        same = self.question.document.uri == question.document.uri and self.question.single_line == question.single_line
        prefix = question.prefix
        if (
            not same
            or self.question.count < question.count
            or self.suffix != question.suffix
            or not prefix.startswith(self.prefix)
        ):
            return None
        typed = prefix[len(self.prefix) :]
        text = self.text()
        if not typed:
            scored = set(question.copies) <= set(self.question.copies)
            return 0 if scored or text or not self.ended.is_set() else None
        return len(typed) if text.startswith(typed) and len(text) > len(typed) else None


class Ticket:
    """The claim to an answer.

    :param copies: what the copier proposes now; a job that is used again was asked about others.
    :param typed: characters of the job's text that have been typed since.
    """

    def __init__(
        self,
        job: Job | None,
        copies: tuple[str, ...] = (),
        typed: int = 0,
        reason: Reason = Reason.EMPTY,
        reused: bool = False,
    ) -> None:
        self._job = job
        self._copies = copies
        self._typed = typed
        self._reason = reason
        self.reused = reused

    def wait(self, until: float, cancelled: Callable[[], bool] | None = None) -> ModelAnswer:
        """The answer, or what there is of it at ``until`` (``time.monotonic``)."""
        job = self._job
        if job is None:
            return ModelAnswer((), self._reason)
        while not job.ended.is_set():
            left = until - time.monotonic()
            if left <= 0 or (cancelled is not None and cancelled()):
                break
            job.ended.wait(min(left, 0.01))
        answer = job.answer
        if not job.ended.is_set():
            return ModelAnswer((), Reason.LATE, complete=False)
        if not self._typed:
            return replace(answer, copy_scores=job.scores_of(self._copies))
        texts = tuple(t[self._typed :] for t in answer.texts[:1] if len(t) > self._typed)
        return ModelAnswer(texts, answer.reason, answer.line_logprob, (), True, answer.trace)
