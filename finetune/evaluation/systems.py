"""The arms of a replay: what can be put to the cases, by name.

An arm is a factory of something with the engine's interface. Factories are joined by name and imported when an arm is
asked for, so that a replay of copies alone imports no model. This module knows no engine but by these names.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.errors import UserError
from lsp_server.types import Engine

ARMS: Final = {
    "retrieval": "finetune.evaluation.systems:retrieval",
    "ngram": "finetune.evaluation.ngram_baseline:ngram",
    "base": "finetune.evaluation.model_systems:base",
    "base_with_retrieval": "finetune.evaluation.model_systems:base_with_retrieval",
    "copier_and_base": "finetune.evaluation.model_systems:copier_and_base",
    "adapter": "finetune.evaluation.model_systems:adapter",
    "adapter_with_retrieval": "finetune.evaluation.model_systems:adapter_with_retrieval",
    "copier_and_adapter": "finetune.evaluation.model_systems:copier_and_adapter",
}
"""Every arm that there can be: the module and the name of its factory."""

ADAPTED: Final = frozenset({"adapter", "adapter_with_retrieval", "copier_and_adapter"})
"""Arms whose factories take which adapter they shall have, as ``which``."""


@dataclass(frozen=True, slots=True)
class Arm:
    """An engine to be replayed.

    :param about: what it is made of, for the report: the gate, the base model, the adapter's version.
    """

    name: str
    engine: Engine
    about: dict[str, Any]


Factory = Callable[..., tuple[Engine, dict[str, Any]]]
"""Makes an arm's engine and says what it is made of, for settings, a repository, and the commit that what was fitted
on this repository must not be newer than (None: nothing fitted on it may be used)."""


def make(name: str, settings: Settings, root: Path, until: str | None, adapter: int | Path | None = None) -> Arm:
    """The arm of a name.

    :param until: what is fitted on the repository's own history is used if it saw nothing past this commit.
    :param adapter: for arms that have one: a version of the registry, or a folder; None for the version that serves.
    :raises UserError: there is no such arm, or what it needs is not there.
    """
    if name not in ARMS:
        raise UserError(f"there is no arm called {name}", f"name one of {', '.join(ARMS)}")
    module, _, attribute = ARMS[name].partition(":")
    factory: Factory = getattr(importlib.import_module(module), attribute)
    which = {"which": adapter} if name in ADAPTED else {}
    engine, about = factory(settings, root, until, **which)
    return Arm(name, engine, about)


def retrieval(settings: Settings, root: Path, until: str | None) -> tuple[Engine, dict[str, Any]]:
    """The engine without a model, as it serves editors."""
    from finetune.evaluation.own_gate import usable
    from lsp_server.retrieval.engine import RetrievalEngine

    gate = usable(settings, root, until)
    return RetrievalEngine(settings, None, gate=gate), {
        "gate": "shipped" if gate is None else "fitted on this repository"
    }
