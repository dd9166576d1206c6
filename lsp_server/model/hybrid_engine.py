"""The hybrid engine: retrieval and a model together.

What retrieval shows automatically goes out at once, and the model is not asked. Elsewhere the answer comes later
(``types.Later``): the model writes a line of its own, and how likely it found the copies on its way is known without a
pass of its own. Both become one tree of words (``joint_words``) with one probability for each word (``fusion``), and
the gate's rule decides how much of it is shown. If the model is late, the answer of retrieval is sent, and the
generation goes on for the next keystroke.

This module knows neither protocol nor editor nor torch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from lsp_server.fitting.fitter import Fitter, traced
from lsp_server.model.fusion import Fusion
from lsp_server.model.joint_words import OWN, Floats, JointWords, joint_words, own_line
from lsp_server.model.line_questions import LineJob, LineQuestion
from lsp_server.model.patience import Patience
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import ModelAnswer, Ticket, model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.reasons import Reason
from lsp_server.retrieval.display_rules import stands_below
from lsp_server.retrieval.engine import INVOKED_LIMIT, Proposals, RetrievalEngine, allowed_parts
from lsp_server.retrieval.gate import LEAST, MORE_LINES, Choice, decisions, line_probability, may_follow
from lsp_server.retrieval.suggestions import added
from lsp_server.types import Answer, Document, ModelState, Request, Suggestion

if TYPE_CHECKING:
    from indexer.storage.reader import Index

FINAL_REASONS: Final = frozenset({Reason.IN_WORD, Reason.IN_NUMBER, Reason.INDENT_FIRST, Reason.CANCELLED})
"""Reasons for no suggestion that hold for the model too: they are about the cursor, not about the text."""

_NOT_WRITTEN: Final = frozenset({Reason.MODEL_PROBLEM, Reason.SUPERSEDED, "cancelled"})


@dataclass(frozen=True, eq=False)
class _Asked:
    """A request that the model is asked about; see :class:`~lsp_server.types.Later`.

    :param first: what is known without the model. :param proposals: of retrieval.
    """

    engine: "HybridEngine"
    request: Request
    first: Answer
    proposals: Proposals
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

    :param fusion: how retrieval and the model are weighed; None for the shipped weights.
    :param report: called once, with a sentence for the user, if the model is never in time.
    """

    def __init__(
        self,
        settings: Settings,
        retrieval: RetrievalEngine,
        runner: ModelRunner,
        fusion: Fusion | None = None,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._settings = settings
        self._patience = Patience(settings.deadline_ms / 1000, report)
        self._opened: set[str] = set()
        self._retrieval = retrieval
        self._runner = runner
        self._fusion = fusion or Fusion.load()
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
        """Take the new text of a document that was opened or changed, or of a file that changed on disk."""
        self._retrieval.update(document)
        if document.on_disk:
            return
        self._fitter.update(document)
        self._runner.context_builder.edits.note(document)
        if document.uri not in self._opened:
            self._opened.add(document.uri)
            self._runner.opened(document)

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._opened.discard(uri)
        self._retrieval.close(uri)
        self._runner.closed(uri)
        self._runner.context_builder.close(uri)
        self._fitter.forget(uri)

    def stop(self) -> None:
        """End the model's thread at its next token; retrieval still answers."""
        self._runner.close()

    def accepted(self, document: Document, offset: int) -> None:
        """Begin the next generation after a suggestion was accepted, unless the model is busy."""
        self._runner.ask(model_request(self._settings, Request(document, offset, True)), prefetch=True)

    def ask_line(self, question: LineQuestion) -> LineJob:
        """Ask the model what becomes of a line; completions go first."""
        return self._runner.ask_line(question)

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Let retrieval look up what the next key needs if it begins a word."""
        self._retrieval.prepare(stop)

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
        ticket = self._runner.ask(model_request(self._settings, request, proposals.texts))
        asked = _Asked(self, request, first, proposals, ticket)
        if asked.ticket.ended:
            return asked.finish()
        return replace(first, trace={**first.trace, "model_reason": Reason.MODEL_WAITING}, later=asked)

    @property
    def patience(self) -> Patience:
        """How long requests wait for the model."""
        return self._patience

    def together(self, asked: "_Asked", answer: ModelAnswer, trace: dict[str, Any]) -> Answer:
        """Return what retrieval and the model's answer say together."""
        judged = asked.proposals.judged
        joint = joint_words(judged.tree if judged else None, judged.words if judged else None, answer)
        words = self._fusion.probabilities(joint)
        if asked.request.automatic:
            return self._automatic(asked, answer, joint, words, trace)
        return self._invoked(asked, answer, joint, words, trace)

    def _automatic(
        self, asked: "_Asked", answer: ModelAnswer, joint: JointWords, words: Floats, trace: dict[str, Any]
    ) -> Answer:
        """Return the part of a copy or of the model's line that is probable enough, as the gate does for copies."""
        request, judged, precision = asked.request, asked.proposals.judged, self._settings.precision
        reason: Reason | None = None
        for found in decisions(joint.tree, words, precision, allowed_parts(request, self._fitter)):
            trace |= {"blended": [round(found.probability, 4)], "threshold": round(precision, 4)}
            if found.shown is None:
                reason = reason or (Reason.SAVES_LITTLE if found.part else asked.first.reason)
                break
            if found.shown.option == OWN or judged is None:
                rule = Reason.STANDS_BELOW if stands_below(request, own_line(answer)) else None
                made = rule or self._own(request, answer, found.shown, trace)
            else:
                made = judged.rule(found) or judged.make(found.shown)
            if isinstance(made, Suggestion):
                if _indents(request, made):
                    return Answer((), Reason.INDENT_FIRST, trace)
                both = made.engine != "model" and bool(joint.own[found.shown.node])
                return Answer((replace(made, engine="both") if both else made,), Reason.SHOWN, trace)
            reason = reason or made
        return Answer((), reason or asked.first.reason, trace)

    def _own(self, request: Request, answer: ModelAnswer, choice: Choice, trace: dict[str, Any]) -> Suggestion | Reason:
        """Return the probable part of the model's text as a suggestion."""
        text, probability = choice.text.rstrip(), choice.probability
        if choice.ends:
            text, probability = self._with_lines(answer, text, probability)
        made = suggestion_of(self._fitter, request, text, probability, trace, whole=choice.ends)
        if made is None:
            return Reason.DOES_NOT_FIT
        return made if len(added(request, made).strip()) >= LEAST else Reason.SAVES_LITTLE

    def _with_lines(self, answer: ModelAnswer, text: str, probability: float) -> tuple[str, float]:
        """Return the model's line with those of its further lines that are probable enough, and the probability of all.

        A server that says nothing about its lines gets its first line shown alone.
        """
        following = answer.texts[0].split("\n")[1 : 1 + MORE_LINES]
        for line, logprob in zip(following, answer.lines, strict=False):
            kept = math.exp(logprob)
            if not may_follow(probability, kept, self._settings.precision):
                break
            text, probability = f"{text}\n{line}", probability * kept
        return text.rstrip(), probability

    def _invoked(
        self, asked: "_Asked", answer: ModelAnswer, joint: JointWords, words: Floats, trace: dict[str, Any]
    ) -> Answer:
        """Return up to three lines of copies and of the model, the most probable first."""
        request, own = asked.request, own_line(answer)
        lines: list[tuple[float, str, Callable[[], Suggestion | None]]] = []
        for text, make in zip(asked.proposals.texts, asked.proposals.options, strict=True):
            probability = line_probability(joint.tree, words, text.rstrip())
            lines.append((probability if probability is not None else 0.0, text.rstrip(), make))
        if own.strip() and all(text != own for _, text, _ in lines):
            probability = line_probability(joint.tree, words, own) or 0.0
            lines.append((probability, own, lambda: suggestion_of(self._fitter, request, answer.texts[0], 0.0, trace)))
        lines.sort(key=lambda one: -one[0])
        trace["blended"] = [round(probability, 4) for probability, _, _ in lines[:INVOKED_LIMIT]]
        made: list[Suggestion] = []
        for probability, text, make in lines:
            if len(made) < INVOKED_LIMIT and (found := make()) is not None:
                engine = found.engine if found.engine == "model" else "both" if text == own else "retrieval"
                made.append(replace(found, probability=probability, engine=engine))
        for text in answer.texts[1:]:
            least = made[-1].probability if made else 0.0
            other = suggestion_of(self._fitter, request, text, least, trace)
            if other is not None and len(made) < INVOKED_LIMIT and all(one.text != other.text for one in made):
                made.append(other)
        return Answer(tuple(made), Reason.SHOWN if made else Reason.DOES_NOT_FIT, trace)


def suggestion_of(
    fitter: Fitter, request: Request, text: str, probability: float, trace: dict[str, Any], *, whole: bool = True
) -> Suggestion | None:
    """Return the model's text as a suggestion, None where it does not fit; ``trace`` says what was cut, or why.

    :param whole: False for the beginning of a line.
    """
    automatic = request.automatic
    fitted = traced(fitter.fit(request.document, request.offset, text, whole=whole, automatic=automatic), trace)
    if fitted is None:
        return None
    return Suggestion(fitted.text, request.offset, fitted.end, probability, "model")


def _indents(request: Request, suggestion: Suggestion) -> bool:
    """Return whether a suggestion begins with the indentation of a line that has none yet; Tab is for that."""
    return suggestion.text[:1] in (" ", "\t") and request.document.text[: suggestion.start][-1:] in ("", "\n", "\r")
