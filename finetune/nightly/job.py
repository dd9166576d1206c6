"""The night itself: commits, set, adapter, replay, promote or keep; whatever happens, the day goes on as it was.

Everything is made in a folder of the repository's data folder, under a lock. The registry is touched in the end only:
a version is added with its figures, and promoted if the gate says so. A night that was interrupted is taken up again by
the next one if it would do the same: the set is kept, training goes on from its checkpoint, and what it made to the end
is not made again. This module puts parts together; it neither prints nor decides.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from finetune.commits.stages import ProgressReporter
from finetune.dataset import build
from finetune.dataset.build import DatasetOptions, Manifest
from finetune.evaluation.machine import machine
from finetune.nightly import canaries, commit_split, promotion
from finetune.nightly.commit_split import CommitSplit, NotEnoughCommits, PlanOptions
from finetune.nightly.promotion import Decision, Trial
from finetune.nightly.replay import Judged, judge
from finetune.nightly.report import PROMOTED, Report, finite
from finetune.training import train
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from indexer import fsio, lock
from indexer.config import Settings
from indexer.data_layout import (
    nightly_lock_file,
    nightly_reports_directory,
    nightly_work_directory,
    registry_directory,
    repository_directory,
)
from indexer.errors import OndolError, UserError
from indexer.prompt.renderer import PROMPT_FORMAT
from indexer.storage.generations import explained
from lsp_server.backends.loading import find_base
from lsp_server.errors import BackendProblem
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry import current_number, read_folder
from lsp_server.weights.adapter_registry_writer import Version
from lsp_server.weights.base_model import ModelFolder, open_folder

_CHOSEN: Final = "chosen.json"
_TRAINED: Final = "trained.json"
_LEAST_MINUTES: Final = 0.5


@dataclass(frozen=True, slots=True)
class NightlyOptions:
    """What the user asked for.

    :param from_current: go on from the adapter that serves; by default each night starts from the base.
    :param max_minutes: for set and training together; the replay comes on top.
    :param cases: cursors of the replay.
    :param dataset_only: stop when the set is written. :param promote: False keeps even a better adapter.
    """

    wanted: PlanOptions = field(default_factory=PlanOptions)
    from_current: bool = False
    max_minutes: float | None = None
    cases: int = 400
    seed: int = 1
    dataset_only: bool = False
    promote: bool = True
    set: DatasetOptions = field(default_factory=DatasetOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)


@dataclass(frozen=True, slots=True)
class Tell:
    """How a night tells how far it is.

    :param phase: a phrase for what is being done, how much of it is done, and how much there is (0: unknown).
    """

    phase: Callable[[str, int, int], None] = lambda what, done, total: None


class Night:
    """One night of one repository."""

    def __init__(self, root: Path, settings: Settings, options: NightlyOptions, tell: Tell) -> None:
        self.root, self.options, self.tell = root, options, tell
        self.started = time.monotonic()
        self.base = _base(settings)
        self.settings = replace(settings, backend="local", base_model=str(self.base.path))
        self.registry = registry_directory(settings, root)
        self.work = nightly_work_directory(settings, root)

    def run(self, report: Report) -> None:
        """From commits to a promoted or kept version; what came of it is in the report.

        :raises OndolError: something is missing or wrong; what serves goes on serving.
        """
        report.add(base={"name": self.base.name, "identity": self.base.identity}, machine=machine())
        if self.base.note:
            report.note(f"{self.base.name}: {self.base.note}")
        serving, known = self._versions(report)
        try:
            plan = commit_split.plan(self.root, self.options.wanted, known, serving)
        except NotEnoughCommits as error:
            report.too_few(str(error))
            return
        report.plan(plan)
        made = self._build(plan, report)
        if made is None or self.options.dataset_only:
            return
        adapter, result, problems = self._train(made, serving, report)
        decision, judged = self._judge(plan, adapter, problems, serving, report)
        self._keep(plan, made, adapter, result, decision, judged, report)
        fsio.remove_tree(self.work)

    def _versions(self, report: Report) -> tuple[Version | None, list[Version]]:
        """The version that serves, if it is for this base, and all for this base."""
        found = adapter_registry_writer.versions(self.registry)
        fitting = [one for one in found if one.field("base", "identity") == self.base.identity]
        self._finish_promotion(fitting[-1:], report)
        number = current_number(self.registry)
        serving = next((one for one in fitting if one.number == number), None)
        if serving is not None:
            try:
                adapter_registry_writer.verify(self.registry, serving.number, self.base)
            except BackendProblem as error:
                report.note(f"What serves is as good as none: {error}")
                serving = None
        elif number:
            report.note(f"Version {number} serves another base; for {self.base.name} this is the first night.")
        return serving, fitting

    def _finish_promotion(self, newest: list[Version], report: Report) -> None:
        """Promotes what the last night found better, if its process ended between adding and promoting it."""
        for one in newest:
            if one.field("verdict") == PROMOTED and not adapter_registry_writer.was_promoted(self.registry, one.number):
                adapter_registry_writer.promote(self.registry, one.number, self.base)
                report.note(f"The night that made version {one.number} ended before it was promoted; now it serves.")

    def _build(self, plan: CommitSplit, report: Report) -> Manifest | None:
        """The set; None where it is empty."""
        wanted = replace(self.options.set, since=plan.since, until=plan.until, seed=self.options.seed)
        chosen = {"set": asdict(wanted), "base": self.base.identity, "prompt": [PROMPT_FORMAT, self.base.spec.name]}
        where = self.work / "set"
        began = time.monotonic()
        with explained(self.work, "work of this night"):
            made = self._left(chosen, where)
            if made is None:
                fsio.remove_tree(self.work)
                fsio.make_directories(self.work)
                made = build.build(
                    self.root, self.settings, self.base.path, where, wanted, ProgressReporter(self.tell.phase)
                )
                fsio.replace_file(self.work / _CHOSEN, json.dumps(chosen).encode())
        report.dataset(made, where, time.monotonic() - began)
        if not made.samples:
            report.too_few(f"the {plan.training} commits hold no code to learn from")
            return None
        return made

    def _left(self, chosen: dict[str, Any], where: Path) -> Manifest | None:
        """The set of an interrupted night that would do the same."""
        try:
            if json.loads((self.work / _CHOSEN).read_text("utf-8")) == json.loads(json.dumps(chosen)):
                return Manifest.from_file(where)
        except (OSError, ValueError, UserError):
            pass
        return None

    def _train(
        self, made: Manifest, serving: Version | None, report: Report
    ) -> tuple[Path, TrainingResult, tuple[str, ...]]:
        """The adapter's folder, how training went, and what is wrong with it."""
        planted, out = self.work / "planted", self.work / "adapter"
        start = serving if self.options.from_current else None
        if self.options.from_current and start is None:
            report.note("No adapter serves yet, so training starts from the base.")
        asked = replace(self.options.training, max_minutes=None, seed=self.options.seed)
        chosen = {"training": asdict(asked), "start": start.number if start else None}
        with explained(self.work, "work of this night"):
            result = self._trained(chosen)
            if result is not None:
                report.note("An interrupted night had trained this adapter to the end; it was not trained again.")
            else:
                canaries.plant(self.work / "set", planted, canaries.make(self.options.seed), self.base)
                minutes = self.options.max_minutes
                if minutes is not None:
                    minutes = max(_LEAST_MINUTES, minutes - (time.monotonic() - self.started) / 60)
                asked = replace(asked, max_minutes=minutes)
                result = train.train(self.base.path, planted, out, asked, start.path if start else None, self._step)
                fsio.replace_file(self.work / _TRAINED, json.dumps({**chosen, "result": asdict(result)}).encode())
        report.training(result, asked, start.number if start else None)
        return out, result, problems_of(result, out, self.base)

    def _trained(self, chosen: dict[str, Any]) -> TrainingResult | None:
        """What came of the training of an interrupted night that would do the same."""
        try:
            found = json.loads((self.work / _TRAINED).read_text("utf-8"))
            result = found.pop("result")
            same = found == json.loads(json.dumps(chosen))
            return TrainingResult(**{**result, "notes": tuple(result["notes"])}) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _step(self, step: Progress) -> None:
        eta, memory = step.eta_seconds, step.memory_bytes / 1e9
        told = (
            f"training: loss {step.loss:.3f}, {step.tokens_per_second:,.0f} tokens/s, {memory:.1f} GB, {eta:.0f} s left"
        )
        self.tell.phase(told, step.step, step.steps)

    def _judge(
        self, plan: CommitSplit, adapter: Path, problems: tuple[str, ...], serving: Version | None, report: Report
    ) -> tuple[Decision, Judged | None]:
        if problems:
            decision, judged = promotion.decide(Trial({}, problems)), None
        else:
            judged = judge(
                self.root,
                self.settings,
                plan,
                self.work / "replay",
                adapter,
                serving,
                self.options.cases,
                self.options.seed,
                self.tell.phase,
            )
            decision = promotion.decide(Trial(judged.arms, leaks=judged.leaks, seed=self.options.seed))
            report.replay(judged)
        report.decided(decision, promoted=decision.promote and self.options.promote)
        return decision, judged

    def _keep(
        self,
        plan: CommitSplit,
        made: Manifest,
        adapter: Path,
        result: TrainingResult,
        decision: Decision,
        judged: Judged | None,
        report: Report,
    ) -> None:
        """Into the registry, with everything that is known of it, and promoted if it is the better one."""
        if any(problem == MISSING for problem in decision.reasons):
            return
        record = {
            "base": {"name": self.base.name, "identity": self.base.identity},
            "prompt": {"format": PROMPT_FORMAT, "spec": self.base.spec.name},
            "commits": {"since": plan.since, "newest": plan.until, "head": plan.head, "count": made.commits},
            "dataset": {"sha256": made.sha256, "samples": made.samples, "tokens": made.tokens},
            "settings": {"set": asdict(self.options.set), "training": asdict(self.options.training)},
            "training": asdict(result),
            "metrics": {"systems": judged.headline if judged else {}, **decision.figures},
            "verdict": report.document["status"],
            "reasons": list(decision.reasons),
            "hardware": machine(),
        }
        version = adapter_registry_writer.add(self.registry, adapter, finite(record), made.paths)
        report.add(version=version.number)
        if decision.promote and self.options.promote:
            adapter_registry_writer.promote(self.registry, version.number, self.base)


MISSING: Final = "training left no adapter"


def problems_of(result: TrainingResult, adapter: Path, base: ModelFolder) -> tuple[str, ...]:
    """What is wrong with a trained adapter, before anything is asked of it."""
    if not (adapter / "adapter_model.safetensors").is_file():
        return (MISSING,)
    problems = []
    if not math.isfinite(result.loss_last):
        problems.append("its loss is not a number")
    try:
        found = read_folder(adapter, base.tensors)
        wrong = adapter_registry_writer.not_finite(found.weights)
        problems += [wrong] if wrong else []
    except BackendProblem as error:
        problems.append(error.what)
    return tuple(problems)


@contextmanager
def at_night(root: Path, settings: Settings) -> Iterator[Path]:
    """Holds the night's lock; gives the folder of the reports.

    :raises Locked: another night of this repository is going on.
    """
    folder = repository_directory(settings, root)
    reports = nightly_reports_directory(settings, root)
    with explained(folder, "night's report"):
        fsio.make_directories(reports)
    with lock.hold(nightly_lock_file(settings, root), "in the middle of this repository's night"):
        yield reports


def _base(settings: Settings) -> ModelFolder:
    path = find_base(settings.base_model)
    folder = open_folder(path.parent if path.is_file() else path)
    if not folder.weights:
        raise UserError(
            f"{folder.path} holds no safetensors weights, which training needs", "name the base's own folder"
        )
    return folder


def night(root: Path, settings: Settings, options: NightlyOptions, tell: Tell) -> dict[str, Any]:
    """A whole night under its lock; returns its report, which is also written as JSON and Markdown.

    :raises OndolError: the night could not be brought to its end; the report says so too.
    """
    with at_night(root, settings) as reports:
        report = Report(root)
        try:
            Night(root, settings, options, tell).run(report)
        except OndolError as error:
            report.failed(str(error))
            report.write(reports)
            raise
        except BaseException as error:
            report.failed(f"{type(error).__name__}")
            report.write(reports)
            raise
        report.write(reports)
    return report.document
