"""How many units each line of a segment has and how far it is indented, in one byte a line.

    lines.u8     one number a line: which of the frequent pairs of both it has, or ``_OTHER``
    lines.u32    how many pairs are frequent; the pairs; the other lines' numbers; their pairs

In a kernel 2.3 % of the lines have a pair that is not among the 255 most frequent ones of their segment; these take
eight bytes more. Units are explained in ``token_codes``, and blank lines in ``tokens``.
"""

from collections.abc import Mapping
from mmap import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FILES: Final = ("lines.u8", "lines.u32")

LINE_STEP: Final = 32
"""Lines of which the first one's place is kept in memory: all places would take 127 MB for the kernel."""

_OTHER: Final = 255
_INDENT_BITS: Final = 8
_INDENT: Final = (1 << _INDENT_BITS) - 1


def build_lines(units: Ints, indents: NDArray[np.uint8]) -> dict[str, bytes]:
    """The files of the table.

    :param units: of each line, below 2**24. :param indents: as in :class:`~indexer.text.tokens.Lexed`.
    """
    pairs = (units << _INDENT_BITS | indents).astype(np.uint32)
    distinct, numbers, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:_OTHER]
    codes = np.full(len(distinct), _OTHER, np.uint8)
    codes[frequent] = np.arange(len(frequent), dtype=np.uint8)
    lines = codes[numbers]
    others = np.flatnonzero(lines == _OTHER)
    table = np.concatenate(([len(frequent)], distinct[frequent], others, pairs[others]))
    return {"lines.u8": lines.tobytes(), "lines.u32": table.astype("<u4").tobytes()}


class LineTable:
    """The lines of one segment, read from the files that :func:`build_lines` made."""

    def __init__(self, files: Mapping[str, bytes | memoryview | mmap]) -> None:
        self._lines = np.frombuffer(files["lines.u8"], np.uint8)
        table = np.frombuffer(files["lines.u32"], "<u4")
        count = int(table[0])
        self._frequent = np.zeros(_OTHER + 1, np.uint32)
        self._frequent[:count] = table[1 : count + 1]
        self._others, self._pairs = table[count + 1 :].reshape(2, -1)
        steps = np.arange(0, len(self), LINE_STEP)
        sums = np.add.reduceat(self.units(), steps) if len(steps) else np.zeros(0, np.int64)
        self._every = np.append(0, np.cumsum(sums)).astype(np.uint32)

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def units(self) -> Ints:
        """The units of every line."""
        return (self._all() >> _INDENT_BITS).astype(np.int64)

    def indents(self) -> NDArray[np.uint8]:
        """The indentation of every line."""
        return (self._all() & _INDENT).astype(np.uint8)

    def indent(self, lines: Ints) -> NDArray[np.uint8]:
        """The indentation of some lines, which have to be there."""
        return (self._some(lines) & _INDENT).astype(np.uint8)

    def start(self, line: int) -> int:
        """How many units stand before a line."""
        block = line // LINE_STEP
        rest = self._some(np.arange(block * LINE_STEP, line)) >> _INDENT_BITS
        return int(self._every[block]) + int(rest.sum(dtype=np.int64))

    def locate(self, units: Ints) -> tuple[Ints, Ints]:
        """The lines that hold the units of given numbers, and the units' numbers within them."""
        blocks = self._every.searchsorted(units.astype(np.uint32), side="right") - 1
        np.minimum(blocks, len(self._every) - 2, out=blocks)
        rows = blocks[:, None] * LINE_STEP + np.arange(LINE_STEP)
        counts = self._some(rows) >> _INDENT_BITS
        if len(rows) and rows[:, -1].max() >= len(self):
            counts[rows >= len(self)] = 0
        ends = counts.cumsum(axis=1, dtype=np.int64)
        inside = units - self._every[blocks]
        # Lines without units have none: the line is behind all that end at or before the unit.
        column = (ends <= inside[:, None]).sum(axis=1)
        numbers = np.arange(len(units))
        return blocks * LINE_STEP + column, inside - ends[numbers, column] + counts[numbers, column]

    def _some(self, lines: Ints) -> NDArray[np.uint32]:
        """The pairs of some lines; anything for lines that are not there."""
        codes = self._lines.take(lines, mode="clip")
        pairs = self._frequent[codes]
        other = (codes == _OTHER).nonzero()
        if len(other[0]):
            pairs[other] = self._pairs.take(self._others.searchsorted(lines[other].astype(np.uint32)), mode="clip")
        return pairs

    def _all(self) -> NDArray[np.uint32]:
        pairs = self._frequent[self._lines]
        pairs[self._others] = self._pairs
        return pairs
