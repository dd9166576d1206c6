"""The replay of a nightly job: held-out commits against the systems that the promotion gate compares.

Each system loads its own model. Small models are in memory together and take turns at every cursor, so that a busy
machine slows all of them alike; of larger models only one is in memory at a time.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from finetune.commits.stages import ProgressReporter, ReplayPlan, Stage, commit_stages
from finetune.commits.windows import SkipReport
from finetune.evaluation import model_systems
from finetune.evaluation.metrics import ScoredAnswer
from finetune.evaluation.replay import run
from finetune.evaluation.summary import summarise
from finetune.evaluation.systems import System, retrieval
from finetune.nightly import canaries
from finetune.nightly.commit_split import CommitSplit
from finetune.nightly.promotion import BASE, CANDIDATE, CURRENT, HYBRID_CURRENT, HYBRID_NEW
from indexer.config import Settings
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.loading import load_local
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.types import Engine
from lsp_server.weights.adapter_registry import read_folder
from lsp_server.weights.adapter_registry_writer import Version

TOGETHER_BYTES: Final = 2 * 10**9
"""Largest weights of a base of which all systems are in memory at once."""

PhaseReporter = Callable[[str, int, int], None]
SystemFactory = Callable[[], tuple[Engine, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: commits of a repository, at a number of cursors that a seed draws."""

    root: Path
    settings: Settings
    split: CommitSplit
    cases: int
    seed: int


@dataclass(frozen=True, slots=True)
class Judged:
    """The result of the replay.

    :param systems: scored answers by system.
    :param summary: all figures, plain data.
    :param leaks: phrases for the gate.
    :param about: what each system consists of.
    :param stages: facts about each stage.
    :param skips: what was left out, and sentences for the user.
    """

    systems: dict[str, list[ScoredAnswer]]
    summary: dict[str, Any]
    leaks: tuple[str, ...]
    about: dict[str, dict[str, Any]]
    stages: list[dict[str, Any]]
    skips: SkipReport

    @property
    def headline(self) -> dict[str, Any]:
        """Exact match and latency of each system."""
        return {
            name: {"exact": system["overall"]["exact"], "latency_ms": system["latency_ms"]}
            for name, system in self.summary["systems"].items()
        }


def judge(replay: Replay, folder: Path, adapter: Path, current: Version | None, report: PhaseReporter) -> Judged:
    """Replay the held-out commits and ask the trained model for the canaries.

    :param folder: a folder for temporary trees and indexes; it is removed afterwards.
    :param adapter: the new adapter's folder, as peft writes it.
    """
    root, settings, seed = replay.root, replay.settings, replay.seed
    skips = SkipReport()
    plan = ReplayPlan(replay.cases // 2, replay.cases - replay.cases // 2, seed)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        report("asking for the canaries", 0, 0)
        leaks = _leaks(settings, adapter, seed)
        reporter = ProgressReporter(phase=report)
        stages = list(commit_stages(root, replay.split.replayed, settings, plan, folder, skips, reporter))
        factories = _factories(root, settings, replay.split.until, adapter, current)
        systems, about = _replay(stages, factories, settings, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summary: dict[str, Any] = {"cases": 0, "systems": {}, "differences": []}
    if systems[CANDIDATE]:
        leaks += canaries.secrets_written(systems[CANDIDATE], systems[BASE])
        summary = summarise(systems, seed)
    for system in summary["systems"].values():
        del system["groups"]["directory"], system["curve"], system["calibration"]
    return Judged(systems, summary, leaks, about, [stage.about for stage in stages], skips)


def _factories(
    root: Path, settings: Settings, until: str, adapter: Path, current: Version | None
) -> dict[str, SystemFactory]:
    """Return the systems by name. The current adapter takes part even if it was trained on the replayed commits."""

    def system(**options: Any) -> SystemFactory:
        return lambda: model_systems.model_system(settings, root, until, **options)

    found = {
        "retrieval": lambda: retrieval(settings, root, until),
        "base": system(context=False),
        BASE: system(),
        "adapter": system(context=False, adapted=True, adapter=adapter),
        CANDIDATE: system(adapted=True, adapter=adapter),
    }
    now: dict[str, Any] = {}
    if current is not None:
        now = {"adapted": True, "adapter": current.path}
        found[CURRENT] = system(**now)
    found[HYBRID_CURRENT] = system(hybrid=True, **now)
    found[HYBRID_NEW] = system(hybrid=True, adapted=True, adapter=adapter)
    return found


def _replay(
    stages: Sequence[Stage], factories: dict[str, SystemFactory], settings: Settings, report: PhaseReporter
) -> tuple[dict[str, list[ScoredAnswer]], dict[str, dict[str, Any]]]:
    """Return the scored answers of each system, and what each consists of."""
    size = sum(path.stat().st_size for path in Path(settings.base_model).glob("*.safetensors"))
    groups = [list(factories)] if size <= TOGETHER_BYTES else [[name] for name in factories]
    total, done = len(groups) * sum(len(stage.cases) for stage in stages), [0]

    def answered() -> None:
        done[0] += 1
        report("replaying", done[0], total)

    answers: dict[str, list[ScoredAnswer]] = {}
    about: dict[str, dict[str, Any]] = {}
    for names in groups:
        systems = []
        try:
            for name in names:
                report(f"loading {name}", 0, 0)
                engine, about[name] = factories[name]()
                systems.append(System(name, engine, about[name]))
            answers |= run(stages, systems, ProgressReporter(case_answered=answered)).systems
        finally:
            for system in systems:
                system.engine.stop()
    return answers, about


def _leaks(settings: Settings, adapter: Path, seed: int) -> tuple[str, ...]:
    """Ask the trained model for the canaries, with an editor's prompt and with the prefix alone."""
    backend: Any = load_local(settings, PROMPT_TOKENS, lambda problem: None)
    try:
        backend.set_adapter(read_folder(adapter, backend.folder.tensors))
        limits = Limits(max_tokens=2 * canaries.LENGTH)

        def complete(canary: canaries.Canary) -> str:
            written = [
                backend.generate(backend.render(PromptInput(canary.path, canary.prefix, suffix)), limits).text
                for suffix in (canary.suffix, "")
            ]
            return "\n".join(written)

        planted = canaries.make(seed)
        return canaries.phrases(planted, canaries.leaked(planted, complete))
    finally:
        backend.close()
