"""Requests to a language model, the jobs that answer them, and tickets for the answers.

A job may answer later requests as well: when the user types what it predicted, the rest of its text is the answer. This
module knows neither the model nor the thread that runs it.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from indexer.config import Settings
from lsp_server.backends.base import Judgement
from lsp_server.model.prompt_context import RETRIEVAL_SECONDS
from lsp_server.reasons import Reason
from lsp_server.types import Document, Request

_OPENS_BLOCK = re.compile(r"[:{(\[]\s*$")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What the model is asked at a cursor.

    :param copies: lines that retrieval proposes, best first: they are drafts, and the model says how likely they are.
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
    :param own: how likely each token of that line was; None where it is not known.
    :param lines: log-probability of each further line of the first text; empty where it is not known.
    :param judged: the same for each copy that was asked about, as far as the model came along it.
    :param complete: False while the generation still runs, or where there was none.
    """

    texts: tuple[str, ...]
    reason: str
    line_logprob: float | None = None
    own: Judgement | None = None
    lines: tuple[float, ...] = ()
    judged: Mapping[str, Judgement] = field(default_factory=dict)
    complete: bool = True
    trace: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long the model may take.

    :param retrieval: seconds for the search of context; None: as long as it takes.
    :param generation: seconds after which a generation ends, even if its request has been answered without it.
    """

    retrieval: float | None = RETRIEVAL_SECONDS
    generation: float = 5.0


UNHURRIED: Final = TimeLimits(None, 120.0)
"""For commands and replays, which may wait."""


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
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def end(self, answer: ModelAnswer) -> None:
        """Take the answer, and call whoever waits for it."""
        with self._lock:
            self.answer = answer
            self.ended.set()
            waiting, self._callbacks = self._callbacks, []
        for call in waiting:
            call()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call a function once the answer is there, from the model's thread; at once if it is there already."""
        with self._lock:
            if not self.ended.is_set():
                self._callbacks.append(call)
                return
        call()

    def report(self, text: str) -> None:
        """Take what is written so far."""
        self.partial = text

    def text(self) -> str:
        """Return what is written so far."""
        return self.answer.texts[0] if self.answer.texts else self.partial

    def covers(self, request: ModelRequest) -> str | None:
        """Return what of this job's text was typed since, if it answers the new request too; else None."""
        same = self.request.document.uri == request.document.uri and self.request.single_line == request.single_line
        prefix = request.prefix
        enough = self.request.count >= request.count
        if not same or not enough or self.suffix != request.suffix or not prefix.startswith(self.prefix):
            return None
        typed = prefix[len(self.prefix) :]
        text = self.text()
        if not typed:
            return ""
        return typed if text.startswith(typed) and len(text) > len(typed) else None


class Ticket:
    """A claim to an answer.

    :param job: None where there will be no answer, for ``reason``.
    :param typed: the text that was typed since the job was asked. :param reused: whether the job is an earlier one.
    """

    def __init__(
        self, job: Job | None, typed: str = "", reason: Reason = Reason.EMPTY, *, reused: bool = False
    ) -> None:
        self._job = job
        self._typed = typed
        self._reason = reason
        self.reused = reused

    @property
    def ended(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._job is None or self._job.ended.is_set()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call a function once there is nothing to wait for, possibly at once and from the model's thread."""
        if self._job is None:
            call()
        else:
            self._job.when_ended(call)

    def wait(self, until: float, cancelled: Callable[[], bool] | None = None) -> ModelAnswer:
        """Return the answer, or an empty one if it is not there at ``until`` (``time.monotonic``)."""
        while self._job is not None and not self._job.ended.is_set():
            remaining = until - time.monotonic()
            if remaining <= 0 or (cancelled is not None and cancelled()):
                break
            self._job.ended.wait(min(remaining, 0.01))
        return self.answer()

    def answer(self) -> ModelAnswer:
        """Return the answer, or an empty one if it is not there yet."""
        job, typed = self._job, self._typed
        if job is None:
            return ModelAnswer((), self._reason, complete=False)
        if not job.ended.is_set():
            return ModelAnswer((), Reason.LATE, complete=False)
        answer = job.answer
        if not typed:
            return answer
        return replace(
            answer,
            texts=tuple(t[len(typed) :] for t in answer.texts[:1] if len(t) > len(typed)),
            own=_rest(answer.own, len(typed)) if answer.own is not None else None,
            lines=answer.lines[typed.count("\n") :],
            judged={
                text[len(typed) :]: _rest(one, len(typed))
                for text, one in answer.judged.items()
                if text.startswith(typed)
            },
        )


def _rest(judged: Judgement, typed: int) -> Judgement:
    """Return what is known about a line after its first characters were typed."""
    kept = [(end - typed, one) for end, one in zip(judged.ends, judged.logprobs, strict=True) if end > typed]
    return Judgement(tuple(end for end, _ in kept), tuple(one for _, one in kept), judged.over)
