"""What the baselines have in common: an engine that learns from an index and keeps nothing of documents."""

from collections.abc import Callable

from lsp_server.types import Document, ModelState


class Baseline:
    """The parts of the engine's interface that a baseline has no use for: a replay accepts and prepares nothing."""

    @property
    def state(self) -> ModelState | None:
        """Return None: there is no language model to load."""
        return None

    def update(self, document: Document) -> None:
        """Do nothing: a document is read at each request."""

    def close(self, uri: str) -> None:
        """Do nothing: nothing is stored about a document."""

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: a replay accepts no suggestion."""

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Do nothing: no work is left for later."""

    def stop(self) -> None:
        """Do nothing: there is no model to free."""
