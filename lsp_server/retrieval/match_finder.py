"""Finds matches: positions where code like that before the cursor stands.

There are five sources: the document itself; the lines it had when it was opened and has no longer; other open
documents; the repository's token suffix index, longest agreement first; and the lines of the chunks that search finds,
where one token of agreement is enough.

This module ranks nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH
from indexer.search.suffix_search import (
    BEHIND_LIMIT,
    SCAN_LIMIT,
    AgreementsKept,
    Anchored,
    Search,
    among,
    prepare_longest_first,
    widen_longest_first,
)
from indexer.storage.segment import SMALL_BYTES
from indexer.text.tokens import WORD
from lsp_server.retrieval.cursor import WINDOW, CursorContext, Ids
from lsp_server.retrieval.found_columns import (
    FORM,
    FoundColumns,
    MatchQuery,
    agreements,
    as_matches,
    in_text,
    tokens_before,
)
from lsp_server.retrieval.matches import NO_SEARCH_RANK, Ints, KeptTexts, Matches, MatchSource, SourceTexts
from lsp_server.retrieval.search_hits import FoundChunks, SearchHits

if TYPE_CHECKING:
    from indexer.search.suffix_search import Matches as SuffixMatches
    from indexer.storage.reader import Index
    from indexer.storage.segment import Segment
    from lsp_server.retrieval.cursor import LexedText
    from lsp_server.retrieval.removed_lines import RemovedLines

CURRENT_LIMIT: Final = 400
REPOSITORY_LIMIT: Final = 256
UNFINISHED_LIMIT: Final = 300
"""Matches of the repository within a word: those that agree least are often the only ones with a rare word."""

PREPARED: Final = 9_000
"""Places whose next tokens are read before the next key; one in thirty goes on with the letter that is typed then."""

INDEXED: Final = (MatchSource.REPOSITORY, MatchSource.SEARCH)
"""Sources whose unfinished words are looked up in the segment."""

OPEN_LIMIT: Final = 60
SPELLINGS_KEPT: Final = 50_000

FULL_SCANS: Final = 8
"""Segments whose anchors are all scanned up to ``SCAN_LIMIT``; of more segments each gets its share, so that a key does
not cost more the larger the repository is. Small ones, of the last updates, do not count. Eight segments hold some 16
million lines. In the Linux kernel (16 segments, 5,402 keys) 399 first lines are right with 8 full scans and 393 with
16; the 95th percentile of a key's time falls by 7 %."""


class NearestSegments:
    """Orders the segments of an index by how near they are to a document; keeps the order of the last folder."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._order: dict[int, int] = {}

    def first(self, path: str, segments: "list[Segment]") -> "list[Segment]":
        """Return the segments, those first that hold a file of the nearest folder; then the newest."""
        folder = path.rpartition("/")[0]
        if self._folder != folder:
            above = [folder[:end] for end in range(len(folder), 0, -1) if folder[end : end + 1] in ("/", "")]
            depths = [self._depth(segment, above) for segment in segments]
            ranked = sorted(zip(depths, segments, strict=True), key=lambda one: (one[0], -one[1].number))
            self._folder, self._order = folder, {one.number: rank for rank, (_, one) in enumerate(ranked)}
        return sorted(segments, key=lambda one: self._order.get(one.number, len(segments)))

    @staticmethod
    def _depth(segment: "Segment", above: Sequence[str]) -> int:
        """Return how many folders up the nearest folder is that has a file in the segment."""
        return next((up for up, folder in enumerate(above) if folder in segment.folders), len(above))


class FinderMemory:
    """What finders keep from one request to the next, for one generation of the index.

    :ivar spellings: words by their ids. :ivar texts: texts of the index that were read.
    :ivar agreements: the places of the index that agree with the last queries.
    :ivar nearest: the order of the segments for a document.
    """

    def __init__(self) -> None:
        self.agreements = AgreementsKept()
        self.nearest = NearestSegments()
        self.spellings: dict[int, str] = {}
        self.texts = KeptTexts()


def prepare(cursor: CursorContext, index: "Index", memory: FinderMemory, stop: Callable[[], bool]) -> None:
    """Look up what the next key needs if it begins a word: the places of the index that agree, and what follows them.

    At a million lines this is a third of the time that such a key takes.

    :param stop: says whether to end at once.
    """
    reading = cursor.readings[0]
    context = cursor.context(reading, DEPTH + BEHIND_LIMIT)
    if reading.partial or not context:
        return
    anchored = Anchored.of(context, word_follows=True)
    segments = list(index.segments.values())
    found = [memory.agreements.of(one.number, one.suffix, anchored.query) for one in segments]
    prepare_longest_first(found, PREPARED, _scan_limit(segments), stop)


def _kept(found: "Sequence[SuffixMatches]", limit: int) -> "list[NDArray[np.bool_]]":
    """Return which matches of each segment are among the ``limit`` that agree longest.

    Of a length of which only a part fits, every segment keeps the same share. With those of the nearest segments alone,
    fewer first lines are right in the Linux kernel (1,136 instead of 1,173 at 1,733 keys).
    """
    lengths = [one.lengths.astype(np.int64) for one in found]
    counts = np.bincount(np.concatenate(lengths), minlength=DEPTH + 1) if lengths else np.zeros(DEPTH + 1, np.int64)
    room = np.maximum(0, limit - (np.cumsum(counts[::-1])[::-1] - counts))
    share = np.minimum(1.0, room / np.maximum(counts, 1))
    kept = []
    for length in lengths:
        running = np.arange(len(length))
        kept.append(np.floor((running + 1) * share[length]) > np.floor(running * share[length]))
    return kept


def _large(segments: "Sequence[Segment]") -> int:
    """Return how many segments are not small."""
    return sum(segment.bytes >= SMALL_BYTES for segment in segments)


def _scan_limit(segments: "Sequence[Segment]") -> int:
    """Return how many anchors of each segment are scanned for one length, at most."""
    return SCAN_LIMIT * FULL_SCANS // max(FULL_SCANS, _large(segments))


class MatchFinder:
    """Finds the matches of one request.

    :param others: paths and texts of other open documents.
    :param hidden: paths of open documents; their indexed form does not count.
    :ivar texts: the texts that the matches stand in.
    :ivar thinned: whether some places were left out because the repository has more than ``FULL_SCANS`` segments.
    """

    def __init__(
        self,
        cursor: CursorContext,
        index: "Index | None",
        hits: SearchHits,
        others: "Sequence[tuple[str, LexedText]]",
        hidden: frozenset[str],
        memory: FinderMemory,
        removed: "RemovedLines | None" = None,
    ) -> None:
        self._cursor = cursor
        self._index = index
        self._hits = hits
        self._hidden = hidden
        self._spellings, self._agreements, self._nearest = memory.spellings, memory.agreements, memory.nearest
        self._removed = removed
        self.thinned = False
        self._word_ids: dict[tuple[int, str], Ids] = {}
        self.texts = SourceTexts(cursor, index, memory.texts)
        self._others = [(self.texts.add(path, text), text) for path, text in others]
        self._removed_number = self.texts.add(self.texts.paths[0], removed.text, removed.first) if removed else 0

    def find(self) -> Matches | None:
        """Return all matches for all readings of the cursor; None where there are none."""
        queries: list[MatchQuery] = []
        found: list[tuple[MatchQuery, FoundColumns]] = []
        for number, reading in enumerate(self._cursor.readings):
            context = self._cursor.context(reading, DEPTH + BEHIND_LIMIT)
            if context:
                queries.append(MatchQuery(number, context, reading.partial))
                found += [(queries[-1], columns) for columns in self._sources(queries[-1])]
        if not found:
            return None
        matches = as_matches(found)
        indexed = np.isin(matches.source, INDEXED)
        keep = np.ones(len(matches), bool)
        for query in queries:
            if query.partial:
                rows = np.flatnonzero((matches.reading == query.reading) & ~indexed)
                keep[rows] = self._continues(query.partial, matches, rows)
        if keep.all():
            return matches
        return matches.where(keep) if keep.any() else None

    def _sources(self, query: MatchQuery) -> Iterator[FoundColumns]:
        found = [self._in_document(query)]
        found += [self._in_open(query, number, text) for number, text in self._others]
        if self._removed is not None:
            found.append(self._in_removed(query, self._removed))
        if self._index is not None:
            found += self._in_segments(query, self._index)
            found += [self._in_chunks(query, chunks) for chunks in self._hits.chunks]
        yield from (columns for columns in found if columns is not None)

    def _continues(self, partial: str, matches: Matches, rows: Ints) -> NDArray[np.bool_]:
        """Return which rows, matches of open documents, go on with a longer word that begins like this."""
        distinct, first, which = np.unique(matches.window[rows, 0], return_index=True, return_inverse=True)
        fits = np.zeros(len(distinct), bool)
        for number, (word, row) in enumerate(zip(distinct.tolist(), rows[first].tolist(), strict=True)):
            if not word & WORD:
                continue
            spelling = self._spellings.get(word)
            if len(self._spellings) > SPELLINGS_KEPT:
                self._spellings.clear()
            if spelling is None:
                text = self.texts[int(matches.text[row])]
                spelling = self._spellings[word] = text.token(int(matches.line[row]), int(matches.token[row]))
            fits[number] = len(spelling) > len(partial) and spelling.startswith(partial)
        return fits[which]

    def _in_document(self, query: MatchQuery) -> FoundColumns | None:
        context = self._cursor.line_context
        here = context.here
        positions, lengths = agreements(context.searchable, query.context)
        keep = positions != here
        positions, lengths = positions[keep], lengths[keep]
        if len(positions) > CURRENT_LIMIT:
            best = np.lexsort((np.abs(positions - here), -np.minimum(lengths, 6)))[:CURRENT_LIMIT]
            positions, lengths = positions[best], lengths[best]
        if not len(positions):
            return None
        above = positions < here
        upper, lower = context.before.line_starts, context.after.line_starts
        row_above = np.clip(np.searchsorted(upper, positions, side="right") - 1, 0, len(upper) - 1)
        row_below = np.clip(np.searchsorted(lower, positions - here - 1, side="right") - 1, 0, len(lower) - 1)
        line = np.where(above, row_above, row_below + self._cursor.line + 1)
        rows = np.minimum(line, len(context.indents) - 1)
        return FoundColumns(
            source=MatchSource.CURRENT,
            length=lengths,
            weight=1.0,
            text=0,
            line=line,
            token=np.where(above, positions - upper[row_above], positions - here - 1 - lower[row_below]),
            hit=NO_SEARCH_RANK,
            indent=np.maximum(context.indents[rows], 0),
            previous=context.previous_indents[rows],
            window=context.tokens[positions[:, None] + np.arange(WINDOW)],
            before=tokens_before(context.tokens, positions),
        )

    def _in_open(self, query: MatchQuery, number: int, text: "LexedText") -> FoundColumns | None:
        """Return the matches of another open document."""
        positions, lengths = agreements(text.ids, query.context)
        if len(positions) > OPEN_LIMIT:
            best = np.argsort(-lengths, kind="stable")[:OPEN_LIMIT]
            positions, lengths = positions[best], lengths[best]
        if not len(positions):
            return None
        line = np.searchsorted(text.line_starts, positions, side="right") - 1
        return in_text(MatchSource.OPEN, number, text, (positions, lengths, line), NO_SEARCH_RANK)

    def _in_removed(self, query: MatchQuery, removed: "RemovedLines") -> FoundColumns | None:
        """Return the matches in the lines that the document has no longer."""
        text = removed.text
        positions, lengths = agreements(text.ids, query.context)
        line = np.searchsorted(text.line_starts, positions, side="right") - 1
        gone = removed.not_retyped(self._cursor.prefix)
        inside = line < len(gone)
        keep = inside & gone[np.where(inside, line, 0)]
        positions, lengths, line = positions[keep], lengths[keep], line[keep]
        if not len(positions):
            return None
        distance = np.abs(line - removed.row)
        return in_text(MatchSource.REMOVED, self._removed_number, text, (positions, lengths, line), distance)

    def _in_segments(self, query: MatchQuery, index: "Index") -> list[FoundColumns | None]:
        """Return the matches of the whole repository with the longest agreement, however many segments it has."""
        limit = UNFINISHED_LIMIT if query.partial else REPOSITORY_LIMIT
        segments = list(index.segments.values())
        large = _large(segments) > FULL_SCANS
        if large:
            segments = self._nearest.first(self.texts.paths[0], segments)
        scan_limit = _scan_limit(segments)
        anchored = Anchored.of(query.context, word_follows=bool(query.partial))
        searches = [
            Search(
                self._agreements.of(segment.number, segment.suffix, anchored.query),
                anchored,
                limit,
                self._words(segment, query.partial) if query.partial else None,
                scan_limit,
            )
            for segment in segments
        ]
        widen_longest_first(searches, limit, FULL_SCANS * SCAN_LIMIT if large else None)
        self.thinned |= large and any(search.thinned for search in searches)
        found = [search.matches() for search in searches]
        columns: list[FoundColumns | None] = []
        for segment, one, keep in zip(segments, found, _kept(found, limit), strict=True):
            if keep.any():
                length = one.lengths[keep].astype(np.int64)
                weight = one.populations[keep] / np.bincount(length)[length]
                columns.append(self._in_index(segment, one.positions[keep], length, weight, None))
        return columns

    def _words(self, segment: "Segment", partial: str) -> Ids:
        """Return the ids of a segment's longer words that begin with the unfinished one."""
        key = segment.number, partial
        if key not in self._word_ids:
            self._word_ids[key] = segment.words.beginning(partial)
        return self._word_ids[key]

    def _in_chunks(self, query: MatchQuery, chunks: FoundChunks) -> FoundColumns | None:
        """Return the matches in the chunks that search found in one segment."""
        positions, lengths = agreements(chunks.ids, query.context)
        keep = chunks.inside[positions]
        if query.partial:
            keep &= among(chunks.ids[positions], self._words(chunks.segment, query.partial))
        if not keep.any():
            return None
        positions = positions[keep]
        places: Ids = chunks.places[positions].astype(np.uint32)
        weight = np.ones(len(positions))
        return self._in_index(chunks.segment, places, lengths[keep], weight, chunks.ranks[positions])

    def _in_index(
        self, segment: "Segment", positions: Ids, lengths: Ints, weight: NDArray[np.float64], ranks: Ints | None
    ) -> FoundColumns | None:
        """Return matches of the index, without those in hidden documents.

        :param ranks: of the chunk of each that search found; None where the whole segment was searched.
        """
        suffix = segment.suffix
        documents, line, token = suffix.locate(positions)
        rows = documents.tolist()
        numbers = dict.fromkeys(rows, -1)
        for local in numbers:
            document = segment.documents[local]
            if document.live and document.path not in self._hidden:
                numbers[local] = self.texts.indexed(segment, local)
        text = np.array([numbers[row] for row in rows], np.int64)
        keep = text >= 0
        if not keep.any():
            return None
        documents, line = documents[keep], line[keep]
        around = suffix.around(positions[keep], FORM, WINDOW)
        indent, previous, second = suffix.indent(documents, np.stack((line, line - 1, line - 2))).astype(np.int64)
        return FoundColumns(
            source=MatchSource.REPOSITORY if ranks is None else MatchSource.SEARCH,
            length=lengths[keep],
            weight=weight[keep],
            text=text[keep],
            line=line,
            token=token[keep],
            hit=NO_SEARCH_RANK if ranks is None else ranks[keep],
            indent=indent,
            previous=np.where(previous == 255, np.where(second == 255, 0, second), previous),
            window=around[:, FORM:],
            before=around[:, :FORM],
        )
