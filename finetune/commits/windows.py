"""Walks back through a repository's history in windows: an index from before each, the edits within it.

A window is some commits in a row. Its index is built from the tree that stood before the oldest of them, so that
nothing of a commit that is predicted, or of any later one, can be in it. Several short windows stay closer to what a
developer has, an index as fresh as the last save, than one long one.

The tree is written to a folder of ours; nothing is checked out in the repository itself. This module chooses no
cursors and builds no index.
"""

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from indexer.config import Settings
from indexer.errors import OndolError, UserError
from indexer.languages.grammars import language_of
from indexer.repository import git, history
from indexer.repository.git import cat_file_batch, run_git
from indexer.repository.history import NO_BLOB, Change, Commit
from indexer.repository.policy import accepts_path, source_from_bytes
from indexer.text.lines import lines_of
from indexer.types import Skip

PROSE: Final = frozenset({"text", "markdown", "rst", "json", "yaml", "toml", "html", "css", "sql", "xml"})
"""Languages whose lines are not predicted: prose and data say little about completing code."""

ADDED_LIMIT: Final = 20_000
"""Lines of one commit beyond which only ``FILES_SAMPLED`` of its files are taken: nobody typed it at one go."""

FILES_SAMPLED: Final = 20

_PROSE_SUFFIXES: Final = frozenset({"", ".txt", ".text", ".adoc", ".asciidoc", ".tex", ".org", ".po", ".pot", ".lst"})
_SPLIT_FILES: Final = "hold out files instead of commits with --split-files"


@dataclass(frozen=True, slots=True)
class Edit:
    """One changed file of one commit with its texts, as the chooser needs them.

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

    :param base: the commit whose tree is indexed; it holds none of ``commits``.
    """

    base: str
    commits: tuple[Commit, ...]


@dataclass
class Passed:
    """What a replay passed over: counts by reason, and sentences for what a person should know."""

    reasons: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, reason: str) -> None:
        """One more."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def note(self, sentence: str) -> None:
        """Tells something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


def windows(
    root: Path, commits: int, count: int, *, since: str | None = None, first_parent: bool = False
) -> list[Window]:
    """The last commits of ``HEAD`` in ``count`` windows, oldest window first.

    :param commits: how many in all; fewer where the history has fewer.
    :raises UserError: there is no commit with a parent.
    """
    if not (git.is_repository(root) or git.is_bare(root)) or git.head(root) is None:
        raise UserError(f"{root} has no history to replay", _SPLIT_FILES)
    found = history.commits(root, limit=commits, since=since, first_parent=first_parent)
    changing = [commit for commit in found if commit.parent]
    if not changing:
        raise _nothing_to_replay(root, found, since, first_parent)
    return divided(root, changing, count)


def divided(root: Path, commits: Sequence[Commit], count: int) -> list[Window]:
    """Commits that have parents, newest first, in ``count`` windows, oldest window first."""
    size = -(-len(commits) // count)
    made = []
    for start in range(0, len(commits), size):
        part = commits[start : start + size]
        base = part[-1].parent
        assert base is not None
        # Dates may lie and branches cross: whatever of the window the base already holds is not replayed.
        new = beyond(root, base, part)
        kept = tuple(commit for commit in part if commit.id in new)
        if kept:
            made.append(Window(base, kept))
    return made[::-1]


def beyond(root: Path, base: str, commits: Sequence[Commit]) -> set[str]:
    """The ids of those commits that are neither ``base`` nor among its ancestors."""
    ids = {commit.id for commit in commits}
    names = "".join(f"{name}\n" for name in (*sorted(ids), f"^{base}")).encode()
    return ids & set(run_git(root, "rev-list", "--stdin", stdin=names).decode().split())


def _nothing_to_replay(root: Path, found: list[Commit], since: str | None, first_parent: bool) -> UserError:
    """Why a history gives no commit to replay, and what to do."""
    if git.is_shallow(root):
        return UserError(
            f"{root} is a clone whose history was cut off", f"run git fetch --unshallow, or {_SPLIT_FILES}"
        )
    if since is not None:
        return UserError(f"{root} has no commit since {since} that changes an earlier one", "name an earlier --since")
    if found and found[0].id == git.head(root):
        return UserError(f"{root} has one commit and nothing before it", _SPLIT_FILES)
    other = "replay without --first-parent, or " if first_parent else ""
    return UserError(f"the history of {root} holds nothing but merges", f"{other}{_SPLIT_FILES}")


def edits(
    root: Path, window: Window, settings: Settings, passed: Passed, wanted: Callable[[str], bool] | None = None
) -> Iterator[Edit]:
    """The edits of a window's commits to files of code that the policy lets in.

    :param wanted: says by its path whether a file is one of code; by default those of known languages but prose.
    """
    wanted = wanted or is_code
    standing = _blobs(root, window.base)
    try:
        gone = _deleted(root, window.commits, settings)
    except OndolError:
        passed.count("deleted files of commits that are not whole in this clone")
        gone = {}
    for commit in window.commits:
        try:
            changed = history.changes(root, commit)
            yield from _edits_of(
                root, commit, changed, settings, passed, wanted, standing, gone.get(commit.id, frozenset())
            )
        except OndolError:
            passed.count("commit not whole in this clone")


def is_code(path: str) -> bool:
    """Whether a file is of a known language whose lines are worth predicting."""
    return language_of(path) not in PROSE


def of_unknown_language(path: str) -> bool:
    """Whether a file may be code all the same: of no known language, but with a suffix, and not that of prose."""
    suffix = PurePosixPath(path).suffix.lower()
    return language_of(path) == "text" and suffix not in _PROSE_SUFFIXES


def _edits_of(
    root: Path,
    commit: Commit,
    changed: list[Change],
    settings: Settings,
    passed: Passed,
    is_wanted: Callable[[str], bool],
    standing: frozenset[str],
    gone: frozenset[str],
) -> Iterator[Edit]:
    wanted = []
    for change in changed:
        if not is_wanted(change.path) or accepts_path(change.path, settings) is not None:
            continue
        if not change.hunks:
            passed.count("file: no lines changed, or binary")
        elif change.new_blob in standing:
            passed.count("file: put back to a state from before the window")
        else:
            wanted.append(change)
    wanted = _sampled(commit, changed, wanted, passed)
    ids = sorted({blob for change in wanted for blob in (change.old_blob, change.new_blob)} - {NO_BLOB})
    blobs = dict(cat_file_batch(root, ids, settings.max_file_bytes))
    for change in wanted:
        old = _text(change.old_path, change.old_blob, blobs, settings)
        new = _text(change.path, change.new_blob, blobs, settings)
        if isinstance(old, str) and isinstance(new, str):
            yield Edit(commit, change, old, new, gone)
        else:
            passed.count(
                f"file: {old.reason if isinstance(old, Skip) else new.reason if isinstance(new, Skip) else ''}"
            )


def _sampled(commit: Commit, changed: list[Change], wanted: list[Change], passed: Passed) -> list[Change]:
    """The files of a commit that are taken: all, or of a huge one some, the same each time."""
    added = sum(change.added for change in changed)
    if added <= ADDED_LIMIT or len(wanted) <= FILES_SAMPLED:
        return wanted
    passed.note(
        f"Commit {commit.id[:10]} adds {added:,} lines: {FILES_SAMPLED} of its {len(wanted):,} files were sampled."
    )
    return random.Random(commit.id).sample(sorted(wanted, key=lambda change: change.path), FILES_SAMPLED)


def _text(path: str, blob: str, blobs: dict[str, bytes | None], settings: Settings) -> str | Skip:
    """The text of a blob with secrets masked, "" for none, or why it cannot be had."""
    data = b"" if blob == NO_BLOB else blobs.get(blob)
    if data is None:
        return Skip(path, "missing or too large")
    if not data:
        return ""
    source = source_from_bytes(path, data, settings)
    if isinstance(source, Skip):
        return source
    if "\r" in source.text.replace("\r\n", "\n"):
        return Skip(path, "lone carriage returns")  # Git does not count them as ends of lines, editors do.
    return source.text


def _blobs(root: Path, commit: str) -> frozenset[str]:
    """The blob ids of all files of a commit's tree."""
    return frozenset(entry.blob for entry in git.ls_tree(root, commit))


def _deleted(root: Path, commits: Sequence[Commit], settings: Settings) -> dict[str, frozenset[str]]:
    """For each commit the stripped lines of the files of code that it deleted and did not rename."""
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
        # Only compared with added lines, so the encoding need not be known.
        stripped = {line.strip() for line in lines_of((data or b"").decode("utf-8", "replace"))} - {""}
        for commit in blobs[blob]:
            lines[commit] |= stripped
    return {commit: frozenset(found) for commit, found in lines.items()}


class Tree:
    """A folder that holds the tree of a commit; moving to another commit writes what differs.

    :param folder: ours; it is emptied when a tree is first written.
    """

    def __init__(self, root: Path, folder: Path, max_bytes: int | None = None) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self.folder = folder
        self._blobs: dict[str, str] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)

    def move_to(self, commit: str, accept: Callable[[str], bool]) -> None:
        """Writes the regular files of a commit's tree whose paths are accepted.

        ``.gitignore`` files are not written: a file that git tracks is indexed even if they name it.
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
        """Removes a file and the folders that are empty without it, so that a file may take a folder's name."""
        target = self.folder / path
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == self.folder or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()


def _plain(path: str) -> bool:
    """Whether a path of a tree stays below the folder that it is written to, and is no ``.gitignore``."""
    parts: Sequence[str] = path.split("/")
    inside = bool(path) and not path.startswith("/") and all(part not in ("", ".", "..") for part in parts)
    return inside and parts[-1] != ".gitignore"
