"""The evaluated systems that ask a model: with or without retrieved context, adapter and retrieval engine.

They consist of the same classes that serve editors, but wait for the model without a time limit: a replay measures what
the model writes, not how fast this machine is. Systems with the same adapter share one model and its cache, so the
second one finds the prompt of the first computed. The model is asked for one text at a cursor, even where an editor's
request would get three: on a CPU three cost three times as much, and only the first one is judged.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from finetune.commits.windows import beyond
from finetune.evaluation.own_gate import describe, usable
from indexer.config import Settings
from indexer.data_layout import registry_directory
from indexer.errors import OndolError, UserError
from indexer.repository.history import Commit
from lsp_server.backends.loading import load_local, load_remote, open_base
from lsp_server.backends.shared_model import SharedModel
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.model.hybrid_engine import HybridEngine
from lsp_server.model.model_only_engine import ModelOnlyEngine
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.requests import UNHURRIED, ModelRequest, Ticket
from lsp_server.model.runner import ModelRunner
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.types import Engine
from lsp_server.weights.adapter_registry import AdapterVersion, current_number, read_folder, read_version

WAITS: Final = "as long as it takes"

ENDS_S: Final = 30.0
"""Seconds that a replay's end waits for the model's thread, at most."""


class SharedModels:
    """The models of a replay: one for each adapter, loaded when its first system is made.

    :param until: see ``systems.make_system``.
    :param prompt_tokens: tokens that a prompt may have.
    :param single_line: ask for the rest of the line alone, even where an editor's request would get a block.
    """

    def __init__(
        self,
        settings: Settings,
        root: Path,
        until: str | None,
        prompt_tokens: int = PROMPT_TOKENS,
        *,
        single_line: bool = False,
    ) -> None:
        self.settings, self.root, self.until = settings, root, until
        self._prompt_tokens = prompt_tokens
        self._single_line = single_line
        self._shared: dict[Path | None, SharedModel] = {}

    def runner(self, adapter: AdapterVersion | None, report: Callable[[str], None]) -> ModelRunner:
        """Return a runner of the model with an adapter; None for the bare base.

        :param report: called with each new problem, from the runner's thread.
        """
        load = partial(self._load, report)
        shared = self._shared.setdefault(adapter.weights if adapter else None, SharedModel(load))

        def lease() -> Any:
            taken = shared.lease()
            if adapter is not None:
                taken.set_adapter(adapter)
            return taken

        made = _OneText(lease, PromptContextBuilder(None, self.root.name), report=report, time_limits=UNHURRIED)
        made.single_line = self._single_line
        return made

    def _load(self, report: Callable[[str], None]) -> Any:
        if self.settings.backend == "remote":
            return load_remote(self.settings)
        return load_local(self.settings, self._prompt_tokens, report)


class _OneText(ModelRunner):
    """A runner that asks for one text, or for the rest of the line alone."""

    single_line = False

    def ask(self, request: ModelRequest, *, prefetch: bool = False) -> Ticket:
        """Queue a request for one text."""
        one = replace(request, count=1, single_line=request.single_line or self.single_line)
        return super().ask(one, prefetch=prefetch)

    def close(self, seconds: float = ENDS_S) -> None:
        """Stop the thread and wait for it: a command exits soon after."""
        super().close(seconds)


def model_system(
    models: SharedModels,
    *,
    context: bool = True,
    hybrid: bool = False,
    adapted: bool = False,
    adapter: int | Path | None = None,
) -> tuple[Engine, dict[str, Any]]:
    """Make an engine that asks the model of the settings; the last ``stop()`` of a shared model frees it.

    :param context: whether the prompts hold code of the repository.
    :param hybrid: whether the retrieval engine takes part, as it does when Ondol serves an editor.
    :param adapted: whether the model has an adapter.
    :param adapter: a version of the repository's registry, or a folder as peft writes it; None for the current version.
    :raises UserError: there is no such model or adapter, or the adapter has seen commits that are replayed.
    """
    settings, root, until = models.settings, models.root, models.until
    problems: list[str] = []
    version = _adapter(settings, root, until, adapter) if adapted else None
    source = models.runner(version, problems.append)
    about: dict[str, Any] = {**source.loaded(), "waits": WAITS}
    about["context"] = "from the index" if context or hybrid else "none"
    if problems:
        about["notes"] = problems
    if not hybrid:
        return ModelOnlyEngine(settings, source, retrieval=context), about
    gate = usable(settings, root, until)
    about["gate"] = describe(gate)
    patient = replace(settings, deadline_ms=int(1000 * 2 * UNHURRIED.generation))
    return HybridEngine(patient, RetrievalEngine(settings, None, gate=gate), source), about


def _adapter(settings: Settings, root: Path, until: str | None, adapter: int | Path | None) -> AdapterVersion:
    """Return the adapter, verified, before anything heavy is loaded."""
    if settings.backend == "remote":
        raise UserError("a remote server loads adapters itself", "set remote_model to the adapter's name and use base")
    registry, folder = registry_directory(settings, root), open_base(settings.base_model)
    if adapter is None:
        adapter = current_number(registry)
    if adapter is None:
        raise UserError(f"{root.name} has no adapter yet", "make one with `ondol finetune`, or name a folder")
    if isinstance(adapter, Path):
        return read_folder(adapter, folder.tensors)
    version = read_version(registry, adapter, folder.identity, folder.spec.name, folder.tensors)
    _require_unseen(version, root, until)
    return version


def _require_unseen(version: AdapterVersion, root: Path, until: str | None) -> None:
    """Refuse an adapter that was trained on replayed commits.

    A plain folder does not say what it was trained on, so it is not checked: the user who names it must know.
    """
    commits = version.manifest.get("commits")
    newest = commits.get("newest") if isinstance(commits, dict) else None
    cure = "replay only newer commits, with --commits or --since"
    if until is None or not isinstance(newest, str):
        raise UserError(f"it is not known which of the replayed code adapter version {version.number} has seen", cure)
    try:
        seen = bool(beyond(root, until, [Commit(newest, None, 0, "")]))
    except OndolError as error:
        raise UserError(
            f"adapter version {version.number} was trained on commits that no longer exist", cure
        ) from error
    if seen:
        raise UserError(
            f"adapter version {version.number} has seen commits up to {newest[:12]}, which are replayed", cure
        )
