"""Finds the places where code like that before the cursor stands: in the document, in other open ones, in the index.

Five sources: the document itself, with what was typed a moment ago; the lines it had when it was opened and has no
longer; other open documents; the repository's token suffix index, longest agreement first; and the lines of the chunks
that search finds for the lines around the cursor, where nothing before the cursor need agree by more than a token.

This module ranks nothing and shows no text.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH, among
from indexer.text.terms import terms
from indexer.text.tokens import END, WORD
from lsp_server.retrieval.cursor import WINDOW, Ids, Scene, pairs
from lsp_server.retrieval.matches import (
    CURRENT,
    EARLIER,
    OPEN,
    REPOSITORY,
    SEARCH,
    SEARCH_RANK_NONE,
    Ints,
    Origin,
    Origins,
    Places,
)

if TYPE_CHECKING:
    from indexer.storage.reader import Index
    from indexer.storage.segment import Segment
    from lsp_server.retrieval.cursor import Side
    from lsp_server.retrieval.removed_lines import Earlier

FORM: Final = 24
"""Tokens before a place whose form is compared with that of the tokens before the cursor."""

CURRENT_LIMIT: Final = 400
REPOSITORY_LIMIT: Final = 256
UNFINISHED_LIMIT: Final = 600
"""Places of the repository within a word: those that agree least are often the only ones with a rare word."""

INDEXED: Final = (REPOSITORY, SEARCH)
"""Sources whose words are those of a segment."""

OPEN_LIMIT: Final = 60
OPEN_DOCUMENTS: Final = 6
SEARCH_CHUNKS: Final = 8
SPELLINGS_KEPT: Final = 200_000

QUERY_LINES: Final = 14
"""Lines before the cursor whose terms are searched for; more of them drift away from what is being written."""


def agreements(ids: Ids, context: Sequence[int]) -> tuple[Ints, Ints]:
    """Every place of ``ids`` that follows the context's last token, and in how many tokens the two agree."""
    if not context or len(ids) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    places = np.flatnonzero(ids[:-1] == context[-1]) + 1
    lengths = np.ones(len(places), np.int64)
    rows = np.arange(len(places))
    for back in range(1, min(DEPTH, len(context))):
        at = places[rows] - 1 - back
        rows = rows[(at >= 0) & (ids[at] == context[-1 - back])]
        if not len(rows):
            break
        lengths[rows] += 1
    return places, lengths


@dataclass
class Found:
    """What search found for the lines around a cursor; kept while one types within the line."""

    chunks: "list[tuple[Segment, int, int, int, Ids, int]]"
    """Segment, local document, first and last position, tokens from ``start`` on, ``start``."""
    pairs: NDArray[np.uint64]


NOTHING_FOUND = Found([], np.zeros(0, np.uint64))


def look_up(scene: Scene, index: "Index", hidden: frozenset[str]) -> Found:
    """Searches the index for the lines around the cursor.

    :param hidden: paths whose indexed form does not count, because the documents are open.
    """
    lines = [*scene.frame.before.lines[-QUERY_LINES:], *scene.frame.after.lines[:4]]
    query = terms("\n".join(line[:300] for line in lines))
    if not query:
        return NOTHING_FOUND
    chunks: list[tuple[Segment, int, int, int, Ids, int]] = []
    seen = []
    for key, _ in index.bm25_search(query, SEARCH_CHUNKS + 8):
        document, first, last = index.span(key)
        if document.path in hidden:
            continue
        segment = index.segments[document.segment]
        low, high = segment.suffix.line_range(document.local, first, last)
        start = max(segment.suffix.document_start(document.local), low - DEPTH)
        ids = segment.suffix.run(start, high)
        chunks.append((segment, document.local, low, high, ids, start))
        seen.append(pairs(ids[low - start :]))
        if len(chunks) == SEARCH_CHUNKS:
            break
    return Found(chunks, np.unique(np.concatenate(seen)) if seen else NOTHING_FOUND.pairs)


class Memory:
    """What finders remember from one request to the next, for one generation of the index.

    :ivar spellings: words by their ids. :ivar origins: texts by their documents' ids.
    """

    def __init__(self) -> None:
        self.spellings: dict[int, str] = {}
        self.origins: OrderedDict[int, Origin] = OrderedDict()


class Finder:
    """Finds the places for one request."""

    def __init__(
        self,
        scene: Scene,
        index: "Index | None",
        found: Found,
        others: Sequence[tuple[str, "Side"]],
        hidden: frozenset[str],
        memory: "Memory",
        earlier: "Earlier | None" = None,
    ) -> None:
        self._earlier = earlier
        self._spellings = memory.spellings
        self._beginning: dict[tuple[int, str], Ids] = {}
        self._scene = scene
        self._index = index
        self._found = found
        self._others = others
        self._hidden = hidden
        self.origins = Origins(scene, index, memory.origins)
        self._columns: list[tuple[NDArray[np.generic], ...]] = []
        self._partial = ""
        self._context: list[int] = []

    def find(self) -> Places | None:
        """All places for all readings of the cursor; None where there are none."""
        open_numbers = [self.origins.add_open(path, side) for path, side in self._others]
        earlier = self._earlier
        if earlier is not None:
            earlier_number = self.origins.add_open(self.origins.paths[0], earlier.side, earlier.first)
        for number, reading in enumerate(self._scene.readings):
            context = self._scene.context(reading, DEPTH)
            if not context:
                continue
            self._partial, self._context = reading.partial, context
            self._in_document(number, context)
            for origin, (_, side) in zip(open_numbers, self._others, strict=True):
                self._in_side(number, OPEN, context, origin, side)
            if earlier is not None:
                self._in_side(number, EARLIER, context, earlier_number, earlier.side)
            if self._index is not None:
                self._in_segments(number, context)
                for rank, chunk in enumerate(self._found.chunks):
                    self._in_chunk(number, context, rank, *chunk)
        if not any(len(column[0]) for column in self._columns):
            return None
        return Places(*[np.concatenate(column) for column in zip(*self._columns, strict=True)])

    def _add(
        self,
        reading: int,
        source: int,
        length: Ints,
        weight: NDArray[np.float64],
        origin: Ints,
        line: Ints,
        token: Ints,
        hit: Ints | int,
        indent: Ints,
        previous: Ints,
        window: Ids,
        before: Ids,
    ) -> None:
        size = len(length)
        columns: tuple[NDArray[np.generic], ...] = (
            np.full(size, reading),
            np.full(size, source),
            length,
            weight,
            origin,
            line,
            token,
            np.broadcast_to(hit, size),
            indent,
            previous,
            self._form(before),
            np.zeros(size, np.int64),
            window,
        )
        if self._partial and source not in INDEXED:
            goes_on = self._goes_on(window[:, 0], origin, line, token)
            columns = tuple(column[goes_on] for column in columns)
        self._columns.append(columns)

    def _form(self, before: Ids) -> Ints:
        """In how many of the tokens before each place its form is the cursor's; ``before`` is ``(places, FORM)``."""
        context = self._context[-FORM:]
        if not context:
            return np.zeros(len(before), np.int64)
        mine = np.array(context, np.uint32)
        before = before[:, FORM - len(context) :]
        alike = (before == mine) | (((before & mine & WORD) == WORD) & (before != END))
        form: Ints = np.cumprod(alike[:, ::-1], axis=1).sum(axis=1)
        return form

    def _goes_on(self, ids: Ids, origin: Ints, line: Ints, token: Ints) -> NDArray[np.bool_]:
        """Which places of open documents go on with a word that begins with the unfinished one and is longer."""
        distinct, first = np.unique(ids, return_index=True)
        fits = np.zeros(len(distinct), bool)
        for number, (word, place) in enumerate(zip(distinct.tolist(), first.tolist(), strict=True)):
            if not word & WORD:
                continue
            text = self._spellings.get(word)
            if len(self._spellings) > SPELLINGS_KEPT:
                self._spellings.clear()
            if text is None:
                text = self.origins.origin(int(origin[place])).token(int(line[place]), int(token[place]))
                self._spellings[word] = text
            fits[number] = len(text) > len(self._partial) and text.startswith(self._partial)
        return fits[np.searchsorted(distinct, ids)]

    def _in_document(self, reading: int, context: list[int]) -> None:
        frame = self._scene.frame
        here = frame.here
        places, lengths = agreements(frame.searchable, context)
        keep = places != here
        places, lengths = places[keep], lengths[keep]
        if len(places) > CURRENT_LIMIT:
            best = np.lexsort((np.abs(places - here), -np.minimum(lengths, 6)))[:CURRENT_LIMIT]
            places, lengths = places[best], lengths[best]
        if not len(places):
            return
        above = places < here
        upper = frame.before.line_starts
        lower = frame.after.line_starts
        row_above = np.clip(np.searchsorted(upper, places, side="right") - 1, 0, len(upper) - 1)
        row_below = np.clip(np.searchsorted(lower, places - here - 1, side="right") - 1, 0, len(lower) - 1)
        line = np.where(above, row_above, row_below + self._scene.line + 1)
        token = np.where(above, places - upper[row_above], places - here - 1 - lower[row_below])
        rows = np.minimum(line, len(frame.indents) - 1)
        window = frame.tokens[places[:, None] + np.arange(WINDOW)]
        self._add(
            reading,
            CURRENT,
            lengths,
            np.ones(len(places)),
            np.zeros(len(places), np.int64),
            line,
            token,
            SEARCH_RANK_NONE,
            np.maximum(frame.indents[rows], 0),
            frame.previous_indents[rows],
            window,
            _before(frame.tokens, places),
        )

    def _in_side(self, reading: int, source: int, context: list[int], origin: int, side: "Side") -> None:
        """The places of another open document, or of the lines that this one has no longer."""
        places, lengths = agreements(side.ids, context)
        line = np.searchsorted(side.line_starts, places, side="right") - 1
        hit: Ints | int = SEARCH_RANK_NONE
        if source == EARLIER and self._earlier is not None:
            gone = self._earlier.besides(self._scene.prefix)
            inside = line < len(gone)
            keep = inside & gone[np.where(inside, line, 0)]
            places, lengths, line = places[keep], lengths[keep], line[keep]
            hit = np.abs(line - self._earlier.row)
        elif len(places) > OPEN_LIMIT:
            best = np.argsort(-lengths, kind="stable")[:OPEN_LIMIT]
            places, lengths, line = places[best], lengths[best], line[best]
        if not len(places):
            return
        padded = np.concatenate((side.ids, np.zeros(WINDOW, np.uint32)))
        indents = side.lexed.indents
        previous = _previous(indents, line)
        self._add(
            reading,
            source,
            lengths,
            np.ones(len(places)),
            np.full(len(places), origin),
            line,
            places - side.line_starts[line],
            hit,
            indents[line].astype(np.int64),
            previous,
            padded[places[:, None] + np.arange(WINDOW)],
            _before(side.ids, places),
        )

    def _in_segments(self, reading: int, context: list[int]) -> None:
        """The places of the whole repository with the longest agreement, however many segments it has."""
        assert self._index is not None
        limit = UNFINISHED_LIMIT if self._partial else REPOSITORY_LIMIT
        segments = list(self._index.segments.values())
        matches = [
            segment.suffix.find(context, limit, self._words(segment) if self._partial else None) for segment in segments
        ]
        lengths = np.concatenate([one.lengths for one in matches]) if matches else np.zeros(0, np.uint8)
        # A length of which only a part fits is thinned evenly, in every segment alike.
        counts = np.bincount(lengths, minlength=DEPTH + 1)
        room = np.maximum(0, limit - (np.cumsum(counts[::-1])[::-1] - counts))
        kept_share = np.minimum(1.0, room / np.maximum(counts, 1))
        for segment, one in zip(segments, matches, strict=True):
            length = one.lengths.astype(np.int64)
            if not len(length):
                continue
            step = kept_share[length]
            running = np.arange(len(length))
            keep = np.floor((running + 1) * step) > np.floor(running * step)
            if keep.any():
                length = length[keep]
                weight = one.populations[keep] / np.bincount(length)[length]
                self._in_index(reading, REPOSITORY, segment, one.positions[keep], length, weight, SEARCH_RANK_NONE)

    def _words(self, segment: "Segment") -> Ids:
        """The ids of a segment's words that begin with the unfinished one and are longer."""
        key = segment.number, self._partial
        if key not in self._beginning:
            self._beginning[key] = segment.words.beginning(self._partial)
        return self._beginning[key]

    def _in_chunk(
        self,
        reading: int,
        context: list[int],
        rank: int,
        segment: "Segment",
        local: int,
        low: int,
        high: int,
        ids: Ids,
        start: int,
    ) -> None:
        places, lengths = agreements(ids, context)
        keep = places >= low - start
        if self._partial:
            keep &= among(ids[places], self._words(segment))
        places += start
        if keep.any():
            positions, lengths = places[keep].astype(np.uint32), lengths[keep]
            self._in_index(reading, SEARCH, segment, positions, lengths, np.ones(len(positions)), rank)

    def _in_index(
        self,
        reading: int,
        source: int,
        segment: "Segment",
        positions: Ids,
        lengths: Ints,
        weight: NDArray[np.float64],
        hit: int,
    ) -> None:
        suffix = segment.suffix
        documents, line, token = suffix.locate(positions)
        numbers = np.full(len(segment.documents), -1, np.int64)
        for local in np.unique(documents).tolist():
            document = segment.documents[local]
            if document.live and document.path not in self._hidden:
                numbers[local] = self.origins.indexed(segment, local)
        origin = numbers[documents]
        keep = origin >= 0
        if not keep.any():
            return
        documents, line = documents[keep], line[keep]
        indent = suffix.indent(documents, line).astype(np.int64)
        previous = suffix.indent(documents, line - 1).astype(np.int64)
        second = suffix.indent(documents, line - 2).astype(np.int64)
        previous = np.where(previous == 255, np.where(second == 255, 0, second), previous)
        self._add(
            reading,
            source,
            lengths[keep],
            weight[keep],
            origin[keep],
            line,
            token[keep],
            hit,
            indent,
            previous,
            suffix.tokens(positions[keep], WINDOW),
            suffix.tokens_before(positions[keep], FORM),
        )


def _before(ids: Ids, places: Ints) -> Ids:
    """The ``FORM`` tokens before each place, the nearest last."""
    at = places[:, None] - np.arange(FORM, 0, -1)
    before: Ids = np.where(at >= 0, ids[np.maximum(at, 0)], END).astype(np.uint32)
    return before


def _previous(indents: NDArray[np.uint8], line: Ints) -> Ints:
    rows = np.arange(len(indents))
    last = np.maximum.accumulate(np.where(indents != 255, rows, 0))
    before = last[np.maximum(line - 1, 0)]
    return np.where(line > 0, indents[before], 0).astype(np.int64)
