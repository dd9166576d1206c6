"""What a model writes at a cursor of the playground: together with retrieval, as an editor shows it, and alone."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from lsp_server.commands.serving import loaded_with_model
from lsp_server.errors import BackendProblem
from lsp_server.server.factories import make_engine
from lsp_server.types import Answer, Document, Request, settled

if TYPE_CHECKING:
    from lsp_server.model.hybrid_engine import HybridEngine
    from lsp_server.model.model_only_engine import ModelOnlyEngine

CLOSING_S: Final = 30.0
"""Longest time for the model's thread to end."""


class ModelAnswers:
    """The model of the settings, loaded at the first question. It answers one question at a time."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root, self._settings = root, settings
        self._lock = threading.Lock()
        self._engines: tuple[HybridEngine, ModelOnlyEngine] | None = None
        self._index: Any = None

    @property
    def is_set(self) -> bool:
        """Whether the settings name a model."""
        return self._settings.backend != "retrieval"

    def at(self, document: Document, offset: int, index: Any, problems: list[str]) -> Iterator[tuple[str, Answer]]:
        """Yield who writes and the answer: both together, automatically; then the model alone, on request.

        :param problems: gets a sentence for everything that the model cannot do.
        """
        with self._lock:
            try:
                both, alone = self._engines or self._loaded(index, problems)
            except BackendProblem as error:
                problems[:] = [str(error)]
                return
            self._engines = both, alone
            if index is not self._index:
                both.set_index(index)
                self._index = index
            both.update(document)
            alone.update(document)
            yield "retrieval and model, automatically", settled(both.complete(Request(document, offset, True), _never))
            yield "the model alone, on request", alone.complete(Request(document, offset, False), _never)

    def close(self) -> None:
        """End the model's thread, and wait for it: a process that exits while a thread is inside torch is aborted."""
        if self._engines is not None:
            self._engines[0].runner.close(CLOSING_S)

    def _loaded(self, index: Any, problems: list[str]) -> "tuple[HybridEngine, ModelOnlyEngine]":
        from lsp_server.model.model_only_engine import ModelOnlyEngine

        self._index = index
        both = loaded_with_model(self._settings, self._root, make_engine(self._settings, index), index, problems.append)
        return both, ModelOnlyEngine(self._settings, both.runner, retrieval=True)


def _never() -> bool:
    return False
