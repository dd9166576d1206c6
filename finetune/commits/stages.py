"""The stages of a commit replay: for each window of commits, the index from before it and the cursors within it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.commits import typed_hunks
from finetune.commits.allowed import allowed
from finetune.commits.cases import KINDS, Case, choose
from finetune.commits.typed_hunks import TypedHunk
from finetune.commits.windows import Edit, SkipReport, Tree, Window, beyond, edits, of_unknown_language
from indexer.building.build import build
from indexer.building.report import BuildProgress
from indexer.config import Settings
from indexer.data_layout import index_directory, settings_inside
from indexer.storage.reader import Index


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """How many cases a replay draws.

    :param start: cases with the cursor at the start of a line.
    :param within: cases with the cursor inside a line.
    :param seed: seed of the draw.
    :param every: draw from all lines that commits add, see ``cases.choose``.
    :param hunks: hunks for the typing replay.
    :param append: the documents of the cases end at the cursor.
    :param edits: keep the edits of the commits, for the replay of next edits.
    """

    start: int
    within: int
    seed: int
    every: bool = False
    hunks: int = 0
    append: bool = False
    edits: bool = False

    def share(self, part: int, parts: int) -> dict[str, int]:
        """Return the number of cases of each kind for window ``part`` of ``parts``; the shares add up to the plan."""
        kinds = [kind for kind in KINDS if kind != "start"]
        totals = {"start": self.start} | {
            kind: self.within // len(kinds) + (number < self.within % len(kinds)) for number, kind in enumerate(kinds)
        }
        return {kind: total * (part + 1) // parts - total * part // parts for kind, total in totals.items()}


@dataclass(frozen=True, slots=True)
class Stage:
    """An index, and the cases, hunks and edits that are replayed against it.

    :param about: facts for the report: the indexed commit, the size of the index and the seconds it took.
    """

    index: Index
    cases: list[Case]
    about: dict[str, Any]
    hunks: list[TypedHunk] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProgressReporter:
    """Callbacks that receive the progress of a long job.

    :param phase: called with a phrase for the current work, the amount done and the total (0: unknown).
    :param index_step: called for each step of an index that is being built.
    :param case_answered: called when every evaluated system has answered a case.
    """

    phase: Callable[[str, int, int], None] = lambda phrase, done, total: None
    index_step: Callable[[BuildProgress], None] = lambda step: None
    case_answered: Callable[[], None] = lambda: None


SILENT = ProgressReporter()
"""Reports nothing."""


def indexed_windows(
    root: Path, windows: Sequence[Window], settings: Settings, folder: Path, reporter: ProgressReporter = SILENT
) -> Iterator[tuple[Window, Index]]:
    """Yield each window with the index of the tree from before it.

    :param folder: a folder for temporary trees and indexes.
    """
    for window, index, _ in _indexed(root, windows, settings, folder, reporter):
        yield window, index


def _indexed(
    root: Path, windows: Sequence[Window], settings: Settings, folder: Path, reporter: ProgressReporter
) -> Iterator[tuple[Window, Index, dict[str, Any]]]:
    tree, allows = Tree(root, folder / (root.name or "repository"), settings.max_file_bytes), allowed(root, settings)
    for number, window in enumerate(windows):
        reporter.phase(f"indexing window {number + 1} of {len(windows)}", 0, 0)
        # The index must hold nothing of the commits that are predicted, nor of later ones.
        assert len(beyond(root, window.base, window.commits)) == len(window.commits), "the base holds the window"
        tree.move_to(window.base, allows)
        index, about = index_of(tree.folder, settings, folder, reporter)
        newest, oldest = window.commits[0], window.commits[-1]
        commits = {
            "indexed_commit": window.base,
            "commits": len(window.commits),
            "oldest": oldest.id,
            "newest": newest.id,
            "from": _day(oldest.time),
            "to": _day(newest.time),
        }
        yield window, index, {**commits, **about}


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def index_of(
    tree: Path, settings: Settings, folder: Path, reporter: ProgressReporter = SILENT
) -> tuple[Index, dict[str, Any]]:
    """Index the files below ``tree`` and return the index and facts about it.

    :param folder: a folder for the index.
    """
    inner = settings_inside(settings, folder)
    report = build(tree, inner, reporter.index_step)
    about = {
        "generation": report.generation,
        "files": report.files,
        "lines": report.lines,
        "index_seconds": round(report.seconds, 2),
        "left_out": report.skipped,
    }
    return Index.open(index_directory(inner, tree), inner), about


class WindowCases:
    """Draws the cases of a replay, window by window; later windows make up for what earlier ones lack.

    :param windows: how many windows the plan is divided among.
    """

    def __init__(self, root: Path, settings: Settings, plan: ReplayPlan, windows: int, skips: SkipReport) -> None:
        self._root = root
        self._settings = settings
        self._plan = plan
        self._windows = windows
        self._skips = skips
        self._drawn = 0
        self._missing: Counter[str] = Counter()

    def draw(self, window: Window) -> list[Case]:
        """Return the cases of the next window."""
        wanted = Counter(self._plan.share(self._drawn, self._windows)) + self._missing
        seed = self._plan.seed + self._drawn
        self._drawn += 1
        changed = edits(self._root, window, self._settings, self._skips)
        found = choose(changed, dict(wanted), seed, every=self._plan.every, append=self._plan.append)
        if not found:
            changed = edits(self._root, window, self._settings, SkipReport(), of_unknown_language)
            found = choose(changed, dict(wanted), seed, every=self._plan.every, append=self._plan.append)
            if found:
                self._skips.note(
                    "Some windows change no file of a known language. Files of unknown ones were replayed."
                )
        self._missing = wanted - Counter(case.kind for case in found if not case.moved)
        return found


def commit_stages(
    root: Path,
    windows: Sequence[Window],
    settings: Settings,
    plan: ReplayPlan,
    folder: Path,
    skips: SkipReport,
    reporter: ProgressReporter = SILENT,
) -> Iterator[Stage]:
    """Yield a stage for each window of commits, the oldest first.

    :param folder: a folder for temporary trees and indexes.
    """
    cases = WindowCases(root, settings, plan, len(windows), skips)
    drawn = 0
    for number, (window, index, about) in enumerate(_indexed(root, windows, settings, folder, reporter)):
        reporter.phase(f"reading window {number + 1} of {len(windows)}", 0, 0)
        found = cases.draw(window) if plan.start + plan.within else []
        hunks, changed = [], []
        if plan.hunks or plan.edits:
            changed = list(edits(root, window, settings, SkipReport()))
            changed = changed or list(edits(root, window, settings, SkipReport(), of_unknown_language))
        if plan.hunks:  # later windows make up for what earlier ones lack
            wanted = plan.hunks * (number + 1) // len(windows) - drawn
            hunks = typed_hunks.draw(changed, wanted, plan.seed + number, skips)
            drawn += len(hunks)
        kept = changed if plan.edits else []
        yield Stage(index, found, {**about, "cases": len(found), "hunks": len(hunks)}, hunks, kept)
