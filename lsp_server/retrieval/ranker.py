"""Retrieves and ranks continuations of the line at a cursor.

Matches of like code become candidates, and boosted trees rank them. Whatever is proposed stands in the document, in
another open document or in the repository, or is derived from it by exchanging words. ``engine`` decides what is shown.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.lines import lines_of
from lsp_server.fitting.behind import continuation
from lsp_server.retrieval.cursor import CursorContext, CursorContexts, LexedText
from lsp_server.retrieval.expected_rows import ExpectedRows
from lsp_server.retrieval.match_finder import FinderMemory, MatchFinder, prepare
from lsp_server.retrieval.matches import ExpectedRow, Matches, MatchSource, SourceText, SourceTexts, joined
from lsp_server.retrieval.ranker_features import FEATURES, Candidates, candidates_of
from lsp_server.retrieval.removed_lines import RemovedLines, removed_lines
from lsp_server.retrieval.renamed_copies import renamed_copies
from lsp_server.retrieval.search_hits import NO_HITS, SearchHits, search_around
from lsp_server.retrieval.series import next_rows
from lsp_server.retrieval.trees import TreeEnsemble
from lsp_server.types import Document, Provenance

if TYPE_CHECKING:
    from indexer.storage.reader import Index

RANKER: Final = Path(__file__).parents[1] / "data" / "ranker.json"

OPEN_DOCUMENTS: Final = 6
"""Other open documents that are searched for matches, the last changed first."""

TEXTS: Final = 8
"""Options with distinct texts, at most."""

OTHER_REPOSITORY: Final = "other repository"
"""The kind of a provenance whose path leads out of the repository."""

_ELSEWHERE: Final = ("../", "/")

SPELLED: Final = 40
"""Candidates whose texts are looked at for them."""


@dataclass(frozen=True, eq=False)
class Option:
    """A continuation of the line.

    :param text: from the cursor to the end of the line. :param score: the ranker's, in log-odds of being right.
    :param features: the row of ``ranker_features.FEATURES``. :param candidate: number among the ``Candidates``.
    :param match: number of the match that it is copied from.
    """

    text: str
    score: float
    features: NDArray[np.float64]
    candidate: int
    match: int


@dataclass(frozen=True, eq=False)
class Retrieved:
    """The candidates at a cursor, not yet ranked.

    :param rests: for derived matches, by number: the text behind the token before them.
    :param thinned: as in ``MatchFinder``. :param expected: the row that the document asks for, which is the last match.
    """

    cursor: CursorContext
    matches: Matches
    rests: dict[int, str]
    candidates: Candidates
    texts: SourceTexts
    thinned: bool = False
    expected: ExpectedRow | None = None

    def text(self, candidate: int) -> str | None:
        """Return what of a candidate is still to be written; None if it does not continue the line here."""
        match = int(self.candidates.best[candidate])
        rest = self.rests.get(match)
        if rest is None:
            text = self.texts[int(self.matches.text[match])]
            rest = text.rest_of_line(int(self.matches.line[match]), int(self.matches.token[match]))
        partial = self.cursor.readings[int(self.matches.reading[match])].partial
        written = continuation(rest, self.cursor.prefix, partial)
        return self.cursor.as_written_here(written) if written else written


@dataclass(frozen=True, eq=False)
class Ranked:
    """The options at a cursor, best first.

    :param ends: the score of the line ending at the cursor, or None if nothing suggests that.
    :param scores: the ranker's score of each candidate.
    :param thinned: whether some places of the index were left out because it is so large.
    :param expected: the row that the document asks for, if it is the first option.
    """

    cursor: CursorContext
    options: tuple[Option, ...]
    ends: float | None
    matches: Matches
    candidates: Candidates
    texts: SourceTexts
    scores: NDArray[np.float64]
    thinned: bool = False
    expected: ExpectedRow | None = None

    def source(self, match: int) -> tuple[SourceText, int]:
        """Return the text that a match stands in, and its line there."""
        return self.texts[int(self.matches.text[match])], int(self.matches.line[match])

    def provenance(self, option: Option) -> Provenance:
        """Return where an option's text comes from."""
        text, line = self.source(option.match)
        kind = MatchSource(int(self.matches.source[option.match])).label
        if text.path.startswith(_ELSEWHERE):
            kind = OTHER_REPOSITORY
        return Provenance(text.path, text.first + line + 1, kind)

    def indentation(self, option: Option) -> int:
        """Return the columns of blanks that an option needs on a line that has none yet; 0 behind typed text."""
        if self.cursor.prefix:
            return 0
        step = int(self.matches.indent[option.match] - self.matches.previous[option.match])
        return max(0, int(self.cursor.line_context.previous_indents[self.cursor.line]) + step)

    def copies(self, option: Option) -> list[int]:
        """Return the matches that an option is copied from, without derived ones."""
        members = (self.candidates.members == option.candidate) & ~self.matches.derived
        numbers: list[int] = members.nonzero()[0].tolist()
        return numbers


class Ranker:
    """Retrieves and ranks continuations; keeps what does not change while one types in a line. For one thread.

    :param trees: None leaves the candidates in the order of their votes.
    """

    def __init__(self, trees: TreeEnsemble | None) -> None:
        self._trees = trees
        self._cursors = CursorContexts()
        self._open: OrderedDict[str, Document] = OrderedDict()
        self._lexed: dict[str, LexedText] = {}
        self._opened: dict[str, list[str]] = {}
        self._removed: tuple[object, RemovedLines | None] = (None, None)
        self._expected = ExpectedRows()
        self._memory = FinderMemory()
        self._asked: CursorContext | None = None
        self._index: Index | None = None
        self._hits: tuple[object, SearchHits] = (None, NO_HITS)

    def set_index(self, index: "Index | None") -> None:
        """Use another generation from now on."""
        self._index = index
        self._memory = FinderMemory()
        self._hits = (None, NO_HITS)

    def update(self, document: Document) -> None:
        """Take the new text of a document that was opened or changed, or of a file that changed on disk."""
        if document.uri not in self._opened and not document.on_disk:
            self._opened[document.uri] = _lines(document.text)
        self._open[document.uri] = document
        self._open.move_to_end(document.uri)

    def close(self, uri: str) -> None:
        """Forget a document that was closed; its indexed form counts again."""
        self._open.pop(uri, None)
        self._lexed.pop(uri, None)
        self._opened.pop(uri, None)
        self._cursors.forget(uri)
        self._asked = None

    @contextmanager
    def looking_ahead(self, uri: str) -> Iterator[None]:
        """Rank elsewhere in a document for a moment; what is kept for its present line stays as it is."""
        asked, removed, hits, expected = self._asked, self._removed, self._hits, self._expected
        self._expected = ExpectedRows()
        with self._cursors.kept(uri):
            yield
        self._asked, self._removed, self._hits, self._expected = asked, removed, hits, expected

    def rank(self, document: Document, offset: int, cancelled: Callable[[], bool]) -> Ranked | None:
        """Return the options at a cursor; None if there are no candidates, or when cancelled."""
        retrieved = self.retrieve(document, offset, cancelled)
        if retrieved is None or cancelled():
            return None
        rows = retrieved.candidates.rows
        scores = self._trees.scores(rows) if self._trees else -np.arange(len(rows), dtype=np.float64)
        ranked = _with_expected_first(_spell(retrieved, scores), retrieved)
        if ranked.options:
            ranked.cursor.line_context.predicts(ranked.cursor.prefix, ranked.options[0].text)
        return ranked

    def retrieve(self, document: Document, offset: int, cancelled: Callable[[], bool]) -> Retrieved | None:
        """Return the candidates at a cursor, not yet ranked; None if there are none, or when cancelled."""
        cursor = self._asked = self._cursors.at(document, offset)
        others = self._others(document)
        hidden = frozenset(one.path for one in self._open.values() if one.path) | {document.path or ""}
        if cancelled():
            return None
        hits = self._search(cursor, hidden)
        if cancelled():
            return None
        finder = MatchFinder(cursor, self._index, hits, others, hidden, self._memory, self._removed_lines(cursor))
        matches = finder.find()
        if cancelled():
            return None
        opened = self._opened.get(document.uri)
        expected, row = (opened is not None and self._expected.at(cursor, opened)) or (None, None)
        derived = [
            renamed_copies(cursor, matches, finder.texts) if matches is not None else None,
            next_rows(cursor),
            row,
        ]
        rests: dict[int, str] = {}
        for made in derived:
            if made is not None:
                rests |= dict(enumerate(made.rests, len(matches) if matches is not None else 0))
                matches = joined((matches, made.matches)) if matches is not None else made.matches
        if matches is None:
            return None
        candidates = candidates_of(cursor, matches, finder.texts, hits.pairs)
        return Retrieved(cursor, matches, rests, candidates, finder.texts, finder.thinned, expected)

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Look up what the key after the last one needs if it begins a word; ``stop`` says whether to end at once."""
        cursor = self._asked
        if cursor is not None and self._index is not None:
            prepare(cursor, self._index, self._memory, stop)
        if cursor is not None and not stop():
            cursor.line_context.names  # noqa: B018 - they are kept

    def _others(self, document: Document) -> list[tuple[str, LexedText]]:
        """Return path and text of the other open documents that were changed last, and of files newer than the index.

        A file that is open as well is left out: the editor's text counts.
        """
        opened = [one for one in reversed(self._open.values()) if not one.on_disk]
        seen = {document.path, *(one.path for one in opened)}
        recent = [one for one in opened if one.uri != document.uri][:OPEN_DOCUMENTS]
        recent += [one for one in reversed(self._open.values()) if one.on_disk and one.path not in seen]
        for one in recent:
            if one.uri not in self._lexed or self._lexed[one.uri].text != one.text:
                self._lexed[one.uri] = LexedText(one.text)
        return [(one.path or one.uri.rsplit("/", 1)[-1], self._lexed[one.uri]) for one in recent]

    def _removed_lines(self, cursor: CursorContext) -> RemovedLines | None:
        """Return the lines that the document had when it was opened and has no longer."""
        context = cursor.line_context  # kept while one types in a line
        if self._removed[0] is not context:
            opened = self._opened.get(cursor.document.uri)
            found = removed_lines(opened, context.before.lines, context.after.lines) if opened else None
            self._removed = (context, found)
        return self._removed[1]

    def _search(self, cursor: CursorContext, hidden: frozenset[str]) -> SearchHits:
        if self._index is None:
            return NO_HITS
        key = (cursor.line_context, self._index.generation, hidden)
        if self._hits[0] != key:
            self._hits = (key, search_around(cursor, self._index, hidden))
        return self._hits[1]


def _lines(text: str) -> list[str]:
    lines = lines_of(text)
    return lines[:-1] if lines and not lines[-1] else lines


def load_trees(path: Path = RANKER) -> TreeEnsemble:
    """Return the shipped ranker.

    :raises ValueError: it was fitted for other features than this version computes.
    """
    trees = TreeEnsemble.load(path)
    if trees.names != FEATURES:
        raise ValueError(f"{path.name} was fitted for other features; run scripts/fit_ranker.py")
    return trees


def _spell(retrieved: Retrieved, scores: NDArray[np.float64]) -> Ranked:
    """Turn the best candidates into options: distinct texts, and the score of the line ending at the cursor."""
    candidates = retrieved.candidates
    options: list[Option] = []
    ends: float | None = None
    seen: set[str] = set()
    for number in np.argsort(-scores, kind="stable")[:SPELLED].tolist():
        text = retrieved.text(number)
        score = float(scores[number])
        if text == "":
            ends = score if ends is None else ends
        elif text is not None and text not in seen:
            seen.add(text)
            options.append(Option(text, score, candidates.rows[number], number, int(candidates.best[number])))
            if len(options) == TEXTS:
                break
    return Ranked(
        retrieved.cursor,
        tuple(options),
        ends,
        retrieved.matches,
        candidates,
        retrieved.texts,
        scores,
        retrieved.thinned,
    )


def _with_expected_first(ranked: Ranked, retrieved: Retrieved) -> Ranked:
    """Return the options with the expected row as the first one; the same where there is none."""
    if retrieved.expected is None:
        return ranked
    match = len(retrieved.matches) - 1
    candidate = int(retrieved.candidates.members[match])
    text = retrieved.text(candidate) if candidate >= 0 else None
    if not text:
        return ranked
    score = max([float(ranked.scores[candidate]), *(option.score for option in ranked.options)])
    first = Option(text, score, retrieved.candidates.rows[candidate], candidate, match)
    others = [option for option in ranked.options if option.text != text][: TEXTS - 1]
    return replace(ranked, options=(first, *others), expected=retrieved.expected)
