"""Divides a repository's history into windows of commits, and reads the edits of each window.

A window is a run of commits that is replayed against one index. The index is built from the tree before the oldest of
them, so it holds nothing of the commits that are predicted. Several short windows are closer to an editor, whose index
is as fresh as the last save, than one long window.

Trees are written to a separate folder; nothing is checked out in the repository itself.
"""

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from finetune.commits.allowed import allowed
from indexer.config import Settings
from indexer.errors import OndolError, UserError
from indexer.languages.grammars import language_of
from indexer.repository import git, history
from indexer.repository.git import cat_file_batch, run_git
from indexer.repository.history import NO_BLOB, Change, Commit
from indexer.repository.policy import source_from_bytes
from indexer.text.lines import lines_of
from indexer.types import Skip

PROSE: Final = frozenset({"text", "markdown", "rst", "json", "yaml", "toml", "html", "css", "sql", "xml"})
"""Languages that are not replayed: prose and data say little about code completion."""

ADDED_LIMIT: Final = 20_000
"""A commit that adds more lines was not typed by hand: only ``FILES_SAMPLED`` of its files are replayed."""

FILES_SAMPLED: Final = 20
"""Number of files that are replayed of a huge commit."""

_PROSE_SUFFIXES: Final = frozenset({"", ".txt", ".text", ".adoc", ".asciidoc", ".tex", ".org", ".po", ".pot", ".lst"})
_SPLIT_FILES: Final = "hold out files instead of commits with --split-files"


@dataclass(frozen=True, slots=True)
class Edit:
    """One file that one commit changed, with its texts before and after.

    :param gone: the stripped lines of the files that the same commit deleted.
    """

    commit: Commit
    change: Change
    old_text: str
    new_text: str
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Window:
    """Commits that are replayed against one index.

    :param base: the commit whose tree is indexed; none of ``commits`` is among its ancestors.
    :param commits: the newest first.
    """

    base: str
    commits: tuple[Commit, ...]


@dataclass
class SkipReport:
    """Counts what a replay or a data set left out, and collects sentences for the user.

    :ivar reasons: reason -> count.
    :ivar notes: sentences for the user.
    """

    reasons: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, reason: str, amount: int = 1) -> None:
        """Add to the count of a reason; an amount of 0 leaves no trace."""
        if amount:
            self.reasons[reason] = self.reasons.get(reason, 0) + amount

    def note(self, sentence: str) -> None:
        """Add a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


def windows(
    root: Path, commits: int, count: int, *, since: str | None = None, first_parent: bool = False
) -> list[Window]:
    """Divide the last commits of ``HEAD`` into ``count`` windows, the oldest window first.

    :param commits: number of commits in all; fewer if the history has fewer.
    :param since: only commits after this date, as git understands it.
    :param first_parent: follow only the first parent of merges.
    :raises UserError: no commit has a parent.
    """
    if not (git.is_repository(root) or git.is_bare(root)) or git.head(root) is None:
        raise UserError(f"{root} has no history to replay", _SPLIT_FILES)
    found = history.commits(root, limit=commits, since=since, first_parent=first_parent)
    changing = [commit for commit in found if commit.parent]
    if not changing:
        raise _nothing_to_replay(root, found, since, first_parent)
    return divided(root, changing, count)


def divided(root: Path, commits: Sequence[Commit], count: int) -> list[Window]:
    """Divide commits with parents, the newest first, into ``count`` windows, the oldest window first."""
    size = -(-len(commits) // count)
    made = []
    for start in range(0, len(commits), size):
        part = commits[start : start + size]
        base = part[-1].parent
        assert base is not None
        # Dates can be wrong and branches can cross: a commit that the base already holds is not replayed.
        new = beyond(root, base, part)
        kept = tuple(commit for commit in part if commit.id in new)
        if kept:
            made.append(Window(base, kept))
    return made[::-1]


def beyond(root: Path, base: str, commits: Sequence[Commit]) -> set[str]:
    """Return the ids of the commits that are neither ``base`` nor its ancestors."""
    ids = {commit.id for commit in commits}
    names = "".join(f"{name}\n" for name in (*sorted(ids), f"^{base}")).encode()
    return ids & set(run_git(root, "rev-list", "--stdin", stdin=names).decode().split())


def _nothing_to_replay(root: Path, found: list[Commit], since: str | None, first_parent: bool) -> UserError:
    """Say why a history has no commit to replay, and what to do."""
    if git.is_shallow(root):
        return UserError(
            f"{root} is a clone whose history was cut off", f"run git fetch --unshallow, or {_SPLIT_FILES}"
        )
    if since is not None:
        return UserError(f"{root} has no commit since {since} that has a parent", "name an earlier --since")
    if found and found[0].id == git.head(root):
        return UserError(f"{root} has only one commit", _SPLIT_FILES)
    other = "replay without --first-parent, or " if first_parent else ""
    return UserError(f"the history of {root} holds only merges", f"{other}{_SPLIT_FILES}")


def edits(
    root: Path, window: Window, settings: Settings, skips: SkipReport, wanted: Callable[[str], bool] | None = None
) -> Iterator[Edit]:
    """Yield the edits of a window's commits to code files that the policy accepts.

    :param wanted: decides by its path whether a file is replayed; the default is ``is_code``.
    """
    wanted = wanted or is_code
    allows, base_blobs = allowed(root, settings), _blobs(root, window.base)
    try:
        gone = _deleted(root, window.commits, settings)
    except OndolError:
        skips.count("deleted files of commits that are incomplete in this clone")
        gone = {}
    for commit in window.commits:
        try:
            changed = history.changes(root, commit)
            chosen = [change for change in changed if wanted(change.path)]
            chosen = _accepted(chosen, allows, base_blobs, skips)
            chosen = _sampled(commit, changed, chosen, skips)
            yield from _with_texts(root, commit, chosen, settings, gone.get(commit.id, frozenset()), skips)
        except OndolError:
            skips.count("commit that is incomplete in this clone")


def is_code(path: str) -> bool:
    """Return whether a file is of a known language that is neither prose nor data."""
    return language_of(path) not in PROSE


def of_unknown_language(path: str) -> bool:
    """Return whether a file of no known language may be code: it has a suffix that is not one of prose."""
    suffix = PurePosixPath(path).suffix.lower()
    return language_of(path) == "text" and suffix not in _PROSE_SUFFIXES


def _accepted(
    changes: Sequence[Change], allows: Callable[[str], bool], base_blobs: frozenset[str], skips: SkipReport
) -> list[Change]:
    """Return the changes that the policy accepts, that change lines, and that restore no text of the window's base."""
    accepted = []
    for change in changes:
        if not (allows(change.path) and allows(change.old_path)):
            continue
        if not change.hunks:
            skips.count("file: no lines changed, or binary")
        elif change.new_blob in base_blobs:
            skips.count("file: restored to a state from before the window")
        else:
            accepted.append(change)
    return accepted


def _sampled(commit: Commit, changed: list[Change], chosen: list[Change], skips: SkipReport) -> list[Change]:
    """Return all chosen files of a commit, or of a huge commit a sample that depends only on the commit."""
    added = sum(change.added for change in changed)
    if added <= ADDED_LIMIT or len(chosen) <= FILES_SAMPLED:
        return chosen
    skips.note(
        f"Commit {commit.id[:10]} adds {added:,} lines: {FILES_SAMPLED} of its {len(chosen):,} files were sampled."
    )
    return random.Random(commit.id).sample(sorted(chosen, key=lambda change: change.path), FILES_SAMPLED)


def _with_texts(
    root: Path,
    commit: Commit,
    changes: Sequence[Change],
    settings: Settings,
    gone: frozenset[str],
    skips: SkipReport,
) -> Iterator[Edit]:
    """Yield the changes with their texts, secrets masked; count those whose text cannot be read."""
    ids = sorted({blob for change in changes for blob in (change.old_blob, change.new_blob)} - {NO_BLOB})
    blobs = dict(cat_file_batch(root, ids, settings.max_file_bytes))
    for change in changes:
        old = _text(change.old_path, change.old_blob, blobs, settings)
        new = _text(change.path, change.new_blob, blobs, settings)
        if isinstance(old, Skip):
            skips.count(f"file: {old.reason}")
        elif isinstance(new, Skip):
            skips.count(f"file: {new.reason}")
        else:
            yield Edit(commit, change, old, new, gone)


def _text(path: str, blob: str, blobs: dict[str, bytes | None], settings: Settings) -> str | Skip:
    """Return the text of a blob with secrets masked, "" for no blob, or the reason why it is left out."""
    data = b"" if blob == NO_BLOB else blobs.get(blob)
    if data is None:
        return Skip(path, "missing or too large")
    if not data:
        return ""
    source = source_from_bytes(path, data, settings)
    if isinstance(source, Skip):
        return source
    if "\r" in source.text.replace("\r\n", "\n"):
        return Skip(path, "lone carriage returns")  # editors count them as line ends, git does not
    return source.text


def _blobs(root: Path, commit: str) -> frozenset[str]:
    """Return the blob ids of all files in a commit's tree."""
    return frozenset(entry.blob for entry in git.ls_tree(root, commit))


def _deleted(root: Path, commits: Sequence[Commit], settings: Settings) -> dict[str, frozenset[str]]:
    """Return for each commit the stripped lines of the code files that it deleted and did not rename."""
    names = "".join(f"{commit.id}\n" for commit in commits).encode()
    output = run_git(
        root,
        "log",
        "--no-walk=unsorted",
        "--stdin",
        "--format=commit %H",
        "-r",
        "-M",
        "--raw",
        "--no-abbrev",
        "--no-color",
        "--diff-filter=D",
        "--ignore-submodules=all",
        stdin=names,
    )
    blobs: dict[str, list[str]] = defaultdict(list)
    commit = ""
    for line in output.split(b"\n"):
        if line.startswith(b"commit "):
            commit = line[7:].decode()
        elif line.startswith(b":100"):
            head, _, name = line.partition(b"\t")
            if language_of(os.fsdecode(name).strip('"')) not in PROSE:
                blobs[head.split()[2].decode()].append(commit)
    lines: dict[str, set[str]] = defaultdict(set)
    for blob, data in cat_file_batch(root, sorted(blobs), settings.max_file_bytes):
        # These lines are only compared with added lines, so the encoding does not matter.
        stripped = {line.strip() for line in lines_of((data or b"").decode("utf-8", "replace"))} - {""}
        for commit in blobs[blob]:
            lines[commit] |= stripped
    return {commit: frozenset(found) for commit, found in lines.items()}


class Tree:
    """A folder that holds the files of a commit; moving to another commit writes only the differences.

    :param folder: emptied at the start.
    :param max_bytes: larger files are not written.
    """

    def __init__(self, root: Path, folder: Path, max_bytes: int | None = None) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self.folder = folder
        self._blobs: dict[str, str] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)

    def move_to(self, commit: str, accept: Callable[[str], bool]) -> None:
        """Write the regular files of a commit's tree whose paths are accepted.

        ``.gitignore`` files are not written, because a tracked file is indexed even if one of them names it.
        """
        wanted = {
            entry.path: entry.blob
            for entry in git.ls_tree(self._root, commit)
            if entry.is_regular and _plain(entry.path) and accept(entry.path)
        }
        for path in self._blobs.keys() - wanted.keys():
            self._remove(path)
        fresh = {path: blob for path, blob in wanted.items() if self._blobs.get(path) != blob}
        paths: dict[str, list[str]] = {}
        for path, blob in fresh.items():
            paths.setdefault(blob, []).append(path)
        for blob, data in cat_file_batch(self._root, sorted(paths), self._max_bytes):
            for path in paths[blob]:
                if data is None:
                    wanted.pop(path)
                    self._remove(path)
                    continue
                target = self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        self._blobs = wanted

    def _remove(self, path: str) -> None:
        """Remove a file and the folders that it leaves empty, so that a file can take a folder's name."""
        target = self.folder / path
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == self.folder or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()


def _plain(path: str) -> bool:
    """Return whether a path stays below the folder that it is written to and is not a ``.gitignore``."""
    parts: Sequence[str] = path.split("/")
    inside = bool(path) and not path.startswith("/") and all(part not in ("", ".", "..") for part in parts)
    return inside and parts[-1] != ".gitignore"
