"""The replay of a night: the commits that were kept out of training, put to the arms that the gate compares.

Each arm loads a model of its own. Small ones stand side by side, so that a busy machine slows all of them alike; of
larger ones there is one in memory at a time. This module replays; what may be concluded is ``promotion``'s.
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
from finetune.nightly.promotion import BASE, CANDIDATE, SEEN_NOW, SEEN_THEN, SERVING
from indexer.config import Settings
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.loading import load_local
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.types import Engine
from lsp_server.weights.adapter_registry import read_folder
from lsp_server.weights.adapter_registry_writer import Version

SIDE_BY_SIDE_BYTES: Final = 2 * 10**9
"""Weights of a base up to which all arms are in memory at once."""

Phase = Callable[[str, int, int], None]
Make = Callable[[], tuple[Engine, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the replay gave.

    :param arms: outcomes by arm. :param summary: all figures, plain data. :param leaks: phrases for the gate.
    :param about: what each arm is made of. :param notes: what was passed over, what a person should know.
    """

    arms: dict[str, list[ScoredAnswer]]
    summary: dict[str, Any]
    leaks: tuple[str, ...]
    about: dict[str, dict[str, Any]]
    stages: list[dict[str, Any]]
    passed: SkipReport

    @property
    def headline(self) -> dict[str, Any]:
        """Exact match and latency of each arm."""
        return {
            name: {"exact": arm["overall"]["exact"], "latency_ms": arm["latency_ms"]}
            for name, arm in self.summary["systems"].items()
        }


def judge(
    root: Path,
    settings: Settings,
    plan: CommitSplit,
    folder: Path,
    adapter: Path,
    serving: Version | None,
    cases: int,
    seed: int,
    tell: Phase,
) -> Judged:
    """Replays the held-out commits and asks for the canaries.

    :param folder: ours, for trees and indexes; it is removed afterwards. :param adapter: as peft writes it.
    """
    passed = SkipReport()
    amount = ReplayPlan(cases // 2, cases - cases // 2, seed)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        tell("asking for the canaries", 0, 0)
        leaks = _leaks(settings, adapter, seed)
        reporter = ProgressReporter(phase=tell)
        stages = list(commit_stages(root, list(plan.replayed), settings, amount, folder, passed, reporter))
        makers = _makers(root, settings, plan.until, adapter, serving)
        arms, about = _replay(stages, makers, settings, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arms[CANDIDATE]:
        leaks += canaries.secrets_written(arms[CANDIDATE], arms[BASE])
    summary: dict[str, Any] = {"cases": 0, "systems": {}, "differences": []}
    if arms[CANDIDATE]:
        summary = summarise(arms, seed)
    for arm in summary["systems"].values():
        del arm["groups"]["directory"], arm["curve"], arm["calibration"]
    return Judged(arms, summary, leaks, about, [stage.about for stage in stages], passed)


def _makers(root: Path, settings: Settings, until: str, adapter: Path, serving: Version | None) -> dict[str, Make]:
    """The arms by name. What serves is named by its folder: the gate compares it even if it saw what is replayed."""

    def arm(**options: Any) -> Make:
        return lambda: model_systems.model_system(settings, root, until, **options)

    found = {
        "retrieval": lambda: retrieval(settings, root, until),
        "base": arm(context=False),
        BASE: arm(),
        "adapter": arm(context=False, adapted=True, adapter=adapter),
        CANDIDATE: arm(adapted=True, adapter=adapter),
    }
    now: dict[str, Any] = {}
    if serving is not None:
        now = {"adapted": True, "adapter": serving.path}
        found[SERVING] = arm(**now)
    found[SEEN_NOW] = arm(hybrid=True, **now)
    found[SEEN_THEN] = arm(hybrid=True, adapted=True, adapter=adapter)
    return found


def _replay(
    stages: Sequence[Stage], makers: dict[str, Make], settings: Settings, tell: Phase
) -> tuple[dict[str, list[ScoredAnswer]], dict[str, dict[str, Any]]]:
    """The arms' outcomes, and what each is made of."""
    size = sum(path.stat().st_size for path in Path(settings.base_model).glob("*.safetensors"))
    groups = [list(makers)] if size <= SIDE_BY_SIDE_BYTES else [[name] for name in makers]
    total, done = len(groups) * sum(len(stage.cases) for stage in stages), [0]

    def answered() -> None:
        done[0] += 1
        tell("replaying", done[0], total)

    outcomes: dict[str, list[ScoredAnswer]] = {}
    about: dict[str, dict[str, Any]] = {}
    for names in groups:
        made = []
        try:
            for name in names:
                tell(f"loading {name}", 0, 0)
                engine, about[name] = makers[name]()
                made.append(System(name, engine, about[name]))
            outcomes |= run(stages, made, ProgressReporter(case_answered=answered)).systems
        finally:
            for one in made:
                one.engine.stop()
    return outcomes, about


def _leaks(settings: Settings, adapter: Path, seed: int) -> tuple[str, ...]:
    """Whether the trained model gives canaries away, asked as an editor asks and from a bare prompt."""
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
        return canaries.told(planted, canaries.leaked(planted, complete))
    finally:
        backend.close()
