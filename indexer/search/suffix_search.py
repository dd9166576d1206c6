"""Searches token suffix indexes for the places where the longest ends of a context occur.

A search of one segment goes from the longest agreement to ever shorter ones, one at a time, so that of many segments
only those are looked at further that have something to add. What it finds is kept for the searches that follow: while
one types a word, the tokens before it stay the same. How the index is built is in ``suffix_array``.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heapreplace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH, PROSE_WORDS, SuffixIndex
from indexer.text.tokens import NEWLINE, WORD

BEHIND_LIMIT: Final = 12
"""Maximum number of tokens between the last anchor and the cursor."""

SCAN_LIMIT: Final = 1_000
"""Maximum number of anchors whose next tokens are compared for one match length; each is a look at memory. With 8,000
no more suggestions were right at the 4,431 keys on which this limit was chosen (a million lines of Python)."""

QUERIES_KEPT: Final = 6
"""Queries whose agreements are kept: those of the last anchors of a line, and of the line that is looked ahead at."""


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
    anchored = Anchored.of(context, word_follows=wanted is not None and bool((wanted & WORD).all()))
    search = Search(Agreements(index, anchored.query), anchored, limit, wanted)
    while search.length > 0:
        search.widen()
    return search.matches()


@dataclass(frozen=True, slots=True)
class Anchored:
    """A context as it is searched: from its last anchor, with the tokens behind that.

    :param query: the tokens before the anchor, the nearest first.
    :param tail: the tokens between the anchor and the cursor.
    """

    query: tuple[int, ...]
    tail: tuple[int, ...]

    @classmethod
    def of(cls, context: Sequence[int], *, word_follows: bool) -> "Anchored":
        """Cut a context at its last anchor.

        :param word_follows: whether only places before a word are looked for; outside prose they are anchors.
        """
        size = len(context)
        behind = 0 if word_follows and not _words_before(context, size) else _tokens_behind_anchor(context)
        return cls(tuple(context[: size - behind][::-1][:DEPTH]), tuple(context[size - behind :]))


class Sample:
    """Places of a segment and what follows them.

    :ivar places: uint32 ``(places,)``.
    """

    def __init__(self, index: SuffixIndex, places: NDArray[np.uint32]) -> None:
        self._index, self.places = index, places

    @cached_property
    def _next(self) -> NDArray[np.uint32]:
        return self._index.next_token(self.places)

    @cached_property
    def _distinct(self) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        return np.unique(self._next, return_inverse=True)

    def prepare(self) -> None:
        """Read what follows, so that a later search for words need not."""
        self._distinct  # noqa: B018 - it is kept

    def followed_by(self, tail: Sequence[int], wanted: NDArray[np.uint32] | None) -> NDArray[np.uint32]:
        """The places that are followed by the tokens of the tail, and then by one of the wanted ones."""
        if not tail:
            if wanted is None:
                return self.places
            distinct, numbers = self._distinct
            return self.places[among(distinct, wanted)[numbers]]
        places = self.places[self._next == tail[0]]
        places = self._index.followed_by(places, tail, first=1)
        if wanted is None or not len(places):
            return places
        return places[among(self._index.next_token(places + np.uint32(self._index.length(tail))), wanted)]


class Step:
    """The places of one segment whose contexts agree with a query in one number of tokens.

    :ivar agreed: that number. :ivar population: how many places they are.
    """

    def __init__(self, index: SuffixIndex, agreed: int, above: range, below: range) -> None:
        self._index, self._above, self._below = index, above, below
        self._sample: tuple[int, Sample] | None = None
        self.agreed = agreed
        self.population = len(above) + len(below)

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The places of the given numbers, in the order of the index."""
        rows = numbers + self._above.start
        rows[numbers >= len(self._above)] += self._below.start - self._above.stop
        return self._index.positions(rows)

    def sample(self, limit: int) -> Sample:
        """Every place or, of more than ``limit``, evenly spread ones."""
        step = self.population // limit + 1
        if self._sample is None or self._sample[0] != step:
            self._sample = step, Sample(self._index, self.places(np.arange(0, self.population, step)))
        return self._sample[1]


class Agreements:
    """The places of one segment by their agreement with a query, from the longest to ever shorter ones.

    Each step is found when it is first asked for, and kept.

    :param query: as in :class:`Anchored`.
    """

    def __init__(self, index: SuffixIndex, query: tuple[int, ...]) -> None:
        self.index, self._query = index, index.code(query)
        self._low = self._high = index.bound(self._query.data, 0, index.rows, after=False)
        self._steps: list[Step] = []
        self._look()

    def agreed(self, number: int) -> int:
        """In how many tokens the places of a step agree; -1 where there is no such step.

        :param number: of a step that was asked for, or the next one.
        """
        return self._steps[number].agreed if number < len(self._steps) else max(self._agreed)

    def step(self, number: int) -> Step:
        """The step of a number, which has to be there; steps are asked for in their order."""
        if number == len(self._steps):
            self._steps.append(self._widen())
        return self._steps[number]

    def _widen(self) -> Step:
        agreed, low, high = max(self._agreed), self._low, self._high
        prefix = self._query.first(agreed)
        if self._agreed[0] == agreed:
            self._low = self.index.run_of(prefix, low - 1, -1)
        if self._agreed[1] == agreed:
            self._high = self.index.run_of(prefix, high, 1)
        self._look()
        return Step(self.index, agreed, range(self._low, low), range(high, self._high))

    def _look(self) -> None:
        """Look in how many tokens the rows next to the found ones agree."""
        agreement = self.index.agreement
        self._agreed = agreement(self._low - 1, self._query), agreement(self._high, self._query)


class AgreementsKept:
    """The agreements of all segments with the last queries."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, ...], dict[int, Agreements]] = OrderedDict()

    def of(self, number: int, index: SuffixIndex, query: tuple[int, ...]) -> Agreements:
        """Return the agreements of a segment, which its number names, with a query."""
        segments = self._kept.setdefault(query, {})
        self._kept.move_to_end(query)
        if len(self._kept) > QUERIES_KEPT:
            self._kept.popitem(last=False)
        found = segments.get(number)
        if found is None:
            found = segments[number] = Agreements(index, query)
        return found


class Search:
    """The search of one segment for a context, from the longest agreement to ever shorter ones, one at a time.

    A caller with many segments widens those with the longest agreement first and stops when it has enough.

    :param agreements: of the segment with ``anchored.query``.
    :param limit, wanted: as in :func:`find`.
    :param scan_limit: anchors whose next tokens are compared for one match length, at most.
    :ivar length: no match that is still to be found agrees in more tokens; 0 when there are no more.
    :ivar found: positions, length and population of each length so far.
    :ivar thinned: whether anchors were left out because there were more than ``scan_limit``.
    :ivar compared: places whose next tokens the last step compared.
    """

    def __init__(
        self,
        agreements: Agreements,
        anchored: Anchored,
        limit: int,
        wanted: NDArray[np.uint32] | None = None,
        scan_limit: int = SCAN_LIMIT,
    ) -> None:
        self._agreements, self._tail = agreements, anchored.tail
        self._left, self._wanted, self._scan_limit = limit, wanted, scan_limit
        self._number = 0
        self.found: list[tuple[NDArray[np.uint32], int, int]] = []
        self.thinned = False
        self.compared = 0
        self.length = 0
        if wanted is None or len(wanted):
            self._look()

    def widen(self) -> int:
        """Collect the matches of the longest agreement that is left; return how many they are."""
        step = self._agreements.step(self._number)
        self._number += 1
        self.compared = 0
        if self._tail or self._wanted is not None:
            sample = step.sample(self._scan_limit)
            self.compared = len(sample.places)
            self.thinned |= self.compared < step.population
            fresh = sample.followed_by(self._tail, self._wanted)
            population = len(fresh)
            fresh = fresh[_spread(population, self._left)]
        else:
            population = step.population
            fresh = step.places(_spread(population, self._left))
        if population:
            behind = self._agreements.index.length(self._tail)
            self.found.append((fresh + np.uint32(behind), self.length, population))
            self._left -= len(fresh)
        self._look()
        return len(fresh)

    def matches(self) -> Matches:
        """All matches so far."""
        return _matches(self.found)

    def _look(self) -> None:
        """Look how long the next agreement is; without tokens behind an anchor, it must be one token at least."""
        agreed, behind = self._agreements.agreed(self._number), len(self._tail)
        ends = self._left <= 0 or agreed < 0 or agreed + behind == 0
        self.length = 0 if ends else min(agreed + behind, DEPTH)


def widen_longest_first(searches: Sequence[Search], limit: int, places: int | None = None) -> None:
    """Widen searches until they have the ``limit`` matches that agree longest, all of the least agreement included.

    Shorter agreements would be dropped, so that segments without a long one are hardly looked at.

    :param searches: of equal agreements the first ones are looked at first.
    :param places: places whose next tokens are compared, at most; None: as many as there are. What is left out then is
        said by ``thinned`` of the searches that it was left out of.
    """
    waiting = [(-search.length, number) for number, search in enumerate(searches) if search.length]
    heapify(waiting)
    count, least, looked = 0, 0, 0
    while waiting and (count < limit or -waiting[0][0] == least):
        least, number = -waiting[0][0], waiting[0][1]
        search = searches[number]
        if places is not None and looked >= places:
            search.thinned = True
            break
        count += search.widen()
        looked += search.compared
        if search.length:
            heapreplace(waiting, (-search.length, number))
        else:
            heappop(waiting)


def prepare_longest_first(
    agreements: Sequence[Agreements], enough: int, scan_limit: int, stop: Callable[[], bool]
) -> None:
    """Find the places that a search for unfinished words will look at, and read what follows them.

    :param enough: places after which it ends. :param stop: says whether to end at once; asked about every millisecond.
    """
    waiting = [(-one.agreed(0), number, 0) for number, one in enumerate(agreements) if one.agreed(0) > 0]
    heapify(waiting)
    count = 0
    while waiting and count < enough and not stop():
        _, number, step = waiting[0]
        sample = agreements[number].step(step).sample(scan_limit)
        sample.prepare()
        count += len(sample.places)
        if (agreed := agreements[number].agreed(step + 1)) > 0:
            heapreplace(waiting, (-agreed, number, step + 1))
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
