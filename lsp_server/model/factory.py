"""Assembles the hybrid engine: prompt context, backend, the model's thread, and retrieval.

Importing this module is cheap; torch and llama.cpp are imported on the model's thread. It knows no protocol.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.data_layout import registry_directory
from lsp_server.backends.loading import load_local, load_remote
from lsp_server.backends.shared_model import SharedModel
from lsp_server.model.fusion import Fusion
from lsp_server.model.hybrid_engine import HybridEngine
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.runner import ModelRunner
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.types import Engine

PROMPT_TOKENS: Final = 2048
"""Longest prompt, in tokens; shorter where the model's context is shorter."""


class Models:
    """The models of a process, one for each set of settings that names one. For one thread."""

    def __init__(self) -> None:
        self._shared: dict[tuple[str, ...], SharedModel] = {}

    def with_model(
        self,
        settings: Settings,
        root: Path | None,
        retrieval: RetrievalEngine,
        report: Callable[[str], None] = lambda message: None,
        changed: Callable[[], None] = lambda: None,
    ) -> Engine:
        """Return the engine that the settings ask for: retrieval alone, or with a model that loads in the background.

        :param report: called with each new problem, from the model's thread.
        :param changed: called when the model's state has changed, from that thread too.
        """
        if settings.backend == "retrieval":
            return retrieval
        local = settings.backend == "local"
        key = (str(settings.base_bits),) if local else (settings.remote_url, settings.remote_model)

        def load() -> Any:
            return load_local(settings, PROMPT_TOKENS, report) if local else load_remote(settings)

        shared = self._shared.setdefault((settings.backend, settings.base_model, *key), SharedModel(load))
        registry = registry_directory(settings, root) if root is not None and local else None
        builder = PromptContextBuilder(None, root.name if root is not None else "repository")
        runner = ModelRunner(shared.lease, builder, registry, report, changed=changed)
        fusion = Fusion.of_repository(settings, root) if root is not None else None
        return HybridEngine(settings, retrieval, runner, fusion, report)
