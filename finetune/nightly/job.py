"""The nightly job: choose commits, build a data set, train an adapter, replay, and promote or keep back.

The job works in a folder of the repository's data folder, under a lock. Only its end touches the registry: it adds a
version with its figures, and promotes it if the gate accepts it. The next job continues an interrupted one if it would
do the same: it keeps the data set, training continues from its checkpoint, and a finished training is not repeated.
"""

import gc
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from finetune.commits.allowed import HistoryRules
from finetune.commits.stages import SILENT, ProgressReporter
from finetune.dataset import build
from finetune.dataset.build import Manifest
from finetune.evaluation.machine import machine
from finetune.nightly import canaries, promotion, speeds
from finetune.nightly.commit_split import CommitSplit, NotEnoughCommits, split_commits
from finetune.nightly.options import NightlyOptions
from finetune.nightly.plan import NightPlan, Wish, plan_run, unlimited
from finetune.nightly.promotion import Decision, Trial
from finetune.nightly.replay import Judged, Replay, judge
from finetune.nightly.report import PROMOTED, Report, finite
from finetune.nightly.reported_run import reported_run
from finetune.training import train
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import (
    nightly_work_directory,
    registry_directory,
)
from indexer.errors import UserError
from indexer.prompt.renderer import PROMPT_FORMAT
from indexer.storage import fingerprint
from indexer.storage.write_errors import explained
from lsp_server.backends.loading import open_base
from lsp_server.errors import BackendProblem
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry import read_folder
from lsp_server.weights.adapter_registry_writer import Version
from lsp_server.weights.base_model import ModelFolder

MISSING: Final = "training left no adapter"

_CHOSEN: Final = "chosen.json"
_TRAINED: Final = "trained.json"
_KEPT: Final = ("samples", "max_tokens", "tokens_per_step")
"""Sizes of a plan that the run which continues an interrupted one takes over."""

_LEAST_MINUTES: Final = 0.5
DAY_S: Final = 86_400
_DOING: Final = "work of this nightly run"


def run_nightly_job(
    root: Path,
    settings: Settings,
    options: NightlyOptions,
    reporter: ProgressReporter = SILENT,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:
    """Run the nightly job of a repository under its lock; return the report, which is also written to disk.

    The report of a run that a signal ended says so and has an ``exit_code``.

    :param say: receives the plan in words, before the work begins.
    :raises OndolError: the job could not be finished; the report says so too.
    """
    return reported_run(root, settings, lambda report: NightlyJob(root, settings, options, report, reporter, say).run())


@dataclass(frozen=True, slots=True)
class _Trained:
    """A trained adapter: its folder as peft writes it, the result of the training, and what is wrong with it."""

    adapter: Path
    result: TrainingResult
    problems: tuple[str, ...]


class NightlyJob:
    """One nightly run of one repository."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        options: NightlyOptions,
        report: Report,
        reporter: ProgressReporter,
        say: Callable[[str], None],
    ) -> None:
        self.root, self.options, self.report, self.reporter, self.say = root, options, report, reporter, say
        self.started = time.monotonic()
        self.on_cpu = False
        self.base = training_base(settings)
        self.settings = replace(settings, backend="local", base_model=str(self.base.path))
        self.registry = registry_directory(settings, root)
        self.work = nightly_work_directory(settings, root)

    def run(self) -> None:
        """Go from commits to a promoted or kept version; the report holds the result.

        :raises OndolError: something is missing or wrong; the current adapter stays.
        """
        report = self.report
        report.add(base={"name": self.base.name, "identity": self.base.identity}, machine=machine())
        if self.base.note:
            report.note(f"{self.base.name}: {self.base.note}")
        current, versions = self._versions()
        try:
            split = split_commits(self.root, self.options.commits, versions, current)
        except NotEnoughCommits as error:
            report.too_few(str(error))
            return
        report.commits(split)
        plan = self._plan(current)
        manifest, plan = self._build(split, plan)
        if manifest is None or self.options.dataset_only:
            return
        trained = self._train(current, plan)
        decision, judged = self._judge(split, trained, current, plan)
        self._add_version(split, manifest, trained, decision, judged)
        fsio.remove_tree(self.work)

    def _versions(self) -> tuple[Version | None, list[Version]]:
        """Return the current adapter, if it is for this base, and all versions for this base."""
        found = adapter_registry_writer.versions(self.registry)
        fitting = [one for one in found if one.field("base", "identity") == self.base.identity]
        self._finish_promotion(fitting[-1:])
        number, problem = adapter_registry_writer.current(self.registry)
        if problem is not None:
            self.report.note(f"The registry is damaged: {problem}")
        current = next((one for one in fitting if one.number == number), None)
        if current is not None:
            try:
                adapter_registry_writer.verify(self.registry, current.number, self.base)
            except BackendProblem as error:
                self.report.note(f"The current adapter cannot be used: {error}")
                current = None
        elif number:
            self.report.note(f"Version {number} is for another base; this is the first run for {self.base.name}.")
        return current, fitting

    def _finish_promotion(self, newest: list[Version]) -> None:
        """Promote the last run's better adapter if its process ended between adding and promoting it."""
        for one in newest:
            if one.field("verdict") == PROMOTED and adapter_registry_writer.was_only_added(self.registry, one.number):
                adapter_registry_writer.promote(self.registry, one.number, self.base)
                self.report.note(f"The last run ended before it promoted version {one.number}; it is promoted now.")

    def _plan(self, current: Version | None) -> NightPlan:
        """Measure this machine and say how much of what was asked for fits into the time."""
        options = self.options
        longest = min(options.dataset.max_tokens, self.base.context)
        models = 3 if current is not None else 2
        training = options.training
        step = training.tokens_per_step
        wish = Wish(options.dataset.max_samples, training.epochs, options.cases, longest, step, models)
        limit = None if options.max_minutes is None else 60 * options.max_minutes
        if options.dataset_only:  # nothing is trained, so there is nothing to measure
            return unlimited(wish, "the data set alone was asked for")
        train.require_torch()
        self.reporter.phase("measuring this machine", 0, 0)
        measured = speeds.measure(self.base, self.settings, options.training)
        spent = time.monotonic() - self.started
        made = plan_run(measured, wish, limit, spent, time_of_day(datetime.now(UTC), (limit or 0.0) - spent))
        self.on_cpu = measured.on_cpu
        self.report.planned(made, measured)
        self.say(made.sentence)
        return made

    def _build(self, split: CommitSplit, plan: NightPlan) -> tuple[Manifest | None, NightPlan]:
        """Return the data set, built or left by an interrupted run, and the plan with the sizes of that run.

        The data set is None if it is empty.
        """
        wished = replace(self.options.dataset, since=split.since, until=split.until, seed=self.options.seed)
        options = replace(wished, max_samples=plan.samples, max_tokens=plan.max_tokens)
        chosen = {
            "set": asdict(wished),
            "minutes": self.options.max_minutes,
            "base": self.base.identity,
            "prompt": [PROMPT_FORMAT, self.base.spec.name],
            "rules": [fingerprint.outcome(self.settings), HistoryRules(self.root, self.settings).digest()],
        }
        folder = self.work / "set"
        began = time.monotonic()
        with explained(self.work, _DOING):
            manifest, kept = self._left_dataset(chosen, folder)
            plan = replace(plan, **kept)
            if manifest is None:
                fsio.remove_tree(self.work)
                fsio.make_directories(self.work)
                over = self._over(plan.set_until)
                manifest = build.build(self.root, self.settings, self.base.path, folder, options, self.reporter, over)
                kept = {name: getattr(plan, name) for name in _KEPT}
                fsio.replace_file(self.work / _CHOSEN, json.dumps({**chosen, "plan": kept}).encode())
        self.report.dataset(manifest, folder, time.monotonic() - began)
        if not manifest.samples:
            self.report.too_few(f"the {split.training} commits hold no code to learn from")
            return None, plan
        return manifest, plan

    def _over(self, until: float | None) -> Callable[[], bool]:
        """Return whether a number of seconds since the start has passed, each time it is asked."""
        return lambda: until is not None and time.monotonic() - self.started > until

    def _left_dataset(self, chosen: dict[str, Any], folder: Path) -> tuple[Manifest | None, dict[str, Any]]:
        """Return the data set of an interrupted run that made the same choices, and the sizes of its plan."""
        try:
            stored = json.loads((self.work / _CHOSEN).read_text("utf-8"))
            kept = {name: int(stored["plan"][name]) for name in _KEPT}
            del stored["plan"]
            if stored == json.loads(json.dumps(chosen)):
                return Manifest.from_file(folder), kept
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
            pass
        return None, {}

    def _train(self, current: Version | None, plan: NightPlan) -> _Trained:
        """Train an adapter, or take the one that an interrupted run finished."""
        start = current if self.options.from_current else None
        if self.options.from_current and start is None:
            self.report.note("There is no current adapter, so training starts from the base.")
        options = replace(
            self.options.training,
            max_minutes=None,
            seed=self.options.seed,
            max_length=plan.max_tokens,
            tokens_per_step=plan.tokens_per_step,
            rows_per_batch=1 if self.on_cpu else self.options.training.rows_per_batch,
        )
        out, number = self.work / "adapter", start.number if start else None
        with explained(self.work, _DOING):
            result = self._left_result(options, number)
            if result is not None:
                self.report.note("An interrupted run finished training this adapter; it was not trained again.")
            else:
                planted = self.work / "planted"
                canaries.plant(self.work / "set", planted, canaries.make(self.options.seed), self.base)
                limited = replace(options, max_minutes=self._minutes_left(plan.train_until))
                folder = start.path if start else None
                result = train.train(self.base.path, planted, out, limited, folder, self._report_step)
                record = {"training": asdict(options), "start": number, "result": asdict(result)}
                fsio.replace_file(self.work / _TRAINED, json.dumps(record).encode())
                options = limited
        self.report.training(result, options, number)
        return _Trained(out, result, problems_of(result, out, self.base))

    def _minutes_left(self, until: float | None) -> float | None:
        left = None if until is None else (until - (time.monotonic() - self.started)) / 60
        return None if left is None else max(_LEAST_MINUTES, left)

    def _left_result(self, options: TrainingOptions, start: int | None) -> TrainingResult | None:
        """Return the result of an interrupted run that finished the same training."""
        try:
            found = json.loads((self.work / _TRAINED).read_text("utf-8"))
            same = TrainingOptions.from_stored(found["training"]) == options and found["start"] == start
            return TrainingResult.from_stored(found["result"]) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _report_step(self, step: Progress) -> None:
        phrase = (
            f"training: loss {step.loss:.3f}, {step.tokens_per_second:,.0f} tokens/s, "
            f"{step.memory_bytes / 1e9:.1f} GB, {step.eta_seconds:.0f} s left"
        )
        self.reporter.phase(phrase, step.step, step.steps)

    def _judge(
        self, split: CommitSplit, trained: _Trained, current: Version | None, plan: NightPlan
    ) -> tuple[Decision, Judged | None]:
        """Replay the held-out commits, unless the adapter is unusable, and decide.

        :raises Stopped: a signal ended the replay; the report has the figures of the cursors before it.
        """
        judged = None
        if trained.problems:
            decision = promotion.decide(Trial({}, trained.problems))
        else:
            until = None if plan.until is None else self.started + plan.until
            replay = Replay(
                self.root,
                self.settings,
                split,
                plan.cases,
                self.options.seed,
                prompt_tokens=plan.prompt_tokens,
                alone=plan.alone,
                until=until,
            )
            gc.collect()  # the trained model is no longer needed
            with explained(self.work, _DOING):
                judged = judge(replay, self.work / "replay", trained.adapter, current, self.reporter.phase)
            self.report.replay(judged)
            if judged.stopped is not None:
                raise judged.stopped
            decision = promotion.decide(Trial(judged.systems, leaks=judged.leaks, seed=self.options.seed))
        self.report.decided(decision, promoted=decision.promote and self.options.promote)
        return decision, judged

    def _add_version(
        self, split: CommitSplit, manifest: Manifest, trained: _Trained, decision: Decision, judged: Judged | None
    ) -> None:
        """Add the adapter with all its facts to the registry, and promote it if it is better."""
        if MISSING in decision.reasons:
            return
        record = {
            "base": {"name": self.base.name, "identity": self.base.identity},
            "prompt": {"format": PROMPT_FORMAT, "spec": self.base.spec.name},
            "commits": {"since": split.since, "newest": split.until, "head": split.head, "count": manifest.commits},
            "dataset": {"sha256": manifest.sha256, "samples": manifest.samples, "tokens": manifest.tokens},
            "settings": {"set": asdict(self.options.dataset), "training": asdict(self.options.training)},
            "training": asdict(trained.result),
            "metrics": {"systems": judged.headline if judged else {}, **decision.figures},
            "verdict": self.report.document["status"],
            "reasons": list(decision.reasons),
            "hardware": machine(),
        }
        version = adapter_registry_writer.add(self.registry, trained.adapter, finite(record), manifest.paths)
        self.report.add(version=version.number)
        if decision.promote and self.options.promote:
            adapter_registry_writer.promote(self.registry, version.number, self.base)


def time_of_day(now: datetime, seconds: float) -> str:
    """Return the local time some seconds after ``now``, with the date where that is not within a day."""
    then = (now + timedelta(seconds=seconds)).astimezone()  # clocks may be put forward or back in between
    return f"{then:%H:%M}" if seconds < DAY_S else f"{then:%Y-%m-%d %H:%M}"


def problems_of(result: TrainingResult, adapter: Path, base: ModelFolder) -> tuple[str, ...]:
    """Return what is wrong with a trained adapter, as far as its files and its loss show it."""
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


def training_base(settings: Settings) -> ModelFolder:
    """Return the base of the settings, whose weights can be trained: safetensors, or one GGUF file.

    :raises OndolError: there is none, or its GGUF file is split.
    """
    folder = open_base(settings.base_model)
    train.require_trainable(folder)
    return folder
