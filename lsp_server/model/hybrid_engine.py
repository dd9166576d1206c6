"""The hybrid engine: retrieval and a model together.

What retrieval shows automatically goes out at once, and the model is not asked. Elsewhere the answer comes later
(``types.Later``): the model writes a line of its own, and how likely it found the copies on its way is known without a
pass of its own. Two small regressions turn both into one probability for each line; ``scripts/fit_hybrid.py`` fits them
on replayed commits of public repositories. If the model is late, the answer of retrieval is sent, and the generation
goes on for the next keystroke.

This module knows neither protocol nor editor nor torch.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from lsp_server.backends.base import Judgement
from lsp_server.fitting.fitter import Fitter, traced
from lsp_server.model.patience import Patience
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import ModelAnswer, Ticket, model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.reasons import Reason
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.retrieval.gate import LEAST
from lsp_server.retrieval.suggestions import added
from lsp_server.retrieval.trees import sigmoid
from lsp_server.types import Answer, Document, ModelState, Request, Suggestion

if TYPE_CHECKING:
    from indexer.storage.reader import Index

FINAL_REASONS: Final = frozenset({Reason.IN_WORD, Reason.IN_NUMBER, Reason.INDENT_FIRST, Reason.CANCELLED})
"""Reasons for no suggestion that hold for the model too: they are about the cursor, not about the text."""

_NOT_WRITTEN: Final = frozenset({Reason.MODEL_PROBLEM, Reason.SUPERSEDED, "cancelled"})

_LOWEST_LOGPROB: Final = -25.0
_UNKNOWN_LOGPROB: Final = -3.0
_SHIPPED: Final = Path(__file__).parents[1] / "data" / "hybrid.json"


@dataclass(frozen=True, slots=True)
class Weights:
    """Coefficients of the regressions.

    :param copy: for a copy that the model would not write: (constant, retrieval's log-odds, :func:`likelihood`).
    :param both: the same for a copy that is also the model's own line.
    :param own: for the model's own line that is no copy: (constant, log of its length, its log-likelihood).
    """

    copy: tuple[float, float, float]
    both: tuple[float, float, float]
    own: tuple[float, float, float]

    @classmethod
    def load(cls, path: Path = _SHIPPED) -> "Weights":
        """Return the fitted coefficients in a JSON file."""
        data = json.loads(path.read_text("utf-8"))
        return cls(*(tuple(map(float, data[name])) for name in ("copy", "both", "own")))  # type: ignore[arg-type]

    def own_probability(self, line: str, logprob: float | None) -> float:
        """Return the probability of a line that the model alone proposes.

        :param logprob: its log-likelihood; None where it is not known.
        """
        constant, by_length, by_model = self.own
        likely = max(_LOWEST_LOGPROB, logprob) if logprob is not None else _UNKNOWN_LOGPROB
        return sigmoid(constant + by_length * math.log1p(len(line)) + by_model * likely)


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """One line that could be shown.

    :param text: the rest of the line, without what stands behind the cursor already.
    :param copy: number of the copy with this text, or None. :param own: whether the model wrote it.
    """

    text: str
    probability: float
    copy: int | None
    own: bool


def likelihood(copy: str, score: float) -> float:
    """Return a copy's log-likelihood, divided by the root of its length.

    The whole log-likelihood prefers short copies, that by character long ones; this was a little better than both on
    histories that it was not fitted on.
    """
    return max(_LOWEST_LOGPROB, score) / math.sqrt(len(copy) + 1)


def score_of(judged: Judgement | None) -> float | None:
    """Return the log-likelihood of a line as far as the model came along it; None where that is not known."""
    return sum(judged.logprobs) + (judged.over or 0.0) if judged is not None and judged.ends else None


def blend(copies: Sequence[tuple[str, float]], answer: ModelAnswer, weights: Weights) -> list[ScoredLine]:
    """Return every line that retrieval or the model proposes, the most probable first.

    :param copies: (line, probability) of retrieval, best first.
    """
    own = answer.texts[0].split("\n")[0] if answer.texts else ""
    scores = [score_of(answer.judged.get(line)) for line, _ in copies]
    lines = []
    for number, (line, probability) in enumerate(copies):
        odds = math.log(max(probability, 1e-4) / max(1 - probability, 1e-4))
        if scores[number] is None and not own:  # the model did not answer
            lines.append(ScoredLine(line, probability, number, False))
            continue
        constant, by_retrieval, by_model = weights.both if line == own else weights.copy
        score = scores[number]
        by_score = constant + by_model * likelihood(line, score) if score is not None else 0.0
        lines.append(ScoredLine(line, sigmoid(by_score + by_retrieval * odds), number, line == own))
    if own.strip() and all(line.text != own for line in lines):
        lines.append(ScoredLine(own, weights.own_probability(own, answer.line_logprob), None, True))
    return sorted(lines, key=lambda line: -line.probability)


@dataclass(frozen=True, eq=False)
class _Asked:
    """A request that the model is asked about; see :class:`~lsp_server.types.Later`.

    :param first: what is known without the model. :param lines: the copies as the model sees them.
    """

    engine: "HybridEngine"
    request: Request
    first: Answer
    copies: Sequence[Suggestion]
    lines: tuple[str, ...]
    ticket: Ticket

    @property
    def seconds(self) -> float:
        """How long the request is worth keeping open."""
        return self.engine.patience.seconds(self.engine.runner.wait_seconds)

    def when_there(self, call: Callable[[], None]) -> None:
        """Call a function once the model has answered."""
        self.ticket.when_ended(call)

    def finish(self, *, late: bool = False) -> Answer:
        """Return the answer with what the model has said."""
        answer = self.ticket.answer()
        trace = {**self.first.trace, "model_reason": answer.reason, "model_reused": self.ticket.reused, **answer.trace}
        if answer.complete and answer.reason not in _NOT_WRITTEN:
            trace["model_in_time"] = True
            self.engine.patience.record(in_time=True)
        elif late:
            trace["model_in_time"] = False
            self.engine.patience.record(in_time=False)
        if not answer.texts and not answer.judged:
            return replace(self.first, trace=trace)
        return self.engine.together(self, answer, trace)


class HybridEngine:
    """Retrieval together with a model.

    :param threshold: probability from which a line is shown automatically where retrieval names no threshold.
    :param report: called once, with a sentence for the user, if the model is never in time.
    """

    def __init__(
        self,
        settings: Settings,
        retrieval: RetrievalEngine,
        runner: ModelRunner,
        weights: Weights | None = None,
        threshold: float = 0.5,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._settings = settings
        self._patience = Patience(settings.deadline_ms / 1000, report)
        self._opened: set[str] = set()
        self._retrieval = retrieval
        self._runner = runner
        self._weights = weights or Weights.load()
        self._threshold = threshold
        self._fitter = Fitter()

    @property
    def runner(self) -> ModelRunner:
        """The thread that runs the model."""
        return self._runner

    @property
    def state(self) -> ModelState:
        """The state of the model."""
        return self._runner.state

    def set_index(self, index: "Index | None") -> None:
        """Use another generation from the next request on; may be called from any thread."""
        self._retrieval.set_index(index)
        self._runner.context_builder.set_source(IndexSource(index) if index is not None else None)
        self._runner.forget()

    def update(self, document: Document) -> None:
        """Take the new text of a document that was opened or changed."""
        self._retrieval.update(document)
        self._runner.context_builder.edits.note(document)
        if document.uri not in self._opened:
            self._opened.add(document.uri)
            self._runner.opened(document)

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._opened.discard(uri)
        self._retrieval.close(uri)
        self._runner.context_builder.close(uri)
        self._fitter.forget(uri)

    def stop(self) -> None:
        """End the model's thread at its next token; retrieval still answers."""
        self._runner.close()

    def accepted(self, document: Document, offset: int) -> None:
        """Begin the next generation after a suggestion was accepted, unless the model is busy."""
        self._runner.ask(model_request(self._settings, Request(document, offset, True)), prefetch=True)

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Return at most one suggestion for an automatic request, up to three for an invoked one.

        The answer has ``later`` where the model is asked and has not answered yet.
        """
        proposals = self._retrieval.propose(request, cancelled)
        first = proposals.automatic() if request.automatic else proposals.invoked()
        if cancelled() or (request.automatic and first.reason in FINAL_REASONS) or request.popup is not None:
            return first
        if request.automatic and first.suggestions:
            return replace(first, trace={**first.trace, "model_reason": Reason.RETRIEVAL_CERTAIN})
        copies = proposals.invoked().suggestions if request.automatic else first.suggestions
        lines = tuple(added(request, copy).split("\n", 1)[0].rstrip("\r") for copy in copies)
        ticket = self._runner.ask(model_request(self._settings, request, lines))
        asked = _Asked(self, request, first, copies, lines, ticket)
        if asked.ticket.ended:
            return asked.finish()
        return replace(first, trace={**first.trace, "model_reason": Reason.MODEL_WAITING}, later=asked)

    @property
    def patience(self) -> Patience:
        """How long requests wait for the model."""
        return self._patience

    def together(self, asked: "_Asked", answer: ModelAnswer, trace: dict[str, Any]) -> Answer:
        """Return what retrieval and the model's answer say together."""
        copies, lines = asked.copies, asked.lines
        scored = blend([(line, c.probability) for line, c in zip(lines, copies, strict=True)], answer, self._weights)
        return self._answer(asked.request, scored, copies, answer, trace)

    def _answer(
        self,
        request: Request,
        scored: Sequence[ScoredLine],
        copies: Sequence[Suggestion],
        answer: ModelAnswer,
        trace: dict[str, Any],
    ) -> Answer:
        threshold = float(trace.get("threshold", self._threshold))
        limit = 1 if request.automatic else 3
        made: list[Suggestion] = []
        for line in scored:
            if len(made) == limit or (request.automatic and line.probability < threshold):
                break
            suggestion = self._suggestion(request, line, copies, answer, trace)
            if suggestion is not None and not (request.automatic and len(added(request, suggestion).strip()) < LEAST):
                made.append(suggestion)
        # An automatic request may reuse the answer to an invoked one, but not its doubtful alternatives.
        for text in () if request.automatic else answer.texts[1:]:
            sure = made[-1].probability if made else 0.0
            other = suggestion_of(self._fitter, request, text, sure, trace)
            if other is not None and len(made) < limit and all(m.text != other.text for m in made):
                made.append(other)
        trace |= {"blended": [round(line.probability, 4) for line in scored[:3]], "threshold": round(threshold, 4)}
        if made and request.automatic and _indents(request, made[0]):
            return Answer((), Reason.INDENT_FIRST, trace)
        if made:
            return Answer(tuple(made), Reason.SHOWN, trace)
        return Answer((), Reason.GATE if scored and request.automatic else Reason.DOES_NOT_FIT, trace)

    def _suggestion(
        self,
        request: Request,
        line: ScoredLine,
        copies: Sequence[Suggestion],
        answer: ModelAnswer,
        trace: dict[str, Any],
    ) -> Suggestion | None:
        """Return a scored line as a suggestion: a copy as retrieval made it, the model's text with all its lines."""
        if line.copy is not None:
            engine = "both" if line.own else "retrieval"
            return replace(copies[line.copy], probability=line.probability, engine=engine)
        return suggestion_of(self._fitter, request, answer.texts[0], line.probability, trace)


def suggestion_of(
    fitter: Fitter, request: Request, text: str, probability: float, trace: dict[str, Any]
) -> Suggestion | None:
    """Return the model's text as a suggestion, None where it does not fit; ``trace`` says what was cut, or why."""
    fitted = traced(fitter.fit(request.document, request.offset, text), trace)
    if fitted is None:
        return None
    return Suggestion(fitted.text, request.offset, fitted.end, probability, "model")


def _indents(request: Request, suggestion: Suggestion) -> bool:
    """Return whether a suggestion begins with the indentation of a line that has none yet; Tab is for that."""
    return suggestion.text[:1] in (" ", "\t") and request.document.text[: suggestion.start][-1:] in ("", "\n", "\r")
