"""Searches token suffix indexes for the places where the longest ends of a context occur.

A search of one segment goes from the longest agreement to ever shorter ones, one at a time, so that of many segments
only those are looked at further that have something to add. How the index is built is in ``suffix_array``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH, PROSE_WORDS, SuffixIndex
from indexer.text.tokens import NEWLINE, WIDTH, WORD, pack

BEHIND_LIMIT: Final = 12
"""Maximum number of tokens between the last anchor and the cursor."""

SCAN_LIMIT: Final = 8_000
"""Maximum number of anchors whose next tokens are compared for one match length; 8,000 take about 0.3 ms."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Positions where a context occurs, the longest match first.

    :param positions: uint32 ``(matches,)``; the next token's number in the segment.
    :param lengths: uint8 ``(matches,)``; matching tokens of context, at most ``DEPTH``.
    :param populations: uint32 ``(matches,)``; number of positions with a match of this length; these are a sample.
    """

    positions: NDArray[np.uint32]
    lengths: NDArray[np.uint8]
    populations: NDArray[np.uint32]


def find(index: SuffixIndex, context: Sequence[int], limit: int, wanted: NDArray[np.uint32] | None = None) -> Matches:
    """Find the positions of one segment where the longest ends of the context occur.

    :param context: token ids, the one next to the cursor last.
    :param limit: how many places at most; a longer agreement comes first, and of more places with the same
        agreement than there is room for, evenly spread ones are taken.
    :param wanted: ids that the next token has to be one of, as ``words`` gives them; None for any.
    """
    search = Search(index, context, limit, wanted)
    while search.length > 0:
        search.widen()
    return search.matches()


class Search:
    """The search of one segment for a context, from the longest agreement to ever shorter ones, one at a time.

    A caller with many segments widens those with the longest agreement first and stops when it has enough.

    :param context, limit, wanted: as in :func:`find`.
    :param scan_limit: anchors whose next tokens are compared for one match length, at most.
    :ivar length: no match that is still to be found agrees in more tokens; 0 when there are no more.
    :ivar found: positions, length and population of each length so far.
    :ivar thinned: whether anchors were left out because there were more than ``scan_limit``.
    """

    def __init__(
        self,
        index: SuffixIndex,
        context: Sequence[int],
        limit: int,
        wanted: NDArray[np.uint32] | None = None,
        scan_limit: int = SCAN_LIMIT,
    ) -> None:
        self._index, self._left, self._wanted, self._scan_limit = index, limit, wanted, scan_limit
        self._behind = _tokens_behind_anchor(context)
        self._tail = list(context[len(context) - self._behind :])
        self._query = pack(np.array(context[: len(context) - self._behind][::-1][: DEPTH - self._behind], np.uint32))
        self.found: list[tuple[NDArray[np.uint32], int, int]] = []
        self.thinned = False
        self.length = 0
        self._agreed = -1, -1  # tokens in which the rows next to the found ones agree
        if wanted is None or len(wanted):
            self._low = self._high = index.bound(self._query, 0, len(index.order), after=False)
            self._look()

    def widen(self) -> int:
        """Collect the matches of the longest agreement that is left; return how many they are."""
        index, prefix = self._index, self._query[: (self.length - self._behind) * WIDTH]
        low, high = self._low, self._high
        if self._agreed[0] + self._behind == self.length:
            self._low = index.run_of(prefix, low - 1, -1)
        if self._agreed[1] + self._behind == self.length:
            self._high = index.run_of(prefix, high, 1)
        fresh = np.concatenate((index.order[self._low : low], index.order[high : self._high]))
        if self._tail or self._wanted is not None:
            step = len(fresh) // self._scan_limit + 1
            self.thinned |= step > 1
            fresh = index.followed_by(fresh[::step], self._tail)
        if self._wanted is not None:
            fresh = fresh[among(index.next_token(fresh + np.uint32(self._behind)), self._wanted)]
        population = len(fresh)
        if population:
            fresh = fresh[_spread(population, self._left)]
            self.found.append((fresh + np.uint32(self._behind), self.length, population))
            self._left -= len(fresh)
        self._look()
        return len(fresh)

    def matches(self) -> Matches:
        """All matches so far."""
        return _matches(self.found)

    def _look(self) -> None:
        """Look how long the next agreement is; without tokens behind an anchor, it must be one token at least."""
        index = self._index
        self._agreed = index.agreement(self._low - 1, self._query), index.agreement(self._high, self._query)
        agreed = max(self._agreed)
        ends = self._left <= 0 or agreed < 0 or agreed + self._behind == 0
        self.length = 0 if ends else agreed + self._behind


def widen_longest_first(searches: Sequence[Search], limit: int) -> None:
    """Widen searches until they have the ``limit`` matches that agree longest, all of the least agreement included.

    Shorter agreements would be dropped, so that segments without a long one are hardly looked at.
    """
    waiting = [(-search.length, number) for number, search in enumerate(searches) if search.length]
    heapify(waiting)
    count, least = 0, 0
    while waiting and (count < limit or -waiting[0][0] == least):
        least, number = -waiting[0][0], waiting[0][1]
        count += searches[number].widen()
        if searches[number].length:
            heapreplace(waiting, (-searches[number].length, number))
        else:
            heappop(waiting)


def among(ids: NDArray[np.uint32], wanted: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which ids are among the wanted ones, which are sorted."""
    if not len(wanted):
        return np.zeros(len(ids), bool)
    same: NDArray[np.bool_] = wanted[np.minimum(np.searchsorted(wanted, ids), len(wanted) - 1)] == ids
    return same


def _tokens_behind_anchor(context: Sequence[int]) -> int:
    """How many of the last tokens to take back until the next token is an anchor; 0 at the start of a line.

    :returns: 0 too where there is no anchor within ``BEHIND_LIMIT`` tokens.
    """
    size = len(context)
    for behind in range(min(size, BEHIND_LIMIT) + 1):
        place = size - behind
        if place == 0 or context[place - 1] == NEWLINE:
            return behind
        if behind and context[place] & WORD and not _words_before(context, place):
            return behind
    return 0


def _words_before(context: Sequence[int], place: int) -> bool:
    """Whether ``PROSE_WORDS`` words in a row end right before a place."""
    return place >= PROSE_WORDS and all(token & WORD for token in context[place - PROSE_WORDS : place])


def _spread(population: int, room: int) -> NDArray[np.int64]:
    """Indices of at most ``room`` of ``population`` things, evenly spread."""
    if population <= room:
        return np.arange(population)
    return np.linspace(0, population - 1, room).astype(np.int64)


def _matches(found: list[tuple[NDArray[np.uint32], int, int]]) -> Matches:
    if not found:
        return Matches(np.zeros(0, np.uint32), np.zeros(0, np.uint8), np.zeros(0, np.uint32))
    sizes = [len(positions) for positions, _, _ in found]
    return Matches(
        np.concatenate([positions for positions, _, _ in found]),
        np.repeat([length for _, length, _ in found], sizes).astype(np.uint8),
        np.repeat([population for _, _, population in found], sizes).astype(np.uint32),
    )
