"""Searches the repository for chunks like the lines around a cursor."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH
from indexer.text.terms import terms
from lsp_server.retrieval.cursor import CursorContext, Ids, pairs

if TYPE_CHECKING:
    from indexer.storage.reader import Index
    from indexer.storage.segment import Segment

CHUNKS: Final = 8

LINES_BEFORE: Final = 14
"""Lines before the cursor whose terms are searched for; more lines lead away from the code at the cursor."""

LINES_AFTER: Final = 4


@dataclass(frozen=True, eq=False)
class FoundChunk:
    """A chunk that search found.

    :param first, last: its positions in the segment's tokens, ``last`` excluded.
    :param start: the position of ``ids[0]``, at most ``DEPTH`` before ``first``. :param ids: tokens up to ``last``.
    """

    segment: "Segment"
    first: int
    last: int
    start: int
    ids: Ids


@dataclass(frozen=True, eq=False)
class SearchHits:
    """The best chunks for the lines around a cursor, and the distinct pairs of neighbouring tokens in them."""

    chunks: list[FoundChunk]
    pairs: NDArray[np.uint64]


NO_HITS: Final = SearchHits([], np.zeros(0, np.uint64))


def search_around(cursor: CursorContext, index: "Index", hidden: frozenset[str]) -> SearchHits:
    """Search the index for the lines around the cursor.

    :param hidden: paths of open documents; their indexed form does not count.
    """
    context = cursor.line_context
    lines = [*context.before.lines[-LINES_BEFORE:], *context.after.lines[:LINES_AFTER]]
    query = terms("\n".join(line[:300] for line in lines))
    if not query:
        return NO_HITS
    chunks: list[FoundChunk] = []
    for key, _ in index.bm25_search(query, CHUNKS + 8):
        document, first_line, last_line = index.span(key)
        if document.path in hidden:
            continue
        segment = index.segments[document.segment]
        first, last = segment.suffix.line_range(document.local, first_line, last_line)
        start = max(segment.suffix.document_start(document.local), first - DEPTH)
        chunks.append(FoundChunk(segment, first, last, start, segment.suffix.run(start, last)))
        if len(chunks) == CHUNKS:
            break
    if not chunks:
        return NO_HITS
    seen = [pairs(chunk.ids[chunk.first - chunk.start :]) for chunk in chunks]
    return SearchHits(chunks, np.unique(np.concatenate(seen)))
