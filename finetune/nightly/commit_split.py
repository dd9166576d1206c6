"""Which commits a night trains on, and which newer ones it keeps out of training to judge by.

    ... -- since --[ training ]-- until --[ replayed, never trained on ]-- head

``until`` is the commit whose tree the replay's oldest index is made of, and every replayed commit lies beyond it, so
nothing that is judged on can have been seen. The next night trains on what this one judged by: it starts after the last
commit that the serving version was trained on. A night is worth its while when enough commits are new since the one
before, promoted or not. This module reads history and versions; it trains and judges nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from finetune.commits.windows import Window, beyond, windows
from indexer.errors import OndolError, UserError
from indexer.repository import git, history
from indexer.repository.history import Commit
from lsp_server.weights.adapter_registry_writer import Version

HELD_OUT_SHARE = 4
"""One in so many commits is kept out of training."""

HELD_OUT = (10, 100)
"""At least so many, up to half of all, and at most so many: fewer tell nothing, more would only be learnt later."""


@dataclass(frozen=True, slots=True)
class CommitSplit:
    """The commits of a night.

    :param since: training begins after this commit; None at the beginning of the history.
    :param until: newest commit that is trained on. :param head: newest commit that is replayed.
    :param fresh: commits that no night has had before. :param training: commits to train on.
    :param replayed: windows of commits to judge by, the oldest first; all of them beyond ``until``.
    :param notes: what a person should know.
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
        """How many commits are kept out of training."""
        return sum(len(window.commits) for window in self.replayed)


class NotEnoughCommits(Exception):
    """There is too little that is new; the message says how little. No error: tomorrow there may be more."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the user asked for.

    :param since: a revision to train from, over what the registry says. :param least: new commits that make a night.
    :param held_out: commits to keep out of training; None for a share of them.
    """

    since: str | None = None
    least: int = 10
    held_out: int | None = None
    windows: int = 2


def plan(root: Path, wanted: PlanOptions, versions: Sequence[Version], serving: Version | None) -> CommitSplit:
    """The commits of the coming night.

    :param versions: of the same base, the oldest first: what earlier nights made.
    :param serving: the one that serves, if there is one; training goes on after it.
    :raises NotEnoughCommits: there is too little to train on or to judge by.
    :raises UserError: no history, or no such revision.
    """
    head = git.head(root) if git.is_repository(root) or git.is_bare(root) else None
    if head is None:
        raise UserError(f"{root} has no history to learn from", "commit something, or name another repository")
    notes: list[str] = []
    if git.is_shallow(root):
        notes.append("The clone is shallow: only the commits that are there are learnt from.")
    last = versions[-1].field("commits", "head") if versions else None
    reached = _reachable(root, head, last, "the last night", notes) if wanted.since is None else None
    fresh = len(history.commits(root, f"{reached}..{head}" if reached else head))
    if reached and fresh < wanted.least:
        raise NotEnoughCommits(f"{fresh} commits are new since the last night, {wanted.least} are needed")
    if wanted.since is not None:
        since: str | None = _resolve(root, wanted.since, head)
    else:
        since = _reachable(root, head, serving.newest if serving else None, "the version that serves", notes)
    found = history.commits(root, f"{since}..{head}" if since else head)
    if len(found) < wanted.least:
        raise NotEnoughCommits(f"{len(found)} commits to learn from, {wanted.least} are needed")
    replayed = _held_out(root, wanted, len(found))
    until = replayed[0].base
    if since is not None and beyond(root, until, [Commit(since, None, 0, "")]):
        raise NotEnoughCommits(f"all {len(found)} commits are needed to judge by")
    training = len(history.commits(root, f"{since}..{until}" if since else until))
    if not training:
        raise NotEnoughCommits(f"all {len(found)} commits are needed to judge by")
    return CommitSplit(since, until, head, fresh, training, tuple(replayed), tuple(dict.fromkeys(notes)))


def _held_out(root: Path, wanted: PlanOptions, count: int) -> list[Window]:
    """The newest commits in windows; none of them is ``until`` or among its ancestors, whatever their dates say."""
    low, high = HELD_OUT
    amount = wanted.held_out or max(1, min(max(count // HELD_OUT_SHARE, low), high, count // 2))
    found = windows(root, amount, wanted.windows)
    kept = []
    for window in found:
        new = beyond(root, found[0].base, window.commits)
        commits = tuple(commit for commit in window.commits if commit.id in new)
        if commits:
            kept.append(replace(window, commits=commits))
    return kept


def _resolve(root: Path, revision: str, head: str) -> str:
    """A revision that the user named, as a commit before ``head``."""
    try:
        name = git.run_git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    except UserError as error:
        raise UserError(f"{root.name} has no commit {revision}", "name a commit, tag or branch with --since") from error
    if beyond(root, head, [Commit(name, None, 0, "")]):
        raise UserError(f"{revision} is not among the ancestors of the checked out commit", "name one that is")
    return name


def _reachable(root: Path, head: str, commit: object, whose: str, notes: list[str]) -> str | None:
    """A commit of an earlier night if it is an ancestor still; else where the histories part, or None; with a note."""
    if not isinstance(commit, str):
        return None
    try:
        if not beyond(root, head, [Commit(commit, None, 0, "")]):
            return commit
        parted = git.run_git(root, "merge-base", commit, head).decode().split()[0]
        notes.append(f"The history was rewritten after {whose}: learning starts where the two part ({parted[:10]}).")
        return parted
    except (OndolError, IndexError):
        notes.append(f"The history was rewritten: the commits of {whose} are gone, so learning starts anew.")
        return None
