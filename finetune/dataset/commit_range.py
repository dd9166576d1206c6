"""Chooses the commits of a data set: drawn by chance, the newer ones more often, and divided into windows."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from finetune.commits.windows import Window, divided
from indexer.errors import UserError
from indexer.repository import git, history
from indexer.repository.history import Commit

COMMITS_PER_WINDOW: Final = 50
MOST_WINDOWS: Final = 8
"""Maximum number of windows, each with its own index; an index takes a few seconds."""

SAMPLES_PER_WINDOW: Final = 100
"""A small set has fewer windows."""

LOOKED_AT: Final = 2
"""Commits that are looked at for each wanted sample. More would mean an index from longer before the newest ones."""

NEWER: Final = 16.0
"""How much more often the newest commit is drawn than the oldest, where not all are needed."""

ENOUGH_FOR_VALIDATION: Final = 20
"""Minimum number of commits for a validation split."""


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What goes into a data set.

    :param since: take the commits after this one; None for the whole history, up to ``max_commits``.
    :param until: the newest commit that is read; no sample or context holds anything newer.
    :param replay_share: share of the samples from older code, so that the model does not forget it.
    :param fim_share: share of the samples that fill a middle; the others are documents, read left to right.
    :param distractor_share: share of the samples with no context or unrelated context (half each).
    :param max_tokens: longest sample; the default fits a server's longest prompt and its answer.
    :param author_share, directory_share: largest share of the samples from one author, or from one directory.
    :param validation_share: share of the commits, the newest ones, whose samples only measure the loss.
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
class CommitRange:
    """The commits of a set: ids of its ends, the windows between them, and the ids of the validation commits."""

    since: str | None
    until: str
    windows: list[Window]
    validation: frozenset[str]


def commit_range(root: Path, options: DatasetOptions) -> CommitRange:
    """Return the commits of a set of at most ``options.max_samples`` samples.

    A small set takes one commit for each wanted sample, which is more than enough, from the newest commits.

    :raises UserError: there is no history, or no such commit.
    """
    if not (git.is_repository(root) or git.is_bare(root)) or git.head(root) is None:
        raise UserError(f"{root} has no history to learn from", "commit something first")
    until = _commit(root, options.until)
    since = _commit(root, options.since) if options.since else None
    found = history.commits(root, f"{since}..{until}" if since else until, limit=options.max_commits)
    changing = [commit for commit in found if commit.parent][: max(COMMITS_PER_WINDOW, LOOKED_AT * options.max_samples)]
    if not changing:
        return CommitRange(since, until, [], frozenset())
    most = min(MOST_WINDOWS, max(1, options.max_samples // SAMPLES_PER_WINDOW))
    windows = divided(root, changing, min(most, -(-len(changing) // COMMITS_PER_WINDOW)))
    drawn = _drawn(changing, options.max_samples, options.seed)
    windows = [window for window in (_only(window, drawn) for window in windows) if window.commits]
    newest = sorted(windows[-1].commits, key=lambda commit: -commit.time) if windows else []  # equal times: git's order
    count = int(len(drawn) * options.validation_share) if len(drawn) >= ENOUGH_FOR_VALIDATION else 0
    return CommitRange(since, until, windows, frozenset(commit.id for commit in newest[:count]))


def _drawn(commits: Sequence[Commit], count: int, seed: int) -> frozenset[str]:
    """Draw the ids of ``count`` commits by chance; the newest counts ``NEWER`` times as much as the oldest.

    Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006: the largest ``u ** (1 / weight)``.

    :param commits: the newest first; their order counts, not their dates, which can be wrong.
    """
    rng = random.Random(f"{seed}:commits")
    oldest = max(1, len(commits) - 1)
    keys = [(rng.random() ** NEWER ** (age / oldest), commit.id) for age, commit in enumerate(commits)]
    return frozenset(name for _, name in sorted(keys, reverse=True)[:count])


def _only(window: Window, drawn: frozenset[str]) -> Window:
    return Window(window.base, tuple(commit for commit in window.commits if commit.id in drawn))


def _commit(root: Path, revision: str) -> str:
    try:
        name = git.run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except UserError:
        raise UserError(
            f"{root} has no commit {revision}", "name another commit; the history may have been rewritten"
        ) from None
    return name.decode().strip()
