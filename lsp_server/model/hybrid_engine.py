"""The copier and the model together: who is asked, who is believed, and what goes out in time.

Where the copier is nearly certain, the model is not asked. Elsewhere the model writes its own line and says how likely
it finds the copies; two small regressions turn both opinions into one probability for each line, fitted by
``scripts/fit_duet.py`` on replayed commits of public repositories. A model that is late costs nothing: the copier's
answer goes out, and the generation goes on for the next keystroke.

Has the engine's interface and is put in its place; knows neither protocol nor editor nor torch.
"""

import json
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from indexer.secrets.masking import mask
from indexer.text.lines import line_end
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import ModelAnswer, Question
from lsp_server.model.runner import ModelRunner
from lsp_server.reasons import Reason
from lsp_server.retrieval import fit_line
from lsp_server.types import Answer, Document, Engine, ModelState, Request, Suggestion

if TYPE_CHECKING:
    from indexer.storage.reader import Index

CERTAIN: Final = 0.9
"""Probability from which on the copier is believed without asking; its gate is calibrated, so one in ten is wrong."""

FINAL_REASONS: Final = frozenset(
    {Reason.IN_WORD, Reason.IN_NUMBER, Reason.FINISHES_WORD, Reason.INDENT_FIRST, Reason.CANCELLED}
)
"""Reasons for no suggestion that hold for the model too: they are about the cursor, not about the text."""

_OPENERS = re.compile(r"[:{(\[]\s*$")
_FLOOR: Final = -25.0
_SHIPPED: Final = Path(__file__).parents[1] / "data" / "duet.json"


@dataclass(frozen=True, slots=True)
class Weights:
    """What is believed, for each kind of line ``(constant, copier's log-odds, how likely the model finds it)``.

    :param copy: a copy that the model would not have written first; see :func:`likely`.
    :param both: a copy that is also the model's own line.
    :param own: the model's own line that is no copy: (constant, log of its length, its log-likelihood).
    """

    copy: tuple[float, float, float]
    both: tuple[float, float, float]
    own: tuple[float, float, float]

    @classmethod
    def load(cls, path: Path = _SHIPPED) -> "Weights":
        """Those that were fitted."""
        data = json.loads(path.read_text("utf-8"))
        return cls(*(tuple(map(float, data[name])) for name in ("copy", "both", "own")))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """One line that could be shown.

    :param text: the line's rest, without what stands behind the cursor already. :param copy: number of the copy that
        says so, or None. :param own: whether the model wrote it.
    """

    text: str
    probability: float
    copy: int | None
    own: bool


def likely(copy: str, score: float) -> float:
    """A copy's log-likelihood by the root of its length: as a whole it puts short copies first, by the character long
    ones. On other histories than those it was fitted on, it tells right copies from wrong ones a little better."""
    return max(_FLOOR, score) / math.sqrt(len(copy) + 1)


def blend(copies: Sequence[tuple[str, float]], answer: ModelAnswer, weights: Weights) -> list[ScoredLine]:
    """Every line that copier or model propose, the most probable first.

    :param copies: (line, probability) of the copier, best first.
    """
    own = answer.texts[0].split("\n")[0] if answer.texts else ""
    scores = answer.copy_scores if len(answer.copy_scores) == len(copies) else ()
    voices = []
    for number, (line, probability) in enumerate(copies):
        odds = math.log(max(probability, 1e-4) / max(1 - probability, 1e-4))
        if not scores and not own:  # the model said nothing: the copier alone
            voices.append(ScoredLine(line, probability, number, False))
            continue
        constant, by_copier, by_model = weights.both if line == own else weights.copy
        found = constant + by_model * likely(line, scores[number]) if scores else 0.0
        voices.append(ScoredLine(line, _sigmoid(found + by_copier * odds), number, line == own))
    if own.strip() and all(voice.text != own for voice in voices):
        chance = max(_FLOOR, answer.line_logprob) if answer.line_logprob is not None else -3.0
        constant, by_length, by_model = weights.own
        voices.append(
            ScoredLine(own, _sigmoid(constant + by_length * math.log1p(len(own)) + by_model * chance), None, True)
        )
    return sorted(voices, key=lambda voice: -voice.probability)


class HybridEngine:
    """The engine with a model beside it.

    :param threshold: probability from which on a line is shown unasked when the copier named none.
    """

    def __init__(
        self,
        settings: Settings,
        copier: Engine,
        runner: ModelRunner,
        weights: Weights | None = None,
        threshold: float = 0.5,
    ) -> None:
        self._settings = settings
        self._copier = copier
        self._runner = runner
        self._weights = weights or Weights.load()
        self._threshold = threshold

    @property
    def runner(self) -> ModelRunner:
        """The thread that runs the model."""
        return self._runner

    @property
    def state(self) -> ModelState:
        """The state of the model."""
        return self._runner.state

    def set_index(self, index: "Index | None") -> None:
        """Uses another generation from the next request on; may be called from any thread."""
        self._copier.set_index(index)
        self._runner.packer.set_source(IndexSource(index) if index is not None else None)
        self._runner.forget()

    def update(self, document: Document) -> None:
        """A document was opened or changed."""
        self._copier.update(document)
        self._runner.packer.edits.note(document)

    def close(self, uri: str) -> None:
        """A document was closed."""
        self._copier.close(uri)
        self._runner.packer.close(uri)

    def stop(self) -> None:
        """End the model's thread, at its next token; the copier goes on."""
        self._runner.close()

    def accepted(self, document: Document, offset: int) -> None:
        """A suggestion was accepted: begin the next one, unless there is something to do already."""
        self._runner.ask(self._question(Request(document, offset, True), ()), prefetch=True)

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """As the engine's own: at most one suggestion for an automatic request, up to three for one the user made."""
        until = time.monotonic() + self._settings.deadline_ms / 1000
        first = self._copier.complete(request, cancelled)
        if cancelled() or (request.automatic and first.reason in FINAL_REASONS) or request.popup is not None:
            return first
        if request.automatic and first.suggestions and first.suggestions[0].probability >= CERTAIN:
            return replace(first, trace={**first.trace, "model_reason": Reason.RETRIEVAL_CERTAIN})
        copies = first.suggestions
        if request.automatic and not copies and first.reason is not Reason.NO_MATCH:
            copies = self._copier.complete(replace(request, automatic=False), cancelled).suggestions
        lines = tuple(_line(request, copy) for copy in copies)
        ticket = self._runner.ask(self._question(request, lines))
        answer = ticket.wait(until, cancelled)
        trace = {**first.trace, "model_reason": answer.reason, "model_reused": ticket.reused, **answer.trace}
        if cancelled():
            return Answer((), Reason.CANCELLED, trace)
        if not answer.texts and not answer.copy_scores:
            return replace(first, trace=trace)
        voices = blend([(line, c.probability) for line, c in zip(lines, copies, strict=True)], answer, self._weights)
        return self._answer(request, first, voices, copies, answer, trace)

    def _answer(
        self,
        request: Request,
        first: Answer,
        voices: Sequence[ScoredLine],
        copies: Sequence[Suggestion],
        answer: ModelAnswer,
        trace: dict[str, Any],
    ) -> Answer:
        threshold = float(first.trace.get("threshold", self._threshold))
        limit = 1 if request.automatic else 3
        made: list[Suggestion] = []
        for voice in voices:
            if len(made) == limit or (request.automatic and voice.probability < threshold):
                break
            suggestion = self._suggestion(request, voice, copies, answer)
            if suggestion is not None:
                made.append(suggestion)
        for text in () if request.automatic else answer.texts[1:]:  # an answer to a request by hand is used again
            other = shaped(request, text, made[-1].probability if made else 0.0)
            if other is not None and len(made) < limit and all(m.text != other.text for m in made):
                made.append(other)
        trace |= {"blended": [round(v.probability, 4) for v in voices[:3]], "threshold": round(threshold, 4)}
        if made and request.automatic and _indents(request, made[0]):
            return Answer((), Reason.INDENT_FIRST, trace)
        if made:
            return Answer(tuple(made), Reason.SHOWN, trace)
        return Answer((), Reason.GATE if voices and request.automatic else Reason.DOES_NOT_FIT, trace)

    def _suggestion(
        self, request: Request, voice: ScoredLine, copies: Sequence[Suggestion], answer: ModelAnswer
    ) -> Suggestion | None:
        """The voice as the editor gets it: a copy as it was, the model's text with all its lines."""
        if voice.copy is not None:
            engine = "both" if voice.own else "retrieval"
            return replace(copies[voice.copy], probability=voice.probability, engine=engine)
        return shaped(request, answer.texts[0], voice.probability)

    def _question(self, request: Request, lines: tuple[str, ...]) -> Question:
        return self.question(self._settings, request, lines)

    @staticmethod
    def question(settings: Settings, request: Request, lines: tuple[str, ...]) -> Question:
        """What the model is asked at a cursor: one line where text follows or the line goes on, else a block."""
        text, offset = request.document.text, request.offset
        before = text[:offset].rpartition("\n")[2]
        behind = text[offset:].split("\n", 1)[0]
        opens = not before.strip() or _OPENERS.search(before) is not None
        single = not settings.multi_line or bool(behind.strip()) or not opens
        count = 1 if request.automatic else 3
        return Question(request.document, offset, single, lines, max_lines=settings.max_lines, count=count)


def shaped(request: Request, text: str, probability: float) -> Suggestion | None:
    """The model's text as the editor gets it: without what stands behind the cursor already, with the document's line
    ends; None where it does not fit, says nothing, or would write out a secret."""
    end = request.offset
    if "\n" not in text:
        fitting = fit_line.fit(text, request.document.text[request.offset :].split("\n", 1)[0].rstrip("\r"))
        if fitting is None:
            return None
        text, end = fitting[0], request.offset + fitting[1]
    typed = request.document.text[: request.offset].rpartition("\n")[2]
    if not text.strip() or mask(typed + text)[1]:
        return None
    text = text.replace("\n", line_end(request.document.text))
    return Suggestion(text, request.offset, end, probability, "model")


def _indents(request: Request, suggestion: Suggestion) -> bool:
    """Whether it begins with the indentation of a line that has none yet: there Tab is wanted for just that."""
    return suggestion.text[:1] in (" ", "\t") and request.document.text[: suggestion.start][-1:] in ("", "\n", "\r")


def _line(request: Request, copy: Suggestion) -> str:
    """The first line of a copy, without what it puts in the place of text behind the cursor."""
    text = copy.text.split("\n")[0].rstrip("\r")
    replaced = request.document.text[request.offset : copy.end]
    return text.removesuffix(replaced) if replaced else text


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
