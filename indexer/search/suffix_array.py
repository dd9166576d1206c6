"""The token suffix index: finds the places in the repository where the tokens before the cursor occur too.

The tokens of all documents of a segment are stored as one stream in *reverse*, and the stream's positions are sorted by
the tokens after them (a suffix array). The longest context that occurs elsewhere is then found by a binary search with
``memcmp`` on slices of one memory map, about 10 µs for one bound in a million lines. The sort compares ``DEPTH``
tokens; contexts that agree on these count as equal.

Positions are numbered forwards: position ``p`` means that the next token is number ``p`` of the segment. Only anchors
are sorted: starts of lines, and words outside running prose. A context that ends between anchors is searched from its
last anchor, and the tokens after the matches are compared with the rest. This halves the sorted positions (the index
must stay below twice the size of the source) and loses matches only inside prose.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import BLANK_LINE, END, NEWLINE, WIDTH, WORD, Lexed, pack, unpack

Buffer = bytes | memoryview | mmap

DEPTH: Final = 32
"""Tokens of context that the order distinguishes. A match of 32 tokens is nearly certain."""

PROSE_WORDS: Final = 3
"""Words in a row after which the next word counts as prose."""

BEHIND_LIMIT: Final = 12
"""Maximum number of tokens between the last anchor and the cursor."""

SCAN_LIMIT: Final = 8_000
"""Maximum number of anchors whose next tokens are compared for one match length; 8,000 take about 0.3 ms."""

FILES: Final = ("stream.u24", "order.u32", "documents.u32", "counts.u16", "indents.u8")


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


def build_suffixes(documents: Sequence[Lexed]) -> dict[str, bytes]:
    """The files of the suffix index over documents in the given order: file name to contents, as in ``FILES``."""
    sizes = np.array([len(lexed.ids) for lexed in documents], np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes + 1)))
    lines = np.array([0] + [len(lexed.counts) for lexed in documents], np.int64).cumsum()
    total = int(sizes.sum()) + len(documents)
    ids = np.full(total, END, np.uint32)
    for start, lexed in zip(starts.tolist()[:-1], documents, strict=True):
        ids[start : start + len(lexed.ids)] = lexed.ids
    wanted = _anchors(ids)
    backwards = ids[::-1]
    order = _sort(backwards)
    # Element j of the backward stream is token total-1-j; read from j on it is the context of position total-j.
    positions = (total - order).astype(np.uint32)
    inside = positions < total
    inside[inside] = wanted[positions[inside]]
    return {
        "stream.u24": pack(backwards),
        "order.u32": positions[inside].astype("<u4").tobytes(),
        "documents.u32": np.stack((starts, lines)).astype("<u4").tobytes(),
        "counts.u16": _joined([lexed.counts for lexed in documents], "<u2"),
        "indents.u8": _joined([lexed.indents for lexed in documents], "u1"),
    }


def _anchors(ids: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which tokens begin a line, or are words without ``PROSE_WORDS`` words right before them."""
    words = (ids & WORD) == WORD
    prose = words.copy()
    for back in range(1, PROSE_WORDS + 1):
        prose[back:] &= words[:-back]
        prose[:back] = False
    starts = np.ones(len(ids), bool)
    starts[1:] = (ids[:-1] == NEWLINE) | (ids[:-1] == END)
    anchors: NDArray[np.bool_] = (starts | (words & ~prose)) & (ids != END)
    return anchors


def _joined(parts: Sequence[NDArray[np.generic]], kind: str) -> bytes:
    return np.concatenate(parts).astype(kind).tobytes() if parts else b""


def _sort(ids: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The suffixes of ``ids`` in order of their first ``DEPTH`` ids, equal ones by position.

    Prefix doubling that only sorts again what is still undecided: 9.4 million tokens of Python take about 4 s.
    """
    total = len(ids)
    padded = np.zeros(total + 2, np.uint64)
    padded[:total] = ids
    key = (padded[:-2] << np.uint64(24)) | padded[1:-1]
    order = np.argsort(key, kind="stable")
    rank, undecided = _ranks(key[order], order, total)
    del key, padded
    length = 2
    while length < DEPTH and len(undecided):
        members = order[undecided]
        follow = members + length
        beyond = follow >= total
        follow[beyond] = 0
        second = rank[follow].astype(np.int64) + 1
        second[beyond] = 0
        first = rank[members].astype(np.int64)
        again = np.argsort((first.astype(np.uint64) << np.uint64(32)) | second.astype(np.uint64), kind="stable")
        members, first, second = members[again], first[again], second[again]
        order[undecided] = members
        fresh = np.ones(len(members), bool)
        fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
        rank[members] = undecided[np.maximum.accumulate(np.where(fresh, np.arange(len(members)), 0))]
        single = fresh & np.append(fresh[1:], True)
        undecided = undecided[~single]
        length *= 2
    return order


def _ranks(
    keys: NDArray[np.uint64], order: NDArray[np.int64], total: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Each suffix's rank (the first place of its group) and the places whose group has more than one member."""
    fresh = np.ones(total, bool)
    fresh[1:] = keys[1:] != keys[:-1]
    places = np.arange(total)
    first = np.maximum.accumulate(np.where(fresh, places, 0))
    rank = np.empty(total, np.uint32)
    rank[order] = first
    single = fresh & np.append(fresh[1:], True)
    return rank, places[~single]


class SuffixIndex:
    """The suffix index of one segment, read from the files that :func:`build_suffixes` made.

    :param files: file name to contents; memory maps are read as they are, only the table of lines is made in memory.
    """

    def __init__(self, files: Mapping[str, Buffer]) -> None:
        self._stream = files["stream.u24"]
        self._tokens = np.frombuffer(self._stream, np.uint8).reshape(-1, WIDTH)
        self._low_bytes = self._tokens[:, WIDTH - 1]
        self._order = np.frombuffer(files["order.u32"], "<u4")
        table = np.frombuffer(files["documents.u32"], "<u4").reshape(2, -1)
        self._starts, self._first_lines = table[0], table[1]
        self._line_starts = np.concatenate(([0], np.cumsum(np.frombuffer(files["counts.u16"], "<u2"), dtype=np.int64)))
        self._line_starts = self._line_starts.astype(np.uint32)
        self.indents = np.frombuffer(files["indents.u8"], np.uint8)
        self.size = len(self._tokens)

    def tokens(self, positions: NDArray[np.uint32], count: int) -> NDArray[np.uint32]:
        """The ``count`` tokens from each position on, shape ``(positions, count)``; ``END`` beyond the end."""
        places = self.size - 1 - (positions.astype(np.int64)[:, None] + np.arange(count))
        ids = unpack(self._tokens[np.maximum(places, 0)])
        ids[places < 0] = END
        return ids

    def next_token(self, positions: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The token at each position."""
        return unpack(self._tokens[self.size - 1 - positions.astype(np.int64)])

    def run(self, first: int, last: int) -> NDArray[np.uint32]:
        """The tokens at positions ``[first, last)``."""
        return unpack(self._tokens[self.size - last : self.size - first][::-1])

    def tokens_before(self, positions: NDArray[np.uint32], count: int) -> NDArray[np.uint32]:
        """The ``count`` tokens before each position, the nearest last; ``END`` before the segment's begin."""
        places = self.size - 1 - (positions.astype(np.int64)[:, None] - np.arange(count, 0, -1))
        ids = unpack(self._tokens[np.minimum(places, self.size - 1)])
        ids[places >= self.size] = END
        return ids

    def locate(self, positions: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """For each position its document, its source line (from 0) and its token number within that line."""
        documents = np.searchsorted(self._starts, positions, side="right") - 1
        plain = positions.astype(np.int64) - documents
        lines = np.searchsorted(self._line_starts, plain, side="right") - 1
        return documents, lines - self._first_lines[documents], plain - self._line_starts[lines]

    def document_start(self, document: int) -> int:
        """The position of a document's first token."""
        return int(self._starts[document])

    def line_range(self, document: int, first: int, last: int) -> tuple[int, int]:
        """The positions of the tokens of lines ``[first, last)`` of a document, as a half-open range."""
        row = int(self._first_lines[document])
        end = min(row + last, int(self._first_lines[document + 1]))
        return int(self._line_starts[row + first]) + document, int(self._line_starts[end]) + document

    def indent(self, documents: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Columns of leading blanks of the given lines; ``BLANK_LINE`` for blank ones and lines that are not there."""
        rows = self._first_lines[documents].astype(np.int64) + lines
        inside = (lines >= 0) & (rows < self._first_lines[documents + 1])
        return np.where(inside, self.indents[np.where(inside, rows, 0)], BLANK_LINE).astype(np.uint8)

    def find(self, context: Sequence[int], limit: int, wanted: NDArray[np.uint32] | None = None) -> Matches:
        """Find the positions where the longest ends of the context occur.

        :param context: token ids, the one next to the cursor last.
        :param limit: how many places at most; a longer agreement comes first, and of more places with the same
            agreement than there is room for, evenly spread ones are taken.
        :param wanted: ids that the next token has to be one of, as ``words`` gives them; None for any.
        """
        if wanted is not None and not len(wanted):
            return _matches([])
        behind = _tokens_behind_anchor(context)
        tail = list(context[len(context) - behind :])
        query = np.array(context[: len(context) - behind][::-1][: DEPTH - behind], np.uint32)
        found: list[tuple[NDArray[np.uint32], int, int]] = []
        left = limit
        for low, high, taken, length in self._widening(pack(query)):
            if left <= 0 or (length == 0 and not tail):
                break
            fresh = np.concatenate((self._order[low : taken[0]], self._order[taken[1] : high]))
            thinned = len(fresh) // SCAN_LIMIT + 1 if tail or wanted is not None else 1
            fresh = self._followed_by(fresh[::thinned], tail)
            if wanted is not None:
                fresh = fresh[among(self.next_token(fresh + np.uint32(behind)), wanted)]
            population = len(fresh)
            if population:
                fresh = fresh[_spread(population, left)]
                found.append((fresh + np.uint32(behind), length + behind, population))
                left -= len(fresh)
        return _matches(found)

    def _followed_by(self, positions: NDArray[np.uint32], tail: list[int]) -> NDArray[np.uint32]:
        """The positions whose next tokens are those of the tail.

        The lowest byte is compared first: one look at memory drops all but one in 256 of the others.
        """
        for ahead, token in enumerate(tail):
            places = self.size - 1 - ahead - positions.astype(np.int64)
            places = np.maximum(places, 0)
            same = self._low_bytes[places] == token & 0xFF
            positions, places = positions[same], places[same]
            positions = positions[unpack(self._tokens[places]) == token]
            if not len(positions):
                break
        return positions

    def _widening(self, query: bytes) -> Iterator[tuple[int, int, tuple[int, int], int]]:
        """Ranges of the order that agree with ever less of the query: (low, high, the range before, tokens)."""
        place = self._bound(query, 0, len(self._order), after=False)
        low = high = place
        while True:
            above = self._agreement(low - 1, query) if low > 0 else -1
            below = self._agreement(high, query) if high < len(self._order) else -1
            length = max(above, below)
            if length < 0:
                return
            taken = (low, high)
            prefix = query[: length * WIDTH]
            low = self._bound(prefix, 0, low, after=False) if above == length else low
            high = self._bound(prefix, high, len(self._order), after=True) if below == length else high
            yield low, high, taken, length

    def _context(self, row: int, size: int) -> bytes:
        """``size`` bytes of the backward context of an entry of the order."""
        start = (self.size - int(self._order[row])) * WIDTH
        return bytes(self._stream[start : start + size])

    def _bound(self, prefix: bytes, low: int, high: int, *, after: bool) -> int:
        """The first row whose context is not below the prefix, or (``after``) is above all that start with it."""
        size = len(prefix)
        while low < high:
            middle = (low + high) // 2
            context = self._context(middle, size)
            if context < prefix or (after and context == prefix):
                low = middle + 1
            else:
                high = middle
        return low

    def _agreement(self, row: int, query: bytes) -> int:
        """Tokens in which the context of a row agrees with the query."""
        context = self._context(row, len(query))
        if context == query:
            return len(query) // WIDTH
        differing = next((i for i, (a, b) in enumerate(zip(context, query, strict=False)) if a != b), len(context))
        return differing // WIDTH


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
