"""Replays the changes of commits, and asks for the next edit before and after each of them.

The search is the server's own (``lsp_server.server.edit_search``), with the server's log of edits; only editor,
transport and clock are left out. The changes of a commit are one session: nothing of another commit is known. Documents
that were changed are open; other files are found through the index from before the commits.
"""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from finetune.commits.edit_steps import CommitSteps, Step
from indexer.storage.reader import Index
from indexer.storage.segment import IndexedDocument
from lsp_server.edits.changed_lines import GONE
from lsp_server.edits.features import ELSEWHERE, HERE, OTHER_FILE
from lsp_server.edits.history import PastEdit
from lsp_server.edits.line_index import LineIndex
from lsp_server.edits.offers import Search
from lsp_server.edits.probability import Judge, shipped
from lsp_server.edits.proposals import proposals
from lsp_server.edits.views import View
from lsp_server.server.edit_search import Asked, SessionEdits, next_edit
from lsp_server.server.session import Session

SERIES: Final = 2
"""So many earlier edits that make exactly a line's text of it make the line one of a series."""

NEARBY: Final = 10
"""Lines that the cursor may pass on its way to the next change."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The part of a session that the search uses; the secrets of a replayed text are masked already."""

    index: Index | None

    @property
    def cover(self) -> "_Index":
        """What covers the secrets of open documents."""
        return self

    def without_secret_lines(self, uri: str, path: str, text: str) -> str:
        """Return the text as it is."""
        return text

    def relative(self, path: str | None) -> str | None:
        """Return the path of a document in the repository."""
        return path


class _BeforeCommit:
    """An index whose documents have the text from before a commit where the commit changes them."""

    def __init__(self, index: Index, commit: CommitSteps) -> None:
        self._index, self.segments = index, index.segments
        self._texts = dict(zip(commit.old_paths, commit.texts, strict=True))

    def document(self, path: str) -> IndexedDocument | None:
        """The document of a path."""
        return self._index.document(path)

    def text(self, document: IndexedDocument) -> str:
        """The text of a document."""
        lines = self._texts.get(document.path)
        return self._index.text(document) if lines is None else "\n".join(lines)


class CommitReplay:
    """One commit while it is made.

    :ivar number: of the change before or behind which the cursor is. :ivar known: judged changes that were made.
    """

    def __init__(self, commit: CommitSteps, index: Index | None) -> None:
        self.commit = commit
        self.state = SessionEdits()
        self.number = self.known = 0
        before = cast(Index, _BeforeCommit(index, commit)) if index is not None else None
        self._session = cast(Session, _Index(before))
        self._lines = [list(lines) for lines in commit.texts]
        self._moved: list[list[tuple[int, int]]] = [[] for _ in commit.paths]
        self._open: dict[int, View] = {}
        self._changed: set[int] = set()

    @property
    def step(self) -> Step:
        """The change."""
        return self.commit.steps[self.number]

    @property
    def path(self) -> str:
        """The path of the document with the cursor."""
        return self.commit.paths[self.step.file]

    def moments(self) -> Iterator[bool]:
        """Yield True before each change but the first, and False behind each change."""
        for number, step in enumerate(self.commit.steps):
            self.number = number
            if self.state.log.settled:
                yield True
            self._make(step)
            if self.state.log.settled:
                yield False

    def line(self, step: Step, before: int) -> int:
        """Return where a line of a step's file is now.

        :param before: the line before the commit, from 0.
        """
        return before + sum(grown for start, grown in self._moved[step.file] if start < before)

    def wanted(self, at: bool) -> dict[int, str]:
        """Return what becomes of lines of the document, by the line as it is now.

        :param at: whether the change at the cursor is still to come.
        """
        return {
            self.line(step, line): text
            for step in self._coming(at)
            if step.file == self.step.file
            for line, text in step.expected.items()
        }

    def elsewhere(self, path: str) -> dict[str, str]:
        """Return what becomes of lines of another file, by their text before the commit.

        :param path: before the commit, which may move the file.
        """
        return {
            step.old[line - step.start]: text
            for step in self._coming(False)
            if path in (self.commit.paths[step.file], self.commit.old_paths[step.file])
            for line, text in step.expected.items()
        }

    def left(self) -> int:
        """Return how many judged changes are to come in the document."""
        return sum(step.judged for step in self._coming(False) if step.file == self.step.file)

    def passed(self) -> int | None:
        """Return a line near the next change that the commit leaves as it is."""
        view, line, wanted = self.view(), self.line(self.step, self.step.start), self.wanted(True)
        near = range(max(0, line - NEARBY), min(len(view.lines), line + NEARBY + 1))
        found = [at for at in near if at not in wanted and at not in view.edited and view.lines[at].strip()]
        return random.Random(f"{self.commit.commit} {self.number}").choice(found) if found else None

    def asked(self, line: int) -> Asked:
        """Return what the server is asked with the cursor on a line of the document."""
        files = [self.step.file, *(other for other in self._open if other != self.step.file)]
        views = tuple(self._view(one) for one in files)
        edits = tuple(map(PastEdit.of, self.state.log.settled))
        paths = frozenset(path for file in files for path in (self.commit.paths[file], self.commit.old_paths[file]))
        return Asked(self.state, self._session, edits, views, paths, line, at_end=False)

    def search(self, judge: Judge) -> Search:
        """Return the search at this moment."""
        edits = tuple(map(PastEdit.of, self.state.log.settled))
        return Search(judge, self.state.history.lines(edits), self.state.refusals)

    def view(self) -> View:
        """Return the document with the cursor."""
        return self._view(self.step.file)

    def _coming(self, at: bool) -> Sequence[Step]:
        return self.commit.steps[self.number + (not at) :]

    def _make(self, step: Step) -> None:
        name, log = self.commit.paths[step.file], self.state.log
        start = self.line(step, step.start)
        last = start + len(step.old) - 1
        log.apply(log.begin(name, start, last, step.old, step.around), start, last, step.new)
        log.settle(name)
        self._lines[step.file][start : last + 1] = step.new
        self._changed.add(step.file)
        self.known += step.judged
        if len(step.new) != len(step.old):
            self._moved[step.file].append((step.start, len(step.new) - len(step.old)))

    def _view(self, file: int) -> View:
        name = self.commit.paths[file]
        edited = self.state.log.lines(name)
        known = self._open.get(file)
        if known is None or known.edited != edited or file in self._changed:
            kept = known.kept if known is not None else LineIndex()
            known = self._open[file] = View(name, "\n".join(self._lines[file]), edited, kept)
            self._changed.discard(file)
        return known


@dataclass(slots=True)
class Outcome:
    """What was offered at one moment.

    :param kind: ``here`` (the cursor on the next changed line), ``inserted`` or ``deleted`` (the same for a change of
        whole lines), ``passed`` (the cursor on a line near it that stays), ``after`` (behind a change).
    :param series: two earlier edits make exactly the text of this line, so that it is the third of its kind or a later
        one. :param more: whether there are judged changes to come in the document.
    :param where: of the offer: ``here``, ``elsewhere`` or ``file``; empty without an offer.
    :param change: the commit and the texts of a line before and after, offered or else expected.
    """

    commit: str
    language: str
    kind: str
    series: bool
    more: bool
    where: str
    right: bool
    probability: float
    ms: float
    change: tuple[str, str, str]


_WHERE: Final = {HERE: "here", ELSEWHERE: "elsewhere", OTHER_FILE: "file"}


def replay(commits: Iterable[CommitSteps], index: Index | None, judge: Judge | None = None) -> Iterator[Outcome]:
    """Ask at each moment, and compare the offer with what the commit does."""
    judge = judge or shipped()
    for commit in commits:
        now = CommitReplay(commit, index)
        for before in now.moments():
            kind = kind_of(now, before)
            if kind is None:
                continue
            line = next(iter(now.step.expected)) if before else now.step.start
            yield _outcome(now, kind, now.line(now.step, line), judge)
            if kind == "here" and (line_passed := now.passed()) is not None:
                yield _outcome(now, "passed", line_passed, judge)


def kind_of(now: CommitReplay, before: bool) -> str | None:
    """Return how a moment counts; None for one that does not.

    :param before: whether the cursor stands on the line that changes next; else behind a change.
    """
    if not before:
        return "after" if now.step.judged else None
    if not now.known:
        return None
    if now.step.judged:
        return "here"
    expected = list(now.step.expected.values())
    if expected == [GONE]:
        return "deleted"
    return "inserted" if expected and all("\n" in text for text in expected) else None


def _outcome(now: CommitReplay, kind: str, line: int, judge: Judge) -> Outcome:
    asked = now.asked(line)
    began = time.perf_counter()
    _, offer = next_edit(asked, lambda: False, judge)
    spent = 1e3 * (time.perf_counter() - began)
    if offer is not None and kind != "after" and offer.where != HERE:
        offer = None  # what is offered elsewhere is judged behind the changes
    commit, language = now.commit.commit, now.commit.languages[now.step.file]
    series = kind == "here" and in_series(now, line, judge)
    more = now.left() > 0
    if offer is None:
        change = (commit, now.step.old[0], now.step.new[0] if now.step.new else GONE)
        return Outcome(commit, language, kind, series, more, "", False, 0.0, spent, change)
    if offer.document == now.path:
        wanted = now.wanted(kind != "after")
        right = all(wanted.get(offer.line + at) == offer.new for at in range(len(offer.lines)))
    else:
        right = now.elsewhere(offer.document).get(offer.old) == offer.new
    change = (commit, offer.old, offer.new)
    return Outcome(commit, language, kind, series, more, _WHERE[offer.where], right, offer.probability, spent, change)


def in_series(now: CommitReplay, line: int, judge: Judge) -> bool:
    """Whether two earlier edits make of a line exactly what it becomes, so that it is the third of its kind or later.

    :param line: of the document as it is now.
    """
    history = now.search(judge).history
    evidence = proposals(now.view().lines[line], history).get(now.step.new[0])
    return evidence is not None and len({history[-1 - age].step for age in evidence.edits}) >= SERIES


def as_record(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome without any code, for a file of cases."""
    names = ("commit", "language", "kind", "series", "more", "where", "right")
    record = {name: getattr(outcome, name) for name in names}
    return record | {"probability": round(outcome.probability, 4), "ms": round(outcome.ms, 2)}
