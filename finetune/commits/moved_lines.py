"""Finds the added lines of a commit that were moved rather than written.

The rule is that of ``git diff --color-moved=blocks``: an added block is moved if the same commit removed the same
lines, in the same order, elsewhere, and the block holds at least ``LETTERS`` letters and digits. A single ``else:`` is
therefore not a moved line. Indentation is ignored.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

LETTERS: Final = 20
"""Minimum of letters and digits in a moved block, as in git."""

POSITIONS: Final = 100
"""Positions tried for one line, at most: a large commit removes thousands of lines with a single brace."""


class MovedLines:
    """Finds moved lines by the lines that one commit removed.

    :param runs: the removed lines, one sequence for each hunk.
    """

    def __init__(self, runs: Iterable[Sequence[str]]) -> None:
        self._runs = [[line.strip() for line in run if line.strip()] for run in runs]
        self._lone: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._pairs: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for number, run in enumerate(self._runs):
            for row, line in enumerate(run):
                self._lone[line].append((number, row))
                if row + 1 < len(run):
                    self._pairs[line, run[row + 1]].append((number, row))

    def moved(self, added: Sequence[str]) -> list[bool]:
        """Return for each line of an added hunk whether it was moved; blank lines never are."""
        lines = [line.strip() for line in added]
        found = [False] * len(lines)
        rows = [row for row, line in enumerate(lines) if line]
        words = [lines[row] for row in rows]
        start = 0
        while start < len(rows):
            lengths = (self._length(words, start, run, at) for run, at in self._positions(words, start))
            length = max(lengths, default=0)
            if sum(letter.isalnum() for line in words[start : start + length] for letter in line) >= LETTERS:
                for row in rows[start : start + length]:
                    found[row] = True
            start += max(1, length)
        return found

    def _positions(self, lines: Sequence[str], start: int) -> Iterable[tuple[int, int]]:
        """Return (run, row) of the removed lines that equal the next two lines, or else the next line."""
        if start + 1 < len(lines) and (found := self._pairs.get((lines[start], lines[start + 1]))):
            return found[:POSITIONS]
        return self._lone.get(lines[start], [])[:1]  # the next lines differ: every position gives a block of one line

    def _length(self, lines: Sequence[str], start: int, number: int, at: int) -> int:
        """Return how many lines from ``start`` on equal the lines of a run from row ``at`` on."""
        run = self._runs[number]
        length = 0
        while start + length < len(lines) and at + length < len(run) and lines[start + length] == run[at + length]:
            length += 1
        return length
