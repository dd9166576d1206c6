"""Requests to a language model, the jobs that answer them, and tickets for the answers.

A job may answer later requests as well: when the user types what it predicted, the rest of its text is the answer. This
module knows neither the model nor the thread that runs it.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from indexer.config import Settings
from lsp_server.reasons import Reason
from lsp_server.types import Document, Request

_OPENS_BLOCK = re.compile(r"[:{(\[]\s*$")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What the model is asked at a cursor.

    :param copies: lines that retrieval proposes, best first; the model scores them, and they are drafts.
    :param single_line: whether the text ends with the line. :param count: alternatives that are wanted.
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


def model_request(settings: Settings, request: Request, copies: tuple[str, ...] = ()) -> ModelRequest:
    """Return what the model is asked at a cursor: one line where text follows or the line goes on, else a block."""
    text, offset = request.document.text, request.offset
    before = text[:offset].rpartition("\n")[2]
    behind = text[offset:].split("\n", 1)[0]
    opens = not before.strip() or _OPENS_BLOCK.search(before) is not None
    single = not settings.multi_line or bool(behind.strip()) or not opens
    count = 1 if request.automatic else 3
    return ModelRequest(request.document, offset, single, copies, max_lines=settings.max_lines, count=count)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The model's answer.

    :param texts: its own texts, best first; empty when it wrote nothing in time.
    :param reason: why the text ended (``Generation.reason``), or the :class:`Reason` why there is none.
    :param line_logprob: log-likelihood of the first text's first line and its end; None where it is not known.
    :param copy_scores: log-likelihood of each requested copy and its end; empty where it was not computed.
    :param complete: False while the generation still runs.
    """

    texts: tuple[str, ...]
    reason: str
    line_logprob: float | None = None
    copy_scores: tuple[float, ...] = ()
    complete: bool = True
    trace: dict[str, Any] = field(default_factory=dict)


class Job:
    """One generation, from its request to its end.

    :param epoch: grows with each new index and adapter; an answer of an older epoch is not reused.
    """

    def __init__(self, request: ModelRequest, epoch: int) -> None:
        self.request = request
        self.epoch = epoch
        self.prefix, self.suffix = request.prefix, request.suffix
        self.stop = threading.Event()
        self.ended = threading.Event()
        self.partial = ""
        self.answer = ModelAnswer((), Reason.LATE, complete=False)

    def text(self) -> str:
        """Return what is written so far."""
        return self.answer.texts[0] if self.answer.texts else self.partial

    def scores_of(self, copies: tuple[str, ...]) -> tuple[float, ...]:
        """Return the log-likelihoods of these copies; empty where one of them was not requested."""
        known = dict(zip(self.request.copies, self.answer.copy_scores, strict=False))
        return tuple(known[copy] for copy in copies) if all(copy in known for copy in copies) else ()

    def covers(self, request: ModelRequest) -> int | None:
        """Return how many characters of this job's text were typed since, if it answers the new request too."""
        same = self.request.document.uri == request.document.uri and self.request.single_line == request.single_line
        prefix = request.prefix
        if (
            not same
            or self.request.count < request.count
            or self.suffix != request.suffix
            or not prefix.startswith(self.prefix)
        ):
            return None
        typed = prefix[len(self.prefix) :]
        text = self.text()
        if not typed:
            scored = set(request.copies) <= set(self.request.copies)
            return 0 if scored or text or not self.ended.is_set() else None
        return len(typed) if text.startswith(typed) and len(text) > len(typed) else None


class Ticket:
    """A claim to an answer.

    :param job: None where there will be no answer, for ``reason``.
    :param copies: what retrieval proposes now; a reused job may have scored others.
    :param typed: characters of the job's text that were typed since. :param reused: whether the job is an earlier one.
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
        """Return the answer, or an empty one if it is not there at ``until`` (``time.monotonic``)."""
        job = self._job
        if job is None:
            return ModelAnswer((), self._reason)
        while not job.ended.is_set():
            remaining = until - time.monotonic()
            if remaining <= 0 or (cancelled is not None and cancelled()):
                break
            job.ended.wait(min(remaining, 0.01))
        answer = job.answer
        if not job.ended.is_set():
            return ModelAnswer((), Reason.LATE, complete=False)
        if not self._typed:
            return replace(answer, copy_scores=job.scores_of(self._copies))
        texts = tuple(t[self._typed :] for t in answer.texts[:1] if len(t) > self._typed)
        return ModelAnswer(texts, answer.reason, answer.line_logprob, (), True, answer.trace)
