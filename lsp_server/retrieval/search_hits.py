"""Searches the repository for chunks like the lines around a cursor."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH
from indexer.text.terms import terms
from indexer.text.tokens import END
from lsp_server.retrieval.cursor import CursorContext, Ids, pairs

if TYPE_CHECKING:
    from indexer.storage.reader import Index
    from indexer.storage.segment import Segment

CHUNKS: Final = 8

LINES_BEFORE: Final = 14
"""Lines before the cursor whose terms are searched for; more lines lead away from the code at the cursor."""

LINES_AFTER: Final = 4


@dataclass(frozen=True, eq=False)
class FoundChunks:
    """The chunks that search found in one segment, in one run of tokens, so that all are looked through at once.

    :param ids: the tokens of each chunk, up to ``DEPTH`` tokens before it, and ``END`` behind it.
    :param places: the position of each in the segment's tokens. :param ranks: the number of its chunk among all.
    :param inside: whether it belongs to a chunk, and not to what stands before or behind one.
    """

    segment: "Segment"
    ids: Ids
    places: NDArray[np.int64]
    ranks: NDArray[np.int64]
    inside: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SearchHits:
    """The best chunks for the lines around a cursor, and the distinct pairs of neighbouring tokens in them."""

    chunks: list[FoundChunks]
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
    parts: dict[int, list[FoundChunks]] = {}
    seen: list[NDArray[np.uint64]] = []
    for key, _ in index.bm25_search(query, CHUNKS + 8):
        document, first_line, last_line = index.span(key)
        if document.path in hidden:
            continue
        segment = index.segments[document.segment]
        first, last = segment.suffix.line_range(document.local, first_line, last_line)
        start = segment.suffix.back(document.local, first, DEPTH)
        ids, places = segment.suffix.run(start, last)
        places = np.append(places, last)
        part = FoundChunks(
            segment,
            np.append(ids, np.uint32(END)),
            places,
            np.full(len(places), len(seen)),
            (places >= first) & (places < last),
        )
        parts.setdefault(document.segment, []).append(part)
        seen.append(pairs(ids[places[:-1] >= first]))
        if len(seen) == CHUNKS:
            break
    if not seen:
        return NO_HITS
    return SearchHits([_joined(found) for found in parts.values()], np.unique(np.concatenate(seen)))


def _joined(parts: list[FoundChunks]) -> FoundChunks:
    return FoundChunks(
        parts[0].segment,
        np.concatenate([one.ids for one in parts]),
        np.concatenate([one.places for one in parts]),
        np.concatenate([one.ranks for one in parts]),
        np.concatenate([one.inside for one in parts]),
    )
