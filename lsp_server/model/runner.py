"""Runs a language model on a thread of its own, where the newest request wins.

An engine asks without waiting, does its own work, and takes what the model has by its deadline. A generation whose
request was answered without it goes on: when the user types what it predicted, its text answers the next request
without another pass. Questions about changed lines are answered while no request waits, and begin again behind one that
comes. The model is loaded on this thread too; until it is loaded, and whenever it fails, requests are answered with the
reason and no text.

This module knows neither engine nor editor.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.errors import OndolError, UserError
from indexer.text.lines import indent_of
from lsp_server.backends.base import Backend, Limits
from lsp_server.backends.stop_rules import StopRules
from lsp_server.errors import BackendProblem
from lsp_server.fitting.answers import cleaned
from lsp_server.model.answer_trace import traced
from lsp_server.model.line_changes import changed_line
from lsp_server.model.line_questions import LineJob, LineQuestion, nothing
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.prompt_plans import COLD_SECONDS, PromptPlans
from lsp_server.model.requests import Job, ModelAnswer, ModelRequest, Ticket, TimeLimits
from lsp_server.reasons import Reason
from lsp_server.types import Document, ModelPhase, ModelState
from lsp_server.weights.adapter_registry import current_number, read_version

log = logging.getLogger(__name__)

_KEPT_ANSWERS = 64
_LOOK_FOR_ADAPTER_SECONDS = 2.0

REST_SECONDS = 0.5
"""After this long without a request the cursor rests."""

OPENED_SECONDS = 0.2
"""How long a document is open until a prompt is computed for it: retrieval takes its text first, and a request that
comes with the document need not wait for the end of a search."""


class ModelRunner:
    """Runs a model on its thread; called from one thread.

    :param load: makes the backend, on the model's thread; raises BackendProblem.
    :param registry: folder of the adapter registry, looked at between requests; None for backends without adapters.
    :param report: called once with each new problem, from the model's thread.
    :param time_limits: how long context and generation may take.
    :param changed: called when :attr:`state` has changed, from the model's thread.
    """

    def __init__(
        self,
        load: Callable[[], Backend],
        context_builder: PromptContextBuilder,
        registry: Path | None = None,
        report: Callable[[str], None] | None = None,
        time_limits: TimeLimits | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._load = load
        self._context_builder = context_builder
        self._rest: tuple[Document, int | None] | None = None
        self._rest_at = 0.0
        self._registry = registry
        self._report = report or (lambda message: log.warning("%s", message))
        self._reported: set[str] = set()
        self._time_limits = time_limits or TimeLimits()
        self._plans = PromptPlans(context_builder, self._time_limits.retrieval)
        self._changed = changed
        self._epoch = 0
        self._trouble: OndolError | None = None
        self._wake = threading.Condition()
        self._waiting: Job | None = None
        self._running: Job | None = None
        self._line: LineJob | None = None
        self._done: OrderedDict[int, Job] = OrderedDict()
        self._backend: Backend | None = None
        self._phase = ModelPhase.LOADING
        self._adapter = 0
        self._refused: set[int] = set()
        self._looked = 0.0
        self._stamp: object = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    @property
    def state(self) -> ModelState:
        """Whether the model is loaded, and which one; or why it is not."""
        if self._phase is ModelPhase.PROBLEM:
            cause = self._trouble.what if isinstance(self._trouble, UserError) else "see the log"
            return ModelState(self._phase, cause)
        return ModelState(self._phase, self._backend.name if self._backend else "")

    def loaded(self, seconds: float = 600.0) -> dict[str, str]:
        """Wait until the model is loaded, and return ``Backend.about``. For commands, not for a server.

        :raises BackendProblem: it cannot be loaded.
        """
        end = time.monotonic() + seconds
        while self._phase is ModelPhase.LOADING and time.monotonic() < end:
            time.sleep(0.02)
        if self._phase is not ModelPhase.READY or self._backend is None:
            raise self._trouble or BackendProblem("the model is not there", "look at the log")
        return dict(self._backend.about)

    @property
    def context_builder(self) -> PromptContextBuilder:
        """The builder of prompt contexts; ``set_source`` and ``edits.note`` may be called between requests."""
        return self._context_builder

    def ask(self, request: ModelRequest, *, prefetch: bool = False) -> Ticket:
        """Queue a request and return a ticket for its answer.

        A generation that answers it already is reused. An older request that does not is dropped, at the next token if
        it is running.

        :param prefetch: only if the model is idle.
        """
        with self._wake:
            if self._phase is not ModelPhase.READY:
                return Ticket(None, reason=Reason(self._phase.value))
            for job in (*reversed(self._done.values()), *((self._running,) if self._running else ())):
                usable = job.epoch == self._epoch and not job.stop.is_set()
                typed = job.covers(request) if usable else None
                if typed is not None:
                    return Ticket(job, typed, reused=True)
            if prefetch and (self._waiting or self._running):
                return Ticket(None, reason=Reason.MODEL_BUSY)
            job = Job(request, self._epoch)
            if self._waiting is not None:
                self._waiting.end(ModelAnswer((), Reason.SUPERSEDED))
            if self._running is not None:
                self._running.stop.set()
            self._waiting = job
            self._wake.notify()
            return Ticket(job)

    def ask_line(self, question: LineQuestion) -> LineJob:
        """Queue a question about a changed line, in place of an older one; requests for completions go first."""
        job = LineJob(question)
        with self._wake:
            before, self._line = self._line, job
            if before is not None:
                before.cancel()
            if self._phase is ModelPhase.READY:
                self._wake.notify()
                return job
            self._line = None
        job.end(nothing(Reason(self._phase.value)))
        return job

    def opened(self, document: Document) -> None:
        """Compute a prompt for a document that was opened, while the model has nothing else to do."""
        self._rests((document, None), OPENED_SECONDS)

    def _rests(self, place: tuple[Document, int | None], seconds: float) -> None:
        """Compute a prompt for a place after a while, if nothing else comes."""
        with self._wake:
            self._rest, self._rest_at = place, time.monotonic() + seconds
            self._wake.notify()

    def closed(self, uri: str) -> None:
        """Compute no prompt for a document that was closed."""
        with self._wake:
            if self._rest is not None and self._rest[0].uri == uri:
                self._rest = None

    @property
    def wait_seconds(self) -> float:
        """How long an answer is worth waiting for, at the speed that was measured last; 0.0 where it is not known."""
        speed = self._backend.speed if self._backend is not None else None
        return speed.wait(COLD_SECONDS) if speed is not None and speed.prompt_rate else 0.0

    def forget(self) -> None:
        """Reuse no earlier answer from now on, because the index or the adapter has changed."""
        with self._wake:
            self._epoch += 1
            self._done.clear()

    def close(self, seconds: float = 0.0) -> None:
        """Stop the thread; a running generation ends at its next token.

        :param seconds: how long to wait for its end. A process that exits while a thread is inside torch is aborted.
        """
        with self._wake:
            self._closed, self._phase = True, ModelPhase.CLOSED
            if self._running is not None:
                self._running.stop.set()
            if self._line is not None:
                self._line.cancel()
            self._wake.notify()
        if seconds:
            self._thread.join(seconds)

    # The model's thread

    def _run(self) -> None:
        try:
            self._backend = self._load()
            self._swap_adapter()
            self._phase = ModelPhase.CLOSED if self._closed else ModelPhase.READY
        except Exception as error:
            self._trouble = error if isinstance(error, OndolError) else None
            self._phase = ModelPhase.PROBLEM
            self._problem(error)
            self._changed()
            return
        self._changed()
        while True:
            with self._wake:
                self._running = None
                if self._waiting is None and self._line is None and not self._closed:
                    left = self._rest_at - time.monotonic() if self._rest else _LOOK_FOR_ADAPTER_SECONDS
                    self._wake.wait(max(0.0, left))
                if self._closed:
                    break
                job, self._waiting = self._waiting, None
                self._running = job
                line = self._line
            self._swap_adapter()
            if job is not None:
                self._answer(job)
                self._rests((job.request.document, job.request.offset), REST_SECONDS)
            elif line is not None:
                self._answer_line(line)
            elif self._rest is not None and time.monotonic() >= self._rest_at:
                self._use_rest(*self._rest)
        self._backend.close()

    def _use_rest(self, document: Document, offset: int | None) -> None:
        """Compute a larger prompt for the place where the cursor rests, until a request comes.

        :param offset: None for a document that was just opened.
        """
        assert self._backend is not None
        backend, rest = self._backend, self._rest

        def cancelled() -> bool:
            return self._wanted or self._line is not None or self._rest is not rest

        try:
            at = self._plans.opening(backend, document) if offset is None else offset
            prompt = self._plans.resting(backend, document, at, cancelled)
            if prompt is not None:
                if not backend.prefill(prompt, cancelled):
                    return
                self._plans.rested(document.uri)
            elif cancelled():
                return
        except Exception as error:
            self._problem(error)
        with self._wake:
            if self._rest is rest:
                self._rest = None

    @property
    def _wanted(self) -> bool:
        """Whether something that goes first waits for the running work to end."""
        return self._waiting is not None or self._closed

    def _answer_line(self, job: LineJob) -> None:
        """Answer a question about a line; it stays where a request for a completion ends it."""
        assert self._backend is not None
        try:
            answer = changed_line(self._backend, job.question, lambda: job.cancelled or self._wanted, job.until)
        except Exception as error:
            self._problem(error)
            answer = nothing(Reason.MODEL_PROBLEM)
        with self._wake:
            if answer.reason == Reason.CANCELLED and not job.cancelled and not self._closed:
                return
            if self._line is job:
                self._line = None
        job.end(answer)

    def _answer(self, job: Job) -> None:
        assert self._backend is not None
        try:
            answer = self._generate(self._backend, job)
        except Exception as error:
            self._problem(error)
            answer = ModelAnswer((), Reason.MODEL_PROBLEM)
        with self._wake:
            if answer.reason not in (Reason.CANCELLED, Reason.MODEL_PROBLEM, Reason.LATE):
                self._done[id(job)] = job
                while len(self._done) > _KEPT_ANSWERS:
                    self._done.popitem(last=False)
        job.end(answer)

    def _generate(self, backend: Backend, job: Job) -> ModelAnswer:
        request = job.request
        planned = self._plans.at(backend, request.document, request.offset)
        prompt, limits, began = planned.prompt, self._limits(request), time.thread_time()
        if request.count > 1:
            made = backend.alternatives(prompt, limits, request.count, job.stop.is_set, request.copies)
        else:
            made = [backend.generate(prompt, limits, job.stop.is_set, request.copies, job.report)]
        line, document = request.prefix.rpartition("\n")[2], request.document
        answers = [cleaned(m.text, line, document.language, document.text) for m in made]
        texts = [StopRules.without_echo(text, request.suffix) for text, _ in answers]
        first = made[0] if made else None
        trace = traced(backend, planned.context, first, time.thread_time() - began)
        if first is None:
            return ModelAnswer((), Reason.EMPTY, trace=trace)
        return ModelAnswer(
            tuple(text for text in texts if text.strip()),
            first.reason,
            line_logprob=first.line_logprob,
            own=first.own,
            lines=first.lines if texts[0].strip() and first.text.startswith(texts[0]) else (),
            judged=dict(zip(request.copies, first.judged, strict=False)),
            trace=trace | ({"cleaned": answers[0][1]} if answers[0][1] else {}),
        )

    def _limits(self, request: ModelRequest) -> Limits:
        now, expected = time.monotonic(), self.wait_seconds / 2
        return Limits(
            max_tokens=request.max_tokens,
            deadline=now + self._time_limits.generation,
            single_line=request.single_line,
            max_lines=request.max_lines,
            base_indent=indent_of(request.prefix.rpartition("\n")[2]),
            more_until=now + expected if expected and self._time_limits.retrieval else math.inf,
        )

    def _swap_adapter(self) -> None:
        """Load the registry's current adapter; one that fails is reported once and not tried again."""
        if time.monotonic() - self._looked < _LOOK_FOR_ADAPTER_SECONDS:
            return
        self._looked = time.monotonic()
        self._look_at_files()
        if self._registry is None:
            return
        backend: Any = self._backend
        try:
            number = current_number(self._registry) or 0
        except BackendProblem as error:
            self._problem(error)
            return
        if number == self._adapter or number in self._refused:
            return
        try:
            folder = backend.folder
            known = folder.identity, folder.spec.name, folder.tensors
            version = read_version(self._registry, number, *known) if number else None
            backend.set_adapter(version)
            self._adapter = number
            self.forget()
        except Exception as error:
            self._refused.add(number)
            self._problem(error)

    def _look_at_files(self) -> None:
        """Report once that the base's files were replaced; what is loaded goes on."""
        folder = getattr(self._backend, "folder", None)
        if folder is None:
            return
        stamp = folder.stamp()
        if self._stamp not in (None, stamp):
            self._problem(
                BackendProblem(
                    f"the files of {folder.name} were replaced; the model that was loaded goes on serving",
                    "restart the editor to use the new one",
                )
            )
        self._stamp = stamp

    def _problem(self, error: Exception) -> None:
        message = str(error) if isinstance(error, OndolError) else f"the model failed ({type(error).__name__})"
        if not isinstance(error, OndolError):
            log.error("the model's thread failed with %s", type(error).__name__, exc_info=error)
        if message not in self._reported:
            self._reported.add(message)
            self._report(message)
