"""Tells lines that were moved from lines that were written.

The rule is that of ``git diff --color-moved=blocks``: a block of lines that a commit added is moved when the commit
took the same lines, one after another, away elsewhere, and the block holds at least ``LETTERS`` letters and digits. So
a lone ``else:`` is not taken for moved because another one was deleted. Indentation does not count.

This module knows texts and hunks of one commit, no repository.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

LETTERS: Final = 20
"""Letters and digits that a moved block has at least; git's number."""


PLACES: Final = 100
"""Places tried for one line: of braces and blank calls there are thousands in a large commit."""


class Moves:
    """The lines that one commit took away.

    :param runs: lines that stood one after another, for each place where some were taken away.
    """

    def __init__(self, runs: Iterable[Sequence[str]]) -> None:
        self._runs = [[line.strip() for line in run if line.strip()] for run in runs]
        self._lone: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._pairs: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for number, run in enumerate(self._runs):
            for place, line in enumerate(run):
                self._lone[line].append((number, place))
                if place + 1 < len(run):
                    self._pairs[line, run[place + 1]].append((number, place))

    def moved(self, added: Sequence[str]) -> list[bool]:
        """For each line of a run of added ones whether it was moved; blank lines never are."""
        lines = [line.strip() for line in added]
        found = [False] * len(lines)
        rows = [row for row, line in enumerate(lines) if line]
        words = [lines[row] for row in rows]
        start = 0
        while start < len(rows):
            length = max((self._length(words, start, place) for place in self._places(words, start)), default=0)
            if sum(letter.isalnum() for line in words[start : start + length] for letter in line) >= LETTERS:
                for row in rows[start : start + length]:
                    found[row] = True
            start += max(1, length)
        return found

    def _places(self, lines: Sequence[str], start: int) -> Iterable[tuple[int, int]]:
        """Where a block that begins with a line may have stood: by two lines where one says little."""
        if start + 1 < len(lines) and (found := self._pairs.get((lines[start], lines[start + 1]))):
            return found[:PLACES]
        return self._lone.get(lines[start], [])[:1]  # no two lines agree, so that any place gives a block of one

    def _length(self, lines: Sequence[str], start: int, place: tuple[int, int]) -> int:
        """How many lines from ``start`` on are those of a run from a place on."""
        run, at = self._runs[place[0]], place[1]
        length = 0
        while start + length < len(lines) and at + length < len(run) and lines[start + length] == run[at + length]:
            length += 1
        return length
