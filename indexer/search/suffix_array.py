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
from mmap import mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import BLANK_LINE, END, NEWLINE, WIDTH, WORD, Lexed, pack, unpack

Buffer = bytes | memoryview | mmap

DEPTH: Final = 32
"""Tokens of context that the order distinguishes. A match of 32 tokens is nearly certain."""

PROSE_WORDS: Final = 3
"""Words in a row after which the next word counts as prose."""

SHORT: Final = 1 << 3 * 8
"""Numbers below this one are kept in three bytes. A segment has some six million tokens; only one of nothing but
punctuation has more."""

LINE_STEP: Final = 64
"""Lines of which the first one's place is kept in memory."""

SORTED_AT_ONCE: Final = 1 << 20
"""Positions that are sorted at once; each takes some 60 bytes more meanwhile."""

OLD_ORDER: Final = "order.u32"
"""The order in an index of the first format, four little-endian bytes a position; it is read until the next update."""

FILES: Final = ("stream.u24", "order.bin", "documents.u32", "counts.u16", "indents.u8")


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
        "order.bin": _numbers(positions[inside], _width(total)),
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


def _width(total: int) -> int:
    """Bytes of a position among ``total`` tokens; the last position stands behind all of them."""
    return 3 if total < SHORT else 4


def _numbers(values: NDArray[np.uint32], width: int) -> bytes:
    """Numbers of ``width`` big-endian bytes each."""
    return values.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()


def _numbers_at(data: NDArray[np.uint8], rows: NDArray[np.int64], width: int) -> NDArray[np.uint32]:
    """The numbers in the given rows of what :func:`_numbers` or ``pack`` made.

    Byte by byte: 64 us for a thousand rows, which numpy copies as rows of three bytes in 220.
    """
    places = rows * width
    values = data[places].astype(np.uint32)
    for byte in range(1, width):
        values = (values << np.uint32(8)) | data[places + byte]
    return values


def _joined(parts: Sequence[NDArray[np.generic]], kind: str) -> bytes:
    return np.concatenate(parts).astype(kind).tobytes() if parts else b""


def _sort(ids: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The suffixes of ``ids`` in order of their first ``DEPTH`` ids, equal ones by position.

    Prefix doubling that only sorts again what is still undecided, some whole groups at a time: a position takes some
    30 bytes of memory while it is sorted.
    """
    total = len(ids)
    order = np.argsort(ids, kind="stable").astype(np.uint32)
    rank = np.empty(total, np.uint32)
    fresh = _changes(ids[order])
    first = np.maximum.accumulate(np.where(fresh, np.arange(total, dtype=np.uint32), np.uint32(0)))
    rank[order] = first
    undecided = np.flatnonzero(~_single(fresh)).astype(np.uint32)
    del fresh, first
    length = 1
    while length < DEPTH and len(undecided):
        # The ranks of this length are wanted until all groups are sorted.
        newer, left = np.empty(len(undecided), np.uint32), []
        for low, high in _slices(rank, order, undecided):
            places = undecided[low:high]
            newer[low:high], single = _sort_again(order, rank, places, length)
            left.append(places[~single])
        rank[order[undecided]] = newer
        undecided = np.concatenate(left)
        length *= 2
    return order


def _slices(
    rank: NDArray[np.uint32], order: NDArray[np.uint32], undecided: NDArray[np.uint32]
) -> Iterator[tuple[int, int]]:
    """Ranges of ``undecided`` with some ``SORTED_AT_ONCE`` places each that end where a group ends."""
    low = 0
    while low < len(undecided):
        high = min(low + SORTED_AT_ONCE, len(undecided))
        if high < len(undecided):
            # A group's rank is the first of its places.
            begins = rank[order[undecided[high]]]
            high = int(np.searchsorted(undecided, begins))
            if high <= low:
                high = int(np.searchsorted(rank[order[undecided[low:]]], begins, side="right")) + low
        yield low, high
        low = high


def _sort_again(
    order: NDArray[np.uint32], rank: NDArray[np.uint32], places: NDArray[np.uint32], length: int
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Sort whole groups, which agree in ``length`` ids, by the next ones, in place.

    :returns: the new rank of each place, and which are alone in their group now.
    """
    members = order[places]
    follow = members.astype(np.int64) + length
    beyond = follow >= len(rank)
    follow[beyond] = 0
    key = rank[follow].astype(np.uint64) + np.uint64(1)
    key[beyond] = 0
    key |= rank[members].astype(np.uint64) << np.uint64(32)
    again = np.argsort(key, kind="stable")
    order[places] = members[again]
    fresh = _changes(key[again])
    ranks = places[np.maximum.accumulate(np.where(fresh, np.arange(len(places)), 0))]
    return ranks, _single(fresh)


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are not equal to the one before."""
    fresh = np.ones(len(values), bool)
    fresh[1:] = values[1:] != values[:-1]
    return fresh


def _single(fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which members are alone in their group, where ``fresh`` tells the first of each."""
    single: NDArray[np.bool_] = fresh & np.append(fresh[1:], True)
    return single


class SuffixIndex:
    """The suffix index of one segment, read from the files that :func:`build_suffixes` made.

    :param files: file name to contents; memory maps are read as they are, only the table of lines is made in memory.
    """

    def __init__(self, files: Mapping[str, Buffer]) -> None:
        self._stream = files["stream.u24"]
        self._stream_bytes = np.frombuffer(self._stream, np.uint8)
        self._tokens = self._stream_bytes.reshape(-1, WIDTH)
        self._low_bytes = self._tokens[:, WIDTH - 1]
        self._old = OLD_ORDER in files
        self._order = files[OLD_ORDER if self._old else "order.bin"]
        table = np.frombuffer(files["documents.u32"], "<u4").reshape(2, -1)
        self._starts, self._first_lines = table[0], table[1]
        self._counts = np.frombuffer(files["counts.u16"], "<u2")
        # Every 64th start: all of them would take 127 MB of memory for the kernel.
        lines = np.arange(0, len(self._counts), LINE_STEP)
        sums = np.add.reduceat(self._counts, lines, dtype=np.int64) if len(lines) else np.zeros(0, np.int64)
        self._every = np.concatenate((np.zeros(1, np.int64), np.cumsum(sums)))
        self.indents = np.frombuffer(files["indents.u8"], np.uint8)
        self.size = len(self._tokens)
        self._width = 4 if self._old else _width(self.size)
        self._order_bytes = np.frombuffer(self._order, np.uint8)
        self.rows = len(self._order_bytes) // self._width

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The positions in the given rows of the order."""
        if self._old:
            found: NDArray[np.uint32] = np.frombuffer(self._order, "<u4")[rows]
            return found
        return _numbers_at(self._order_bytes, rows, self._width)

    def around(self, positions: NDArray[np.uint32], before: int, count: int) -> NDArray[np.uint32]:
        """The tokens around each position, shape ``(positions, before + count)``; ``END`` beyond both ends.

        :param before: tokens before the position, the nearest last. :param count: tokens from the position on.
        """
        places = self.size - 1 - (positions.astype(np.int64)[:, None] + np.arange(-before, count))
        ids = unpack(self._tokens.take(places, axis=0, mode="clip"))
        ids[(places < 0) | (places >= self.size)] = END
        return ids

    def next_token(self, positions: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The token at each position."""
        return _numbers_at(self._stream_bytes, self.size - 1 - positions.astype(np.int64), WIDTH)

    def run(self, first: int, last: int) -> NDArray[np.uint32]:
        """The tokens at positions ``[first, last)``."""
        return unpack(self._tokens[self.size - last : self.size - first][::-1])

    def locate(self, positions: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """For each position its document, its source line (from 0) and its token number within that line."""
        documents = np.searchsorted(self._starts, positions, side="right") - 1
        plain = positions.astype(np.int64) - documents
        lines, tokens = self._lines(plain)
        return documents, lines - self._first_lines[documents], tokens

    def document_start(self, document: int) -> int:
        """The position of a document's first token."""
        return int(self._starts[document])

    def line_range(self, document: int, first: int, last: int) -> tuple[int, int]:
        """The positions of the tokens of lines ``[first, last)`` of a document, as a half-open range."""
        row = int(self._first_lines[document])
        end = min(row + last, int(self._first_lines[document + 1]))
        return self._line_start(row + first) + document, self._line_start(end) + document

    def _line_start(self, line: int) -> int:
        """How many tokens stand before a line of the segment."""
        block = line // LINE_STEP
        return int(self._every[block]) + int(self._counts[block * LINE_STEP : line].sum(dtype=np.int64))

    def _lines(self, tokens: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The lines that hold the tokens of given numbers, and the tokens' numbers within them."""
        blocks = np.minimum(np.searchsorted(self._every, tokens, side="right"), len(self._every) - 1) - 1
        rows = blocks[:, None] * LINE_STEP + np.arange(LINE_STEP)
        counts = self._counts.take(rows, mode="clip")
        if len(rows) and rows[:, -1].max() >= len(self._counts):
            counts[rows >= len(self._counts)] = 0
        ends = np.cumsum(counts, axis=1, dtype=np.int32)
        inside = (tokens - self._every[blocks]).astype(np.int32)
        # Lines without tokens have no token: the line is behind all that end at or before it.
        column = (ends <= inside[:, None]).sum(axis=1)
        numbers = np.arange(len(tokens))
        return blocks * LINE_STEP + column, (inside - ends[numbers, column] + counts[numbers, column]).astype(np.int64)

    def indent(self, documents: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Columns of leading blanks of the given lines; ``BLANK_LINE`` for blank ones and lines that are not there."""
        rows = self._first_lines[documents].astype(np.int64) + lines
        inside = (lines >= 0) & (rows < self._first_lines[documents + 1])
        return np.where(inside, self.indents[np.where(inside, rows, 0)], BLANK_LINE).astype(np.uint8)

    def followed_by(self, positions: NDArray[np.uint32], tail: Sequence[int], first: int = 0) -> NDArray[np.uint32]:
        """The positions whose next tokens are those of the tail.

        The lowest byte is compared first: one look at memory drops all but one in 256 of the others.

        :param first: number of the first token of the tail that is compared.
        """
        for ahead, token in enumerate(tail[first:], first):
            if not len(positions):
                break
            places = np.subtract(self.size - 1 - ahead, positions, dtype=np.int64)
            np.maximum(places, 0, out=places)
            same = np.flatnonzero(self._low_bytes[places] == token & 0xFF)  # take() would copy every third byte
            positions = positions[same]
            positions = positions[_numbers_at(self._stream_bytes, places[same], WIDTH) == token]
        return positions

    def _context(self, row: int, size: int) -> bytes:
        """``size`` bytes of the backward context of an entry of the order."""
        place = row * self._width
        position = int.from_bytes(self._order[place : place + self._width], "little" if self._old else "big")
        start = (self.size - position) * WIDTH
        return bytes(self._stream[start : start + size])

    def bound(self, prefix: bytes, low: int, high: int, *, after: bool) -> int:
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

    def run_of(self, prefix: bytes, row: int, step: int) -> int:
        """How far, from a row that starts with the prefix, upwards (``step`` -1) or downwards (1) other rows do so too.

        Returns the first row above which, or the last row below which, that is no longer so, as a bound: the rows of
        ``[bound, row]`` or ``[row, bound)`` start with it. It looks at rows twice as far away each time, since most
        runs are short.
        """
        size, far = len(prefix), 1
        while 0 <= row + step * far < self.rows and self._context(row + step * far, size) == prefix:
            far *= 2
        nearest = row + step * (far // 2)
        if step < 0:
            return self.bound(prefix, max(0, row - far), nearest, after=False)
        return self.bound(prefix, nearest, min(self.rows, row + far), after=True)

    def agreement(self, row: int, query: bytes) -> int:
        """Tokens in which the context of a row agrees with the query; -1 where there is no such row."""
        if not 0 <= row < self.rows:
            return -1
        context = self._context(row, len(query))
        if context == query:
            return len(query) // WIDTH
        differing = next((i for i, (a, b) in enumerate(zip(context, query, strict=False)) if a != b), len(context))
        return differing // WIDTH
