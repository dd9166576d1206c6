"""What a session is made of: the engine, the model beside it, the index, and the run of the indexer.

Everything heavy is imported when it is made. Tests put doubles in the place of any part. Knows no protocol.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.config import Settings
from indexer.data_layout import index_directory, repository_directory
from lsp_server.server.index_process import IndexRun
from lsp_server.types import Engine


def make_engine(settings: Settings, index: Any) -> Engine:
    """Import and make the engine."""
    from lsp_server.retrieval.engine import RetrievalEngine

    return RetrievalEngine(settings, index)


class BesideModel:
    """Puts the model that the settings name beside an engine; the sessions of a process share what is loaded."""

    def __init__(self) -> None:
        self._models: Any = None

    def __call__(
        self,
        settings: Settings,
        root: Path | None,
        engine: Any,
        index: Any,
        tell: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
    ) -> Engine:
        """The engine with its model, which loads on a thread of its own."""
        if self._models is None:
            from lsp_server.model.factory import Models

            self._models = Models()
        both: Engine = self._models.with_model(settings, root, engine, tell, changed)
        if index is not None:
            both.set_index(index)
        return both


def open_index(settings: Settings, root: Path) -> Any:
    """Import the reader and open the index of a repository."""
    from indexer.storage.reader import Index

    repository_directory(settings, root)  # A data directory that cannot be used is said before a missing index.
    return Index.open(index_directory(settings, root), settings)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of; tests put doubles in."""

    engine: Callable[[Settings, Any], Engine] = make_engine
    open: Callable[[Settings, Path], Any] = open_index
    directory: Callable[[Settings, Path], Path] = index_directory
    run: Callable[..., IndexRun] = IndexRun
    model: Callable[..., Engine] = field(default_factory=BesideModel)
