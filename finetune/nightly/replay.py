"""The replay of a nightly job: held-out commits against the systems that the promotion gate compares.

Systems with the same adapter share one model. Small models are in memory together and take turns at every cursor, so
that a busy machine slows all of them alike; of larger models only one is in memory at a time. When the time is over,
the cursors count that every system has answered.
"""

import gc
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from finetune.commits.cases import Case
from finetune.commits.stages import ProgressReporter, ReplayPlan, Stage, commit_stages
from finetune.commits.windows import SkipReport
from finetune.evaluation import model_systems
from finetune.evaluation.metrics import ScoredAnswer
from finetune.evaluation.replay import run
from finetune.evaluation.stopping import Stopped
from finetune.evaluation.summary import summarise
from finetune.evaluation.systems import System, retrieval
from finetune.nightly import canaries
from finetune.nightly.commit_split import CommitSplit
from finetune.nightly.promotion import BASE, CANDIDATE, CURRENT, HYBRID_CURRENT, HYBRID_NEW
from indexer.config import Settings
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.loading import load_local, open_base
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.types import Engine
from lsp_server.weights.adapter_registry import read_folder
from lsp_server.weights.adapter_registry_writer import Version
from lsp_server.weights.gguf_reader import parts_of

TOGETHER_BYTES: Final = 10**9
"""Largest weights of a base of which all models, three at most, are in memory at once."""

PhaseReporter = Callable[[str, int, int], None]
SystemFactory = Callable[[], tuple[Engine, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: commits of a repository, at a number of cursors that a seed draws.

    :param prompt_tokens: longest prompt. :param alone: whether the systems without context take part.
    :param until: the end of the replay, by the monotonic clock; None for no limit.
    """

    root: Path
    settings: Settings
    split: CommitSplit
    cases: int
    seed: int
    prompt_tokens: int = PROMPT_TOKENS
    alone: bool = True
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The result of the replay.

    :param systems: scored answers by system.
    :param summary: all figures, plain data.
    :param leaks: phrases for the gate.
    :param about: what each system consists of.
    :param stages: facts about each stage.
    :param skips: what was left out, and sentences for the user.
    :param stopped: the signal that ended the replay; nothing may be decided then.
    """

    systems: dict[str, list[ScoredAnswer]]
    summary: dict[str, Any]
    leaks: tuple[str, ...]
    about: dict[str, dict[str, Any]]
    stages: list[dict[str, Any]]
    skips: SkipReport
    stopped: Stopped | None = None

    @property
    def cursors(self) -> int:
        """Number of cursors that every system has answered."""
        return min(map(len, self.systems.values()), default=0)

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
        gc.collect()
        reporter = ProgressReporter(phase=report)
        stages = list(commit_stages(root, replay.split.replayed, settings, plan, folder, skips, reporter))
        systems, about, stopped = _replay(stages, _groups(replay, adapter, current), replay, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    done, drawn = len(systems[CANDIDATE]), sum(len(stage.cases) for stage in stages)
    if done < drawn and stopped is None:
        skips.note(f"The time was over after {done:,} of {drawn:,} cursors.")
    summary: dict[str, Any] = {"cases": 0, "systems": {}, "differences": []}
    if systems[CANDIDATE]:
        leaks += canaries.secrets_written(systems[CANDIDATE], systems[BASE])
        summary = summarise(systems, seed)
    for system in summary["systems"].values():
        del system["groups"]["directory"], system["curve"], system["calibration"]
    return Judged(systems, summary, leaks, about, [stage.about for stage in stages], skips, stopped)


SystemGroup = dict[str, SystemFactory]
"""Systems that share a model, by name."""


def _groups(replay: Replay, adapter: Path, current: Version | None) -> list[SystemGroup]:
    """Return the systems of each model. The current adapter takes part even if it was trained on replayed commits."""
    root, settings, until = replay.root, replay.settings, replay.split.until
    models = model_systems.SharedModels(settings, root, until, replay.prompt_tokens, single_line=True)

    def system(**options: Any) -> SystemFactory:
        return lambda: model_systems.model_system(models, **options)

    plain: SystemGroup = {"base": system(context=False)} if replay.alone else {}
    new: SystemGroup = {"adapter": system(context=False, adapted=True, adapter=adapter)} if replay.alone else {}
    plain[BASE], new[CANDIDATE] = system(), system(adapted=True, adapter=adapter)
    new[HYBRID_NEW] = system(hybrid=True, adapted=True, adapter=adapter)
    groups: list[SystemGroup] = [{"retrieval": lambda: retrieval(settings, root, until)}, plain, new]
    if current is None:
        plain[HYBRID_CURRENT] = system(hybrid=True)
        return groups
    now = {"adapted": True, "adapter": current.path}
    return [*groups, {CURRENT: system(**now), HYBRID_CURRENT: system(hybrid=True, **now)}]


def _replay(
    stages: Sequence[Stage], groups: Sequence[SystemGroup], replay: Replay, report: PhaseReporter
) -> tuple[dict[str, list[ScoredAnswer]], dict[str, dict[str, Any]], Stopped | None]:
    """Return the scored answers of each system to the same cases, what each consists of, and what stopped it."""
    base = open_base(replay.settings.base_model)
    size = sum(path.stat().st_size for path in base.weights or parts_of(base.gguf[0]))
    if size <= TOGETHER_BYTES:
        groups = [{name: factory for group in groups for name, factory in group.items()}]
    total, done = len(groups) * sum(len(stage.cases) for stage in stages), [0]

    def answered() -> None:
        done[0] += 1
        report("replaying", done[0], total)

    answers: dict[str, list[ScoredAnswer]] = {}
    about: dict[str, dict[str, Any]] = {}
    for number, group in enumerate(groups):
        systems = []
        try:
            for name, factory in group.items():
                report(f"loading {name}", 0, 0)
                engine, about[name] = factory()
                systems.append(System(name, engine, about[name]))
            over = _shared_time(stages, replay.until, len(groups) - number)
            found = run(stages, systems, ProgressReporter(case_answered=answered), over=over)
        finally:
            for system in systems:
                system.engine.stop()
        answers |= found.systems
        if found.stopped is not None:
            return _common(answers, [name for group in groups for name in group]), about, found.stopped
        stages = _reached(stages, found.cases)
        gc.collect()
    return _common(answers, list(answers)), about, None


def _shared_time(stages: Sequence[Stage], until: float | None, groups: int) -> Callable[[int], bool]:
    """Return whether a stage's share of the time is over: an equal one of this group, divided by numbers of cases."""
    if until is None:
        return lambda stage: False
    now = time.monotonic()
    room = max(0.0, until - now) / groups
    reached = list(accumulate(len(stage.cases) for stage in stages))
    ends = [now + room * count / max(1, reached[-1]) for count in reached]
    return lambda stage: time.monotonic() > ends[stage]


def _reached(stages: Sequence[Stage], cases: Sequence[Case]) -> list[Stage]:
    """Return the stages with the answered cases alone: later systems answer no others."""
    answered = {id(case) for case in cases}
    return [replace(stage, cases=[case for case in stage.cases if id(case) in answered]) for stage in stages]


def _common(answers: dict[str, list[ScoredAnswer]], names: Sequence[str]) -> dict[str, list[ScoredAnswer]]:
    """Return the answers of all systems to the cases that each of them has answered."""

    def place(one: ScoredAnswer) -> tuple[str, str, int, str]:
        return one.commit, one.path, one.line, one.kind

    both = set.intersection(*({place(one) for one in answers.get(name, ())} for name in names))
    return {name: [one for one in answers.get(name, ()) if place(one) in both] for name in names}


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
