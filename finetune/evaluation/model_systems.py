"""The arms of a replay that ask a model: bare, with context from the index, with an adapter, beside the copier.

They are made of the parts that serve editors, but wait for the model however long it takes: what is measured is what it
writes, not whether this machine is quick enough. Each loads a model of its own. This module knows no cases.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from finetune.commits.windows import beyond
from indexer.config import Settings
from indexer.data_layout import registry_directory
from indexer.errors import OndolError, UserError
from indexer.repository.history import Commit
from lsp_server.backends.loading import load_local, load_remote, open_base
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.model.hybrid_engine import HybridEngine
from lsp_server.model.model_only_engine import ModelOnlyEngine
from lsp_server.model.prompt_context import Packer
from lsp_server.model.runner import UNHURRIED, ModelRunner
from lsp_server.retrieval.engine import RetrievalEngine
from lsp_server.types import Engine
from lsp_server.weights.adapter_registry import AdapterVersion, current_number, read_folder, read_version

Adapter = int | Path | None
"""A version of the repository's registry, a folder as peft writes it, or the version that serves now."""

AWAITED: Final = "as long as it takes"


def base(settings: Settings, root: Path, until: str | None) -> tuple[Engine, dict[str, Any]]:
    """The base model, which sees the document alone."""
    return model_arm(settings, root, until, context=False)


def base_with_retrieval(settings: Settings, root: Path, until: str | None) -> tuple[Engine, dict[str, Any]]:
    """The base model with code of the repository in its prompt."""
    return model_arm(settings, root, until)


def copier_and_base(settings: Settings, root: Path, until: str | None) -> tuple[Engine, dict[str, Any]]:
    """What serves editors before the first adapter: the copier beside the base model."""
    return model_arm(settings, root, until, copier=True)


def adapter(settings: Settings, root: Path, until: str | None, which: Adapter = None) -> tuple[Engine, dict[str, Any]]:
    """The base model with an adapter, which sees the document alone."""
    return model_arm(settings, root, until, context=False, adapted=True, which=which)


def adapter_with_retrieval(
    settings: Settings, root: Path, until: str | None, which: Adapter = None
) -> tuple[Engine, dict[str, Any]]:
    """The base model with an adapter and code of the repository in its prompt."""
    return model_arm(settings, root, until, adapted=True, which=which)


def copier_and_adapter(
    settings: Settings, root: Path, until: str | None, which: Adapter = None
) -> tuple[Engine, dict[str, Any]]:
    """What serves editors: the copier beside the model with its adapter."""
    return model_arm(settings, root, until, copier=True, adapted=True, which=which)


def model_arm(
    settings: Settings,
    root: Path,
    until: str | None,
    *,
    context: bool = True,
    copier: bool = False,
    adapted: bool = False,
    which: Adapter = None,
) -> tuple[Engine, dict[str, Any]]:
    """An engine that asks the model which the settings name, and what it is made of. ``stop()`` frees the model.

    :param context: whether code of the repository is in its prompts.
    :param copier: whether the copier stands beside it, as it does when it serves.
    :param adapted: whether it has an adapter: ``which``, else the version that the registry's ``current`` names.
    :raises UserError: there is no such model or adapter, or the adapter has seen commits that are replayed.
    """
    told: list[str] = []
    version = _adapter(settings, root, until, which) if adapted else None

    def load() -> Any:
        if settings.backend == "remote":
            return load_remote(settings)
        backend: Any = load_local(settings, PROMPT_TOKENS, told.append)
        if version is not None:
            backend.set_adapter(version)
        return backend

    source = ModelRunner(load, Packer(None, root.name), tell=told.append, patience=UNHURRIED)
    about: dict[str, Any] = {**source.loaded(), "waits": AWAITED}
    about["context"] = "from the index" if context or copier else "none"
    if told:
        about["notes"] = told
    if not copier:
        return ModelOnlyEngine(settings, source, retrieval=context), about
    from finetune.evaluation.own_gate import usable

    gate = usable(settings, root, until)
    patient = replace(settings, deadline_ms=int(1000 * 2 * (UNHURRIED.generation)))
    about["gate"] = "shipped" if gate is None else "fitted on this repository"
    return HybridEngine(patient, RetrievalEngine(settings, None, gate=gate), source), about


def _adapter(settings: Settings, root: Path, until: str | None, which: Adapter) -> AdapterVersion:
    """The adapter, verified; nothing heavy has been loaded yet."""
    if settings.backend == "remote":
        raise UserError("a remote server loads adapters itself", "set remote_model to the adapter's name and use base")
    registry, folder = registry_directory(settings, root), open_base(settings.base_model)
    if which is None:
        which = current_number(registry)
    if which is None:
        raise UserError(f"{root.name} has no adapter yet", "make one with `ondol finetune`, or name a folder")
    if isinstance(which, Path):
        return read_folder(which, folder.tensors)
    version = read_version(registry, which, folder.identity, folder.spec.name, folder.tensors)
    _require_unseen(version, root, until)
    return version


def _require_unseen(version: AdapterVersion, root: Path, until: str | None) -> None:
    """Nothing that is replayed may have been seen in training. A plain folder does not say; whoever names it knows."""
    commits = version.manifest.get("commits")
    newest = commits.get("newest") if isinstance(commits, dict) else None
    cure = "replay newer commits alone, with --commits or --since"
    if until is None or not isinstance(newest, str):
        raise UserError(f"what adapter version {version.number} has seen of the replayed code is not known", cure)
    try:
        seen = bool(beyond(root, until, [Commit(newest, None, 0, "")]))
    except OndolError as error:
        raise UserError(f"adapter version {version.number} was trained on commits that are gone", cure) from error
    if seen:
        raise UserError(
            f"adapter version {version.number} has seen commits up to {newest[:12]}, which are replayed", cure
        )
