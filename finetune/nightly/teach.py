"""Teaches a base to fill middles: adds the tokens, trains their rows and a LoRA, and checks that middles end.

The result is a base of its own, next to the registry of the repository. It is written only if it is better: more of the
held-out middles end, and at least half of them. Nothing that serves is changed; the user names the new base.
"""

import gc
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from finetune.commits.stages import SILENT, ProgressReporter
from finetune.dataset.build import Manifest
from finetune.dataset.filters import Filter
from finetune.dataset.prompts import Prompts
from finetune.dataset.samples import RawSample
from finetune.dataset.shards import TRAIN, VALIDATION, Shards, write_manifest
from finetune.dataset.spans import LONGEST
from finetune.evaluation.machine import machine
from finetune.nightly.job import training_base
from finetune.nightly.options import NightlyOptions
from finetune.nightly.report import Report
from finetune.nightly.reported_run import reported_run
from finetune.teaching.gguf_weights import as_safetensors
from finetune.teaching.sources import installed_texts, own_texts, spans_of
from finetune.teaching.taught_base import finished, with_new_tokens
from finetune.training import train
from finetune.training.options import NEW_ROWS, Progress, TrainingOptions
from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import nightly_work_directory, taught_base_directory
from indexer.prompt.formats import LEFT_TO_RIGHT
from indexer.prompt.renderer import PROMPT_FORMAT, PromptInput
from indexer.storage.write_errors import explained
from lsp_server.backends.base import Limits
from lsp_server.weights.base_model import ModelFolder, open_folder

TAUGHT: Final = "taught"
NOT_TAUGHT: Final = "kept"

OWN_UNTIL, FOUND_UNTIL, SET_UNTIL, BEFORE_UNTIL, TRAINING_UNTIL, AFTER_UNTIL = 0.02, 0.04, 0.06, 0.1, 0.88, 0.97
"""Shares of a limited run at which its parts end: own middles, all middles, the set, first check, training, second."""

LEAST: Final = 64
"""Middles of each source that are taken however late it is."""

CHECKED: Final = 40
"""Held-out middles that are written before and after."""

CHECKED_TOKENS: Final = 512
"""The longest prompt of these."""

HELD_OUT_SHARE: Final = 8
"""Of a small set no more than one in this number of middles is held out."""

LEAST_CHECKED: Final = 4
OWN_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long samples are, and how large steps.

    :param sample: longest sample, in tokens. :param middle: longest middle, in characters.
    :param step: tokens of an optimizer step.
    """

    sample: int
    middle: int
    step: int


ON_GPU, ON_CPU = Sizes(512, LONGEST, 4096), Sizes(192, 160, 512)
"""Two cores train 40 to 80 tokens a second of a model of 135M parameters. So an hour is some 2,000 short samples, of
which many small steps are made: the format is learnt from the number of middles that end, not from long prompts."""

LEARNING_RATE: Final = 1e-3
LEAST_ENDED: Final = 0.5
_DOING: Final = "work of this run"

BEGUN: Final = "begun.json"
"""In the work folder: what an interrupted run has made before its training."""


@dataclass(frozen=True, slots=True)
class Skill:
    """How well a base fills held-out middles: shares that end by themselves and that are exactly the author's text."""

    ended: float
    exact: float
    count: int


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a run has made before its training, which takes the longest and may be interrupted.

    :param key: see :meth:`_Teaching._key`. :param added: the ids of the new tokens.
    :param before: how well the base fills the held-out middles.
    """

    key: str
    added: tuple[int, ...]
    held_out: list[RawSample]
    before: Skill
    taught_on: dict[str, Any]


def teach(
    root: Path,
    settings: Settings,
    options: NightlyOptions,
    reporter: ProgressReporter = SILENT,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:
    """Teach the base of the settings to fill middles; return the report, which is also written to disk.

    :raises OndolError: the base fills middles already, or cannot be trained; nothing has changed.
    """
    return reported_run(root, settings, lambda report: _Teaching(root, settings, options, report, reporter, say).run())


class _Teaching:
    """One run."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        options: NightlyOptions,
        report: Report,
        reporter: ProgressReporter,
        say: Callable[[str], None],
    ) -> None:
        self.root, self.settings, self.options = root, settings, options
        self.report, self.reporter, self.say = report, reporter, say
        self.base = training_base(settings)
        self.sizes = ON_CPU
        self.work = nightly_work_directory(settings, root) / "teaching"
        self.started = time.monotonic()

    def run(self) -> None:
        """Go from the base to the taught base; the report holds the result."""
        train.require_torch()
        from lsp_server.backends.torch_backend import pick_device

        self.sizes = ON_GPU if pick_device().type == "cuda" else ON_CPU
        target = taught_base_directory(self.settings, self.root, f"{self.base.name}-fim")
        self.report.add(base={"name": self.base.name, "identity": self.base.identity}, machine=machine())
        with explained(self.work, _DOING):
            grown = self.work / "grown"
            begun = self._begun() or self._begin(grown)
            added, held_out, before = begun.added, begun.held_out, begun.before
            self.report.add(taught_on=begun.taught_on, skill={"before": asdict(before)})
            options = self._options(begun)
            result = train.train(grown, self.work / "set", self.work / "adapter", options, None, self._report_step)
            gc.collect()
            self._finish(grown, added)
            self.reporter.phase("writing held-out middles after", 0, 0)
            after = self._skill(self.work / "taught", held_out[: before.count], AFTER_UNTIL)
            self.report.training(result, options, None)
            better = after.ended >= LEAST_ENDED and after.ended > before.ended
            if better:
                fsio.remove_tree(target)
                fsio.make_directories(target.parent)
                fsio.rename(self.work / "taught", target)
            fsio.remove_tree(self.work)
        self._conclude(before, after, target if better else None)

    def _begin(self, grown: Path) -> _Begun:
        """Make the base with its tokens and the data set, and write the held-out middles once."""
        fsio.remove_tree(self.work)
        fsio.make_directories(self.work)
        added = with_new_tokens(self._trainable(), grown)
        held_out, taught_on = self._build(grown)
        self.reporter.phase("writing held-out middles before", 0, 0)
        before = self._skill(grown, held_out, BEFORE_UNTIL)
        gc.collect()
        begun = _Begun(self._key(), added, held_out, before, taught_on)
        fsio.replace_file(self.work / BEGUN, json.dumps(asdict(begun)).encode())
        return begun

    def _begun(self) -> _Begun | None:
        """Return what an interrupted run with the same base and options has made; its training goes on."""
        try:
            found = json.loads((self.work / BEGUN).read_bytes())
            middles = [RawSample(**one) for one in found["held_out"]]
            skill = Skill(**found["before"])
            begun = _Begun(**{**found, "added": tuple(found["added"]), "held_out": middles, "before": skill})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if begun.key != self._key():
            return None
        self.say("continuing the run that was interrupted")
        return begun

    def _key(self) -> str:
        """Return what an interrupted run must have in common with this one: all but its time limit."""
        options = self.options
        training = replace(options.training, max_minutes=None).identity()
        made_of = [self.base.identity, PROMPT_FORMAT, asdict(self.sizes)]
        return json.dumps([*made_of, options.seed, options.dataset.max_samples, training])

    def _build(self, folder: Path) -> tuple[list[RawSample], dict[str, Any]]:
        """Write the data set; return the middles of its held-out files, and what is in it."""
        base, seed = open_folder(folder), self.options.seed
        limit = min(self.sizes.sample, base.context, self.options.training.max_length)
        prompts, refuses = Prompts(base, self.root.name, limit, 1.0, seed), Filter(seed).refuses
        shards = Shards(self.work / "set")
        wanted = self.options.dataset.max_samples
        found = self._in_time(spans_of(own_texts(self.root, self.settings, seed), seed, self.sizes.middle), OWN_UNTIL)
        own = list(islice(found, round(wanted * OWN_SHARE)))
        found = self._in_time(spans_of(installed_texts(self.settings, seed), seed, self.sizes.middle), FOUND_UNTIL)
        public = list(islice(found, wanted - len(own)))
        mixed = _mixed(own, public)
        held_out_most = min(CHECKED, max(4, min(wanted, len(mixed)) // HELD_OUT_SHARE))
        held_out: list[RawSample] = []
        files = {VALIDATION: set[str](), TRAIN: set[str]()}
        languages: dict[str, int] = {}
        tokens = 0
        for number, raw in enumerate(self._in_time(iter(mixed), SET_UNTIL)):
            self.reporter.phase("writing samples", number, wanted)
            if refuses(raw) is not None:
                continue
            sample = prompts.sample(raw)
            if isinstance(sample, str):
                continue
            fresh = raw.path not in files[TRAIN] and len(held_out) < min(held_out_most, 4 + number // HELD_OUT_SHARE)
            split = VALIDATION if raw.path in files[VALIDATION] or fresh else TRAIN
            files[split].add(raw.path)
            held_out += [raw] if split == VALIDATION and fresh else []
            shards.add(split, sample.as_json())
            languages[raw.language] = languages.get(raw.language, 0) + 1
            tokens += len(sample.ids)
        digest = shards.finish()
        manifest = Manifest(
            commits=0,
            samples=shards.counts[TRAIN],
            tokens=tokens,
            left_out={},
            languages=languages,
            sha256=digest,
            paths={},
            until="",
            base=base.identity,
            prompt={"format": PROMPT_FORMAT, "spec": base.spec.name},
            validation=shards.counts[VALIDATION],
            files=shards.files,
        )
        write_manifest(self.work / "set", manifest.to_json())
        self.say(f"{manifest.samples:,} middles in {len(languages)} languages, {len(held_out)} held-out ones")
        held_out.sort(key=lambda raw: len(raw.middle))  # a time limit cuts the slowest ones
        return held_out, {"samples": manifest.samples, "tokens": tokens, "languages": languages}

    def _late(self, share: float) -> bool:
        """Return whether this share of the run's time is over; never without a limit."""
        minutes = self.options.max_minutes
        return minutes is not None and time.monotonic() - self.started > 60 * minutes * share

    def _in_time(self, samples: Iterator[RawSample], share: float) -> Iterator[RawSample]:
        """Yield samples until a share of the run's time is over, but at least :data:`LEAST`."""
        for number, sample in enumerate(samples):
            if number >= LEAST and self._late(share):
                self.say(f"the time limit ended the search for middles at {number:,}")
                return
            yield sample

    def _options(self, begun: _Begun) -> TrainingOptions:
        minutes = self.options.max_minutes
        left = None if minutes is None else minutes * TRAINING_UNTIL - (time.monotonic() - self.started) / 60
        return replace(
            self.options.training,
            max_minutes=None if left is None else max(0.2, left),
            seed=self.options.seed,
            max_length=min(self.sizes.sample + 64, self.options.training.max_length),
            tokens_per_step=min(self.sizes.step, self.options.training.tokens_per_step),
            learning_rate=max(LEARNING_RATE, self.options.training.learning_rate),
            rows_per_batch=1,
            new_tokens=begun.added,
        )

    def _report_step(self, step: Progress) -> None:
        self.report.add(reached={"step": step.step, "steps": step.steps, "loss": round(step.loss, 5)})
        self.reporter.phase(f"training: loss {step.loss:.3f}", step.step, step.steps)

    def _trainable(self) -> ModelFolder:
        """Return the base as safetensors: itself, or a GGUF file's numbers in a folder."""
        if self.base.weights or self.base.spec is not LEFT_TO_RIGHT:
            return self.base
        self.reporter.phase("reading the GGUF file", 0, 0)
        return as_safetensors(self.base, self.work / "base")

    def _finish(self, grown: Path, added: tuple[int, ...]) -> None:
        from safetensors.torch import load_file

        adapter = self.work / "adapter"
        finished(grown, adapter, load_file(adapter / NEW_ROWS), added, self.work / "taught")

    def _skill(self, folder: Path, middles: list[RawSample], until: float) -> Skill:
        """Write held-out middles with a base; at least four, and all if ``until`` (a share of the time) is not over."""
        from lsp_server.backends.torch_backend import TorchBackend

        backend = TorchBackend(folder, CHECKED_TOKENS, threads=self.options.training.threads)
        ended = exact = count = 0
        try:
            for raw in middles:
                if count >= LEAST_CHECKED and self._late(until):
                    self.say(f"the time limit ended the check after {count} of {len(middles)} held-out middles")
                    break
                count += 1
                wanted = backend.folder.vocabulary.encode(raw.middle)
                limits = Limits(max_tokens=len(wanted) + 24, single_line=False, max_lines=1000)
                made = backend.generate(backend.render(PromptInput(raw.path, raw.prefix, raw.suffix)), limits)
                ended += made.reason == "end"
                exact += made.reason == "end" and made.text.rstrip() == raw.middle.rstrip()
        finally:
            backend.close()
        return Skill(round(ended / max(1, count), 4), round(exact / max(1, count), 4), count)

    def _conclude(self, before: Skill, after: Skill, target: Path | None) -> None:
        training = self.report.document["training"]
        loss = f"loss on held-out middles {training['validation_first']} to {training['validation_last']}"
        shares = f"{before.ended:.0%} to {after.ended:.0%} of {after.count} end, "
        shares += f"{before.exact:.0%} to {after.exact:.0%} exact"
        self.report.add(skill={"before": asdict(before), "after": asdict(after)})
        if target is None:
            why = f"fewer than {LEAST_ENDED:.0%} of the middles end"
            self.report.add(status=NOT_TAUGHT, summary=f"not taught: {why} ({shares}; {loss})", reasons=[why])
            return
        self.report.add(
            status=TAUGHT, taught_base=str(target), summary=f"taught: {shares}; {loss}; set base_model = {target}"
        )


def _mixed(one: list[RawSample], other: list[RawSample]) -> list[RawSample]:
    """Return both lists merged in proportion, so that a training that is cut short has seen both."""
    places = [((number + 0.5) / len(found), raw) for found in (one, other) for number, raw in enumerate(found)]
    return [raw for _, raw in sorted(places, key=lambda pair: pair[0])]
