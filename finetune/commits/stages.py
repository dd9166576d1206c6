"""Stages of a commit replay: for each window of commits, the index from before it and the cursors within it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.commits.cases import KINDS, Case, choose
from finetune.commits.windows import Passed, Tree, Window, beyond, edits, of_unknown_language
from indexer.building.build import Progress, build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.repository.policy import accepts_path
from indexer.storage.reader import Index


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is replayed.

    :param start: cases with the cursor at the start of a line. :param within: cases with the cursor inside a line.
    :param every: of all lines that commits add, see ``cases.choose``.
    """

    start: int
    within: int
    seed: int
    every: bool = False

    def share(self, part: int, parts: int) -> dict[str, int]:
        """Cases of each kind for one of several windows; together they make up the plan."""
        kinds = [kind for kind in KINDS if kind != "start"]
        wanted = {"start": self.start} | {
            kind: self.within // len(kinds) + (number < self.within % len(kinds)) for number, kind in enumerate(kinds)
        }
        return {kind: total * (part + 1) // parts - total * part // parts for kind, total in wanted.items()}


@dataclass(frozen=True, slots=True)
class Stage:
    """An index and the cases that are put to it.

    :param about: for the report: the commit that was indexed, and how large and quickly made the index is.
    """

    index: Index
    cases: list[Case]
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watch:
    """How a replay tells how far it is.

    :param say: a phrase for what is being done. :param index: steps of an index being built.
    :param case: one case was answered by every arm.
    """

    say: Callable[[str], None] = lambda phrase: None
    index: Callable[[Progress], None] = lambda step: None
    case: Callable[[], None] = lambda: None


def indexed_windows(
    root: Path, plan: list[Window], settings: Settings, folder: Path, tell: Callable[[str], None]
) -> Iterator[tuple[Window, Index]]:
    """Each window with the index of the tree from before it.

    :param folder: ours; trees and indexes are written below it.
    """
    for window, index, _ in _indexed(root, plan, settings, folder, Watch(say=tell)):
        yield window, index


def _indexed(
    root: Path, plan: list[Window], settings: Settings, folder: Path, watch: Watch
) -> Iterator[tuple[Window, Index, dict[str, Any]]]:
    tree = Tree(root, folder / (root.name or "repository"), settings.max_file_bytes)
    for number, window in enumerate(plan):
        watch.say(f"indexing window {number + 1} of {len(plan)}")
        # The point of it all: what is predicted, or comes after it, cannot be copied.
        assert len(beyond(root, window.base, window.commits)) == len(window.commits), "the base holds the window"
        tree.move_to(window.base, lambda path: accepts_path(path, settings) is None)
        index, about = index_of(tree.folder, settings, folder, watch)
        newest, oldest = window.commits[0], window.commits[-1]
        days = [datetime.fromtimestamp(commit.time, UTC).date().isoformat() for commit in (oldest, newest)]
        yield (
            window,
            index,
            {
                "indexed_commit": window.base,
                "commits": len(window.commits),
                "oldest": oldest.id,
                "newest": newest.id,
                "from": days[0],
                "to": days[1],
                **about,
            },
        )


def index_of(tree: Path, settings: Settings, folder: Path, watch: Watch) -> tuple[Index, dict[str, Any]]:
    """The index of a folder, kept below a folder of ours, and facts about it."""
    inner = replace(settings, data_dir=folder / "data")
    report = build(tree, inner, watch.index)
    about = {
        "generation": report.generation,
        "files": report.files,
        "lines": report.lines,
        "index_seconds": round(report.seconds, 2),
        "left_out": report.skipped,
    }
    return Index.open(index_directory(inner, tree), inner), about


def window_cases(
    root: Path,
    window: Window,
    settings: Settings,
    plan: Plan,
    part: int,
    parts: int,
    passed: Passed,
    missing: Counter[str] | None = None,
) -> list[Case]:
    """The cases of one window.

    :param missing: cases of each kind that earlier windows could not give; brought up to date.
    """
    missing = Counter() if missing is None else missing
    wanted = Counter(plan.share(part, parts)) + missing
    found = choose(edits(root, window, settings, passed), dict(wanted), plan.seed + part, every=plan.every)
    if not found:
        other = edits(root, window, settings, Passed(), of_unknown_language)
        found = choose(other, dict(wanted), plan.seed + part, every=plan.every)
        if found:
            passed.note("Some windows change no file of a known language; files of unknown ones were replayed there.")
    missing.clear()
    missing.update(wanted - Counter(case.kind for case in found if not case.moved))
    return found


def commit_stages(
    root: Path, plan: list[Window], settings: Settings, amount: Plan, folder: Path, passed: Passed, watch: Watch
) -> Iterator[Stage]:
    """A stage for each window of commits, the oldest first."""
    missing: Counter[str] = Counter()
    for part, (window, index, about) in enumerate(_indexed(root, plan, settings, folder, watch)):
        watch.say(f"reading window {part + 1} of {len(plan)}")
        found = window_cases(root, window, settings, amount, part, len(plan), passed, missing)
        yield Stage(index, found, {**about, "cases": len(found)})
