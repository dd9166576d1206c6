"""The fine-tuning set of a repository: samples from its commits and its older code, in shards with a manifest.

What a sample is made of stands in ``samples`` and ``spans``, what is left out in ``dataset_filters``, what its prompt
holds in ``dataset_prompts``. This module puts them together; it needs no torch and trains nothing.
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

from finetune.commits.stages import Watch, index_of, indexed_windows
from finetune.commits.windows import Passed, Tree, Window, divided, edits
from finetune.dataset.filters import Sieve, author, capped, directory
from finetune.dataset.prompts import Prompts
from finetune.dataset.samples import DOCUMENT, TYPED, Draft, added_documents, added_spans, older, typed
from finetune.dataset.shards import MANIFEST, TRAIN, VALIDATION, Shards, path_key, write_manifest
from indexer.config import Settings
from indexer.errors import UserError
from indexer.prompt.renderer import PROMPT_FORMAT
from indexer.repository import git, history
from indexer.repository.history import NO_BLOB
from indexer.repository.policy import accepts_path
from indexer.storage.reader import Index
from lsp_server.weights.base_model import ModelFolder, open_folder

FORMAT: Final = 1

COMMITS_PER_WINDOW: Final = 50
MOST_WINDOWS: Final = 8
"""Indexes that the commits are divided among: a fresher index costs a few seconds each."""

ENOUGH_FOR_VALIDATION: Final = 20
CHARACTERS_PER_TOKEN: Final = 4
_SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What goes into a set.

    :param since: commits after this one; None for the whole history, up to ``max_commits``.
    :param until: the newest commit that may be seen; nothing after it is in any sample or context.
    :param replay_share: part of the samples that comes from code older than the commits, so that it is not forgotten.
    :param fim_share: part of the samples that fill a middle; the rest are left-to-right documents.
    :param distractor_share: part of the samples whose context is empty or of places that do not fit (half each).
    :param max_tokens: longest sample; by default what a server's longest prompt and its answer take.
    :param author_share, directory_share: largest part of the samples from one author, or from one directory.
    :param validation_share: part of the samples, those of the newest commits, that is kept apart to measure a loss on.
    """

    since: str | None = None
    until: str = "HEAD"
    replay_share: float = 0.25
    fim_share: float = 0.5
    distractor_share: float = 0.25
    max_samples: int = 20_000
    max_tokens: int = 2176
    max_commits: int = 2000
    author_share: float = 0.5
    directory_share: float = 0.5
    validation_share: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a set is and what it saw.

    :param commits: how many commits gave samples, or could have.
    :param samples, tokens: of the training shards; the validation shards have their own count.
    :param left_out: reason -> how many files, commits or candidates.
    :param languages: language -> samples.
    :param sha256: of the set: the hashes of its shards in their order.
    :param paths: ``path_key(path)`` -> blob ids of that file which any sample or context was taken from.
    :param since, until: full commit ids; ``since`` is None where the history's beginning is.
    :param base: identity of the base model whose tokenizer and prompt format made the token ids.
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
        """As written to ``manifest.json``."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_file(cls, path: Path) -> "Manifest":
        """Reads a manifest: the file, or the folder that holds it.

        :raises UserError: it is missing, damaged or of another format.
        """
        path = path / MANIFEST if path.is_dir() else path
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                raise UserError(f"{path} was written by another version of Ondol", "build the set again")
            known = {name: raw[name] for name in raw.keys() & {one.name for one in fields(cls)}}
            paths = {key: tuple(blobs) for key, blobs in known.pop("paths").items()}
            notes = tuple(known.pop("notes", ()))
            return cls(**known, paths=paths, notes=notes)
        except FileNotFoundError:
            raise UserError(f"there is no set at {path.parent}", "build it first (ondol finetune)") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} cannot be read ({type(error).__name__})", "build the set again") from error


def build(
    root: Path,
    settings: Settings,
    base: Path,
    out: Path,
    options: DatasetOptions,
    progress: Callable[[str, int, int], None] | None = None,
) -> Manifest:
    """Builds the set of a repository into ``out`` (made if missing; an earlier set there is replaced).

    :param base: folder of the base model, for its tokenizer and prompt format.
    :param progress: called with what is being done, how much of it is done, and how much there is.
    :raises UserError: no history, no such commit, or no usable base.
    """
    started = time.monotonic()
    folder = open_folder(base)
    since, until, plan, held = _plan(root, options)
    shards = Shards(out)
    building = _Building(root, settings, folder, options, shards, held, progress or (lambda phrase, done, total: None))
    scratch = out / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)  # of a build that was killed
    try:
        building.all(plan, until, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    digest = shards.finish()
    if folder.note:
        building.passed.note(f"{folder.name}: {folder.note}")
    manifest = Manifest(
        commits=sum(len(window.commits) for window in plan),
        samples=shards.counts[TRAIN],
        tokens=building.tokens,
        left_out=dict(sorted(building.passed.reasons.items())),
        languages=dict(building.languages.most_common()),
        sha256=digest,
        paths={key: tuple(sorted(blobs)) for key, blobs in sorted(building.paths.items())},
        until=until,
        since=since,
        base=folder.identity,
        prompt={"format": PROMPT_FORMAT, "spec": folder.spec.name, "contexts": dict(building.contexts.most_common())},
        kinds=dict(building.kinds.most_common()),
        validation=shards.counts[VALIDATION],
        files=shards.files,
        notes=tuple(building.passed.notes),
        options=asdict(options),
        seconds=round(time.monotonic() - started, 1),
    )
    write_manifest(out, manifest.to_json())
    return manifest


def _plan(root: Path, options: DatasetOptions) -> tuple[str | None, str, list[Window], frozenset[str]]:
    """The range as commit ids, its windows, and the commits that are kept apart for validation."""
    if not (git.is_repository(root) or git.is_bare(root)) or git.head(root) is None:
        raise UserError(f"{root} has no history to learn from", "commit something first")
    until = _commit(root, options.until)
    since = _commit(root, options.since) if options.since else None
    found = history.commits(root, f"{since}..{until}" if since else until, limit=options.max_commits)
    changing = [commit for commit in found if commit.parent]
    if not changing:
        return since, until, [], frozenset()
    plan = divided(root, changing, min(MOST_WINDOWS, -(-len(changing) // COMMITS_PER_WINDOW)))
    newest = sorted(plan[-1].commits, key=lambda commit: -commit.time) if plan else []  # equal times: git's order
    apart = int(len(changing) * options.validation_share) if len(changing) >= ENOUGH_FOR_VALIDATION else 0
    return since, until, plan, frozenset(commit.id for commit in newest[:apart])


def _commit(root: Path, revision: str) -> str:
    try:
        name = git.run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except UserError:
        raise UserError(
            f"{root} has no commit {revision}", "name another one: the history may have been rewritten"
        ) from None
    return name.decode().strip()


class _Building:
    """A set in the making: what has been written and counted so far."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        base: ModelFolder,
        options: DatasetOptions,
        shards: Shards,
        held: frozenset[str],
        say: Callable[[str, int, int], None],
    ) -> None:
        self.root, self.settings, self.options, self.shards, self.held, self.say = (
            root,
            settings,
            options,
            shards,
            held,
            say,
        )
        self.passed = Passed()
        self.tokens = 0
        self.languages, self.kinds, self.contexts = Counter[str](), Counter[str](), Counter[str]()
        self.paths: dict[str, set[str]] = defaultdict(set)
        self._sieve = Sieve(options.seed)
        self._rng = random.Random(f"{options.seed}:order")
        length = min(options.max_tokens, base.context)
        self._characters = length * CHARACTERS_PER_TOKEN
        self._prompts = Prompts(base, root.name, options.max_tokens, options.distractor_share, options.seed)

    def all(self, plan: list[Window], until: str, scratch: Path) -> None:
        """Writes the samples of every window, and then of older code, with the newest window's index."""
        commits = sum(len(window.commits) for window in plan)
        if not plan and self.options.since:
            return  # nothing new
        share, left = 1 - self.options.replay_share, commits
        for window, index in self._indexed(plan, until, scratch):
            self._prompts.set_index(index)
            wanted = self.options.max_samples * share - sum(self.shards.counts.values())
            self._of_commits(window, index, round(wanted * len(window.commits) / max(1, left)))
            left -= len(window.commits)  # what a window cannot give, the next ones may
        made = sum(self.shards.counts.values())
        wanted = self.options.max_samples - made
        if commits:
            wanted = min(wanted, round(made * self.options.replay_share / share))
        self._of_older(index, wanted)
        self._balance()

    def _indexed(self, plan: list[Window], until: str, scratch: Path) -> Iterator[tuple[Window, Index]]:
        """Each window with the index from before it; without any window, the newest state as one without commits."""

        def tell(said: str) -> None:
            self.say(said, sum(self.shards.counts.values()), self.options.max_samples)

        if plan:
            yield from indexed_windows(self.root, plan, self.settings, scratch, tell)
            return
        self.passed.note("There are no commits to learn from but the first one: only the code as it stands.")
        tell("indexing")
        tree = Tree(self.root, scratch / self.root.name, self.settings.max_file_bytes)
        tree.move_to(until, lambda path: accepts_path(path, self.settings) is None)
        yield Window(until, ()), index_of(tree.folder, self.settings, scratch, Watch())[0]

    def _of_commits(self, window: Window, index: Index, wanted: int) -> None:
        """The samples of one window's commits."""
        found = self._sieve.new_edits(edits(self.root, window, self.settings, self.passed), self.passed)
        infill = round(wanted * self.options.fim_share)
        seed = f"{self.options.seed}:{window.base}"
        drafts = [
            *typed(found, infill // 2, int(sha256(seed.encode()).hexdigest()[:8], 16)),
            *added_spans(found, self.options.seed),
            *added_documents(found, self._characters),
        ]
        blobs = {(edit.commit.id, edit.change.path): (edit.change.old_blob, edit.change.new_blob) for edit in found}
        for draft in self._chosen(drafts, infill, wanted - infill):
            self._write(draft, index, blobs[draft.commit, draft.path])

    def _of_older(self, index: Index, wanted: int) -> None:
        """The samples of code that was there before the newest window."""
        infill = round(wanted * self.options.fim_share)
        new = partial(self._sieve.new_file, passed=self.passed)
        drafts = list(older(index, infill * 5 // 4, wanted - infill, self._characters, self.options.seed, new))
        for draft in self._chosen(drafts, infill, wanted - infill):
            document = index.document(draft.path)
            self._write(draft, index, (document.blob,) if document else ())

    def _chosen(self, drafts: list[Draft], infill: int, documents: int) -> list[Draft]:
        """As many drafts of either sort as are wanted, in random order, after all filters."""
        self._rng.shuffle(drafts)
        clean = []
        for draft in drafts:
            reason = self._sieve.refuses(draft)
            if reason is None:
                clean.append(draft)
            else:
                self.passed.count(reason)
        clean, over = capped(clean, author, self.options.author_share)
        self._left_out("sample: over the share of one author", over)
        clean, over = capped(clean, directory, self.options.directory_share)
        self._left_out("sample: over the share of one directory", over)
        room = {True: documents, False: infill}
        kept = []
        # What authors typed comes first: it is what the server will be asked.
        for draft in sorted(clean, key=lambda one: one.kind != TYPED):
            whole = draft.kind == DOCUMENT
            if room[whole] > 0:
                room[whole] -= 1
                kept.append(draft)
        self._left_out("sample: more than wanted", len(clean) - len(kept))
        self._rng.shuffle(kept)
        return kept

    def _left_out(self, reason: str, count: int) -> None:
        if count:
            self.passed.reasons[reason] = self.passed.reasons.get(reason, 0) + count

    def _write(self, draft: Draft, index: Index, blobs: Iterable[str]) -> None:
        sample = self._prompts.sample(draft)
        if isinstance(sample, str):
            self.passed.count(sample)
            return
        split = VALIDATION if draft.commit in self.held else TRAIN
        self.shards.add(split, sample.as_json())
        self.paths[path_key(draft.path)].update(set(blobs) - {NO_BLOB})
        for path in sample.sources:
            document = index.document(path)
            if document is not None:
                self.paths[path_key(path)].add(document.blob)
        if split == TRAIN:
            self.tokens += len(sample.ids)
            self.languages[draft.language] += 1
            self.kinds[draft.kind] += 1
            self.contexts[sample.context] += draft.kind != DOCUMENT
        done = sum(self.shards.counts.values())
        if done % 20 == 0:
            self.say("writing samples", done, self.options.max_samples)

    def _balance(self) -> None:
        """Says where the shares came out otherwise than asked for."""
        total = self.kinds.total()
        got, asked = 1 - self.kinds[DOCUMENT] / total if total else 0.0, self.options.fim_share
        if total and abs(got - asked) > 0.05:
            self.passed.note(f"{got:.0%} of the samples fill a middle, {asked:.0%} were asked for: there are no more.")
