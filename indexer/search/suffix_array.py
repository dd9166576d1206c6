"""The token suffix index: finds the places in the repository where the tokens before the cursor occur too.

The tokens of all documents of a segment are stored as one stream in *reverse*, and the stream's positions are sorted by
the tokens after them (a suffix array). The longest context that occurs elsewhere is then found by a binary search with
``memcmp`` on slices of one memory map, about 10 µs for one bound in a million lines. The sort compares ``DEPTH``
tokens; contexts that agree on these count as equal.

The stream consists of units (``token_codes``): a frequent token is one, a rare one two. Positions count units forwards:
position ``p`` means that the next token begins with unit ``p`` of the segment. Only anchors are sorted: starts of
lines, and words outside running prose. A context that ends between anchors is searched from its last anchor, and the
tokens after the matches are compared with the rest. This halves the sorted positions and loses matches only inside
prose.
"""

from collections.abc import Iterator, Mapping, Sequence
from mmap import mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search import line_table
from indexer.search.line_table import LineTable
from indexer.search.token_codes import FREQUENT, Coded, PlainCodes, TokenCodes, is_half, is_second, rare_ids
from indexer.text.tokens import BLANK_LINE, END, NEWLINE, WORD, Lexed

Buffer = bytes | memoryview | mmap

DEPTH: Final = 32
"""Tokens of context that the order distinguishes. A match of 32 tokens is nearly certain."""

PROSE_WORDS: Final = 3
"""Words in a row after which the next word counts as prose."""

SHORT: Final = 1 << 3 * 8
"""Numbers below this one are kept in three bytes. A segment of code has at most some 16.5 million units; only one of
nothing but punctuation has more."""

SORTED_AT_ONCE: Final = 1 << 20
"""Positions that are sorted at once; each takes some 60 bytes more meanwhile."""

PLAIN: Final = "stream.u32"
"""The stream of whole ids that is made of an index of an earlier format."""

FILES: Final = ("stream.u16", "frequent.u32", "order.bin", "documents.u32", *line_table.FILES)


def build_suffixes(documents: Sequence[Lexed]) -> dict[str, bytes]:
    """The files of the suffix index over documents in the given order: file name to contents, as in ``FILES``."""
    sizes = np.array([len(lexed.ids) for lexed in documents], np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes + 1)))
    total = int(starts[-1])
    ids = np.full(total, END, np.uint32)
    for start, lexed in zip(starts.tolist()[:-1], documents, strict=True):
        ids[start : start + len(lexed.ids)] = lexed.ids
    wanted = _anchors(ids)
    codes = TokenCodes.of(ids)
    keys = codes.keys(ids)
    del ids
    order = _sort(keys[::-1])
    # Element j of the backward stream is token total-1-j; read from j on it is the context of token total-j.
    tokens = (total - order).astype(np.uint32)
    del order
    inside = tokens < total
    inside[inside] = wanted[tokens[inside]]
    # Unit number of each token, and of the end.
    places = np.zeros(total + 1, np.uint32)
    np.cumsum(keys >= FREQUENT, dtype=np.uint32, out=places[1:])
    places += np.arange(total + 1, dtype=np.uint32)
    return {
        "stream.u16": codes.units(keys[::-1]).astype(">u2").tobytes(),
        "frequent.u32": codes.data,
        "order.bin": _numbers(places[tokens[inside]], _width(int(places[-1]))),
        **_table(documents, starts, places),
    }


def _table(documents: Sequence[Lexed], starts: NDArray[np.int64], places: NDArray[np.uint32]) -> dict[str, bytes]:
    """The files of where documents and lines begin.

    :param starts: of each document the number of its first token; :param places: of each token that of its first unit.
    """
    lines = np.cumsum([0] + [len(lexed.counts) for lexed in documents])
    tokens = np.concatenate([np.zeros(0, np.int64), *(lexed.counts for lexed in documents)]).astype(np.int64)
    indents = np.concatenate([np.zeros(0, np.uint8), *(lexed.indents for lexed in documents)])
    # One token separates each document from the next one.
    ends = np.cumsum(tokens) + np.repeat(np.arange(len(documents)), np.diff(lines))
    units = places[ends].astype(np.int64) - places[ends - tokens]
    return {
        "documents.u32": np.stack((places[starts], lines)).astype("<u4").tobytes(),
        **line_table.build_lines(units, indents),
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
    """Bytes of a position among ``total`` units; the last position stands behind all of them."""
    return 3 if total < SHORT else 4


def _numbers(values: NDArray[np.uint32], width: int) -> bytes:
    """Numbers of ``width`` big-endian bytes each."""
    return values.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()


def _numbers_at(data: NDArray[np.uint8], rows: NDArray[np.int64], width: int) -> NDArray[np.uint32]:
    """The numbers in the given rows of what :func:`_numbers` made.

    Byte by byte: 64 us for a thousand rows, which numpy copies as rows of three bytes in 220.
    """
    places = rows * width
    values = data[places].astype(np.uint32)
    for byte in range(1, width):
        values = (values << np.uint32(8)) | data[places + byte]
    return values


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
        self._stream = files[PLAIN if PLAIN in files else "stream.u16"]
        self._codes: TokenCodes = (
            PlainCodes() if PLAIN in files else TokenCodes(np.frombuffer(files["frequent.u32"], "<u4"))
        )
        self._units = np.frombuffer(self._stream, self._codes.kind)
        self._unit, self._kind = self._units.itemsize, self._units.dtype.newbyteorder("=")
        self._order = files["order.bin"]
        table = np.frombuffer(files["documents.u32"], "<u4").reshape(2, -1)
        self._starts, self._first_lines = table[0], table[1]
        self._lines = LineTable(files)
        self.size = len(self._units)
        """Units of the segment."""
        self._width = _width(self.size)
        self._order_bytes = np.frombuffer(self._order, np.uint8)
        self.rows = len(self._order_bytes) // self._width

    def code(self, ids: Sequence[int]) -> Coded:
        """A context, the nearest token first, as the stream would hold it."""
        return self._codes.code(ids)

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The positions in the given rows of the order."""
        return _numbers_at(self._order_bytes, rows, self._width)

    def around(self, positions: NDArray[np.uint32], before: int, count: int) -> NDArray[np.uint32]:
        """The tokens around each position, shape ``(positions, before + count)``; ``END`` beyond both ends.

        :param before: tokens before the position, the nearest last. :param count: tokens from the position on.
        """
        left, right = (before, count) if self._codes.only_frequent else (2 * before, 2 * count)
        places = self.size - 1 - (positions.astype(np.int64)[:, None] + np.arange(-left, right))
        units = self._units.take(places, mode="clip").astype(self._kind)
        if len(places) and (places.min() < 0 or places.max() >= self.size):
            units[(places < 0) | (places >= self.size)] = 0  # the number of END
        return self._codes.around(units, before, count)

    def next_token(self, positions: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The token at each position."""
        places = self.size - 1 - positions.astype(np.int64)
        units = self._units[places].astype(self._kind)
        if self._codes.only_frequent:
            return self._codes.known(units)
        rare = is_half(units)
        found = self._codes.known(np.where(rare, np.uint16(0), units))
        found[rare] = rare_ids(self._units[places[rare] - 1], units[rare])
        return found

    def length(self, ids: Sequence[int]) -> int:
        """How many units tokens take."""
        return len(self._codes.ahead(ids)[0]) if ids else 0

    def run(self, first: int, last: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The tokens at positions ``[first, last)``, and the position of each."""
        units = self._units[self.size - last : self.size - first].astype(self._kind)
        begins = np.arange(last - first)
        if not self._codes.only_frequent:
            begins = np.flatnonzero(~is_second(units[::-1]))
        return self._codes.tokens(units)[::-1], first + begins

    def back(self, document: int, position: int, tokens: int) -> int:
        """The position that many tokens before another one, or where the document begins."""
        start = self.document_start(document)
        _, places = self.run(max(start, position - 2 * tokens), position)
        return int(places[-tokens:][0]) if len(places) else position

    def locate(self, positions: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """For each position its document, its source line (from 0) and its token number within that line."""
        documents = self._starts.searchsorted(positions, side="right") - 1
        places = positions.astype(np.int64)
        lines, units = self._lines.locate(places - documents)
        return documents, lines - self._first_lines[documents], self._tokens_before(places, units)

    def _tokens_before(self, places: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens the last ``units`` units before each place are."""
        if self._codes.only_frequent:
            return units
        ends = units.cumsum()
        # The units of all places in a row, each from its line's begin on.
        each = np.arange(ends[-1] if len(ends) else 0) + (places - ends).repeat(units)
        second = np.zeros(len(each) + 1, np.int64)
        is_second(self._units[self.size - 1 - each]).cumsum(out=second[1:])
        found: NDArray[np.int64] = units - second[ends] + second[ends - units]
        return found

    def document_start(self, document: int) -> int:
        """The position of a document's first token."""
        return int(self._starts[document])

    def line_range(self, document: int, first: int, last: int) -> tuple[int, int]:
        """The positions of the tokens of lines ``[first, last)`` of a document, as a half-open range."""
        row = int(self._first_lines[document])
        end = min(row + last, int(self._first_lines[document + 1]))
        return self._lines.start(row + first) + document, self._lines.start(end) + document

    def indent(self, documents: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Columns of leading blanks of the given lines; ``BLANK_LINE`` for blank ones and lines that are not there.

        :param lines: of any shape whose last axis is that of the documents.
        """
        first, end = self._first_lines[documents], self._first_lines[documents + 1]
        rows = lines + first
        outside = (lines < 0) | (rows >= end)
        rows[outside] = 0
        found = self._lines.indent(rows)
        found[outside] = BLANK_LINE
        return found

    def followed_by(self, positions: NDArray[np.uint32], tail: Sequence[int], first: int = 0) -> NDArray[np.uint32]:
        """The positions whose next tokens are those of the tail.

        :param first: number of the first token of the tail that is compared; those before it have to be there.
        """
        units, ends = self._codes.ahead(tail)
        for ahead in range(ends[first - 1] if first else 0, len(units)):
            if not len(positions):
                break
            places = np.subtract(self.size - 1 - ahead, positions, dtype=np.int64)
            np.maximum(places, 0, out=places)
            positions = positions[self._units[places] == units[ahead]]
        return positions

    def lexed(self) -> list[Lexed]:
        """The tokens of every document."""
        ids, places = self.run(0, self.size)
        starts, first_lines = self._starts.tolist(), self._first_lines.tolist()
        units, indents = self._lines.units(), self._lines.indents()
        ends = np.cumsum(units) + np.repeat(np.arange(len(starts) - 1), np.diff(first_lines))
        counts = np.searchsorted(places, ends) - np.searchsorted(places, ends - units)
        tokens = np.searchsorted(places, starts).tolist()
        return [
            Lexed(
                ids[tokens[i] : tokens[i + 1] - 1],
                counts[first_lines[i] : first_lines[i + 1]].astype(np.uint16),
                indents[first_lines[i] : first_lines[i + 1]],
            )
            for i in range(len(starts) - 1)
        ]

    def _context(self, row: int, size: int) -> bytes:
        """``size`` bytes of the backward context of an entry of the order."""
        place = row * self._width
        position = int.from_bytes(self._order[place : place + self._width], "big")
        start = (self.size - position) * self._unit
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

    def agreement(self, row: int, query: Coded) -> int:
        """Tokens in which the context of a row agrees with the query; -1 where there is no such row."""
        if not 0 <= row < self.rows:
            return -1
        data = query.data
        context = self._context(row, len(data))
        if context == data:
            return len(query.ends) - 1
        differing = next((i for i, (a, b) in enumerate(zip(context, data, strict=False)) if a != b), len(context))
        return query.whole(differing)
