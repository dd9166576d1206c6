"""How a session gets its engine, its model, its index and the process that builds the index.

Heavy modules are imported when a factory is called. Tests replace any of the factories. Knows no protocol.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.data_layout import index_directory, index_pointer_file, repository_directory
from lsp_server.server.index_process import IndexProcess
from lsp_server.types import Engine

INDEX_PROCESSES: Final = 2
"""Processes that build or update indexes at the same time, however many folders and editors are open."""


def make_engine(settings: Settings, index: Any) -> Engine:
    """Import and make the retrieval engine."""
    from lsp_server.retrieval.engine import RetrievalEngine

    return RetrievalEngine(settings, index)


class ModelFactory:
    """Adds the model of the settings to engines. The sessions of a process share what is loaded."""

    def __init__(self) -> None:
        self._models: Any = None

    def __call__(
        self,
        settings: Settings,
        root: Path | None,
        engine: Engine,
        index: Any,
        report: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
    ) -> Engine:
        """The engine with a model, which loads on a thread of its own.

        :param report: called with each new problem, from the model's thread.
        :param changed: called after each change of the model's state, from the model's thread.
        """
        if self._models is None:
            from lsp_server.model.factory import Models

            self._models = Models()
        both: Engine = self._models.with_model(settings, root, engine, report, changed)
        if index is not None:
            both.set_index(index)
        return both


def open_index(settings: Settings, root: Path) -> Any:
    """Import the reader and open the index of a repository."""
    from indexer.storage.reader import Index

    repository_directory(settings, root)  # reports a data directory that cannot be used before a missing index
    return Index.open(index_directory(settings, root), settings)


class IndexOpener:
    """Opens indexes as :func:`open_index`; a new generation takes over what did not change since the open one."""

    def __init__(self) -> None:
        self._opened: weakref.WeakValueDictionary[Path, Any] = weakref.WeakValueDictionary()

    def __call__(self, settings: Settings, root: Path) -> Any:
        """Open the index of a repository; on a background thread."""
        from indexer.storage.reader import Index

        repository_directory(settings, root)
        directory = index_directory(settings, root)
        index = Index.open(directory, settings, before=self._opened.get(directory))
        self._opened[directory] = index
        return index


class SharedIndexes:
    """Opens an index once for all sessions of a process that use it; each leaves out documents of its own."""

    def __init__(self) -> None:
        self._opened: weakref.WeakValueDictionary[tuple[Path, bytes], Any] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def __call__(self, settings: Settings, root: Path) -> Any:
        """Open the index of a repository, as :func:`open_index`; on a background thread."""
        from indexer.storage.reader import Index

        repository_directory(settings, root)
        directory = index_directory(settings, root)
        with self._lock:
            named = _named(directory)
            whole = self._opened.get((directory, named))
            if whole is None:
                before = next((one for (place, _), one in self._opened.items() if place == directory), None)
                whole = Index.open(directory, before=before)
                if whole.problem is None and named and named == _named(directory):
                    self._opened[directory, named] = whole
            return whole.view(settings)


def _named(index: Path) -> bytes:
    """What the pointer file of an index says, with the hash of the generation; nothing where there is none."""
    try:
        return index_pointer_file(index).read_bytes()
    except OSError:
        return b""


@dataclass(frozen=True, slots=True)
class Factories:
    """The factories of a session; tests replace them."""

    engine: Callable[[Settings, Any], Engine] = make_engine
    open_index: Callable[[Settings, Path], Any] = field(default_factory=IndexOpener)
    index_directory: Callable[[Settings, Path], Path] = index_directory
    index_process: Callable[..., IndexProcess] = IndexProcess
    add_model: Callable[..., Engine] = field(default_factory=ModelFactory)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(INDEX_PROCESSES))
