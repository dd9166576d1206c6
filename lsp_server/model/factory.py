"""Puts the model's parts together for a repository: packer, backend, its thread, and the duet with the copier.

Importing it is cheap; torch and llama.cpp are imported on the model's own thread. Knows settings and folders, no
protocol.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.data_layout import registry_directory
from lsp_server.backends.loading import load_local, load_remote
from lsp_server.backends.shared_model import SharedModel
from lsp_server.model.hybrid_engine import HybridEngine
from lsp_server.model.prompt_context import Packer
from lsp_server.model.runner import ModelRunner
from lsp_server.types import Engine

PROMPT_TOKENS: Final = 2048
"""Longest prompt, in tokens; shorter where the model's context is shorter."""


class Models:
    """The models of a process, one for each set of settings that names one. Used from one thread."""

    def __init__(self) -> None:
        self._shared: dict[tuple[str, ...], SharedModel] = {}

    def beside(
        self,
        settings: Settings,
        root: Path | None,
        copier: Engine,
        tell: Callable[[str], None] = lambda message: None,
        changed: Callable[[], None] = lambda: None,
    ) -> Engine:
        """The engine that the settings ask for: the copier alone, or with a model beside it, loading in the background.

        :param tell: called with each new problem, from the model's thread.
        :param changed: called when the model's state has changed, from that thread too.
        """
        if settings.backend == "retrieval":
            return copier
        local = settings.backend == "local"
        asked = (str(settings.base_bits),) if local else (settings.remote_url, settings.remote_model)

        def load() -> Any:
            return load_local(settings, PROMPT_TOKENS, tell) if local else load_remote(settings)

        shared = self._shared.setdefault((settings.backend, settings.base_model, *asked), SharedModel(load))
        registry = registry_directory(settings, root) if root is not None and local else None
        packer = Packer(None, root.name if root is not None else "repository")
        return HybridEngine(settings, copier, ModelRunner(shared.lease, packer, registry, tell, changed=changed))
