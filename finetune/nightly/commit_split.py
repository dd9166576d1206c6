"""Splits the newest commits into those that a nightly job trains on and those that judge the new adapter.

    ... -- since --[ training ]-- until --[ replayed, never trained on ]-- head

The replay's oldest index is made of the tree of ``until``, and every replayed commit comes after it, so training saw
nothing of what judges the adapter. The next job starts after the last commit that the current adapter was trained on,
so it trains on what this one judged by. A job runs if enough commits are new since the last one, promoted or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from finetune.commits.windows import Window, beyond, windows
from indexer.errors import OndolError, UserError
from indexer.repository import git, history
from indexer.repository.history import Commit
from lsp_server.weights.adapter_registry_writer import Version

HELD_OUT_SHARE: Final = 4
"""One in this number of commits is kept out of training."""

HELD_OUT: Final = (10, 100)
"""Fewest and most commits that are kept out of training; never more than half of all. Fewer commits cannot show a
difference; more would only be learnt later."""


@dataclass(frozen=True, slots=True)
class CommitSplit:
    """The commits of a nightly job.

    :param since: training begins after this commit; None for the beginning of the history.
    :param until: newest commit of the training.
    :param head: newest commit of the replay.
    :param fresh: number of commits that no earlier job had.
    :param training: number of commits to train on.
    :param replayed: windows of commits to judge by, the oldest first; all of them come after ``until``.
    :param notes: sentences for the user.
    """

    since: str | None
    until: str
    head: str
    fresh: int
    training: int
    replayed: tuple[Window, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def held_out(self) -> int:
        """Number of commits that are kept out of training."""
        return sum(len(window.commits) for window in self.replayed)


class NotEnoughCommits(Exception):
    """There are too few new commits; the message says how many. Not an error: later there may be more."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Which commits the user wants.

    :param since: a revision to train from; None for the commits that the registry shows as new.
    :param min_commits: a job needs this number of new commits.
    :param held_out: number of commits to keep out of training; None for a share of them.
    :param windows: number of windows that the replay is divided into.
    """

    since: str | None = None
    min_commits: int = 10
    held_out: int | None = None
    windows: int = 2


def split_commits(
    root: Path, options: PlanOptions, versions: Sequence[Version], current: Version | None
) -> CommitSplit:
    """Choose the commits of the next nightly job.

    :param versions: the adapters of earlier jobs for the same base, the oldest first.
    :param current: the current adapter, if there is one; training continues after its commits.
    :raises NotEnoughCommits: there are too few commits to train on or to judge by.
    :raises UserError: there is no history, or no such revision.
    """
    head = git.head(root) if git.is_repository(root) or git.is_bare(root) else None
    if head is None:
        raise UserError(f"{root} has no history to learn from", "commit something, or name another repository")
    notes: list[str] = []
    if git.is_shallow(root):
        notes.append("The clone is shallow: only its own commits are used.")
    last = versions[-1].field("commits", "head") if versions else None
    reached = _reachable(root, head, last, "the last nightly run", notes) if options.since is None else None
    fresh = len(history.commits(root, f"{reached}..{head}" if reached else head))
    if reached and fresh < options.min_commits:
        raise NotEnoughCommits(f"{fresh} commits are new since the last nightly run, {options.min_commits} are needed")
    if options.since is not None:
        since: str | None = _resolve(root, options.since, head)
    else:
        since = _reachable(root, head, current.newest if current else None, "the current adapter", notes)
    found = history.commits(root, f"{since}..{head}" if since else head)
    if len(found) < options.min_commits:
        raise NotEnoughCommits(f"{len(found)} commits to learn from, {options.min_commits} are needed")
    replayed = _held_out(root, options, len(found))
    until = replayed[0].base
    if since is not None and beyond(root, until, [Commit(since, None, 0, "")]):
        raise NotEnoughCommits(f"all {len(found)} commits are needed to judge by")
    training = len(history.commits(root, f"{since}..{until}" if since else until))
    if not training:
        raise NotEnoughCommits(f"all {len(found)} commits are needed to judge by")
    return CommitSplit(since, until, head, fresh, training, tuple(replayed), tuple(dict.fromkeys(notes)))


def _held_out(root: Path, options: PlanOptions, count: int) -> list[Window]:
    """Return the newest commits in windows, without those that the oldest base already holds, whatever their dates."""
    low, high = HELD_OUT
    amount = options.held_out or max(1, min(max(count // HELD_OUT_SHARE, low), high, count // 2))
    found = windows(root, amount, options.windows)
    kept = []
    for window in found:
        new = beyond(root, found[0].base, window.commits)
        commits = tuple(commit for commit in window.commits if commit.id in new)
        if commits:
            kept.append(replace(window, commits=commits))
    return kept


def _resolve(root: Path, revision: str, head: str) -> str:
    """Return the commit id of the user's revision, which must come before ``head``."""
    try:
        name = git.run_git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    except UserError as error:
        raise UserError(f"{root.name} has no commit {revision}", "name a commit, tag or branch with --since") from error
    if beyond(root, head, [Commit(name, None, 0, "")]):
        raise UserError(f"{revision} is not among the ancestors of the checked out commit", "name one that is")
    return name


def _reachable(root: Path, head: str, commit: object, owner: str, notes: list[str]) -> str | None:
    """Return an earlier run's commit if it is still an ancestor of ``head``, else the commit where the histories part.

    None if there is no such commit. A rewritten history is noted.
    """
    if not isinstance(commit, str):
        return None
    try:
        if not beyond(root, head, [Commit(commit, None, 0, "")]):
            return commit
        parted = git.run_git(root, "merge-base", commit, head).decode().split()[0]
        notes.append(f"The history was rewritten after {owner}: training starts where the two part ({parted[:10]}).")
        return parted
    except (OndolError, IndexError):
        notes.append(f"The history was rewritten: the commits of {owner} are gone, so training starts from scratch.")
        return None
