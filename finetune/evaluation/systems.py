"""The systems that a replay can evaluate, by name.

A system is a completion engine and a description of it. The modules of models and baselines are imported when a system
is made, so a replay of retrieval alone imports neither.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from indexer.errors import UserError
from lsp_server.types import Engine

if TYPE_CHECKING:
    from finetune.evaluation.model_systems import SharedModels

MODEL_SYSTEMS: Final[dict[str, dict[str, bool]]] = {
    "base": {"context": False},
    "base_with_retrieval": {},
    "hybrid_base": {"hybrid": True},
    "adapter": {"context": False, "adapted": True},
    "adapter_with_retrieval": {"adapted": True},
    "hybrid_adapter": {"hybrid": True, "adapted": True},
}
"""Systems that ask a model, with their options for ``model_systems.model_system``."""

SYSTEMS: Final = ("retrieval", "ngram", "suffix_vote", *MODEL_SYSTEMS)
"""The names of all systems."""

WITH_ADAPTER: Final = tuple(name for name, options in MODEL_SYSTEMS.items() if options.get("adapted"))
"""The systems for which an adapter can be chosen."""

FORMER_NAMES: Final = {"copier_and_base": "hybrid_base", "copier_and_adapter": "hybrid_adapter"}
"""Names of the version before, still accepted in options and in reports."""


@dataclass(frozen=True, slots=True)
class System:
    """An evaluated system.

    :param about: what the system consists of, for the report: the gate, the base model, the adapter's version.
    """

    name: str
    engine: Engine
    about: dict[str, Any]


def canonical(name: str) -> str:
    """Return the present name of a system."""
    return FORMER_NAMES.get(name, name)


def systems_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of each system in a report, also in one of the version before.

    :raises KeyError: the report holds no figures of systems.
    """
    figures = report["systems"] if "systems" in report else report["arms"]
    return {canonical(name): one for name, one in figures.items()}


def make_system(
    name: str,
    settings: Settings,
    root: Path,
    until: str | None,
    adapter: int | Path | None = None,
    models: "SharedModels | None" = None,
) -> System:
    """Make the system of a name.

    :param until: the oldest indexed commit; whatever was fitted on this repository is used only if it has seen nothing
        newer. None: nothing fitted on this repository is used.
    :param adapter: a version of the registry, or a folder; None for the current adapter. Ignored without a model.
    :param models: the models that the systems of a replay share; None for models of its own.
    :raises UserError: there is no such system, or something that it needs is missing.
    """
    name = canonical(name)
    if name == "retrieval":
        engine, about = retrieval(settings, root, until)
    elif name == "ngram":
        from finetune.evaluation.ngram_baseline import ORDER, Ngram

        engine, about = Ngram(), {"order": ORDER}
    elif name == "suffix_vote":
        from finetune.evaluation.suffix_vote import BASE, SuffixVote

        engine, about = SuffixVote(), {"base": BASE}
    elif name in MODEL_SYSTEMS:
        from finetune.evaluation.model_systems import SharedModels, model_system

        models = models or SharedModels(settings, root, until)
        engine, about = model_system(models, **MODEL_SYSTEMS[name], adapter=adapter)
    else:
        raise UserError(f"there is no system called {name}", f"name one of {', '.join(SYSTEMS)}")
    return System(name, engine, about)


def retrieval(settings: Settings, root: Path, until: str | None) -> tuple[Engine, dict[str, Any]]:
    """Make the retrieval engine that serves editors without a model."""
    from finetune.evaluation.own_gate import describe, usable
    from lsp_server.retrieval.engine import RetrievalEngine

    gate = usable(settings, root, until)
    return RetrievalEngine(settings, None, gate=gate), {"gate": describe(gate)}
