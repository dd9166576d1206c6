"""The model without the copier, with the engine's interface: an arm for replays, to measure what each part adds.

Waits for the model as long as it takes and shows whatever it writes. Knows neither protocol nor torch.
"""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from indexer.config import Settings
from lsp_server.model.hybrid_engine import HybridEngine, Weights, shaped
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.runner import ModelRunner
from lsp_server.reasons import Reason
from lsp_server.types import Answer, Document, ModelState, Request

if TYPE_CHECKING:
    from indexer.storage.reader import Index

_PATIENCE_SECONDS = 300.0  # more than a generation may take


class ModelOnlyEngine:
    """Suggestions of the model only.

    :param retrieval: whether its prompt holds context from the index.
    :param threshold: probability from which on an automatic request is answered.
    """

    def __init__(
        self,
        settings: Settings,
        runner: ModelRunner,
        *,
        retrieval: bool,
        weights: Weights | None = None,
        threshold: float = 0.5,
    ) -> None:
        self._settings = settings
        self._runner = runner
        self._retrieval = retrieval
        self._weights = weights or Weights.load()
        self._threshold = threshold

    @property
    def state(self) -> ModelState:
        """The state of the model."""
        return self._runner.state

    def set_index(self, index: "Index | None") -> None:
        """Uses an index from the next request on, if the prompt is to hold context."""
        wanted = self._retrieval and index is not None
        self._runner.packer.set_source(IndexSource(index) if wanted else None)
        self._runner.forget()

    def update(self, document: Document) -> None:
        """A document was opened or changed."""
        if self._retrieval:
            self._runner.packer.edits.note(document)

    def close(self, uri: str) -> None:
        """A document was closed."""
        self._runner.packer.close(uri)

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: a replay accepts no suggestion."""

    def stop(self) -> None:
        """End the model's thread."""
        self._runner.close()

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """One suggestion, or none; an automatic request only gets a probable one."""
        question = HybridEngine.question(self._settings, request, ())
        answer = self._runner.ask(question).wait(time.monotonic() + _PATIENCE_SECONDS, cancelled)
        trace = {"model_reason": answer.reason, **answer.trace}
        if not answer.texts:
            # A generation that ended by itself (`end`, `line` ...) wrote nothing; else the model did not answer.
            return Answer((), answer.reason if isinstance(answer.reason, Reason) else Reason.EMPTY, trace)
        likely = answer.line_logprob if answer.line_logprob is not None else -3.0
        constant, by_length, by_model = self._weights.own
        odds = constant + by_length * math.log1p(len(answer.texts[0].split("\n")[0])) + by_model * likely
        probability = 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
        if request.automatic and probability < self._threshold:
            return Answer((), Reason.GATE, trace)
        fitting = (shaped(request, text, probability) for text in answer.texts)
        made = tuple({s.text: s for s in fitting if s is not None}.values())[: 1 if request.automatic else 3]
        return Answer(made, Reason.SHOWN if made else Reason.DOES_NOT_FIT, trace)
