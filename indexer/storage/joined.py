"""The index of a repository together with those of other repositories that the user has given, for reading.

Documents of another repository have paths that lead there (``../sister/src/a.py``), so that every place that names a
source says which repository it is of. Their ids and segment numbers are moved, since every index counts from 0.
"""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.storage.reader import Index
from indexer.storage.segment import CHUNK_BITS, IndexedDocument, Segment

ROOM: Final = 1 << 34
"""Ids of one index; with the bits of a chunk's number, the keys of 256 indexes fit into 63 bits."""

SEGMENTS: Final = 1 << 20
MOST: Final = 32
"""Other indexes at most: each key searches every segment."""


@dataclass(frozen=True, eq=False)
class Guest:
    """The index of another repository as it is seen from one repository.

    :ivar index: as it was opened; what is left out of it is left out here too.
    """

    index: Index
    moved: int
    segments: dict[int, Segment]
    documents: dict[str, IndexedDocument]

    @classmethod
    def of(cls, index: Index, root: Path, number: int) -> "Guest":
        """Move an index behind others.

        :param root: the repository that searches it too. :param number: from 1 to ``MOST``.
        """
        moved = number * ROOM
        way = _way(index.root, root)
        segments: dict[int, Segment] = {}
        for segment in index.segments.values():
            other = copy.copy(segment)
            other.number = number * SEGMENTS + segment.number
            other.ids = segment.ids + moved
            other.documents = [
                replace(one, id=one.id + moved, segment=other.number, path=f"{way}/{one.path}")
                for one in segment.documents
            ]
            segments[other.number] = other
        live = [one for segment in segments.values() for one in segment.documents if one.live]
        return cls(index, moved, segments, {one.path: one for one in sorted(live, key=lambda one: one.path)})


class JoinedIndex(Index):
    """A repository's own index and its guests. Leave documents out of the own one, and join it again.

    :param own: the repository's index; its documents, root and generation are this one's.
    """

    def __init__(self, own: Index, guests: Sequence[Guest]) -> None:
        self.__dict__.update(own.__dict__)
        self._own, self._guests = own, guests
        self.segments = dict(own.segments)
        self.documents = dict(own.documents)
        self._by_id = dict(own._by_id)
        for guest in guests:
            self.segments |= guest.segments
            self.documents |= guest.documents
            self._by_id |= {one.id: one for one in guest.documents.values()}

    def bm25_search(self, terms: list[str], limit: int) -> list[tuple[int, float]]:
        """The best live chunks by BM25: the best of every index first, the own one's before the guests', and so on.

        Scores of two indexes cannot be compared: each has its own frequencies of words.
        """
        lists = [self._own.bm25_search(terms, limit)]
        for guest in self._guests:
            hits = guest.index.bm25_search(terms, limit)
            lists.append([(key + (guest.moved << CHUNK_BITS), score) for key, score in hits])
        return [hit for row in zip_longest(*lists) for hit in row if hit is not None][:limit]

    def vector_search(self, vector: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """The live chunks of all indexes whose vectors are nearest; without those of another encoder."""
        found = self._own.vector_search(vector, limit)
        for guest in self._guests:
            if guest.index.encoder is not None:
                hits = guest.index.vector_search(vector, limit)
                found += [(key + (guest.moved << CHUNK_BITS), score) for key, score in hits]
        return sorted(found, key=lambda hit: -hit[1])[:limit]


def _way(there: Path, here: Path) -> str:
    """The path from one repository to another; absolute where there is none."""
    try:
        return Path(os.path.relpath(there, here)).as_posix()
    except ValueError:  # another drive
        return there.as_posix()
