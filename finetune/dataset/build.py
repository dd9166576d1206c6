"""Builds the training data set of a repository: samples from its commits and its older code, in shards with a manifest.

``samples`` and ``spans`` cut the samples, ``filters`` leaves some out, ``prompts`` turns them into token ids, and
``shards`` writes them. None of them needs torch.
"""

import json
import random
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from finetune.commits.allowed import allowed
from finetune.commits.stages import SILENT, ProgressReporter, index_of, indexed_windows
from finetune.commits.windows import SkipReport, Tree, Window, edits
from finetune.dataset.commit_range import DatasetOptions, commit_range
from finetune.dataset.filters import Filter, author, capped, directory
from finetune.dataset.prompts import Prompts
from finetune.dataset.samples import DOCUMENT, TYPED, RawSample, added_documents, added_spans, older, typed
from finetune.dataset.shards import MANIFEST, TRAIN, VALIDATION, Shards, path_key, write_manifest
from indexer.config import Settings
from indexer.errors import UserError
from indexer.prompt.renderer import PROMPT_FORMAT
from indexer.repository.history import NO_BLOB
from indexer.storage.reader import Index
from lsp_server.weights.base_model import ModelFolder, open_folder

FORMAT: Final = 1

LEAST_OF_WINDOW: Final = 8
"""Samples that a window gets even if the time for the set is over."""

CHARACTERS_PER_TOKEN: Final = 4
"""Estimate for the length of a document sample before it is tokenized."""

_SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Describes a data set and the files it was made from.

    :param commits: number of commits in the range.
    :param samples, tokens: counts of the training shards; ``validation`` counts the validation samples.
    :param left_out: reason -> number of files, commits or samples.
    :param languages: language -> number of samples.
    :param sha256: hash of the set: of the hashes of its shards in their order.
    :param paths: ``path_key(path)`` -> blob ids of that file from which a sample or context was taken.
    :param since, until: full commit ids; ``since`` is None if the set starts at the beginning of the history.
    :param base: identity of the base model whose tokenizer and prompt format made the token ids.
    :param kinds: kind of sample -> number of samples.
    :param notes: sentences for the user.
    """

    commits: int
    samples: int
    tokens: int
    left_out: Mapping[str, int]
    languages: Mapping[str, int]
    sha256: str
    paths: Mapping[str, tuple[str, ...]]
    until: str
    since: str | None = None
    base: str = ""
    prompt: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    validation: int = 0
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``manifest.json``."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_file(cls, path: Path) -> "Manifest":
        """Read a manifest from its file, or from the folder that holds it.

        :raises UserError: it is missing, damaged or of another format.
        """
        path = path / MANIFEST if path.is_dir() else path
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                raise UserError(f"{path} was written by another version of Ondol", "build the data set again")
            known = {name: raw[name] for name in raw.keys() & {one.name for one in fields(cls)}}
            paths = {key: tuple(blobs) for key, blobs in known.pop("paths").items()}
            notes = tuple(known.pop("notes", ()))
            return cls(**known, paths=paths, notes=notes)
        except FileNotFoundError:
            raise UserError(f"there is no data set in {path.parent}", "build it with ondol finetune") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} cannot be read ({type(error).__name__})", "build the data set again") from error


def build(
    root: Path,
    settings: Settings,
    base: Path,
    out: Path,
    options: DatasetOptions,
    reporter: ProgressReporter = SILENT,
    over: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Build the data set of a repository in the folder ``out``; an earlier set there is replaced.

    Only as many commits are read as the wanted number of samples needs: drawn by chance, the newer ones more often.

    :param base: folder of the base model, for its tokenizer and prompt format.
    :param over: asked before each sample; once it returns True, a window gets no more than ``LEAST_OF_WINDOW`` samples.
    :raises UserError: there is no history, no such commit, or no usable base.
    """
    started = time.monotonic()
    folder = open_folder(base)
    commits = commit_range(root, options)
    shards = Shards(out)
    builder = _Builder(root, settings, folder, options, shards, commits.validation, reporter)
    builder.over = over
    scratch = out / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)  # left over from a build that was killed
    try:
        builder.write_all(commits.windows, commits.until, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    digest = shards.finish()
    if folder.note:
        builder.skips.note(f"{folder.name}: {folder.note}")
    manifest = Manifest(
        commits=sum(len(window.commits) for window in commits.windows),
        samples=shards.counts[TRAIN],
        tokens=builder.tokens,
        left_out=dict(sorted(builder.skips.reasons.items())),
        languages=dict(builder.languages.most_common()),
        sha256=digest,
        paths={key: tuple(sorted(blobs)) for key, blobs in sorted(builder.paths.items())},
        until=commits.until,
        since=commits.since,
        base=folder.identity,
        prompt={"format": PROMPT_FORMAT, "spec": folder.spec.name, "contexts": dict(builder.contexts.most_common())},
        kinds=dict(builder.kinds.most_common()),
        validation=shards.counts[VALIDATION],
        files=shards.files,
        notes=tuple(builder.skips.notes),
        options=asdict(options),
        seconds=round(time.monotonic() - started, 1),
    )
    write_manifest(out, manifest.to_json())
    return manifest


class _Builder:
    """Writes the samples of a set and counts them.

    :param validation: ids of the commits whose samples go to the validation shards.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        base: ModelFolder,
        options: DatasetOptions,
        shards: Shards,
        validation: frozenset[str],
        reporter: ProgressReporter,
    ) -> None:
        self.root = root
        self.settings = settings
        self.options = options
        self.shards = shards
        self.validation = validation
        self.reporter = reporter
        self.over: Callable[[], bool] = lambda: False
        self.skips = SkipReport()
        self.tokens = 0
        self.languages, self.kinds, self.contexts = Counter[str](), Counter[str](), Counter[str]()
        self.paths: dict[str, set[str]] = defaultdict(set)
        self._filter = Filter(options.seed)
        self._rng = random.Random(f"{options.seed}:order")
        length = min(options.max_tokens, base.context)
        self._characters = length * CHARACTERS_PER_TOKEN
        self._prompts = Prompts(base, root.name, options.max_tokens, options.distractor_share, options.seed)

    @property
    def written(self) -> int:
        """Number of samples written so far."""
        return sum(self.shards.counts.values())

    def write_all(self, windows: list[Window], until: str, scratch: Path) -> None:
        """Write the samples of every window, then those of older code, with the index of the newest window."""
        commits = sum(len(window.commits) for window in windows)
        if not windows and self.options.since:
            return  # there is nothing new
        share, left = 1 - self.options.replay_share, commits
        for window, index in self._indexed(windows, until, scratch):
            self._prompts.set_index(index)
            wanted = self.options.max_samples * share - self.written
            self._write_commits(window, index, round(wanted * len(window.commits) / max(1, left)))
            left -= len(window.commits)  # later windows make up for what a window lacks
        wanted = self.options.max_samples - self.written
        if commits:
            wanted = min(wanted, round(self.written * self.options.replay_share / share))
        self._write_older_code(index, wanted)
        self._note_imbalance()

    def _report(self, phrase: str) -> None:
        self.reporter.phase(phrase, self.written, self.options.max_samples)

    def _indexed(self, windows: list[Window], until: str, scratch: Path) -> Iterator[tuple[Window, Index]]:
        """Yield each window with the index from before it; without windows, one empty window at ``until``."""
        if windows:
            reporter = ProgressReporter(lambda phrase, done, total: self._report(phrase))
            yield from indexed_windows(self.root, windows, self.settings, scratch, reporter)
            return
        self.skips.note("The history has one commit: the set holds only the code as it stands.")
        self._report("indexing")
        tree = Tree(self.root, scratch / self.root.name, self.settings.max_file_bytes)
        tree.move_to(until, allowed(self.root, self.settings))
        yield Window(until, ()), index_of(tree.folder, self.settings, scratch)[0]

    def _write_commits(self, window: Window, index: Index, wanted: int) -> None:
        """Write the samples of one window's commits."""
        found = self._filter.new_edits(edits(self.root, window, self.settings, self.skips), self.skips)
        infill = round(wanted * self.options.fim_share)
        seed = f"{self.options.seed}:{window.base}"
        samples = [
            *typed(found, infill // 2, int(sha256(seed.encode()).hexdigest()[:8], 16)),
            *added_spans(found, self.options.seed),
            *added_documents(found, self._characters),
        ]
        blobs = {(edit.commit.id, edit.change.path): (edit.change.old_blob, edit.change.new_blob) for edit in found}
        for sample in self._in_time(self._chosen(samples, infill, wanted - infill)):
            self._write(sample, index, blobs[sample.commit, sample.path])

    def _write_older_code(self, index: Index, wanted: int) -> None:
        """Write samples of the code from before the newest window."""
        infill = round(wanted * self.options.fim_share)
        new = partial(self._filter.new_file, skips=self.skips)
        samples = list(older(index, infill * 5 // 4, wanted - infill, self._characters, self.options.seed, new))
        for sample in self._in_time(self._chosen(samples, infill, wanted - infill)):
            document = index.document(sample.path)
            self._write(sample, index, (document.blob,) if document else ())

    def _in_time(self, samples: list[RawSample]) -> Iterator[RawSample]:
        """Yield samples until the time for the set is over, but a few of each window in any case."""
        for number, sample in enumerate(samples):
            if number >= LEAST_OF_WINDOW and self.over():
                self.skips.count("sample: no time left for it", len(samples) - number)
                return
            yield sample

    def _chosen(self, samples: list[RawSample], infill: int, documents: int) -> list[RawSample]:
        """Filter samples, take at most ``infill`` and ``documents`` of the two sorts, and shuffle them."""
        self._rng.shuffle(samples)
        clean = []
        for sample in samples:
            reason = self._filter.refuses(sample)
            if reason is None:
                clean.append(sample)
            else:
                self.skips.count(reason)
        clean, over = capped(clean, author, self.options.author_share)
        self.skips.count("sample: over the share of one author", over)
        clean, over = capped(clean, directory, self.options.directory_share)
        self.skips.count("sample: over the share of one directory", over)
        room = {True: documents, False: infill}
        kept = []
        # Typed samples come first: they are what the server is asked.
        for sample in sorted(clean, key=lambda one: one.kind != TYPED):
            is_document = sample.kind == DOCUMENT
            if room[is_document] > 0:
                room[is_document] -= 1
                kept.append(sample)
        self.skips.count("sample: more than wanted", len(clean) - len(kept))
        self._rng.shuffle(kept)
        return kept

    def _write(self, raw: RawSample, index: Index, blobs: Iterable[str]) -> None:
        """Write a sample unless its prompt is too long; ``blobs`` are the blob ids of its file."""
        sample = self._prompts.sample(raw)
        if isinstance(sample, str):
            self.skips.count(sample)
            return
        split = VALIDATION if raw.commit in self.validation else TRAIN
        self.shards.add(split, sample.as_json())
        self.paths[path_key(raw.path)].update(set(blobs) - {NO_BLOB})
        for path in sample.sources:
            document = index.document(path)
            if document is not None:
                self.paths[path_key(path)].add(document.blob)
        if split == TRAIN:
            self.tokens += len(sample.ids)
            self.languages[raw.language] += 1
            self.kinds[raw.kind] += 1
            self.contexts[sample.context] += raw.kind != DOCUMENT
        if self.written % 20 == 0:
            self._report("writing samples")

    def _note_imbalance(self) -> None:
        """Note a share of fill-in-the-middle samples that differs from the requested one."""
        total = self.kinds.total()
        got, wanted = 1 - self.kinds[DOCUMENT] / total if total else 0.0, self.options.fim_share
        if total and abs(got - wanted) > 0.05:
            self.skips.note(
                f"{got:.0%} of the samples fill a middle instead of {wanted:.0%}: there are no more of the others."
            )
