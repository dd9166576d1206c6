"""The model without retrieved candidates: a system that replays evaluate, to measure what each part adds.

It waits for the model as long as a generation may take. This module knows neither protocol nor torch.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from indexer.config import Settings
from lsp_server.fitting.fitter import Fitter
from lsp_server.model.fusion import Fusion
from lsp_server.model.hybrid_engine import suggestion_of
from lsp_server.model.joint_words import joint_words, own_line
from lsp_server.model.prompt_context import IndexSource
from lsp_server.model.requests import model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.reasons import Reason
from lsp_server.retrieval.gate import line_probability
from lsp_server.types import Answer, Document, ModelState, Request

if TYPE_CHECKING:
    from indexer.storage.reader import Index

_WAIT_SECONDS: Final = 300.0  # more than a generation may take

_THRESHOLD: Final = 0.5
"""Probability from which an automatic request is answered."""


class ModelOnlyEngine:
    """Suggestions of the model alone.

    :param retrieval: whether its prompt holds context from the index.
    """

    def __init__(
        self,
        settings: Settings,
        runner: ModelRunner,
        *,
        retrieval: bool,
    ) -> None:
        self._settings = settings
        self._runner = runner
        self._retrieval = retrieval
        self._fusion = Fusion.load()
        self._fitter = Fitter()

    @property
    def state(self) -> ModelState:
        """The state of the model."""
        return self._runner.state

    def set_index(self, index: "Index | None") -> None:
        """Use another generation for context from the next request on, if the prompt is to hold any."""
        wanted = self._retrieval and index is not None
        self._runner.context_builder.set_source(IndexSource(index) if wanted else None)
        self._runner.forget()

    def update(self, document: Document) -> None:
        """Take the new text of a document that was opened or changed."""
        self._fitter.update(document)
        if self._retrieval:
            self._runner.context_builder.edits.note(document)

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._runner.context_builder.close(uri)
        self._fitter.forget(uri)

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: a replay accepts no suggestion."""

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Do nothing: no work is left for later."""

    def stop(self) -> None:
        """End the model's thread."""
        self._runner.close()

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Return at most one suggestion for an automatic request, up to three for an invoked one."""
        ticket = self._runner.ask(model_request(self._settings, request))
        answer = ticket.wait(time.monotonic() + _WAIT_SECONDS, cancelled)
        trace = {"model_reason": answer.reason, **answer.trace}
        if not answer.texts:
            # A generation that ended by itself (`end`, `line` ...) wrote nothing; else the model did not answer.
            return Answer((), answer.reason if isinstance(answer.reason, Reason) else Reason.EMPTY, trace)
        joint = joint_words(None, None, answer)
        probability = line_probability(joint.tree, self._fusion.probabilities(joint), own_line(answer)) or 0.0
        if request.automatic and probability < _THRESHOLD:
            return Answer((), Reason.GATE, trace)
        fitting = (suggestion_of(self._fitter, request, text, probability, trace) for text in answer.texts)
        made = tuple({s.text: s for s in fitting if s is not None}.values())[: 1 if request.automatic else 3]
        return Answer(made, Reason.SHOWN if made else Reason.DOES_NOT_FIT, trace)
