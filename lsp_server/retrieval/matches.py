"""Matches: positions where code like that before the cursor stands, as columns, and the texts they stand in.

``match_finder`` finds matches; ``renamed_copies``, ``series`` and ``declared_order`` derive more of them. This module
neither finds nor ranks.
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import END, NEWLINE, TOKEN, token_id
from lsp_server.retrieval.cursor import WINDOW, CursorContext, Ids, first_tokens
from lsp_server.retrieval.text_lines import TextLines

if TYPE_CHECKING:
    from indexer.storage.reader import Index
    from indexer.storage.segment import IndexedDocument, Segment
    from lsp_server.retrieval.cursor import LexedText, LineContext

Ints = NDArray[np.int64]

FIRST_NAME_RANK: Final = 20
"""Ranks of words in a series: below, words that follow elsewhere; from here on, names with the typed first letters."""

COUNTED_RANK: Final = 40
"""The rank of a next number in a series."""

NO_SEARCH_RANK: Final = 99

TEXTS_KEPT: Final = 128
"""Of all windows and folders of a process together: people type in one at a time."""


class MatchSource(IntEnum):
    """Where a match comes from.

    :ivar label: its name in ``Provenance.kind``. :ivar vote: its weight among the votes for a candidate.
    """

    label: str
    vote: float

    def __new__(cls, number: int, label: str = "", vote: float = 0.0) -> "MatchSource":
        """Make a member from its number in the columns, its label and its vote."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.label, member.vote = label, vote
        return member

    CURRENT = 0, "document", 3.0
    OPEN = 1, "open", 3.0
    REPOSITORY = 2, "repository", 1.0
    SEARCH = 3, "search", 1.5
    RENAMED = 4, "renamed", 1.0
    """A match of any other source with its words renamed; see ``renamed_copies``."""
    REMOVED = 5, "removed", 6.0
    """A match in a line that the document had when it was opened; see ``removed_lines``."""
    SERIES = 6, "series", 6.0
    """The next row of a series; see ``series``."""


@dataclass(eq=False)
class SourceText:
    """A text that matches stand in.

    :param path: relative to the repository, or the last part of an unsaved document's name.
    :param current: whether it is the document of the cursor.
    :param first: number of its first line in the document.
    :ivar spans: the tokens' places in the lines that were read. :ivar units: the blanks of one level around lines.
    """

    path: str
    lines: Sequence[str]
    current: bool = False
    first: int = 0
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    units: dict[int, str | None] = field(default_factory=dict)

    def rest_of_line(self, line: int, token: int) -> str:
        """Return the line's text from behind the token before ``token``, without blanks at the end."""
        text = self.lines[line]
        if token == 0:
            return text.strip()
        spans = self._spans(line)
        return text[spans[token - 1][1] :].rstrip() if token <= len(spans) else ""

    def token(self, line: int, token: int) -> str:
        """Return the letters of a token; "" at the line's end."""
        spans = self._spans(line)
        return self.lines[line][slice(*spans[token])] if token < len(spans) else ""

    def _spans(self, line: int) -> list[tuple[int, int]]:
        if line not in self.spans:
            self.spans[line] = first_tokens(self.lines[line])
        return self.spans[line]


class KeptTexts:
    """Texts of one index that were read, by document; all of a process share one limit, and the oldest go first.

    They are forgotten with this object, as those of an index that was replaced.
    """

    _all: ClassVar[OrderedDict[tuple[int, int], SourceText]] = OrderedDict()
    _lock: ClassVar[threading.RLock] = threading.RLock()  # collecting garbage within it may forget others
    _numbers: ClassVar[Iterator[int]] = count()

    def __init__(self) -> None:
        self._number = next(self._numbers)
        weakref.finalize(self, self._forget, self._number).atexit = False

    @classmethod
    def _forget(cls, number: int) -> None:
        with cls._lock:
            for key in [key for key in cls._all if key[0] == number]:
                del cls._all[key]

    def __contains__(self, document: int) -> bool:
        return (self._number, document) in self._all

    def get(self, document: int) -> SourceText | None:
        """Return a text that is kept, or None."""
        key = self._number, document
        with self._lock:
            if key in self._all:
                self._all.move_to_end(key)
            return self._all.get(key)

    def put(self, document: int, text: SourceText) -> None:
        """Keep a text."""
        with self._lock:
            self._all[self._number, document] = text
            while len(self._all) > TEXTS_KEPT:
                self._all.popitem(last=False)


class SourceTexts:
    """The texts of one request, numbered; a text of the index is read when it is first used.

    :param kept: texts of the index that earlier requests have read.
    :ivar paths: paths by number; number 0 is the document of the cursor.
    """

    def __init__(self, cursor: CursorContext, index: "Index | None", kept: KeptTexts) -> None:
        self._cursor = cursor
        self._index = index
        self._kept = kept
        self._documents: list[IndexedDocument | None] = [None]
        self._lexed: list[tuple[LexedText, int] | None] = [None]
        self._numbers: dict[tuple[int, int], int] = {}
        self._texts: dict[int, SourceText] = {}
        self.paths: list[str] = [cursor.document.path or ""]

    def add(self, path: str, text: "LexedText", first: int = 0) -> int:
        """Add a text of an open document, whose lines begin at line ``first`` of it; return its number."""
        self._documents.append(None)
        self._lexed.append((text, first))
        self.paths.append(path)
        return len(self.paths) - 1

    def indexed(self, segment: "Segment", local: int) -> int:
        """Return the number of a document of the index."""
        key = (segment.number, local)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.paths)
            self._documents.append(segment.documents[local])
            self._lexed.append(None)
            self.paths.append(segment.documents[local].path)
        return number

    def __getitem__(self, number: int) -> SourceText:
        if number not in self._texts:
            document, lexed = self._documents[number], self._lexed[number]
            if document is not None and self._index is not None:
                self._texts[number] = self._read(document, self._index)
            elif lexed is not None:
                self._texts[number] = SourceText(self.paths[number], lexed[0].lines, first=lexed[1])
            else:
                context = self._cursor.line_context
                lines = [*context.before.lines, "", *context.after.lines]
                self._texts[number] = SourceText(self.paths[number], lines, current=True)
        return self._texts[number]

    def is_read(self, number: int) -> bool:
        """Return whether a text can be had without reading from the index."""
        document = self._documents[number]
        return document is None or number in self._texts or document.id in self._kept

    def _read(self, document: "IndexedDocument", index: "Index") -> SourceText:
        text = self._kept.get(document.id)
        if text is None:
            text = SourceText(document.path, TextLines(index.text(document)))
            self._kept.put(document.id, text)
        return text


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches as columns of equal length.

    :param reading: number of the cursor's reading. :param source: a ``MatchSource``.
    :param length: tokens before the match that agree with those before the cursor.
    :param weight: how many positions of the repository the match stands for.
    :param text: number in ``SourceTexts``. :param line, token: position in that text.
    :param hit: rank of the chunk that search found; for a removed line, its distance from the cursor in lines; for a
        row of a series, the rank of the new word.
    :param indent, previous: columns of the line's leading blanks, and of the last line before it that is not blank.
    :param form: tokens before the match that agree with those before the cursor in form: equal, or both words.
    :param changes: words that were renamed; 0 for a copy.
    :param window: uint32 ``(matches, WINDOW)``; the tokens that follow.
    """

    reading: Ints
    source: Ints
    length: Ints
    weight: NDArray[np.float64]
    text: Ints
    line: Ints
    token: Ints
    hit: Ints
    indent: Ints
    previous: Ints
    form: Ints
    changes: Ints
    window: Ids

    def __len__(self) -> int:
        return len(self.reading)

    @property
    def derived(self) -> NDArray[np.bool_]:
        """Which matches are no copies, because words were exchanged."""
        derived: NDArray[np.bool_] = (self.source == MatchSource.RENAMED) | (self.source == MatchSource.SERIES)
        return derived

    def where(self, keep: NDArray[np.bool_]) -> "Matches":
        """Return the matches that a mask keeps."""
        return Matches(*[getattr(self, name)[keep] for name in Matches.__slots__])


@dataclass(frozen=True, eq=False)
class DerivedMatches:
    """Matches whose words were exchanged.

    :param rests: for each match, the text behind the token before it, with its new words.
    """

    matches: Matches
    rests: list[str]


@dataclass(frozen=True, slots=True)
class NextRow:
    """A line that goes on like lines of the document above the cursor.

    :param reading: number of the cursor's reading. :param typed: tokens of the line before the cursor.
    :param row: number of the line above that it is made from. :param rest: its text behind the cursor.
    :param length: as many tokens before the cursor count as equal. :param rank: of the word that was chosen.
    """

    reading: int
    typed: int
    row: int
    rest: str
    length: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """A row that follows from the document by a rule that the gate does not know.

    :param text: without its indentation. :param row: number of the line above that it is made from.
    :param probability: how often the author writes such a row. :param ends: whether the line ends behind the text.
    """

    text: str
    row: int
    probability: float
    ends: bool = True


def as_derived(context: "LineContext", rows: Sequence[NextRow]) -> DerivedMatches:
    """Return next rows of the document as matches of the cursor."""
    size = len(rows)
    lines = np.array([one.row for one in rows])
    typed = np.array([one.typed for one in rows])
    found = Matches(
        reading=np.array([one.reading for one in rows]),
        source=np.full(size, int(MatchSource.SERIES)),
        length=np.array([one.length for one in rows]),
        weight=np.ones(size),
        text=np.zeros(size, np.int64),
        line=lines,
        token=typed,
        hit=np.array([one.rank for one in rows]),
        indent=np.maximum(context.indents[lines], 0),
        previous=context.previous_indents[lines],
        form=typed,
        changes=np.ones(size, np.int64),
        window=np.array([window_of(one.rest) for one in rows], np.uint32),
    )
    return DerivedMatches(found, [one.rest for one in rows])


def window_of(text: str) -> list[int]:
    """Return the window of a rest of line: its tokens, the line's end, and nothing after it."""
    ids = [token_id(word) for word in TOKEN.findall(text)][: WINDOW - 1]
    return [*ids, NEWLINE] + [END] * (WINDOW - 1 - len(ids))


def joined(parts: Sequence[Matches]) -> Matches:
    """Return all matches of the parts, in their order."""
    return Matches(*[np.concatenate([getattr(part, name) for part in parts]) for name in Matches.__slots__])


def line_lengths(window: Ids) -> Ints:
    """Return how many tokens of each window stand before the line's end; ``WINDOW`` where it holds no end."""
    ends = (window == NEWLINE) | (window == END)
    return np.where(ends.any(axis=1), ends.argmax(axis=1), WINDOW)
