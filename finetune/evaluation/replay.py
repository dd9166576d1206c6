"""Commit replay: asks the very engine that serves the editor at the cursors of the past.

For each window of commits the repository's tree from before it is written to a folder of ours and indexed as any
repository is; then every case is put to the arms, once as an editor asks while one types (Automatic) and once as a
person asks (Invoked). This module runs cases; ``cases`` chooses them, ``metrics`` scores them, ``report`` shows them.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.commits.cases import KINDS, Case, choose
from finetune.commits.windows import Passed, Tree, Window, beyond, edits, of_unknown_language
from finetune.evaluation.metrics import Outcome, judge
from finetune.evaluation.systems import Arm, Asked
from indexer.building.build import Progress, build
from indexer.config import Settings
from indexer.languages.grammars import language_of
from indexer.repository.policy import accepts_path
from indexer.storage.generations import index_directory
from indexer.storage.reader import Index
from indexer.text.tokens import lines_of
from lsp_server.types import Answer, Document, Request


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


@dataclass(slots=True)
class Result:
    """What a replay gave: cases in order, each arm's outcomes in the same order, and facts about the stages."""

    cases: list[Case] = field(default_factory=list)
    arms: dict[str, list[Outcome]] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)


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
        yield window, index, {
            "indexed_commit": window.base, "commits": len(window.commits), "oldest": oldest.id, "newest": newest.id,
            "from": days[0], "to": days[1], **about,
        }  # fmt: skip


def index_of(tree: Path, settings: Settings, folder: Path, watch: Watch) -> tuple[Index, dict[str, Any]]:
    """The index of a folder, kept below a folder of ours, and facts about it."""
    inner = replace(settings, data_dir=folder / "data")
    report = build(tree, inner, watch.index)
    about = {
        "generation": report.generation, "files": report.files, "lines": report.lines,
        "index_seconds": round(report.seconds, 2), "left_out": report.skipped,
    }  # fmt: skip
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


def run(stages: Iterable[Stage], arms: Sequence[Arm], watch: Watch) -> Result:
    """Puts every case of every stage to every arm."""
    result = Result(arms={arm.name: [] for arm in arms})
    for stage in stages:
        watch.say("replaying")
        standing = verbatim(stage.index, stage.cases)
        for arm in arms:
            arm.engine.set_index(stage.index)
            if stage.cases:
                ask(arm.engine, stage.cases[0])  # what is read for the first time is not timed
        for case, stands in zip(stage.cases, standing, strict=True):
            turn = len(result.cases) % max(1, len(arms))  # nobody always finds the caches warmed by the same neighbour
            for arm in (*arms[turn:], *arms[:turn]):
                invoked, automatic, first_ms, again_ms = ask(arm.engine, case)
                result.arms[arm.name].append(
                    judge(arm.name, len(result.cases), case, stands, invoked, automatic, first_ms, again_ms)
                )
            result.cases.append(case)
            watch.case()
        result.stages.append(stage.about)
    return result


def ask(engine: Asked, case: Case) -> tuple[Answer, Answer, float, float]:
    """The answers to a case: to the person who asks, then to the editor; and how many milliseconds each took.

    The first is timed as after the cursor came to a new line of a document that was just opened; the other as the next
    key at the same place.
    """
    request = request_of(case, automatic=False)
    for document in documents_of(case):
        engine.update(document)
    started = time.perf_counter()
    invoked = engine.complete(request, _never)
    first_ms = milliseconds(started)
    started = time.perf_counter()
    automatic = engine.complete(replace(request, automatic=True), _never)
    again_ms = milliseconds(started)
    engine.close(request.document.uri)
    return invoked, automatic, first_ms, again_ms


def verbatim(index: Index, cases: Sequence[Case]) -> list[bool]:
    """For each case whether its line stands elsewhere: in another indexed file, or in the document as it was."""
    wanted = {_line(case).strip() for case in cases}
    where: dict[str, set[str]] = {line: set() for line in wanted}
    for document in index.documents.values():
        for line in wanted.intersection(map(str.strip, lines_of(index.text(document)))):
            if len(where[line]) < 2:
                where[line].add(document.path)
    found = []
    for case in cases:
        line = _line(case).strip()
        around = lines_of(case.text)
        around.pop(case.line)
        found.append(bool(where[line] - {case.path}) or any(other.strip() == line for other in around))
    return found


def _line(case: Case) -> str:
    start = case.text.rfind("\n", 0, case.offset) + 1
    return case.text[start : case.offset] + case.rest


def request_of(case: Case, *, automatic: bool) -> Request:
    """A case as the editor would ask."""
    document = Document(f"replay:///{case.commit}/{case.path}", case.path, language_of(case.path), 1, case.text)
    return Request(document, case.offset, automatic)


def documents_of(case: Case) -> tuple[Document, Document]:
    """The document as the author opened it, and as it is at the cursor."""
    now = request_of(case, automatic=False).document
    return replace(now, version=0, text=case.opened), now


def milliseconds(started: float) -> float:
    """Since a reading of ``time.perf_counter``."""
    return 1e3 * (time.perf_counter() - started)


def _never() -> bool:
    return False
