"""Places of like code as columns, and the texts they stand in.

A place is a position with the tokens that follow it, found by ``finder``, or made by ``patterns`` and ``slots`` out of
one that was found. This module finds and ranks nothing, and it shows no text.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.lines import lines_of
from indexer.text.tokens import END, NEWLINE, TOKEN, token_id
from lsp_server.retrieval.cursor import WINDOW, Ids, Scene, first_tokens

if TYPE_CHECKING:
    from indexer.storage.reader import Index
    from indexer.storage.segment import Document as IndexedDocument
    from indexer.storage.segment import Segment
    from lsp_server.retrieval.cursor import Side

Ints = NDArray[np.int64]

CURRENT: Final = 0
OPEN: Final = 1
REPOSITORY: Final = 2
SEARCH: Final = 3
PATTERN: Final = 4
"""A place of any other source with its words renamed; see ``patterns``."""

EARLIER: Final = 5
"""A place in a line that the document had when it was opened; see ``earlier``."""

SLOT: Final = 6
"""The next row of a series; see ``slots``."""

NAMED: Final = 20
"""Ranks from here on are those of names that were found by their first letters; below, of words that follow."""

COUNTED: Final = 40
"""The rank of a next number."""

SEARCH_RANK_NONE: Final = 99

ORIGINS_KEPT: Final = 128


@dataclass(eq=False)
class Origin:
    """A text that places stand in.

    :param path: relative to the repository, or the last part of an unsaved document's name.
    :param first: number of the first of the lines in its document.
    """

    path: str
    lines: list[str]
    current: bool = False
    first: int = 0
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def rest_of_line(self, line: int, token: int) -> str:
        """The line's text behind the token before ``token``, without blanks at the end; all of it from its first."""
        text = self.lines[line]
        if token == 0:
            return text.strip()
        spans = self._spans(line)
        return text[spans[token - 1][1] :].rstrip() if token <= len(spans) else ""

    def token(self, line: int, token: int) -> str:
        """The letters of a token; "" at the line's end."""
        spans = self._spans(line)
        return self.lines[line][slice(*spans[token])] if token < len(spans) else ""

    def _spans(self, line: int) -> list[tuple[int, int]]:
        if line not in self.spans:
            self.spans[line] = first_tokens(self.lines[line])
        return self.spans[line]


class Origins:
    """The texts of one request, numbered; texts of the index are read when they are first looked at."""

    def __init__(self, scene: Scene, index: "Index | None", kept: "OrderedDict[int, Origin]") -> None:
        self._scene = scene
        self._index = index
        self._kept = kept
        self._documents: list[IndexedDocument | None] = [None]
        self._sides: list[tuple[Side, int] | None] = [None]
        self._numbers: dict[tuple[int, int], int] = {}
        self._origins: dict[int, Origin] = {}
        self.paths: list[str] = [scene.document.path or ""]

    def add_open(self, path: str, side: "Side", first: int = 0) -> int:
        """The number of another open document, or of lines of one from ``first`` on."""
        self._documents.append(None)
        self._sides.append((side, first))
        self.paths.append(path)
        return len(self.paths) - 1

    def indexed(self, segment: "Segment", local: int) -> int:
        """The number of a document of the index."""
        key = (segment.number, local)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.paths)
            self._documents.append(segment.documents[local])
            self._sides.append(None)
            self.paths.append(segment.documents[local].path)
        return number

    def origin(self, number: int) -> Origin:
        """The text of a number."""
        if number not in self._origins:
            document, side = self._documents[number], self._sides[number]
            if document is not None and self._index is not None:
                self._origins[number] = self._read(document, self._index)
            elif side is not None:
                self._origins[number] = Origin(self.paths[number], side[0].lines, first=side[1])
            else:
                frame = self._scene.frame
                lines = [*frame.before.lines, "", *frame.after.lines]
                self._origins[number] = Origin(self.paths[number], lines, current=True)
        return self._origins[number]

    def at_hand(self, number: int) -> bool:
        """Whether the text of a number need not be read from the index."""
        document = self._documents[number]
        return document is None or number in self._origins or document.id in self._kept

    def _read(self, document: "IndexedDocument", index: "Index") -> Origin:
        """A document of the index, remembered from one request to the next."""
        origin = self._kept.get(document.id)
        if origin is None:
            origin = self._kept[document.id] = Origin(document.path, lines_of(index.text(document)))
            while len(self._kept) > ORIGINS_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(document.id)
        return origin


@dataclass(frozen=True, slots=True)
class Places:
    """Places as columns of equal length.

    :param reading: number of the scene's reading. :param source: ``CURRENT`` … ``SLOT``.
    :param length: tokens before the place that agree with those before the cursor.
    :param weight: how many places of the repository this one stands for.
    :param origin: number in ``Origins``. :param line, token: where in it.
    :param hit: rank of the chunk that search found; of an earlier line, how far it stood from where the cursor is;
        of a row of a series, the rank of the word in its slot.
    :param indent, previous: columns of the line's leading blanks, and of the last line before it that is not blank.
    :param form: tokens before the place that agree with those before the cursor in form: the same, or both words.
    :param changes: words that were renamed; 0 for a copy.
    :param window: uint32 ``(places, WINDOW)``; the tokens that follow.
    """

    reading: Ints
    source: Ints
    length: Ints
    weight: NDArray[np.float64]
    origin: Ints
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
    def made(self) -> NDArray[np.bool_]:
        """Which are no copies: their words were exchanged."""
        made: NDArray[np.bool_] = (self.source == PATTERN) | (self.source == SLOT)
        return made


def window_of(text: str) -> list[int]:
    """The window of a rest of line: its tokens, the line's end, and nothing after it."""
    ids = [token_id(word) for word in TOKEN.findall(text)][: WINDOW - 1]
    return [*ids, NEWLINE] + [END] * (WINDOW - 1 - len(ids))


def joined(one: Places, other: Places) -> Places:
    """Both, in this order."""
    return Places(*[np.concatenate((getattr(one, name), getattr(other, name))) for name in Places.__slots__])


def line_lengths(window: Ids) -> Ints:
    """How many tokens of each window stand before the line's end; ``WINDOW`` where it holds no end."""
    ends = (window == NEWLINE) | (window == END)
    return np.where(ends.any(axis=1), ends.argmax(axis=1), WINDOW)
