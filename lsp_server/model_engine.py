"""Puts the model's parts together for a repository: packer, backend, its thread, and the duet with the copier.

Importing it is cheap; torch and llama.cpp are imported on the model's own thread. Knows settings and folders, no
protocol.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.config import Settings, repository_path
from lsp_server.backends.loading import load_local, load_remote
from lsp_server.duet import Copier, DuetEngine
from lsp_server.model import ModelSource
from lsp_server.packing import Packer

PROMPT_TOKENS = 2048
"""Prompts are at most this long; less where the model's context is shorter."""

REGISTRY = "registry"
"""The adapter registry's folder within the repository's own data folder."""


def registry_directory(settings: Settings, root: Path) -> Path:
    """Where the adapters of a repository are kept."""
    return Path(repository_path(settings, root)) / REGISTRY


def with_model(
    settings: Settings, root: Path | None, copier: Copier, tell: Callable[[str], None] | None = None
) -> Copier:
    """The engine that the settings ask for: the copier alone, or with a model beside it, loading in the background.

    :param tell: called with each new problem, from the model's thread.
    """
    if settings.backend == "retrieval":
        return copier
    said = tell or (lambda message: None)

    def load() -> Any:
        if settings.backend == "remote":
            return load_remote(settings)
        return load_local(settings.base_model, PROMPT_TOKENS, said)

    registry = registry_directory(settings, root) if root is not None and settings.backend == "local" else None
    packer = Packer(None, root.name if root is not None else "repository")
    return DuetEngine(settings, copier, ModelSource(load, packer, registry, said))
